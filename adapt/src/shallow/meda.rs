//! MEDA: a kernel classifier on manifold features whose outputs are alike in both domains.
//!
//! Wang, Feng, Chen, Yu, Huang & Yu, "Visual Domain Adaptation with Manifold Embedded Distribution
//! Alignment", ACM Multimedia 2018, Sec. 3 and Alg. 1.
//! ```text
//! minimise over f(x) = Σ_i β_i k(x_i, x)
//!     Σ_{source} ‖y_i − f(x_i)‖² + η ‖f‖²_K + λ tr Fᵀ M F + ρ tr Fᵀ L F
//! β = ((E + λ M + ρ L) K + η I)⁻¹ E Y
//! M ∝ (1 − μ) k M₀ + μ Σ_c M_c        ‖M‖_F = 1
//! ```
//! X_s `(n_s, d)` of k classes, X_t `(n_t, d)`, n = n_s + n_t: features are those of the geodesic
//! flow kernel, scaled to unit length, and K `(n, n)` is a Gaussian kernel of them. E keeps the
//! source rows, Y `(n, k)` are their classes; M₀ = e eᵀ compares the domains' means and M_c those of
//! class c, where target rows have the classes that f gives them, at first those of their nearest
//! source rows; L is the normalised Laplacian of the p nearest neighbours by cosine. The steps
//! "label, solve" alternate until no label changes.
//!
//! μ = d_c / (d_c + d_M) weighs the classes' distances against the domains': d = 2 (1 − 2ε) of the
//! training error ε of a linear classifier between source and target rows, d_c the mean of the
//! classes'.
//!
//! The matrix (E + ρL)K + ηI is decomposed once; λ M has rank k + 1, so that a round costs
//! O(n² k).
//!
//! Differences from the paper:
//! 1. ε is that of a logistic regression instead of a linear support vector machine.
//! 2. Negative cosines between neighbours count as 0, which keeps L positive semi-definite.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::{
    AdaptClassifier, GeodesicFlow, Labelling, Map, pca::check_components,
    transductive::MapClassifier, unit_rows,
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, Labels},
    error::{Error, Result},
    learn::{Classify, Logistic, first_largest},
    math::{
        gram::{self, Kernel},
        linalg::{self, Lu},
        parallel,
        unit::Unit,
    },
    ot::memory::check_memory,
    progress::report,
};

/// The options of MEDA; the defaults are those of the paper's experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meda {
    /// The number of components of the geodesic flow kernel, ≥ 1.
    pub components: usize,
    /// λ ≥ 0, of the distributions' distance.
    pub alignment: f64,
    /// ρ ≥ 0, of the Laplacian.
    pub manifold: f64,
    /// η > 0, of f's norm.
    pub shrinkage: f64,
    /// p ≥ 1, neighbours in the Laplacian's graph.
    pub neighbours: usize,
    /// σ > 0 of the kernel between rows of unit length.
    pub sigma: f64,
    /// μ between 0 and 1; by default it is estimated in every round.
    pub balance: Option<f64>,
    /// T ≥ 1, the most rounds.
    pub iterations: usize,
}

impl Default for Meda {
    fn default() -> Self {
        Self {
            components: 20,
            alignment: 10.0,
            manifold: 1.0,
            shrinkage: 0.1,
            neighbours: 10,
            sigma: 1.0,
            balance: None,
            iterations: 10,
        }
    }
}

impl Described for Meda {
    const NAME: &'static str = "meda";
    const ABOUT: &'static str = "learns a classifier whose outputs are alike in both domains, on \
                                 features of the geodesic flow";
    const PAPER: &'static str = "Wang et al., Visual Domain Adaptation with Manifold Embedded \
                                 Distribution Alignment, ACM Multimedia 2018";
    const NEEDS: Needs =
        Needs { source_labels: true, moves_target: true, least_rows: 2, ..Needs::ROWS };
}

impl AdaptClassifier for Meda {
    fn fit(&self, domains: &Domains<'_>) -> Result<Labelling> {
        self.check()?;
        // Features are linear in the rows, and scaled to unit length: the map is that of any unit.
        Unit::of_domains(domains).with(domains, |domains| self.fit_in_unit(domains))
    }
}

