//! From two data sets to the domains of one experiment.

use std::collections::HashMap;

use super::normalise::Fitted;
use super::split::stratified_split;
use super::{
    DataError, Dataset, LabelledDomain, NormalisedBy, PartlyLabelled, Preparation, Protocol,
    Samples, TargetTest, TestSet, UnlabelledDomain,
};

/// The domains of one experiment, ready to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainPair {
    /// Labelled rows to train on.
    pub source: LabelledDomain,
    /// Labelled rows that training does not see; none when the protocol holds none out.
    pub source_validation: Option<LabelledDomain>,
    /// Rows to adapt to. They have no labels.
    pub target: UnlabelledDomain,
    /// Rows that score the model.
    pub target_test: TestSet,
    /// What was done to the source's rows.
    pub source_preparation: Preparation,
    /// What was done to the target's rows, and is to be done to new ones.
    pub target_preparation: Preparation,
}

impl DomainPair {
    /// A pair whose test rows are taken from `target` itself: [`TargetTest::Transductive`] or
    /// [`TargetTest::HeldOut`].
    ///
    /// The target may lack classes of the source, and have others, and rows without a label: they
    /// train, and [`TestSet`] counts them apart.
    ///
    /// Errors: [`TargetTest::Standard`]; a domain without rows or with a value that is not finite;
    /// a source of one class; a target with labels of which none is a class of the source; row shapes
    /// that differ between the domains; a share outside its range.
    pub fn new(
        source: Dataset,
        target: impl Into<PartlyLabelled>,
        protocol: &Protocol,
    ) -> Result<Self, DataError> {
        let source = ready_source(source, protocol)?;
        let target = ready_target(target.into(), &source, protocol)?;
        match protocol.target_test {
            TargetTest::Standard => Err(DataError::unusable(
                target.name,
                "the standard split needs test rows of the target's own, and none were given; \
                 choose a transductive or a held-out test",
            )),
            TargetTest::Transductive => build(source, target.clone(), target, protocol),
            TargetTest::HeldOut { fraction } => {
                // Rows without a label are a class of their own to the split.
                let without = target.classes.len();
                let strata: Vec<usize> =
                    target.labels.iter().map(|label| label.unwrap_or(without)).collect();
                let split = stratified_split(&strata, fraction, protocol.seed)?;
                let [seen, test] = [&split.kept, &split.held_out].map(|rows| target.select(rows));
                build(source, seen, test, protocol)
            }
        }
    }

    /// A pair with test rows of the target's own: [`TargetTest::Standard`].
    ///
    /// Errors: another kind of test in the protocol, and those of [`DomainPair::new`].
    pub fn with_test(
        source: Dataset,
        target: impl Into<PartlyLabelled>,
        target_test: impl Into<PartlyLabelled>,
        protocol: &Protocol,
    ) -> Result<Self, DataError> {
        let (target, target_test) = (target.into(), target_test.into());
        if protocol.target_test != TargetTest::Standard {
            let reason = "test rows were given: expected the standard split in the protocol";
            return Err(DataError::unusable(target.name, reason));
        }
        let source = ready_source(source, protocol)?;
        let target = ready_target(target, &source, protocol)?;
        let target_test = ready_target(target_test, &source, protocol)?;
        build(source, target, target_test, protocol)
    }
}

/// The source, checked and framed.
fn ready_source(source: Dataset, protocol: &Protocol) -> Result<Dataset, DataError> {
    source.check()?;
    if source.labels.iter().all(|&label| label == source.labels[0]) {
        let class = &source.classes[source.labels[0]];
        let reason = format!("every row is of class `{class}`: expected at least two classes");
        return Err(DataError::unusable(source.name, reason));
    }
    let samples = protocol.framing.apply(source.samples)?;
    Ok(Dataset { samples, ..source })
}

