//! Digits: models trained on one collection, tried on another and on what a visitor draws.
//!
//! Pixels are rows of [`SIDE`]² greys in [0, 1], row-major, 1 for ink, in the frame of MNIST: a digit
//! in 20×20 in the middle of 28×28.

use std::path::Path;

use dfdx::tensor::Cpu;
use ndarray::{Array2, Array4, ArrayView1, Axis};
use serde::Serialize;
use transduct_adapt::{
    domains::Domains,
    shallow::{Align, Map, Pca},
};
use transduct_core::{
    Input, InputShape,
    backbone::digit_net,
    data::{Dataset, Samples, embedded::UciFrame, idx, normalise::Fitted},
    host::{HostOutputs, agreement, probabilities},
    model::{Model, ModelCard},
};

use crate::{Error, Result};

/// The width and the height of a picture.
pub const SIDE: usize = 28;

/// Pictures of each collection: the first of those that the library holds out.
pub const PICTURES: usize = 300;

/// The byte of the brightest grey in MNIST's files.
pub const MNIST_WHITE: f32 = 255.0;

/// The byte of the brightest grey in the files of UCI's digits.
pub const UCI_WHITE: f32 = 16.0;

const INPUT: InputShape = InputShape::Images { c: 1, h: SIDE, w: SIDE };

/// One of the two collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// MNIST's digits, on which the models were trained with labels.
    Source,
    /// UCI's digits, which they saw without labels or not at all.
    Target,
}

impl std::str::FromStr for Domain {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "source" => Ok(Self::Source),
            "target" => Ok(Self::Target),
            _ => Err(Error::Domain(name.to_owned())),
        }
    }
}

/// The held-out parts of both collections, which no training saw.
#[derive(Clone, Debug)]
pub struct Collections {
    source: Dataset,
    target: Dataset,
}

impl Collections {
    /// [`PICTURES`] of each, framed alike.
    ///
    /// # Errors
    /// None, unless the program was built from damaged files.
    pub fn new() -> Result<Self> {
        let source = collection(
            "mnist",
            include_bytes!("digits/mnist-images.idx.gz"),
            include_bytes!("digits/mnist-labels.idx.gz"),
            MNIST_WHITE,
        )?;
        let target = collection(
            "uci",
            include_bytes!("digits/uci-images.idx.gz"),
            include_bytes!("digits/uci-labels.idx.gz"),
            UCI_WHITE,
        )?;
        let samples = UciFrame::default().framing().apply(target.samples)?;
        Ok(Self { source, target: Dataset { samples, ..target } })
    }

    fn of(&self, domain: Domain) -> &Dataset {
        match domain {
            Domain::Source => &self.source,
            Domain::Target => &self.target,
        }
    }

    /// The names of the classes, by index.
    pub fn classes(&self) -> &[String] {
        &self.source.classes
    }

    /// The number of pictures.
    pub fn len(&self, domain: Domain) -> usize {
        self.of(domain).labels.len()
    }

    /// The pixels and the class of a picture.
    ///
    /// # Errors
    /// [`Error::Row`] past the last one.
    pub fn picture(&self, domain: Domain, row: usize) -> Result<(Vec<f32>, usize)> {
        let data = self.of(domain);
        let label = *data.labels.get(row).ok_or(Error::Row { row, rows: data.labels.len() })?;
        let Samples::Images(x) = &data.samples else { return Err(Error::Pixels(0)) };
        Ok((x.index_axis(Axis(0), row).iter().copied().collect(), label))
    }

    /// The first `rows` pictures, or all where there are fewer.
    fn first(&self, domain: Domain, rows: usize) -> Dataset {
        let index: Vec<usize> = (0..rows.min(self.len(domain))).collect();
        self.of(domain).select(&index)
    }
}

/// A collection from its files, which `examples/cut-pictures.rs` wrote; `white` is the byte of the
/// brightest grey.
fn collection(name: &str, images: &[u8], labels: &[u8], white: f32) -> Result<Dataset> {
    let path = Path::new(name);
    Ok(Dataset {
        name: name.to_owned(),
        samples: Samples::Images(idx::parse_images(images, path)? / white),
        labels: idx::parse_labels(labels, path)?,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    })
}

/// What a model says of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The class of the largest probability.
    pub label: usize,
    /// Of every class, `(k,)`.
    pub probabilities: Vec<f64>,
}

