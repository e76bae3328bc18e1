//! Whole masses and a first plan for the network simplex.

use ndarray::ArrayView1;

/// The total of whole masses: far below i64's end, and 2⁸ steps below f64's rounding of the total.
const TOTAL: i64 = 1 << 60;

/// Masses in whole units, with equal sums: flows of the simplex are exact, and so are ties.
pub(super) struct WholeMasses {
    pub(super) supplies: Vec<i64>,
    pub(super) demands: Vec<i64>,
    /// The sum of each side.
    pub(super) total: i64,
}

impl WholeMasses {
    /// Both sides in the unit in which uniform masses are whole, else in 2⁻⁶⁰ of the total.
    pub(super) fn new(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> Self {
        let uniform = |x: ArrayView1<'_, f64>| x.iter().all(|&v| v == x[0]);
        if uniform(a) && uniform(b) {
            let (n, m) = (a.len() as i64, b.len() as i64);
            return Self { supplies: vec![m; a.len()], demands: vec![n; b.len()], total: n * m };
        }
        Self { supplies: whole(a), demands: whole(b), total: TOTAL }
    }
}

/// Masses that sum to [`TOTAL`]; what rounding leaves goes to the largest one, of which it is less
/// than 2⁻⁴⁰ for up to a thousand million masses.
fn whole(masses: ArrayView1<'_, f64>) -> Vec<i64> {
    let scale = TOTAL as f64 / masses.sum();
    let mut out: Vec<i64> = masses.iter().map(|&mass| (mass * scale).round() as i64).collect();
    let rest = TOTAL - out.iter().sum::<i64>();
    if let Some(largest) = out.iter_mut().max_by_key(|mass| **mass) {
        *largest += rest;
    }
    out
}

/// An arc of the first plan.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) mass: i64,
}

/// A first plan and the potentials that it was chosen by.
pub(super) struct Start {
    /// A forest: every arc exhausts its row or its column.
    pub(super) flows: Vec<Flow>,
    /// u_i, the least reduced cost of row i.
    pub(super) rows: Vec<f64>,
}

/// Each row in turn sends its mass where c_ij − v_j is least among the columns that still take
/// some, v_j being the least cost of column j.
pub(super) fn start(masses: &WholeMasses, costs: &[f64]) -> Start {
    let m = masses.demands.len();
    let mut least = vec![f64::INFINITY; m];
    for row in costs.chunks_exact(m) {
        for (v, &c) in least.iter_mut().zip(row) {
            *v = c.min(*v);
        }
    }
    let mut left = masses.demands.clone();
    let mut open: Vec<u32> = (0..m as u32).collect();
    let mut flows = Vec::with_capacity(masses.supplies.len() + m);
    let mut rows = Vec::with_capacity(masses.supplies.len());
    for ((i, row), &supply) in costs.chunks_exact(m).enumerate().zip(&masses.supplies) {
        let reduced = |j: u32| row[j as usize] - least[j as usize];
        let mut rest = supply;
        rows.push(row.iter().zip(&least).fold(f64::INFINITY, |best, (c, v)| best.min(c - v)));
        while rest > 0 {
            let best = open.iter().enumerate().fold((0, f64::INFINITY), |best, (place, &j)| {
                let cost = reduced(j);
                if cost < best.1 { (place, cost) } else { best }
            });
            let Some(&column) = open.get(best.0) else { break };
            let j = column as usize;
            let mass = rest.min(left[j]);
            flows.push(Flow { row: i as u32, column, mass });
            rest -= mass;
            left[j] -= mass;
            if left[j] == 0 {
                open.swap_remove(best.0);
            }
        }
    }
    Start { flows, rows }
}
