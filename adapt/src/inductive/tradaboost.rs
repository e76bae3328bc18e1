//! TrAdaBoost: source rows that contradict the target lose weight, target rows that are wrong gain.
//!
//! Dai, Yang, Xue & Yu, "Boosting for Transfer Learning", ICML 2007, Alg. 1, with few *labelled*
//! target rows. For t = 1 … N, h_t fitted with weights w and e_i = [h_t(x_i) ≠ y_i]:
//! ```text
//! ε_t = Σ_target w_i e_i / Σ_target w_i        β_t = ε_t / (1 − ε_t)        β = 1 / (1 + √(2 ln n / N))
//! source: w_i ← w_i β^{e_i}                    target: w_i ← w_i β_t^{−e_i}
//! h(x) = argmax_c Σ_{t ≥ ⌈N/2⌉} ln(1/β_t) [h_t(x) = c]
//! ```
//! Source `(n, d)`, target `(m, d)`. The first weights, which the paper leaves to its user, are 1/n
//! and 1/m: a learner that fits many source rows at the cost of a few target rows would otherwise
//! never change. The vote of the later half is the paper's for two classes.
//!
//! Differences from the paper:
//! 1. Any number of classes: e and the vote are written for k.
//! 2. ε_t is held between 10⁻¹⁰ and 0.499, so that no weight is infinite and no round stops; the
//!    certificate says how many voting rounds were no better than chance.

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Labelled, check_length, stacked};
use crate::{
    certificate::{Certificate, Measure},
    check,
    error::Result,
    learn::{Classifier, Classify},
};

/// The options of TrAdaBoost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrAdaBoost {
    /// N ≥ 1. 100 is the paper's.
    pub rounds: usize,
}

impl Default for TrAdaBoost {
    fn default() -> Self {
        Self { rounds: 100 }
    }
}

/// The vote of the later half of the rounds.
#[derive(Debug)]
pub struct BoostedClassifier {
    /// h_t with ln(1/β_t).
    rounds: Vec<(Box<dyn Classifier>, f64)>,
    classes: usize,
    certificate: Certificate,
}

impl TrAdaBoost {
    /// Boosts `learner` on source and target rows with classes below `classes`.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Shape`], [`Error::NotFinite`]; those of the learner.
    ///
    /// [`Error::Config`]: crate::error::Error::Config
    /// [`Error::Shape`]: crate::error::Error::Shape
    /// [`Error::NotFinite`]: crate::error::Error::NotFinite
    pub fn fit(
        &self,
        learner: &dyn Classify,
        source: Labelled<'_, &[usize]>,
        target: Labelled<'_, &[usize]>,
        classes: usize,
    ) -> Result<BoostedClassifier> {
        check::at_least("tradaboost", "rounds", self.rounds, 1)?;
        let x = stacked(source.x, target.x)?;
        check_length("source labels", source.x, source.y.len())?;
        check_length("target labels", target.x, target.y.len())?;
        let y = [source.y, target.y].concat();
        let n = source.y.len();

        let m = target.y.len();
        let mut w = Array1::from_elem(n + m, 1.0 / m as f64);
        w.iter_mut().take(n).for_each(|w| *w = 1.0 / n as f64);
        let step = (2.0 * (n as f64).ln() / self.rounds as f64).sqrt();
        let source_factor = 1.0 / (1.0 + step);
        let (mut rounds, mut chance) = (Vec::new(), 0);
        for round in 1..=self.rounds {
            let model = learner.fit(x.view(), &y, classes, Some(w.view()))?;
            let predicted = model.predict(x.view())?;
            let wrong: Vec<bool> = predicted.iter().zip(&y).map(|(got, y)| got != y).collect();
            let error = target_error(&w, &wrong, n);
            let held = error.clamp(1e-10, 0.499);
            let beta = held / (1.0 - held);
            for (i, w) in w.iter_mut().enumerate().filter(|(i, _)| wrong[*i]) {
                *w *= if i < n { source_factor } else { 1.0 / beta };
            }
            w /= w.sum();
            if round >= self.rounds.div_ceil(2) {
                chance += usize::from(error >= 0.5);
                rounds.push((model, -beta.ln()));
            }
        }
        let certificate = Certificate::new("boosting", self.rounds, Measure::Change, 0.0, 0.0);
        let certificate = match chance {
            0 => certificate,
            _ => certificate.with_note(format!(
                "in {chance} of {} voting rounds the learner was no better than chance on the \
                 weighted target rows",
                rounds.len()
            )),
        };
        Ok(BoostedClassifier { rounds, classes, certificate })
    }
}

