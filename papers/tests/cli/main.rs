//! The `transduct` command, run as people run it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod align;
mod commands;
mod compare;
mod demo;
mod diagnose;
mod door;
mod fit;
mod freeze;
mod merge;
mod model_files;
mod pictures;
mod predict;
mod refusals;
mod reproduce;
mod results;
mod resume;
mod runs;
mod sharing;
mod sweep;
mod tensorboard;
mod weights;
mod wild;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use tempfile::TempDir;

/// A directory with small data in it, and the command to run there.
struct Place(TempDir);

impl Place {
    /// Two domains of two classes in CSV files: `source.csv` and, moved by a constant,
    /// `target.csv`.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("source.csv", &table(60, 0.0));
        place.write("target.csv", &table(48, 0.7));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The command with these words as arguments, in this directory.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transduct"));
        command.current_dir(&self.0).env_remove("TRANSDUCT_DATA").args(arguments.split(' '));
        command
    }

    /// Runs the command, which must succeed, and gives its standard output.
    fn succeed(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command, which must fail with `code`, and gives the lines of its standard error.
    fn fail(&self, arguments: &str, code: i32) -> Vec<String> {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {error}");
        assert!(!error.contains("panicked") && !error.contains("backtrace"), "{error}");
        error.lines().map(str::to_owned).collect()
    }

    /// Runs the command, which must fail with one line, and gives it without `error: `.
    fn refusal(&self, arguments: &str) -> String {
        let lines = self.fail(arguments, 1);
        let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{lines:?}");
        assert_eq!(lines.last(), Some(errors[0]), "{lines:?}");
        errors[0]["error: ".len()..].to_owned()
    }
}

/// Rows of two classes at (±1 + shift, ±0.5), with a little spread.
fn table(rows: usize, shift: f64) -> String {
    let mut text = "length,width,species\n".to_owned();
    for row in 0..rows {
        let (sign, species) = if row % 2 == 0 { (1.0, "cat") } else { (-1.0, "dog") };
        let spread = |k: usize| ((row * k) % 17) as f64 / 17.0 - 0.5;
        let (x, y) = (sign + shift + spread(5), 0.5 * sign + spread(7));
        writeln!(text, "{x:.4},{y:.4},{species}").unwrap();
    }
    text
}

/// The same table with its second column in another unit.
fn with_width_times(factor: f64, table: &str) -> String {
    let row = |(i, line): (usize, &str)| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if i > 0 {
            cells[1] = (cells[1].parse::<f64>().unwrap() * factor).to_string();
        }
        cells.join(",") + "\n"
    };
    table.lines().enumerate().map(row).collect()
}

/// The arguments of a short run on the tables.
const TABLES: &str = "run --source source.csv --target target.csv --label-column species \
                      --batch-size 8 --seeds 1 --steps 20";

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}
