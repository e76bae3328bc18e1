//! The support vector machine with a weight for every row.
//!
//! Cortes & Vapnik, "Support-Vector Networks", Machine Learning 1995; for two classes
//! ```text
//! minimise  ½ ‖β‖² + C Σ_i w_i max(0, 1 − y_i (βᵀφ(x_i) + b))        Σ_i w_i = n
//! ```
//! X `(n, d)`, w `(n,)`, of the n rows whose weight is above 0, φ of the kernel. C and w are those
//! of scikit-learn's `SVC`, whose γ is 1/2σ². More classes are told apart pair by pair; the most
//! votes win.
//!
//! The kernel matrix `(n, n)` is held in memory. The certificate's residual is the worst violation
//! of the optimality condition among the pairs, in units of the margin.
//!
//! `calibration` gives it probabilities, by sigmoids of decisions on rows that were left out.
//!
//! Differences from the paper:
//! 1. Of classes with equal votes the one with the larger sum of decisions wins, not the first.

mod platt;
mod smo;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, array};
use serde::{Deserialize, Serialize};

use platt::Sigmoid;

use super::{
    Classifier, Classify, folds,
    rows::{ABSENT, Rows, present_classes},
};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    check,
    domains::check_query,
    error::{Error, Result},
    math::{
        gram::{Kernel, KernelChoice},
        linalg, parallel,
    },
};

/// The options of the support vector machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Svm {
    /// C > 0. 1 is scikit-learn's default.
    pub c: f64,
    /// k.
    pub kernel: KernelChoice,
    /// The violation at which to stop, > 0, in units of the margin. 1e-3 is libsvm's.
    pub tolerance: f64,
    /// The most steps a pair of classes, ≥ 1.
    pub iterations: usize,
    /// Whether there are probabilities; none by default, which cost a fit a fold.
    pub calibration: Option<Calibration>,
}

/// Platt's probabilities. Their rows are left out in folds in which the classes are as frequent as in all,
/// where libsvm draws folds without looking at the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// ≥ 2. 5 is libsvm's.
    pub folds: usize,
    /// Of the folds.
    pub seed: u64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { folds: 5, seed: 0 }
    }
}

impl Default for Svm {
    fn default() -> Self {
        Self {
            c: 1.0,
            kernel: KernelChoice::Linear,
            tolerance: 1e-3,
            iterations: 10_000_000,
            calibration: None,
        }
    }
}

impl Described for Svm {
    const NAME: &'static str = "svm";
    const ABOUT: &'static str = "support vector machine, linear or Gaussian";
    const PAPER: &'static str = "Cortes & Vapnik, Support-Vector Networks, Machine Learning 1995";
}

/// A fitted support vector machine.
#[derive(Clone, Debug)]
pub struct SvmModel {
    /// α_i y_i of the support vectors, `(s, p)`, one column a pair of classes.
    pub dual: Array2<f64>,
    /// b `(p,)`.
    pub biases: Array1<f64>,
    /// The minimum of the dual of every pair, ½ ‖β‖² − Σ_i α_i, ≤ 0, `(p,)`.
    pub objectives: Array1<f64>,
    /// The two classes of every pair; a decision above 0 is for the second.
    pub pairs: Vec<(usize, usize)>,
    /// One a pair of classes, of a calibrated machine.
    sigmoids: Option<Vec<Sigmoid>>,
    expansion: Expansion,
    classes: usize,
    present: Vec<usize>,
    certificate: Certificate,
}

/// Σ_i α_i y_i k(x_i, ·).
#[derive(Clone, Debug)]
enum Expansion {
    /// β `(p, d)`.
    Linear(Array2<f64>),
    /// The support vectors `(s, d)`.
    Kernel(Kernel, Array2<f64>),
}

