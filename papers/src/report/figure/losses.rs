//! Learning curves: a panel a loss term.

use plotters::style::RGBColor;

use super::{
    Figure,
    chart::{Chart, short},
    figure,
    palette::method_colour,
    series::{Point, extent, over_seeds, padded},
};
use crate::report::load::{Method, Run};

/// A loss term of one or more methods.
struct Panel {
    title: String,
    curves: Vec<Curve>,
}

struct Curve {
    method: String,
    colour: RGBColor,
    points: Vec<Point>,
}

/// A panel for each term that all methods have, then one for each term of a single method: terms
/// of one name differ in scale from method to method.
pub(crate) fn losses(run: &Run) -> anyhow::Result<Vec<Figure>> {
    panels(run).iter().map(draw).collect()
}

fn panels(run: &Run) -> Vec<Panel> {
    let methods: Vec<_> = run.methods.iter().map(|method| (method, terms(method))).collect();
    let trained = || methods.iter().filter(|(_, terms)| !terms.is_empty());
    let Some((_, first)) = trained().next() else { return Vec::new() };
    let shared = |term: &String| trained().all(|(_, terms)| terms.contains(term));
    let curve = |method: &Method, term: &str| Curve {
        method: method.name.clone(),
        colour: method_colour(run, &method.name),
        points: points(method, term),
    };
    let mut panels: Vec<Panel> = first
        .iter()
        .filter(|term| shared(term))
        .map(|term| Panel {
            title: term.clone(),
            curves: trained().map(|(method, _)| curve(method, term)).collect(),
        })
        .collect();
    for (method, terms) in trained() {
        panels.extend(terms.iter().filter(|term| !shared(term)).map(|term| Panel {
            title: format!("{term} ({})", method.name),
            curves: vec![curve(method, term)],
        }));
    }
    panels
}

/// The names of the loss terms, in the order of the record.
fn terms(method: &Method) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for (name, _) in method.parts.iter().flat_map(|p| &p.steps).flat_map(|s| s.losses.iter()) {
        if !terms.iter().any(|term| term == name) {
            terms.push(name.to_owned());
        }
    }
    terms
}

fn points(method: &Method, term: &str) -> Vec<Point> {
    let steps = method.parts.iter().flat_map(|part| &part.steps);
    over_seeds(steps.filter_map(|step| Some((step.step, *step.losses.get(term)?))))
}

fn draw(panel: &Panel) -> anyhow::Result<Figure> {
    let ends: Vec<String> = panel
        .curves
        .iter()
        .filter_map(|c| {
            let (first, last) = (c.points.first()?, c.points.last()?);
            Some(format!("{} from {:.3} to {:.3}", c.method, first.mean, last.mean))
        })
        .collect();
    let alt = format!("Loss term {} over training steps: {}.", panel.title, ends.join(", "));
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
        record::{Named, StepMeans},
        report::{
            load::{Part, State},
            tests::record,
        },
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
        let panels = panels(&run);
        let titles: Vec<_> = panels.iter().map(|p| (p.title.as_str(), p.curves.len())).collect();
        let expected =
            [("total", 3), ("classification", 3), ("domain (dann)", 1), ("domain (dan)", 1)];
        assert_eq!(titles, expected);
        assert_eq!(losses(&run).unwrap().len(), 4);
    }
}
