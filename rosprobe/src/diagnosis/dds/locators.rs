//! Addresses that a participant advertises and that others cannot use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::earshot::{hears, lately_lost, may_be_a_neighbour};
use super::membership::domain_of;
use super::remedies::use_interface;
use super::words::{failed, sender};
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::graph::dds::{Participant, SendFailure};
use crate::graph::{Graph, Stage, Subnet, Way, way};
use crate::observation::dds::{GuidPrefix, Locator};
use crate::printable::counted;

/// How long a participant may announce an address that nobody uses, in nanoseconds. Peers answer within milliseconds; a packet that is lost
/// on the way is sent again within a second or three.
const UNREACHED_NS: u128 = 10_000_000_000;
/// The same in a packet capture, for one that knows of none of its peers, in nanoseconds: captures of a failure are often seconds long, and
/// peers answer within milliseconds.
const UNANSWERED_NS: u128 = 150_000_000;
/// Announcements of one that is only heard, from which on it is no accident that nothing else comes.
const ANNOUNCED: u64 = 3;
/// How long a send that failed counts for the way to a participant that lives on, in nanoseconds. While nothing arrives, every implementation tries
/// again within ten seconds; the way is there again when nobody has failed on it for this long.
const REPEATED_NS: u128 = 30_000_000_000;
/// Samples counted this long after a failure arrived after it.
const COUNTED: Duration = Duration::from_secs(2);

/// What is wrong with the addresses that a participant advertises, worst first and one finding only. `cut_off` are pids of processes that reach
/// nobody at all.
pub(super) fn advertised(
    graph: &Graph,
    participant: &Participant,
    compared: &[&Participant],
    cut_off: &BTreeSet<u32>,
) -> Vec<Finding> {
    let peers: Vec<_> = remote_peers(graph, participant, compared).collect();
    if peers.is_empty() {
        return Vec::new();
    }
    let certain = [
        loopback(graph, participant, &peers),
        local(graph, participant, &peers),
        sends_fail(graph, participant, &peers, cut_off),
    ];
    // Errors come first among severities, and of equals the first is taken.
    let worst = certain.into_iter().flatten().min_by_key(|finding| finding.severity);
    let silent = || nobody_uses(graph, participant, &peers).filter(|_| !lately_lost(graph));
    worst.or_else(silent).into_iter().collect()
}

/// Living participants of the same domain on other hosts.
fn remote_peers<'a>(
    graph: &Graph,
    participant: &Participant,
    compared: &[&'a Participant],
) -> impl Iterator<Item = &'a Participant> {
    compared.iter().copied().filter(|other| {
        !other.relayed
            && !other.same_host(participant)
            && hears(other, participant)
            && graph.dds().may_meet(other.data.guid_prefix, participant.data.guid_prefix)
            && domain_of(graph, other).is_some()
            && domain_of(graph, other) == domain_of(graph, participant)
    })
}

/// Addresses that it advertises to other hosts.
fn usable(participant: &Participant) -> BTreeSet<IpAddr> {
    let addresses = participant.unicast().filter_map(|locator| locator.address);
    addresses.filter(|address| !address.is_loopback() && !address.is_unspecified()).collect()
}

fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Addresses from which its packets come: those that were seen, or all of its host's when its socket is bound to none.
fn sources(graph: &Graph, participant: &Participant) -> BTreeSet<IpAddr> {
    let seen: BTreeSet<_> = participant.addresses.iter().filter(|address| !address.is_loopback()).copied().collect();
    if !seen.is_empty() || participant.net_namespace == 0 {
        return seen;
    }
    let namespace = graph.namespace(participant.net_namespace).into_iter();
    let own = namespace.flat_map(|namespace| &namespace.addresses).map(|own| own.address);
    own.filter(|address| address.is_ipv4() && !address.is_loopback()).collect()
}

