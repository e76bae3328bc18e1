//! `transduct weights`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use transduct_adapt::{
    certificate::Certificate,
    diagnose::feature_balance,
    reweight::{Balance, Reweight, Weighting, fit_rows, reweighter},
    sparse_domains::DomainMoments,
};

use super::{
    Output, Status, UsageError,
    fit_progress::watched,
    output::table,
    tables::{MethodArgs, Normalise, TableArgs, brief, certificate_lines, words},
};
use crate::{
    config::table::from_json,
    report::{
        sections::Page,
        weights::{Worth, ranked, sections},
    },
    tabular::{Contents, Labels, OutFile, SparseTables, Tables},
};

const EXAMPLES: &str = "\
Examples:
  transduct weights --method gaussian --source a.csv --target b.csv --out w.csv --report w.html
      w.csv has the rows of a.csv, in their order, and their weights in a last column.
  transduct weights --method gaussian --source a.csv --target b.csv --out w.csv --flatten 0.5
      Weights to the power ½: less variance, more bias.
  transduct weights --method bbse --label species --source a.csv --target b.csv --out w.csv
      Only the proportions of the classes differ.";

/// The most columns that the terminal shows.
const MOST: usize = 12;

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct WeightsArgs {
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    tables: TableArgs,
    /// The weights, one row a source row in order: .csv or .npy.
    ///
    /// CSV keeps the source's columns and header and has the weight last; NPY, and CSV of an NPY
    /// source, have the weight alone.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The name of the weights' column.
    #[arg(long, value_name = "NAME", default_value = "weight")]
    column: String,
    /// Flatten the weights to their power TAU and scale them to mean 1: 1 keeps their proportions, 0
    /// makes them equal. A remedy for a small effective sample size.
    #[arg(long, value_name = "TAU")]
    flatten: Option<f64>,
    /// Write a page with figures.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) fn execute(
    args: WeightsArgs,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let entry = reweighter(&args.method.method)?;
    let (method, options) = args.method.build(&entry, output)?;
    if let Some(tau) = args.flatten.filter(|tau| !(0.0..=1.0).contains(tau)) {
        bail!(UsageError(format!("--flatten {tau}: expected a number between 0 and 1")));
    }
    let out = OutFile::new(&args.out, &args.tables.inputs())?;
    let pair = Pair::of(args.tables.contents()?)?;
    let notes_of_files = pair.notes();
    notes_of_files.iter().for_each(|note| output.note(format!("note: {note}")));
    if entry.needs.source_labels {
        Labels::need_classes(pair.labels(), args.tables.source(), entry.name)?;
    }
    if let Pair::Dense(tables) = &pair
        && tables.source.position(&args.column).is_some()
    {
        let path = tables.source.path().display();
        bail!("{path}: has a column `{0}` already: name another with --column", args.column);
    }
    let (normalise, sparse) = (args.method.normalise, matches!(pair, Pair::Sparse(_)));
    let Fit { fitted, worth, n_target, features, note } =
        pair.fit(entry.name, method, &options, normalise, args.flatten, output)?;
    let n = fitted.weights.len();
    let weights = &fitted.weights;
    match &pair {
        Pair::Dense(tables) => out.beside(&tables.source, &args.column, weights.view())?,
        Pair::Sparse(_) => out.alone(&args.column, weights.view())?,
    }

    let advice = advice(&fitted, args.flatten);
    let certificate = Certificate { notes: Vec::new(), ..fitted.certificate.clone() };
    let notes: Vec<String> =
        fitted.certificate.notes.iter().cloned().chain(note).chain(advice).collect();
    if let Some(path) = &args.report {
        let subject = format!("{} → {}", args.tables.source_name(), args.tables.target_name());
        let mut page = Page::new("weights", subject, &words(arguments));
        page.title = format!(
            "{n} source rows count as {} after weighting",
            brief(worth.effective_sample_size)
        );
        page.basis = format!(
            "{}: {}. The gap between the means goes from {} to {} target standard deviations.",
            entry.name,
            entry.about,
            brief(worth.balance.before),
            brief(worth.balance.after)
        );
        page.notes = [notes_of_files, &notes].concat();
        let pairs: Vec<String> =
            from_json(&options).iter().map(|(key, value)| format!("{key} {value}")).collect();
        page.facts = vec![
            ("Source", format!("{}: {n} rows", args.tables.source_name())),
            ("Target", format!("{}: {n_target} rows", args.tables.target_name())),
            ("Features", features.to_string()),
            ("Columns", normalise.told(sparse).to_owned()),
            ("Method", format!("{} ({})", entry.name, entry.paper)),
            ("Options", pairs.join(", ")),
            ("Flattened", args.flatten.map_or("no".to_owned(), |tau| format!("w^{tau}"))),
            ("Solver", certificate_lines(&certificate).join(" ")),
            ("Program", format!("transduct {}", env!("CARGO_PKG_VERSION"))),
        ];
        let table = match &pair {
            Pair::Dense(tables) => Some(&tables.source),
            Pair::Sparse(_) => None,
        };
        sections(&mut page, table, weights, &worth);
        page.write(path)?;
    }
    let all_notes = [notes_of_files, &notes].concat();
    let value = json!({
        "method": entry.name,
        "options": options,
        "normalise": normalise.name(sparse),
        "source_rows": n,
        "target_rows": n_target,
        "features": features,
        "flatten": args.flatten,
        "effective_sample_size": worth.effective_sample_size,
        "largest": worth.largest,
        "balance": worth.balance,
        "columns": worth.columns.iter()
            .map(|(name, balance)| json!({"name": name, "balance": balance}))
            .collect::<Vec<_>>(),
        "certificate": fitted.certificate,
        "notes": all_notes,
        "out": args.out,
        "report": args.report,
    });
    let table = balance_table(&ranked(&worth.columns), &worth.balance);
    let mut lines = vec![table, String::new()];
    lines.push(format!("columns: {}", normalise.told(sparse)));
    lines.push(format!(
        "effective sample size {} of {n}, largest weight {} × the mean",
        brief(worth.effective_sample_size),
        brief(worth.largest)
    ));
    lines.extend(certificate_lines(&certificate));
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("weights  {}", args.out.display()));
    lines.extend(args.report.iter().map(|path| format!("report   {}", path.display())));
    output.conclude(&value, lines.join("\n"))?;
    Ok(Status::Done)
}

