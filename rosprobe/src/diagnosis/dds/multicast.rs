//! Announcements that cannot leave, or cannot be listened for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::remedies::without_multicast;
use super::words::{ended, sender, times};
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::domain::{Purpose, read_port};
use crate::errno::Errno;
use crate::event::ProcessRef;
use crate::graph::dds::SendFailure;
use crate::graph::{Graph, Stage};
use crate::observation::dds::VendorId;

/// Groups that a socket may join unless somebody says otherwise: `IP_MAX_MEMBERSHIPS` of Linux.
const DEFAULT_MEMBERSHIPS: u32 = 20;

/// Announcements cannot leave, or cannot be listened for.
pub(super) fn findings(graph: &Graph) -> Vec<Finding> {
    let mut first: BTreeMap<_, &SendFailure> = BTreeMap::new();
    let failures = graph.dds().sockets().failures().filter(|failure| failure.target.ip().is_multicast());
    for failure in failures.filter(|failure| !multicasts_since(graph, failure)) {
        // The discovery port of a domain is the one before that for data, and says more.
        let pid = failure.process.as_ref().map(|process| process.pid);
        let known = first.entry((pid, failure.source, failure.target.ip(), failure.errno)).or_insert(failure);
        if failure.target.port() < known.target.port() {
            *known = failure;
        }
    }
    let sends = first.into_values().map(|failure| blocked_send(graph, failure));
    let joins = graph.dds().sockets().joins().filter_map(|(process, attempts)| {
        // One interface of several may refuse.
        let failed = attempts.iter().find(|attempt| attempt.errno.is_some())?;
        if attempts.iter().any(|attempt| attempt.errno.is_none()) {
            return None;
        }
        let errno = failed.errno?;
        let mut draft = Draft::of_moments(Code::MulticastBlocked, Severity::Error, failed.moment, failed.moment);
        draft.finding.errno = Some(errno);
        draft.finding.address = Some(failed.address.ip().to_string());
        draft.finding.stage = Some(Stage::Announced);
        draft = draft.in_process(process);
        draft = draft.moments([&failed.moment]);
        let group = failed.address.ip();
        let ended = ended(graph, process);
        let summary =
            format!("{}[{}]{ended} could not join multicast group {group}: {errno}", process.comm, process.pid);
        let explanation = format!(
            "Participants hear of each other in group {group}; without it this process hears of nobody ({}).",
            errno.meaning()
        );
        let remedies = if errno == Errno::ENOBUFS {
            room_for_groups(graph, process)
        } else {
            blocked_remedies(graph, Some(process), failed.net_namespace, errno, group)
        };
        Some(draft.told("join", summary, explanation, remedies))
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
    let mut draft = Draft::of_moments(Code::MulticastBlocked, Severity::Error, failure.first, failure.last);
    draft.finding.errno = Some(errno);
    draft.finding.address = Some(failure.target.to_string());
    draft.finding.stage = Some(Stage::Announced);
    draft.finding.count = failure.count;
    draft = draft.moments([&failure.first, &failure.last]);
    let readings = read_port(failure.target.port()).into_iter();
    draft.finding.domain = readings
        .filter(|reading| matches!(reading.purpose, Purpose::DiscoveryMulticast | Purpose::UserMulticast))
        .map(|reading| reading.domain.number())
        .next();
    if let Some(process) = &failure.process {
        draft = draft.in_process(process);
    }
    let summary = format!(
        "{} cannot send to multicast group {}: {errno}, {}",
        sender(graph, failure),
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
    let process = failure.process.as_ref();
    let remedies = blocked_remedies(graph, process, failure.net_namespace, errno, failure.target.ip());
    draft.told("send", summary, explanation, remedies)
}

/// Only the number of groups that a socket may join ends in this error.
fn room_for_groups(graph: &Graph, process: &ProcessRef) -> Vec<String> {
    let who = format!("{}[{}]", process.comm, process.pid);
    vec![
        format!(
            "let a socket join more groups: sysctl -w net.ipv4.igmp_max_memberships={DEFAULT_MEMBERSHIPS} (the default of Linux; sysctl \
             net.ipv4.igmp_max_memberships says what it is here), then start {who} again"
        ),
        without_multicast(vendors(graph, Some(process))),
    ]
}

/// Implementations of a process's participants, as far as they were seen.
fn vendors<'a>(graph: &'a Graph, process: Option<&'a ProcessRef>) -> impl Iterator<Item = VendorId> {
    let own = graph.dds().participants().filter(move |one| process.is_some() && one.process.as_ref() == process);
    own.map(|participant| participant.data.vendor)
}

fn blocked_remedies(
    graph: &Graph,
    process: Option<&ProcessRef>,
    net_namespace: u64,
    errno: Errno,
    group: IpAddr,
) -> Vec<String> {
    let namespace = graph.namespace(net_namespace).filter(|_| net_namespace != 0);
    let addresses = namespace.into_iter().flat_map(|namespace| &namespace.addresses);
    let interfaces: BTreeSet<_> = addresses
        .filter(|own| !own.address.is_loopback())
        .map(|own| own.interface.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let interface = interfaces.first().copied().unwrap_or("IFACE");
    match errno {
        Errno::EPERM | Errno::EACCES => vec![
            format!(
                "let the firewall pass it: iptables -I OUTPUT -d {group} -p udp -j ACCEPT (nft list ruleset shows what refuses it)"
            ),
            without_multicast(vendors(graph, process)),
        ],
        _ => vec![
            format!(
                "bring the interface up, or give it its address again: ip link set dev {interface} up; ip address show dev {interface}"
            ),
            format!("if it is up, add a route for the group: ip route add {group}/32 dev {interface}"),
            without_multicast(vendors(graph, process)),
        ],
    }
}
