//! `transduct apply`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use transduct_core::data::read::{LabelSearch, ReadOptions, read};

use super::{Output, Status, reading::FileArgs};
use crate::{
    map_file::MapFile,
    tabular::{Flat, OutFile, file_notes},
};

const EXAMPLES: &str = "\
Examples:
  transduct apply --map map.safetensors --input new.csv --out new_aligned.csv
      New rows of the source, moved as those that the map was fitted on.
  transduct apply --map map.safetensors --domain target --input new.npy --out new_aligned.npy
      New rows of the target, of a method that moves it.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ApplyArgs {
    /// A map that `transduct align --save` wrote.
    #[arg(long, value_name = "FILE")]
    map: PathBuf,
    /// The rows, in any format that `align` reads. Columns are matched by name where the file and the
    /// map have names, else by position.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The mapped rows, in their order: .csv or .npy.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Whose map to use.
    #[arg(long, value_name = "DOMAIN", default_value = "source")]
    domain: Domain,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Domain {
    /// The source's.
    Source,
    /// The target's: for most methods the identity.
    Target,
}

pub(super) fn execute(args: ApplyArgs, output: &Output) -> Result<Status> {
    let out = OutFile::new(&args.out, &[&args.map, &args.input])?;
    let file = MapFile::read(&args.map)?;
    let mut files = ReadOptions::default();
    args.file.apply(&mut files);
    let content = read(&args.input, &files, LabelSearch::Unread)?;
    file_notes(&content).iter().for_each(|note| output.note(format!("note: {note}")));
    let table = Flat::of(content)?.table;
    let x = file.encoding.apply(&table, &files.drop)?;
    let map = match args.domain {
        Domain::Source => &file.source,
        Domain::Target => &file.target,
    };
    let mapped = map.apply(x.view()).with_context(|| args.map.display().to_string())?;
    out.matrix(mapped.view(), file.outputs.as_deref(), &[])?;
    let (n, k) = mapped.dim();
    let value = json!({
        "method": file.method,
        "options": file.options,
        "rows": n,
        "columns": k,
        "out": args.out,
    });
    let text = format!("{n} rows of {k} columns by {} → {}", file.method, args.out.display());
    output.conclude(&value, text)?;
    Ok(Status::Done)
}
