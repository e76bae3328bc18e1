//! The benchmark's pipelines: rows are mapped or weighted, and a support vector machine learns them.

use anyhow::{Error, Result, ensure};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use transduct_adapt::{
    domains::Domains,
    learn::{Calibration, Classifier as _, Svm, SvmModel, first_largest},
    math::{
        gram::{KernelChoice, median},
        moments,
    },
    ot::{Emd, Entropic, Problem, Sinkhorn, emd, sinkhorn},
    reweight::{Bandwidth, KdeRatio, Reweight, reweighter},
    shallow::{Affine, Align as _, Map, Metric, Pca, aligner},
};
use transduct_core::{Rng, Stream, rng};

use super::{
    super::pipeline::Part,
    problem::{self, Rows},
    scorers, target_shift,
};

/// A point of a grid: what is done before the machine learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Point {
    /// Nothing.
    SourceOnly,
    /// It learns the target rows with their labels, which no user has.
    TargetOnly,
    /// Rows are mapped by a registered aligner.
    Aligned(Part),
    /// So too, and rows of both domains are then taken relative to the target's mean.
    AlignedAround(Part),
    /// Both domains are projected on so many principal components of the source.
    SourceComponents(usize),
    /// Source rows weigh what a registered method says, as it says it.
    Weighted(Part),
    /// Source rows weigh a ratio of kernel densities of one bandwidth, scaled to mean 1.
    KernelDensities(Width),
    /// Source rows weigh what their class does, for this γ of the kernels.
    TargetShift(Option<f64>),
    /// Source rows go to the mean of the target rows by an entropic plan, new ones by its potentials.
    Entropic {
        metric: Metric,
        /// In units of the median cost.
        epsilon: f64,
    },
    /// The machine learns the target rows with the labels that a plan sends them: an exact one, or one of
    /// so much entropy.
    Propagated { metric: Metric, epsilon: Option<f64> },
}

/// The bandwidth of a kernel density of n rows of d features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Width {
    Fixed(f64),
    /// n^(−1/(d+4)): scikit-learn's rules know no deviation.
    Scott,
    /// (n (d + 2) / 4)^(−1/(d+4)).
    Silverman,
}

impl Width {
    fn of(self, rows: &Array2<f64>) -> f64 {
        let (n, d) = (rows.nrows() as f64, rows.ncols() as f64);
        match self {
            Self::Fixed(h) => h,
            Self::Scott => n.powf(-1.0 / (d + 4.0)),
            Self::Silverman => (n * (d + 2.0) / 4.0).powf(-1.0 / (d + 4.0)),
        }
    }
}

/// What a fit draws with: one seed a problem, a point and a fold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws {
    seed: u64,
}

impl Draws {
    /// Of an inner fold, or of the fit on all training rows.
    pub(super) fn new(problem: &problem::Problem, place: usize, fold: Option<usize>) -> Self {
        let numbers = [problem.seed, problem.outer, place, fold.map_or(0, |fold| fold + 1)];
        Self { seed: numbers.iter().fold(0, |seed, &number| 100 * seed + number as u64) }
    }

    /// For one of several purposes.
    pub(super) fn rng(&self, purpose: u64) -> Rng {
        rng(10 * self.seed + purpose, Stream::Split)
    }
}

