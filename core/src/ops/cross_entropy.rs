//! Softmax cross-entropy, with label smoothing and weights of the rows.
//!
//! ```text
//! L = − Σ_i w_i Σ_c q_ic log softmax(z_i)_c / Σ_i w_i        q_ic = (1 − ε) [c = y_i] + ε / k
//! ```
//! z `(n, k)`, y `(n,)` in 0..k, w `(n,)` ≥ 0 (1 when not given) → L `()`, in nats. Smoothing:
//! Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, Sec. 7.

use dfdx::prelude::*;

use super::cpu::{buffer::Buffer, slices};
use crate::{Dev, Error, Matrix, Result};

/// Smoothing and weights. The default has neither.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy<'a> {
    /// ε, 0 ≤ ε ≤ 1.
    pub smoothing: f32,
    /// w `(n,)`, not negative, not all zero.
    pub weights: Option<&'a [f32]>,
}

/// A loss on the tape of its logits.
pub type Loss<D, T> = Tensor<Rank0, f32, D, T>;

/// The cross-entropy of `logits` against `labels`.
///
/// # Errors
/// [`Error::Shape`] when a label or a weight is missing or a label is not below k,
/// [`Error::Config`] for a smoothing or weights out of range, [`Error::Device`] when memory is short.
pub fn cross_entropy<D: Dev, T: Tape<f32, D>>(
    logits: Matrix<D, T>,
    labels: &[usize],
    config: CrossEntropy<'_>,
) -> Result<Loss<D, T>> {
    let &(n, k) = logits.shape();
    if labels.len() != n {
        return Err(Error::shape("cross_entropy", format!("{n} labels"), labels.len()));
    }
    if let Some(label) = labels.iter().find(|y| **y >= k) {
        return Err(Error::shape("cross_entropy", format!("labels below {k}"), label));
    }
    if !(0.0..=1.0).contains(&config.smoothing) {
        let value = config.smoothing;
        return Err(Error::config("cross_entropy", "smoothing", value, "0 ≤ smoothing ≤ 1"));
    }
    if let Some(w) = config.weights {
        if w.len() != n {
            return Err(Error::shape("cross_entropy", format!("{n} weights"), w.len()));
        }
        let sum: f32 = w.iter().sum();
        if w.iter().any(|w| w.is_nan() || *w < 0.0) || sum <= 0.0 || !sum.is_finite() {
            let expected = "finite weights ≥ 0 with a positive sum";
            return Err(Error::config("cross_entropy", "weights", format!("{w:?}"), expected));
        }
    }
    D::cross_entropy(logits, labels, config)
}

/// A device's cross-entropy.
pub trait CrossEntropyKernel: Device<f32> {
    /// See [`cross_entropy`].
    ///
    /// # Errors
    /// As [`cross_entropy`].
    fn cross_entropy<T: Tape<f32, Self>>(
        logits: Matrix<Self, T>,
        labels: &[usize],
        config: CrossEntropy<'_>,
    ) -> Result<Loss<Self, T>> {
        composed(logits, labels, config)
    }
}

impl CrossEntropyKernel for Cpu {
    fn cross_entropy<T: Tape<f32, Self>>(
        logits: Matrix<Self, T>,
        labels: &[usize],
        config: CrossEntropy<'_>,
    ) -> Result<Loss<Self, T>> {
        let (n, k) = *logits.shape();
        let (logits, mut tape) = slices::contiguous(logits)?.split_tape();
        let mut gradient = Buffer::new(n * k);
        let loss = loss_and_gradient(slices::read(&logits), labels, config, &mut gradient);
        let loss = logits.device().try_tensor_from_vec(vec![loss], ()).map_err(Error::device)?;
        let output = loss.ghost();
        tape.add_backward_op(move |grads| {
            let scale = grads.get_or_alloc_mut(&output)?[0];
            let dz = grads.get_or_alloc_mut(&logits)?;
            dz.iter_mut().zip(gradient.iter()).for_each(|(dz, g)| *dz += scale * g);
            Ok(())
        });
        Ok(loss.put_tape(tape))
    }
}

/// The loss; writes ∂L/∂z_ic = w_i (softmax(z_i)_c − q_ic) / Σ w to `gradient`.
fn loss_and_gradient(
    logits: &[f32],
    labels: &[usize],
    config: CrossEntropy<'_>,
    gradient: &mut [f32],
) -> f32 {
    let k = logits.len() / labels.len().max(1);
    let total: f32 = config.weights.map_or(labels.len() as f32, |w| w.iter().sum());
    let (hit, rest) = (1.0 - config.smoothing, config.smoothing / k as f32);
    let mut loss = 0.0f64;
    let rows = logits.chunks_exact(k.max(1)).zip(gradient.chunks_exact_mut(k.max(1)));
    for (i, ((z, g), &label)) in rows.zip(labels).enumerate() {
        let share = config.weights.map_or(1.0, |w| w[i]) / total;
        let largest = z.iter().fold(f32::NEG_INFINITY, |m, &z| m.max(z));
        let mut sum = 0.0;
        for (g, &z) in g.iter_mut().zip(z) {
            *g = (z - largest).exp();
            sum += *g;
        }
        // −Σ q log softmax = log Σ exp(z − largest) − Σ q (z − largest), since Σ q = 1.
        let mut expected = hit * (z[label] - largest);
        if rest > 0.0 {
            expected += rest * z.iter().map(|z| z - largest).sum::<f32>();
        }
        loss += f64::from(share * (sum.ln() - expected));
        for (c, g) in g.iter_mut().enumerate() {
            let q = rest + if c == label { hit } else { 0.0 };
            *g = share * (*g / sum - q);
        }
    }
    loss as f32
}
#[cfg(feature = "cuda")]
impl CrossEntropyKernel for Cuda {}

