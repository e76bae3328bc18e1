//! `transduct align`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use ndarray::Array2;
use serde_json::json;
use transduct_adapt::{gap::Gap, reweight::Balance, shallow::aligner, wild};
use transduct_core::data::table::Table;

use super::{
    Output, Status, UsageError,
    fit_progress::watched,
    tables::{MethodArgs, TableArgs, brief, certificate_lines},
    weights::balance_table,
};
use crate::{
    map_file::MapFile,
    report::weights::ranked,
    tabular::{Column, Labels, OutFile, Tables},
};

const EXAMPLES: &str = "\
Examples:
  transduct align --method coral --source a.npy --target b.npy --out a_aligned.npy
      Give the rows of a.npy the covariance of b.npy's.
  transduct align --method coral --source a.csv --target b.csv --label species --set centre=true
      --out a_aligned.csv --save map.safetensors
      Names and labels stay; `transduct apply` uses the saved map on new rows.
  transduct align --method subspace-alignment --source a.csv --target b.csv
      --out a_aligned.csv --target-out b_aligned.csv
      Methods with a common space move the target rows too.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct AlignArgs {
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    tables: TableArgs,
    /// The aligned source rows, in their order: .csv or .npy.
    ///
    /// CSV keeps the header, and the label column of the source comes last. Columns are in their own
    /// units, those of a common space have none.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The target rows in the common space, which methods that move them need: .csv or .npy.
    #[arg(long, value_name = "FILE")]
    target_out: Option<PathBuf>,
    /// Save the fitted map, for `transduct apply`.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

pub(super) fn execute(args: AlignArgs, output: &Output) -> Result<Status> {
    let entry = aligner(&args.method.method)?;
    let (method, options) = args.method.build(&entry, output)?;
    let method = args.method.normalise.aligning(method);
    if entry.needs.moves_target && args.target_out.is_none() {
        bail!(UsageError(format!(
            "{} moves the target rows too: say where they go with --target-out FILE",
            entry.name
        )));
    }
    let inputs = args.tables.inputs();
    let out = OutFile::new(&args.out, &inputs)?;
    let target_out =
        args.target_out.as_ref().map(|path| OutFile::new(path, &inputs)).transpose()?;
    let tables = args.tables.read(output)?;
    if entry.needs.source_labels {
        Labels::need_classes(tables.labels.as_ref(), tables.source.path(), entry.name)?;
    }
    let domains = tables.domains()?;
    let fitted = watched(entry.name, output, || method.fit(&domains))?;
    let source = fitted.source(tables.x_source.view())?;
    let names = output_names(&tables, source.ncols(), entry.needs.moves_target);
    write(&out, &tables.source, &source, names.as_deref(), &tables)?;
    let target = fitted.target(tables.x_target.view())?;
    if let Some(target_out) = &target_out {
        write(target_out, &tables.target, &target, names.as_deref(), &tables)?;
    }
    if let Some(path) = &args.save {
        let file = MapFile {
            method: entry.name.to_owned(),
            options: options.clone(),
            encoding: tables.encoding.clone(),
            outputs: names,
            source: fitted.source.clone(),
            target: fitted.target.clone(),
        };
        file.write(path)?;
    }
    let (n, k) = source.dim();
    let wild = wild::notes(&domains);
    let distance = Distance {
        before: Gap::between(tables.x_source.view(), tables.x_target.view()),
        after: Gap::between(source.view(), target.view()),
    };
    let columns = match entry.needs.moves_target {
        true => Vec::new(),
        false => distance.columns(&tables.names),
    };
    let value = json!({
        "method": entry.name,
        "options": options,
        "normalise": args.method.normalise.name(false),
        "balance": distance.means(),
        "covariance_gap": { "before": distance.before.covariances, "after": distance.after.covariances },
        "balances": columns.iter()
            .map(|(name, balance)| json!({"name": name, "balance": balance}))
            .collect::<Vec<_>>(),
        "certificate": fitted.certificate,
        "source_rows": n,
        "target_rows": tables.x_target.nrows(),
        "features": tables.x_source.ncols(),
        "columns": k,
        "notes": ([&tables.notes[..], &wild].concat()),
        "out": args.out,
        "target_out": args.target_out,
        "map": args.save,
    });
    let mut lines = vec![balance_table(&ranked(&columns), &distance.means())];
    lines.extend(distance.covariances());
    lines.push(String::new());
    lines.push(format!("columns: {}", args.method.normalise.told(false)));
    lines.push(format!("{n} source rows of {k} columns → {}", args.out.display()));
    if let Some(path) = &args.target_out {
        lines.push(format!("{} target rows → {}", tables.x_target.nrows(), path.display()));
    }
    lines.extend(args.save.iter().map(|path| format!("map → {}", path.display())));
    lines.extend(certificate_lines(&fitted.certificate));
    lines.extend(wild.iter().map(|note| format!("note: {note}")));
    output.conclude(&value, lines.join("\n"))?;
    Ok(Status::Done)
}

/// How far the domains lie apart.
struct Distance {
    before: Gap,
    after: Gap,
}

impl Distance {
    /// Of all columns.
    fn means(&self) -> Balance {
        Balance { before: self.before.means, after: self.after.means }
    }

    /// Of every column, in a space that stays the same.
    fn columns(&self, names: &[String]) -> Vec<(String, Option<Balance>)> {
        let both = self.before.columns.iter().zip(&self.after.columns);
        let balance = |(before, after): (&Option<f64>, &Option<f64>)| {
            Some(Balance { before: (*before)?, after: (*after)? })
        };
        names.iter().cloned().zip(both.map(balance)).collect()
    }

    /// A line on the covariances, where they were compared.
    fn covariances(&self) -> Option<String> {
        let (before, after) = (self.before.covariances?, self.after.covariances?);
        Some(format!(
            "gap between covariances, relative to the target's: {} before, {} after",
            brief(before),
            brief(after)
        ))
    }
}

/// The source's names where the space stays the same, `z1`, `z2`, … for a common space; nothing
/// where the source's file has no names.
fn output_names(tables: &Tables, k: usize, common: bool) -> Option<Vec<String>> {
    let names = tables.encoding.is_named().then(|| tables.encoding.names())?;
    match !common && names.len() == k {
        true => Some(names),
        false => Some((1..=k).map(|i| format!("z{i}")).collect()),
    }
}

/// Rows under their names, with the label column of that table last, as it is written.
fn write(
    out: &OutFile,
    table: &Table,
    x: &Array2<f64>,
    names: Option<&[String]>,
    tables: &Tables,
) -> Result<()> {
    let name = tables
        .labels
        .as_ref()
        .and_then(|labels| labels.column.map(|column| tables.source.columns()[column].as_str()));
    // By position a target without labels has another column there.
    let same = table.is_named() || table.columns().len() == tables.source.columns().len();
    let label = name.filter(|_| same).and_then(|name| Some((name, table.position(name)?)));
    let column = label.map(|(name, column)| Column {
        name,
        texts: (0..table.len()).map(|row| table.text(row, column).into_owned()).collect(),
    });
    out.matrix(x.view(), names, column.as_slice())
}
