//! What every method of the registry keeps, on every backbone that it may meet. A method that
//! passes is admitted; nothing here knows a method's name.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use serde_json::{Value, json};
use transduct_adapt::{
    registry::{MethodEntry, Parts, Start, build_method, methods},
    validate::{UnlabelledOutputs, validators},
};
use transduct_core::{
    Batch, Input, InputShape, Kind, Labelled, Losses, Method, Needs, Pool, Result, Scope, Snapshot,
    Step, Stream, Unlabelled,
    augment::Augment,
    backbone::build_backbone,
    cpu,
    data::Samples,
    layer::PerceptronConfig,
    model::{self, Model, ModelCard},
    optim::{Optimiser, Sgd},
    rng,
};
use transduct_tests::numbers;

const K: usize = 3;
const ROWS: usize = 6;
/// Rows of the target of which batches are.
const TARGET_ROWS: usize = 9;

/// A backbone, its options and the rows that it takes. Dropout treats a row by its place in the
/// batch, and would hide that a loss is symmetric.
const SETTINGS: [(&str, &str, InputShape); 3] = [
    ("mlp", r#"{"dropout": 0.0}"#, InputShape::Features { d: 5 }),
    ("digit-net", "{}", InputShape::Images { c: 1, h: 16, w: 16 }),
    ("resnet", r#"{"depth": 8, "width": 3}"#, InputShape::Images { c: 1, h: 8, w: 8 }),
];

/// Calls `check` with every method on every setting, and says where it failed.
fn for_all(check: impl Fn(&MethodEntry<Cpu>, &Bench)) {
    for entry in methods::<Cpu>() {
        for (backbone, options, shape) in SETTINGS {
            println!("{} on {backbone}", entry.name);
            let bench = Bench { backbone, options, shape };
            if entry.capabilities.normalised && backbone != "resnet" {
                let error = message(bench.build(&entry, &Value::Null, 7));
                let start = format!("{}.backbone = {backbone}: expected", entry.name);
                assert!(error.starts_with(&start), "{error}");
                continue;
            }
            check(&entry, &bench);
        }
    }
}

/// Where a method is tried.
struct Bench {
    backbone: &'static str,
    options: &'static str,
    shape: InputShape,
}

/// What steps are on, whether the method asks for it or not.
#[derive(Clone)]
struct Rows {
    source: Input<Cpu>,
    labels: Vec<usize>,
    /// The first rows of the pool.
    target: usize,
    pool: Samples,
}

type BoxedMethod = Box<dyn Method<Cpu>>;

impl Bench {
    fn build(&self, entry: &MethodEntry<Cpu>, options: &Value, seed: u64) -> Result<BoxedMethod> {
        let (dev, mut rng) = (cpu(), rng(seed, Stream::Init));
        let given = serde_json::from_str(self.options).unwrap();
        let backbone = build_backbone(&dev, self.backbone, self.shape, &given, &mut rng)?;
        let head = PerceptronConfig::default();
        let parts = Parts::new(&dev, backbone, &head, (K, TARGET_ROWS), &mut rng)?;
        (entry.build)(parts, options)
    }

    /// A method with its defaults, always the same. New networks are sure of nothing: what is taken
    /// from certain rows alone is taken from all.
    fn new_method(&self, entry: &MethodEntry<Cpu>) -> BoxedMethod {
        self.sure(entry, 7)
    }

    fn sure(&self, entry: &MethodEntry<Cpu>, seed: u64) -> BoxedMethod {
        let options = match entry.defaults.get("confidence") {
            Some(_) => json!({"confidence": 0.0}),
            None => Value::Null,
        };
        self.build(entry, &options, seed).unwrap()
    }

    fn rows(&self, n: usize, seed: u64) -> Input<Cpu> {
        Input::from_values(&cpu(), self.shape, numbers(n * self.shape.len(), seed)).unwrap()
    }

    /// The target, from which batches are.
    fn pool(&self, seed: u64) -> Samples {
        let values = numbers(TARGET_ROWS * self.shape.len(), seed);
        match self.shape {
            InputShape::Images { c, h, w } => Samples::Images(
                ndarray::Array4::from_shape_vec((TARGET_ROWS, c, h, w), values).unwrap(),
            ),
            InputShape::Features { d } => {
                let values = values.into_iter().map(f64::from).collect();
                Samples::Features(
                    ndarray::Array2::from_shape_vec((TARGET_ROWS, d), values).unwrap(),
                )
            }
            _ => panic!("no such rows"),
        }
    }

    fn batch(&self, n_s: usize, n_t: usize) -> Rows {
        Rows {
            source: self.rows(n_s, 1),
            labels: (0..n_s).map(|i| i % K).collect(),
            target: n_t,
            pool: self.pool(2),
        }
    }

    /// The state of a new method after two steps on a batch, and the losses of the last.
    fn two_steps(&self, entry: &MethodEntry<Cpu>, batch: &Rows) -> (State, Losses) {
        let mut method = self.new_method(entry);
        let losses = train(&mut *method, 2, batch).unwrap().remove(1);
        (state(&*method), losses)
    }

    fn card(&self) -> ModelCard {
        ModelCard {
            backbone: self.backbone.to_owned(),
            backbone_options: serde_json::from_str(self.options).unwrap(),
            head: PerceptronConfig::default(),
            heads: 1,
            input: self.shape,
            preprocessing: Value::Null,
            classes: (0..K).map(|c| c.to_string()).collect(),
            provenance: Default::default(),
        }
    }
}

/// Steps at equal distances of the training, in one pass through the target.
fn train(method: &mut dyn Method<Cpu>, steps: usize, rows: &Rows) -> Result<Vec<Losses>> {
    let dev = cpu();
    let mut optimiser = Optimiser::new(Sgd::default(), 0.05, method.parameters());
    let mut random = rng(7, Stream::Step);
    let index: Vec<usize> = (0..rows.target).collect();
    let target = Input::gather(&dev, &rows.pool, &index)?;
    let step = |i| {
        let progress = (i + 1) as f32 / (steps + 1) as f32;
        let views = Augment::default().views(&target, method.needs().views, 7, i as u64)?;
        let mut step = Step { progress, rng: &mut random, optimiser: &mut optimiser };
        if i == 0 {
            method.epoch(Pool::new(&dev, &rows.pool), &mut step)?;
        }
        let batch = Batch {
            source: Some(Labelled { x: &rows.source, y: &rows.labels }),
            target: Some(Unlabelled { x: &target, rows: &index, views: &views }),
        };
        method.step(batch, &mut step)
    };
    (0..steps).map(step).collect()
}

/// Every value of every parameter, by scope and name, in bits.
type State = Vec<(Scope, String, Vec<u32>)>;

fn state(method: &dyn Method<Cpu>) -> State {
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect();
    let parameters = method.parameters().into_iter();
    parameters.map(|(scope, p)| (scope, p.name().to_owned(), bits(p.to_vec()))).collect()
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn losses_are_finite_and_add_up() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        for Losses(terms) in train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap() {
            assert_eq!(terms[0].0, "total");
            assert!(terms.iter().all(|(_, value)| value.is_finite()), "{terms:?}");
            let sum: f32 = terms[1..].iter().map(|(_, value)| value).sum();
            let size: f32 = terms[1..].iter().map(|(_, value)| value.abs()).sum();
            assert!((terms[0].1 - sum).abs() <= 1e-5 * size, "{terms:?}");
        }
        // Who reads labels says what the classification costs, in the first step at least.
        let first = train(&mut *bench.new_method(entry), 3, &bench.batch(ROWS, ROWS)).unwrap();
        let classifies = first[0].0.get(1).is_some_and(|(name, _)| *name == "classification");
        assert_eq!(classifies, entry.capabilities.source_labels);
    });
}

