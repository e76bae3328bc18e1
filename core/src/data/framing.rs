//! The frame of an image: its size, the box inside it that the content fills, its channels.
//!
//! Two collections seldom have a common shape, and how they are brought to one is a part of the
//! domain shift: MNIST's digits fill 20×20 pixels in the middle of 28×28, those of USPS fill their
//! whole 16×16. A [`Framing`] says it in a configuration, so that it is stated with the results.

use serde::{Deserialize, Serialize};

use super::resize::{Filter, pad, resize, to_grey, to_rgb};
use super::{DataError, Samples};

/// How images `(n, c, h, w)` become `(n, c', h', w')`. The default leaves them alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Framing {
    /// (h', w'); without it, the size stays.
    pub size: Option<(usize, usize)>,
    /// The box, (height, width), that the image is resized to before it is centred in `size` on
    /// zeros; without it, the image is resized to the whole of `size`.
    pub content: Option<(usize, usize)>,
    /// How pixels are made when the size changes.
    pub filter: Filter,
    /// Without it, the channels stay.
    pub channels: Option<Channels>,
}

/// The channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// One; colours become luma.
    Grey,
    /// Three; grey is repeated.
    Rgb,
}

impl Default for Framing {
    fn default() -> Self {
        Self { size: None, content: None, filter: Filter::Triangle, channels: None }
    }
}

impl Framing {
    /// Images resized to `side` × `side`.
    pub fn square(side: usize) -> Self {
        Self { size: Some((side, side)), ..Self::default() }
    }

    /// Images resized to `content` × `content` in the middle of `side` × `side` zeros.
    pub fn boxed(content: usize, side: usize) -> Self {
        Self { content: Some((content, content)), ..Self::square(side) }
    }

    /// The framed samples. Feature vectors have no frame: they pass when nothing is asked for.
    ///
    /// Errors: a frame for feature vectors; a size of zero; a `content` that is larger than the
    /// size.
    pub fn apply(&self, samples: Samples) -> Result<Samples, DataError> {
        let mut x = match samples {
            Samples::Images(x) => x,
            #[cfg(feature = "files")]
            Samples::Pictures(x) => return x.framed(self).map(Samples::Pictures),
            samples => {
                let asked =
                    self.size.is_some() || self.content.is_some() || self.channels.is_some();
                if asked {
                    let reason = "size, content and channels are for images, got feature vectors";
                    return Err(DataError::unusable("framing", reason));
                }
                return Ok(samples);
            }
        };
        x = match self.channels {
            None => x,
            Some(Channels::Grey) => to_grey(&x)?,
            Some(Channels::Rgb) => to_rgb(&x)?,
        };
        let (_, _, h, w) = x.dim();
        let size = self.size.unwrap_or((h, w));
        let content = self.content.unwrap_or(size);
        if content != (h, w) {
            x = resize(&x, content, self.filter)?;
        }
        if content != size {
            x = pad(&x, size, 0.0)?;
        }
        Ok(Samples::Images(x))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array4};

    use super::*;

    fn ones(c: usize, h: usize, w: usize) -> Samples {
        Samples::Images(Array4::ones((2, c, h, w)))
    }

    #[test]
    fn nothing_asked_nothing_changed() {
        assert_eq!(Framing::default().apply(ones(3, 4, 5)).unwrap(), ones(3, 4, 5));
        let x = Samples::Features(Array2::zeros((2, 3)));
        assert_eq!(Framing::default().apply(x.clone()).unwrap(), x);
    }

    #[test]
    fn a_box_is_centred_on_zeros() {
        let Samples::Images(x) = Framing::boxed(4, 8).apply(ones(1, 2, 2)).unwrap() else {
            panic!("images became features")
        };
        assert_eq!(x.dim(), (2, 1, 8, 8));
        for ((_, _, h, w), &v) in x.indexed_iter() {
            let inside = (2..6).contains(&h) && (2..6).contains(&w);
            assert_eq!(v, f32::from(inside));
        }
    }

    #[test]
    fn size_and_channels_change_together() {
        let framing = Framing { channels: Some(Channels::Rgb), ..Framing::square(6) };
        assert_eq!(framing.apply(ones(1, 3, 2)).unwrap(), ones(3, 6, 6));
        let framing = Framing { channels: Some(Channels::Grey), ..Framing::default() };
        assert_eq!(framing.apply(ones(3, 3, 2)).unwrap().row_shape(), [1, 3, 2]);
    }

    #[test]
    fn what_cannot_be_framed_is_an_error() {
        let x = Samples::Features(Array2::zeros((2, 3)));
        let message = Framing::square(8).apply(x).unwrap_err().to_string();
        assert!(message.contains("are for images"), "{message}");
        let message = Framing::boxed(9, 8).apply(ones(1, 2, 2)).unwrap_err().to_string();
        assert!(message.contains("cannot pad 9×9 images to 8×8"), "{message}");
        assert!(Framing::square(0).apply(ones(1, 2, 2)).is_err());
    }

    #[test]
    fn a_frame_is_text() {
        let text = r#"{"size":[28,28],"content":[20,20],"filter":"triangle","channels":null}"#;
        assert_eq!(serde_json::to_string(&Framing::boxed(20, 28)).unwrap(), text);
        let framing: Framing = serde_json::from_str(r#"{"size":[28,28]}"#).unwrap();
        assert_eq!(framing, Framing::square(28));
    }
}
