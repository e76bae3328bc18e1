//! What the text of a cell means.

/// How a missing value is written, besides an empty cell: what pandas and R write and take for one,
/// and the question mark of the UCI collections.
pub const MISSING: [&str; 10] =
    ["NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "?"];

/// Whether a cell says that there is no value.
pub fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.contains(&cell)
}

/// The number that a cell holds, infinite ones among them; with `comma`, a decimal comma is read
/// where there is no point.
pub(super) fn number(cell: &str, comma: bool) -> Option<f64> {
    // A word that the parser knows is a number to it.
    match cell.parse::<f64>() {
        Ok(value) => Some(value).filter(|value| !value.is_nan()),
        Err(_) if comma && is_decimal_comma(cell) => cell.replacen(',', ".", 1).parse().ok(),
        Err(_) => None,
    }
}

/// Whether a cell is a number but for one comma in the place of its point.
pub(super) fn is_decimal_comma(cell: &str) -> bool {
    let mut parts = cell.split(',');
    let (Some(whole), Some(part), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (part, exponent) = part.split_once(['e', 'E']).unwrap_or((part, "0"));
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    digits(whole)
        && digits(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.parse::<i32>().is_ok()
}

/// Why a cell that should be a number is none, as far as its form tells.
pub(super) fn hint(cell: &str, comma_separates: bool) -> &'static str {
    let of_numbers = |c: char| c.is_ascii_digit() || ".,_'%+-eE\u{a0}\u{202f}\u{2212}".contains(c);
    if !cell.contains(|c: char| c.is_ascii_digit()) || !cell.chars().all(of_numbers) {
        ""
    } else if cell.ends_with('%') {
        ": expected no percent sign"
    } else if is_decimal_comma(cell) && comma_separates {
        ": for a decimal comma give --decimal comma"
    } else if cell.contains([',', '_', '\u{a0}', '\u{202f}', '\'']) {
        ": expected no separators of thousands"
    } else if cell.starts_with('\u{2212}') {
        ": expected a hyphen for the minus sign"
    } else {
        ""
    }
}
