//! Features of any unit: rows are measured in a power of two near their largest value where they are
//! so large or small that their powers would overflow or vanish. Such a multiplication is exact, so
//! that a method's arithmetic is the same in every unit; what it finds is given in the rows' own.

use ndarray::{ArrayView2, CowArray, Ix2};

use super::moments;
use crate::{domains::Domains, error::Result};

/// The exponents, of either sign, that need no other unit: the eighth powers of such rows, with their
/// sums over rows and columns, are finite and normal.
const ORDINARY: i32 = 100;

/// A length 2^e.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit(i32);

impl Unit {
    /// The unit of numbers up to `largest` in magnitude: 1 for ordinary ones and for zeros.
    pub(crate) fn of(largest: f64) -> Self {
        let near = Self::near(largest);
        if near.0.abs() <= ORDINARY { Self(0) } else { near }
    }

    /// The power of two next below `largest`, also where it is ordinary; 1 for zeros.
    pub(crate) fn near(largest: f64) -> Self {
        match largest > 0.0 && largest.is_finite() {
            true => Self(exponent(largest)),
            false => Self(0),
        }
    }

    /// The unit of the rows of both domains.
    pub(crate) fn of_domains(domains: &Domains<'_>) -> Self {
        Self::of(largest(domains))
    }

    /// The same, and [`Self::near`] for rows below `least`.
    pub(crate) fn of_small_domains(domains: &Domains<'_>, least: f64) -> Self {
        match largest(domains) {
            small if small < least => Self::near(small),
            other => Self::of(other),
        }
    }

    /// Whether nothing changes.
    pub(crate) fn is_one(self) -> bool {
        self.0 == 0
    }

    /// e.
    pub(crate) fn exponent(self) -> i32 {
        self.0
    }

    /// A length in this unit.
    pub(crate) fn length(self, value: f64) -> f64 {
        times_power(value, -self.0)
    }

    /// A squared length in the square of this unit.
    pub(crate) fn square(self, value: f64) -> f64 {
        times_power(value, -2 * self.0)
    }

    /// A length that is given in this unit.
    pub(crate) fn back(self, value: f64) -> f64 {
        times_power(value, self.0)
    }

    /// Rows in this unit.
    pub(crate) fn rows<'a>(self, x: ArrayView2<'a, f64>) -> CowArray<'a, f64, Ix2> {
        match self.is_one() {
            true => CowArray::from(x),
            false => CowArray::from(x.mapv(|value| self.length(value))),
        }
    }

    /// What `work` makes of the domains in this unit.
    pub(crate) fn with<T>(
        self,
        domains: &Domains<'_>,
        work: impl FnOnce(&Domains<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.is_one() {
            return work(domains);
        }
        let (source, target) = (self.rows(domains.source()), self.rows(domains.target()));
        let scaled = Domains::new(source.view(), target.view())?;
        match domains.labels() {
            Some(labels) => work(&scaled.with_classes(labels.of, labels.classes)?),
            None => work(&scaled),
        }
    }
}

fn largest(domains: &Domains<'_>) -> f64 {
    moments::largest(domains.source()).max(moments::largest(domains.target()))
}

/// ⌊log₂ x⌋ of a finite x > 0, which a rounded logarithm would miss next to a power: from −1074 to 1023.
fn exponent(x: f64) -> i32 {
    let of_normal = |x: f64| (x.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    match x.is_normal() {
        true => of_normal(x),
        false => of_normal(x * 2f64.powi(60)) - 60,
    }
}

/// x 2^k, rounded only where it leaves the normal numbers.
pub(crate) fn times_power(mut x: f64, mut k: i32) -> f64 {
    /// Powers up to this are finite and normal, and so are their inverses.
    const STEP: i32 = 1000;
    while k.abs() > STEP {
        x *= 2f64.powi(STEP * k.signum());
        k -= STEP * k.signum();
    }
    x * 2f64.powi(k)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn powers_are_exact_and_ordinary_rows_stay() {
        for value in [1.0, 3.7e9, -2.5e-9, 1e30] {
            assert!(Unit::of(f64::abs(value)).is_one());
        }
        assert!(Unit::of(0.0).is_one() && Unit::near(0.0).is_one());
        assert_eq!(Unit::near(0.3).length(0.3), 1.2);
        for value in [1.7e155, 1.7e-155, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            let unit = Unit::of(value);
            let scaled = unit.length(value);
            assert!((1.0..2.0).contains(&scaled), "{value:e} is {scaled}");
            assert_eq!(unit.back(scaled), value);
        }
        assert_eq!(times_power(3.0, -2100), 0.0);
        assert_eq!(times_power(0.75, 2100), f64::INFINITY);
    }

    #[test]
    fn domains_are_measured_together_and_keep_their_labels() {
        let (xs, xt) = (array![[1e200, -3e200]], array![[5e199, 0.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_classes(&[1], 4).unwrap();
        let unit = Unit::of_domains(&domains);
        let (source, classes) = unit
            .with(&domains, |scaled| {
                Ok((scaled.source().to_owned(), scaled.labels().map(|labels| labels.classes)))
            })
            .unwrap();
        assert_eq!(source.mapv(|v| unit.back(v)), xs);
        assert!(source.iter().all(|v| v.abs() < 2.0));
        assert_eq!(classes, Some(4));
    }
}
