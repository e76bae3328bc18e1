//! Small pictures of both domains for the report.

use anyhow::Result;
use ndarray::Array4;
use transduct_core::data::Samples;

use crate::{data::RunData, record::SampleImages};

/// The most images of a domain.
const MOST: usize = 40;

/// Some test images of each domain; nothing for features.
///
/// # Errors
/// A picture cannot be read.
pub(crate) fn thumbnails(data: &RunData) -> Result<Option<SampleImages>> {
    let some = |samples: &Samples| {
        let n = samples.len();
        let shown = n.min(MOST);
        // Evenly from all rows: files are often in the order of the classes.
        let index: Vec<usize> = (0..shown).map(|i| i * n / shown).collect();
        let images = samples.images(&index)?;
        Ok::<_, anyhow::Error>(images.map(|images| (visible(&images), index)))
    };
    let source = some(data.source_validation.samples())?;
    let target = some(&data.test)?;
    Ok(source.zip(target).map(|((source, source_index), (target, target_index))| SampleImages {
        source,
        source_index,
        target,
        target_index,
    }))
}

/// Grey levels of images that should lie in [0, 1]; where a normalisation has moved them, each
/// image's own range becomes 0 to 255.
fn visible(images: &Array4<f32>) -> Array4<u8> {
    let mut visible = Array4::zeros(images.raw_dim());
    for (image, mut visible) in images.outer_iter().zip(visible.outer_iter_mut()) {
        let low = image.fold(0f32, |low, &v| low.min(v));
        let high = image.fold(1f32, |high, &v| high.max(v));
        visible.zip_mut_with(&image, |level: &mut u8, &v| {
            *level = (255.0 * (v - low) / (high - low)).round() as u8;
        });
    }
    visible
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn images_beyond_their_range_are_stretched() {
        let image = array![[[[0.0f32, 1.0]]], [[[-1.0, 1.0]]], [[[0.5, 3.0]]]];
        let wanted = array![[[[0u8, 255]]], [[[0, 255]]], [[[43, 255]]]];
        assert_eq!(visible(&image), wanted);
    }
}
