//! JDOT: transport in features and labels together, to a classifier that the plan itself trains.
//!
//! Courty, Flamary, Habrard & Rakotomamonjy, "Joint Distribution Optimal Transportation for Domain
//! Adaptation", NIPS 2017, Sec. 3 and 4.
//! ```text
//! min_{P, f}  Σ_ij P_ij (α ‖x_i − x_j‖² / s + ‖y_i − f(x_j)‖²) + λ ‖f‖²_K
//!             [+ ε Σ_ij P_ij (log P_ij − 1)]        P ≥ 0, P 1 = 1/n_s, Pᵀ 1 = 1/n_t
//! f(x) = b + Σ_j β_j k(x_j, x)        b free of penalty
//! ```
//! X_s `(n_s, d)` with classes y_i as unit vectors of length k, X_t `(n_t, d)`. Each of P and f is
//! optimal for the other in turn, so that the objective never rises: P solves a transport problem,
//! and f is the ridge regression on the labels that P sends,
//! ```text
//! ŷ_j = n_t Σ_i P_ij y_i        (H K H + n_t λ I) β = H Ŷ        H = I − 11ᵀ/n_t
//! ```
//! The first P is that of the features alone. The problem is not convex in both: what is found is
//! a point that neither step improves. The target's classes are taken to be as frequent as the
//! source's, since every plan keeps them so.
//!
//! The ridge system is decomposed once; a round is a transport problem and O(n_t² k). Memory is two
//! `(n_s, n_t)` and three `(n_t, n_t)` matrices.
//!
//! Differences from the paper:
//! 1. For classes the paper has the hinge loss; the squared loss, its choice for regression, makes
//!    f a closed form.
//! 2. The paper finds λ by reverse validation; its default is ours, as are those of the rounds. The
//!    loss beside it is a mean over the target rows, so that λ means the same at any n_t.

use ndarray::{Array1, Array2, Axis, Zip, concatenate};
use serde::{Deserialize, Serialize};

use super::{AdaptClassifier, Affine, CostScale, Labelling, Map, transductive::MapClassifier};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    domains::{Domains, Labels},
    error::{Error, Result},
    math::{
        gram::{self, Kernel, KernelChoice},
        linalg::{self, Cholesky},
        moments, parallel,
    },
    ot::{Emd, Problem, Sinkhorn, emd, sinkhorn},
};

/// The least n_t λ beside the trace of H K H: with less, f would lose more than six digits.
const LEAST_SHRINKAGE: f64 = 1e-10;

/// The options of JDOT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jdot {
    /// α > 0, of the features against the labels.
    pub features: f64,
    /// s, what squared distances are divided by. With the largest and α = 1 they are at most 1, the
    /// paper's choice.
    pub normalise_cost: CostScale,
    /// k of f.
    pub kernel: KernelChoice,
    /// λ > 0.
    pub shrinkage: f64,
    /// ε > 0, in units of the joint cost; exact transport by default.
    pub epsilon: Option<f64>,
    /// Of the objective's relative change in a round.
    pub tolerance: f64,
    /// The most rounds, ≥ 2: the first has nothing to be compared with.
    pub rounds: usize,
}

impl Default for Jdot {
    fn default() -> Self {
        Self {
            features: 1.0,
            normalise_cost: CostScale::Max,
            kernel: KernelChoice::Linear,
            shrinkage: 0.01,
            epsilon: None,
            tolerance: 1e-6,
            rounds: 100,
        }
    }
}

impl Described for Jdot {
    const NAME: &'static str = "jdot";
    const ABOUT: &'static str = "learns a classifier by transport of features and labels together";
    const PAPER: &'static str = "Courty, Flamary, Habrard & Rakotomamonjy, Joint Distribution \
                                 Optimal Transportation for Domain Adaptation, NIPS 2017";
    const NEEDS: Needs = Needs { source_labels: true, ..Needs::ROWS };
}

impl AdaptClassifier for Jdot {
    fn fit(&self, domains: &Domains<'_>) -> Result<Labelling> {
        self.check()?;
        let labels = domains.need_two_classes(Self::NAME)?;
        let (regression, fitted, certificate) = self.descend(domains, labels)?;
        let map = regression.into_map(&fitted);
        Ok(Labelling {
            scores: fitted.values,
            classifier: Some(Box::new(MapClassifier { map, certificate: certificate.clone() })),
            certificate,
        })
    }
}

