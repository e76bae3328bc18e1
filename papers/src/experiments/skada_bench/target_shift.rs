//! Target shift as the benchmark weighs it: class weights within bounds, for which the classes' kernel means
//! come nearest to the target's.
//!
//! Zhang, Schölkopf, Muandet & Wang, "Domain Adaptation under Target and Conditional Shift", ICML 2013,
//! Sec. 2, with the paper's own regularised conditional embeddings and bounds, which the library's method
//! replaces by their limit:
//! ```text
//! min ½ aᵀT ZᵀKZ T a − (n_s / n_t) 1ᵀK_ts Z T a        T = ℓN (ℓN + λ I)⁻¹
//! 0 ≤ a_c ≤ B,  |Σ_c n_c a_c − n_s| ≤ n_s B / 4√n_s       B = 10, λ = 10⁻⁶
//! ```
//! Z `(n_s, 2)` says which rows are of which class, N = diag(n_c), ℓ the kernel between the classes' numbers.
//! A source row of class c weighs a_c.

use anyhow::Result;
use ndarray::{Array1, Array2, array};
use transduct_adapt::math::{
    gram::Kernel,
    qp::{Dense, Programme, Stop},
};

use super::problem::Rows;

/// B and λ.
const BOUND: f64 = 10.0;
const RIDGE: f64 = 1e-6;

/// Of kernels exp(−γ d²); by default γ is 1/2 between rows, and 1 between the classes' numbers.
pub(super) fn weights(rows: &Rows, gamma: Option<f64>) -> Result<Array1<f64>> {
    let (n_s, n_t) = (rows.source.nrows(), rows.target.nrows());
    let z = Array2::from_shape_fn((n_s, 2), |(i, c)| f64::from(u8::from(rows.labels[i] == c)));
    let counts = z.sum_axis(ndarray::Axis(0));
    let kernel = Kernel::Gaussian { sigma: (0.5 / gamma.unwrap_or(0.5)).sqrt() };
    let (xs, xt) = (rows.source.view(), rows.target.view());
    let within = z.t().dot(&kernel.gram("target shift", xs, xs)?.dot(&z));
    let to_target = kernel.gram("target shift", xs, xt)?.sum_axis(ndarray::Axis(1));
    let t = transfer((-gamma.unwrap_or(1.0)).exp(), &counts);
    let h = t.t().dot(&within).dot(&t);
    let h = (&h + &h.t()) / 2.0;
    let f = t.t().dot(&z.t().dot(&to_target)) * (n_s as f64 / n_t as f64);
    let slack = BOUND / (4.0 * (n_s as f64).sqrt());
    let total = n_s as f64;
    let solution = Programme {
        linear: (-f).view(),
        lower: array![0.0, 0.0].view(),
        upper: array![BOUND, BOUND].view(),
        normal: counts.view(),
        range: [total * (1.0 - slack), total * (1.0 + slack)],
    }
    .solve(&Dense(h.view()), Stop::default())?;
    Ok(rows.labels.iter().map(|&c| solution.x[c]).collect())
}

/// T `(2, 2)`, of the kernel between the classes and their rows.
fn transfer(between: f64, counts: &Array1<f64>) -> Array2<f64> {
    let l = array![[counts[0], between * counts[1]], [between * counts[0], counts[1]]];
    let [[a, b], [c, d]] = [[l[(0, 0)] + RIDGE, l[(0, 1)]], [l[(1, 0)], l[(1, 1)] + RIDGE]];
    l.dot(&(array![[d, -b], [-c, a]] / (a * d - b * c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three in four target rows lie where class 1 does.
    #[test]
    fn a_mixture_is_found() {
        let at = |places: &[f64]| Array2::from_shape_fn((places.len(), 1), |(i, _)| places[i]);
        let rows = Rows {
            source: at(&[0.0, 9.0, 0.0, 9.0]),
            labels: vec![0, 1, 0, 1],
            target: at(&[9.0, 9.0, 0.0, 9.0]),
            target_labels: vec![1, 1, 0, 1],
        };
        let w = weights(&rows, None).unwrap();
        assert!((w[0] - 0.5).abs() < 1e-4 && (w[1] - 1.5).abs() < 1e-4, "{w}");
    }
}