/// The one of them that its peers reach most likely: on a network that one of their hosts is on, and not an address that it has itself.
fn source(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<IpAddr> {
    let sources = sources(graph, participant);
    let namespaces = || peers.iter().filter_map(|peer| graph.namespace(peer.net_namespace));
    let neighbours = || namespaces().flat_map(|namespace| &namespace.addresses);
    let foreign = |address: &&IpAddr| neighbours().all(|own| own.address != **address);
    let near = |address: &&IpAddr| neighbours().any(|own| Subnet::of(own.address, own.prefix).contains(**address));
    sources.iter().filter(foreign).find(near).or_else(|| sources.iter().find(foreign)).copied()
}

fn locator_draft(code: Code, severity: Severity, participant: &Participant, address: Option<IpAddr>) -> Draft {
    let mut draft = Draft::of_moments(code, severity, participant.first, participant.last);
    draft.finding.stage = Some(Stage::Discovered);
    draft.finding.domain = participant.domain();
    draft = draft.other_end(participant);
    let locator = participant.unicast().find(|locator| locator.address == address);
    draft.finding.address = locator.map(ToString::to_string);
    draft.finding.count = participant.announcements.max(1);
    draft = draft.moments(&participant.evidence);
    draft
}

fn loopback(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let first = participant.unicast().next()?.address?;
    let source = source(graph, participant, peers);
    // Of one whose own packets are not seen only that nothing comes back shows that it is elsewhere.
    if source.is_none() && (is_reached(graph, participant, peers) || !waited(graph, participant, peers, UNREACHED_NS)) {
        return None;
    }
    if !participant.unicast().all(|locator| locator.address.is_some_and(|address| address.is_loopback())) {
        return None;
    }
    let mut draft = locator_draft(Code::LoopbackLocator, Severity::Error, participant, Some(first));
    draft = draft.participant(participant);
    let who = participant.words();
    let summary = format!("{who} advertises only {first} to other hosts: they send to themselves");
    let from = source.map_or_else(String::new, |source| format!(" from {source}"));
    let explanation = format!(
        "Its announcements arrive{from}, and name {first} as the only address at which it can be reached. On every other host \
         that is the host itself; sends succeed there and reach nobody. {} {} waiting for it.",
        counted(peers.len(), "participant"),
        if peers.len() == 1 { "is" } else { "are" }
    );
    let remedies = vec![
        use_interface(participant, source),
        format!("see that ROS_LOCALHOST_ONLY is not 1, and ROS_AUTOMATIC_DISCOVERY_RANGE not LOCALHOST, for {who}"),
    ];
    Some(draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, remedies))
}

/// Those of `addresses` that the host of a network namespace has itself, and on which interface.
fn own_addresses(graph: &Graph, net_namespace: u64, addresses: &BTreeSet<IpAddr>) -> BTreeMap<IpAddr, String> {
    let namespace = graph.namespace(net_namespace).filter(|_| net_namespace != 0);
    let own = namespace.into_iter().flat_map(|namespace| &namespace.addresses);
    own.filter(|own| addresses.contains(&own.address)).map(|own| (own.address, own.interface.clone())).collect()
}

/// A peer's host has the address that is advertised to it.
fn local(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let usable = usable(participant);
    let (peer, shared) = peers
        .iter()
        .map(|peer| (*peer, own_addresses(graph, peer.net_namespace, &usable)))
        .find(|(_, shared)| !shared.is_empty())?;
    let (address, interface) = shared.first_key_value()?;
    if participant.process.is_none() && may_be_a_neighbour(shared.values()) {
        return None;
    }
    let all = shared.len() == usable.len();
    let severity = if all { Severity::Error } else { Severity::Info };
    let mut draft = locator_draft(Code::LocatorIsLocal, severity, participant, Some(*address));
    draft = draft.participant(peer);
    draft = draft.moments(&peer.evidence);
    let who = participant.words();
    let summary = format!("{who} advertises {address}, which {} has itself ({interface})", peer.words());
    let explanation = format!(
        "What is sent to {address} from there succeeds and never leaves the host: {interface} has that address.{}",
        if all {
            " It is the only address that is advertised, so that nothing arrives. Bridges of container tools have the same address on \
             every host (docker0)."
        } else {
            " Other advertised addresses remain, so that this one does no harm."
        }
    );
    let remedies = if all { vec![use_interface(participant, source(graph, participant, peers))] } else { Vec::new() };
    Some(draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, remedies))
}

