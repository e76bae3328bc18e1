//! Sample images of both domains with what the models say of them.

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use ndarray::{Array4, ArrayView3};

use super::load::Run;
use crate::record::{DomainOutputs, ModelOutputs};

/// The most images shown of a domain.
const MOST_SHOWN: usize = 20;

/// The images of one domain.
pub(crate) struct Gallery {
    pub(crate) domain: &'static str,
    pub(crate) name: String,
    pub(crate) images: Vec<Sample>,
}

/// One image.
pub(crate) struct Sample {
    /// A PNG as a data URI.
    pub(crate) uri: String,
    pub(crate) truth: Option<String>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// What a model says of an image.
pub(crate) struct Verdict {
    /// Which of the models.
    pub(crate) model: usize,
    pub(crate) prediction: String,
    /// None where the truth is unknown.
    pub(crate) right: Option<bool>,
}

/// The first images of each domain, in the order of the file, with the predictions of the given
/// models. None for a run without images.
///
/// # Errors
/// Images of neither 1 nor 3 channels, or an index outside the outputs.
pub(crate) fn samples(run: &Run, models: &[&ModelOutputs]) -> anyhow::Result<Option<[Gallery; 2]>> {
    let Some(samples) = &run.samples else { return Ok(None) };
    let classes = &run.record.classes;
    let source: Vec<_> = models.iter().map(|m| &m.source).collect();
    let target: Vec<_> = models.iter().map(|m| &m.target).collect();
    Ok(Some([
        Gallery {
            domain: "Source",
            name: run.record.source.name.clone(),
            images: images(&samples.source, &samples.source_index, &source, classes)?,
        },
        Gallery {
            domain: "Target",
            name: run.record.target.name.clone(),
            images: images(&samples.target, &samples.target_index, &target, classes)?,
        },
    ]))
}

fn images(
    pixels: &Array4<u8>,
    index: &[usize],
    outputs: &[&DomainOutputs],
    classes: &[String],
) -> anyhow::Result<Vec<Sample>> {
    let sample = |(image, &row): (ArrayView3<'_, u8>, &usize)| {
        let label = match outputs.first().and_then(|o| o.labels.as_ref()) {
            Some(labels) => *labels.get(row).context("a sample outside the outputs")?,
            None => None,
        };
        let verdict = |(model, outputs): (usize, &&DomainOutputs)| {
            let class = *outputs.predictions.get(row).context("a sample outside the outputs")?;
            Ok(Verdict {
                model,
                prediction: classes[class].clone(),
                right: label.map(|label| label == class),
            })
        };
        Ok(Sample {
            uri: data_uri(image)?,
            truth: label.map(|label| match classes.get(label) {
                Some(class) => class.clone(),
                None => "a class that the source lacks".to_owned(),
            }),
            verdicts: outputs.iter().enumerate().map(verdict).collect::<anyhow::Result<_>>()?,
        })
    };
    pixels.outer_iter().zip(index).take(MOST_SHOWN).map(sample).collect()
}

/// `(c, h, w)` with 1 or 3 channels as a PNG.
fn data_uri(image: ArrayView3<'_, u8>) -> anyhow::Result<String> {
    let (c, h, w) = image.dim();
    let colour = match c {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => anyhow::bail!("images of {c} channels cannot be shown, only of 1 or 3"),
    };
    let interleaved: Vec<u8> = image.permuted_axes([1, 2, 0]).iter().copied().collect();
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&interleaved, w as u32, h as u32, colour)?;
    Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn pixels_survive_in_order() {
        let image = Array3::from_shape_fn((3, 2, 4), |(c, i, j)| (100 * c + 10 * i + j) as u8);
        let uri = data_uri(image.view()).unwrap();
        let png = BASE64_STANDARD.decode(uri.split_once(',').unwrap().1).unwrap();
        let decoded = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(decoded.dimensions(), (4, 2));
        assert_eq!(decoded.get_pixel(3, 1).0, [13, 113, 213]);
        assert!(data_uri(Array3::zeros((2, 2, 2)).view()).is_err());
    }
}
