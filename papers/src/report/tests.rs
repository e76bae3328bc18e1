//! The report of a made-up run: three methods, three seeds, ten classes of seven-segment digits.

use std::{fs, path::Path};

use ndarray::{Array2, Array4};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use transduct_core::{InputShape, data::pictures::Skipped};

use super::*;
use crate::record::{
    Chosen, DomainOutputs, DomainRecord, Done, Evaluation, FORMAT, Failure, Line, ModelOutputs,
    Named, Oracle, OracleChoice, RunRecord, SampleImages, StepMeans,
};

const METHODS: [&str; 3] = ["source-only", "dann", "deep-coral"];
const SEEDS: [u64; 3] = [0, 1, 2];
/// The final target accuracies by method and seed.
const TARGET: [[f64; 3]; 3] = [[0.62, 0.60, 0.64], [0.80, 0.79, 0.83], [0.66, 0.59, 0.67]];
const ROWS: usize = 120;

pub(super) fn record() -> RunRecord {
    let domain = |name: &str| DomainRecord {
        name: name.to_owned(),
        training_rows: 1200,
        evaluation_rows: ROWS,
        labelled: true,
        scored_rows: None,
        unknown_classes: Vec::new(),
        absent_classes: Vec::new(),
        skipped: Skipped::default(),
    };
    RunRecord {
        format: FORMAT,
        program: "0.1.0".to_owned(),
        command: ["transduct", "run", "--source", "seven segments"].map(str::to_owned).to_vec(),
        source: domain("segments"),
        target: domain("noisy-segments"),
        classes: (0..10).map(|class| class.to_string()).collect(),
        input: InputShape::Images { c: 1, h: 14, w: 10 },
        methods: METHODS.map(str::to_owned).to_vec(),
        seeds: SEEDS.to_vec(),
        validators: vec!["im".to_owned(), "entropy".to_owned()],
        device: "cpu".to_owned(),
        started: "2026-11-24T07:00:00Z".to_owned(),
        notes: Vec::new(),
    }
}

/// Writes a whole run directory.
fn write_run(root: &Path, record: &RunRecord) {
    let dir = RunDir::new(root);
    write_json(&dir.run(), record).unwrap();
    fs::write(dir.config(), "[training]\nsteps = 1000\n").unwrap();
    samples().write(&dir.samples()).unwrap();
    for (m, method) in record.methods.iter().enumerate() {
        for (s, &seed) in record.seeds.iter().enumerate() {
            let part = dir.part(method, seed);
            fs::create_dir_all(part.root()).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(100 * m as u64 + seed);
            let (lines, done) = training(method, TARGET[m][s], record.target.labelled, &mut rng);
            let lines = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n");
            fs::write(part.metrics(), lines.collect::<String>()).unwrap();
            write_json(&part.done(), &done).unwrap();
            let mut outputs = outputs(if m == 1 { 0.6 } else { 2.5 }, TARGET[m][s], &mut rng);
            if !record.target.labelled {
                outputs.target.labels = None;
            }
            outputs.write(&part.outputs()).unwrap();
        }
    }
}

fn training(method: &str, target: f64, labelled: bool, rng: &mut ChaCha8Rng) -> (Vec<Line>, Done) {
    let mut lines = Vec::new();
    let mut evaluations = Vec::new();
    for step in (10..=1000).step_by(10) {
        let t = step as f64 / 1000.0;
        let classification = 2.3 * (-4.0 * t).exp() + rng.gen_range(0.0..0.1);
        let domain = match method {
            "dann" => Some(0.7 - 0.2 * (-6.0 * t).exp() + rng.gen_range(-0.03..0.03)),
            "deep-coral" => Some(0.004 * (1.0 - t) + rng.gen_range(0.0..0.001)),
            _ => None,
        };
        let mut losses = vec![("total", classification + domain.unwrap_or(0.0))];
        losses.push(("classification", classification));
        losses.extend(domain.map(|loss| ("domain", loss)));
        let losses = Named(losses.into_iter().map(|(name, x)| (name.to_owned(), x)).collect());
        lines.push(Line::Step(StepMeans {
            step,
            progress: t,
            rate: 0.01,
            losses,
            gradient_norm: None,
        }));
        if step % 100 == 0 {
            let accuracy = if step == 1000 {
                target
            } else {
                target * (1.0 - 0.5 * (-5.0 * t).exp()) + rng.gen_range(-0.02..0.02)
            };
            let readings = domain.map(|domain| ("critic-accuracy".to_owned(), 1.0 - domain));
            let evaluation = Evaluation {
                readings: Named(readings.into_iter().collect()),
                step,
                source_validation_accuracy: 0.98 - 0.3 * (-7.0 * t).exp(),
                validators: Named(vec![
                    ("im".to_owned(), accuracy + rng.gen_range(0.0..0.05)),
                    ("entropy".to_owned(), -rng.gen_range(0.1..0.5)),
                ]),
                oracle: labelled.then_some(Oracle { target_accuracy: accuracy }),
            };
            lines.push(Line::Evaluation(evaluation.clone()));
            evaluations.push(evaluation);
        }
    }
    let accuracy = |e: &Evaluation| e.oracle.map(|o| o.target_accuracy);
    let chosen = |validator: &str| {
        let score = |e: &&Evaluation| *e.validators.get(validator).unwrap();
        let best = evaluations.iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
        let choice =
            Chosen { step: best.step, score: score(&best), target_accuracy: accuracy(best) };
        (validator.to_owned(), choice)
    };
    let oracle = evaluations
        .iter()
        .filter_map(|e| Some(OracleChoice { step: e.step, target_accuracy: accuracy(e)? }))
        .max_by(|a, b| a.target_accuracy.total_cmp(&b.target_accuracy));
    let done = Done {
        steps: 1000,
        target_accuracy: labelled.then_some(target),
        source_validation_accuracy: 0.98,
        collapsed: Some(false),
        chosen: Named(vec![chosen("im"), chosen("entropy")]),
        oracle,
        seconds: 12.5,
    };
    (lines, done)
}

