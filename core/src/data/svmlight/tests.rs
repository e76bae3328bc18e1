use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;
use crate::data::testing::gzip;

const ZERO_BASED: Options =
    Options { n_features: None, zero_based: ZeroBased::Yes, ignore_qid: false };

fn parse(text: &str, options: Options) -> Result<Parsed, DataError> {
    super::parse(text.as_bytes(), Path::new("x.svmlight"), options)
}

fn dense(text: &str, options: Options) -> Array2<f64> {
    parse(text, options).unwrap().rows.to_dense().unwrap()
}

#[test]
fn rows_comments_and_blank_lines() {
    let text = "# head\n-1 1:0.5 3:2 # tail: 9:9\n\n+1\r\n2.5 2:-1e-1";
    let parsed = parse(text, Options::default()).unwrap();
    let expected = array![[0.5, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, -0.1, 0.0]];
    assert_eq!(parsed.rows.to_dense().unwrap(), expected);
    assert!(parsed.labels.iter().eq([Some("-1"), Some("1"), Some("2.5")]));
    assert!(parsed.notes.is_empty());
    let wide = Options { n_features: Some(3), ..ZERO_BASED };
    assert_eq!(dense("1 0:7", wide), array![[7.0, 0.0, 0.0]]);
    assert_eq!(dense("\u{feff}1 1:1e200\n", Options::default()), array![[1e200]]);
}

#[test]
fn an_index_of_zero_says_where_they_start() {
    let auto = Options::default();
    assert_eq!(dense("1 0:1\n1 1:2\n", auto), array![[1.0, 0.0], [0.0, 2.0]]);
    assert_eq!(dense("1 1:1\n1 2:2\n", auto), array![[1.0, 0.0], [0.0, 2.0]]);
    assert_eq!(dense("1 1:1\n", ZERO_BASED), array![[0.0, 1.0]]);
    let sure = |text: &str, options| {
        let Parsed { zero_based, sure, .. } = parse(text, options).unwrap();
        (zero_based, sure)
    };
    assert_eq!(sure("1 0:1", auto), (true, true));
    assert_eq!(sure("1 1:1", auto), (false, false));
    let of_two = Options { n_features: Some(2), ..auto };
    assert_eq!(sure("1 2:1", of_two), (false, true));
    assert_eq!(sure("1 1:1", Options { zero_based: ZeroBased::No, ..auto }), (false, true));
}

#[test]
fn indices_out_of_order_are_sorted_with_a_note() {
    let parsed = parse("1 3:1 1:2\n1 1:1 2:1\n-1 2:5 1:4 3:6\n", Options::default()).unwrap();
    let expected = array![[2.0, 0.0, 1.0], [1.0, 1.0, 0.0], [4.0, 5.0, 6.0]];
    assert_eq!(parsed.rows.to_dense().unwrap(), expected);
    let note = "the indices of 2 rows do not increase (line 1 first): they were sorted";
    assert_eq!(parsed.notes, [note]);
}

#[test]
fn ranking_data_and_rows_without_labels() {
    let pass = Options { ignore_qid: true, ..Options::default() };
    let parsed = parse("1 qid:3 1:1\n", pass).unwrap();
    assert_eq!(parsed.notes, ["`qid:` was passed over in 1 rows"]);
    let parsed = parse("1 1:1\n? 1:2\n2:1\nNaN\n", Options::default()).unwrap();
    assert!(parsed.labels.iter().eq([Some("1"), None, None, None]));
    assert_eq!(parsed.first_unlabelled, Some(2));
    let expected = array![[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.0]];
    assert_eq!(parsed.rows.to_dense().unwrap(), expected);
}

