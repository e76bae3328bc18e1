//! The ratio of two kernel density estimates.
//!
//! ```text
//! w(x) = p̂_t(x) / p̂_s(x)     p̂(x) = (1/n) Σ_i N(x; x_i, h²I)
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`; each domain has its own bandwidth h. Silverman, "Density
//! Estimation for Statistics and Data Analysis", 1986, Sec. 4.3 and 3.4.4. The estimate is the one
//! that direct methods were made to replace: dividing by p̂_s amplifies its error, and beyond a
//! handful of columns hardly anything but the nearest row counts. Time O(n² d), memory O(n d).
//!
//! Differences from the book:
//! 1. One h for all directions, in units of the root mean variance, so that rotations change
//!    nothing.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::{
    DensityRatio, Reweight, Weighting, kernel_model::length, log_kernels::LogMixture, rows,
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, check_query},
    error::{Error, Result},
    math::{distances::Anchors, gram::check_size, log_sum::log_sum_exp, moments, parallel},
};

/// Rows that are worked on together.
const BLOCK: usize = 256;

/// The options of the ratio of kernel density estimates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KdeRatio {
    /// h.
    pub bandwidth: Bandwidth,
}

/// The rule for h. With s² = tr(C) / d, C with n − 1:
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bandwidth {
    /// s n^(−1/(d+4)).
    Scott,
    /// s (4 / (n (d + 2)))^(1/(d+4)), best for normal densities.
    #[default]
    Silverman,
    /// The one of 2^(k/2) times Silverman's, k = −6 … 2, under which rows are likeliest by the
    /// density of the others.
    Likelihood,
    /// h > 0 for both domains, in units of the features.
    Fixed(f64),
}

impl Described for KdeRatio {
    const NAME: &'static str = "kde";
    const ABOUT: &'static str = "divides two kernel density estimates";
    const PAPER: &'static str =
        "Silverman, Density Estimation for Statistics and Data Analysis, 1986";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for KdeRatio {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        domains.need_rows(Self::NAME, 2)?;
        let bound = rows::check_magnitude(Self::NAME, domains)?;
        let ratio = Ratio {
            source: Density::fit(domains.source(), &self.bandwidth)?,
            target: Density::fit(domains.target(), &self.bandwidth)?,
        };
        for density in [&ratio.source, &ratio.target] {
            rows::check_width(Self::NAME, density.h, bound)?;
        }
        let weights = ratio.ratio(domains.source())?;
        let [h_s, h_t] = [ratio.source.h, ratio.target.h].map(length);
        let note = format!("h = {h_s} (source), {h_t} (target)");
        let certificate =
            Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0).with_note(note);
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(ratio)), certificate)
    }
}

#[derive(Debug)]
struct Ratio {
    source: Density,
    target: Density,
}

impl DensityRatio for Ratio {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.source.rows.ncols())?;
        let log_ratio = self.target.log_density(x) - self.source.log_density(x);
        // Far outside both domains the exponential overflows; the largest finite weight says so.
        // Where both densities are 0, even in logarithms, nothing is known of the target.
        Ok(log_ratio.mapv(|l| if l.is_nan() { 0.0 } else { l.exp().min(f64::MAX) }))
    }
}

#[derive(Debug)]
struct Density {
    rows: Array2<f64>,
    h: f64,
}

impl Density {
    fn fit(rows: ArrayView2<'_, f64>, rule: &Bandwidth) -> Result<Self> {
        let method = KdeRatio::NAME;
        check_size(method, BLOCK, rows.nrows(), "use fewer rows")?;
        let (n, d) = (rows.nrows() as f64, rows.ncols() as f64);
        let deviation = || -> Result<f64> {
            let variances = moments::deviations(rows, 1).mapv(|s| s * s);
            match variances.mean().unwrap_or(0.0).sqrt() {
                s if s > 0.0 => Ok(s),
                _ => {
                    let reason = "all rows of a domain are equal, so that no bandwidth follows";
                    Err(Error::degenerate(method, reason, "give a fixed `bandwidth`"))
                }
            }
        };
        let silverman = || Ok(deviation()? * (4.0 / (n * (d + 2.0))).powf(1.0 / (d + 4.0)));
        let h = match *rule {
            Bandwidth::Scott => deviation()? * n.powf(-1.0 / (d + 4.0)),
            Bandwidth::Silverman => silverman()?,
            Bandwidth::Likelihood => likeliest(rows, silverman()?),
            Bandwidth::Fixed(h) => check::positive(method, "bandwidth", h).map(|()| h)?,
        };
        Ok(Self { rows: rows.to_owned(), h })
    }

    /// log p̂(x) without the constant − d/2 log 2π, which cancels in a ratio.
    fn log_density(&self, x: ArrayView2<'_, f64>) -> Array1<f64> {
        let (n, d) = self.rows.dim();
        let equal = Array1::zeros(n);
        let normaliser = (n as f64).ln() + d as f64 * self.h.ln();
        let mixture = LogMixture {
            centres: self.rows.view(),
            log_weights: equal.view(),
            less: equal.view(),
            sigma: self.h,
        };
        mixture.at(x) - normaliser
    }
}

/// The multiple of `unit` with the largest Σ_i log Σ_{j≠i} N(x_i; x_j, h²I), the first of equal
/// ones.
fn likeliest(x: ArrayView2<'_, f64>, unit: f64) -> f64 {
    let widths: Vec<f64> = (-6..=2).map(|k| unit * 2f64.powf(f64::from(k) / 2.0)).collect();
    let (n, d) = x.dim();
    let anchors = Anchors::new(x);
    let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
        let from = block * BLOCK;
        let mut d2 = anchors.squared_distances(x.slice(s![from..n.min(from + BLOCK), ..]));
        // An infinite distance leaves the row itself out.
        for (i, mut row) in d2.rows_mut().into_iter().enumerate() {
            row[from + i] = f64::INFINITY;
        }
        let score = |h: &f64| -> f64 {
            let scale = -0.5 / (h * h);
            let log_sum = |row: ArrayView1<'_, f64>| log_sum_exp(row.iter().map(|d2| d2 * scale));
            d2.map_axis(Axis(1), |row| log_sum(row) - d as f64 * h.ln()).sum()
        };
        widths.iter().map(score).collect::<Vec<f64>>()
    });
    let total = |k: usize| blocks.iter().map(|scores| scores[k]).sum::<f64>();
    let start = (unit, f64::NEG_INFINITY);
    let larger = |best: (f64, f64), (k, &h)| match total(k) {
        score if score > best.1 => (h, score),
        _ => best,
    };
    widths.iter().enumerate().fold(start, larger).0
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn two_rows_by_hand() {
        let (xs, xt) = (array![[0.0], [2.0]], array![[0.0], [0.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = KdeRatio { bandwidth: Bandwidth::Fixed(1.0) }.fit(&domains).unwrap();
        let k = (-2.0f64).exp();
        let expected = array![2.0 / (1.0 + k), 2.0 * k / (1.0 + k)];
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-12);
    }

    #[test]
    fn the_rules_by_hand() {
        // Variances 2 and 0: s = 1.
        let x = array![[0.0, 7.0], [2.0, 7.0]];
        let h = |rule| Density::fit(x.view(), &rule).unwrap().h;
        assert_abs_diff_eq!(h(Bandwidth::Scott), 2f64.powf(-1.0 / 6.0), epsilon = 1e-12);
        assert_abs_diff_eq!(h(Bandwidth::Silverman), 0.5f64.powf(1.0 / 6.0), epsilon = 1e-12);
        // log N of one row by the other's: −2/h² − 2 log h, largest at h = √2 of 2^(k/2) · 0.89.
        assert_abs_diff_eq!(h(Bandwidth::Likelihood), 2f64.powf(5.0 / 6.0 - 0.5), epsilon = 1e-12);
        let same = array![[1.0], [1.0]];
        assert!(Density::fit(same.view(), &Bandwidth::Scott).is_err());
        assert!(Density::fit(same.view(), &Bandwidth::Fixed(1.0)).is_ok());
    }
}
