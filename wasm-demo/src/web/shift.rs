//! The class of the room of covariate shift.

use wasm_bindgen::prelude::*;

use super::{from_json, thrown, to_json};
use crate::shift;

/// A regression whose inputs move; see [`shift::Shift`].
#[wasm_bindgen]
pub struct Shift(shift::Shift);

#[wasm_bindgen]
impl Shift {
    /// From options as JSON; those not given keep their defaults.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> Result<Self, JsError> {
        shift::Shift::new(from_json("options", options)?).map(Self).map_err(thrown)
    }

    /// The weighting methods: `[{name, title, about}]`.
    pub fn methods() -> Result<String, JsError> {
        to_json(&shift::Shift::methods().map_err(thrown)?)
    }

    /// All options.
    pub fn options(&self) -> Result<String, JsError> {
        to_json(self.0.options())
    }

    /// What is drawn before any weight; see [`shift::Scene`].
    pub fn scene(&self) -> Result<String, JsError> {
        to_json(&self.0.scene().map_err(thrown)?)
    }

    /// Moves the target's density.
    pub fn set_target(&mut self, mean: f64, std: f64) -> Result<(), JsError> {
        self.0.set_target(mean, std).map_err(thrown)
    }

    /// The weights of a method and the line fitted with them; see [`shift::Fit`].
    pub fn fit(&self, method: &str) -> Result<String, JsError> {
        to_json(&self.0.fit(method).map_err(thrown)?)
    }
}
