//! The room of covariate shift: a line fitted to a curve whose inputs move, with and without
//! importance weights.
//!
//! The problem is [`SincRegression`], after Shimodaira, JSPI 2000, and Sugiyama, Krauledat & Müller,
//! JMLR 2007. A straight line is the wrong model of the curve, so which line is best depends on
//! where the inputs lie: weights move the fit from the source's to the target's.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use transduct_adapt::{
    catalogue::Described,
    domains::Domains,
    learn::{LeastSquares, LinearModel, Regressor},
    reweight::{Kliep, Kmm, LogisticRatio, Reweight, Ulsif},
};
use transduct_core::{
    Error,
    data::synthetic::{Normal, Points, SincRegression},
    suggest,
};

use crate::Result;

/// The most rows of a domain: a scene has to stay smooth.
const MOST_ROWS: usize = 2000;
/// Points of a curve.
const GRID: usize = 161;

/// A weighting method of the room. The registry has more: what it names, the page would have to load.
struct Choice {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    method: fn() -> Box<dyn Reweight>,
}

impl Choice {
    const fn new<C: Described>(title: &'static str, method: fn() -> Box<dyn Reweight>) -> Self {
        Self { name: C::NAME, title, about: C::ABOUT, method }
    }
}

/// The line of inputs is well covered by 30 centres, which leaves time to drag. Without a bound,
/// kernel mean matching puts all weight on a few of so few rows, even where the domains are equal.
const METHODS: [Choice; 4] = [
    Choice::new::<Kmm>("Kernel mean matching", || Box::new(Kmm { bound: 5.0, ..Kmm::default() })),
    Choice::new::<Kliep>("KLIEP", || Box::new(Kliep { centres: 30, ..Kliep::default() })),
    Choice::new::<Ulsif>("uLSIF", || Box::new(Ulsif { centres: 30, ..Ulsif::default() })),
    Choice::new::<LogisticRatio>("Logistic regression", || Box::new(LogisticRatio::default())),
];

/// What can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShiftOptions {
    /// Of the points.
    pub seed: u64,
    /// Source rows, 2 to 2000.
    pub rows: usize,
    /// Target rows, 2 to 2000.
    pub target_rows: usize,
    /// The density of the source inputs.
    pub source: Normal,
    /// The density of the target inputs.
    pub target: Normal,
    /// Standard deviation of the outputs' noise, ≥ 0.
    pub noise: f64,
}

impl Default for ShiftOptions {
    fn default() -> Self {
        let SincRegression { n_source, n_target, noise, source, target } = Default::default();
        Self { seed: 0, rows: n_source, target_rows: n_target, source, target, noise }
    }
}

impl ShiftOptions {
    fn check(&self) -> Result<()> {
        for (field, rows) in [("rows", self.rows), ("target_rows", self.target_rows)] {
            if !(2..=MOST_ROWS).contains(&rows) {
                let expected = "2 to 2000 rows of a domain";
                return Err(Error::config("shift", field, rows, expected).into());
            }
        }
        Ok(())
    }

    fn data(&self) -> SincRegression {
        let &Self { rows, target_rows, source, target, noise, .. } = self;
        SincRegression { n_source: rows, n_target: target_rows, noise, source, target }
    }
}

/// The points of both domains and the line that fits the source.
pub struct Shift {
    options: ShiftOptions,
    source: Points,
    target: Points,
    grid: Array1<f64>,
}

/// What is drawn before any weight.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    /// Source inputs.
    pub x: Vec<f64>,
    /// Source outputs.
    pub y: Vec<f64>,
    /// Target inputs. Their outputs are not known to any method.
    pub target_x: Vec<f64>,
    /// Where the curves below are taken.
    pub grid: Vec<f64>,
    /// The curve without noise.
    pub truth: Vec<f64>,
    /// p_s.
    pub source_density: Vec<f64>,
    /// p_t.
    pub target_density: Vec<f64>,
    /// The line fitted to the source with equal weights.
    pub unweighted: Line,
}

/// A fitted line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its values on the grid.
    pub curve: Vec<f64>,
    /// Its mean squared difference to the curve without noise over the target inputs.
    pub error: f64,
}

