//! The `transduct` command: run, reproduce and report domain adaptation experiments.

pub mod record;
pub mod report;
pub mod stats;
