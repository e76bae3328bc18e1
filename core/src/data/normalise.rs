//! Normalisation by name: what a protocol does to the rows before anything learns from them.
//!
//! A [`Normalisation`] is a choice and can lie in a configuration; [`Normalisation::fit`] turns it
//! into a [`Fitted`] with the numbers it took from data, which travels with a saved model. What it
//! is fitted on — the source, the target, both, each domain by itself — is part of a protocol, and
//! therefore the caller's to say.

use ndarray::{Array, Array2, Axis, Dimension};
use serde::{Deserialize, Serialize};

use super::sparse::Moments;
use super::{DataError, Samples, SparseRows};

/// What to do with every sample x, a feature vector (d) or an image (c, h, w).
///
/// As text: `"l2_rows"`, `{ z_score = { ddof = 0 } }`, `{ sequence = ["l1_rows", …] }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Normalisation {
    /// x.
    #[default]
    None,
    /// x / divisor; 255 for bytes, 16 for the greys of optdigits.
    Scale {
        /// Finite, not 0.
        divisor: f32,
    },
    /// (x − min) / (max − min), a fixed range onto [0, 1]. Nothing is estimated or clipped.
    UnitRange {
        /// Becomes 0.
        min: f32,
        /// Becomes 1; greater than `min`.
        max: f32,
    },
    /// (x_j − μ_j) / σ_j for every feature j, feature vectors only, with
    /// σ_j² = Σ_i (x_ij − μ_j)² / (n − ddof) over the n rows that it is fitted on. A column that
    /// is constant there gets σ_j = 1: it becomes 0 on those rows.
    ZScore {
        /// 0, the population's (scikit-learn's `StandardScaler`, MATLAB's `zscore(x, 1)`), or 1,
        /// the sample's (MATLAB's `zscore(x)`).
        ddof: u8,
    },
    /// (x_c − mean_c) / std_c for every channel c, images only, with given numbers;
    /// [`Normalisation::channel_stats`] computes them.
    ImageStats {
        /// One a channel.
        mean: Vec<f32>,
        /// One a channel, > 0.
        std: Vec<f32>,
    },
    /// x / Σ_j |x_j|: histograms become distributions. A sample of zeros stays.
    L1Rows,
    /// x / ‖x‖₂: unit length. A sample of zeros stays.
    L2Rows,
    /// x minus the mean over all channels and pixels of the image, images only.
    PerImageMean,
    /// One after the other, each fitted on what the ones before it give.
    Sequence(Vec<Normalisation>),
}

/// A normalisation with all its numbers, ready for any samples of the kind it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fitted {
    /// (x_j − shift_j) / scale_j.
    Affine {
        /// One for everything, one a feature or one a channel.
        shift: Vec<f64>,
        /// As many, none 0.
        scale: Vec<f64>,
    },
    /// See [`Normalisation::L1Rows`].
    L1Rows,
    /// See [`Normalisation::L2Rows`].
    L2Rows,
    /// See [`Normalisation::PerImageMean`].
    PerImageMean,
    /// One after the other; none changes nothing.
    Sequence(Vec<Fitted>),
}

