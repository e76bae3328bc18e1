//! Covariate shift on generated data: what importance weights are worth where the truth is known.
//!
//! 1. `sinc`: a straight line fitted to a sinc curve whose inputs move, after Sugiyama, Krauledat &
//!    Müller, "Covariate Shift Adaptation by Importance Weighted Cross Validation", JMLR 8, 2007.
//! 2. `dimension-*`, `rows-*`: how near estimated weights come to the true ones, in the artificial
//!    setting of Sugiyama et al., "Direct Importance Estimation for Covariate Shift Adaptation",
//!    AISM 60, 2008 (KLIEP), and of Kanamori, Hido & Sugiyama, "A Least-squares Approach to Direct
//!    Importance Estimation", JMLR 10, 2009 (uLSIF).
//!
//! Differences from the papers:
//! 1. The papers show these experiments as figures, from which no number can be read: none is
//!    compared with a published one. The numbers beside `sinc` are those of `tests/reference/sinc.py`.
//! 2. Flattening has τ = ½ rather than a τ chosen by importance-weighted cross-validation.
//! 3. KLIEP, uLSIF and KMM have this program's default kernels and grids.

use anyhow::{Context, Result};
use ndarray::{Array1, Array2, ArrayView2, Axis, array};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use transduct_adapt::{
    domains::Domains,
    learn::regressor,
    reweight::{effective_sample_size, reweighter},
};
use transduct_core::data::synthetic::{Points, SincRegression};

use super::pipeline::{Part, remarks};
use crate::{
    experiment::{
        Axes, Better, Cell, Curves, Description, Experiment, Measure, MethodUse, Origin, Paper,
        Reference, Score, Seeds, Series, SeriesMark, Task, Tolerance, Trial,
    },
    record::Named,
};

const SCRIPT: &str = "tests/reference/sinc.py, 400 trials of its own on the same setting";

/// Source and target rows of the papers' artificial setting.
const TARGET_ROWS: usize = 1000;
/// Of the tasks over dimensions.
const SOURCE_ROWS: usize = 100;
/// Of the tasks over source rows.
const DIMENSION: usize = 10;

/// The trial that the figures show, and the range of its inputs.
const DRAWN: u64 = 0;
const GRID: [f64; 2] = [-0.5, 3.0];

/// d of the tasks over dimensions.
const DIMENSIONS: [usize; 5] = [1, 5, 10, 15, 20];
/// n of the tasks over source rows.
const ROWS: [usize; 3] = [50, 100, 150];

/// What a cell computes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Setting {
    /// The error of a line fitted with these weights.
    Line(Weights),
    /// The error of estimated weights.
    Ratio {
        /// d.
        dimension: usize,
        /// n_s.
        source_rows: usize,
        /// Who estimates them.
        method: Part,
    },
}

/// Weights of the source rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Weights {
    /// w(x)^τ of the true w.
    True { tau: f64 },
    /// As a method estimates them.
    Estimated(Part),
}

/// Method, its title, its weights, and the number of another program with our tolerance.
type LineMethod = (&'static str, &'static str, Weights, Option<(f64, f64)>);

fn line_methods() -> [LineMethod; 6] {
    let estimated = |name: &str| Weights::Estimated(Part::new(name));
    [
        ("ols", "Least squares", Weights::True { tau: 0.0 }, Some((0.3012, 0.018))),
        ("true", "True weights", Weights::True { tau: 1.0 }, Some((0.0161, 0.0035))),
        ("flattened", "True weights^½", Weights::True { tau: 0.5 }, Some((0.0103, 0.0027))),
        ("ulsif", "uLSIF", estimated("ulsif"), Some((0.015, 0.0048))),
        ("kliep", "KLIEP", estimated("kliep"), Some((0.0242, 0.0072))),
        ("kmm", "KMM", estimated("kmm"), None),
    ]
}

/// The methods whose weights are compared with the true ones.
const RATIOS: [&str; 3] = ["ulsif", "kliep", "kmm"];

