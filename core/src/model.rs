//! Trained models: a frozen backbone and head with all that prediction needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Dev, Error, Input, InputShape, Network, Outputs, Parameter, Result, Scope, Stream,
    backbone::{BackboneEntry, Head, Summary, backbones, find},
    layer::{PerceptronConfig, Size},
    rng,
    tensors::{self, Precision, Tensors},
};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// What a model file says of its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The backbone's name in the registry.
    pub backbone: String,
    /// Its options.
    pub backbone_options: Value,
    /// The layers of a head.
    pub head: PerceptronConfig,
    /// The number of heads, whose logits are averaged.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub heads: usize,
    /// The rows that the model takes, after `preprocessing`.
    pub input: InputShape,
    /// How raw samples become such rows: whatever the writer needs to do it again.
    pub preprocessing: Value,
    /// The names of the classes, by index; their number is k.
    pub classes: Vec<String>,
    /// Where the model comes from: data sets, method, seed, step, program version.
    pub provenance: BTreeMap<String, String>,
}

fn one() -> usize {
    1
}

fn is_one(heads: &usize) -> bool {
    *heads == 1
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    card: ModelCard,
}

/// The bytes of a model file: the network's parameters as safetensors, and the card as JSON in the
/// file's metadata.
///
/// # Errors
/// [`Error::File`] when the card cannot be written as JSON.
pub fn to_bytes<D: Dev>(card: &ModelCard, network: &Network<D>) -> Result<Vec<u8>> {
    let card = ModelCard { heads: network.heads.len(), ..card.clone() };
    let document = Document { format: FORMAT, card };
    tensors::to_bytes(&document, &tensors::values(&network.parameters()), Precision::Single)
}

/// A model that predicts.
pub struct Model<D: Dev> {
    card: ModelCard,
    network: Network<D>,
}

impl<D: Dev> Model<D> {
    /// Reads what [`to_bytes`] wrote; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::File`] for anything else, and for a card that does not fit its weights.
    pub fn from_bytes(dev: &D, path: &str, bytes: &[u8]) -> Result<Self> {
        Self::of_backbones(dev, path, bytes, backbones())
    }

    /// [`Model::from_bytes`] of a model whose backbone is one of these: a program links no others.
    ///
    /// # Errors
    /// As [`Model::from_bytes`]; another backbone.
    pub fn of_backbones(
        dev: &D,
        path: &str,
        bytes: &[u8],
        backbones: Vec<BackboneEntry<D>>,
    ) -> Result<Self> {
        let (document, values): (Document, Tensors) = tensors::from_bytes(path, bytes)?;
        let wrong = |reason: String| Error::File { path: path.to_owned(), reason };
        if document.format != FORMAT {
            return Err(wrong(format!("model format {}, expected {FORMAT}", document.format)));
        }
        let card = document.card;
        let k = card.classes.len();
        if card.heads == 0 {
            return Err(wrong("expected at least one head".to_owned()));
        }
        if k == 0 || card.input.is_empty() {
            return Err(wrong("expected at least one class and one input number".to_owned()));
        }
        // A card may promise any size: compare with what came before making the networks.
        let entry = find(&card.backbone, backbones).map_err(|e| wrong(e.to_string()))?;
        let size = (entry.size)(card.input, &card.backbone_options)
            .map_err(|e| wrong(e.to_string()))?
            .with_heads(card.heads, &[&card.head.hidden[..], &[k]].concat());
        let stored: usize = values.values().map(|a| a.len()).sum();
        let far = |expected: usize, got: usize| expected / 2 > got.saturating_add(1 << 10);
        if far(size.weights, stored) || far(size.tensors, values.len()) {
            let (tensors, Size { weights, tensors: expected, .. }) = (values.len(), size);
            return Err(wrong(format!(
                "expected {weights} weights in {expected} tensors, got {stored} in {tensors}"
            )));
        }
        // The initial weights are replaced: any stream will do.
        let mut init = rng(0, Stream::Init);
        let options = &card.backbone_options;
        let backbone =
            (entry.build)(dev, card.input, options, &mut init).map_err(|e| wrong(e.to_string()))?;
        let mut head = || Head::new(dev, (backbone.features(), k), &card.head, &mut init);
        let heads = (0..card.heads).map(|_| head()).collect::<Result<_>>();
        let heads = heads.map_err(|e| wrong(e.to_string()))?;
        let model = Self { card, network: Network { backbone, heads } };
        let parameters = model.network.parameters();
        if values.len() != parameters.len() {
            let (expected, got) = (parameters.len(), values.len());
            return Err(wrong(format!("expected {expected} tensors, got {got}")));
        }
        tensors::restore(path, &values, &parameters)?;
        Ok(model)
    }

