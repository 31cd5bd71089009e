//! Domains: two groups that should be one, and domains whose ports are anybody's.

use std::collections::{BTreeMap, BTreeSet};

use super::discovery::{LATE_NS, ran_before};
use super::earshot::lately_lost;
use super::membership::domain_of;
use super::remedies::set_domain;
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Domain, Ephemeral};
use crate::errno::Errno;
use crate::graph::dds::{Attempt, Endpoint, Participant};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, Role, RosName};

/// How long a participant may be alone before it counts as lost, in nanoseconds. Others of its domain may be starting.
const ALONE_NS: u128 = 3_000_000_000;
/// How many of its announcements must have found no answer where others have company, so that its own may only be hard to hear.
const UNANSWERED: usize = 3;

/// `deaf` are pids of processes whose silence has its finding already.
pub(super) fn findings(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    let mut findings = split_topics(graph);
    if findings.is_empty() {
        findings = lone_participants(graph, deaf);
    }
    findings.extend(ephemeral(graph));
    findings
}

/// Where a process's domain comes from, in words with a leading space; empty when its environment is not known.
fn origin(graph: &Graph, participant: &Participant) -> String {
    let Some(state) = participant.process.as_ref().and_then(|process| graph.process(process)) else {
        return String::new();
    };
    match state.process.environment.get("ROS_DOMAIN_ID") {
        Some(value) => format!(" (ROS_DOMAIN_ID={value} in its environment)"),
        None if state.process.argv.is_empty() => String::new(),
        None => " (ROS_DOMAIN_ID is not set in its environment)".to_owned(),
    }
}

struct Split<'a> {
    writer: &'a Endpoint,
    reader: &'a Endpoint,
    topics: BTreeSet<String>,
}

/// A topic is written in some domains only, and read in others only.
fn split_topics(graph: &Graph) -> Vec<Finding> {
    let dds = graph.dds();
    let mut topics: BTreeMap<&str, [BTreeMap<u32, &Endpoint>; 2]> = BTreeMap::new();
    for endpoint in dds.endpoints().filter(|endpoint| endpoint.gone.is_none()) {
        let Some(domain) =
            dds.participant(endpoint.data.guid.prefix).and_then(|participant| domain_of(graph, participant))
        else {
            continue;
        };
        let side = usize::from(endpoint.data.role == Role::Reader);
        topics.entry(&endpoint.data.topic).or_default()[side].entry(domain).or_insert(endpoint);
    }
    let mut splits: BTreeMap<(u32, u32), Split<'_>> = BTreeMap::new();
    for (topic, [writers, readers]) in &topics {
        let (Some((from, writer)), Some((to, reader))) = (writers.first_key_value(), readers.first_key_value()) else {
            continue;
        };
        if writers.keys().any(|domain| readers.contains_key(domain)) {
            continue;
        }
        let split = splits.entry((*from, *to)).or_insert_with(|| Split { writer, reader, topics: BTreeSet::new() });
        split.topics.insert(RosName::of_dds_topic(topic).name);
    }
    splits.iter().filter_map(|((from, to), split)| split_finding(graph, *from, *to, split)).collect()
}

