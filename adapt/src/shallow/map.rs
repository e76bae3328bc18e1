//! Fitted maps of rows: few kinds serve all methods, so that saving and applying one needs no
//! method.

use ndarray::{Array1, Array2, ArrayView2};

use crate::{
    domains::check_rows,
    error::{Error, Result},
    math::{gram::Kernel, linalg, nearest::nearest},
};

/// A map of rows `(n, d)` → `(n, k)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Map {
    /// x.
    Identity,
    /// A (x − shift) + offset.
    Affine(Affine),
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

impl Map {
    /// The image of every row of x `(n, d)`, `(n, k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the map was fitted on another d, [`Error::NotFinite`] for bad rows,
    /// [`Error::TooLarge`] for kernel values past the limit.
    pub fn apply(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_rows("rows", x)?;
        if let Some(d) = self.features().filter(|&d| d != x.ncols()) {
            let expected = format!("{d} columns, as the map was fitted on");
            return Err(Error::shape("rows", expected, x.ncols()));
        }
        Ok(match self {
            Self::Identity => x.to_owned(),
            Self::Affine(Affine { shift, matrix, offset }) => {
                linalg::affine(x, shift.view(), matrix.view(), offset.view())
            }
            Self::Kernel { kernel, anchors, offset, weights } => {
                let k = kernel.gram("kernel map", x, anchors.view())? - offset;
                linalg::dot(&k, weights)
            }
            Self::Displacement { anchors, images } => displace(x, anchors, images),
            Self::Sequence(maps) => {
                maps.iter().try_fold(x.to_owned(), |rows, map| map.apply(rows.view()))?
            }
            Self::UnitRows => unit_rows(x.to_owned()),
        })
    }

    /// d, where the map insists on one.
    pub fn features(&self) -> Option<usize> {
        match self {
            Self::Identity | Self::UnitRows => None,
            Self::Affine(affine) => Some(affine.matrix.nrows()),
            Self::Kernel { anchors, .. } | Self::Displacement { anchors, .. } => {
                Some(anchors.ncols())
            }
            Self::Sequence(maps) => maps.iter().find_map(Self::features),
        }
    }
}

/// x / ‖x‖₂ for every row; a row of zeros stays.
pub fn unit_rows(mut x: Array2<f64>) -> Array2<f64> {
    for mut row in x.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    x
}

fn displace(x: ArrayView2<'_, f64>, anchors: &Array2<f64>, images: &Array2<f64>) -> Array2<f64> {
    let nearest = nearest(x, anchors.view(), 1).indices;
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
    }

    #[test]
    fn rows_of_another_space_are_refused() {
        let map = Map::Affine(Affine::linear(array![[1.0], [1.0]]));
        let message = map.apply(array![[1.0]].view()).unwrap_err().to_string();
        assert_eq!(message, "rows: expected 2 columns, as the map was fitted on, got 1");
        assert!(map.apply(array![[f64::NAN, 0.0]].view()).is_err());
    }
}
