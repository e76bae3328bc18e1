//! Products and decompositions, by faer. Matrices are ndarray's; faer sees their memory, whatever
//! its layout, without a copy.
//!
//! Products and the Cholesky decomposition run in fixed blocks of rows on all threads, the other
//! decompositions on one: on the sizes that matter here more threads gained nothing. Either way the
//! bits do not depend on the machine's number of threads.

use std::ops::Range;

use faer::{
    MatMut, MatRef, Par, Side,
    linalg::{matmul, solvers, triangular_solve},
    prelude::Solve,
};
use ndarray::{
    Array1, Array2, ArrayBase, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, Data,
    Ix2, Zip, linalg::general_mat_vec_mul, s,
};

use super::parallel;
use crate::error::{Error, Result};

/// Rows of a product that are computed together.
const BLOCK: usize = 256;

/// The memory of `a` as faer sees it.
pub(crate) fn as_faer<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> MatRef<'_, f64> {
    let (rows, columns) = a.dim();
    let strides = a.strides();
    // SAFETY: pointer, shape and strides are those of a live array that `a` borrows for as long as
    // the result lives; both libraries count strides in elements and allow negative ones.
    unsafe { MatRef::from_raw_parts(a.as_ptr(), rows, columns, strides[0], strides[1]) }
}

fn as_faer_mut<'a>(a: &'a mut ArrayViewMut2<'_, f64>) -> MatMut<'a, f64> {
    let (rows, columns) = a.dim();
    let (row, column) = (a.strides()[0], a.strides()[1]);
    // SAFETY: as in `as_faer`, and the borrow is exclusive.
    unsafe { MatMut::from_raw_parts_mut(a.as_mut_ptr(), rows, columns, row, column) }
}

/// A copy of faer's matrix.
pub(crate) fn from_faer(a: MatRef<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), a.ncols()), |(i, j)| a[(i, j)])
}

/// A B: `(n, k)`, `(k, m)` → `(n, m)`. Views of any layout; `a.t()` costs nothing.
///
/// # Panics
/// If the inner sizes differ.
pub fn dot<S: Data<Elem = f64>, T: Data<Elem = f64>>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Array2<f64> {
    let (a, b) = (a.view(), b.view());
    assert_eq!(a.ncols(), b.nrows(), "inner sizes of a product");
    by_blocks((a.nrows(), b.ncols()), |rows, out| {
        multiply_into(out, a.slice(s![rows, ..]), b);
    })
}

/// (X − 1cᵀ) B + 1oᵀ: `(n, k)`, `(k,)`, `(k, m)`, `(m,)` → `(n, m)`.
///
/// # Panics
/// If sizes do not fit.
pub fn affine(
    x: ArrayView2<'_, f64>,
    c: ArrayView1<'_, f64>,
    b: ArrayView2<'_, f64>,
    o: ArrayView1<'_, f64>,
) -> Array2<f64> {
    assert_eq!(x.ncols(), b.nrows(), "inner sizes of a product");
    let zero = |v: ArrayView1<'_, f64>| v.iter().all(|&v| v == 0.0);
    let (stays, no_offset) = (zero(c), zero(o));
    by_blocks((x.nrows(), b.ncols()), |rows, mut out| {
        let rows = x.slice(s![rows, ..]);
        match stays {
            true => multiply_into(out.view_mut(), rows, b),
            false => multiply_into(out.view_mut(), (&rows - &c).view(), b),
        }
        if !no_offset {
            out += &o;
        }
    })
}

/// A matrix of this shape whose blocks of rows are filled on all threads.
fn by_blocks(
    (n, m): (usize, usize),
    fill: impl Fn(Range<usize>, ArrayViewMut2<'_, f64>) + Sync + Send,
) -> Array2<f64> {
    let mut out = Array2::zeros((n, m));
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), BLOCK * m, |i, piece| {
        let rows = piece.len() / m.max(1);
        let Ok(piece) = ArrayViewMut2::from_shape((rows, m), piece) else { return };
        fill(i * BLOCK..i * BLOCK + rows, piece);
    });
    out
}

fn multiply_into(mut out: ArrayViewMut2<'_, f64>, a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) {
    let (out, accum) = (as_faer_mut(&mut out), faer::Accum::Replace);
    matmul::matmul(out, accum, as_faer(&a), as_faer(&b), 1.0, Par::Seq);
}

