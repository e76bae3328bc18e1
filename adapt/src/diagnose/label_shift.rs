//! The proportions of the classes on the target, and whether they can be estimated at all.
//!
//! Label shift: p_t(x | y) = p_s(x | y), while p(y) differs. Then every statistic s(x) is distributed on
//! the target as a mixture of what it is within the classes of the source, with one unknown p_t(y):
//! ```text
//! H₀: t_b = Σ_c q_c p_s(b | c)   for some q        of the cells b that s falls into
//! G² = min_q 2 Σ_b T_b log(T_b / m Σ_c q_c p̂_cb)     T_b of m target rows in cell b
//! ```
//! A cell is a predicted class, and one of [`BINS`] shares of the odds of the domains: where p(x | y)
//! has moved, a classifier of the domain sees how. Both classifiers are fitted on one half of the rows,
//! the cells are counted on the other. q is found by expectation maximisation (Saerens, Latinne &
//! Decaestecker, Neural Computation 2002, Eq. 2, on cells), and p by the parametric bootstrap, which
//! knows that p̂ are counts too: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, Ch. 16;
//! p̂_cb has half a row more in every cell.
//!
//! The proportions themselves are those of black-box shift estimation, from all rows. They say
//! something if H₀ holds, and are withheld where it is rejected.

use ndarray::{Array1, Array2, ArrayView1};
use rand::Rng as _;
use rand_distr::{Binomial, Distribution};

use serde::Serialize;
use transduct_core::{Rng, Stream, rng};

use super::{Joint, classifier::DomainJudge};
use crate::{
    domains::{Domains, Labels},
    error::Result,
    learn::{Classify, Logistic, folds},
    math::parallel,
    reweight::{Balance, Bbse},
};

/// Shares into which the odds of the domains are cut.
const BINS: usize = 5;
/// Bootstrap samples: the least p-value is one two-hundredth.
const BOOTSTRAP: usize = 199;
/// Steps of expectation maximisation.
const STEPS: usize = 200;

/// Estimated proportions of the classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelShiftEstimate {
    /// Of the source rows, `(k,)`.
    pub source: Vec<f64>,
    /// Of the target rows, estimated, `(k,)`.
    pub target: Vec<f64>,
    /// Of the hypothesis that only the proportions differ: it is above the level, or the estimate would
    /// be withheld.
    pub p: f64,
    /// How far the means lie apart, before and after weighting the classes.
    pub balance: Balance,
    /// What the estimator says of its answer, a sentence each.
    pub notes: Vec<String>,
}

impl LabelShiftEstimate {
    /// max_c |p_t(c) − p_s(c)|.
    pub fn largest_change(&self) -> f64 {
        let pairs = self.source.iter().zip(&self.target);
        pairs.map(|(s, t)| (s - t).abs()).fold(0.0, f64::max)
    }
}

/// The estimate from all rows, or why there is none: label shift is rejected at level α, or the labels
/// allow no estimate, as those of one class.
pub(super) fn estimate(
    domains: &Domains<'_>,
    joint: &Joint,
    level: f64,
    seed: u64,
) -> Result<LabelShiftEstimate, String> {
    let fit = || -> Result<Result<LabelShiftEstimate, String>> {
        let labels = domains.need_two_classes("label shift")?;
        let shift = Bbse { seed, ..Bbse::default() }.estimate(domains)?;
        let p = test(joint, labels, seed)?;
        if p <= level {
            return Ok(Err(format!(
                "it is no label shift (p = {p:.3}): the rows of a class look different on the target, \
                 so that proportions estimated from them would mean nothing"
            )));
        }
        let weights = labels.of.iter().map(|&class| shift.class_weights[class]).collect();
        let balance = Balance::of(domains, Array1::from_vec(weights).view());
        Ok(Ok(LabelShiftEstimate {
            source: shift.source_proportions.to_vec(),
            target: shift.target_proportions.to_vec(),
            p,
            balance,
            notes: shift.certificate.notes,
        }))
    };
    fit().unwrap_or_else(|e| Err(e.to_string()))
}

/// The p-value of H₀.
fn test(joint: &Joint, labels: Labels<'_>, seed: u64) -> Result<f64> {
    let k = labels.classes;
    // Source rows by class, target rows as one group more.
    let group = |row: usize| match joint.rows[0].get(row) {
        Some(&source) => labels.of[source],
        None => k,
    };
    let groups: Vec<usize> = (0..joint.pooled.nrows()).map(group).collect();
    let (fit, held) = folds::split(&folds::stratified(&groups, 2, seed), 1);
    let (train, held) = (joint.select(&fit), joint.select(&held));

    let y: Vec<usize> = train.rows[0].iter().map(|&row| labels.of[row]).collect();
    let of_class = Classify::fit(&Logistic::default(), train.source(), &y, k, None)?;
    let of_domain = DomainJudge::fit(&train, &(0..train.pooled.nrows()).collect::<Vec<_>>())?;
    let mut odds = of_domain.logits(train.pooled.view())?.to_vec();
    odds.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..BINS).map(|b| odds[b * odds.len() / BINS]).collect();

    let predicted = of_class.predict(held.pooled.view())?;
    let odds = of_domain.logits(held.pooled.view())?;
    let cell =
        |(class, &odds): (usize, &f64)| class * BINS + edges.partition_point(|&edge| edge <= odds);
    let cells: Vec<usize> = predicted.into_iter().zip(&odds).map(cell).collect();
    let (of_source, of_target) = cells.split_at(held.n_source);
    let mut counts = Array2::zeros((k, k * BINS));
    for (&row, &cell) in held.rows[0].iter().zip(of_source) {
        counts[(labels.of[row], cell)] += 1.0;
    }
    let mut target = Array1::zeros(k * BINS);
    of_target.iter().for_each(|&cell| target[cell] += 1.0);
    Ok(bootstrap(&counts, &target, seed))
}

