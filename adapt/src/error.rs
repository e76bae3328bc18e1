//! What can go wrong on host data: shallow alignment, importance weighting, weighted learners.

/// The result of what works on host data.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One clear line that names what was wrong, where, and what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that is NaN or infinite.
    #[error("the {what} has {value} in row {row}, column {column}: expected finite numbers")]
    NotFinite {
        /// `source`, `target`, `weights` …
        what: &'static str,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// Arrays that do not fit together.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What was given.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Fewer rows than the method can work with.
    #[error("{method} needs at least {need} {what} rows, got {got}")]
    TooFewRows {
        /// The method.
        method: &'static str,
        /// `source`, `target` …
        what: &'static str,
        /// The least number.
        need: usize,
        /// What came.
        got: usize,
    },
    /// A method that learns from source labels was given none.
    #[error("{method} needs the labels of the source rows, and got none")]
    NoLabels {
        /// The method.
        method: &'static str,
    },
    /// A method that tells classes apart was given one.
    #[error(
        "{method} needs at least two classes among the source rows: all are of class {}",
        class_name(.name.as_ref(), *.class)
    )]
    OneClass {
        /// The method.
        method: &'static str,
        /// The only class.
        class: usize,
        /// What the data call it, where that is known.
        name: Option<String>,
    },
    /// Data on which the method is not defined.
    #[error("{method}: {reason}; {advice}")]
    Degenerate {
        /// The method.
        method: &'static str,
        /// What is wrong with the data.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// A matrix that would not fit in memory.
    #[error(
        "{method} needs a matrix of {rows} × {columns} numbers ({}): the limit is {}; {advice}",
        size(*.rows, *.columns), gibibytes(*.limit)
    )]
    TooLarge {
        /// The method.
        method: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Bytes.
        limit: u64,
        /// The alternative.
        advice: &'static str,
    },
    /// A configuration value outside its range.
    #[error("{owner}.{field} = {value}: expected {expected}")]
    Config {
        /// The configuration, for instance `coral`.
        owner: &'static str,
        /// The field.
        field: &'static str,
        /// The value that was given.
        value: String,
        /// The accepted range.
        expected: String,
    },
    /// Options that a method does not have.
    #[error("options of {owner}: {reason}")]
    Options {
        /// The method.
        owner: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// A name that no registry entry has.
    #[error("unknown {kind} `{name}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// The kind of thing.
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// A decomposition that did not succeed on finite numbers.
    #[error("{what} failed: {reason}")]
    Numerical {
        /// The decomposition.
        what: &'static str,
        /// Why, as far as is known.
        reason: String,
    },
    /// A result that double precision cannot hold, of finite rows.
    #[error("{method}: {what} cannot be held in double precision; {advice}")]
    OutOfRange {
        /// The method.
        method: &'static str,
        /// What came out infinite, or NaN, or lost all its digits.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// Several matrices at once that would not fit in memory.
    #[error("{method} needs {} at once ({what}): the limit is {}; {advice}",
        gibibytes(*.bytes), gibibytes(*.limit))]
    Memory {
        /// The method.
        method: &'static str,
        /// All of them.
        bytes: u64,
        /// Their number and size.
        what: String,
        /// Bytes.
        limit: u64,
        /// The alternative.
        advice: &'static str,
    },
}

impl Error {
    /// An [`Error::Shape`].
    pub fn shape(what: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { what, expected: expected.to_string(), got: got.to_string() }
    }

    /// An [`Error::Config`].
    pub fn config(
        owner: &'static str,
        field: &'static str,
        value: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Config { owner, field, value: value.to_string(), expected: expected.to_string() }
    }

    /// An [`Error::OutOfRange`], which another unit of the features would not have.
    pub(crate) fn out_of_range(method: &'static str, what: impl Into<String>) -> Self {
        Self::OutOfRange { method, what: what.into(), advice: "give the features another unit" }
    }

    /// An [`Error::Degenerate`].
    pub fn degenerate(method: &'static str, reason: impl ToString, advice: impl ToString) -> Self {
        Self::Degenerate { method, reason: reason.to_string(), advice: advice.to_string() }
    }
}

fn class_name(name: Option<&String>, class: usize) -> String {
    name.map_or_else(|| class.to_string(), |name| format!("`{name}`"))
}

fn size(rows: usize, columns: usize) -> String {
    gibibytes((rows as u64).saturating_mul(columns as u64).saturating_mul(8))
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_is_too_large_says_how_large() {
        let error = Error::TooLarge {
            method: "tca",
            rows: 100_000,
            columns: 100_000,
            limit: 4 << 30,
            advice: "set `landmarks`",
        };
        let expected = "tca needs a matrix of 100000 × 100000 numbers (74.5 GiB): the limit is \
                        4.0 GiB; set `landmarks`";
        assert_eq!(error.to_string(), expected);
    }
}
