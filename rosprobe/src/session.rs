//! A session: the graph, its findings and the observations behind them, the same for live, packet capture and trace.

use std::collections::VecDeque;

use crate::diagnosis::{self, Finding};
use crate::event::Monotonic;
use crate::graph::Graph;
use crate::observation::Observation;

/// Graph, findings and a bounded history of observations.
#[derive(Debug)]
pub struct Session {
    graph: Graph,
    findings: Vec<Finding>,
    history: VecDeque<Observation>,
    history_limit: usize,
    forgotten: u64,
}

impl Default for Session {
    fn default() -> Self {
        let history_limit = Self::HISTORY_LIMIT;
        Self { graph: Graph::default(), findings: Vec::new(), history: VecDeque::new(), history_limit, forgotten: 0 }
    }
}

impl Session {
    /// Observations kept for looking at; older ones are counted and dropped.
    pub const HISTORY_LIMIT: usize = 100_000;
    /// The same for a file, which is looked at as a whole.
    pub const FILE_HISTORY_LIMIT: usize = 4_000_000;

    /// A session for the observations of a file.
    pub fn for_file() -> Self {
        Self { history_limit: Self::FILE_HISTORY_LIMIT, ..Self::default() }
    }

    /// The file ends at `end`. `forgotten` observations were not written into it: then `findings`, those of the moment of
    /// writing, say more than what is left can show.
    pub fn finish_file(&mut self, end: Monotonic, forgotten: u64, findings: Vec<Finding>) {
        self.advance(end);
        self.forgotten += forgotten;
        if forgotten > 0 {
            self.findings = findings;
        }
    }

    /// Folds in one observation.
    pub fn observe(&mut self, observation: Observation) {
        self.graph.observe(&observation);
        if self.history.len() == self.history_limit {
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