/// The p-value of target counts `(b,)` beside the counts `(k, b)` of the source's classes.
fn bootstrap(counts: &Array2<f64>, target: &Array1<f64>, seed: u64) -> f64 {
    // Classes without rows, and cells that nothing fell into, say nothing.
    let sizes = counts.sum_axis(ndarray::Axis(1));
    let present: Vec<usize> = (0..sizes.len()).filter(|&c| sizes[c] > 0.0).collect();
    let counts = counts.select(ndarray::Axis(0), &present);
    let used: Vec<usize> =
        (0..target.len()).filter(|&b| target[b] + counts.column(b).sum() > 0.0).collect();
    let counts = counts.select(ndarray::Axis(1), &used);
    let target: Array1<f64> = used.iter().map(|&b| target[b]).collect();

    let found = Mixture::fit(&counts, &target);
    let mixture = found.q.dot(&found.p);
    // Each sample has its own generator, so that threads may share them out.
    let mut seeds = rng(seed, Stream::Step);
    let seeds: Vec<u64> = (0..BOOTSTRAP).map(|_| seeds.r#gen()).collect();
    let as_large = parallel::map(BOOTSTRAP, |b| {
        let mut rng = rng(seeds[b], Stream::Step);
        let mut drawn = Array2::zeros(counts.dim());
        for (mut row, (p, &class)) in
            drawn.rows_mut().into_iter().zip(found.p.rows().into_iter().zip(&present))
        {
            row.assign(&multinomial(sizes[class], p, &mut rng));
        }
        let target = multinomial(target.sum(), mixture.view(), &mut rng);
        usize::from(Mixture::fit(&drawn, &target).g2 >= found.g2)
    });
    (1 + as_large.iter().sum::<usize>()) as f64 / (1 + BOOTSTRAP) as f64
}

/// How n rows fall into cells of these probabilities: each count is binomial, given those before it.
fn multinomial(n: f64, p: ArrayView1<'_, f64>, rng: &mut Rng) -> Array1<f64> {
    let (mut rows, mut left) = (n as u64, 1.0f64);
    p.mapv(|p| {
        let share = if left > 0.0 { (p / left).clamp(0.0, 1.0) } else { 1.0 };
        left -= p;
        // A share within [0, 1] makes a binomial distribution.
        let drawn = Binomial::new(rows, share).map_or(0, |binomial| binomial.sample(rng));
        rows -= drawn;
        drawn as f64
    })
}

/// The mixture of the classes that is closest to the target.
struct Mixture {
    /// q `(k,)`.
    q: Array1<f64>,
    /// p̂ `(k, b)`.
    p: Array2<f64>,
    /// G².
    g2: f64,
}

impl Mixture {
    fn fit(counts: &Array2<f64>, target: &Array1<f64>) -> Self {
        let mut p = counts + 0.5;
        p.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        let m = target.sum();
        let mut q = Array1::from_elem(p.nrows(), 1.0 / p.nrows() as f64);
        for _ in 0..STEPS {
            let ratio = target / q.dot(&p) / m;
            q *= &p.dot(&ratio);
        }
        let expected = q.dot(&p) * m;
        let term = |(&t, &e): (&f64, &f64)| if t > 0.0 { 2.0 * t * (t / e).ln() } else { 0.0 };
        let g2 = target.iter().zip(&expected).map(term).sum();
        Self { q, p, g2 }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_mixture_of_two_classes_is_found() {
        let counts = array![[80.0, 20.0, 0.0], [0.0, 30.0, 70.0]] * 100.0;
        let target = array![20.0, 27.5, 52.5] * 100.0;
        let found = Mixture::fit(&counts, &target);
        assert!((found.q[0] - 0.25).abs() < 1e-3 && found.g2 < 1.0, "{:?} {}", found.q, found.g2);
        // No mixture of these has so few rows in the middle.
        assert!(Mixture::fit(&counts, &(array![50.0, 0.0, 50.0] * 100.0)).g2 > 100.0);
    }

    /// Counts that are drawn under H₀ are rejected about as often as the level says: of 200 at 0.05
    /// more than 20 have a probability below 0.001.
    #[test]
    fn the_level_holds() {
        let p = [[0.5, 0.3, 0.15, 0.05], [0.05, 0.2, 0.25, 0.5]];
        let q = [0.8, 0.2];
        let mut rng = rng(1, Stream::Init);
        let mixture: Vec<f64> = (0..4).map(|b| q[0] * p[0][b] + q[1] * p[1][b]).collect();
        let rejected = (0..200)
            .filter(|&seed| {
                let mut counts = Array2::zeros((2, 4));
                let mut draw = |n, p: &[f64]| multinomial(n, p.into(), &mut rng);
                (0..2).for_each(|c| counts.row_mut(c).assign(&draw(60.0, &p[c])));
                bootstrap(&counts, &draw(100.0, &mixture), seed) <= 0.05
            })
            .count();
        assert!(rejected <= 20, "{rejected}");
    }
}
