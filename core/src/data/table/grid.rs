//! A text file of separated values: its cells as they are written, before it is known what they mean.
//!
//! Rules, each of which an option overrides:
//! - **Encoding.** UTF-8, with or without a byte order mark, or UTF-16 with one.
//! - **Separator.** What a first line `sep=X` says. Else the one of comma, semicolon, tab and bar that
//!   cuts the first twenty lines into equal numbers of cells; of several the one that leaves the most
//!   numbers; the comma where that is open.
//! - **Lines** that begin with `#` before the first row are comments; blank lines are passed over.
//! - A cell may stand in double quotes; space around it does not count.
//! - A last column without a name and without a cell is what a separator at the end of lines makes, and
//!   is left out. A first row with one cell fewer than all others names all columns but the first.

use std::path::Path;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use serde::{Deserialize, Serialize};

use super::cell::number;
use crate::data::{DataError, raw};

/// What stands between two cells of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separator {
    /// By the rule of this module.
    #[default]
    Auto,
    /// `,`
    #[serde(alias = ",")]
    Comma,
    /// `;`
    #[serde(alias = ";")]
    Semicolon,
    /// A tabulator.
    #[serde(alias = "\t")]
    Tab,
    /// `|`
    #[serde(alias = "|")]
    Bar,
    /// One blank.
    #[serde(alias = " ")]
    Space,
}

impl Separator {
    /// Those that the rule chooses from, in the order of preference.
    const KNOWN: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Bar];

    fn byte(self) -> u8 {
        match self {
            Self::Auto | Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
            Self::Space => b' ',
        }
    }

    /// Its name in messages and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
            Self::Bar => "bar",
            Self::Space => "space",
        }
    }
}

/// Rows of text cells, all of one length.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// The cells behind each other.
    text: String,
    /// Where each cell ends in `text`, row by row.
    ends: Vec<usize>,
    /// The line of the file, from 1, in which each row begins.
    lines: Vec<u64>,
    width: usize,
    /// What stood between the cells.
    pub(super) separator: Separator,
    /// Whether the first row had one cell fewer, so that the first column has the rows' names.
    pub(super) row_names: bool,
    /// What the rules decided that a reader should know.
    pub(super) notes: Vec<String>,
}

impl Grid {
    /// Cuts a file, gzipped or not, into cells.
    ///
    /// # Errors
    /// With the line: no text, rows of different lengths.
    pub(super) fn parse(
        bytes: &[u8],
        path: &Path,
        separator: Separator,
    ) -> Result<Self, DataError> {
        let malformed = |reason: String| DataError::malformed(path, reason);
        let bytes = raw::gunzip(bytes, path)?;
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
            let reason = "a spreadsheet or an archive, no text: save the table as CSV";
            return Err(malformed(reason.into()));
        }
        let file = decode(&bytes).map_err(malformed)?;
        let mut notes = Vec::new();
        let Start { at, line, separator: said } = start(&file);
        if line > 0 {
            let lines = if line == 1 { "line" } else { "lines" };
            notes.push(format!("{line} {lines} before the table passed over: `{}`", {
                let first = file.lines().next().unwrap_or_default();
                first.chars().take(40).collect::<String>()
            }));
        }
        let content = &file[at..];
        let (separator, chosen) = match (separator, said) {
            (Separator::Auto, Some(said)) => (said, false),
            (Separator::Auto, None) => (guess(content), true),
            (given, _) => (given, false),
        };
        if chosen && separator != Separator::Comma {
            let name = separator.name();
            notes.push(format!("cells are separated by `{name}` (--separator says another)"));
        }

        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator.byte())
            .from_reader(content.as_bytes());
        let mut grid = Self {
            text: String::with_capacity(content.len()),
            ends: Vec::new(),
            lines: Vec::new(),
            width: 0,
            separator,
            row_names: false,
            notes,
        };
        let mut record = ByteRecord::new();
        let mut first = 0;
        loop {
            let more = reader.read_byte_record(&mut record).map_err(|e| malformed(explain(&e)))?;
            if !more {
                break;
            }
            // Quotes that are taken away leave text: the file was text.
            let cells = str::from_utf8(record.as_slice()).unwrap_or_default();
            if record.len() == 1 && cells.trim().is_empty() {
                continue;
            }
            let at = line as u64 + record.position().map_or(0, csv::Position::line);
            match grid.lines.len() {
                0 => first = record.len(),
                1 if record.len() == first + 1 => {
                    // The names lack one: an empty one is put before them.
                    (grid.row_names, grid.width) = (true, first + 1);
                    grid.ends.insert(0, 0);
                }
                1 => grid.width = first,
                _ => {}
            }
            if !grid.lines.is_empty() && record.len() != grid.width {
                return Err(malformed(grid.uneven(at, record.len(), cells)));
            }
            let offset = grid.text.len();
            grid.text.push_str(cells);
            grid.ends.extend((0..record.len()).filter_map(|i| Some(offset + record.range(i)?.end)));
            grid.lines.push(at);
        }
        if grid.lines.len() == 1 {
            grid.width = first;
        }
        grid.drop_empty_end();
        Ok(grid)
    }

    /// The number of rows, that of the names among them.
    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// A cell without the space around it.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.width + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        self.text[start..self.ends[at]].trim()
    }

    fn uneven(&self, line: u64, got: usize, cells: &str) -> String {
        let mut reason =
            format!("line {line} has {got} cells: expected {}, as in the first row", self.width);
        let other = Separator::KNOWN
            .into_iter()
            .find(|s| *s != self.separator && self.width == 1 && cells.contains(s.byte() as char));
        if let Some(other) = other {
            reason +=
                &format!("; if they are separated otherwise, give --separator {}", other.name());
        }
        reason
    }

    fn drop_empty_end(&mut self) {
        let (n, width) = (self.rows(), self.width);
        if width < 2 || n < 2 || (0..n).any(|row| !self.cell(row, width - 1).is_empty()) {
            return;
        }
        let mut column = 0;
        self.ends.retain(|_| {
            column += 1;
            let keep = column < width;
            column %= width;
            keep
        });
        self.width -= 1;
        self.notes.push("a last column without names and cells left out".into());
    }
}