impl Meda {
    fn fit_in_unit(&self, domains: &Domains<'_>) -> Result<Labelling> {
        let labels = domains.need_two_classes(Self::NAME)?;
        let n = domains.source().nrows() + domains.target().nrows();
        // K, the system, and its decomposition.
        check_memory(Self::NAME, &[(3, n, n)], "use fewer rows")?;
        let flow =
            GeodesicFlow { components: Some(self.components) }.fit_for(Self::NAME, domains)?;
        let features = Features {
            source: flow.source(domains.source())?,
            target: flow.target(domains.target())?,
        };
        let rows = unit_rows(concatenate![Axis(0), features.source, features.target]);
        let kernel = Kernel::Gaussian { sigma: self.sigma };
        let k = kernel.gram(Self::NAME, rows.view(), rows.view())?;
        let system = System::new(self, &rows, &k, labels)?;

        let n_s = features.source.nrows();
        let mut of_target =
            nearest(rows.slice(s![n_s.., ..]), rows.slice(s![..n_s, ..]), labels.of);
        let mut rounds = 0;
        let (beta, f, changed) = loop {
            let mu = match self.balance {
                Some(mu) => mu,
                None => balance(&features, labels, &of_target)?,
            };
            let beta = system.solve(labels, &of_target, mu, self.alignment)?;
            let f = linalg::dot(&k, &beta);
            let new = first_largest(f.slice(s![n_s.., ..]));
            let differ = new.iter().zip(&of_target).filter(|(a, b)| a != b).count();
            of_target = new;
            rounds += 1;
            report(Self::NAME, rounds, Some(self.iterations), None);
            if differ == 0 || rounds == self.iterations {
                break (beta, f, differ as f64 / of_target.len() as f64);
            }
        };

        let mut certificate = Certificate::new(
            "alternation of labels and closed form",
            rounds,
            Measure::Change,
            changed,
            0.0,
        );
        certificate.notes.extend(flow.certificate.notes);
        let offset = Array1::zeros(n);
        let outputs = Map::Kernel { kernel, anchors: rows, offset, weights: beta };
        let map = Map::Sequence(vec![flow.target, Map::UnitRows, outputs]);
        Ok(Labelling {
            scores: f.slice(s![n_s.., ..]).to_owned(),
            classifier: Some(Box::new(MapClassifier { map, certificate: certificate.clone() })),
            certificate,
        })
    }

    fn check(&self) -> Result<()> {
        check_components(Self::NAME, self.components)?;
        check::non_negative(Self::NAME, "alignment", self.alignment)?;
        check::non_negative(Self::NAME, "manifold", self.manifold)?;
        check::positive(Self::NAME, "shrinkage", self.shrinkage)?;
        check::positive(Self::NAME, "sigma", self.sigma)?;
        if let Some(mu) = self.balance.filter(|mu| !(0.0..=1.0).contains(mu)) {
            return Err(Error::config(Self::NAME, "balance", mu, "a number between 0 and 1"));
        }
        check::at_least(Self::NAME, "neighbours", self.neighbours, 1)?;
        check::at_least(Self::NAME, "iterations", self.iterations, 1)
    }
}

/// Features of the geodesic flow.
struct Features {
    /// `(n_s, 2k)`.
    source: Array2<f64>,
    /// `(n_t, 2k)`.
    target: Array2<f64>,
}

/// The class of the nearest source row, the first of equally near ones.
fn nearest(
    target: ArrayView2<'_, f64>,
    source: ArrayView2<'_, f64>,
    labels: &[usize],
) -> Vec<usize> {
    let closeness = -gram::squared_distances(target, source);
    first_largest(closeness.view()).into_iter().map(|i| labels[i]).collect()
}

/// What stays the same in all rounds.
struct System<'a> {
    /// K `(n, n)`.
    k: &'a Array2<f64>,
    /// (E + ρL) K + ηI, decomposed.
    fixed: Lu,
    /// Its solution for E Y, `(n, k)`.
    unaligned: Array2<f64>,
}

