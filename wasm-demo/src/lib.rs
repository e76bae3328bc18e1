//! The browser demo. The model side of each room of the page is a module without browser types,
//! tested natively; [`web`] exports them to JavaScript.

mod error;
pub mod moons;
pub mod shift;
pub mod web;

pub use error::{Error, Result};
