//! Distances between the domains' means, column by column.

use ndarray::ArrayView1;

use crate::{
    domains::{Domains, check_weights},
    error::Result,
    math::moments,
    reweight::Balance,
};

/// |x̄_s − x̄_t| / σ_t of every column, before and after the source rows get these weights; nothing
/// for a column in which the target does not vary. σ_t divides by n_t.
///
/// # Errors
/// Weights that are not one a source row, finite, ≥ 0 and not all zero.
pub fn feature_balance(
    domains: &Domains<'_>,
    weights: ArrayView1<'_, f64>,
) -> Result<Vec<Option<Balance>>> {
    let (xs, xt) = (domains.source(), domains.target());
    check_weights(weights, xs.nrows())?;
    let target = moments::mean(xt);
    let deviations = moments::deviations(xt, 0);
    let before = moments::mean(xs) - &target;
    let after = moments::weighted_mean(xs, weights) - &target;
    let of = |j: usize| {
        let scale = deviations[j];
        (scale > 0.0)
            .then(|| Balance { before: before[j].abs() / scale, after: after[j].abs() / scale })
    };
    Ok((0..domains.features()).map(of).collect())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn columns_by_hand() {
        let (xs, xt) = (array![[0.0, 1.0], [4.0, 1.0]], array![[3.0, 2.0], [5.0, 2.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let balance = feature_balance(&domains, array![1.0, 3.0].view()).unwrap();
        // Means 2 and 3 against 4 ± 1; the second column of the target has no spread.
        assert_eq!(balance, [Some(Balance { before: 2.0, after: 1.0 }), None]);
    }
}
