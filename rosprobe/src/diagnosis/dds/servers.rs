//! Discovery servers and static peers that are not where somebody looks for them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::earshot::lately_lost;
use super::membership::domain_of;
use super::words::{failed, sender, times};
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Purpose, read_port};
use crate::graph::dds::{Participant, SendFailure};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, Locator};

/// Refused datagrams after which nobody listens there.
const REFUSED: u64 = 3;
/// How long a client may wait for its discovery server, in nanoseconds. Servers answer within milliseconds.
const UNANSWERED_NS: u128 = 3_000_000_000;
/// How many announcements of it must have found no answer until then; packets get lost. Fast DDS makes two a second, and they count once.
const UNANSWERED: u64 = 6;

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
    let mut findings: Vec<_> = failures.map(|failure| unknown_target(graph, failure)).collect();
    for client in graph.dds().participants().filter(|participant| is_unanswered(graph, participant)) {
        let told = |target: &SocketAddr| findings.iter().any(|known| known.address == Some(target.to_string()));
        let silent = client.announced_to.iter().filter(|(target, _)| !target.ip().is_multicast() && !told(target));
        let silent: Vec<_> = silent.map(|(target, count)| unanswered(graph, client, *target, *count)).collect();
        findings.extend(silent);
    }
    findings
}

/// A client of a discovery server that has announced itself for long and been sent nothing. The kernel tells its socket nothing of ICMP.
fn is_unanswered(graph: &Graph, client: &Participant) -> bool {
    let Some(process) = &client.process else { return false };
    let dds = graph.dds();
    let id = process.key();
    let mut others = dds.participants().filter(|other| other.data.guid_prefix != client.data.guid_prefix);
    client.is_alive()
        && client.data.discovery == Discovery::Client
        && client.knows.is_empty()
        && !lately_lost(graph)
        && client.announced_to.values().sum::<u64>() >= UNANSWERED
        && dds.now().since(client.watched_since()).as_nanos() >= UNANSWERED_NS
        && !others.any(|other| other.heard_by.contains(&id) || other.knows.contains_key(&client.data.guid_prefix))
}

fn unanswered(graph: &Graph, client: &Participant, target: SocketAddr, count: u64) -> Finding {
    let mut draft = Draft::of_moments(Code::LocatorUnreachable, Severity::Error, client.first, client.last);
    draft.finding.address = Some(target.to_string());
    draft.finding.stage = Some(Stage::Announced);
    draft.finding.count = count;
    draft = draft.participant(client).moments(&client.evidence);
    let who = client.words();
    let servers = servers_at(graph, target.ip());
    let summary = format!("{who} announces itself to {target} as to a discovery server, and nothing answers");
    let explanation = format!(
        "It is a client of a discovery server, and learns of others from the server alone. What it sends to {target} leaves without an \
         error, {}, and nothing comes back: no server listens there, or it is out of reach.{}",
        times(count),
        servers_words(&servers)
    );
    draft.told(&format!("unanswered {target}"), summary, explanation, remedies(&servers, target))
}

/// Discovery servers known at an address.
fn servers_at(graph: &Graph, address: IpAddr) -> BTreeSet<String> {
    let servers = graph.dds().participants().filter(|participant| participant.data.discovery == Discovery::Server);
    let locators = servers.flat_map(|server| &server.data.metatraffic_unicast);
    locators.filter(|locator| locator.address == Some(address)).map(ToString::to_string).collect()
}

fn servers_words(servers: &BTreeSet<String>) -> String {
    let listed = servers.iter().cloned().collect::<Vec<_>>().join(", ");
    if servers.is_empty() { listed } else { format!(" On that host a discovery server listens at {listed}.") }
}

fn remedies(servers: &BTreeSet<String>, target: SocketAddr) -> Vec<String> {
    let mut remedies = Vec::new();
    if let Some(server) = servers.first() {
        remedies.push(format!("start it with ROS_DISCOVERY_SERVER={server}, if that is the server that is meant"));
    }
    remedies.push(format!("start the server there: fastdds discovery -i 0 -l {} -p {}", target.ip(), target.port()));
    remedies
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
    let servers = servers_at(graph, target.ip());
    let summary = format!("{who} announces itself to {target}, where nobody listens: {errno}");
    let explanation = format!(
        "No participant is known at {target}; it must be the address of a discovery server or of a static peer in this process's \
         settings. {}, {}.{}",
        failed(failure),
        times(failure.count),
        servers_words(&servers)
    );
    draft.told(&format!("{who} {target}"), summary, explanation, remedies(&servers, target))
}
