//! The class of the room of covariate shift.

use wasm_bindgen::prelude::*;

use super::{Result, json};
use crate::shift;

/// A regression whose inputs move; see [`shift::Shift`].
#[wasm_bindgen]
pub struct Shift(shift::Shift);

#[wasm_bindgen]
impl Shift {
    /// From options as JSON; those not given keep their defaults.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> Result<Self> {
        Ok(Self(shift::Shift::new(serde_json::from_str(options)?)?))
    }

    /// The weighting methods: `[{name, title, about}]`.
    pub fn methods() -> Result<String> {
        json(&shift::Shift::methods())
    }

    /// All options.
    pub fn options(&self) -> Result<String> {
        json(self.0.options())
    }

    /// What is drawn before any weight; see [`shift::Scene`].
    pub fn scene(&self) -> Result<String> {
        json(&self.0.scene()?)
    }

    /// Moves the target's density.
    pub fn set_target(&mut self, mean: f64, std: f64) -> Result<()> {
        Ok(self.0.set_target(mean, std)?)
    }

    /// The weights of a method and the line fitted with them; see [`shift::Fit`].
    pub fn fit(&self, method: &str) -> Result<String> {
        json(&self.0.fit(method)?)
    }
}
