//! Subspace alignment: turn the source's principal axes into those of the target.
//!
//! Fernando, Habrard, Sebban & Tuytelaars, "Unsupervised Visual Domain Adaptation Using Subspace
//! Alignment", ICCV 2013, Sec. 3.2 and Alg. 1.
//! ```text
//! x_s ↦ (P_s M)ᵀ (x_s − x̄_s)        M = P_sᵀ P_t, the minimiser of ‖P_s M − P_t‖_F
//! x_t ↦ P_tᵀ (x_t − x̄_t)
//! ```
//! P_s, P_t `(d, k)` are the leading eigenvectors of each domain's covariance; the rows become
//! `(n, k)`. The more components, the less is aligned: with k = d, M is a rotation, and only the
//! means come together. Where a domain varies in fewer than k directions both have as many
//! components, and the certificate says so.
//!
//! Differences from the paper:
//! 1. It chooses k by a bound on the eigenvalues' gaps and cross-validation on the source; here k
//!    is an option, and its default is ours.
//! 2. It assumes rows of zero mean and unit variance; here every domain is centred, not scaled.

use serde::{Deserialize, Serialize};

use super::{
    Affine, Align, Alignment, Map,
    pca::{Principal, check_components, subspace_certificate},
};
use crate::{
    catalogue::{Described, Needs},
    domains::Domains,
    error::Result,
    math::linalg,
};

/// The options of subspace alignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubspaceAlignment {
    /// k ≥ 1.
    pub components: usize,
}

impl Default for SubspaceAlignment {
    fn default() -> Self {
        Self { components: 30 }
    }
}

impl Described for SubspaceAlignment {
    const NAME: &'static str = "subspace-alignment";
    const ABOUT: &'static str = "turns the source's principal axes into those of the target";
    const PAPER: &'static str = "Fernando et al., Unsupervised Visual Domain Adaptation Using \
                                 Subspace Alignment, ICCV 2013";
    const NEEDS: Needs = Needs { moves_target: true, least_rows: 2, ..Needs::ROWS };
}

impl Align for SubspaceAlignment {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        check_components(Self::NAME, self.components)?;
        let [source, target] = principal_pair(Self::NAME, domains, self.components)?;
        let certificate = subspace_certificate(&[&source, &target], self.components);
        let m = linalg::dot(&source.axes.t(), &target.axes);
        let aligned = linalg::dot(&source.axes, &m);
        let source = Affine { matrix: aligned, ..source.projection() };
        let target = Map::Affine(target.projection());
        Alignment::new(Self::NAME, Map::Affine(source), target, certificate)
    }
}

/// The principal directions of each domain, equally many: k, or fewer where one varies in fewer.
pub(super) fn principal_pair(
    method: &'static str,
    domains: &Domains<'_>,
    components: usize,
) -> Result<[Principal; 2]> {
    domains.need_rows(method, 2)?;
    let source = Principal::need(method, "source", domains.source())?;
    let target = Principal::need(method, "target", domains.target())?;
    let k = components.min(source.variances.len()).min(target.variances.len());
    Ok([source.leading(k), target.leading(k)])
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn axes_at_sixty_degrees_by_hand() {
        // One component each: M = cos 60°, so the source's coordinates halve.
        let (cos, sin) = (0.5, 0.75f64.sqrt());
        let xs = array![[1.0, 0.0], [-1.0, 0.0], [4.0, 0.0], [-4.0, 0.0]];
        let xt = array![[cos, sin], [-cos, -sin]] * 3.0 + 7.0;
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = SubspaceAlignment { components: 1 }.fit(&domains).unwrap();
        let source = fitted.source(xs.view()).unwrap();
        let target = fitted.target(xt.view()).unwrap();
        assert_abs_diff_eq!(source, array![[0.5], [-0.5], [2.0], [-2.0]], epsilon = 1e-12);
        assert_abs_diff_eq!(target, array![[3.0], [-3.0]], epsilon = 1e-12);
    }

    #[test]
    fn the_narrower_domain_sets_the_number_of_components() {
        let xs = array![[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0], [4.0, 0.0, 1.0], [0.0, 2.0, 5.0]];
        let xt = array![[1.0, 2.0, 3.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = SubspaceAlignment { components: 3 }.fit(&domains).unwrap();
        assert_eq!(fitted.source(xs.view()).unwrap().dim(), (4, 2));
        assert_eq!(fitted.target(xt.view()).unwrap().dim(), (3, 2));
        assert_eq!(fitted.certificate.notes.len(), 1);
    }
}
