//! Target shift by kernel mean matching: the mixture of the source's classes whose kernel mean is
//! nearest to the target's.
//!
//! Zhang, Schölkopf, Muandet & Wang, "Domain Adaptation under Target and Conditional Shift", ICML
//! 2013, Sec. 2:
//! ```text
//! α = argmin ‖Σ_c α_c m_c − m_t‖²   α ≥ 0, Σ_c α_c = 1        w_i = α_{y_i} / p_s(y_i)
//!   = argmin ½ αᵀH α − fᵀα           H_cd = mean k(x_i, x_j) over i of class c, j of class d
//!                                    f_c  = mean k(x_i, x_j) over i of class c, j of the target
//! ```
//! X_s `(n_s, d)` with labels, X_t `(n_t, d)`; m_c, m_t, means of k(x, ·). No classifier is needed.
//! With a linear kernel it matches means, which at most d + 1 classes can be told by.
//!
//! Differences from the paper:
//! 1. The paper's conditional embedding regularises the class means by λ for labels of any kind; for
//!    classes its limit λ → 0 are the means themselves.
//! 2. Σ α = 1 exactly, where the paper bounds the mean weight to within ε of 1 and single weights
//!    by a constant: with k variables no bound is needed.
//! 3. The kernel's width is the median distance.

use ndarray::{Array1, Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::{
    Reweight, Weighting,
    label_shift::{Classes, LabelShift},
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    domains::Domains,
    error::Result,
    math::{
        active_set,
        gram::KernelChoice,
        linalg::{self, Eigen},
    },
};

/// The options of target-shift matching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MmdTars {
    /// k.
    pub kernel: KernelChoice,
}

impl Default for MmdTars {
    fn default() -> Self {
        Self { kernel: KernelChoice::Gaussian { sigma: None } }
    }
}

impl Described for MmdTars {
    const NAME: &'static str = "mmd-tars";
    const ABOUT: &'static str = "class weights by matching kernel means of the classes' mixture";
    const PAPER: &'static str = "Zhang, Schölkopf, Muandet & Wang, Domain Adaptation under Target \
                                 and Conditional Shift, ICML 2013";
    const NEEDS: Needs = Needs { source_labels: true, least_rows: 2, ..Needs::ROWS };
}

impl MmdTars {
    /// The classes' proportions on the target.
    ///
    /// # Errors
    /// [`crate::error::Error::NoLabels`], [`crate::error::Error::OneClass`],
    /// [`crate::error::Error::TooLarge`]; [`crate::error::Error::Degenerate`] when the median is
    /// asked for and all rows are equal.
    pub fn estimate(&self, domains: &Domains<'_>) -> Result<LabelShift> {
        let classes = Classes::of(Self::NAME, domains)?;
        domains.need_rows(Self::NAME, Self::NEEDS.least_rows)?;
        let (xs, xt) = (domains.source(), domains.target());
        let kernel = self.kernel.resolve(Self::NAME, concatenate![Axis(0), xs, xt].view())?;
        // Z (n_s, m) averages over the rows of a class.
        let mut z = Array2::zeros((xs.nrows(), classes.present.len()));
        for (i, &c) in classes.places.iter().enumerate() {
            z[(i, c)] = 1.0 / (classes.shares[c] * xs.nrows() as f64);
        }
        let within = linalg::dot(&kernel.gram(Self::NAME, xs, xs)?, &z);
        let mut h = linalg::dot(&z.t(), &within);
        linalg::symmetrise(&mut h);
        let to_target = kernel.gram(Self::NAME, xs, xt)?.sum_axis(Axis(1)) / xt.nrows() as f64;
        let f = z.t().dot(&to_target);

        let solution = active_set::simplex(&h, f.view())?;
        let certificate = Certificate::new(
            "active set",
            solution.iterations,
            Measure::Kkt,
            solution.residual,
            1e-9,
        );
        let weights: Array1<f64> = &solution.x / &classes.shares;
        LabelShift::new(Self::NAME, &classes, &weights, condition(&h)?, certificate)
    }
}

/// λ_max / λ_min of H; ∞ where λ_min is not above 0.
fn condition(h: &Array2<f64>) -> Result<f64> {
    let Eigen { values, .. } = linalg::eigh(h)?;
    let (least, largest) = (values[0], values[values.len() - 1]);
    Ok(if least > 0.0 { largest / least } else { f64::INFINITY })
}

impl Reweight for MmdTars {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let labels = domains.need_labels(Self::NAME)?;
        self.estimate(domains)?.weighting(Self::NAME, domains, labels)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::error::Error;

    /// The target is the source's rows, those of class 1 three times.
    #[test]
    fn a_mixture_of_the_same_rows_is_found() {
        let xs = array![[0.0, 1.0], [1.0, 0.5], [4.0, 1.0], [3.0, 2.0], [5.0, 0.0]];
        let labels = [0, 0, 1, 1, 3];
        let xt = xs.select(Axis(0), &[0, 1, 2, 3, 2, 3, 2, 3, 4]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        let shift = MmdTars::default().estimate(&domains).unwrap();
        let expected = array![2.0 / 9.0, 6.0 / 9.0, 0.0, 1.0 / 9.0];
        assert_abs_diff_eq!(shift.target_proportions, expected, epsilon = 1e-9);
        assert!(shift.certificate.converged && shift.condition > 1.0);
        let weights = MmdTars::default().fit(&domains).unwrap().weights;
        assert_abs_diff_eq!(weights[2], 5.0 / 3.0, epsilon = 1e-8);
    }

    #[test]
    fn linear_means_by_hand() {
        // Class means 0 and 4, target mean 1: α = (3/4, 1/4).
        let (xs, xt) = (array![[-1.0], [1.0], [4.0]], array![[0.0], [2.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&[0, 0, 1]).unwrap();
        let method = MmdTars { kernel: KernelChoice::Linear };
        let shift = method.estimate(&domains).unwrap();
        assert_abs_diff_eq!(shift.target_proportions, array![0.75, 0.25], epsilon = 1e-9);
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [0.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        assert!(matches!(MmdTars::default().fit(&domains), Err(Error::NoLabels { .. })));
        let fit = |labels: &[usize]| {
            let domains = Domains::new(x.view(), x.view()).unwrap();
            MmdTars::default().fit(&domains.with_labels(labels).unwrap())
        };
        assert!(matches!(fit(&[0, 0]), Err(Error::OneClass { .. })));
        assert!(matches!(fit(&[0, 1]), Err(Error::Degenerate { .. })));
    }
}
