//! Geodesic flow kernel: compare rows in all subspaces on the way from the source's to the target's.
//!
//! Gong, Shi, Sha & Grauman, "Geodesic Flow Kernel for Unsupervised Domain Adaptation", CVPR 2012,
//! Sec. 3.
//! ```text
//! k(x, y) = xᵀ G y        G = ∫₀¹ Φ(t) Φ(t)ᵀ dt
//! ```
//! Φ(t) `(d, k)` is the geodesic on the Grassmannian from P_s = Φ(0) to P_t = Φ(1), the domains'
//! principal axes. Both domains' rows become `(n, 2k)`, x ↦ Lᵀ x with L Lᵀ = G: their products are
//! the kernel, so that the nearest neighbour under it is the Euclidean one. G^(½) x is L's image
//! up to a rotation, in d coordinates instead of 2k.
//!
//! With P_sᵀ P_t = U₁ diag(cos θ) Vᵀ, a_i the columns of P_s U₁ and u_i those of
//! P_t V − P_s U₁ diag(cos θ), which have length sin θ_i, the flow is
//! ```text
//! Φ_i(t) = a_i cos tθ_i + u_i sin tθ_i / sin θ_i
//! G = Σ_i p(θ_i) a_i a_iᵀ + q(θ_i) (a_i u_iᵀ + u_i a_iᵀ) + r(θ_i) u_i u_iᵀ
//! p = (1 + sin 2θ / 2θ) / 2        q = sin θ / 2θ        r = (1 − sin 2θ / 2θ) / (2 sin² θ)
//! ```
//! This is the paper's closed form without the complement of P_s and without a division that fails at
//! θ = 0, and it holds for k > d/2 too. At a right angle the shortest geodesic is not unique; the
//! certificate says where one was chosen.
//!
//! Differences from the paper:
//! 1. Its principal axes are those of rows of zero mean and unit variance; here every domain is
//!    centred for its axes, and rows are mapped as they are.
//! 2. The disagreement D(k) counts as 1 from 0.995 on, since it need not come nearer.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::{
    Affine, Align, Alignment, Map,
    pca::{Principal, both, check_components, subspace_certificate},
    subspace_alignment::principal_pair,
};
use crate::{
    catalogue::{Described, Needs},
    domains::Domains,
    error::Result,
    math::linalg,
};

/// The options of the geodesic flow kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeodesicFlow {
    /// k ≥ 1; by default the least k at which the subspaces disagree: some direction of the source
    /// or of the target is at a right angle to the subspace of both together, on average.
    pub components: Option<usize>,
}

impl Described for GeodesicFlow {
    const NAME: &'static str = "gfk";
    const ABOUT: &'static str = "compares rows in all subspaces between the domains' own";
    const PAPER: &'static str = "Gong et al., Geodesic Flow Kernel for Unsupervised Domain \
                                 Adaptation, CVPR 2012";
    const NEEDS: Needs = Needs { moves_target: true, least_rows: 2, ..Needs::ROWS };
}

impl Align for GeodesicFlow {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        self.fit_for(Self::NAME, domains)
    }
}

impl GeodesicFlow {
    /// The flow that this method works with, whose errors name it.
    pub(super) fn fit_for(&self, method: &'static str, domains: &Domains<'_>) -> Result<Alignment> {
        check_components(method, self.components.unwrap_or(1))?;
        let all = domains.features();
        let [source, target] = principal_pair(method, domains, self.components.unwrap_or(all))?;
        let k = match self.components {
            Some(k) => k,
            None => disagreement(method, domains, &source, &target)?,
        };
        let (source, target) = (source.leading(k), target.leading(k));
        let mut certificate = subspace_certificate(&[&source, &target], k);
        let Flow { factor, right_angles } = Flow::between(&source.axes, &target.axes)?;
        if right_angles > 0 {
            certificate.notes.push(format!(
                "{right_angles} directions of the subspaces are at right angles, where the geodesic \
                 is not unique: use fewer components"
            ));
        }
        let map = Map::Affine(Affine::linear(factor));
        Alignment::new(method, map.clone(), map, certificate)
    }
}

/// min {k : D(k) = 1} up to d/2, D(k) = (sin α_k + sin β_k) / 2, of the largest principal angles
/// α_k, β_k between the first k axes of the source or target and those of both together.
fn disagreement(
    method: &'static str,
    domains: &Domains<'_>,
    source: &Principal,
    target: &Principal,
) -> Result<usize> {
    let rows = both(domains);
    let common = Principal::need(method, "source and target", rows.view())?;
    let cosines = |domain: &Principal| linalg::dot(&domain.axes.t(), &common.axes);
    let (of_source, of_target) = (cosines(source), cosines(target));
    // Beside domains far apart, a direction of one of them may be rounding.
    let shared = source.variances.len().min(common.variances.len());
    let most = shared.min(domains.features() / 2).max(1);
    for k in 1..most {
        let sine = |cosines: &Array2<f64>| -> Result<f64> {
            let singular = linalg::svd(&cosines.slice(s![..k, ..k]))?.singular;
            let least = singular.last().copied().unwrap_or_default();
            Ok((1.0 - least * least).max(0.0).sqrt())
        };
        if f64::midpoint(sine(&of_source)?, sine(&of_target)?) >= 0.995 {
            return Ok(k);
        }
    }
    Ok(most)
}