/// Ten clusters; those of the target are `shift` away, and predicted right with this accuracy.
fn outputs(shift: f32, accuracy: f64, rng: &mut ChaCha8Rng) -> ModelOutputs {
    let mut domain = |shift: f32, accuracy: f64| {
        let label = |i: usize| i % 10;
        let centre = |class: usize, j: usize| if j % 10 == class { 4.0 } else { 0.0 };
        DomainOutputs {
            features: Array2::from_shape_fn((ROWS, 12), |(i, j)| {
                let shift = if j >= 10 || j % 3 == 0 { shift } else { 0.0 };
                centre(label(i), j) + shift + rng.gen_range(-1.2..1.2)
            }),
            feature_rows: (0..ROWS).collect(),
            predictions: (0..ROWS)
                .map(|i| match rng.gen_bool(accuracy) {
                    true => label(i),
                    false => (label(i) + rng.gen_range(1..4)) % 10,
                })
                .collect(),
            labels: Some((0..ROWS).map(|row| Some(label(row))).collect()),
        }
    };
    ModelOutputs { source: domain(0.0, 0.98), target: domain(shift, accuracy) }
}

fn samples() -> SampleImages {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut domain = |noise: u8| {
        Array4::from_shape_fn((20, 1, 14, 10), |(n, _, i, j)| {
            let ink = if segments(n % 10, i, j) { 255 - noise } else { 0 };
            ink + rng.gen_range(0..=noise)
        })
    };
    SampleImages {
        source: domain(0),
        source_index: (0..20).collect(),
        target: domain(120),
        target_index: (0..20).collect(),
    }
}

/// Whether a seven-segment digit has ink at row i, column j of 14 × 10.
fn segments(digit: usize, i: usize, j: usize) -> bool {
    let lit = |segment: usize| {
        (0b1111011_1111111_1110000_1011111_1011011_0110011_1111001_1101101_0110000_1111110u128
            >> (7 * digit)
            >> (6 - segment))
            & 1
            == 1
    };
    let (wide, left, right) = ((3..7).contains(&j), j == 2, j == 7);
    (wide && ((i == 1 && lit(0)) || (i == 7 && lit(6)) || (i == 12 && lit(3))))
        || ((2..7).contains(&i) && ((right && lit(1)) || (left && lit(5))))
        || ((8..12).contains(&i) && ((right && lit(2)) || (left && lit(4))))
}

/// Writes a run, lets `change` spoil it, and gives the report with its page.
fn report(record: &RunRecord, change: impl FnOnce(&RunDir)) -> (Written, String) {
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path(), record);
    change(&RunDir::new(folder.path()));
    let written = write(folder.path()).unwrap();
    let page = fs::read_to_string(&written.report).unwrap();
    assert!(!page.contains(&folder.path().display().to_string()), "the page tells where it was");
    (written, page)
}

/// Every reference of the page stays inside it.
fn assert_self_contained(page: &str) {
    assert!(!page.contains("http"), "an address");
    assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("<link"));
    for reference in page.split(" src=\"").skip(1) {
        assert!(reference.starts_with("data:image/png;base64,"), "{}", &reference[..40]);
    }
    for reference in page.split(" href=\"").skip(1) {
        assert!(reference.starts_with('#'), "{}", &reference[..40]);
    }
}

