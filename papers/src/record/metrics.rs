//! `metrics.jsonl`: what was measured along a training.

use std::{fmt, fs, marker::PhantomData, path::Path};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};

use super::RecordError;

/// Values by name, in the order they were given: the first loss is the total, the first validator
/// the default one. A JSON object on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Line {
    /// Means over the steps since the last such line.
    Step(StepMeans),
    /// A look at the model.
    Evaluation(Evaluation),
}

/// Where training stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMeans {
    /// Steps done.
    pub step: u64,
    /// Finished share of the training, in [0, 1].
    pub progress: f64,
    /// The learning rate of the head.
    pub rate: f64,
    /// The loss terms as they entered the sum, `total` first.
    pub losses: Named<f64>,
    /// The norm of the gradients before clipping, when they are clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps done.
    pub step: u64,
    /// Share of right predictions on the source validation rows, in [0, 1].
    pub source_validation_accuracy: f64,
    /// Scores that need no target label, higher is better.
    pub validators: Named<f64>,
    /// What the method tells of itself, for instance its critic's accuracy.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub readings: Named<f64>,
    /// What needs target labels; none for a target without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<Oracle>,
}

/// What only target labels tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Oracle {
    /// Share of right predictions on the target test rows, in [0, 1].
    pub target_accuracy: f64,
}

/// All lines of a `metrics.jsonl`.
///
/// # Errors
/// The file cannot be read, or a line is not a [`Line`]; the message has its number.
pub fn read_metrics(path: &Path) -> Result<Vec<Line>, RecordError> {
    let text = fs::read_to_string(path).map_err(|e| RecordError::io(path, e))?;
    let parse = |(i, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|e| RecordError::malformed(path, format!("line {}: {e}", i + 1)))
    };
    text.lines().enumerate().map(parse).collect()
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = concat!(
        r#"{"event":"step","step":10,"progress":0.025,"rate":0.01,"#,
        r#""losses":{"total":2.5,"classification":2.0,"domain":0.5}}"#,
        "\n",
        r#"{"event":"evaluation","step":100,"source_validation_accuracy":0.97,"#,
        r#""validators":{"im":1.7,"entropy":-0.3},"oracle":{"target_accuracy":0.71}}"#,
        "\n",
        r#"{"event":"evaluation","step":200,"source_validation_accuracy":0.97,"#,
        r#""validators":{"im":1.7}}"#,
        "\n",
    );

    #[test]
    fn lines_round_trip_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, TEXT).unwrap();
        let lines = read_metrics(&path).unwrap();
        let again: String =
            lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        assert_eq!(again, TEXT);
        let Line::Step(step) = &lines[0] else { panic!("{lines:?}") };
        assert_eq!(step.losses.get("domain"), Some(&0.5));
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        fs::write(&path, TEXT.replace("\"rate\":0.01,", "")).unwrap();
        let message = read_metrics(&path).unwrap_err().to_string();
        assert!(message.contains("metrics.jsonl: line 1: missing field `rate`"), "{message}");
    }
}