/// Rows of the target, checked and framed, with the source's classes in their order and then its own.
fn ready_target(
    target: PartlyLabelled,
    source: &Dataset,
    protocol: &Protocol,
) -> Result<PartlyLabelled, DataError> {
    target.check()?;
    let target = in_order_of(target, source)?;
    let framing = protocol.target_framing.as_ref().unwrap_or(&protocol.framing);
    let samples = framing.apply(target.samples)?;
    let target = PartlyLabelled { samples, ..target };
    let (s, t) = (source.samples.row_shape(), target.samples.row_shape());
    if s == t {
        return Ok(target);
    }
    let advice = match (s.len(), t.len()) {
        (3, 3) => "frame both to one size and one number of channels",
        (1, 1) => "features must be of the same kind and number in both domains",
        _ => "one has images, the other feature vectors",
    };
    let (s, t) = (tuple(&s), tuple(&t));
    Err(DataError::unusable(
        between(source, &target.name),
        format!("source rows have shape {s}, target rows {t}: {advice}"),
    ))
}

/// `target` with the class indices of `source`, and behind them those that `source` lacks.
fn in_order_of(target: PartlyLabelled, source: &Dataset) -> Result<PartlyLabelled, DataError> {
    if target.classes == source.classes {
        return Ok(target);
    }
    let mut classes = source.classes.clone();
    let place: HashMap<&str, usize> =
        source.classes.iter().enumerate().map(|(i, class)| (class.as_str(), i)).collect();
    let index: Vec<usize> = target
        .classes
        .iter()
        .map(|class| {
            place.get(class.as_str()).copied().unwrap_or_else(|| {
                classes.push(class.clone());
                classes.len() - 1
            })
        })
        .collect();
    let k = source.classes.len();
    let labels: Vec<_> =
        target.labels.iter().map(|label| label.map(|label| index[label])).collect();
    let mut present = labels.iter().flatten().peekable();
    if present.peek().is_some() && present.all(|&label| label >= k) {
        let names = |classes: &[String]| {
            let quoted = classes.iter().take(8).map(|class| format!("`{class}`"));
            let more = if classes.len() > 8 { ", …" } else { "" };
            quoted.collect::<Vec<_>>().join(", ") + more
        };
        let reason = format!(
            "no class in common: the source has {}, the target {}; `--target-labels none` leaves \
             the target's labels unread",
            names(&source.classes),
            names(&target.classes)
        );
        return Err(DataError::unusable(between(source, &target.name), reason));
    }
    Ok(PartlyLabelled { labels, classes, ..target })
}

fn build(
    source: Dataset,
    target: PartlyLabelled,
    test: PartlyLabelled,
    protocol: &Protocol,
) -> Result<DomainPair, DataError> {
    let (source, validation) = match protocol.source_validation {
        0.0 => (source, None),
        fraction => {
            let split = stratified_split(&source.labels, fraction, protocol.seed)?;
            let validation = source.select(&split.held_out);
            (source.select(&split.kept), (!validation.is_empty()).then_some(validation))
        }
    };
    let by_source = protocol.normalisation.fit(&source.samples)?;
    let by_target = match protocol.normalised_by {
        NormalisedBy::Source => by_source.clone(),
        NormalisedBy::EachDomain => protocol.normalisation.fit(&target.samples)?,
    };
    let prepare = |name: &str, samples: Samples, by: &Fitted| {
        let samples = by.apply(samples)?;
        check_single(name, &samples).map(|()| samples)
    };
    let normalise = |dataset: Dataset, by: &Fitted| {
        let samples = prepare(&dataset.name, dataset.samples, by)?;
        Ok::<_, DataError>(Dataset { samples, ..dataset })
    };
    let source = LabelledDomain::new(normalise(source, &by_source)?)?;
    let source_validation = match validation {
        Some(rows) => Some(LabelledDomain::new(normalise(rows, &by_source)?)?),
        None => None,
    };
    let samples = prepare(&target.name, target.samples, &by_target)?;
    let target = UnlabelledDomain::new(target.name, samples)?;
    let test = PartlyLabelled { samples: prepare(&test.name, test.samples, &by_target)?, ..test };
    let target_test = TestSet::with_unknown(test, source.classes().len())?;
    let framing = protocol.framing.clone();
    let target_framing = protocol.target_framing.clone().unwrap_or_else(|| framing.clone());
    Ok(DomainPair {
        source,
        source_validation,
        target,
        target_test,
        source_preparation: Preparation { framing, normalisation: by_source },
        target_preparation: Preparation { framing: target_framing, normalisation: by_target },
    })
}

