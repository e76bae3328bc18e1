//! Pseudo-labels: the network's own certain predictions on the target taken for labels.
//!
//! Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks",
//! ICML Workshops 2013, Sec. 2, Eqs. 15–16.
//! ```text
//! L = α(t) (1/n_t) Σ_i [max_c p_ic > τ] CE(z_i, argmax_c p_ic)
//! α(t) = 0 for t < T₁,  α (t − T₁)/(T₂ − T₁) up to T₂,  α after it
//! ```
//! z, the target's logits, `(n_t, k)`, p their softmax; t is the finished share of the training → L `()`,
//! in nats.
//!
//! Differences from the paper:
//! 1. It takes every prediction: τ = 0. The threshold is what is usual since (0.95 in Sohn et al., NeurIPS
//!    2020).
//! 2. Its T₁ and T₂ are numbers of epochs, 100 and 600 of some thousands; α is 3 there, and 1 here.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Dev, Error, Matrix, Method, Result, Scalar, Taped, check,
    host::largest,
    ops::{self, CrossEntropy},
};

use super::{Capabilities, DomainLoss, Layer, MethodConfig, Parts, Range, Terms, View};

/// The weight, its course, and the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PseudoLabels {
    /// α, finite and ≥ 0.
    pub weight: f32,
    /// τ, 0 ≤ τ < 1.
    pub confidence: f32,
    /// T₁, 0 ≤ T₁ ≤ T₂: the share of the training without pseudo-labels.
    pub start: f32,
    /// T₂ ≤ 1: the share after which they have their full weight.
    pub full: f32,
}

impl Default for PseudoLabels {
    fn default() -> Self {
        Self { weight: 1.0, confidence: 0.95, start: 0.1, full: 0.6 }
    }
}

impl MethodConfig for PseudoLabels {
    const NAME: &'static str = "pseudo-labels";
    const ABOUT: &'static str = "the network's certain predictions on the target taken for labels";
    const PAPER: &'static str = "Lee, Pseudo-Label: The Simple and Efficient Semi-Supervised \
                                 Learning Method for Deep Neural Networks, ICML Workshops 2013";
    const CAPABILITIES: Capabilities = Capabilities::ALIGNMENT;
    const RANGES: &'static [(&'static str, Range)] =
        &[("weight", Range::Log(0.1, 10.0)), ("confidence", Range::Linear(0.5, 0.99))];

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        parts.aligned(self)
    }
}

/// The most probable class of every row of logits `(n, k)`, and whether its probability exceeds τ.
pub(super) fn certain<D: Dev>(logits: &Matrix<D>, confidence: f32) -> Result<Vec<(usize, bool)>> {
    let &(n, k) = logits.shape();
    let p = logits.clone().try_softmax::<Axis<1>>().map_err(Error::device)?;
    let mut values = vec![0.0; n * k];
    p.copy_into(&mut values);
    let of = |row: &[f32]| {
        let class = largest(row.iter().copied());
        (class, row[class] > confidence)
    };
    Ok(values.chunks(k.max(1)).map(of).collect())
}

/// (1/n) Σ of the cross-entropies of the rows that count, of n rows in all; nothing where none counts.
pub(super) fn masked_cross_entropy<D: Dev>(
    logits: Taped<D>,
    labels: &[(usize, bool)],
) -> Result<Option<Scalar<D>>> {
    let weights: Vec<f32> = labels.iter().map(|(_, counts)| f32::from(u8::from(*counts))).collect();
    let share = weights.iter().sum::<f32>() / weights.len().max(1) as f32;
    if share == 0.0 {
        return Ok(None);
    }
    let labels: Vec<usize> = labels.iter().map(|(label, _)| *label).collect();
    let config = CrossEntropy { weights: Some(&weights), ..CrossEntropy::default() };
    let mean = ops::cross_entropy(logits, &labels, config)?;
    mean.try_mul(share).map(Some).map_err(Error::device)
}

impl PseudoLabels {
    /// α(t).
    fn weight_at(&self, t: f32) -> f32 {
        let risen = match self.full > self.start {
            true => (t - self.start) / (self.full - self.start),
            false => f32::from(u8::from(t >= self.full)),
        };
        self.weight * risen.clamp(0.0, 1.0)
    }
}

impl<D: Dev> DomainLoss<D> for PseudoLabels {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn layers(&self) -> &[Layer] {
        &[Layer::Logits]
    }

    fn check(&self) -> Result<()> {
        check::non_negative(Self::NAME, "weight", self.weight)?;
        check::non_negative(Self::NAME, "start", self.start)?;
        if !(0.0..1.0).contains(&self.confidence) {
            return Err(Error::config(Self::NAME, "confidence", self.confidence, "0 ≤ τ < 1"));
        }
        if !(self.start..=1.0).contains(&self.full) {
            let expected = format!("between `start`, {}, and 1", self.start);
            return Err(Error::config(Self::NAME, "full", self.full, &expected));
        }
        Ok(())
    }

    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>> {
        let weight = self.weight_at(view.progress);
        let [_, z_t] = view.logits();
        let labels = certain(&z_t.retaped::<NoneTape>(), self.confidence)?;
        Ok(match masked_cross_entropy(z_t, &labels)? {
            Some(loss) => {
                vec![("pseudo-labels", loss.try_mul(weight).map_err(Error::device)?)]
            }
            None => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use transduct_core::{Stream, cpu, rng};

    use super::*;

    #[test]
    fn the_weight_rises_between_two_times() {
        let config = PseudoLabels { weight: 2.0, start: 0.25, full: 0.75, ..Default::default() };
        let at = [0.0, 0.25, 0.5, 0.75, 0.9].map(|t| config.weight_at(t));
        assert_eq!(at, [0.0, 0.0, 1.0, 2.0, 2.0]);
        let at_once = PseudoLabels { start: 0.0, full: 0.0, ..config };
        assert_eq!(at_once.weight_at(0.0), 2.0);
    }

    /// p = (¾, ¼), (½, ½) and (1/10, 9/10) at τ = 0.7: the first and the last count.
    #[test]
    fn certain_rows_count_of_all() {
        let z: Matrix<_> = cpu().tensor([[3f32.ln(), 0.0], [0.0, 0.0], [0.0, 9f32.ln()]]).realize();
        let mut config =
            PseudoLabels { confidence: 0.7, start: 0.0, full: 0.5, ..Default::default() };
        let mut random = rng(0, Stream::Step);
        let view = |z: &Matrix<Cpu>| [z.clone(), z.clone()];
        let terms = config.loss(View::new(view(&z), view(&z), &[0], 0.25, &mut random)).unwrap();
        let expected = 0.5 * ((4f32 / 3.0).ln() + (10f32 / 9.0).ln()) / 3.0;
        assert!((terms[0].1.array() - expected).abs() < 1e-6);
        // Where no row is certain there is no term.
        let mut strict = PseudoLabels { confidence: 0.95, ..config };
        let terms = strict.loss(View::new(view(&z), view(&z), &[0], 0.25, &mut random)).unwrap();
        assert!(terms.is_empty());
    }

    #[test]
    fn options_out_of_range_are_named() {
        let message =
            |config: PseudoLabels| DomainLoss::<Cpu>::check(&config).unwrap_err().to_string();
        let full = PseudoLabels { start: 0.5, full: 0.4, ..Default::default() };
        assert_eq!(message(full), "pseudo-labels.full = 0.4: expected between `start`, 0.5, and 1");
    }
}
