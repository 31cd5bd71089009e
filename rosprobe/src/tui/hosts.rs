//! The hosts as they are advertised: by whom, and who could reach them.

use std::collections::{BTreeMap, BTreeSet};

use super::links;
use super::listing::{RowKey, Sort};
use super::processes::Counts;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::graph::{Health, Link, LinkId};

/// What the list shows of a host.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "HOST", least: 14, cut: Cut::Middle },
    Column { title: "ADVERTISED BY", least: 12, cut: Cut::Middle },
    Column { title: "REACHED BY", least: 12, cut: Cut::Middle },
    Column { title: "WAITED FOR BY", least: 12, cut: Cut::Middle },
    Column { title: "NOT REACHED BY", least: 14, cut: Cut::Middle },
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
    pub counts: Counts,
}

/// All hosts by name.
pub type Hosts = BTreeMap<String, Host>;

/// The host part of `host:port`, also where the host is an IPv6 address without brackets.
pub fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Gathers hosts from links and from what nodes advertise.
pub fn gather(scene: &Scene) -> Hosts {
    let mut hosts = Hosts::new();
    for link in scene.graph().links() {
        let address = links::address(link);
        if !address.is_empty() {
            add_link(scene, hosts.entry(host_of(&address).to_owned()).or_default(), link);
        }
    }
    for node in scene.graph().nodes() {
        for uri in &node.uris {
            let address = uri.trim_start_matches("http://").trim_end_matches('/');
            hosts.entry(host_of(address).to_owned()).or_default().advertised_by.insert(node.name.clone());
        }
    }
    hosts
}

fn add_link(scene: &Scene, host: &mut Host, link: &Link) {
    host.links.push(link.id);
    host.counts.add(link.health());
    host.advertised_by.extend(link.publisher.node.clone().or_else(|| link.publisher.uri.clone()));
    let who = links::party(scene, &link.subscriber);
    match link.health() {
        Health::Ok => host.reached_by.insert(who),
        Health::Pending => host.awaited_by.insert(who),
        Health::Failed => host.missed_by.insert(format!("{who} {}", links::outcome(scene, link).0)),
        Health::Gone => false,
    };
}

/// Rows that pass, in order, and how many there are in all.
pub fn rows(hosts: &Hosts, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let mut passed: Vec<(&String, &Host)> = hosts.iter().filter(|(name, host)| selection.host(name, host)).collect();
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

/// What a row shows.
pub fn cells(name: &str, host: &Host) -> Vec<Cell> {
    let (symbol, role) = links::mark(host.counts.health());
    let untried = host.reached_by.is_empty() && host.awaited_by.is_empty() && host.missed_by.is_empty();
    let (symbol, role) = if untried { ("·", Role::Muted) } else { (symbol, role) };
    let list = |names: &BTreeSet<String>| match names.len() {
        0 => "nobody".to_owned(),
        1 => names.iter().cloned().collect(),
        count => format!("{}: {}", count, names.iter().cloned().collect::<Vec<_>>().join(", ")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_hosts_keep_their_colons() {
        for (address, host) in [
            ("10.0.1.1:41235", "10.0.1.1"),
            ("fd50::1:42937", "fd50::1"),
            ("[fd50::1]:80", "fd50::1"),
            ("marvin", "marvin"),
        ] {
            assert_eq!(host_of(address), host);
        }
    }
}
