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

use std::borrow::Cow;
use std::path::Path;

use csv_core::ReadRecordResult;
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

/// Rows of text cells, all of one length: the cells one after the other, and 4 bytes to say where each ends.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// The cells without their quotes and what stood between them.
    text: String,
    /// Where each row begins in `text`.
    starts: Vec<usize>,
    /// Where each cell ends, from the start of its row, row by row.
    ends: Vec<u32>,
    /// How many of `ends` a row has.
    stride: usize,
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
        bytes: Cow<'_, [u8]>,
        path: &Path,
        separator: Separator,
    ) -> Result<Self, DataError> {
        let malformed = |reason: String| DataError::malformed(path, reason);
        let bytes = match raw::gunzip(&bytes, path)? {
            Cow::Owned(unpacked) => Cow::Owned(unpacked),
            Cow::Borrowed(_) => bytes,
        };
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
            let reason = "a spreadsheet or an archive, no text: save the table as CSV";
            return Err(malformed(reason.into()));
        }
        let file = decode(bytes).map_err(malformed)?;
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

        let mut grid = Self {
            text: String::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            stride: 0,
            lines: Vec::new(),
            width: 0,
            separator,
            row_names: false,
            notes,
        };
        let mut cutter = Cutter::new(content, line as u64 + 1, separator.byte());
        let mut first = 0;
        loop {
            let before = grid.ends.len();
            let Some(row) = cutter.row(&mut grid.ends).map_err(malformed)? else { break };
            let got = grid.ends.len() - before;
            if got == 1 && cutter.cells(&row).trim().is_empty() {
                grid.ends.truncate(before);
                continue;
            }
            match grid.lines.len() {
                0 => first = got,
                1 if got == first + 1 => (grid.row_names, grid.width) = (true, got),
                1 => grid.width = first,
                _ => {}
            }
            if !grid.lines.is_empty() && got != grid.width {
                return Err(malformed(grid.uneven(row.line, got, cutter.cells(&row))));
            }
            grid.starts.push(row.start);
            grid.lines.push(row.line);
        }
        if grid.lines.len() == 1 {
            grid.width = first;
        }
        grid.stride = grid.width;
        grid.text = cutter.into_text();
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
        let at = row * self.stride + column;
        // The first row lacks the name of the rows' names.
        let Some(at) = at.checked_sub(usize::from(self.row_names)) else { return "" };
        let first = column == 0 || at == 0;
        let start = if first { 0 } else { self.ends[at - 1] as usize };
        let begin = self.starts[row];
        let cell = &self.text[begin + start..begin + self.ends[at] as usize];
        // Most cells begin and end with a sign that is no space: to know it takes no decoding.
        match cell.as_bytes() {
            [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => cell,
            _ => cell.trim(),
        }
    }

    /// These rows, in this order. The first row of a grid with names of the rows stays the first.
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        let less = usize::from(self.row_names);
        let ends = |row: usize| {
            let start = (row * self.stride).saturating_sub(less);
            self.ends[start..(row + 1) * self.stride - less].iter().copied()
        };
        Self {
            text: self.text.clone(),
            starts: rows.iter().map(|&row| self.starts[row]).collect(),
            ends: rows.iter().flat_map(|&row| ends(row)).collect(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
            notes: self.notes.clone(),
            ..*self
        }
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
        self.width -= 1;
        self.notes.push("a last column without names and cells left out".into());
    }
}

/// Cuts text into rows and cells by the state machine of the `csv` package, which reads all that RFC 4180
/// allows and more: rows end at `\n`, `\r\n` or `\r`, empty ones are passed over; a quote within a cell
/// is a sign as others.
struct Cutter<'a> {
    reader: csv_core::Reader,
    text: &'a [u8],
    /// The bytes of `text` that are read.
    read: usize,
    /// The line that reading is in.
    line: u64,
    /// Whether `\r` alone ends lines.
    returns: bool,
    /// The cells of all rows, one after the other.
    cells: Vec<u8>,
    /// The bytes of `cells` that are written.
    written: usize,
    /// Where the cells of one row end.
    ends: Vec<usize>,
}

