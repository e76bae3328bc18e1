//! A page of sections, each with a table, a legend and figures: the reports of the commands on a
//! user's own tables.

use std::{io::Write as _, path::Path};

use askama::Template;

use super::{
    figure::{Figure, class_variable},
    setup::shell,
};
use crate::record::write_atomic;

/// A self-contained page.
#[derive(Template)]
#[template(path = "sections.html")]
pub(crate) struct Page {
    /// `weights` or another command.
    pub(crate) command_name: &'static str,
    /// What it is about.
    pub(crate) subject: String,
    /// The result in one sentence.
    pub(crate) title: String,
    /// What it rests on.
    pub(crate) basis: String,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
    /// In this order.
    pub(crate) sections: Vec<Section>,
    /// Names and values of what was run.
    pub(crate) facts: Vec<(&'static str, String)>,
    command: String,
}

/// A part of the page.
#[derive(Default)]
pub(crate) struct Section {
    /// The anchor.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) lead: String,
    pub(crate) table: Option<Grid>,
    /// Symbol, the page's variable of its colour, meaning.
    pub(crate) legend: Vec<(&'static str, &'static str, &'static str)>,
    pub(crate) figures: Vec<Figure>,
}

/// The table of a section; the first column names the rows.
pub(crate) struct Grid {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Page {
    /// A page without sections. `arguments` are those of the program, its name first.
    pub(crate) fn new(command_name: &'static str, subject: String, arguments: &[String]) -> Self {
        Self {
            command_name,
            subject,
            title: String::new(),
            basis: String::new(),
            notes: Vec::new(),
            sections: Vec::new(),
            facts: Vec::new(),
            command: shell(arguments),
        }
    }

    /// A figure, or a note that it could not be drawn.
    pub(crate) fn keep(&mut self, figure: anyhow::Result<Figure>) -> Option<Figure> {
        figure.map_err(|e| self.notes.push(format!("a figure could not be drawn: {e:#}"))).ok()
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// What the operating system reports.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = self.render()?;
        Ok(write_atomic(path, |file| file.write_all(text.as_bytes()))?)
    }
}

/// Legends of two groups, in the colours of the figures.
pub(crate) fn legend(
    symbols: [&'static str; 2],
    meanings: [&'static str; 2],
) -> Vec<(&'static str, &'static str, &'static str)> {
    (0..2).map(|i| (symbols[i], class_variable(i), meanings[i])).collect()
}
