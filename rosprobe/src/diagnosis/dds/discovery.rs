//! Participants that should have heard of each other and have not.

use std::collections::{BTreeMap, BTreeSet};

use super::earshot::{are_apart, have_heard, is_told_to_stay, need_each_other, served, stays_on_host};
use super::membership::domain_of;
use super::remedies::{formula_ports, use_interface, without_multicast};
use super::words::times;
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::graph::dds::{Moment, Participant};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, GuidPrefix, Locator, VendorId};
use crate::printable::counted;

/// How long two participants of one domain may go without a word before that is a fault, in nanoseconds.
const SILENT_NS: u128 = 3_000_000_000;
/// How many announcements of the two must have found no answer until then. On a radio that loses one packet of three, six in a row get lost
/// once in seven hundred times, which was seen within twenty; eight once in six thousand.
const UNANSWERED: usize = 8;
/// How long a participant may be alone before that is worth saying, in nanoseconds.
const ALONE_NS: u128 = 10_000_000_000;
/// The same for one that ran before, in nanoseconds: its company announces itself every half minute, and was heard long ago.
pub(super) const LATE_NS: u128 = 35_000_000_000;

/// Participants of one domain on different hosts that have not heard of each other; or one that has heard of nobody at all.
pub(super) fn findings(graph: &Graph, compared: &[&Participant], explained: &BTreeSet<GuidPrefix>) -> Vec<Finding> {
    let mut domains: BTreeMap<u32, Vec<(&Participant, &Participant)>> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut company = None;
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
        let waited = |other: &&&Participant| {
            let both = participant.watched_since().max(other.watched_since());
            let there = participant.is_there_since(other.first.at) && other.is_there_since(participant.first.at);
            // Who uses a server does not listen to announcements, however many arrive.
            let deaf = other.data.discovery != Discovery::Simple;
            let proven = deaf || participant.calls_since(both) + other.calls_since(both) >= UNANSWERED;
            there && proven && graph.now().since(both).as_nanos() >= SILENT_NS
        };
        let mut missed = |other: &&&Participant| {
            let served = company.get_or_insert_with(|| served(graph));
            !are_apart(graph, participant, other) && need_each_other(graph, participant, other, served)
        };
        // A server says best why its clients are not heard.
        let missed = remote.iter().filter(|_| !heard).filter(waited).filter(|other| missed(other));
        if let Some(other) = missed.max_by_key(|other| other.data.discovery) {
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

/// True when its process took part in DDS before watching began: what it heard then was not seen.
pub(super) fn ran_before(graph: &Graph, participant: &Participant) -> bool {
    participant.process.as_ref().is_some_and(|process| graph.dds().sockets().ran_before(process))
}

fn is_alone(graph: &Graph, participant: &Participant) -> bool {
    let mut others = graph.dds().participants().filter(|other| other.data.guid_prefix != participant.data.guid_prefix);
    let quiet = participant.data.discovery != Discovery::Simple || is_told_to_stay(graph, participant);
    let limit = if ran_before(graph, participant) { LATE_NS } else { ALONE_NS };
    let long = graph.now().since(participant.watched_since()).as_nanos() >= limit;
    // A packet capture shows what passed one place, not what a process heard.
    long && !quiet && participant.process.is_some() && others.next().is_none()
}

/// Participants that are kept on their host, while somebody of their domain is on another one, and neither has any company.
pub(super) fn kept_on_host(graph: &Graph, compared: &[&Participant]) -> Vec<Finding> {
    let lonely = |participant: &Participant| {
        let prefix = participant.data.guid_prefix;
        let mut others = graph.dds().participants().filter(|other| other.data.guid_prefix != prefix);
        participant.knows.is_empty() && !others.any(|other| have_heard(participant, other))
    };
    let long = |participant: &Participant| graph.now().since(participant.first.at).as_nanos() >= ALONE_NS;
    let mut findings = Vec::new();
    for participant in compared.iter().copied().filter(|participant| long(participant) && lonely(participant)) {
        let Some(why) = stays_on_host(graph, participant) else { continue };
        let domain = domain_of(graph, participant);
        let mut others = compared.iter().filter(|other| !other.same_host(participant) && long(other) && lonely(other));
        let of_domain = |other: &&&Participant| domain.is_some() && domain_of(graph, other) == domain;
        let Some(other) = others.find(of_domain).filter(|other| !are_apart(graph, participant, other)) else {
            continue;
        };
        let (first, last) = (participant.first, participant.last);
        let mut draft = Draft::of_moments(Code::NoRemoteDiscovery, Severity::Error, first, last);
        draft.finding.domain = domain;
        draft.finding.stage = Some(Stage::Discovered);
        draft = draft.participant(participant).other_end(other).moments(&participant.evidence).moments([&other.first]);
        let (here, there) = (participant.words(), other.words());
        let summary = format!("{here} talks to its own host only, and {there} is on another one");
        let explanation = format!(
            "Its announcements do not leave the host: {why}. Both are alone, and neither will ever hear of the other."
        );
        let remedies = vec![
            format!("start {here} with ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET and without ROS_LOCALHOST_ONLY"),
            use_interface(participant, None),
        ];
        findings.push(draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, remedies));
    }
    findings
}

fn nobody_heard(participant: &Participant, domain: u32) -> Finding {
    let mut draft = Draft::of_moments(Code::NoRemoteDiscovery, Severity::Info, participant.first, participant.last);
    draft.finding.domain = Some(domain);
    draft.finding.stage = Some(Stage::Discovered);
    draft = draft.participant(participant);
    draft.finding.count = participant.announcements;
    draft = draft.moments(&participant.evidence);
    let who = participant.words();
    let summary = format!(
        "{who} has announced itself in domain {domain} {} and heard of nobody",
        times(participant.announcements)
    );
    let explanation = "No announcement of another participant arrived, from this host or any other. Either nobody else is there, or the \
                       others are in another domain, or multicast is lost on the way: access points and switches often drop it."
        .to_owned();
    let remedies = discovery_remedies(domain, [participant.data.vendor]);
    draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, remedies)
}

