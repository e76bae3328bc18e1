//! The size and the channels of images `(n, c, h, w)`.
//!
//! Pixels are squares: pixel i of an axis of length n covers [i, i + 1), its centre is i + ½, and
//! the axes of input and output are stretched onto each other, [0, n) onto [0, m). This is the
//! convention of Pillow, of `torch.nn.functional.interpolate(align_corners=False)` and of OpenCV.
//! It is spelt out here, on `f32`, because the `image` crate resizes one 8-bit picture at a time
//! and is not there in a browser.

use ndarray::{Array4, Axis, azip, s};

use super::DataError;

/// How an output pixel is made of input pixels. Every filter is a mean with weights ≥ 0, so a
/// constant image stays constant and no value leaves the range of its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The input pixel under the output pixel's centre.
    Nearest,
    /// Linear interpolation between the two nearest centres of each axis, edges repeated. Shrinking
    /// to less than half skips pixels.
    Bilinear,
    /// As `Bilinear` when enlarging; when shrinking, the triangle is widened by the factor, so that
    /// every input pixel counts: Pillow's `BILINEAR`, torchvision's `antialias=True`.
    Triangle,
    /// The mean over the input area that the output pixel covers.
    Area,
}

/// Resizes `(n, c, h, w)` to `(n, c, size.0, size.1)`, one axis after the other.
///
/// Errors: a height or width of zero, before or after; a result that does not fit into memory.
pub fn resize(
    x: &Array4<f32>,
    size: (usize, usize),
    filter: Filter,
) -> Result<Array4<f32>, DataError> {
    let (n, c, h, w) = x.dim();
    if [h, w, size.0, size.1].contains(&0) {
        return Err(unusable(format!("cannot resize {h}×{w} images to {}×{}", size.0, size.1)));
    }
    let x = x.as_standard_layout();
    let mut out = filled((n, c, size.0, size.1), 0.0)?;
    if out.is_empty() {
        return Ok(out);
    }
    let columns = taps(w, size.1, filter);
    let rows = taps(h, size.0, filter);
    // Sums in f64 round to what they should be: a constant stays the same f32.
    let mut narrow = vec![0f64; h * size.1];
    let mut sums = vec![0f64; size.1];
    let channels = x.as_slice().unwrap_or_default().chunks_exact(h * w);
    let out_channels = out.as_slice_mut().unwrap_or_default().chunks_exact_mut(size.0 * size.1);
    for (x, out) in channels.zip(out_channels) {
        for (x, narrow) in x.chunks_exact(w).zip(narrow.chunks_exact_mut(size.1)) {
            for (narrow, Taps { start, weights }) in narrow.iter_mut().zip(&columns) {
                let pixels = x[*start..].iter().zip(weights);
                *narrow = pixels.map(|(&x, weight)| f64::from(x) * weight).sum();
            }
        }
        for (out, Taps { start, weights }) in out.chunks_exact_mut(size.1).zip(&rows) {
            sums.fill(0.0);
            for (narrow, weight) in narrow.chunks_exact(size.1).skip(*start).zip(weights) {
                sums.iter_mut().zip(narrow).for_each(|(sum, x)| *sum += weight * x);
            }
            out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = sum as f32);
        }
    }
    Ok(out)
}

/// The input pixels of one output pixel of an axis: from `start` on, weights that sum to 1.
struct Taps {
    start: usize,
    weights: Vec<f64>,
}

/// The taps of an axis of length `n` stretched to `m`, both > 0.
fn taps(n: usize, m: usize, filter: Filter) -> Vec<Taps> {
    let scale = n as f64 / m as f64;
    (0..m)
        .map(|i| match filter {
            Filter::Nearest => Taps { start: (2 * i + 1) * n / (2 * m), weights: vec![1.0] },
            Filter::Bilinear => triangle(n, (i as f64 + 0.5) * scale, 1.0),
            Filter::Triangle => triangle(n, (i as f64 + 0.5) * scale, scale.max(1.0)),
            // In units of 1/m of an input pixel every border is an integer, so the overlaps are exact.
            Filter::Area => weighted(i * n / m, ((i + 1) * n).div_ceil(m), |k| {
                let overlap = ((i + 1) * n).min((k + 1) * m) - (i * n).max(k * m);
                overlap as f64
            }),
        })
        .collect()
}

