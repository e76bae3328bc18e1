use super::*;
use crate::cpu;

fn parameter(name: &str, kind: Kind, values: &[f32]) -> Parameter<Cpu> {
    Parameter::new(&cpu(), name, kind, &[values.len()], values.to_vec()).unwrap()
}

/// Gradients of Σ over all parameters of c · p, so each gradient is c.
fn constant_gradients(parameters: &[&Parameter<Cpu>], c: f32) -> Gradients<f32, Cpu> {
    let mut gradients = Gradients::leaky();
    for p in parameters {
        gradients.get_or_alloc_mut(&p.vector()).unwrap().fill(c);
    }
    gradients
}

#[test]
fn clipping_is_pytorchs_and_reports_the_norm() {
    // torch.optim.SGD(momentum=0.9) with clip_grad_norm_(1.0), torch 2.15.
    let got = testing::steps_on_cubes(Sgd::default(), Some(1.0));
    let expected = [0.905_316_6, -2.413_982_2, 0.475_988_27];
    approx::assert_relative_eq!(got[..], expected[..], max_relative = 1e-6);

    let p = parameter("p", Kind::Weight, &[0.0, 0.0, 0.0, 0.0]);
    let parameters = vec![(Scope::HEAD, p.clone())];
    let mut optimiser = Optimiser::new(Sgd::default(), 1.0, parameters).with_clip(Some(10.0));
    for c in [3.0, 2.0] {
        optimiser.update(&mut constant_gradients(&[&p], c)).unwrap();
    }
    assert_eq!(optimiser.take_gradient_norm(), Some(6.0), "the larger of ‖(3,3,3,3)‖, ‖(2,2,2,2)‖");
    assert_eq!(optimiser.take_gradient_norm(), None);
    optimiser.update(&mut constant_gradients(&[&p], f32::NAN)).unwrap();
    optimiser.update(&mut constant_gradients(&[&p], 1.0)).unwrap();
    assert!(optimiser.take_gradient_norm().unwrap().is_nan(), "a later norm must not hide it");
}

#[test]
fn paths_have_rates_of_their_own() {
    let p = [Scope::BACKBONE, Scope::head(1), Scope::CRITIC]
        .map(|scope| (scope, parameter("p", Kind::Weight, &[1.0])));
    let plain = Sgd { momentum: 0.0, ..Sgd::default() };
    let factors = RateFactors::new([("backbone", 5.0), ("backbone/p", 0.1), ("critic", 2.0)]);
    let mut optimiser = Optimiser::new(plain, 0.5, p.to_vec()).with_factors(&factors);
    let all = p.each_ref().map(|(_, p)| p);
    optimiser.update(&mut constant_gradients(&all, 1.0)).unwrap();
    assert_eq!(all.map(|p| p.to_vec()[0]), [0.95, 0.5, 0.0]);
    optimiser.update_in(&mut constant_gradients(&all, 1.0), &["critic"]).unwrap();
    assert_eq!(all.map(|p| p.to_vec()[0]), [0.95, 0.5, -1.0]);
}

