//! Office-Caltech10 with SURF words: twelve tasks between four domains, the field's oldest table.
//!
//! Gong, Shi, Sha & Grauman, "Geodesic Flow Kernel for Unsupervised Domain Adaptation", CVPR 2012,
//! made the data set. Its numbers are repeated with another protocol in later papers; this
//! experiment follows theirs, in which all source rows train and all target rows score.
//!
//! Differences from the papers:
//! 1. The papers leave the scaling of the words open. Rows are scaled to sum 1 and columns to mean 0
//!    and variance 1 in each domain (n in the denominator), as programs that were released for these
//!    data do (MEDA's, for instance). With it every cell of 1-NN and PCA comes out.
//! 2. The table of 2013 does not say which kernels and scalings it used. Its TCA and JDA are those of
//!    the linear kernel, whose penalty is on coefficients of rows (not of features) with λ = 1 and
//!    k = 100; JDA's rows have unit length before and after, TCA's do not. These settings were tried
//!    until the cells came out.
//! 3. Of k = 10, 20, 30, 40, 60 and 75 for GFK, k = 20 between C and A, C and W, A and D and k = 10
//!    between the other pairs give the cells of the table of 2013. They were found by those cells. How
//!    the table chose we do not know; a user has no such choice, and takes one k: with k = 30 GFK meets
//!    one of the twelve cells of the table that has its numbers.
//! 4. The numbers of SA are those of another paper. Its row without adaptation is 1-NN on rows of unit
//!    length after the scaling above, which was found by its twelve cells; its SA is not found. Tried on
//!    these rows and without unit length: k = 10, 20, 30, 40, 50, 80 and 100; 1-NN by distance and by
//!    angle; the linear SVM on the mapped rows and on the similarity of the authors' program, with
//!    C = 10⁻³, 10⁻², … 10⁴ chosen for each cell by its published number. The best of these gives four
//!    of the twelve.
//! 5. CORAL's authors train their SVM on the similarity X_s A X_sᵀ of rows and mapped rows, instead
//!    of the mapped rows' own products X_s A Aᵀ X_sᵀ, and choose C by cross-validation on the source;
//!    here the SVM sees the mapped rows, C = 1. With their similarity, and C = 0.001 on C → W and C → D
//!    and 0.01 elsewhere, which were chosen by the published mean, that comes out
//!    (`tests/reference/coral_similarity.py`): a cause that is likely, and not shown.
//! 6. Of TCA and JDA with k = 30, of PCA with k = 30 and of CORAL the means over the tasks are compared
//!    alone. Rows of unit length before TCA and JDA are not stated there; they were added after a first
//!    comparison.
//! 7. Numbers of KMM and of optimal transport on these tasks exist under other learners or splits
//!    alone, so none are compared.

use anyhow::{Context, Result};
use serde_json::json;

use super::pipeline::{Normalise, Part, Recipe, Rows};
use crate::experiment::{
    Average, Cell, Description, Experiment, Measure, MethodUse, Paper, Protocol, Published, Score,
    Seeds, Task, Tolerance, Trial,
};

/// Letter, word, registered name.
const DOMAINS: [(char, &str, &str); 4] = [
    ('C', "caltech", "office-caltech10/caltech"),
    ('A', "amazon", "office-caltech10/amazon"),
    ('W', "webcam", "office-caltech10/webcam"),
    ('D', "dslr", "office-caltech10/dslr"),
];

/// Source and target in the order in which papers print them.
const TASKS: [(char, char); 12] = [
    ('C', 'A'),
    ('C', 'W'),
    ('C', 'D'),
    ('A', 'C'),
    ('A', 'W'),
    ('A', 'D'),
    ('W', 'C'),
    ('W', 'A'),
    ('W', 'D'),
    ('D', 'C'),
    ('D', 'A'),
    ('D', 'W'),
];

