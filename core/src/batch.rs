//! Batches of one domain or of both, in seeded random order, without end.
//!
//! Each domain is shuffled by a stream of its own ([`Stream::Source`], [`Stream::Target`]), gives
//! its rows batch by batch, and is shuffled anew when fewer rows than a batch are left: the last,
//! incomplete batch of a pass is dropped. So a domain of 100 rows in batches of 32 gives 96 of them
//! in each pass, other ones each time, and the two domains pass at their own pace.
//!
//! Pictures of the next batch are decoded while a step computes ([`Batches::prepare_next`]).

use std::sync::Arc;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{
    Batch, Dev, Error, Input, InputShape, Labelled, Result, Rng, RngState, Stream, Unlabelled,
    check::at_least,
    data::{DataError, LabelledDomain, Samples, UnlabelledDomain},
    rng,
};

/// The rows of a training.
#[derive(Clone, Debug, Default)]
pub struct TrainingData {
    /// Rows with labels.
    pub source: Option<Arc<LabelledDomain>>,
    /// Rows without.
    pub target: Option<Arc<UnlabelledDomain>>,
}

impl TrainingData {
    /// Rows of both domains.
    pub fn new(
        source: impl Into<Arc<LabelledDomain>>,
        target: impl Into<Arc<UnlabelledDomain>>,
    ) -> Self {
        Self { source: Some(source.into()), target: Some(target.into()) }
    }

    /// The rows with labels alone.
    pub fn labelled(source: impl Into<Arc<LabelledDomain>>) -> Self {
        Self { source: Some(source.into()), target: None }
    }

    /// The rows without labels alone.
    pub fn unlabelled(target: impl Into<Arc<UnlabelledDomain>>) -> Self {
        Self { source: None, target: Some(target.into()) }
    }

    /// The shape of the rows.
    ///
    /// # Errors
    /// [`Error::Data`] when the domains differ, [`Error::Config`] when there is none.
    pub fn shape(&self) -> Result<InputShape> {
        let source = self.source.as_ref().map(|s| (s.name(), InputShape::of(s.samples())));
        let target = self.target.as_ref().map(|t| (t.name(), InputShape::of(t.samples())));
        match (source, target) {
            (Some((source, of_source)), Some((target, of_target))) if of_source != of_target => {
                let reason = format!("has {of_target}, the source {source} has {of_source}");
                Err(DataError::unusable(target, reason).into())
            }
            (Some((_, shape)), _) | (None, Some((_, shape))) => Ok(shape),
            (None, None) => Err(Error::config("train", "data", "none", "a source or a target")),
        }
    }
}

/// Rows of a batch on a device.
#[derive(Clone, Debug)]
pub struct DrawnBatch<D: Dev> {
    /// Source rows and their class indices.
    pub source: Option<(Input<D>, Vec<usize>)>,
    /// Target rows and their numbers in the domain.
    pub target: Option<(Input<D>, Vec<usize>)>,
    /// Changed copies of the target rows.
    pub views: Vec<Input<D>>,
}

impl<D: Dev> DrawnBatch<D> {
    /// What a step is given.
    pub fn batch(&self) -> Batch<'_, D> {
        Batch {
            source: self.source.as_ref().map(|(x, y)| Labelled { x, y }),
            target: self.target.as_ref().map(|(x, rows)| Unlabelled {
                x,
                rows,
                views: &self.views,
            }),
        }
    }
}

/// The endless sequence of batches of one seed.
#[derive(Debug)]
pub struct Batches<D: Dev> {
    dev: D,
    source: Option<(Arc<LabelledDomain>, Order)>,
    target: Option<(Arc<UnlabelledDomain>, Order)>,
    /// What is decoded for the next batch.
    ahead: [Ahead; 2],
}

/// Where the batches stand: what a checkpoint keeps of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchesState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<OrderState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<OrderState>,
}

