//! The small image sets of JDA: MNIST and USPS as 16×16 vectors, two halves of COIL-20.

use ndarray::Ix2;

use super::{Entry, File, Files, Origin, Set, from_one};
use crate::data::fetch::Convert;
use crate::data::{DataError, Samples, npy};

const OBJECTS: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20",
];

const DIGITS_FILE: &str = "jda/mnist2000_usps1800.npz";
const DIGITS: &[Origin] = &[Origin {
    urls: &[],
    files: &[File {
        path: DIGITS_FILE,
        bytes: 7_812_800,
        sha256: "16b335c0cc0334459377c4e7e1356a9cc73c7f866cf72794f2d20b30bc62689f",
        convert: Convert::AsIs,
    }],
}];
const DIGITS_BY_HAND: &str = "get MNIST_vs_USPS.mat of the JDA authors (also in the data collection of \
     github.com/jindongwang/transferlearning) and save it as jda/mnist2000_usps1800.npz in the \
     data directory: x_mnist = X_src.T, y_mnist = Y_src.ravel(), x_usps = X_tar.T, y_usps = \
     Y_tar.ravel(), with numpy.savez_compressed";

const COIL_FILE: &str = "jda/coil1_coil2.npz";
const COIL: &[Origin] = &[Origin {
    urls: &[],
    files: &[File {
        path: COIL_FILE,
        bytes: 11_808_000,
        sha256: "7e2769030738ec7f92c08491f013ca335c0b2c7c234d47161145d81db1b91cf9",
        convert: Convert::AsIs,
    }],
}];
const COIL_BY_HAND: &str = "get COIL_1.mat of the JDA authors (also in the data collection of \
     github.com/jindongwang/transferlearning) and save it as jda/coil1_coil2.npz in the data \
     directory: x_coil1 = X_src.T, y_coil1 = Y_src.ravel(), x_coil2 = X_tar.T, y_coil2 = \
     Y_tar.ravel(), with numpy.savez_compressed";

const DIGITS_SET: Set = Set {
    title: "The digits of JDA",
    licence: "research use",
    citation: "M. Long, J. Wang, G. Ding, J. Sun, P. S. Yu: Transfer Feature Learning with Joint \
               Distribution Adaptation. ICCV 2013",
    home: "https://github.com/jindongwang/transferlearning/blob/master/data/dataset.md",
    protocol: "Greys in [0, 1], 16×16 row by row. Usual: each row scaled to unit length. Every source row trains, the target's rows adapt \
               and score (transductive).",
    d: 256,
    classes: super::digits::CLASSES,
    origins: DIGITS,
    by_hand: DIGITS_BY_HAND,
};

const COIL_SET: Set = Set {
    title: "The COIL-20 halves of JDA",
    protocol: "Greys in [0, 1], 32×32 row by row. COIL1 has the poses of 0–85° and 180–265°, \
               COIL2 the others. Usual: each row scaled to unit length. Every source row trains, the target's rows adapt and score \
               (transductive).",
    d: 1024,
    classes: OBJECTS,
    origins: COIL,
    by_hand: COIL_BY_HAND,
    ..DIGITS_SET
};

pub(super) const ENTRIES: &[Entry] = &[
    DIGITS_SET.domain("jda/mnist", "2,000 digits of MNIST at 16×16", 2000, |files, _| {
        load(files, DIGITS_FILE, "mnist")
    }),
    DIGITS_SET.domain("jda/usps", "1,800 digits of USPS", 1800, |files, _| {
        load(files, DIGITS_FILE, "usps")
    }),
    COIL_SET.domain("jda/coil1", "20 objects from 36 sides each", 720, |files, _| {
        load(files, COIL_FILE, "coil1")
    }),
    COIL_SET.domain("jda/coil2", "the same objects from the other 36 sides", 720, |files, _| {
        load(files, COIL_FILE, "coil2")
    }),
];

fn load(files: &Files<'_>, path: &str, domain: &str) -> Result<(Samples, Vec<usize>), DataError> {
    let path = files.path(path)?;
    let x = npy::get_npz(&path, &format!("x_{domain}"))?;
    let shape = x.shape().to_vec();
    let x = x.into_dimensionality::<Ix2>().map_err(|_| {
        DataError::malformed(&path, format!("x_{domain} has shape {shape:?}: expected (n, d)"))
    })?;
    let labels = from_one(files.entry.name, npy::get_npz(&path, &format!("y_{domain}"))?)?;
    Ok((Samples::Features(x), labels))
}
