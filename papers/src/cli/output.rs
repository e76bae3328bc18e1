//! What commands print. Results go to standard output, everything else to standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

/// Standard output, in the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    quiet: bool,
    json: bool,
}

impl Output {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json }
    }

    /// Whether results are printed for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress may be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet
    }

    /// Prints what a command was asked for: `value` in JSON if that was asked for, else `text`.
    pub(crate) fn answer(&self, value: &impl Serialize, text: impl Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, value)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{text}")?;
        }
        out.flush()
    }

    /// As [`Output::answer`] for what a command says after it has done its work: with `--quiet`,
    /// only the JSON.
    pub(crate) fn conclude(&self, value: &impl Serialize, text: impl Display) -> io::Result<()> {
        if self.quiet && !self.json { Ok(()) } else { self.answer(value, text) }
    }

    /// Tells what goes on, on standard error, unless that was declined.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            // Nobody is listening to a closed standard error.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Prints an error on standard error.
pub(crate) fn tell_error(message: &str) {
    let _ = writeln!(io::stderr(), "error: {}", message.replace('\n', " "));
}

/// The width of a table where there is no terminal.
const PIPED_WIDTH: u16 = 120;

/// A table of text with a line under its header, as wide as the terminal allows.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table
        .load_style(TableStyle::new().header_separator(line))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header)
        .add_rows(rows);
    if !io::stdout().is_terminal() {
        table.set_width(PIPED_WIDTH);
    }
    table
}
