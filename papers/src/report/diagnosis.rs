//! The report of `transduct diagnose`.

use transduct_adapt::{
    diagnose::{Diagnosis, FeatureTest, Gain, PredictedGain},
    domains::Domains,
};

use super::{
    figure::{Bar, bars, densities, histogram},
    sections::{Grid, Page, Section, legend},
    weights::first_of,
};
use crate::cli::brief;

/// The most columns that tables and the ranking show.
const MOST: usize = 20;
/// The columns whose distributions are drawn.
const DRAWN: usize = 6;

/// A test of both domains as a whole: its name, its statistic in words, its p-value.
pub(crate) fn joint_tests(diagnosis: &Diagnosis) -> [[String; 3]; 2] {
    let Diagnosis { classifier, mmd, .. } = diagnosis;
    [
        [
            "classifier two-sample test".to_owned(),
            format!("accuracy {}, AUC {}", brief(classifier.accuracy), brief(classifier.auc)),
            p_value(classifier.p),
        ],
        [
            format!("MMD, {} permutations", mmd.permutations),
            format!("MMD² {}, σ {}", brief(mmd.statistic), brief(mmd.sigma)),
            p_value(mmd.p),
        ],
    ]
}

/// A column: name, D, mean shift, spread ratio, p, adjusted p.
pub(crate) fn feature_row(test: &FeatureTest, names: &[String]) -> [String; 6] {
    [
        names[test.column].clone(),
        brief(test.statistic),
        brief(test.mean_shift),
        test.spread_ratio.map_or("–".to_owned(), brief),
        p_value(test.p),
        p_value(test.p_adjusted),
    ]
}

/// What [`feature_row`] gives.
pub(crate) const FEATURE_HEADER: [&str; 6] =
    ["Column", "KS distance", "Mean shift", "Spread ratio", "p", "p (Holm)"];

/// A method: name, family, predicted gain in points with its interval, and what else is to know.
pub(crate) fn gain_row(predicted: &PredictedGain) -> [String; 4] {
    let signed = |share: f64| format!("{:+.1}", 100.0 * share);
    let interval = |[low, high]: [f64; 2]| format!("[{}, {}]", signed(low), signed(high));
    let share = predicted
        .effective_share
        .map(|share| format!("leaves {} % of the source rows effective", brief(100.0 * share)));
    let (gain, remark) = match &predicted.gain {
        Gain::Unknown { reason } => ("–".to_owned(), Some(reason.clone())),
        Gain::Predicted { gain, interval: whole, contradicted } => {
            let against = contradicted.map(|weighted| {
                format!("contradicted: importance-weighted rows say {}", interval(weighted))
            });
            (format!("{} {}", signed(*gain), interval(*whole)), against)
        }
    };
    let remark: Vec<String> = share.into_iter().chain(remark).collect();
    [predicted.method.to_owned(), predicted.family.title().to_owned(), gain, remark.join("; ")]
}

/// What [`gain_row`] gives.
pub(crate) const GAIN_HEADER: [&str; 4] = ["Method", "Family", "Predicted gain, points", ""];

/// A p-value; below what double precision tells from 0 by its bound.
fn p_value(p: f64) -> String {
    if p < 1e-300 { "< 1e-300".to_owned() } else { brief(p) }
}

