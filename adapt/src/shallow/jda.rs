//! JDA: TCA that matches the means of every class too, with pseudo labels for the target rows.
//!
//! Long, Wang, Ding, Sun & Yu, "Transfer Feature Learning with Joint Distribution Adaptation",
//! ICCV 2013, Alg. 1.
//! ```text
//! min_A Σ_{c=0}^C tr(Aᵀ X M_c Xᵀ A) + λ ‖A‖²_F   subject to   Aᵀ X H Xᵀ A = I
//! M_c = e_c e_cᵀ,   e_c = (1/n_s^c of class c in the source, −1/n_t^c in the target, else 0)
//! ```
//! X `(d, n)` holds the n = n_s + n_t rows as columns, or K `(n, n)` in its place; M₀ is that of all
//! rows. The first round has M₀ alone; each round labels the target rows by the nearest source row
//! among the images, and the next round uses these labels.
//!
//! Differences from the paper:
//! 1. M₀ counts C times, and Σ M_c is divided by its Frobenius norm, as in the authors' code, which
//!    the published numbers need: `marginal_weight` = 1 is the equation's, `relative` = false too.
//! 2. Columns of A have unit length, which these numbers need as well; the constraint gives component
//!    j the factor θ_j^(−½) besides.
//! 3. A class that no target row is labelled with, has no M_c; the code draws its source mean to the
//!    origin.
//! 4. Rounds end early when no label changes, since all later ones are equal.
//! 5. `landmarks` restrict A to some of the rows.

use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment,
    mmd_projection::{
        Anchors, Representation, Rows, check_options, conditional, counts, factor, marginal,
    },
    pseudo_labels::Rounds,
};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::Domains,
    error::Result,
};

/// The options of JDA; the defaults are those of the paper's experiments on digits and COIL20. On
/// Office-Caltech10 k = 20 and λ = 1 give its average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jda {
    /// k ≥ 1; fewer where the problem has fewer.
    pub components: usize,
    /// λ > 0.
    pub regularisation: f64,
    /// T ≥ 1.
    pub rounds: usize,
    /// The weight of M₀ ≥ 0; by default the number of classes.
    pub marginal_weight: Option<f64>,
    /// Whether λ is relative: Σ M_c is divided by its Frobenius norm.
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

impl Default for Jda {
    fn default() -> Self {
        Self {
            components: 100,
            regularisation: 0.1,
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

impl Described for Jda {
    const NAME: &'static str = "jda";
    const ABOUT: &'static str =
        "finds components whose means agree, of all rows and of every class";
    const PAPER: &'static str = "Long, Wang, Ding, Sun & Yu, Transfer Feature Learning with Joint \
                                 Distribution Adaptation, ICCV 2013";
    const NEEDS: Needs =
        Needs { source_labels: true, moves_target: true, least_rows: 1, ..Needs::ROWS };
}

impl Align for Jda {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        check_options(Self::NAME, self.components, self.regularisation)?;
        let labels = domains.need_two_classes(Self::NAME)?;
        let present = counts(labels.of, labels.classes).iter().filter(|&&n| n > 0).count();
        let weight = self.marginal_weight.unwrap_or(present as f64);
        check::non_negative(Self::NAME, "marginal_weight", weight)?;
        let anchors = Anchors { landmarks: self.landmarks, seed: self.seed };
        let rows = Rows::new(Self::NAME, domains, self.representation, anchors)?.within_span();
        let e_0 = marginal(domains.source().nrows(), domains.target().nrows()) * weight.sqrt();

        let discrepancy = |pseudo: Option<&[usize]>| {
            let mut columns = vec![e_0.clone()];
            if let Some(pseudo) = pseudo {
                columns.extend(conditional(labels.of, pseudo, labels.classes, |_, _| (1.0, 1.0)));
            }
            factor(&columns, self.relative)
        };
        Rounds {
            method: Self::NAME,
            components: self.components,
            regularisation: self.regularisation,
            rounds: self.rounds,
            normalise_output: self.normalise_output,
        }
        .run(rows, labels.of, None, discrepancy)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::{
        error::Error,
        shallow::{pseudo_labels::nearest_labels, testing::clusters},
    };

    #[test]
    fn classes_meet_and_rounds_end_when_labels_stay() {
        let (xs, ys, xt, yt) = clusters();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&ys).unwrap();
        let jda = Jda { components: 2, normalise_output: false, ..Jda::default() };
        let fitted = jda.fit(&domains).unwrap();
        let (zs, zt) = (fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap());
        assert_eq!(nearest_labels(zs.view(), &ys, zt.view()), yt);
        let certificate = fitted.certificate;
        assert!(certificate.converged && certificate.residual == 0.0, "{certificate:?}");
        assert!((2..10).contains(&certificate.iterations), "{certificate:?}");
        let once = Jda { rounds: 1, ..jda }.fit(&domains).unwrap();
        assert!(!once.certificate.converged);
    }

    #[test]
    fn a_class_that_no_target_row_has_and_one_without_rows() {
        let (xs, _, xt, _) = clusters();
        let ys: Vec<usize> = (0..20).map(|i| if i == 7 { 3 } else { i % 2 }).collect();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_classes(&ys, 6).unwrap();
        let fitted = Jda::default().fit(&domains).unwrap();
        assert!(fitted.target(xt.view()).unwrap().iter().all(|v| v.is_finite()));
    }

    #[test]
    fn labels_are_needed_and_options_checked() {
        let x = array![[0.0, 1.0], [1.0, 0.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        assert!(matches!(Jda::default().fit(&domains), Err(Error::NoLabels { .. })));
        let one = domains.with_labels(&[1, 1]).unwrap();
        assert!(matches!(Jda::default().fit(&one), Err(Error::OneClass { .. })));
        let two = domains.with_labels(&[0, 1]).unwrap();
        let fails = |jda: Jda| jda.fit(&two).unwrap_err().to_string();
        let message = fails(Jda { rounds: 0, ..Jda::default() });
        assert_eq!(message, "jda.rounds = 0: expected at least 1");
        let message = fails(Jda { marginal_weight: Some(-1.0), ..Jda::default() });
        assert_eq!(message, "jda.marginal_weight = -1: expected a finite number ≥ 0");
    }
}
