//! t-SNE in two dimensions, the same bits for the same points.
//!
//! van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", JMLR 2014, by crate bhtsne;
//! started from the two leading principal components (Kobak & Berens, "The art of using t-SNE for
//! single-cell transcriptomics", Nature Communications 2019).

use anyhow::Context;
use bhtsne::tSNE;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PERPLEXITY: f32 = 30.0;
const EPOCHS: usize = 750;
/// Barnes–Hut's θ.
const THETA: f32 = 0.5;
/// The standard deviation of the start along the first component.
const START: f32 = 1e-2;
/// The greatest shift of a starting point: the tree of the Barnes–Hut method needs distinct points.
const JITTER: f32 = 1e-4;

/// The least number of points that can be embedded.
pub(crate) const LEAST_POINTS: usize = 12;

/// Points `(n, d)`, finite, n ≥ [`LEAST_POINTS`] → `(n, 2)`.
pub(crate) fn tsne(points: ArrayView2<'_, f32>) -> anyhow::Result<Array2<f32>> {
    let n = points.nrows();
    anyhow::ensure!(n >= LEAST_POINTS, "t-SNE needs {LEAST_POINTS} points, there are {n}");
    // Perplexity makes t-SNE ignore the scale, and squares of large numbers would overflow.
    let greatest = points.fold(0.0, |a: f32, x| a.max(x.abs()));
    let points = if greatest > 0.0 { points.mapv(|x| x / greatest) } else { points.to_owned() };
    let points = points.as_standard_layout();
    let rows: Vec<&[f32]> = points.rows().into_iter().filter_map(|row| row.to_slice()).collect();
    let start = start(points.view());
    // One thread: sums over several would end in another order from run to run.
    let embed = || {
        tSNE::<f32, &[f32], 2>::new(&rows)
            .perplexity(PERPLEXITY.min((n - 1) as f32 / 3.0 - 1.0))
            .epochs(EPOCHS)
            .initial_embedding(start.iter().copied().collect::<Vec<_>>())
            .barnes_hut(THETA, |a, b| {
                a.iter().zip(*b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
            })
            .embedding()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let embedded: Vec<f32> = pool.install(embed);
    Array2::from_shape_vec((n, 2), embedded).context("t-SNE lost points")
}

/// The projection on the two leading principal components, scaled down to [`START`].
fn start(points: ArrayView2<'_, f32>) -> Array2<f32> {
    let x = points.mapv(f64::from);
    let centred = match x.mean_axis(Axis(0)) {
        Some(mean) => x - mean,
        None => x,
    };
    let first = leading(&centred, None);
    let second = leading(&centred, Some(&first));
    let mut start = Array2::zeros((points.nrows(), 2));
    for (i, direction) in [first, second].iter().enumerate() {
        start.column_mut(i).assign(&centred.dot(direction).mapv(|x| x as f32));
    }
    let n = points.nrows() as f32;
    let scale = (start.column(0).mapv(|x| x * x).sum() / n).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let factor = if scale > 0.0 { START / scale } else { 0.0 };
    start.mapv(|x| x * factor + rng.gen_range(-JITTER..JITTER))
}

/// The leading eigenvector of XᵀX, orthogonal to `other`, by power iteration.
fn leading(x: &Array2<f64>, other: Option<&Array1<f64>>) -> Array1<f64> {
    // Any start that is not orthogonal to the answer will do; unequal entries make that unlikely.
    let mut v = Array1::from_shape_fn(x.ncols(), |i| 1.0 + (i as f64).sin());
    for _ in 0..100 {
        v = x.t().dot(&x.dot(&v));
        if let Some(other) = other {
            let along = v.dot(other);
            v.scaled_add(-along, other);
        }
        let norm = v.dot(&v).sqrt();
        if norm <= f64::MIN_POSITIVE {
            return Array1::zeros(x.ncols());
        }
        v /= norm;
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds of 40 points in 5 dimensions, 10 apart.
    fn clouds() -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        Array2::from_shape_fn((80, 5), |(i, _)| {
            rng.gen_range(-0.5..0.5) + if i < 40 { 0.0 } else { 10.0 }
        })
    }

    #[test]
    fn clouds_stay_apart() {
        let y = tsne(clouds().view()).unwrap();
        let centre = |rows: std::ops::Range<usize>| {
            y.slice(ndarray::s![rows, ..]).mean_axis(Axis(0)).unwrap()
        };
        let centres = [centre(0..40), centre(40..80)];
        let distance = |i: usize, c: &Array1<f32>| (&y.row(i) - c).mapv(|x| x * x).sum();
        for i in 0..80 {
            let own = usize::from(i >= 40);
            assert!(distance(i, &centres[own]) < distance(i, &centres[1 - own]), "point {i}");
        }
    }

    #[test]
    fn the_same_points_give_the_same_bits() {
        let first = tsne(clouds().view()).unwrap();
        assert_eq!(tsne(clouds().view()).unwrap(), first);
    }

    #[test]
    fn the_start_is_along_the_principal_components() {
        let x = Array2::from_shape_fn((20, 3), |(i, j)| {
            let t = i as f32 - 9.5;
            [3.0 * t, if i % 2 == 0 { 1.0 } else { -1.0 }, 0.0][j]
        });
        let first = leading(&x.mapv(f64::from), None);
        assert!(first[0].abs() > 0.999);
        let second = leading(&x.mapv(f64::from), Some(&first));
        assert!(second[1].abs() > 0.999);
    }

    #[test]
    fn odd_points_are_no_panic() {
        assert!(tsne(Array2::zeros((5, 2)).view()).is_err());
        let equal = Array2::ones((LEAST_POINTS, 2));
        let dead =
            Array2::from_shape_fn((60, 3), |(i, j)| if i < 40 { 0.0 } else { (i * j) as f32 });
        let huge = clouds() * 1e37;
        for points in [equal, dead, huge] {
            let y = tsne(points.view()).unwrap();
            assert_eq!(y.dim(), (points.nrows(), 2));
            assert!(y.iter().all(|x| x.is_finite()));
        }
    }
}