impl Jdot {
    fn check(&self) -> Result<()> {
        let epsilon = self.epsilon.unwrap_or(1.0);
        let scales =
            [("features", self.features), ("shrinkage", self.shrinkage), ("epsilon", epsilon)];
        if let Some((field, value)) = scales.into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0))
        {
            return Err(Error::config(Self::NAME, field, value, "a finite number > 0"));
        }
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            let expected = "a finite number ≥ 0";
            return Err(Error::config(Self::NAME, "tolerance", self.tolerance, expected));
        }
        match self.rounds {
            rounds @ 0..2 => Err(Error::config(Self::NAME, "rounds", rounds, "at least 2")),
            _ => Ok(()),
        }
    }

    /// Rounds until the objective stays.
    fn descend(
        &self,
        domains: &Domains<'_>,
        labels: Labels<'_>,
    ) -> Result<(Regression, Fitted, Certificate)> {
        let mut cost = self.normalise_cost.cost(Self::NAME, domains)?;
        gram::map_inplace(&mut cost, |c| self.features * c);
        let regression = Regression::new(self, domains)?;
        let mut transported = self.transport(cost.view(), &cost, labels)?;
        let mut fitted = regression.fit(&transported);
        let mut objective = regression.objective(&transported, &fitted);
        let (mut rounds, mut change) = (1, f64::INFINITY);
        let mut joint = Array2::zeros(cost.dim());
        while rounds < self.rounds && change > self.tolerance {
            add_losses(&mut joint, &cost, labels, &fitted.values);
            transported = self.transport(joint.view(), &cost, labels)?;
            fitted = regression.fit(&transported);
            let new = regression.objective(&transported, &fitted);
            change = (objective - new).abs() / objective.abs().max(f64::MIN_POSITIVE);
            objective = new;
            rounds += 1;
        }
        let solver = "block coordinate descent";
        let certificate = Certificate::new(solver, rounds, Measure::Change, change, self.tolerance);
        Ok((regression, fitted, transported.warn(certificate)))
    }

    /// The plan of the joint cost, and what the other step needs of it.
    fn transport(
        &self,
        joint: ndarray::ArrayView2<'_, f64>,
        cost: &Array2<f64>,
        labels: Labels<'_>,
    ) -> Result<Transported> {
        let problem = Problem::uniform(joint)?;
        let mut sums = Array2::zeros((joint.ncols(), labels.classes));
        let Some(epsilon) = self.epsilon else {
            let exact = emd(&problem, &Emd::default())?;
            let mut distance = 0.0;
            for entry in &exact.plan.entries {
                let (i, j) = (entry.row as usize, entry.column as usize);
                distance += entry.mass * cost[(i, j)];
                sums[(j, labels.of[i])] += entry.mass;
            }
            return Ok(Transported { sums, paid: distance, certificate: exact.certificate });
        };
        let entropic = sinkhorn(&problem, &Sinkhorn { epsilon, ..Sinkhorn::default() })?;
        let mut paid = 0.0;
        for (i, (row, costs)) in entropic.plan.rows().into_iter().zip(cost.rows()).enumerate() {
            let mut of_class = sums.column_mut(labels.of[i]);
            of_class += &row;
            let of_entry = |(&p, &c): (&f64, &f64)| match p > 0.0 {
                true => p * (c + epsilon * (p.ln() - 1.0)),
                false => 0.0,
            };
            paid += row.iter().zip(costs).map(of_entry).sum::<f64>();
        }
        Ok(Transported { sums, paid, certificate: entropic.certificate })
    }
}

/// α C + ‖y_i − f(x_j)‖² = α C + 1 + ‖f(x_j)‖² − 2 f_c(x_j), c the class of i.
fn add_losses(
    joint: &mut Array2<f64>,
    cost: &Array2<f64>,
    labels: Labels<'_>,
    values: &Array2<f64>,
) {
    let by_class = values.t().as_standard_layout().into_owned();
    let squares = values.map_axis(Axis(1), |f| 1.0 + f.dot(&f));
    let n_t = joint.ncols();
    parallel::for_each_piece(joint.as_slice_mut().unwrap_or_default(), n_t, |i, row| {
        let f = by_class.row(labels.of[i]);
        Zip::from(row).and(cost.row(i)).and(&squares).and(f).for_each(|out, c, square, f| {
            *out = c + square - 2.0 * f;
        });
    });
}

