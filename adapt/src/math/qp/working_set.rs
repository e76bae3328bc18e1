//! For a P too large to hold and an answer with most variables at a bound: working sets.
//!
//! All variables but those of a set W stay where they are, and the programme of W is solved by the
//! interior point:
//! ```text
//! min ½ x_Wᵀ P_WW x_W + (q_W + P_WN x_N)ᵀ x_W    over the box and the range that x_N leaves
//! ```
//! Then every variable's share of the duality gap is known from P x, which takes the columns of W
//! alone. Variables outside W with the largest shares enter, many at a time; once most of W rests
//! at a bound these leave, each only once, so that sets do not go round in circles (Osuna, Freund &
//! Girosi, "An Improved Training Algorithm for Support Vector Machines", NNSP 1997). What enters
//! is half the worst and half spread over the others: neighbours violate alike, and one of them
//! often serves for all.
//!
//! The end is that of the whole programme: its gap, with P x summed anew.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::{Dense, Programme, Solution, Stop, interior};
use crate::{
    error::Result,
    math::parallel,
    progress::{Residual, report, within},
};

const NAME: &str = "working set";

/// Rows of P that are made together where they are not kept.
const BLOCK: usize = 256;

/// The memory that columns of P may take, in bytes.
const CACHE: usize = 1 << 30;

/// A set's programme is solved to this share of the gap of the whole one: a slope that is a little
/// wrong is multiplied by the bounds of all the variables outside, and an interior point shows only
/// near its end which variables rest at a bound. The few iterations more are won back by smaller
/// sets.
const FINER: f64 = 1e-6;

/// No set's programme is solved less exactly.
const ROUGH: f64 = 1e-4;

/// No set's programme is solved more exactly, in units of the tolerance of the whole one; rounding
/// is near.
const EXACT: f64 = 1e-3;

/// A variable rests at a bound when its distance from there is below this share of its multiplier,
/// both relative to the set's largest.
const REST: f64 = 1e-2;

/// How far the method goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Variables of the first set.
    pub(super) first: usize,
    /// The most variables of a set.
    pub(super) most: usize,
    /// Variables up to which a programme with more than 3/4 of them in the set is solved whole.
    pub(super) whole: usize,
    /// Sets.
    pub(super) rounds: usize,
}

impl Limits {
    fn of(n: usize) -> Self {
        let most = (CACHE / (8 * n.max(1))).clamp(256, 5_000);
        Self { first: 128, most, whole: 4_000, rounds: 60 }
    }
}

impl Programme<'_> {
    /// Minimises with P known by its columns: `columns(W)` is P_W, `(|W|, n)`.
    ///
    /// O(n |W| + |W|²) memory, at most 1 GiB of kept columns up to 500,000 variables, and
    /// O(n |W| + |W|³) a round beside the columns; |W| ≤ 5,000.
    /// Where sets need more than 3/4 of up to 4,000 variables, P is made and solved whole.
    ///
    /// # Errors
    /// Those of [`Programme::solve`] and of `columns`.
    pub fn solve_by_columns(
        &self,
        columns: impl Fn(&[usize]) -> Result<Array2<f64>>,
        stop: Stop,
    ) -> Result<Solution> {
        self.check(self.linear.len())?;
        solve(self, &columns, stop, Limits::of(self.linear.len()))
    }
}

type Columns<'a> = &'a dyn Fn(&[usize]) -> Result<Array2<f64>>;

