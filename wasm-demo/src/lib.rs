//! The browser demo: small frozen models, training and importance weighting in a web page.
//!
//! The model side of each room has no browser types and is tested natively; [`web`] holds the exports
//! for JavaScript, which only convert.

pub mod digits;
mod error;
pub mod moons;
pub mod shift;
pub mod web;

pub use error::{Error, Result};