impl Normalisation {
    /// Takes from `samples` what is to be estimated.
    ///
    /// Errors: a parameter out of its range; images for what needs feature vectors or the other
    /// way round; fewer rows than the z-score needs.
    pub fn fit(&self, samples: &Samples) -> Result<Fitted, DataError> {
        match self {
            Self::None => Ok(Fitted::Sequence(Vec::new())),
            Self::Scale { divisor } if divisor.is_finite() && *divisor != 0.0 => {
                Ok(Fitted::Affine { shift: vec![0.0], scale: vec![f64::from(*divisor)] })
            }
            Self::Scale { divisor } => {
                Err(unusable("scale", format!("divisor = {divisor}: expected finite and not 0")))
            }
            Self::UnitRange { min, max } if min.is_finite() && max.is_finite() && min < max => {
                let range = f64::from(*max) - f64::from(*min);
                Ok(Fitted::Affine { shift: vec![f64::from(*min)], scale: vec![range] })
            }
            Self::UnitRange { min, max } => {
                let reason = format!("min = {min}, max = {max}: expected finite, min below max");
                Err(unusable("unit_range", reason))
            }
            Self::ZScore { ddof } => match samples {
                Samples::Sparse(x) => sparse_z_score(x, *ddof),
                _ => z_score(features(samples, "z_score")?, *ddof),
            },
            Self::ImageStats { mean, std } => {
                image_stats(mean, std, channels(samples, "image_stats")?)
            }
            Self::L1Rows => Ok(Fitted::L1Rows),
            Self::L2Rows => Ok(Fitted::L2Rows),
            Self::PerImageMean => channels(samples, "per_image_mean").map(|_| Fitted::PerImageMean),
            Self::Sequence(steps) => {
                let mut fitted = Vec::with_capacity(steps.len());
                let mut current = samples.clone();
                for step in steps {
                    let step = step.fit(&current)?;
                    current = step.apply(current)?;
                    fitted.push(step);
                }
                Ok(Fitted::Sequence(fitted))
            }
        }
    }

    /// [`Normalisation::ImageStats`] with mean and standard deviation (ddof 0) of every channel
    /// over all pixels of `samples`; σ = 1 for a channel that is constant.
    ///
    /// Errors: feature vectors, no pixel.
    pub fn channel_stats(samples: &Samples) -> Result<Self, DataError> {
        let c = channels(samples, "image_stats")?;
        let moments: Option<Vec<_>> = match samples {
            Samples::Images(x) => x
                .axis_iter(Axis(1))
                .map(|channel| moments(|| channel.iter().map(|&v| f64::from(v)), 0))
                .collect(),
            _ => streamed_moments(samples, c)?,
        };
        let moments = moments.ok_or_else(|| unusable("image_stats", "no pixels"))?;
        let (mean, std) = moments.into_iter().map(|(m, s)| (m as f32, s as f32)).unzip();
        Ok(Self::ImageStats { mean, std })
    }
}

/// The moments of every channel as [`moments`] has them, in two passes over images that are not in
/// memory; none without a pixel.
fn streamed_moments(samples: &Samples, c: usize) -> Result<Option<Vec<(f64, f64)>>, DataError> {
    const ROWS: usize = 64;
    let rows: Vec<usize> = (0..samples.len()).collect();
    let each = |f: &mut dyn FnMut(usize, f32)| {
        for rows in rows.chunks(ROWS) {
            let images = samples.images(rows)?;
            for image in images.iter().flat_map(|x| x.outer_iter()) {
                for (c, channel) in image.outer_iter().enumerate() {
                    channel.iter().for_each(|&v| f(c, v));
                }
            }
        }
        Ok::<_, DataError>(())
    };
    let mut first = vec![None; c];
    let mut sums = vec![(0f64, 0u64, true); c];
    each(&mut |c, v| {
        let (sum, n, constant) = &mut sums[c];
        *sum += f64::from(v);
        *n += 1;
        *constant &= *first[c].get_or_insert(v) == v;
    })?;
    let means: Vec<f64> = sums.iter().map(|(sum, n, _)| sum / *n as f64).collect();
    let mut squares = vec![0f64; c];
    each(&mut |c, v| squares[c] += (f64::from(v) - means[c]).powi(2))?;
    let moments = first.iter().zip(&sums).zip(means.iter().zip(&squares));
    Ok(moments
        .map(|((first, (_, n, constant)), (mean, squares))| {
            first.map(|first| match constant {
                true => (first.into(), 1.0),
                false => (*mean, (squares / *n as f64).sqrt()),
            })
        })
        .collect())
}