/// One collection in a model's plane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Embedded {
    /// `(n, 2)`.
    pub points: Vec<[f64; 2]>,
    /// `(n,)`.
    pub labels: Vec<usize>,
    /// What the model takes them for, `(n,)`.
    pub predictions: Vec<usize>,
}

impl Embedded {
    /// The share of pictures that the model names rightly.
    pub fn accuracy(&self) -> f64 {
        agreement(&self.labels, &self.predictions)
    }
}

/// A model, with the plane in which its features are shown.
pub struct DigitModel {
    device: Cpu,
    model: Model<Cpu>,
    normalisation: Option<Fitted>,
    plane: Option<Map>,
}

impl DigitModel {
    /// Reads a model file; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Core`] for anything but a model file, [`Error::Input`] for a model of other rows.
    pub fn new(name: &str, bytes: &[u8]) -> Result<Self> {
        let device = transduct_core::cpu();
        let model = Model::of_backbones(&device, name, bytes, vec![digit_net()])?;
        let got = model.card().input;
        if got != INPUT {
            return Err(Error::Input { name: name.to_owned(), got });
        }
        // Of what the writer did to its rows, the frame is the page's; the normalisation is not.
        let fitted = model.card().preprocessing.pointer("/preparation/normalisation");
        let normalisation = fitted.map(|f| serde_json::from_value(f.clone())).transpose();
        let normalisation = normalisation.map_err(|e| Error::preprocessing(name, e))?;
        Ok(Self { device, model, normalisation, plane: None })
    }

    /// What the file says of the model.
    pub fn card(&self) -> &ModelCard {
        self.model.card()
    }

    /// The number of trained numbers.
    pub fn parameters(&self) -> usize {
        self.model.summary().parameters()
    }

    /// Logits of one picture, `(k,)`.
    ///
    /// # Errors
    /// [`Error::Pixels`] unless there are [`SIDE`]² of them, all finite.
    pub fn logits(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        Ok(self.outputs(picture(pixels)?)?.logits.into_raw_vec_and_offset().0)
    }

    /// The most probable class of one picture.
    ///
    /// # Errors
    /// As [`DigitModel::logits`].
    pub fn predict(&self, pixels: &[f32]) -> Result<Prediction> {
        let outputs = self.outputs(picture(pixels)?)?;
        let label = outputs.predictions().first().copied().unwrap_or_default();
        let probabilities = probabilities(outputs.logits.row(0)).to_vec();
        Ok(Prediction { label, probabilities })
    }

    /// The features of the first `rows` pictures of each collection, source and target, in the plane
    /// of their two leading principal components, which [`DigitModel::place`] uses from then on.
    ///
    /// # Errors
    /// [`Error::Adapt`] for a model whose features are all equal.
    pub fn embed(&mut self, collections: &Collections, rows: usize) -> Result<[Embedded; 2]> {
        let parts = [Domain::Source, Domain::Target].map(|domain| collections.first(domain, rows));
        let [source, target] = parts.each_ref().map(|part| self.outputs(part.samples.clone()));
        let (source, target) = (source?, target?);
        let features = [&source, &target].map(|outputs| outputs.features.mapv(f64::from));
        let domains = Domains::new(features[0].view(), features[1].view())?;
        let plane = Pca { components: 2 }.fit(&domains)?.source;
        let [s, t] = parts;
        let embedded = [
            embedded(&plane, &features[0], s.labels, &source)?,
            embedded(&plane, &features[1], t.labels, &target)?,
        ];
        self.plane = Some(plane);
        Ok(embedded)
    }

    /// Where one picture lies in the plane of the last [`DigitModel::embed`].
    ///
    /// # Errors
    /// [`Error::NoPlane`] before that; as [`DigitModel::logits`].
    pub fn place(&self, pixels: &[f32]) -> Result<[f64; 2]> {
        let plane = self.plane.as_ref().ok_or(Error::NoPlane)?;
        let features = self.outputs(picture(pixels)?)?.features.mapv(f64::from);
        Ok(point(plane.apply(features.view())?.row(0)))
    }

    fn outputs(&self, samples: Samples) -> Result<HostOutputs> {
        let samples = match &self.normalisation {
            Some(normalisation) => normalisation.apply(samples)?,
            None => samples,
        };
        Ok(HostOutputs::of(&self.device, &samples, |x: &Input<Cpu>| self.model.outputs(x))?)
    }
}