/// The text of the file.
fn decode(bytes: &[u8]) -> Result<String, String> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text: Option<String> =
            char::decode_utf16(units.iter().map(|&b| read(b))).map(|c| c.ok()).collect();
        text.filter(|_| rest.is_empty()).ok_or_else(|| "UTF-16 text that is damaged".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            Err(format!("line {line} is not UTF-8 text: save the file in UTF-8"))
        }
    }
}

/// Where the table begins.
struct Start {
    /// The byte.
    at: usize,
    /// The lines before it.
    line: usize,
    separator: Option<Separator>,
}

fn start(file: &str) -> Start {
    let mut start = Start { at: 0, line: 0, separator: None };
    for line in file.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let said = match content.get(..4) {
            Some(word) if word.eq_ignore_ascii_case("sep=") && start.line == 0 => {
                let said = &content[4..];
                let known = |s: &Separator| said == (s.byte() as char).to_string();
                Separator::KNOWN.into_iter().find(known)
            }
            _ => None,
        };
        if said.is_none() && !content.starts_with('#') {
            break;
        }
        start.separator = start.separator.or(said);
        start.at += line.len();
        start.line += 1;
    }
    // A file of such lines alone has its names behind a `#`.
    if start.at == file.len() && start.separator.is_none() {
        return Start { at: 0, line: 0, separator: None };
    }
    start
}

/// The separator by the rule of this module.
fn guess(content: &str) -> Separator {
    const LINES: usize = 20;
    let lines: Vec<&str> =
        content.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    let cells = |line: &str, byte: u8| {
        let mut quoted = false;
        line.bytes().fold(1, |n, b| {
            quoted ^= b == b'"';
            n + usize::from(b == byte && !quoted)
        })
    };
    // Decimal commas differ in number from line to line, separators do not; and a right cut of a row
    // of numbers leaves numbers.
    let even = |byte: u8| {
        let counts: Vec<usize> = lines.iter().map(|line| cells(line, byte)).collect();
        let first = counts.first().copied().unwrap_or(1);
        let rest = counts.get(1).copied().unwrap_or(first);
        first > 1 && rest.abs_diff(first) < 2 && counts.iter().skip(1).all(|&n| n == rest)
    };
    let numbers = |byte: u8| {
        let row = lines.get(1).or(lines.first()).copied().unwrap_or_default();
        let cells: Vec<&str> = row.split(byte as char).collect();
        let number = |cell: &&&str| number(cell.trim().trim_matches('"'), byte != b',').is_some();
        (100 * cells.iter().filter(number).count()) / cells.len()
    };
    let candidates = Separator::KNOWN.into_iter().filter(|s| even(s.byte()));
    // The last of equal maxima is taken: the order of preference, backwards.
    let best = candidates.rev().max_by_key(|s| numbers(s.byte()));
    best.unwrap_or(Separator::Comma)
}

fn explain(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::Utf8 { pos: Some(pos), .. } => format!("line {} is not UTF-8 text", pos.line()),
        _ => error.to_string(),
    }
}
