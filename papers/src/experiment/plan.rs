//! Which cells to compute, with how many seeds.

use anyhow::{Context, Result, bail};
use glob::Pattern;
use transduct_core::suggest;

use super::{Cell, Description};

/// Cells and seeds that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The ids of the cells, in the order of the description.
    pub(crate) cells: Vec<String>,
    /// Seeds 0, 1, … of this number.
    pub(crate) seeds: u64,
}

impl Selection {
    /// The cells that any of `globs` matches, all for none, with `seeds` seeds or the default.
    ///
    /// # Errors
    /// A pattern that cannot be read, or that no cell matches.
    pub(crate) fn new(
        description: &Description,
        globs: &[String],
        seeds: Option<u64>,
    ) -> Result<Self> {
        let ids: Vec<String> = description.cells.iter().map(Cell::id).collect();
        let mut chosen = vec![globs.is_empty(); ids.len()];
        for glob in globs {
            let pattern = Pattern::new(glob).with_context(|| format!("--cells {glob}"))?;
            let matches: Vec<bool> = ids.iter().map(|id| pattern.matches(id)).collect();
            if !matches.contains(&true) {
                let nearest = suggest::nearest(glob, ids.iter().map(String::as_str));
                let example = nearest.or_else(|| ids.first().cloned()).unwrap_or_default();
                bail!(
                    "--cells {glob}: no cell of {} has such a name; they are task/method, for \
                     instance {example}",
                    description.name
                );
            }
            chosen.iter_mut().zip(matches).for_each(|(chosen, matches)| *chosen |= matches);
        }
        let cells = ids.into_iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(id, _)| id);
        Ok(Self { cells: cells.collect(), seeds: description.seeds.count(seeds) })
    }

    /// What either has, in the order of the description.
    pub(crate) fn joined(&self, other: &Self, description: &Description) -> Self {
        let either = |id: &String| self.cells.contains(id) || other.cells.contains(id);
        Self {
            cells: description.cells.iter().map(Cell::id).filter(either).collect(),
            seeds: self.seeds.max(other.seeds),
        }
    }

    /// Whether it is all that the description has.
    pub(crate) fn is_whole(&self, description: &Description) -> bool {
        self.cells.len() == description.cells.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::runner::tests::squares;

    #[test]
    fn globs_choose_cells_in_the_order_of_the_table() {
        let description = squares().description;
        let choose = |globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
            Selection::new(&description, &globs, None).map(|selection| selection.cells)
        };
        assert_eq!(
            choose(&["*/twice", "one/*"]).unwrap(),
            ["one/square", "one/twice", "two/twice"]
        );
        assert_eq!(choose(&[]).unwrap().len(), description.cells.len());
        let message = choose(&["one/squares"]).unwrap_err().to_string();
        assert!(message.ends_with("for instance one/square"), "{message}");
        assert!(choose(&["[/"]).is_err());
    }

    #[test]
    fn a_deterministic_experiment_has_one_seed() {
        let mut description = squares().description;
        assert_eq!(Selection::new(&description, &[], Some(7)).unwrap().seeds, 7);
        description.seeds = crate::experiment::Seeds::Deterministic;
        assert_eq!(Selection::new(&description, &[], Some(7)).unwrap().seeds, 1);
    }
}