fn embedded(
    plane: &Map,
    features: &Array2<f64>,
    labels: Vec<usize>,
    outputs: &HostOutputs,
) -> Result<Embedded> {
    let points = plane.apply(features.view())?.rows().into_iter().map(point).collect();
    Ok(Embedded { points, labels, predictions: outputs.predictions() })
}

/// The first two numbers; features that vary along one line have no second.
fn point(row: ArrayView1<'_, f64>) -> [f64; 2] {
    [0, 1].map(|i| row.get(i).copied().unwrap_or(0.0))
}

fn picture(pixels: &[f32]) -> Result<Samples> {
    // Not `all`: a loop that stops early takes one pixel at a time.
    let finite = pixels.iter().fold(true, |finite, p| finite & p.is_finite());
    let x = Array4::from_shape_vec((1, 1, SIDE, SIDE), pixels.to_vec());
    x.ok().filter(|_| finite).map(Samples::Images).ok_or(Error::Pixels(pixels.len()))
}

#[cfg(test)]
mod tests {
    use transduct_core::data::{
        Split,
        embedded::{mnist_small, uci_digits},
    };

    use super::*;

    const SOURCE_ONLY: &[u8] = include_bytes!("../www/models/source-only.safetensors");
    const ADAPTED: &[u8] = include_bytes!("../www/models/adapted.safetensors");

    #[test]
    fn the_pictures_are_the_librarys() {
        let collections = Collections::new().unwrap();
        let uci = uci_digits(Split::Test).unwrap();
        let samples = UciFrame::default().framing().apply(uci.samples.clone()).unwrap();
        let rows: Vec<usize> = (0..PICTURES).collect();
        for (ours, theirs) in [
            (&collections.source, mnist_small(Split::Test).unwrap()),
            (&collections.target, Dataset { samples, ..uci }),
        ] {
            let theirs = theirs.select(&rows);
            assert_eq!((&ours.samples, &ours.labels), (&theirs.samples, &theirs.labels));
        }
    }

    #[test]
    fn the_adapted_model_reads_the_target_better() {
        let collections = Collections::new().unwrap();
        let accuracies = [SOURCE_ONLY, ADAPTED].map(|bytes| {
            let mut model = DigitModel::new("model", bytes).unwrap();
            let embedded = model.embed(&collections, 300).unwrap();
            embedded.each_ref().map(Embedded::accuracy)
        });
        let [[source, before], [_, after]] = accuracies;
        assert!(source > 0.9 && after > before + 0.1, "{accuracies:?}");
    }

    #[test]
    fn a_picture_lies_where_the_collection_has_it() {
        let collections = Collections::new().unwrap();
        let mut model = DigitModel::new("model", ADAPTED).unwrap();
        let (pixels, label) = collections.picture(Domain::Target, 3).unwrap();
        assert!(matches!(model.place(&pixels), Err(Error::NoPlane)));
        let [_, target] = model.embed(&collections, 20).unwrap();
        let placed = model.place(&pixels).unwrap();
        for (a, b) in placed.iter().zip(target.points[3]) {
            assert!((a - b).abs() < 1e-4, "{placed:?} {:?}", target.points[3]);
        }
        assert_eq!(target.labels[3], label);
        let said = model.predict(&pixels).unwrap();
        assert_eq!(said.label, target.predictions[3]);
        assert!((said.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn pictures_and_files_that_are_none_are_refused() {
        let model = DigitModel::new("model", ADAPTED).unwrap();
        let message = |error: Error| error.to_string();
        let expected = "expected 784 finite greys of 28 × 28 pixels, got 3 numbers";
        assert_eq!(model.logits(&[0.0; 3]).map_err(message), Err(expected.to_owned()));
        assert!(model.logits(&[f32::NAN; SIDE * SIDE]).is_err());
        let collections = Collections::new().unwrap();
        assert!(matches!(collections.picture(Domain::Target, 500), Err(Error::Row { .. })));
        assert!("both".parse::<Domain>().is_err());
        for bytes in [&ADAPTED[..ADAPTED.len() - 1], &ADAPTED[..7], b"not a model"] {
            assert!(matches!(DigitModel::new("x", bytes), Err(Error::Core(_))));
        }
    }
}
