//! The hosts as they are advertised: by whom, and who could reach them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::address::{authority, host_of};
use super::links;
use super::listing::{RowKey, Sort};
use super::marks;
use super::participants;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::filter::Subject;
use crate::graph::{Health, Link, LinkCounts, LinkId, Stage};

/// What the list shows of a host.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "HOST", least: 12, cut: Cut::Middle },
    Column { title: "ADVERTISED BY", least: 13, cut: Cut::List },
    Column { title: "REACHED BY", least: 12, cut: Cut::List },
    Column { title: "TRYING", least: 6, cut: Cut::List },
    Column { title: "NOT REACHED BY", least: 26, cut: Cut::List },
];

/// A host as it is advertised: an address or a name, without port.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Nodes that advertise it.
    pub advertised_by: BTreeSet<String>,
    /// Who connected to it.
    pub reached_by: BTreeSet<String>,
    /// Who is still trying.
    pub awaited_by: BTreeSet<String>,
    /// Who tried in vain, and with what result.
    pub missed_by: BTreeSet<String>,
    /// The links that lead to it.
    pub links: Vec<LinkId>,
    /// How those are doing.
    pub counts: LinkCounts,
}

/// All hosts by name.
pub type Hosts = BTreeMap<String, Host>;

/// Gathers hosts from links and from what nodes advertise.
pub fn gather(scene: &Scene) -> Hosts {
    let mut hosts = Hosts::new();
    for link in scene.graph().links() {
        let address = links::address(scene, link);
        if !address.is_empty() {
            add_link(scene, hosts.entry(host_of(&address).to_owned()).or_default(), link);
        }
    }
    for node in scene.graph().nodes() {
        for uri in &node.uris {
            hosts.entry(host_of(authority(uri)).to_owned()).or_default().advertised_by.insert(node.name.clone());
        }
    }
    hosts
}

fn add_link(scene: &Scene, host: &mut Host, link: &Link) {
    if let Some((writer, reader)) = scene.graph().dds().ends(link.id) {
        // Data goes to where the reader takes it. Whether the two match is another question than whether one reaches the other.
        host.links.push(link.id);
        host.counts.add(scene.health(link));
        host.advertised_by.insert(participants::end_label(scene, reader));
        let who = participants::end_label(scene, writer);
        let reached = link.reached(Stage::Discovered);
        if reached {
            host.reached_by.insert(who)
        } else {
            host.awaited_by.insert(who)
        };
        return;
    }
    host.links.push(link.id);
    host.counts.add(scene.health(link));
    host.advertised_by.insert(links::publisher_name(scene, link));
    let who = links::subscriber(scene, link);
    match scene.health(link) {
        Health::Ok => host.reached_by.insert(who),
        Health::Pending => host.awaited_by.insert(who),
        Health::Failed => host.missed_by.insert(format!("{who} {}", links::outcome(scene, link).0)),
        Health::Gone => false,
    };
}

/// Rows that pass, in order, and how many there are in all.
pub fn rows(hosts: &Hosts, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let mut passed: Vec<(&String, &Host)> = hosts.iter().filter(|(name, host)| passes(selection, name, host)).collect();
    match sort.column {
        0 => passed.sort_by_key(|(name, host)| (host.counts.health(), *name)),
        2 => passed.sort_by_key(|(name, host)| (host.advertised_by.first(), *name)),
        3 => passed.sort_by_key(|(name, host)| (std::cmp::Reverse(host.reached_by.len()), *name)),
        4 => passed.sort_by_key(|(name, host)| (std::cmp::Reverse(host.awaited_by.len()), *name)),
        5 => passed.sort_by_key(|(name, host)| (std::cmp::Reverse(host.missed_by.len()), *name)),
        _ => {}
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|(name, _)| RowKey::Host(name.clone())).collect(), hosts.len())
}

/// Whether a host passes: by itself, or by a link to it.
fn passes(selection: &Selection, name: &str, host: &Host) -> bool {
    let subject = || Subject {
        names: vec![name.to_owned().into()],
        nodes: host.advertised_by.iter().cloned().map(Cow::from).collect(),
        addresses: vec![name.to_owned().into()],
        failed: host.counts.failed > 0,
        ..Subject::default()
    };
    selection.belongs_or(|related| host.links.iter().any(|link| related.has_link(*link)), subject)
}

/// What a row shows.
pub fn cells(name: &str, host: &Host) -> Vec<Cell> {
    let (symbol, role) = marks::of_health(host.counts.health());
    let untried = host.reached_by.is_empty() && host.awaited_by.is_empty() && host.missed_by.is_empty();
    let (symbol, role) = if untried { ("·", Role::Muted) } else { (symbol, role) };
    let list = |names: &BTreeSet<String>| match names.len() {
        0 => "nobody".to_owned(),
        _ => names.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let shade = |names: &BTreeSet<String>, role: Role| if names.is_empty() { Role::Muted } else { role };
    vec![
        Cell::new(symbol, role),
        Cell::searched(name, Role::Accent),
        Cell::searched(list(&host.advertised_by), shade(&host.advertised_by, Role::Text)),
        Cell::searched(list(&host.reached_by), shade(&host.reached_by, Role::Ok)),
        Cell::searched(list(&host.awaited_by), shade(&host.awaited_by, Role::Warn)),
        Cell::searched(list(&host.missed_by), shade(&host.missed_by, Role::Err)),
    ]
}
