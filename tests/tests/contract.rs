//! What every method of the registry keeps, on every backbone that it may meet. A method that
//! passes is admitted; nothing here knows a method's name.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use serde_json::{Value, json};
use transduct_adapt::{
    registry::{MethodEntry, Parts, build_method, methods},
    validate::{UnlabelledOutputs, validators},
};
use transduct_core::{
    Group, Input, InputShape, Kind, Labelled, Losses, Method, Parameter, Result, Step, Stream,
    Unlabelled,
    backbone::{Head, build_backbone},
    cpu,
    optim::{Optimiser, Sgd},
    rng,
};
use transduct_tests::numbers;

const K: usize = 3;
const ROWS: usize = 6;

/// A backbone, its options and the rows that it takes. Dropout treats a row by its place in the
/// batch, and would hide that a loss is symmetric.
const SETTINGS: [(&str, &str, InputShape); 2] = [
    ("mlp", r#"{"dropout": 0.0}"#, InputShape::Features { d: 5 }),
    ("digit-net", "{}", InputShape::Images { c: 1, h: 16, w: 16 }),
];

/// Calls `check` with every method on every setting, and says where it failed.
fn for_all(check: impl Fn(&MethodEntry<Cpu>, &Bench)) {
    for entry in methods::<Cpu>() {
        for (backbone, options, shape) in SETTINGS {
            println!("{} on {backbone}", entry.name);
            check(&entry, &Bench { backbone, options, shape });
        }
    }
}

/// Where a method is tried.
struct Bench {
    backbone: &'static str,
    options: &'static str,
    shape: InputShape,
}

#[derive(Clone)]
struct Batch {
    source: Input<Cpu>,
    labels: Vec<usize>,
    target: Input<Cpu>,
}

type BoxedMethod = Box<dyn Method<Cpu>>;

impl Bench {
    fn build(&self, entry: &MethodEntry<Cpu>, options: &Value, seed: u64) -> Result<BoxedMethod> {
        let (dev, mut rng) = (cpu(), rng(seed, Stream::Init));
        let given = serde_json::from_str(self.options).unwrap();
        let backbone = build_backbone(&dev, self.backbone, self.shape, &given, &mut rng)?;
        let head = Head::new(&dev, (backbone.features(), K), &Default::default(), &mut rng)?;
        (entry.build)(Parts { dev: &dev, backbone, head, classes: K, rng: &mut rng }, options)
    }

    /// A method with its defaults, always the same.
    fn new_method(&self, entry: &MethodEntry<Cpu>) -> BoxedMethod {
        self.build(entry, &Value::Null, 7).unwrap()
    }

    fn rows(&self, n: usize, seed: u64) -> Input<Cpu> {
        Input::from_values(&cpu(), self.shape, numbers(n * self.shape.len(), seed)).unwrap()
    }

    fn batch(&self, n_s: usize, n_t: usize) -> Batch {
        Batch {
            source: self.rows(n_s, 1),
            labels: (0..n_s).map(|i| i % K).collect(),
            target: self.rows(n_t, 2),
        }
    }

    /// The state of a new method after one step on a batch, and the losses of that step.
    fn one_step(&self, entry: &MethodEntry<Cpu>, batch: &Batch) -> (State, Losses) {
        let mut method = self.new_method(entry);
        let losses = train(&mut *method, 1, batch).unwrap().remove(0);
        (state(&*method), losses)
    }
}

fn train(method: &mut dyn Method<Cpu>, steps: usize, batch: &Batch) -> Result<Vec<Losses>> {
    let mut optimiser = Optimiser::new(Sgd::default(), 0.05, method.parameters());
    let mut random = rng(7, Stream::Step);
    let step = |i| {
        let progress = (i + 1) as f32 / (steps + 1) as f32;
        let mut step = Step { progress, rng: &mut random, optimiser: &mut optimiser };
        let source = Labelled { x: &batch.source, y: &batch.labels };
        method.step(source, Unlabelled { x: &batch.target }, &mut step)
    };
    (0..steps).map(step).collect()
}

/// Every value of every parameter, by group and name, in bits.
type State = Vec<(Group, String, Vec<u32>)>;

fn state(method: &dyn Method<Cpu>) -> State {
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect();
    let parameters = method.parameters().into_iter();
    parameters.map(|(group, p)| (group, p.name().to_owned(), bits(p.to_vec()))).collect()
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn losses_are_finite_and_add_up() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        for Losses(terms) in train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap() {
            assert_eq!((terms[0].0, terms[1].0), ("total", "classification"));
            assert!(terms.iter().all(|(_, value)| value.is_finite()), "{terms:?}");
            let sum: f32 = terms[1..].iter().map(|(_, value)| value).sum();
            assert!((terms[0].1 - sum).abs() <= 1e-5 * sum.abs(), "{terms:?}");
        }
    });
}

