//! What JavaScript sees: each room's class, and nothing else. Documents are JSON, bulk numbers are
//! typed arrays, and every error is thrown as an `Error` with its message.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;

pub mod moons;
pub mod shift;

/// The version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// A panic is a bug, and WebAssembly would say `unreachable` alone: throw what it says instead.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}

/// What a failed call throws.
fn thrown(e: impl std::fmt::Display) -> JsError {
    JsError::new(&e.to_string())
}

fn to_json(value: &impl Serialize) -> Result<String, JsError> {
    serde_json::to_string(value).map_err(thrown)
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, JsError> {
    serde_json::from_str(text).map_err(|e| thrown(format_args!("{what}: {e}")))
}