/// A map of rows.
type RowMap = Box<dyn Fn(ArrayView2<'_, f64>) -> Result<Array2<f64>> + Send + Sync>;

/// A fitted pipeline.
pub(super) struct Fitted {
    source: RowMap,
    target: RowMap,
    machine: Machine,
}

impl Fitted {
    /// Fits a point; the target's labels are for [`Point::TargetOnly`] alone.
    ///
    /// # Errors
    /// Those of the methods; rows of one class, or weights that are not finite, for the machine.
    pub(super) fn new(
        point: &Point,
        rows: &Rows,
        draws: &Draws,
        probabilities: bool,
    ) -> Result<Self> {
        let domains = Domains::new(rows.source.view(), rows.target.view())?;
        let domains = domains.with_classes(&rows.labels, 2)?;
        let mut weights = None;
        let aligned = |part: &Part| {
            Ok::<_, Error>((aligner(&part.name)?.build)(&part.options)?.fit(&domains)?)
        };
        let unmoved = || (mapped(Map::Identity), mapped(Map::Identity));
        let (source, target): (RowMap, RowMap) = match point {
            Point::SourceOnly | Point::TargetOnly | Point::Propagated { .. } => unmoved(),
            Point::Aligned(part) => {
                let fitted = aligned(part)?;
                (mapped(fitted.source), mapped(fitted.target))
            }
            Point::AlignedAround(part) => {
                let fitted = aligned(part)?;
                let mean = moments::mean(rows.target.view());
                let around = |map: Map| {
                    let identity = Affine::linear(Array2::eye(mean.len()));
                    let shift = Map::Affine(Affine { shift: mean.clone(), ..identity });
                    mapped(Map::Sequence(vec![map, shift]))
                };
                (around(fitted.source), around(fitted.target))
            }
            Point::SourceComponents(components) => {
                let source = Domains::new(rows.source.view(), rows.source.view())?;
                let fitted = Pca { components: *components }.fit(&source)?;
                (mapped(fitted.source), mapped(fitted.target))
            }
            Point::Weighted(part) => {
                weights =
                    Some((reweighter(&part.name)?.build)(&part.options)?.fit(&domains)?.weights);
                unmoved()
            }
            Point::TargetShift(gamma) => {
                weights = Some(target_shift::weights(rows, *gamma)?);
                unmoved()
            }
            Point::Entropic { metric, epsilon } => {
                (entropic(*metric, *epsilon, rows)?, mapped(Map::Identity))
            }
            Point::KernelDensities(width) => {
                let n = [&rows.source, &rows.target].map(|x| x.nrows());
                ensure!(n[0] == n[1], "one bandwidth for {} and {} rows", n[0], n[1]);
                let bandwidth = Bandwidth::Fixed(width.of(&rows.source));
                let w = KdeRatio { bandwidth }.fit(&domains)?.weights;
                weights = Some(&w / w.mean().unwrap_or(f64::NAN));
                unmoved()
            }
        };
        let draws = probabilities.then_some(draws);
        let machine = match point {
            Point::TargetOnly => Machine::fit(&rows.target, &rows.target_labels, None, draws)?,
            Point::Propagated { metric, epsilon } => {
                let labels = propagated(*metric, *epsilon, rows)?;
                Machine::fit(&rows.target, &labels, None, draws)?
            }
            _ => {
                let x = source(rows.source.view())?;
                Machine::fit(&x, &rows.labels, weights.as_ref(), draws)?
            }
        };
        Ok(Self { source, target, machine })
    }

    /// The classes of target rows.
    pub(super) fn predict(&self, x: &Array2<f64>) -> Result<Vec<usize>> {
        self.machine.predict(&self.as_target(x.view())?)
    }

    /// The classes of source rows.
    pub(super) fn predict_source(&self, x: &Array2<f64>) -> Result<Vec<usize>> {
        self.machine.predict(&(self.source)(x.view())?)
    }

    /// p(class | x) of target rows.
    pub(super) fn probabilities(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        self.machine.probabilities(&self.as_target(x.view())?)
    }

    /// p(class | x) of source rows.
    pub(super) fn source_probabilities(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        self.machine.probabilities(&(self.source)(x.view())?)
    }

    /// Rows as the machine sees target rows.
    pub(super) fn as_target(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        (self.target)(x)
    }
}

fn mapped(map: Map) -> RowMap {
    Box::new(move |x| Ok(map.apply(x)?))
}

/// The entropic plan between uniform masses; its cost is divided by `scale`.
fn plan(
    metric: Metric,
    rows: &Rows,
    epsilon: f64,
    scale: impl Fn(&Array2<f64>) -> f64,
    stop: (f64, usize),
) -> Result<(Entropic, f64)> {
    let cost = metric.distances(rows.source.view(), rows.target.view());
    let scale = scale(&cost);
    let cost = cost / scale;
    let (tolerance, max_rounds) = stop;
    let options = Sinkhorn { epsilon, tolerance, max_rounds };
    Ok((sinkhorn(&Problem::uniform(cost.view())?, &options)?, scale))
}

/// x ↦ Σ_j p_j x_j over the target rows, p_j ∝ exp((g_j − c(x, x_j)) / ε), with the target's potential g.
fn entropic(metric: Metric, epsilon: f64, rows: &Rows) -> Result<RowMap> {
    let median = |cost: &Array2<f64>| {
        median(&mut cost.iter().copied().collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let (plan, scale) = plan(metric, rows, epsilon, median, (1e-7, 1000))?;
    let target = rows.target.clone();
    Ok(Box::new(move |x| {
        let mut p = metric.distances(x, target.view()) / -scale;
        p += &plan.g;
        for mut row in p.rows_mut() {
            let largest = row.fold(f64::NEG_INFINITY, |m, &v| m.max(v));
            row.mapv_inplace(|v| ((v - largest) / epsilon).exp());
            let sum = row.sum();
            row /= sum;
        }
        Ok(p.dot(&target))
    }))
}

/// The class of which each target row gets most mass, the first of equal ones.
fn propagated(metric: Metric, epsilon: Option<f64>, rows: &Rows) -> Result<Vec<usize>> {
    let mut masses = Array2::zeros((rows.target.nrows(), 2));
    match epsilon {
        None => {
            let cost = metric.distances(rows.source.view(), rows.target.view());
            let exact = emd(&Problem::uniform(cost.view())?, &Emd::default())?;
            for entry in &exact.plan.entries {
                let class = rows.labels[entry.row as usize];
                masses[(entry.column as usize, class)] += entry.mass;
            }
        }
        Some(epsilon) => {
            let (entropic, _) = plan(metric, rows, epsilon, |_| 1.0, (1e-9, 100))?;
            for (row, &class) in entropic.plan.rows().into_iter().zip(&rows.labels) {
                let mut of_class = masses.column_mut(class);
                of_class += &row;
            }
        }
    }
    Ok(first_largest(masses.view()))
}

/// The machine that all pipelines end with: C = 1, which weights multiply as they are.
///
/// Of rows nearer to the boundary than the solver's tolerance its path decides, and a few of them are in every
/// split. So rows come in the order, and with the signs, by which its ties are resolved as libsvm resolves
/// them: the last of equal rows, of class 0 first, whose sign is positive.
struct Machine(SvmModel);

impl Machine {
    fn fit(
        x: &Array2<f64>,
        y: &[usize],
        weights: Option<&Array1<f64>>,
        probabilities: Option<&Draws>,
    ) -> Result<Self> {
        let of_class = |class: usize| (0..y.len()).filter(move |&i| y[i] == class);
        let order: Vec<usize> = of_class(0).chain(of_class(1)).rev().collect();
        let x = x.select(Axis(0), &order);
        let y: Vec<usize> = order.iter().map(|&i| 1 - y[i]).collect();
        // The library's weights have mean 1 over the rows that have one.
        let (mut c, mut ordered) = (1.0, None);
        if let Some(weights) = weights {
            ensure!(weights.iter().all(|w| w.is_finite()), "a weight is not finite");
            let kept: Vec<f64> = weights.iter().copied().filter(|&w| w > 0.0).collect();
            c = kept.iter().sum::<f64>() / kept.len() as f64;
            ordered = Some(weights.mapv(|w| w.max(0.0)).select(Axis(0), &order));
        }
        let calibration =
            probabilities.map(|draws| Calibration { seed: draws.seed, ..Calibration::default() });
        let kernel = KernelChoice::GaussianByVariance;
        let svm = Svm { c, kernel, calibration, ..Svm::default() };
        let weights = ordered.as_ref().map(|w| w.view());
        Ok(Self(svm.fit_model(x.view(), &y, 2, weights)?))
    }

    fn predict(&self, x: &Array2<f64>) -> Result<Vec<usize>> {
        Ok(self.0.predict(x.view())?.into_iter().map(|class| 1 - class).collect())
    }

    fn probabilities(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        Ok(scorers::probabilities(&self.0, x.view())?.select(Axis(1), &[1, 0]))
    }
}
