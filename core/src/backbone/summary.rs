//! What a backbone and its head are made of, as a table.

use std::fmt;

use super::{Backbone, Head};
use crate::{Dev, InputShape, Kind, Parameter, Scope};

/// Layers, output shapes, parameters and memory of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The network's name.
    pub name: String,
    /// What it takes.
    pub input: InputShape,
    /// Its stages, the heads last.
    pub rows: Vec<SummaryRow>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// The shape of one row of its output.
    pub output: Vec<usize>,
    /// Trained numbers in it.
    pub parameters: usize,
    /// Numbers in it that are not trained: buffers and frozen parameters.
    pub untrained: usize,
}

impl Summary {
    /// Describes `backbone` and its heads, if any.
    pub fn of<D: Dev>(backbone: &dyn Backbone<D>, heads: &[Head<D>]) -> Self {
        let row = |name: String, about: String, output, parameters: &[Parameter<D>]| {
            let count = |frozen| {
                parameters.iter().filter(|p| p.frozen() == frozen).map(Parameter::len).sum()
            };
            SummaryRow { name, about, output, parameters: count(false), untrained: count(true) }
        };
        let mut rows: Vec<_> = backbone
            .stages()
            .into_iter()
            .map(|s| row(s.name, s.about, s.output, &s.parameters))
            .collect();
        for (i, head) in heads.iter().enumerate() {
            let parameters = head.parameters();
            let bias = parameters.iter().rev().find(|p| p.kind() == Kind::Bias);
            let k = bias.map_or(0, Parameter::len);
            rows.push(row(Scope::head(i).path().into(), "classifier".into(), vec![k], &parameters));
        }
        Self { name: backbone.name().to_owned(), input: backbone.input(), rows }
    }

    /// All trained numbers.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|r| r.parameters).sum()
    }

    /// Bytes of all parameters and buffers, as `f32`.
    pub fn parameter_bytes(&self) -> usize {
        4 * self.rows.iter().map(|r| r.parameters + r.untrained).sum::<usize>()
    }

    /// Bytes of the stages' outputs for a batch of `n` rows, as `f32`: what a training step keeps,
    /// up to what the operations save beside them.
    pub fn activation_bytes(&self, n: usize) -> usize {
        4 * n * self.rows.iter().map(|r| r.output.iter().product::<usize>()).sum::<usize>()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.name, self.input)?;
        for row in &self.rows {
            let output = row.output.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            let total = row.parameters + row.untrained;
            writeln!(f, "  {:<12} {:<32} {output:>14} {total:>10}", row.name, row.about)?;
        }
        let (trained, mib) = (self.parameters(), self.parameter_bytes() as f64 / 1048576.0);
        let activations = self.activation_bytes(64) as f64 / 1048576.0;
        write!(
            f,
            "  {trained} trained parameters, {mib:.2} MiB; \
             {activations:.2} MiB of activations for 64 rows"
        )
    }
}
