//! Alignment by optimal transport: every source row goes to the mean of the target rows that its
//! mass goes to.
//!
//! ```text
//! C_ij = ‖x_i − x_j‖² / s        s = 1, or the median or largest distance; or another metric
//! P    = a plan between uniform masses on the rows
//! x̂_i  = Σ_j P_ij x_j / Σ_j P_ij
//! ```
//! Courty, Flamary, Tuia & Rakotomamonjy, "Optimal Transport for Domain Adaptation", TPAMI 2017.
//! X_s `(n_s, d)`, X_t `(n_t, d)`; target rows stay. A new row moves as the training row nearest to
//! it, [`Map::Displacement`]; of equal training rows the first one's image counts. Rows that send
//! nothing (unbalanced transport) stay.
//!
//! The cost matrix is `(n_s, n_t)`. Exact transport holds one matrix of this size, entropic transport
//! two, unbalanced transport three, and that with penalties four to six; past the limit of memory all
//! together are refused before the first is made.

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

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Alignment, Map, unit_rows};
use crate::{
    certificate::Certificate,
    domains::Domains,
    error::{Error, Result},
    math::{gram, parallel, unit::Unit},
    ot::memory::check_memory,
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

/// What a cost is before it is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// ‖x − z‖², the papers'.
    #[default]
    SquaredEuclidean,
    /// 1 − xᵀz / ‖x‖ ‖z‖; 1 from and to a row of zeros.
    Cosine,
    /// Σ_k |x_k − z_k|.
    CityBlock,
}

impl Metric {
    /// From the rows of x `(n, d)` to those of z `(m, d)`, `(n, m)`.
    pub fn distances(self, x: ArrayView2<'_, f64>, z: ArrayView2<'_, f64>) -> Array2<f64> {
        match self {
            Self::SquaredEuclidean => gram::squared_distances(x, z),
            Self::Cosine => {
                let [x, z] = [x, z].map(|rows| unit_rows(rows.to_owned()));
                crate::math::linalg::dot(&x, &z.t()).mapv_into(|cosine| (1.0 - cosine).max(0.0))
            }
            Self::CityBlock => {
                let mut out = Array2::zeros((x.nrows(), z.nrows()));
                let m = z.nrows();
                parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), m, |i, row| {
                    for (out, z) in row.iter_mut().zip(z.rows()) {
                        *out = x.row(i).iter().zip(z).map(|(x, z)| (x - z).abs()).sum();
                    }
                });
                out
            }
        }
    }

    /// A distance of rows in another unit, in the features' own.
    fn back(self, unit: Unit, distance: f64) -> f64 {
        match self {
            Self::SquaredEuclidean => unit.back(unit.back(distance)),
            Self::Cosine => distance,
            Self::CityBlock => unit.back(distance),
        }
    }
}

impl CostScale {
    /// [`Self::cost_by`] squared Euclidean distances.
    ///
    /// # Errors
    /// Those of [`Self::cost_by`].
    pub(super) fn cost(
        self,
        method: &'static str,
        domains: &Domains<'_>,
        matrices: u64,
    ) -> Result<Array2<f64>> {
        self.cost_by(Metric::SquaredEuclidean, method, domains, matrices)
    }

    /// C `(n_s, n_t)`, for a method that holds so many matrices of its size at once.
    ///
    /// # Errors
    /// [`Error::Memory`]; [`Error::Degenerate`] when the scale is 0; [`Error::OutOfRange`] for
    /// distances whose squares are not finite.
    pub(super) fn cost_by(
        self,
        metric: Metric,
        method: &'static str,
        domains: &Domains<'_>,
        matrices: u64,
    ) -> Result<Array2<f64>> {
        let (mut cost, unit) = self.cost_in_unit(metric, method, domains, matrices)?;
        if self == Self::None && !unit.is_one() {
            gram::map_inplace(&mut cost, |c| metric.back(unit, c));
            check_finite(method, &cost)?;
        }
        Ok(cost)
    }