fn split_finding(graph: &Graph, from: u32, to: u32, split: &Split<'_>) -> Option<Finding> {
    let dds = graph.dds();
    let (writer, reader) =
        (dds.participant(split.writer.data.guid.prefix)?, dds.participant(split.reader.data.guid.prefix)?);
    let mut draft = Draft::of_moments(Code::DomainMismatch, Severity::Error, split.writer.first, split.reader.first);
    draft.finding.stage = Some(Stage::Discovered);
    draft.finding.count = split.topics.len() as u64;
    draft.finding.domain = Some(to);
    draft = draft.dds_topic(&split.writer.data.topic);
    draft = draft.participant(reader);
    draft = draft.other_end(writer);
    draft = draft.moments([&split.writer.first, &split.reader.first]);
    draft = draft.moments(writer.evidence.iter().chain(&reader.evidence));
    let names: Vec<_> = split.topics.iter().take(3).map(String::as_str).collect();
    let more = split.topics.len() - names.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let summary = format!(
        "{}{more}: written in domain {from} by {}, read in domain {to} by {}",
        names.join(", "),
        writer.words(),
        reader.words()
    );
    let explanation = format!(
        "Participants of different domains use different ports and never hear of each other. The writer is in domain {from}{}, the \
         reader in domain {to}{}.",
        origin(graph, writer),
        origin(graph, reader)
    );
    let remedies = vec![set_domain(&reader.words(), from), set_domain(&writer.words(), to)];
    Some(draft.told(&format!("{from} {to}"), summary, explanation, remedies))
}

/// Somebody who is alone in a domain while others are in another one.
fn lone_participants(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    let alive = graph
        .dds()
        .participants()
        .filter(|participant| participant.is_alive() && !participant.relayed && !participant.is_of(deaf));
    let mut domains: BTreeMap<u32, Vec<&Participant>> = BTreeMap::new();
    for participant in alive {
        if let Some(domain) = domain_of(graph, participant) {
            domains.entry(domain).or_default().push(participant);
        }
    }
    let everybody_alone = domains.values().all(|members| lone(graph, members).is_some());
    let mut found: Vec<_> =
        domains.iter().filter_map(|(domain, members)| Some((*domain, lone(graph, members)?))).collect();
    // Of two that are both alone, one finding names both.
    if everybody_alone && found.len() > 1 {
        found.remove(0);
    }
    // A packet capture has what others of its network said, heard or not.
    let sure = |only: &Participant| only.process.is_none() || only.calls_since(only.watched_since()) >= UNANSWERED;
    found.retain(|(_, only)| everybody_alone || sure(only));
    let others = |domain: u32| {
        domains.iter().filter(move |(other, _)| **other != domain).max_by_key(|(_, members)| members.len())
    };
    found.into_iter().filter_map(|(domain, only)| Some(lone_finding(graph, domain, only, others(domain)?))).collect()
}

fn lone<'a>(graph: &Graph, members: &[&'a Participant]) -> Option<&'a Participant> {
    match members {
        [only] => is_alone(graph, only).then_some(*only),
        _ => None,
    }
}

fn is_alone(graph: &Graph, participant: &Participant) -> bool {
    let prefix = participant.data.guid_prefix;
    let known = graph.dds().participants().any(|other| other.knows.contains_key(&prefix));
    let limit = if ran_before(graph, participant) { LATE_NS } else { ALONE_NS };
    let long = graph.now().since(participant.watched_since()).as_nanos() >= limit && !lately_lost(graph);
    long && !known && participant.knows.is_empty() && participant.data.discovery == Discovery::Simple
}

fn lone_finding(
    graph: &Graph,
    domain: u32,
    only: &Participant,
    (other, members): (&u32, &Vec<&Participant>),
) -> Finding {
    let mut draft = Draft::of_moments(Code::DomainMismatch, Severity::Error, only.first, only.last);
    draft.finding.stage = Some(Stage::Discovered);
    draft.finding.domain = Some(domain);
    draft = draft.participant(only);
    draft = draft.moments(&only.evidence);
    draft = draft.moments(members.iter().filter_map(|member| member.evidence.first()));
    let who = only.words();
    let (peer, company) = match members.as_slice() {
        [peer] => (Some(*peer), peer.words()),
        [peer, ..] => (Some(*peer), format!("{} participants, {} among them,", members.len(), peer.words())),
        [] => (None, "nobody".to_owned()),
    };
    if let Some(peer) = peer {
        draft = draft.other_end(peer);
    }
    let verb = if members.len() == 1 { "is" } else { "are" };
    let summary = format!("{who} is alone in domain {domain}; {company} {verb} in domain {other}");
    let explanation = format!(
        "Participants of different domains use different ports and never hear of each other. {who} announced itself in domain \
         {domain}{} and nobody there answered, while the announcements in domain {other}{} go to another port. What they publish or \
         subscribe to is told only to participants of their own domain, so that it cannot be seen here.",
        origin(graph, only),
        peer.map(|peer| origin(graph, peer)).unwrap_or_default()
    );
    let mut remedies = vec![set_domain(&who, *other)];
    if let [peer] = members.as_slice() {
        remedies.push(set_domain(&peer.words(), domain));
    }
    draft.told(&only.data.guid_prefix.to_string(), summary, explanation, remedies)
}

