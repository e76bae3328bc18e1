//! Randomly changed copies of a batch, for methods that want a network to say the same of both.
//!
//! Pictures are moved and mirrored, numbers of every kind get noise. All is drawn from a stream of
//! the run's seed, at a place that depends on the step alone, so that nothing has to be remembered.

use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::{Dev, Input, InputShape, Result, Rng, Stream, check::non_negative, rng};

/// How a view differs from its row. The defaults are those of French et al., "Self-ensembling for
/// visual domain adaptation", ICLR 2018, for digits: up to two pixels and noise of 0.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// The most pixels by which a picture is moved, in each direction; its edge is repeated.
    pub shift: usize,
    /// Whether half of the pictures are mirrored, left to right: not for digits and letters.
    pub flip: bool,
    /// σ ≥ 0 of the Gaussian noise that is added to every number.
    pub noise: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Self { shift: 2, flip: false, noise: 0.1 }
    }
}

/// Words of the stream that a step may draw: more than a batch on any machine needs.
const WORDS: u128 = 1 << 40;

impl Augment {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::Error::Config`].
    pub fn check(&self) -> Result<()> {
        non_negative("train", "augment.noise", self.noise)
    }

    /// `count` views of the rows of `x`, always the same for a seed and a step.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn views<D: Dev>(
        &self,
        x: &Input<D>,
        count: usize,
        seed: u64,
        step: u64,
    ) -> Result<Vec<Input<D>>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut rng = rng(seed, Stream::Views);
        // The position has 68 bits: 2²⁸ steps before it begins again.
        rng.set_word_pos(u128::from(step % (1 << 28)) * WORDS);
        let shape = x.row_shape();
        let values = x.to_vec();
        let view = |_| {
            let mut view = Vec::with_capacity(values.len());
            for row in values.chunks_exact(shape.len()) {
                self.row(shape, row, &mut view, &mut rng);
            }
            Input::from_values(x.device(), shape, view)
        };
        (0..count).map(view).collect()
    }

    /// Appends a changed copy of a row.
    fn row(&self, shape: InputShape, row: &[f32], view: &mut Vec<f32>, rng: &mut Rng) {
        let start = view.len();
        match shape {
            InputShape::Images { c, h, w } => {
                let reach = self.shift as i64;
                let [dy, dx] = [0; 2].map(|_: i64| rng.gen_range(-reach..=reach));
                let mirrored = self.flip && rng.gen_bool(0.5);
                let at =
                    |i: usize, by: i64, n: usize| (i as i64 + by).clamp(0, n as i64 - 1) as usize;
                for channel in row.chunks_exact(h * w).take(c) {
                    for y in 0..h {
                        let line = &channel[at(y, dy, h) * w..][..w];
                        view.extend(
                            (0..w).map(|x| line[at(if mirrored { w - 1 - x } else { x }, dx, w)]),
                        );
                    }
                }
            }
            InputShape::Features { .. } => view.extend_from_slice(row),
        }
        if self.noise > 0.0 {
            for value in &mut view[start..] {
                let z: f32 = StandardNormal.sample(rng);
                *value += self.noise * z;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;

    fn views(augment: &Augment, shape: InputShape, values: &[f32], step: u64) -> Vec<Vec<f32>> {
        let x = Input::from_values(&cpu(), shape, values.to_vec()).unwrap();
        let views = augment.views(&x, 2, 7, step).unwrap();
        views.iter().map(Input::to_vec).collect()
    }

    #[test]
    fn a_step_fixes_its_views() {
        let shape = InputShape::Features { d: 3 };
        let row = [1.0, 2.0, 3.0];
        let of = |step| views(&Augment::default(), shape, &row, step);
        assert_eq!(of(4), of(4));
        assert_ne!(of(4), of(5));
        assert_ne!(of(4)[0], of(4)[1]);
    }

    /// A picture whose pixel is its place: what a view shows says where it was taken from.
    #[test]
    fn pictures_move_as_a_whole_and_repeat_their_edge() {
        let shape = InputShape::Images { c: 1, h: 5, w: 4 };
        let picture: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let augment = Augment { shift: 1, flip: true, noise: 0.0 };
        let (mut mirrored, mut moves) = (0, std::collections::BTreeSet::new());
        for step in 0..60 {
            let view = &views(&augment, shape, &picture, step)[0];
            let [a, b] = [view[2 * 4 + 1], view[2 * 4 + 2]];
            mirrored += usize::from(b < a);
            moves.insert((a / 4.0).floor() as i64 - 2);
            assert_eq!((b - a).abs(), 1.0);
            assert!(view.iter().all(|v| picture.contains(v)));
        }
        assert!((15..45).contains(&mirrored), "{mirrored}");
        assert_eq!(moves.into_iter().collect::<Vec<_>>(), [-1, 0, 1]);
    }

    #[test]
    fn without_any_change_a_view_is_its_row() {
        let augment = Augment { shift: 0, flip: false, noise: 0.0 };
        let shape = InputShape::Images { c: 3, h: 2, w: 2 };
        let picture: Vec<f32> = (0..24).map(|i| i as f32).collect();
        assert!(views(&augment, shape, &picture, 3).iter().all(|view| *view == picture));
    }
}