/// The experiment.
pub(super) fn experiment() -> Experiment {
    let mut tasks = vec![Task::new("sinc", "Sinc: squared error of the line", &[])];
    let mut cells: Vec<Cell> = Vec::new();
    for (id, _, weights, number) in line_methods() {
        cells.push(Cell {
            reference: number.map(|(value, _)| Reference { value, source: SCRIPT.into() }),
            tolerance: number.map(|(_, tolerance)| tolerance),
            ..Cell::new("sinc", id, json!(Setting::Line(weights)))
        });
    }
    let dimensions = DIMENSIONS.map(|d| (format!("dimension-{d}"), d, SOURCE_ROWS));
    let rows = ROWS.map(|n| (format!("rows-{n}"), DIMENSION, n));
    for (id, dimension, source_rows) in dimensions.iter().chain(&rows) {
        let title = format!("Weights: NMSE × 10⁴, d = {dimension}, n = {source_rows}");
        tasks.push(Task::new(id.clone(), title, &[]));
        cells.extend(RATIOS.map(|name| {
            let (dimension, source_rows) = (*dimension, *source_rows);
            let setting = Setting::Ratio { dimension, source_rows, method: Part::new(name) };
            Cell::new(id, name, json!(setting))
        }));
    }
    let along = |title: &str, x: &str, points: Vec<(String, f64)>| Curves {
        title: title.to_owned(),
        x: x.to_owned(),
        points,
    };
    let description = Description {
        name: "covariate-shift-toy".into(),
        title: "Covariate shift on generated data".into(),
        paper: Paper::new(
            "M. Sugiyama, M. Krauledat, K.-R. Müller (sinc); M. Sugiyama et al. (KLIEP); \
             T. Kanamori, S. Hido, M. Sugiyama (uLSIF)",
            "Covariate Shift Adaptation by Importance Weighted Cross Validation; Direct Importance \
             Estimation for Covariate Shift Adaptation; A Least-squares Approach to Direct \
             Importance Estimation",
            "JMLR 8, 2007; AISM 60, 2008; JMLR 10, 2009",
            "The toy regression of the first, the artificial settings of the others (figures).",
        ),
        measure: Measure {
            name: "error".into(),
            unit: String::new(),
            better: Better::Lower,
            decimals: 4,
        },
        protocol: vec![
            "sinc: 150 source inputs from N(1, ½²) and 150 target inputs from N(2, ¼²); outputs \
             sin(πx)/(πx) plus noise of N(0, ¼²). A straight line is fitted to the source with \
             weights; the error is its mean squared difference to the curve without noise over \
             the target inputs."
                .into(),
            "dimension-d and rows-n: n source rows of N(0, I_d) and 1,000 target rows of \
             N(e₁, I_d); n = 100 or d = 10. The error is 10⁴ times the normalised mean squared \
             error (1/n) Σ (ŵ_i/Σŵ − w_i/Σw)² of the weights of the source rows."
                .into(),
            "Effective sample sizes are (Σw)²/Σw² of the source weights.".into(),
        ],
        differences: vec![
            "The papers show these experiments as figures, from which no number can be read: none \
             is compared with a published one. The numbers of another program beside sinc are those \
             of tests/reference/sinc.py, on the same setting."
                .into(),
            "Flattening has τ = ½ rather than a τ chosen by importance-weighted \
             cross-validation."
                .into(),
            "KLIEP, uLSIF and KMM have this program's default kernels and grids.".into(),
        ],
        tolerance: Tolerance {
            within: 0.005,
            why: "each program draws its own data: two standard errors of the difference of the \
                  two means, the cell's own."
                .into(),
        },
        seeds: Seeds::Random(100),
        tasks,
        methods: line_methods().iter().map(|(id, title, ..)| MethodUse::new(id, title)).collect(),
        cells,
        averages: Vec::new(),
        curves: vec![
            along(
                "Weights by dimension, n = 100",
                "d",
                dimensions.iter().map(|(id, d, _)| (id.clone(), *d as f64)).collect(),
            ),
            along(
                "Weights by source rows, d = 10",
                "n",
                rows.iter().map(|(id, _, n)| (id.clone(), *n as f64)).collect(),
            ),
        ],
    };
    Experiment { description, shares: None, compute }
}

fn compute(trial: &Trial<'_>) -> Result<Score> {
    let settings = trial.cell.settings.clone();
    match serde_json::from_value(settings).context("settings of the cell")? {
        Setting::Line(weights) => line(&weights, trial.seed),
        Setting::Ratio { dimension, source_rows, method } => {
            ratio(dimension, source_rows, &method, trial.seed)
        }
    }
}

/// The error of a line, and the effective sample size of its weights.
fn line(weights: &Weights, seed: u64) -> Result<Score> {
    let sinc = SincRegression::default();
    let (source, target) = sinc.generate(seed)?;
    let (w, mut notes) = match weights {
        Weights::True { tau } => (source.x.mapv(|x| sinc.weight(x).powf(*tau)), vec![]),
        Weights::Estimated(part) => {
            let [xs, xt] = [&source.x, &target.x].map(|x| x.view().insert_axis(Axis(1)));
            let domains = Domains::new(xs, xt)?;
            let weighting = (reweighter(&part.name)?.build)(&part.options)?.fit(&domains)?;
            let notes = remarks(&weighting.certificate);
            (weighting.weights, notes)
        }
    };
    let [xs, xt] = [&source.x, &target.x].map(|x| x.view().insert_axis(Axis(1)));
    let fitted = (regressor("least-squares")?.build)(&Value::Null)?.fit(
        xs,
        source.y.view(),
        Some(w.view()),
    )?;
    notes.extend(remarks(fitted.certificate()));
    let errors = fitted.predict(xt)? - target.x.mapv(SincRegression::truth);
    let series = match seed {
        DRAWN => drawn(&sinc, [&source, &target], &w, weights, |x| fitted.predict(x))?,
        _ => Vec::new(),
    };
    Ok(Score {
        value: errors.dot(&errors) / errors.len() as f64,
        extras: Named(vec![("effective sample size".into(), effective_sample_size(w.view()))]),
        notes,
        series,
    })
}

