//! Links counted by how they are doing.

use crate::graph::Health;

/// Links by how they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Links that work.
    pub ok: usize,
    /// Links with a stage under way.
    pub pending: usize,
    /// Links with a failed stage.
    pub failed: usize,
}

impl Counts {
    /// Counts a link in.
    pub fn add(&mut self, health: Health) {
        match health {
            Health::Failed => self.failed += 1,
            Health::Pending => self.pending += 1,
            Health::Ok => self.ok += 1,
            Health::Gone => {}
        }
    }

    /// What they amount to.
    pub fn health(self) -> Health {
        match self {
            Self { failed: 1.., .. } => Health::Failed,
            Self { pending: 1.., .. } => Health::Pending,
            _ => Health::Ok,
        }
    }

    /// In few words, worst first: `1 failed, 2 ok`.
    pub fn words(self) -> String {
        let parts = [(self.failed, "failed"), (self.pending, "pending"), (self.ok, "ok")];
        let words = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        words.collect::<Vec<_>>().join(", ")
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { ok: self.ok + other.ok, pending: self.pending + other.pending, failed: self.failed + other.failed }
    }

    /// How many there are.
    pub fn all(self) -> usize {
        self.ok + self.pending + self.failed
    }
}
