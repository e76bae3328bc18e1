//! Two real digit collections that are part of the library: UCI's optical digits and a balanced
//! part of MNIST.
//!
//! Sources, licences (CC BY 4.0, CC BY-SA 3.0) and the choice of rows: `embedded/README.md`.
//!
//! The shift between them is real: other writers, another scanner, 8×8 counts of ink against
//! anti-aliased 28×28 greys. [`UciFrame`] says how the small images are framed as large ones.

use std::path::Path;

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use super::split::stratified_split;
use super::{
    DataError, Dataset, DomainPair, Framing, Protocol, Samples, Split, TargetTest, idx, optdigits,
};

/// The rows of the UCI digits that [`Split::Test`] names: 500 of the 1,797, stratified.
const UCI_TEST_ROWS: f64 = 500.0;
const UCI_SEED: u64 = 0;

/// UCI's optical digits: images `(n, 1, 8, 8)`, the greys 0 … 16 as [0, 1]; 1,297 training and 500
/// test rows.
///
/// The collection's own test set, split here by a fixed seed; the same writers are on both sides.
/// Errors: none, unless the library was built from damaged files.
pub fn uci_digits(split: Split) -> Result<Dataset, DataError> {
    let path = Path::new("uci-digits.csv.gz");
    let packed = include_bytes!("embedded/uci-digits.csv.gz");
    let text = super::raw::gunzip(packed, path)?;
    let (greys, digits) =
        optdigits::parse(&text).map_err(|reason| DataError::malformed(path, reason))?;
    let greys = greys.iter().map(|&g| f32::from(g) / f32::from(optdigits::MAX_GREY)).collect();
    let shape = (digits.len(), 1, optdigits::SIDE, optdigits::SIDE);
    let images = Array4::from_shape_vec(shape, greys)
        .map_err(|e| DataError::malformed(path, e.to_string()))?;
    let all = digits_of("uci-digits", images, digits.into_iter().map(usize::from).collect());
    let fraction = UCI_TEST_ROWS / all.len() as f64;
    let parts = stratified_split(&all.labels, fraction, UCI_SEED)?;
    let rows = match split {
        Split::Train => parts.kept,
        Split::Test => parts.held_out,
        Split::All => [parts.kept, parts.held_out].concat(),
    };
    Ok(all.select(&rows))
}

/// A balanced part of MNIST: images `(n, 1, 28, 28)`, the bytes 0 … 255 as [0, 1]; 2,000 training
/// rows from MNIST's training file, 1,000 test rows from its test file.
///
/// Errors: none, unless the library was built from damaged files.
pub fn mnist_small(split: Split) -> Result<Dataset, DataError> {
    let part = |name: &str, images: &[u8], labels: &[u8]| {
        let path = Path::new(name);
        let images = idx::parse_images(images, path)? / 255.0;
        Ok::<_, DataError>(digits_of("mnist-small", images, idx::parse_labels(labels, path)?))
    };
    let train = || {
        part(
            "mnist-small-train",
            include_bytes!("embedded/mnist-small-train-images-idx3-ubyte.gz"),
            include_bytes!("embedded/mnist-small-train-labels-idx1-ubyte.gz"),
        )
    };
    let test = || {
        part(
            "mnist-small-test",
            include_bytes!("embedded/mnist-small-test-images-idx3-ubyte.gz"),
            include_bytes!("embedded/mnist-small-test-labels-idx1-ubyte.gz"),
        )
    };
    match split {
        Split::Train => train(),
        Split::Test => test(),
        Split::All => train()?.concat(test()?),
    }
}

fn digits_of(name: &str, images: Array4<f32>, labels: Vec<usize>) -> Dataset {
    Dataset {
        name: name.to_owned(),
        samples: Samples::Images(images),
        labels,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    }
}

/// Which of the two embedded collections is adapted to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Train on the small images.
    UciToMnist,
    /// Train on the large ones.
    MnistToUci,
}

/// How 8×8 images become 28×28, by linear interpolation. MNIST keeps its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UciFrame {
    /// 20×20 in the middle of 28×28 zeros: the box in which MNIST's own digits were scaled, so that
    /// digits have one size in both domains and the shift is that of stroke and blur. The default.
    #[default]
    Boxed,
    /// The whole 28×28: digits are then also larger by 1.4, a much harder shift.
    Whole,
}

impl UciFrame {
    /// The frame of the UCI images.
    pub fn framing(self) -> Framing {
        match self {
            Self::Boxed => Framing::boxed(20, 28),
            Self::Whole => Framing::square(28),
        }
    }
}

