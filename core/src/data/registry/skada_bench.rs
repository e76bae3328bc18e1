//! The simulated shifts of SKADA-Bench: two features, two classes, five drawings of each shift.

use ndarray::{Array2, Axis, Ix1, Ix2, concatenate};

use super::{Entry, File, Files, Origin, Set};
use crate::data::fetch::Convert;
use crate::data::{DataError, Samples, npy};

const DATA: &str = "skada_bench_simulated/data.npz";
/// The rows of every outer and inner split.
const SPLITS: &str = "skada_bench_simulated/splits.npz";
/// Drawings of each shift.
const SEEDS: usize = 5;

const FILES: &[Origin] = &[Origin {
    urls: &[],
    files: &[
        File {
            path: DATA,
            bytes: 864_000,
            sha256: "75761874b4775b6b0b3bbe7d85d6d86e9a5cead74a0ad967b5861cfc452cb036",
            convert: Convert::AsIs,
        },
        File {
            path: SPLITS,
            bytes: 5_700_800,
            sha256: "c58c539e9612ed9f55e32c91355e3779bbf41820e7ff39733f06491b2d311d0f",
            convert: Convert::AsIs,
        },
    ],
}];

const SHIFT: Set = Set {
    title: "Simulated shifts of SKADA-Bench",
    licence: "none stated (skada, which draws them, is under the BSD 3-Clause licence)",
    citation: "Y. Lalou et al.: SKADA-Bench: Benchmarking Unsupervised Domain Adaptation Methods \
               with Realistic Validation. 2024",
    home: "https://github.com/scikit-adaptation/skada-bench",
    protocol: "Rows of five drawings, seeds 0 to 4, one after another, in single precision as the \
               benchmark has them. Usual: nested search over five outer and five inner splits of \
               each drawing, which the second file has.",
    d: 2,
    classes: &["0", "1"],
    origins: FILES,
    by_hand: "run skada-bench at its release 1.0.0 with skada 0.4.0 and save, in the folder \
              skada_bench_simulated of the data directory, data.npz with {shift}_s{seed}_Xs, _ys, \
              _Xt, _yt of its data sets and splits.npz with the row numbers of its outer splits of \
              [source; target] and of its inner splits of the outer training rows",
};

pub(super) const ENTRIES: &[Entry] = &[
    SHIFT.domain("skada-bench/covariate-source", "before a covariate shift", 4000, |files, _| {
        load(files, "covariate_shift", 's')
    }),
    SHIFT.domain("skada-bench/covariate-target", "after it", 4000, |files, _| {
        load(files, "covariate_shift", 't')
    }),
    SHIFT.domain("skada-bench/target-source", "before a target shift", 4000, |files, _| {
        load(files, "target_shift", 's')
    }),
    SHIFT.domain("skada-bench/target-target", "after it, a class in ten", 4000, |files, _| {
        load(files, "target_shift", 't')
    }),
    SHIFT.domain("skada-bench/concept-source", "before a conditional shift", 4000, |files, _| {
        load(files, "concept_drift", 's')
    }),
    SHIFT.domain("skada-bench/concept-target", "after it", 4000, |files, _| {
        load(files, "concept_drift", 't')
    }),
    SHIFT.domain("skada-bench/subspace-source", "one side of a subspace", 6000, |files, _| {
        load(files, "subspace", 's')
    }),
    SHIFT.domain("skada-bench/subspace-target", "the other side", 6000, |files, _| {
        load(files, "subspace", 't')
    }),
];

fn load(files: &Files<'_>, shift: &str, domain: char) -> Result<(Samples, Vec<usize>), DataError> {
    let path = files.path(DATA)?;
    let malformed = |e: ndarray::ShapeError| DataError::malformed(&path, e.to_string());
    let (mut rows, mut labels) = (Vec::<Array2<f64>>::new(), Vec::new());
    for seed in 0..SEEDS {
        let array = |what: char| npy::get_npz(&path, &format!("{shift}_s{seed}_{what}{domain}"));
        rows.push(array('X')?.into_dimensionality::<Ix2>().map_err(malformed)?);
        for label in array('y')?.into_dimensionality::<Ix1>().map_err(malformed)? {
            match label {
                0.0 | 1.0 => labels.push(usize::from(label == 1.0)),
                _ => return Err(DataError::malformed(&path, format!("a label is {label}"))),
            }
        }
    }
    let views: Vec<_> = rows.iter().map(|x| x.view()).collect();
    Ok((Samples::Features(concatenate(Axis(0), &views).map_err(malformed)?), labels))
}