#[test]
fn domains_may_have_batches_of_unequal_size() {
    for_all(|entry, bench| {
        for (n_s, n_t) in [(ROWS, ROWS - 3), (ROWS - 3, ROWS)] {
            let (_, Losses(terms)) = bench.two_steps(entry, &bench.batch(n_s, n_t));
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
fn training_changes_every_parameter_but_those_that_it_keeps() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        let before = state(&*method);
        train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap();
        let parameters = method.parameters();
        for ((old, new), (scope, p)) in before.iter().zip(state(&*method)).zip(parameters) {
            let path = p.path(&scope);
            let changes = entry.capabilities.trains.changes(p.kind(), &path);
            assert!(p.kind() == Kind::Buffer || (*old != new) == changes, "{path}");
        }
    });
}

#[test]
fn paths_of_parameters_are_unique() {
    for_all(|entry, bench| {
        let parameters = bench.new_method(entry).parameters();
        let mut paths: Vec<_> = parameters.iter().map(|(scope, p)| p.path(scope)).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), parameters.len());
    });
}

#[test]
fn values_by_path_are_all_there_is_to_a_method() {
    for_all(|entry, bench| {
        let batch = bench.batch(ROWS, ROWS);
        let mut trained = bench.new_method(entry);
        train(&mut *trained, 3, &batch).unwrap();
        let mut fresh = bench.sure(entry, 8);
        let slots = fresh.parameters();
        for (scope, saved) in trained.parameters() {
            let slot = slots.iter().find(|(s, p)| *s == scope && p.name() == saved.name());
            slot.expect("the same paths").1.set(&saved.to_vec()).unwrap();
        }
        let x = bench.rows(4, 3);
        let [a, b] = [&trained, &fresh].map(|method| method.outputs(&x).unwrap());
        assert_eq!(a.features.as_vec(), b.features.as_vec());
        assert_eq!(a.logits.as_vec(), b.logits.as_vec());
        assert_eq!(a.logits.shape(), &(4, K));
        // Going on, neither remembers anything that the other does not.
        let [a, b] = [&mut trained, &mut fresh].map(|method| {
            train(&mut **method, 2, &batch).unwrap();
            state(&**method)
        });
        assert_eq!(a, b);
    });
}