pub(super) fn solve(
    programme: &Programme<'_>,
    columns: Columns<'_>,
    stop: Stop,
    limits: Limits,
) -> Result<Solution> {
    let n = programme.linear.len();
    if n <= 2 * limits.first {
        return whole(programme, columns, stop);
    }
    let mut at = Iterate::start(*programme, columns)?;
    let mut best: Option<Solution> = None;
    let (mut overflowed, mut refined) = (false, false);
    for round in 0..=limits.rounds {
        let mut answer = at.judge(round, stop);
        if answer.certificate.converged {
            at.px = product(columns, &at.x)?;
            answer = at.judge(round, stop);
        }
        let residual = answer.certificate.residual;
        let now = Residual { now: residual, wanted: stop.tolerance };
        report(NAME, round, Some(limits.rounds), Some(now));
        let unit = answer.objective.abs().max(1.0);
        if best.as_ref().is_none_or(|b| residual.total_cmp(&b.certificate.residual).is_lt()) {
            best = Some(answer);
        }
        if residual <= stop.tolerance || round == limits.rounds {
            break;
        }
        let entering = if round == 0 {
            at.first(limits.first)
        } else {
            at.release();
            let least = stop.tolerance * unit / (4 * n) as f64;
            at.entering(least, limits.first.max(at.set.len() / 2))
        };
        if n <= limits.whole && 4 * (at.set.len() + entering.len()) > 3 * n {
            break;
        }
        // Nothing is wrong outside the set: its own programme has to be solved better, once.
        if entering.is_empty() && std::mem::replace(&mut refined, true) {
            break;
        }
        overflowed |= at.make_room(entering.len(), limits.most);
        at.add(&entering)?;
        let least = stop.tolerance * EXACT * if refined { 0.1 } else { 1.0 };
        let tolerance = if refined { least } else { (residual * FINER).clamp(least, ROUGH) };
        within(|| at.minimise(tolerance * unit, stop.iterations))?;
    }
    let Some(best) = best.filter(|b| b.certificate.converged || n > limits.whole) else {
        return whole(programme, columns, stop);
    };
    Ok(match overflowed && !best.certificate.converged {
        true => with_note(best, limits.most),
        false => best,
    })
}

fn with_note(mut solution: Solution, most: usize) -> Solution {
    solution.certificate = solution.certificate.with_note(format!(
        "more than {most} variables leave their bounds, and they were moved in turns: a wider \
         kernel or fewer rows have fewer of them"
    ));
    solution
}

fn whole(programme: &Programme<'_>, columns: Columns<'_>, stop: Stop) -> Result<Solution> {
    let all: Vec<usize> = (0..programme.linear.len()).collect();
    let p = columns(&all)?;
    interior::solve(programme, &Dense(p.view()), stop)
}

/// P x by the columns of the variables that are not 0.
fn product(columns: Columns<'_>, x: &Array1<f64>) -> Result<Array1<f64>> {
    let rows: Vec<usize> = (0..x.len()).filter(|&i| x[i] != 0.0).collect();
    let mut px = Array1::zeros(x.len());
    for rows in rows.chunks(BLOCK) {
        let block = columns(rows)?;
        let scales: Vec<f64> = rows.iter().map(|&i| x[i]).collect();
        let block: Vec<Vec<f64>> = block.rows().into_iter().map(|row| row.to_vec()).collect();
        add_scaled(&mut px, &scales, &block);
    }
    Ok(px)
}

/// y += Σ_k s_k v_k.
fn add_scaled<V: AsRef<[f64]> + Sync>(y: &mut Array1<f64>, s: &[f64], v: &[V]) {
    /// Numbers that stay near while all terms are added to them.
    const PIECE: usize = 1 << 12;
    parallel::for_each_piece(y.as_slice_mut().unwrap_or_default(), PIECE, |i, piece| {
        let range = i * PIECE..i * PIECE + piece.len();
        for (s, v) in s.iter().zip(v) {
            piece.iter_mut().zip(&v.as_ref()[range.clone()]).for_each(|(y, v)| *y += s * v);
        }
    });
}

/// A variable of the set and its column of P.
struct Member {
    variable: usize,
    column: Vec<f64>,
}

impl AsRef<[f64]> for Member {
    fn as_ref(&self) -> &[f64] {
        &self.column
    }
}

/// Where the method stands.
struct Iterate<'p, 'c> {
    programme: Programme<'p>,
    columns: Columns<'c>,
    x: Array1<f64>,
    /// P x.
    px: Array1<f64>,
    /// y of the set's programme. That of the smallest gap hides all but the worst violations.
    multiplier: f64,
    /// W, those that entered first in front.
    set: Vec<Member>,
    inside: Vec<bool>,
    /// Which variables have left the set.
    left: Vec<bool>,
}

