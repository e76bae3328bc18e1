//! Single cells that lie absurdly far from all others of their column: a code for a missing value, a
//! slipped decimal point, another unit.
//!
//! The rule, for each column of each domain by itself, with its median and its interquartile range r:
//! cells are *wild* that lie farther than 10⁶ r from the median and 1000 times as far as any cell that
//! does not. For a value that is in use as a code for *missing* (the bounds of integer types, 1e20,
//! 1e30, the largest single-precision number, at least three nines in a row alone), 10³ r and 10 times
//! do. Where r is 0, the distance of the cells that differ from the median stands in, codes left out:
//! their median, or 1000 times the smallest where that is less. Where fewer than three do, it is the
//! median's size, or, for codes beside a median of 0, 1. A quarter of a column or more is never wild.
//!
//! Heavy tails are not wild: of a million draws from a Cauchy distribution the farthest lies 1.6 · 10⁵
//! ranges off, and 1000 times as far as the second with a chance of 10⁻³.

use std::fmt;

use ndarray::{ArrayView2, s};

use crate::{
    domains::Domains,
    math::{gram::median, parallel},
};

/// Columns that are looked at together.
const BLOCK: usize = 32;

/// Rows that say whether a column needs a closer look.
const SAMPLE: usize = 257;

/// Findings that are told one by one.
const TOLD: usize = 3;

/// How far is too far.
#[derive(Clone, Copy)]
struct Limits {
    /// In interquartile ranges.
    ranges: f64,
    /// Beside the farthest cell that is not wild.
    ratio: f64,
}

const ANY: Limits = Limits { ranges: 1e6, ratio: 1e3 };
const CODE: Limits = Limits { ranges: 1e3, ratio: 10.0 };

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The source's.
    Source,
    /// The target's.
    Target,
}

/// `source` or `target`.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// A column with wild cells, and the first of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Wild {
    /// The domain.
    pub side: Side,
    /// Counted from 0.
    pub column: usize,
    /// The column's name, where columns have names.
    pub name: Option<String>,
    /// The rows of all wild cells of the column in this domain, ascending, counted from 0; at least one.
    pub rows: Vec<usize>,
    /// What the first of them has.
    pub value: f64,
    /// How far it lies from the column's median, in `unit`.
    pub distance: f64,
    /// What distances are measured by.
    pub unit: Unit,
    /// Whether the value is in use as a code for *missing*.
    pub code: bool,
}

/// What a distance from the median is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The interquartile range.
    InterquartileRange,
    /// The median distance of the cells that differ from the median: the quartiles are equal.
    MedianDistance,
    /// The median's size: hardly any cell differs from it.
    Median,
    /// 1: hardly any cell differs from 0.
    One,
}

/// `column 3, source row 12 (both from 1): 2147483647 lies 1.6e9 interquartile ranges from the median:
/// a code for a missing value?`
impl fmt::Display for Wild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (column, row) = (self.column + 1, self.rows[0] + 1);
        let from = match &self.name {
            Some(name) => {
                write!(f, "column `{name}`, ")?;
                "from 1"
            }
            None => {
                write!(f, "column {column}, ")?;
                "both from 1"
            }
        };
        write!(f, "{} row {row} ({from}): {}", self.side, self.what())
    }
}

impl Wild {
    /// The finding without its place: `2147483647 lies 1.6e9 interquartile ranges from the median: a
    /// code for a missing value?`.
    pub fn what(&self) -> String {
        let unit = match self.unit {
            Unit::InterquartileRange => "interquartile ranges from the column's median",
            Unit::MedianDistance => "times as far from the column's median as others do",
            Unit::Median => "times the size of the column's median from it",
            Unit::One => "from the column's median, 0",
        };
        let others = match self.rows.len() {
            1 => String::new(),
            2 => ", as one more cell of it is far off".to_owned(),
            n => format!(", as {} more cells of it are far off", n - 1),
        };
        let (value, distance) = (plain(self.value), self.distance);
        format!("{value} lies {distance:.1e} {unit}{others}: a code for a missing value?")
    }
}

/// Whole numbers as they are written, up to sixteen digits; others by power of ten where that is
/// shorter.
fn plain(v: f64) -> String {
    if v.abs() < 1e16 { v.to_string() } else { format!("{v:e}") }
}

/// The columns with wild cells, the source's first, ascending. Values are finite.
pub fn wild(domains: &Domains<'_>) -> Vec<Wild> {
    let mut found = of_rows(Side::Source, domains.source());
    found.extend(of_rows(Side::Target, domains.target()));
    for wild in &mut found {
        wild.name = domains.feature_names().get(wild.column).cloned();
    }
    found
}

