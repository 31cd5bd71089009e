//! Addresses and multicast: what keeps packets from arriving.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::compared;
use super::domains::domain_of;
use super::draft::Draft;
use super::remedies::use_interface;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Purpose, read_port};
use crate::errno::Errno;
use crate::graph::dds::{Moment, Participant, SendFailure};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, GuidPrefix, Locator};

/// How long two participants of one domain may go without a word before that is a fault, in nanoseconds.
const SILENT_NS: u128 = 3_000_000_000;
/// How long a participant may announce an address that nobody uses, in nanoseconds. Peers answer within milliseconds.
const UNANSWERED_NS: u128 = 150_000_000;
/// How long a participant may be alone before that is worth saying, in nanoseconds.
const ALONE_NS: u128 = 10_000_000_000;
/// Refused datagrams after which nobody listens there.
const REFUSED: u64 = 3;

/// `deaf` are pids of processes whose silence has its finding already.
pub(super) fn findings(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut explained = BTreeSet::new();
    let mut compared = compared(graph);
    compared.retain(|participant| !participant.is_of(deaf));
    for participant in compared.iter().filter(|participant| !participant.relayed) {
        let found = advertised(graph, participant, &compared);
        if found.iter().any(|finding| finding.severity == Severity::Error) {
            explained.insert(participant.data.guid_prefix);
        }
        findings.extend(found);
    }
    let blocked = multicast_blocked(graph);
    let multicast_fails = !blocked.is_empty();
    findings.extend(blocked);
    findings.extend(unknown_targets(graph));
    if !multicast_fails {
        findings.extend(unheard(graph, &compared, &explained));
    }
    findings
}