#[test]
fn an_exported_model_is_reloaded_with_the_same_bits() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        train(&mut *method, 3, &bench.batch(ROWS, ROWS)).unwrap();
        let bytes = model::to_bytes(&bench.card(), method.network()).unwrap();
        let model = Model::from_bytes(&cpu(), "m", &bytes).unwrap();
        assert_eq!(model.card().heads, entry.capabilities.heads);
        let x = bench.rows(4, 3);
        let (ours, theirs) = (method.outputs(&x).unwrap(), model.outputs(&x).unwrap());
        assert_eq!(ours.features.as_vec(), theirs.features.as_vec());
        assert_eq!(ours.logits.as_vec(), theirs.logits.as_vec());
    });
}

/// The patterns name every field: a label added to either type would not compile here.
#[test]
fn target_labels_have_no_way_in() {
    let x = Input::from_values(&cpu(), InputShape::Features { d: 1 }, vec![0.0]).unwrap();
    let all = Unlabelled { x: &x, rows: &[0], views: &[] };
    let Unlabelled { x: given, rows, views } = all;
    assert_eq!((given.rows(), rows, views.len()), (1, &[0][..], 0));
    let outputs = ndarray::Array2::zeros((1, 2));
    let (features, logits) = (outputs.view(), outputs.view());
    let UnlabelledOutputs { features, logits } = UnlabelledOutputs { features, logits };
    assert_eq!(features.dim(), logits.dim());
}

