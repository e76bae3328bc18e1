//! How many matrices of the cost's size a solver holds at once, and whether they fit.

use crate::{
    error::{Error, Result},
    math::gram::LIMIT,
};

/// Exact transport: the cost.
pub(crate) const EXACT: u64 = 1;
/// Entropic transport: the cost and the kernel, which becomes the plan.
pub(crate) const ENTROPIC: u64 = 2;
/// Unbalanced transport: the cost, the shifted cost, and the kernel.
pub(crate) const UNBALANCED: u64 = 3;
/// Class roots: the cost, the majorised cost, the last plan, and the kernel.
pub(crate) const CLASS_ROOTS: u64 = 4;
/// A penalty whose gradient is one matrix: the cost, the plan, the step, and, on the way along it, a
/// plan and its gradient; before, the slope and the kernel in place of these.
pub(crate) const PENALISED: u64 = 5;
/// A penalty whose gradient has two terms.
pub(crate) const PENALISED_TWICE: u64 = 6;

/// Refuses matrices, of which there are (number, rows, columns), that are past [`LIMIT`] together.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn check_memory(
    method: &'static str,
    matrices: &[(u64, usize, usize)],
    advice: &'static str,
) -> Result<()> {
    let size = |&(number, rows, columns): &(u64, usize, usize)| {
        number.saturating_mul(rows as u64).saturating_mul(columns as u64).saturating_mul(8)
    };
    let bytes = matrices.iter().map(size).fold(0, u64::saturating_add);
    if bytes <= LIMIT {
        return Ok(());
    }
    let of = |&(number, rows, columns): &(u64, usize, usize)| match number {
        1 => format!("a matrix of {rows} × {columns} numbers"),
        _ => format!("{number} matrices of {rows} × {columns} numbers"),
    };
    let what = matrices.iter().map(of).collect::<Vec<_>>().join(", ");
    Err(Error::Memory { method, bytes, what, limit: LIMIT, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_matrices_count_and_the_message_says_which() {
        assert!(check_memory("x", &[(2, 1 << 14, 1 << 14)], "").is_ok());
        let matrices = [(2, 22_656, 22_656), (1, 10_000, 10_000)];
        let message = check_memory("ot-sinkhorn", &matrices, "use fewer rows").unwrap_err();
        let expected = "ot-sinkhorn needs 8.4 GiB at once (2 matrices of 22656 × 22656 numbers, a \
                        matrix of 10000 × 10000 numbers): the limit is 4.0 GiB; use fewer rows";
        assert_eq!(message.to_string(), expected);
        assert!(check_memory("x", &[(2, usize::MAX, usize::MAX)], "").is_err());
    }
}
