//! `transduct fit`: a learner on source rows, its predictions of the target, and what validators say.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde_json::{Value, json};
use transduct_adapt::{
    catalogue::Entry,
    certificate::Certificate,
    domains::Domains,
    learn::{
        Classifier, Classify, Regress, classifier, classifiers, first_largest, regressor,
        regressors,
    },
    reweight::reweighter,
    shallow::{AdaptClassifier, adapting_classifier, adapting_classifiers, aligner},
    validate::{Evidence, LabelledOutputs, UnlabelledOutputs, Validator, validator},
    wild,
};
use transduct_core::{Error, data::split::stratified_split, host::agreement, suggest};

use super::{
    Output, Status, UsageError,
    fit_progress::watched,
    run::assignment,
    tables::{MethodArgs, TableArgs, brief, certificate_lines},
};
use crate::{
    config::table::{set, to_json},
    tabular::{Column, LabelKind, Labels, OutFile, Tables, number},
};

const EXAMPLES: &str = "\
Examples:
  transduct fit --method logistic --source a.csv --target b.csv --label species --out predictions.csv
      A classifier of the source, without adaptation.
  transduct fit --method svm --align coral --source a.csv --target b.csv --label species --out p.csv
      On rows that coral has moved to the target.
  transduct fit --method tree --weights ulsif --source a.csv --target b.csv --label species --out p.csv
      With a weight for every source row.
  transduct fit --method meda --source a.csv --target b.csv --label species --out p.csv
      A method that labels the target itself; `transduct list adapting-classifiers` has them.
  transduct fit --method ridge --source 2011.csv --target 2012.csv --label count --out p.csv
      A regression, where the label is a measurement.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct FitArgs {
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    tables: TableArgs,
    /// Weight the source rows by this method, with its defaults.
    #[arg(long, value_name = "NAME", conflicts_with = "align")]
    weights: Option<String>,
    /// Move the rows by this alignment first, with its defaults.
    #[arg(long, value_name = "NAME")]
    align: Option<String>,
    /// An option of the weighting or the alignment; can be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    adapt_set: Vec<(String, String)>,
    /// What judges the predictions without target labels, joined by commas.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_values = ["im", "entropy", "source-accuracy"]
    )]
    validators: Vec<String>,
    /// The share of the source rows, stratified, that is not trained on but judges the fit; 0 trains on
    /// all.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    validation: f64,
    /// The predictions, one row a target row in order: .csv.
    ///
    /// CSV has the target's rows, from 0, the predicted class and a column score_CLASS for each class:
    /// a probability where the learner has one. For a regression it has the predicted value.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A learner by its name.
enum Learner {
    Classifier(Box<dyn Classify>),
    Adapting(Box<dyn AdaptClassifier>),
    Regressor(Box<dyn Regress>),
}

/// Scores of rows by class, with the features that they were computed from.
struct Judged {
    /// `(n, d)`.
    features: Array2<f64>,
    /// `(n, k)`: logarithms of probabilities where the learner has them.
    logits: Array2<f64>,
    /// `(n, k)`, for the file.
    scores: Array2<f64>,
}

pub(super) fn execute(args: FitArgs, output: &Output) -> Result<Status> {
    if !(0.0..1.0).contains(&args.validation) {
        let share = args.validation;
        bail!(UsageError(format!("--validation {share}: expected a share from 0 to below 1")));
    }
    let validators: Vec<_> =
        args.validators.iter().map(|name| validator(name)).collect::<Result<_, _>>()?;
    let out = OutFile::new(&args.out, &args.tables.inputs())?;
    let tables = args.tables.read(output)?;
    let Some(labels) = &tables.labels else {
        bail!(
            "{}: no labels of the source rows: name their column with --label-column or their file \
             with --source-labels",
            tables.source.path().display()
        );
    };
    let (learner, options) = learner(&args.method, &labels.kind, output)?;
    let fit = Fit { args: &args, tables: &tables, options, out: &out, output };
    match (&labels.kind, &learner) {
        (LabelKind::Measured(y), Learner::Regressor(learner)) => fit.regression(y, &**learner),
        _ => fit.classification(labels, &learner, &validators),
    }
}

