//! From where rosprobe looks on: what it would have noticed, had it happened.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Graph;
use super::client::{Actor, Client, ClientId};
use super::track::Track;

/// Addresses with connections to themselves that are remembered.
const ADDRESS_LIMIT: usize = 16_384;

impl Graph {
    /// Narrows down on which host packets were captured.
    pub(super) fn place_capture(&mut self, one: IpAddr, other: IpAddr) {
        if one == other {
            if self.to_themselves.len() < ADDRESS_LIMIT {
                self.to_themselves.insert(one);
            }
            return;
        }
        match &mut self.in_all_connections {
            Some(common) => common.retain(|ip| *ip == one || *ip == other),
            none => *none = Some(BTreeSet::from([one, other])),
        }
    }

    /// Whether an attempt of this client would have been noticed from here.
    pub(super) fn would_be_seen(&self, client: &Client, track: &Track) -> bool {
        match client.actor {
            Actor::Process(key) => self.processes.get(&key).is_some_and(|state| state.exited.is_none()),
            Actor::Host(ip) if !self.sees_processes() => {
                let publisher = self.address_of_publisher(track);
                // What a host sends to itself stays inside it.
                let own = publisher == Some(ip);
                self.to_themselves.contains(&ip)
                    || !own && (self.captured_at(ip) || publisher.is_some_and(|publisher| self.captured_at(publisher)))
            }
            // Of a process on this machine that is not known yet, a connect would be seen as that process's.
            Actor::Host(ip) => {
                let elsewhere = client.behind.is_some() || self.owners(ip).next().is_none();
                elsewhere && self.publisher_is_here(track)
            }
        }
    }

    /// The address that the publisher advertises, or from which it registered a name.
    fn address_of_publisher(&self, track: &Track) -> Option<IpAddr> {
        let target = track.target.as_ref()?;
        let literal = target.address().map(|address| address.ip());
        literal.or_else(|| {
            let registered = self.clients.get(track.client).into_iter();
            let registered = registered.flat_map(|client| self.clients_at_port(target.port, client));
            registered.filter(|client| client.api.as_ref() == Some(target)).find_map(|client| match client.actor {
                Actor::Host(ip) => Some(ip),
                Actor::Process(_) => None,
            })
        })
    }

    /// Whether the publisher runs on this machine, so that an incoming connection would have been seen.
    fn publisher_is_here(&self, track: &Track) -> bool {
        let Some(client) = self.clients.get(track.client) else { return false };
        let name = self.uri_nodes.get(&(self.clients.networks.of(client.place()), track.uri.clone()));
        let node = name.and_then(|name| self.node_named(name, client));
        let Some(process) = node.and_then(|node| node.process.as_ref()) else { return false };
        // Two nodes may have one name, and only one of them be here.
        let publishers = self.clients.of(Actor::Process(process.key())).iter().filter_map(|id| self.clients.get(*id));
        let mut hosts = publishers.filter_map(|publisher| publisher.api.as_ref().map(|api| &api.host));
        let is_another = track.target.as_ref().is_some_and(|target| hosts.any(|host| *host != target.host));
        !is_another && self.process(process).is_some_and(|state| state.exited.is_none())
    }

    /// Whether a packet capture was taken on the host of that address: it talks to itself, or, where nobody does, it takes part in
    /// every connection.
    fn captured_at(&self, ip: IpAddr) -> bool {
        if self.to_themselves.is_empty() {
            return self.in_all_connections.as_ref().is_some_and(|all| all.contains(&ip));
        }
        self.to_themselves.contains(&ip)
    }

    pub(super) fn sees_client(&self, client: ClientId) -> bool {
        self.clients.get(client).is_some_and(|client| matches!(client.actor, Actor::Process(_)))
    }

    /// True when observations come from processes, and not from packets.
    pub(crate) fn sees_processes(&self) -> bool {
        !self.processes.is_empty()
    }
}
