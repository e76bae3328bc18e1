//! `transduct diagnose`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use transduct_adapt::{
    diagnose::{Diagnose, Diagnosis, Separation},
    wild,
};

use super::{
    Output, Status,
    output::table,
    tables::{TableArgs, brief, words},
};
use crate::{
    report::{
        diagnosis::{FEATURE_HEADER, GAIN_HEADER, feature_row, gain_row, joint_tests, sections},
        sections::Page,
        setup::shell,
    },
    tabular::{LabelKind, Tables},
};

const EXAMPLES: &str = "\
Examples:
  transduct diagnose --source a.csv --target b.csv
      Do the tables differ, in which columns, and what can be done?
  transduct diagnose --source a.csv --target b.csv --label species --report shift.html
      Also predicts what methods would gain, and estimates the proportions of the classes on the target
      where only these differ; a page with figures.
  transduct diagnose --source a.csv --target b.csv --label species --learner tree
      What they would gain a tree.
  transduct diagnose --source a.npy --target b.npy --json | jq .recommendation";

/// The most columns that the terminal shows.
const MOST: usize = 12;

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DiagnoseArgs {
    #[command(flatten)]
    tables: TableArgs,
    /// Write a page with figures.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The level of the tests. The classifier test, the kernel test and the columns, adjusted for their
    /// number by Holm's procedure, get a third of it each. Intervals of gains have it together.
    #[arg(long, value_name = "ALPHA", default_value_t = Diagnose::default().level)]
    level: f64,
    /// Permutations of the kernel test: the least p-value is 1 / (1 + N).
    #[arg(long, value_name = "N", default_value_t = Diagnose::default().permutations)]
    permutations: usize,
    /// The most rows of each table that the joint tests and the predictions of gains look at; of more,
    /// that many are drawn. Time and memory of the kernel test grow with its square.
    #[arg(long, value_name = "N", default_value_t = Diagnose::default().most_rows)]
    most_rows: usize,
    /// The learner whose gain by each method is predicted, where source rows are labelled: of `transduct
    /// list classifiers`, or of `regressors` for measurements. By default `logistic`, or `ridge`.
    #[arg(long, value_name = "NAME")]
    learner: Option<String>,
    /// The seed of draws, folds and permutations.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

pub(super) fn execute(
    args: DiagnoseArgs,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let tables = args.tables.read(output)?;
    let domains = tables.domains()?;
    let options = Diagnose {
        level: args.level,
        permutations: args.permutations,
        most_rows: args.most_rows,
        seed: args.seed,
        learner: args.learner.clone(),
        ..Diagnose::default()
    };
    let measured = match tables.labels.as_ref().map(|labels| &labels.kind) {
        Some(LabelKind::Measured(y)) => Some(y),
        _ => None,
    };
    let diagnosis = match measured {
        Some(y) => options.run_measured(&domains, y)?,
        None => options.run(&domains)?,
    };
    let learner = diagnosis.learner.as_deref();
    let names = &tables.names;
    let classes = tables.class_names();
    let found = [notes(&diagnosis, &tables), wild::notes(&domains)].concat();
    let (n_s, n_t) = (domains.source().nrows(), domains.target().nrows());
    let columns = diagnosis.features.iter();
    let columns = columns.filter(|test| test.p_adjusted <= diagnosis.level).count();
    let counted = format!("{columns} of {} columns differ", names.len());

    if let Some(path) = &args.report {
        let subject = format!("{} → {}", args.tables.source_name(), args.tables.target_name());
        let mut page = Page::new("diagnosis", subject, &words(arguments));
        page.title = format!("{counted}: {}", diagnosis.recommendation.family.title());
        page.basis = advice(&diagnosis);
        page.notes = [&tables.notes[..], &found].concat();
        page.facts = vec![
            ("Source", format!("{}: {n_s} rows", args.tables.source_name())),
            ("Target", format!("{}: {n_t} rows", args.tables.target_name())),
            ("Features", names.len().to_string()),
            ("Level", args.level.to_string()),
            ("Learner", learner.unwrap_or("none, without labels").to_owned()),
            ("Seed", args.seed.to_string()),
            ("Program", format!("transduct {}", env!("CARGO_PKG_VERSION"))),
        ];
        sections(&mut page, &diagnosis, &domains, names, classes);
        page.write(path)?;
    }
    let named: Vec<_> = diagnosis
        .features
        .iter()
        .map(|test| json!({"name": names[test.column], "test": test}))
        .collect();
    let value = json!({
        "source_rows": n_s,
        "target_rows": n_t,
        "level": diagnosis.level,
        "seed": args.seed,
        "joint_rows": diagnosis.joint_rows,
        "components": diagnosis.components,
        "classifier": diagnosis.classifier,
        "mmd": diagnosis.mmd,
        "features": named,
        "set_aside": diagnosis.set_aside.iter().map(|&column| &names[column]).collect::<Vec<_>>(),
        "serial_dependence": diagnosis.serial_dependence.iter()
            .map(|found| json!({
                "domain": found.domain,
                "columns": found.columns.iter().map(|&column| &names[column]).collect::<Vec<_>>(),
                "autocorrelation": found.autocorrelation,
            }))
            .collect::<Vec<_>>(),
        "classes": classes,
        "label_shift": diagnosis.label_shift,
        "no_label_shift": diagnosis.no_label_shift,
        "learner": learner,
        "gains": diagnosis.gains,
        "no_gains": diagnosis.no_gains,
        "recommendation": diagnosis.recommendation,
        "notes": ([&tables.notes[..], &found].concat()),
        "report": args.report,
    });
    let mut lines = vec![
        table(["Test", "Statistic", "p"], joint_tests(&diagnosis)).trim_fmt(),
        String::new(),
        feature_table(&diagnosis, names),
        String::new(),
    ];
    lines.extend(class_table(&diagnosis, classes).into_iter().flat_map(|t| [t, String::new()]));
    lines.extend(gain_table(&diagnosis).into_iter().flat_map(|t| [t, String::new()]));
    lines.push(format!("{counted} at level {}", diagnosis.level));
    lines.push(format!("recommendation: {}", diagnosis.recommendation.family.title()));
    lines.push(advice(&diagnosis));
    lines.extend(found.iter().map(|note| format!("note: {note}")));
    lines.extend(args.report.iter().map(|path| format!("report  {}", path.display())));
    output.answer(&value, lines.join("\n"))?;
    Ok(Status::Done)
}

/// The reason, and the methods to begin with.
fn advice(diagnosis: &Diagnosis) -> String {
    let recommendation = &diagnosis.recommendation;
    let mut text = recommendation.reason.clone();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    match &recommendation.methods[..] {
        [] => format!("{text}."),
        methods => format!("{text}. Begin with {}.", methods.join(", ")),
    }
}

/// What a reader must know, the most important first.
fn notes(diagnosis: &Diagnosis, tables: &Tables) -> Vec<String> {
    /// The most columns that a note names.
    const NAMED: usize = 5;
    let names = &tables.names;
    let listed = |columns: &[usize]| {
        let shown: Vec<String> =
            columns.iter().take(NAMED).map(|&column| format!("`{}`", names[column])).collect();
        match columns.len() - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    };
    let mut notes = Vec::new();
    for (kind, what, then) in [
        (
            Separation::Constant,
            "one value in one of the domains, so that nothing learned from it holds in the other",
            "leave it out",
        ),
        (
            Separation::Ordered,
            "it rises from row to row in both, as a number of the rows or a time does",
            "leave it out",
        ),
        (
            Separation::Values,
            "its values hardly overlap",
            "if it is a measurement, an alignment moves it; if it stands for the domain, leave it out",
        ),
        (
            Separation::Codes,
            "hardly one of its values occurs in both, though they lie between each other",
            "if they are codes of categories, what is learned of one holds for no row of the other domain: \
             leave it out",
        ),
    ] {
        let tests = diagnosis.features.iter().filter(|test| test.separation == Some(kind));
        let columns: Vec<usize> = tests.map(|test| test.column).collect();
        if columns.is_empty() {
            continue;
        }
        let each = if columns.len() == 1 { "" } else { "each of " };
        let aside = match diagnosis.set_aside.contains(&columns[0]) {
            true => "; what follows looks at the other columns",
            false => "",
        };
        let mut origins: Vec<&str> = Vec::new();
        for &column in &columns {
            let origin = tables.origin(&names[column]);
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        let words =
            origins.iter().take(NAMED).flat_map(|name| ["--drop".to_owned(), (*name).to_owned()]);
        notes.push(format!(
            "{each}{} alone tells the domains apart: {what}; {then} ({}){aside}",
            listed(&columns),
            shell(&words.collect::<Vec<_>>())
        ));
    }
    for found in &diagnosis.serial_dependence {
        notes.push(format!(
            "rows of the {} that follow each other are alike (autocorrelation {} in {}), as in a time series \
             or a file sorted by group. If it is time, the p-values do not hold: they take rows to be \
             independent, and reject too often",
            found.domain,
            brief(found.autocorrelation),
            listed(&found.columns)
        ));
    }
    notes.extend(diagnosis.components.map(|components| {
        format!(
            "of {} columns, the joint tests and the predicted gains see the {components} leading principal \
             components",
            names.len()
        )
    }));
    notes.extend(diagnosis.label_shift.iter().flat_map(|shift| shift.notes.clone()));
    let without = diagnosis.no_label_shift.iter();
    notes.extend(without.map(|reason| format!("no estimate of the classes: {reason}")));
    let without = diagnosis.no_gains.iter();
    notes.extend(without.map(|reason| format!("no gain is predicted: {reason}")));
    notes
}

fn gain_table(diagnosis: &Diagnosis) -> Option<String> {
    let rows = diagnosis.gains.iter().map(gain_row);
    (!diagnosis.gains.is_empty()).then(|| table(GAIN_HEADER, rows).trim_fmt())
}

fn feature_table(diagnosis: &Diagnosis, names: &[String]) -> String {
    let tests = &diagnosis.features;
    let rows = tests.iter().take(MOST).map(|test| feature_row(test, names));
    let rest = tests.len().saturating_sub(MOST);
    let more = || {
        let mut row = [const { String::new() }; 6];
        row[0] = format!("… {rest} more");
        row
    };
    table(FEATURE_HEADER, rows.chain((rest > 0).then(more))).trim_fmt()
}

fn class_table(diagnosis: &Diagnosis, classes: &[String]) -> Option<String> {
    let shift = diagnosis.label_shift.as_ref()?;
    let row = |((class, s), t): ((&String, &f64), &f64)| {
        [class.clone(), brief(100.0 * s), brief(100.0 * t)]
    };
    let rows = classes.iter().zip(&shift.source).zip(&shift.target).map(row);
    let title = format!("Target %, if only the proportions differ (p = {})", brief(shift.p));
    Some(table(["Class", "Source %", &title], rows).trim_fmt())
}
