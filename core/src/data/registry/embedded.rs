//! The embedded collections, under their names.

use super::{Entry, Files, Parts};
use crate::InputShape;
use crate::data::{DataError, Samples, Split, embedded};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "uci-digits",
        title: "UCI Optical Recognition of Handwritten Digits, test set",
        about: "1,797 digits of 13 writers, 8×8 counts of ink; inside the program",
        licence: "CC BY 4.0",
        citation: "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Machine \
                   Learning Repository, 1998",
        home: "https://doi.org/10.24432/C50P49",
        protocol: "Greys 0–16 as [0, 1]. 500 rows are held out, stratified by a fixed seed; the \
                   same writers are on both sides.",
        parts: Parts::TrainTest { train: 1297, test: 500 },
        row: InputShape::Images { c: 1, h: 8, w: 8 },
        classes: super::digits::CLASSES,
        origins: &[],
        by_hand: "",
        load: uci_digits,
    },
    Entry {
        name: "mnist-small",
        title: "MNIST, a balanced part",
        about: "200 training and 100 test images of each digit of MNIST; inside the program",
        licence: "CC BY-SA 3.0",
        citation: "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-Based Learning Applied to \
                   Document Recognition. Proceedings of the IEEE 86(11), 1998",
        home: "http://yann.lecun.com/exdb/mnist/",
        protocol: "Bytes as [0, 1]. Training and test rows are from MNIST's own training and test \
                   files.",
        parts: Parts::TrainTest { train: 2000, test: 1000 },
        row: InputShape::Images { c: 1, h: 28, w: 28 },
        classes: super::digits::CLASSES,
        origins: &[],
        by_hand: "",
        load: mnist_small,
    },
];

fn uci_digits(_: &Files<'_>, split: Split) -> Result<(Samples, Vec<usize>), DataError> {
    embedded::uci_digits(split).map(|set| (set.samples, set.labels))
}

fn mnist_small(_: &Files<'_>, split: Split) -> Result<(Samples, Vec<usize>), DataError> {
    embedded::mnist_small(split).map(|set| (set.samples, set.labels))
}
