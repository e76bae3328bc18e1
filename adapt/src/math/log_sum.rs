//! Sums of exponentials in logarithms.

/// log Σ_l exp(v_l); −∞ of nothing.
pub(crate) fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    match largest.is_finite() {
        true => largest + values.map(|v| (v - largest).exp()).sum::<f64>().ln(),
        false => largest,
    }
}
