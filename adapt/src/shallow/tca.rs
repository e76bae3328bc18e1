//! TCA: a space in which the means of the domains agree and the rows still vary.
//!
//! Pan, Tsang, Kwok & Yang, "Domain Adaptation via Transfer Component Analysis", IEEE Trans. Neural
//! Networks 2011, Sec. III.
//! ```text
//! min_W tr(Wᵀ K L K W) + μ tr(Wᵀ W)   subject to   Wᵀ K H K W = I
//! K H K w = θ (K L K + μ I) w,   the k largest θ
//! x ↦ Wᵀ k(x)
//! ```
//! K `(n, n)` over the n = n_s + n_t rows, L = e eᵀ with e = (1/n_s, …, −1/n_t, …), H = I − 11ᵀ/n.
//! The primal form has the rows X `(n, d)` in the place of K: Xᵀ H X, Xᵀ L X `(d, d)`.
//!
//! For n > 8 (k + 10) block Lanczos finds the k vectors from products with K, O(n² k) each; for larger
//! k a dense decomposition takes O(n³). The primal form has d in the place of n, and O(n d²) for Xᵀ H X.
//! Memory n² or n d numbers.
//!
//! Differences from the paper:
//! 1. Columns of W have unit length, as in the experiments of Long et al. (ICCV 2013), whose TCA
//!    column they reproduce. The constraint gives component j the factor θ_j^(−½) besides, which
//!    whitens the images; the space is the same.
//! 2. `relative` divides L by its Frobenius norm, as those experiments do.
//! 3. `landmarks` restrict W to some of the rows. With all rows the problem is the paper's.
//! 4. The Gaussian kernel's width is the median distance by default; the paper's experiments fix
//!    the kernels of each data set.

use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment,
    mmd_projection::{Anchors, Representation, Rows, check_options, factor, marginal},
};
use crate::{
    catalogue::{Described, Needs},
    domains::Domains,
    error::Result,
};

/// The options of TCA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tca {
    /// k ≥ 1; fewer where the problem has fewer. 30 is ours.
    pub components: usize,
    /// μ > 0. 1 is ours.
    pub regularisation: f64,
    /// Whether μ is relative: L is divided by its Frobenius norm.
    pub relative: bool,
    /// The primal form or a kernel; the Gaussian one by default.
    pub representation: Representation,
    /// Whether images are scaled to unit length.
    pub normalise_output: bool,
    /// Rows that kernels are taken with; all by default.
    pub landmarks: Option<usize>,
    /// Of the landmarks.
    pub seed: u64,
}

impl Default for Tca {
    fn default() -> Self {
        Self {
            components: 30,
            regularisation: 1.0,
            relative: false,
            representation: Representation::Gaussian { sigma: None },
            normalise_output: false,
            landmarks: None,
            seed: 0,
        }
    }
}

impl Described for Tca {
    const NAME: &'static str = "tca";
    const ABOUT: &'static str = "finds components whose means agree in both domains";
    const PAPER: &'static str = "Pan, Tsang, Kwok & Yang, Domain Adaptation via Transfer Component \
                                 Analysis, IEEE Trans. Neural Networks 2011";
    const NEEDS: Needs = Needs { moves_target: true, ..Needs::ROWS };
}

impl Align for Tca {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        check_options(Self::NAME, self.components, self.regularisation)?;
        let anchors = Anchors { landmarks: self.landmarks, seed: self.seed };
        let mut rows = Rows::new(Self::NAME, domains, self.representation, anchors)?.within_span();
        let e = marginal(domains.source().nrows(), domains.target().nrows());
        let e = factor(&[e], self.relative);
        let found = rows.directions(&e, self.regularisation, None, self.components, None)?;
        let certificate = found.certificate.clone();
        let map = rows.into_map(found, self.normalise_output);
        Alignment::new(Self::NAME, map.clone(), map, certificate)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::error::Error;

    /// The domains differ along the first axis alone; all rows vary along the second, less along
    /// the third.
    fn moved() -> (Array2<f64>, Array2<f64>) {
        let xs = array![[0.0, 2.0, 0.1], [0.0, -2.0, 0.1], [0.0, 2.0, -0.1], [0.0, -2.0, -0.1]];
        (xs.clone(), xs + &array![5.0, 0.0, 0.0])
    }

    #[test]
    fn the_axis_that_tells_domains_apart_comes_last() {
        let (xs, xt) = moved();
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let representation = Representation::Primal;
        let tca = Tca { components: 1, regularisation: 1e-3, representation, ..Tca::default() };
        let fitted = tca.fit(&domains).unwrap();
        assert!(fitted.certificate.converged);
        let expected = xs.column(1).insert_axis(ndarray::Axis(1)).to_owned();
        let images = [fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap()];
        for image in images {
            approx::assert_abs_diff_eq!(image, expected, epsilon = 1e-9);
        }
    }

    #[test]
    fn defaults_work_on_few_rows_and_say_how_many_components_there_are() {
        let (xs, xt) = moved();
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = Tca::default().fit(&domains).unwrap();
        let images = fitted.source(xs.view()).unwrap();
        let k = images.ncols();
        assert!(images.iter().all(|v| v.is_finite()) && k <= 7);
        let note = format!("{k} of the 30 components asked for exist");
        assert_eq!(fitted.certificate.notes, [note]);
        let unit = Tca { normalise_output: true, ..Tca::default() }.fit(&domains).unwrap();
        let lengths = unit.source(xs.view()).unwrap().map_axis(ndarray::Axis(1), |r| r.dot(&r));
        assert!(lengths.iter().all(|l| (l - 1.0).abs() < 1e-12));
    }

    #[test]
    fn bad_options_are_named() {
        let (xs, xt) = moved();
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fails = |tca: Tca| tca.fit(&domains).unwrap_err().to_string();
        let message = fails(Tca { components: 0, ..Tca::default() });
        assert_eq!(message, "tca.components = 0: expected at least 1");
        let message = fails(Tca { regularisation: 0.0, ..Tca::default() });
        assert_eq!(message, "tca.regularisation = 0: expected a finite number > 0");
        let message = fails(Tca { landmarks: Some(0), ..Tca::default() });
        assert_eq!(message, "tca.landmarks = 0: expected at least 1");
        let same = Array2::<f64>::ones((3, 2));
        let domains = Domains::new(same.view(), same.view()).unwrap();
        let error = Tca::default().fit(&domains).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
    }

    #[test]
    fn a_kernel_matrix_past_the_limit_names_landmarks() {
        let x = Array2::from_shape_fn((40_000, 1), |(i, _)| i as f64);
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let message = Tca::default().fit(&domains).unwrap_err().to_string();
        let expected = "tca needs a matrix of 80000 × 80000 numbers (47.7 GiB): the limit is 4.0 \
                        GiB; set `landmarks` to a few thousand";
        assert_eq!(message, expected);
    }
}
