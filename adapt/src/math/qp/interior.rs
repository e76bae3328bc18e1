//! The primal-dual predictor–corrector method.
//!
//! With t = cᵀx, slacks s = x − l and r = u − x, the same for t, and multipliers z, v ≥ 0 of these:
//! ```text
//! P x + q + c y − z + v = 0,   −y − z_t + v_t = 0,   cᵀx − t = 0,   z s = v r = μ
//! ```
//! Everything but x and y is eliminated from Newton's equations: (P + D) dx + c dy with
//! D = z/s + v/r is decomposed once an iteration, and y takes a scalar Schur complement.

use ndarray::{Array1, ArrayView1, Zip};

use super::{Hessian, Programme, Shifted, Solution, Stop};
use crate::{
    error::Result,
    progress::{Residual, report},
};

const NAME: &str = "interior point";

/// The share of the way to the boundary that a step may take.
const FRACTION: f64 = 0.995;

/// Where the corrected step takes μ no further, a step without the second-order terms aims at this share of
/// μ: the terms of a predictor that could not be taken whole may lead in a circle (Cartis, "Some
/// disadvantages of a Mehrotra-type primal-dual corrector interior point algorithm for linear programming",
/// Applied Numerical Mathematics 2009).
const CENTRING: f64 = 0.1;

/// A variable between bounds, with its slacks and their multipliers.
#[derive(Clone, Copy, Debug)]
struct Bounded {
    /// To the lower bound, > 0.
    s: f64,
    /// To the upper bound, > 0.
    r: f64,
    /// Of the lower bound, > 0.
    z: f64,
    /// Of the upper bound, > 0.
    v: f64,
}

/// Right sides of the two complementarity equations.
type Targets = [f64; 2];

impl Bounded {
    fn products(&self) -> f64 {
        self.s * self.z + self.r * self.v
    }

    /// D.
    fn barrier(&self) -> f64 {
        self.z / self.s + self.v / self.r
    }

    /// What the targets add to the right side of stationarity.
    fn push(&self, [low, high]: Targets) -> f64 {
        low / self.s - high / self.r
    }

    /// (dz, dv) of a step dx.
    fn duals(&self, dx: f64, [low, high]: Targets) -> [f64; 2] {
        [(low - self.z * dx) / self.s, (high + self.v * dx) / self.r]
    }

    /// −z s and −v r, and the predictor's second-order terms with the centring μ.
    fn targets(&self, mu: f64, [dx, dz, dv]: [f64; 3]) -> Targets {
        [mu - self.z * self.s - dx * dz, mu - self.v * self.r + dx * dv]
    }

    /// The longest step ≤ 1 that keeps all four positive.
    fn longest(&self, [dx, dz, dv]: [f64; 3]) -> f64 {
        let limit = |value: f64, change: f64| if change < 0.0 { -value / change } else { 1.0 };
        let primal = limit(self.s, dx).min(limit(self.r, -dx));
        primal.min(limit(self.z, dz)).min(limit(self.v, dv)).min(1.0)
    }

    fn moved(&self, step: f64, [dx, dz, dv]: [f64; 3]) -> Self {
        Self {
            s: self.s + step * dx,
            r: self.r - step * dx,
            z: self.z + step * dz,
            v: self.v + step * dv,
        }
    }
}

/// Where the method stands.
struct Iterate {
    x: Array1<f64>,
    y: f64,
    /// cᵀx of the linear constraint's slacks.
    t: f64,
    bounds: Vec<Bounded>,
    /// Nothing for an equation.
    range: Option<Bounded>,
}

/// A step: dx, dy, dt, and [dx, dz, dv] of every bounded variable.
struct Direction {
    dx: Array1<f64>,
    dy: f64,
    dt: f64,
    bounds: Vec<[f64; 3]>,
    range: Option<[f64; 3]>,
}

/// What is left of the linear equations.
struct Residuals {
    dual: Array1<f64>,
    range: f64,
    primal: f64,
}

