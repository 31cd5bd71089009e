//! What a run of the benchmark finds out.

use serde::{Deserialize, Serialize};

use super::spread::Spread;

/// One number with its spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured; the same from run to run.
    pub name: String,
    /// Unit of the spread.
    pub unit: String,
    /// The samples.
    pub spread: Spread,
    /// What it must show, where there is such a demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What a reader has to know besides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A demand on a median.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// It may be so much.
    AtMost(f64),
    /// It must be so much.
    AtLeast(f64),
}

impl Target {
    /// Whether a median meets it.
    pub fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtMost(limit) => median <= limit,
            Self::AtLeast(limit) => median >= limit,
        }
    }
}

/// Everything that one run found out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it began.
    pub date: String,
    /// What was typed.
    pub command: String,
    /// Processor, kernel and memory.
    pub machine: String,
    /// The sources: a commit.
    pub commit: String,
    /// Capture modes that work there.
    pub modes: Vec<String>,
    /// The figures, in the order of the table.
    pub figures: Vec<Figure>,
    /// What could not be measured, and why.
    pub failed: Vec<String>,
}

impl Report {
    /// Adds a figure, where there are samples.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        unit: &str,
        samples: impl IntoIterator<Item = f64>,
        target: Option<Target>,
    ) {
        self.add_noted(name, unit, samples, target, "");
    }

    /// Adds a figure with a remark.
    pub fn add_noted(
        &mut self,
        name: impl Into<String>,
        unit: &str,
        samples: impl IntoIterator<Item = f64>,
        target: Option<Target>,
        note: &str,
    ) {
        if let Some(spread) = Spread::of(samples) {
            let (name, unit, note) = (name.into(), unit.to_owned(), note.to_owned());
            self.figures.push(Figure { name, unit, spread, target, note });
        }
    }

    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}
