//! Pure functions from the graph to findings.

mod dds;
mod finding;

pub use self::finding::{Code, Finding, FindingPeer, FindingProcess, Severity};
use crate::graph::Graph;

/// Everything that is wrong, worst first, each trouble once.
pub fn diagnose(graph: &Graph) -> Vec<Finding> {
    let mut findings = dds::diagnose(graph);
    findings.sort_by_key(|finding| finding.severity);
    findings
}