#[test]
fn a_whole_run_has_every_section() {
    let (written, page) = report(&record(), |_| {});
    assert!(written.summary.complete());
    assert_eq!(written.summary.notes, Vec::<String>::new());
    for id in
        ["results", "setup", "losses", "accuracy", "readings", "confusion", "features", "samples"]
    {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "no section {id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "no link to {id}");
    }
    assert_self_contained(&page);
    // 1 of differences, 2 shared loss terms and 2 of one method, 3 of accuracy, 1 reading, 3
    // confusion matrices, 2 embeddings.
    let figures: Vec<&str> = page.split("<svg ").skip(1).collect();
    assert_eq!(figures.len(), 14);
    for figure in figures {
        let (figure, _) = figure.split_once("</svg>").unwrap();
        assert!(figure.contains("role=\"img\" aria-label=\""));
        assert!(figure.matches("<").count() > 20, "an empty figure: {figure}");
        assert!(!figure.contains("\"#"), "a colour that dark mode cannot change");
    }
    assert_eq!(page.matches("<img ").count(), page.matches(" alt=\"").count());
    assert_eq!(page.matches("<img ").count(), 2 * 20);
}

#[test]
fn numbers_are_those_of_the_seeds() {
    let (written, page) = report(&record(), |_| {});
    let dann = written.summary.method("dann").unwrap();
    let accuracy = dann.target_accuracy.unwrap();
    assert!((accuracy.mean - (0.80 + 0.79 + 0.83) / 3.0).abs() < 1e-12);
    assert!((dann.difference.as_ref().unwrap().mean - 0.56 / 3.0).abs() < 1e-12);
    assert_eq!(written.summary.preferred.as_deref(), Some("dann"));
    let title = "Target accuracy rises from 62.0 ± 2.0 % to 80.7 ± 2.1 % with dann";
    assert_eq!(written.headline.title.replace('\u{a0}', " "), title);
    assert!(page.contains(&format!("<h1>{}</h1>", written.headline.title)));
    let again: Summary =
        serde_json::from_str(&serde_json::to_string(&written.summary).unwrap()).unwrap();
    assert_eq!(again, written.summary);
    let text = terminal(&written.summary, &[]);
    assert!(text.contains("+18.7 [+17.2, +20.1]") && text.contains("oracle"), "{text}");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(report(&record(), |_| {}).1, report(&record(), |_| {}).1);
}

#[test]
fn an_interval_around_zero_is_no_result() {
    let record = RunRecord { methods: vec!["source-only".into(), "coral".into()], ..record() };
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::new(folder.path());
    write_run(folder.path(), &record);
    for (seed, accuracy) in [(0, 0.63), (1, 0.58), (2, 0.66)] {
        let path = dir.part("coral", seed).done();
        let done: Done = crate::record::read_json(&path).unwrap();
        write_json(&path, &Done { target_accuracy: Some(accuracy), ..done }).unwrap();
    }
    let written = write(folder.path()).unwrap();
    assert!(written.headline.title.starts_with("No certain change"), "{:?}", written.headline);
    assert!(written.headline.basis.contains("includes 0"));
}

#[test]
fn names_cannot_become_markup() {
    const EVIL: &str = "<script>alert('&\"')</script>";
    let mut record = record();
    record.classes[3] = EVIL.to_owned();
    record.source.name = EVIL.to_owned();
    record.command.push(EVIL.to_owned());
    record.device = EVIL.to_owned();
    let (_, page) = report(&record, |dir| fs::write(dir.config(), EVIL).unwrap());
    assert!(!page.contains("<script") && !page.contains("alert('&\""));
    assert!(page.contains("&#60;script&#62;"));
}

#[test]
fn a_target_without_labels_has_no_accuracy() {
    let mut record = record();
    record.target.labelled = false;
    let (written, page) = report(&record, |_| {});
    assert!(page.contains("n/a"));
    assert!(written.headline.title.starts_with("The target has no labels"));
    let dann = written.summary.method("dann").unwrap();
    assert_eq!((dann.target_accuracy, dann.oracle), (None, None));
    assert!(!page.contains("<section id=\"confusion\">"));
    assert!(page.contains("<section id=\"features\">"));
}

