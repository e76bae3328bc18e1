//! Ranges of options of methods on host arrays, each checked in one place and reported in one form:
//! [`transduct_core::check`] with this crate's [`Error`].

use crate::error::{Error, Result};

/// Accepts finite numbers ≥ 0.
///
/// # Errors
/// [`Error::Config`] that names `owner.field`.
pub(crate) fn non_negative(owner: &'static str, field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::config(owner, field, value, "a finite number ≥ 0")),
    }
}

/// Accepts finite numbers > 0.
///
/// # Errors
/// As [`non_negative`].
pub(crate) fn positive(owner: &'static str, field: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Error::config(owner, field, value, "a finite number > 0")),
    }
}

/// Accepts whole numbers from `least` on.
///
/// # Errors
/// As [`non_negative`].
pub(crate) fn at_least(
    owner: &'static str,
    field: &'static str,
    value: usize,
    least: usize,
) -> Result<()> {
    match value >= least {
        true => Ok(()),
        false => Err(Error::config(owner, field, value, format!("at least {least}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_the_range_that_names_them() {
        assert!(non_negative("kde", "h", 0.0).is_ok() && positive("kde", "h", 1e-300).is_ok());
        assert!(positive("kde", "h", 0.0).is_err() && at_least("kde", "folds", 2, 2).is_ok());
        for bad in [-1e-9, f64::NAN, f64::INFINITY] {
            assert!(non_negative("kde", "h", bad).is_err() && positive("kde", "h", bad).is_err());
        }
        let message = at_least("kde", "folds", 1, 2).unwrap_err().to_string();
        assert_eq!(message, "kde.folds = 1: expected at least 2");
    }
}