/// Weights 1 − |k + ½ − centre| / radius over the pixels k that lie within the radius; a centre
/// nearer to the edge than half a pixel sees the edge pixel alone.
fn triangle(n: usize, centre: f64, radius: f64) -> Taps {
    let first = (centre - radius - 0.5).floor().max(-1.0) + 1.0;
    let end = (centre + radius - 0.5).ceil().min(n as f64);
    weighted(first as usize, end as usize, |k| 1.0 - (k as f64 + 0.5 - centre).abs() / radius)
}

/// Taps from `start` to `end`, scaled to sum 1.
fn weighted(start: usize, end: usize, weight: impl Fn(usize) -> f64) -> Taps {
    let sum: f64 = (start..end).map(&weight).sum();
    Taps { start, weights: (start..end).map(|k| weight(k) / sum).collect() }
}

/// Puts every image into the middle of a `size` of `value`; an odd pixel goes below and to the
/// right.
///
/// Errors: an image that is larger than `size`; a result that does not fit into memory.
pub fn pad(x: &Array4<f32>, size: (usize, usize), value: f32) -> Result<Array4<f32>, DataError> {
    let (n, c, h, w) = x.dim();
    let (Some(free_h), Some(free_w)) = (size.0.checked_sub(h), size.1.checked_sub(w)) else {
        return Err(unusable(format!(
            "cannot pad {h}×{w} images to {}×{}: expected a size at least as large",
            size.0, size.1
        )));
    };
    let (top, left) = (free_h / 2, free_w / 2);
    let mut out = filled((n, c, size.0, size.1), value)?;
    out.slice_mut(s![.., .., top..top + h, left..left + w]).assign(x);
    Ok(out)
}

/// `(n, 1, h, w)` → `(n, 3, h, w)`, the channel three times; three channels stay as they are.
///
/// Errors: another number of channels.
pub fn to_rgb(x: &Array4<f32>) -> Result<Array4<f32>, DataError> {
    match x.dim() {
        (_, 3, _, _) => Ok(x.clone()),
        (n, 1, h, w) => {
            let mut out = Array4::zeros((n, 3, h, w));
            for mut channel in out.axis_iter_mut(Axis(1)) {
                channel.assign(&x.index_axis(Axis(1), 0));
            }
            Ok(out)
        }
        (_, c, _, _) => Err(channels(c)),
    }
}

/// `(n, 3, h, w)` → `(n, 1, h, w)`, the luma of ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B; one
/// channel stays as it is.
///
/// Errors: another number of channels.
pub fn to_grey(x: &Array4<f32>) -> Result<Array4<f32>, DataError> {
    match x.dim() {
        (_, 1, _, _) => Ok(x.clone()),
        (_, 3, _, _) => {
            let channel = |c| x.index_axis(Axis(1), c);
            let mut grey = channel(0).to_owned();
            azip!((y in &mut grey, g in &channel(1), b in &channel(2)) {
                let [r, g, b] = [*y, *g, *b].map(f64::from);
                *y = (0.299 * r + 0.587 * g + 0.114 * b) as f32;
            });
            Ok(grey.insert_axis(Axis(1)))
        }
        (_, c, _, _) => Err(channels(c)),
    }
}

/// An array of `value`, or an error where there is no memory for it.
fn filled(dim: (usize, usize, usize, usize), value: f32) -> Result<Array4<f32>, DataError> {
    let (n, c, h, w) = dim;
    let too_large = || unusable(format!("{n} × {c} × {h} × {w} values do not fit into memory"));
    let len = [c, h, w].iter().try_fold(n, |len, &side| len.checked_mul(side));
    let len = len.ok_or_else(too_large)?;
    let mut values = Vec::new();
    values.try_reserve_exact(len).map_err(|_| too_large())?;
    values.resize(len, value);
    Array4::from_shape_vec(dim, values).map_err(|_| too_large())
}

