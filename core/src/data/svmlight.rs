//! The svmlight / libsvm text format of sparse rows, read into a dense matrix.
//!
//! Joachims, "SVM-light", section "How to use": a line is `label index:value index:value …`, with
//! indices in increasing order and everything after `#` a comment.

use std::path::Path;

use ndarray::Array2;

use super::{DataError, raw};

/// The most elements of the dense matrix: 2²⁸, 1 GiB. One index of a sparse file decides over the
/// width of all rows, so the file's own length is no bound.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// d. Without it, the largest index in this file decides, so that two files of one data set
    /// can disagree.
    pub n_features: Option<usize>,
    /// Whether the first feature has index 0; the format's own rule is 1.
    pub zero_based: bool,
}

/// Parses `bytes`, gzipped or not, into features `(n, d)` and n labels. `path` serves the messages
/// only.
///
/// Errors, with the line: what is not a number or not finite, an index that is out of order or out
/// of range, `qid:` (ranking data), no row; a matrix of more than [`MAX_ELEMENTS`].
pub fn parse(
    bytes: &[u8],
    path: &Path,
    options: Options,
) -> Result<(Array2<f32>, Vec<f64>), DataError> {
    let bytes = raw::gunzip(bytes, path)?;
    let mut labels = Vec::new();
    let mut entries: Vec<(usize, usize, f32)> = Vec::new();
    let mut width = 0;
    for (number, line) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let malformed = |reason| DataError::malformed(path, format!("line {number}: {reason}"));
        let line = str::from_utf8(line).map_err(|_| malformed("not UTF-8 text".into()))?;
        let content = line.split('#').next().unwrap_or_default();
        let mut fields = content.split_ascii_whitespace();
        let Some(label) = fields.next() else { continue };
        let mut next = 0;
        for field in fields {
            let (index, value) = entry(field, options.zero_based).map_err(malformed)?;
            if index < next {
                return Err(malformed(format!("`{field}`: indices must increase within a line")));
            }
            if let Some(d) = options.n_features.filter(|&d| index >= d) {
                return Err(malformed(format!("`{field}` is beyond the {d} features")));
            }
            next = index + 1;
            entries.push((labels.len(), index, value));
        }
        width = width.max(next);
        labels.push(finite(label).ok_or_else(|| malformed(format!("label `{label}`: {FINITE}")))?);
    }
    let (n, d) = (labels.len(), options.n_features.unwrap_or(width));
    if n == 0 {
        return Err(DataError::malformed(path, "no rows"));
    }
    if n.checked_mul(d).is_none_or(|len| len > MAX_ELEMENTS) {
        return Err(DataError::malformed(
            path,
            format!(
                "{n} rows of {d} features are more than {MAX_ELEMENTS} elements of a dense matrix: \
                 select features or rows first"
            ),
        ));
    }
    let mut features = Array2::zeros((n, d));
    for (row, column, value) in entries {
        features[[row, column]] = value;
    }
    Ok((features, labels))
}

/// [`parse`] on a file; gzip is recognised by its content, whatever the name.
#[cfg(feature = "files")]
pub fn read(path: &Path, options: Options) -> Result<(Array2<f32>, Vec<f64>), DataError> {
    parse(&raw::read(path)?, path, options)
}

const FINITE: &str = "expected a finite number";

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