#[test]
fn domains_may_have_batches_of_unequal_size() {
    for_all(|entry, bench| {
        for (n_s, n_t) in [(ROWS, ROWS - 3), (ROWS - 3, ROWS)] {
            let (_, Losses(terms)) = bench.one_step(entry, &bench.batch(n_s, n_t));
            assert!(terms[0].1.is_finite(), "{terms:?}");
        }
    });
}

#[test]
fn one_seed_gives_the_same_bits() {
    for_all(|entry, bench| {
        let [a, b] = [0, 1].map(|_| {
            let mut method = bench.new_method(entry);
            let losses = train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap();
            (losses, state(&*method))
        });
        assert_eq!(a, b);
    });
}

#[test]
fn training_changes_every_parameter() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        let before = state(&*method);
        train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap();
        let parameters = method.parameters();
        for ((old, new), (group, p)) in before.iter().zip(state(&*method)).zip(parameters) {
            assert!(*old != new || p.kind() == Kind::Buffer, "{group:?} {}", p.name());
        }
    });
}

#[test]
fn parameter_names_are_unique_in_their_group() {
    for_all(|entry, bench| {
        let parameters = bench.new_method(entry).parameters();
        let mut names: Vec<_> = parameters.iter().map(|(g, p)| (*g, p.name())).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), parameters.len());
    });
}

#[test]
fn values_by_name_are_all_there_is_to_a_model() {
    for_all(|entry, bench| {
        let mut trained = bench.new_method(entry);
        train(&mut *trained, 3, &bench.batch(ROWS, ROWS)).unwrap();
        let fresh = bench.build(entry, &Value::Null, 8).unwrap();
        let slots = fresh.parameters();
        for (group, saved) in trained.parameters() {
            let slot = slots.iter().find(|(g, p)| *g == group && p.name() == saved.name());
            slot.expect("the same names").1.set(&saved.to_vec()).unwrap();
        }
        let x = bench.rows(4, 3);
        let [a, b] = [trained, fresh].map(|method| method.outputs(&x).unwrap());
        assert_eq!(a.features.as_vec(), b.features.as_vec());
        assert_eq!(a.logits.as_vec(), b.logits.as_vec());
        assert_eq!(a.logits.shape(), &(4, K));
    });
}

/// The patterns name every field: a label added to either type would not compile here.
#[test]
fn target_labels_have_no_way_in() {
    let x = Input::from_values(&cpu(), InputShape::Features { d: 1 }, vec![0.0]).unwrap();
    let Unlabelled { x: rows } = Unlabelled { x: &x };
    assert_eq!(rows.rows(), 1);
    let outputs = ndarray::Array2::zeros((1, 2));
    let (features, logits) = (outputs.view(), outputs.view());
    let UnlabelledOutputs { features, logits } = UnlabelledOutputs { features, logits };
    assert_eq!(features.dim(), logits.dim());
}

#[test]
fn a_batch_that_is_too_small_is_named_and_changes_nothing() {
    for_all(|entry, bench| {
        let least = entry.capabilities.least_rows;
        let mut cases = vec![("source", bench.batch(least - 1, least))];
        if entry.capabilities.target_rows {
            cases.push(("target", bench.batch(least, least - 1)));
        }
        for (domain, batch) in cases {
            let mut method = bench.new_method(entry);
            let before = state(&*method);
            let expected = format!(
                "{} needs at least {least} rows of each domain in a batch, the {domain} batch has \
                 {}",
                entry.name,
                least - 1
            );
            assert_eq!(message(train(&mut *method, 1, &batch)), expected);
            assert_eq!(state(&*method), before);
        }
        let (_, Losses(terms)) = bench.one_step(entry, &bench.batch(least, least));
        assert!(terms[0].1.is_finite(), "{terms:?}");
    });
}

#[test]
fn options_are_checked_by_name() {
    for_all(|entry, bench| {
        let name = entry.name;
        let error = message(bench.build(entry, &json!({ "wieght": 1.0 }), 7));
        assert!(error.contains(name) && error.contains("`wieght`"), "{error}");

        // What the list shows as defaults is accepted, and is what no options mean.
        let explicit = bench.build(entry, &(entry.defaults_for)(bench.shape), 7).unwrap();
        assert_eq!(state(&*explicit), state(&*bench.new_method(entry)));

        for (field, value) in entry.defaults.as_object().unwrap() {
            if value.is_number() {
                let error = message(bench.build(entry, &json!({ field: -1 }), 7));
                assert!(error.contains(name), "{error}");
                assert!(error.contains(field.as_str()) || error.contains("-1"), "{error}");
            }
        }
    });
}

