//! The leading eigenpairs of a symmetric operator that is known by its products alone.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use rand::Rng as _;
use transduct_core::{Stream, rng};

use super::linalg::{self, dot};
use crate::{
    error::Result,
    progress::{Residual, report},
};

/// Columns beyond those asked for, which make the last of these converge.
const SURPLUS: usize = 10;
/// Blocks of a basis before it is condensed to its best vectors.
const BLOCKS: usize = 4;
/// Condensations before giving up.
const CYCLES: usize = 40;

/// What [`leading`] found.
#[derive(Clone, Debug)]
pub struct Leading {
    /// θ₁ ≥ … ≥ θ_k.
    pub values: Array1<f64>,
    /// Orthonormal columns, `(m, k)`.
    pub vectors: Array2<f64>,
    /// Products with the operator, each of a block.
    pub products: usize,
    /// max_j ‖A v_j − θ_j v_j‖ / θ₁.
    pub residual: f64,
}

/// Whether [`leading`] is worth while for k of m pairs: below that its basis is as large as the
/// problem, and a dense decomposition is faster.
pub fn worth_while(m: usize, k: usize) -> bool {
    m > 2 * BLOCKS * (k + SURPLUS)
}

/// The k largest eigenvalues, and their vectors, of a symmetric positive semi-definite A `(m, m)`,
/// by block Lanczos with full reorthogonalisation, restarted from the best vectors (Golub &
/// Underwood, "The Block Lanczos Method for Computing Eigenvalues", 1977).
///
/// `apply` gives A V for V `(m, b)`; `start` `(m, any)` are guesses of the vectors. Ends when the
/// residual is at most `tolerance`, or after 40 restarts with what there is.
///
/// # Errors
/// [`crate::error::Error::Numerical`] when a small eigenproblem fails.
///
/// # Panics
/// Unless [`worth_while`] for m and k ≥ 1.
pub fn leading(
    m: usize,
    k: usize,
    apply: impl Fn(&Array2<f64>) -> Array2<f64>,
    start: Option<&Array2<f64>>,
    tolerance: f64,
) -> Result<Leading> {
    assert!(k >= 1 && worth_while(m, k), "{k} of {m} eigenpairs");
    let mut block = linalg::orthonormal(&first_block(m, k + SURPLUS, start));
    let mut products = 0;
    for cycle in 1.. {
        let mut basis = Array2::zeros((m, 0));
        let mut images = Array2::zeros((m, 0));
        for depth in 1..=BLOCKS {
            let image = apply(&block);
            products += 1;
            append(&mut basis, &block);
            append(&mut images, &image);
            let ritz = Ritz::of(&basis, &images, k + SURPLUS)?;
            let residual = ritz.residual(k);
            let last = depth == BLOCKS;
            let now = Residual { now: residual, wanted: tolerance };
            report("block Lanczos", products, Some(BLOCKS * CYCLES), Some(now));
            if residual <= tolerance || (last && cycle == CYCLES) {
                let values = ritz.values.slice(s![..k]).to_owned();
                let vectors = ritz.vectors.slice(s![.., ..k]).to_owned();
                return Ok(Leading { values, vectors, products, residual });
            }
            block = match last {
                true => ritz.vectors,
                false => continued(&basis, image),
            };
        }
    }
    unreachable!("the last cycle returns")
}

/// The guesses, filled up with noise.
fn first_block(m: usize, columns: usize, start: Option<&Array2<f64>>) -> Array2<f64> {
    let mut rng = rng(0, Stream::Init);
    let mut block = Array2::from_shape_simple_fn((m, columns), || rng.gen_range(-1.0..1.0));
    if let Some(start) = start {
        let given = start.ncols().min(columns);
        block.slice_mut(s![.., ..given]).assign(&start.slice(s![.., ..given]));
    }
    block
}

/// Orthonormal columns of the image that are orthogonal to the basis; twice, since once leaves
/// rounding behind.
fn continued(basis: &Array2<f64>, image: Array2<f64>) -> Array2<f64> {
    let project = |block: Array2<f64>| {
        let inside = dot(basis, &dot(&basis.t(), &block));
        linalg::orthonormal(&(block - inside))
    };
    project(project(image))
}

fn append(to: &mut Array2<f64>, block: &Array2<f64>) {
    // Both have m rows.
    *to = concatenate(Axis(1), &[to.view(), block.view()]).unwrap_or_default();
}

/// The best approximations in the span of a basis, largest first.
struct Ritz {
    values: Array1<f64>,
    vectors: Array2<f64>,
    images: Array2<f64>,
}

impl Ritz {
    fn of(basis: &Array2<f64>, images: &Array2<f64>, count: usize) -> Result<Self> {
        let mut small = dot(&basis.t(), images);
        linalg::symmetrise(&mut small);
        let eigen = linalg::eigh(&small)?;
        let best = eigen.vectors.slice(s![.., ..;-1]);
        let best = best.slice(s![.., ..count]);
        Ok(Self {
            values: eigen.values.slice(s![..;-1]).slice(s![..count]).to_owned(),
            vectors: dot(basis, &best),
            images: dot(images, &best),
        })
    }

    fn residual(&self, k: usize) -> f64 {
        let gap = &self.images - &(&self.vectors * &self.values);
        let worst = gap
            .columns()
            .into_iter()
            .take(k)
            .fold(0.0, |worst: f64, column| worst.max(column.dot(&column).sqrt()));
        worst / self.values[0].max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// Orthonormal columns and these eigenvalues.
    fn with_spectrum(values: &Array1<f64>) -> Array2<f64> {
        let m = values.len();
        let noise = first_block(m, m, None);
        let q = linalg::orthonormal(&noise);
        dot(&(&q * values), &q.t())
    }

    fn check(values: Array1<f64>, k: usize) {
        let a = with_spectrum(&values);
        let found = leading(a.nrows(), k, |v| dot(&a, v), None, 1e-11).unwrap();
        assert!(found.residual <= 1e-11, "{found:?}");
        let scale = values[0];
        assert_abs_diff_eq!(found.values, values.slice(s![..k]), epsilon = 1e-10 * scale);
        let unit = dot(&found.vectors.t(), &found.vectors);
        assert_abs_diff_eq!(unit, Array2::eye(k), epsilon = 1e-10);
    }

    #[test]
    fn spectra_that_fall_fast_slowly_and_in_steps() {
        check(Array1::from_shape_fn(150, |i| 0.5f64.powi(i as i32)), 5);
        check(Array1::from_shape_fn(150, |i| 1.0 / (1.0 + i as f64)), 5);
        check(Array1::from_shape_fn(150, |i| if i < 7 { 2.0 } else { 1.0 }), 4);
    }

    #[test]
    fn a_rank_below_the_number_asked_for() {
        check(Array1::from_shape_fn(150, |i| if i < 2 { 3.0 } else { 0.0 }), 6);
    }

    #[test]
    fn a_good_start_saves_products() {
        let a = with_spectrum(&Array1::from_shape_fn(150, |i| 1.0 / (1.0 + i as f64)));
        let find = |start| leading(150, 5, |v| dot(&a, v), start, 1e-9).unwrap();
        let first = find(None);
        let again = find(Some(&first.vectors));
        assert!(again.products < first.products, "{} {}", again.products, first.products);
        assert_abs_diff_eq!(again.values, first.values, epsilon = 1e-9);
    }
}