impl<'p, 'c> Iterate<'p, 'c> {
    /// All at the lower bounds but those of the least q_i / |c_i| that go to the upper ones until the
    /// range of cᵀx is one variable away.
    fn start(programme: Programme<'p>, columns: Columns<'c>) -> Result<Self> {
        let Programme { linear, lower, upper, normal, range: [low, high] } = programme;
        let n = linear.len();
        let mut x = lower.to_owned();
        let sum = normal.dot(&x);
        let missing = (low - sum).max(0.0) + (high - sum).min(0.0);
        let mut towards: Vec<usize> = (0..n).filter(|&i| normal[i] * missing > 0.0).collect();
        let cost = |i: usize| linear[i] / normal[i].abs();
        towards.sort_by(|&i, &j| cost(i).total_cmp(&cost(j)));
        let mut way = missing.abs();
        let mut next = None;
        for i in towards {
            way -= normal[i].abs() * (upper[i] - lower[i]);
            if way < 0.0 {
                next = Some(i);
                break;
            }
            x[i] = upper[i];
        }
        let px = product(columns, &x)?;
        let (inside, left) = (vec![false; n], vec![false; n]);
        let mut at =
            Self { programme, columns, x, px, multiplier: 0.0, set: Vec::new(), inside, left };
        at.add(next.as_slice())?;
        Ok(at)
    }

    fn judge(&self, round: usize, stop: Stop) -> Solution {
        self.programme.judge(self.x.clone(), self.px.view(), NAME, round, stop.tolerance)
    }

    /// The derivative of the Lagrangian.
    fn slope(&self, i: usize) -> f64 {
        self.px[i] + self.programme.linear[i] + self.multiplier * self.programme.normal[i]
    }

    /// x_i's share of the gap.
    fn share(&self, i: usize) -> f64 {
        let slope = self.slope(i);
        let bound = if slope > 0.0 { self.programme.lower[i] } else { self.programme.upper[i] };
        slope * (self.x[i] - bound)
    }

    /// The variables that start, by the gradient alone: no multiplier is known yet.
    fn first(&self, count: usize) -> Vec<usize> {
        let outside = (0..self.x.len()).filter(|&i| !self.inside[i]);
        let steepness = |i| (i, self.slope(i).abs() / self.programme.normal[i].abs());
        spread(outside.map(steepness).collect(), count)
    }

    /// Variables outside the set whose share is above the least.
    fn entering(&self, least: f64, count: usize) -> Vec<usize> {
        let outside = (0..self.x.len()).filter(|&i| !self.inside[i]);
        let shares = outside.map(|i| (i, self.share(i)));
        spread(shares.filter(|&(_, share)| share > least).collect(), count)
    }

    /// Takes the variables at their bounds out of a set that consists mostly of them.
    fn release(&mut self) {
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let Programme { lower, upper, .. } = self.programme;
        let off = |i: usize| (self.x[i] - lower[i]).min(upper[i] - self.x[i]);
        let members = || self.set.iter().map(|member| member.variable);
        let x_unit = largest(&mut members().map(off));
        let slope_unit = largest(&mut members().map(|i| self.slope(i).abs()));
        let rests = |i: usize| {
            let (slope, middle) = (self.slope(i), f64::midpoint(lower[i], upper[i]));
            let inwards = (slope > 0.0) == (self.x[i] < middle);
            inwards && off(i) * slope_unit < REST * slope.abs() * x_unit
        };
        let resting: Vec<bool> = members().map(rests).collect();
        if 2 * resting.iter().filter(|&&rests| rests).count() <= self.set.len() {
            return;
        }
        let nearer = |i: usize| {
            if self.slope(i) > 0.0 { lower[i] } else { upper[i] }
        };
        let leaves: Vec<bool> =
            members().zip(&resting).map(|(i, &rests)| rests && !self.left[i]).collect();
        let target = |(i, &leaves): (usize, &bool)| if leaves { nearer(i) } else { self.x[i] };
        let to: Vec<f64> = members().zip(&leaves).map(target).collect();
        self.move_to(&to);
        let mut leaves = leaves.into_iter();
        self.remove(|_| leaves.next().unwrap_or(false));
    }