#[test]
fn messages_name_the_line() {
    let fails = |text: &str, options, part: &str| {
        let message = parse(text, options).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let auto = Options::default();
    let one_based = Options { zero_based: ZeroBased::No, ..auto };
    fails("1 1:1\n1 0:1", one_based, "x.svmlight: line 2: `0:1`: indices start at 1; set svmlight");
    fails("1 2:1 2:1", auto, "line 1: `2:1`: the index occurs twice in the line");
    fails("1 2:1 1:1 2:1", auto, "line 1: the index 2 occurs twice in the line");
    let two = Options { n_features: Some(2), ..auto };
    fails("1 1:1\n1 3:1", two, "line 2: index 3 is beyond the 2 features, counted from 1");
    fails("1 0:1 2:1", two, "line 1: index 2 is beyond the 2 features, counted from 0");
    fails("1 1:one", auto, "`1:one`: expected a finite number");
    fails("1 1:nan", auto, "`1:nan`: expected a finite number");
    fails("1 1:1e999", auto, "`1:1e999`: expected a finite number");
    fails("1 1", auto, "`1`: expected `index:value`");
    fails("1 -1:1", auto, "`-1:1`: the index is no integer up to 33554431");
    fails("1 33554432:1", auto, "the index is no integer up to 33554431");
    fails("1 qid:3 1:1", auto, "line 1: `qid:3` marks ranking data, which has no classes: set svm");
    fails("1,2 1:1", auto, "label `1,2`: several labels in a row (multi-label data), expected one");
    fails("cat 1:1", auto, "label `cat`: expected a finite number");
    fails("# nothing\n", auto, "no rows");
    let damaged = &gzip(b"1 1:1\n")[..12];
    let message = super::parse(damaged, Path::new("x"), auto).unwrap_err().to_string();
    assert!(message.contains("line 1"), "{message}");
}

#[test]
fn one_index_asks_for_no_memory() {
    let parsed = parse("1 33554431:1\n1 1:1", Options::default()).unwrap();
    assert_eq!((parsed.rows.columns(), parsed.rows.entries()), (33_554_431, 2));
}

#[test]
fn options_are_text() {
    let text = r#"{"zero_based":true}"#;
    assert_eq!(serde_json::from_str::<Options>(text).unwrap(), ZERO_BASED);
    for options in [ZERO_BASED, Options::default()] {
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options);
    }
    let error = serde_json::from_str::<Options>(r#"{"zero_based":"no"}"#).unwrap_err().to_string();
    assert!(error.contains("true, false or \"auto\""), "{error}");
}

/// What a pair of files says together: their rows, and the notes.
fn pair(source: &str, target: &str, options: Options) -> Result<[Parsed; 2], DataError> {
    let mut source = super::parse(source.as_bytes(), Path::new("s"), options)?;
    let mut target = super::parse(target.as_bytes(), Path::new("t"), options)?;
    agree(&mut source, &mut target)?;
    Ok([source, target])
}

#[test]
fn a_pair_agrees_on_width_and_start() {
    let [s, t] = pair("1 1:1 3:1\n", "1 2:5\n", Options::default()).unwrap();
    assert_eq!((s.notes.len(), t.rows.to_dense().unwrap()), (0, array![[0.0, 5.0, 0.0]]));
    assert_eq!(
        t.notes,
        ["its largest index makes 2 features, and s has 3: the others are 0 in all its rows"]
    );
    let [s, t] = pair("1 1:1\n", "1 2:5\n", Options::default()).unwrap();
    assert_eq!((s.rows.columns(), s.notes.len(), t.notes.len()), (2, 1, 0));

    for swapped in [false, true] {
        let (zero, hides) = ("1 0:1 2:1\n", "1 1:5\n");
        let [a, b] = match swapped {
            false => pair(zero, hides, Options::default()).unwrap(),
            true => pair(hides, zero, Options::default()).unwrap(),
        };
        let (zero, hides) = if swapped { (b, a) } else { (a, b) };
        assert_eq!(zero.rows.to_dense().unwrap(), array![[1.0, 0.0, 1.0]]);
        assert_eq!(hides.rows.to_dense().unwrap(), array![[0.0, 5.0, 0.0]]);
        assert!(hides.zero_based && hides.notes[0].starts_with("no index is 0, and"), "{hides:?}");
    }
    let given = Options { n_features: Some(3), ..Options::default() };
    let [_, t] = pair("1 0:1\n", "1 1:5\n", given).unwrap();
    assert_eq!(t.rows.to_dense().unwrap(), array![[0.0, 5.0, 0.0]]);
    // 3 of 3 features can only be counted from 1.
    let [_, t] = pair("1 0:1\n", "1 3:5\n", given).unwrap();
    assert_eq!(t.rows.to_dense().unwrap(), array![[0.0, 0.0, 5.0]]);
}

#[test]
fn a_given_width_stands() {
    let parse = |text: &str, n_features| {
        let options = Options { n_features, ..Options::default() };
        super::parse(text.as_bytes(), Path::new("t"), options).unwrap()
    };
    let message = agree(&mut parse("1 1:1\n", Some(2)), &mut parse("1 3:1\n", None)).unwrap_err();
    assert_eq!(message.to_string(), "t: n_features = 2, and t has 3 features: give both the same");
    let mut narrow = parse("1 1:1\n", None);
    narrow.widen(4).unwrap();
    assert_eq!(narrow.rows.columns(), 4);
    let message = parse("1 1:1\n1 4:1\n", None).widen(3).unwrap_err().to_string();
    assert_eq!(
        message,
        "t: row 1 (from 0) has index 4, beyond the 3 features of what it goes with"
    );
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
        let zero_based = if zero_based { ZeroBased::Yes } else { ZeroBased::No };
        let options = Options { n_features: Some(6), zero_based, ignore_qid: false };
        let parsed = super::parse(&bytes, Path::new("x"), options).unwrap();
        let expected = rows.iter().flatten().map(|&v| f64::from(v) / 4.0);
        prop_assert!(parsed.rows.to_dense().unwrap().iter().copied().eq(expected));
        let labels: Texts = (0..rows.len()).map(|i| Some(i.to_string())).collect();
        prop_assert_eq!(parsed.labels, labels);
    }
}

#[cfg(feature = "files")]
#[test]
fn amazon_reviews_have_the_published_sizes() {
    let Some(root) = crate::data::testing::data_root("svmlight files") else {
        return;
    };
    let options = Options { n_features: Some(5000), ..ZERO_BASED };
    for (domain, n) in [("books", 4465), ("dvd", 3586), ("electronics", 5681), ("kitchen", 5945)] {
        for (part, n) in [("train", 2000), ("test", n)] {
            let path = root.join(format!("amazon-reviews/{domain}_{part}.svmlight.gz"));
            let parsed = read(&path, options).unwrap();
            assert_eq!((parsed.rows.rows(), parsed.rows.columns()), (n, 5000));
            assert!(parsed.labels.iter().all(|y| y == Some("1") || y == Some("-1")));
            // Every one of these files says by itself where it starts.
            assert!(read(&path, Options::default()).unwrap().zero_based);
        }
    }
}
