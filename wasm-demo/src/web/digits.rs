//! The digits' room.

use serde_json::json;
use wasm_bindgen::prelude::*;

use super::{Result, json};
use crate::digits;

/// Both collections' held-out pictures. Domains are `"source"` and `"target"`.
#[wasm_bindgen]
pub struct Collections(digits::Collections);

#[wasm_bindgen]
impl Collections {
    /// Unpacks them.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self> {
        Ok(Self(digits::Collections::new()?))
    }

    /// The names of the classes: a JSON array of text.
    pub fn classes(&self) -> Result<String> {
        json(&self.0.classes())
    }

    /// The number of a domain's pictures.
    pub fn len(&self, domain: &str) -> Result<usize> {
        Ok(self.0.len(domain.parse()?))
    }

    /// The pixels of a picture, `(28 · 28,)`.
    pub fn image(&self, domain: &str, row: usize) -> Result<Vec<f32>> {
        Ok(self.0.picture(domain.parse()?, row)?.0)
    }

    /// The class of a picture.
    pub fn label(&self, domain: &str, row: usize) -> Result<usize> {
        Ok(self.0.picture(domain.parse()?, row)?.1)
    }
}

/// A trained model.
#[wasm_bindgen]
pub struct DigitModel(digits::DigitModel);

#[wasm_bindgen]
impl DigitModel {
    /// Reads a model file; `name` is for messages.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, bytes: &[u8]) -> Result<Self> {
        Ok(Self(digits::DigitModel::new(name, bytes)?))
    }

    /// `{backbone, parameters, input, classes, provenance}`.
    pub fn card(&self) -> Result<String> {
        let card = self.0.card();
        json(&json!({
            "backbone": card.backbone,
            "parameters": self.0.parameters(),
            "input": card.input.to_string(),
            "classes": card.classes,
            "provenance": card.provenance,
        }))
    }

    /// The logits of a picture, `(k,)`.
    pub fn logits(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        Ok(self.0.logits(pixels)?)
    }

    /// The probability of every class of a picture, `(k,)`.
    pub fn predict(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        // Of ten classes 40 bytes: engines make typed arrays of more than 64 more slowly.
        Ok(self.0.predict(pixels)?.probabilities.into_iter().map(|p| p as f32).collect())
    }

    /// `{source, target, accuracy: {source, target}}` of the first `rows` pictures of each
    /// collection; a domain is `{points, labels, predictions}`.
    pub fn embed(&mut self, collections: &Collections, rows: usize) -> Result<String> {
        let [source, target] = self.0.embed(&collections.0, rows)?;
        let accuracy = json!({ "source": source.accuracy(), "target": target.accuracy() });
        json(&json!({ "source": source, "target": target, "accuracy": accuracy }))
    }

    /// Where a picture lies in the plane of the last `embed`, `(2,)`.
    pub fn place(&self, pixels: &[f32]) -> Result<Vec<f64>> {
        Ok(self.0.place(pixels)?.to_vec())
    }
}
