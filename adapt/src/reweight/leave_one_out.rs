//! The leave-one-out score of a least-squares density ratio in closed form.
//!
//! With [`Features`] Φ_s, Φ_t and the least-squares θ of [`super::least_squares`], φ_s and φ_t being
//! rows of these: leaving out one φ_t and one φ_s, for each of min(n_s, n_t) pairs,
//! ```text
//! θ⁽ⁱ⁾ = max(0, (M − U Uᵀ)⁻¹ (Φ_tᵀ1 − φ_t) / (n_t − 1))
//! M = c_t Φ_tᵀΦ_t + c_s Φ_sᵀΦ_s + λI,  U = [√c_t φ_t, √c_s φ_s]
//! c_t = α / (n_t − 1),  c_s = (1 − α) / (n_s − 1)
//! (M − U Uᵀ)⁻¹ = M⁻¹ + M⁻¹ U (I − Uᵀ M⁻¹ U)⁻¹ Uᵀ M⁻¹
//! ```
//! M = V diag(δ + λ) Vᵀ is decomposed once for a width. In the coordinates of V the inverse is a
//! division for every λ, so that a further λ costs one `(pairs, b) × (b, b)` product: the way back
//! to where max(0, ·) is taken.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use transduct_core::Stream;

use super::{least_squares::Features, rows};
use crate::{
    domains::Domains,
    error::Result,
    math::{
        linalg::{self, Eigen, dot},
        parallel,
    },
};

/// Pairs that are left out together, one after another.
const BLOCK: usize = 256;

/// Which rows are left out together.
pub(super) struct Pairs {
    source: Vec<usize>,
    target: Vec<usize>,
}

impl Pairs {
    /// min(n_s, n_t) random pairs without repetition.
    pub(super) fn random(domains: &Domains<'_>, seed: u64) -> Self {
        let (xs, xt) = (domains.source(), domains.target());
        let n = xs.nrows().min(xt.nrows());
        let mut source = rows::shuffled(xs, seed, Stream::Source);
        let mut target = rows::shuffled(xt, seed, Stream::Split);
        source.truncate(n);
        target.truncate(n);
        Self { source, target }
    }
}

/// The mean of J over all pairs, each with the θ⁽ⁱ⁾ that has not seen it, for every λ.
pub(super) fn leave_one_out(
    features: &Features,
    alpha: f64,
    lambdas: &[f64],
    pairs: &Pairs,
) -> Result<Vec<f64>> {
    let (n_s, n_t) = (features.source.nrows() as f64, features.target.nrows() as f64);
    let (c_t, c_s) = (alpha / (n_t - 1.0), (1.0 - alpha) / (n_s - 1.0));
    let Eigen { values, vectors } = linalg::eigh(&features.second_moments(c_t, c_s))?;
    let sum = vectors.t().dot(&features.target.sum_axis(Axis(0)));
    // Eigenvalues below 0 are rounding.
    let inverse = Array2::from_shape_fn((values.len(), lambdas.len()), |(k, l)| {
        1.0 / (values[k].max(0.0) + lambdas[l])
    });
    let fold = Fold { alpha, c_t, c_s, n_t, sum, inverse, vectors };

    let n = pairs.source.len();
    let partial = parallel::map(n.div_ceil(BLOCK), |block| {
        let block = block * BLOCK..n.min((block + 1) * BLOCK);
        let phi_s = features.source.select(Axis(0), &pairs.source[block.clone()]);
        let phi_t = features.target.select(Axis(0), &pairs.target[block]);
        fold.scores(phi_s.view(), phi_t.view())
    });
    let mut total = vec![0.0; lambdas.len()];
    for scores in partial {
        total.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
    }
    Ok(total.into_iter().map(|sum| sum / n as f64).collect())
}

/// What all pairs share.
struct Fold {
    alpha: f64,
    c_t: f64,
    c_s: f64,
    n_t: f64,
    /// Vᵀ Φ_tᵀ1 `(b,)`.
    sum: Array1<f64>,
    /// 1 / (δ_k + λ_l), `(b, number of λ)`.
    inverse: Array2<f64>,
    /// V `(b, b)`.
    vectors: Array2<f64>,
}

