//! Ports of a domain that could not be bound.

use super::domains::ephemeral_ports;
use super::membership::{domain_of, environment};
use super::words;
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Domain, PARTICIPANTS_BEFORE_NEXT_DOMAIN, Purpose, read_port};
use crate::errno::Errno;
use crate::event::ProcessRef;
use crate::graph::Graph;
use crate::graph::dds::{Attempt, Participant};
use crate::observation::dds::VendorId;

/// Unicast ports that were all taken, from which on a process that got none of them has run out of them; Cyclone DDS tries 33.
const MANY_PORTS: usize = 33;
/// The last domain whose successor's ports are no ephemeral ports on Linux, so that a port beyond the 120th participant's is no accident.
const LAST_CLEAR: u32 = 99;

pub(super) fn findings(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (process, attempts) in graph.dds().sockets().binds() {
        let Some(domain) = domain_of_process(graph, process, attempts) else { continue };
        findings.extend(port_taken(graph, process, attempts, domain));
        findings.extend(no_unicast_port(graph, process, attempts, domain));
    }
    findings.extend(graph.dds().participants().filter_map(|participant| beyond_the_domain(graph, participant)));
    findings
}

/// By its participants, its environment, or the lowest discovery port that it tried; higher ones may be a participant's.
fn domain_of_process(graph: &Graph, process: &ProcessRef, attempts: &[Attempt]) -> Option<Domain> {
    let mut own = graph.dds().participants().filter(|participant| participant.process.as_ref() == Some(process));
    let announced = own.find_map(|participant| domain_of(graph, participant));
    let tried = || {
        let ports = attempts.iter().map(|attempt| attempt.address.port());
        let readings = ports.flat_map(read_port).filter(|reading| reading.purpose == Purpose::DiscoveryMulticast);
        readings.map(|reading| reading.domain.number()).min()
    };
    Domain::new(announced.or_else(|| environment(graph, process)).or_else(tried)?).ok()
}

fn is_taken(attempt: &Attempt) -> bool {
    attempt.errno == Some(Errno::EADDRINUSE)
}

/// The discovery port is somebody else's, and this process never got it.
fn port_taken(graph: &Graph, process: &ProcessRef, attempts: &[Attempt], domain: Domain) -> Option<Finding> {
    let port = domain.discovery_multicast();
    let to_port = |attempt: &&Attempt| u32::from(attempt.address.port()) == port;
    let failed: Vec<_> = attempts.iter().filter(to_port).filter(|attempt| is_taken(attempt)).collect();
    let (first, last) = (*failed.first()?, *failed.last()?);
    if attempts.iter().filter(to_port).any(|attempt| attempt.errno.is_none()) {
        return None;
    }
    let (range, _) = ephemeral_ports(graph, first.net_namespace);
    let ephemeral = range.contains(port);
    let code = if ephemeral { Code::DomainInEphemeralRange } else { Code::PortTaken };
    let mut draft = Draft::of_moments(code, Severity::Error, first.moment, last.moment);
    draft.finding.count = failed.len() as u64;
    draft.finding.domain = Some(domain.number());
    draft.finding.errno = Some(Errno::EADDRINUSE);
    draft.finding.address = Some(first.address.to_string());
    draft = draft.in_process(process);
    draft = draft.moments(failed.iter().map(|attempt| &attempt.moment));
    // Fast DDS takes the port after next of its own accord, where nobody sends announcements; the next one is for data.
    let instead = attempts.iter().find(|attempt| {
        let port_instead = u32::from(attempt.address.port());
        attempt.errno.is_none() && attempt.moment.at >= first.moment.at && (port + 2..port + 10).contains(&port_instead)
    });
    if let Some(instead) = instead {
        draft = draft.moments([&instead.moment]);
    }
    let who = format!("{}[{}]", process.comm, process.pid);
    let goes_on = || graph.dds().participants().any(|own| own.is_alive() && own.process.as_ref() == Some(process));
    let consequence = match instead {
        Some(instead) => format!(", bound {} instead and hears no announcement", instead.address.port()),
        None if goes_on() => ", goes on without and hears no announcement".to_owned(),
        None => String::new(),
    };
    let ended = words::ended(graph, process);
    let holder = holder(graph, process, first);
    let held = holder.as_ref().map_or_else(|| "another program".to_owned(), |(words, _)| words.clone());
    let summary = format!(
        "{who}{ended} could not bind port {port}, the discovery port of domain {domain}: {held} has it{consequence}"
    );
    let explanation = format!(
        "Participants hear of each other at port {port} in domain {domain}; several may share it, but not with a program that \
         bound it alone. {}",
        if ephemeral {
            format!("The port lies among the ephemeral ports {range}, which the system hands out to any program.")
        } else {
            holder.and_then(|(_, why)| why).unwrap_or_else(|| format!("ss -ulpn 'sport = :{port}' shows who has it."))
        }
    );
    let remedies = vec![
        format!(
            "use another domain, the same on every host: ROS_DOMAIN_ID in the shell or service file of every node (rosprobe domain lists \
             those that are free here; domain {domain} is not)"
        ),
        format!("end the program that has port {port} (ss -ulpn 'sport = :{port}'), then start {who} again"),
    ];
    Some(draft.told("", summary, explanation, remedies))
}

