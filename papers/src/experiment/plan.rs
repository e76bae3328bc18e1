//! Which cells to compute, with how many seeds.

use anyhow::{Context, Result, bail, ensure};
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
    /// The cells that any of `globs` matches, all for none, but those that any of `except` matches,
    /// with `seeds` seeds or the default.
    ///
    /// # Errors
    /// A pattern that cannot be read, or that no cell matches; nothing is left.
    pub(crate) fn new(
        description: &Description,
        globs: &[String],
        except: &[String],
        seeds: Option<u64>,
    ) -> Result<Self> {
        let ids: Vec<String> = description.cells.iter().map(Cell::id).collect();
        let mut chosen = vec![globs.is_empty(); ids.len()];
        let options = [("--cells", globs, true), ("--except", except, false)];
        for (option, glob, choice) in
            options.iter().flat_map(|(o, globs, c)| globs.iter().map(move |glob| (o, glob, c)))
        {
            let pattern = Pattern::new(glob).with_context(|| format!("{option} {glob}"))?;
            let matches: Vec<bool> = ids.iter().map(|id| pattern.matches(id)).collect();
            if !matches.contains(&true) {
                let nearest = suggest::nearest(glob, ids.iter().map(String::as_str));
                let example = nearest.or_else(|| ids.first().cloned()).unwrap_or_default();
                bail!(
                    "{option} {glob}: no cell of {} has such a name; they are task/method, for \
                     instance {example}",
                    description.name
                );
            }
            let matched = chosen.iter_mut().zip(matches).filter(|(_, matches)| *matches);
            matched.for_each(|(chosen, _)| *chosen = *choice);
        }
        ensure!(chosen.contains(&true), "--except leaves no cell of {}", description.name);
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
        let owned = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>();
        let but = |globs: &[&str], except: &[&str]| {
            Selection::new(&description, &owned(globs), &owned(except), None)
                .map(|selection| selection.cells)
        };
        let choose = |globs: &[&str]| but(globs, &[]);
        assert_eq!(
            choose(&["*/twice", "one/*"]).unwrap(),
            ["one/square", "one/twice", "two/twice"]
        );
        assert_eq!(choose(&[]).unwrap().len(), description.cells.len());
        let message = choose(&["one/squares"]).unwrap_err().to_string();
        assert!(message.ends_with("for instance one/square"), "{message}");
        assert!(choose(&["[/"]).is_err());
        assert_eq!(but(&[], &["*/twice"]).unwrap(), ["one/square", "two/square"]);
        assert_eq!(but(&["one/*"], &["*/twice"]).unwrap(), ["one/square"]);
        let message = but(&["one/*"], &["one/*"]).unwrap_err().to_string();
        assert_eq!(message, "--except leaves no cell of squares");
        let message = but(&[], &["*/thrice"]).unwrap_err().to_string();
        assert!(message.starts_with("--except */thrice: no cell"), "{message}");
    }

    #[test]
    fn a_deterministic_experiment_has_one_seed() {
        let mut description = squares().description;
        assert_eq!(Selection::new(&description, &[], &[], Some(7)).unwrap().seeds, 7);
        description.seeds = crate::experiment::Seeds::Deterministic;
        assert_eq!(Selection::new(&description, &[], &[], Some(7)).unwrap().seeds, 1);
    }
}