    /// The bytes of a model file in this precision.
    ///
    /// # Errors
    /// [`Error::File`] for a weight beyond the precision.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>> {
        let document = Document { format: FORMAT, card: self.card.clone() };
        tensors::to_bytes(&document, &tensors::values(&self.network.parameters()), precision)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::File`] when it is missing, truncated or not a model.
    #[cfg(feature = "files")]
    pub fn load(dev: &D, path: &std::path::Path) -> Result<Self> {
        Self::from_bytes(dev, &path.display().to_string(), &tensors::read(path)?)
    }

    /// What the file says of the model.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Its backbone and heads.
    pub fn network(&self) -> &Network<D> {
        &self.network
    }

    /// Its parameters and buffers, each with its scope.
    pub fn parameters(&self) -> Vec<(Scope, Parameter<D>)> {
        self.network.parameters()
    }

    /// Its layers.
    pub fn summary(&self) -> Summary {
        Summary::of(self.network.backbone.as_ref(), &self.network.heads)
    }

    /// Features `(n, d)` and logits `(n, k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape than the card's.
    pub fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        self.network.outputs(x)
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Pass, backbone::build_backbone, cpu};

    fn card(input: InputShape) -> ModelCard {
        ModelCard {
            backbone: "mlp".to_owned(),
            backbone_options: json!({"hidden": [4]}),
            head: PerceptronConfig::default(),
            heads: 1,
            input,
            preprocessing: Value::Null,
            classes: vec!["a".to_owned(), "b".to_owned()],
            provenance: [("method".to_owned(), "dann".to_owned())].into(),
        }
    }

    fn bytes(card: &ModelCard) -> (Input<Cpu>, Vec<f32>, Vec<u8>) {
        let (dev, mut init) = (cpu(), rng(5, Stream::Init));
        let input = InputShape::Features { d: 3 };
        let options = json!({"hidden": [4]});
        let backbone = build_backbone(&dev, "mlp", input, &options, &mut init).unwrap();
        let head = Head::new(&dev, (4, 2), &PerceptronConfig::default(), &mut init).unwrap();
        let x = Input::from_values(&dev, input, vec![0.1, 0.2, 0.3, -1.0, 2.0, 0.5]).unwrap();
        let network = Network::new(backbone, head);
        let logits = network.outputs(&x).unwrap().logits.as_vec();
        (x, logits, to_bytes(card, &network).unwrap())
    }

    /// Two heads: the logits are their mean, and the file knows both.
    #[test]
    fn a_model_of_two_heads_is_reloaded() {
        let card = card(InputShape::Features { d: 3 });
        let (dev, mut init) = (cpu(), rng(5, Stream::Init));
        let options = json!({"hidden": [4]});
        let backbone = build_backbone(&dev, "mlp", card.input, &options, &mut init).unwrap();
        let mut head = || Head::new(&dev, (4, 2), &PerceptronConfig::default(), &mut init).unwrap();
        let heads = vec![head(), head()];
        let network = Network { backbone, heads: heads.clone() };
        let values = vec![0.1, 0.2, 0.3, -1.0, 2.0, 0.5];
        let x = Input::from_values(&dev, card.input, values).unwrap();
        let outputs = network.outputs(&x).unwrap();
        let of = |head: &Head<Cpu>| {
            head.forward(outputs.features.clone(), &mut Pass::eval()).unwrap().as_vec()
        };
        let means = of(&heads[0]).into_iter().zip(of(&heads[1])).map(|(a, b)| (a + b) / 2.0);
        assert_eq!(outputs.logits.as_vec(), means.collect::<Vec<_>>());
        let bytes = to_bytes(&card, &network).unwrap();
        let model = Model::from_bytes(&dev, "m", &bytes).unwrap();
        assert_eq!(model.card().heads, 2);
        assert_eq!(model.outputs(&x).unwrap().logits.as_vec(), outputs.logits.as_vec());
        assert_eq!(model.to_bytes(Precision::Single).unwrap(), bytes);
        let twin = network.twin().unwrap();
        assert_eq!(twin.outputs(&x).unwrap().logits.as_vec(), outputs.logits.as_vec());
    }

