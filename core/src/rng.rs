//! The one source of randomness of a run.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// ChaCha with 8 rounds: its stream is fixed by its specification, on every platform, and its
/// position can be saved.
pub type Rng = ChaCha8Rng;

/// Independent streams of one seed, so that, for instance, another number of dropout draws does
/// not change the order of the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial weights.
    Init = 1,
    /// Order of the source rows.
    Source = 2,
    /// Order of the target rows.
    Target = 3,
    /// Draws inside a training step.
    Step = 4,
    /// Splits and subsamples.
    Split = 5,
    /// Randomly changed copies of target rows.
    Views = 6,
}

/// The generator of `seed` for one purpose.
pub fn rng(seed: u64, stream: Stream) -> Rng {
    let mut rng = Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// Where a generator stands: what a checkpoint keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RngState {
    seed: [u8; 32],
    stream: u64,
    // JSON numbers hold 53 bits, the position has 68.
    position: String,
}

impl From<&Rng> for RngState {
    fn from(rng: &Rng) -> Self {
        Self {
            seed: rng.get_seed(),
            stream: rng.get_stream(),
            position: rng.get_word_pos().to_string(),
        }
    }
}

impl RngState {
    /// The generator at this state; nothing when the saved position is no number.
    pub fn restore(&self) -> Option<Rng> {
        let mut rng = Rng::from_seed(self.seed);
        rng.set_stream(self.stream);
        rng.set_word_pos(self.position.parse().ok()?);
        Some(rng)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn a_restored_generator_goes_on_where_it_stood() {
        let mut a = rng(7, Stream::Step);
        for _ in 0..13 {
            a.next_u32();
        }
        let mut b = RngState::from(&a).restore().unwrap();
        assert_eq!(a.next_u64(), b.next_u64());
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(rng(7, Stream::Step).next_u64(), rng(7, Stream::Init).next_u64());
    }
}