impl Svm {
    /// As [`Classify::fit`], with the duals in sight.
    ///
    /// # Errors
    /// As [`Classify::fit`]; [`Error::OneClass`]; [`Error::TooLarge`] for a kernel matrix past the
    /// limit; [`Error::Degenerate`] when a median distance is asked for and all rows are equal.
    pub fn fit_model(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<SvmModel> {
        self.check()?;
        let rows = Rows::new(x, w)?;
        let (present, places) = present_classes(Self::NAME, &rows.classes(y, classes)?)?;
        let kernel = self.kernel.resolve(Self::NAME, rows.x.view())?;
        let k = kernel.gram(Self::NAME, rows.x.view(), rows.x.view())?;
        if let Some(((i, _), value)) = k.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let reason = format!("the kernel of row {i} is {value}");
            return Err(Error::degenerate(Self::NAME, reason, "scale the columns"));
        }

        let m = present.len();
        let pairs: Vec<(usize, usize)> =
            (0..m).flat_map(|a| (a + 1..m).map(move |b| (a, b))).collect();
        let bounds = &rows.w * self.c;
        let solutions = parallel::map(pairs.len(), |p| {
            self.solve_pair(k.view(), &places, bounds.view(), pairs[p])
        });
        let sigmoids = self.calibration.map(|calibration| {
            parallel::map(pairs.len(), |p| {
                self.sigmoid(k.view(), &places, bounds.view(), pairs[p], calibration)
            })
        });

        let n = rows.x.nrows();
        let all = Array2::from_shape_fn((n, pairs.len()), |(i, p)| solutions[p].dual[i]);
        let support: Vec<usize> =
            (0..n).filter(|&i| all.row(i).iter().any(|&a| a != 0.0)).collect();
        let (dual, vectors) = (all.select(Axis(0), &support), rows.x.select(Axis(0), &support));
        let expansion = match kernel {
            Kernel::Linear => Expansion::Linear(linalg::dot(&dual.t(), &vectors)),
            kernel => Expansion::Kernel(kernel, vectors),
        };
        let iterations = solutions.iter().map(|s| s.iterations).sum();
        let violation = solutions.iter().map(|s| s.violation).fold(0.0, f64::max);
        let certificate =
            Certificate::new("smo", iterations, Measure::Kkt, violation, self.tolerance);
        Ok(SvmModel {
            dual,
            biases: solutions.iter().map(|s| s.bias).collect(),
            objectives: solutions.iter().map(|s| s.objective).collect(),
            pairs: pairs.iter().map(|&(a, b)| (present[a], present[b])).collect(),
            sigmoids,
            expansion,
            classes,
            present,
            certificate,
        })
    }

    /// The solution for the rows of two classes; the duals of the others are 0.
    fn solve_pair(
        &self,
        k: ArrayView2<'_, f64>,
        places: &[usize],
        bounds: ArrayView1<'_, f64>,
        (a, b): (usize, usize),
    ) -> smo::Solution {
        let n = places.len();
        let rows: Vec<usize> = (0..n).filter(|&i| places[i] == a || places[i] == b).collect();
        let signs: Vec<f64> =
            rows.iter().map(|&i| if places[i] == b { 1.0 } else { -1.0 }).collect();
        let bounds: Vec<f64> = rows.iter().map(|&i| bounds[i]).collect();
        if rows.len() == n {
            return smo::solve(k, &signs, &bounds, self.tolerance, self.iterations);
        }
        let solution = self.solve_rows(k, &rows, &signs, &bounds);
        let mut dual = Array1::zeros(n);
        rows.iter().zip(&solution.dual).for_each(|(&i, &value)| dual[i] = value);
        smo::Solution { dual, ..solution }
    }

    /// The solution for some of the rows of K, whose signs and bounds are given.
    fn solve_rows(
        &self,
        k: ArrayView2<'_, f64>,
        rows: &[usize],
        signs: &[f64],
        bounds: &[f64],
    ) -> smo::Solution {
        let part = Array2::from_shape_fn((rows.len(), rows.len()), |(i, j)| k[(rows[i], rows[j])]);
        smo::solve(part.view(), signs, bounds, self.tolerance, self.iterations)
    }

    /// The sigmoid of a pair of classes.
    fn sigmoid(
        &self,
        k: ArrayView2<'_, f64>,
        places: &[usize],
        bounds: ArrayView1<'_, f64>,
        (a, b): (usize, usize),
        calibration: Calibration,
    ) -> Sigmoid {
        let rows: Vec<usize> =
            (0..places.len()).filter(|&i| places[i] == a || places[i] == b).collect();
        let second: Vec<bool> = rows.iter().map(|&i| places[i] == b).collect();
        let groups: Vec<usize> = second.iter().map(|&s| usize::from(s)).collect();
        let of = folds::stratified(&groups, calibration.folds, calibration.seed);
        let mut decisions = vec![0.0; rows.len()];
        for fold in 0..calibration.folds {
            let (train, test) = folds::split(&of, fold);
            let signs: Vec<f64> =
                train.iter().map(|&i| if second[i] { 1.0 } else { -1.0 }).collect();
            let one = signs.first().filter(|&first| signs.iter().all(|sign| sign == first));
            if train.is_empty() || one.is_some() {
                // As libsvm: all that is known is the one class.
                test.iter().for_each(|&i| decisions[i] = one.copied().unwrap_or(0.0));
                continue;
            }
            let bounds: Vec<f64> = train.iter().map(|&i| bounds[rows[i]]).collect();
            let kept: Vec<usize> = train.iter().map(|&i| rows[i]).collect();
            let solution = self.solve_rows(k, &kept, &signs, &bounds);
            for &i in &test {
                let row = k.row(rows[i]);
                let sum = kept.iter().zip(&solution.dual).map(|(&j, d)| row[j] * d).sum::<f64>();
                decisions[i] = sum + solution.bias;
            }
        }
        Sigmoid::fit(&decisions, &second)
    }