/// One row of a [`Cutter`], by its place in the cells.
struct Row {
    start: usize,
    end: usize,
    line: u64,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, line: u64, separator: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
        let text = text.as_bytes();
        let returns = text.contains(&b'\r');
        // Cells are no longer than the text, and one byte stays free.
        let cells = vec![0; text.len() + 1];
        Self { reader, text, read: 0, line, returns, cells, written: 0, ends: vec![0; 64] }
    }

    fn cells(&self, row: &Row) -> &str {
        str::from_utf8(&self.cells[row.start..row.end]).unwrap_or_default()
    }

    /// Cuts the next row, and puts the ends of its cells behind `ends`.
    fn row(&mut self, ends: &mut Vec<u32>) -> Result<Option<Row>, String> {
        let rest = &self.text[self.read..];
        self.advance(rest.iter().take_while(|&&b| b == b'\n' || b == b'\r').count());
        let (start, line) = (self.written, self.line);
        let mut ended = 0;
        loop {
            let (result, read, written, more) = self.reader.read_record(
                &self.text[self.read..],
                &mut self.cells[self.written..],
                &mut self.ends[ended..],
            );
            self.advance(read);
            self.written += written;
            ended += more;
            match result {
                // Without more input, the next call gives the last row.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.cells.resize(2 * self.cells.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        for &end in &self.ends[..ended] {
            let end = u32::try_from(end);
            ends.push(end.map_err(|_| format!("line {line} is longer than 4 GiB"))?);
        }
        Ok(Some(Row { start, end: self.written, line }))
    }

    /// Counts the ends of lines in the next bytes.
    fn advance(&mut self, bytes: usize) {
        let text = &self.text[self.read..];
        let count = |byte: u8| text[..bytes].iter().filter(|&&b| b == byte).count();
        let mut lines = count(b'\n');
        if self.returns {
            let alone = |at: &usize| text[*at] == b'\r' && text.get(at + 1) != Some(&b'\n');
            lines += (0..bytes).filter(alone).count();
        }
        self.line += lines as u64;
        self.read += bytes;
    }

    /// The cells of all rows.
    fn into_text(mut self) -> String {
        self.cells.truncate(self.written);
        // Bytes that were left out are ASCII: what is left is text as it was before.
        String::from_utf8(self.cells).unwrap_or_default()
    }
}

/// The text of the file; its own bytes where they are UTF-8 and nobody else's.
fn decode(bytes: Cow<'_, [u8]>) -> Result<String, String> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text: Option<String> =
            char::decode_utf16(units.iter().map(|&b| read(b))).map(|c| c.ok()).collect();
        text.filter(|_| rest.is_empty()).ok_or_else(|| "UTF-16 text that is damaged".to_owned())
    };
    match &*bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        _ => {}
    }
    let mut text = String::from_utf8(bytes.into_owned()).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        format!("line {line} is not UTF-8 text: save the file in UTF-8")
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The cells of every row, and the line in which it begins.
    fn cut(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut cutter = Cutter::new(text, 1, b',');
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        while let Some(row) = cutter.row(&mut ends).unwrap() {
            let cells = cutter.cells(&row);
            let starts = [0].into_iter().chain(ends.iter().map(|&end| end as usize));
            let cell = |(start, &end): (usize, &u32)| cells[start..end as usize].to_owned();
            rows.push((row.line, starts.zip(&ends).map(cell).collect()));
            ends.clear();
        }
        rows
    }

    #[test]
    fn rows_begin_in_their_lines() {
        for (text, lines) in [
            ("a\nb\nc", [1, 2, 3]),
            ("a\r\nb\r\nc\r\n", [1, 2, 3]),
            ("a\rb\rc\r", [1, 2, 3]),
            ("\na\n\n\nb\n\r\nc", [2, 5, 7]),
            ("\"a\n\nb\",1\n\"c\r\n\"\nd", [1, 4, 6]),
        ] {
            let rows = cut(text);
            assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{text:?}");
        }
        let rows = cut("\"a \"\"b\"\"\", c\"d\" ,\"e\"f,\"\"\n,");
        let cells: Vec<_> = rows.iter().map(|(_, cells)| cells.join("|")).collect();
        assert_eq!(cells, ["a \"b\"| c\"d\" |ef|", "|"]);
    }

    /// Written by others from the same rules.
    fn by_the_csv_package(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
        let cells = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
        reader.into_records().map(|row| cells(row.unwrap())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn cells_are_those_of_the_csv_package(text in "[ab,\"\n\r é]{0,40}") {
            let rows: Vec<_> = cut(&text).into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(rows, by_the_csv_package(&text));
        }
    }
}
