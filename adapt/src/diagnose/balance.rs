//! Distances between the domains' means, column by column.

use ndarray::ArrayView1;

use crate::{
    domains::check_weights, error::Result, gap::between_means, reweight::Balance,
    sparse_domains::DomainMoments,
};

/// |x̄_s − x̄_t| / σ_t of every column, before and after the source rows get these weights; nothing
/// for a column in which the target does not vary. σ_t divides by n_t.
///
/// # Errors
/// Weights that are not one a source row, finite, ≥ 0 and not all zero.
pub fn feature_balance(
    domains: &impl DomainMoments,
    weights: ArrayView1<'_, f64>,
) -> Result<Vec<Option<Balance>>> {
    check_weights(weights, domains.source_rows())?;
    let (target, deviations) = domains.target_moments();
    let [before, after] = [None, Some(weights)]
        .map(|weights| between_means(&domains.source_mean(weights), &target, &deviations));
    let both = |(before, after)| Some(Balance { before: before?, after: after? });
    Ok(before.into_iter().zip(after).map(both).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::domains::Domains;

    #[test]
    fn columns_by_hand() {
        let (xs, xt) = (array![[0.0, 1.0], [4.0, 1.0]], array![[3.0, 2.0], [5.0, 2.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let balance = feature_balance(&domains, array![1.0, 3.0].view()).unwrap();
        // Means 2 and 3 against 4 ± 1; the second column of the target has no spread.
        assert_eq!(balance, [Some(Balance { before: 2.0, after: 1.0 }), None]);
    }
}
