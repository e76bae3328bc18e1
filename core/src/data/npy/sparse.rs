//! Sparse matrices in `.npz` files.
//!
//! Two layouts are read. SciPy's `save_npz` writes `data`, `indices`, `indptr`, `shape` and `format`,
//! which is `csr` or `csc`, or `data`, `row`, `col` and `shape` for `coo`; its other formats are named
//! in an error. Files of several matrices have the same arrays behind a prefix of their own, as in
//! `s_data`, `x.data` or `train/data`; the name of such a matrix is the prefix without its separator.
//! There `shape` may lack, and with it `format`, which is `csr` then: as many rows as `indptr` says, as
//! many columns as `n_features` (behind the prefix or without one) or the largest index says.

use std::collections::HashSet;
use std::path::Path;

use ndarray::ArrayD;

use super::{files, header, parse};
use crate::data::{
    DataError, raw,
    sparse::{Sparse, check_row_count},
};

/// What ends the name of the array that holds a matrix's entries.
const DATA: &str = "data";

/// The sparse matrices of an `.npz` file with their names, in the file's order; a matrix without a
/// prefix has the empty name.
///
/// # Errors
/// A file that cannot be read; arrays that make no matrix, with the array's name.
pub fn parse_npz_sparse(bytes: &[u8], path: &Path) -> Result<Vec<(String, Sparse)>, DataError> {
    let names = files::npz_names(bytes, path)?;
    let (known, budget) = (known(&names), raw::Budget::of(bytes));
    let prefixes: Vec<&str> = names.iter().filter_map(|name| prefix(name, &known)).collect();
    prefixes
        .into_iter()
        .map(|prefix| {
            let arrays = Arrays { bytes, path, names: &known, prefix, budget: &budget };
            let matrix = arrays.matrix().map_err(|reason| match prefix {
                "" => DataError::malformed(path, format!("the sparse matrix: {reason}")),
                _ => DataError::malformed(path, format!("the sparse matrix `{prefix}…`: {reason}")),
            })?;
            Ok((prefix.trim_end_matches(SEPARATORS).to_owned(), matrix))
        })
        .collect()
}

/// The sparse matrix `name` of an `.npz` file, or the only one; none if no arrays are of that name.
///
/// # Errors
/// As [`parse_npz_sparse`]; several matrices and no name.
pub fn find_npz_sparse(
    bytes: &[u8],
    path: &Path,
    name: Option<&str>,
) -> Result<Option<Sparse>, DataError> {
    let names = files::npz_names(bytes, path)?;
    let (known, budget) = (known(&names), raw::Budget::of(bytes));
    let prefixes = names.iter().filter_map(|array| prefix(array, &known));
    let found: Vec<&str> = match name {
        None => prefixes.collect(),
        Some(name) => prefixes.filter(|p| p.trim_end_matches(SEPARATORS) == name).collect(),
    };
    match found[..] {
        [] => Ok(None),
        [prefix] => {
            let arrays = Arrays { bytes, path, names: &known, prefix, budget: &budget };
            arrays.matrix().map(Some).map_err(|reason| {
                DataError::malformed(path, format!("the sparse matrix `{prefix}…`: {reason}"))
            })
        }
        _ => {
            let names: Vec<String> =
                found.iter().map(|p| format!("`{}`", p.trim_end_matches(SEPARATORS))).collect();
            let reason = format!("several sparse matrices, {}: name one", names.join(", "));
            Err(DataError::malformed(path, reason))
        }
    }
}

/// What may stand between a matrix's name and `data`.
const SEPARATORS: [char; 4] = ['_', '.', '/', '-'];

/// The names, to look for one among very many.
fn known(names: &[String]) -> HashSet<&str> {
    names.iter().map(String::as_str).collect()
}

/// The prefix of the matrix of which `name` is the entries.
fn prefix<'a>(name: &'a str, names: &HashSet<&str>) -> Option<&'a str> {
    let prefix = name.strip_suffix(DATA)?;
    let has = |part: &str| names.contains(format!("{prefix}{part}").as_str());
    let known = prefix.is_empty() || prefix.ends_with(SEPARATORS);
    let whole = (has("indices") && has("indptr")) || (has("row") && has("col")) || has("format");
    (known && whole).then_some(prefix)
}

/// The arrays of one matrix.
struct Arrays<'a> {
    bytes: &'a [u8],
    path: &'a Path,
    names: &'a HashSet<&'a str>,
    prefix: &'a str,
    /// What all arrays together may unpack to.
    budget: &'a raw::Budget,
}