#[test]
fn factors_are_read_by_path_and_unused_ones_are_known() {
    let read = |text: &str| serde_json::from_str::<RateFactors>(text).unwrap();
    let factors = read(r#"{"backbone": 0.1, "head.2": 3.0}"#);
    assert_eq!(factors, RateFactors::new([("backbone", 0.1), ("head.2", 3.0)]));
    let of = ["backbone/fc1.weight", "head/head.bias", "head.2/head.bias", "student/head/b"];
    assert_eq!(of.map(|path| factors.of(path)), [0.1, 1.0, 3.0, 1.0]);
    let paths = ["backbone/fc1.weight".to_owned(), "head/head.bias".to_owned()];
    assert_eq!(factors.unused(&paths).collect::<Vec<_>>(), ["head.2"]);
    assert_eq!(RateFactors::default().unused(&paths).count(), 0);
}

#[test]
fn frozen_parameters_and_buffers_stay_and_biases_decay_only_when_told() {
    let weight = parameter("weight", Kind::Weight, &[1.0]);
    let bias = parameter("bias", Kind::Bias, &[1.0]);
    let buffer = parameter("running_mean", Kind::Buffer, &[1.0]);
    let frozen = parameter("frozen", Kind::Weight, &[1.0]);
    frozen.set_frozen(true);
    let all = [&weight, &bias, &buffer, &frozen];
    let parameters = all.map(|p| (Scope::BACKBONE, p.clone())).to_vec();
    let config = Sgd { momentum: 0.0, weight_decay: 0.5, decay_biases: false, nesterov: false };
    let mut optimiser = Optimiser::new(config, 1.0, parameters);
    // No gradient at all: only the decay is left.
    optimiser.update(&mut Gradients::leaky()).unwrap();
    assert_eq!(all.map(|p| p.to_vec()[0]), [0.5, 1.0, 1.0, 1.0]);
}

#[test]
fn an_update_is_in_place_and_leaves_older_copies_alone() {
    let p = parameter("p", Kind::Weight, &[1.0, 2.0]);
    let address = |p: &Parameter<Cpu>| p.update(|value| &raw const value[[0]]);
    let mut optimiser = Optimiser::new(Adam::default(), 0.1, vec![(Scope::HEAD, p.clone())]);
    let before = address(&p);
    for _ in 0..3 {
        optimiser.update(&mut constant_gradients(&[&p], 1.0)).unwrap();
        assert_eq!(address(&p), before);
    }
    let copy = p.vector();
    let values = copy.as_vec();
    optimiser.update(&mut constant_gradients(&[&p], 1.0)).unwrap();
    assert_eq!(copy.as_vec(), values);
    assert_ne!(p.to_vec(), values);
}

#[test]
fn a_restored_optimiser_goes_on_as_the_first() {
    for config in [OptimiserConfig::from(Sgd::default()), AdamW::default().into()] {
        let run = |restore_after: Option<usize>| {
            let p = parameter("p", Kind::Weight, &[1.0, -2.0]);
            let q = parameter("q", Kind::Bias, &[3.0]);
            let parameters = vec![(Scope::BACKBONE, p.clone()), (Scope::HEAD, q.clone())];
            let mut optimiser = Optimiser::new(config.clone(), 0.1, parameters.clone());
            for i in 0..6 {
                if restore_after == Some(i) {
                    let state = optimiser.state();
                    optimiser = Optimiser::new(config.clone(), 0.1, parameters.clone());
                    optimiser.restore(&state).unwrap();
                    assert_eq!(optimiser.state(), state);
                }
                // The head joins later, so that the two count different updates.
                let paths = ["backbone", "head"];
                let mut gradients = constant_gradients(&[&p, &q], i as f32 - 2.0);
                optimiser.update_in(&mut gradients, &paths[..1 + usize::from(i > 1)]).unwrap();
            }
            [p.to_vec(), q.to_vec()].concat()
        };
        let uninterrupted = run(None);
        for i in 0..6 {
            assert_eq!(run(Some(i)), uninterrupted, "{config:?} restored after {i}");
        }
    }
}

#[test]
fn a_state_of_other_parameters_is_an_error() {
    let optimiser = |name: &str, values: &[f32]| {
        let p = parameter(name, Kind::Weight, values);
        let mut optimiser = Optimiser::new(Sgd::default(), 0.1, vec![(Scope::HEAD, p.clone())]);
        optimiser.update(&mut constant_gradients(&[&p], 1.0)).unwrap();
        optimiser
    };
    let state = optimiser("p", &[1.0, 2.0]).state();
    let message = |mut other: Optimiser<Cpu>| other.restore(&state).unwrap_err().to_string();
    assert_eq!(
        message(optimiser("q", &[1.0, 2.0])),
        "optimiser: expected the state of parameters that exist, got head/p"
    );
    assert_eq!(
        message(optimiser("p", &[1.0])),
        "optimiser: expected `velocity/head/p` [1], got [2]"
    );
}

#[test]
fn configurations_are_tagged_by_name() {
    let read = serde_json::from_str::<OptimiserConfig>;
    let config = read(r#"{"name": "adamw", "weight_decay": 0.1}"#).unwrap();
    assert_eq!(config, AdamW { weight_decay: 0.1, ..AdamW::default() }.into());
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(read(&text).unwrap(), config);
    assert!(text.contains("beta1"), "every default is written out: {text}");
    let error = read(r#"{"name": "sgd", "momentun": 0.9}"#).unwrap_err().to_string();
    assert!(error.contains("momentun") && error.contains("momentum"), "{error}");
    let error = read(r#"{"name": "adma"}"#).unwrap_err().to_string();
    assert!(error.contains("`sgd`, `adam`, `adamw`"), "{error}");
    assert_eq!(config.name(), "adamw");
}
