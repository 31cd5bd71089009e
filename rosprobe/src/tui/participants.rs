//! The participants of ROS 2: whose they are, where they are, and who knows whom.

use super::ends::Ends;
use super::listing::{RowKey, Sort};
use super::marks;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::graph::dds::{Endpoint, Gone, Participant, Silence};
use crate::graph::{Health, LinkCounts};
use crate::observation::dds::{Guid, Locator, NodeEntities};

/// What the list shows of a participant.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "PARTICIPANT", least: 20, cut: Cut::Name },
    Column { title: "DOMAIN", least: 6, cut: Cut::End },
    Column { title: "DDS", least: 8, cut: Cut::End },
    Column { title: "FROM", least: 9, cut: Cut::List },
    Column { title: "ADVERTISES", least: 12, cut: Cut::List },
    Column { title: "STATE", least: 12, cut: Cut::End },
];

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, ends: &Ends, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let dds = scene.graph().dds();
    let total = dds.participants().count();
    let mut passed: Vec<&Participant> =
        dds.participants().filter(|participant| selection.participant(participant, ends.blames(participant))).collect();
    let prefix = |participant: &Participant| participant.data.guid_prefix;
    match sort.column {
        0 => passed.sort_by_cached_key(|one| (health(ends, one), one.domain(), label(one), prefix(one))),
        1 => passed.sort_by_cached_key(|one| (label(one), prefix(one))),
        2 => passed.sort_by_cached_key(|one| (one.domain(), prefix(one))),
        3 => passed.sort_by_cached_key(|one| (one.data.vendor.name(), prefix(one))),
        4 => passed.sort_by_cached_key(|one| (one.addresses.first().copied(), prefix(one))),
        5 => passed.sort_by_cached_key(|one| (one.unicast().next().copied(), prefix(one))),
        _ => passed.sort_by_cached_key(|one| (state(scene, one).0, prefix(one))),
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|one| RowKey::Participant(prefix(one))).collect(), total)
}

/// What a row shows.
pub fn cells(scene: &Scene, ends: &Ends, participant: &Participant) -> Vec<Cell> {
    let (symbol, role) = marks::of_health(health(ends, participant));
    let (words, known) = state(scene, participant);
    let domain = participant.domain().map_or("?".to_owned(), |domain| domain.to_string());
    let list = |entries: Vec<String>| if entries.is_empty() { "?".to_owned() } else { entries.join(", ") };
    vec![
        Cell::new(if known || role == Role::Err { symbol } else { "·" }, role),
        Cell::searched(label(participant), Role::Text),
        Cell::new(domain, Role::Text),
        Cell::new(participant.data.vendor.name(), Role::Muted),
        Cell::searched(list(participant.addresses.iter().map(ToString::to_string).collect()), Role::Text),
        Cell::searched(list(locators(participant)), Role::Accent),
        Cell::new(words, if known { role } else { Role::Warn }),
    ]
}

/// Addresses at which it wants to be found, those that the machine keeps to itself last.
pub fn locators(participant: &Participant) -> Vec<String> {
    let mut addresses: Vec<_> = participant.unicast().filter_map(|locator| locator.address).collect();
    addresses.sort_by_key(std::net::IpAddr::is_loopback);
    addresses.dedup();
    addresses.iter().map(ToString::to_string).collect()
}

/// How a participant fares: failed when a finding of severity error is about it.
pub fn health(ends: &Ends, participant: &Participant) -> Health {
    match participant.gone {
        _ if ends.blames(participant) => Health::Failed,
        Some(_) => Health::Gone,
        None => Health::Ok,
    }
}

