//! SHOT: the source's classifier stays, and the target's features come to it, without a source row.
//!
//! Liang et al., "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
//! Unsupervised Domain Adaptation", ICML 2020, Sec. 3.2–3.3, Eqs. 3–7. With p = softmax of the target's
//! logits `(n_t, k)` and pseudo-labels ŷ:
//! ```text
//! L = (1/n_t) Σ_i H(p_i) − H(p̄) + β CE(z, ŷ)          p̄ = (1/n_t) Σ_i p_i
//! c_c = Σ_i p_ic f_i / Σ_i p_ic     ŷ_i = argmin_c cos(f_i, c_c)     then once more with p = [ŷ = c]
//! ```
//! f_i are the features with a 1 appended, divided by their norm; cos is the cosine distance; centroids
//! and labels are of all target rows, in evaluation mode, at the beginning of every pass through them.
//! β = 0 is SHOT-IM.
//!
//! Differences from the paper:
//! 1. Its networks end in a bottleneck with batch normalisation and a classifier with weight
//!    normalisation; here they are those of the run.
//! 2. Its source model is trained with label smoothing of 0.1; here it is what the run starts from.

use dfdx::prelude::*;
use ndarray::{Array2, ArrayView2, Axis as Dim};
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, InputShape, Kind, Losses, Method, Needs, Network, Parameter, Pass, Pool,
    Recording, Result, Scalar, Scope, Step, Taped, check,
    host::{HostOutputs, probabilities},
    ops::{self, CrossEntropy},
    taped, value,
};

use super::{Capabilities, MethodConfig, Parts, Range, Trains, aligned::need_trained_backbone};
use crate::learn::first_largest;

/// The weights of the terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shot {
    /// β ≥ 0, the weight of the pseudo-labels: on feature vectors the 0.3 of the paper's Sec. 4.1, on
    /// images the 0.1 of its digits.
    pub pseudo: f32,
}

impl Default for Shot {
    fn default() -> Self {
        Self { pseudo: 0.1 }
    }
}

impl MethodConfig for Shot {
    const NAME: &'static str = "shot";
    const ABOUT: &'static str =
        "certain and varied predictions under the source's classifier, without source rows";
    const PAPER: &'static str = "Liang et al., Do We Really Need to Access the Source Data? Source \
                                 Hypothesis Transfer for Unsupervised Domain Adaptation, ICML 2020";
    const CAPABILITIES: Capabilities =
        Capabilities { trains: Trains::AllBut(&["head"]), ..Capabilities::SOURCE_FREE };
    const RANGES: &'static [(&'static str, Range)] = &[("pseudo", Range::Log(0.01, 3.0))];

    fn defaults_for(input: InputShape) -> Self {
        match input {
            InputShape::Features { .. } => Self { pseudo: 0.3 },
            _ => Self::default(),
        }
    }

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        check::non_negative(Self::NAME, "pseudo", self.pseudo)?;
        need_trained_backbone(Self::NAME, &parts.network, "which is all that it adapts")?;
        let n = parts.target_rows;
        let labels = Parameter::new(parts.dev, "labels", Kind::Buffer, &[n], vec![0.0; n])?;
        Ok(Box::new(Hypothesis { config: self, network: parts.network, labels }))
    }
}

/// The network, and what is remembered of every target row.
struct Hypothesis<D: Dev> {
    config: Shot,
    network: Network<D>,
    /// ŷ `(n_t,)`.
    labels: Parameter<D>,
}

/// Keeps log p̄ finite, as in the authors' code.
const EPSILON: f32 = 1e-5;

/// (1/n) Σ_i H(p_i) and −H(p̄), of logits `(n, k)`.
pub(super) fn information<D: Dev>(logits: Taped<D>) -> Result<[Scalar<D>; 2]> {
    let (logits, tape) = logits.split_tape();
    let entropy = ops::entropy(logits.clone().put_tape(tape))?;
    let mean = taped(&logits)
        .try_softmax::<Axis<1>>()
        .and_then(|p| p.try_mean::<(usize,), Axis<0>>())
        .map_err(Error::device)?;
    let log = mean.with_empty_tape().try_add(EPSILON).and_then(|p| p.try_ln());
    let negative_diversity = log
        .and_then(|log| mean.try_mul(log))
        .and_then(|h| h.try_sum::<Rank0, _>())
        .map_err(Error::device)?;
    Ok([entropy, negative_diversity])
}

