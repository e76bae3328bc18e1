//! Paired batches of two domains, in seeded random order, without end.
//!
//! Each domain is shuffled by a stream of its own ([`Stream::Source`], [`Stream::Target`]), gives
//! its rows batch by batch, and is shuffled anew when fewer rows than a batch are left: the last,
//! incomplete batch of a pass is dropped. So a domain of 100 rows in batches of 32 gives 96 of them
//! in each pass, other ones each time, and the two domains pass at their own pace.
//!
//! Pictures of the next batch are decoded while a step computes ([`Batches::prepare_next`]).

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{
    Dev, Error, Input, InputShape, Result, Rng, RngState, Stream,
    check::at_least,
    data::{DataError, LabelledDomain, Samples, UnlabelledDomain},
    rng,
};

/// Rows of both domains on a device.
#[derive(Clone, Debug)]
pub struct Batch<D: Dev> {
    /// Source rows.
    pub source: Input<D>,
    /// Their class indices.
    pub labels: Vec<usize>,
    /// Target rows.
    pub target: Input<D>,
}

/// The endless sequence of batches of one seed.
#[derive(Debug)]
pub struct Batches<'a, D: Dev> {
    dev: D,
    source: &'a LabelledDomain,
    target: &'a UnlabelledDomain,
    source_order: Order,
    target_order: Order,
    /// What is decoded for the next batch.
    ahead: [Ahead; 2],
}

/// Where the batches stand: what a checkpoint keeps of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchesState {
    source: OrderState,
    target: OrderState,
}

