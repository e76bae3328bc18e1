//! BDA: JDA with a balance between the means of the domains and those of the classes.
//!
//! Wang, Chen, Hao, Feng & Shen, "Balanced Distribution Adaptation for Transfer Learning", ICDM
//! 2017.
//! ```text
//! min_A tr(Aᵀ X ((1 − μ) M₀ + μ Σ_c W_c) Xᵀ A) + λ ‖A‖²_F   subject to   Aᵀ X H Xᵀ A = I
//! W_c = e_c e_cᵀ,   e_c = (p_s^½ / n_s^c, …, −p_t^½ / n_t^c, …)
//! ```
//! p_s = n_s^c / n_s and p_t = n_t^c / n_t are the shares of class c (W-BDA, for classes of unequal
//! sizes), or both 1 (BDA, where W_c is JDA's M_c). X `(d, n)` or K `(n, n)` in its place. Pseudo
//! labels come from the nearest source row, at first among the rows themselves, then among images.
//!
//! μ can be estimated from A-distances, 2 (1 − 2 ε) with ε the error of a linear classifier that
//! tells domains apart: μ = d_C / (d_M + d_C), where d_M is that of all rows and d_C the mean of those
//! of the classes (Wang et al., "Visual Domain Adaptation with Manifold Embedded Distribution
//! Alignment", ACM MM 2018).
//!
//! Differences from the paper:
//! 1. `marginal_weight`, `relative` and unit columns as in JDA, which the authors' code has from
//!    there; it also adds M up over the rounds, which is not done here.
//! 2. ε is that of regularised least squares on rows that it was not fitted on (two halves in
//!    turn), the domains weighted equally; the code takes a support vector machine's error on its
//!    own training rows, 0 wherever features outnumber rows. A-distances below 0 count as 0.
//! 3. A class that no target row is labelled with, has no W_c.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment,
    mmd_projection::{
        Anchors, Representation, Rows, check_options, conditional, counts, factor, marginal,
    },
    pseudo_labels::{Rounds, nearest_labels},
};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::{Domains, Labels},
    error::{Error, Result},
    math::{linalg::Cholesky, moments, unit::Unit},
};

/// μ as a configuration names it: `{ fixed = 0.5 }`, `"estimated"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// μ in [0, 1]: 0 matches the domains' means alone, 1 those of the classes.
    Fixed(f64),
    /// From A-distances, once, with the first pseudo labels.
    Estimated,
}

/// The options of BDA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bda {
    /// k ≥ 1; fewer where the problem has fewer. The paper searches; 100 is JDA's.
    pub components: usize,
    /// λ > 0. The paper searches; 0.1 is JDA's.
    pub regularisation: f64,
    /// μ. The paper searches; 0.5 is ours.
    pub balance: Balance,
    /// Whether classes are weighted by their shares (W-BDA).
    pub weighted: bool,
    /// T ≥ 1.
    pub rounds: usize,
    /// The weight of M₀ ≥ 0 besides 1 − μ; by default the number of classes.
    pub marginal_weight: Option<f64>,
    /// Whether λ is relative: M is divided by its Frobenius norm.
    pub relative: bool,
    /// The primal form or a kernel.
    pub representation: Representation,
    /// Whether images are scaled to unit length, also where pseudo labels are found.
    pub normalise_output: bool,
    /// Rows that kernels are taken with; all by default.
    pub landmarks: Option<usize>,
    /// Of the landmarks.
    pub seed: u64,
}

impl Default for Bda {
    fn default() -> Self {
        Self {
            components: 100,
            regularisation: 0.1,
            balance: Balance::Fixed(0.5),
            weighted: false,
            rounds: 10,
            marginal_weight: None,
            relative: true,
            representation: Representation::Primal,
            normalise_output: true,
            landmarks: None,
            seed: 0,
        }
    }
}

impl Described for Bda {
    const NAME: &'static str = "bda";
    const ABOUT: &'static str = "balances the means of all rows against those of the classes";
    const PAPER: &'static str = "Wang, Chen, Hao, Feng & Shen, Balanced Distribution Adaptation \
                                 for Transfer Learning, ICDM 2017";
    const NEEDS: Needs =
        Needs { source_labels: true, moves_target: true, least_rows: 1, ..Needs::ROWS };
}

impl Align for Bda {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        check_options(Self::NAME, self.components, self.regularisation)?;
        let labels = domains.need_two_classes(Self::NAME)?;
        let (xs, xt) = (domains.source(), domains.target());
        let initial = nearest_labels(xs, labels.of, xt);
        let mu = match self.balance {
            Balance::Fixed(mu) => mu,
            // The rows' unit does not matter to which classifier is right how often.
            Balance::Estimated => Unit::of_domains(domains)
                .with(domains, |domains| estimated_balance(domains, labels, &initial))?,
        };
        if !(0.0..=1.0).contains(&mu) {
            return Err(Error::config(Self::NAME, "balance", mu, "a number from 0 to 1"));
        }
        let present = counts(labels.of, labels.classes).iter().filter(|&&n| n > 0).count();
        let weight = self.marginal_weight.unwrap_or(present as f64);
        check::non_negative(Self::NAME, "marginal_weight", weight)?;
        let anchors = Anchors { landmarks: self.landmarks, seed: self.seed };
        let rows = Rows::new(Self::NAME, domains, self.representation, anchors)?.within_span();

