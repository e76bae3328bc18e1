//! Learning curves: a panel a loss term, or a thing that methods tell of themselves.

use plotters::style::RGBColor;

use super::{
    Figure,
    chart::{Chart, short},
    figure,
    palette::method_colour,
    series::{Point, extent, over_seeds, padded},
};
use crate::{
    record::Named,
    report::load::{Method, Part, Run},
};

/// What a part measured along its training, by step.
type Along = fn(&Part) -> Vec<(u64, &Named<f64>)>;

/// A name of one or more methods.
struct Panel {
    title: String,
    curves: Vec<Curve>,
}

struct Curve {
    method: String,
    colour: RGBColor,
    points: Vec<Point>,
}

/// A panel for each loss term that all methods have, then one for each term of a single method: terms
/// of one name differ in scale from method to method.
pub(crate) fn losses(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let along: Along = |part| part.steps.iter().map(|s| (s.step, &s.losses)).collect();
    panels(run, along).iter().map(|panel| draw(panel, "Loss term ")).collect()
}

/// The same for what methods tell of themselves, whatever that is; methods that tell nothing aside.
pub(crate) fn readings(run: &Run) -> anyhow::Result<Vec<Figure>> {
    let along: Along = |part| part.evaluations.iter().map(|e| (e.step, &e.readings)).collect();
    panels(run, along).iter().map(|panel| draw(panel, "Reading ")).collect()
}

fn panels(run: &Run, along: Along) -> Vec<Panel> {
    let methods: Vec<_> = run.methods.iter().map(|method| (method, names(method, along))).collect();
    let telling = || methods.iter().filter(|(_, names)| !names.is_empty());
    let Some((_, first)) = telling().next() else { return Vec::new() };
    let shared = |name: &String| telling().all(|(_, names)| names.contains(name));
    let curve = |method: &Method, name: &str| Curve {
        method: method.name.clone(),
        colour: method_colour(run, &method.name),
        points: points(method, name, along),
    };
    let mut panels: Vec<Panel> = first
        .iter()
        .filter(|name| shared(name))
        .map(|name| Panel {
            title: name.clone(),
            curves: telling().map(|(method, _)| curve(method, name)).collect(),
        })
        .collect();
    for (method, names) in telling() {
        panels.extend(names.iter().filter(|name| !shared(name)).map(|name| Panel {
            title: format!("{name} ({})", method.name),
            curves: vec![curve(method, name)],
        }));
    }
    panels
}

/// The names, in the order of the record.
fn names(method: &Method, along: Along) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let values = method.parts.iter().flat_map(along);
    for (name, _) in values.flat_map(|(_, values)| values.iter()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn points(method: &Method, name: &str, along: Along) -> Vec<Point> {
    let values = method.parts.iter().flat_map(along);
    over_seeds(values.filter_map(|(step, values)| Some((step, *values.get(name)?))))
}

/// `what` comes before the title where the figure is told in words.
fn draw(panel: &Panel, what: &str) -> anyhow::Result<Figure> {
    let ends: Vec<String> = panel
        .curves
        .iter()
        .filter_map(|c| {
            let (first, last) = (c.points.first()?, c.points.last()?);
            Some(format!("{} from {:.3} to {:.3}", c.method, first.mean, last.mean))
        })
        .collect();
    let alt = format!("{what}{} over training steps: {}.", panel.title, ends.join(", "));
    figure(&panel.title, &alt, (320, 210), |area| {
        let points = || panel.curves.iter().flat_map(|curve| &curve.points);
        let steps = points().map(|p| p.step).fold(0.0, f64::max);
        let y = padded(extent(points().flat_map(Point::band)).unwrap_or(0.0..1.0));
        let length = y.end - y.start;
        let mut chart = Chart::new(area, steps, y, &|y| short(*y, length))?;
        for curve in &panel.curves {
            chart.curve(&curve.points, curve.colour)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Evaluation, StepMeans},
        report::{load::State, tests::record},
    };

    fn method(name: &str, terms: &[&str]) -> Method {
        let step = |step| StepMeans {
            step,
            progress: 0.5,
            rate: 0.1,
            losses: Named(terms.iter().map(|term| (term.to_string(), step as f64)).collect()),
            gradient_norm: None,
        };
        let part = Part {
            seed: 0,
            state: State::Unfinished,
            steps: vec![step(10), step(20)],
            evaluations: Vec::new(),
            outputs: None,
        };
        Method { name: name.to_owned(), parts: vec![part] }
    }

    #[test]
    fn terms_of_all_methods_share_a_panel() {
        let methods = vec![
            method("source-only", &["total", "classification"]),
            method("dann", &["total", "classification", "domain"]),
            method("dan", &["total", "classification", "domain"]),
            method("not-started", &[]),
        ];
        let run = Run { record: record(), config: None, samples: None, methods, notes: Vec::new() };
        let along: Along = |part| part.steps.iter().map(|s| (s.step, &s.losses)).collect();
        let panels = panels(&run, along);
        let titles: Vec<_> = panels.iter().map(|p| (p.title.as_str(), p.curves.len())).collect();
        let expected =
            [("total", 3), ("classification", 3), ("domain (dann)", 1), ("domain (dan)", 1)];
        assert_eq!(titles, expected);
        assert_eq!(losses(&run).unwrap().len(), 4);
        assert!(readings(&run).unwrap().is_empty());
    }

    #[test]
    fn what_methods_tell_is_drawn_whatever_it_is() {
        let telling = |name: &str, readings: &[&str]| {
            let mut method = method(name, &["total"]);
            let evaluation = |step| Evaluation {
                step,
                source_validation_accuracy: 0.9,
                validators: Named::default(),
                readings: Named(readings.iter().map(|r| (r.to_string(), step as f64)).collect()),
                oracle: None,
            };
            method.parts[0].evaluations = vec![evaluation(10), evaluation(20)];
            method
        };
        let methods = vec![
            telling("source-only", &[]),
            telling("dann", &["critic-accuracy", "lambda"]),
            telling("of-ones-own", &["critic-accuracy", "anything"]),
        ];
        let run = Run { record: record(), config: None, samples: None, methods, notes: Vec::new() };
        let titles: Vec<_> = readings(&run).unwrap().into_iter().map(|f| f.title).collect();
        assert_eq!(titles, ["critic-accuracy", "lambda (dann)", "anything (of-ones-own)"]);
    }
}
