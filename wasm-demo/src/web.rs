//! The exports for JavaScript: JSON for what has names, typed arrays for bulk numbers. Whatever goes
//! wrong becomes an `Error` with a message for the visitor.

mod digits;
mod moons;
mod shift;

pub use digits::{Collections, DigitModel};
pub use moons::Moons;
pub use shift::Shift;

use serde::Serialize;
use wasm_bindgen::prelude::*;

type Result<T> = std::result::Result<T, JsError>;

/// The version of the program.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// A panic is a bug, of which WebAssembly says `unreachable` alone: throw its message instead.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