impl Fitted {
    /// The normalised samples.
    ///
    /// Errors: another number of features or channels than it was fitted on, feature vectors where
    /// it needs images.
    pub fn apply(&self, mut samples: Samples) -> Result<Samples, DataError> {
        if let Samples::Sparse(x) = samples {
            return x.normalised(self).map(Samples::Sparse);
        }
        #[cfg(feature = "files")]
        if let Samples::Pictures(x) = &samples {
            return x.normalised(self).map(Samples::Pictures);
        }
        match self {
            Self::Affine { shift, scale } => {
                let groups = if shift.len() == 1 { 1 } else { samples.row_shape()[0] };
                if shift.len() != groups || scale.len() != groups {
                    let what = match samples {
                        Samples::Features(_) | Samples::Sparse(_) => "features",
                        _ => "channels",
                    };
                    let reason = format!("fitted on {} {what}, applied to {groups}", shift.len());
                    return Err(unusable("affine", reason));
                }
                for_each_row(&mut samples, &Affine { shift, scale });
            }
            Self::L1Rows => for_each_row(&mut samples, &UnitL1),
            Self::L2Rows => for_each_row(&mut samples, &UnitL2),
            Self::PerImageMean => {
                channels(&samples, "per_image_mean")?;
                for_each_row(&mut samples, &Centred);
            }
            Self::Sequence(steps) => {
                for step in steps {
                    samples = step.apply(samples)?;
                }
            }
        }
        Ok(samples)
    }
}

/// A value of a sample: single for images, double for features.
trait Value: Copy {
    fn get(self) -> f64;
    fn of(value: f64) -> Self;
}

impl Value for f32 {
    fn get(self) -> f64 {
        self.into()
    }
    fn of(value: f64) -> Self {
        value as Self
    }
}

impl Value for f64 {
    fn get(self) -> f64 {
        self
    }
    fn of(value: f64) -> Self {
        value
    }
}

/// What happens to one sample, flattened; computed in double precision.
trait RowStep {
    fn apply<V: Value>(&self, row: &mut [V]);
}

struct Affine<'a> {
    shift: &'a [f64],
    scale: &'a [f64],
}

impl RowStep for Affine<'_> {
    fn apply<V: Value>(&self, row: &mut [V]) {
        let groups = row.len().checked_div(self.shift.len()).unwrap_or(1).max(1);
        for ((group, shift), scale) in row.chunks_mut(groups).zip(self.shift).zip(self.scale) {
            group.iter_mut().for_each(|v| *v = V::of((v.get() - shift) / scale));
        }
    }
}

struct UnitL1;

impl RowStep for UnitL1 {
    fn apply<V: Value>(&self, row: &mut [V]) {
        divide(row, row.iter().map(|v| v.get().abs()).sum());
    }
}

struct UnitL2;

impl RowStep for UnitL2 {
    fn apply<V: Value>(&self, row: &mut [V]) {
        divide(row, row.iter().map(|v| v.get().powi(2)).sum::<f64>().sqrt());
    }
}

struct Centred;

impl RowStep for Centred {
    fn apply<V: Value>(&self, row: &mut [V]) {
        let mean = row.iter().map(|v| v.get()).sum::<f64>() / row.len() as f64;
        row.iter_mut().for_each(|v| *v = V::of(v.get() - mean));
    }
}

fn z_score(x: &Array2<f64>, ddof: u8) -> Result<Fitted, DataError> {
    if ddof > 1 {
        return Err(unusable("z_score", format!("ddof = {ddof}: expected 0 or 1")));
    }
    let moments: Option<Vec<_>> =
        x.columns().into_iter().map(|column| moments(|| column.iter().copied(), ddof)).collect();
    match moments {
        Some(moments) => {
            let (shift, scale) = moments.into_iter().unzip();
            Ok(Fitted::Affine { shift, scale })
        }
        None => {
            let reason = format!("{} rows with ddof = {ddof}: expected more", x.nrows());
            Err(unusable("z_score", reason))
        }
    }
}

fn sparse_z_score(x: &SparseRows, ddof: u8) -> Result<Fitted, DataError> {
    if ddof > 1 {
        return Err(unusable("z_score", format!("ddof = {ddof}: expected 0 or 1")));
    }
    let Some(Moments { mean, deviation }) = x.moments(ddof) else {
        let reason = format!("{} rows with ddof = {ddof}: expected more", x.len());
        return Err(unusable("z_score", reason));
    };
    let scale = deviation.iter().map(|&s| if s > 0.0 { s } else { 1.0 }).collect();
    Ok(Fitted::Affine { shift: mean.to_vec(), scale })
}

