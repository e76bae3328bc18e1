//! The name that somebody probably meant.

/// The name nearest to `name` in Damerau–Levenshtein distance, when it is near enough to be a slip.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Names are ASCII, and Unicode's tables would be 8 kB of the page.
    let wanted = name.to_ascii_lowercase();
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 3)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_mended_and_nonsense_is_not() {
        let names = ["dann", "dan", "deep-coral"];
        assert_eq!(nearest("DANNN", names).as_deref(), Some("dann"));
        assert_eq!(nearest("deepcoral", names).as_deref(), Some("deep-coral"));
        assert_eq!(nearest("resnet", names), None);
    }
}