/// What it is doing, in few words, and whether anybody knows of it.
pub fn state(scene: &Scene, participant: &Participant) -> (String, bool) {
    if let Some((how, at)) = participant.gone {
        let how = match how {
            Gone::Disposed => "said goodbye",
            Gone::LeaseExpired => "fell silent",
            Gone::ProcessExited => "ended",
        };
        return (format!("{how} {} ago", scene.age(at)), true);
    }
    let prefix = participant.data.guid_prefix;
    let others = scene.graph().dds().participants().filter(|other| other.data.guid_prefix != prefix);
    let known_by = others.filter(|other| other.knows.contains_key(&prefix)).count();
    match (participant.knows.len(), known_by) {
        (0, 0) => unknown(scene, participant).unwrap_or_else(|| ("alone".to_owned(), false)),
        (0, known_by) => (format!("known by {known_by}"), true),
        (knows, _) => (format!("knows {knows}"), true),
    }
}

/// Of one that nobody was seen to know it may be that this was not to be seen.
fn unknown(scene: &Scene, participant: &Participant) -> Option<(String, bool)> {
    match scene.graph().dds().silence(participant)? {
        Silence::Before => Some(("ran before: not known yet".to_owned(), true)),
        Silence::SharedMemory => Some(("in shared memory: not seen".to_owned(), true)),
        Silence::Encrypted | Silence::Alone | Silence::Unknown => None,
    }
}

/// A participant as people name it: its node, or its program and address, with the pid by its own account.
pub fn label(participant: &Participant) -> String {
    let nodes: Vec<String> = participant.nodes.iter().map(NodeEntities::full_name).collect();
    let name = match nodes.as_slice() {
        [] => program(participant),
        [node] => node.clone(),
        [node, more @ ..] => format!("{node} +{}", more.len()),
    };
    with_pid(&name, participant)
}

fn program(participant: &Participant) -> String {
    let own = participant.process.as_ref().map(|process| process.comm.to_string());
    let name = own.or_else(|| participant.data.process_name.clone());
    let name = name.unwrap_or_else(|| participant.data.vendor.name().into_owned());
    let address = participant.addresses.first().filter(|_| participant.process.is_none());
    address.map_or_else(|| name.clone(), |address| format!("{name}@{address}"))
}

fn with_pid(name: &str, participant: &Participant) -> String {
    let pid = participant.process.as_ref().map(|process| process.pid).or(participant.data.pid);
    pid.map_or_else(|| name.to_owned(), |pid| format!("{name} [{pid}]"))
}

/// The end of a link: its node, else its participant.
pub fn end_label(scene: &Scene, endpoint: &Endpoint) -> String {
    let guid: Guid = endpoint.data.guid;
    match (scene.graph().dds().node_of(guid), scene.participant_of(endpoint)) {
        (Some(node), Some(participant)) => with_pid(&node, participant),
        (Some(node), None) => node,
        (None, Some(participant)) => label(participant),
        (None, None) => format!("participant {}", guid.prefix),
    }
}

/// Locators at which an endpoint takes data: its own, else those of its participant.
pub fn data_locators<'a>(scene: &'a Scene, endpoint: &'a Endpoint) -> Vec<&'a Locator> {
    if !endpoint.data.unicast.is_empty() {
        return endpoint.data.unicast.iter().collect();
    }
    scene.participant_of(endpoint).map(|owner| owner.data.default_unicast.iter().collect()).unwrap_or_default()
}

/// The first of them that other hosts could use.
pub fn data_address(scene: &Scene, endpoint: &Endpoint) -> String {
    let mut locators = data_locators(scene, endpoint);
    locators.sort_by_key(|locator| locator.address.is_none_or(|address| address.is_loopback()));
    locators.first().map(ToString::to_string).unwrap_or_default()
}

/// Links of all endpoints of a participant.
pub fn counts(scene: &Scene, ends: &Ends, participant: &Participant) -> LinkCounts {
    let prefix = participant.data.guid_prefix;
    let own = scene.graph().dds().endpoints().filter(|endpoint| endpoint.data.guid.prefix == prefix);
    own.map(|endpoint| ends.of(endpoint)).fold(LinkCounts::default(), LinkCounts::and)
}
