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

use serde::{Deserialize, Serialize};

use super::{Align, Alignment, Map};
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
        let rows = domains.source().nrows().max(domains.target().nrows());
        let advice = "reduce the features first, for instance by `pca`";
        gram::check_size(Self::NAME, rows, 3 * domains.features(), advice)?;
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0);
        let features = domains.features();
        let copies =
            |source: f64, target: f64| Map::Copies { features, factors: vec![1.0, source, target] };
        Alignment::new(Self::NAME, copies(1.0, 0.0), copies(0.0, 1.0), certificate)
    }
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