/// What a fit was asked for.
struct Fit<'a> {
    args: &'a FitArgs,
    tables: &'a Tables,
    options: Value,
    out: &'a OutFile,
    output: &'a Output,
}

/// What came of it, for the terminal and for JSON.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
    fields: serde_json::Map<String, Value>,
    certificates: Vec<(String, Certificate)>,
}

impl Fit<'_> {
    fn name(&self) -> &str {
        &self.args.method.method
    }

    fn classification(
        &self,
        labels: &Labels,
        learner: &Learner,
        validators: &[Box<dyn Validator>],
    ) -> Result<Status> {
        let Self { args, tables, output, .. } = *self;
        let name = self.name();
        Labels::need_classes(Some(labels), tables.source.path(), name)?;
        let (classes_of, classes) = labels.classes().unwrap_or_default();
        if let [class] = classes {
            bail!(
                "{}: {}: every row is of class `{class}`: {name} needs at least two classes",
                tables.source.path().display(),
                labels.place
            );
        }
        if let (Learner::Adapting(_), Some(other)) =
            (learner, args.weights.as_ref().or(args.align.as_ref()))
        {
            bail!(UsageError(format!("{name} adapts by itself: it takes no {other}")));
        }
        if let (Learner::Adapting(_), Some((key, _))) = (learner, args.adapt_set.first()) {
            bail!(UsageError(format!(
                "--adapt-set {key}: {name} adapts by itself and takes its options with --set"
            )));
        }

        // Rows that judge the fit are seen by nothing before.
        let split = match args.validation {
            0.0 => None,
            share => Some(stratified_split(classes_of, share, 0)?),
        };
        let split = split.filter(|split| !split.held_out.is_empty());
        let all: Vec<usize> = (0..classes_of.len()).collect();
        let kept = split.as_ref().map_or(&all, |split| &split.kept);
        let x = tables.x_source.select(Axis(0), kept);
        let y: Vec<usize> = kept.iter().map(|&row| classes_of[row]).collect();
        let held_out = split.map(|split| {
            let labels: Vec<usize> = split.held_out.iter().map(|&row| classes_of[row]).collect();
            (tables.x_source.select(Axis(0), &split.held_out), labels)
        });
        let domains = Domains::new(x.view(), tables.x_target.view())?
            .with_classes(&y, classes.len())?
            .with_class_names(classes)?;
        let units = args.method.normalise.fit(&domains);
        let [x, x_target] = [domains.source(), domains.target()].map(|x| units.rows(x));
        let held_out = held_out.map(|(x, y)| (units.rows(x.view()), y));
        let domains = domains.with_rows(x.view(), x_target.view())?;

        let mut found = Found::default();
        let (target, held_out) = match learner {
            Learner::Adapting(method) => {
                let labelling = watched(name, output, || method.fit(&domains))?;
                found.certificates.push((name.to_owned(), labelling.certificate));
                let target = Judged::by_scores(x_target.clone(), labelling.scores);
                let held_out = match (held_out, &labelling.classifier) {
                    (Some((x, y)), Some(classifier)) => {
                        let scores = classifier.scores(x.view())?;
                        Some((Judged::by_scores(x, scores), y))
                    }
                    _ => None,
                };
                (target, held_out)
            }
            Learner::Classifier(method) => {
                let Prepared { x, target, moved, weights, certificate } =
                    prepare(args, &domains, held_out.as_ref().map(|(x, _)| x), output)?;
                found.certificates.extend(certificate);
                let weights = weights.as_ref().map(|w| w.view());
                let fitted =
                    watched(name, output, || method.fit(x.view(), &y, classes.len(), weights))?;
                found.certificates.push((name.to_owned(), fitted.certificate().clone()));
                let target = Judged::by(&*fitted, target)?;
                let held_out = match (held_out, moved) {
                    (Some((_, y)), Some(moved)) => Some((Judged::by(&*fitted, moved)?, y)),
                    _ => None,
                };
                (target, held_out)
            }
            Learner::Regressor(_) => {
                bail!("{name} predicts measurements, and the labels are classes")
            }
        };

        let predicted = first_largest(target.scores.view());
        write(self.out, &predicted, &target.scores, classes)?;
        let source_accuracy =
            held_out.as_ref().map(|(judged, y)| agreement(&first_largest(judged.scores.view()), y));
        let judged = match &held_out {
            Some((source, y)) => judge(validators, source, y, &target)?,
            None => Vec::new(),
        };
        let target_accuracy = accuracy(tables, labels, &predicted, classes);
        let mut counts = vec![0usize; classes.len()];
        predicted.iter().for_each(|&class| counts[class] += 1);

        let shares = classes.iter().zip(&counts).map(|(class, n)| format!("{class} {n}"));
        found.lines.push(format!("predicted: {}", shares.collect::<Vec<_>>().join(", ")));
        found.lines.push(match source_accuracy {
            Some(share) => format!(
                "source accuracy {} % on {} rows that were not trained on",
                brief(100.0 * share),
                held_out.as_ref().map_or(0, |(_, y)| y.len())
            ),
            None => format!(
                "no source rows judge {name}: it labels the given rows alone, or --validation is 0"
            ),
        });
        for (validator, score) in &judged {
            found.lines.push(match score {
                Ok(score) => format!("validator {validator}: {} (higher is better)", brief(*score)),
                Err(reason) => format!("validator {validator}: none, {reason}"),
            });
        }
        if let Some((share, n)) = target_accuracy {
            found.lines.push(format!(
                "target accuracy {} % on {n} rows with labels, which nothing above has seen",
                brief(100.0 * share)
            ));
        }
        let scores: Vec<Value> = judged
            .iter()
            .map(|(name, score)| match score {
                Ok(score) => json!({"name": name, "score": score}),
                Err(reason) => json!({"name": name, "score": null, "reason": reason}),
            })
            .collect();
        found.fields.extend([
            ("classes".to_owned(), json!(classes)),
            ("predicted".to_owned(), json!(counts)),
            ("source_accuracy".to_owned(), json!(source_accuracy)),
            ("validators".to_owned(), json!(scores)),
            ("target_accuracy".to_owned(), json!(target_accuracy.map(|(share, _)| share))),
        ]);
        self.conclude(predicted.len(), found)
    }

    fn regression(&self, y: &[f64], learner: &dyn Regress) -> Result<Status> {
        let Self { args, tables, output, .. } = *self;
        let name = self.name();
        // Rows without classes cannot be stratified: those that judge the fit lie evenly in the file.
        let every = match args.validation {
            0.0 => usize::MAX,
            share => (1.0 / share).round().max(2.0) as usize,
        };
        let (held, kept): (Vec<usize>, Vec<usize>) =
            (0..y.len()).partition(|row| row % every == every - 1);
        let x = tables.x_source.select(Axis(0), &kept);
        let y_kept: Array1<f64> = kept.iter().map(|&row| y[row]).collect();
        let y_held: Array1<f64> = held.iter().map(|&row| y[row]).collect();
        let held_out = (!held.is_empty()).then(|| tables.x_source.select(Axis(0), &held));
        let domains = Domains::new(x.view(), tables.x_target.view())?;
        let units = args.method.normalise.fit(&domains);
        let [x, x_target] = [domains.source(), domains.target()].map(|x| units.rows(x));
        let held_out = held_out.map(|x| units.rows(x.view()));
        let domains = domains.with_rows(x.view(), x_target.view())?;
        let Prepared { x, target, moved, weights, certificate } =
            prepare(args, &domains, held_out.as_ref(), output)?;
        let weights: Option<ArrayView1<'_, f64>> = weights.as_ref().map(|w| w.view());
        let fitted = watched(name, output, || learner.fit(x.view(), y_kept.view(), weights))?;
        let predicted = fitted.predict(target.view())?;
        let texts = predicted.iter().copied().map(number).collect();
        let prediction = Column { name: "prediction", texts };
        self.out.columns(&[row_numbers(predicted.len()), prediction])?;
        let error = moved
            .map(|x| fitted.predict(x.view()))
            .transpose()?
            .map(|got| (got - &y_held).mapv(f64::abs).mean().unwrap_or(f64::NAN));

        let mut found = Found::default();
        found.certificates.extend(certificate);
        found.certificates.push((name.to_owned(), fitted.certificate().clone()));
        found.lines.extend(error.map(|error| {
            format!(
                "mean absolute error {} on {} source rows that were not trained on",
                brief(error),
                y_held.len()
            )
        }));
        found.fields.insert("source_mean_absolute_error".to_owned(), json!(error));
        self.conclude(predicted.len(), found)
    }

    /// Prints what was found, once the predictions are in their file.
    fn conclude(&self, predictions: usize, found: Found) -> Result<Status> {
        let Self { args, tables, .. } = *self;
        let mut lines = vec![
            format!("{predictions} predictions → {}", args.out.display()),
            format!("columns: {}", args.method.normalise.told(false)),
        ];
        lines.extend(found.lines);
        for (what, certificate) in &found.certificates {
            let own = certificate_lines(certificate);
            lines.extend(own.into_iter().map(|line| format!("{what} {line}")));
        }
        let wild = wild::notes(&tables.domains()?);
        lines.extend(wild.iter().map(|note| format!("note: {note}")));
        let certificates: Vec<Value> = found
            .certificates
            .iter()
            .map(|(name, certificate)| json!({"name": name, "certificate": certificate}))
            .collect();
        let mut value = json!({
            "method": self.name(),
            "options": self.options,
            "normalise": args.method.normalise.name(false),
            "weights": args.weights,
            "align": args.align,
            "source_rows": tables.x_source.nrows(),
            "target_rows": tables.x_target.nrows(),
            "features": tables.x_source.ncols(),
        });
        if let Value::Object(fields) = &mut value {
            fields.extend(found.fields);
            fields.extend([
                ("certificates".to_owned(), json!(certificates)),
                ("notes".to_owned(), json!([&tables.notes[..], &wild].concat())),
                ("out".to_owned(), json!(args.out)),
            ]);
        }
        self.output.conclude(&value, lines.join("\n"))?;
        Ok(Status::Done)
    }
}

