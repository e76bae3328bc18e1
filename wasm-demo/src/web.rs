//! The exports for JavaScript: JSON for what has names, typed arrays for bulk numbers. Whatever goes
//! wrong becomes an `Error` with a message for the visitor.

mod digits;

pub use digits::{Collections, DigitModel};

use serde::Serialize;
use wasm_bindgen::prelude::*;

type Result<T> = std::result::Result<T, JsError>;

/// The version of the program.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
