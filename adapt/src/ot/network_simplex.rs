//! Exact optimal transport by the network simplex.
//!
//! ```text
//! min Σ c_ij P_ij        P ≥ 0, P 1 = a, Pᵀ 1 = b
//! max aᵀu + bᵀv          u_i + v_j ≤ c_ij
//! ```
//! Bonneel, van de Panne, Paris & Heidrich, "Displacement Interpolation Using Lagrangian Mass
//! Transport", SIGGRAPH Asia 2011, on the network simplex with block search of Kovács,
//! "Minimum-cost Flow Algorithms: An Experimental Evaluation", 2015.
//!
//! Arcs are never stored: arc (i, j) is the place i m + j of the cost matrix. Masses are whole
//! numbers of 2⁻⁶⁰ of the total, so that flows are exact, and strongly feasible trees keep
//! degenerate pivots (all of them, for uniform masses) from cycling. Time grows somewhat faster
//! than n m; memory is the cost matrix and about 50 bytes a row and column.
//!
//! Differences from the paper:
//! 1. The first plan is greedy by reduced costs; arcs between rows and the root, which never carry
//!    flow, join its components.

use ndarray::{Array1, Array2};

use super::{
    Entry, Problem, SparsePlan,
    greedy::{self, WholeMasses},
    tree::Tree,
};
use crate::{
    certificate::{Certificate, Measure},
    error::{Error, Result},
    progress::{Residual, is_watched, report},
};

const NAME: &str = "network simplex";

/// The relative gap of a converged answer.
const GAP: f64 = 1e-10;

/// A report, which costs a walk over the cost matrix, comes once in so many resets of the potentials.
const REPORT: usize = 2;

/// What rounding may do to a reduced cost, relative to the costs in it.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// Costs are wide when the largest is so many times the usual one.
const WIDE: f64 = 1e3;

/// Costs that say what is usual.
const SAMPLE: usize = 4097;

/// The options of [`emd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emd {
    /// The most pivots. Every start ends at the optimum after finitely many, so that this only
    /// bounds the time; the plan of an early end has the right marginals and too high a cost.
    pub max_pivots: usize,
}

impl Default for Emd {
    /// No bound.
    fn default() -> Self {
        Self { max_pivots: usize::MAX }
    }
}

/// An exact plan and its proof.
#[derive(Clone, Debug)]
pub struct Exact {
    /// P.
    pub plan: SparsePlan,
    /// Σ c_ij P_ij.
    pub cost: f64,
    /// u `(n,)`, with v a feasible solution of the dual problem: u_i + v_j ≤ c_ij for all i, j.
    pub u: Array1<f64>,
    /// v `(m,)`, v_j = min_i c_ij − u_i.
    pub v: Array1<f64>,
    /// [`Measure::DualityGap`]: the cost minus aᵀu + bᵀv, which bounds how far above the optimum
    /// the cost can be.
    pub certificate: Certificate,
}

/// The cheapest plan. b is scaled to the sum of a, from which it may differ by 1e-9 of it.
///
/// # Errors
/// [`Error::Degenerate`] for unequal sums, [`Error::Shape`] past 2³¹ rows and columns.
pub fn emd(problem: &Problem<'_>, options: &Emd) -> Result<Exact> {
    problem.balanced("exact transport")?;
    let (n, m) = problem.dim();
    if n + m >= 1 << 31 {
        return Err(Error::shape("cost matrix", "fewer than 2³¹ rows and columns", n + m));
    }
    let masses = WholeMasses::new(problem.a(), problem.b());
    let support = |masses: &[i64]| -> Vec<usize> {
        masses.iter().enumerate().filter(|(_, mass)| **mass > 0).map(|(i, _)| i).collect()
    };
    let (rows, columns) = (support(&masses.supplies), support(&masses.demands));
    let solved = if (rows.len(), columns.len()) == (n, m) {
        Simplex::new(&masses, problem.costs()).solve(options, masses.total)
    } else {
        // Rows and columns without mass take no part: an empty arc into a column would break the
        // strong feasibility of the tree.
        let costs: Vec<f64> = rows
            .iter()
            .flat_map(|&i| columns.iter().map(move |&j| problem.costs()[i * m + j]))
            .collect();
        let masses = WholeMasses {
            supplies: rows.iter().map(|&i| masses.supplies[i]).collect(),
            demands: columns.iter().map(|&j| masses.demands[j]).collect(),
            total: masses.total,
        };
        Simplex::new(&masses, &costs).solve(options, masses.total)
    };
    Ok(solved.certify(problem, &rows, &columns, masses.total))
}