    #[test]
    fn a_saved_model_predicts_the_same_bits() {
        let card = card(InputShape::Features { d: 3 });
        let (x, logits, bytes) = bytes(&card);
        let model = Model::from_bytes(&cpu(), "m", &bytes).unwrap();
        assert_eq!(model.card(), &card);
        assert_eq!(model.outputs(&x).unwrap().logits.as_vec(), logits);
        assert_eq!(model.to_bytes(Precision::Single).unwrap(), bytes);
    }

    #[test]
    fn a_linear_probe_is_saved_with_its_head_alone() {
        let card = ModelCard {
            backbone_options: json!({"hidden": []}),
            ..card(InputShape::Features { d: 3 })
        };
        let (dev, mut init) = (cpu(), rng(5, Stream::Init));
        let head = Head::new(&dev, (3, 2), &PerceptronConfig::default(), &mut init).unwrap();
        let options = json!({"hidden": []});
        let backbone = build_backbone(&dev, "mlp", card.input, &options, &mut init).unwrap();
        let network = Network::new(backbone, head.clone());
        let bytes = to_bytes(&card, &network).unwrap();
        let model = Model::from_bytes(&dev, "m", &bytes).unwrap();
        let values = vec![0.1, 0.2, 0.3, -1.0, 2.0, 0.5];
        let x = Input::from_values(&dev, card.input, values.clone()).unwrap();
        let outputs = model.outputs(&x).unwrap();
        assert_eq!(outputs.features.as_vec(), values);
        let rows: crate::Matrix<Cpu> = dev.tensor_from_vec(values, (2, 3));
        let logits = head.forward(rows, &mut Pass::eval()).unwrap();
        assert_eq!(outputs.logits.as_vec(), logits.as_vec());
        assert_eq!(model.to_bytes(Precision::Single).unwrap(), bytes);
    }

    #[test]
    fn half_precision_nearly_halves_the_file_and_keeps_the_logits() {
        let (x, logits, bytes) = bytes(&card(InputShape::Features { d: 3 }));
        let half = Model::from_bytes(&cpu(), "m", &bytes).unwrap().to_bytes(Precision::Half);
        let half = half.unwrap();
        assert!(half.len() < bytes.len());
        let model = Model::from_bytes(&cpu(), "m", &half).unwrap();
        for (a, b) in model.outputs(&x).unwrap().logits.as_vec().iter().zip(logits) {
            assert!((a - b).abs() < 1e-2, "{a} {b}");
        }
    }

    #[test]
    fn a_card_that_does_not_fit_is_an_error() {
        let cards = [
            (card(InputShape::Features { d: 4 }), "backbone/fc1.weight"),
            (card(InputShape::Features { d: usize::MAX / 8 }), "got 26 in 4"),
            (card(InputShape::Images { c: 1, h: usize::MAX, w: 3 }), "got 26 in 4"),
            (
                ModelCard {
                    backbone_options: json!({"hidden": [1u64 << 40, 1u64 << 40]}),
                    ..card(InputShape::Features { d: 3 })
                },
                "got 26 in 4",
            ),
            (
                ModelCard {
                    backbone: "resnet".to_owned(),
                    backbone_options: json!({"depth": 8, "width": 1u64 << 62}),
                    ..card(InputShape::Images { c: 1, h: 8, w: 8 })
                },
                "got 26 in 4",
            ),
            (
                ModelCard {
                    head: PerceptronConfig { hidden: vec![1 << 40], dropout: 0.0 },
                    ..card(InputShape::Features { d: 3 })
                },
                "got 26 in 4",
            ),
        ];
        for (card, expected) in cards {
            let (_, _, bytes) = bytes(&card);
            let error = Model::from_bytes(&cpu(), "m", &bytes).err().unwrap().to_string();
            assert!(error.starts_with("m: ") && error.contains(expected), "{error}");
        }
    }
}