#[test]
fn a_batch_that_is_too_small_is_named_and_changes_nothing() {
    for_all(|entry, bench| {
        let least = entry.capabilities.least_rows;
        let mut cases = Vec::new();
        if entry.capabilities.needs.source {
            cases.push(("source", bench.batch(least - 1, least)));
        }
        if entry.capabilities.needs.target {
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
            let parameters = method.parameters().into_iter();
            for (((scope, p), old), new) in parameters.zip(&before).zip(state(&*method)) {
                // Labels that the beginning of the pass has made may stay.
                assert!(scope.path() == "memory" || *old == new, "{}", p.path(&scope));
            }
        }
        let (_, Losses(terms)) = bench.two_steps(entry, &bench.batch(least, least));
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
        let (other, pool) = (bench.rows(ROWS, 5), bench.pool(5));
        let (base, _) = bench.two_steps(entry, &batch);
        // Whether another batch leads to another model.
        let reads = |batch: Rows| bench.two_steps(entry, &batch).0 != base;
        assert_eq!(reads(Rows { source: other, ..batch.clone() }), can.needs.source);
        assert_eq!(reads(Rows { pool, ..batch.clone() }), can.needs.target);
        let labels = batch.labels.iter().map(|y| (y + 1) % K).collect();
        assert_eq!(reads(Rows { labels, ..batch.clone() }), can.source_labels);

        let method = bench.new_method(entry);
        assert_eq!(method.needs(), can.needs);
        assert_eq!(can.start == Start::Model, !can.needs.source);
        assert_eq!(method.network().heads.len(), can.heads);
        let critic = method.own().iter().any(|(scope, _)| *scope == Scope::CRITIC);
        assert_eq!(critic, can.critic);

        // What is alike in both domains, of methods that see them as they are.
        if can.needs != Needs::BOTH {
            return;
        }
        let index: Vec<usize> = (0..ROWS).collect();
        let target = Input::gather(&cpu(), &batch.pool, &index).unwrap();
        let mut swapped = Rows { source: target, ..batch.clone() };
        overwrite(&mut swapped.pool, &batch.source.to_vec());
        // In the first step: after it the networks differ by the labels.
        let added = |rows: &Rows| {
            let Losses(terms) = train(&mut *bench.new_method(entry), 1, rows).unwrap().remove(0);
            terms[2..].iter().map(|(_, value)| value).sum::<f32>()
        };
        let (there, back) = (added(&batch), added(&swapped));
        let same = (there - back).abs() <= 2e-6 * there.abs();
        assert_eq!(same, can.symmetric, "{there} and {back}");
    });
}

/// Replaces the first rows of the pool.
fn overwrite(pool: &mut Samples, values: &[f32]) {
    match pool {
        Samples::Images(x) => x.iter_mut().zip(values).for_each(|(x, v)| *x = *v),
        Samples::Features(x) => x.iter_mut().zip(values).for_each(|(x, v)| *x = f64::from(*v)),
        _ => panic!("no such rows"),
    }
}

#[test]
fn readings_are_finite_and_have_names_of_their_own() {
    for_all(|entry, bench| {
        let mut method = bench.new_method(entry);
        for steps in [0, 3] {
            train(&mut *method, steps, &bench.batch(ROWS, ROWS)).unwrap();
            let [source, target] = [3, 4].map(|seed| method.outputs(&bench.rows(5, seed)).unwrap());
            let at = Snapshot { source: &source, target: &target, progress: 0.5 };
            let readings = method.readings(at).unwrap();
            assert!(readings.iter().all(|(_, value)| value.is_finite()), "{readings:?}");
            let mut names: Vec<_> = readings.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), readings.len());
        }
    });
}

/// A loss on the features alone has nothing to change where nothing below them is trained.
#[test]
fn a_linear_probe_is_adapted_or_refused() {
    let shape = InputShape::Features { d: 5 };
    let bench = Bench { backbone: "mlp", options: r#"{"hidden": []}"#, shape };
    let mut refused = Vec::new();
    for entry in methods::<Cpu>() {
        if entry.capabilities.normalised {
            continue;
        }
        match bench.build(&entry, &Value::Null, 7) {
            Ok(mut method) => {
                let before = state(&*method);
                let batch = bench.batch(ROWS, ROWS);
                for Losses(terms) in train(&mut *method, 3, &batch).unwrap() {
                    assert!(terms.iter().all(|(_, value)| value.is_finite()), "{terms:?}");
                }
                assert_ne!(state(&*method), before);
                let outputs = method.outputs(&bench.rows(ROWS, 3)).unwrap();
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
        let head = PerceptronConfig::default();
        let parts = Parts::new(&dev, backbone.unwrap(), &head, (K, TARGET_ROWS), &mut rng).unwrap();
        let expected = format!("unknown method `{slip}`; did you mean `{}`?", entry.name);
        assert_eq!(message(build_method(&slip, parts, &Value::Null)), expected);
    }
}
