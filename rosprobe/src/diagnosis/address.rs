//! What is said of any trouble with an advertised address: who was told it, what was seen instead of a connect, and what helps.

use super::cause::{Cause, capital};
use super::draft::Draft;
use super::trouble::Trouble;
use super::{Code, Severity};
use crate::errno::Errno;
use crate::graph::{Outcome, Stage, Way};
use crate::observation::host_and_port;

pub(super) fn draft(trouble: &Trouble<'_>, code: Code, outcome: &Outcome) -> Draft {
    let errno = outcome.errno();
    Draft::new(trouble.graph, code, Severity::Error, trouble.state.at)
        .link(&trouble.entry.link, Some(trouble.client))
        .stage(trouble.graph, trouble.state)
        .address(Some(trouble.place()))
        .errno(errno)
        .evidence(
            trouble
                .entry
                .link
                .stage(Stage::Advertised)
                .into_iter()
                .flat_map(|state| state.evidence.iter().copied().take(2)),
        )
}

/// Who was told what: the first sentence of every explanation.
pub(super) fn told(trouble: &Trouble<'_>) -> String {
    let (publisher, topic) = (trouble.publisher(), trouble.entry.link.shown_name());
    let uri = trouble.entry.link.publisher.uri.clone().unwrap_or_default();
    match trouble.state.stage {
        Stage::Tcpros => format!(
            "{} answered to requestTopic that {} gets {topic} at {}.",
            capital(&publisher),
            trouble.who(),
            host_and_port(&trouble.host, trouble.port)
        ),
        _ if trouble.entry.link.name.is_none() => format!(
            "{} was running when rosprobe began. It is a node with rospy, and comes back to this address after 8, 16 or 32 seconds, as rospy does with a publisher that it cannot reach{}. Which topic it wants was not seen; to see it, start the node again.",
            trouble.who(),
            variable(trouble)
        ),
        _ if trouble.entry.link.publisher.node.is_none() => {
            format!("The master told {} that a publisher of {topic} is at {uri}{}.", trouble.who(), variable(trouble))
        }
        _ => format!(
            "The master told {} that {publisher} publishes {topic} at {uri}{}.",
            trouble.who(),
            variable(trouble)
        ),
    }
}

/// Where the advertised host comes from.
fn variable(trouble: &Trouble<'_>) -> String {
    for name in ["ROS_HOSTNAME", "ROS_IP"] {
        if trouble.publisher_variable(name) == Some(trouble.host.as_str()) {
            return format!("; {} is the {name} of {}", trouble.host, trouble.publisher());
        }
    }
    if trouble.knows_publisher_environment() {
        "; neither ROS_IP nor ROS_HOSTNAME of its environment says so, so ROS chose it by itself".into()
    } else {
        "; that is its ROS_IP or ROS_HOSTNAME, or what ROS chose by itself".into()
    }
}

/// Why nobody noticed.
pub(super) fn silence(trouble: &Trouble<'_>) -> String {
    let name = trouble.client.name.clone().unwrap_or_else(|| "the subscriber".into());
    format!("{} prints nothing about this; it just receives no messages.", capital(&name))
}