/// What is wrong with the addresses that a participant advertises, worst first and one finding only.
fn advertised(graph: &Graph, participant: &Participant, compared: &[&Participant]) -> Vec<Finding> {
    let peers: Vec<_> = remote_peers(graph, participant, compared).collect();
    if peers.is_empty() {
        return Vec::new();
    }
    let found = loopback(participant, &peers)
        .or_else(|| local(graph, participant, &peers))
        .or_else(|| sends_fail(graph, participant))
        .or_else(|| nobody_uses(graph, participant, &peers));
    found.into_iter().collect()
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

/// Where its packets really come from, of the addresses that others could use.
fn source(participant: &Participant) -> Option<IpAddr> {
    participant.addresses.iter().find(|address| !address.is_loopback()).copied()
}

fn locator_draft(code: Code, severity: Severity, participant: &Participant, address: Option<IpAddr>) -> Draft {
    let mut draft = Draft::new(code, severity, participant.first, participant.last);
    draft.stage = Some(Stage::Discovered);
    draft.domain = participant.domain();
    draft.peer_is(participant);
    let locator = participant.unicast().find(|locator| locator.address == address);
    draft.address = locator.map(ToString::to_string);
    draft.count = participant.announcements.max(1);
    draft.evidence(&participant.evidence);
    draft
}

fn loopback(participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let first = participant.unicast().next()?.address?;
    let source = source(participant)?;
    if !participant.unicast().all(|locator| locator.address.is_some_and(|address| address.is_loopback())) {
        return None;
    }
    let mut draft = locator_draft(Code::LoopbackLocator, Severity::Error, participant, Some(first));
    draft.about(participant);
    let who = participant.words();
    let summary = format!("{who} advertises only {first} to other hosts: they send to themselves");
    let explanation = format!(
        "Its announcements arrive from {source}, and name {first} as the only address at which it can be reached. On every other host \
         that is the host itself; sends succeed there and reach nobody. {} {} waiting for it.",
        counted(peers.len(), "participant"),
        if peers.len() == 1 { "is" } else { "are" }
    );
    let remedies = vec![
        use_interface(participant, source),
        format!("see that ROS_LOCALHOST_ONLY is not 1, and ROS_AUTOMATIC_DISCOVERY_RANGE not LOCALHOST, for {who}"),
    ];
    Some(draft.finish(&participant.data.guid_prefix.to_string(), summary, explanation, remedies))
}

fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// A peer's host has the address that is advertised to it.
fn local(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let usable = usable(participant);
    let own = |peer: &Participant| -> BTreeMap<IpAddr, String> {
        let namespace = graph.namespace(peer.net_namespace).filter(|_| peer.net_namespace != 0);
        let addresses = namespace.into_iter().flat_map(|namespace| &namespace.addresses);
        addresses.filter(|own| usable.contains(&own.address)).map(|own| (own.address, own.interface.clone())).collect()
    };
    let (peer, shared) = peers.iter().map(|peer| (*peer, own(peer))).find(|(_, shared)| !shared.is_empty())?;
    let (address, interface) = shared.first_key_value()?;
    let all = shared.len() == usable.len();
    let severity = if all { Severity::Error } else { Severity::Info };
    let mut draft = locator_draft(Code::LocatorIsLocal, severity, participant, Some(*address));
    draft.about(peer);
    draft.evidence(&peer.evidence);
    let who = participant.words();
    let summary = format!("{who} advertises {address}, which {} has itself ({interface})", peer.words());
    let explanation = format!(
        "What is sent to {address} from there succeeds and never leaves the host: {interface} has that address.{}",
        if all {
            " It is the only address that is advertised, so that nothing arrives. Bridges of container tools have the same address on \
             every host (docker0: 172.17.0.1)."
        } else {
            " Other advertised addresses remain, so that this one does no harm."
        }
    );
    let remedies = source(participant).map(|source| use_interface(participant, source)).into_iter();
    let remedies: Vec<_> = if all { remedies.collect() } else { Vec::new() };
    Some(draft.finish(&participant.data.guid_prefix.to_string(), summary, explanation, remedies))
}

/// Sends to the participant failed, to all of its addresses or to some.
fn sends_fail(graph: &Graph, participant: &Participant) -> Option<Finding> {
    let usable = usable(participant);
    let locators: BTreeSet<_> = participant.unicast().filter_map(Locator::socket_address).collect();
    let mut senders: BTreeMap<_, Vec<&SendFailure>> = BTreeMap::new();
    for failure in graph.dds().sockets().failures() {
        let own = failure.process.is_some() && failure.process == participant.process;
        // Nobody listens where a participant was that has gone; one that announces itself after that is another matter.
        let stale =
            failure.last.at < participant.first.at || (failure.by_icmp && participant.last.at <= failure.first.at);
        let hits = usable.contains(&failure.target.ip()) && locators.contains(&failure.target);
        if hits && !own && !stale {
            senders.entry((failure.process.clone(), failure.source)).or_default().push(failure);
        }
    }
    let failing =
        |failures: &[&SendFailure]| failures.iter().map(|failure| failure.target.ip()).collect::<BTreeSet<_>>();
    let (_, failures) = senders.iter().max_by_key(|(_, failures)| failing(failures).len())?;
    let failed = failing(failures);
    let worst = failures.iter().max_by_key(|failure| failure.last.at)?;
    let all = failed == usable;
    let mut draft =
        locator_draft(Code::LocatorUnreachable, if all { Severity::Error } else { Severity::Info }, participant, None);
    draft.address = Some(worst.target.to_string());
    draft.errno = Some(worst.errno);
    draft.count = failures.iter().map(|failure| failure.count).sum();
    draft.first = failures.iter().map(|failure| failure.first).min_by_key(|moment| moment.at)?;
    draft.last = worst.last;
    draft.evidence(failures.iter().flat_map(|failure| [&failure.first, &failure.last]));
    if let Some(process) = &worst.process {
        draft.process_is(process);
    }
    let sender = sender_words(graph, worst);
    let who = participant.words();
    let summary =
        format!("{sender} cannot send to {}, where {who} says it can be reached: {}", worst.target, worst.errno);
    let explanation = format!(
        "{who} advertises {}. {} ({}){}",
        listed(&usable),
        failed_words(worst),
        worst.errno.meaning(),
        if all {
            "; no other address is left, so that nothing reaches it.".to_owned()
        } else {
            let left: BTreeSet<_> = usable.difference(&failed).copied().collect();
            format!("; {} still works, so that this does no harm.", listed(&left))
        }
    );
    let remedies = if all { unreachable_remedies(participant, worst.target.ip()) } else { Vec::new() };
    Some(draft.finish(&format!("{} {sender}", participant.data.guid_prefix), summary, explanation, remedies))
}

fn failed_words(failure: &SendFailure) -> String {
    if failure.by_icmp {
        format!("Datagrams to {} came back by ICMP", failure.target)
    } else {
        format!("Sending to {} failed {} times with {}", failure.target, failure.count, failure.errno)
    }
}

fn sender_words(graph: &Graph, failure: &SendFailure) -> String {
    if let Some(process) = &failure.process {
        return format!("{}[{}]", process.comm, process.pid);
    }
    let mut at_source = graph
        .dds()
        .participants()
        .filter(|participant| failure.source.is_some_and(|source| participant.addresses.contains(&source)));
    match (at_source.next(), at_source.next(), failure.source) {
        (Some(only), None, _) => only.words(),
        (_, _, Some(source)) => source.to_string(),
        _ => "a participant".to_owned(),
    }
}

fn unreachable_remedies(participant: &Participant, target: IpAddr) -> Vec<String> {
    let mut remedies = Vec::new();
    if let Some(source) = source(participant).filter(|source| *source != target) {
        remedies.push(use_interface(participant, source));
        remedies
            .push(format!("unless this host has {target} itself, give it a route: ip route add {target} via {source}"));
    } else {
        remedies.push(format!("look for the route to {target} on this host: ip route get {target}"));
    }
    remedies
}

/// Its packets come from an address that it does not advertise, and nobody reaches it at those that it does.
fn nobody_uses(graph: &Graph, participant: &Participant, peers: &[&Participant]) -> Option<Finding> {
    let usable = usable(participant);
    let source = source(participant)?;
    let address = *usable.first()?;
    let prefix = participant.data.guid_prefix;
    let long_enough = |other: &Participant| {
        let both = participant.first.at.max(other.first.at);
        graph.now().since(both).as_nanos() >= UNANSWERED_NS
    };
    let reached = graph.dds().has_acknowledged(prefix)
        || peers.iter().any(|peer| participant.knows.contains_key(&peer.data.guid_prefix));
    if usable.iter().any(|address| participant.addresses.contains(address))
        || reached
        || !peers.iter().any(|peer| long_enough(peer))
    {
        return None;
    }
    let mut draft = locator_draft(Code::LocatorUnreachable, Severity::Error, participant, Some(address));
    if let Some(peer) = peers.first() {
        draft.about(peer);
    }
    draft.peer_is(participant);
    let who = participant.words();
    let summary =
        format!("{who} advertises {}, but its packets come from {source}, and it answers nobody", listed(&usable));
    let explanation = format!(
        "Announcements reach this host by multicast from {source}. What is meant for {who} alone goes to {}, and nothing shows that it \
         arrives: either no route leads there, or the host that sends has that address itself (docker0 has 172.17.0.1 on every host), \
         or a gateway on the way drops it. {} of its domain {} affected.",
        listed(&usable),
        counted(peers.len(), "participant"),
        if peers.len() == 1 { "is" } else { "are" }
    );
    Some(draft.finish(&prefix.to_string(), summary, explanation, unreachable_remedies(participant, address)))
}

/// Announcements cannot leave, or cannot be listened for.
fn multicast_blocked(graph: &Graph) -> Vec<Finding> {
    let failures = graph.dds().sockets().failures().filter(|failure| failure.target.ip().is_multicast());
    let sends =
        failures.filter(|failure| !multicasts_since(graph, failure)).map(|failure| blocked_send(graph, failure));
    let joins = graph.dds().sockets().joins().filter_map(|(process, attempts)| {
        // One interface of several may refuse.
        let failed = attempts.iter().find(|attempt| attempt.errno.is_some())?;
        if attempts.iter().any(|attempt| attempt.errno.is_none()) {
            return None;
        }
        let errno = failed.errno?;
        let mut draft = Draft::new(Code::MulticastBlocked, Severity::Error, failed.moment, failed.moment);
        draft.errno = Some(errno);
        draft.address = Some(failed.address.ip().to_string());
        draft.stage = Some(Stage::Announced);
        draft.process_is(process);
        draft.evidence([&failed.moment]);
        let group = failed.address.ip();
        let summary = format!("{}[{}] could not join multicast group {group}: {errno}", process.comm, process.pid);
        let explanation = format!(
            "Participants hear of each other in group {group}; without it this process hears of nobody ({}).",
            errno.meaning()
        );
        Some(draft.finish("join", summary, explanation, blocked_remedies(errno, group)))
    });
    sends.chain(joins).collect()
}

/// A process may send through several interfaces, of which one is enough.
fn multicasts_since(graph: &Graph, failure: &SendFailure) -> bool {
    let own = graph
        .dds()
        .participants()
        .filter(|participant| failure.process.is_some() && participant.process == failure.process);
    own.filter_map(|participant| participant.multicasts).any(|(_, last, _)| last.at >= failure.last.at)
}

fn blocked_send(graph: &Graph, failure: &SendFailure) -> Finding {
    let errno = failure.errno;
    let mut draft = Draft::new(Code::MulticastBlocked, Severity::Error, failure.first, failure.last);
    draft.errno = Some(errno);
    draft.address = Some(failure.target.to_string());
    draft.stage = Some(Stage::Announced);
    draft.count = failure.count;
    draft.evidence([&failure.first, &failure.last]);
    let readings = read_port(failure.target.port()).into_iter();
    draft.domain = readings
        .filter(|reading| matches!(reading.purpose, Purpose::DiscoveryMulticast | Purpose::UserMulticast))
        .map(|reading| reading.domain.number())
        .next();
    if let Some(process) = &failure.process {
        draft.process_is(process);
    }
    let summary = format!(
        "{} cannot send to multicast group {}: {errno}, {}",
        sender_words(graph, failure),
        failure.target,
        times(failure.count)
    );
    let explanation = format!(
        "Participants announce themselves by multicast; nobody hears of this one ({}). {}",
        errno.meaning(),
        match errno {
            Errno::EPERM | Errno::EACCES => "A firewall on this host refuses the packets.",
            Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EHOSTUNREACH =>
                "No route leads to the group: the interface is down, or it has no address.",
            _ => "",
        }
    );
    draft.finish("send", summary, explanation, blocked_remedies(errno, failure.target.ip()))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn blocked_remedies(errno: Errno, group: IpAddr) -> Vec<String> {
    match errno {
        Errno::EPERM | Errno::EACCES => vec![
            format!(
                "let the firewall pass it: iptables -I OUTPUT -d {group} -p udp -j ACCEPT (nft list ruleset shows what refuses it)"
            ),
            "do without multicast: ROS_DISCOVERY_SERVER (Fast DDS), or ROS_STATIC_PEERS since Iron".to_owned(),
        ],
        _ => vec![
            format!(
                "see which interface is meant: ip route get {group}; then bring it up, or add a route: ip route add 224.0.0.0/4 dev IFACE"
            ),
            "do without multicast: ROS_DISCOVERY_SERVER (Fast DDS), or ROS_STATIC_PEERS since Iron".to_owned(),
        ],
    }
}

/// Datagrams that were refused where no participant is known: a discovery server or a static peer that is not there.
fn unknown_targets(graph: &Graph) -> Vec<Finding> {
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
    let mut draft = Draft::new(Code::LocatorUnreachable, Severity::Error, failure.first, failure.last);
    draft.errno = Some(errno);
    draft.address = Some(target.to_string());
    draft.stage = Some(Stage::Announced);
    draft.count = failure.count;
    draft.evidence([&failure.first, &failure.last]);
    let announcer = announcers(graph, failure).next();
    if let Some(announcer) = announcer {
        draft.about(announcer);
        draft.evidence(&announcer.evidence);
    }
    if let Some(process) = &failure.process {
        draft.process_is(process);
    }
    let who = announcer.map_or_else(|| sender_words(graph, failure), Participant::words);
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
        failed_words(failure),
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
    draft.finish(&who, summary, explanation, remedies)
}

/// Participants of one domain on different hosts that have not heard of each other; or one that has heard of nobody at all.
fn unheard(graph: &Graph, compared: &[&Participant], explained: &BTreeSet<GuidPrefix>) -> Vec<Finding> {
    let mut domains: BTreeMap<u32, Vec<(&Participant, &Participant)>> = BTreeMap::new();
    let mut findings = Vec::new();
    for participant in compared.iter().filter(|participant| participant.multicasts.is_some()) {
        let Some(domain) = domain_of(graph, participant) else { continue };
        if explained.contains(&participant.data.guid_prefix) {
            continue;
        }
        let remote: Vec<_> = others_in_reach(graph, participant, compared, domain).collect();
        if remote.iter().any(|other| explained.contains(&other.data.guid_prefix)) {
            continue;
        }
        let heard = remote.iter().any(|other| have_heard(participant, other));
        let waited =
            |other: &&&Participant| graph.now().since(participant.first.at.max(other.first.at)).as_nanos() >= SILENT_NS;
        // A server says best why its clients are not heard.
        let other = remote.iter().filter(waited).max_by_key(|other| other.data.discovery);
        if let Some(other) = other.filter(|_| !heard) {
            domains.entry(domain).or_default().push((participant, other));
        } else if remote.is_empty() && is_alone(graph, participant) {
            findings.push(nobody_heard(participant, domain));
        }
    }
    findings.extend(domains.iter().filter_map(|(domain, pairs)| unheard_finding(*domain, pairs)));
    findings
}

/// Participants on other hosts that should have been heard: of the same domain, or of a discovery server's company.
fn others_in_reach<'a>(
    graph: &Graph,
    participant: &Participant,
    compared: &[&'a Participant],
    domain: u32,
) -> impl Iterator<Item = &'a Participant> {
    compared.iter().copied().filter(move |other| {
        !other.same_host(participant) && domain_of(graph, other).is_none_or(|other| other == domain)
    })
}

fn have_heard(one: &Participant, other: &Participant) -> bool {
    let heard = |by: &Participant, of: &Participant| {
        by.knows.contains_key(&of.data.guid_prefix)
            || by.process.as_ref().is_some_and(|process| of.heard_by.contains(&(process.pid, process.started)))
    };
    heard(one, other) || heard(other, one)
}

fn is_alone(graph: &Graph, participant: &Participant) -> bool {
    let mut others = graph.dds().participants().filter(|other| other.data.guid_prefix != participant.data.guid_prefix);
    let quiet = participant.data.discovery != Discovery::Simple || localhost_only(graph, participant);
    let long = graph.now().since(participant.first.at).as_nanos() >= ALONE_NS;
    // A packet capture shows what passed one place, not what a process heard.
    long && !quiet && participant.process.is_some() && others.next().is_none()
}

fn localhost_only(graph: &Graph, participant: &Participant) -> bool {
    let Some(state) = participant.process.as_ref().and_then(|process| graph.process(process)) else { return false };
    let environment = &state.process.environment;
    let is = |name: &str, value: &str| environment.get(name).is_some_and(|known| known == value);
    is("ROS_LOCALHOST_ONLY", "1")
        || is("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        || is("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
}

fn nobody_heard(participant: &Participant, domain: u32) -> Finding {
    let mut draft = Draft::new(Code::NoRemoteDiscovery, Severity::Info, participant.first, participant.last);
    draft.domain = Some(domain);
    draft.stage = Some(Stage::Discovered);
    draft.about(participant);
    draft.count = participant.announcements;
    draft.evidence(&participant.evidence);
    let who = participant.words();
    let summary = format!(
        "{who} has announced itself in domain {domain} {} and heard of nobody",
        times(participant.announcements)
    );
    let explanation = "No announcement of another participant arrived, from this host or any other. Either nobody else is there, or the \
                       others are in another domain, or multicast is lost on the way: access points and switches often drop it."
        .to_owned();
    let remedies = discovery_remedies(domain);
    draft.finish(&participant.data.guid_prefix.to_string(), summary, explanation, remedies)
}

fn unheard_finding(domain: u32, pairs: &[(&Participant, &Participant)]) -> Option<Finding> {
    let (one, other) = pairs.first()?;
    let firsts = pairs.iter().map(|(one, _)| one.first);
    let first: Moment = firsts.min_by_key(|moment| moment.at)?;
    let mut draft = Draft::new(Code::NoRemoteDiscovery, Severity::Error, first, one.last);
    draft.domain = Some(domain);
    draft.stage = Some(Stage::Discovered);
    draft.about(one);
    draft.peer_is(other);
    draft.count = one.announcements.max(1);
    draft.evidence(pairs.iter().flat_map(|(one, other)| [&one.first, &other.first]));
    let (here, there) = (one.words(), other.words());
    let server = other.data.discovery != Discovery::Simple;
    let summary = if server {
        format!(
            "{here} announces itself in domain {domain} and hears of nobody; {there} is found through a discovery server only"
        )
    } else {
        format!("{here} and {there} are both in domain {domain} and have not heard of each other")
    };
    let explanation = if server {
        "Clients of a discovery server announce themselves to the server and not by multicast. A participant that does not use the \
         server never hears of them, nor they of it."
            .to_owned()
    } else {
        format!(
            "Both announce themselves by multicast to 239.255.0.1, port {}, and neither has answered the other. Multicast is lost \
             between them: an access point, a switch with IGMP snooping and no querier, a firewall or a container's network drops it. \
             {} affected.",
            7400 + 250 * domain,
            counted(pairs.len(), "participant") + if pairs.len() == 1 { " is" } else { " are" }
        )
    };
    let remedies = if server {
        let address = other.unicast().find_map(Locator::socket_address);
        let server = address.map_or_else(|| "ADDRESS:11811".to_owned(), |address| address.to_string());
        vec![format!(
            "start {here} with ROS_DISCOVERY_SERVER set to the address that the others use (a server known here: {server})"
        )]
    } else {
        discovery_remedies(domain)
    };
    Some(draft.finish("", summary, explanation, remedies))
}

fn discovery_remedies(domain: u32) -> Vec<String> {
    let port = 7400 + 250 * domain;
    vec![
        format!("let UDP to 239.255.0.1 port {port} pass between the hosts (iptables -I INPUT -p udp --dport {port}:{} -j ACCEPT)", port + 249),
        "on Wi-Fi and switches: turn off IGMP snooping, or run an IGMP querier; docker run --network host for containers".to_owned(),
        "do without multicast: ROS_DISCOVERY_SERVER=ADDRESS:11811 (Fast DDS), ROS_STATIC_PEERS=ADDRESS (since Iron)".to_owned(),
    ]
}