/// `indptr`, `indices` and `data`.
type Compressed = (Vec<usize>, Vec<usize>, Vec<f64>);

impl Arrays<'_> {
    fn matrix(&self) -> Result<Sparse, String> {
        let format = match self.has("format") {
            true => self.word("format")?,
            false if self.has("indptr") => "csr".to_owned(),
            false => "coo".to_owned(),
        };
        let shape = match self.has("shape") {
            true => Some(self.integers("shape", "the shape")?),
            false => None,
        };
        let shape = match shape.as_deref() {
            None => None,
            Some(&[rows, columns]) => Some((rows, columns)),
            Some(other) => return Err(format!("shape {other:?}: expected two dimensions")),
        };
        match format.as_str() {
            "csr" => {
                let (starts, indices, values) = self.compressed()?;
                let columns = match shape {
                    Some((rows, columns)) => {
                        check_starts(&starts, rows, "rows")?;
                        columns
                    }
                    None => self.width(&indices)?,
                };
                build(columns, starts, &indices, values)
            }
            "csc" => {
                let (starts, indices, values) = self.compressed()?;
                let Some((rows, columns)) = shape else {
                    return Err("no array `shape`, which columns need".into());
                };
                check_starts(&starts, columns, "columns")?;
                check_row_count(rows, values.len()).map_err(|e| e.to_string())?;
                let transposed = build(rows, starts, &indices, values)?;
                transposed.transposed().map_err(|e| e.to_string())
            }
            "coo" => {
                let values = self.values()?;
                let rows = self.integers("row", "row indices")?;
                let columns = self.integers("col", "column indices")?;
                if rows.len() != values.len() || columns.len() != values.len() {
                    let (r, c, v) = (rows.len(), columns.len(), values.len());
                    return Err(format!("{r} rows and {c} columns of {v} values"));
                }
                let (n, d) = match shape {
                    Some(shape) => shape,
                    None => {
                        let n = rows.iter().max().map_or(0, |&row| row.saturating_add(1));
                        (n, self.width(&columns)?)
                    }
                };
                let entries: Vec<(usize, usize, f64)> = rows
                    .into_iter()
                    .zip(columns)
                    .zip(values)
                    .map(|((row, column), value)| (row, column, value))
                    .collect();
                Sparse::from_triplets((n, d), &entries).map_err(|e| e.to_string())
            }
            other => Err(format!(
                "its format is `{other}`: expected csr, csc or coo; save `matrix.tocsr()`"
            )),
        }
    }

    /// Starts, indices and values of compressed rows or columns.
    fn compressed(&self) -> Result<Compressed, String> {
        let starts = self.integers("indptr", "places")?;
        Ok((starts, self.integers("indices", "indices")?, self.values()?))
    }

    /// d of a matrix that does not say its shape.
    fn width(&self, indices: &[usize]) -> Result<usize, String> {
        const WIDTH: &str = "n_features";
        let at = |prefix: &str| format!("{prefix}{WIDTH}");
        for name in [at(self.prefix), at("")] {
            if self.names.contains(name.as_str()) {
                return match self.array(&name)?.iter().copied().collect::<Vec<f64>>()[..] {
                    [width] => whole(width, &name),
                    _ => Err(format!("array `{name}`: expected one number")),
                };
            }
        }
        Ok(indices.iter().max().map_or(0, |&index| index.saturating_add(1)))
    }

    fn has(&self, part: &str) -> bool {
        self.names.contains(format!("{}{part}", self.prefix).as_str())
    }

    fn values(&self) -> Result<Vec<f64>, String> {
        let name = format!("{}{DATA}", self.prefix);
        let array = self.array(&name)?;
        match array.ndim() {
            1 => Ok(array.into_iter().collect()),
            _ => Err(format!("array `{name}` has shape {:?}: expected (n,)", array.shape())),
        }
    }

    fn integers(&self, part: &str, what: &str) -> Result<Vec<usize>, String> {
        let name = format!("{}{part}", self.prefix);
        let array = self.array(&name)?;
        if array.ndim() != 1 {
            return Err(format!(
                "array `{name}` has shape {:?}: expected {what}, (n,)",
                array.shape()
            ));
        }
        array.iter().map(|&value| whole(value, &name)).collect()
    }

    fn array(&self, name: &str) -> Result<ArrayD<f64>, String> {
        let npy = files::npz_entry(self.bytes, self.path, name, self.budget)
            .map_err(|e| e.to_string())?;
        parse(&npy, self.path).map_err(|e| match e {
            DataError::Malformed { reason, .. } => format!("array `{name}`: {reason}"),
            other => other.to_string(),
        })
    }

    /// The letters of an array of one short text.
    fn word(&self, part: &str) -> Result<String, String> {
        let name = format!("{}{part}", self.prefix);
        let npy = files::npz_entry(self.bytes, self.path, &name, self.budget)
            .map_err(|e| e.to_string())?;
        if !npy.starts_with(header::MAGIC) {
            return Err(format!("array `{name}` is no .npy file"));
        }
        // The header ends with a line feed; text of a fixed length is padded with zeros, in UTF-32 too.
        let text = npy.rsplit(|&b| b == b'\n').next().unwrap_or_default();
        let letters = text.iter().filter(|&&b| b != 0).take(16).map(|&b| char::from(b));
        Ok(letters.collect())
    }
}

