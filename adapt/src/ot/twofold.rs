//! Numbers of twice the precision, as unevaluated sums of two.
//!
//! Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik
//! 1971; Knuth, The Art of Computer Programming 2, Sec. 4.2.2, Theorem B.

/// high + low, |low| at most half a unit in the last place of high: an error of some 2⁻¹⁰⁵.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Twofold {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Twofold {
    pub(super) fn plus(self, other: Self) -> Self {
        let (high, error) = two_sum(self.high, other.high);
        let low = error + self.low + other.low;
        let sum = high + low;
        Self { high: sum, low: low - (sum - high) }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low })
    }
}

impl From<f64> for Twofold {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

/// a + b and what rounding it loses, exactly.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        let all = [1e18, 3.25, -1e18, 1e-3].into_iter().map(Twofold::from);
        let sum = all.fold(Twofold::default(), Twofold::plus);
        assert_eq!(sum.minus(3.25.into()), 1e-3.into());
        let gap = Twofold::from(1e18).plus(0.25.into()).minus(1e18.into());
        assert_eq!(gap, 0.25.into());
    }
}