    fn check(&self) -> Result<()> {
        if let Some(calibration) = self.calibration {
            check::at_least(Self::NAME, "calibration.folds", calibration.folds, 2)?;
        }
        check::positive(Self::NAME, "c", self.c)?;
        check::positive(Self::NAME, "tolerance", self.tolerance)?;
        check::at_least(Self::NAME, "iterations", self.iterations, 1)
    }
}

impl SvmModel {
    /// βᵀφ(x) + b for every pair of classes, `(n, p)`.
    ///
    /// # Errors
    /// Rows of another d or not finite; a kernel matrix past the limit.
    pub fn decisions(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let sums = match &self.expansion {
            Expansion::Linear(beta) => {
                check_query(x, beta.ncols())?;
                linalg::dot(&x, &beta.t())
            }
            Expansion::Kernel(kernel, vectors) => {
                check_query(x, vectors.ncols())?;
                linalg::dot(&kernel.gram(Svm::NAME, x, vectors.view())?, &self.dual)
            }
        };
        Ok(sums + &self.biases)
    }
}

impl Classify for Svm {
    fn learn(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>> {
        Ok(Box::new(self.fit_model(x, y, classes, w)?))
    }
}

impl Classifier for SvmModel {
    /// Of two classes that occur −f and f; of more the votes plus s / 3(|s| + 1), where s is the
    /// sum of the class's decisions. [`f64::MIN`] for classes that do not occur.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let decisions = self.decisions(x)?;
        let mut scores = Array2::from_elem((x.nrows(), self.classes), ABSENT);
        for (mut row, f) in scores.rows_mut().into_iter().zip(decisions.rows()) {
            if let [(a, b)] = self.pairs[..] {
                (row[a], row[b]) = (-f[0], f[0]);
                continue;
            }
            let (mut votes, mut sums) = (vec![0.0; self.classes], vec![0.0; self.classes]);
            for (&(a, b), &f) in self.pairs.iter().zip(f) {
                votes[if f > 0.0 { b } else { a }] += 1.0;
                sums[b] += f;
                sums[a] -= f;
            }
            for &c in &self.present {
                row[c] = votes[c] + sums[c] / (3.0 * (sums[c].abs() + 1.0));
            }
        }
        Ok(scores)
    }

    /// 0 for classes that do not occur; none without calibration.
    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        let decisions = self.decisions(x)?;
        let Some(sigmoids) = &self.sigmoids else { return Ok(None) };
        let place = |class: usize| self.present.partition_point(|&c| c < class);
        let pairs: Vec<(usize, usize)> =
            self.pairs.iter().map(|&(a, b)| (place(a), place(b))).collect();
        let mut probabilities = Array2::zeros((x.nrows(), self.classes));
        for (mut row, f) in probabilities.rows_mut().into_iter().zip(decisions.rows()) {
            let second: Array1<f64> =
                sigmoids.iter().zip(f).map(|(sigmoid, &f)| sigmoid.probability(f)).collect();
            let p = match self.present.len() {
                2 => array![1.0 - second[0], second[0]],
                m => platt::couple(m, &pairs, second.view()),
            };
            self.present.iter().zip(p).for_each(|(&class, p)| row[class] = p);
        }
        Ok(Some(probabilities))
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// Rows at ±1 and ±3: the inner two carry the margin, β = 1, b = 0, objective −½.
    #[test]
    fn a_margin_by_hand() {
        let x = array![[-3.0], [-1.0], [1.0], [3.0]];
        let svm = Svm { c: 10.0, tolerance: 1e-10, ..Svm::default() };
        let model = svm.fit_model(x.view(), &[4, 4, 6, 6], 8, None).unwrap();
        assert_abs_diff_eq!(model.decisions(x.view()).unwrap(), x, epsilon = 1e-9);
        assert_abs_diff_eq!(model.objectives[0], -0.5, epsilon = 1e-9);
        assert_eq!(model.predict(x.view()).unwrap(), [4, 4, 6, 6]);
        assert!(model.certificate.converged);
    }

