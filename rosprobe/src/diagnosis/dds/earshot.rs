//! Who could hear whom: participants of one domain are no company when their networks have nothing in common.

use std::collections::BTreeSet;

use crate::event::ProcessKey;
use crate::graph::dds::{Endpoint, Participant};
use crate::graph::{Graph, IncidentKind, Way, way};
use crate::observation::dds::{Discovery, Guid, RosName};

/// For how long after events were lost nothing is concluded from what was not seen, in nanoseconds. Announcements are repeated meanwhile.
const LOST_NS: u128 = 5_000_000_000;

/// Every node's own topics, over which nobody looks for anybody.
const PLUMBING: [&str; 3] = ["ros_discovery_info", "/rosout", "/parameter_events"];

/// Releases of ROS 2 that know nothing of `ROS_AUTOMATIC_DISCOVERY_RANGE`; it came with Iron.
const BEFORE_RANGES: [&str; 4] = ["dashing", "foxy", "galactic", "humble"];

/// True when events were lost so lately that what was not seen proves nothing.
pub(super) fn lately_lost(graph: &Graph) -> bool {
    let mut lost = graph.incidents().filter(|(kind, _)| **kind == IncidentKind::EventsLost);
    lost.any(|(_, incident)| graph.now().since(incident.last).as_nanos() < LOST_NS)
}

/// True unless `by` runs where its sockets are seen, and no announcement of the other was received there.
pub(super) fn hears(by: &Participant, of: &Participant) -> bool {
    let receives = |process: &ProcessKey| of.heard_by.contains(process);
    by.process_key().is_none_or(|process| receives(&process)) || knows(by, of) || knows(of, by)
}

fn knows(by: &Participant, of: &Participant) -> bool {
    by.knows.contains_key(&of.data.guid_prefix)
}

/// True when one of them has heard of the other.
pub(super) fn have_heard(one: &Participant, other: &Participant) -> bool {
    let heard = |by: &Participant, of: &Participant| {
        // A discovery server and its clients do not listen to announcements that their sockets receive.
        let listens = by.data.discovery == Discovery::Simple;
        knows(by, of) || listens && by.process_key().is_some_and(|process| of.heard_by.contains(&process))
    };
    heard(one, other) || heard(other, one)
}

/// True when its process wants nothing to do with other hosts, by its environment.
pub(super) fn is_told_to_stay(graph: &Graph, participant: &Participant) -> bool {
    staying(graph, participant).is_some()
}

/// The variable that keeps a participant on its host, with its value.
fn staying(graph: &Graph, participant: &Participant) -> Option<&'static str> {
    let environment = &graph.process(participant.process.as_ref()?)?.process.environment;
    let is = |name: &str, value: &str| environment.get(name).is_some_and(|known| known == value);
    // Where it is set the others are not looked at.
    if is("ROS_LOCALHOST_ONLY", "1") {
        return Some("ROS_LOCALHOST_ONLY=1");
    }
    if environment.get("ROS_DISTRO").is_some_and(|distro| BEFORE_RANGES.contains(&distro.as_str())) {
        return None;
    }
    let peers = environment.get("ROS_STATIC_PEERS").is_some_and(|peers| !peers.trim().is_empty());
    match environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE").map(String::as_str) {
        Some("LOCALHOST") if !peers => Some("ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST"),
        Some("OFF") => Some("ROS_AUTOMATIC_DISCOVERY_RANGE=OFF"),
        _ => None,
    }
}

/// Why a participant talks to its own host only, when it does: nobody elsewhere has received an announcement of it, and it advertises the
/// loopback address alone or its environment says so.
pub(super) fn stays_on_host(graph: &Graph, participant: &Participant) -> Option<String> {
    let own = participant.process.as_ref().filter(|_| participant.net_namespace != 0)?;
    let elsewhere = |(pid, started): &ProcessKey| {
        let namespace = graph.process_by_id((*pid, *started)).map_or(0, |state| state.process.net_namespace);
        namespace != 0 && namespace != participant.net_namespace
    };
    let outside = participant.addresses.iter().any(|address| !address.is_loopback());
    if outside || participant.heard_by.iter().any(elsewhere) {
        return None;
    }
    let mut addresses = participant.unicast().filter_map(|locator| locator.address).peekable();
    let loopback = addresses.peek().is_some() && addresses.all(|address| address.is_loopback());
    let by_variable = || staying(graph, participant).map(|shown| format!("{shown} in the environment of {}", own.comm));
    let by_address = || {
        let closed = loopback && !hears_the_outside(graph, participant);
        closed.then(|| "the loopback interface is the only one that it uses".to_owned())
    };
    by_variable().or_else(by_address)
}