/// Who else bound the port in the same network namespace, and which participant of the domain before that makes it.
fn holder(graph: &Graph, process: &ProcessRef, failed: &Attempt) -> Option<(String, Option<String>)> {
    let port = failed.address.port();
    let (holder, attempts) = graph.dds().sockets().binds().find(|(other, attempts)| {
        *other != process
            && !graph.dds().sockets().has_ended(other)
            && attempts.iter().any(|attempt| {
                attempt.errno.is_none()
                    && attempt.address.port() == port
                    && attempt.net_namespace == failed.net_namespace
            })
    })?;
    let words = format!("{}[{}]", holder.comm, holder.pid);
    let own = domain_of_process(graph, holder, attempts);
    let reading =
        read_port(port).into_iter().find(|reading| reading.participant.is_some() && Some(reading.domain) == own);
    let why = reading.and_then(|reading| {
        let participant = reading.participant?;
        Some(format!(
            "For {words} it is the {} port of participant {participant} of domain {}.",
            reading.purpose, reading.domain
        ))
    });
    Some((words, why))
}

/// All unicast ports that it tried were taken.
fn no_unicast_port(graph: &Graph, process: &ProcessRef, attempts: &[Attempt], domain: Domain) -> Option<Finding> {
    let first_port = domain.unicast(0).0;
    let last_port = domain.unicast(PARTICIPANTS_BEFORE_NEXT_DOMAIN - 1).1;
    let of_domain = |attempt: &&Attempt| (first_port..=last_port).contains(&u32::from(attempt.address.port()));
    let failed: Vec<_> = attempts.iter().filter(of_domain).filter(|attempt| is_taken(attempt)).collect();
    let succeeded = attempts.iter().any(|attempt| attempt.errno.is_none() && of_domain(&attempt));
    if failed.len() < MANY_PORTS || succeeded {
        return None;
    }
    let (first, last) = (*failed.first()?, *failed.last()?);
    let mut draft = Draft::of_moments(Code::ParticipantOverflow, Severity::Error, first.moment, last.moment);
    draft.finding.count = failed.len() as u64;
    draft.finding.domain = Some(domain.number());
    draft.finding.errno = Some(Errno::EADDRINUSE);
    draft.finding.address = Some(last.address.to_string());
    draft = draft.in_process(process);
    draft = draft.moments(failed.iter().rev().take(8).map(|attempt| &attempt.moment));
    let (lowest, highest) =
        (first.address.port().min(last.address.port()), first.address.port().max(last.address.port()));
    let summary = format!(
        "{}[{}]{} found no free port in domain {domain}: {} ports from {lowest} to {highest} are taken",
        process.comm,
        process.pid,
        words::ended(graph, process),
        failed.len()
    );
    let (range, _) = ephemeral_ports(graph, first.net_namespace);
    let (room, limit) = domain.room(&range);
    let explanation = format!(
        "Each participant needs two ports of its own. Domain {domain} has room for {room} on one host ({limit}). Some implementations \
         give up without a word: their writers go on and reach nobody."
    );
    Some(draft.told("", summary, explanation, overflow_remedies(domain)))
}

/// A participant whose port belongs to the next domain. Cyclone DDS takes any port, so that its number means nothing.
fn beyond_the_domain(graph: &Graph, participant: &Participant) -> Option<Finding> {
    let domain = Domain::new(domain_of(graph, participant)?).ok()?;
    if participant.data.vendor == VendorId::CYCLONE_DDS || domain.number() > LAST_CLEAR || !participant.is_alive() {
        return None;
    }
    let next = domain.unicast(PARTICIPANTS_BEFORE_NEXT_DOMAIN).0;
    let locator =
        participant.data.metatraffic_unicast.iter().find(|locator| (next..next + 250).contains(&locator.port))?;
    let mut draft =
        Draft::of_moments(Code::ParticipantOverflow, Severity::Warning, participant.first, participant.last);
    draft.finding.domain = Some(domain.number());
    draft.finding.address = Some(locator.to_string());
    draft = draft.participant(participant);
    draft = draft.moments(&participant.evidence);
    let index = (locator.port - domain.unicast(0).0) / 2;
    let summary = format!(
        "{} is participant {index} of domain {domain}: its port {} belongs to domain {}",
        participant.words(),
        locator.port,
        domain.number() + 1
    );
    let explanation = format!(
        "Domain {domain} has ports for {PARTICIPANTS_BEFORE_NEXT_DOMAIN} participants on one host. This one took a port of the next domain, \
         whose participants may then fail to start, or start and hear nobody."
    );
    Some(draft.told(&participant.data.guid_prefix.to_string(), summary, explanation, overflow_remedies(domain)))
}

fn overflow_remedies(domain: Domain) -> Vec<String> {
    vec![
        "run several nodes in one process (a component container): they share one participant".to_owned(),
        format!("move some of them to another domain: rosprobe domain {domain} --participants N says what fits"),
    ]
}