fn channels(c: usize) -> DataError {
    unusable(format!("images of {c} channels: expected 1 or 3"))
}

fn unusable(reason: String) -> DataError {
    DataError::unusable("images", reason)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    const FILTERS: [Filter; 4] =
        [Filter::Nearest, Filter::Bilinear, Filter::Triangle, Filter::Area];

    fn row(values: &[f32]) -> Array4<f32> {
        Array4::from_shape_vec((1, 1, 1, values.len()), values.to_vec()).unwrap()
    }

    fn resized(values: &[f32], w: usize, filter: Filter) -> Vec<f32> {
        resize(&row(values), (1, w), filter).unwrap().into_raw_vec_and_offset().0
    }

    #[test]
    fn half_pixel_centres_by_hand() {
        // Output centres 0.25, 0.75, 1.25, 1.75 against input centres 0.5 and 1.5.
        assert_eq!(resized(&[0.0, 1.0], 4, Filter::Bilinear), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(resized(&[0.0, 1.0], 4, Filter::Triangle), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(resized(&[0.0, 1.0], 4, Filter::Nearest), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(resized(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, Filter::Nearest), [2.0, 5.0]);
        // Each output pixel covers one and a half input pixels.
        let area = resized(&[3.0, 6.0, 9.0], 2, Filter::Area);
        assert_abs_diff_eq!(area[..], [4.0, 8.0], epsilon = 1e-6);
        // Centre 1, radius 2: weights 3/4, 3/4, 1/4 of pixels 0, 1, 2.
        let triangle = resized(&[0.0, 0.0, 7.0, 0.0], 2, Filter::Triangle);
        assert_abs_diff_eq!(triangle[..], [1.0, 3.0], epsilon = 1e-6);
    }

    #[test]
    fn padding_is_centred() {
        let x = Array4::from_elem((1, 1, 1, 2), 1.0);
        let padded = pad(&x, (2, 5), -1.0).unwrap();
        assert_eq!(
            padded.iter().copied().collect::<Vec<_>>(),
            [-1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]
        );
        let message = pad(&x, (1, 1), 0.0).unwrap_err().to_string();
        assert!(message.contains("cannot pad 1×2 images to 1×1"), "{message}");
    }

    #[test]
    fn channels_convert() {
        let rgb = Array4::from_shape_vec((1, 3, 1, 2), vec![1.0, 0.5, 0.0, 0.5, 0.0, 0.5]).unwrap();
        let grey = to_grey(&rgb).unwrap();
        assert_eq!(grey.dim(), (1, 1, 1, 2));
        assert_abs_diff_eq!(grey.as_slice().unwrap()[..], [0.299, 0.5], epsilon = 1e-6);
        assert_eq!(to_rgb(&row(&[0.3])).unwrap(), Array4::from_elem((1, 3, 1, 1), 0.3));
        assert!(to_grey(&Array4::zeros((1, 2, 1, 1))).is_err());
        assert!(to_rgb(&Array4::zeros((1, 4, 1, 1))).is_err());
    }

    #[test]
    fn empty_sizes_are_errors_and_empty_batches_are_not() {
        assert!(resize(&row(&[1.0]), (0, 1), Filter::Area).is_err());
        assert!(resize(&Array4::zeros((1, 1, 0, 1)), (1, 1), Filter::Area).is_err());
        let none = resize(&Array4::zeros((0, 3, 2, 2)), (4, 5), Filter::Bilinear).unwrap();
        assert_eq!(none.dim(), (0, 3, 4, 5));
        let huge = resize(&row(&[1.0]), (1 << 40, 1 << 40), Filter::Area).unwrap_err().to_string();
        assert!(huge.contains("do not fit into memory"), "{huge}");
    }

    fn images() -> impl Strategy<Value = Array4<f32>> {
        (1usize..3, 1usize..4, 1usize..9, 1usize..9).prop_flat_map(|dim| {
            let len = dim.0 * dim.1 * dim.2 * dim.3;
            prop::collection::vec(0f32..1.0, len)
                .prop_map(move |v| Array4::from_shape_vec(dim, v).unwrap())
        })
    }

    proptest! {
        #[test]
        fn constants_stay(v in 0f32..1.0, h in 1usize..20, w in 1usize..20, to in (1usize..20, 1usize..20)) {
            for filter in FILTERS {
                let out = resize(&Array4::from_elem((1, 1, h, w), v), to, filter).unwrap();
                prop_assert!(out.iter().all(|&o| o == v), "{filter:?}");
            }
        }

        #[test]
        fn values_stay_within_the_image(x in images(), to in (1usize..20, 1usize..20)) {
            let low = x.fold(f32::INFINITY, |a, &b| a.min(b));
            let high = x.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            for filter in FILTERS {
                let out = resize(&x, to, filter).unwrap();
                prop_assert!(out.iter().all(|&v| low <= v && v <= high), "{filter:?}");
            }
        }

        #[test]
        fn area_keeps_the_mean(x in images(), k in 1usize..4, l in 1usize..4) {
            let (n, c, h, w) = x.dim();
            let large = Array4::from_shape_fn((n, c, h * k, w * l), |(a, b, i, j)| {
                x[[a, b, i / k, j / l]] + ((i * 7 + j * 3) % 5) as f32
            });
            let small = resize(&large, (h, w), Filter::Area).unwrap();
            let (a, b) = (small.mean().unwrap(), large.mean().unwrap());
            prop_assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} {b}");
            // Repeating pixels and averaging them again is the identity.
            let repeated = resize(&x, (h * k, w * l), Filter::Nearest).unwrap();
            let back = resize(&repeated, (h, w), Filter::Area).unwrap();
            prop_assert!((&back - &x).iter().all(|d| d.abs() < 1e-6));
        }

        #[test]
        fn the_same_size_is_the_identity(x in images()) {
            for filter in FILTERS {
                prop_assert_eq!(&resize(&x, (x.dim().2, x.dim().3), filter).unwrap(), &x);
            }
        }

        #[test]
        fn mirrored_images_give_mirrored_images(x in images(), to in (1usize..20, 1usize..20)) {
            let mirrored = x.slice(s![.., .., ..;-1, ..;-1]).to_owned();
            // Nearest is left out: it breaks ties towards the larger index.
            for filter in [Filter::Bilinear, Filter::Triangle, Filter::Area] {
                let a = resize(&x, to, filter).unwrap();
                let b = resize(&mirrored, to, filter).unwrap();
                let gap = &a.slice(s![.., .., ..;-1, ..;-1]) - &b;
                prop_assert!(gap.iter().all(|d| d.abs() < 1e-5), "{filter:?}");
            }
        }
    }

    /// The `image` crate resizes by the same convention, with kernels of its own.
    #[cfg(feature = "files")]
    #[test]
    fn agrees_with_the_image_crate() {
        use image::imageops::{self, FilterType};
        let (h, w) = (11usize, 17usize);
        let x = Array4::from_shape_fn((1, 1, h, w), |(_, _, i, j)| {
            ((i * 31 + j * 17) % 23) as f32 / 22.0
        });
        let picture = image::ImageBuffer::<image::Luma<f32>, _>::from_raw(
            w as u32,
            h as u32,
            x.iter().copied().collect::<Vec<f32>>(),
        )
        .unwrap();
        for to in [(5, 6), (22, 40), (11, 4), (30, 17)] {
            for (ours, theirs) in
                [(Filter::Triangle, FilterType::Triangle), (Filter::Nearest, FilterType::Nearest)]
            {
                let out = resize(&x, to, ours).unwrap();
                let reference = imageops::resize(&picture, to.1 as u32, to.0 as u32, theirs);
                let gap = out.iter().zip(reference.as_raw()).map(|(a, b)| (a - b).abs());
                let gap = gap.fold(0.0, f32::max);
                assert!(gap < 1e-5, "{ours:?} to {to:?}: {gap}");
            }
        }
    }
}