/// True when it receives what other hosts announce, and has not only overheard it: a socket is given what any other one of its host has joined.
fn hears_the_outside(graph: &Graph, participant: &Participant) -> bool {
    let (Some(own), namespace) = (participant.process_key(), participant.net_namespace) else { return false };
    let others = || graph.dds().participants().filter(|other| other.is_alive() && other.process_key() != Some(own));
    let abroad =
        |other: &Participant| other.unicast().any(|locator| locator.address.is_some_and(|ip| !ip.is_loopback()));
    let heard = others().any(|other| !other.same_host(participant) && other.heard_by.contains(&own) && abroad(other));
    heard && !others().any(|other| other.net_namespace == namespace && abroad(other))
}

/// True when no packet can get from one to the other: neither host has a way to an address of the other.
pub(super) fn are_apart(graph: &Graph, one: &Participant, other: &Participant) -> bool {
    let namespace = |participant: &Participant| {
        graph.namespace(participant.net_namespace).filter(|_| participant.net_namespace != 0)
    };
    let (Some(here), Some(there)) = (namespace(one), namespace(other)) else { return false };
    let no_way = |from, to: &crate::event::Namespace| {
        let addresses = to.addresses.iter().map(|own| own.address).filter(|address| !address.is_loopback());
        let foreign = addresses.filter(|address| address.is_ipv4() || !is_link_local(address));
        foreign.map(|address| way(Some(from), address)).all(|way| matches!(way, Way::None | Way::Own { .. }))
    };
    no_way(here, there) && no_way(there, here)
}

fn is_link_local(address: &std::net::IpAddr) -> bool {
    matches!(address, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Endpoints that have somebody at the other end, whom they have heard of or share a host with.
pub(super) fn served(graph: &Graph) -> BTreeSet<Guid> {
    let dds = graph.dds();
    let meet = |writer: &Endpoint, reader: &Endpoint| {
        let owners = (dds.participant(writer.data.guid.prefix), dds.participant(reader.data.guid.prefix));
        matches!(owners, (Some(one), Some(other)) if one.same_host(other) || have_heard(one, other))
    };
    let pairs = dds.pairs().filter(|(writer, reader)| meet(writer, reader));
    pairs.flat_map(|(writer, reader)| [writer.data.guid, reader.data.guid]).collect()
}

/// False when all their topics are known, and none would gain anything if they heard of each other.
pub(super) fn need_each_other(graph: &Graph, one: &Participant, other: &Participant, served: &BTreeSet<Guid>) -> bool {
    let dds = graph.dds();
    let own = |participant: &Participant| {
        let prefix = participant.data.guid_prefix;
        dds.endpoints().filter(move |endpoint| endpoint.data.guid.prefix == prefix && endpoint.gone.is_none())
    };
    let unknown = |participant: &Participant| own(participant).next().is_none();
    let is_plumbing = |topic: &str| PLUMBING.contains(&RosName::of_dds_topic(topic).name.as_str());
    let wanting = |here: &Endpoint, there: &Endpoint| {
        here.data.topic == there.data.topic
            && here.data.role != there.data.role
            && !(served.contains(&here.data.guid) && served.contains(&there.data.guid))
    };
    unknown(one)
        || unknown(other)
        || own(one)
            .filter(|here| !is_plumbing(&here.data.topic))
            .any(|here| own(other).any(|there| wanting(here, there)))
}

/// True when the sender of what was heard may be a process of this very host that is not watched: it advertises nothing but addresses of this
/// host. Bridges of container tools have the same address on every host, and may be another host's.
pub(super) fn may_be_a_neighbour(interfaces: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
    const BRIDGES: [&str; 9] = ["docker", "br-", "virbr", "lxcbr", "lxdbr", "podman", "cni", "vboxnet", "vmnet"];
    let is_bridge = |name: &str| BRIDGES.iter().any(|prefix| name.starts_with(prefix));
    interfaces.into_iter().any(|interface| !is_bridge(interface.as_ref()))
}