impl Fold {
    /// Σ J over the pairs of rows φ_s, φ_t `(m, b)`, for every λ.
    fn scores(&self, phi_s: ArrayView2<'_, f64>, phi_t: ArrayView2<'_, f64>) -> Vec<f64> {
        let (v, u) = (dot(&phi_s, &self.vectors), dot(&phi_t, &self.vectors));
        // aᵀ M⁻¹ b of every pair and λ, `(m, number of λ)`.
        let products = |a: &Array2<f64>, b: ArrayView2<'_, f64>| dot(&(a * &b), &self.inverse);
        let sum = self.sum.view().insert_axis(Axis(0));
        let (tt, ts, ss) = (products(&u, u.view()), products(&u, v.view()), products(&v, v.view()));
        // With g = Φ_tᵀ1 − φ_t.
        let (tg, sg) = (products(&u, sum) - &tt, products(&v, sum) - &ts);

        let mut theta = Array2::zeros(u.raw_dim());
        let mut score = |l: usize| -> f64 {
            for i in 0..u.nrows() {
                let at = (i, l);
                let [on_t, on_s] = self.correction([tt[at], ts[at], ss[at]], [tg[at], sg[at]]);
                Zip::from(theta.row_mut(i))
                    .and(&self.sum)
                    .and(u.row(i))
                    .and(v.row(i))
                    .and(self.inverse.column(l))
                    .for_each(|theta, sum, u, v, inverse| {
                        *theta = (sum + (on_t - 1.0) * u + on_s * v) * inverse;
                    });
            }
            let theta = dot(&theta, &self.vectors.t()).mapv(|t| t.max(0.0) / (self.n_t - 1.0));
            self.loss(theta.view(), phi_s, phi_t)
        };
        (0..self.inverse.ncols()).map(&mut score).collect()
    }

    /// (on_t, on_s) such that (M − U Uᵀ)⁻¹ g = M⁻¹ (g + on_t φ_t + on_s φ_s), from the products
    /// aᵀ M⁻¹ b of φ_t and φ_s with each other and with g.
    fn correction(&self, [tt, ts, ss]: [f64; 3], [tg, sg]: [f64; 2]) -> [f64; 2] {
        let (c_t, c_s) = (self.c_t, self.c_s);
        let (left_t, left_s) = (1.0 - c_t * tt, 1.0 - c_s * ss);
        let determinant = left_t * left_s - c_t * c_s * ts * ts;
        [
            c_t * (left_s * tg + c_s * ts * sg) / determinant,
            c_s * (left_t * sg + c_t * ts * tg) / determinant,
        ]
    }

    /// Σ_i J of θ⁽ⁱ⁾ `(m, b)` at its own pair.
    fn loss(
        &self,
        theta: ArrayView2<'_, f64>,
        phi_s: ArrayView2<'_, f64>,
        phi_t: ArrayView2<'_, f64>,
    ) -> f64 {
        let pairs = theta.rows().into_iter().zip(phi_s.rows()).zip(phi_t.rows());
        let losses = pairs.map(|((theta, phi_s), phi_t)| {
            let (w_s, w_t) = (theta.dot(&phi_s), theta.dot(&phi_t));
            (self.alpha * w_t * w_t + (1.0 - self.alpha) * w_s * w_s) / 2.0 - w_t
        });
        losses.sum()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::concatenate;
    use rand::Rng;
    use transduct_core::rng;

    use super::*;
    use crate::math::linalg::Cholesky;

    /// Refits without the pair, from the definitions.
    fn by_refitting(features: &Features, alpha: f64, lambda: f64, pairs: &Pairs) -> f64 {
        let without = |x: &Array2<f64>, i: usize| {
            concatenate(
                Axis(0),
                &[x.slice(ndarray::s![..i, ..]), x.slice(ndarray::s![i + 1.., ..])],
            )
            .unwrap()
        };
        let moments = |x: &Array2<f64>| x.t().dot(x) / x.nrows() as f64;
        let losses = pairs.source.iter().zip(&pairs.target).map(|(&i, &j)| {
            let (phi_s, phi_t) = (without(&features.source, i), without(&features.target, j));
            let h = phi_t.mean_axis(Axis(0)).unwrap();
            let system = alpha * moments(&phi_t)
                + (1.0 - alpha) * moments(&phi_s)
                + lambda * Array2::<f64>::eye(h.len());
            let theta = Cholesky::new(&system).unwrap().solve_vector(h.view());
            let theta = theta.mapv(|t| t.max(0.0));
            let w_s = features.source.row(i).dot(&theta);
            let w_t = features.target.row(j).dot(&theta);
            alpha / 2.0 * w_t.powi(2) + (1.0 - alpha) / 2.0 * w_s.powi(2) - w_t
        });
        losses.sum::<f64>() / pairs.source.len() as f64
    }

    #[test]
    fn the_closed_form_is_refitting() {
        let mut rng = rng(3, Stream::Init);
        let mut features = |n: usize| Array2::from_shape_fn((n, 6), |_| rng.gen_range(0.0..1.0));
        for (n_s, n_t) in [(20, 13), (9, 17), (2, 2), (300, 280)] {
            let features = Features { source: features(n_s), target: features(n_t) };
            let n = n_s.min(n_t);
            let pairs = Pairs { source: (n_s - n..n_s).collect(), target: (0..n).rev().collect() };
            let lambdas = [1e-3, 0.1, 10.0];
            for alpha in [0.0, 0.1, 0.7] {
                let scores = leave_one_out(&features, alpha, &lambdas, &pairs).unwrap();
                for (&lambda, &score) in lambdas.iter().zip(&scores) {
                    let expected = by_refitting(&features, alpha, lambda, &pairs);
                    assert_relative_eq!(score, expected, max_relative = 1e-10, epsilon = 1e-12);
                }
            }
        }
    }
}
