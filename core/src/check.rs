//! Ranges of configuration values, each checked in one place and reported in one form.

use std::fmt::Display;

use crate::{Error, Result};

/// Accepts finite numbers ≥ 0.
///
/// # Errors
/// [`Error::Config`] that names `owner.field`.
pub fn non_negative(
    owner: &str,
    field: &str,
    value: impl Into<f64> + Display + Copy,
) -> Result<()> {
    let number = value.into();
    check(number.is_finite() && number >= 0.0, owner, field, value, "a finite number ≥ 0")
}

/// Accepts finite numbers > 0.
///
/// # Errors
/// As [`non_negative`].
pub fn positive(owner: &str, field: &str, value: impl Into<f64> + Display + Copy) -> Result<()> {
    let number = value.into();
    check(number.is_finite() && number > 0.0, owner, field, value, "a finite number > 0")
}

/// Accepts whole numbers from `least` on.
///
/// # Errors
/// As [`non_negative`].
pub fn at_least(owner: &str, field: &str, value: usize, least: usize) -> Result<()> {
    check(value >= least, owner, field, value, &format!("at least {least}"))
}

fn check(good: bool, owner: &str, field: &str, value: impl Display, expected: &str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::config(owner, field, value, expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_the_range_that_names_them() {
        assert!(non_negative("sgd", "momentum", 0.0f32).is_ok());
        assert!(positive("sgd", "rate", f64::MIN_POSITIVE).is_ok());
        assert!(positive("sgd", "rate", 0.0f32).is_err());
        assert!(at_least("mlp", "width", 1, 1).is_ok());
        for bad in [-1e-9, f32::NAN, f32::INFINITY] {
            assert!(non_negative("sgd", "momentum", bad).is_err());
            assert!(positive("sgd", "momentum", bad).is_err());
        }
    }

    #[test]
    fn messages_name_field_value_and_range() {
        let error = non_negative("dann", "weight", -0.1f32).unwrap_err().to_string();
        assert_eq!(error, "dann.weight = -0.1: expected a finite number ≥ 0");
        let error = at_least("dan", "kernels", 0, 1).unwrap_err().to_string();
        assert_eq!(error, "dan.kernels = 0: expected at least 1");
    }
}