/// Training computes in single precision, which prepared rows have to fit.
fn check_single(name: &str, samples: &Samples) -> Result<(), DataError> {
    let Samples::Features(x) = samples else { return Ok(()) };
    match x.indexed_iter().find(|(_, v)| !(**v as f32).is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(DataError::unusable(
            name,
            format!(
                "row {row}, feature {column} (counted from 0) is {value:e} after normalisation, \
                 beyond single precision: scale the features, as --normalise z_score does"
            ),
        )),
    }
}

fn between(source: &Dataset, target: &str) -> String {
    format!("{} → {target}", source.name)
}

fn tuple(shape: &[usize]) -> String {
    let numbers: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array4, array};

    use super::*;
    use crate::data::normalise::Normalisation;
    use crate::data::{Framing, Samples};

    fn data(name: &str, labels: &[usize], classes: &[&str]) -> Dataset {
        Dataset {
            name: name.into(),
            samples: Samples::Features(Array2::from_shape_fn((labels.len(), 2), |(i, j)| {
                (2 * i + j) as f64
            })),
            labels: labels.to_vec(),
            classes: classes.iter().map(|&c| c.to_owned()).collect(),
        }
    }

    fn pair() -> [Dataset; 2] {
        let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
        [data("a", &labels, &["cat", "dog"]), data("b", &labels[..20], &["cat", "dog"])]
    }

    fn transductive() -> Protocol {
        Protocol { target_test: TargetTest::Transductive, ..Protocol::default() }
    }

    /// The message after one part of a good pair is spoilt.
    fn message(spoil: impl FnOnce(&mut Dataset, &mut Dataset, &mut Protocol)) -> String {
        let ([mut source, mut target], mut protocol) = (pair(), transductive());
        DomainPair::new(source.clone(), target.clone(), &protocol).unwrap();
        spoil(&mut source, &mut target, &mut protocol);
        DomainPair::new(source, target, &protocol).unwrap_err().to_string()
    }

    #[test]
    fn a_transductive_test_has_the_rows_of_the_target() {
        let [source, target] = pair();
        let pair = DomainPair::new(source, target.clone(), &transductive()).unwrap();
        assert_eq!(pair.target.samples(), &target.samples);
        assert_eq!(pair.target_test.samples(), &target.samples);
        assert_eq!(pair.target_test.accuracy(&target.labels).unwrap(), 1.0);
        let validation = pair.source_validation.unwrap();
        assert_eq!((pair.source.len(), validation.len()), (36, 4));
        assert_eq!(validation.labels().iter().sum::<usize>(), 2);
    }

    #[test]
    fn held_out_rows_are_not_seen() {
        let [source, target] = pair();
        let target_test = TargetTest::HeldOut { fraction: 0.3 };
        let protocol = Protocol { target_test, source_validation: 0.0, ..Protocol::default() };
        let pair = DomainPair::new(source.clone(), target, &protocol).unwrap();
        assert_eq!((pair.target.len(), pair.target_test.len()), (14, 6));
        let (Samples::Features(seen), Samples::Features(test)) =
            (pair.target.samples(), pair.target_test.samples())
        else {
            panic!("features became images")
        };
        assert!(test.rows().into_iter().all(|t| seen.rows().into_iter().all(|s| s != t)));
        assert_eq!(pair.source.samples(), &source.samples);
        assert!(pair.source_validation.is_none());
    }

    #[test]
    fn a_standard_split_needs_test_rows_and_only_it_takes_them() {
        let [source, target] = pair();
        let test = data("b", &[1, 0], &["cat", "dog"]);
        let standard = Protocol::default();
        let pair =
            DomainPair::with_test(source.clone(), target.clone(), test.clone(), &standard).unwrap();
        assert_eq!((pair.target.len(), pair.target_test.len()), (20, 2));
        let message = DomainPair::new(source.clone(), target.clone(), &standard).unwrap_err();
        assert!(message.to_string().starts_with("b: the standard split needs test rows"));
        let message = DomainPair::with_test(source, target, test, &transductive()).unwrap_err();
        assert!(message.to_string().contains("expected the standard split"), "{message}");
    }

    #[test]
    fn classes_are_matched_by_name() {
        let [source, mut target] = pair();
        target.classes.reverse();
        let expected: Vec<usize> = target.labels.iter().map(|label| 1 - label).collect();
        let pair = DomainPair::new(source, target, &transductive()).unwrap();
        let expected: Vec<_> = expected.into_iter().map(Some).collect();
        assert_eq!(pair.target_test.reveal_labels(), expected);
        assert_eq!(pair.target_test.classes(), pair.source.classes());
    }

    #[test]
    fn class_sets_may_differ() {
        let [source, mut target] = pair();
        target.classes = vec!["dog".into(), "cow".into()];
        let pair = DomainPair::new(source, target, &transductive()).unwrap();
        let test = pair.target_test;
        assert_eq!(test.classes(), ["cat", "dog"]);
        assert_eq!((test.scored(), test.absent()), (10, vec!["cat".to_owned()]));
        assert_eq!(test.unknown(), [("cow".to_owned(), 10)]);
        assert_eq!(test.accuracy(&[1; 20]).unwrap(), 1.0);
    }

    #[test]
    fn differences_between_the_domains_are_listed() {
        assert_eq!(
            message(|_, target, _| target.classes = vec!["owl".into(), "cow".into()]),
            "a → b: no class in common: the source has `cat`, `dog`, the target `owl`, `cow`; \
             `--target-labels none` leaves the target's labels unread"
        );
        assert_eq!(
            message(|_, target, _| target.samples = Samples::Features(Array2::zeros((20, 3)))),
            "a → b: source rows have shape (2), target rows (3): features must be of the same \
             kind and number in both domains"
        );
        let images = || Samples::Images(Array4::zeros((20, 1, 8, 8)));
        assert!(
            message(|_, target, _| target.samples = images())
                .ends_with("one has images, the other feature vectors")
        );
        assert_eq!(
            message(|source, target, _| {
                source.samples = Samples::Images(Array4::zeros((40, 3, 8, 8)));
                target.samples = images();
            }),
            "a → b: source rows have shape (3, 8, 8), target rows (1, 8, 8): frame both to one \
             size and one number of channels"
        );
    }

    #[test]
    fn useless_domains_are_errors() {
        assert_eq!(
            message(|source, _, _| source.labels.fill(1)),
            "a: every row is of class `dog`: expected at least two classes"
        );
        assert_eq!(message(|_, target, _| *target = target.select(&[])), "b: has no rows");
        assert!(message(|_, _, protocol| protocol.source_validation = 1.0).contains("below 1"));
    }

    #[test]
    fn numbers_come_from_the_rows_that_the_protocol_names() {
        let [mut source, mut target] = pair();
        source.samples = Samples::Features(Array2::from_shape_fn((40, 1), |(i, _)| (i % 4) as f64));
        target.samples = Samples::Features(Array2::from_shape_fn((20, 1), |(i, _)| (i % 2) as f64));
        let mut protocol = Protocol {
            normalisation: Normalisation::ZScore { ddof: 0 },
            source_validation: 0.0,
            ..transductive()
        };
        let ends = |protocol: &Protocol| {
            let pair = DomainPair::new(source.clone(), target.clone(), protocol).unwrap();
            let Samples::Features(x) = pair.target.samples() else {
                panic!("features became images")
            };
            let new = Samples::Features(array![[0.0], [1.0]]);
            let new = pair.target_preparation.apply(new).unwrap();
            assert_eq!(new, Samples::Features(x.slice(ndarray::s![..2, ..]).to_owned()));
            [x[[0, 0]], x[[1, 0]]]
        };
        // The source has mean 3/2 and variance 5/4, the target mean and deviation 1/2.
        let std = 1.25_f64.sqrt();
        assert_eq!(ends(&protocol), [-1.5, -0.5].map(|gap| gap / std));
        protocol.normalised_by = NormalisedBy::EachDomain;
        assert_eq!(ends(&protocol), [-1.0, 1.0]);
    }

    #[test]
    fn each_side_can_have_its_frame() {
        let [mut source, mut target] = pair();
        source.samples = Samples::Images(Array4::zeros((40, 1, 8, 8)));
        target.samples = Samples::Images(Array4::ones((20, 1, 4, 4)));
        let protocol = Protocol {
            framing: Framing::square(12),
            target_framing: Some(Framing::boxed(6, 12)),
            ..transductive()
        };
        let pair = DomainPair::new(source, target, &protocol).unwrap();
        assert_eq!(pair.source.samples().row_shape(), [1, 12, 12]);
        let Samples::Images(x) = pair.target.samples() else { panic!("images became features") };
        assert_eq!(x.sum(), 20.0 * 36.0);
    }
}