fn image_stats(mean: &[f32], std: &[f32], c: usize) -> Result<Fitted, DataError> {
    if mean.len() != c || std.len() != c {
        let (m, s) = (mean.len(), std.len());
        let reason = format!("{m} means and {s} deviations for images of {c} channels");
        return Err(unusable("image_stats", reason));
    }
    for (c, (m, s)) in mean.iter().zip(std).enumerate() {
        if !(m.is_finite() && s.is_finite() && *s > 0.0) {
            let reason = format!("channel {c}: mean {m}, deviation {s}: expected finite, above 0");
            return Err(unusable("image_stats", reason));
        }
    }
    let double = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect();
    Ok(Fitted::Affine { shift: double(mean), scale: double(std) })
}

/// Mean and standard deviation, or none when there are no more than `ddof` values; 1 is the
/// deviation of a constant.
fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I, ddof: u8) -> Option<(f64, f64)> {
    let n = values().count();
    let freedom = n.checked_sub(usize::from(ddof)).filter(|&f| f > 0)?;
    let first = values().next()?;
    if values().all(|v| v == first) {
        // Its computed mean may be off by a rounding, and the deviation tiny instead of 0.
        return Some((first, 1.0));
    }
    let mean = values().sum::<f64>() / n as f64;
    let squares: f64 = values().map(|v| (v - mean).powi(2)).sum();
    Some((mean, (squares / freedom as f64).sqrt()))
}

fn divide<V: Value>(row: &mut [V], norm: f64) {
    if norm > 0.0 {
        row.iter_mut().for_each(|v| *v = V::of(v.get() / norm));
    }
}

/// Takes `step` on every sample.
fn for_each_row(samples: &mut Samples, step: &impl RowStep) {
    fn rows<V: Value, D: Dimension>(x: &mut Array<V, D>, len: usize, step: &impl RowStep) {
        if !x.is_standard_layout() {
            *x = x.as_standard_layout().into_owned();
        }
        let values = x.as_slice_mut().unwrap_or_default();
        values.chunks_exact_mut(len).for_each(|row| step.apply(row));
    }
    let len = samples.row_shape().iter().product::<usize>().max(1);
    match samples {
        Samples::Images(x) => rows(x, len, step),
        Samples::Features(x) => rows(x, len, step),
        // They have a loop of their own, or are normalised when they are decoded.
        Samples::Sparse(_) => {}
        #[cfg(feature = "files")]
        Samples::Pictures(_) => {}
    }
}

fn features<'a>(samples: &'a Samples, step: &str) -> Result<&'a Array2<f64>, DataError> {
    match samples {
        Samples::Features(x) => Ok(x),
        _ => Err(unusable(step, "expected feature vectors (n, d), got images")),
    }
}

/// The channels of images.
fn channels(samples: &Samples, step: &str) -> Result<usize, DataError> {
    match samples.row_shape()[..] {
        [c, _, _] => Ok(c),
        _ => Err(unusable(step, "expected images (n, c, h, w), got features")),
    }
}

