//! Confusion matrices on the target.

use plotters::{
    prelude::{Rectangle, Text},
    style::{
        Color, FontTransform,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Figure, figure,
    palette::{CLASSES, GRID, INK, MUTED},
    px, shortened, text,
};
use crate::report::load::{Method, Run};

/// From this many classes on, cells are too small for numbers.
const TOO_MANY_FOR_NUMBERS: usize = 15;
/// The most class names along an axis.
const MOST_NAMES: usize = 40;
/// The longest class name, in characters.
const LONGEST_NAME: usize = 12;
/// Cells of a smaller share of their row stay empty.
const LEAST_SHARE: f64 = 0.005;

/// How often each true class (row) was predicted as each class (column), over all seeds whose
/// outputs could be read. None without target labels.
pub(crate) fn confusion(run: &Run, method: &Method) -> Option<anyhow::Result<Figure>> {
    let classes = &run.record.classes;
    let k = classes.len();
    let mut counts = vec![0u64; k * k];
    for (_, outputs) in method.outputs() {
        let labels = outputs.target.labels.as_ref()?;
        for (&truth, &prediction) in labels.iter().zip(&outputs.target.predictions) {
            if let Some(truth) = truth.filter(|&truth| truth < k) {
                counts[truth * k + prediction] += 1;
            }
        }
    }
    let total: u64 = counts.iter().sum();
    (total > 0).then(|| draw(&method.name, classes, &counts))
}

fn draw(method: &str, classes: &[String], counts: &[u64]) -> anyhow::Result<Figure> {
    let k = classes.len();
    let shares: Vec<f64> = counts
        .chunks(k)
        .flat_map(|row| {
            let n = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(move |&count| count as f64 / n)
        })
        .collect();
    let alt = description(method, classes, counts, &shares);
    let width = 400;
    let names: Vec<String> = classes.iter().map(|name| shortened(name, LONGEST_NAME)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(1);
    let upright = longest > 3;
    figure(method, &alt, (width, width), |area| {
        // Names are as large as the cells allow; the margin is as wide as they then are.
        let size = (0.5 * f64::from(width - 40) / k as f64).clamp(8.0, 12.0);
        let margin = px(26.0 + 0.58 * size * longest as f64);
        let side = (px(width) - margin - px(6)) / k as i32;
        let (left, top) = (margin, px(4));
        let cell = |row: usize, column: usize| {
            let (x, y) = (left + side * column as i32, top + side * row as i32);
            let gap = if k <= TOO_MANY_FOR_NUMBERS { px(1) } else { 0 };
            [(x + gap, y + gap), (x + side - gap, y + side - gap)]
        };
        let frame = [(left, top), (left + side * k as i32, top + side * k as i32)];
        area.draw(&Rectangle::new(frame, GRID.mix(0.5).filled()))?;
        for (i, &share) in shares.iter().enumerate() {
            let (row, column) = (i / k, i % k);
            if share < LEAST_SHARE {
                continue;
            }
            let colour = if row == column { CLASSES[0] } else { CLASSES[1] };
            // Rare mistakes matter, so that small shares are drawn stronger than in proportion.
            let strength = share.powf(0.45);
            let [(x0, y0), (x1, y1)] = cell(row, column);
            area.draw(&Rectangle::new([(x0, y0), (x1, y1)], colour.mix(strength * 0.65).filled()))?;
            if k < TOO_MANY_FOR_NUMBERS {
                let size = (f64::from(side) / f64::from(px(1)) * 0.36).min(13.0);
                let style = text(size, INK).pos(Pos::new(HPos::Center, VPos::Center));
                let at = ((x0 + x1) / 2, (y0 + y1) / 2);
                area.draw(&Text::new(format!("{:.0}", (100.0 * share).round()), at, style))?;
            }
        }
        for (i, name) in names.iter().enumerate().step_by(k.div_ceil(MOST_NAMES)) {
            let middle = side * i as i32 + side / 2;
            let label = text(size, INK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(name.as_str(), (left - px(5), top + middle), label.clone()))?;
            let foot = top + side * k as i32;
            if upright {
                let label = label.transform(FontTransform::Rotate270);
                area.draw(&Text::new(name.as_str(), (left + middle, foot + px(5)), label))?;
            } else {
                let label = text(size, INK).pos(Pos::new(HPos::Center, VPos::Top));
                area.draw(&Text::new(name.as_str(), (left + middle, foot + px(5)), label))?;
            }
        }
        let centre = side * k as i32 / 2;
        let style = text(11.0, MUTED).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(
            "predicted class",
            (left + centre, px(width) - px(8)),
            style.clone(),
        ))?;
        let style = style.transform(FontTransform::Rotate270);
        area.draw(&Text::new("true class", (px(8), top + centre), style))?;
        Ok(())
    })
}

/// Overall accuracy and the commonest mistakes, in words.
fn description(method: &str, classes: &[String], counts: &[u64], shares: &[f64]) -> String {
    let k = classes.len();
    let right: u64 = (0..k).map(|i| counts[i * k + i]).sum();
    let total: u64 = counts.iter().sum();
    let mut mistakes: Vec<usize> =
        (0..k * k).filter(|i| i / k != i % k && shares[*i] >= LEAST_SHARE).collect();
    mistakes.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
    let worst: Vec<String> = mistakes
        .iter()
        .take(3)
        .map(|i| {
            format!("{} taken for {} {:.0} %", classes[i / k], classes[i % k], 100.0 * shares[*i])
        })
        .collect();
    let accuracy = 100.0 * right as f64 / total as f64;
    let mut text = format!("Confusion matrix of {method} on the target: {accuracy:.1} % right");
    if !worst.is_empty() {
        text += &format!("; most often {}", worst.join(", "));
    }
    text + "."
}
