//! Feature augmentation: three versions of every feature, a common one and one of each domain.
//!
//! Daumé III, "Frustratingly Easy Domain Adaptation", ACL 2007, Sec. 3.
//! ```text
//! x_s ↦ (x_s, x_s, 0)        x_t ↦ (x_t, 0, x_t)
//! ```
//! Rows `(n, d)` become `(n, 3d)`. Nothing is fitted. Products of augmented rows are twice those of
//! the rows within a domain, and those of the rows across (Sec. 3.2): a kernel method gets the same
//! by doubling its kernel between rows of one domain.
//!
//! Differences from the paper:
//! 1. The paper trains on labelled rows of both domains; its point is that the target's own version
//!    is learnt from few of them. A learner that sees source labels alone gives that version no
//!    weight, and a ridge penalty splits its weights between the other two, of which the target
//!    reads one. The method is of use with learners that see labels of both.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Affine, Align, Alignment, Map};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    domains::Domains,
    error::Result,
    math::gram,
};

/// Feature augmentation has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureAugmentation {}

impl Described for FeatureAugmentation {
    const NAME: &'static str = "feature-augmentation";
    const ABOUT: &'static str = "gives every feature a common version and one of each domain";
    const PAPER: &'static str = "Daumé III, Frustratingly Easy Domain Adaptation, ACL 2007";
    const NEEDS: Needs = Needs { moves_target: true, ..Needs::ROWS };
}

impl Align for FeatureAugmentation {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let d = domains.features();
        gram::check_size(Self::NAME, d, 3 * d, "reduce the features first, for instance by `pca`")?;
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0);
        let copies = |own: usize| Map::Affine(Affine::linear(copies(d, own)));
        Ok(Alignment { source: copies(1), target: copies(2), certificate })
    }
}

/// `(d, 3d)`: the common version and the `own`-th of the three.
fn copies(d: usize, own: usize) -> Array2<f64> {
    Array2::from_shape_fn((d, 3 * d), |(i, j)| if j == i || j == own * d + i { 1.0 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn versions_by_hand() {
        let (xs, xt) = (array![[1.0, 2.0]], array![[3.0, 4.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = FeatureAugmentation::default().fit(&domains).unwrap();
        let (source, target) =
            (fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap());
        assert_eq!(source, array![[1.0, 2.0, 1.0, 2.0, 0.0, 0.0]]);
        assert_eq!(target, array![[3.0, 4.0, 0.0, 0.0, 3.0, 4.0]]);
        // The kernel remark: xᵀy across domains, twice xᵀy within one.
        assert_eq!(source.dot(&target.t()), xs.dot(&xt.t()));
        assert_eq!(source.dot(&source.t()), 2.0 * xs.dot(&xs.t()));
    }
}