    /// All four rows of XOR are support vectors, by symmetry with one α.
    #[test]
    fn exclusive_or_needs_the_gaussian_kernel() {
        let x = array![[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
        let kernel = KernelChoice::Gaussian { sigma: Some(0.5f64.sqrt()) };
        let svm = Svm { c: 100.0, kernel, tolerance: 1e-10, ..Svm::default() };
        let model = svm.fit_model(x.view(), &[0, 0, 1, 1], 2, None).unwrap();
        let (near, far) = ((-1f64).exp(), (-2f64).exp());
        let alpha = 1.0 / (1.0 + far - 2.0 * near);
        assert_abs_diff_eq!(
            model.dual,
            array![[-alpha], [-alpha], [alpha], [alpha]],
            epsilon = 1e-8
        );
    }

    #[test]
    fn three_classes_vote() {
        let x = array![[0.0, 5.0], [0.0, 6.0], [5.0, 0.0], [6.0, 0.0], [-5.0, -5.0], [-6.0, -5.0]];
        let y = [0, 0, 2, 2, 3, 3];
        let model = Svm::default().fit_model(x.view(), &y, 4, None).unwrap();
        assert_eq!(model.predict(x.view()).unwrap(), y);
        assert_eq!(model.pairs, [(0, 2), (0, 3), (2, 3)]);
        assert!(model.scores(x.view()).unwrap().column(1).iter().all(|&s| s == f64::MIN));
    }

    #[test]
    fn a_row_of_little_weight_gives_way() {
        let x = array![[-1.0], [1.0], [0.9]];
        let y = [0, 1, 0];
        let at = |w: Array1<f64>| {
            let svm = Svm { c: 5.0, tolerance: 1e-8, ..Svm::default() };
            let model = svm.fit_model(x.view(), &y, 2, Some(w.view())).unwrap();
            model.predict(array![[0.95]].view()).unwrap()[0]
        };
        assert_eq!(at(array![1.0, 1.0, 1e-6]), 1);
        assert_eq!(at(array![1.0, 1e-6, 1.0]), 0);
    }

    /// On a line on which three classes overlap, frequencies in the middle of each are about what
    /// probabilities say.
    #[test]
    fn calibrated_probabilities_are_frequencies() {
        // Of ten rows around each place, so many are of each class.
        let shares = [[9, 1, 0], [1, 8, 1], [0, 2, 8]];
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (place, counts) in shares.iter().enumerate() {
            let labels = counts.iter().enumerate().flat_map(|(class, &n)| vec![class; 4 * n]);
            for (i, class) in labels.enumerate() {
                x.push(place as f64 * 4.0 + ((i * 7) % 40) as f64 / 40.0);
                y.push(2 * class);
            }
        }
        let x = Array2::from_shape_vec((x.len(), 1), x).unwrap();
        let kernel = KernelChoice::Gaussian { sigma: Some(1.0) };
        let svm = Svm { kernel, calibration: Some(Calibration::default()), ..Svm::default() };
        let model = svm.fit_model(x.view(), &y, 5, None).unwrap();
        let p = model.probabilities(array![[0.5], [4.5], [8.5]].view()).unwrap().unwrap();
        for (row, counts) in p.rows().into_iter().zip(shares) {
            assert_abs_diff_eq!(row.sum(), 1.0, epsilon = 1e-9);
            assert_eq!((row[1], row[3]), (0.0, 0.0));
            for (class, n) in counts.into_iter().enumerate() {
                let gap = (row[2 * class] - n as f64 / 10.0).abs();
                assert!(gap < 0.12, "{row}");
            }
        }
        let plain = Svm { calibration: None, ..svm.clone() };
        let plain = plain.fit_model(x.view(), &y, 5, None).unwrap();
        assert!(plain.probabilities(x.view()).unwrap().is_none());
        assert_eq!(plain.decisions(x.view()).unwrap(), model.decisions(x.view()).unwrap());
        let calibration = Some(Calibration { folds: 1, seed: 0 });
        let message = Svm { calibration, ..svm }.fit_model(x.view(), &y, 5, None).unwrap_err();
        assert!(message.to_string().starts_with("svm.calibration.folds = 1"), "{message}");
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [0.0]];
        let fit = |svm: Svm, y: &[usize]| svm.fit_model(x.view(), y, 2, None).map(|_| ());
        assert!(matches!(fit(Svm::default(), &[1, 1]), Err(Error::OneClass { .. })));
        let bad = Svm { c: 0.0, ..Svm::default() };
        assert!(matches!(fit(bad, &[0, 1]), Err(Error::Config { field: "c", .. })));
        let wide = Svm { kernel: KernelChoice::Gaussian { sigma: None }, ..Svm::default() };
        assert!(matches!(fit(wide, &[0, 1]), Err(Error::Degenerate { .. })));
        // Rows of both classes in one place: no decision, and no NaN.
        let model = Svm::default().fit_model(x.view(), &[0, 1], 2, None).unwrap();
        assert_eq!(model.decisions(x.view()).unwrap(), array![[0.0], [0.0]]);
    }
}
