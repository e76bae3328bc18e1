//! What a person at a terminal sees while a method on host arrays is fitted: how far its solver is, and
//! what is left.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use transduct_adapt::progress::{Progress, watch};

use super::Output;
use crate::progress::Style;

/// Shorter fits are over before anybody looks.
const QUIET: Duration = Duration::from_millis(500);
/// Between two looks at the solver.
const INTERVAL: Duration = Duration::from_millis(100);
/// Positions of the bar.
const LENGTH: u64 = 1000;

/// What `work` gives, with its progress on standard error where that is a terminal and nobody asked
/// for quiet.
pub(super) fn watched<T>(method: &str, output: &Output, work: impl FnOnce() -> T) -> T {
    let style = Style::new(output.shows_progress());
    if style != Style::Bar {
        return work();
    }
    let bar = style.bar();
    bar.set_prefix(method.to_owned());
    let shown = bar.clone();
    let state = RefCell::new((Board::default(), Instant::now() + QUIET));
    let result = watch(
        move |at| {
            let (board, next) = &mut *state.borrow_mut();
            board.update(at);
            if Instant::now() >= *next {
                *next = Instant::now() + INTERVAL;
                show(&shown, board);
            }
        },
        work,
    );
    bar.finish_and_clear();
    result
}

fn show(bar: &ProgressBar, board: &Board) {
    match board.fraction() {
        Some(fraction) => {
            if bar.length() != Some(LENGTH) {
                bar.set_length(LENGTH);
            }
            bar.set_position((fraction * LENGTH as f64) as u64);
        }
        None => {
            if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_msg:.dim} {elapsed}") {
                bar.set_style(style);
            }
        }
    }
    bar.set_message(board.text());
}

/// The last report of every depth, and the first residual there.
#[derive(Default)]
struct Board(Vec<(Progress, f64)>);

impl Board {
    fn update(&mut self, at: &Progress) {
        let first = match self.0.get(at.depth) {
            Some((before, first)) if before.solver == at.solver && before.done <= at.done => *first,
            _ => f64::INFINITY,
        };
        let now = at.residual.map_or(f64::INFINITY, |residual| residual.now);
        let first = if first.is_finite() { first } else { now };
        // What was below belongs to a round that is over.
        self.0.truncate(at.depth);
        // A round's parts may report before the first round is done.
        while self.0.len() < at.depth {
            let unknown = Progress { done: 0, most: None, residual: None, ..*at };
            self.0.push((unknown, f64::INFINITY));
        }
        self.0.push((*at, first));
    }

    /// How much is done, of the outermost solver that knows: by rounds, or by the digits of the
    /// residual, which most solvers gain at an even pace; nothing for one that bounds neither.
    fn fraction(&self) -> Option<f64> {
        let (at, first) = self.0.iter().find(|(at, _)| at.done > 0 && at.most.is_some())?;
        let by_rounds = at.most.map(|most| at.done as f64 / most.max(1) as f64).unwrap_or(0.0);
        let by_digits = at.residual.map_or(0.0, |residual| {
            let (all, gained) = (first / residual.wanted, first / residual.now);
            if all > 1.0 && all.is_finite() { gained.max(1.0).ln() / all.ln() } else { 0.0 }
        });
        Some(by_rounds.max(by_digits).clamp(0.0, 1.0))
    }

    fn text(&self) -> String {
        let part = |(at, _): &(Progress, f64)| {
            let most = at.most.map(|most| format!(" of at most {most}")).unwrap_or_default();
            let residual = at.residual.filter(|residual| residual.now.is_finite());
            let residual = residual
                .map(|residual| format!(", {:.1e} → {:.0e}", residual.now, residual.wanted))
                .unwrap_or_default();
            format!("{} {}{most}{residual}", at.solver, at.done)
        };
        let known = self.0.iter().filter(|(at, _)| at.done > 0);
        known.map(part).collect::<Vec<_>>().join("  ·  ")
    }
}

#[cfg(test)]
mod tests {
    use transduct_adapt::progress::Residual;

    use super::*;

    fn at(depth: usize, done: usize, most: Option<usize>, now: Option<f64>) -> Progress {
        let solver = if depth == 0 { "rounds" } else { "sinkhorn" };
        let residual = now.map(|now| Residual { now, wanted: 1e-8 });
        Progress { depth, solver, done, most, residual }
    }

    #[test]
    fn the_outermost_solver_that_knows_says_how_much_is_left() {
        let mut board = Board::default();
        assert_eq!((board.fraction(), board.text()), (None, String::new()));
        board.update(&at(1, 10, Some(1000), Some(1.0)));
        board.update(&at(1, 20, Some(1000), Some(1e-2)));
        // Two of eight digits.
        assert!((board.fraction().unwrap() - 0.25).abs() < 1e-12);
        assert_eq!(board.text(), "sinkhorn 20 of at most 1000, 1.0e-2 → 1e-8");
        board.update(&at(0, 1, Some(4), None));
        assert_eq!(board.fraction(), Some(0.25));
        board.update(&at(1, 900, Some(1000), Some(1e-7)));
        assert_eq!(board.fraction(), Some(0.25));
        let text = "rounds 1 of at most 4  ·  sinkhorn 900 of at most 1000, 1.0e-7 → 1e-8";
        assert_eq!(board.text(), text);
        // A solver that starts anew has a first residual of its own.
        let mut board = Board::default();
        board.update(&at(1, 900, Some(1000), Some(1e-7)));
        board.update(&at(1, 1, Some(1000), Some(1.0)));
        assert!(board.fraction().unwrap() < 0.01);
    }

    #[test]
    fn a_solver_without_a_bound_has_no_bar() {
        let mut board = Board::default();
        board.update(&at(0, 5, None, Some(0.3)));
        assert_eq!(board.fraction(), None);
        assert_eq!(board.text(), "rounds 5, 3.0e-1 → 1e-8");
    }
}
