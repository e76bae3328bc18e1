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
/// ones, and not all whole or more of them than half the rows.
pub fn measured(labels: &Texts) -> Option<usize> {
    let values: Option<Vec<f64>> = labels.distinct().map(|text| text.parse().ok()).collect();
    let mut values = values?;
    values.sort_by(f64::total_cmp);
    values.dedup();
    let fractions = values.iter().any(|v| v.fract() != 0.0);
    (values.len() > 20 && (fractions || 2 * values.len() > labels.present()))
        .then_some(values.len())
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

    proptest! {
        #[test]
        fn every_label_has_its_own_name(labels in prop::collection::vec("[a-c]{0,2}", 0..20)) {
            let (indices, classes) = encode(&labels);
            prop_assert!(indices.iter().map(|&i| &classes[i]).eq(&labels));
            prop_assert!(classes.is_sorted());
        }
    }
}
