//! What keeps packets from arriving: addresses first, then multicast, then servers, then whatever is left.

use std::collections::BTreeSet;

use super::{compared, discovery, locators, multicast, servers};
use crate::diagnosis::{Finding, Severity};
use crate::errno::Errno;
use crate::graph::Graph;

/// `deaf` are pids of processes whose silence has its finding already.
pub(super) fn findings(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    let blocked = multicast::findings(graph);
    // Whose link is down reaches nobody, and that needs no second reason.
    let cut_off = blocked.iter().filter(|finding| finding.errno != Some(Errno::EPERM));
    let cut_off: BTreeSet<u32> = cut_off.filter_map(|finding| Some(finding.process.as_ref()?.pid)).collect();
    let mut findings = Vec::new();
    let mut explained = BTreeSet::new();
    let mut compared = compared(graph);
    compared.retain(|participant| !participant.is_of(deaf));
    for participant in compared.iter().filter(|participant| !participant.relayed) {
        let found = locators::advertised(graph, participant, &compared, &cut_off);
        if found.iter().any(|finding| finding.severity == Severity::Error) {
            explained.insert(participant.data.guid_prefix);
        }
        findings.extend(found);
    }
    findings.extend(servers::findings(graph));
    if blocked.is_empty() {
        findings.extend(discovery::findings(graph, &compared, &explained));
    }
    findings.extend(blocked);
    findings
}