struct Simplex<'a> {
    tree: Tree,
    costs: &'a [f64],
    n: usize,
    m: usize,
    /// Reduced costs above −this count as 0.
    tolerance: f64,
    /// Whether some costs are so much larger than others that each arc has a tolerance of its own.
    wide: bool,
    /// Arcs that are looked at before the best of them is taken.
    block: usize,
    /// Where the search goes on.
    row: usize,
    column: usize,
}

/// What the simplex ended with, on the rows and columns that have mass.
struct Solved {
    flows: Vec<greedy::Flow>,
    rows: Vec<f64>,
    columns: Vec<f64>,
    pivots: usize,
}

impl<'a> Simplex<'a> {
    fn new(masses: &WholeMasses, costs: &'a [f64]) -> Self {
        let (n, m) = (masses.supplies.len(), masses.demands.len());
        let start = greedy::start(masses, costs);
        let largest = costs.iter().fold(0.0, |largest: f64, c| largest.max(c.abs()));
        let wide = largest > WIDE * usual(costs);
        Self {
            tree: Tree::new(n, m, &start.flows, start.rows, costs),
            costs,
            n,
            m,
            // Of wide costs what twofold potentials lose along the tree; see [`least_wide_sum`].
            tolerance: largest * if wide { 2f64.powi(-98) } else { ROUNDING },
            wide,
            block: ((costs.len() as f64).sqrt() as usize).max(64),
            row: 0,
            column: 0,
        }
    }

    /// `total` is the mass of each side.
    fn solve(mut self, options: &Emd, total: i64) -> Solved {
        let mut pivots = 0;
        let (mut since_reset, mut resets) = (0, 0);
        while pivots < options.max_pivots {
            match self.entering() {
                Some((row, column)) => {
                    let cost = self.costs[row * self.m + column];
                    self.tree.pivot(row as u32, (self.n + column) as u32, cost);
                    pivots += 1;
                    since_reset += 1;
                    if since_reset >= self.n + self.m {
                        self.tree.reset_potentials(self.costs);
                        since_reset = 0;
                        resets += 1;
                        if resets % REPORT == 0 && is_watched() {
                            let residual = Residual { now: self.gap(total), wanted: GAP };
                            report(NAME, pivots, None, Some(residual));
                        }
                    }
                }
                None if since_reset > 0 => {
                    // Optimal up to the rounding of the updates: look again without it.
                    self.tree.reset_potentials(self.costs);
                    since_reset = 0;
                }
                None => break,
            }
        }
        self.tree.reset_potentials(self.costs);
        Solved {
            flows: self.tree.flows().collect(),
            rows: self.tree.potential[..self.n].to_vec(),
            columns: self.tree.potential[self.n..self.n + self.m].iter().map(|v| -v).collect(),
            pivots,
        }
    }

    /// How far the cost of the plan is above the optimum at most, relative to the cost: no flow of the
    /// total mass can gain more than the least reduced cost a unit.
    fn gap(&self, total: i64) -> f64 {
        let (rows, columns) = self.tree.potential[..self.n + self.m].split_at(self.n);
        let mut least = 0f64;
        for (costs, u) in self.costs.chunks_exact(self.m).zip(rows) {
            least = costs.iter().zip(columns).fold(least, |least, (c, v)| least.min(c + v - u));
        }
        let paid: f64 = self
            .tree
            .flows()
            .map(|flow| {
                let place = flow.row as usize * self.m + flow.column as usize;
                flow.mass as f64 / total as f64 * self.costs[place]
            })
            .sum();
        -least / paid.abs().max(f64::MIN_POSITIVE)
    }

    /// The arc of least reduced cost in the first block that has one below the tolerance.
    fn entering(&mut self) -> Option<(usize, usize)> {
        let (n, m) = (self.n, self.m);
        let (rows, columns) = self.tree.potential[..n + m].split_at(n);
        let (low_rows, low_columns) = self.tree.low[..n + m].split_at(n);
        let mut best = None;
        let mut least = -self.tolerance;
        let (mut in_block, mut seen) = (0, 0);
        while seen < n * m {
            let end = m.min(self.column + self.block - in_block);
            let piece = self.column..end;
            let costs = &self.costs[self.row * m..(self.row + 1) * m];
            let (c, y, u) = (&costs[piece.clone()], &columns[piece.clone()], rows[self.row]);
            let found = match self.wide {
                true => {
                    let low = (&low_columns[piece], low_rows[self.row]);
                    least_wide_sum(c, (y, u), low, least)
                }
                false => least_sum(c, y, least + u).map(|(place, sum)| (place, sum - u)),
            };
            if let Some((place, reduced)) = found {
                least = reduced;
                best = Some((self.row, self.column + place));
            }
            in_block += end - self.column;
            seen += end - self.column;
            self.column = end;
            if self.column == m {
                self.column = 0;
                self.row = (self.row + 1) % n;
            }
            if in_block >= self.block {
                if best.is_some() {
                    break;
                }
                in_block = 0;
            }
        }
        best
    }
}

