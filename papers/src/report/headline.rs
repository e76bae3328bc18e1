//! The result in one sentence: no more than the seeds support.

use super::{
    summary::{MethodSummary, SOURCE_ONLY, Summary},
    table::{percent, points},
};

/// A sentence for the top of the page, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The result.
    pub title: String,
    /// How sure it is and how the method was picked.
    pub basis: String,
}

impl Headline {
    /// The headline of a run.
    pub fn of(summary: &Summary) -> Self {
        let Some(method) = summary.preferred.as_ref().and_then(|name| summary.method(name)) else {
            return Self {
                title: "No adapted model has finished yet".to_owned(),
                basis: "The tables and figures show what there is so far.".to_owned(),
            };
        };
        let pick = pick(summary, method);
        if !summary.target_labelled {
            return Self {
                title: format!("The target has no labels; {} is the model to try", method.method),
                basis: format!("How often it is right on the target is unknown. {pick}"),
            };
        }
        let accuracy = percent(method.target_accuracy);
        let reference = summary.method(SOURCE_ONLY).and_then(|m| m.target_accuracy);
        let (Some(difference), Some(reference)) = (&method.difference, reference) else {
            return Self {
                title: format!("{} is right on {accuracy}\u{a0}% of the target", method.method),
                basis: format!("No finished source-only run to compare with. {pick}"),
            };
        };
        let reference = percent(Some(reference));
        let name = &method.method;
        let change = points(difference.mean);
        let n = difference.by_seed.len();
        let Some([low, high]) = difference.interval else {
            return Self {
                title: format!(
                    "Target accuracy: {reference}\u{a0}% source-only, {accuracy}\u{a0}% with {name}, on too \
                     few seeds to be sure"
                ),
                basis: format!(
                    "{change} points on the one seed that both finished; an interval needs two or \
                     more. {pick}"
                ),
            };
        };
        let interval = format!("95\u{a0}% interval {} to {}", points(low), points(high));
        if !difference.excludes_zero() {
            return Self {
                title: format!(
                    "No certain change of target accuracy: {reference}\u{a0}% source-only, {accuracy}\u{a0}% \
                     with {name}"
                ),
                basis: format!(
                    "The paired difference over {n} seeds is {change} points, and its {interval} \
                     includes 0. {pick}"
                ),
            };
        }
        let verb = if difference.mean > 0.0 { "rises" } else { "falls" };
        Self {
            title: format!(
                "Target accuracy {verb} from {reference}\u{a0}% to {accuracy}\u{a0}% with {name}"
            ),
            basis: format!("Paired difference over {n} seeds: {change} points, {interval}. {pick}"),
        }
    }
}

