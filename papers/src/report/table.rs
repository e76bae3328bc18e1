//! The summary table as text cells, and as `results.csv`.

use dfdx::tensor::Cpu;
use transduct_adapt::registry;

use super::summary::{MethodSummary, SOURCE_ONLY, SeedState, SeedSummary, Summary};
use crate::stats::Spread;

/// What a cell says when there is no number to show.
pub(crate) const NOT_AVAILABLE: &str = "n/a";

/// A column: its heading and what it shows of a method.
pub(crate) struct Column {
    pub(crate) heading: String,
    /// The unit or how the number came about, under the heading.
    pub(crate) detail: &'static str,
    pub(crate) content: Content,
}

impl Column {
    /// Whether its numbers come from target labels by design.
    pub(crate) fn is_oracle(&self) -> bool {
        self.content == Content::Oracle
    }
}

/// What a column shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    TargetAccuracy,
    Difference,
    Chosen(String),
    Oracle,
    SourceValidation,
    Seconds,
}

/// The columns after the method's name.
pub(crate) fn columns(summary: &Summary) -> Vec<Column> {
    let column =
        |heading: &str, detail, content| Column { heading: heading.into(), detail, content };
    let mut columns = vec![
        column("Target accuracy", "%, final model", Content::TargetAccuracy),
        column("Difference", "to source-only, points, 95 % interval", Content::Difference),
    ];
    columns.extend(summary.validators.iter().map(|validator| Column {
        heading: format!("Chosen by {validator}"),
        detail: "target %, no labels used",
        content: Content::Chosen(validator.clone()),
    }));
    columns.extend([
        column("Oracle", "target %, chosen by target labels", Content::Oracle),
        column("Source validation", "%, final model", Content::SourceValidation),
        column("Time", "seconds a seed", Content::Seconds),
    ]);
    columns
}

/// A cell: the number and, where there is one, a second line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) detail: Option<String>,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self { text, detail: None }
    }
}

/// The cell of this method in a column of this content.
pub(crate) fn value(method: &MethodSummary, content: &Content) -> Value {
    let accuracy = |spread: Option<Spread>| Value::from(percent(spread));
    match content {
        Content::TargetAccuracy => accuracy(method.target_accuracy),
        Content::Difference => difference(method),
        Content::Chosen(validator) => accuracy(method.chosen.get(validator).copied()),
        Content::Oracle => accuracy(method.oracle),
        Content::SourceValidation => Value {
            text: percent(method.source_validation_accuracy),
            detail: match (method.collapsed.len(), method.finished()) {
                (0, _) => None,
                (n, all) if n == all => Some("collapsed".to_owned()),
                (n, all) => Some(format!("{n} of {all} collapsed")),
            },
        },
        Content::Seconds => match method.seconds {
            Some(seconds) if seconds.mean >= 100.0 => format!("{:.0}", seconds.mean).into(),
            Some(seconds) => format!("{:.1}", seconds.mean).into(),
            None => NOT_AVAILABLE.to_owned().into(),
        },
    }
}

fn difference(method: &MethodSummary) -> Value {
    let Some(difference) = &method.difference else {
        let is_reference = method.method == SOURCE_ONLY;
        return Value::from(if is_reference { "–" } else { NOT_AVAILABLE }.to_owned());
    };
    let detail = match difference.interval {
        None => "one seed".to_owned(),
        Some([low, high]) if difference.unpaired.is_empty() => {
            format!("[{}, {}]", points(low), points(high))
        }
        Some([low, high]) => {
            let n = difference.by_seed.len();
            format!("[{}, {}], {n} seeds", points(low), points(high))
        }
    };
    Value { text: points(difference.mean), detail: Some(detail) }
}

/// A share as per cent, with spaces that do not break: `71.2 ± 0.8`.
pub(crate) fn percent(spread: Option<Spread>) -> String {
    match spread {
        None => NOT_AVAILABLE.to_owned(),
        Some(Spread { mean, std: None, .. }) => format!("{:.1}", 100.0 * mean),
        Some(Spread { mean, std: Some(std), .. }) => {
            format!("{:.1}\u{a0}±\u{a0}{:.1}", 100.0 * mean, 100.0 * std)
        }
    }
}

/// A difference of shares in percentage points, signed: `+9.3`.
pub(crate) fn points(difference: f64) -> String {
    let text = format!("{:+.1}", 100.0 * difference);
    match text.as_str() {
        "+0.0" | "-0.0" => "0.0".to_owned(),
        _ => text.replace('-', "−"),
    }
}

