//! The benchmark's scorers: what a pipeline is worth by rows that it was not fitted on, higher is better.
//!
//! As skada 0.4.0 computes them, which is not always as the papers behind them do; all but `Supervised` see
//! no target labels.

use anyhow::{Result, ensure};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use transduct_adapt::{
    domains::Domains,
    learn::{Classify, Logistic},
    reweight::{Bandwidth, KdeRatio, Reweight},
};

use super::{
    pipeline::{Draws, Fitted, Point},
    problem::Rows,
    search::right,
};

/// A scorer by its name in the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scorer {
    /// Accuracy on the target rows, which nobody knows: an oracle.
    Supervised,
    /// Accuracy on the source rows, weighted by a ratio of kernel densities of bandwidth 1.
    ImportanceWeighted,
    /// Balanced accuracy on the source rows of the same pipeline, taught by the target rows as they were
    /// labelled.
    CircularValidation,
    /// The mean of p log p over target rows and classes.
    PredictionEntropy,
    /// The entropy of the neighbourhoods of the target rows' probabilities.
    SoftNeighborhoodDensity,
    /// Log-loss on source rows, weighted by a discriminator, with a control variate.
    DeepEmbeddedValidation,
    /// Agreement of mixed target rows with the label of the larger part, the mean of both kinds below.
    MixValBoth,
    /// Of rows of different labels.
    MixValInter,
    /// Of rows of equal labels.
    MixValIntra,
}

/// All of them, those that draw nothing first.
pub(super) const SCORERS: [Scorer; 9] = [
    Scorer::Supervised,
    Scorer::ImportanceWeighted,
    Scorer::CircularValidation,
    Scorer::PredictionEntropy,
    Scorer::SoftNeighborhoodDensity,
    Scorer::DeepEmbeddedValidation,
    Scorer::MixValBoth,
    Scorer::MixValInter,
    Scorer::MixValIntra,
];

impl Scorer {
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::ImportanceWeighted => "importance-weighted",
            Self::CircularValidation => "circular-validation",
            Self::PredictionEntropy => "prediction-entropy",
            Self::SoftNeighborhoodDensity => "soft-neighborhood-density",
            Self::DeepEmbeddedValidation => "deep-embedded-validation",
            Self::MixValBoth => "mix-val-both",
            Self::MixValInter => "mix-val-inter",
            Self::MixValIntra => "mix-val-intra",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::ImportanceWeighted => "importance weighted",
            Self::CircularValidation => "circular validation",
            Self::PredictionEntropy => "prediction entropy",
            Self::SoftNeighborhoodDensity => "soft neighbourhood density",
            Self::DeepEmbeddedValidation => "deep embedded validation",
            Self::MixValBoth => "MixVal",
            Self::MixValInter => "MixVal, inter",
            Self::MixValIntra => "MixVal, intra",
        }
    }

    /// Whether its score, or the fit behind it, depends on draws that the benchmark did not seed.
    pub(super) fn draws(self) -> bool {
        !matches!(self, Self::Supervised | Self::ImportanceWeighted | Self::CircularValidation)
    }

    pub(super) fn asks_for_probabilities(self) -> bool {
        use Scorer::{DeepEmbeddedValidation, PredictionEntropy, SoftNeighborhoodDensity};
        matches!(self, PredictionEntropy | SoftNeighborhoodDensity | DeepEmbeddedValidation)
    }

    /// The score of a pipeline by rows that it was not fitted on; anything that is not finite is none.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn score(
        self,
        point: &Point,
        fitted: &Fitted,
        rows: &Rows,
        draws: &Draws,
    ) -> Result<f64> {
        match self {
            Self::Supervised => {
                let predicted = fitted.predict(&rows.target)?;
                Ok(right(&predicted, &rows.target_labels) as f64 / predicted.len() as f64)
            }
            Self::ImportanceWeighted => importance_weighted(fitted, rows),
            Self::CircularValidation => circular_validation(point, fitted, rows, draws),
            Self::PredictionEntropy => {
                let p = fitted.probabilities(&rows.target)?;
                Ok(p.mapv(|p| p * (p + 1e-7).ln()).mean().unwrap_or(f64::NAN))
            }
            Self::SoftNeighborhoodDensity => {
                Ok(neighbourhood_density(fitted.probabilities(&rows.target)?))
            }
            Self::DeepEmbeddedValidation => deep_embedded_validation(fitted, rows, draws),
            Self::MixValBoth => {
                let [intra, inter] = mix_val(fitted, &rows.target, draws)?;
                Ok(f64::midpoint(intra, inter))
            }
            Self::MixValInter => Ok(mix_val(fitted, &rows.target, draws)?[1]),
            Self::MixValIntra => Ok(mix_val(fitted, &rows.target, draws)?[0]),
        }
    }
}

fn importance_weighted(fitted: &Fitted, rows: &Rows) -> Result<f64> {
    let domains = Domains::new(rows.source.view(), rows.target.view())?;
    let weights = KdeRatio { bandwidth: Bandwidth::Fixed(1.0) }.fit(&domains)?.weights;
    let weights = &weights / weights.sum();
    let predicted = fitted.predict_source(&rows.source)?;
    let right = weights.iter().zip(predicted.iter().zip(&rows.labels));
    Ok(right.filter(|(_, (a, b))| a == b).map(|(w, _)| w).sum::<f64>() / weights.sum())
}