/// A domain whose discovery port the system may hand out to anybody, or has.
fn ephemeral(graph: &Graph) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for participant in graph.dds().participants().filter(|participant| participant.is_alive()) {
        let Some(number) = domain_of(graph, participant) else { continue };
        let Ok(domain) = Domain::new(number) else { continue };
        let (range, known) = ephemeral_ports(graph, participant.net_namespace);
        if seen.insert((number, participant.net_namespace))
            && range.contains(domain.discovery_multicast())
            && taken(graph, number, participant.net_namespace).is_none()
        {
            findings.push(ephemeral_finding(participant, domain, &range, known));
        }
    }
    findings
}

/// The ephemeral ports of a network namespace, and whether they are known or Linux's default.
pub(super) fn ephemeral_ports(graph: &Graph, net_namespace: u64) -> (Ephemeral, bool) {
    let namespace = graph.namespace(net_namespace).filter(|_| net_namespace != 0);
    match namespace.and_then(|namespace| Some((namespace, namespace.ephemeral_ports?))) {
        Some((namespace, (first, last))) => {
            let reserved = namespace.reserved_ports.iter().map(|(first, last)| *first..=*last);
            (Ephemeral::new(first..=last, reserved.collect()), true)
        }
        None => (Ephemeral::LINUX, false),
    }
}

/// A bind in the namespace to the domain's discovery port that failed because somebody else has it; it has a finding of its own.
fn taken(graph: &Graph, domain: u32, net_namespace: u64) -> Option<&Attempt> {
    let port = Domain::new(domain).ok()?.discovery_multicast();
    let mut attempts = graph.dds().sockets().binds().flat_map(|(_, attempts)| attempts);
    attempts.find(|attempt| {
        attempt.errno == Some(Errno::EADDRINUSE)
            && u32::from(attempt.address.port()) == port
            && attempt.net_namespace == net_namespace
    })
}

fn ephemeral_finding(participant: &Participant, domain: Domain, range: &Ephemeral, known: bool) -> Finding {
    let port = domain.discovery_multicast();
    let severity = if known { Severity::Warning } else { Severity::Info };
    let mut draft = Draft::of_moments(Code::DomainInEphemeralRange, severity, participant.first, participant.last);
    draft.finding.domain = Some(domain.number());
    draft = draft.participant(participant);
    draft = draft.moments(&participant.evidence);
    let whose = if known { "this host's" } else { "Linux's default" };
    let summary = format!("domain {domain} uses port {port}, which lies among {whose} ephemeral ports {range}");
    let explanation = format!(
        "The system hands out ephemeral ports to any program that asks for a port. As soon as one gets {port} or one of the following, \
         participants of domain {domain} cannot bind it: some stop with EADDRINUSE, others go on and hear nobody.{}",
        if known { "" } else { " Which ports are ephemeral on that host is not known here." }
    );
    let last = port + 249;
    let remedies = vec![
        "use a domain from 0 to 101, which stays clear of these ports: ROS_DOMAIN_ID=42 on every host, for instance"
            .to_owned(),
        format!("keep its ports from being handed out: sysctl net.ipv4.ip_local_reserved_ports={port}-{last}"),
    ];
    draft.told(&participant.net_namespace.to_string(), summary, explanation, remedies)
}