/// Text that Markdown takes as it is, inside a table too.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => plain += "&lt;",
            '|' | '*' | '_' | '`' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

/// What became of the seeds without a result, one line each; those that have not started share one.
pub(crate) fn unfinished(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for MethodSummary { method, seeds, .. } in &summary.methods {
        let mut waiting = Vec::new();
        for SeedSummary { seed, state } in seeds {
            match state {
                SeedState::Finished(_) => {}
                SeedState::Failed { message } => {
                    lines.push(format!("{method}, seed {seed} failed: {message}"));
                }
                SeedState::Unfinished { step: Some(step) } => {
                    lines.push(format!("{method}, seed {seed} is not finished: step {step}"));
                }
                SeedState::Unfinished { step: None } => waiting.push(seed.to_string()),
            }
        }
        match waiting.as_slice() {
            [] => {}
            [seed] => lines.push(format!("{method}, seed {seed} has not started")),
            seeds => lines.push(format!("{method}, seeds {} have not started", seeds.join(", "))),
        }
    }
    lines
}

/// What became of the methods that collapsed, and what to try, one line each.
pub(crate) fn collapsed(summary: &Summary) -> Vec<String> {
    let known = registry::methods::<Cpu>();
    let line = |method: &MethodSummary| {
        let name = &method.method;
        let seeds = match method.collapsed.as_slice() {
            [] => return None,
            [seed] => format!("seed {seed}"),
            seeds => {
                let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
                format!("seeds {}", seeds.join(", "))
            }
        };
        let weighted = known
            .iter()
            .any(|entry| entry.name == name.as_str() && entry.defaults.get("weight").is_some());
        let weight = match weighted {
            true => format!(", less of the method's own loss (--set method.{name}.weight=…)"),
            false => String::new(),
        };
        Some(format!(
            "{name}, {seeds} collapsed: the final model does no better than guessing on the source \
             rows held out, and its target accuracy says nothing of the method. Try a lower \
             learning rate (--rate){weight}, or clipped gradients (--set training.clip=1)"
        ))
    };
    summary.methods.iter().filter_map(line).collect()
}

/// `results.csv`: a row a method, shares in [0, 1], empty where there is no number.
pub(crate) fn csv(summary: &Summary) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = [
        "method",
        "seeds_finished",
        "seeds_asked",
        "target_accuracy_mean",
        "target_accuracy_std",
        "difference_to_source_only_mean",
        "difference_to_source_only_low",
        "difference_to_source_only_high",
    ]
    .map(str::to_owned)
    .into();
    for validator in &summary.validators {
        for kind in ["mean", "std"] {
            header.push(format!("target_accuracy_chosen_by_{validator}_{kind}"));
        }
    }
    for name in ["target_accuracy_oracle", "source_validation_accuracy", "seconds"] {
        header.extend(["mean", "std"].map(|kind| format!("{name}_{kind}")));
    }
    header.push("seeds_collapsed".to_owned());
    csv.write_record(&header)?;

    let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    let both = |s: Option<Spread>| [number(s.map(|s| s.mean)), number(s.and_then(|s| s.std))];
    for method in &summary.methods {
        let difference = method.difference.as_ref();
        let interval = difference.and_then(|d| d.interval);
        let mut row = vec![
            method.method.clone(),
            method.finished().to_string(),
            summary.seeds.len().to_string(),
        ];
        row.extend(both(method.target_accuracy));
        row.push(number(difference.map(|d| d.mean)));
        row.extend([number(interval.map(|i| i[0])), number(interval.map(|i| i[1]))]);
        for validator in &summary.validators {
            row.extend(both(method.chosen.get(validator).copied()));
        }
        row.extend(both(method.oracle));
        row.extend(both(method.source_validation_accuracy));
        row.extend(both(method.seconds));
        row.push(method.collapsed.len().to_string());
        csv.write_record(&row)?;
    }
    Ok(csv.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            percent(Some(Spread { mean: 0.7121, std: Some(0.0293), n: 3 })),
            "71.2\u{a0}±\u{a0}2.9"
        );
        assert_eq!(percent(Some(Spread { mean: 0.7121, std: None, n: 1 })), "71.2");
        assert_eq!(percent(None), "n/a");
        assert_eq!(points(0.0838), "+8.4");
        assert_eq!(points(-0.0838), "−8.4");
        assert_eq!(points(-0.0001), "0.0");
    }
}
