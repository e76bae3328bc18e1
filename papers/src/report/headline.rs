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

fn pick(summary: &Summary, method: &MethodSummary) -> String {
    let validator = summary.validators.first().map_or("", String::as_str);
    let adapting = summary.methods.iter().filter(|m| m.method != SOURCE_ONLY);
    if adapting.filter(|m| m.scores.get(validator).is_some()).count() < 2 {
        return String::new();
    }
    format!(
        "Of the adapted methods, {} has the best mean score of the validator {validator}, which \
         sees no target label.",
        method.method
    )
}