pub(super) fn solve(
    programme: &Programme<'_>,
    hessian: &impl Hessian,
    stop: Stop,
) -> Result<Solution> {
    let mut at = Iterate::start(programme, hessian);
    let mut px = hessian.multiply(at.x.view());
    let mut best: Option<Solution> = None;
    for iteration in 0..=stop.iterations {
        let answer = programme.judge(at.x.clone(), px.view(), NAME, iteration, stop.tolerance);
        let residual = answer.certificate.residual;
        let now = Residual { now: residual, wanted: stop.tolerance };
        report(NAME, iteration, Some(stop.iterations), Some(now));
        let worse = best.as_ref().is_some_and(|b| b.certificate.residual <= residual);
        if residual.is_finite() && !worse {
            best = Some(answer);
        }
        if residual <= stop.tolerance || iteration == stop.iterations {
            break;
        }
        let residuals = at.residuals(programme, px.view());
        let Ok(newton) = Newton::new(programme.normal, hessian, &at) else { break };
        let affine = at.targets(0.0, None);
        let predictor = newton.direction(&at, &residuals, &affine, Exactness::Rough);
        let mu = at.mu();
        let after = at.moved(at.longest(&predictor), &predictor).mu();
        let centring = (after / mu).powi(3) * mu;
        let towards = |mu: f64, predictor: Option<&Direction>| {
            let targets = at.targets(mu, predictor);
            let direction = newton.direction(&at, &residuals, &targets, Exactness::Refined);
            let step = (FRACTION * at.longest(&direction)).min(1.0);
            (step, at.moved(step, &direction))
        };
        let (mut step, mut next) = towards(centring, Some(&predictor));
        if next.mu() >= mu {
            (step, next) = towards(CENTRING * mu, None);
        }
        if step.is_nan() || step <= 1e-12 {
            break;
        }
        at = next;
        px = hessian.multiply(at.x.view());
    }
    match best {
        Some(best) => Ok(best),
        // Not even the starting point has finite numbers.
        None => Ok(programme.judge(at.x, px.view(), NAME, 0, stop.tolerance)),
    }
}

impl Iterate {
    /// In the middle of short intervals, one above the lower bound of long ones.
    fn start(programme: &Programme<'_>, hessian: &impl Hessian) -> Self {
        let (lower, upper) = (programme.lower, programme.upper);
        let x = Zip::from(lower).and(upper).map_collect(|&l, &u| l + ((u - l) / 2.0).min(1.0));
        let gradient = hessian.multiply(x.view()) + programme.linear;
        let scale = gradient.iter().fold(1.0, |m: f64, g| m.max(g.abs()));
        let inside = |x: f64, l: f64, u: f64| {
            let (s, r) = (x - l, u - x);
            // z s = v r at the start.
            Bounded { s, r, z: scale * s.min(r) / s, v: scale * s.min(r) / r }
        };
        let bounds = (0..x.len()).map(|i| inside(x[i], lower[i], upper[i])).collect();
        let [low, high] = programme.range;
        let width = high - low;
        let sum = programme.normal.dot(&x);
        let t = match width > 0.0 {
            true => sum.clamp(low + 0.1 * width, high - 0.1 * width),
            false => low,
        };
        let range = (width > 0.0).then(|| inside(t, low, high));
        Self { x, y: 0.0, t, bounds, range }
    }

    fn all(&self) -> impl Iterator<Item = &Bounded> {
        self.bounds.iter().chain(&self.range)
    }

    /// The mean complementarity product.
    fn mu(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for bounded in self.all() {
            sum += bounded.products();
            count += 2.0;
        }
        sum / count
    }

    fn residuals(&self, programme: &Programme<'_>, px: ArrayView1<'_, f64>) -> Residuals {
        let mut dual = &px + &programme.linear;
        dual.scaled_add(self.y, &programme.normal);
        for (dual, b) in dual.iter_mut().zip(&self.bounds) {
            *dual += b.v - b.z;
        }
        let range = self.range.map_or(0.0, |b| b.v - b.z - self.y);
        Residuals { dual, range, primal: programme.normal.dot(&self.x) - self.t }
    }

