//! BNM: predictions on the target that are certain and varied, by the nuclear norm of their matrix.
//!
//! Cui et al., "Towards Discriminability and Diversity: Batch Nuclear-norm Maximization under Label
//! Insufficient Situations", CVPR 2020, Sec. 3.3, Eq. 9.
//! ```text
//! L = −λ ‖P‖_* / n_t
//! ```
//! P, the softmax of the target's logits, `(n_t, k)`; ‖P‖_* is the sum of its singular values → L `()`,
//! between −λ √(min(n_t, k) / n_t) and −λ / √n_t · √(1/k).
//!
//! The singular vectors are computed on the host and held constant: ‖P‖_* = ⟨U Vᵀ, P⟩, and U Vᵀ is the
//! gradient of the norm.
//!
//! Differences from the paper: none.

use dfdx::prelude::*;
use ndarray::s;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, Scalar, Taped, check};

use super::{
    Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View, held::weighted_by,
};
use crate::math::linalg;

/// The weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bnm {
    /// λ, finite and ≥ 0; 1 as in the paper.
    pub weight: f32,
}

impl Default for Bnm {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl MethodConfig for Bnm {
    const NAME: &'static str = "bnm";
    const ABOUT: &'static str = "certain and varied predictions on the target, by the nuclear norm";
    const PAPER: &'static str = "Cui et al., Towards Discriminability and Diversity: Batch \
                                 Nuclear-norm Maximization under Label Insufficient Situations, \
                                 CVPR 2020";
    const CAPABILITIES: Capabilities = Capabilities::ALIGNMENT;
    const RANGES: &'static [(&'static str, Range)] = &[("weight", Range::Log(0.01, 10.0))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

/// ‖X‖_* of a matrix on a tape.
fn nuclear_norm<D: Dev>(x: Taped<D>) -> Result<Scalar<D>> {
    weighted_by(Bnm::NAME, x, |x| {
        let linalg::Svd { u, singular, v } = linalg::svd(x)?;
        // Vectors of a singular value of 0 are any; without them U Vᵀ is the smallest subgradient.
        let largest = singular.first().copied().unwrap_or_default();
        let r = singular.iter().filter(|&&s| s > 1e-6 * largest).count();
        Ok(linalg::dot(&u.slice(s![.., ..r]), &v.slice(s![.., ..r]).t()))
    })
}

impl<D: Dev> DomainLoss<D> for Bnm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Logits]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [_, z_t] = view.logits();
        let n = z_t.shape().0 as f32;
        let p = z_t.try_softmax::<Axis<1>>().map_err(Error::device)?;
        let loss = nuclear_norm(p)?.try_mul(-self.weight / n).map_err(Error::device)?;
        Ok(vec![("nuclear-norm", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Recorded, cpu};

    use super::*;

    /// Singular values 3 and 4; of a rank-one matrix the norm of its row times √2.
    #[test]
    fn the_norm_by_hand() {
        let norm = |rows: [[f32; 2]; 3]| {
            let x: Matrix<_> = cpu().tensor(rows).realize();
            nuclear_norm(x.put_tape(Recorded::<Cpu>::default())).unwrap().array()
        };
        assert!((norm([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]) - 7.0).abs() < 1e-5);
        assert!((norm([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]) - 5.0 * 2f32.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn a_negative_weight_is_an_error() {
        let error = DomainLoss::<Cpu>::check(&Bnm { weight: -1.0 }).unwrap_err().to_string();
        assert_eq!(error, "bnm.weight = -1: expected a finite number ≥ 0");
    }
}
