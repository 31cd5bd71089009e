//! A session: the graph, its findings and the observations behind them, the same for live, packet capture and trace.

use std::collections::VecDeque;

use crate::diagnosis::{self, Finding};
use crate::event::Monotonic;
use crate::graph::Graph;
use crate::observation::Observation;

/// Graph, findings and a bounded history of observations.
#[derive(Debug, Default)]
pub struct Session {
    graph: Graph,
    findings: Vec<Finding>,
    history: VecDeque<Observation>,
    forgotten: u64,
}

impl Session {
    /// Observations kept for looking at; older ones are counted and dropped.
    pub const HISTORY_LIMIT: usize = 100_000;

    /// Folds in one observation.
    pub fn observe(&mut self, observation: Observation) {
        self.graph.observe(&observation);
        if self.history.len() == Self::HISTORY_LIMIT {
            self.history.pop_front();
            self.forgotten += 1;
        }
        self.history.push_back(observation);
    }

    /// Time has come to `now`: findings are made anew.
    pub fn advance(&mut self, now: Monotonic) {
        self.graph.advance(now);
        self.findings = diagnosis::diagnose(&self.graph);
    }

    /// What is known.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What is wrong, worst first, as of the last `advance`.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The observations kept, oldest first.
    pub fn history(&self) -> &VecDeque<Observation> {
        &self.history
    }

    /// How many observations are no longer kept.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