fn unheard_finding(domain: u32, pairs: &[(&Participant, &Participant)]) -> Option<Finding> {
    let (one, other) = pairs.first()?;
    let firsts = pairs.iter().map(|(one, _)| one.first);
    let first: Moment = firsts.min_by_key(|moment| moment.at)?;
    let mut draft = Draft::of_moments(Code::NoRemoteDiscovery, Severity::Error, first, one.last);
    draft.finding.domain = Some(domain);
    draft.finding.stage = Some(Stage::Discovered);
    draft = draft.participant(one);
    draft = draft.other_end(other);
    draft.finding.count = one.announcements.max(1);
    draft = draft.moments(pairs.iter().flat_map(|(one, other)| [&one.first, &other.first]));
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
        unheard_explanation(domain, one, other, pairs.len())
    };
    let remedies = if server {
        let address = other.unicast().find_map(Locator::socket_address);
        let server = address.map_or_else(|| "ADDRESS:11811".to_owned(), |address| address.to_string());
        vec![format!(
            "start {here} with ROS_DISCOVERY_SERVER set to the address that the others use (a server known here: {server})"
        )]
    } else {
        discovery_remedies(domain, pairs.iter().flat_map(|(one, other)| [one.data.vendor, other.data.vendor]))
    };
    Some(draft.told("", summary, explanation, remedies))
}

fn unheard_explanation(domain: u32, one: &Participant, other: &Participant, affected: usize) -> String {
    let port = 7400 + 250 * domain;
    let affected =
        format!("{} {} affected.", counted(affected, "participant"), if affected == 1 { "is" } else { "are" });
    if one.process.is_some() && other.process.is_some() {
        return format!(
            "Both announce themselves by multicast to 239.255.0.1, port {port}, and neither has answered the other. Multicast is lost \
             between them: an access point, a switch with IGMP snooping and no querier, a firewall or a container's network drops it. \
             {affected}"
        );
    }
    let address =
        |participant: &Participant| participant.addresses.first().map(ToString::to_string).unwrap_or_default();
    format!(
        "Announcements of both pass here, to 239.255.0.1, port {port}, and neither answers the other. Either multicast is lost further on \
         (an access point, a switch with IGMP snooping and no querier, a firewall), or one has no route to the other: look with ip route \
         get {} at one end, and ip route get {} at the other. {affected}",
        address(other),
        address(one)
    )
}

fn discovery_remedies(domain: u32, vendors: impl IntoIterator<Item = VendorId>) -> Vec<String> {
    let port = 7400 + 250 * domain;
    let vendors: BTreeSet<_> = vendors.into_iter().collect();
    let fixed_ports = if vendors.contains(&VendorId::CYCLONE_DDS) { formula_ports() } else { String::new() };
    vec![
        format!(
            "let UDP to 239.255.0.1 port {port} pass between the hosts (iptables -I INPUT -p udp --dport {port}:{} -j ACCEPT){fixed_ports}",
            port + 249
        ),
        "on Wi-Fi and switches: turn off IGMP snooping, or run an IGMP querier; docker run --network host for containers".to_owned(),
        without_multicast(vendors),
    ]
}