        let (n_s, n_t) = (xs.nrows(), xt.nrows());
        let e_0 = marginal(n_s, n_t) * (weight * (1.0 - mu)).sqrt();
        let shares = |of_source: f64, of_target: f64| match self.weighted {
            true => ((of_source / n_s as f64).sqrt(), (of_target / n_t as f64).sqrt()),
            false => (1.0, 1.0),
        };
        let discrepancy = |pseudo: Option<&[usize]>| {
            let pseudo = pseudo.unwrap_or_default();
            let of_classes = conditional(labels.of, pseudo, labels.classes, shares);
            let of_classes = of_classes.into_iter().map(|e| e * mu.sqrt());
            let columns: Vec<_> = std::iter::once(e_0.clone()).chain(of_classes).collect();
            factor(&columns, self.relative)
        };
        Rounds {
            method: Self::NAME,
            components: self.components,
            regularisation: self.regularisation,
            rounds: self.rounds,
            normalise_output: self.normalise_output,
        }
        .run(rows, labels.of, Some(initial), discrepancy)
    }
}

/// μ = d_C / (d_M + d_C); ½ where no classifier tells anything apart.
fn estimated_balance(domains: &Domains<'_>, labels: Labels<'_>, pseudo: &[usize]) -> Result<f64> {
    let (xs, xt) = (domains.source(), domains.target());
    let of_all = a_distance(xs, xt)?;
    let mut of_classes = Vec::new();
    for c in 0..labels.classes {
        let rows = |labels: &[usize]| -> Vec<usize> {
            (0..labels.len()).filter(|&i| labels[i] == c).collect()
        };
        let (s, t) = (rows(labels.of), rows(pseudo));
        // Each half needs a row to fit on and one to test on.
        if s.len() >= 2 && t.len() >= 2 {
            let (s, t) = (xs.select(Axis(0), &s), xt.select(Axis(0), &t));
            of_classes.push(a_distance(s.view(), t.view())?);
        }
    }
    let d_c = of_classes.iter().sum::<f64>() / of_classes.len().max(1) as f64;
    match of_all + d_c > 0.0 {
        true => Ok(d_c / (of_all + d_c)),
        false => Ok(0.5),
    }
}

/// max(0, 2 (1 − 2 ε)) of rows `(n, d)`, `(m, d)`, each at least 2: rows of even number tell those of
/// odd number apart, and the other way round.
fn a_distance(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<f64> {
    let half = |x: ArrayView2<'_, f64>, odd: usize| x.slice(s![odd..;2, ..]).to_owned();
    let mut error = 0.0;
    for odd in [0, 1] {
        let (fit_a, fit_b) = (half(a, odd), half(b, odd));
        let (direction, middle) = least_squares(&fit_a, &fit_b)?;
        let wrong = |x: &Array2<f64>, sign: f64| {
            let score = x.dot(&direction) - middle;
            score.iter().filter(|&&z| z * sign <= 0.0).count() as f64 / x.nrows() as f64
        };
        error += (wrong(&half(a, 1 - odd), 1.0) + wrong(&half(b, 1 - odd), -1.0)) / 4.0;
    }
    Ok((2.0 * (1.0 - 2.0 * error)).max(0.0))
}

/// The direction (C + λ I)⁻¹ (ā − b̄) of least squares, C the pooled covariance and λ a hundredth of
/// its mean variance, and the middle of the means along it.
fn least_squares(a: &Array2<f64>, b: &Array2<f64>) -> Result<(Array1<f64>, f64)> {
    let [mean_a, mean_b] = [a, b].map(|x| moments::mean(x.view()));
    let mut c = moments::covariance(a.view(), 0) + moments::covariance(b.view(), 0);
    let variance = c.diag().sum() / c.nrows() as f64;
    let lift = if variance > 0.0 { 0.01 * variance } else { 1.0 };
    c.diag_mut().mapv_inplace(|v| v + lift);
    let direction = Cholesky::new(&c)?.solve_vector((&mean_a - &mean_b).view());
    let middle = direction.dot(&(&mean_a + &mean_b)) / 2.0;
    Ok((direction, middle))
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::shallow::{Jda, testing::clusters};

    #[test]
    fn half_and_half_is_jda_from_other_first_labels() {
        // Once labels have settled, μ = ½ halves JDA's M, which a relative λ does not see.
        let (xs, ys, xt, _) = clusters();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&ys).unwrap();
        let bda = Bda { components: 2, ..Bda::default() }.fit(&domains).unwrap();
        let jda = Jda { components: 2, ..Jda::default() }.fit(&domains).unwrap();
        assert!(bda.certificate.converged && jda.certificate.converged);
        let images = [bda, jda].map(|fitted| fitted.target(xt.view()).unwrap());
        assert_abs_diff_eq!(images[0], images[1], epsilon = 1e-9);
    }

    #[test]
    fn distances_of_domains_that_are_apart_and_the_same() {
        let a = array![[0.0], [1.0], [0.5], [0.2]];
        let b = &a + 10.0;
        assert_eq!(a_distance(a.view(), b.view()).unwrap(), 2.0);
        let same = array![[0.0], [0.0], [1.0], [1.0]];
        assert_eq!(a_distance(same.view(), same.view()).unwrap(), 0.0);
    }

    #[test]
    fn weights_and_estimates_work_and_options_are_checked() {
        let (xs, ys, xt, _) = clusters();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&ys).unwrap();
        for (balance, weighted) in [(Balance::Estimated, true), (Balance::Fixed(1.0), true)] {
            let fitted = Bda { balance, weighted, ..Bda::default() }.fit(&domains).unwrap();
            assert!(fitted.source(xs.view()).unwrap().iter().all(|v| v.is_finite()));
        }
        let bad = Bda { balance: Balance::Fixed(1.5), ..Bda::default() };
        let message = bad.fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "bda.balance = 1.5: expected a number from 0 to 1");
    }
}
