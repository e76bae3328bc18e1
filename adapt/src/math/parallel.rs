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
    #[cfg(feature = "threads")]
    data.par_chunks_mut(piece.max(1)).enumerate().for_each(|(i, piece)| work(i, piece));
    #[cfg(not(feature = "threads"))]
    data.chunks_mut(piece.max(1)).enumerate().for_each(|(i, piece)| work(i, piece));
}

/// `f(0), …, f(n − 1)` in order.
pub(crate) fn map<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
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