/// What was seen instead of a connect: only where the client's process is seen it is known that it did not try.
pub(super) fn not_come(trouble: &Trouble<'_>) -> &'static str {
    if trouble.client.process.is_some() {
        "has not tried to connect"
    } else if arrives_here(trouble) {
        "no connection of it has arrived here"
    } else {
        "no packet of an attempt was captured"
    }
}

/// Where the attempt could have gone unnoticed.
pub(super) fn unseen(trouble: &Trouble<'_>) -> Vec<String> {
    let mut lines: Vec<String> = trouble.resolved().into_iter().collect();
    if trouble.client.process.is_some() {
        lines.push("rosprobe sees every connect() on this machine, and there was none to that address.".into());
    } else if let Some(moved) = trouble.moved().filter(|_| arrives_here(trouble)) {
        lines.push(moved);
    } else if let Some(cause) = trouble.never_works() {
        lines.push(trouble.nobody_connects(cause));
    } else if arrives_here(trouble) && trouble.is_of_no_interface() {
        let change = if trouble.is_misread() { "" } else { " Did the host's address change?" };
        lines.push(format!(
            "{} is an address of no interface of this host, where {} runs: {} talks to another host, or to none.{change}",
            trouble.ip.map_or_else(|| trouble.host.clone(), |ip| ip.to_string()),
            trouble.publisher(),
            trouble.who()
        ));
    } else if let Some(bridge) = trouble.inner_bridge().filter(|_| arrives_here(trouble)) {
        lines.push(format!(
            "{} is the address of {bridge} on this host: a network inside it, for containers or virtual machines. {} runs on another host, where that address is nobody's or its own.",
            trouble.host,
            trouble.who()
        ));
    } else if arrives_here(trouble) {
        lines.push(format!(
            "{} runs on another host, and nothing of it arrived here, where {} listens: its connect() fails over there because there is no route to {}, or a firewall on the way or on this host stops it. rosprobe on that host can tell which.",
            trouble.who(),
            trouble.publisher(),
            trouble.host
        ));
    } else {
        lines.push("The capture holds no packet of an attempt. A connect() that fails at once, because there is no route, sends none.".into());
    }
    lines
}

/// The client is on another host, and this one is where its connections would arrive.
pub(super) fn arrives_here(trouble: &Trouble<'_>) -> bool {
    trouble.client.process.is_none() && trouble.graph.sees_processes()
}

pub(super) fn no_errno(trouble: &Trouble<'_>) -> Option<Errno> {
    // Where routes are unknown a connect that left no packet most likely found none.
    matches!(trouble.way, Way::Unknown).then_some(Errno::ENETUNREACH)
}

pub(super) fn remedies(trouble: &Trouble<'_>, cause: Cause, outcome: &Outcome) -> Vec<String> {
    let errno = outcome.errno();
    let mut remedies = Vec::new();
    if trouble.resolves_elsewhere().is_some() {
        remedies.extend(trouble.hosts_line());
        if trouble.publisher_runs() {
            // What would open the way to the wrong host helps nobody.
            remedies.extend(trouble.advertise_better());
            return remedies;
        }
    }
    if trouble.is_misread() || matches!(cause, Cause::Broadcast | Cause::Multicast | Cause::LinkLocal) {
        // What opens a way helps nobody.
        remedies.push(trouble.advertise_better().unwrap_or_else(|| trouble.advertise_another()));
        return remedies;
    }
    if cause == Cause::NoRoute && matches!(trouble.way, Way::OnLink { .. } | Way::Gateway { .. }) {
        remedies.push(format!(
            "Start {} again: there is a route now, and a roscpp node tries only once (a rospy node tries again by itself).",
            trouble.who()
        ));
    }
    match cause {
        Cause::Moved => remedies.extend(trouble.advertise_present()),
        Cause::Loopback | Cause::Broadcast | Cause::Multicast | Cause::LinkLocal | Cause::Other => {
            remedies.extend(trouble.advertise_better());
        }
        Cause::NoRoute | Cause::NotForwarded | Cause::Refused => {
            remedies.extend(trouble.remove_route());
            remedies.extend(trouble.tunnel(errno));
            remedies.extend(trouble.advertise_better());
            if cause == Cause::Refused {
                remedies.extend(trouble.clean_up());
            }
        }
        Cause::OnLinkSilent => {
            remedies.extend(trouble.narrow_netmask());
            remedies.extend(trouble.advertise_better());
            remedies.extend(trouble.clean_up());
            if remedies.is_empty() {
                remedies.push(format!(
                    "Look whether the host of {} is switched on and connected to that network (cable, wireless); on {}, run: ping -c 3 {}",
                    trouble.publisher(),
                    trouble.client_host(),
                    trouble.ip.map_or_else(|| trouble.host.clone(), |ip| ip.to_string())
                ));
            }
        }
        Cause::NotPermitted => remedies.push(format!(
            "Look for a denial at that time in the log of {}, there run: sudo journalctl -k --since -10min",
            trouble.client_host()
        )),
        Cause::RefusedByLiveHost if trouble.publisher_runs() && trouble.ip.is_some_and(|ip| ip.is_ipv6()) => {
            remedies.push(format!("Restart {} with ROS_IPV6=on in its environment.", trouble.publisher()));
        }
        Cause::RefusedByLiveHost => {
            remedies.extend(trouble.advertise_better().filter(|_| trouble.is_own_instead()));
            if trouble.publisher_runs() {
                remedies.extend(trouble.open_ports());
            } else {
                remedies.extend(trouble.clean_up());
                remedies.push(format!("If {} should be running, start it again.", trouble.publisher()));
                let unseen = trouble.publisher_process().is_none() && matches!(trouble.way, Way::OnLink { .. });
                let open = trouble.open_ports().filter(|_| unseen);
                remedies.extend(open.map(|open| format!("If it runs, a firewall refuses. {open}")));
            }
        }
        Cause::Dropped if trouble.no_way_back().is_some() && trouble.last_answered().is_none() => {
            remedies.extend(trouble.lead_back());
            remedies.extend(trouble.tunnel(errno));
            remedies.extend(trouble.advertise_better());
        }
        Cause::PortRejected | Cause::GivenUp | Cause::RejectedOnLink | Cause::Dropped => {
            remedies.extend(trouble.look_for_it().filter(|_| cause == Cause::Dropped));
            remedies.extend(trouble.open_ports());
            remedies.extend(trouble.open_router());
            remedies.extend(trouble.let_out());
            let silent = cause == Cause::Dropped && trouble.last_answered().is_none();
            remedies.extend(trouble.lead_back().filter(|_| silent));
            remedies.extend(trouble.tunnel(errno));
            remedies.extend(trouble.advertise_better());
        }
    }
    remedies.extend(trouble.way_through_translator());
    if remedies.is_empty() {
        remedies.push(trouble.share_a_network());
    }
    remedies
}