    /// The same, where costs that nothing divides are those of the rows in their unit: for solvers
    /// whose plan is that of any multiple of the cost.
    fn cost_in_unit(
        self,
        metric: Metric,
        method: &'static str,
        domains: &Domains<'_>,
        matrices: u64,
    ) -> Result<(Array2<f64>, Unit)> {
        let (n, m) = (domains.source().nrows(), domains.target().nrows());
        check_memory(method, &[(matrices, n, m)], ADVICE)?;
        let unit = Unit::of_domains(domains);
        let (xs, xt) = (unit.rows(domains.source()), unit.rows(domains.target()));
        let mut cost = metric.distances(xs.view(), xt.view());
        check_finite(method, &cost)?;
        let scale = match self {
            Self::None => 1.0,
            Self::Median => median(cost.as_slice().unwrap_or_default()),
            Self::Max => cost.iter().copied().fold(0.0, f64::max),
        };
        if scale <= 0.0 {
            let reason = "at least half of all source rows and target rows are equal, so that no \
                          scale of the cost follows from them";
            return Err(Error::degenerate(method, reason, "set `normalise_cost` to `none`"));
        }
        gram::map_inplace(&mut cost, |c| c / scale);
        check_finite(method, &cost)?;
        Ok((cost, unit))
    }
}

/// What to do about rows that are too many.
const ADVICE: &str = "align on fewer rows, and apply the map to the others";

fn check_finite(method: &'static str, cost: &Array2<f64>) -> Result<()> {
    match cost.indexed_iter().find(|(_, c)| !c.is_finite()) {
        None => Ok(()),
        Some(((i, j), _)) => {
            let what = format!("the cost between source row {i} and target row {j}");
            Err(Error::out_of_range(method, what))
        }
    }
}

/// The median of finite values ≥ 0, the mean of the middle two for an even number, 0 of nothing:
/// found by counting, without a copy of them.
fn median(values: &[f64]) -> f64 {
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (n, half) if n % 2 == 1 => nth(values, half),
        (_, half) => f64::midpoint(nth(values, half - 1), nth(values, half)),
    }
}

/// The value of this place in ascending order, from 0. Values ≥ 0 are ordered as their bits are, of
/// which every pass fixes a digit.
fn nth(values: &[f64], mut place: usize) -> f64 {
    const DIGIT: u32 = 16;
    let mut prefix = 0u64;
    for shift in (0..4).rev().map(|digit| digit * DIGIT) {
        let mut counts = vec![0usize; 1 << DIGIT];
        for value in values {
            // −0 counts as 0.
            let bits = value.abs().to_bits();
            // What is above the digit; nothing is above the first.
            if bits.checked_shr(shift + DIGIT).unwrap_or(0) == prefix {
                counts[(bits >> shift) as usize & ((1 << DIGIT) - 1)] += 1;
            }
        }
        let mut digit = 0;
        while digit + 1 < counts.len() && place >= counts[digit] {
            place -= counts[digit];
            digit += 1;
        }
        prefix = (prefix << DIGIT) | digit as u64;
    }
    f64::from_bits(prefix)
}

/// Source rows to their barycentric images, of P X_t `(n_s, d)` and P 1 `(n_s,)`.
fn alignment(
    method: &'static str,
    domains: &Domains<'_>,
    sums: Array2<f64>,
    masses: Array1<f64>,
    mut certificate: Certificate,
) -> Result<Alignment> {
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
    let source = Map::Displacement { anchors, images };
    Alignment::new(method, source, Map::Identity, certificate)
}

