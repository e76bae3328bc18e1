//! Colours that stay apart for colour-blind readers, on light and on dark.

use plotters::style::RGBColor;

use crate::report::{load::Run, summary::SOURCE_ONLY};

/// A colour of the figures: what plotters draws, and the page's variable that replaces it.
type Entry = (RGBColor, &'static str);

/// Axes and text.
pub(crate) const INK: RGBColor = RGBColor(0x1C, 0x1E, 0x21);
/// Secondary text and lines.
pub(crate) const MUTED: RGBColor = RGBColor(0x6B, 0x6F, 0x76);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(0xE2, 0xE3, 0xE6);
/// The card under a figure.
pub(crate) const CARD: RGBColor = RGBColor(0xFE, 0xFE, 0xFF);

/// Okabe & Ito, "Color Universal Design", 2008, without black and yellow, and four more that stay
/// as far from them and from each other for readers with any of the three dichromacies. The page's
/// style sheet has a value for light and for dark of each.
pub(crate) const CLASSES: [RGBColor; 10] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x18, 0x23, 0x54),
    RGBColor(0x57, 0x09, 0x06),
    RGBColor(0x2E, 0x54, 0x52),
    RGBColor(0xB0, 0xB2, 0x8F),
];

const VARIABLES: [&str; 10] =
    ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--c9"];

fn entries() -> impl Iterator<Item = Entry> {
    let neutral = [(INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid"), (CARD, "--card")];
    neutral.into_iter().chain(CLASSES.into_iter().zip(VARIABLES))
}

/// The colour of a class.
pub(crate) fn class_colour(class: usize) -> RGBColor {
    CLASSES[class % CLASSES.len()]
}

/// The page's variable of a class's colour.
pub(crate) fn class_variable(class: usize) -> &'static str {
    VARIABLES[class % VARIABLES.len()]
}

/// The colour of a method: [`INK`] for source-only, then one after the other.
pub(crate) fn method_colour(run: &Run, method: &str) -> RGBColor {
    let mut adapting = run.methods.iter().filter(|m| m.name != SOURCE_ONLY);
    match adapting.position(|m| m.name == method) {
        Some(i) => class_colour(i),
        None => INK,
    }
}

/// The page's variable of a colour.
pub(crate) fn variable(colour: RGBColor) -> &'static str {
    entries().find(|(c, _)| *c == colour).map_or("--ink", |(_, name)| name)
}

/// The SVG with the page's variables in place of plotters' colours.
pub(super) fn themed(svg: &str) -> String {
    entries().fold(svg.to_owned(), |svg, (RGBColor(r, g, b), name)| {
        svg.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"var({name})\""))
    })
}

/// A shape that tells markers apart without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Circle,
    Triangle,
    Square,
    Diamond,
}

impl Mark {
    /// The `i`-th shape.
    pub(crate) fn nth(i: usize) -> Self {
        [Self::Diamond, Self::Triangle, Self::Square, Self::Circle][i % 4]
    }

    /// Its corners around (0, 0), `r` from the centre; none for the circle.
    pub(super) fn corners(self, r: i32) -> Option<Vec<(i32, i32)>> {
        match self {
            Self::Circle => None,
            Self::Triangle => {
                let (x, y) = (r * 87 / 100, r / 2);
                Some(vec![(0, -r), (x, y), (-x, y)])
            }
            Self::Square => {
                let a = r * 4 / 5;
                Some(vec![(-a, -a), (a, -a), (a, a), (-a, a)])
            }
            Self::Diamond => Some(vec![(0, -r), (r, 0), (0, r), (-r, 0)]),
        }
    }

    /// As a character, for legends.
    pub(crate) fn symbol(self) -> char {
        match self {
            Self::Circle => '●',
            Self::Triangle => '▲',
            Self::Square => '■',
            Self::Diamond => '◆',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_has_each_colour_for_light_and_dark() {
        let css = include_str!("../../../templates/report.css");
        for (RGBColor(r, g, b), name) in entries() {
            assert_eq!(css.matches(&format!("{name}: #")).count(), 2, "{name}");
            if CLASSES.contains(&RGBColor(r, g, b)) {
                let light = format!("{name}: #{r:02x}{g:02x}{b:02x};");
                assert!(css.contains(&light), "{light}");
            }
        }
    }

    #[test]
    fn colours_become_variables() {
        let svg = r##"<circle fill="#0072B2" stroke="none"/><text fill="#1C1E21">#0072B2</text>"##;
        let expected =
            r##"<circle fill="var(--c0)" stroke="none"/><text fill="var(--ink)">#0072B2</text>"##;
        assert_eq!(themed(svg), expected);
    }
}
