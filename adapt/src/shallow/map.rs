//! Fitted maps of rows: few kinds serve all methods, so that saving and applying one needs no
//! method.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::{
    domains::check_rows,
    error::{Error, Result},
    math::{gram::Kernel, linalg, moments, nearest::nearest, unit::Unit},
    standard::Standardise,
};

const NAME: &str = "kernel map";

/// Squared norms below this may have lost digits.
const SMALLEST_SQUARE: f64 = 1e-280;

/// A map of rows `(n, d)` → `(n, k)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Map {
    /// x.
    Identity,
    /// A (x − shift) + offset.
    Affine(Affine),
    /// The same with A = γ I + a matrix of low rank.
    LowRank(LowRank),
    /// (c₁ x, c₂ x, …): versions of every feature, side by side.
    Copies {
        /// d.
        features: usize,
        /// c.
        factors: Vec<f64>,
    },
    /// Wᵀ (k(Z, x) − offset), of anchors Z: the projections of kernel methods.
    Kernel {
        /// k.
        kernel: Kernel,
        /// Z `(m, d)`.
        anchors: Array2<f64>,
        /// Taken from the m kernel values, `(m,)`; zeros where a method does not centre.
        offset: Array1<f64>,
        /// W `(m, k)`.
        weights: Array2<f64>,
    },
    /// image(z) + (x − z), where z is the anchor nearest to x, the first of equally near ones:
    /// how a transport plan is continued to new rows (Ferradans et al., "Regularized Discrete
    /// Optimal Transport", SIAM J. Imaging Sciences 2014).
    Displacement {
        /// Z `(m, d)`.
        anchors: Array2<f64>,
        /// `(m, d)`.
        images: Array2<f64>,
    },
    /// One after the other.
    Sequence(Vec<Map>),
    /// x / ‖x‖₂; a row of zeros stays.
    UnitRows,
    /// (x − m) / s by column.
    Standardise(Standardise),
    /// s x + m by column: the inverse of [`Map::Standardise`].
    Restore(Standardise),
}

/// x ↦ A (x − shift) + offset, on rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// `(d,)`.
    pub shift: Array1<f64>,
    /// Aᵀ `(d, k)`: rows are multiplied from the right.
    pub matrix: Array2<f64>,
    /// `(k,)`.
    pub offset: Array1<f64>,
}

impl Affine {
    /// x ↦ A x, of Aᵀ `(d, k)`.
    pub fn linear(matrix: Array2<f64>) -> Self {
        let (d, k) = matrix.dim();
        Self { shift: Array1::zeros(d), matrix, offset: Array1::zeros(k) }
    }
}

/// x ↦ A (x − shift) + offset, on rows of many more columns than A has a rank beside γ I.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// `(d,)`.
    pub shift: Array1<f64>,
    /// γ.
    pub scale: f64,
    /// L `(d, r)`: Aᵀ = γ I + L R.
    pub left: Array2<f64>,
    /// R `(r, d)`.
    pub right: Array2<f64>,
    /// `(d,)`.
    pub offset: Array1<f64>,
}

impl LowRank {
    /// The same with A as a whole.
    pub fn dense(&self) -> Affine {
        let mut matrix = linalg::dot(&self.left, &self.right);
        matrix.diag_mut().mapv_inplace(|v| v + self.scale);
        Affine { shift: self.shift.clone(), matrix, offset: self.offset.clone() }
    }

    fn apply(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let Self { shift, scale, left, right, offset } = self;
        let none = Array1::zeros(left.ncols());
        let inside = linalg::affine(x, shift.view(), left.view(), none.view());
        let mut out = linalg::affine(inside.view(), none.view(), right.view(), offset.view());
        if *scale != 0.0 {
            for (mut row, x) in out.rows_mut().into_iter().zip(x.rows()) {
                ndarray::Zip::from(&mut row).and(x).and(shift).for_each(|out, x, c| {
                    *out += scale * (x - c);
                });
            }
        }
        out
    }
}

impl Map {
    /// The image of every row of x `(n, d)`, `(n, k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the map was fitted on another d, [`Error::NotFinite`] for bad rows,
    /// [`Error::TooLarge`] for kernel values past the limit, [`Error::OutOfRange`] for images that
    /// double precision cannot hold.
    pub fn apply(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_rows("rows", x)?;
        if let Some(d) = self.features().filter(|&d| d != x.ncols()) {
            let expected = format!("{d} columns, as the map was fitted on");
            return Err(Error::shape("rows", expected, x.ncols()));
        }
        let images = self.images(x)?;
        let place = images.indexed_iter().find(|(_, v)| !v.is_finite()).map(|(place, _)| place);
        match place {
            None => Ok(images),
            Some((row, column)) => {
                let what = format!("the image of row {row} in column {column}");
                Err(Error::out_of_range("map", what))
            }
        }
    }

