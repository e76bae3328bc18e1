//! The figures: inline SVG whose colours are the page's, so that they follow light and dark.

mod accuracy;
mod chart;
mod comparison;
mod confusion;
mod curves;
mod difference;
mod embedding;
mod histogram;
mod losses;
mod palette;
mod series;
mod sketch;

use std::sync::Once;

use anyhow::Context;
use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea, SVGBackend},
    style::{FontStyle, IntoFont, RGBColor, TextStyle, register_font},
};

pub(crate) use accuracy::accuracy;
pub(crate) use comparison::{Comparison, comparison};
pub(crate) use confusion::confusion;
pub(crate) use curves::{Curve, curves};
pub(crate) use difference::difference;
pub(crate) use embedding::{Embedding, embedding};
pub(crate) use histogram::{Bar, bars, densities, histogram};
pub(crate) use losses::{losses, readings};
pub(crate) use palette::{CLASSES, Mark, class_variable, method_colour, variable};
pub(crate) use sketch::{Sketched, sketch};

/// Drawing units in a CSS pixel: plotters rounds to whole units, too coarse for thin lines.
const UNIT: i32 = 4;

/// How much larger than drawn a figure may get.
const ENLARGED: f64 = 1.3;

/// `n` CSS pixels in drawing units.
fn px(n: impl Into<f64>) -> i32 {
    (n.into() * f64::from(UNIT)).round() as i32
}

/// A drawn figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) title: String,
    /// An `<svg>` element; every text in it is escaped.
    pub(crate) svg: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a figure of `width` × `height` CSS pixels, which the page may enlarge by [`ENLARGED`] and
/// shrinks on a phone. `alt` says in words what it shows.
fn figure(
    title: &str,
    alt: &str,
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Figure> {
    register();
    let mut svg = String::new();
    {
        let unit = UNIT as u32;
        let root =
            SVGBackend::with_string(&mut svg, (width * unit, height * unit)).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    // The page sets the size; an SVG inside HTML needs no name space.
    let body = svg.split_once('>').context("plotters wrote no SVG")?.1;
    let alt = askama::filters::escape(alt, askama::filters::Html)?;
    let svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{alt}\" style=\"max-width:{:.0}px\">{}",
        width * UNIT as u32,
        height * UNIT as u32,
        ENLARGED * f64::from(width),
        palette::themed(body),
    );
    Ok(Figure { title: title.to_owned(), svg })
}

/// Text of `size` CSS pixels.
fn text(size: f64, colour: RGBColor) -> TextStyle<'static> {
    // plotters divides a font's size by 1.24 on its way to SVG.
    ("sans-serif", 1.24 * size * f64::from(UNIT)).into_font().color(&colour)
}

/// `name`, cut to at most `most` characters.
fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
        None => name.to_owned(),
        Some(_) => name.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// plotters measures text by fonts that the program brings; readers see their own sans-serif.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../../assets/DejaVuSans-subset.ttf");
        // A failure shows when text is drawn: `FontUnavailable`.
        let _ = register_font("sans-serif", FontStyle::Normal, font);
    });
}