impl<'a, D: Dev> Batches<'a, D> {
    /// Batches of `source_rows` and `target_rows` rows.
    ///
    /// # Errors
    /// [`Error::Config`] for a batch without rows, [`Error::Data`] for one that is larger than its
    /// domain, or when the rows of the domains differ in shape.
    pub fn new(
        dev: &D,
        (source, source_rows): (&'a LabelledDomain, usize),
        (target, target_rows): (&'a UnlabelledDomain, usize),
        seed: u64,
    ) -> Result<Self> {
        let shapes = [source.samples(), target.samples()].map(InputShape::of);
        if shapes[0] != shapes[1] {
            let reason =
                format!("has {}, the source {} has {}", shapes[1], source.name(), shapes[0]);
            return Err(DataError::unusable(target.name(), reason).into());
        }
        for (field, rows, n, name) in [
            ("source_batch", source_rows, source.len(), source.name()),
            ("target_batch", target_rows, target.len(), target.name()),
        ] {
            at_least("train", field, rows, 1)?;
            if rows > n {
                let reason = format!("has {n} rows, fewer than `{field}` = {rows}");
                return Err(DataError::unusable(name, reason).into());
            }
        }
        Ok(Self {
            dev: dev.clone(),
            source_order: Order::new(source.len(), source_rows, rng(seed, Stream::Source)),
            target_order: Order::new(target.len(), target_rows, rng(seed, Stream::Target)),
            source,
            target,
            ahead: [Ahead::default(), Ahead::default()],
        })
    }

    /// The next batch of each domain.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short, [`Error::Data`] for a picture that cannot be decoded;
    /// the batches stand where they stood then.
    pub fn next_batch(&mut self) -> Result<Batch<D>> {
        self.source_order.turn();
        self.target_order.turn();
        let rows = self.source_order.rows();
        let source = Input::gather(&self.dev, self.source.samples(), rows)?;
        let labels = rows.iter().map(|&row| self.source.labels()[row]).collect();
        let rows = self.target_order.rows();
        let target = Input::gather(&self.dev, self.target.samples(), rows)?;
        self.source_order.advance();
        self.target_order.advance();
        Ok(Batch { source, labels, target })
    }

    /// Has pictures of the next batch decoded by the worker threads.
    pub fn prepare_next(&mut self) {
        self.ahead = [
            Ahead::of(self.source.samples(), &self.source_order),
            Ahead::of(self.target.samples(), &self.target_order),
        ];
    }

    /// The number of batches in one pass through the source: an epoch.
    pub fn epoch(&self) -> u64 {
        (self.source.len() / self.source_order.batch) as u64
    }

    /// Where it stands.
    pub fn state(&self) -> BatchesState {
        BatchesState { source: self.source_order.state(), target: self.target_order.state() }
    }

    /// Goes on from `state`, of batches of the same domains, sizes and seed.
    ///
    /// # Errors
    /// [`Error::Config`] for a state that these batches cannot have; nothing has changed then.
    pub fn restore(&mut self, state: &BatchesState) -> Result<()> {
        let source_order = self.source_order.restored("source", &state.source)?;
        self.target_order = self.target_order.restored("target", &state.target)?;
        self.source_order = source_order;
        Ok(())
    }
}

/// Pictures that are decoded ahead of their use, until it is dropped.
#[derive(Debug, Default)]
struct Ahead {
    #[cfg(feature = "files")]
    _pictures: Option<crate::data::pictures::Ahead>,
}

impl Ahead {
    fn of(samples: &Samples, order: &Order) -> Self {
        #[cfg(feature = "files")]
        if let Samples::Pictures(pictures) = samples {
            let ahead = match order.position + order.batch > order.rows.len() {
                true => {
                    let mut next = order.clone();
                    next.turn();
                    pictures.ahead(next.rows())
                }
                false => pictures.ahead(order.rows()),
            };
            return Self { _pictures: Some(ahead) };
        }
        let _ = (samples, order);
        Self::default()
    }
}

/// The rows of one domain in random order, batch by batch.
#[derive(Clone, Debug)]
struct Order {
    batch: usize,
    /// All rows, in the order of this pass.
    rows: Vec<usize>,
    /// Where the next batch begins.
    position: usize,
    /// As it was before it shuffled this pass.
    before: RngState,
    rng: Rng,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderState {
    position: usize,
    rng: RngState,
}

impl Order {
    fn new(n: usize, batch: usize, rng: Rng) -> Self {
        let before = RngState::from(&rng);
        let mut order = Self { batch, rows: (0..n).collect(), position: 0, before, rng };
        order.rows.shuffle(&mut order.rng);
        order
    }

    /// Begins a pass where the last one has no batch left.
    fn turn(&mut self) {
        if self.position + self.batch > self.rows.len() {
            self.before = RngState::from(&self.rng);
            // From the rows' own order, so that a pass depends on the generator alone.
            self.rows.sort_unstable();
            self.rows.shuffle(&mut self.rng);
            self.position = 0;
        }
    }

    /// The rows of the next batch, after [`Order::turn`].
    fn rows(&self) -> &[usize] {
        &self.rows[self.position..self.position + self.batch]
    }

    fn advance(&mut self) {
        self.position += self.batch;
    }

    fn state(&self) -> OrderState {
        OrderState { position: self.position, rng: self.before.clone() }
    }

    fn restored(&self, domain: &str, state: &OrderState) -> Result<Self> {
        let n = self.rows.len();
        if state.position > n || !state.position.is_multiple_of(self.batch) {
            let expected = format!("a multiple of {} up to {n}", self.batch);
            return Err(Error::config(domain, "position", state.position, &expected));
        }
        let rng = state.rng.restore();
        let rng = rng.ok_or_else(|| Error::config(domain, "rng", "…", "a generator's state"))?;
        Ok(Self { position: state.position, ..Self::new(n, self.batch, rng) })
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::*;
    use ndarray::Array2;

    use super::*;
    use crate::{cpu, data::Dataset};

    /// n rows of one number, the row's own; its label is even or odd.
    fn domains(n_s: usize, n_t: usize) -> (LabelledDomain, UnlabelledDomain) {
        let samples = |n| Samples::Features(Array2::from_shape_fn((n, 1), |(row, _)| row as f64));
        let source = Dataset {
            name: "even-or-odd".into(),
            samples: samples(n_s),
            labels: (0..n_s).map(|row| row % 2).collect(),
            classes: vec!["even".into(), "odd".into()],
        };
        let target = UnlabelledDomain::new("unknown", samples(n_t)).unwrap();
        (LabelledDomain::new(source).unwrap(), target)
    }

    fn numbers(x: &Input<Cpu>) -> Vec<usize> {
        let Input::Features(x) = x else { panic!("features") };
        x.as_vec().into_iter().map(|v| v as usize).collect()
    }

    fn rows(batch: &Batch<Cpu>) -> [Vec<usize>; 2] {
        [numbers(&batch.source), numbers(&batch.target)]
    }

    #[test]
    fn each_domain_gives_all_but_the_last_incomplete_batch_in_a_pass() {
        let (source, target) = domains(10, 7);
        let mut batches = Batches::new(&cpu(), (&source, 3), (&target, 2), 1).unwrap();
        assert_eq!(batches.epoch(), 3);
        let (mut of_source, mut of_target) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let batch = batches.next_batch().unwrap();
            let [s, t] = rows(&batch);
            assert_eq!(batch.labels, s.iter().map(|row| row % 2).collect::<Vec<_>>());
            of_source.extend(s);
            of_target.extend(t);
        }
        let passes = |rows: &[usize], kept: usize| {
            let mut passes: Vec<_> = rows.chunks(kept).map(<[usize]>::to_vec).collect();
            assert_ne!(passes[0], passes[1], "each pass has an order of its own");
            for pass in &mut passes {
                pass.sort_unstable();
                pass.dedup();
                assert_eq!(pass.len(), kept, "no row twice in a pass");
            }
        };
        passes(&of_source, 9);
        passes(&of_target, 6);
    }

    #[test]
    fn a_seed_fixes_the_order_and_the_domains_do_not_disturb_each_other() {
        let (source, target) = domains(10, 7);
        let first = |target_rows, seed| {
            let mut batches =
                Batches::new(&cpu(), (&source, 3), (&target, target_rows), seed).unwrap();
            (0..8).map(|_| numbers(&batches.next_batch().unwrap().source)).collect::<Vec<_>>()
        };
        assert_eq!(first(2, 1), first(2, 1));
        assert_eq!(first(2, 1), first(5, 1));
        assert_ne!(first(2, 1), first(2, 2));
        let mut same = Batches::new(&cpu(), (&source, 7), (&target, 7), 1).unwrap();
        let [s, t] = rows(&same.next_batch().unwrap());
        assert_ne!(s, t);
    }

    #[test]
    fn restored_batches_go_on_where_they_stood() {
        let (source, target) = domains(10, 7);
        let new = |seed| Batches::new(&cpu(), (&source, 3), (&target, 2), seed).unwrap();
        let mut uninterrupted = new(1);
        let mut next = || rows(&uninterrupted.next_batch().unwrap());
        let expected: Vec<_> = (0..12).map(|_| next()).collect();
        for stop in 0..12 {
            let mut batches = new(1);
            (0..stop).for_each(|_| drop(batches.next_batch().unwrap()));
            let state = serde_json::to_string(&batches.state()).unwrap();
            let mut batches = new(99);
            batches.restore(&serde_json::from_str(&state).unwrap()).unwrap();
            for rest in &expected[stop..] {
                assert_eq!(&rows(&batches.next_batch().unwrap()), rest, "after {stop}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (source, target) = domains(10, 7);
        let message =
            |s, t| Batches::new(&cpu(), (&source, s), (&target, t), 1).unwrap_err().to_string();
        assert_eq!(message(11, 2), "even-or-odd: has 10 rows, fewer than `source_batch` = 11");
        assert_eq!(message(10, 8), "unknown: has 7 rows, fewer than `target_batch` = 8");
        assert_eq!(message(3, 0), "train.target_batch = 0: expected at least 1");

        let images = Samples::Images(ndarray::Array4::zeros((7, 1, 2, 2)));
        let images = UnlabelledDomain::new("images", images).unwrap();
        let error = Batches::new(&cpu(), (&source, 3), (&images, 2), 1).unwrap_err().to_string();
        let expected = "images: has images (1, 2, 2), the source even-or-odd has features (1,)";
        assert_eq!(error, expected);

        let mut other = Batches::new(&cpu(), (&source, 4), (&target, 2), 1).unwrap();
        let state = Batches::new(&cpu(), (&source, 3), (&target, 2), 1).unwrap();
        let state = {
            let mut state = state;
            state.next_batch().unwrap();
            state.state()
        };
        let error = other.restore(&state).unwrap_err().to_string();
        assert_eq!(error, "source.position = 3: expected a multiple of 4 up to 10");
    }
}