/// What f is fitted to.
struct Transported {
    /// Pᵀ Y `(n_t, k)`.
    sums: Array2<f64>,
    /// α ⟨C, P⟩, less the entropy.
    paid: f64,
    certificate: Certificate,
}

impl Transported {
    fn warn(&self, certificate: Certificate) -> Certificate {
        match self.certificate.converged {
            true => certificate,
            false => certificate.with_note(format!(
                "the last plan is not converged: its residual is {:.1e}",
                self.certificate.residual
            )),
        }
    }
}

/// f's system, which is the same in all rounds.
struct Regression {
    kernel: Kernel,
    /// The target rows, less `shift`.
    anchors: Array2<f64>,
    /// The target's mean where the kernel is linear, whose centring it is; else 0.
    shift: Array1<f64>,
    /// The mean of every row of K, `(n_t,)`.
    means: Array1<f64>,
    /// H K H `(n_t, n_t)`.
    centred: Array2<f64>,
    /// H K H + n_t λ I.
    system: Cholesky,
    lambda: f64,
}

/// f.
struct Fitted {
    /// β `(n_t, k)`, whose columns sum to 0.
    beta: Array2<f64>,
    /// b, since the kernel is centred the mean of the labels, `(k,)`.
    intercept: Array1<f64>,
    /// f of the target rows, `(n_t, k)`.
    values: Array2<f64>,
}

impl Regression {
    fn new(options: &Jdot, domains: &Domains<'_>) -> Result<Self> {
        let xt = domains.target();
        let both = || concatenate![Axis(0), domains.source(), xt];
        let (kernel, shift) = match options.kernel {
            KernelChoice::Linear => (Kernel::Linear, moments::mean(xt)),
            choice => (choice.resolve(Jdot::NAME, both().view())?, Array1::zeros(xt.ncols())),
        };
        let anchors = &xt - &shift;
        let mut centred = kernel.gram(Jdot::NAME, anchors.view(), anchors.view())?;
        let means = centred.sum_axis(Axis(1)) / xt.nrows() as f64;
        gram::centre(centred.view_mut());
        linalg::symmetrise(&mut centred);
        let lambda = options.shrinkage;
        let added = lambda * xt.nrows() as f64;
        let trace = centred.diag().sum();
        if !(trace.is_finite() && added >= LEAST_SHRINKAGE * trace) {
            let reason =
                format!("n_t λ = {added:.1e} is lost beside the kernel's trace {trace:.1e}");
            let advice = "scale the features, or raise `shrinkage`";
            return Err(Error::degenerate(Jdot::NAME, reason, advice));
        }
        let mut system = centred.clone();
        system.diag_mut().mapv_inplace(|v| v + added);
        Ok(Self { kernel, anchors, shift, means, system: Cholesky::new(&system)?, centred, lambda })
    }

    /// The best f for this plan.
    fn fit(&self, transported: &Transported) -> Fitted {
        let n_t = transported.sums.nrows() as f64;
        let labels = &transported.sums * n_t;
        let intercept = labels.sum_axis(Axis(0)) / n_t;
        let beta = self.system.solve(&(labels - &intercept));
        let values = linalg::dot(&self.centred, &beta) + &intercept;
        Fitted { beta, intercept, values }
    }

    /// All of the objective; ‖y‖ = 1.
    fn objective(&self, transported: &Transported, fitted: &Fitted) -> f64 {
        let Fitted { beta, intercept, values } = fitted;
        let n_t = values.nrows() as f64;
        let squares = values.iter().map(|f| f * f).sum::<f64>() / n_t;
        let loss = 1.0 + squares - 2.0 * (&transported.sums * values).sum();
        let norm = (beta * &(values - intercept)).sum();
        transported.paid + loss + self.lambda * norm
    }

