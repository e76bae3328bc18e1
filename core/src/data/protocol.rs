//! The choices of an experiment that concern its data.
//!
//! Published numbers differ by protocol as much as by method: which target rows are seen in
//! training, which score the model, how rows are framed and normalised. A [`Protocol`] states these
//! choices and is saved with a run; [`super::DomainPair`] carries them out.

use serde::{Deserialize, Serialize};

use super::normalise::{Fitted, Normalisation};
use super::{DataError, Framing, Samples};

/// The choices that make a [`super::DomainPair`]. The default is the standard split, one source row in
/// ten for validation, rows as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protocol {
    /// Which target rows score a model.
    pub target_test: TargetTest,
    /// The share of the source rows that is kept from training to validate on, in [0, 1),
    /// stratified. At 0 every row trains, as is usual with shallow methods.
    pub source_validation: f64,
    /// The frame of the source's images, and of the target's unless `target_framing` says another.
    pub framing: Framing,
    /// The frame of the target's images where it differs.
    pub target_framing: Option<Framing>,
    /// What happens to every row after framing.
    pub normalisation: Normalisation,
    /// The rows that the normalisation takes its numbers from.
    pub normalised_by: NormalisedBy,
    /// Fixes which rows are held out.
    pub seed: u64,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            target_test: TargetTest::Standard,
            source_validation: 0.1,
            framing: Framing::default(),
            target_framing: None,
            normalisation: Normalisation::None,
            normalised_by: NormalisedBy::Source,
            seed: 0,
        }
    }
}

/// Which target rows score a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetTest {
    /// The target's own test rows; adaptation sees its training rows.
    Standard,
    /// The very rows that adaptation saw without labels.
    Transductive,
    /// A stratified share of the target rows, which adaptation does not see. Only its composition
    /// depends on the target's labels.
    HeldOut {
        /// In (0, 1).
        fraction: f64,
    },
}

/// The rows that a normalisation takes its numbers from (training rows always).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalisedBy {
    /// The source's, for both domains.
    Source,
    /// Each domain's own.
    EachDomain,
}

/// What was done to the rows of one domain: with a saved model it prepares new rows alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// First, the frame.
    pub framing: Framing,
    /// Then the normalisation, with its numbers.
    pub normalisation: Fitted,
}

impl Preparation {
    /// The prepared samples.
    ///
    /// Errors: those of [`Framing::apply`] and [`Fitted::apply`].
    pub fn apply(&self, samples: Samples) -> Result<Samples, DataError> {
        self.normalisation.apply(self.framing.apply(samples)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_text() {
        let text = r#"{"target_test":{"held_out":{"fraction":0.3}},"normalisation":"l2_rows"}"#;
        let protocol: Protocol = serde_json::from_str(text).unwrap();
        assert_eq!(protocol.target_test, TargetTest::HeldOut { fraction: 0.3 });
        let again: Protocol =
            serde_json::from_str(&serde_json::to_string(&protocol).unwrap()).unwrap();
        assert_eq!(again, protocol);
        assert!(serde_json::from_str::<Protocol>(r#"{"target_tests":"standard"}"#).is_err());
    }
}
