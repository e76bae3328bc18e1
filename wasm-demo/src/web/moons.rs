//! The class of the room of the moons.

use wasm_bindgen::prelude::*;

use super::{Result, json};
use crate::moons;

/// Two learners on their way through a training; see [`moons::Moons`].
#[wasm_bindgen]
pub struct Moons(moons::Moons);

#[wasm_bindgen]
impl Moons {
    /// From options as JSON; those not given keep their defaults.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> Result<Self> {
        Ok(Self(moons::Moons::new(serde_json::from_str(options)?)?))
    }

    /// The methods that adapt: `[{name, about}]`.
    pub fn methods() -> Result<String> {
        json(&moons::Moons::methods())
    }

    /// All options.
    pub fn options(&self) -> Result<String> {
        json(self.0.options())
    }

    /// The points of both domains; see [`moons::Scene`].
    pub fn points(&self) -> Result<String> {
        json(&self.0.points())
    }

    /// `[x_min, x_max, y_min, y_max]`.
    pub fn bounds(&self) -> Result<String> {
        json(&self.0.bounds())
    }

    /// At most `steps` steps of both learners.
    pub fn advance(&mut self, steps: u32) -> Result<()> {
        Ok(self.0.advance(steps.into())?)
    }

    /// Turns the target to this angle.
    pub fn rotate(&mut self, degrees: f64) -> Result<()> {
        Ok(self.0.rotate(degrees)?)
    }

    /// Where the training stands; see [`moons::State`].
    pub fn state(&self) -> Result<String> {
        json(&self.0.state()?)
    }

    /// p(class 1) over the bounds, row by row from the top.
    pub fn field(&self, learner: usize, resolution: usize) -> Result<Vec<f32>> {
        Ok(self.0.field(learner, resolution)?)
    }
}
