//! Whether the first row of a text table names its columns.
//!
//! The rule, which `--header yes` and `--header no` override: the first row names the columns if
//! 1. one of its cells is text in a column whose other cells are mostly numbers; or else
//! 2. it has text, no text of it stands again in its column below, and no cell of it is a number in a
//!    column of numbers, unless the numbers are names by rule 3; or else
//! 3. all its cells in columns of numbers are distinct whole numbers, two or more, and either count up
//!    by one (`0,1,2`, as pandas names columns; years) and do not stand again in their columns below, or
//!    stand over columns of which each has a number that is not whole.
//!
//! A decision by rule 2 or 3, and one for data with text in the first row, is in doubt: a note says what
//! was decided and names the option. Names that count from 0 or from 1 say no more than the place: such
//! columns are matched by position.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{
    cell::{is_missing, number},
    grid::Grid,
};

/// Whether the first row holds the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// By the rule of this module.
    #[default]
    Auto,
    /// It does.
    #[serde(alias = "yes")]
    Present,
    /// It is data; the columns are named `1`, `2`, … by position.
    #[serde(alias = "no")]
    Absent,
}

/// What the first row is.
pub(super) struct Decision {
    pub(super) names: bool,
    /// Why a reader may see it otherwise.
    pub(super) doubt: Option<String>,
}

/// The rows below the first that the rule looks at.
const ROWS: usize = 200;

impl Header {
    pub(super) fn decide(self, grid: &Grid, decimal_comma: bool) -> Decision {
        let sure = |names| Decision { names, doubt: None };
        match self {
            _ if grid.rows() == 0 => return sure(false),
            Self::Present => return sure(true),
            Self::Absent => return sure(false),
            Self::Auto if grid.row_names => return sure(true),
            Self::Auto => {}
        }
        let columns: Vec<Column<'_>> =
            (0..grid.width()).map(|column| Column::of(grid, column, decimal_comma)).collect();
        let is_text = |c: &&Column<'_>| c.number.is_none() && !is_missing(c.first);
        if columns.iter().any(|c| is_text(&c) && c.numeric) {
            return sure(true);
        }
        let over_numbers: Vec<&Column<'_>> =
            columns.iter().filter(|c| c.numeric && c.number.is_some()).collect();
        let named_by_numbers = are_names(&over_numbers);
        let texts: Vec<&Column<'_>> = columns.iter().filter(is_text).collect();
        let shown = || {
            let cells: Vec<&str> = columns.iter().take(6).map(|c| c.first).collect();
            let more = if columns.len() > 6 { ", …" } else { "" };
            format!("{}{more}", cells.join(", "))
        };
        let doubt = |names: bool| {
            let taken = match names {
                true => "the names of its columns (--header no takes it for data)",
                false => "data, not names (--header yes takes it for the names of the columns)",
            };
            Decision {
                names,
                doubt: Some(format!("the first row, `{}`, was taken for {taken}", shown())),
            }
        };
        let (below, open) = (grid.rows() > 1, over_numbers.is_empty() || named_by_numbers);
        match texts.is_empty() {
            false if !below => sure(true),
            false if texts.iter().any(|c| c.again) => doubt(false),
            // Text over text alone is what a table of text with names looks like.
            false if open && over_numbers.is_empty() => sure(true),
            false => doubt(open),
            true if below && named_by_numbers => doubt(true),
            true => sure(false),
        }
    }
}

/// One column as the rule sees it.
struct Column<'a> {
    first: &'a str,
    number: Option<f64>,
    /// Whether more than half of the cells below that are not missing are numbers.
    numeric: bool,
    /// Whether one of them is not whole.
    measured: bool,
    /// Whether the first cell stands again below.
    again: bool,
}

impl<'a> Column<'a> {
    fn of(grid: &'a Grid, column: usize, decimal_comma: bool) -> Self {
        let first = grid.cell(0, column);
        let (mut present, mut numbers, mut measured, mut again) = (0, 0, false, false);
        for row in 1..grid.rows().min(ROWS + 1) {
            let cell = grid.cell(row, column);
            again |= cell == first;
            if is_missing(cell) {
                continue;
            }
            present += 1;
            if let Some(value) = number(cell, decimal_comma) {
                numbers += 1;
                measured |= value.fract() != 0.0;
            }
        }
        let number = number(first, decimal_comma).filter(|_| !is_missing(first));
        Self { first, number, numeric: 2 * numbers > present, measured, again }
    }
}

/// Rule 3.
fn are_names(columns: &[&Column<'_>]) -> bool {
    let whole = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok());
    let names: Option<Vec<u64>> = columns.iter().map(|c| whole(c.first).flatten()).collect();
    let Some(names) = names.filter(|names| names.len() > 1) else { return false };
    let counts_up = names.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    let distinct = names.iter().collect::<HashSet<_>>().len() == names.len();
    (counts_up && columns.iter().all(|c| !c.again))
        || (distinct && columns.iter().all(|c| c.measured))
}

/// Whether names count from 0 or 1 through all columns, and so say no more than the position.
pub(super) fn count_positions(names: &[String]) -> bool {
    let counts = |from: usize| (from..).zip(names).all(|(i, name)| *name == i.to_string());
    names.len() > 1 && (counts(0) || counts(1))
}
