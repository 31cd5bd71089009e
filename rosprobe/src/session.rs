//! A session: the graph, its findings and the observations behind them, the same for live, packet capture and trace.

use std::collections::VecDeque;
use std::time::Duration;

use crate::diagnosis::{self, Diagnosis, Finding};
use crate::event::Monotonic;
use crate::graph::{Graph, Health, Link, LinkCounts, LinkId};
use crate::observation::{Observation, What};

/// Findings are made anew at least this often, because some of them come with time alone.
const DIAGNOSE_EVERY: Duration = Duration::from_millis(500);

/// Time without an observation after which the graph is told of it before the next one.
const ADVANCE_EVERY: Duration = Duration::from_millis(100);

/// Graph, findings and a bounded history of observations.
#[derive(Clone, Debug)]
pub struct Session {
    graph: Graph,
    diagnosis: Diagnosis,
    /// What the graph was like when the findings were made: its count of changes, and the moment.
    diagnosed: Option<(u64, Monotonic)>,
    history: VecDeque<Observation>,
    history_limit: usize,
    forgotten: u64,
    /// Events that were lost, as the file knew that was read.
    lost_before: u64,
}

impl Default for Session {
    fn default() -> Self {
        let history_limit = Self::HISTORY_LIMIT;
        let (graph, diagnosis, history) = (Graph::default(), Diagnosis::default(), VecDeque::new());
        Self { graph, diagnosis, diagnosed: None, history, history_limit, forgotten: 0, lost_before: 0 }
    }
}

impl Session {
    /// Observations kept for looking at; older ones are counted and dropped.
    pub const HISTORY_LIMIT: usize = 100_000;
    /// Observations kept of a file, which is looked at as a whole.
    pub const FILE_HISTORY_LIMIT: usize = 4_000_000;
    /// Observations kept where lines are printed: they only look back from an answer to its call.
    pub const LINES_HISTORY_LIMIT: usize = 20_000;

    /// A session whose observations are printed as they come.
    pub fn for_lines() -> Self {
        // What is not filled costs no memory; what grows leaves the places behind in which it was small.
        let history = VecDeque::with_capacity(Self::LINES_HISTORY_LIMIT);
        Self { history, history_limit: Self::LINES_HISTORY_LIMIT, ..Self::default() }
    }

    /// A session for the observations of a file.
    pub fn for_file() -> Self {
        Self { history_limit: Self::FILE_HISTORY_LIMIT, ..Self::default() }
    }

    /// The file ends at `end`. It knows of `lost` events that were lost. `forgotten` observations were not written into it: then
    /// `findings`, those of the moment of writing, say more than what is left can show.
    pub fn finish_file(&mut self, end: Monotonic, lost: u64, forgotten: u64, findings: Vec<Finding>) {
        self.advance(end);
        self.diagnosed = Some((self.graph.changes(), self.graph.now()));
        self.forgotten += forgotten;
        self.lost_before = lost;
        if forgotten > 0 {
            self.diagnosis.replace(findings);
        }
    }

    /// `damaged` observations of the file could not be read. What is concluded from something not being there stands only when
    /// `written`, the findings of the file, say it too. Gives back how many findings do not stand.
    pub fn distrust(&mut self, damaged: u64, written: &[Finding]) -> usize {
        self.forgotten += damaged;
        let mut findings = std::mem::take(&mut self.diagnosis.findings);
        let before = findings.len();
        findings.retain(|finding| finding.errno.is_some() || written.iter().any(|known| known.id == finding.id));
        let after = findings.len();
        self.diagnosis.replace(findings);
        before - after
    }

    /// Folds in one observation.
    pub fn observe(&mut self, observation: Observation) {
        // What was due before this observation is judged before it is known: live, and when a file is read at one go. That something was
        // lost is known first: it may be what was due.
        let loss = matches!(observation.what, What::Lost { .. });
        if !loss && observation.monotonic.since(self.graph.now()) >= ADVANCE_EVERY {
            self.graph.advance(observation.monotonic);
        }
        self.graph.observe(&observation);
        if self.history.len() == self.history_limit {
            self.history.pop_front();
            self.forgotten += 1;
        } else if self.history.len() == self.history.capacity() {
            // What grows by itself doubles, and a ring that is never full uses all of its room all the same.
            let more = self.history.len().max(64).min(self.history_limit - self.history.len());
            self.history.reserve_exact(more);
        }
        self.history.push_back(observation);
    }

    /// Time has come to `now`. Findings are made anew when an observation may have changed one, and twice a second otherwise.
    pub fn advance(&mut self, now: Monotonic) {
        self.graph.advance(now);
        let (changes, now) = (self.graph.changes(), self.graph.now());
        let same = |(then, at): (u64, Monotonic)| then == changes && now.since(at) < DIAGNOSE_EVERY;
        if !self.diagnosed.is_some_and(same) {
            self.diagnosis = diagnosis::diagnose(&self.graph);
            self.diagnosed = Some((changes, now));
        }
    }

    /// What is known.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What is wrong, worst first, as of the last `advance`.
    pub fn findings(&self) -> &[Finding] {
        &self.diagnosis.findings
    }

    /// How a link is doing, by its stages and by what the findings say of it, as of the last `advance`.
    pub fn health(&self, link: &Link) -> Health {
        self.diagnosis.health(&self.graph, link)
    }

    /// Links counted by how they are doing.
    pub fn link_counts(&self) -> LinkCounts {
        self.diagnosis.counts(&self.graph)
    }

    /// The finding that was made of a link, when there is one.
    pub fn finding_about(&self, link: LinkId) -> Option<&Finding> {
        self.diagnosis.about(link)
    }

    /// The observations kept, oldest first.
    pub fn history(&self) -> &VecDeque<Observation> {
        &self.history
    }

    /// How many events were lost between the kernel and rosprobe.
    pub fn lost(&self) -> u64 {
        self.graph.lost().max(self.lost_before)
    }

    /// How many observations are no longer kept.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
