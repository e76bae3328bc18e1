//! How far a long fit is: iterative solvers report after every round, and whoever wants to know
//! watches.
//!
//! A watch holds for the calls that one thread makes, so that no signature changes, and says nothing
//! back, so that no number does. Reports of solvers inside of others are deeper.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Where a solver is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// 0 for the method's own rounds, 1 for a solver within these, and so on.
    pub depth: usize,
    /// The solver, for instance `sinkhorn`.
    pub solver: &'static str,
    /// Rounds that are done.
    pub done: usize,
    /// The most there will be.
    pub most: Option<usize>,
    /// What the certificate will show.
    pub residual: Option<Residual>,
}

/// A residual on its way to a tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// ≥ 0; an infinity where nothing is known yet.
    pub now: f64,
    /// The solver ends at this or below.
    pub wanted: f64,
}

type Watcher = Rc<dyn Fn(&Progress)>;

thread_local! {
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// What `work` gives, whose reports from this thread `watcher` gets meanwhile.
pub fn watch<T>(watcher: impl Fn(&Progress) + 'static, work: impl FnOnce() -> T) -> T {
    let before = WATCHER.replace(Some(Rc::new(watcher)));
    let _restored = Restored { watcher: before, depth: DEPTH.replace(0) };
    work()
}

/// Puts back what was there, after a panic too.
struct Restored {
    watcher: Option<Watcher>,
    depth: usize,
}

impl Drop for Restored {
    fn drop(&mut self) {
        WATCHER.replace(self.watcher.take());
        DEPTH.set(self.depth);
    }
}

/// Whether a report would be heard, for those that cost something.
pub(crate) fn is_watched() -> bool {
    WATCHER.with_borrow(Option::is_some)
}

/// Says that so many rounds are done.
pub(crate) fn report(
    solver: &'static str,
    done: usize,
    most: Option<usize>,
    residual: Option<Residual>,
) {
    // The watcher is not borrowed while it runs.
    if let Some(watcher) = WATCHER.with_borrow(Option::clone) {
        watcher(&Progress { depth: DEPTH.get(), solver, done, most, residual });
    }
}

/// What `work` gives, a part of a round: its reports are one deeper.
pub(crate) fn within<T>(work: impl FnOnce() -> T) -> T {
    let _restored = Restored { watcher: WATCHER.with_borrow(Option::clone), depth: DEPTH.get() };
    DEPTH.set(DEPTH.get() + 1);
    work()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::{
        domains::Domains,
        reweight::{Kmm, Reweight},
        shallow::{AdaptClassifier, Jdot, aligner},
    };

    #[test]
    fn reports_are_heard_at_their_depth_and_only_meanwhile() {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let ear = Rc::clone(&heard);
        report("before", 1, None, None);
        let result = watch(
            move |at| ear.borrow_mut().push((at.depth, at.solver, at.done)),
            || {
                report("outer", 1, Some(3), None);
                within(|| report("inner", 7, None, None));
                watch(|_| {}, || report("unheard", 1, None, None));
                report("outer", 2, Some(3), None);
                is_watched()
            },
        );
        report("after", 1, None, None);
        assert!(result && !is_watched());
        let expected = [(0, "outer", 1), (1, "inner", 7), (0, "outer", 2)];
        assert_eq!(*heard.borrow(), expected);
    }

    /// Reports of a fit, and what it gave.
    fn heard<T: 'static>(fit: impl FnOnce() -> T) -> (Vec<Progress>, T) {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let ear = Rc::clone(&heard);
        let result = watch(move |at| ear.borrow_mut().push(*at), fit);
        (heard.take(), result)
    }

    #[test]
    fn long_fits_report_and_change_nothing() {
        let rows = |n: usize, shift: f64| {
            Array2::from_shape_fn((n, 2), |(i, j)| {
                ((i * i * 7919 + i * 104_729 + j * 1_299_709 + i * j * 31) % 10_007) as f64 / 1e4
                    + shift
            })
        };
        let (xs, xt) = (rows(300, 0.0), rows(300, 0.3));
        let labels: Vec<usize> = (0..300).map(|i| i % 2).collect();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        for name in
            ["ot-emd", "ot-sinkhorn", "ot-class", "ot-unbalanced", "jda", "bda", "tjm", "tca"]
        {
            let method = (aligner(name).unwrap().build)(&serde_json::Value::Null).unwrap();
            let plain = method.fit(&domains).unwrap();
            let (reports, fitted) = heard(|| method.fit(&domains).unwrap());
            // The network simplex reports once in some resets, of 600 pivots each.
            let few = name == "ot-emd" && fitted.certificate.iterations < 2_000;
            assert!(!reports.is_empty() || few, "{name}");
            assert_eq!((&fitted.source, &fitted.certificate), (&plain.source, &plain.certificate));
            let own: Vec<&Progress> = reports.iter().filter(|at| at.depth == 0).collect();
            assert!(own.windows(2).all(|pair| pair[0].done <= pair[1].done), "{name}");
            assert!(own.iter().all(|at| at.most.is_none_or(|most| at.done <= most)), "{name}");
            if let Some(Residual { now, wanted }) = own.last().and_then(|at| at.residual) {
                assert!(now >= 0.0 && wanted > 0.0, "{name}: {now} {wanted}");
                // What was heard last is what the certificate says, of solvers that bound their rounds.
                let ended = fitted.certificate.converged == (now <= wanted);
                assert!(ended || own.iter().all(|at| at.most.is_none()), "{name}: {now}");
            }
        }
        let (reports, weights) = heard(|| Kmm::default().fit(&domains).unwrap().weights);
        assert!(reports.iter().any(|at| at.depth == 0 && at.solver == "working set"));
        assert!(reports.iter().any(|at| at.depth == 1 && at.solver == "interior point"));
        assert_eq!(weights, Kmm::default().fit(&domains).unwrap().weights);
        let (reports, _) = heard(|| Jdot::default().fit(&domains).unwrap());
        assert!(reports.iter().any(|at| at.depth == 0 && at.solver == "jdot"));
    }
}