/// Sends to the participant failed, to all of its addresses or to some.
fn sends_fail(
    graph: &Graph,
    participant: &Participant,
    peers: &[&Participant],
    cut_off: &BTreeSet<u32>,
) -> Option<Finding> {
    let usable = usable(participant);
    let locators: BTreeSet<_> = participant.unicast().filter_map(Locator::socket_address).collect();
    let mut senders: BTreeMap<_, Vec<&SendFailure>> = BTreeMap::new();
    for failure in graph.dds().sockets().failures() {
        let own = failure.process.is_some() && failure.process == participant.process;
        // Nobody listens where a participant was that has gone; one that announces itself after that is another matter.
        let stale =
            failure.last.at < participant.first.at || (failure.by_icmp && participant.last.at <= failure.first.at);
        let hits = usable.contains(&failure.target.ip()) && locators.contains(&failure.target);
        let cut_off = failure.process.as_ref().is_some_and(|process| cut_off.contains(&process.pid));
        let past = || {
            participant.last.at.since(failure.last.at).as_nanos() >= REPEATED_NS
                || arrived_since(graph, failure, participant)
        };
        if hits && !own && !stale && !cut_off && !past() {
            senders.entry((failure.process.clone(), failure.source)).or_default().push(failure);
        }
    }
    let failing =
        |failures: &[&SendFailure]| failures.iter().map(|failure| failure.target.ip()).collect::<BTreeSet<_>>();
    let (_, failures) = senders.iter().max_by_key(|(_, failures)| failing(failures).len())?;
    let worst = failures.iter().max_by_key(|failure| failure.last.at)?;
    // What the sender's host has itself is no way to the participant either.
    let own = own_addresses(graph, worst.net_namespace, &usable).into_keys();
    let useless: BTreeSet<_> = failing(failures).into_iter().chain(own).collect();
    let all = useless == usable;
    let mut draft =
        locator_draft(Code::LocatorUnreachable, if all { Severity::Error } else { Severity::Info }, participant, None);
    draft.finding.address = Some(worst.target.to_string());
    draft.finding.errno = Some(worst.errno);
    draft.finding.count = failures.iter().map(|failure| failure.count).sum();
    draft.finding.first = failures.iter().map(|failure| failure.first.time).min()?;
    draft.finding.last = worst.last.time;
    draft = draft.moments(failures.iter().flat_map(|failure| [&failure.first, &failure.last]));
    if let Some(process) = &worst.process {
        draft = draft.in_process(process);
    }
    let who_sends = sender(graph, worst);
    let who = participant.words();
    let summary =
        format!("{who_sends} cannot send to {}, where {who} says it can be reached: {}", worst.target, worst.errno);
    let explanation = format!(
        "{who} advertises {}. {} ({}){}",
        listed(&usable),
        failed(worst),
        worst.errno.meaning(),
        if all {
            "; no other address is left, so that nothing reaches it.".to_owned()
        } else {
            let left: BTreeSet<_> = usable.difference(&useless).copied().collect();
            format!("; {} still works, so that this does no harm.", listed(&left))
        }
    );
    let remedies = if all {
        unreachable_remedies(participant, source(graph, participant, peers), worst.target.ip())
    } else {
        Vec::new()
    };
    Some(draft.told(&format!("{} {who_sends}", participant.data.guid_prefix), summary, explanation, remedies))
}

/// Samples of the sender have arrived at the participant since. Counts are told once a second, so that some may be from before the failure.
fn arrived_since(graph: &Graph, failure: &SendFailure, participant: &Participant) -> bool {
    let (Some(sender), Some(receiver)) = (&failure.process, participant.process_key()) else { return false };
    let dds = graph.dds();
    let own = dds.participants().filter(|known| known.process.as_ref() == Some(sender));
    let writers = own.flat_map(|known| dds.endpoints_of(known.data.guid_prefix));
    let received = writers.filter_map(|writer| dds.samples(writer)?.received_by(receiver));
    received.max().is_some_and(|at| at.since(failure.last.at) >= COUNTED)
}

fn unreachable_remedies(participant: &Participant, source: Option<IpAddr>, target: IpAddr) -> Vec<String> {
    let mut remedies = Vec::new();
    if let Some(source) = source.filter(|source| *source != target) {
        remedies.push(use_interface(participant, Some(source)));
        remedies
            .push(format!("unless this host has {target} itself, give it a route: ip route add {target} via {source}"));
    } else {
        remedies.push(format!("look for the route to {target} on this host: ip route get {target}"));
    }
    remedies
}

fn knows_one_of(participant: &Participant, peers: &[&Participant]) -> bool {
    peers.iter().any(|peer| participant.knows.contains_key(&peer.data.guid_prefix))
}