impl<D: Dev> Method<D> for Hypothesis<D> {
    fn needs(&self) -> Needs {
        Shot::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let target = batch.target(Shot::NAME, 1)?;
        let Recording { logits, tape, .. } =
            self.network.record(target.x, Pass::train(step.rng))?;
        let [entropy, diversity] = information(logits.clone().put_tape(tape))?;
        let mut losses =
            vec![("total", 0.0), ("entropy", value(&entropy)), ("diversity", value(&diversity))];
        let mut total = entropy.try_add(diversity).map_err(Error::device)?;
        if self.config.pseudo > 0.0 {
            let labels = self.labels.to_vec();
            let labels: Vec<usize> = target.rows.iter().map(|&row| labels[row] as usize).collect();
            let pseudo = ops::cross_entropy(taped(&logits), &labels, CrossEntropy::default())?
                .try_mul(self.config.pseudo)
                .map_err(Error::device)?;
            losses.push(("pseudo-labels", value(&pseudo)));
            total = total.try_add(pseudo).map_err(Error::device)?;
        }
        losses[0].1 = value(&total);
        step.descend_in(total, &["backbone"])?;
        Ok(Losses(losses))
    }

    fn epoch(&mut self, target: Pool<'_, D>, _: &mut Step<'_, D>) -> Result<()> {
        if self.config.pseudo == 0.0 {
            return Ok(());
        }
        let labels = pseudo_labels(&target.outputs(&self.network)?);
        self.labels.set(&labels.into_iter().map(|label| label as f32).collect::<Vec<_>>())
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }

    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        vec![(Scope::new("memory"), self.labels.clone())]
    }
}

/// ŷ of all rows.
fn pseudo_labels(HostOutputs { features, logits }: &HostOutputs) -> Vec<usize> {
    let (n, d) = features.dim();
    let f = Array2::from_shape_fn((n, d + 1), |(i, j)| match j < d {
        true => f64::from(features[[i, j]]),
        false => 1.0,
    });
    let norms = f.map_axis(Dim(1), |row| row.dot(&row).sqrt());
    let f = f / norms.insert_axis(Dim(1));
    let mut p = Array2::zeros(logits.raw_dim());
    for (row, mut p) in logits.rows().into_iter().zip(p.rows_mut()) {
        p.assign(&probabilities(row));
    }
    let labels = nearest(f.view(), p.view());
    let hard = Array2::from_shape_fn(p.raw_dim(), |(i, c)| f64::from(u8::from(labels[i] == c)));
    nearest(f.view(), hard.view())
}

/// The class of the nearest centroid by cosine, the first of equals. A class without weight has none.
fn nearest(f: ArrayView2<'_, f64>, weights: ArrayView2<'_, f64>) -> Vec<usize> {
    // The norm of a centroid is no matter to a cosine, and with it Σ_i p_ic.
    let mut centroids: Array2<f64> = weights.t().dot(&f);
    for mut centroid in centroids.rows_mut() {
        let norm = centroid.dot(&centroid).sqrt();
        match norm > 0.0 {
            true => centroid /= norm,
            false => centroid.fill(f64::NAN),
        }
    }
    first_largest(f.dot(&centroids.t()).view())
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use transduct_core::{Matrix, Recorded, cpu};

    use super::*;

    /// Rows (½, ½) and (¼, ¾): p̄ = (⅜, ⅝).
    #[test]
    fn the_information_by_hand() {
        let z: Matrix<_> = cpu().tensor([[1.0, 1.0], [0.0, 3f32.ln()]]).realize();
        let [entropy, diversity] = information(z.put_tape(Recorded::<Cpu>::default())).unwrap();
        let h = |p: &[f32]| -p.iter().map(|p| p * p.ln()).sum::<f32>();
        let expected = (h(&[0.5, 0.5]) + h(&[0.25, 0.75])) / 2.0;
        assert!((entropy.array() - expected).abs() < 1e-6);
        assert!((diversity.array() + h(&[0.375, 0.625])).abs() < 1e-4);
    }

    /// Two clusters of directions. The network takes one row of the second for the first class, with
    /// little confidence: it gets the label of its cluster.
    #[test]
    fn a_row_gets_the_label_of_its_cluster() {
        let features = array![[5.0f32, 0.1], [4.0, 0.0], [0.1, 5.0], [0.0, 4.0], [0.2, 6.0]];
        let logits = array![[3.0f32, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, 3.0], [0.1, 0.0]];
        let labels = pseudo_labels(&HostOutputs { features, logits });
        assert_eq!(labels, [0, 0, 1, 1, 1]);
    }

    /// A class that no row has keeps none, and nothing is NaN.
    #[test]
    fn a_class_without_rows_attracts_none() {
        let f = array![[1.0, 0.0], [0.0, 1.0]];
        let weights = array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(nearest(f.view(), weights.view()), [0, 2]);
    }
}