/// The place and value of the least c_j + y_j where it is below `bound`.
fn least_sum(c: &[f64], y: &[f64], bound: f64) -> Option<(usize, f64)> {
    const LANES: usize = 8;
    let mut lanes = [bound; LANES];
    let (c_chunks, y_chunks) = (c.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = c_chunks.remainder().iter().zip(y_chunks.remainder());
    for (c, y) in c_chunks.zip(y_chunks) {
        for ((least, c), y) in lanes.iter_mut().zip(c).zip(y) {
            let sum = c + y;
            *least = if sum < *least { sum } else { *least };
        }
    }
    let least = lanes.into_iter().chain(rest.map(|(c, y)| c + y)).fold(bound, f64::min);
    if least >= bound {
        return None;
    }
    let place = c.iter().zip(y).position(|(c, y)| c + y == least)?;
    Some((place, least))
}

/// The place and value of the least c_j + y_j − u + δ |c_j| that is below `bound`, of twofold potentials:
/// δ is what rounding may do to the terms that are left when y_j and u cancel, however large they are.
fn least_wide_sum(
    c: &[f64],
    (y, u): (&[f64], f64),
    (low_y, low_u): (&[f64], f64),
    bound: f64,
) -> Option<(usize, f64)> {
    let mut found = None;
    let mut least = bound;
    for (place, ((c, y), low_y)) in c.iter().zip(y).zip(low_y).enumerate() {
        let reduced = (c + (y - u)) + (low_y - low_u) + ROUNDING * c.abs();
        if reduced < least {
            least = reduced;
            found = Some((place, reduced));
        }
    }
    found
}

/// The median magnitude of some costs.
fn usual(costs: &[f64]) -> f64 {
    let step = costs.len().div_ceil(SAMPLE).max(1);
    let mut sample: Vec<f64> = costs.iter().step_by(step).map(|c| c.abs()).collect();
    match sample.len() {
        0 => 0.0,
        n => *sample.select_nth_unstable_by(n / 2, f64::total_cmp).1,
    }
}

impl Solved {
    fn certify(
        self,
        problem: &Problem<'_>,
        rows: &[usize],
        columns: &[usize],
        total: i64,
    ) -> Exact {
        let (a, b, cost) = (problem.a(), problem.b(), problem.cost());
        let unit = a.sum() / total as f64;
        // Rounding of masses leaves flows of few units, far below the last place of the total.
        let dust = total >> 55;
        let mut entries: Vec<Entry> = self
            .flows
            .iter()
            .filter(|flow| flow.mass > dust)
            .map(|flow| Entry {
                row: rows[flow.row as usize] as u32,
                column: columns[flow.column as usize] as u32,
                mass: flow.mass as f64 * unit,
            })
            .collect();
        entries.sort_unstable_by_key(|entry| (entry.row, entry.column));
        let plan = SparsePlan { dim: problem.dim(), entries };
        let primal: f64 = plan
            .entries
            .iter()
            .map(|entry| entry.mass * cost[(entry.row as usize, entry.column as usize)])
            .sum();

        let (u, v) = feasible(problem, rows, columns, &self.rows, &self.columns);
        let dual = a.dot(&u) + b.dot(&v) * (a.sum() / b.sum());
        let gap = (primal - dual).max(0.0) / primal.abs().max(1.0);
        let certificate = Certificate::new(NAME, self.pivots, Measure::DualityGap, gap, GAP);
        Exact { plan, cost: primal, u, v, certificate }
    }
}

/// Potentials of all rows and columns that violate no constraint: those of rows without mass as
/// large as the columns with mass allow, then v_j = min_i c_ij − u_i.
fn feasible(
    problem: &Problem<'_>,
    rows: &[usize],
    columns: &[usize],
    row_potentials: &[f64],
    column_potentials: &[f64],
) -> (Array1<f64>, Array1<f64>) {
    let (n, m) = problem.dim();
    let mut u = Array1::from_elem(n, f64::INFINITY);
    rows.iter().zip(row_potentials).for_each(|(&i, &potential)| u[i] = potential);
    let mut v = Array1::from_elem(m, f64::INFINITY);
    for (u, row) in u.iter_mut().zip(problem.costs().chunks_exact(m)) {
        if u.is_infinite() {
            let slack = columns.iter().zip(column_potentials).map(|(&j, v)| row[j] - v);
            *u = slack.fold(f64::INFINITY, f64::min);
        }
        for (v, c) in v.iter_mut().zip(row) {
            *v = v.min(c - *u);
        }
    }
    (u, v)
}

impl Exact {
    /// P `(n, m)`.
    pub fn dense(&self) -> Array2<f64> {
        self.plan.dense()
    }
}

#[cfg(test)]
mod tests {
    use microlp::{ComparisonOp, OptimizationDirection, Problem as Lp};
    use ndarray::array;
    use pathfinding::prelude::{Matrix, kuhn_munkres_min};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn solve(a: &Array1<f64>, b: &Array1<f64>, cost: &Array2<f64>) -> Exact {
        emd(&Problem::new(a.view(), b.view(), cost.view()).unwrap(), &Emd::default()).unwrap()
    }

    #[test]
    fn a_plan_by_hand() {
        // Row 0 is cheapest at column 0, which takes 0.25 of its 0.5.
        let cost = array![[0.0, 2.0], [3.0, 1.0]];
        let exact = solve(&array![0.5, 0.5], &array![0.25, 0.75], &cost);
        assert_eq!(exact.dense(), array![[0.25, 0.25], [0.0, 0.5]]);
        assert_eq!(exact.cost, 1.0);
        assert!(exact.certificate.converged);
    }

    #[test]
    fn one_row_and_masses_of_zero() {
        let exact = solve(&array![1.0], &array![0.0, 0.5, 0.5], &array![[9.0, 1.0, 3.0]]);
        assert_eq!(exact.dense(), array![[0.0, 0.5, 0.5]]);
        assert_eq!((exact.cost, exact.certificate.residual), (2.0, 0.0));
        let cost = array![[4.0, 1.0], [-5.0, -9.0], [1.0, 0.0]];
        let exact = solve(&array![0.5, 0.0, 0.5], &array![1.0, 0.0], &cost);
        assert_eq!(exact.dense(), array![[0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]);
        assert!(exact.certificate.converged);
    }

    #[test]
    fn an_early_end_says_so() {
        let cost = Array2::from_shape_fn((12, 12), |(i, j)| {
            ((i * i * 7 + j * j * 11 + i * j * 5) % 23) as f64
        });
        let problem = Problem::uniform(cost.view()).unwrap();
        let early = emd(&problem, &Emd { max_pivots: 0 }).unwrap();
        let exact = emd(&problem, &Emd::default()).unwrap();
        assert!(early.cost > exact.cost && exact.certificate.converged);
        assert!(!early.certificate.converged);
        assert!(
            early.cost - early.certificate.residual * early.cost.max(1.0) <= exact.cost + 1e-12
        );
    }

    fn lp(a: &Array1<f64>, b: &Array1<f64>, cost: &Array2<f64>) -> f64 {
        // The solver meets constraints within an absolute 1e-7, which has to be small beside masses.
        const SCALE: f64 = 1e6;
        let mut lp = Lp::new(OptimizationDirection::Minimize);
        let p = cost.mapv(|c| lp.add_var(c, (0.0, f64::INFINITY)));
        for (row, &mass) in p.rows().into_iter().zip(a) {
            lp.add_constraint(row.iter().map(|&p| (p, 1.0)), ComparisonOp::Eq, SCALE * mass);
        }
        // One constraint follows from the others.
        for (column, &mass) in p.columns().into_iter().zip(b).skip(1) {
            lp.add_constraint(column.iter().map(|&p| (p, 1.0)), ComparisonOp::Eq, SCALE * mass);
        }
        lp.solve().unwrap().into_solution().unwrap().objective() / SCALE
    }

    prop_compose! {
        fn problem()(n in 1usize..9, m in 1usize..9)(
            a in vec(0u8..9, n), b in vec(0u8..9, m),
            cost in vec(-3.0..9.0f64, n * m), n in Just(n), m in Just(m),
        ) -> (Array1<f64>, Array1<f64>, Array2<f64>) {
            let masses = |x: Vec<u8>| {
                let mut x = Array1::from_iter(x.into_iter().map(f64::from));
                x[0] += 1.0;
                &x / x.sum()
            };
            (masses(a), masses(b), Array2::from_shape_vec((n, m), cost).unwrap())
        }
    }

    /// A row and a column that lie far off (a code for a missing value) leave the others their optimum.
    #[test]
    fn far_rows_leave_the_others_their_plan() {
        let n = 24;
        for far in [1i64 << 20, 1 << 40, 1 << 49] {
            let costs = |i: usize, j: usize| -> i64 {
                let near = ((i * i * 31 + j * 17 + i * j * 7) % 101) as i64;
                match (i == 5, j == 9) {
                    (false, false) => near,
                    (true, true) => 3,
                    _ => far + 1000 * near,
                }
            };
            let cost = Array2::from_shape_fn((n, n), |(i, j)| costs(i, j) as f64);
            let exact = emd(&Problem::uniform(cost.view()).unwrap(), &Emd::default()).unwrap();
            let total = kuhn_munkres_min(&Matrix::from_fn(n, n, |(i, j)| costs(i, j))).0;
            let paid: i64 =
                exact.plan.entries.iter().map(|e| costs(e.row as usize, e.column as usize)).sum();
            assert_eq!((exact.plan.entries.len(), paid), (n, total), "{far}");

            // One more column: some mass of the far row has to go to ordinary ones, which then hang from
            // its costs. The optimum of the ordinary rows is that of the problem without it.
            let m = n + 1;
            let cost = Array2::from_shape_fn((n, m), |(i, j)| costs(i, j) as f64);
            let exact = emd(&Problem::uniform(cost.view()).unwrap(), &Emd::default()).unwrap();
            // In units of 1/(n m), every row has m and every column n.
            let units = |e: &Entry| (e.mass * (n * m) as f64).round() as i64;
            let of_far = |e: &&Entry| e.row == 5;
            let rest: Vec<_> = exact.plan.entries.iter().filter(|e| !of_far(e)).collect();
            let mut left = vec![n as i64; m];
            exact
                .plan
                .entries
                .iter()
                .filter(of_far)
                .for_each(|e| left[e.column as usize] -= units(e));
            let rows: Vec<usize> = (0..n).filter(|&i| i != 5).collect();
            let columns: Vec<usize> = (0..m).filter(|&j| left[j] > 0).collect();
            let b: Array1<f64> = columns.iter().map(|&j| left[j] as f64).collect();
            let a = Array1::from_elem(rows.len(), m as f64);
            let ordinary = Array2::from_shape_fn((rows.len(), columns.len()), |(i, j)| {
                costs(rows[i], columns[j]) as f64
            });
            let optimum = solve(&a, &b, &ordinary).cost.round() as i64;
            let paid: i64 =
                rest.iter().map(|e| units(e) * costs(e.row as usize, e.column as usize)).sum();
            assert_eq!(paid, optimum, "{far}");
        }
    }

    proptest! {
        #[test]
        fn plans_are_optimal((a, b, cost) in problem()) {
            let exact = solve(&a, &b, &cost);
            let (rows, columns) = exact.plan.marginals();
            prop_assert!(rows.abs_diff_eq(&a, 1e-14) && columns.abs_diff_eq(&b, 1e-14));
            prop_assert!(exact.plan.entries.len() < a.len() + b.len());
            prop_assert!(exact.certificate.residual < 1e-13, "{:?}", exact.certificate);
            for ((i, j), c) in cost.indexed_iter() {
                prop_assert!(exact.u[i] + exact.v[j] <= c + 1e-13);
            }
            prop_assert!((exact.cost - lp(&a, &b, &cost)).abs() < 1e-9);
        }

        #[test]
        fn assignments_are_those_of_kuhn_and_munkres(n in 1usize..30, seed in 0usize..1000) {
            let costs = |i: usize, j: usize| (i * i * 31 + j * 17 + i * j * seed) % 101;
            let weights = Matrix::from_fn(n, n, |(i, j)| costs(i, j) as i64);
            let (total, _) = kuhn_munkres_min(&weights);
            let cost = Array2::from_shape_fn((n, n), |(i, j)| costs(i, j) as f64);
            let exact = emd(&Problem::uniform(cost.view()).unwrap(), &Emd::default()).unwrap();
            prop_assert!((exact.cost * n as f64 - total as f64).abs() < 1e-9);
            prop_assert_eq!(exact.plan.entries.len(), n);
        }
    }
}