/// True when something shows that unicast arrives there. That it knows of its peers shows it only when nothing else could: it hears of them by
/// multicast, and learns of their readers and writers by unicast.
fn is_reached(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> bool {
    let dds = graph.dds();
    let prefix = participant.data.guid_prefix;
    let of_peer = |other: GuidPrefix| peers.iter().any(|peer| peer.data.guid_prefix == other);
    let own = || dds.endpoints().filter(|endpoint| endpoint.data.guid.prefix == prefix);
    let sends = own().any(|endpoint| dds.samples(endpoint.data.guid).is_some());
    let pairs = |writer: GuidPrefix, reader: GuidPrefix| {
        (writer == prefix && of_peer(reader)) || (reader == prefix && of_peer(writer))
    };
    let nothing_to_say = own().next().is_some()
        && !dds.pairs().any(|(writer, reader)| pairs(writer.data.guid.prefix, reader.data.guid.prefix));
    dds.has_acknowledged(prefix) || sends || (knows_one_of(participant, peers) && nothing_to_say)
}

/// True when one of the peers and the participant have been there together for so many nanoseconds.
fn waited(graph: &Graph, participant: &Participant, peers: &[&Participant], limit: u128) -> bool {
    peers.iter().any(|other| {
        let both = participant.watched_since().max(other.watched_since());
        graph.now().since(both).as_nanos() >= limit
    })
}

/// Its packets come from an address that it does not advertise, and nobody reaches it at those that it does.
fn nobody_uses(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let usable = usable(participant);
    let address = *usable.first()?;
    // Its readers and writers are announced once, and that may be what was not seen.
    let all_seen = participant.missed.is_none();
    let captured = || peers.iter().chain([&participant]).all(|one| one.process.is_none());
    let limit = if captured() && !knows_one_of(participant, peers) { UNANSWERED_NS } else { UNREACHED_NS };
    if !all_seen || is_reached(graph, participant, peers) || !waited(graph, participant, peers, limit) {
        return None;
    }
    let Some(source) = source(graph, participant, peers) else {
        return beyond_a_gateway(graph, participant, peers, &usable);
    };
    if !sources(graph, participant).is_disjoint(&usable) {
        return None;
    }
    let mut draft = locator_draft(Code::LocatorUnreachable, Severity::Error, participant, Some(address));
    if let Some(peer) = peers.first() {
        draft = draft.participant(peer);
    }
    draft = draft.other_end(participant);
    let who = participant.words();
    let summary =
        format!("{who} advertises {}, but its packets come from {source}, and it answers nobody", listed(&usable));
    let explanation = format!(
        "Announcements reach this host by multicast from {source}. What is meant for {who} alone goes to {}, and nothing shows that it \
         arrives: either no route leads there, or the host that sends has that address itself (docker0 has the same address on every host), \
         or a gateway on the way drops it. {} of its domain {} affected.",
        listed(&usable),
        counted(peers.len(), "participant"),
        if peers.len() == 1 { "is" } else { "are" }
    );
    Some(draft.told(
        &participant.data.guid_prefix.to_string(),
        summary,
        explanation,
        unreachable_remedies(participant, Some(source), address),
    ))
}

/// Where its packets come from is not known. It is heard, every address that it advertises is on another network, and nothing shows that
/// anything arrives there.
fn beyond_a_gateway(
    graph: &Graph,
    participant: &Participant,
    peers: &[&Participant],
    usable: &BTreeSet<IpAddr>,
) -> Option<Finding> {
    let hearer = *peers.iter().find(|peer| peer.process_key().is_some_and(|id| participant.heard_by.contains(&id)))?;
    let namespace = graph.namespace(hearer.net_namespace).filter(|_| hearer.net_namespace != 0)?;
    let ways: Vec<_> = usable.iter().map(|address| way(Some(namespace), *address)).collect();
    let gateways = ways.iter().map(|way| if let Way::Gateway { gateway, .. } = way { Some(*gateway) } else { None });
    let gateways = gateways.collect::<Option<BTreeSet<_>>>()?;
    let (gateway, address) = (*gateways.first()?, *usable.first()?);
    if participant.announcements < ANNOUNCED {
        return None;
    }
    let mut draft = locator_draft(Code::LocatorUnreachable, Severity::Error, participant, Some(address));
    draft = draft.participant(hearer).other_end(participant);
    let (who, here) = (participant.words(), hearer.words());
    let all = listed(usable);
    let summary = format!(
        "{who} advertises {all}, which {here} reaches through the gateway {} only, and it answers nobody",
        listed(&gateways)
    );
    let explanation = format!(
        "Its announcements arrive here. What is meant for {who} alone goes to the gateway; sends succeed, and nothing shows that they arrive: \
         the gateway is off, or does not know the way, or {who} advertises the \
         address of an interface that this network does not reach."
    );
    let remedies = vec![
        format!(
            "see that the gateway answers: ping {gateway}, ping {address}, and ip neigh show {gateway} on the host of {here}"
        ),
        use_interface(participant, None),
    ];
    Some(draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, remedies))
}