impl Judged {
    /// Scores that are no probabilities.
    fn by_scores(features: Array2<f64>, scores: Array2<f64>) -> Self {
        Self { features, logits: scores.clone(), scores }
    }

    fn by(fitted: &dyn Classifier, features: Array2<f64>) -> Result<Self> {
        Ok(match fitted.probabilities(features.view())? {
            Some(p) => Self { features, logits: p.mapv(|p| p.max(1e-300).ln()), scores: p },
            None => {
                let scores = fitted.scores(features.view())?;
                Self::by_scores(features, scores)
            }
        })
    }
}

/// What each validator says, or why it cannot.
fn judge(
    validators: &[Box<dyn Validator>],
    source: &Judged,
    labels: &[usize],
    target: &Judged,
) -> Result<Vec<(&'static str, Result<f64, String>)>> {
    let single = |x: &Array2<f64>| x.mapv(|v| v as f32);
    let (sf, sl) = (single(&source.features), single(&source.logits));
    let (tf, tl) = (single(&target.features), single(&target.logits));
    let evidence = Evidence::new(
        LabelledOutputs { features: sf.view(), logits: sl.view(), labels },
        UnlabelledOutputs { features: tf.view(), logits: tl.view() },
    )?;
    let score = |validator: &dyn Validator| {
        (validator.name(), validator.score(&evidence).map_err(|e| e.to_string()))
    };
    Ok(validators.iter().map(|validator| score(&**validator)).collect())
}