#[test]
fn damage_is_said_and_the_rest_is_shown() {
    let (written, page) = report(&record(), |dir| {
        let part = |seed| dir.part("dann", seed);
        fs::remove_file(part(0).done()).unwrap();
        fs::remove_file(part(1).done()).unwrap();
        let message = "the loss term `domain` is NaN at step 40".to_owned();
        write_json(&part(1).failed(), &Failure { message }).unwrap();
        fs::write(part(2).outputs(), b"PK").unwrap();
        let metrics = fs::read_to_string(part(2).metrics()).unwrap();
        fs::write(part(2).metrics(), &metrics[..metrics.len() / 2]).unwrap();
        fs::write(dir.part("deep-coral", 0).done(), b"{\"steps\":").unwrap();
        fs::remove_dir_all(dir.part("deep-coral", 1).root()).unwrap();
        fs::remove_file(dir.config()).unwrap();
        fs::write(dir.samples(), b"").unwrap();
    });
    assert!(!written.summary.complete());
    let notes = written.summary.notes.join("\n");
    for file in [
        "config.toml: ",
        "samples.npz: ",
        "dann/seed-2/outputs.npz: ",
        "dann/seed-2/metrics.jsonl: line ",
        "deep-coral/seed-0/done.json: ",
    ] {
        assert!(notes.contains(file), "no note on {file}: {notes}");
    }
    for text in [
        "dann, seed 0 is not finished: step 1000",
        "dann, seed 1 failed: the loss term `domain` is NaN at step 40",
        "deep-coral, seed 1 has not started",
        "one seed",
    ] {
        assert!(page.contains(text), "no {text}");
        assert!(terminal(&written.summary, &[]).contains(text), "no {text} on the terminal");
    }
    assert_self_contained(&page);
}

#[test]
fn a_collapse_is_said_everywhere() {
    let change = |dir: &RunDir| {
        for (method, seed) in [("dann", 0), ("dann", 2), ("source-only", 1)] {
            let path = dir.part(method, seed).done();
            let done: Done = crate::record::read_json(&path).unwrap();
            let collapsed = Some(true);
            let done = Done { collapsed, source_validation_accuracy: 0.1, ..done };
            write_json(&path, &done).unwrap();
        }
        // As earlier programs wrote it.
        let path = dir.part("deep-coral", 0).done();
        let mut done: serde_json::Value = crate::record::read_json(&path).unwrap();
        assert!(done.as_object_mut().unwrap().remove("collapsed").is_some());
        write_json(&path, &done).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path(), &record());
    change(&RunDir::new(folder.path()));
    let written = write(folder.path()).unwrap();
    assert!(written.summary.complete());
    assert_eq!(written.summary.method("dann").unwrap().collapsed, [0, 2]);
    assert_eq!(written.summary.method("deep-coral").unwrap().collapsed, Vec::<u64>::new());
    assert!(written.headline.basis.contains("It collapsed with 2 of 3 seeds"));
    let page = fs::read_to_string(&written.report).unwrap();
    let text = terminal(&written.summary, &[]);
    for place in [&page, &text] {
        assert!(place.contains("2 of 3 collapsed") && place.contains("1 of 3 collapsed"));
        assert!(place.contains("dann, seeds 0, 2 collapsed: "));
        assert!(place.contains("(--set method.dann.weight=…)"));
        assert!(place.contains("source-only, seed 1 collapsed: "));
        assert!(!place.contains("method.source-only.weight"));
    }
    let csv = fs::read_to_string(&written.table).unwrap();
    let last: Vec<_> = csv.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(last, ["seeds_collapsed", "1", "2", "0"]);
    let json = fs::read_to_string(&written.results).unwrap();
    assert!(json.contains("\"collapsed\": true"), "{json}");
}

#[test]
fn a_run_that_has_just_begun_has_a_report() {
    let (written, page) = report(&record(), |dir| {
        for method in METHODS {
            fs::remove_dir_all(dir.root().join(method)).unwrap();
        }
    });
    assert_eq!(written.headline.title, "No adapted model has finished yet");
    assert!(page.contains("dann, seeds 0, 1, 2 have not started"));
    assert_self_contained(&page);
}

#[test]
fn outputs_of_unknown_classes_are_left_out() {
    let mut record = record();
    record.classes.truncate(7);
    let (written, page) = report(&record, |_| {});
    assert!(written.summary.notes[0].contains("a class that run.json does not name"));
    assert!(!page.contains("<section id=\"confusion\">"));
}

#[test]
fn many_classes_and_colour_images_fit() {
    let mut record = record();
    record.classes = (0..65).map(|class| format!("a rather long class name {class}")).collect();
    record.input = InputShape::Images { c: 3, h: 8, w: 8 };
    let (_, page) = report(&record, |dir| {
        let images = SampleImages {
            source: Array4::from_elem((2, 3, 8, 8), 200),
            source_index: vec![0, 1],
            target: Array4::zeros((1, 3, 8, 8)),
            target_index: vec![ROWS - 1],
        };
        images.write(&dir.samples()).unwrap();
    });
    assert_eq!(page.matches("<img ").count(), 3);
    assert_self_contained(&page);
}

#[test]
fn no_run_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let message = format!("{:#}", write(folder.path()).unwrap_err());
    assert!(message.contains("run.json: "), "{message}");
    assert_eq!(message.lines().count(), 1);
}
