//! The benchmark's estimators with their grids, in its order.

use serde_json::json;
use transduct_adapt::shallow::Metric;

use super::{
    super::pipeline::Part,
    pipeline::{Point, Width},
    scorers::{SCORERS, Scorer},
};

/// An estimator of the benchmark.
pub(super) struct Estimator {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) grid: Vec<Point>,
    /// Whether the benchmark computes something else than it names; here is what it names.
    pub(super) corrected: bool,
}

fn estimator(id: &'static str, title: &'static str, grid: Vec<Point>) -> Estimator {
    Estimator { id, title, grid, corrected: false }
}

fn corrected(id: &'static str, title: &'static str, grid: Vec<Point>) -> Estimator {
    Estimator { corrected: true, ..estimator(id, title, grid) }
}

impl Estimator {
    /// The scorers that are compared. Those that draw choose among other grids' values where the grid is
    /// another method's.
    pub(super) fn scorers(&self) -> &'static [Scorer] {
        if self.corrected { &SCORERS[..3] } else { &SCORERS }
    }
}

/// Those that are computed, in the order of the table.
pub(super) fn estimators() -> Vec<Estimator> {
    vec![
        estimator("train-src", "Train Src", vec![Point::SourceOnly]),
        estimator("train-tgt", "Train Tgt", vec![Point::TargetOnly]),
        estimator("coral", "CORAL", coral()),
        estimator("lin-ot", "LinOT", linear_transport()),
        estimator(
            "sa",
            "SA",
            [1, 2]
                .map(|k| Point::Aligned(Part::with("subspace-alignment", json!({"components": k}))))
                .into(),
        ),
        estimator("jpca", "JPCA", [1, 2].map(Point::SourceComponents).into()),
        estimator(
            "gauss-rw",
            "Gauss. RW",
            vec![Point::Weighted(Part::with(
                "gaussian",
                json!({"ridge": 0.0, "shrinkage": "ledoit-wolf"}),
            ))],
        ),
        estimator("dens-rw", "Dens. RW", {
            let fixed = [0.01, 0.1, 1.0, 10.0, 100.0].map(Width::Fixed);
            let widths = fixed.into_iter().chain([Width::Scott, Width::Silverman]);
            widths.map(Point::KernelDensities).collect()
        }),
        estimator("mmd-tars", "MMDTarS", target_shift()),
        estimator("map-ot", "MapOT", map_ot()),
        estimator("ent-ot", "EntOT", ent_ot()),
        estimator("ot-label-prop", "OTLabelProp", label_prop()),
        corrected("nn-rw", "NN RW", nn_rw()),
        corrected("disc-rw", "Disc. RW", disc_rw()),
        corrected("kliep", "KLIEP", kliep()),
        corrected("kmm", "KMM", kmm()),
    ]
}

const METRICS: [Metric; 3] = [Metric::SquaredEuclidean, Metric::Cosine, Metric::CityBlock];

/// 10⁻⁴ … 10³.
fn gammas() -> impl Iterator<Item = f64> {
    [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0].into_iter()
}

/// σ of exp(−γ d²) = exp(−d² / 2σ²).
fn sigma(gamma: f64) -> f64 {
    (0.5 / gamma).sqrt()
}

fn target_shift() -> Vec<Point> {
    gammas().map(Some).chain([None]).map(Point::TargetShift).collect()
}

fn map_ot() -> Vec<Point> {
    METRICS.map(|metric| Point::Aligned(Part::with("ot-emd", json!({"metric": metric})))).into()
}

fn ent_ot() -> Vec<Point> {
    let of = |metric| [0.1, 0.5, 1.0].map(|epsilon| Point::Entropic { metric, epsilon });
    METRICS.into_iter().flat_map(of).collect()
}

fn label_prop() -> Vec<Point> {
    let of = |metric, epsilon| Point::Propagated { metric, epsilon };
    let exact = METRICS.map(|metric| of(metric, None));
    let entropic = METRICS.into_iter().flat_map(|metric| [0.1, 1.0].map(|e| of(metric, Some(e))));
    exact.into_iter().chain(entropic).collect()
}

fn nn_rw() -> Vec<Point> {
    let of = |smoothing: f64| Part::with("nearest-neighbour", json!({"smoothing": smoothing}));
    [1.0, 0.0].map(|smoothing| Point::Weighted(of(smoothing))).into()
}

fn disc_rw() -> Vec<Point> {
    let svm = json!({"kernel": "gaussian-by-variance", "calibration": {}});
    let of = |name: &str, options| {
        let options = json!({"classifier": name, "options": options, "folds": 1});
        Point::Weighted(Part::with("discriminative", options))
    };
    vec![of("logistic", json!({})), of("svm", svm)]
}

fn kliep() -> Vec<Point> {
    let of = |gamma: f64| {
        let options = json!({"sigma": {"fixed": [sigma(gamma)]}});
        Point::Weighted(Part::with("kliep", options))
    };
    gammas().chain([0.5]).map(of).collect()
}

fn kmm() -> Vec<Point> {
    let of = |gamma: f64| {
        let kernel = json!({"gaussian": {"sigma": sigma(gamma)}});
        Point::Weighted(Part::with("kmm", json!({"kernel": kernel, "tolerance": 1e-6})))
    };
    gammas().chain([0.5]).map(of).collect()
}

/// Without and with means.
fn coral() -> Vec<Point> {
    let part = |centre: bool| {
        let options = json!({"regularisation": 0.0, "centre": centre, "shrinkage": "ledoit-wolf"});
        Part::with("coral", options)
    };
    vec![Point::AlignedAround(part(true)), Point::Aligned(part(false))]
}

fn linear_transport() -> Vec<Point> {
    let ridges = [1e-8, 1e-6, 0.1, 1.0, 10.0];
    let point = |centre: bool, ridge: f64| {
        let options = json!({"regularisation": ridge, "centre": centre});
        Point::Aligned(Part::with("linear-monge", options))
    };
    [true, false].iter().flat_map(|&centre| ridges.map(|ridge| point(centre, ridge))).collect()
}