/// A x: `(n, k)`, `(k,)` → `(n,)`.
pub fn dot_vector(a: ArrayView2<'_, f64>, x: ArrayView1<'_, f64>) -> Array1<f64> {
    let mut out = Array1::zeros(a.nrows());
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), BLOCK, |i, piece| {
        let rows = a.slice(s![i * BLOCK..i * BLOCK + piece.len(), ..]);
        general_mat_vec_mul(1.0, &rows, &x, 0.0, &mut ArrayViewMut1::from(piece));
    });
    out
}

/// AᵀA of A `(n, d)`, symmetric to the last bit: half of the products are computed.
pub fn self_dot<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Array2<f64> {
    let mut out = Array2::zeros((a.ncols(), a.ncols()));
    add_self_dot(&mut out, a.view());
    mirror(&mut out);
    out
}

/// (X − 1cᵀ)ᵀ(X − 1cᵀ) of X `(n, d)`, c `(d,)`, symmetric to the last bit. Rows are moved a few at a
/// time: nothing as large as X is made.
pub fn scatter(x: ArrayView2<'_, f64>, c: ArrayView1<'_, f64>) -> Array2<f64> {
    /// Rows that are moved together: enough for a product to be fast.
    const ROWS: usize = 1024;
    let (n, d) = x.dim();
    let mut out = Array2::zeros((d, d));
    let mut moved = Array2::zeros((n.min(ROWS), d));
    for start in (0..n).step_by(ROWS) {
        let rows = x.slice(s![start..n.min(start + ROWS), ..]);
        let filled = &mut moved.as_slice_mut().unwrap_or_default()[..rows.len()];
        parallel::for_each_piece(filled, BLOCK * d, |i, piece| {
            for (piece, row) in piece.chunks_mut(d).zip(rows.slice(s![i * BLOCK.., ..]).rows()) {
                Zip::from(piece).and(row).and(c).for_each(|to, x, c| *to = x - c);
            }
        });
        add_self_dot(&mut out, moved.slice(s![..rows.nrows(), ..]));
    }
    mirror(&mut out);
    out
}

/// Adds AᵀA to the lower triangle of `out`.
fn add_self_dot(out: &mut Array2<f64>, a: ArrayView2<'_, f64>) {
    /// Columns of A whose products are computed together.
    const STRIP: usize = 64;
    let d = a.ncols();
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), STRIP * d, |i, piece| {
        let rows = piece.len() / d.max(1);
        let columns = i * STRIP + rows;
        let left = a.slice(s![.., i * STRIP..columns]).reversed_axes();
        let right = a.slice(s![.., ..columns]);
        let Ok(mut piece) = ArrayViewMut2::from_shape((rows, d), piece) else { return };
        let mut lower = piece.slice_mut(s![.., ..columns]);
        let out = as_faer_mut(&mut lower);
        matmul::matmul(out, faer::Accum::Add, as_faer(&left), as_faer(&right), 1.0, Par::Seq);
    });
}

/// The lower triangle becomes the upper one.
fn mirror(a: &mut Array2<f64>) {
    for i in 0..a.nrows() {
        for j in 0..i {
            a[(j, i)] = a[(i, j)];
        }
    }
}

/// Eigenvalues in ascending order `(n,)` and orthonormal eigenvectors as columns `(n, n)`.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// λ₁ ≤ … ≤ λ_n.
    pub values: Array1<f64>,
    /// Column j belongs to λ_j; its component of largest magnitude is positive.
    pub vectors: Array2<f64>,
}

/// A = V diag(λ) Vᵀ of a symmetric matrix; its lower triangle is read.
///
/// # Errors
/// [`Error::Numerical`] if the iteration fails.
pub fn eigh<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Eigen> {
    let eigen = solvers::SelfAdjointEigen::new(as_faer(a), Side::Lower)
        .map_err(|e| numerical("symmetric eigendecomposition", format!("{e:?}")))?;
    let values = eigen.S().column_vector().iter().copied().collect();
    let mut vectors = from_faer(eigen.U());
    fix_signs(&mut vectors);
    Ok(Eigen { values, vectors })
}