/// The same of a dense plan.
fn dense_alignment(
    method: &'static str,
    domains: &Domains<'_>,
    plan: &Array2<f64>,
    certificate: Certificate,
) -> Result<Alignment> {
    let sums = crate::math::linalg::dot(plan, &domains.target());
    alignment(method, domains, sums, plan.sum_axis(Axis(1)), certificate)
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
    fn metrics_by_hand() {
        let (x, z) = (array![[3.0, 4.0], [0.0, 0.0]], array![[4.0, -3.0], [6.0, 8.0]]);
        let distances = |metric: Metric| metric.distances(x.view(), z.view());
        assert_eq!(distances(Metric::SquaredEuclidean), array![[50.0, 25.0], [25.0, 100.0]]);
        assert_abs_diff_eq!(
            distances(Metric::Cosine),
            array![[1.0, 0.0], [1.0, 1.0]],
            epsilon = 1e-15
        );
        assert_eq!(distances(Metric::CityBlock), array![[8.0, 7.0], [7.0, 14.0]]);
        let domains = Domains::new(x.view(), z.view()).unwrap();
        for (metric, power) in
            [(Metric::SquaredEuclidean, 2), (Metric::Cosine, 0), (Metric::CityBlock, 1)]
        {
            let unit = 2f64.powi(40);
            let (far_x, far_z) = (&x * unit, &z * unit);
            let far = Domains::new(far_x.view(), far_z.view()).unwrap();
            let cost = |d: &Domains<'_>| CostScale::None.cost_by(metric, "test", d, 1).unwrap();
            assert_eq!(cost(&far), cost(&domains) * unit.powi(power), "{metric:?}");
        }
    }

    #[test]
    fn medians_by_counting() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.5]), 3.5);
        assert_eq!(median(&[0.0, 1e300, 2.0]), 2.0);
        assert_eq!(median(&[-0.0, 1e-310, 5.0, 4.0]), 2.0 + 5e-311);
        let values: Vec<f64> = (0..1001).map(|i| f64::from((i * 37) % 1009).powi(7)).collect();
        for n in [2, 3, 500, 501, 1000, 1001] {
            assert_eq!(Some(median(&values[..n])), gram::median(&mut values[..n].to_vec()));
        }
    }

    #[test]
    fn rows_in_another_unit_move_alike() {
        let rows = |n: usize, a: usize| {
            Array2::from_shape_fn((n, 2), |(i, j)| ((i * a + j * 5 + i * i) % 11) as f64)
        };
        let (xs, xt) = (rows(6, 3), rows(5, 7) + 1.0);
        let labels = [0, 1, 0, 1, 0, 1];
        let methods: [Box<dyn Align>; 6] = [
            Box::new(OtEmd::default()),
            Box::new(OtSinkhorn::default()),
            Box::new(OtClass::default()),
            Box::new(OtClass { norm: ClassNorm::LpL1, ..OtClass::default() }),
            Box::new(OtLaplace::default()),
            Box::new(OtUnbalanced::default()),
        ];
        for method in methods {
            let fit = |power: i32| {
                let unit = 2f64.powi(power);
                let (xs, xt) = (&xs * unit, &xt * unit);
                let domains = Domains::new(xs.view(), xt.view()).unwrap();
                let fitted = method.fit(&domains.with_labels(&labels).unwrap()).unwrap();
                (fitted.source(xs.view()).unwrap() / unit, fitted.certificate)
            };
            for power in [-900, -530, 530, 900] {
                assert_eq!(fit(power), fit(0), "{method:?} at 2^{power}");
            }
        }
        // A cost in squared feature units is beyond these.
        let far = &xs * 1e200;
        let domains = Domains::new(far.view(), far.view()).unwrap();
        let plain = OtSinkhorn { normalise_cost: CostScale::None, ..OtSinkhorn::default() };
        let error = plain.fit(&domains).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }

    #[test]
    fn all_matrices_together_are_within_the_limit_or_refused() {
        // 1.5 GiB a matrix: one and two of them fit in 4 GiB.
        let x = Array2::<f64>::zeros((14_190, 1));
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let labels: Vec<usize> = (0..14_190).map(|i| i % 2).collect();
        let domains = domains.with_labels(&labels).unwrap();
        for (method, matrices) in [
            (&OtUnbalanced::default() as &dyn Align, 3),
            (&OtClass { norm: ClassNorm::LpL1, ..OtClass::default() }, 4),
            (&OtClass::default(), 5),
            (&OtLaplace::default(), 6),
        ] {
            let error = method.fit(&domains).unwrap_err();
            let Error::Memory { bytes, what, .. } = &error else { panic!("{error}") };
            assert_eq!(*bytes, matrices * 8 * 14_190 * 14_190);
            assert!(what.starts_with(&format!("{matrices} matrices of 14190 × 14190")), "{what}");
        }
    }

    #[test]
    fn equal_rows_have_no_scale() {
        let x = array![[1.0], [1.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let median = OtEmd { normalise_cost: CostScale::Median, ..OtEmd::default() };
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
