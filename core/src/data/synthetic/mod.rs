//! Generated domain pairs whose shift is known by formula.
//!
//! | generator | what differs between the domains |
//! |---|---|
//! | [`TwoMoons`] | the target is rotated by an angle |
//! | [`CovariateShift`] | p(x); p(y | x) is common, so w(x) = p_t(x)/p_s(x) is known |
//! | [`TargetShift`] | p(y); p(x | y) is common, so w(y) = p_t(y)/p_s(y) is known |
//! | [`SubspaceShift`] | the plane that carries the classes, by known principal angles |
//! | [`SincRegression`] | p(x), for regression; w(x) is known |
//!
//! The same configuration and seed give the same rows. Source and target draw from streams of
//! their own, so that the number of rows of one does not change the other.

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Dataset, Samples};
use crate::{Error, Result};

mod covariate_shift;
mod sinc;
mod subspace_shift;
mod target_shift;
mod two_moons;

pub use covariate_shift::CovariateShift;
pub use sinc::{Normal, Points, SincRegression};
pub use subspace_shift::SubspaceShift;
pub use target_shift::TargetShift;
pub use two_moons::TwoMoons;

/// A generated classification problem. The target carries its labels: give both to
/// [`super::DomainPair::new`] to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Domains {
    /// The labelled source.
    pub source: Dataset,
    /// The target with the labels that score it.
    pub target: Dataset,
}

/// Which of the two domains is drawn: the stream of the random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

impl Side {
    fn rng(self, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(self as u64);
        rng
    }

    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// One draw of N(0, 1).
fn standard_normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A data set of points and their classes, in an order drawn with `rng`.
fn shuffled(
    generator: &str,
    side: Side,
    mut points: Vec<(Vec<f64>, usize)>,
    classes: impl IntoIterator<Item = String>,
    rng: &mut ChaCha8Rng,
) -> Dataset {
    points.shuffle(rng);
    let d = points.first().map_or(0, |(x, _)| x.len());
    let x = Array2::from_shape_fn((points.len(), d), |(row, column)| points[row].0[column] as f32);
    Dataset {
        name: format!("{generator}/{}", side.name()),
        samples: Samples::Features(x),
        labels: points.into_iter().map(|(_, class)| class).collect(),
        classes: classes.into_iter().collect(),
    }
}

/// An error unless `value` is finite and at least `least`.
fn at_least(owner: &str, field: &str, value: f64, least: f64) -> Result<()> {
    if value.is_finite() && value >= least {
        return Ok(());
    }
    Err(Error::config(owner, field, value, &format!("a finite number, at least {least}")))
}

/// An error unless `value` is finite and above 0.
fn positive(owner: &str, field: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::config(owner, field, value, "a finite number above 0"))
}

/// An error unless there are at least `least` rows on both sides.
fn rows(owner: &str, n_source: usize, n_target: usize, least: usize) -> Result<()> {
    for (field, n) in [("n_source", n_source), ("n_target", n_target)] {
        if n < least {
            return Err(Error::config(owner, field, n, &format!("at least {least} rows")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis};

    use super::*;

    /// The features of a generated data set.
    pub(super) fn features(dataset: &Dataset) -> &Array2<f32> {
        match &dataset.samples {
            Samples::Features(x) => x,
            _ => panic!("generators give features"),
        }
    }

    /// The mean of the rows of one class.
    pub(super) fn class_mean(dataset: &Dataset, class: usize) -> Array1<f32> {
        let rows: Vec<usize> =
            (0..dataset.len()).filter(|&row| dataset.labels[row] == class).collect();
        features(dataset).select(Axis(0), &rows).mean_axis(Axis(0)).unwrap()
    }

    #[test]
    fn one_side_does_not_change_the_other() {
        let few = TwoMoons { n_source: 10, ..Default::default() }.generate(4).unwrap();
        let many = TwoMoons { n_source: 99, ..Default::default() }.generate(4).unwrap();
        assert_eq!(few.target, many.target);
    }

    #[test]
    fn every_generator_is_fixed_by_its_seed_and_gives_valid_data() {
        let pairs = |seed| {
            [
                TwoMoons::default().generate(seed).unwrap(),
                CovariateShift::default().generate(seed).unwrap(),
                TargetShift::default().generate(seed).unwrap(),
                SubspaceShift::default().generate(seed).unwrap(),
            ]
        };
        assert_eq!(pairs(3), pairs(3));
        for (a, b) in pairs(3).iter().zip(&pairs(4)) {
            a.source.check().unwrap();
            a.target.check().unwrap();
            assert_eq!(a.source.classes, a.target.classes);
            assert_ne!(a.source.samples, b.source.samples);
            assert_ne!(a.source.samples, a.target.samples);
        }
    }
}
