//! Pieces of work on several threads, with results that do not depend on how many.
//!
//! The caller fixes the pieces from the sizes of its data alone, never from the number of threads,
//! and each piece writes its own part of the output. A reduction is [`map`] into partial results,
//! which come back in the order of the pieces, and a sum over them in that order. Without the
//! feature `threads` the pieces run one after another.

/// Runs `f(i, pieces[i])` for every piece.
pub(crate) fn for_each<T: Send>(pieces: Vec<T>, f: impl Fn(usize, T) + Sync) {
    #[cfg(feature = "threads")]
    if pieces.len() > 1 && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        let indexed = pieces.into_par_iter().with_max_len(1).enumerate();
        return indexed.for_each(|(i, piece)| f(i, piece));
    }
    pieces.into_iter().enumerate().for_each(|(i, piece)| f(i, piece));
}

/// The results of `f(i, pieces[i])`, in the order of the pieces.
pub(crate) fn map<T: Send, R: Send>(pieces: Vec<T>, f: impl Fn(usize, T) -> R + Sync) -> Vec<R> {
    #[cfg(feature = "threads")]
    if pieces.len() > 1 && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        let indexed = pieces.into_par_iter().with_max_len(1).enumerate();
        return indexed.map(|(i, piece)| f(i, piece)).collect();
    }
    pieces.into_iter().enumerate().map(|(i, piece)| f(i, piece)).collect()
}

/// The piece length for `n` rows: at most `most` pieces, of at least `least` rows each.
pub(crate) fn rows_per_piece(n: usize, least: usize, most: usize) -> usize {
    n.div_ceil(most).max(least).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_pieces() {
        let squares = map((0..100).collect(), |i, x: usize| (i, x * x));
        assert!(squares.iter().enumerate().all(|(i, &(j, sq))| i == j && sq == i * i));
    }

    #[test]
    fn every_piece_writes_its_own_part() {
        let mut out = vec![0; 10];
        for_each(out.chunks_mut(3).collect(), |i, part| part.fill(i));
        assert_eq!(out, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn pieces_depend_on_the_rows_alone() {
        assert_eq!(rows_per_piece(128, 1, 16), 8);
        assert_eq!(rows_per_piece(5, 4, 16), 4);
        assert_eq!(rows_per_piece(0, 0, 16), 1);
    }
}
