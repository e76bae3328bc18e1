//! Products and decompositions, by faer. Matrices are ndarray's; faer sees their memory, whatever
//! its layout, without a copy.
//!
//! Decompositions run on one thread: on the sizes that matter here more threads gained nothing, and
//! one thread makes the bits independent of the machine. Products run in fixed blocks of rows.

use faer::{
    MatMut, MatRef, Par, Side,
    linalg::{matmul, solvers},
    prelude::Solve,
};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Data, Ix2};

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
    let (n, m) = (a.nrows(), b.ncols());
    let mut out = Array2::zeros((n, m));
    let right = as_faer(&b);
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), BLOCK * m, |i, piece| {
        let rows = piece.len() / m.max(1);
        let left = a.slice(ndarray::s![i * BLOCK..i * BLOCK + rows, ..]);
        let Ok(mut piece) = ArrayViewMut2::from_shape((rows, m), piece) else { return };
        let out = as_faer_mut(&mut piece);
        matmul::matmul(out, faer::Accum::Replace, as_faer(&left), right, 1.0, Par::Seq);
    });
    out
}

/// AᵀA of A `(n, d)`, symmetric to the last bit: half of the products are computed.
pub fn self_dot<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Array2<f64> {
    /// Columns of A whose products are computed together.
    const STRIP: usize = 64;
    let (a, d) = (a.view(), a.ncols());
    let mut out = Array2::zeros((d, d));
    parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), STRIP * d, |i, piece| {
        let rows = piece.len() / d.max(1);
        let columns = i * STRIP + rows;
        let left = a.slice(ndarray::s![.., i * STRIP..columns]).reversed_axes();
        let right = a.slice(ndarray::s![.., ..columns]);
        let Ok(mut piece) = ArrayViewMut2::from_shape((rows, d), piece) else { return };
        let mut lower = piece.slice_mut(ndarray::s![.., ..columns]);
        let out = as_faer_mut(&mut lower);
        let accum = faer::Accum::Replace;
        matmul::matmul(out, accum, as_faer(&left), as_faer(&right), 1.0, Par::Seq);
    });
    for i in 0..d {
        for j in 0..i {
            out[(j, i)] = out[(i, j)];
        }
    }
    out
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
pub struct Cholesky(solvers::Llt<f64>);

impl Cholesky {
    /// Decomposes.
    ///
    /// # Errors
    /// [`Error::Numerical`] if B is not positive definite.
    pub fn new<S: Data<Elem = f64>>(b: &ArrayBase<S, Ix2>) -> Result<Self> {
        solvers::Llt::new(as_faer(b), Side::Lower)
            .map(Self)
            .map_err(|_| numerical("Cholesky decomposition", "the matrix is not positive definite"))
    }

    /// B⁻¹ A: `(n, m)` → `(n, m)`.
    pub fn solve<S: Data<Elem = f64>>(&self, a: &ArrayBase<S, Ix2>) -> Array2<f64> {
        from_faer(self.0.solve(as_faer(a)).as_ref())
    }

    /// B⁻¹ b: `(n,)` → `(n,)`.
    pub fn solve_vector(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        self.solve(&b.insert_axis(Axis(1))).remove_axis(Axis(1))
    }

    /// L⁻¹ A.
    pub fn solve_lower<S: Data<Elem = f64>>(&self, a: &ArrayBase<S, Ix2>) -> Array2<f64> {
        let mut x = as_faer(a).to_owned();
        faer::linalg::triangular_solve::solve_lower_triangular_in_place(
            self.0.L(),
            x.as_mut(),
            Par::Seq,
        );
        from_faer(x.as_ref())
    }

    /// L⁻ᵀ A.
    pub fn solve_lower_transposed<S: Data<Elem = f64>>(
        &self,
        a: &ArrayBase<S, Ix2>,
    ) -> Array2<f64> {
        let mut x = as_faer(a).to_owned();
        faer::linalg::triangular_solve::solve_upper_triangular_in_place(
            self.0.L().transpose(),
            x.as_mut(),
            Par::Seq,
        );
        from_faer(x.as_ref())
    }
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
pub fn sqrt<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
    symmetric_function(a, |v| v.max(0.0).sqrt())
}

/// (A⁺)^½ of a symmetric positive semi-definite matrix: A^(−½) on the directions whose eigenvalues
/// are above d ε λ_max, 0 on the others.
///
/// # Errors
/// Those of [`eigh`].
pub fn inverse_sqrt<S: Data<Elem = f64>>(a: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
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
    use ndarray::{array, s};
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
