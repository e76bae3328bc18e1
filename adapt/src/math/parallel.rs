//! Loops over fixed pieces: their bounds depend on the problem alone, so results do not depend on
//! the number of threads.

#[cfg(feature = "threads")]
use rayon::prelude::*;

/// Calls `work(index, piece)` for consecutive pieces of `piece` numbers of `data`, the last one
/// shorter.
pub(crate) fn for_each_piece<T: Send>(
    data: &mut [T],
    piece: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    #[cfg(all(test, feature = "threads"))]
    tests::count(data.len() > piece);
    #[cfg(feature = "threads")]
    data.par_chunks_mut(piece.max(1)).enumerate().for_each(|(i, piece)| work(i, piece));
    #[cfg(not(feature = "threads"))]
    data.chunks_mut(piece.max(1)).enumerate().for_each(|(i, piece)| work(i, piece));
}

/// `f(0), …, f(n − 1)` in order.
pub(crate) fn map<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(all(test, feature = "threads"))]
    tests::count(n > 1);
    // One piece is not worth waking the pool.
    #[cfg(feature = "threads")]
    if n > 1 {
        return (0..n).into_par_iter().map(f).collect();
    }
    (0..n).map(f).collect()
}

/// Both results, made side by side.
pub(crate) fn join<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(feature = "threads")]
    return rayon::join(a, b);
    #[cfg(not(feature = "threads"))]
    (a(), b())
}

#[cfg(all(test, feature = "threads"))]
mod tests {
    use std::cell::Cell;

    use ndarray::{Array1, Array2};
    use rand::Rng;
    use rand_distr::StandardNormal;
    use rayon::{ThreadPool, ThreadPoolBuilder};
    use serde_json::Value;
    use transduct_core::{Stream, rng};

    use crate::{
        catalogue::Entry,
        domains::Domains,
        error::Result,
        learn::{classifiers, regressors},
        reweight::reweighters,
        shallow::{adapting_classifiers, aligners},
    };

    thread_local! {
        /// Loops of several pieces that this thread has come to.
        static CUT: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count(cut: bool) {
        CUT.set(CUT.get() + usize::from(cut));
    }

    const CLASSES: usize = 3;

    struct Problem {
        xs: Array2<f64>,
        xt: Array2<f64>,
        ys: Vec<usize>,
    }

    impl Problem {
        /// More rows than most pieces have.
        fn new(n_s: usize, n_t: usize) -> Self {
            let mut rng = rng(3, Stream::Init);
            let ys: Vec<usize> = (0..n_s).map(|i| i % CLASSES).collect();
            let mut normal = |n: usize| {
                Array2::from_shape_simple_fn((n, 4), || rng.sample::<f64, _>(StandardNormal))
            };
            let (mut xs, xt) = (normal(n_s), normal(n_t) * 0.8 + 0.4);
            xs.column_mut(0).iter_mut().zip(&ys).for_each(|(x, &y)| *x += y as f64);
            Self { xs, xt, ys }
        }

        fn domains(&self) -> Result<Domains<'_>> {
            Domains::new(self.xs.view(), self.xt.view())?.with_classes(&self.ys, CLASSES)
        }
    }

    /// The numbers that `compute` gives in a pool of so many threads, and whether a loop was cut.
    fn within(threads: usize, compute: &(dyn Fn() -> Result<Vec<f64>> + Sync)) -> (Vec<u64>, bool) {
        let pool: ThreadPool =
            ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let numbers = pool.install(compute).expect("a fit");
        let cut: usize = pool.broadcast(|_| CUT.get()).into_iter().sum();
        (numbers.into_iter().map(f64::to_bits).collect(), cut > 0)
    }

    /// Checks every entry, and gives the names of those that cut no loop.
    fn whole<T: ?Sized>(
        entries: Vec<Entry<T>>,
        compute: impl Fn(&T) -> Result<Vec<f64>> + Sync,
    ) -> Vec<&'static str> {
        let uncut = entries.iter().filter(|entry| {
            let compute = || compute(&*(entry.build)(&Value::Null)?);
            let ((one, cut), (three, also)) = (within(1, &compute), within(3, &compute));
            assert!(!one.is_empty() && one == three, "{}", entry.name);
            assert_eq!(cut, also, "{}", entry.name);
            !cut
        });
        uncut.map(|entry| entry.name).collect()
    }

    // The domains are made outside the pools, whose loops are the methods' own.

    #[test]
    fn weights_have_the_same_bits_at_any_number_of_threads() {
        let problem = Problem::new(1100, 700);
        let domains = problem.domains().unwrap();
        let uncut = whole(reweighters(), |method| {
            let weighting = method.fit(&domains)?;
            Ok([weighting.weights.to_vec(), vec![weighting.certificate.residual]].concat())
        });
        assert!(uncut.is_empty(), "{uncut:?}");
    }

    #[test]
    fn alignments_have_the_same_bits_at_any_number_of_threads() {
        let problem = Problem::new(520, 300);
        let domains = problem.domains().unwrap();
        let uncut = whole(aligners(), |method| {
            let fitted = method.fit(&domains)?;
            let (source, target) =
                (fitted.source(problem.xs.view())?, fitted.target(problem.xt.view())?);
            Ok(source.into_iter().chain(target).collect())
        });
        // It copies columns.
        assert_eq!(uncut, ["feature-augmentation"]);
        let uncut = whole(adapting_classifiers(), |method| {
            Ok(method.fit(&domains)?.scores.into_iter().collect())
        });
        assert!(uncut.is_empty(), "{uncut:?}");
    }

    #[test]
    fn learners_have_the_same_bits_at_any_number_of_threads() {
        // Fewer rows than would cut the check for what is not finite.
        let problem = Problem::new(1000, 700);
        let weights = problem.xs.column(1).mapv(f64::exp);
        let uncut = whole(classifiers(), |learner| {
            let (x, w) = (problem.xs.view(), Some(weights.view()));
            let fitted = learner.fit(x, &problem.ys, CLASSES, w)?;
            Ok(fitted.scores(problem.xt.view())?.into_iter().collect())
        });
        // It grows node by node.
        assert_eq!(uncut, ["tree"]);
        let y: Array1<f64> = problem.xs.column(2).mapv(f64::sin);
        let uncut = whole(regressors(), |learner| {
            let fitted = learner.fit(problem.xs.view(), y.view(), Some(weights.view()))?;
            Ok(fitted.predict(problem.xt.view())?.to_vec())
        });
        // One factorisation of a few columns.
        assert_eq!(uncut, ["least-squares", "ridge", "tree"]);
    }
}
