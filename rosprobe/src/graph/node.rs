//! A process, a node, and what is known of each.

use std::collections::BTreeSet;

use crate::event::{Monotonic, Process, ProcessRef};
use crate::observation::ObservationId;

/// URIs, topics or services of one node that are remembered.
pub(super) const NODE_LIST_LIMIT: usize = 4096;

/// A process and what is known of it.
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// Who it is.
    pub process: Process,
    /// Names of the nodes that it runs.
    pub nodes: BTreeSet<String>,
    /// The observation that says who it is.
    pub seen_by: Option<ObservationId>,
    /// When it was first seen.
    pub first_seen: Monotonic,
    /// When it ended, if it did.
    pub exited: Option<Monotonic>,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name (caller id).
    pub name: String,
    /// Its process, when it runs where rosprobe sees it.
    pub process: Option<ProcessRef>,
    /// URIs under which it advertises itself (caller API).
    pub uris: BTreeSet<String>,
    /// Topics it publishes.
    pub publishes: BTreeSet<String>,
    /// Topics it subscribes to.
    pub subscribes: BTreeSet<String>,
    /// Services it provides.
    pub services: BTreeSet<String>,
}

impl Node {
    /// Whether a master believes nothing of it, as far as was seen.
    pub(crate) fn has_nothing(&self) -> bool {
        self.publishes.is_empty() && self.subscribes.is_empty() && self.services.is_empty()
    }

    /// Takes over what was known of it where it was not known yet that it is the same.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.process = self.process.take().or_else(|| other.process.clone());
        self.uris.extend(other.uris.iter().cloned());
        self.publishes.extend(other.publishes.iter().cloned());
        self.subscribes.extend(other.subscribes.iter().cloned());
        self.services.extend(other.services.iter().cloned());
    }
}