/// ε_t; the target's rows are those from `n` on.
fn target_error(w: &Array1<f64>, wrong: &[bool], n: usize) -> f64 {
    let (mut lost, mut all) = (0.0, 0.0);
    for (&w, &wrong) in w.iter().zip(wrong).skip(n) {
        all += w;
        lost += if wrong { w } else { 0.0 };
    }
    if all > 0.0 { lost / all } else { 0.0 }
}

impl Classifier for BoostedClassifier {
    /// The votes' shares.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let mut votes = Array2::zeros((x.nrows(), self.classes));
        for (model, weight) in &self.rounds {
            for (i, c) in model.predict(x)?.into_iter().enumerate() {
                votes[(i, c)] += weight;
            }
        }
        let all: f64 = self.rounds.iter().map(|(_, weight)| weight).sum();
        Ok(votes / all)
    }

    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        self.scores(x).map(|_| None)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;
    use crate::error::Error;
    use crate::learn::Tree;

    const STUMP: Tree = Tree { depth: 1 };

    /// One round by hand: the stump splits at 4.5 by the source's weight, and the vote is its.
    #[test]
    fn one_round_is_the_learner() {
        let (xs, ys) = (array![[1.0], [2.0], [4.0], [5.0]], [0, 0, 0, 1]);
        let (xt, yt) = (array![[0.0], [9.0]], [0, 1]);
        let fitted = TrAdaBoost { rounds: 1 }
            .fit(
                &STUMP,
                Labelled { x: xs.view(), y: &ys[..] },
                Labelled { x: xt.view(), y: &yt[..] },
                2,
            )
            .unwrap();
        assert_eq!(fitted.predict(array![[4.4], [4.6]].view()).unwrap(), [0, 1]);
    }

    /// The source's threshold is 0, the target's 2; five target rows a side overrule 200 of the
    /// source.
    #[test]
    fn a_few_target_labels_overrule_the_source() {
        let xs = Array1::linspace(-4.0, 6.0, 200).insert_axis(Axis(1));
        let ys: Vec<usize> = xs.iter().map(|&x| usize::from(x > 0.0)).collect();
        let xt = array![[-3.0], [-1.0], [0.5], [1.2], [1.9], [2.1], [2.8], [3.5], [5.0], [5.5]];
        let yt: Vec<usize> = xt.iter().map(|&x| usize::from(x > 2.0)).collect();
        let test = Array1::linspace(-4.0, 6.0, 101).insert_axis(Axis(1));
        let right = |predicted: Vec<usize>| {
            predicted.iter().zip(&test).filter(|&(&c, &x)| c == usize::from(x > 2.0)).count()
        };
        let (source, target) =
            (Labelled { x: xs.view(), y: &ys[..] }, Labelled { x: xt.view(), y: &yt[..] });
        let boosted = TrAdaBoost::default().fit(&STUMP, source, target, 2).unwrap();
        assert!(right(boosted.predict(test.view()).unwrap()) >= 97);
        let alone = Classify::fit(&STUMP, xs.view(), &ys, 2, None).unwrap();
        assert!(right(alone.predict(test.view()).unwrap()) < 85);
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [1.0]];
        let wide = array![[0.0, 1.0]];
        let fit = |rounds, xt: &Array2<f64>, yt: &[usize]| {
            let source = Labelled { x: x.view(), y: &[0usize, 1][..] };
            let target = Labelled { x: xt.view(), y: yt };
            TrAdaBoost { rounds }.fit(&STUMP, source, target, 2).map(|_| ())
        };
        assert!(matches!(fit(0, &x, &[0, 1]), Err(Error::Config { .. })));
        assert!(matches!(fit(1, &wide, &[0]), Err(Error::Shape { .. })));
        assert!(matches!(fit(1, &x, &[0]), Err(Error::Shape { .. })));
        assert!(matches!(fit(1, &x, &[0, 2]), Err(Error::Shape { .. })));
        assert!(matches!(fit(1, &array![[f64::NAN]], &[0]), Err(Error::NotFinite { .. })));
    }
}
