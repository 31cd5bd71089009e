//! What keeps packets from arriving: addresses first, then multicast, then servers, then whatever is left.

use std::collections::BTreeSet;

use super::earshot::{lately_lost, stays_on_host};
use super::{compared, discovery, locators, multicast, servers};
use crate::diagnosis::{Finding, Severity};
use crate::errno::Errno;
use crate::graph::Graph;
use crate::graph::dds::Participant;

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
    let stays = |participant: &&Participant| stays_on_host(graph, participant).is_none();
    let abroad: Vec<&Participant> = compared.iter().copied().filter(stays).collect();
    for participant in abroad.iter().filter(|participant| !participant.relayed) {
        let found = locators::advertised(graph, participant, &abroad, &cut_off);
        if found.iter().any(|finding| finding.severity == Severity::Error) {
            explained.insert(participant.data.guid_prefix);
        }
        findings.extend(found);
    }
    findings.extend(servers::findings(graph));
    if !lately_lost(graph) {
        findings.extend(discovery::kept_on_host(graph, &compared));
    }
    if blocked.is_empty() && !lately_lost(graph) {
        findings.extend(discovery::findings(graph, &abroad, &explained));
    }
    findings.extend(blocked);
    findings
}