/// A v = λ B v of symmetric A and symmetric positive definite B, with VᵀBV = I.
///
/// By B = L Lᵀ: the symmetric problem of L⁻¹ A L⁻ᵀ, and V = L⁻ᵀ W.
///
/// # Errors
/// [`Error::Numerical`] if B is not positive definite or the iteration fails.
pub fn eigh_generalised<S: Data<Elem = f64>, T: Data<Elem = f64>>(
    a: &ArrayBase<S, Ix2>,
    b: &ArrayBase<T, Ix2>,
) -> Result<Eigen> {
    let llt = Cholesky::new(b)?;
    // C = L⁻¹ A L⁻ᵀ: half-way is X = L⁻¹ A, then C = L⁻¹ Xᵀ, since A is symmetric.
    let half = llt.solve_lower(&a.view());
    let mut c = llt.solve_lower(&half.t());
    symmetrise(&mut c);
    let Eigen { values, vectors } = eigh(&c)?;
    let mut vectors = llt.solve_lower_transposed(&vectors);
    fix_signs(&mut vectors);
    Ok(Eigen { values, vectors })
}

/// The thin decomposition A = U diag(σ) Vᵀ, with r = min(n, d).
#[derive(Clone, Debug)]
pub struct Svd {
    /// `(n, r)`.
    pub u: Array2<f64>,
    /// σ₁ ≥ … ≥ σ_r ≥ 0.
    pub singular: Array1<f64>,
    /// `(d, r)`, whose columns' components of largest magnitude are positive.
    pub v: Array2<f64>,
}

/// A = U diag(σ) Vᵀ, thin.
///
/// # Errors
/// [`Error::Numerical`] if the iteration fails.
pub fn svd<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Svd> {
    let svd = solvers::Svd::new_thin(as_faer(a))
        .map_err(|e| numerical("singular value decomposition", format!("{e:?}")))?;
    let (mut u, mut v) = (from_faer(svd.U()), from_faer(svd.V()));
    for (mut left, mut right) in u.columns_mut().into_iter().zip(v.columns_mut()) {
        if leading(right.view()) < 0.0 {
            left.mapv_inplace(|x| -x);
            right.mapv_inplace(|x| -x);
        }
    }
    Ok(Svd { u, singular: svd.S().column_vector().iter().copied().collect(), v })
}

/// Orthonormal columns that span those of A `(n, m ≤ n)`, by Householder reflections: `(n, m)`.
/// Where columns of A depend on each other, the surplus columns are any that complete the others.
pub fn orthonormal<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Array2<f64> {
    from_faer(solvers::Qr::new(as_faer(a)).compute_thin_Q().as_ref())
}

/// B = L Lᵀ of a symmetric positive definite matrix; its lower triangle is read.
pub struct Cholesky(Array2<f64>);

impl Cholesky {
    /// Decomposes.
    ///
    /// # Errors
    /// [`Error::Numerical`] if B is not positive definite.
    pub fn new<S: Data<Elem = f64>>(b: &ArrayBase<S, Ix2>) -> Result<Self> {
        Self::in_place(b.as_standard_layout().into_owned())
    }

