//! The nearest name to a mistyped one.

use crate::Error;

/// The candidate most like `name`, when one is near enough to be worth offering.
///
/// Similarity is Jaro–Winkler on lower-case text, in [0, 1]; the threshold 0.7 offers `mnist` for
/// `minst` and nothing for `cifar`. The first of several equals wins.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let mut best = None;
    let mut best_score = 0.7;
    for candidate in candidates {
        let score = strsim::jaro_winkler(&name, &candidate.to_lowercase());
        if score > best_score {
            (best, best_score) = (Some(candidate), score);
        }
    }
    best
}

/// An [`Error::Unknown`] that offers the nearest of `candidates`.
pub fn unknown<'a>(
    kind: &'static str,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Error {
    let suggestion = nearest(name, candidates).map(str::to_owned);
    Error::Unknown {
        kind,
        name: name.to_owned(),
        suggestion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["mnist", "usps", "optdigits", "office-caltech10/amazon"];

    #[test]
    fn typing_errors_find_their_name() {
        assert_eq!(nearest("minst", NAMES), Some("mnist"));
        assert_eq!(nearest("USPS", NAMES), Some("usps"));
        assert_eq!(nearest("opt-digits", NAMES), Some("optdigits"));
        assert_eq!(
            nearest("office-caltech/amazon", NAMES),
            Some("office-caltech10/amazon")
        );
    }

    #[test]
    fn another_name_finds_nothing() {
        assert_eq!(nearest("cifar", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
        assert_eq!(nearest("mnist", []), None);
    }

    #[test]
    fn the_message_offers_the_name() {
        let message = unknown("data set", "minst", NAMES).to_string();
        assert_eq!(message, "unknown data set `minst`; did you mean `mnist`?");
        let message = unknown("data set", "cifar", NAMES).to_string();
        assert_eq!(message, "unknown data set `cifar`");
    }
}
