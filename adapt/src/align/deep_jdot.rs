//! DeepJDOT: target rows that are transported to source rows of like features and labels.
//!
//! Damodaran et al., "DeepJDOT: Deep Joint Distribution Optimal Transport for Unsupervised Domain
//! Adaptation", ECCV 2018, Sec. 3.2, Eqs. 5–7. f are features, p the softmax of the target's logits:
//! ```text
//! L = Σ_ij γ_ij C_ij        C_ij = α ‖f_i − f_j‖² − λ log p_j[y_i]
//! ```
//! i over the source `(n_s, d)`, j over the target `(n_t, d)`; γ is the optimal plan between uniform
//! weights for the cost C, computed on the host by the network simplex of [`crate::ot`] and held constant
//! → L `()`.
//!
//! Differences from the paper: none in the loss.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Method, Result, Scalar, Taped, check, ops};

use super::{Capabilities, DomainLoss, MethodConfig, Parts, Range, Terms, View, held::weighted_by};
use crate::{
    kernel::squared_distances,
    ot::{Emd, Problem, emd},
};

/// The paper's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepJdot {
    /// The weight of L beside the classification, finite and ≥ 0.
    pub weight: f32,
    /// α, finite and ≥ 0.
    pub distance: f32,
    /// λ, finite and ≥ 0: λ_t of the paper.
    pub label: f32,
}

impl Default for DeepJdot {
    fn default() -> Self {
        Self { weight: 1.0, distance: 0.001, label: 0.0001 }
    }
}

impl MethodConfig for DeepJdot {
    const NAME: &'static str = "deep-jdot";
    const ABOUT: &'static str =
        "target rows transported to source rows of like features and labels";
    const PAPER: &'static str = "Damodaran et al., DeepJDOT: Deep Joint Distribution Optimal \
                                 Transport for Unsupervised Domain Adaptation, ECCV 2018";
    const CAPABILITIES: Capabilities = Capabilities::ALIGNMENT;
    const RANGES: &'static [(&'static str, Range)] = &[
        ("weight", Range::Log(0.01, 10.0)),
        ("distance", Range::Log(1e-4, 1.0)),
        ("label", Range::Log(1e-4, 10.0)),
    ];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

impl DeepJdot {
    /// C `(n_s, n_t)`.
    fn cost<D: Dev>(
        &self,
        [f_s, f_t]: [Taped<D>; 2],
        z_t: Taped<D>,
        labels: &[usize],
    ) -> Result<Taped<D>> {
        let (n_s, k) = (labels.len(), z_t.shape().1);
        let mut of_labels = vec![0.0; n_s * k];
        labels.iter().enumerate().for_each(|(i, &y)| of_labels[i * k + y] = -self.label);
        let of_labels = z_t.device().try_tensor_from_vec(of_labels, (n_s, k));
        let of_labels = of_labels.map_err(Error::device)?;
        let distances = squared_distances(f_s, f_t)?;
        let log_p =
            ops::log_softmax(z_t)?.try_permute::<_, Axes2<1, 0>>().map_err(Error::device)?;
        let (log_p, tape) = log_p.split_tape();
        let losses = of_labels.put_tape(tape).try_matmul(log_p);
        losses
            .and_then(|losses| distances.try_mul(self.distance)?.try_add(losses))
            .map_err(Error::device)
    }

    /// L of a cost.
    fn transported<D: Dev>(&self, cost: Taped<D>) -> Result<Scalar<D>> {
        weighted_by(Self::NAME, cost, |cost| {
            Ok(emd(&Problem::uniform(cost.view())?, &Emd::default())?.dense())
        })
    }
}

impl<D: Dev> DomainLoss<D> for DeepJdot {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::non_negative(Self::NAME, "distance", self.distance)?;
        check::non_negative(Self::NAME, "label", self.label)
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let [_, z_t] = view.logits();
        let cost = self.cost(view.features(), z_t, view.source_labels)?;
        let loss = self.transported(cost)?.try_mul(self.weight).map_err(Error::device)?;
        Ok(vec![("transport", loss)])
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, Stream, cpu, rng};

    use super::*;

    /// Features alone would pair the rows in order; the labels outweigh them: the target's first row is
    /// of the second source row's class.
    #[test]
    fn labels_outweigh_features_where_they_are_told_to() {
        let f_s: Matrix<_> = cpu().tensor([[0.0], [1.0]]).realize();
        let f_t: Matrix<_> = cpu().tensor([[0.0], [1.0]]).realize();
        let z_t: Matrix<_> = cpu().tensor([[0.0, 3f32.ln()], [3f32.ln(), 0.0]]).realize();
        let loss = |label: f32| {
            let mut jdot = DeepJdot { weight: 1.0, distance: 1.0, label };
            let mut rng = rng(0, Stream::Step);
            let f = [f_s.clone(), f_t.clone()];
            let z = [z_t.clone(), z_t.clone()];
            jdot.loss(View::new(f, z, &[0, 1], 0.0, &mut rng)).unwrap()[0].1.array()
        };
        assert!(loss(0.0).abs() < 1e-6);
        // In order: label · log 4. Crosswise: 1 + label · log (4/3).
        let (four, third) = (4f32.ln(), (4f32 / 3.0).ln());
        assert!((loss(0.5) - 0.5 * four).abs() < 1e-5);
        assert!((loss(2.0) - (1.0 + 2.0 * third)).abs() < 1e-5);
    }

    #[test]
    fn options_out_of_range_are_named() {
        let jdot = DeepJdot { distance: -1.0, ..DeepJdot::default() };
        let error = DomainLoss::<Cpu>::check(&jdot).unwrap_err().to_string();
        assert_eq!(error, "deep-jdot.distance = -1: expected a finite number ≥ 0");
    }
}