    fn into_map(self, fitted: &Fitted) -> Map {
        let (weights, offset) = (fitted.beta.clone(), fitted.intercept.clone());
        if self.kernel == Kernel::Linear {
            let matrix = linalg::dot(&self.anchors.t(), &weights);
            return Map::Affine(Affine { shift: self.shift, matrix, offset });
        }
        let intercept = Affine { offset, ..Affine::linear(Array2::eye(weights.ncols())) };
        let (kernel, anchors, offset) = (self.kernel, self.anchors, self.means);
        let sum = Map::Kernel { kernel, anchors, offset, weights };
        Map::Sequence(vec![sum, Map::Affine(intercept)])
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{array, s};

    use super::*;
    use crate::learn::Ridge;

    const GAUSSIAN: KernelChoice = KernelChoice::Gaussian { sigma: None };

    /// Two elongated classes; the target's are turned by 30° and moved.
    fn rows() -> (Array2<f64>, Array2<f64>, Vec<usize>) {
        let labels: Vec<usize> = (0..20).map(|i| i % 2).collect();
        let xs = Array2::from_shape_fn((20, 2), |(i, j)| {
            let side = if labels[i] == 0 { 1.5 } else { -1.5 };
            let noise = ((i * 13 + j * 7) % 11) as f64 / 22.0;
            [side, (i / 2) as f64 / 5.0][j] + noise
        });
        let (sin, cos) = 30f64.to_radians().sin_cos();
        let turn = array![[cos, sin], [-sin, cos]];
        let xt = (xs.dot(&turn) + array![0.4, -0.2]).slice(s![..15, ..]).to_owned();
        (xs, xt, labels)
    }

    #[test]
    fn one_feature_by_hand() {
        // P = I/2, ŷ = y; of centred rows ±0.4 and labels ±½ the slope is 0.4 / (0.32 + 2λ).
        let (xs, xt) = (array![[0.0], [1.0]], array![[0.2], [1.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&[0, 1]).unwrap();
        let options = Jdot { normalise_cost: CostScale::None, shrinkage: 0.04, ..Jdot::default() };
        let fitted = options.fit(&domains).unwrap();
        let slope = 0.4 / (0.32 + 0.08);
        let high = 0.5 + 0.4 * slope;
        let expected = array![[high, 1.0 - high], [1.0 - high, high]];
        assert_abs_diff_eq!(fitted.scores, expected, epsilon = 1e-12);
        assert!(fitted.certificate.converged && fitted.certificate.iterations == 2);

        let (regression, f, _) = options.descend(&domains, domains.labels().unwrap()).unwrap();
        let cost = array![[0.04, 1.0], [0.64, 0.0]];
        let plan = options.transport(cost.view(), &cost, domains.labels().unwrap()).unwrap();
        // Features pay 0.04 / 2, every row loses 2 (1 − high)², and each class has slope².
        let expected = 0.02 + 2.0 * (1.0 - high).powi(2) + 0.04 * 2.0 * slope * slope;
        assert_abs_diff_eq!(regression.objective(&plan, &f), expected, epsilon = 1e-12);
    }

    #[test]
    fn the_objective_never_rises() {
        let (xs, xt, of) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
        let labels = domains.labels().unwrap();
        for (kernel, epsilon) in
            [(KernelChoice::Linear, None), (GAUSSIAN, None), (GAUSSIAN, Some(0.05))]
        {
            let options =
                Jdot { kernel, epsilon, features: 0.1, shrinkage: 1e-3, ..Jdot::default() };
            let cost = options.normalise_cost.cost(Jdot::NAME, &domains).unwrap() * 0.1;
            let regression = Regression::new(&options, &domains).unwrap();
            let mut plan = options.transport(cost.view(), &cost, labels).unwrap();
            let mut before = f64::INFINITY;
            let mut joint = cost.clone();
            for _ in 0..8 {
                let fitted = regression.fit(&plan);
                let of_fit = regression.objective(&plan, &fitted);
                add_losses(&mut joint, &cost, labels, &fitted.values);
                plan = options.transport(joint.view(), &cost, labels).unwrap();
                let of_plan = regression.objective(&plan, &fitted);
                assert!(of_fit <= before + 1e-9, "{of_fit} after {before}");
                assert!(of_plan <= of_fit + 1e-9, "{of_plan} after {of_fit}");
                before = of_plan;
            }
            let again = regression.fit(&plan);
            let (_, last, certificate) = options.descend(&domains, labels).unwrap();
            assert!(certificate.converged, "{certificate:?}");
            if epsilon.is_none() {
                assert_abs_diff_eq!(last.values, again.values, epsilon = 1e-9);
            }
        }
    }

    /// With the linear kernel f is the ridge regression on the labels that arrive.
    #[test]
    fn the_closed_form_is_ridge_regression() {
        let (xs, xt, of) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
        let options = Jdot { shrinkage: 0.3, ..Jdot::default() };
        let regression = Regression::new(&options, &domains).unwrap();
        let cost = options.normalise_cost.cost(Jdot::NAME, &domains).unwrap();
        let plan = options.transport(cost.view(), &cost, domains.labels().unwrap()).unwrap();
        let fitted = regression.fit(&plan);
        for c in 0..2 {
            let labels = plan.sums.column(c).to_owned() * 15.0;
            let ridge = Ridge { penalty: 0.3 * 15.0 };
            let model = ridge.fit_model(xt.view(), labels.view(), None).unwrap();
            let expected = xt.dot(&model.coefficients) + model.intercept;
            assert_abs_diff_eq!(fitted.values.column(c).to_owned(), expected, epsilon = 1e-10);
        }
    }

    #[test]
    fn turned_classes_are_found_and_new_rows_get_the_same_scores() {
        let (xs, xt, of) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
        for (kernel, epsilon) in
            [(KernelChoice::Linear, None), (GAUSSIAN, None), (GAUSSIAN, Some(0.01))]
        {
            let fitted = Jdot { kernel, epsilon, ..Jdot::default() }.fit(&domains).unwrap();
            assert_eq!(fitted.labels(), of[..15], "{kernel:?} {epsilon:?}");
            let again = fitted.classifier.unwrap().scores(xt.view()).unwrap();
            assert_abs_diff_eq!(again, fitted.scores, epsilon = 1e-10);
        }
    }

    #[test]
    fn a_plan_that_is_not_converged_is_told() {
        let certificate = |residual| Certificate::new("", 1, Measure::Marginals, residual, 1e-9);
        let told = |residual| {
            let sums = Array2::zeros((1, 1));
            let plan = Transported { sums, paid: 0.0, certificate: certificate(residual) };
            plan.warn(certificate(0.0)).notes.len()
        };
        assert_eq!((told(1e-3), told(1e-12)), (1, 0));
    }

    #[test]
    fn rows_far_from_the_origin_get_the_same_scores() {
        let (xs, xt, of) = rows();
        let fit = |xs: &Array2<f64>, xt: &Array2<f64>| {
            let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
            Jdot::default().fit(&domains)
        };
        let near = fit(&xs, &xt).unwrap();
        let (far_s, far_t) = (&xs + 1e6, &xt + 1e6);
        let far = fit(&far_s, &far_t).unwrap();
        assert_abs_diff_eq!(far.scores, near.scores, epsilon = 1e-6);
        let again = far.classifier.unwrap().scores(far_t.view()).unwrap();
        assert_abs_diff_eq!(again, far.scores, epsilon = 1e-9);
        let huge = fit(&(xs * 1e12), &(xt * 1e12));
        assert!(matches!(huge, Err(Error::Degenerate { method: "jdot", .. })));
    }

    #[test]
    fn options_are_checked() {
        let (xs, xt, of) = rows();
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let one_class = domains.with_labels(&[1; 20]).unwrap();
        assert!(matches!(Jdot::default().fit(&one_class), Err(Error::OneClass { .. })));
        let domains = domains.with_labels(&of).unwrap();
        for bad in [
            Jdot { features: 0.0, ..Jdot::default() },
            Jdot { shrinkage: f64::NAN, ..Jdot::default() },
            Jdot { epsilon: Some(-1.0), ..Jdot::default() },
            Jdot { tolerance: f64::INFINITY, ..Jdot::default() },
            Jdot { rounds: 1, ..Jdot::default() },
        ] {
            assert!(matches!(bad.fit(&domains), Err(Error::Config { owner: "jdot", .. })));
        }
    }
}
