//! What a quantity does along training: mean and spread over seeds at each step.

use std::{collections::BTreeMap, ops::Range};

use crate::stats::Spread;

/// The most points a curve is drawn with; of more, neighbours are averaged.
const MOST_POINTS: usize = 160;

/// The values at one step, over the seeds that have one there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) step: f64,
    pub(super) mean: f64,
    /// 0 for one seed.
    pub(super) std: f64,
}

impl Point {
    /// One standard deviation to each side.
    pub(super) fn band(&self) -> [f64; 2] {
        [self.mean - self.std, self.mean + self.std]
    }
}

/// The points of (step, value) pairs of all seeds. Values that are not finite are left out.
pub(super) fn over_seeds(values: impl IntoIterator<Item = (u64, f64)>) -> Vec<Point> {
    let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, value) in values.into_iter().filter(|v| v.1.is_finite()) {
        by_step.entry(step).or_default().push(value);
    }
    let point = |(step, values): (u64, Vec<f64>)| {
        let Spread { mean, std, .. } = Spread::of(&values)?;
        Some(Point { step: step as f64, mean, std: std.unwrap_or(0.0) })
    };
    let points: Vec<Point> = by_step.into_iter().filter_map(point).collect();
    points.chunks(points.len().div_ceil(MOST_POINTS).max(1)).map(average).collect()
}

fn average(points: &[Point]) -> Point {
    let mean =
        |value: fn(&Point) -> f64| points.iter().map(value).sum::<f64>() / points.len() as f64;
    Point { step: mean(|p| p.step), mean: mean(|p| p.mean), std: mean(|p| p.std) }
}

/// From the least to the greatest value; none without one.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<Range<f64>> {
    values.into_iter().fold(None, |range: Option<Range<f64>>, y| {
        Some(range.map_or(y..y, |r| r.start.min(y)..r.end.max(y)))
    })
}

/// The range with a little room, so that nothing is drawn along the edge.
pub(super) fn padded(range: Range<f64>) -> Range<f64> {
    let length = range.end - range.start;
    let room = if length > 0.0 { 0.05 * length } else { 0.05 * range.end.abs().max(1.0) };
    range.start - room..range.end + room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_averaged_by_step() {
        let seeds = [(10, 1.0), (20, 2.0), (10, 3.0), (20, f64::NAN)];
        let points = over_seeds(seeds);
        assert_eq!(points[0], Point { step: 10.0, mean: 2.0, std: 2f64.sqrt() });
        assert_eq!(points[1], Point { step: 20.0, mean: 2.0, std: 0.0 });
        assert_eq!(points.len(), 2);
    }

    #[test]
    fn long_curves_keep_their_mean() {
        let points = over_seeds((0..10_000).map(|i| (i, i as f64)));
        assert!(points.len() <= MOST_POINTS);
        assert_eq!(points[0].mean, 31.0);
    }
}
