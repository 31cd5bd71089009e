//! Addresses that cannot work for the subscriber: another host's loopback, and those of a family that it does not speak.

use std::net::IpAddr;

use super::address::{draft, silence, told};
use super::cause::{Cause, capital, meaning};
use super::draft::Words;
use super::trouble::Trouble;
use super::{Code, Finding};
use crate::errno::Errno;
use crate::graph::{Outcome, Stage};

pub(super) fn is_loopback(trouble: &Trouble<'_>) -> bool {
    let leads_to_loopback = match trouble.ip {
        Some(ip) => ip.is_loopback(),
        None => trouble.host.eq_ignore_ascii_case("localhost"),
    };
    leads_to_loopback && trouble.publisher_is_elsewhere() == Some(true)
}

pub(super) fn loopback(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    let (publisher, topic, place) = (trouble.publisher(), trouble.entry.link.shown_name(), trouble.place());
    let ended = match outcome {
        Outcome::Failed { errno } => format!("connect() failed: {errno}{}", meaning(*errno)),
        Outcome::Refused { .. } => "another node answered there".into(),
        _ => "nobody connected".into(),
    };
    let summary = format!(
        "{} says it publishes {topic} at {place}, which on every other host is that host itself: {ended}",
        capital(&publisher)
    );
    let mut explanation = vec![told(trouble)];
    explanation.extend(trouble.because(Cause::Loopback, outcome));
    explanation.push(silence(trouble));
    let mut remedies: Vec<String> = trouble.advertise_better().into_iter().collect();
    if trouble.host.parse::<IpAddr>().is_err() && !trouble.host.eq_ignore_ascii_case("localhost") {
        remedies.extend(trouble.hosts_line());
    }
    if remedies.is_empty() {
        remedies
            .push(format!("Restart {publisher} with ROS_IP set to an address of its host that the others can reach."));
    }
    draft(trouble, Code::LoopbackAdvertised, outcome).finish(&Words { summary, explanation, remedies })
}

pub(super) fn is_wrong_family(trouble: &Trouble<'_>, outcome: &Outcome) -> bool {
    let Some(ip) = trouble.ip else { return false };
    match outcome {
        Outcome::Failed { errno } => {
            *errno == Errno::EAFNOSUPPORT
                || (matches!(*errno, Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
                    && ip.is_ipv6()
                    && !has_family(trouble, true))
        }
        Outcome::NeverAttempted { .. } => ip.is_ipv6() && !speaks_ipv6(trouble),
        _ => false,
    }
}

pub(super) fn wrong_family(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    let (publisher, topic, place) = (trouble.publisher(), trouble.entry.link.shown_name(), trouble.place());
    let lacks = match outcome {
        Outcome::Failed { .. } if !has_family(trouble, true) => {
            format!("{} has no IPv6 address", trouble.client_host())
        }
        _ => format!("{} speaks IPv4 only", trouble.who()),
    };
    let summary = format!("{} says it publishes {topic} at {place}, an IPv6 address, and {lacks}", capital(&publisher));
    let how = match outcome {
        Outcome::Failed { errno } => format!("connect() failed: {errno}{}.", meaning(*errno)),
        _ => format!("No connect to {place} was tried: without ROS_IPV6=on a node looks for IPv4 addresses only."),
    };
    let explanation = vec![told(trouble), how, silence(trouble)];
    let mut remedies = Vec::new();
    if has_family(trouble, true) {
        remedies.push(format!("Restart {} with ROS_IPV6=on in its environment.", trouble.who()));
    }
    let v4 = trouble.better_ipv4();
    remedies.push(match v4 {
        Some((ip, known)) => {
            let restart = if known {
                format!("Restart {publisher}")
            } else {
                format!("If {publisher} runs on the host of the master ({ip}), restart it")
            };
            let name = if trouble.publisher_variable("ROS_HOSTNAME").is_some() { ", without ROS_HOSTNAME" } else { "" };
            format!("{restart} with ROS_IP={ip}{name} and without ROS_IPV6. Subscribers that have only IPv6 would then lose it.")
        }
        None => format!("Restart {publisher} without ROS_IPV6 and with ROS_IP set to an IPv4 address of its host. Subscribers that have only IPv6 would then lose it."),
    });
    draft(trouble, Code::WrongAddressFamily, outcome).finish(&Words { summary, explanation, remedies })
}

/// Whether anything shows that the client speaks IPv6: its own URI, its environment, or connections of its own where that is not known.
/// The XML-RPC of rospy speaks it in any case, TCPROS with `ROS_IPV6=on` alone.
fn speaks_ipv6(trouble: &Trouble<'_>) -> bool {
    let client = trouble.client;
    let is_ipv6 = |ip: &IpAddr| ip.to_canonical().is_ipv6();
    let advertises = client.api.as_ref().and_then(|api| api.host.parse().ok()).is_some_and(|ip| is_ipv6(&ip));
    let process = client.process.as_ref().and_then(|process| trouble.graph.process(process));
    let connects = match process.filter(|state| state.seen_by.is_some()) {
        Some(state) => state.process.has_ros_ipv6(),
        None => trouble.state.stage != Stage::Tcpros && client.addresses.iter().any(is_ipv6),
    };
    advertises || connects
}

/// Whether the client's host has an address of that family that others could reach.
fn has_family(trouble: &Trouble<'_>, v6: bool) -> bool {
    let namespace = trouble.graph.namespace_of(trouble.client);
    namespace.is_none_or(|namespace| {
        namespace.addresses.iter().any(|own| {
            own.address.is_ipv6() == v6
                && !own.address.is_loopback()
                && !matches!(own.address, IpAddr::V6(v6) if v6.is_unicast_link_local())
        })
    })
}