/// The target distribution of row i times its share of the weights: `w_i q_ic / Σ w`, `(n, k)`.
pub(super) fn targets(k: usize, labels: &[usize], config: CrossEntropy<'_>) -> Vec<f32> {
    let total: f32 = config.weights.map_or(labels.len() as f32, |w| w.iter().sum());
    let mut targets = Vec::with_capacity(labels.len() * k);
    for (i, &label) in labels.iter().enumerate() {
        let share = config.weights.map_or(1.0, |w| w[i]) / total;
        let hit = 1.0 - config.smoothing;
        let rest = config.smoothing / k as f32;
        targets.extend((0..k).map(|c| share * (rest + if c == label { hit } else { 0.0 })));
    }
    targets
}

/// dfdx's log-softmax times the targets.
///
/// # Errors
/// As [`cross_entropy`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    logits: Matrix<D, T>,
    labels: &[usize],
    config: CrossEntropy<'_>,
) -> Result<Loss<D, T>> {
    let shape = *logits.shape();
    let q = targets(shape.1, labels, config);
    let q = logits.device().try_tensor_from_vec(q, shape).map_err(Error::device)?;
    super::entropy::composed_log_softmax(logits)?
        .try_mul(q)
        .and_then(|l| l.try_sum::<Rank0, _>())
        .and_then(|l| l.try_negate())
        .map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::testing::{assert_close, values},
        *,
    };
    use crate::Scalar;

    fn loss(z: Vec<f32>, shape: (usize, usize), y: &[usize], config: CrossEntropy<'_>) -> f32 {
        cross_entropy(crate::cpu().tensor_from_vec(z, shape), y, config).unwrap().array()
    }

    #[test]
    fn equal_logits_cost_log_k() {
        let l = loss(vec![3.0; 8], (2, 4), &[0, 3], CrossEntropy::default());
        assert!((l - 4f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn wide_logits_stay_finite() {
        let l = loss(vec![100.0, -100.0], (1, 2), &[1], CrossEntropy::default());
        assert!((l - 200.0).abs() < 1e-4);
    }

    #[test]
    fn a_weight_of_zero_removes_a_row() {
        let config = CrossEntropy { weights: Some(&[2.0, 0.0]), ..Default::default() };
        let l = loss(vec![1.0, 2.0, 9.0, -9.0], (2, 2), &[0, 1], config);
        assert!((l - (1.0 + 1f32.exp()).ln()).abs() < 1e-6);
    }

    #[test]
    fn smoothing_mixes_in_the_uniform_distribution() {
        // z = (0, ln 3): p = (1/4, 3/4); q = (0.1, 0.9) for ε = 0.2 and y = 1.
        let config = CrossEntropy { smoothing: 0.2, ..Default::default() };
        let l = loss(vec![0.0, 3f32.ln()], (1, 2), &[1], config);
        let expected = -(0.1 * 0.25f32.ln() + 0.9 * 0.75f32.ln());
        assert!((l - expected).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn the_kernel_equals_the_composed_version(
            (n, k) in (1usize..12, 1usize..9),
            smoothing in 0.0f32..=1.0,
            weighted in any::<bool>(),
            seed in 0u64..1000,
        ) {
            let labels: Vec<usize> = (0..n).map(|i| (i * 7 + seed as usize) % k).collect();
            let weights: Vec<f32> = values(n, seed + 1).iter().map(|w| w.abs() + 0.01).collect();
            let config = CrossEntropy { smoothing, weights: weighted.then_some(&weights[..]) };
            let dev = crate::cpu();
            let z: Matrix<Cpu> =
                dev.tensor_from_vec(values(n * k, seed).iter().map(|z| 5.0 * z).collect(), (n, k));
            let fast = cross_entropy(z.leaky_trace(), &labels, config).unwrap() * 3.0;
            let slow = composed(z.leaky_trace(), &labels, config).unwrap() * 3.0;
            assert_close("L", &[fast.array()], &[slow.array()], 1e-5);
            let gradient = |loss: Scalar<Cpu>| loss.backward().get(&z).as_vec();
            assert_close("dz", &gradient(fast), &gradient(slow), 1e-5);
        }
    }

    #[test]
    fn a_label_out_of_range_is_named() {
        let z = crate::cpu().zeros_like(&(1, 3));
        let error = cross_entropy(z, &[3], CrossEntropy::default()).unwrap_err().to_string();
        assert_eq!(error, "cross_entropy: expected labels below 3, got 3");
    }
}