impl<D: Dev> Batches<D> {
    /// Batches of so many source and target rows.
    ///
    /// # Errors
    /// [`Error::Config`] for a batch without rows, [`Error::Data`] for one that is larger than its
    /// domain, or when the rows of the domains differ in shape.
    pub fn new(
        dev: &D,
        data: &TrainingData,
        (source_rows, target_rows): (usize, usize),
        seed: u64,
    ) -> Result<Self> {
        data.shape()?;
        let order = |field, rows: usize, (n, name): (usize, &str), stream| {
            at_least("train", field, rows, 1)?;
            if rows > n {
                let reason = format!("has {n} rows, fewer than `{field}` = {rows}");
                return Err(Error::from(DataError::unusable(name, reason)));
            }
            Ok(Order::new(n, rows, rng(seed, stream)))
        };
        let of_source = |s: &Arc<LabelledDomain>| {
            let about = (s.len(), s.name());
            Ok::<_, Error>((s.clone(), order("source_batch", source_rows, about, Stream::Source)?))
        };
        let of_target = |t: &Arc<UnlabelledDomain>| {
            let about = (t.len(), t.name());
            Ok::<_, Error>((t.clone(), order("target_batch", target_rows, about, Stream::Target)?))
        };
        let source = data.source.as_ref().map(of_source).transpose()?;
        let target = data.target.as_ref().map(of_target).transpose()?;
        Ok(Self { dev: dev.clone(), source, target, ahead: [Ahead::default(), Ahead::default()] })
    }

    /// The next batch of each domain, without views.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short, [`Error::Data`] for a picture that cannot be decoded;
    /// the batches stand where they stood then.
    pub fn next_batch(&mut self) -> Result<DrawnBatch<D>> {
        let dev = &self.dev;
        let drawn = |samples: &Samples, order: &mut Order| {
            order.turn();
            Ok::<_, Error>((Input::gather(dev, samples, order.rows())?, order.rows().to_vec()))
        };
        let source = match &mut self.source {
            Some((domain, order)) => {
                let (x, rows) = drawn(domain.samples(), order)?;
                Some((x, rows.iter().map(|&row| domain.labels()[row]).collect()))
            }
            None => None,
        };
        let target = match &mut self.target {
            Some((domain, order)) => Some(drawn(domain.samples(), order)?),
            None => None,
        };
        let orders =
            [self.source.as_mut().map(|s| &mut s.1), self.target.as_mut().map(|t| &mut t.1)];
        orders.into_iter().flatten().for_each(Order::advance);
        Ok(DrawnBatch { source, target, views: Vec::new() })
    }

    /// Whether the next batch is the first one of a pass through the target.
    pub fn begins_pass(&self) -> bool {
        self.target.as_ref().is_some_and(|(_, order)| order.begins())
    }

    /// The target's rows.
    pub fn target(&self) -> Option<&Samples> {
        self.target.as_ref().map(|(domain, _)| domain.samples())
    }

    /// Goes on with other rows of the target, as many and of the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of rows, another shape, or where there was no target.
    pub fn set_target(&mut self, target: Arc<UnlabelledDomain>) -> Result<()> {
        let about = |samples: &Samples| (samples.len(), InputShape::of(samples));
        match &mut self.target {
            Some((old, _)) if about(old.samples()) == about(target.samples()) => *old = target,
            old => {
                let told = |(rows, shape)| format!("{rows} rows of {shape}");
                let expected = old
                    .as_ref()
                    .map_or("no target".to_owned(), |(old, _)| told(about(old.samples())));
                return Err(Error::shape("target", expected, told(about(target.samples()))));
            }
        }
        Ok(())
    }

    /// Has pictures of the next batch decoded by the worker threads.
    pub fn prepare_next(&mut self) {
        let of = |samples, order| Ahead::of(samples, order);
        self.ahead = [
            self.source.as_ref().map(|(d, order)| of(d.samples(), order)).unwrap_or_default(),
            self.target.as_ref().map(|(d, order)| of(d.samples(), order)).unwrap_or_default(),
        ];
    }

