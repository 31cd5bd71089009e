//! What keeps packets from arriving: addresses first, then multicast, then servers, then whatever is left.

use std::collections::BTreeSet;

use super::{compared, discovery, locators, multicast, servers};
use crate::diagnosis::{Finding, Severity};
use crate::graph::Graph;

/// `deaf` are pids of processes whose silence has its finding already.
pub(super) fn findings(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut explained = BTreeSet::new();
    let mut compared = compared(graph);
    compared.retain(|participant| !participant.is_of(deaf));
    for participant in compared.iter().filter(|participant| !participant.relayed) {
        let found = locators::advertised(graph, participant, &compared);
        if found.iter().any(|finding| finding.severity == Severity::Error) {
            explained.insert(participant.data.guid_prefix);
        }
        findings.extend(found);
    }
    let blocked = multicast::findings(graph);
    let multicast_fails = !blocked.is_empty();
    findings.extend(blocked);
    findings.extend(servers::findings(graph));
    if !multicast_fails {
        findings.extend(discovery::findings(graph, &compared, &explained));
    }
    findings
}