    /// The same in the memory of B, which is in standard layout.
    ///
    /// Strip after strip of columns: what is left of it takes the products with the finished strips
    /// before it, on all threads, and its top square a decomposition on one.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(crate) fn in_place(mut b: Array2<f64>) -> Result<Self> {
        /// Columns of a strip, and rows of it that are computed together.
        const STRIP: usize = 128;
        let n = b.ncols();
        for start in (0..n).step_by(STRIP) {
            let end = n.min(start + STRIP);
            let done = b.slice(s![start..end, ..start]).to_owned();
            let mut top = b.slice_mut(s![start..end, start..end]);
            subtract_product(&mut top, done.view(), done.view());
            let llt = solvers::Llt::new(as_faer(&top), Side::Lower).map_err(|_| {
                numerical("Cholesky decomposition", "the matrix is not positive definite")
            })?;
            top.assign(&from_faer(llt.L()));
            let below = &mut b.as_slice_mut().unwrap_or_default()[end * n..];
            parallel::for_each_piece(below, STRIP * n, |_, rows| {
                let shape = (rows.len() / n, n);
                let Ok(rows) = ArrayViewMut2::from_shape(shape, rows) else { return };
                let (before, mut rest) = rows.split_at(Axis(1), start);
                let mut strip = rest.slice_mut(s![.., ..end - start]);
                subtract_product(&mut strip, before.view(), done.view());
                // The strip's rows are the solutions of X L_kkᵀ = strip.
                triangular_solve::solve_lower_triangular_in_place(
                    llt.L(),
                    as_faer_mut(&mut strip).transpose_mut(),
                    Par::Seq,
                );
            });
        }
        Ok(Self(b))
    }

    /// B⁻¹ A: `(n, m)` → `(n, m)`.
    pub fn solve<S: Data<Elem = f64>>(&self, a: &ArrayBase<S, Ix2>) -> Array2<f64> {
        self.solve_lower_transposed(&self.solve_lower(a))
    }

    /// B⁻¹ b: `(n,)` → `(n,)`.
    pub fn solve_vector(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        self.solve(&b.insert_axis(Axis(1))).remove_axis(Axis(1))
    }

    /// L⁻¹ A.
    pub fn solve_lower<S: Data<Elem = f64>>(&self, a: &ArrayBase<S, Ix2>) -> Array2<f64> {
        let mut x = as_faer(a).to_owned();
        let lower = as_faer(&self.0);
        triangular_solve::solve_lower_triangular_in_place(lower, x.as_mut(), Par::Seq);
        from_faer(x.as_ref())
    }

    /// L⁻ᵀ A.
    pub fn solve_lower_transposed<S: Data<Elem = f64>>(
        &self,
        a: &ArrayBase<S, Ix2>,
    ) -> Array2<f64> {
        let mut x = as_faer(a).to_owned();
        let upper = as_faer(&self.0).transpose();
        triangular_solve::solve_upper_triangular_in_place(upper, x.as_mut(), Par::Seq);
        from_faer(x.as_ref())
    }
}

/// C ← C − A Bᵀ.
fn subtract_product(
    c: &mut ArrayViewMut2<'_, f64>,
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
) {
    let (c, right) = (as_faer_mut(c), as_faer(&b).transpose());
    matmul::matmul(c, faer::Accum::Add, as_faer(&a), right, -1.0, Par::Seq);
}

/// P B = L U of a square matrix, with row exchanges.
pub struct Lu(solvers::PartialPivLu<f64>);

impl Lu {
    /// Decomposes.
    pub fn new<S: Data<Elem = f64>>(b: &ArrayBase<S, Ix2>) -> Self {
        Self(solvers::PartialPivLu::new(as_faer(b)))
    }

    /// B⁻¹ A: `(n, m)` → `(n, m)`.
    ///
    /// # Errors
    /// [`Error::Numerical`] if B is singular.
    pub fn solve<S: Data<Elem = f64>>(&self, a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        let x = from_faer(self.0.solve(as_faer(a)).as_ref());
        match x.iter().all(|v| v.is_finite()) {
            true => Ok(x),
            false => Err(numerical("solution of a linear system", "the matrix is singular")),
        }
    }
}

/// f(A) = V diag(f(λ)) Vᵀ of a symmetric matrix.
///
/// # Errors
/// Those of [`eigh`].
pub fn symmetric_function<S: Data<Elem = f64>>(
    a: &ArrayBase<S, Ix2>,
    f: impl Fn(f64) -> f64,
) -> Result<Array2<f64>> {
    let Eigen { values, vectors } = eigh(a)?;
    let scaled = &vectors * &values.mapv(f);
    Ok(dot(&scaled, &vectors.t()))
}

/// A^½ of a symmetric positive semi-definite matrix; eigenvalues below 0 count as rounding.
///
/// # Errors
/// Those of [`eigh`].
#[cfg(test)]
pub(crate) fn sqrt<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
    symmetric_function(a, |v| v.max(0.0).sqrt())
}

/// (A⁺)^½ of a symmetric positive semi-definite matrix: A^(−½) on the directions whose eigenvalues
/// are above d ε λ_max, 0 on the others.
///
/// # Errors
/// Those of [`eigh`].
#[cfg(test)]
pub(crate) fn inverse_sqrt<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
    let Eigen { values, vectors } = eigh(a)?;
    let largest = values.iter().copied().fold(0.0, f64::max);
    let rounding = largest * a.nrows() as f64 * f64::EPSILON;
    let scales = values.mapv(|v| if v > rounding { v.sqrt().recip() } else { 0.0 });
    Ok(dot(&(&vectors * &scales), &vectors.t()))
}