/// What a trial looks like: the lines over the data, and the densities with w p_s of the weights, which
/// is p_t where they are right.
fn drawn(
    sinc: &SincRegression,
    [source, target]: [&Points; 2],
    w: &Array1<f64>,
    weights: &Weights,
    line: impl Fn(ArrayView2<'_, f64>) -> transduct_adapt::error::Result<Array1<f64>>,
) -> Result<Vec<Series>> {
    let axes = |title: &str, y: &str| Axes {
        title: format!("{title}, seed {DRAWN}"),
        x: "x".into(),
        y: y.into(),
    };
    let lines = axes("Sinc: the fitted lines", "y");
    let densities = axes("Sinc: the densities, and weight × source density", "density");
    let series = |figure: &Axes, name: &str, of, mark, points| Series {
        figure: figure.clone(),
        name: name.into(),
        of,
        mark,
        points,
    };
    let grid = Array1::linspace(GRID[0], GRID[1], 120);
    let along = |f: &dyn Fn(f64) -> f64| grid.iter().map(|&x| [x, f(x)]).collect();
    let cloud = |points: &Points| points.x.iter().zip(&points.y).map(|(&x, &y)| [x, y]).collect();

    let mut all = Vec::new();
    // What all methods share comes with the plain line.
    if matches!(weights, Weights::True { tau } if *tau == 0.0) {
        all.extend([
            series(&lines, "source", Origin::Data, SeriesMark::Points, cloud(source)),
            series(&lines, "target", Origin::Data, SeriesMark::Points, cloud(target)),
            series(&lines, "truth", Origin::Data, SeriesMark::Line, along(&SincRegression::truth)),
            series(
                &densities,
                "source",
                Origin::Data,
                SeriesMark::Line,
                along(&|x| sinc.source.density(x)),
            ),
            series(
                &densities,
                "target",
                Origin::Data,
                SeriesMark::Line,
                along(&|x| sinc.target.density(x)),
            ),
        ]);
    }
    let ends = array![[GRID[0]], [GRID[1]]];
    let heights = line(ends.view())?;
    let ends = [0, 1].map(|i| [GRID[i], heights[i]]).to_vec();
    all.push(series(&lines, "line", Origin::Method, SeriesMark::Line, ends));
    if matches!(weights, Weights::Estimated(_)) {
        let estimate = |(&x, &w): (&f64, &f64)| [x, w * sinc.source.density(x)];
        let points = source.x.iter().zip(w).map(estimate).collect();
        all.push(series(&densities, "weights", Origin::Method, SeriesMark::Points, points));
    }
    Ok(all)
}

/// 10⁴ NMSE of estimated weights, and their effective sample size.
fn ratio(d: usize, n: usize, method: &Part, seed: u64) -> Result<Score> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let source = normal(n, d, 0.0, &mut rng);
    let target = normal(TARGET_ROWS, d, 1.0, &mut rng);
    let domains = Domains::new(source.view(), target.view())?;
    let weighting = (reweighter(&method.name)?.build)(&method.options)?.fit(&domains)?;
    // N(x; e₁, I) / N(x; 0, I) = exp(x₁ − ½).
    let truth = source.column(0).mapv(|x| (x - 0.5).exp());
    let shares = |w: &Array1<f64>| w / w.sum();
    let errors = shares(&weighting.weights) - shares(&truth);
    Ok(Score {
        value: 1e4 * errors.dot(&errors) / n as f64,
        extras: Named(vec![("effective sample size".into(), weighting.effective_sample_size)]),
        notes: remarks(&weighting.certificate),
        ..Score::default()
    })
}

/// Rows of N(mean · e₁, I).
fn normal(n: usize, d: usize, mean: f64, rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(_, j)| {
        let x: f64 = StandardNormal.sample(rng);
        if j == 0 { x + mean } else { x }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_help_the_line() {
        let error = |tau: f64| -> f64 {
            (0..20).map(|seed| line(&Weights::True { tau }, seed).unwrap().value).sum::<f64>()
                / 20.0
        };
        assert!(error(0.5) < 0.03 && error(0.0) > 0.2, "{} {}", error(0.5), error(0.0));
    }
}
