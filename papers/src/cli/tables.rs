//! What the commands on a user's own tables share.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use ndarray::{Array2, ArrayView2};
use serde_json::Value;
use toml::Table;
use transduct_adapt::{
    catalogue::Entry,
    certificate::Certificate,
    domains::Domains,
    reweight::Reweight,
    shallow::Align,
    sparse_domains::SparseDomains,
    standard::{Standardise, Standardised, scaled_sparse},
};
use transduct_core::data::sparse::Sparse;

use super::{Output, UsageError, reading::ReadArgs, run::assignment};
use crate::{
    config::table::{set, to_json},
    tabular::{Contents, Request, Tables, number},
};

/// Two tables.
#[derive(Debug, Args)]
pub(super) struct TableArgs {
    /// The source table: separated values, NPY, NPZ, MATLAB or svmlight, as `transduct help run` says.
    #[arg(long, value_name = "FILE")]
    source: PathBuf,
    /// The target table. Columns are matched by name where both files have names, else by position.
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    #[command(flatten)]
    reading: ReadArgs,
}

impl TableArgs {
    /// Reads both, and says what is worth knowing.
    pub(super) fn read(&self, output: &Output) -> Result<Tables> {
        let tables = Tables::of(self.contents()?)?;
        tables.notes.iter().for_each(|note| output.note(format!("note: {note}")));
        Ok(tables)
    }

    /// Reads both as they are.
    pub(super) fn contents(&self) -> Result<Contents> {
        self.reading.refuse_target_labels()?;
        let mut request = Request {
            source: self.source.clone(),
            target: self.target.clone(),
            ..Request::default()
        };
        let unread = self.reading.apply(&mut request.source_files, &mut request.target_files);
        request.ignore_source_labels = unread.source;
        Contents::read(request)
    }

    /// The source's file.
    pub(super) fn source(&self) -> &std::path::Path {
        &self.source
    }

    /// The files that are read, which nothing may replace.
    pub(super) fn inputs(&self) -> [&std::path::Path; 2] {
        [&self.source, &self.target]
    }

    pub(super) fn source_name(&self) -> String {
        self.source.display().to_string()
    }

    pub(super) fn target_name(&self) -> String {
        self.target.display().to_string()
    }
}

/// A method and its options.
#[derive(Debug, Args)]
pub(super) struct MethodArgs {
    /// The method.
    #[arg(long, value_name = "NAME")]
    pub(super) method: String,
    /// An option of the method; can be repeated, and wins over --options.
    ///
    /// The value is a TOML value where it reads as one, else text. Example: `--set ridge=0.01`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    assignments: Vec<(String, String)>,
    /// A TOML file of options of the method.
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
    /// The seed of methods that draw random numbers. By default 0, or what --options says.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The units of the columns, in which the method's options count too: widths, penalties.
    #[arg(long, value_name = "HOW", default_value = "standard")]
    pub(super) normalise: Normalise,
}

/// The units of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Normalise {
    /// Each column has mean 0 and variance 1 over the rows of both tables. Sparse rows that a method
    /// takes as they are, are divided by the deviation alone.
    Standard,
    /// Those of the files.
    None,
}

impl Normalise {
    /// The method on rows in these units.
    pub(super) fn aligning(self, method: Box<dyn Align>) -> Box<dyn Align> {
        match self {
            Self::Standard => Box::new(Standardised(method)),
            Self::None => method,
        }
    }

    /// The method on rows in these units.
    pub(super) fn weighting(self, method: Box<dyn Reweight>) -> Box<dyn Reweight> {
        match self {
            Self::Standard => Box::new(Standardised(method)),
            Self::None => method,
        }
    }

    /// Sparse rows in these units, unless they are as they are.
    pub(super) fn sparse(self, domains: &SparseDomains<'_>) -> Result<Option<[Sparse; 2]>> {
        Ok(match self {
            Self::Standard => Some(scaled_sparse(domains)?),
            Self::None => None,
        })
    }

    /// The units that the rows of both domains have together.
    pub(super) fn fit(self, domains: &Domains<'_>) -> Units {
        Units((self == Self::Standard).then(|| Standardise::fit(domains)))
    }

    /// What was done, for programs.
    pub(super) fn name(self, sparse: bool) -> &'static str {
        match (self, sparse) {
            (Self::Standard, false) => "standard",
            (Self::Standard, true) => "scale",
            (Self::None, _) => "none",
        }
    }

    /// What was done, in words.
    pub(super) fn told(self, sparse: bool) -> &'static str {
        match (self, sparse) {
            (Self::Standard, false) => {
                "mean 0 and variance 1 over both tables (--normalise none leaves them)"
            }
            (Self::Standard, true) => {
                "divided by their deviations over both tables, and not centred, since the rows are \
                 sparse (--normalise none leaves them)"
            }
            (Self::None, _) => "as in the files",
        }
    }
}

/// The units of columns.
pub(super) struct Units(Option<Standardise>);

impl Units {
    /// Rows in them.
    pub(super) fn rows(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        self.0.as_ref().map_or_else(|| x.to_owned(), |standard| standard.rows(x))
    }
}

impl MethodArgs {
    /// The method, the options that were given, and all options as they hold.
    pub(super) fn build<T: ?Sized>(
        &self,
        entry: &Entry<T>,
        output: &Output,
    ) -> Result<(Box<T>, Value)> {
        let mut table = match &self.options {
            Some(path) => read_options(path)?,
            None => Table::new(),
        };
        for (key, value) in &self.assignments {
            set(&mut table, key, value)
                .map_err(|e| anyhow!(UsageError(format!("--set {key}={value}: {e}"))))?;
        }
        if let Some(seed) = self.seed {
            match entry.defaults.get("seed") {
                Some(_) => {
                    table.insert("seed".to_owned(), toml::Value::try_from(seed)?);
                }
                None => output.note(format!("{}: draws nothing at random", entry.name)),
            }
        }
        let given = to_json(&table);
        let method = (entry.build)(&given)?;
        let mut all = entry.defaults.clone();
        if let (Value::Object(all), Value::Object(given)) = (&mut all, given) {
            all.extend(given);
        }
        Ok((method, all))
    }
}

fn read_options(path: &std::path::Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        anyhow!("{}: line {line}: {}", path.display(), e.message())
    })
}

/// The arguments as text, for reports.
pub(super) fn words(arguments: &[std::ffi::OsString]) -> Vec<String> {
    arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The certificate in one line, and its notes.
pub(super) fn certificate_lines(certificate: &Certificate) -> Vec<String> {
    let head = format!("solver: {certificate}");
    [head].into_iter().chain(certificate.notes.iter().map(|note| format!("note: {note}"))).collect()
}

/// A number of at most four significant digits.
pub(crate) fn brief(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e5).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{value:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        size if size.is_finite() => format!("{value:.2e}"),
        _ => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brief() {
        let all = [0.0, 0.123_45, 12.0, -3.456_78, 99_999.4, 1e-9, 0.05].map(brief);
        assert_eq!(all, ["0", "0.1235", "12", "-3.457", "99999", "1.00e-9", "0.05"]);
    }
}
