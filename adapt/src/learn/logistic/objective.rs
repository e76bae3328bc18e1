//! The penalised weighted log-loss, its gradient and its Hessian.

use ndarray::{Array1, Array2, Axis, s};
use transduct_core::data::sparse::Sparse;

use crate::math::linalg;

/// The columns that the solver sees: standardised, with a last one of ones, `(n, d + 1)`.
pub(super) enum Design<'a> {
    /// As they are.
    Dense(Array2<f64>),
    /// (x − x̄) / s of sparse rows x `(n, d)`, in products alone.
    Sparse {
        x: &'a Sparse,
        /// x̄ `(d,)`.
        mean: Array1<f64>,
        /// s `(d,)`.
        scale: Array1<f64>,
    },
}

impl Design<'_> {
    fn columns(&self) -> usize {
        match self {
            Self::Dense(x) => x.ncols(),
            Self::Sparse { x, .. } => x.columns() + 1,
        }
    }

    /// X Θᵀ `(n, m)` for Θ `(m, d + 1)`.
    fn times(&self, theta: &Array2<f64>) -> Array2<f64> {
        match self {
            Self::Dense(x) => linalg::dot(x, &theta.t()),
            Self::Sparse { x, mean, scale } => {
                let slopes = &theta.slice(s![.., ..-1]) / scale;
                let offsets = &theta.slice(s![.., -1]) - &slopes.dot(mean);
                // In row order, as the products go through it.
                x.dot(slopes.t().as_standard_layout().view()) + &offsets
            }
        }
    }

    /// Rᵀ X `(m, d + 1)` for R `(n, m)`.
    fn transposed_times(&self, r: &Array2<f64>) -> Array2<f64> {
        match self {
            Self::Dense(x) => linalg::dot(&r.t(), x),
            Self::Sparse { x, mean, scale } => {
                let sums = r.sum_axis(Axis(0));
                let mut out = Array2::zeros((r.ncols(), self.columns()));
                let products = x.t_dot(r.view());
                for (c, mut row) in out.rows_mut().into_iter().enumerate() {
                    let slopes = (&products.column(c) - &(mean * sums[c])) / scale;
                    row.slice_mut(s![..-1]).assign(&slopes);
                    row[mean.len()] = sums[c];
                }
                out
            }
        }
    }
}

/// Σ_i w_i ℓ_i + ½ Σ_cj λ_j Θ_cj².
pub(super) struct Objective<'a> {
    /// X with a last column of ones, `(n, d + 1)`.
    pub(super) x: Design<'a>,
    /// Classes from 0, `(n,)`.
    pub(super) y: Vec<usize>,
    /// `(n,)`.
    pub(super) w: Array1<f64>,
    /// λ `(d + 1,)`, 0 for the intercept.
    pub(super) penalty: Array1<f64>,
    /// m: 1 for two classes, otherwise k.
    pub(super) outputs: usize,
}

/// The objective at one Θ.
pub(super) struct Evaluation {
    pub(super) value: f64,
    /// `(m, d + 1)`.
    pub(super) gradient: Array2<f64>,
    /// p(1 | x) `(n, 1)`, or p(c | x) `(n, k)`.
    pub(super) p: Array2<f64>,
}

impl Objective<'_> {
    /// (m, d + 1), the shape of Θ.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.outputs, self.x.columns())
    }

    /// Value, gradient and probabilities at Θ.
    pub(super) fn at(&self, theta: &Array2<f64>) -> Evaluation {
        let log_p = log_probabilities(self.logits(theta));
        let losses = self.y.iter().enumerate().map(|(i, &y)| -self.w[i] * log_p[(i, y)]);
        let penalised = theta * &self.penalty;
        let value = losses.sum::<f64>() + 0.5 * (&penalised * theta).sum();

        let p = match self.outputs {
            1 => log_p.slice(s![.., 1..]).mapv(f64::exp),
            _ => log_p.mapv(f64::exp),
        };
        // ∂ℓ_i/∂z_ic = p_ic − [y_i = c]; of two classes c is the second.
        let mut residuals = p.clone();
        for (i, &y) in self.y.iter().enumerate() {
            match (self.outputs, y) {
                (1, 0) => {}
                (1, _) => residuals[(i, 0)] -= 1.0,
                _ => residuals[(i, y)] -= 1.0,
            }
        }
        residuals *= &self.w.view().insert_axis(Axis(1));
        let gradient = self.x.transposed_times(&residuals) + penalised;
        Evaluation { value, gradient, p }
    }

    /// ∂²/∂Θ² for dense X at probabilities p, `(m (d + 1), m (d + 1))`: the block of c and e is
    /// Xᵀ diag(w p_c ([c = e] − p_e)) X.
    ///
    /// For k > 2 classes nothing depends on Σ_c Θ_c. A multiple of the identity in every block
    /// makes the Hessian definite there; gradients have no component in that direction, so Newton
    /// steps stay as they are.
    pub(super) fn hessian(&self, x: &Array2<f64>, p: &Array2<f64>) -> Array2<f64> {
        let (m, d) = self.shape();
        let mut hessian = Array2::zeros((m * d, m * d));
        for c in 0..m {
            for e in 0..=c {
                let (pc, pe) = (p.column(c), p.column(e));
                let curvature = match c == e {
                    true => &self.w * &pc * pc.mapv(|p| 1.0 - p),
                    false => -(&self.w * &pc * pe),
                };
                let scaled = x * &curvature.insert_axis(Axis(1));
                let mut block = linalg::dot(&scaled.t(), x);
                if c == e {
                    let mut diagonal = block.diag_mut();
                    diagonal += &self.penalty;
                }
                hessian.slice_mut(s![c * d..(c + 1) * d, e * d..(e + 1) * d]).assign(&block);
            }
        }
        if m > 1 {
            let lift = hessian.diag().sum() / (m * d) as f64;
            for c in 0..m {
                for e in 0..=c {
                    let mut block = hessian.slice_mut(s![c * d..(c + 1) * d, e * d..(e + 1) * d]);
                    block.diag_mut().mapv_inplace(|v| v + lift);
                }
            }
        }
        hessian
    }

    /// Whether Θ gives every row's own class the largest probability, alone.
    pub(super) fn separates(&self, theta: &Array2<f64>) -> bool {
        let log_p = log_probabilities(self.logits(theta));
        log_p
            .rows()
            .into_iter()
            .zip(&self.y)
            .all(|(row, &y)| row.iter().enumerate().all(|(c, &l)| c == y || l < row[y]))
    }

    fn logits(&self, theta: &Array2<f64>) -> Array2<f64> {
        self.x.times(theta)
    }
}

/// log p(c | x) of logits `(n, k)`, in place, or `(n, 2)` of log-odds `(n, 1)`.
pub(super) fn log_probabilities(mut z: Array2<f64>) -> Array2<f64> {
    if z.ncols() == 1 {
        // log σ(z) = −log(1 + e^{−z}), by an exponential that cannot overflow.
        let log_sigmoid = |z: f64| z.min(0.0) - (-z.abs()).exp().ln_1p();
        return Array2::from_shape_fn((z.nrows(), 2), |(i, c)| {
            log_sigmoid(if c == 1 { z[(i, 0)] } else { -z[(i, 0)] })
        });
    }
    for mut row in z.rows_mut() {
        let max = row.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
        let sum: f64 = row.iter().map(|&z| (z - max).exp()).sum();
        row -= max + sum.ln();
    }
    z
}
