//! Alignment by optimal transport: every source row goes to the mean of the target rows that its
//! mass goes to.
//!
//! ```text
//! C_ij = ‖x_i − x_j‖² / s        s = 1, or the median or largest distance
//! P    = a plan between uniform masses on the rows
//! x̂_i  = Σ_j P_ij x_j / Σ_j P_ij
//! ```
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017.
//! X_s `(n_s, d)`, X_t `(n_t, d)`; target rows stay. A new row moves as the training row nearest to
//! it, [`Map::Displacement`]; of equal training rows the first one's image counts. Rows that send
//! nothing (unbalanced transport) stay.
//!
//! The cost matrix is `(n_s, n_t)`; past the limit of memory it is refused.

mod class;
mod emd;
mod laplace;
mod sinkhorn;
mod unbalanced;

pub use class::{ClassNorm, OtClass};
pub use emd::OtEmd;
pub use laplace::OtLaplace;
pub use sinkhorn::OtSinkhorn;
pub use unbalanced::OtUnbalanced;

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::{Alignment, Map};
use crate::{
    certificate::Certificate,
    domains::Domains,
    error::{Error, Result},
    math::gram,
};

pub(super) const COURTY: &str =
    "Courty, Flamary, Tuia & Rakotomamonjy, Optimal Transport for Domain Adaptation, TPAMI 2017";

/// What costs are divided by, so that ε and penalties mean the same on all data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostScale {
    /// 1: costs are squared feature units.
    None,
    /// Their median.
    #[default]
    Median,
    /// The largest.
    Max,
}

impl CostScale {
    /// C `(n_s, n_t)`.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Degenerate`] when the scale is 0.
    pub(super) fn cost(self, method: &'static str, domains: &Domains<'_>) -> Result<Array2<f64>> {
        let (xs, xt) = (domains.source(), domains.target());
        let advice = "align on fewer rows, and apply the map to the others";
        gram::check_size(method, xs.nrows(), xt.nrows(), advice)?;
        let mut cost = gram::squared_distances(xs, xt);
        if let Some((i, j)) = cost.indexed_iter().find(|(_, c)| !c.is_finite()).map(|(at, _)| at) {
            let reason =
                format!("the squared distance of source row {i} and target row {j} is infinite");
            return Err(Error::degenerate(method, reason, "scale the features"));
        }
        let scale = match self {
            Self::None => 1.0,
            Self::Median => {
                gram::median(&mut cost.iter().copied().collect::<Vec<_>>()).unwrap_or_default()
            }
            Self::Max => cost.iter().copied().fold(0.0, f64::max),
        };
        if scale <= 0.0 {
            let reason = "at least half of all source rows and target rows are equal, so that no \
                          scale of the cost follows from them";
            return Err(Error::degenerate(method, reason, "set `normalise_cost` to `none`"));
        }
        gram::map_inplace(&mut cost, |c| c / scale);
        Ok(cost)
    }
}

/// Source rows to their barycentric images, of P X_t `(n_s, d)` and P 1 `(n_s,)`.
fn alignment(
    domains: &Domains<'_>,
    sums: Array2<f64>,
    masses: Array1<f64>,
    mut certificate: Certificate,
) -> Alignment {
    let anchors = domains.source().to_owned();
    let mut images = sums;
    let mut still = 0;
    for (i, (mut row, &mass)) in images.rows_mut().into_iter().zip(&masses).enumerate() {
        if mass > f64::MIN_POSITIVE {
            row /= mass;
        } else {
            row.assign(&anchors.row(i));
            still += 1;
        }
    }
    if still > 0 {
        certificate =
            certificate.with_note(format!("{still} source rows send no mass and stay in place"));
    }
    Alignment { source: Map::Displacement { anchors, images }, target: Map::Identity, certificate }
}

/// The same of a dense plan.
fn dense_alignment(
    domains: &Domains<'_>,
    plan: &Array2<f64>,
    certificate: Certificate,
) -> Alignment {
    let sums = crate::math::linalg::dot(plan, &domains.target());
    alignment(domains, sums, plan.sum_axis(Axis(1)), certificate)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::{super::Align, *};

    #[test]
    fn two_far_groups_go_to_their_twins() {
        let xs = array![[0.0, 0.0], [0.0, 2.0], [9.0, 0.0], [9.0, 2.0]];
        let xt = &xs + 0.5;
        let labels = [0, 0, 1, 1];
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        // A pair's two ways differ by 8: a share of e^(−4/ε) goes the wrong one.
        let (epsilon, normalise_cost) = (0.6, CostScale::None);
        let class = OtClass { epsilon, normalise_cost, weight: 1e-3, ..OtClass::default() };
        let methods: [Box<dyn Align>; 6] = [
            Box::new(OtEmd::default()),
            Box::new(OtSinkhorn { epsilon, normalise_cost, ..OtSinkhorn::default() }),
            Box::new(OtClass { norm: ClassNorm::LpL1, ..class.clone() }),
            Box::new(class),
            Box::new(OtLaplace { weight: 1e-3, neighbours: 1, ..OtLaplace::default() }),
            Box::new(OtUnbalanced {
                epsilon,
                normalise_cost,
                marginals: 1e3,
                max_rounds: 30_000,
                ..OtUnbalanced::default()
            }),
        ];
        for method in methods {
            let fitted = method.fit(&domains).unwrap();
            let moved = fitted.source(xs.view()).unwrap();
            assert_abs_diff_eq!(moved, xt, epsilon = 1e-2);
            assert!(fitted.certificate.converged, "{method:?}: {:?}", fitted.certificate);
            // A new row moves as its nearest.
            let new = fitted.source(array![[10.0, 0.0]].view()).unwrap();
            assert_abs_diff_eq!(new, array![[10.5, 0.5]], epsilon = 1e-2);
        }
    }

    #[test]
    fn equal_rows_have_no_scale() {
        let x = array![[1.0], [1.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let median = OtEmd { normalise_cost: CostScale::Median };
        assert!(matches!(median.fit(&domains), Err(Error::Degenerate { .. })));
        let fitted = OtEmd::default().fit(&domains).unwrap();
        assert_eq!(fitted.source(x.view()).unwrap(), x);
    }

    #[test]
    fn bad_options_are_errors() {
        let x = array![[1.0], [2.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap().with_labels(&[0, 1]).unwrap();
        let bad: [Box<dyn Align>; 4] = [
            Box::new(OtSinkhorn { epsilon: 0.0, ..OtSinkhorn::default() }),
            Box::new(OtClass { weight: -1.0, ..OtClass::default() }),
            Box::new(OtLaplace { target_share: 2.0, ..OtLaplace::default() }),
            Box::new(OtUnbalanced { marginals: f64::NAN, ..OtUnbalanced::default() }),
        ];
        for method in bad {
            assert!(matches!(method.fit(&domains), Err(Error::Config { .. })), "{method:?}");
        }
    }
}
