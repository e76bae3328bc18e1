//! The proportions of the classes on the target, by black-box shift estimation.
//!
//! The estimate holds if the classes look alike on both domains and only their proportions differ.
//! How far that goes is measured: weighting the source rows by the estimated class weights must
//! bring its means to the target's.

use serde::Serialize;

use crate::{
    domains::Domains,
    reweight::{Balance, Bbse},
};

/// Estimated proportions of the classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelShiftEstimate {
    /// Of the source rows, `(k,)`.
    pub source: Vec<f64>,
    /// Of the target rows, estimated, `(k,)`.
    pub target: Vec<f64>,
    /// How far the means lie apart, before and after weighting the classes.
    pub balance: Balance,
    /// What the estimator says of its answer, a sentence each.
    pub notes: Vec<String>,
}

impl LabelShiftEstimate {
    /// max_c |p_t(c) − p_s(c)|.
    pub fn largest_change(&self) -> f64 {
        let pairs = self.source.iter().zip(&self.target);
        pairs.map(|(s, t)| (s - t).abs()).fold(0.0, f64::max)
    }
}

/// The estimate; nothing without labels. Labels that allow none, as those of one class, are an
/// error of the estimator alone, and become the reason.
pub(super) fn estimate(
    domains: &Domains<'_>,
    seed: u64,
) -> Option<Result<LabelShiftEstimate, String>> {
    let labels = domains.labels()?;
    let fit = || {
        let shift = Bbse { seed, ..Bbse::default() }.estimate(domains)?;
        let weights = labels.of.iter().map(|&class| shift.class_weights[class]).collect();
        let balance = Balance::of(domains, ndarray::Array1::from_vec(weights).view());
        Ok(LabelShiftEstimate {
            source: shift.source_proportions.to_vec(),
            target: shift.target_proportions.to_vec(),
            balance,
            notes: shift.certificate.notes,
        })
    };
    Some(fit().map_err(|e: crate::error::Error| e.to_string()))
}
