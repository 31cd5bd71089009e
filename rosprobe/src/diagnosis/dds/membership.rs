//! Which domain somebody is in, as far as that is known.

use std::collections::BTreeSet;

use crate::domain::{Domain, Purpose, read_port};
use crate::event::ProcessRef;
use crate::graph::Graph;
use crate::graph::dds::Participant;

/// The domain that a participant is in; by its process's environment, or the discovery port that it has, when it was never seen to announce
/// itself by multicast.
pub(super) fn domain_of(graph: &Graph, participant: &Participant) -> Option<u32> {
    let process = participant.process.as_ref();
    participant.domain().or_else(|| environment(graph, process?)).or_else(|| bound(graph, process?))
}

/// The one domain whose discovery port a process has.
fn bound(graph: &Graph, process: &ProcessRef) -> Option<u32> {
    let attempts = graph.dds().sockets().binds_of(process).iter().filter(|attempt| attempt.errno.is_none());
    let readings = attempts.flat_map(|attempt| read_port(attempt.address.port()));
    let discovery = readings.filter(|reading| reading.purpose == Purpose::DiscoveryMulticast);
    let domains: BTreeSet<u32> = discovery.map(|reading| reading.domain.number()).collect();
    if domains.len() == 1 { domains.first().copied() } else { None }
}

/// What `ROS_DOMAIN_ID` says in the process's environment, where it is set.
pub(super) fn environment(graph: &Graph, process: &ProcessRef) -> Option<u32> {
    let value = graph.process(process)?.process.environment.get("ROS_DOMAIN_ID")?;
    Domain::parse(value).ok().map(Domain::number)
}
