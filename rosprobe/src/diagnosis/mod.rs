//! Pure functions from the graph to findings.

mod address;
mod callback;
mod calls;
mod cause;
mod connect;
mod dds;
mod draft;
mod finding;
mod flow;
mod handshake;
mod master;
mod master_uri;
mod moved;
mod name;
mod nodes;
mod remedy;
mod restarted;
mod service;
mod succession;
mod tool;
mod translated;
mod trouble;
mod udpros;
mod verdict;
mod wrong_address;

use std::collections::BTreeSet;
use std::time::Duration;

pub use self::finding::{Code, Counts, Finding, FindingPeer, FindingProcess, Severity};
pub use self::verdict::Diagnosis;
use crate::graph::{Entry, GoneCause, Graph, LinkKind};

/// Findings given at once; beyond it the least bad are left out.
const FINDING_LIMIT: usize = 4096;

/// Everything that is wrong, worst first, each trouble once.
///
/// Costs one look at every link, process and client, and the words of each finding; nothing is searched for twice.
pub fn diagnose(graph: &Graph) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    for entry in graph.entries() {
        if let Some(finding) = of_link(graph, entry).and_then(|finding| over(graph, entry, finding)) {
            diagnosis.blame(entry.link.id, restarted::settled(graph, entry, finding));
        }
    }
    for (link, finding) in calls::unanswered(graph) {
        diagnosis.blame(link, finding);
    }
    for (link, finding) in master_uri::unusable(graph) {
        match link {
            Some(link) => diagnosis.blame(link, finding),
            None => diagnosis.findings.push(finding),
        }
    }
    let findings = &mut diagnosis.findings;
    findings.extend(master::unresolved(graph));
    findings.extend(succession::forgotten(graph));
    // Every node publishes /rosout: trouble with it must not hide what is wrong with the node itself.
    let loud = findings.iter().filter(|finding| !finding.topic.as_deref().is_some_and(is_rosout));
    let blamed: BTreeSet<String> = loud.filter_map(|finding| finding.peer.as_ref()?.uri.clone()).collect();
    findings.extend(nodes::unusable_apis(graph, &blamed));
    for (kind, incident) in graph.incidents() {
        findings.extend(calls::failed(graph, kind, incident));
        findings.extend(nodes::replaced(graph, kind, incident));
        findings.extend(tool::of_incident(graph, kind, incident));
    }
    findings.extend(dds::diagnose(graph));
    sort(findings);
    diagnosis
}

/// The topics of ROS's own log, which nodes publish without being asked to.
fn is_rosout(topic: &str) -> bool {
    matches!(topic, "/rosout" | "/rosout_agg")
}

/// What is wrong with a link: the first rung that is.
fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    match entry.link.kind {
        LinkKind::Topic => udpros::of_link(graph, entry)
            .or_else(|| connect::of_link(graph, entry))
            .or_else(|| handshake::of_link(graph, entry))
            .or_else(|| flow::of_link(graph, entry)),
        LinkKind::Service => service::of_link(graph, entry).or_else(|| handshake::of_link(graph, entry)),
        LinkKind::Master => master::of_link(graph, entry),
        LinkKind::Callback => callback::of_link(graph, entry),
        LinkKind::Dds => None,
    }
}

/// Worst first, then in the order in which they began.
fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|one, other| (one.severity, one.first, &one.id).cmp(&(other.severity, other.first, &other.id)));
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.id.clone()));
    findings.truncate(FINDING_LIMIT);
}

/// A trouble that lasted this long before its publisher was no longer listed was one; a node on its way out refuses for less.
const MATTERED: Duration = Duration::from_secs(4);

/// Of a link that is over: when, and whether its trouble was more than the publisher's leaving.
fn over(graph: &Graph, entry: &Entry, finding: Finding) -> Option<Finding> {
    let Some((cause, at)) = entry.track.gone else { return Some(finding) };
    let at = graph.wall(at);
    let lasted = Duration::try_from(at.duration_since(finding.first)).unwrap_or_default();
    // What was merely under way when a subscriber left would have come.
    let failed = entry.link.stages.iter().any(|state| state.failure.is_some());
    let mattered = lasted >= MATTERED || (cause == GoneCause::ClientLeft && failed);
    mattered.then_some(Finding { ended: Some(at), ..finding })
}