/// (A + Aᵀ) / 2 in place.
pub fn symmetrise(a: &mut Array2<f64>) {
    for i in 0..a.nrows() {
        for j in 0..i {
            let mean = f64::midpoint(a[(i, j)], a[(j, i)]);
            (a[(i, j)], a[(j, i)]) = (mean, mean);
        }
    }
}

/// ‖A‖_F.
pub fn frobenius(a: ArrayView2<'_, f64>) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The column of an eigenvector is free up to its sign: this one is the same on every machine.
pub(crate) fn fix_signs(vectors: &mut Array2<f64>) {
    for mut column in vectors.columns_mut() {
        if leading(column.view()) < 0.0 {
            column.mapv_inplace(|x| -x);
        }
    }
}

/// The component of largest magnitude, the first of equal ones.
fn leading(column: ArrayView1<'_, f64>) -> f64 {
    column.fold(0.0, |best: f64, &x| if x.abs() > best.abs() { x } else { best })
}

fn numerical(what: &'static str, reason: impl Into<String>) -> Error {
    Error::Numerical { what, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn matrix(n: usize, d: usize) -> impl Strategy<Value = Array2<f64>> {
        prop::collection::vec(-1.0..1.0f64, n * d)
            .prop_map(move |v| Array2::from_shape_vec((n, d), v).unwrap())
    }

    #[test]
    fn products_of_views_of_any_layout() {
        let a = Array2::from_shape_fn((600, 7), |(i, j)| (i * 7 + j) as f64 % 11.0 - 5.0);
        let b = Array2::from_shape_fn((7, 5), |(i, j)| (i + 3 * j) as f64 % 5.0 - 2.0);
        assert_abs_diff_eq!(dot(&a, &b), a.dot(&b), epsilon = 1e-12);
        let (rows, columns) = (a.slice(s![..;-2, ..]), b.slice(s![.., ..;2]));
        assert_abs_diff_eq!(dot(&rows, &columns), rows.dot(&columns), epsilon = 1e-12);
        assert_abs_diff_eq!(dot(&b.t(), &a.t()), b.t().dot(&a.t()), epsilon = 1e-12);
        assert_eq!(dot(&Array2::zeros((0, 3)), &Array2::zeros((3, 2))).dim(), (0, 2));
        let wide = Array2::from_shape_fn((5, 150), |(i, j)| (i * 7 + j * 3) as f64 % 11.0 - 5.0);
        for x in [a.view(), wide.view(), rows, wide.slice(s![.., ..;-1])] {
            assert_abs_diff_eq!(self_dot(&x), x.t().dot(&x), epsilon = 1e-11);
        }
        // More rows than are moved together, in both layouts.
        let tall = Array2::from_shape_fn((1500, 5), |(i, j)| ((i * 5 + j) % 11) as f64 + 1e3);
        let (c, o) = (array![1e3, 1001.0, 999.0, 1e3, 1e3], array![1.0, -2.0]);
        let moved = &tall - &c;
        let columns = tall.t().as_standard_layout().into_owned().reversed_axes();
        let (b, zero) = (columns.slice(s![7..12, ..2]), Array1::zeros(5));
        for x in [tall.view(), columns.view()] {
            assert_eq!(scatter(x, c.view()), moved.t().dot(&moved));
            let by_hand = moved.dot(&b) + &o;
            assert_abs_diff_eq!(affine(x, c.view(), b, o.view()), by_hand, epsilon = 1e-9);
            let linear = affine(x, zero.view(), b, o.mapv(|_| 0.0).view());
            assert_abs_diff_eq!(linear, tall.dot(&b), epsilon = 1e-7);
        }
    }

    #[test]
    fn eigenpairs_by_hand() {
        let Eigen { values, vectors } = eigh(&array![[2.0, 1.0], [1.0, 2.0]]).unwrap();
        assert_abs_diff_eq!(values, array![1.0, 3.0], epsilon = 1e-14);
        let h = 0.5f64.sqrt();
        assert_abs_diff_eq!(vectors.column(1).to_owned(), array![h, h], epsilon = 1e-14);
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_an_error() {
        assert!(Cholesky::new(&array![[1.0, 2.0], [2.0, 1.0]]).is_err());
        assert!(eigh_generalised(&array![[1.0]], &array![[-1.0]]).is_err());
        assert!(Lu::new(&array![[0.0, 0.0], [1.0, 2.0]]).solve(&array![[1.0], [1.0]]).is_err());
    }

    #[test]
    fn cholesky_by_strips_of_columns() {
        // More than two strips, the last one narrow; a view in the other layout.
        let x = Array2::from_shape_fn((300, 310), |(i, j)| ((i * j * 7 + i) % 13) as f64 - 6.0);
        let b = dot(&x, &x.t()) + Array2::<f64>::eye(300);
        let cholesky = Cholesky::new(&b.t()).unwrap();
        let (l, right) = (cholesky.solve_lower(&b), Array2::from_elem((300, 2), 1.0));
        // L⁻¹ B = Lᵀ.
        assert_abs_diff_eq!(dot(&l.t(), &l), b, epsilon = 1e-8);
        assert_abs_diff_eq!(dot(&b, &cholesky.solve(&right)), right, epsilon = 1e-9);
        let mut indefinite = b;
        indefinite[(299, 299)] = -1.0;
        assert!(Cholesky::new(&indefinite).is_err());
    }

    proptest! {
        #[test]
        fn a_symmetric_matrix_is_its_eigenpairs(x in matrix(6, 6)) {
            let a = &x + &x.t();
            let Eigen { values, vectors } = eigh(&a).unwrap();
            prop_assert!(values.iter().zip(values.iter().skip(1)).all(|(a, b)| a <= b));
            assert_abs_diff_eq!(dot(&vectors.t(), &vectors), Array2::eye(6), epsilon = 1e-12);
            let back = symmetric_function(&a, |x| x).unwrap();
            assert_abs_diff_eq!(back, a, epsilon = 1e-12);
        }

        #[test]
        fn generalised_eigenpairs_solve_their_equation(x in matrix(5, 5), y in matrix(5, 5)) {
            let (a, b) = (&x + &x.t(), dot(&y, &y.t()) + Array2::<f64>::eye(5));
            let Eigen { values, vectors } = eigh_generalised(&a, &b).unwrap();
            let right = dot(&b, &vectors) * &values;
            assert_abs_diff_eq!(dot(&a, &vectors), right, epsilon = 1e-10);
            let unit = dot(&vectors.t(), &dot(&b, &vectors));
            assert_abs_diff_eq!(unit, Array2::eye(5), epsilon = 1e-10);
        }

        #[test]
        fn a_matrix_is_its_singular_triplets(a in matrix(4, 7)) {
            let Svd { u, singular, v } = svd(&a).unwrap();
            prop_assert!(singular.iter().zip(singular.iter().skip(1)).all(|(a, b)| a >= b));
            assert_abs_diff_eq!(dot(&(&u * &singular), &v.t()), a, epsilon = 1e-12);
        }

        #[test]
        fn orthonormal_columns_span_the_same(a in matrix(7, 3)) {
            let q = orthonormal(&a);
            assert_abs_diff_eq!(dot(&q.t(), &q), Array2::eye(3), epsilon = 1e-12);
            assert_abs_diff_eq!(dot(&q, &dot(&q.t(), &a)), a, epsilon = 1e-12);
        }

        #[test]
        fn square_roots_are_inverse_to_each_other(y in matrix(5, 3)) {
            let a = dot(&y, &y.t());
            let (half, inverse) = (sqrt(&a).unwrap(), inverse_sqrt(&a).unwrap());
            assert_abs_diff_eq!(dot(&half, &half), a, epsilon = 1e-10);
            // A has rank 3 at most: the product is its projector, and A stays.
            assert_abs_diff_eq!(dot(&dot(&half, &inverse), &a), a, epsilon = 1e-8);
        }

        #[test]
        fn lu_solves(b in matrix(5, 5), x in matrix(5, 2)) {
            let b = b + Array2::<f64>::eye(5) * 6.0;
            let got = Lu::new(&b).solve(&x).unwrap();
            assert_abs_diff_eq!(dot(&b, &got), x, epsilon = 1e-12);
        }

        #[test]
        fn cholesky_solves(y in matrix(5, 5), x in matrix(5, 2)) {
            let b = dot(&y, &y.t()) + Array2::<f64>::eye(5);
            let llt = Cholesky::new(&b).unwrap();
            assert_abs_diff_eq!(dot(&b, &llt.solve(&x)), x, epsilon = 1e-10);
            let half = llt.solve_lower(&x);
            assert_abs_diff_eq!(llt.solve_lower_transposed(&half), llt.solve(&x), epsilon = 1e-10);
        }
    }
}