impl<'a> System<'a> {
    fn new(
        options: &Meda,
        rows: &Array2<f64>,
        k: &'a Array2<f64>,
        labels: Labels<'_>,
    ) -> Result<Self> {
        let n_s = labels.of.len();
        let graph = Graph::new(rows, options.neighbours);
        let mut a = graph.laplacian_times(k) * options.manifold;
        let mut of_source = a.slice_mut(s![..n_s, ..]);
        of_source += &k.slice(s![..n_s, ..]);
        a.diag_mut().mapv_inplace(|v| v + options.shrinkage);
        let mut y = Array2::zeros((k.nrows(), labels.classes));
        labels.of.iter().enumerate().for_each(|(i, &c)| y[(i, c)] = 1.0);
        let fixed = Lu::new(&a);
        let unaligned = fixed.solve(&y)?;
        Ok(Self { k, fixed, unaligned })
    }

    /// β for these labels of the target rows, by the formula of Sherman, Morrison and Woodbury for
    /// λ M = U Uᵀ.
    fn solve(
        &self,
        labels: Labels<'_>,
        of_target: &[usize],
        mu: f64,
        lambda: f64,
    ) -> Result<Array2<f64>> {
        let u = contrasts(labels, of_target, mu) * lambda.sqrt();
        let v = linalg::dot(&u.t(), self.k);
        let moved = self.fixed.solve(&u)?;
        let inner = linalg::dot(&v, &moved) + Array2::<f64>::eye(u.ncols());
        let correction = Lu::new(&inner).solve(&linalg::dot(&v, &self.unaligned))?;
        Ok(&self.unaligned - linalg::dot(&moved, &correction))
    }
}

/// U `(n, k + 1)` with U Uᵀ = M of Frobenius norm 1.
fn contrasts(labels: Labels<'_>, of_target: &[usize], mu: f64) -> Array2<f64> {
    let (n_s, n_t, k) = (labels.of.len(), of_target.len(), labels.classes);
    let mut u = Array2::zeros((n_s + n_t, k + 1));
    let count = |of: &[usize], c: usize| of.iter().filter(|&&label| label == c).count() as f64;
    let sizes: Vec<[f64; 2]> = (0..k).map(|c| [count(labels.of, c), count(of_target, c)]).collect();
    let present = sizes.iter().filter(|[source, _]| *source > 0.0).count() as f64;
    let (marginal, conditional) = (((1.0 - mu) * present).sqrt(), mu.sqrt());
    for (i, &c) in labels.of.iter().enumerate() {
        (u[(i, k)], u[(i, c)]) = (marginal / n_s as f64, conditional / sizes[c][0]);
    }
    for (i, &c) in of_target.iter().enumerate() {
        (u[(n_s + i, k)], u[(n_s + i, c)]) = (-marginal / n_t as f64, -conditional / sizes[c][1]);
    }
    let norm = linalg::frobenius(linalg::self_dot(&u).view()).sqrt();
    u / norm.max(f64::MIN_POSITIVE)
}

/// μ: the share of the classes' distances in all.
fn balance(features: &Features, labels: Labels<'_>, of_target: &[usize]) -> Result<f64> {
    let rows_of = |x: &Array2<f64>, of: &[usize], c: usize| {
        let rows: Vec<usize> = (0..of.len()).filter(|&i| of[i] == c).collect();
        x.select(Axis(0), &rows)
    };
    let mut classes = Vec::new();
    for c in 0..labels.classes {
        let source = rows_of(&features.source, labels.of, c);
        let target = rows_of(&features.target, of_target, c);
        if source.nrows() > 0 && target.nrows() > 0 {
            classes.push(a_distance(source.view(), target.view())?);
        }
    }
    let conditional = classes.iter().sum::<f64>() / classes.len().max(1) as f64;
    let marginal = a_distance(features.source.view(), features.target.view())?;
    match conditional + marginal {
        0.0 => Ok(0.5),
        sum => Ok(conditional / sum),
    }
}