/// The protocol of the embedded pair: standard split, one source row in ten for validation, both
/// domains `(1, 28, 28)` in [0, 1].
pub fn digits_protocol(direction: Direction, frame: UciFrame) -> Protocol {
    let (framing, target_framing) = match direction {
        Direction::UciToMnist => (frame.framing(), Framing::default()),
        Direction::MnistToUci => (Framing::default(), frame.framing()),
    };
    Protocol { framing, target_framing: Some(target_framing), ..Protocol::default() }
}

/// The embedded pair under `protocol`, which [`digits_protocol`] makes. The source is always the
/// collection's training rows; a target without a standard split is all its rows.
///
/// Errors: those of [`DomainPair::new`].
pub fn digits_pair(direction: Direction, protocol: &Protocol) -> Result<DomainPair, DataError> {
    type Load = fn(Split) -> Result<Dataset, DataError>;
    let (source, target): (Load, Load) = match direction {
        Direction::UciToMnist => (uci_digits, mnist_small),
        Direction::MnistToUci => (mnist_small, uci_digits),
    };
    let source = source(Split::Train)?;
    match protocol.target_test {
        TargetTest::Standard => {
            DomainPair::with_test(source, target(Split::Train)?, target(Split::Test)?, protocol)
        }
        TargetTest::Transductive | TargetTest::HeldOut { .. } => {
            DomainPair::new(source, target(Split::All)?, protocol)
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;

    fn images(dataset: &Dataset) -> &Array4<f32> {
        match &dataset.samples {
            Samples::Images(x) => x,
            _ => panic!("digits are images"),
        }
    }

    fn counts(dataset: &Dataset) -> Vec<usize> {
        (0..10).map(|digit| dataset.labels.iter().filter(|&&l| l == digit).count()).collect()
    }

    /// The counts of the digits in optdigits.tes, from the collection's own description.
    #[test]
    fn the_uci_digits_are_complete() {
        let all = uci_digits(Split::All).unwrap();
        all.check().unwrap();
        assert_eq!(images(&all).dim(), (1797, 1, 8, 8));
        assert_eq!(counts(&all), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        // The collection's first image, greys 0 0 5 13 9 1 0 0 on its first line, is a zero.
        let first = [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|grey| grey / 16.0);
        let starts = |row: usize| images(&all).index_axis(Axis(0), row).iter().take(8).eq(&first);
        assert!((0..all.len()).any(|row| all.labels[row] == 0 && starts(row)));
        assert!(images(&all).iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn the_uci_split_is_stratified() {
        let [train, test] = [Split::Train, Split::Test].map(|split| uci_digits(split).unwrap());
        assert_eq!((train.len(), test.len()), (1297, 500));
        assert!(counts(&test).iter().all(|n| (48..=51).contains(n)), "{:?}", counts(&test));
    }

    #[test]
    fn the_mnist_part_is_balanced() {
        let [train, test, all] =
            [Split::Train, Split::Test, Split::All].map(|split| mnist_small(split).unwrap());
        assert_eq!(images(&train).dim(), (2000, 1, 28, 28));
        assert_eq!(images(&test).dim(), (1000, 1, 28, 28));
        assert_eq!(counts(&train), [200; 10]);
        assert_eq!(counts(&test), [100; 10]);
        assert_eq!((all.len(), &all.labels[2000..]), (3000, &test.labels[..]));
        assert!(images(&train).iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn both_directions_share_one_shape() {
        for direction in [Direction::UciToMnist, Direction::MnistToUci] {
            for frame in [UciFrame::Boxed, UciFrame::Whole] {
                let pair = digits_pair(direction, &digits_protocol(direction, frame)).unwrap();
                for samples in
                    [pair.source.samples(), pair.target.samples(), pair.target_test.samples()]
                {
                    assert_eq!(samples.row_shape(), [1, 28, 28]);
                }
            }
        }
    }

    /// MNIST's digits lie in the middle 20×20, give or take the centring by mass.
    #[test]
    fn boxed_digits_have_the_size_of_mnist() {
        let protocol = digits_protocol(Direction::MnistToUci, UciFrame::Boxed);
        let pair = digits_pair(Direction::MnistToUci, &protocol).unwrap();
        let Samples::Images(x) = pair.target.samples() else { panic!("digits are images") };
        let outside = |i: usize| !(4..24).contains(&i);
        let border = x.indexed_iter().filter(|((_, _, h, w), _)| outside(*h) || outside(*w));
        assert!(border.into_iter().all(|(_, &v)| v == 0.0));
    }

    #[test]
    fn other_tests_use_every_target_row() {
        let mut protocol = digits_protocol(Direction::UciToMnist, UciFrame::Boxed);
        protocol.target_test = TargetTest::Transductive;
        let pair = digits_pair(Direction::UciToMnist, &protocol).unwrap();
        assert_eq!((pair.target.len(), pair.target_test.len()), (3000, 3000));
    }
}