struct Method {
    id: &'static str,
    title: &'static str,
    recipe: fn((char, char)) -> Recipe,
    /// In the order of the tasks, and where they stand.
    published: Option<([f64; 12], &'static str)>,
    /// The mean over the tasks alone, for tables of which we have no more.
    mean: Option<f64>,
    origin: Origin,
}

/// Where the settings of a method come from.
enum Origin {
    Stated,
    /// Found by the published numbers, as this difference says.
    Recovered(usize),
    /// They give these numbers instead, as this difference says.
    Deviating(usize, [f64; 12]),
}

impl Origin {
    /// Of a published number, beside which ours is `known` of those that deviate.
    fn protocol(&self, published: f64, known: impl Fn(&[f64; 12]) -> f64) -> Protocol {
        match self {
            Self::Stated => Protocol::Stated,
            Self::Recovered(difference) => Protocol::Recovered { difference: *difference },
            Self::Deviating(difference, ours) => match known(ours) {
                // A single cell that is met all the same.
                value if (value - published).abs() <= TOLERANCE => Protocol::Stated,
                value => Protocol::Deviates { difference: *difference, value },
            },
        }
    }
}

/// In points.
const TOLERANCE: f64 = 0.5;

const JDA: &str = "Long et al., “Transfer Feature Learning with Joint Distribution Adaptation”, ICCV \
                   2013, as collected in data/benchmark.md of jindongwang/transferlearning";
const JGSA: &str = "Zhang, Li & Ogunbona, “Joint Geometrical and Statistical Alignment”, CVPR 2017, \
                    the table on Office+Caltech10 with SURF (k = 30), as collected in \
                    data/benchmark.md of jindongwang/transferlearning";
const TKDE: &str = "Long et al., “Domain Invariant Transfer Kernel Learning”, TKDE 27(6), 2015, as \
                    collected in data/benchmark.md of jindongwang/transferlearning";
const MEDA: &str = "Wang et al., “Visual Domain Adaptation with Manifold Embedded Distribution \
                    Alignment”, ACM MM 2018, the table on Office+Caltech10 with SURF, its means";

fn nearest() -> Part {
    Part::new("k-nearest")
}

fn svm() -> Part {
    Part::with("svm", json!({"c": 1.0}))
}

fn components(method: &str, k: usize) -> Recipe {
    Recipe::aligned(Part::with(method, json!({"components": k})), nearest())
}

/// TCA or JDA of the table of 2013: the linear kernel, k = 100.
fn kernel_projection(method: &str, unit_rows: bool) -> Recipe {
    let options = json!({
        "components": 100, "regularisation": 1.0, "representation": "linear", "relative": true,
        "normalise_output": unit_rows,
    });
    Recipe { unit_rows, ..Recipe::aligned(Part::with(method, options), nearest()) }
}

/// TCA or JDA of the later tables: the primal form on rows of unit length, k = 30.
fn primal_projection(method: &str) -> Recipe {
    let options = json!({
        "components": 30, "regularisation": 1.0, "representation": "primal", "relative": true,
        "normalise_output": true,
    });
    Recipe { unit_rows: true, ..Recipe::aligned(Part::with(method, options), nearest()) }
}

/// k of GFK in the table of 2013, the same in both directions of a pair.
fn flow_components(task: (char, char)) -> usize {
    match task {
        ('C', 'A' | 'W') | ('A' | 'W', 'C') | ('A', 'D') | ('D', 'A') => 20,
        _ => 10,
    }
}

const fn method(
    id: &'static str,
    title: &'static str,
    recipe: fn((char, char)) -> Recipe,
) -> Method {
    Method { id, title, recipe, published: None, mean: None, origin: Origin::Stated }
}

const METHODS: [Method; 15] = [
    Method {
        published: Some((
            [23.70, 25.76, 25.48, 26.00, 29.83, 25.48, 19.86, 22.96, 59.24, 26.27, 28.50, 63.39],
            TKDE,
        )),
        ..method("1-nn", "1-NN", |_| Recipe::plain(nearest()))
    },
    Method {
        published: Some((
            [36.95, 32.54, 38.22, 34.73, 35.59, 27.39, 26.36, 31.00, 77.07, 29.65, 32.05, 75.93],
            JDA,
        )),
        ..method("pca", "PCA", |_| components("pca", 100))
    },
    Method {
        published: Some((
            [41.02, 40.68, 38.85, 40.25, 38.98, 36.31, 30.72, 29.75, 80.89, 30.28, 32.05, 75.59],
            JDA,
        )),
        origin: Origin::Recovered(3),
        ..method("gfk", "GFK, k by pair", |task| components("gfk", flow_components(task)))
    },
    Method {
        published: Some((
            [38.20, 38.64, 41.40, 37.76, 37.63, 33.12, 29.30, 30.06, 87.26, 31.70, 32.15, 86.10],
            JDA,
        )),
        origin: Origin::Recovered(2),
        ..method("tca", "TCA", |_| kernel_projection("tca", false))
    },
    Method {
        published: Some((
            [44.78, 41.69, 45.22, 39.36, 37.97, 39.49, 31.17, 32.78, 89.17, 31.52, 33.09, 89.49],
            JDA,
        )),
        origin: Origin::Recovered(2),
        ..method("jda", "JDA", |_| kernel_projection("jda", true))
    },
    Method { mean: Some(43.6), ..method("pca-30", "PCA, k = 30", |_| components("pca", 30)) },
    Method {
        published: Some((
            [49.27, 40.00, 39.49, 39.98, 33.22, 33.76, 35.17, 39.25, 75.16, 34.55, 39.87, 76.95],
            JGSA,
        )),
        origin: Origin::Deviating(
            4,
            [41.34, 40.00, 46.50, 41.14, 41.02, 38.85, 31.88, 35.59, 80.89, 31.17, 34.34, 82.37],
        ),
        ..method("sa", "SA, k = 30", |_| components("subspace-alignment", 30))
    },
    Method {
        published: Some((
            [46.03, 36.95, 40.76, 40.69, 36.95, 40.13, 24.76, 27.56, 85.35, 29.30, 28.71, 80.34],
            JGSA,
        )),
        origin: Origin::Deviating(
            3,
            [40.08, 35.59, 41.40, 40.25, 37.97, 38.22, 28.85, 33.09, 88.54, 28.58, 33.61, 82.71],
        ),
        ..method("gfk-30", "GFK, k = 30", |_| components("gfk", 30))
    },
    Method {
        published: Some((
            [36.01, 29.15, 38.22, 34.19, 31.19, 35.67, 28.76, 31.63, 84.71, 29.56, 28.29, 83.73],
            JGSA,
        )),
        origin: Origin::Recovered(4),
        ..method("1-nn-unit", "1-NN, unit rows", |_| Recipe {
            unit_rows: true,
            ..Recipe::plain(nearest())
        })
    },
    Method {
        mean: Some(46.2),
        origin: Origin::Recovered(6),
        ..method("tca-30", "TCA, k = 30", |_| primal_projection("tca"))
    },
    Method {
        mean: Some(46.8),
        origin: Origin::Recovered(6),
        ..method("jda-30", "JDA, k = 30", |_| primal_projection("jda"))
    },
    Method {
        mean: Some(48.8),
        origin: Origin::Deviating(
            5,
            [49.58, 39.32, 38.85, 43.63, 40.34, 38.22, 35.08, 36.01, 85.35, 33.13, 37.89, 85.76],
        ),
        ..method("coral", "CORAL + SVM", |_| Recipe::aligned(Part::new("coral"), svm()))
    },
    method("svm", "SVM", |_| Recipe::plain(svm())),
    method("kmm", "KMM + SVM", |_| Recipe::weighted(Part::new("kmm"), svm())),
    method("otda", "OT, class-regularised", |_| Recipe::aligned(Part::new("ot-class"), nearest())),
];

fn domain(letter: char) -> Option<(&'static str, &'static str)> {
    DOMAINS.iter().find(|(l, ..)| *l == letter).map(|(_, word, name)| (*word, *name))
}

/// The id of a task, and the registered names of its data.
fn task((source, target): (char, char)) -> Option<(String, [&'static str; 2])> {
    let (source, target) = (domain(source)?, domain(target)?);
    Some((format!("{}-{}", source.0, target.0), [source.1, target.1]))
}

/// The experiment.
pub(super) fn experiment() -> Experiment {
    let tasks: Vec<Task> = TASKS
        .iter()
        .filter_map(|&pair| {
            let (id, data) = task(pair)?;
            Some(Task::new(id, format!("{} → {}", pair.0, pair.1), &data))
        })
        .collect();
    let cells = tasks.iter().zip(TASKS).enumerate().flat_map(|(i, (task, pair))| {
        METHODS.iter().map(move |method| Cell {
            published: method.published.map(|(numbers, source)| {
                let protocol = method.origin.protocol(numbers[i], |ours| ours[i]);
                Published::new(numbers[i], source).by(protocol)
            }),
            ..Cell::new(&task.id, method.id, (method.recipe)(pair).settings())
        })
    });
    let description = Description {
        name: "office-caltech10-surf".into(),
        title: "Office-Caltech10 with SURF words".into(),
        paper: Paper::new(
            "B. Gong, Y. Shi, F. Sha, K. Grauman",
            "Geodesic Flow Kernel for Unsupervised Domain Adaptation",
            "CVPR 2012",
            "The data set; the numbers are those of the later papers named under the table.",
        ),
        measure: Measure::accuracy(),
        protocol: vec![
            "Ten classes in four domains: C (Caltech, 1,123 images), A (Amazon, 958), W (webcam, \
             295), D (DSLR, 157), as histograms of 800 SURF words. All rows are used."
                .into(),
            "Every row is scaled to sum 1, then every column to mean 0 and variance 1 over the \
             rows of its domain, with n in the denominator."
                .into(),
            "The methods see all source rows with labels and all target rows without; a learner \
             fitted on all source rows is scored on all target rows (transductive)."
                .into(),
            "1-NN after the projections: PCA, TCA and JDA with k = 100 and GFK with k = 20 or 10 by \
             the pair, as the table of 2013, and the forms with k = 30 of later tables; a linear SVM \
             with C = 1 alone, after CORAL and with the weights of KMM; 1-NN after \
             class-regularised optimal transport."
                .into(),
        ],
        differences: vec![
            "The papers leave the scaling of the words open. The one above is that of programs that \
             were released for these data (MEDA's, for instance); with it every cell of 1-NN and PCA \
             comes out."
                .into(),
            "The table of 2013 does not say which kernels and scalings it used: its TCA and JDA are \
             those of the linear kernel, whose penalty is on coefficients of rows, with λ = 1 and \
             k = 100; JDA's rows have unit length before and after, TCA's do not. These settings \
             were tried until the cells came out."
                .into(),
            "Of k = 10, 20, 30, 40, 60 and 75 for GFK, k = 20 between C and A, C and W, A and D and \
             k = 10 between the other pairs give the cells of the table of 2013. They were found by \
             those cells. How the table chose we do not know; a user has no such choice, and takes \
             one k: with k = 30 GFK meets one of the twelve cells of the table that has its \
             numbers."
                .into(),
            "The numbers of SA are those of another paper. Its row without adaptation is 1-NN on rows \
             of unit length after the scaling above, which was found by its twelve cells; its SA is \
             not found. k = 10 to 100, 1-NN by distance and by angle, and the linear SVM on mapped \
             rows and on the similarity of the authors' program, with C from 10⁻³ to 10⁴ chosen for \
             each cell by its published number, were tried; the best gives four of the twelve cells."
                .into(),
            "CORAL's authors train their SVM on the similarity of rows and mapped rows instead of \
             the mapped rows' own products, and choose C by cross-validation on the source; here the \
             SVM sees the mapped rows, C = 1. With their similarity, and C = 0.001 on C → W and \
             C → D and 0.01 elsewhere, which were chosen by the published mean, that comes out \
             (tests/reference/coral_similarity.py): a cause that is likely, and not shown."
                .into(),
            "Of TCA, JDA and PCA with k = 30 and of CORAL the means over the tasks are compared \
             alone. Rows of unit length before TCA and JDA are not stated there; they were added \
             after a first comparison."
                .into(),
            "Numbers of KMM and of optimal transport on these tasks exist under other learners or \
             splits alone, so none are compared."
                .into(),
        ],
        tolerance: Tolerance {
            within: TOLERANCE,
            why: "nothing is drawn at random, and eigen-solvers differ in rounding alone; half a \
                  point is less than one image of DSLR and 5 of Caltech."
                .into(),
        },
        seeds: Seeds::Deterministic,
        methods: METHODS.iter().map(|method| MethodUse::new(method.id, method.title)).collect(),
        cells: cells.collect(),
        averages: METHODS.iter().map(average).collect(),
        curves: Vec::new(),
        tasks,
    };
    Experiment { description, shares: None, compute }
}

fn average(method: &Method) -> Average {
    let mean = |numbers: &[f64; 12]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let of_cells = method.published.map(|(numbers, source)| (mean(&numbers), source));
    let published = of_cells.or(method.mean.map(|mean| (mean, MEDA))).map(|(value, source)| {
        Published::new(value, source).by(method.origin.protocol(value, mean))
    });
    Average { method: method.id.into(), published }
}

fn compute(trial: &Trial<'_>) -> Result<Score> {
    let (_, [source, target]) = TASKS
        .iter()
        .filter_map(|&pair| task(pair))
        .find(|(id, _)| *id == trial.cell.task)
        .context("a task of another name")?;
    let rows = Rows::load(source, target, trial.data, Normalise::ZScoredFrequencies)?;
    Recipe::of(trial.cell)?.accuracy(&rows)
}