/// The geodesic flow between two subspaces.
pub(super) struct Flow {
    /// L `(d, 2k)` with L Lᵀ = G.
    pub(super) factor: Array2<f64>,
    /// How many of the k angles are right ones.
    right_angles: usize,
}

impl Flow {
    /// From P_s to P_t, `(d, k)` with orthonormal columns.
    pub(super) fn between(ps: &Array2<f64>, pt: &Array2<f64>) -> Result<Self> {
        let Principals { a, u, theta } = Principals::between(ps, pt)?;
        let factors = theta.mapv(weights);
        let column = |i: usize| factors.mapv(|f| f[i]);
        // The Cholesky factor of the weights [p q; q r] of every pair a_i, u_i.
        let first = &a * &column(0) + &u * &column(1);
        let second = &u * &column(2);
        let factor = concatenate(Axis(1), &[first.view(), second.view()]).unwrap_or_default();
        let right = |&&theta: &&f64| theta > std::f64::consts::FRAC_PI_2 - 1e-8;
        Ok(Self { factor, right_angles: theta.iter().filter(right).count() })
    }
}

/// The principal vectors of two subspaces.
struct Principals {
    /// a_i `(d, k)`.
    a: Array2<f64>,
    /// u_i `(d, k)`, at right angles to all a_j and to each other.
    u: Array2<f64>,
    /// 0 ≤ θ_i ≤ π/2, `(k,)`.
    theta: Array1<f64>,
}