    /// Takes those out that entered first, where the set would become too large; says whether.
    fn make_room(&mut self, entering: usize, most: usize) -> bool {
        let surplus = (self.set.len() + entering).saturating_sub(most).min(self.set.len());
        let mut at = 0;
        self.remove(|_| {
            at += 1;
            at <= surplus
        });
        surplus > 0
    }

    fn remove(&mut self, mut leaves: impl FnMut(&Member) -> bool) {
        let (inside, left) = (&mut self.inside, &mut self.left);
        self.set.retain(|member| {
            let leaves = leaves(member);
            inside[member.variable] = !leaves;
            left[member.variable] |= leaves;
            !leaves
        });
    }

    fn add(&mut self, variables: &[usize]) -> Result<()> {
        if variables.is_empty() {
            return Ok(());
        }
        let block = (self.columns)(variables)?;
        for (&variable, column) in variables.iter().zip(block.rows()) {
            self.inside[variable] = true;
            self.set.push(Member { variable, column: column.to_vec() });
        }
        Ok(())
    }

    /// Moves the set's variables to the values `to`.
    fn move_to(&mut self, to: &[f64]) {
        let mut steps = Vec::with_capacity(to.len());
        for (member, &to) in self.set.iter().zip(to) {
            steps.push(to - self.x[member.variable]);
            self.x[member.variable] = to;
        }
        add_scaled(&mut self.px, &steps, &self.set);
    }

    /// Solves the set's programme to a gap of `gap`, in the objective's unit.
    fn minimise(&mut self, gap: f64, iterations: usize) -> Result<()> {
        let rows: Vec<usize> = self.set.iter().map(|member| member.variable).collect();
        let k = rows.len();
        let p = Array2::from_shape_fn((k, k), |(i, j)| {
            f64::midpoint(self.set[i].column[rows[j]], self.set[j].column[rows[i]])
        });
        let of = |v: &Array1<f64>| v.select(Axis(0), &rows);
        let x = of(&self.x);
        let own = p.dot(&x);
        let select = |v: ArrayView1<'_, f64>| v.select(Axis(0), &rows);
        let linear = select(self.programme.linear) + of(&self.px) - &own;
        let (lower, upper) = (select(self.programme.lower), select(self.programme.upper));
        let normal = select(self.programme.normal);
        let others = self.programme.normal.dot(&self.x) - normal.dot(&x);
        let range = self.programme.range.map(|limit| limit - others);
        let inner = Programme {
            linear: linear.view(),
            lower: lower.view(),
            upper: upper.view(),
            normal: normal.view(),
            range: within_reach(range, &lower, &upper, &normal),
        };
        // The interior point measures against the objective of its own programme.
        let unit = (x.dot(&own) / 2.0 + linear.dot(&x)).abs().max(1.0);
        let stop = Stop { tolerance: (gap / unit).max(1e-14), iterations };
        let solution = inner.solve(&Dense(p.view()), stop)?;
        self.multiplier = solution.multiplier;
        self.move_to(&solution.x.to_vec());
        Ok(())
    }
}

/// The range where the box meets it: rounding may have moved it past by a little.
fn within_reach(
    [low, high]: [f64; 2],
    lower: &Array1<f64>,
    upper: &Array1<f64>,
    normal: &Array1<f64>,
) -> [f64; 2] {
    let ends = || normal.iter().zip(lower.iter().zip(upper));
    let least: f64 = ends().map(|(c, (l, u))| (c * l).min(c * u)).sum();
    let most: f64 = ends().map(|(c, (l, u))| (c * l).max(c * u)).sum();
    [low.min(most), high.max(least)]
}

/// Half of `count` by the largest value, half evenly spread over the others in that order.
fn spread(mut values: Vec<(usize, f64)>, count: usize) -> Vec<usize> {
    values.sort_by(|a, b| b.1.total_cmp(&a.1));
    let order: Vec<usize> = values.into_iter().map(|(i, _)| i).collect();
    if order.len() <= count {
        return order;
    }
    let (top, rest) = order.split_at(count / 2);
    let spread = count - top.len();
    let others = (0..spread).map(|k| rest[k * rest.len() / spread]);
    top.iter().copied().chain(others).collect()
}
