//! Shallow alignment: maps that bring source rows to the target, or both domains to a common space,
//! fitted in closed form or by a solver that says how right its answer is. One method a file.

mod bda;
mod coral;
mod covariances;
mod feature_augmentation;
mod gfk;
mod jcpot;
mod jda;
mod jdot;
mod linear_monge;
mod location_scale_mmd;
mod map;
mod meda;
mod mmd_projection;
mod pca;
mod pseudo_labels;
mod registry;
mod sstca;
mod subspace_alignment;
mod tca;
#[cfg(test)]
mod testing;
mod tjm;
mod transductive;
mod transport;

pub use bda::{Balance, Bda};
pub use coral::Coral;
pub use feature_augmentation::FeatureAugmentation;
pub use gfk::GeodesicFlow;
pub use jcpot::{ClassProportions, Jcpot};
pub use jda::Jda;
pub use jdot::Jdot;
pub use linear_monge::LinearMonge;
pub use location_scale_mmd::LocationScaleMmd;
pub use map::{Affine, LowRank, Map, unit_rows};
pub use meda::Meda;
pub use mmd_projection::Representation;
pub use pca::Pca;
pub use registry::{adapting_classifier, adapting_classifiers, aligner, aligners};
pub use sstca::SemiSupervisedTca;
pub use subspace_alignment::SubspaceAlignment;
pub use tca::Tca;
pub use tjm::Tjm;
pub use transductive::{AdaptClassifier, Labelling};
pub use transport::{
    ClassNorm, CostScale, Metric, OtClass, OtEmd, OtLaplace, OtSinkhorn, OtUnbalanced,
};

use ndarray::{Array2, ArrayView2};

use crate::{
    certificate::Certificate,
    domains::Domains,
    error::{Error, Result},
};

/// A method that aligns two domains.
pub trait Align: std::fmt::Debug + Send + Sync {
    /// The maps for these domains.
    ///
    /// # Errors
    /// Options out of range; domains on which the method is not defined; a matrix past the limit of
    /// memory; a map that double precision cannot hold.
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment>;
}

/// Fitted maps for the rows of each domain, old and new ones.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// For source rows.
    pub source: Map,
    /// For target rows; [`Map::Identity`] for methods that leave the target where it is.
    pub target: Map,
    /// How right the solver's answer is.
    pub certificate: Certificate,
}

impl Alignment {
    /// What a method found, where all of it is a number.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub(crate) fn new(
        method: &'static str,
        source: Map,
        target: Map,
        certificate: Certificate,
    ) -> Result<Self> {
        for (what, map) in [("source", &source), ("target", &target)] {
            if !map.is_finite() {
                return Err(Error::out_of_range(method, format!("the map of the {what} rows")));
            }
        }
        match certificate.residual.is_nan() {
            true => Err(Error::out_of_range(method, "the residual of its answer")),
            false => Ok(Self { source, target, certificate }),
        }
    }

    /// Aligned source rows: `(n, d)` → `(n, k)`.
    ///
    /// # Errors
    /// As [`Map::apply`].
    pub fn source(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.source.apply(x)
    }

    /// Aligned target rows: `(n, d)` → `(n, k)`.
    ///
    /// # Errors
    /// As [`Map::apply`].
    pub fn target(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.target.apply(x)
    }
}