/// The learner of that name: of classes or of measurements, as the labels are.
fn learner(args: &MethodArgs, kind: &LabelKind, output: &Output) -> Result<(Learner, Value)> {
    let name = args.method.as_str();
    if let LabelKind::Measured(_) = kind
        && let Ok(entry) = regressor(name)
    {
        let (learner, options) = args.build(&entry, output)?;
        return Ok((Learner::Regressor(learner), options));
    }
    if let Ok(entry) = classifier(name) {
        let (learner, options) = args.build(&entry, output)?;
        return Ok((Learner::Classifier(learner), options));
    }
    if let Ok(entry) = adapting_classifier(name) {
        let (learner, options) = args.build(&entry, output)?;
        return Ok((Learner::Adapting(learner), options));
    }
    if let Ok(entry) = regressor(name) {
        let (learner, options) = args.build(&entry, output)?;
        return Ok((Learner::Regressor(learner), options));
    }
    fn names<T: ?Sized>(entries: Vec<Entry<T>>) -> Vec<&'static str> {
        entries.iter().map(|entry| entry.name).collect()
    }
    let known = [names(classifiers()), names(adapting_classifiers()), names(regressors())].concat();
    let suggestion = suggest::nearest(name, known.iter().copied());
    Err(Error::Unknown { kind: "learner", name: name.to_owned(), suggestion }.into())
}