/// Weights of the source rows and the line that they give.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The weighting method's name.
    pub method: String,
    /// In the order of the source rows.
    pub weights: Vec<f64>,
    /// (Σ w)² / Σ w².
    pub effective_sample_size: f64,
    /// The largest weight over the mean one.
    pub largest: f64,
    /// Whether the effective sample size is below a tenth of the rows.
    pub collapsed: bool,
    /// Whether the solver came to its end.
    pub converged: bool,
    /// How right the solver's answer is, in one line.
    pub certificate: String,
    /// What one should know of the weights, a sentence each.
    pub notes: Vec<String>,
    /// The weighted line.
    #[serde(flatten)]
    pub line: Line,
}

/// A weighting method of the room.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodCard {
    /// Its name in the registry.
    pub name: &'static str,
    /// For a button.
    pub title: &'static str,
    /// One line about it.
    pub about: &'static str,
}

impl Shift {
    /// The points of these options.
    ///
    /// # Errors
    /// Options out of range.
    pub fn new(options: ShiftOptions) -> Result<Self> {
        options.check()?;
        let (source, target) = options.data().generate(options.seed)?;
        let grid = grid(options.source, options.target);
        Ok(Self { options, source, target, grid })
    }

    /// The weighting methods.
    pub fn methods() -> Vec<MethodCard> {
        let card = |&Choice { name, title, about, .. }: &Choice| MethodCard { name, title, about };
        METHODS.iter().map(card).collect()
    }

    /// What was chosen.
    pub fn options(&self) -> &ShiftOptions {
        &self.options
    }

    /// Moves the target's density, and its points with it.
    ///
    /// # Errors
    /// A density out of range; nothing has changed then.
    pub fn set_target(&mut self, mean: f64, std: f64) -> Result<()> {
        let target = Normal { mean, std };
        *self = Self::new(ShiftOptions { target, ..self.options.clone() })?;
        Ok(())
    }

    /// What is drawn before any weight.
    ///
    /// # Errors
    /// Those of the least-squares fit.
    pub fn scene(&self) -> Result<Scene> {
        let on_grid = |f: &dyn Fn(f64) -> f64| self.grid.iter().map(|&x| f(x)).collect();
        let ShiftOptions { source, target, .. } = self.options;
        Ok(Scene {
            x: self.source.x.to_vec(),
            y: self.source.y.to_vec(),
            target_x: self.target.x.to_vec(),
            grid: self.grid.to_vec(),
            truth: on_grid(&SincRegression::truth),
            source_density: on_grid(&|x| source.density(x)),
            target_density: on_grid(&|x| target.density(x)),
            unweighted: self.line(None)?,
        })
    }

    /// The weights of `method`, and the line fitted with them.
    ///
    /// # Errors
    /// An unknown method; domains so far apart that all weights are 0.
    pub fn fit(&self, method: &str) -> Result<Fit> {
        let choice = METHODS.iter().find(|choice| choice.name == method);
        let choice = choice.ok_or_else(|| Error::Unknown {
            kind: "weighting method",
            name: method.to_owned(),
            suggestion: suggest::nearest(method, METHODS.iter().map(|choice| choice.name)),
        })?;
        let domains = Domains::new(column(&self.source.x), column(&self.target.x))?;
        let weighting = (choice.method)().fit(&domains)?;
        Ok(Fit {
            method: method.to_owned(),
            effective_sample_size: weighting.effective_sample_size,
            largest: weighting.largest,
            collapsed: weighting.has_collapsed(),
            converged: weighting.certificate.converged,
            certificate: weighting.certificate.to_string(),
            line: self.line(Some(weighting.weights.view()))?,
            weights: weighting.weights.to_vec(),
            notes: weighting.certificate.notes,
        })
    }

    fn line(&self, weights: Option<ArrayView1<'_, f64>>) -> Result<Line> {
        let Points { x, y } = &self.source;
        let line: LinearModel = LeastSquares {}.fit_line(x.view(), y.view(), weights)?;
        let target = &self.target.x;
        let gap = line.predict(column(target))? - target.mapv(SincRegression::truth);
        Ok(Line {
            curve: line.predict(column(&self.grid))?.to_vec(),
            error: gap.dot(&gap) / gap.len() as f64,
        })
    }
}

/// `(n,)` as `(n, 1)`.
fn column(x: &Array1<f64>) -> ArrayView2<'_, f64> {
    x.view().insert_axis(Axis(1))
}