/// Whether it collapsed, how the method was picked, and whether target labels would have picked
/// another.
fn pick(summary: &Summary, method: &MethodSummary) -> String {
    let texts = [collapse(method), choice(summary, method)];
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn collapse(method: &MethodSummary) -> String {
    let (collapsed, finished) = (method.collapsed.len(), method.finished());
    match collapsed {
        0 => String::new(),
        _ => format!(
            "It collapsed with {collapsed} of {finished} seeds: there it does no better than \
             guessing on the source."
        ),
    }
}

fn choice(summary: &Summary, method: &MethodSummary) -> String {
    let validator = summary.validators.first().map_or("", String::as_str);
    let adapting = || summary.methods.iter().filter(|m| m.method != SOURCE_ONLY);
    if adapting().filter(|m| m.scores.get(validator).is_some()).count() < 2 {
        return String::new();
    }
    let name = &method.method;
    let mut text = format!(
        "Of the adapted methods, {name} has the best mean score of the validator {validator}, \
         which sees no target label."
    );
    let accuracy = |m: &&MethodSummary| m.target_accuracy.map_or(f64::NEG_INFINITY, |a| a.mean);
    let best = adapting().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b)));
    if let Some(best) = best.filter(|best| accuracy(best) > accuracy(&method)) {
        text += &format!(
            " Chosen by target labels, as no user can, it would be {}: {}\u{a0}%.",
            best.method,
            percent(best.target_accuracy)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::Named,
        stats::{PairedDifference, Spread},
    };

    /// Source-only and one adapted method with these accuracies by seed.
    fn summary(source_only: &[f64], adapted: &[f64]) -> Summary {
        let by_seed = |values: &[f64]| -> Vec<_> { (0..).zip(values.iter().copied()).collect() };
        let method = |method: &str, values: &[f64]| MethodSummary {
            method: method.to_owned(),
            seeds: Vec::new(),
            target_accuracy: Spread::of(values),
            difference: (method != SOURCE_ONLY)
                .then(|| PairedDifference::of(&by_seed(values), &by_seed(source_only)))
                .flatten(),
            chosen: Named::default(),
            scores: Named(vec![("im".to_owned(), Spread { mean: 1.0, std: None, n: 1 })]),
            oracle: None,
            source_validation_accuracy: None,
            collapsed: Vec::new(),
            seconds: None,
        };
        Summary {
            source: "a".to_owned(),
            target: "b".to_owned(),
            target_labelled: true,
            seeds: vec![0, 1, 2],
            validators: vec!["im".to_owned()],
            preferred: Some("dann".to_owned()),
            methods: vec![method(SOURCE_ONLY, source_only), method("dann", adapted)],
            notes: Vec::new(),
        }
    }

    fn title(summary: &Summary) -> String {
        Headline::of(summary).title.replace('\u{a0}', " ")
    }

    #[test]
    fn only_an_interval_clear_of_zero_is_a_change() {
        let reference = [0.60, 0.61, 0.62];
        assert_eq!(
            title(&summary(&reference, &[0.70, 0.72, 0.73])),
            "Target accuracy rises from 61.0 ± 1.0 % to 71.7 ± 1.5 % with dann"
        );
        assert_eq!(
            title(&summary(&reference, &[0.50, 0.52, 0.53])),
            "Target accuracy falls from 61.0 ± 1.0 % to 51.7 ± 1.5 % with dann"
        );
        let unsure = Headline::of(&summary(&reference, &[0.60, 0.63, 0.62]));
        assert!(unsure.title.starts_with("No certain change"), "{unsure:?}");
        assert!(unsure.basis.contains("includes 0"), "{unsure:?}");
    }

    #[test]
    fn one_seed_or_no_reference_is_said() {
        let one = Headline::of(&summary(&[0.6, 0.7], &[0.9]));
        assert!(one.title.ends_with("on too few seeds to be sure"), "{one:?}");
        assert!(one.basis.contains("+30.0 points on the one seed"), "{one:?}");
        assert_eq!(title(&summary(&[], &[0.9])), "dann is right on 90.0 % of the target");
    }

    #[test]
    fn a_better_method_by_target_labels_is_named_so() {
        let mut summary = summary(&[0.60, 0.61], &[0.70, 0.71]);
        assert!(!Headline::of(&summary).basis.contains("Of the adapted"));
        let other = MethodSummary { method: "dan".to_owned(), ..summary.methods[1].clone() };
        summary.methods.push(other);
        assert!(!Headline::of(&summary).basis.contains("by target labels"));
        summary.methods[2].target_accuracy = Spread::of(&[0.9]);
        let basis = Headline::of(&summary).basis.replace('\u{a0}', " ");
        assert!(basis.ends_with("as no user can, it would be dan: 90.0 %."), "{basis}");
    }

    #[test]
    fn a_collapse_is_part_of_the_result() {
        let mut summary = summary(&[0.60, 0.61], &[0.10, 0.11]);
        assert!(!Headline::of(&summary).basis.contains("collapsed"));
        summary.methods[1].collapsed = vec![0];
        let basis = Headline::of(&summary).basis;
        assert!(basis.contains("It collapsed with 1 of "), "{basis}");
    }

    #[test]
    fn unknown_accuracy_is_no_number() {
        let unlabelled = Summary { target_labelled: false, ..summary(&[], &[]) };
        assert_eq!(title(&unlabelled), "The target has no labels; dann is the model to try");
        let none = Summary { preferred: None, ..summary(&[0.6], &[]) };
        assert_eq!(title(&none), "No adapted model has finished yet");
    }
}
