//! Office-Caltech10 with SURF words: twelve tasks between four domains, the field's oldest table.
//!
//! Gong, Shi, Sha & Grauman, "Geodesic Flow Kernel for Unsupervised Domain Adaptation", CVPR 2012,
//! made the data set. Its numbers are repeated with another protocol in later papers; this
//! experiment follows theirs, in which all source rows train and all target rows score.
//!
//! Differences from the papers:
//! 1. The later papers leave the scaling of the words open. Rows are scaled to sum 1 and columns to
//!    mean 0 and variance 1 in each domain (n in the denominator), with which 1-NN comes out in every
//!    cell. Under the same scaling SA gives other numbers than the table has, better ones by several
//!    points, and single cells of GFK do too: why is not known, and no cell counts as explained.
//! 2. PCA centres both domains by their common mean.
//! 3. TCA and JDA work on rows of unit length, have images of unit length, λ = 1 and k = 30.
//! 4. The CORAL paper chooses C of its SVM by cross-validation on the source; C = 1 here.
//! 5. Numbers of KMM and of optimal transport on these tasks exist under other learners or splits
//!    alone, so none are compared.

use anyhow::{Context, Result};
use serde_json::json;

use super::pipeline::{Normalise, Part, Recipe, Rows};
use crate::experiment::{
    Average, Cell, Description, Experiment, Measure, MethodUse, Paper, Published, Score, Seeds,
    Task, Tolerance, Trial,
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
    recipe: fn() -> Recipe,
    /// In the order of the tasks, and where they stand.
    published: Option<([f64; 12], &'static str)>,
    /// The mean over the tasks alone, for tables of which we have no more.
    mean: Option<f64>,
}

const TKDE: &str = "Long et al., “Domain Invariant Transfer Kernel Learning”, TKDE 27(6), 2015, as \
                    collected in data/benchmark.md of jindongwang/transferlearning";
const JGSA: &str = "Zhang, Li & Ogunbona, “Joint Geometrical and Statistical Alignment”, CVPR 2017, \
                    the table on Office+Caltech10 with SURF (k = 30), as collected in \
                    data/benchmark.md of jindongwang/transferlearning";
const MEDA: &str = "Wang et al., “Visual Domain Adaptation with Manifold Embedded Distribution \
                    Alignment”, ACM MM 2018, the table on Office+Caltech10 with SURF, its means";

fn nearest() -> Part {
    Part::new("k-nearest")
}

fn svm() -> Part {
    Part::with("svm", json!({"c": 1.0}))
}

fn components(method: &str) -> Part {
    Part::with(method, json!({"components": 30}))
}

fn projection(method: &str) -> Part {
    let options = json!({
        "components": 30, "regularisation": 1.0, "representation": "primal", "relative": true,
        "normalise_output": true,
    });
    Part::with(method, options)
}

const METHODS: [Method; 10] = [
    Method {
        id: "1-nn",
        title: "1-NN",
        recipe: || Recipe::plain(nearest()),
        published: Some((
            [23.70, 25.76, 25.48, 26.00, 29.83, 25.48, 19.86, 22.96, 59.24, 26.27, 28.50, 63.39],
            TKDE,
        )),
        mean: None,
    },
    Method {
        id: "pca",
        title: "PCA",
        recipe: || Recipe::aligned(components("pca"), nearest()),
        published: None,
        mean: Some(43.6),
    },
    Method {
        id: "sa",
        title: "SA",
        recipe: || Recipe::aligned(components("subspace-alignment"), nearest()),
        published: Some((
            [49.27, 40.00, 39.49, 39.98, 33.22, 33.76, 35.17, 39.25, 75.16, 34.55, 39.87, 76.95],
            JGSA,
        )),
        mean: None,
    },
    Method {
        id: "gfk",
        title: "GFK",
        recipe: || Recipe::aligned(components("gfk"), nearest()),
        published: Some((
            [46.03, 36.95, 40.76, 40.69, 36.95, 40.13, 24.76, 27.56, 85.35, 29.30, 28.71, 80.34],
            JGSA,
        )),
        mean: None,
    },
    Method {
        id: "tca",
        title: "TCA",
        recipe: || Recipe { unit_rows: true, ..Recipe::aligned(projection("tca"), nearest()) },
        published: None,
        mean: Some(46.2),
    },
    Method {
        id: "jda",
        title: "JDA",
        recipe: || Recipe { unit_rows: true, ..Recipe::aligned(projection("jda"), nearest()) },
        published: None,
        mean: Some(46.8),
    },
    Method {
        id: "coral",
        title: "CORAL + SVM",
        recipe: || Recipe::aligned(Part::new("coral"), svm()),
        published: None,
        mean: Some(48.8),
    },
    Method {
        id: "svm",
        title: "SVM",
        recipe: || Recipe::plain(svm()),
        published: None,
        mean: None,
    },
    Method {
        id: "kmm",
        title: "KMM + SVM",
        recipe: || Recipe::weighted(Part::new("kmm"), svm()),
        published: None,
        mean: None,
    },
    Method {
        id: "otda",
        title: "OT, class-regularised",
        recipe: || Recipe::aligned(Part::new("ot-class"), nearest()),
        published: None,
        mean: None,
    },
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
    let cells = tasks.iter().enumerate().flat_map(|(i, task)| {
        METHODS.iter().map(move |method| Cell {
            published: method.published.map(|(numbers, source)| Published::new(numbers[i], source)),
            ..Cell::new(&task.id, method.id, (method.recipe)().settings())
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
            "1-NN after PCA, SA, GFK, TCA and JDA with k = 30, TCA and JDA primal with λ = 1; a \
             linear SVM with C = 1 alone, after CORAL and with the weights of KMM; 1-NN after \
             class-regularised optimal transport."
                .into(),
        ],
        differences: vec![
            "The papers leave the scaling of the words open; with the one above, 1-NN comes out in \
             every cell. SA and single cells of GFK do not: why is not known, and no cell counts \
             as explained."
                .into(),
            "PCA centres both domains by their common mean.".into(),
            "TCA and JDA see rows of unit length and have images of unit length, λ = 1 and k = 30; the tables do not say \
             what theirs have."
                .into(),
            "The CORAL paper chooses C of its SVM by cross-validation on the source; C = 1 here."
                .into(),
            "Numbers of KMM and of optimal transport on these tasks exist under other learners or \
             splits alone, so none are compared; of PCA, TCA, JDA and CORAL under this protocol \
             the means over the tasks are compared alone."
                .into(),
        ],
        tolerance: Tolerance {
            within: 0.5,
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
    Experiment { description, compute }
}

fn average(method: &Method) -> Average {
    let of_cells = method.published.map(|(numbers, source)| {
        Published::new(numbers.iter().sum::<f64>() / numbers.len() as f64, source)
    });
    let mean = method.mean.map(|mean| Published::new(mean, MEDA));
    Average { method: method.id.into(), published: of_cells.or(mean), explained: None }
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