/// From five standard deviations of the source below its mean to five above, and further where the
/// target's four reach further: so the picture stands still while the target moves in its middle.
fn grid(source: Normal, target: Normal) -> Array1<f64> {
    let reach =
        |of: Normal, deviations: f64| [-1.0, 1.0].map(|s| of.mean + s * deviations * of.std);
    let ([s_low, s_high], [t_low, t_high]) = (reach(source, 5.0), reach(target, 4.0));
    Array1::linspace(s_low.min(t_low), s_high.max(t_high), GRID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(mean: f64, std: f64) -> Shift {
        Shift::new(ShiftOptions { target: Normal { mean, std }, ..Default::default() }).unwrap()
    }

    #[test]
    fn weights_of_every_method_move_the_line_to_the_target() {
        let shift = shift(2.0, 0.25);
        let scene = shift.scene().unwrap();
        for card in Shift::methods() {
            let fit = shift.fit(card.name).unwrap();
            assert!(fit.line.error < 0.3 * scene.unweighted.error, "{fit:?}");
            assert!(fit.converged && fit.certificate.contains(", converged"), "{fit:?}");
            assert_eq!(fit.weights.len(), scene.x.len());
            assert!(fit.weights.iter().all(|w| w.is_finite() && *w >= 0.0));
            assert!(fit.effective_sample_size < 0.7 * scene.x.len() as f64);
            // Rows near the target count more than rows away from it.
            let mean: f64 = scene.x.iter().zip(&fit.weights).map(|(x, w)| x * w).sum();
            assert!(mean / fit.weights.iter().sum::<f64>() > 1.4);
        }
    }

    #[test]
    fn a_target_that_is_the_source_leaves_the_line_alone() {
        let shift = shift(1.0, 0.5);
        let error = shift.scene().unwrap().unweighted.error;
        for card in Shift::methods() {
            let fit = shift.fit(card.name).unwrap();
            assert!(fit.effective_sample_size > 30.0 && !fit.collapsed, "{fit:?}");
            assert!((fit.line.error - error).abs() < 0.02, "{} for {error}", fit.line.error);
        }
    }

    /// Far away the weights rest on few rows or on none; whatever happens is said, and no number is
    /// lost.
    #[test]
    fn any_target_within_reach_gives_finite_numbers_or_a_message() {
        for mean in [-1.0, 0.0, 1.0, 3.0, 4.0, 30.0] {
            for std in [0.1, 0.25, 1.0] {
                let shift = shift(mean, std);
                let scene = shift.scene().unwrap();
                assert!(scene.unweighted.error.is_finite());
                for card in Shift::methods() {
                    match shift.fit(card.name) {
                        Ok(fit) => {
                            assert!(fit.line.error.is_finite() && fit.largest.is_finite());
                            assert_eq!(fit.collapsed, fit.effective_sample_size < 15.0);
                            assert!(!fit.collapsed || !fit.notes.is_empty());
                        }
                        Err(e) => assert!(!e.to_string().is_empty()),
                    }
                }
            }
        }
    }

    #[test]
    fn a_density_that_moves_keeps_the_source() {
        let mut moved = shift(2.0, 0.25);
        let before = moved.scene().unwrap();
        moved.set_target(2.2, 0.3).unwrap();
        let after = moved.scene().unwrap();
        assert_eq!((&before.x, &before.y), (&after.x, &after.y));
        assert_eq!(before.grid, after.grid);
        assert_eq!(before.unweighted.curve, after.unweighted.curve);
        assert_ne!(before.target_x, after.target_x);
        assert_eq!(after, shift(2.2, 0.3).scene().unwrap());
        assert_eq!(moved.options().target, Normal { mean: 2.2, std: 0.3 });
    }

    /// A straight line through points without noise on a target where sinc is nearly straight.
    #[test]
    fn the_lines_error_is_its_distance_from_the_curve() {
        let near = Normal { mean: 1.0, std: 0.01 };
        let options = ShiftOptions { source: near, target: near, noise: 0.0, ..Default::default() };
        let error = Shift::new(options).unwrap().scene().unwrap().unweighted.error;
        assert!(error < 1e-7, "{error}");
    }

    #[test]
    fn what_is_out_of_range_is_named_and_changes_nothing() {
        let mut shift = shift(2.0, 0.25);
        let error = shift.set_target(2.0, 0.0).unwrap_err().to_string();
        assert_eq!(error, "sinc_regression.target.std = 0: expected a finite number above 0");
        assert_eq!(shift.options(), &ShiftOptions::default());
        let error = shift.fit("kmn").unwrap_err().to_string();
        assert_eq!(error, "unknown weighting method `kmn`; did you mean `kmm`?");
        for rows in [1, 2001] {
            assert!(Shift::new(ShiftOptions { rows, ..Default::default() }).is_err());
        }
    }
}
