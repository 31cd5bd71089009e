//! Discovery servers and static peers that are not where somebody looks for them.

use std::collections::BTreeSet;

use super::domains::domain_of;
use super::words::{failed, sender, times};
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Purpose, read_port};
use crate::graph::dds::{Participant, SendFailure};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, Locator};

/// Refused datagrams after which nobody listens there.
const REFUSED: u64 = 3;

/// Datagrams that were refused where no participant is known: a discovery server or a static peer that is not there.
pub(super) fn findings(graph: &Graph) -> Vec<Finding> {
    let known: BTreeSet<_> =
        graph.dds().participants().flat_map(Participant::unicast).filter_map(Locator::socket_address).collect();
    let failures = graph.dds().sockets().failures().filter(|failure| {
        !failure.target.ip().is_multicast()
            && !known.contains(&failure.target)
            && failure.count >= REFUSED
            && !is_probe(graph, failure)
            && speaks_dds(graph, failure)
    });
    failures.map(|failure| unknown_target(graph, failure)).collect()
}

/// Looking for participants at the ports where they would be is no fault: most of those ports are free.
fn is_probe(graph: &Graph, failure: &SendFailure) -> bool {
    let own = announcers(graph, failure).find_map(|participant| domain_of(graph, participant)).unwrap_or(0);
    let readings = read_port(failure.target.port()).into_iter();
    readings
        .filter(|reading| reading.purpose == Purpose::DiscoveryUnicast)
        .any(|reading| reading.domain.number() == own)
}

/// Participants that announced themselves to the address that failed.
fn announcers<'a>(graph: &'a Graph, failure: &'a SendFailure) -> impl Iterator<Item = &'a Participant> {
    let participants = graph.dds().participants();
    participants.filter(|participant| participant.announced_to.contains_key(&failure.target))
}

fn speaks_dds(graph: &Graph, failure: &SendFailure) -> bool {
    let own = |participant: &Participant| failure.process.is_some() && participant.process == failure.process;
    announcers(graph, failure).next().is_some() || graph.dds().participants().any(own)
}

fn unknown_target(graph: &Graph, failure: &SendFailure) -> Finding {
    let (target, errno) = (failure.target, failure.errno);
    let mut draft = Draft::of_moments(Code::LocatorUnreachable, Severity::Error, failure.first, failure.last);
    draft.finding.errno = Some(errno);
    draft.finding.address = Some(target.to_string());
    draft.finding.stage = Some(Stage::Announced);
    draft.finding.count = failure.count;
    draft = draft.moments([&failure.first, &failure.last]);
    let announcer = announcers(graph, failure).next();
    if let Some(announcer) = announcer {
        draft = draft.participant(announcer);
        draft = draft.moments(&announcer.evidence);
    }
    if let Some(process) = &failure.process {
        draft = draft.in_process(process);
    }
    let who = announcer.map_or_else(|| sender(graph, failure), Participant::words);
    let servers: BTreeSet<_> = graph
        .dds()
        .participants()
        .filter(|participant| participant.data.discovery == Discovery::Server)
        .flat_map(|participant| &participant.data.metatraffic_unicast)
        .filter(|locator| locator.address == Some(target.ip()))
        .map(ToString::to_string)
        .collect();
    let summary = format!("{who} announces itself to {target}, where nobody listens: {errno}");
    let explanation = format!(
        "No participant is known at {target}; it must be the address of a discovery server or of a static peer in this process's \
         settings. {}, {}.{}",
        failed(failure),
        times(failure.count),
        if servers.is_empty() {
            String::new()
        } else {
            format!(
                " On that host a discovery server listens at {}.",
                servers.iter().cloned().collect::<Vec<_>>().join(", ")
            )
        }
    );
    let mut remedies = Vec::new();
    if let Some(server) = servers.first() {
        remedies.push(format!("start it with ROS_DISCOVERY_SERVER={server}, if that is the server that is meant"));
    }
    remedies.push(format!("start the server there: fastdds discovery -i 0 -l {} -p {}", target.ip(), target.port()));
    draft.told(&who, summary, explanation, remedies)
}