    fn images(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(match self {
            Self::Identity => x.to_owned(),
            Self::Affine(Affine { shift, matrix, offset }) => {
                linalg::affine(x, shift.view(), matrix.view(), offset.view())
            }
            Self::LowRank(map) => map.apply(x),
            Self::Copies { factors, .. } => {
                let copies: Vec<Array2<f64>> = factors.iter().map(|c| x.mapv(|v| c * v)).collect();
                let views: Vec<ArrayView2<'_, f64>> = copies.iter().map(|x| x.view()).collect();
                // All have n rows.
                concatenate(Axis(1), &views).unwrap_or_default()
            }
            Self::Kernel { kernel, anchors, offset, weights } => {
                let k = match *kernel {
                    Kernel::Linear => kernel.gram(NAME, x, anchors.view())?,
                    Kernel::Gaussian { sigma } => {
                        let unit = common_unit(x, anchors.view());
                        let kernel = Kernel::Gaussian { sigma: unit.length(sigma) };
                        kernel.gram(NAME, unit.rows(x).view(), unit.rows(anchors.view()).view())?
                    }
                } - offset;
                linalg::dot(&k, weights)
            }
            Self::Displacement { anchors, images } => displace(x, anchors, images),
            Self::Sequence(maps) => {
                maps.iter().try_fold(x.to_owned(), |rows, map| map.apply(rows.view()))?
            }
            Self::UnitRows => unit_rows(x.to_owned()),
            Self::Standardise(standard) => standard.rows(x),
            Self::Restore(standard) => standard.back(x),
        })
    }

    /// Whether all numbers of the map are finite.
    pub(crate) fn is_finite(&self) -> bool {
        let vector = |v: &Array1<f64>| v.iter().all(|v| v.is_finite());
        let matrix = |m: &Array2<f64>| m.iter().all(|v| v.is_finite());
        match self {
            Self::Identity | Self::UnitRows => true,
            Self::Affine(Affine { shift, matrix: a, offset }) => {
                vector(shift) && matrix(a) && vector(offset)
            }
            Self::LowRank(LowRank { shift, scale, left, right, offset }) => {
                vector(shift)
                    && scale.is_finite()
                    && matrix(left)
                    && matrix(right)
                    && vector(offset)
            }
            Self::Copies { factors, .. } => factors.iter().all(|c| c.is_finite()),
            Self::Kernel { kernel, anchors, offset, weights } => {
                let width = match kernel {
                    Kernel::Linear => true,
                    Kernel::Gaussian { sigma } => sigma.is_finite() && *sigma > 0.0,
                };
                width && matrix(anchors) && vector(offset) && matrix(weights)
            }
            Self::Displacement { anchors, images } => matrix(anchors) && matrix(images),
            Self::Standardise(Standardise { mean, deviation })
            | Self::Restore(Standardise { mean, deviation }) => vector(mean) && vector(deviation),
            Self::Sequence(maps) => maps.iter().all(Self::is_finite),
        }
    }

    /// d, where the map insists on one.
    pub fn features(&self) -> Option<usize> {
        match self {
            Self::Identity | Self::UnitRows => None,
            Self::Copies { features, .. } => Some(*features),
            Self::Affine(affine) => Some(affine.matrix.nrows()),
            Self::LowRank(map) => Some(map.left.nrows()),
            Self::Kernel { anchors, .. } | Self::Displacement { anchors, .. } => {
                Some(anchors.ncols())
            }
            Self::Standardise(standard) | Self::Restore(standard) => Some(standard.mean.len()),
            Self::Sequence(maps) => maps.iter().find_map(Self::features),
        }
    }
}

/// x / ‖x‖₂ for every row; a row of zeros stays.
pub fn unit_rows(mut x: Array2<f64>) -> Array2<f64> {
    for mut row in x.rows_mut() {
        let mut square = row.dot(&row);
        // Squares that overflow or have lost digits are those of the row in another unit.
        if !(SMALLEST_SQUARE..=f64::MAX).contains(&square) {
            let largest = row.fold(0.0, |most: f64, v| most.max(v.abs()));
            if largest > 0.0 && largest.is_finite() {
                row.mapv_inplace(|v| v / largest);
                square = row.dot(&row);
            }
        }
        if square > 0.0 {
            row /= square.sqrt();
        }
    }
    x
}

/// The unit that both sets of rows have, so that their distances neither overflow nor vanish.
fn common_unit(x: ArrayView2<'_, f64>, anchors: ArrayView2<'_, f64>) -> Unit {
    Unit::of(moments::largest(x).max(moments::largest(anchors)))
}