fn circular_validation(point: &Point, fitted: &Fitted, rows: &Rows, draws: &Draws) -> Result<f64> {
    let labels = fitted.predict(&rows.target)?;
    let back = match labels.iter().all(|&label| label == labels[0]) {
        true => vec![labels[0]; rows.labels.len()],
        false => {
            let turned = rows.turned(labels);
            Fitted::new(point, &turned, draws, false)?.predict(&turned.target)?
        }
    };
    let recall = |class: usize| {
        let of_class = || back.iter().zip(&rows.labels).filter(|(_, label)| **label == class);
        of_class().filter(|(a, b)| a == b).count() as f64 / of_class().count() as f64
    };
    Ok((recall(0) + recall(1)) / 2.0)
}

/// S = p pᵀ / 0.05 of rows p of unit length, whose diagonal is negated, not left out; the entropy of its
/// rows' softmax.
fn neighbourhood_density(mut p: Array2<f64>) -> f64 {
    const TEMPERATURE: f64 = 0.05;
    for mut row in p.rows_mut() {
        let length = row.dot(&row).sqrt();
        row /= length;
    }
    let mut s = p.dot(&p.t()) / TEMPERATURE;
    s.diag_mut().mapv_inplace(|v| -v);
    let entropy = |row: ndarray::ArrayView1<'_, f64>| {
        let largest = row.fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        let sum = row.mapv(|v| (v - largest).exp()).sum();
        row.mapv(|v| ((v - largest).exp() / sum) * (sum.ln() - (v - largest))).sum()
    };
    s.map_axis(Axis(1), entropy).mean().unwrap_or(f64::NAN)
}

/// Two thirds of the source rows teach the discriminator, the others are scored. Its features are the images
/// of all rows *as target rows*: the benchmark asks for them without their domain.
fn deep_embedded_validation(fitted: &Fitted, rows: &Rows, draws: &Draws) -> Result<f64> {
    let n = rows.source.nrows();
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut draws.rng(1));
    let (scored, taught) = order.split_at((0.33 * n as f64).ceil() as usize);
    let part = |of: &[usize]| rows.source.select(Axis(0), of);
    let features = |x: &Array2<f64>| fitted.as_target(x.view());
    let (train, target) = (features(&part(taught))?, features(&rows.target)?);
    let x = ndarray::concatenate(Axis(0), &[train.view(), target.view()])?;
    let is_source: Vec<usize> = (0..x.nrows()).map(|i| usize::from(i < taught.len())).collect();
    let discriminator = Logistic::default().fit(x.view(), &is_source, 2, None)?;
    let domain = probabilities(&*discriminator, features(&part(scored))?.view())?;
    let prior = taught.len() as f64 / target.nrows() as f64;
    let weights: Array1<f64> = domain.rows().into_iter().map(|p| prior * p[0] / p[1]).collect();
    let p = fitted.source_probabilities(&part(scored))?;
    let losses: Array1<f64> = scored
        .iter()
        .zip(p.rows())
        .map(|(&i, p)| -p[rows.labels[i]].clamp(1e-15, 1.0 - 1e-15).ln())
        .collect();
    let weighted = &weights * &losses;
    let mean = |a: &Array1<f64>| a.sum() / a.len() as f64;
    let (w, l) = (&weights - mean(&weights), &weighted - mean(&weighted));
    let variance = w.dot(&w);
    let eta = if variance == 0.0 { 0.0 } else { -w.dot(&l) / variance };
    Ok(-(mean(&weighted) + eta * mean(&weights) - eta))
}

/// By rows of equal labels and by rows of different ones.
fn mix_val(fitted: &Fitted, target: &Array2<f64>, draws: &Draws) -> Result<[f64; 2]> {
    const SHARE: f64 = 0.55;
    let mut others: Vec<usize> = (0..target.nrows()).collect();
    others.shuffle(&mut draws.rng(2));
    let labels = fitted.predict(target)?;
    let mixed = target * SHARE + target.select(Axis(0), &others) * (1.0 - SHARE);
    let predicted = fitted.predict(&mixed)?;
    let agreement = |equal: bool| {
        let rows = (0..labels.len()).filter(|&i| (labels[i] == labels[others[i]]) == equal);
        let agree: Vec<f64> =
            rows.map(|i| f64::from(u8::from(predicted[i] == labels[i]))).collect();
        // Of no rows it is NaN: there is no score.
        agree.iter().sum::<f64>() / agree.len() as f64
    };
    Ok([agreement(true), agreement(false)])
}

/// Those of a classifier that has some.
pub(super) fn probabilities(
    fitted: &dyn transduct_adapt::learn::Classifier,
    x: ArrayView2<'_, f64>,
) -> Result<Array2<f64>> {
    let p = fitted.probabilities(x)?;
    ensure!(p.is_some(), "it has no probabilities");
    Ok(p.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_neighbourhood_by_hand() {
        // Two equal rows: each sees the other at 20 and itself at −20, and so the other alone.
        let alone = neighbourhood_density(array![[0.5, 0.5], [0.1, 0.1]]);
        assert!(alone.abs() < 1e-14, "{alone}");
        // Three: two others.
        let two = neighbourhood_density(array![[0.5, 0.5], [0.1, 0.1], [0.7, 0.7]]);
        assert!((two - 2f64.ln()).abs() < 1e-14, "{two}");
    }
}