#[test]
fn capabilities_are_what_the_method_does() {
    for_all(|entry, bench| {
        let can = entry.capabilities;
        let batch = bench.batch(ROWS, ROWS);
        let other = bench.rows(ROWS, 5);
        let (base, losses) = bench.one_step(entry, &batch);
        // Whether another batch leads to another model.
        let reads = |batch: Batch| bench.one_step(entry, &batch).0 != base;
        assert_eq!(reads(Batch { source: other.clone(), ..batch.clone() }), can.source_rows);
        assert_eq!(reads(Batch { target: other, ..batch.clone() }), can.target_rows);
        let labels = batch.labels.iter().map(|y| (y + 1) % K).collect();
        assert_eq!(reads(Batch { labels, ..batch.clone() }), can.source_labels);

        let Batch { source, labels, target } = batch;
        let swapped = Batch { source: target, labels, target: source };
        let added = |Losses(terms): Losses| terms[2..].iter().map(|(_, v)| v).sum::<f32>();
        let (there, back) = (added(losses), added(bench.one_step(entry, &swapped).1));
        let same = (there - back).abs() <= 1e-5 * there.abs();
        assert_eq!(same, can.symmetric, "{there} and {back}");

        let method = bench.new_method(entry);
        let logits = method.critic(&bench.rows(ROWS, 6)).unwrap();
        assert!(logits.is_none_or(|z| can.critic && z.len() == ROWS));
        assert!(method.lambda(0.5).is_none_or(|lambda| can.critic && lambda >= 0.0));

        let parameters = method.parameters();
        let critic = parameters.iter().any(|(group, _)| *group == Group::Critic);
        assert_eq!(critic, can.critic);
        let is_output = |p: &Parameter<Cpu>| matches!(p.dims(), [_, k] if *k == K);
        let heads = parameters.iter().filter(|(g, p)| *g == Group::Head && is_output(p));
        assert_eq!(heads.count(), can.heads);
    });
}

/// A loss on the features alone has nothing to change where nothing below them is trained.
#[test]
fn a_linear_probe_is_adapted_or_refused() {
    let shape = InputShape::Features { d: 5 };
    let bench = Bench { backbone: "mlp", options: r#"{"hidden": []}"#, shape };
    let mut refused = Vec::new();
    for entry in methods::<Cpu>() {
        match bench.build(&entry, &Value::Null, 7) {
            Ok(mut method) => {
                let before = state(&*method);
                let batch = bench.batch(ROWS, ROWS);
                for Losses(terms) in train(&mut *method, 3, &batch).unwrap() {
                    assert!(terms.iter().all(|(_, value)| value.is_finite()), "{terms:?}");
                }
                assert_ne!(state(&*method), before);
                let outputs = method.outputs(&batch.target).unwrap();
                assert_eq!(outputs.features.shape(), &(ROWS, 5));
            }
            Err(error) => {
                let error = error.to_string();
                let start = format!("{}.backbone = mlp: expected a backbone with", entry.name);
                assert!(error.starts_with(&start), "{error}");
                refused.push(entry.name);
            }
        }
    }
    assert!(!refused.is_empty() && refused.len() < methods::<Cpu>().len(), "{refused:?}");
}

#[test]
fn entries_are_complete_and_names_unique() {
    let lists = [
        methods::<Cpu>().iter().map(|m| [m.name, m.about, m.paper]).collect::<Vec<_>>(),
        validators().iter().map(|v| [v.name(), v.about(), v.paper()]).collect(),
    ];
    for mut list in lists {
        for entry in &list {
            let [name, about, paper] = entry;
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
            assert!(!about.is_empty() && !about.ends_with('.') && !about.contains('\n'), "{name}");
            assert!(*paper == "–" || paper.chars().any(|c| c.is_ascii_digit()), "{name}: a year");
        }
        let index = include_str!("../../adapt/src/lib.rs");
        for [name, ..] in &list {
            assert!(index.contains(&format!("| `{name}` |")), "the index of adapt lacks {name}");
        }
        let all = list.len();
        list.sort();
        list.dedup_by_key(|entry| entry[0]);
        assert_eq!(list.len(), all);
    }
}

#[test]
fn an_unknown_name_suggests_the_nearest() {
    let (backbone, options, shape) = SETTINGS[0];
    let bench = Bench { backbone, options, shape };
    for entry in methods::<Cpu>() {
        let slip = format!("{}x", entry.name);
        let (dev, mut rng) = (cpu(), rng(0, Stream::Init));
        let backbone = build_backbone(&dev, bench.backbone, bench.shape, &Value::Null, &mut rng);
        let backbone = backbone.unwrap();
        let head = Head::new(&dev, (backbone.features(), K), &Default::default(), &mut rng);
        let head = head.unwrap();
        let parts = Parts { dev: &dev, backbone, head, classes: K, rng: &mut rng };
        let expected = format!("unknown method `{slip}`; did you mean `{}`?", entry.name);
        assert_eq!(message(build_method(&slip, parts, &Value::Null)), expected);
    }
}