/// What a certificate says of [`wild`] cells, a sentence each.
pub fn notes(domains: &Domains<'_>) -> Vec<String> {
    let found = wild(domains);
    let mut notes: Vec<String> = found.iter().take(TOLD).map(Wild::to_string).collect();
    if found.len() > TOLD {
        notes.push(format!("{} more columns have such cells", found.len() - TOLD));
    }
    notes
}

fn of_rows(side: Side, x: ArrayView2<'_, f64>) -> Vec<Wild> {
    let d = x.ncols();
    let blocks = parallel::map(d.div_ceil(BLOCK), |block| {
        let from = block * BLOCK;
        let block = x.slice(s![.., from..d.min(from + BLOCK)]);
        let suspects = suspects(block);
        let of = |j: &usize| {
            let cells: Vec<f64> = block.column(*j).to_vec();
            of_column(&cells).map(|found| Wild { side, column: from + j, ..found })
        };
        suspects.iter().filter_map(of).collect::<Vec<_>>()
    });
    blocks.concat()
}

/// The columns whose farthest cell lies far from the quartiles of some rows.
fn suspects(block: ArrayView2<'_, f64>) -> Vec<usize> {
    let n = block.nrows();
    let mut ends = vec![[f64::INFINITY, f64::NEG_INFINITY]; block.ncols()];
    for row in block.rows() {
        for ([low, high], &v) in ends.iter_mut().zip(row) {
            *low = low.min(v);
            *high = high.max(v);
        }
    }
    let sample = block.slice(s![..;n.div_ceil(SAMPLE).max(1) as isize, ..]);
    let suspect = |&j: &usize| {
        let [q1, q2, q3] = quartiles(&mut sample.column(j).to_vec());
        let [low, high] = ends[j];
        // A sample's range may be a few times too large.
        (high - q2).max(q2 - low) > CODE.ranges / 10.0 * (q3 - q1)
    };
    (0..block.ncols()).filter(suspect).collect()
}

/// The quartiles of values of which there is at least one.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    let last = values.len() - 1;
    [last / 4, last / 2, last - last / 4]
        .map(|at| *values.select_nth_unstable_by(at, f64::total_cmp).1)
}

/// The finding of one column; its side and column are the caller's.
fn of_column(cells: &[f64]) -> Option<Wild> {
    let [q1, middle, q3] = quartiles(&mut cells.to_vec());
    // Halves do not overflow.
    let distance = |v: f64| (v / 2.0 - middle / 2.0).abs();
    let range = q3 / 2.0 - q1 / 2.0;
    let (unit, size) = match range > 0.0 {
        true => (Unit::InterquartileRange, range),
        false => stand_in(cells, middle, distance),
    };
    let beyond = |v: f64| distance(v) > limits(v, unit).ranges * size;
    let tame = cells.iter().filter(|&&v| !beyond(v)).map(|&v| distance(v)).fold(size, f64::max);
    let apart = |v: f64| distance(v) >= limits(v, unit).ratio * tame;
    // A cell between is the tail of the column, and so are those farther out.
    if cells.iter().any(|&v| beyond(v) && !apart(v)) {
        return None;
    }
    let rows: Vec<usize> = (0..cells.len()).filter(|&row| beyond(cells[row])).collect();
    let value = cells[*rows.first()?];
    (rows.len() * 4 < cells.len()).then(|| Wild {
        side: Side::Source,
        column: 0,
        name: None,
        rows,
        value,
        distance: (distance(value) / size).min(f64::MAX),
        unit,
        code: is_code(value),
    })
}

/// What stands in for an interquartile range of 0.
fn stand_in(cells: &[f64], middle: f64, distance: impl Fn(f64) -> f64) -> (Unit, f64) {
    let others = cells.iter().filter(|&&v| !is_code(v)).map(|&v| distance(v));
    let mut others: Vec<f64> = others.filter(|&other| other > 0.0).collect();
    let least = others.iter().copied().fold(f64::INFINITY, f64::min);
    match median(&mut others) {
        Some(size) if others.len() > 2 => (Unit::MedianDistance, size.min(1e3 * least)),
        _ if middle != 0.0 => (Unit::Median, (middle / 2.0).abs()),
        _ => (Unit::One, 0.5),
    }
}

fn limits(v: f64, unit: Unit) -> Limits {
    match (is_code(v), unit) {
        (true, _) => CODE,
        // Beside zeros alone nothing is large, unless it is a code.
        (false, Unit::One) => Limits { ranges: f64::INFINITY, ..ANY },
        (false, _) => ANY,
    }
}