/// Both files, dense or sparse.
enum Pair {
    Dense(Box<Tables>),
    Sparse(Box<SparseTables>),
}

/// What a method made of the rows.
struct Fit {
    fitted: Weighting,
    worth: Worth,
    n_target: usize,
    features: usize,
    /// Whether sparse rows became dense.
    note: Option<String>,
}

impl Pair {
    fn of(contents: Contents) -> Result<Self> {
        Ok(match contents.into_sparse()? {
            Ok(sparse) => Self::Sparse(Box::new(sparse)),
            Err(contents) => Self::Dense(Box::new(Tables::of(contents)?)),
        })
    }

    fn notes(&self) -> &[String] {
        match self {
            Self::Dense(tables) => &tables.notes,
            Self::Sparse(tables) => &tables.notes,
        }
    }

    fn labels(&self) -> Option<&Labels> {
        match self {
            Self::Dense(tables) => tables.labels.as_ref(),
            Self::Sparse(tables) => tables.labels.as_ref(),
        }
    }

    fn fit(
        &self,
        name: &'static str,
        method: Box<dyn Reweight>,
        options: &Value,
        normalise: Normalise,
        flatten: Option<f64>,
        output: &Output,
    ) -> Result<Fit> {
        match self {
            Self::Dense(tables) => {
                let domains = tables.domains()?;
                let method = normalise.weighting(method);
                let fitted = watched(name, output, || method.fit(&domains))?;
                let names = tables.names.clone();
                let n_target = domains.target().nrows();
                finish(&domains, fitted, flatten, names, n_target, None)
            }
            Self::Sparse(tables) => {
                let domains = tables.domains()?;
                let scaled = normalise.sparse(&domains)?;
                let rows = match &scaled {
                    Some([source, target]) => domains.with_rows(source, target)?,
                    None => domains,
                };
                let (fitted, note) = watched(name, output, || fit_rows(name, options, &rows))?;
                let names = (1..=domains.features()).map(|i| i.to_string()).collect();
                let n_target = domains.target().rows();
                finish(&domains, fitted, flatten, names, n_target, note)
            }
        }
    }
}

fn finish(
    domains: &impl DomainMoments,
    mut fitted: Weighting,
    flatten: Option<f64>,
    names: Vec<String>,
    n_target: usize,
    note: Option<String>,
) -> Result<Fit> {
    if let Some(tau) = flatten {
        fitted = fitted.flatten(domains, tau)?;
    }
    let columns = feature_balance(domains, fitted.weights.view())?;
    let features = names.len();
    let worth = Worth {
        effective_sample_size: fitted.effective_sample_size,
        largest: fitted.largest,
        balance: fitted.balance,
        columns: names.into_iter().zip(columns).collect(),
    };
    Ok(Fit { fitted, worth, n_target, features, note })
}

/// What to try when the effective sample size has collapsed, which the certificate says of the
/// weights before flattening.
fn advice(fitted: &Weighting, flatten: Option<f64>) -> Option<String> {
    let (n_eff, n) = (fitted.effective_sample_size, fitted.weights.len());
    let text = match flatten {
        None => "--flatten 0.5 flattens them; `transduct align` moves the rows instead".to_owned(),
        Some(tau) => format!(
            "flattened, the effective sample size is {} of {n} rows: --flatten {} flattens more",
            brief(n_eff),
            brief(tau / 2.0)
        ),
    };
    fitted.has_collapsed().then_some(text)
}

/// The gaps between the domains' means, of single columns and of all.
pub(super) fn balance_table(ranked: &[(&str, Balance)], all: &Balance) -> String {
    let row = |name: &str, b: &Balance| [name.to_owned(), brief(b.before), brief(b.after)];
    let shown = ranked.iter().take(MOST).map(|(name, balance)| row(name, balance));
    let rest = ranked.len().saturating_sub(MOST);
    let rest = (rest > 0).then(|| [format!("… {rest} more"), String::new(), String::new()]);
    let all = row("all columns, root mean square", all);
    let header = ["Gap between means, in target deviations", "Before", "After"];
    table(header, shown.chain(rest).chain([all])).trim_fmt()
}