/// Rows as a learner takes them.
struct Prepared {
    x: Array2<f64>,
    target: Array2<f64>,
    /// The rows that were held out.
    moved: Option<Array2<f64>>,
    weights: Option<Array1<f64>>,
    certificate: Option<(String, Certificate)>,
}

/// The rows after the alignment, or with the weights, that was asked for.
fn prepare(
    args: &FitArgs,
    domains: &Domains<'_>,
    held_out: Option<&Array2<f64>>,
    output: &Output,
) -> Result<Prepared> {
    let mut table = toml::Table::new();
    for (key, value) in &args.adapt_set {
        set(&mut table, key, value)
            .map_err(|e| UsageError(format!("--adapt-set {key}={value}: {e}")))?;
    }
    let given = to_json(&table);
    let mut prepared = Prepared {
        x: domains.source().to_owned(),
        target: domains.target().to_owned(),
        moved: held_out.cloned(),
        weights: None,
        certificate: None,
    };
    if let Some(name) = &args.align {
        let entry = aligner(name)?;
        let method = (entry.build)(&given)?;
        let fitted = watched(entry.name, output, || method.fit(domains))?;
        prepared.x = fitted.source(domains.source())?;
        prepared.target = fitted.target(domains.target())?;
        prepared.moved = held_out.map(|x| fitted.source(x.view())).transpose()?;
        prepared.certificate = Some((name.clone(), fitted.certificate));
    } else if let Some(name) = &args.weights {
        let entry = reweighter(name)?;
        let method = (entry.build)(&given)?;
        let fitted = watched(entry.name, output, || method.fit(domains))?;
        prepared.weights = Some(fitted.weights);
        prepared.certificate = Some((name.clone(), fitted.certificate));
    } else if let Some((key, _)) = args.adapt_set.first() {
        bail!(UsageError(format!("--adapt-set {key}: needs --weights or --align")));
    }
    Ok(prepared)
}

fn row_numbers(n: usize) -> Column<'static> {
    Column { name: "row", texts: (0..n).map(|row| row.to_string()).collect() }
}

fn write(
    out: &OutFile,
    predicted: &[usize],
    scores: &Array2<f64>,
    classes: &[String],
) -> Result<()> {
    let names: Vec<String> = classes.iter().map(|class| format!("score_{class}")).collect();
    let texts = |column: usize| scores.column(column).iter().copied().map(number).collect();
    let mut columns = vec![
        row_numbers(predicted.len()),
        Column {
            name: "class",
            texts: predicted.iter().map(|&class| classes[class].clone()).collect(),
        },
    ];
    columns.extend(
        names.iter().enumerate().map(|(i, name)| Column { name: name.as_str(), texts: texts(i) }),
    );
    out.columns(&columns)
}

/// The share of right predictions among the target rows that have a label in the source's column, and
/// their number.
fn accuracy(
    tables: &Tables,
    labels: &Labels,
    predicted: &[usize],
    classes: &[String],
) -> Option<(f64, usize)> {
    let name = &tables.source.columns()[labels.column?];
    let column = tables.target.position(name).filter(|_| tables.target.is_named())?;
    let value = |text: &str| transduct_core::data::classes::by_value(text).into_owned();
    let known = |text: &str| classes.iter().any(|class| class == text || *class == value(text));
    let truth = tables.target.labels(column);
    let scored: Vec<(&str, usize)> = truth
        .iter()
        .zip(predicted)
        .filter_map(|(text, &class)| Some((text?, class)))
        .filter(|(text, _)| known(text))
        .collect();
    let right =
        |&&(text, class): &&(&str, usize)| classes[class] == text || classes[class] == value(text);
    let n = scored.len();
    (n > 0).then(|| (scored.iter().filter(right).count() as f64 / n as f64, n))
}