    /// Right sides for z s = v r = μ, corrected for a predicted step.
    fn targets(&self, mu: f64, step: Option<&Direction>) -> Vec<Targets> {
        let steps = |i: usize| match step {
            None => [0.0; 3],
            Some(step) => match step.bounds.get(i) {
                Some(step) => *step,
                None => step.range.unwrap_or_default(),
            },
        };
        self.all().enumerate().map(|(i, b)| b.targets(mu, steps(i))).collect()
    }

    fn longest(&self, step: &Direction) -> f64 {
        let steps = step.bounds.iter().chain(&step.range);
        self.all().zip(steps).map(|(b, &step)| b.longest(step)).fold(1.0, f64::min)
    }

    fn moved(&self, step: f64, by: &Direction) -> Self {
        let bounds = self.bounds.iter().zip(&by.bounds).map(|(b, &by)| b.moved(step, by));
        Self {
            x: &self.x + &(&by.dx * step),
            y: self.y + step * by.dy,
            t: self.t + step * by.dt,
            bounds: bounds.collect(),
            range: self.range.zip(by.range).map(|(b, by)| b.moved(step, by)),
        }
    }
}

/// How well Newton's equations are solved.
#[derive(Clone, Copy, Debug)]
enum Exactness {
    /// By the decomposition alone: enough to choose the centring by.
    Rough,
    /// With a step of refinement.
    Refined,
}

/// Newton's equations at an iterate, decomposed.
struct Newton<'a, H: Hessian> {
    normal: ArrayView1<'a, f64>,
    hessian: &'a H,
    /// D of the variables.
    barrier: Array1<f64>,
    shifted: H::Shifted<'a>,
    /// (P + D)⁻¹ c.
    solved: Array1<f64>,
    /// cᵀ (P + D)⁻¹ c + 1 / D_t.
    schur: f64,
    /// 1 / D_t; 0 for an equation.
    give: f64,
}

impl<'a, H: Hessian> Newton<'a, H> {
    fn new(normal: ArrayView1<'a, f64>, hessian: &'a H, at: &Iterate) -> Result<Self> {
        let barrier: Array1<f64> = at.bounds.iter().map(Bounded::barrier).collect();
        let shifted = hessian.shifted(barrier.view())?;
        let give = at.range.map_or(0.0, |b| 1.0 / b.barrier());
        let mut newton =
            Self { normal, hessian, barrier, shifted, solved: Array1::zeros(0), schur: 0.0, give };
        newton.solved = newton.refined(normal);
        newton.schur = normal.dot(&newton.solved) + give;
        Ok(newton)
    }

    /// (P + D)⁻¹ b with one step of refinement, for what the decomposition lifted.
    fn refined(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let x = self.shifted.solve(b);
        let left = &b - &self.hessian.multiply(x.view()) - &self.barrier * &x;
        x + self.shifted.solve(left.view())
    }

    fn direction(
        &self,
        at: &Iterate,
        left: &Residuals,
        targets: &[Targets],
        exactness: Exactness,
    ) -> Direction {
        let mut right = -&left.dual;
        for ((right, b), &target) in right.iter_mut().zip(&at.bounds).zip(targets) {
            *right += b.push(target);
        }
        let of_range = at.range.zip(targets.get(at.bounds.len()).copied());
        let right_t = of_range.map_or(0.0, |(b, target)| b.push(target) - left.range);

        let free = match exactness {
            Exactness::Rough => self.shifted.solve(right.view()),
            Exactness::Refined => self.refined(right.view()),
        };
        let dy = (self.normal.dot(&free) - right_t * self.give + left.primal) / self.schur;
        let dx = free - &self.solved * dy;
        let dt = (right_t + dy) * self.give;

        let step = |b: &Bounded, dx: f64, target: Targets| {
            let [dz, dv] = b.duals(dx, target);
            [dx, dz, dv]
        };
        let bounds = at.bounds.iter().zip(&dx).zip(targets);
        let bounds = bounds.map(|((b, &dx), &target)| step(b, dx, target)).collect();
        let range = of_range.map(|(b, target)| step(&b, dt, target));
        Direction { dx, dy, dt, bounds, range }
    }
}
