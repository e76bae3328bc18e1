//! The `transduct` command: run, reproduce and report domain adaptation experiments.

pub mod cli;
pub mod config;
mod data;
mod device;
pub mod engine;
mod evaluate;
pub mod experiment;
pub mod experiments;
mod interrupt;
pub mod map_file;
mod merge;
mod observer;
mod plan;
mod predict;
mod progress;
pub mod record;
pub mod report;
mod runner;
pub mod stats;
pub mod sweep;
mod tabular;
mod tensorboard;
mod thumbnails;