fn unusable(step: &str, reason: impl Into<String>) -> DataError {
    DataError::unusable(format!("normalisation {step}"), reason)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, array};
    use proptest::prelude::*;

    use super::*;

    fn apply(normalisation: &Normalisation, x: Array2<f64>) -> Array2<f64> {
        let samples = Samples::Features(x);
        match normalisation.fit(&samples).unwrap().apply(samples).unwrap() {
            Samples::Features(x) => x,
            _ => panic!("features became images"),
        }
    }

    fn photo() -> Samples {
        let pixels = vec![0.0, 1.0, 2.0, 2.0, 0.5, 1.5, 3.0, 5.0, 7.0, 7.0, 1.0, 0.0];
        Samples::Images(Array4::from_shape_vec((2, 3, 1, 2), pixels).unwrap())
    }

    fn message(normalisation: Normalisation, samples: &Samples) -> String {
        normalisation.fit(samples).unwrap_err().to_string()
    }

    #[test]
    fn fixed_ranges_by_hand() {
        let x = array![[0.0, 4.0], [8.0, 16.0]];
        let scale = Normalisation::Scale { divisor: 16.0 };
        assert_eq!(apply(&scale, x.clone()), array![[0.0, 0.25], [0.5, 1.0]]);
        let range = Normalisation::UnitRange { min: -8.0, max: 24.0 };
        assert_eq!(apply(&range, x.clone()), array![[0.25, 0.375], [0.5, 0.75]]);
        assert_eq!(apply(&Normalisation::None, x.clone()), x);
    }

    #[test]
    fn rows_by_hand() {
        let x = array![[3.0, -4.0], [0.0, 0.0]];
        let l1 = apply(&Normalisation::L1Rows, x.clone());
        assert_eq!(l1, array![[3.0 / 7.0, -4.0 / 7.0], [0.0, 0.0]]);
        assert_eq!(apply(&Normalisation::L2Rows, x), array![[0.6, -0.8], [0.0, 0.0]]);
    }

    #[test]
    fn z_scores_by_hand() {
        let x = array![[1.0, 0.1], [3.0, 0.1]];
        let population = Normalisation::ZScore { ddof: 0 };
        assert_eq!(apply(&population, x.clone()), array![[-1.0, 0.0], [1.0, 0.0]]);
        let half = 1.0 / 2f64.sqrt();
        let sample = Normalisation::ZScore { ddof: 1 };
        assert_eq!(apply(&sample, x), array![[-half, 0.0], [half, 0.0]]);
    }

    #[test]
    fn a_fit_is_used_on_other_rows() {
        let train = Samples::Features(array![[1.0, 5.0], [3.0, 5.0]]);
        let fitted = Normalisation::ZScore { ddof: 0 }.fit(&train).unwrap();
        let other = fitted.apply(Samples::Features(array![[4.0, 7.0]])).unwrap();
        assert_eq!(other, Samples::Features(array![[2.0, 2.0]]));
        let wide = fitted.apply(Samples::Features(array![[4.0, 7.0, 1.0]])).unwrap_err();
        assert!(wide.to_string().contains("fitted on 2 features, applied to 3"), "{wide}");
    }

    #[test]
    fn images_by_channel_and_by_image() {
        let stats = Normalisation::channel_stats(&photo()).unwrap();
        let Normalisation::ImageStats { mean, .. } = &stats else { panic!("{stats:?}") };
        assert_eq!(mean, &[2.25, 4.5, 0.75]);
        let normalised = stats.fit(&photo()).unwrap().apply(photo()).unwrap();
        let again = Normalisation::channel_stats(&normalised).unwrap();
        let Normalisation::ImageStats { mean, std } = again else { panic!("{again:?}") };
        assert!(mean.iter().all(|m| m.abs() < 1e-6), "{mean:?}");
        assert!(std.iter().all(|s| (s - 1.0).abs() < 1e-6), "{std:?}");
        let centred = Normalisation::PerImageMean.fit(&photo()).unwrap().apply(photo()).unwrap();
        let Samples::Images(x) = centred else { panic!("images became features") };
        assert!(x.outer_iter().all(|image| image.sum().abs() < 1e-5));
    }

    #[test]
    fn a_sequence_fits_each_step_on_the_last() {
        let x = array![[1.0, 1.0], [3.0, 1.0]];
        let steps = vec![Normalisation::L1Rows, Normalisation::ZScore { ddof: 0 }];
        let by_hand = apply(&steps[1], apply(&steps[0], x.clone()));
        assert_eq!(apply(&Normalisation::Sequence(steps), x), by_hand);
    }

    #[test]
    fn messages_name_the_step() {
        let x = Samples::Features(array![[1.0]]);
        let scale = message(Normalisation::Scale { divisor: 0.0 }, &x);
        assert_eq!(scale, "normalisation scale: divisor = 0: expected finite and not 0");
        let range = message(Normalisation::UnitRange { min: 1.0, max: 1.0 }, &x);
        assert!(range.contains("min = 1, max = 1: expected finite, min below max"), "{range}");
        let rows = message(Normalisation::ZScore { ddof: 1 }, &x);
        assert!(rows.contains("1 rows with ddof = 1: expected more"), "{rows}");
        assert!(message(Normalisation::ZScore { ddof: 2 }, &x).contains("expected 0 or 1"));
        assert!(message(Normalisation::ZScore { ddof: 0 }, &photo()).contains("got images"));
        assert!(message(Normalisation::PerImageMean, &x).contains("got features"));
        let stats = |mean: &[f32], std: &[f32]| {
            let stats = Normalisation::ImageStats { mean: mean.to_vec(), std: std.to_vec() };
            message(stats, &photo())
        };
        assert!(
            stats(&[0.5], &[0.5]).contains("1 means and 1 deviations for images of 3 channels")
        );
        assert!(stats(&[0.5; 3], &[0.5, 0.0, 0.5]).contains("channel 1: mean 0.5, deviation 0"));
    }

    #[test]
    fn choices_and_fits_are_text() {
        let choice =
            Normalisation::Sequence(vec![Normalisation::L1Rows, Normalisation::ZScore { ddof: 0 }]);
        let text = serde_json::to_string(&choice).unwrap();
        assert_eq!(text, r#"{"sequence":["l1_rows",{"z_score":{"ddof":0}}]}"#);
        assert_eq!(serde_json::from_str::<Normalisation>(&text).unwrap(), choice);
        let fitted = choice.fit(&Samples::Features(array![[0.3, 0.1], [0.2, 0.9]])).unwrap();
        let text = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Fitted>(&text).unwrap(), fitted);
        assert!(serde_json::from_str::<Normalisation>(r#"{"z_score":{"dof":1}}"#).is_err());
    }

    proptest! {
        #[test]
        fn z_scores_have_mean_0_and_variance_1(
            values in prop::collection::vec(-100f64..100.0, 4..40), ddof in 0u8..2,
        ) {
            let x = Array2::from_shape_vec((values.len() / 2, 2), values[..values.len() / 2 * 2].to_vec());
            let z = apply(&Normalisation::ZScore { ddof }, x.unwrap());
            for column in z.columns() {
                let mean = column.mean().unwrap();
                let variance = column.map(|v| (v - mean).powi(2)).sum() / (z.nrows() - usize::from(ddof)) as f64;
                prop_assert!(mean.abs() < 1e-4);
                prop_assert!((variance - 1.0).abs() < 1e-3 || column.iter().all(|&v| v == 0.0));
            }
        }

        #[test]
        fn rows_have_unit_norm(values in prop::collection::vec(-100f64..100.0, 3..30)) {
            prop_assume!(values.iter().all(|v| v.abs() > 1e-3));
            let x = Array2::from_shape_vec((values.len() / 3, 3), values[..values.len() / 3 * 3].to_vec());
            let x = x.unwrap();
            for row in apply(&Normalisation::L1Rows, x.clone()).rows() {
                prop_assert!((row.map(|v| v.abs()).sum() - 1.0).abs() < 1e-5);
            }
            for row in apply(&Normalisation::L2Rows, x).rows() {
                prop_assert!((row.dot(&row) - 1.0).abs() < 1e-5);
            }
        }

        #[test]
        fn memory_order_does_not_matter(values in prop::collection::vec(-9f64..9.0, 12)) {
            let x = Array2::from_shape_vec((3, 4), values).unwrap();
            let turned = x.t().as_standard_layout().into_owned().reversed_axes();
            for n in [Normalisation::ZScore { ddof: 1 }, Normalisation::L2Rows] {
                prop_assert_eq!(apply(&n, turned.clone()), apply(&n, x.clone()));
            }
        }
    }
}
