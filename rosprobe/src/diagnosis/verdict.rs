//! What the findings say of each link. A link that a view shows as failed has a finding, and one that has a finding is not shown as
//! working: what its stages say alone is not yet a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Finding, Severity};
use crate::graph::{Graph, Health, Link, LinkCounts, LinkId, LinkKind};

/// What failed this long ago and is no finding by now was nobody's fault: a publisher on its way out, a visitor that wanted something
/// else. Every patience of the diagnosis is shorter, or is renewed by the next failure.
const EXCUSED_AFTER: Duration = Duration::from_secs(5);

/// The findings, and the links that they are about.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// Worst first, each trouble once.
    pub findings: Vec<Finding>,
    about: BTreeMap<LinkId, Verdict>,
}

#[derive(Clone, Debug)]
struct Verdict {
    finding: String,
    severity: Severity,
}

impl Diagnosis {
    /// Adds a finding that was made of a link. The first that says so counts, unless another is worse.
    pub(super) fn blame(&mut self, link: LinkId, finding: Finding) {
        let verdict = Verdict { finding: finding.id.clone(), severity: finding.severity };
        let known = self.about.entry(link).or_insert_with(|| verdict.clone());
        if verdict.severity < known.severity {
            *known = verdict;
        }
        self.findings.push(finding);
    }

    /// Other findings stand in the place of these: a link whose finding is not among them is not blamed any more.
    pub fn replace(&mut self, findings: Vec<Finding>) {
        let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        self.about.retain(|_, verdict| ids.contains(verdict.finding.as_str()));
        self.findings = findings;
    }

    /// The finding about a link, when there is one.
    pub fn about(&self, link: LinkId) -> Option<&Finding> {
        let verdict = self.about.get(&link)?;
        self.findings.iter().find(|finding| finding.id == verdict.finding)
    }

    /// How a link is doing. A stage that failed without being a finding is pending until it is known to be none; then it is over.
    pub fn health(&self, graph: &Graph, link: &Link) -> Health {
        let stages = link.stages_health();
        if link.kind == LinkKind::Dds {
            return stages;
        }
        match (self.about.get(&link.id).map(|verdict| verdict.severity), stages) {
            (Some(Severity::Error), Health::Ok) => Health::Failed,
            (Some(Severity::Error | Severity::Warning), _) | (_, Health::Ok | Health::Pending | Health::Gone) => stages,
            (_, Health::Failed) if link.gone => Health::Gone,
            (Some(Severity::Info), Health::Failed) => Health::Pending,
            (None, Health::Failed) => {
                let failed = link.deciding_stage().map(|state| state.last_failure.unwrap_or(state.at));
                let young = failed.is_some_and(|at| graph.now().since(at) < EXCUSED_AFTER);
                if young { Health::Pending } else { Health::Gone }
            }
        }
    }

    /// All links counted by how they are doing.
    pub fn counts(&self, graph: &Graph) -> LinkCounts {
        graph.links().fold(LinkCounts::default(), |mut counts, link| {
            counts.add(self.health(graph, link));
            counts
        })
    }
}