/// Whether data sets use the value for *missing*.
fn is_code(v: f64) -> bool {
    /// Bounds of integers of 16, 32 and 64 bits, fill values of climate data and of netCDF, the
    /// largest number in single precision.
    const CODES: [f64; 10] = [
        32_767.0,
        32_768.0,
        65_535.0,
        2_147_483_647.0,
        2_147_483_648.0,
        4_294_967_295.0,
        9_223_372_036_854_775_808.0,
        1e20,
        1e30,
        f32::MAX as f64,
    ];
    let size = v.abs();
    let nines = [999.0, 9_999.0, 99_999.0, 999_999.0, 9_999_999.0, 99_999_999.0, 999_999_999.0];
    CODES.contains(&size) || nines.contains(&size)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// Numbers between 0 and 1 with an interquartile range near ½.
    fn ordinary(n: usize, d: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, d), |(i, j)| ((i * 37 + j * 11) % 101) as f64 / 101.0)
    }

    fn found(source: &Array2<f64>, target: &Array2<f64>) -> Vec<Wild> {
        wild(&Domains::new(source.view(), target.view()).unwrap())
    }

    #[test]
    fn a_wild_cell_is_named_in_either_domain() {
        let (mut xs, mut xt) = (ordinary(80, 40), ordinary(50, 40));
        assert!(found(&xs, &xt).is_empty());
        for value in [2_147_483_647.0, 1e8, -1e12, 1e300, -1.7e308, -9999.0] {
            xs[(11, 35)] = value;
            let found = found(&xs, &xt);
            let place = found.iter().map(|w| (w.side, w.rows[0], w.column, w.value));
            assert_eq!(place.collect::<Vec<_>>(), [(Side::Source, 11, 35, value)]);
        }
        xs[(11, 35)] = 0.0;
        for i in [7, 9, 20] {
            xt[(i, 2)] = 2_147_483_647.0;
        }
        let message = found(&xs, &xt)[0].to_string();
        let start = "column 3, target row 8 (both from 1): 2147483647 lies ";
        let end = "interquartile ranges from the column's median, as 2 more cells of it are far off: \
                   a code for a missing value?";
        assert!(message.starts_with(start) && message.ends_with(end), "{message}");
    }

    #[test]
    fn honest_columns_are_left_alone() {
        let column = |values: Vec<f64>| Array2::from_shape_vec((values.len(), 1), values).unwrap();
        let n = 10_000;
        let uniform = |i: usize| (i as f64 + 0.5) / n as f64;
        let honest = [
            // A Cauchy distribution's and a log-normal one's quantiles, a constant, counts.
            column((0..n).map(|i| ((uniform(i) - 0.5) * std::f64::consts::PI).tan()).collect()),
            column((0..n).map(|i| (20.0 * (uniform(i) - 0.5)).exp()).collect()),
            column(vec![14.62; 50]),
            column((0..n).map(|i| if i % 10 == 0 { (i % 70) as f64 } else { 0.0 }).collect()),
            column((0..n).map(|i| f64::from(u8::from(i == 17)) * 3e7).collect()),
            // Two clusters far apart, seconds since 1970, one in ten far off in many places.
            column((0..n).map(|i| uniform(i) + if i % 2 == 0 { 1e9 } else { 0.0 }).collect()),
            column((0..n).map(|i| 1.7e9 + i as f64).collect()),
            column((0..n).map(|i| 10f64.powf(12.0 * uniform(i))).collect()),
            column(vec![9999.0; 30]),
            column(vec![1.0]),
        ];
        for (i, x) in honest.iter().enumerate() {
            assert!(found(x, x).is_empty(), "{i}: {:?}", found(x, x));
        }
    }

    #[test]
    fn columns_without_a_range_have_their_own_measure() {
        let mut x = Array2::from_elem((60, 1), 5.0);
        x[(9, 0)] = 2_147_483_647.0;
        let x_found = found(&x, &array![[5.0]]);
        assert_eq!((x_found[0].rows[0], x_found[0].unit), (9, Unit::Median));
        let mut zeros = Array2::zeros((60, 1));
        for i in [9, 11, 15, 30] {
            zeros[(i, 0)] = 2_147_483_647.0;
        }
        let x_found = found(&zeros, &array![[0.0]]);
        assert_eq!((&x_found[0].rows[..], x_found[0].unit), (&[9, 11, 15, 30][..], Unit::One));
        // Mostly 0, some counts, one value out of place.
        let mut counts = Array2::from_shape_fn((200, 1), |(i, _)| {
            if i % 10 == 0 { 1.0 + (i / 10 % 4) as f64 } else { 0.0 }
        });
        assert!(found(&counts, &counts).is_empty());
        counts[(123, 0)] = 1e12;
        let of_counts = found(&counts, &array![[0.0]]);
        assert_eq!((of_counts[0].rows[0], of_counts[0].unit), (123, Unit::MedianDistance));
    }

    #[test]
    fn many_columns_are_told_in_few_words() {
        let mut x = ordinary(40, 9);
        x.row_mut(3).fill(-1e9);
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let notes = notes(&domains);
        assert_eq!(notes.len(), 4);
        assert_eq!(notes[3], "15 more columns have such cells");
    }
}
