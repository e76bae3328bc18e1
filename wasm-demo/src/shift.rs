//! The room of covariate shift: a line fitted to a curve whose inputs move, with and without
//! importance weights.
//!
//! The problem is [`SincRegression`], after Shimodaira, JSPI 2000, and Sugiyama, Krauledat & Müller,
//! JMLR 2007. A straight line is the wrong model of the curve, so which line is best depends on
//! where the inputs lie: weights move the fit from the source's to the target's.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_adapt::{
    domains::Domains,
    learn::{LeastSquares, LinearModel, Regressor},
    reweight::reweighter,
};
use transduct_core::data::synthetic::{Normal, Points, SincRegression};

use crate::Result;

/// The most rows of a domain: a scene has to stay smooth.
const MOST_ROWS: usize = 2000;
/// Points of a curve.
const GRID: usize = 161;

/// The weighting methods of the room, with their titles.
const METHODS: [(&str, &str); 4] = [
    ("kmm", "Kernel mean matching"),
    ("kliep", "KLIEP"),
    ("ulsif", "uLSIF"),
    ("logistic", "Logistic regression"),
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
                return Err(transduct_core::Error::config("shift", field, rows, expected).into());
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
    ///
    /// # Errors
    /// A name that the registry does not have.
    pub fn methods() -> Result<Vec<MethodCard>> {
        let card = |(name, title)| Ok(MethodCard { name, title, about: reweighter(name)?.about });
        METHODS.into_iter().map(card).collect()
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
        let domains = Domains::new(column(&self.source.x), column(&self.target.x))?;
        let weighting = (reweighter(method)?.build)(&Value::Null)?.fit(&domains)?;
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
        let line: LinearModel = LeastSquares {}.fit_model(column(x), y.view(), weights)?;
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

/// From six standard deviations of the source below its mean to six above, and further where the
/// target's four reach further: so the picture stands still while the target moves in its middle.
fn grid(source: Normal, target: Normal) -> Array1<f64> {
    let reach =
        |of: Normal, deviations: f64| [-1.0, 1.0].map(|s| of.mean + s * deviations * of.std);
    let ([s_low, s_high], [t_low, t_high]) = (reach(source, 6.0), reach(target, 4.0));
    Array1::linspace(s_low.min(t_low), s_high.max(t_high), GRID)
}