    /// Where it stands.
    pub fn state(&self) -> BatchesState {
        BatchesState {
            source: self.source.as_ref().map(|(_, order)| order.state()),
            target: self.target.as_ref().map(|(_, order)| order.state()),
        }
    }

    /// Goes on from `state`, of batches of the same domains, sizes and seed.
    ///
    /// # Errors
    /// [`Error::Config`] for a state that these batches cannot have; nothing has changed then.
    pub fn restore(&mut self, state: &BatchesState) -> Result<()> {
        let restored =
            |domain, order: Option<&Order>, state: &Option<OrderState>| match (order, state) {
                (Some(order), Some(state)) => order.restored(domain, state).map(Some),
                (None, None) => Ok(None),
                (here, _) => {
                    let (value, expected) = match here {
                        Some(_) => ("missing", "where its batches stand"),
                        None => ("there", "none: the training has no such domain"),
                    };
                    Err(Error::config(domain, "batches", value, expected))
                }
            };
        let source = restored("source", self.source.as_ref().map(|s| &s.1), &state.source)?;
        let target = restored("target", self.target.as_ref().map(|t| &t.1), &state.target)?;
        if let (Some((_, order)), Some(new)) = (&mut self.source, source) {
            *order = new;
        }
        if let (Some((_, order)), Some(new)) = (&mut self.target, target) {
            *order = new;
        }
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
            let ahead = match order.ended() {
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

    /// Whether the next batch is the first of a pass.
    fn begins(&self) -> bool {
        self.position == 0 || self.ended()
    }

    /// Whether this pass has no batch left.
    fn ended(&self) -> bool {
        self.position + self.batch > self.rows.len()
    }

    /// Begins a pass where the last one has no batch left.
    fn turn(&mut self) {
        if self.ended() {
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
    fn domains(n_s: usize, n_t: usize) -> TrainingData {
        let samples = |n| Samples::Features(Array2::from_shape_fn((n, 1), |(row, _)| row as f64));
        let source = Dataset {
            name: "even-or-odd".into(),
            samples: samples(n_s),
            labels: (0..n_s).map(|row| row % 2).collect(),
            classes: vec!["even".into(), "odd".into()],
        };
        let target = UnlabelledDomain::new("unknown", samples(n_t)).unwrap();
        TrainingData::new(LabelledDomain::new(source).unwrap(), target)
    }

    fn numbers(x: &Input<Cpu>) -> Vec<usize> {
        let Input::Features(x) = x else { panic!("features") };
        x.as_vec().into_iter().map(|v| v as usize).collect()
    }

    /// Source rows and target rows; the target's are those that the batch says.
    fn rows(batch: &DrawnBatch<Cpu>) -> [Vec<usize>; 2] {
        let (Some((source, _)), Some((target, rows))) = (&batch.source, &batch.target) else {
            panic!("both domains")
        };
        assert_eq!(&numbers(target), rows);
        [numbers(source), numbers(target)]
    }

    #[test]
    fn each_domain_gives_all_but_the_last_incomplete_batch_in_a_pass() {
        let data = domains(10, 7);
        let mut batches = Batches::new(&cpu(), &data, (3, 2), 1).unwrap();
        let mut begins = Vec::new();
        let (mut of_source, mut of_target) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            begins.push(batches.begins_pass());
            let batch = batches.next_batch().unwrap();
            let [s, t] = rows(&batch);
            let labels = batch.source.unwrap().1;
            assert_eq!(labels, s.iter().map(|row| row % 2).collect::<Vec<_>>());
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
        assert_eq!(begins, [true, false, false].repeat(3), "the target's passes");
        passes(&of_source, 9);
        passes(&of_target, 6);
    }

    #[test]
    fn a_seed_fixes_the_order_and_the_domains_do_not_disturb_each_other() {
        let data = domains(10, 7);
        let first = |target_rows, seed| {
            let mut batches = Batches::new(&cpu(), &data, (3, target_rows), seed).unwrap();
            (0..8).map(|_| rows(&batches.next_batch().unwrap())[0].clone()).collect::<Vec<_>>()
        };
        assert_eq!(first(2, 1), first(2, 1));
        assert_eq!(first(2, 1), first(5, 1));
        assert_ne!(first(2, 1), first(2, 2));
        let mut same = Batches::new(&cpu(), &data, (7, 7), 1).unwrap();
        let [s, t] = rows(&same.next_batch().unwrap());
        assert_ne!(s, t);
    }

    #[test]
    fn restored_batches_go_on_where_they_stood() {
        let data = domains(10, 7);
        let new = |seed| Batches::new(&cpu(), &data, (3, 2), seed).unwrap();
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
        let data = domains(10, 7);
        let message = |s, t| Batches::new(&cpu(), &data, (s, t), 1).unwrap_err().to_string();
        assert_eq!(message(11, 2), "even-or-odd: has 10 rows, fewer than `source_batch` = 11");
        assert_eq!(message(10, 8), "unknown: has 7 rows, fewer than `target_batch` = 8");
        assert_eq!(message(3, 0), "train.target_batch = 0: expected at least 1");

        let images = Samples::Images(ndarray::Array4::zeros((7, 1, 2, 2)));
        let images = UnlabelledDomain::new("images", images).unwrap();
        let other = TrainingData { target: Some(images.into()), ..data.clone() };
        let error = Batches::new(&cpu(), &other, (3, 2), 1).unwrap_err().to_string();
        let expected = "images: has images (1, 2, 2), the source even-or-odd has features (1,)";
        assert_eq!(error, expected);

        let mut other = Batches::new(&cpu(), &data, (4, 2), 1).unwrap();
        let state = Batches::new(&cpu(), &data, (3, 2), 1).unwrap();
        let state = {
            let mut state = state;
            state.next_batch().unwrap();
            state.state()
        };
        let error = other.restore(&state).unwrap_err().to_string();
        assert_eq!(error, "source.position = 3: expected a multiple of 4 up to 10");
    }

    #[test]
    fn a_domain_alone_gives_the_batches_that_it_gives_beside_the_other() {
        let data = domains(10, 7);
        let both = |data| Batches::new(&cpu(), data, (3, 2), 1).unwrap();
        let source = TrainingData { target: None, ..data.clone() };
        let target = TrainingData { source: None, ..data.clone() };
        let (mut all, mut source, mut target) = (both(&data), both(&source), both(&target));
        assert!(!source.begins_pass() && target.begins_pass());
        for _ in 0..8 {
            let [s, t] = rows(&all.next_batch().unwrap());
            let (of_source, of_target) =
                (source.next_batch().unwrap(), target.next_batch().unwrap());
            assert!(of_source.target.is_none() && of_target.source.is_none());
            assert_eq!(numbers(&of_source.source.unwrap().0), s);
            assert_eq!(of_target.target.unwrap().1, t);
        }
        let error = all.restore(&source.state()).unwrap_err().to_string();
        assert_eq!(error, "target.batches = missing: expected where its batches stand");
        assert!(source.restore(&all.state()).is_err());
        let none = TrainingData::default();
        let error = Batches::new(&cpu(), &none, (3, 2), 1).unwrap_err().to_string();
        assert_eq!(error, "train.data = none: expected a source or a target");
    }

    #[test]
    fn a_target_is_replaced_by_one_of_its_size() {
        let data = domains(10, 7);
        let mut batches = Batches::new(&cpu(), &data, (3, 2), 1).unwrap();
        batches.next_batch().unwrap();
        let replace = |n: usize| domains(10, n).target.unwrap();
        batches.set_target(replace(7)).unwrap();
        let error = batches.set_target(replace(8)).unwrap_err().to_string();
        assert_eq!(error, "target: expected 7 rows of features (1,), got 8 rows of features (1,)");
    }
}
