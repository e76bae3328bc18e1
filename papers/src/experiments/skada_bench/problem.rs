//! The benchmark's data sets and its splits of them.

use anyhow::{Context, Result, ensure};
use ndarray::{Array2, ArrayD, Axis, s};
use transduct_core::data::{DataDir, Split, npy, registry};

use super::super::pipeline::features;

/// Drawings of a shift, and outer and inner splits.
pub(super) const DRAWINGS: usize = 5;
pub(super) const SPLITS: usize = 5;

/// The shifts: id, title, the benchmark's name, and whether every drawing has splits of its own.
pub(super) const SHIFTS: [(&str, &str, &str, bool); 4] = [
    ("covariate", "Covariate shift", "covariate_shift", true),
    ("target", "Target shift", "target_shift", false),
    ("concept", "Conditional shift", "concept_drift", false),
    ("subspace", "Subspace shift", "subspace", false),
];

/// The target rows that an outer split of a shift scores.
pub(super) fn scored(shift: &str) -> usize {
    if shift == "subspace" { 240 } else { 160 }
}

/// Rows of both domains. Pipelines see the labels of the source alone.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) source: Array2<f64>,
    pub(super) labels: Vec<usize>,
    pub(super) target: Array2<f64>,
    /// For the score, and for a model that is trained on them.
    pub(super) target_labels: Vec<usize>,
}

/// One outer split: rows to train with, how these are split in turn, and rows that score.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) seed: usize,
    pub(super) outer: usize,
    pub(super) train: Rows,
    pub(super) test: Rows,
    /// Training and scored rows of every inner split.
    pub(super) inner: Vec<[Rows; 2]>,
}

/// All rows of one drawing: the source's, then as many of the target.
#[derive(Clone, Debug)]
struct Drawing {
    x: Array2<f64>,
    y: Vec<usize>,
}

impl Drawing {
    /// Those of these numbers, in this order.
    fn rows(&self, numbers: &[usize]) -> Rows {
        let half = self.y.len() / 2;
        let (source, target): (Vec<usize>, Vec<usize>) =
            numbers.iter().partition(|&&row| row < half);
        let labels = |rows: &[usize]| rows.iter().map(|&row| self.y[row]).collect();
        Rows {
            source: self.x.select(Axis(0), &source),
            labels: labels(&source),
            target: self.x.select(Axis(0), &target),
            target_labels: labels(&target),
        }
    }
}

impl Rows {
    /// What the other domain would be taught by, were these the target rows' labels.
    pub(super) fn turned(&self, labels: Vec<usize>) -> Self {
        Self {
            source: self.target.clone(),
            labels,
            target: self.source.clone(),
            target_labels: self.labels.clone(),
        }
    }
}

impl Problem {
    /// All of a shift: drawing by drawing, split by split.
    ///
    /// # Errors
    /// Files that are missing or damaged.
    pub(super) fn all(shift: &str, data: &DataDir) -> Result<Vec<Self>> {
        let (.., name, own) = shift_of(shift)?;
        let load = |domain| -> Result<_> {
            let set = registry::load(&format!("skada-bench/{shift}-{domain}"), data, Split::All)?;
            Ok((features(&set.samples)?, set.labels))
        };
        let ((xs, ys), (xt, yt)) = (load("source")?, load("target")?);
        let arrays = Arrays::read(data)?;
        let n = ys.len() / DRAWINGS;
        let mut problems = Vec::with_capacity(DRAWINGS * SPLITS);
        for seed in 0..DRAWINGS {
            let of = seed * n..(seed + 1) * n;
            let half = |x: &Array2<f64>| x.slice(s![of.clone(), ..]).to_owned();
            let drawing = Drawing {
                x: ndarray::concatenate![Axis(0), half(&xs), half(&xt)],
                y: [&ys[of.clone()], &yt[of.clone()]].concat(),
            };
            let set = if own { format!("{name}_s{seed}") } else { format!("{name}_all") };
            for outer in 0..SPLITS {
                let order = arrays.numbers(&format!("{set}_outer_train"), &[outer], 2 * n)?;
                let test = arrays.numbers(&format!("{set}_outer_test"), &[outer], 2 * n)?;
                let part = |part: &str, inner: usize| -> Result<Rows> {
                    let name = format!("{set}_inner_da_{part}");
                    let places = arrays.numbers(&name, &[outer, inner], order.len())?;
                    let rows: Vec<usize> = places.iter().map(|&place| order[place]).collect();
                    Ok(drawing.rows(&rows))
                };
                let inner = (0..SPLITS).map(|i| Ok([part("train", i)?, part("test", i)?]));
                problems.push(Self {
                    seed,
                    outer,
                    train: drawing.rows(&order),
                    test: drawing.rows(&test),
                    inner: inner.collect::<Result<_>>()?,
                });
            }
        }
        Ok(problems)
    }
}

fn shift_of(id: &str) -> Result<(&'static str, &'static str, &'static str, bool)> {
    SHIFTS.into_iter().find(|(shift, ..)| *shift == id).with_context(|| format!("no shift {id}"))
}

/// The arrays of the splits' file.
#[derive(Debug)]
pub(super) struct Arrays(Vec<(String, ArrayD<f64>)>);

impl Arrays {
    /// # Errors
    /// A file that is missing or damaged.
    pub(super) fn read(data: &DataDir) -> Result<Self> {
        let path = data.path().join("skada_bench_simulated").join("splits.npz");
        Ok(Self(npy::read_npz(&path)?))
    }

    /// The row numbers of an array at these leading indices, each below `n`.
    ///
    /// # Errors
    /// There is no such array, or other numbers in it.
    pub(super) fn numbers(&self, name: &str, at: &[usize], n: usize) -> Result<Vec<usize>> {
        let array = self.0.iter().find(|(other, _)| other == name);
        let (_, array) = array.with_context(|| format!("splits.npz has no {name}"))?;
        let mut array = array.view();
        for &index in at {
            let has = array.ndim() > 1 && index < array.len_of(Axis(0));
            ensure!(has, "{name} has no part {index}");
            array = array.index_axis_move(Axis(0), index);
        }
        let number = |&value: &f64| {
            let number = value as usize;
            ensure!(number as f64 == value && number < n, "{name} has {value}: expected below {n}");
            Ok(number)
        };
        array.iter().map(number).collect()
    }
}