/// 2 (1 − 2ε), between 0 and 2.
fn a_distance(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Result<f64> {
    let x = concatenate![Axis(0), source, target];
    let domain: Vec<usize> = (0..x.nrows()).map(|i| usize::from(i >= source.nrows())).collect();
    // The error is a count: a coarse solution gives the same.
    let logistic = Logistic { tolerance: 1e-6, ..Logistic::default() };
    let predicted = Classify::fit(&logistic, x.view(), &domain, 2, None)?.predict(x.view())?;
    let wrong = predicted.iter().zip(&domain).filter(|(a, b)| a != b).count();
    Ok((2.0 * (1.0 - 2.0 * wrong as f64 / x.nrows() as f64)).max(0.0))
}

/// W of nearest neighbours by cosine, D^(−½) W D^(−½).
struct Graph {
    /// For every row, its neighbours and their weights; the row itself is one.
    edges: Vec<Vec<(usize, f64)>>,
}

impl Graph {
    /// Of rows of unit length: an edge where one of two rows is among the p nearest of the other.
    fn new(rows: &Array2<f64>, neighbours: usize) -> Self {
        let n = rows.nrows();
        let cosines = linalg::dot(rows, &rows.t());
        let chosen = parallel::map(n, |i| nearest_by(cosines.row(i), i, neighbours));
        let mut edges: Vec<Vec<(usize, f64)>> = (0..n).map(|i| vec![(i, 1.0)]).collect();
        for (i, chosen) in chosen.into_iter().enumerate() {
            for j in chosen {
                edges[i].push((j, cosines[(i, j)].max(0.0)));
                edges[j].push((i, cosines[(i, j)].max(0.0)));
            }
        }
        for of_row in &mut edges {
            of_row.sort_unstable_by_key(|&(j, _)| j);
            of_row.dedup_by_key(|&mut (j, _)| j);
        }
        let degrees: Vec<f64> =
            edges.iter().map(|of_row| of_row.iter().map(|(_, w)| w).sum()).collect();
        for (i, of_row) in edges.iter_mut().enumerate() {
            of_row.iter_mut().for_each(|(j, w)| *w /= (degrees[i] * degrees[*j]).sqrt());
        }
        Self { edges }
    }

    /// L K = K − D^(−½) W D^(−½) K.
    fn laplacian_times(&self, k: &Array2<f64>) -> Array2<f64> {
        let mut out = k.clone();
        let n = out.ncols();
        parallel::for_each_piece(out.as_slice_mut().unwrap_or_default(), n, |i, row| {
            for &(j, w) in &self.edges[i] {
                row.iter_mut().zip(k.row(j)).for_each(|(out, k)| *out -= w * k);
            }
        });
        out
    }
}

/// The p others of largest cosine, the first of equal ones.
fn nearest_by(cosines: ArrayView1<'_, f64>, own: usize, p: usize) -> Vec<usize> {
    let mut others: Vec<usize> = (0..cosines.len()).filter(|&j| j != own).collect();
    let order = |&a: &usize, &b: &usize| cosines[b].total_cmp(&cosines[a]).then(a.cmp(&b));
    if p < others.len() {
        others.select_nth_unstable_by(p, order);
        others.truncate(p);
    }
    others
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// Two elongated classes; the target's are turned by 40° about their common centre.
    fn domains() -> (Array2<f64>, Array2<f64>, Vec<usize>) {
        let labels: Vec<usize> = (0..24).map(|i| i % 2).collect();
        let row = |i: usize, j: usize| {
            let (side, along) =
                (if i.is_multiple_of(2) { 1.0 } else { -1.0 }, (i / 2) as f64 / 6.0 - 1.0);
            let noise = ((i * 13 + j * 7) % 5) as f64 / 25.0;
            [2.0 * side, along, noise, noise * side][j] + 0.1 * noise
        };
        let xs = Array2::from_shape_fn((24, 4), |(i, j)| row(i, j));
        let (sin, cos) = 40f64.to_radians().sin_cos();
        let mut xt = xs.clone();
        for mut x in xt.rows_mut() {
            (x[0], x[1]) = (cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]);
        }
        (xs, xt, labels)
    }

    #[test]
    fn turned_classes_are_found_and_new_rows_get_the_same_scores() {
        let (xs, xt, labels) = domains();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        let fitted =
            Meda { components: 2, neighbours: 3, ..Meda::default() }.fit(&domains).unwrap();
        assert_eq!(fitted.labels(), labels);
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
        let again = fitted.classifier.unwrap().scores(xt.view()).unwrap();
        assert_abs_diff_eq!(again, fitted.scores, epsilon = 1e-10);
    }

    /// β solves the paper's equation with all matrices written out.
    #[test]
    fn the_solution_is_that_of_the_whole_system() {
        let (xs, xt, of_source) = domains();
        let base = Domains::new(xs.view(), xt.view()).unwrap();
        let labels = base.with_classes(&of_source, 3).unwrap().labels().unwrap();
        let of_target: Vec<usize> = (0..24).map(|i| usize::from(i % 3 == 0)).collect();
        let rows = unit_rows(concatenate![Axis(0), xs, xt]);
        let k = Kernel::Gaussian { sigma: 1.0 }.gram("meda", rows.view(), rows.view()).unwrap();
        let options = Meda { neighbours: 4, ..Meda::default() };
        let system = System::new(&options, &rows, &k, labels).unwrap();
        let beta = system.solve(labels, &of_target, 0.3, 10.0).unwrap();

        let n = rows.nrows();
        let mean = |keep: &dyn Fn(usize) -> bool| {
            let part = |rows: std::ops::Range<usize>, sign: f64| {
                let kept: Vec<usize> = rows.filter(|&i| keep(i)).collect();
                let mut e = Array1::<f64>::zeros(n);
                kept.iter().for_each(|&i| e[i] = sign / kept.len() as f64);
                e
            };
            let e = part(0..24, 1.0) + part(24..n, -1.0);
            let column = e.view().insert_axis(Axis(1));
            column.dot(&column.t())
        };
        let class = |i: usize| if i < 24 { of_source[i] } else { of_target[i - 24] };
        // Two classes have source rows; the third is known of, but has none.
        let m = mean(&|_| true) * (0.7 * 2.0)
            + (mean(&|i| class(i) == 0) + mean(&|i| class(i) == 1)) * 0.3;
        let m = &m / linalg::frobenius(m.view());
        let laplacian = Graph::new(&rows, 4).laplacian_times(&Array2::eye(n));
        assert_abs_diff_eq!(laplacian, laplacian.t().to_owned(), epsilon = 1e-14);
        assert!(linalg::eigh(&laplacian).unwrap().values[0] > -1e-12);
        let e = Array2::from_diag(&Array1::from_shape_fn(n, |i| f64::from(i < 24)));
        let y = Array2::from_shape_fn((n, 3), |(i, c)| f64::from(i < 24 && class(i) == c));
        let left = (e + m * 10.0 + laplacian).dot(&k) + Array2::<f64>::eye(n) * 0.1;
        assert_abs_diff_eq!(left.dot(&beta), y, epsilon = 1e-10);
    }

    #[test]
    fn distances_between_domains_by_hand() {
        let at = |x: &[f64]| Array2::from_shape_vec((x.len(), 1), x.to_vec()).unwrap();
        let (left, right) = (at(&[0.0, 1.0, 2.0, 3.0]), at(&[10.0, 11.0, 12.0, 13.0]));
        assert_eq!(a_distance(left.view(), right.view()).unwrap(), 2.0);
        assert_eq!(a_distance(left.view(), left.view()).unwrap(), 0.0);
        // Of the two classes one moved: μ = 1 / (1 + d_M).
        let features =
            Features { source: at(&[0.0, 0.1, 5.0, 5.1]), target: at(&[0.0, 0.1, 8.0, 8.1]) };
        let labels = Labels { of: &[0, 0, 1, 1], classes: 2 };
        let d = a_distance(features.source.view(), features.target.view()).unwrap();
        let mu = balance(&features, labels, &[0, 0, 1, 1]).unwrap();
        assert_abs_diff_eq!(mu, 1.0 / (1.0 + d), epsilon = 1e-12);
    }

    #[test]
    fn rows_that_span_no_subspace_are_refused_by_its_name() {
        let (xs, _, labels) = domains();
        let still = Array2::ones(xs.dim());
        let domains = Domains::new(xs.view(), still.view()).unwrap().with_labels(&labels).unwrap();
        let message = Meda::default().fit(&domains).err().unwrap().to_string();
        assert!(message.starts_with("meda: all target rows are equal"), "{message}");
    }

    #[test]
    fn options_are_checked() {
        let (xs, xt, labels) = domains();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        for bad in [
            Meda { shrinkage: 0.0, ..Meda::default() },
            Meda { alignment: f64::NAN, ..Meda::default() },
            Meda { balance: Some(1.5), ..Meda::default() },
            Meda { neighbours: 0, ..Meda::default() },
            Meda { components: 0, ..Meda::default() },
        ] {
            assert!(matches!(bad.fit(&domains), Err(Error::Config { owner: "meda", .. })));
        }
    }
}