fn displace(x: ArrayView2<'_, f64>, anchors: &Array2<f64>, images: &Array2<f64>) -> Array2<f64> {
    let unit = common_unit(x, anchors.view());
    let nearest = nearest(unit.rows(x).view(), unit.rows(anchors.view()).view(), 1).indices;
    let mut out = x.to_owned();
    for (mut row, &j) in out.rows_mut().into_iter().zip(&nearest) {
        row += &(&images.row(j) - &anchors.row(j));
    }
    out
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn maps_by_hand() {
        let x = array![[1.0, 2.0], [0.0, 0.0]];
        let affine = Map::Affine(Affine {
            shift: array![1.0, 1.0],
            matrix: array![[1.0], [10.0]],
            offset: array![0.5],
        });
        assert_eq!(affine.apply(x.view()).unwrap(), array![[10.5], [-10.5]]);
        let moved = Map::Displacement {
            anchors: array![[0.0, 0.0], [1.0, 1.0]],
            images: array![[5.0, 5.0], [1.0, 2.0]],
        };
        assert_eq!(moved.apply(x.view()).unwrap(), array![[1.0, 3.0], [5.0, 5.0]]);
        let chain = Map::Sequence(vec![moved, affine, Map::Identity]);
        assert_eq!(chain.apply(x.view()).unwrap(), array![[20.5], [44.5]]);
        assert_eq!(Map::Sequence(vec![]).apply(x.view()).unwrap(), x);
        let unit = Map::UnitRows.apply(array![[3.0, 4.0], [0.0, 0.0]].view()).unwrap();
        assert_eq!(unit, array![[0.6, 0.8], [0.0, 0.0]]);
        let copies = Map::Copies { features: 2, factors: vec![1.0, 0.0, -2.0] };
        let copies = copies.apply(array![[1.0, 2.0]].view()).unwrap();
        assert_eq!(copies, array![[1.0, 2.0, 0.0, 0.0, -2.0, -4.0]]);
    }

    #[test]
    fn a_low_rank_map_is_its_dense_form() {
        let map = LowRank {
            shift: array![1.0, -1.0, 0.5],
            scale: 2.0,
            left: array![[1.0], [0.0], [3.0]],
            right: array![[1.0, 4.0, -1.0]],
            offset: array![0.0, 1.0, 2.0],
        };
        let x = array![[1.0, 2.0, 3.0], [0.0, 0.5, -1.0]];
        let expected = Map::Affine(map.dense()).apply(x.view()).unwrap();
        // (0, 3, 2.5): products with L are 7.5.
        assert_eq!(expected.row(0), array![7.5, 37.0, -0.5]);
        assert_eq!(Map::LowRank(map).apply(x.view()).unwrap(), expected);
    }

    #[test]
    fn rows_of_any_size_have_a_length_and_a_neighbour() {
        for size in [1e200, 1e-200, 1e-310] {
            let x = array![[3.0, 4.0], [0.0, 0.0]] * size;
            let unit = Map::UnitRows.apply(x.view()).unwrap();
            assert!((&unit - &array![[0.6, 0.8], [0.0, 0.0]]).iter().all(|v| v.abs() < 1e-12));
        }
        for size in [1e200, 1e-200] {
            let anchors = array![[0.0, 0.0], [1.0, 1.0]] * size;
            let images = array![[5.0, 5.0], [1.0, 2.0]] * size;
            let moved = Map::Displacement { anchors: anchors.clone(), images: images.clone() };
            let kernel = Map::Kernel {
                kernel: Kernel::Gaussian { sigma: size },
                anchors: anchors.clone(),
                offset: array![0.0, 0.0],
                weights: array![[1.0], [0.0]],
            };
            assert_eq!(moved.apply(anchors.view()).unwrap(), images);
            let k = kernel.apply(anchors.view()).unwrap();
            assert!((k[(1, 0)] - (-1f64).exp()).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn an_image_that_is_no_number_is_an_error() {
        let map = Map::Affine(Affine::linear(array![[1e200], [1.0]]));
        let message = map.apply(array![[0.0, 0.0], [1e200, 0.0]].view()).unwrap_err().to_string();
        let expected = "map: the image of row 1 in column 0 cannot be held in double precision; \
                        give the features another unit";
        assert_eq!(message, expected);
    }

    #[test]
    fn rows_of_another_space_are_refused() {
        let map = Map::Affine(Affine::linear(array![[1.0], [1.0]]));
        let message = map.apply(array![[1.0]].view()).unwrap_err().to_string();
        assert_eq!(message, "rows: expected 2 columns, as the map was fitted on, got 1");
        assert!(map.apply(array![[f64::NAN, 0.0]].view()).is_err());
    }
}
