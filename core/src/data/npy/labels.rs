//! Labels in arrays of numbers or of text.

use std::path::Path;

use super::header::{self, Header};
use super::{Kind, parse};
use crate::data::{DataError, Texts, labels};

/// Labels of any numeric type or of text (`<U…`, `|S…`), one a row; NaN and empty text are none.
///
/// # Errors
/// Those of the format; objects and records; more than one label a row.
pub fn parse_label_texts(bytes: &[u8], path: &Path) -> Result<Texts, DataError> {
    let malformed = |reason: String| DataError::malformed(path, reason);
    if let Some(text) = header::text_array(bytes).map_err(malformed)? {
        labels::check_shape(&text.shape).map_err(malformed)?;
        return Ok(text.values);
    }
    let (header, _) = Header::parse(bytes).map_err(malformed)?;
    labels::check_shape(&header.shape).map_err(malformed)?;
    match header.kind {
        Kind::F16 | Kind::F32 | Kind::F64 => {
            let array = parse::<f64>(bytes, path)?;
            labels::of_numbers(array.view()).map_err(malformed)
        }
        // Integers beyond 2⁵³ are no doubles.
        _ => Ok(parse::<i64>(bytes, path)?.iter().map(|v| Some(v.to_string())).collect()),
    }
}
