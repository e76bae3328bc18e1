//! Labels as they lie in files, to class indices and class names.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Texts;

/// The class index of every label, and the class names by index: numbers in numerical order if all
/// labels are numbers, else text in the order of its code points.
///
/// Numbers are named by their value, so that `1`, `1.0` and `01` are one class, `1`, and a domain
/// in a table matches one in a matrix.
pub fn encode<S: AsRef<str>>(labels: &[S]) -> (Vec<usize>, Vec<String>) {
    let names = canonical(labels);
    let mut classes: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sort(&mut classes);
    classes.dedup();
    let index: HashMap<&str, usize> = classes.iter().enumerate().map(|(i, &c)| (c, i)).collect();
    let indices = names.iter().map(|name| index[name.as_ref()]).collect();
    let classes = classes.into_iter().map(str::to_owned).collect();
    (indices, classes)
}

/// Sorts class names as [`encode`] orders them.
pub fn sort<S: AsRef<str>>(names: &mut [S]) {
    let number = |s: &S| s.as_ref().parse::<f64>().ok().filter(|v| v.is_finite());
    names.sort_by(|a, b| a.as_ref().cmp(b.as_ref()));
    if names.iter().all(|s| number(s).is_some()) {
        // Equal numbers may be spelt differently, and stay in the order of their texts.
        names.sort_by_cached_key(|s| ascending(number(s).unwrap_or_default() + 0.0));
    }
}

/// An integer that ascends with the value.
fn ascending(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// One label by its value if it is a number, as [`encode`] names the classes of numbers.
pub fn by_value(label: &str) -> Cow<'_, str> {
    if let Ok(integer) = label.parse::<i64>() {
        return integer.to_string().into();
    }
    match label.parse::<f64>() {
        Ok(value) if value.is_finite() => (value + 0.0).to_string().into(),
        _ => label.into(),
    }
}

/// The number of distinct labels, if they look like a measurement: numbers, more than 20 distinct
/// ones, and not all whole, or more of them than half the rows, or a twentieth of them in one row alone, as
/// counts of something are: a class of which there is one row is none.
pub fn measured(labels: &Texts) -> Option<usize> {
    let values: Option<Vec<(f64, usize)>> =
        labels.counts().map(|(text, rows)| Some((text.parse().ok()?, rows))).collect();
    let mut values = values?;
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let same = values.chunk_by(|(a, _), (b, _)| a == b);
    let rows: Vec<usize> = same.map(|same| same.iter().map(|(_, rows)| rows).sum()).collect();
    let (distinct, single) = (rows.len(), rows.iter().filter(|&&rows| rows == 1).count());
    let fractions = values.iter().any(|(value, _)| value.fract() != 0.0);
    let looks = fractions || 2 * distinct > labels.present() || 20 * single >= distinct;
    (distinct > 20 && looks).then_some(distinct)
}

/// The labels by value when all are numbers, else as they are.
fn canonical<S: AsRef<str>>(labels: &[S]) -> Vec<Cow<'_, str>> {
    let texts = || labels.iter().map(AsRef::as_ref);
    let integers: Option<Vec<i64>> = texts().map(|s| s.parse().ok()).collect();
    if let Some(integers) = integers {
        return integers.iter().map(|v| v.to_string().into()).collect();
    }
    let floats: Option<Vec<f64>> =
        texts().map(|s| s.parse().ok().filter(|v: &f64| v.is_finite())).collect();
    match floats {
        // Adding zero turns −0 into 0.
        Some(floats) => floats.iter().map(|v| (v + 0.0).to_string().into()).collect(),
        None => texts().map(Cow::Borrowed).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_sort_by_value_and_text_by_letters() {
        let (indices, classes) = encode(&["10", "9", "-1", "9"]);
        assert_eq!(classes, ["-1", "9", "10"]);
        assert_eq!(indices, [2, 1, 0, 1]);
        assert_eq!(encode(&["1.0", "01", "1", "2e0", "-0.0"]).1, ["0", "1", "2"]);
        assert_eq!(encode(&["10", "9", "mug"]).1, ["10", "9", "mug"]);
        assert_eq!(encode(&["nan", "1"]).1, ["1", "nan"]);
    }

    #[test]
    fn numbers_of_any_size_and_sign_have_their_order() {
        let mut names = ["1e300", "0.5", "-1e300", "-0.25", "1e-310", "0", "-0", "00", "-7"];
        sort(&mut names);
        assert_eq!(names, ["-1e300", "-7", "-0.25", "-0", "0", "00", "1e-310", "0.5", "1e300"]);
    }

    #[test]
    fn integers_too_long_for_a_float_stay_apart() {
        let (indices, classes) = encode(&["9007199254740993", "9007199254740992"]);
        assert_eq!(classes, ["9007199254740992", "9007199254740993"]);
        assert_eq!(indices, [1, 0]);
    }

    #[test]
    fn counts_look_like_a_measurement_and_many_classes_do_not() {
        let texts =
            |values: Vec<usize>| values.iter().map(|v| Some(v.to_string())).collect::<Texts>();
        // 1,500 classes of two rows each; squares, the larger of which come once.
        assert_eq!(measured(&texts((0..3000).map(|i| i / 2).collect())), None);
        let counts = texts((0..400usize).map(|i| (i / 8).max(i.saturating_sub(360) * 3)).collect());
        assert!(measured(&counts).is_some());
        assert_eq!(measured(&texts((0..60).map(|i| i % 20).collect())), None);
        assert_eq!(measured(&[Some("0.5"), Some("1")].into_iter().collect()), None);
    }

    proptest! {
        #[test]
        fn every_label_has_its_own_name(labels in prop::collection::vec("[a-c]{0,2}", 0..20)) {
            let (indices, classes) = encode(&labels);
            prop_assert!(indices.iter().map(|&i| &classes[i]).eq(&labels));
            prop_assert!(classes.is_sorted());
        }
    }
}
