//! How files are read: one set of options for every command that takes a user's files.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use transduct_core::data::{
    range::ValueRange,
    read::{Format, ReadOptions},
    svmlight::ZeroBased,
    table::{Decimal, Encode, Header, Separator},
};

use super::UsageError;

/// What one file is.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FileArgs {
    /// Columns that are no features, for instance identifiers. Can be repeated.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Reading files")]
    drop: Vec<String>,
    /// Whether the first row of a table of text names its columns.
    ///
    /// By default it does if it has text over a column of numbers; or if it has text that does not
    /// stand again below it; or if its cells are whole numbers that count up, as pandas names columns.
    /// A decision that may be wrong is told in a note.
    #[arg(long, value_name = "WHICH", help_heading = "Reading files")]
    header: Option<HeaderArg>,
    /// What stands between the cells of a table of text. By default what cuts its first lines into
    /// equal numbers of cells, the comma where that is open.
    #[arg(long, value_name = "NAME", help_heading = "Reading files")]
    separator: Option<SeparatorArg>,
    /// What stands before decimals. By default a point; a comma where cells are not separated by
    /// commas and no number has a point.
    #[arg(long, value_name = "NAME", help_heading = "Reading files")]
    decimal: Option<DecimalArg>,
    /// What a file is whose name does not say it.
    #[arg(long, value_name = "NAME", help_heading = "Reading files")]
    format: Option<FormatArg>,
    /// The array of samples in an .npz (by default `x`) or .mat (`fts`) file.
    #[arg(long, value_name = "NAME", help_heading = "Reading files")]
    samples: Option<String>,
    /// The numbers that become 0 and 1 in the pictures of .npy and .npz files, as 0..4095. By default
    /// by their type, 0..255 for bytes and 0..65535 for unsigned 16 bits, else by their values.
    #[arg(
        long,
        value_name = "LOW..HIGH",
        allow_hyphen_values = true,
        help_heading = "Reading files"
    )]
    value_range: Option<ValueRange>,
    /// The number of features of .svmlight files, whose last ones may be absent. By default the
    /// source's largest index.
    #[arg(long, value_name = "N", help_heading = "Reading files")]
    n_features: Option<usize>,
    /// Whether the indices of .svmlight files count from 0. By default they do if one of them is 0.
    #[arg(
        long,
        value_name = "WHETHER",
        num_args = 0..=1,
        default_missing_value = "true",
        help_heading = "Reading files"
    )]
    zero_based: Option<bool>,
    /// Pass over the `qid:` of .svmlight files of ranking data.
    #[arg(long, help_heading = "Reading files")]
    ignore_qid: bool,
}

