//! Outputs that are not filled with zeros first.
//!
//! A new dfdx tensor is zero: one thread writes it through while the others wait, and the operation
//! then overwrites it all. But every output of a training step has a gradient of the same length,
//! which its operation is the last to read ([`super::slices::take_grad`]); the next step's output
//! can have that memory, and needs no zeros since its numbers are numbers.

use std::sync::{Mutex, PoisonError};

use dfdx::prelude::{Cpu, Shape, Tensor, TensorFromVec, ZerosTensor};

use crate::{Error, Result};

/// Numbers from which on zeros are worth avoiding.
const LEAST: usize = 1 << 14;
/// New outputs after which an unused gradient goes back to the system: several steps of a deep
/// network.
const PATIENCE: usize = 1 << 12;

struct Spent {
    numbers: Vec<f32>,
    since: usize,
}

struct Pool {
    spent: Vec<Spent>,
    /// Outputs made so far.
    made: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { spent: Vec::new(), made: 0 });

impl Pool {
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        self.made += 1;
        let made = self.made;
        self.spent.retain(|spent| made - spent.since <= PATIENCE);
        let i = self.spent.iter().rposition(|spent| spent.numbers.len() == len)?;
        Some(self.spent.remove(i).numbers)
    }

    fn give(&mut self, numbers: Vec<f32>) {
        self.spent.push(Spent { numbers, since: self.made });
    }
}

/// A tensor of arbitrary numbers, to be overwritten.
pub(crate) fn new<S: Shape>(dev: &Cpu, shape: S) -> Result<Tensor<S, f32, Cpu>> {
    let len = shape.num_elements();
    let spent = match len {
        LEAST.. => POOL.lock().unwrap_or_else(PoisonError::into_inner).take(len),
        _ => None,
    };
    match spent {
        Some(numbers) => dev.try_tensor_from_vec(numbers, shape),
        None => dev.try_zeros_like(&shape),
    }
    .map_err(Error::device)
}

/// Takes an output's gradient that nobody reads any more.
pub(crate) fn give(gradient: Vec<f32>) {
    if gradient.len() >= LEAST {
        POOL.lock().unwrap_or_else(PoisonError::into_inner).give(gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_gradient_becomes_an_output() {
        let mut pool = Pool { spent: Vec::new(), made: 0 };
        pool.give(vec![3.0; 10]);
        assert!(pool.take(11).is_none());
        assert_eq!(pool.take(10), Some(vec![3.0; 10]));
        assert!(pool.take(10).is_none());
    }

    #[test]
    fn what_nobody_wants_is_freed() {
        let mut pool = Pool { spent: Vec::new(), made: 0 };
        pool.give(vec![0.0; 10]);
        for _ in 0..=PATIENCE {
            assert!(pool.take(11).is_none());
        }
        assert!(pool.spent.is_empty());
    }
}