/// Adds the sections to a page. `classes` are the names behind the label shift.
pub(crate) fn sections(
    page: &mut Page,
    diagnosis: &Diagnosis,
    domains: &Domains<'_>,
    names: &[String],
    classes: &[String],
) {
    page.sections.push(Section {
        id: "joint",
        title: "Both domains as a whole",
        lead: format!(
            "The classifier and the kernel test see all columns together, of {} source and {} \
             target rows; each is held against a third of α = {}, and so are the columns together.",
            diagnosis.joint_rows[0], diagnosis.joint_rows[1], diagnosis.level
        ),
        table: Some(Grid {
            header: ["Test", "Statistic", "p"].map(str::to_owned).to_vec(),
            rows: joint_tests(diagnosis).map(Vec::from).to_vec(),
        }),
        ..Section::default()
    });
    if let Some(shift) = &diagnosis.label_shift {
        let row = |((class, s), t): ((&String, &f64), &f64)| {
            vec![class.clone(), brief(100.0 * s), brief(100.0 * t)]
        };
        page.sections.push(Section {
            id: "labels",
            title: "Proportions of the classes",
            lead: format!(
                "Per cent of the rows; the target's are estimated without its labels, and hold if \
                 only the proportions differ, which is not rejected (p = {}). Weighting the classes so \
                 brings the gap between the means from {} to {} target standard deviations.",
                brief(shift.p),
                brief(shift.balance.before),
                brief(shift.balance.after)
            ),
            table: Some(Grid {
                header: ["Class", "Source", "Target, estimated"].map(str::to_owned).to_vec(),
                rows: classes.iter().zip(&shift.source).zip(&shift.target).map(row).collect(),
            }),
            ..Section::default()
        });
    }
    if !diagnosis.gains.is_empty() {
        page.sections.push(Section {
            id: "gains",
            title: "What methods would gain",
            lead: "In points of accuracy, or in hundredths of the variance of a measurement, beside the \
                   same learner without adaptation; predicted without target labels, with intervals whose \
                   level all methods share. Weightings of rows are judged as if p(y | x) were the same on \
                   both domains, weightings of classes as if p(x | y) were, alignments by reverse \
                   validation. A method is recommended if its whole interval lies above 0 and nothing \
                   contradicts it."
                .to_owned(),
            table: Some(Grid {
                header: GAIN_HEADER.map(str::to_owned).to_vec(),
                rows: diagnosis.gains.iter().map(|gain| gain_row(gain).to_vec()).collect(),
            }),
            ..Section::default()
        });
    }
    features(page, diagnosis, domains, names);
}

fn features(page: &mut Page, diagnosis: &Diagnosis, domains: &Domains<'_>, names: &[String]) {
    let tests = &diagnosis.features;
    let shown = &tests[..tests.len().min(MOST)];
    let ranked: Vec<Bar<'_>> = shown
        .iter()
        .map(|test| Bar { name: &names[test.column], value: test.statistic, then: None })
        .collect();
    let p: Vec<f64> = tests.iter().map(|test| test.p).collect();
    let ranking = bars("Columns by distance", "Kolmogorov–Smirnov distance", &ranked);
    let p_values = histogram("p-values of the columns", "p", "columns", &p);
    let figures = [page.keep(ranking), page.keep(p_values)].into_iter().flatten().collect();
    page.sections.push(Section {
        id: "columns",
        title: "The columns one by one",
        lead: format!(
            "Kolmogorov–Smirnov distance between the domains, 0 alike and 1 apart; shift of the mean \
             in pooled standard deviations; ratio of the spreads, target by source{}.",
            first_of(shown.len(), tests.len())
        ),
        table: Some(Grid {
            header: FEATURE_HEADER.map(str::to_owned).to_vec(),
            rows: shown.iter().map(|test| feature_row(test, names).to_vec()).collect(),
        }),
        figures,
        ..Section::default()
    });

    let drawn: Vec<_> = tests
        .iter()
        .take(DRAWN)
        .map(|test| {
            let of = |x: ndarray::ArrayView2<'_, f64>| x.column(test.column).to_vec();
            let groups =
                [("the source", of(domains.source())), ("the target", of(domains.target()))];
            densities(&names[test.column], &groups)
        })
        .collect();
    let figures = drawn.into_iter().filter_map(|figure| page.keep(figure)).collect();
    page.sections.push(Section {
        id: "distributions",
        title: "Distributions of the most different columns",
        lead: "Shares of the rows of each domain.".to_owned(),
        legend: legend(["▬", "▬"], ["source", "target"]),
        figures,
        ..Section::default()
    });
}
