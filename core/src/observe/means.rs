//! Means of the loss terms over an interval.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::StepRecord;
use crate::schedule::progress;

/// The mean losses of an interval: a line of `metrics.jsonl`, where it is
/// `{"event":"step","step":10,"progress":0.025,"rate":0.01,"losses":{"total":2.5,…}}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename = "step")]
pub struct StepMeans {
    /// Steps finished.
    pub step: u64,
    /// Their share of the training, in (0, 1].
    pub progress: f32,
    /// The learning rate of the last one, before the groups' factors.
    pub rate: f32,
    /// The terms in the order of the method; a JSON object in the file.
    #[serde(serialize_with = "as_map")]
    pub losses: Vec<(String, f32)>,
    /// The mean norm of the gradients before clipping, when they are clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f32>,
}

fn as_map<S: Serializer>(losses: &[(String, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(losses.len()))?;
    for (name, value) in losses {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// A sum on its way to a mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1;
    }

    fn value(&self) -> f32 {
        (self.sum / self.count as f64) as f32
    }
}

/// What has been summed since the last means: what a checkpoint keeps of an unfinished interval.
/// A term that some steps do not have is averaged over those that do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Means {
    losses: Vec<(String, Mean)>,
    gradient_norm: Option<Mean>,
}

impl Means {
    /// Adds a step.
    pub(crate) fn add(&mut self, record: &StepRecord<'_>) {
        for &(name, value) in &record.losses.0 {
            match self.losses.iter_mut().find(|(known, _)| known == name) {
                Some((_, mean)) => mean.add(value),
                None => {
                    let mut mean = Mean::default();
                    mean.add(value);
                    self.losses.push((name.to_owned(), mean));
                }
            }
        }
        if let Some(norm) = record.gradient_norm {
            self.gradient_norm.get_or_insert_default().add(norm);
        }
    }

    /// The means up to `record`, the last step added; sums start anew.
    pub(crate) fn take(&mut self, record: &StepRecord<'_>) -> StepMeans {
        let Self { losses, gradient_norm } = std::mem::take(self);
        StepMeans {
            step: record.step,
            progress: progress(record.step, record.steps),
            rate: record.rate,
            losses: losses.into_iter().map(|(name, mean)| (name, mean.value())).collect(),
            gradient_norm: gradient_norm.as_ref().map(Mean::value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Losses;

    fn record(step: u64, losses: &Losses, gradient_norm: Option<f32>) -> StepRecord<'_> {
        StepRecord { step, steps: 40, rate: 0.01, losses, gradient_norm }
    }

    #[test]
    fn a_line_holds_means_in_the_order_of_the_terms() {
        let mut means = Means::default();
        means.add(&record(1, &Losses(vec![("total", 3.0), ("domain", 1.0)]), Some(2.0)));
        let second = Losses(vec![("total", 2.0), ("domain", 0.5), ("late", 4.0)]);
        means.add(&record(2, &second, Some(4.0)));
        let line = serde_json::to_string(&means.take(&record(2, &second, Some(4.0)))).unwrap();
        let expected = concat!(
            r#"{"event":"step","step":2,"progress":0.05,"rate":0.01,"#,
            r#""losses":{"total":2.5,"domain":0.75,"late":4.0},"gradient_norm":3.0}"#
        );
        assert_eq!(line, expected);
        assert_eq!(means, Means::default());
    }

    #[test]
    fn an_unfinished_interval_survives_json() {
        let mut means = Means::default();
        means.add(&record(1, &Losses(vec![("total", 0.1), ("domain", 1.0 / 3.0)]), Some(0.7)));
        means.add(&record(2, &Losses(vec![("total", 1e-20)]), None));
        let text = serde_json::to_string(&means).unwrap();
        assert_eq!(serde_json::from_str::<Means>(&text).unwrap(), means);
    }
}