/// What two files are, and where their labels are.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ReadArgs {
    /// The labels: a column of a table, by its name or its number from 1, or an array of an .npz (by
    /// default `y`) or .mat (`labels`) file. It is no feature of either domain.
    ///
    /// The target's labels go by the name of the source's; a target need not have them.
    #[arg(long, visible_alias = "label", value_name = "NAME", help_heading = "Reading files")]
    label_column: Option<String>,
    /// The source's labels in a file of their own, one a row (.npy, or text of one column); `none`
    /// leaves labels that are there unread.
    #[arg(long, value_name = "FILE", help_heading = "Reading files")]
    source_labels: Option<PathBuf>,
    /// The target's labels in a file of their own, for the report only; `none` leaves labels that are
    /// there unread.
    #[arg(long, value_name = "FILE", help_heading = "Reading files")]
    target_labels: Option<PathBuf>,
    /// What to do with columns of text, which are refused by default.
    #[arg(long, value_name = "HOW", help_heading = "Reading files")]
    encode: Option<EncodeArg>,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HeaderArg {
    /// By the rule.
    Auto,
    /// It does.
    Yes,
    /// It is data.
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SeparatorArg {
    /// By the rule.
    Auto,
    /// `,`
    #[value(alias = ",")]
    Comma,
    /// `;`
    #[value(alias = ";")]
    Semicolon,
    /// A tabulator.
    #[value(alias = "\t")]
    Tab,
    /// `|`
    #[value(aliases = ["|", "pipe"])]
    Bar,
    /// One blank.
    #[value(alias = " ")]
    Space,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DecimalArg {
    /// By the rule.
    Auto,
    /// `1.5`
    #[value(alias = ".")]
    Point,
    /// `1,5`
    #[value(alias = ",")]
    Comma,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// By the ending of the name.
    Auto,
    /// Separated values.
    Csv,
    /// One NumPy array.
    Npy,
    /// Several NumPy arrays.
    Npz,
    /// MATLAB version 5.
    Mat,
    /// Sparse rows in text.
    Svmlight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EncodeArg {
    /// An indicator, 0 or 1, for each level that the source or the target has.
    OneHot,
}

impl FileArgs {
    /// Sets in `files` what is given.
    pub(super) fn apply(&self, files: &mut ReadOptions) {
        files.drop.extend(self.drop.iter().cloned());
        if let Some(header) = self.header {
            files.header = match header {
                HeaderArg::Auto => Header::Auto,
                HeaderArg::Yes => Header::Present,
                HeaderArg::No => Header::Absent,
            };
        }
        if let Some(separator) = self.separator {
            files.separator = match separator {
                SeparatorArg::Auto => Separator::Auto,
                SeparatorArg::Comma => Separator::Comma,
                SeparatorArg::Semicolon => Separator::Semicolon,
                SeparatorArg::Tab => Separator::Tab,
                SeparatorArg::Bar => Separator::Bar,
                SeparatorArg::Space => Separator::Space,
            };
        }
        if let Some(decimal) = self.decimal {
            files.decimal = match decimal {
                DecimalArg::Auto => Decimal::Auto,
                DecimalArg::Point => Decimal::Point,
                DecimalArg::Comma => Decimal::Comma,
            };
        }
        if let Some(format) = self.format {
            files.format = match format {
                FormatArg::Auto => Format::Auto,
                FormatArg::Csv => Format::Csv,
                FormatArg::Npy => Format::Npy,
                FormatArg::Npz => Format::Npz,
                FormatArg::Mat => Format::Mat,
                FormatArg::Svmlight => Format::Svmlight,
            };
        }
        files.value_range = self.value_range.or(files.value_range);
        files.samples = self.samples.clone().or(files.samples.take());
        files.svmlight.n_features = self.n_features.or(files.svmlight.n_features);
        files.svmlight.zero_based = match self.zero_based {
            None => files.svmlight.zero_based,
            Some(true) => ZeroBased::Yes,
            Some(false) => ZeroBased::No,
        };
        files.svmlight.ignore_qid |= self.ignore_qid;
    }
}

/// Which labels stay unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) source: bool,
    pub(super) target: bool,
}

impl ReadArgs {
    /// Sets in `source` and `target` what is given, and says which labels are to stay unread.
    pub(super) fn apply(&self, source: &mut ReadOptions, target: &mut ReadOptions) -> Unread {
        let mut unread = Unread::default();
        for files in [&mut *source, &mut *target] {
            self.file.apply(files);
            if let Some(name) = &self.label_column {
                files.labels = Some(name.clone());
            }
            if self.encode.is_some() {
                files.encode = Some(Encode::OneHot);
            }
        }
        for (given, files, unread) in [
            (&self.source_labels, source, &mut unread.source),
            (&self.target_labels, target, &mut unread.target),
        ] {
            match given {
                Some(file) if file.as_os_str() == "none" => *unread = true,
                Some(file) => files.labels_file = Some(file.clone()),
                None => {}
            }
        }
        unread
    }

    /// Refuses a file of target labels, where none are used.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn refuse_target_labels(&self) -> Result<()> {
        match &self.target_labels {
            Some(file) if file.as_os_str() != "none" => bail!(UsageError(format!(
                "--target-labels {}: labels of the target are not used here",
                file.display()
            ))),
            _ => Ok(()),
        }
    }
}