fn check_starts(starts: &[usize], n: usize, what: &str) -> Result<(), String> {
    match starts.len().checked_sub(1) == Some(n) {
        true => Ok(()),
        false => {
            Err(format!("the shape has {n} {what}, and `indptr` has {} numbers", starts.len()))
        }
    }
}

fn build(
    columns: usize,
    starts: Vec<usize>,
    indices: &[usize],
    values: Vec<f64>,
) -> Result<Sparse, String> {
    // What does not fit is beyond every width.
    let indices = indices.iter().map(|&index| u32::try_from(index).unwrap_or(u32::MAX)).collect();
    Sparse::new(columns, starts, indices, values).map_err(|e| e.to_string())
}

fn whole(value: f64, name: &str) -> Result<usize, String> {
    // Every integer that an `f64` holds, and more than any place in a file.
    match value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value) {
        true => Ok(value as usize),
        false => Err(format!("array `{name}` has {value}: expected whole numbers from 0 on")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ndarray::{Array1, Array2, arr1, array};
    use ndarray_npy::NpzWriter;

    use super::*;

    /// An archive of these arrays; integers are stored as such.
    fn npz(integers: &[(&str, &[i64])], values: &[(&str, &[f32])]) -> Vec<u8> {
        let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        for (name, array) in integers {
            npz.add_array(*name, &arr1(array)).unwrap();
        }
        for (name, array) in values {
            npz.add_array(*name, &arr1(array)).unwrap();
        }
        npz.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Sparse)>, DataError> {
        parse_npz_sparse(bytes, Path::new("x.npz"))
    }

    fn dense(bytes: &[u8], name: Option<&str>) -> Array2<f64> {
        find_npz_sparse(bytes, Path::new("x.npz"), name).unwrap().unwrap().to_dense().unwrap()
    }

    #[test]
    fn matrices_behind_prefixes() {
        let bytes = npz(
            &[
                ("s_indptr", &[0, 1, 3]),
                ("s_indices", &[2, 0, 1]),
                ("n_features", &[4]),
                ("t.indptr", &[0, 1]),
                ("t.indices", &[1]),
                ("t.shape", &[1, 2]),
            ],
            &[("s_data", &[5.0, 1.0, 2.0]), ("t.data", &[7.0]), ("metadata", &[0.0])],
        );
        let names: Vec<String> = read(&bytes).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["s", "t"]);
        assert_eq!(dense(&bytes, Some("s")), array![[0.0, 0.0, 5.0, 0.0], [1.0, 2.0, 0.0, 0.0]]);
        assert_eq!(dense(&bytes, Some("t")), array![[0.0, 7.0]]);
        let find = |name| find_npz_sparse(&bytes, Path::new("x.npz"), name);
        assert_eq!(find(Some("u")).unwrap(), None);
        let message = find(None).unwrap_err().to_string();
        assert_eq!(message, "x.npz: several sparse matrices, `s`, `t`: name one");
    }

    /// Asking every name of an archive for the other parts of its matrix must not compare all with all.
    #[test]
    fn one_matrix_is_found_among_very_many_names() {
        let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
        for i in 0..10_000 {
            npz.add_array(format!("{i}_data"), &arr1(&[0u8])).unwrap();
        }
        npz.add_array("5000_row", &arr1(&[0u8])).unwrap();
        npz.add_array("5000_col", &arr1(&[2u8])).unwrap();
        npz.add_array("777_row", &arr1(&[0u8])).unwrap();
        let bytes = npz.finish().unwrap().into_inner();
        let found = find_npz_sparse(&bytes, Path::new("x.npz"), None).unwrap().unwrap();
        assert_eq!((found.rows(), found.columns(), found.entries()), (1, 3, 0));
    }

    #[test]
    fn no_shape_and_no_format() {
        let bytes = npz(&[("indptr", &[0, 1, 1]), ("indices", &[2])], &[("data", &[1.0])]);
        assert_eq!(dense(&bytes, None), array![[0.0, 0.0, 1.0], [0.0; 3]]);
        let bytes = npz(&[("row", &[1, 0]), ("col", &[0, 1])], &[("data", &[1.0, 2.0])]);
        assert_eq!(dense(&bytes, None), array![[0.0, 2.0], [1.0, 0.0]]);
        let dense = npz(&[], &[("x", &[1.0]), ("data", &[1.0])]);
        assert!(read(&dense).unwrap().is_empty());
    }

    /// What SciPy's `save_npz` wrote of [[0, 2, 0], [1, 0, 3]], compressed or not.
    #[test]
    fn files_of_scipy() {
        let expected = array![[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]];
        let files: [&[u8]; 3] = [
            include_bytes!("sparse/csr.npz"),
            include_bytes!("sparse/csc.npz"),
            include_bytes!("sparse/coo.npz"),
        ];
        for bytes in files {
            assert_eq!(dense(bytes, None), expected);
        }
        let message = read(include_bytes!("sparse/dia.npz")).unwrap_err().to_string();
        assert_eq!(
            message,
            "x.npz: the sparse matrix: its format is `dia`: expected csr, csc or coo; save \
             `matrix.tocsr()`"
        );
    }

    #[test]
    fn what_makes_no_matrix_is_named() {
        let fails = |integers: &[(&str, &[i64])], values: &[f32], part: &str| {
            let message = read(&npz(integers, &[("data", values)])).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        fails(
            &[("indptr", &[0, 2, 1]), ("indices", &[0])],
            &[1.0],
            "at least 2 after row 1, got 1",
        );
        fails(
            &[("indptr", &[0, 9]), ("indices", &[0])],
            &[1.0],
            "at most 1, the number of entries",
        );
        fails(
            &[("indptr", &[0, -1]), ("indices", &[0])],
            &[1.0],
            "array `indptr` has -1: expected",
        );
        let shape: (&str, &[i64]) = ("shape", &[1, 2]);
        fails(&[("indptr", &[0, 1]), ("indices", &[2]), shape], &[1.0], "beyond the 2 columns");
        fails(&[("indptr", &[0, 1]), ("indices", &[0])], &[f32::NAN], "is NaN: expected finite");
        fails(
            &[("indptr", &[0]), ("indices", &[]), shape],
            &[],
            "the shape has 1 rows, and `indptr`",
        );
        fails(&[("indptr", &[0, 1]), ("indices", &[1 << 40])], &[1.0], "columns: expected at most");
        let huge: (&str, &[i64]) = ("shape", &[1 << 40, 2]);
        fails(&[("row", &[0]), ("col", &[0]), huge], &[1.0], "rows for 1 entries");
        fails(&[("row", &[1 << 40]), ("col", &[0])], &[1.0], "rows for 1 entries");
        let three: (&str, &[i64]) = ("shape", &[1, 2, 3]);
        fails(&[("row", &[0]), ("col", &[0]), three], &[1.0], "expected two dimensions");
        fails(&[("row", &[0, 1]), ("col", &[0])], &[1.0], "2 rows and 1 columns of 1 values");
        let array = Array1::from(vec![1.0f32]).insert_axis(ndarray::Axis(0));
        let mut bytes = NpzWriter::new(Cursor::new(Vec::new()));
        bytes.add_array("data", &array).unwrap();
        bytes.add_array("indptr", &arr1(&[0i32, 1])).unwrap();
        bytes.add_array("indices", &arr1(&[0u16])).unwrap();
        let message = read(&bytes.finish().unwrap().into_inner()).unwrap_err().to_string();
        assert!(message.contains("array `data` has shape [1, 1]: expected (n,)"), "{message}");
    }

    #[test]
    fn text_collections_have_their_published_sizes() {
        let Some(root) = crate::data::testing::data_root("sparse files") else {
            return;
        };
        let path = root.join("text_da/20news_comp.npz");
        let matrix = find_npz_sparse(&std::fs::read(&path).unwrap(), &path, None).unwrap().unwrap();
        assert_eq!((matrix.rows(), matrix.columns(), matrix.entries()), (3870, 25804, 369_731));
        let path = root.join("text_da/reuters_org_vs_people.npz");
        let found = parse_npz_sparse(&std::fs::read(&path).unwrap(), &path).unwrap();
        let sizes: Vec<_> =
            found.iter().map(|(s, x)| (s.as_str(), x.rows(), x.columns())).collect();
        assert_eq!(sizes, [("s", 1237, 4771), ("t", 1208, 4771)]);
    }
}
