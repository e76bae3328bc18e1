//! MCC: classes that are not confused on the target.
//!
//! Jin et al., "Minimum Class Confusion for Versatile Domain Adaptation", ECCV 2020, Sec. 3, Eqs. 2–6.
//! With P the softmax of the target's logits over the temperature T, `(n_t, k)`:
//! ```text
//! C = Pᵀ diag(w) P            w_i = n_t (1 + e^(−H(p_i))) / Σ_j (1 + e^(−H(p_j)))
//! L = λ (1/k) Σ_c Σ_{c′≠c} C_cc′ / Σ_c″ C_cc″
//! ```
//! L `()`, between 0 and λ (k − 1)/k. No gradient flows through w.
//!
//! Differences from the paper: none in the loss. Its λ is 1, and T is 2.5 in its code's defaults for
//! Office-31 and VisDA.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Matrix, Method, Result, Scalar, Taped, check, ops};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The weight and the temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mcc {
    /// λ, finite and ≥ 0.
    pub weight: f32,
    /// T > 0.
    pub temperature: f32,
}

impl Default for Mcc {
    fn default() -> Self {
        Self { weight: 1.0, temperature: 2.5 }
    }
}

impl MethodConfig for Mcc {
    const NAME: &'static str = "mcc";
    const ABOUT: &'static str = "classes that are not confused with each other on the target";
    const PAPER: &'static str =
        "Jin et al., Minimum Class Confusion for Versatile Domain Adaptation, ECCV 2020";
    const CAPABILITIES: Capabilities = Capabilities::ALIGNMENT;
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.01, 10.0)), ("temperature", Range::Log(0.5, 10.0))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

/// 1 + e^(−H(p)) of every row of logits `(n, k)`: a weight that falls with uncertainty, constant to
/// gradients.
pub(super) fn certainty<D: Dev>(logits: &Matrix<D>) -> Result<Vec<f32>> {
    let entropies = ops::row_entropies(logits.clone())?;
    let mut values = vec![0.0; entropies.shape().0];
    entropies.copy_into(&mut values);
    Ok(values.into_iter().map(|h| 1.0 + (-h).exp()).collect())
}

impl Mcc {
    /// L / λ of logits `(n, k)`.
    fn confusion<D: Dev>(&self, logits: Taped<D>) -> Result<Scalar<D>> {
        let &(n, k) = logits.shape();
        let scaled = logits.try_div(self.temperature).map_err(Error::device)?;
        let mut w = certainty(&scaled.retaped::<NoneTape>())?;
        let sum: f32 = w.iter().sum();
        w.iter_mut().for_each(|w| *w *= n as f32 / sum);
        let p = scaled.try_softmax::<Axis<1>>().map_err(Error::device)?;
        let w = p.device().try_tensor_from_vec(w, (n,)).map_err(Error::device)?;
        let diagonal: Vec<f32> =
            (0..k * k).map(|i| f32::from(u8::from(i % (k + 1) == 0))).collect();
        let others = p.device().try_tensor_from_vec(diagonal, (k, k)).map_err(Error::device)?;
        // P stands twice in the product; the factor w gives the second an identity of its own.
        let weighted = w
            .try_broadcast_like::<_, Axis<1>>(&(n, k))
            .and_then(|w| p.with_empty_tape().try_mul(w))
            .map_err(Error::device)?;
        let c = p
            .try_permute::<_, Axes2<1, 0>>()
            .and_then(|pt| pt.try_matmul(weighted))
            .map_err(Error::device)?;
        let rows = c
            .with_empty_tape()
            .try_sum::<(usize,), Axis<1>>()
            .and_then(|rows| rows.try_broadcast_like::<_, Axis<1>>(&(k, k)))
            .map_err(Error::device)?;
        // Σ of all shares is k: what is off the diagonal is k less the diagonal.
        let on_diagonal = c
            .try_div(rows)
            .and_then(|shares| shares.try_mul(others))
            .and_then(|shares| shares.try_sum::<Rank0, _>())
            .map_err(Error::device)?;
        on_diagonal
            .try_negate()
            .and_then(|sum| sum.try_add(k as f32)?.try_div(k as f32))
            .map_err(Error::device)
    }
}

impl<D: Dev> DomainLoss<D> for Mcc {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Logits]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::positive(Self::NAME, "temperature", self.temperature)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [_, z_t] = view.logits();
        let loss = self.confusion(z_t)?.try_mul(self.weight).map_err(Error::device)?;
        Ok(vec![("confusion", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Recorded, cpu};

    use super::*;

    fn confusion(rows: [[f32; 2]; 2]) -> f32 {
        let z: Matrix<_> = cpu().tensor(rows).realize();
        let mcc = Mcc { temperature: 1.0, ..Mcc::default() };
        mcc.confusion(z.put_tape(Recorded::<Cpu>::default())).unwrap().array()
    }

    #[test]
    fn the_confusion_by_hand() {
        // Two certain rows of two classes are not confused; two uniform ones are as much as can be.
        assert!(confusion([[60.0, 0.0], [0.0, 60.0]]).abs() < 1e-6);
        assert!((confusion([[0.0, 0.0], [0.0, 0.0]]) - 0.5).abs() < 1e-6);
        // (½, ½) and (¾, ¼), with w = 2 a / (a + b), 2 b / (a + b).
        let h = |p: f32| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        let (a, b) = (1.0 + (-h(0.5)).exp(), 1.0 + (-h(0.75)).exp());
        let (u, v) = (2.0 * a / (a + b), 2.0 * b / (a + b));
        let c = [
            [0.25 * u + 0.5625 * v, 0.25 * u + 0.1875 * v],
            [0.25 * u + 0.1875 * v, 0.25 * u + 0.0625 * v],
        ];
        let off = c[0][1] / (c[0][0] + c[0][1]) + c[1][0] / (c[1][0] + c[1][1]);
        let got = confusion([[0.0, 0.0], [3f32.ln(), 0.0]]);
        assert!((got - off / 2.0).abs() < 1e-6, "{got} for {}", off / 2.0);
    }

    #[test]
    fn options_out_of_range_are_named() {
        let mcc = Mcc { temperature: 0.0, ..Mcc::default() };
        let error = DomainLoss::<Cpu>::check(&mcc).unwrap_err().to_string();
        assert_eq!(error, "mcc.temperature = 0: expected a finite number > 0");
    }
}