/// `index:value`, the index from 0.
fn entry(field: &str, zero_based: bool) -> Result<(usize, f32), String> {
    let Some((index, value)) = field.split_once(':') else {
        return Err(format!("`{field}`: expected `index:value`"));
    };
    if index == "qid" {
        return Err("`qid:` marks ranking data, which has no classes".into());
    }
    let index = match index.parse::<usize>() {
        Ok(0) if !zero_based => {
            return Err(format!("`{field}`: indices start at 1 (is the file zero-based?)"));
        }
        Ok(index) if index <= MAX_ELEMENTS => index - usize::from(!zero_based),
        _ => return Err(format!("`{field}`: the index is no integer up to {MAX_ELEMENTS}")),
    };
    let value = finite(value).map(|v| v as f32).filter(|v| v.is_finite());
    Ok((index, value.ok_or_else(|| format!("`{field}`: {FINITE} of single precision"))?))
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::data::testing::gzip;

    const ZERO_BASED: Options = Options { n_features: None, zero_based: true };

    fn parse(text: &str, options: Options) -> Result<(Array2<f32>, Vec<f64>), DataError> {
        super::parse(text.as_bytes(), Path::new("x.svmlight"), options)
    }

    #[test]
    fn rows_comments_and_blank_lines() {
        let text = "# head\n-1 1:0.5 3:2 # tail: 9:9\n\n+1\r\n2.5 2:-1e-1";
        let expected = array![[0.5, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, -0.1, 0.0]];
        let labels = vec![-1.0, 1.0, 2.5];
        assert_eq!(parse(text, Options::default()).unwrap(), (expected, labels));
        let (features, _) = parse("1 0:7", Options { n_features: Some(3), ..ZERO_BASED }).unwrap();
        assert_eq!(features, array![[7.0, 0.0, 0.0]]);
    }

    #[test]
    fn messages_name_the_line() {
        let fails = |text: &str, options, part: &str| {
            let message = parse(text, options).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        let default = Options::default();
        fails("1 1:1\n1 0:1", default, "x.svmlight: line 2: `0:1`: indices start at 1");
        fails("1 2:1 2:1", default, "line 1: `2:1`: indices must increase");
        fails(
            "1 3:1",
            Options { n_features: Some(2), ..default },
            "`3:1` is beyond the 2 features",
        );
        fails("1 1:one", default, "`1:one`: expected a finite number");
        fails("1 1:nan", default, "`1:nan`: expected a finite number");
        fails("1 1:1e39", default, "`1:1e39`: expected a finite number of single precision");
        fails("1 1", default, "`1`: expected `index:value`");
        fails("1 -1:1", default, "`-1:1`: the index is no integer up to 268435456");
        fails("1 268435457:1", default, "the index is no integer up to 268435456");
        fails("1 qid:3 1:1", default, "line 1: `qid:` marks ranking data");
        fails("1,2 1:1", default, "label `1,2`: expected a finite number");
        fails("# nothing\n", default, "no rows");
        fails("1 268435456:1\n1 1:1", default, "2 rows of 268435456 features are more than");
    }

    proptest! {
        #[test]
        fn sparse_rows_round_trip(
            rows in prop::collection::vec(prop::collection::vec(-8i8..8, 6), 1..8),
            zero_based: bool,
            zipped: bool,
        ) {
            let mut text = String::new();
            for (label, row) in rows.iter().enumerate() {
                text += &label.to_string();
                for (j, v) in row.iter().enumerate().filter(|(_, v)| **v != 0) {
                    text += &format!(" {}:{}", j + usize::from(!zero_based), f32::from(*v) / 4.0);
                }
                text += "\n";
            }
            let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
            let options = Options { n_features: Some(6), zero_based };
            let (features, labels) = super::parse(&bytes, Path::new("x"), options).unwrap();
            let expected = rows.iter().flatten().map(|&v| f32::from(v) / 4.0);
            prop_assert!(features.iter().copied().eq(expected));
            prop_assert!(labels.iter().copied().eq((0..rows.len()).map(|i| i as f64)));
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn amazon_reviews_have_the_published_sizes() {
        let Some(root) = crate::data::testing::data_root("svmlight files") else {
            return;
        };
        let options = Options { n_features: Some(5000), zero_based: true };
        for (domain, n) in
            [("books", 4465), ("dvd", 3586), ("electronics", 5681), ("kitchen", 5945)]
        {
            for (part, n) in [("train", 2000), ("test", n)] {
                let path = root.join(format!("amazon-reviews/{domain}_{part}.svmlight.gz"));
                let (features, labels) = read(&path, options).unwrap();
                assert_eq!(features.dim(), (n, 5000));
                assert!(labels.iter().all(|&y| y == 1.0 || y == -1.0));
            }
        }
    }
}