impl Principals {
    fn between(ps: &Array2<f64>, pt: &Array2<f64>) -> Result<Self> {
        let linalg::Svd { u: u1, singular, v } = linalg::svd(&linalg::dot(&ps.t(), pt))?;
        let a = linalg::dot(ps, &u1);
        let u = linalg::dot(pt, &v) - &a * &singular;
        // By sine and cosine: the arc cosine knows small angles to half the digits only.
        let angle = |(u, &cos): (ndarray::ArrayView1<'_, f64>, &f64)| u.dot(&u).sqrt().atan2(cos);
        let theta = u.columns().into_iter().zip(&singular).map(angle).collect();
        Ok(Self { a, u, theta })
    }
}

/// [√p, q/√p, √(r − q²/p)].
fn weights(theta: f64) -> [f64; 3] {
    let square = theta * theta;
    // sin θ / θ, and (1 − sin 2θ / 2θ) / θ² by its series where the difference cancels.
    let sinc = if theta < 1e-4 { 1.0 - square / 6.0 } else { theta.sin() / theta };
    let gap = match theta < 0.05 {
        true => 2.0 / 3.0 - square * (2.0 / 15.0 - square * (4.0 / 315.0 - square * 2.0 / 2835.0)),
        false => (1.0 - (2.0 * theta).sin() / (2.0 * theta)) / square,
    };
    let p = 1.0 - gap * square / 2.0;
    let q = sinc / 2.0;
    let r = gap / (2.0 * sinc * sinc);
    [p.sqrt(), q / p.sqrt(), (r - q * q / p).max(0.0).sqrt()]
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn basis(values: &[f64], d: usize, k: usize) -> Array2<f64> {
        let x = Array2::from_shape_vec((d, k), values.to_vec()).unwrap();
        linalg::svd(&x).unwrap().u
    }

    /// Φ(t), column by column from the definition.
    fn flow(ps: &Array2<f64>, pt: &Array2<f64>, t: f64) -> Array2<f64> {
        let Principals { a, mut u, theta } = Principals::between(ps, pt).unwrap();
        for mut column in u.columns_mut() {
            let norm = column.dot(&column).sqrt();
            column /= norm.max(f64::MIN_POSITIVE);
        }
        a * theta.mapv(|x| (t * x).cos()) + u * theta.mapv(|x| (t * x).sin())
    }

    fn projector(phi: &Array2<f64>) -> Array2<f64> {
        phi.dot(&phi.t())
    }

    /// ∫ Φ Φᵀ dt by Simpson's rule; the integrand's fourth derivative is at most (2θ)⁴ ≤ 98, so the
    /// error is below 98 / (180 · 200⁴) < 4e-10.
    fn integral(ps: &Array2<f64>, pt: &Array2<f64>) -> Array2<f64> {
        const N: usize = 200;
        (0..=N).fold(Array2::zeros((ps.nrows(), ps.nrows())), |sum, i| {
            let weight = match i {
                0 | N => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            sum + projector(&flow(ps, pt, i as f64 / N as f64)) * (weight / (3.0 * N as f64))
        })
    }

    fn kernel(ps: &Array2<f64>, pt: &Array2<f64>) -> Array2<f64> {
        projector(&Flow::between(ps, pt).unwrap().factor)
    }

    #[test]
    fn two_lines_in_the_plane_by_hand() {
        // From the first axis to one at angle θ: G = ∫ (cos tθ, sin tθ)(cos tθ, sin tθ)ᵀ dt.
        for theta in [0.0, 1e-9, 1e-4, 0.049, 0.051, 1.0, std::f64::consts::FRAC_PI_2] {
            let (ps, pt) = (array![[1.0], [0.0]], array![[theta.cos()], [theta.sin()]]);
            let sinc = if theta == 0.0 { 1.0 } else { (2.0 * theta).sin() / (2.0 * theta) };
            let cross = if theta == 0.0 { 0.0 } else { theta.sin().powi(2) / (2.0 * theta) };
            let expected = array![[1.0 + sinc, 2.0 * cross], [2.0 * cross, 1.0 - sinc]] / 2.0;
            assert_abs_diff_eq!(kernel(&ps, &pt), expected, epsilon = 1e-15);
        }
    }

    #[test]
    fn weights_are_smooth_where_the_series_ends() {
        let (below, above) = (weights(0.05 - 1e-12), weights(0.05));
        below.iter().zip(above).for_each(|(a, b)| assert_abs_diff_eq!(*a, b, epsilon = 1e-11));
        let limit = [1.0, 0.5, (1.0 / 12.0f64).sqrt()];
        weights(0.0).iter().zip(limit).for_each(|(a, b)| assert_abs_diff_eq!(*a, b));
    }

    #[test]
    fn right_angles_are_told() {
        let (ps, pt) = (array![[1.0], [0.0]], array![[0.0], [1.0]]);
        assert_eq!(Flow::between(&ps, &pt).unwrap().right_angles, 1);
        let xs = array![[1.0, 0.0], [-1.0, 0.0]];
        let xt = array![[0.0, 2.0], [0.0, 3.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = GeodesicFlow::default().fit(&domains).unwrap();
        assert!(fitted.certificate.notes.iter().any(|note| note.contains("right angles")));
    }

    #[test]
    fn subspaces_that_disagree_at_the_second_axis() {
        // Both domains vary most along the first axis; their second axes are not the common one.
        let along = |axis: usize, size: f64| {
            let mut x = Array2::zeros((4, 6));
            (x[(0, 0)], x[(1, 0)], x[(2, axis)], x[(3, axis)]) = (9.0, -9.0, size, -size);
            x
        };
        let (xs, xt) = (along(1, 1.0), along(2, 2.0));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let [source, target] = principal_pair("gfk", &domains, 6).unwrap();
        // sin α = 1, sin β = 0: no disagreement on average at 2, the most that both have.
        assert_eq!(disagreement("gfk", &domains, &source, &target).unwrap(), 2);
    }

    proptest! {
        #[test]
        fn the_closed_form_is_the_integral(
            s in prop::collection::vec(-1.0..1.0f64, 14),
            t in prop::collection::vec(-1.0..1.0f64, 14),
            near in prop::sample::select(vec![1.0, 1e-3, 1e-7, 0.0]),
        ) {
            let ps = basis(&s, 7, 2);
            let moved: Vec<f64> = ps.iter().zip(&t).map(|(p, t)| p + near * t).collect();
            let pt = basis(&moved, 7, 2);
            assert_abs_diff_eq!(kernel(&ps, &pt), integral(&ps, &pt), epsilon = 1e-9);
        }

        #[test]
        fn the_flow_leads_from_the_source_to_the_target_at_one_speed(
            s in prop::collection::vec(-1.0..1.0f64, 18),
            t in prop::collection::vec(-1.0..1.0f64, 18),
        ) {
            let (ps, pt) = (basis(&s, 6, 3), basis(&t, 6, 3));
            let at = |t: f64| projector(&flow(&ps, &pt, t));
            assert_abs_diff_eq!(at(0.0), projector(&ps), epsilon = 1e-9);
            assert_abs_diff_eq!(at(1.0), projector(&pt), epsilon = 1e-9);
            let step = |t: f64| linalg::frobenius((at(t + 0.1) - at(t)).view());
            assert_abs_diff_eq!(step(0.0), step(0.8), epsilon = 1e-8);
        }

        #[test]
        fn more_than_half_of_the_directions_are_allowed(
            s in prop::collection::vec(-1.0..1.0f64, 20),
            t in prop::collection::vec(-1.0..1.0f64, 20),
        ) {
            let (ps, pt) = (basis(&s, 5, 4), basis(&t, 5, 4));
            assert_abs_diff_eq!(kernel(&ps, &pt), integral(&ps, &pt), epsilon = 1e-9);
        }
    }
}
