//! Links counted by how they are doing.

use serde::Serialize;

use super::Health;

/// Links by health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounts {
    /// Everything that was seen of it succeeded.
    pub ok: usize,
    /// A stage is under way.
    pub pending: usize,
    /// A stage failed.
    pub failed: usize,
    /// Over.
    pub gone: usize,
}

impl LinkCounts {
    /// Counts a link in.
    pub fn add(&mut self, health: Health) {
        match health {
            Health::Failed => self.failed += 1,
            Health::Pending => self.pending += 1,
            Health::Ok => self.ok += 1,
            Health::Gone => self.gone += 1,
        }
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            pending: self.pending + other.pending,
            failed: self.failed + other.failed,
            gone: self.gone + other.gone,
        }
    }

    /// What they amount to; links that are over say nothing.
    pub fn health(self) -> Health {
        match self {
            Self { failed: 1.., .. } => Health::Failed,
            Self { pending: 1.., .. } => Health::Pending,
            _ => Health::Ok,
        }
    }

    /// How many there are that are not over.
    pub fn present(self) -> usize {
        self.ok + self.pending + self.failed
    }

    /// How many there are, and were.
    pub fn total(self) -> usize {
        self.present() + self.gone
    }
}
