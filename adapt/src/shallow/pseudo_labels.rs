//! Rounds of projections and pseudo labels, which JDA and BDA share.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Alignment, mmd_projection::Rows, unit_rows};
use crate::{
    certificate::{Certificate, Measure},
    error::{Error, Result},
    math::{moments, nearest::nearest, unit::Unit},
    progress::{report, within},
};

/// Rounds of directions and pseudo labels, until no label changes.
pub(super) struct Rounds {
    pub(super) method: &'static str,
    pub(super) components: usize,
    pub(super) regularisation: f64,
    pub(super) rounds: usize,
    pub(super) normalise_output: bool,
}

impl Rounds {
    /// `discrepancy` gives E for the pseudo labels of the round before, or the initial ones, if
    /// there are any.
    pub(super) fn run(
        &self,
        mut rows: Rows,
        labels: &[usize],
        initial: Option<Vec<usize>>,
        discrepancy: impl Fn(Option<&[usize]>) -> Array2<f64>,
    ) -> Result<Alignment> {
        let mut pseudo = initial;
        let mut found = None;
        let (mut changed, mut rounds) = (1.0, 0);
        while rounds < self.rounds && changed > 0.0 {
            let e = discrepancy(pseudo.as_deref());
            let directions = within(|| {
                rows.directions(&e, self.regularisation, None, self.components, found.as_ref())
            })?;
            let images = rows.images(&directions);
            let images = if self.normalise_output { unit_rows(images) } else { images };
            let (source, target) = images.view().split_at(Axis(0), rows.source_rows());
            let now = nearest_labels(source, labels, target);
            changed = pseudo.as_ref().map_or(1.0, |before| share_changed(before, &now));
            pseudo = Some(now);
            found = Some(directions);
            rounds += 1;
            report(self.method, rounds, Some(self.rounds), None);
        }
        let directions =
            found.ok_or_else(|| Error::config(self.method, "rounds", self.rounds, "at least 1"))?;
        let solver = "rounds of pseudo labels";
        let mut certificate = Certificate::new(solver, rounds, Measure::Change, changed, 0.0);
        certificate.notes = directions.certificate.notes.clone();
        if !directions.certificate.converged {
            let residual = directions.certificate.residual;
            let note = format!("the eigenpairs of the last round have residual {residual:.1e}");
            certificate = certificate.with_note(note);
            certificate.converged = false;
        }
        let map = rows.into_map(directions, self.normalise_output);
        Alignment::new(self.method, map.clone(), map, certificate)
    }
}

/// The label of the nearest source row for every target row.
pub(super) fn nearest_labels(
    source: ArrayView2<'_, f64>,
    labels: &[usize],
    target: ArrayView2<'_, f64>,
) -> Vec<usize> {
    let unit = Unit::of(moments::largest(source).max(moments::largest(target)));
    let (source, target) = (unit.rows(source), unit.rows(target));
    nearest(target.view(), source.view(), 1).indices.iter().map(|&i| labels[i]).collect()
}

fn share_changed(before: &[usize], now: &[usize]) -> f64 {
    let changed = before.iter().zip(now).filter(|(a, b)| a != b).count();
    changed as f64 / now.len() as f64
}
