//! Observations folded into state: processes, network namespaces, nodes, topics, and links between them.

pub mod dds;
mod link;

use std::collections::{BTreeMap, BTreeSet};

pub use self::link::{Health, Link, LinkId, LinkKind, Outcome, Party, Rate, Stage, StageState};
use crate::event::{Monotonic, Namespace, Process, ProcessRef};
use crate::observation::Observation;

/// Everything known so far.
#[derive(Debug, Default)]
pub struct Graph {
    now: Monotonic,
    links: Vec<Link>,
    processes: BTreeMap<ProcessRef, ProcessState>,
    namespaces: BTreeMap<u64, Namespace>,
    nodes: BTreeMap<String, Node>,
    dds: dds::Dds,
    lost: u64,
}

/// A process and what is known of it.
#[derive(Clone, Debug)]
pub struct ProcessState {
    /// Who it is.
    pub process: Process,
    /// Names of the nodes that it runs.
    pub nodes: BTreeSet<String>,
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

impl Graph {
    /// Folds in one observation. Observations come in the order of their ids.
    pub fn observe(&mut self, observation: &Observation) {
        self.now = self.now.max(observation.monotonic);
        self.dds.observe(observation);
    }

    /// Time has come to `now` without a further observation: what was due and did not happen becomes visible.
    pub fn advance(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
        self.dds.advance(self.now);
    }

    /// The latest moment that the graph knows of.
    pub fn now(&self) -> Monotonic {
        self.now
    }

    /// All links, in the order in which they were first seen.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().chain(self.dds.links())
    }

    /// One link.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id).or_else(|| self.dds.link(id))
    }

    /// All processes that were seen.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessState> {
        self.processes.values()
    }

    /// What is known of a process.
    pub fn process(&self, process: &ProcessRef) -> Option<&ProcessState> {
        self.processes.get(process)
    }

    /// All nodes whose name is known.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().chain(self.dds.nodes())
    }

    /// All network namespaces that were seen.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.values()
    }

    /// A network namespace by its inode.
    pub fn namespace(&self, net_namespace: u64) -> Option<&Namespace> {
        self.namespaces.get(&net_namespace)
    }

    /// What is known of ROS 2.
    pub fn dds(&self) -> &dds::Dds {
        &self.dds
    }

    /// Events lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}
