//! Which observations show that network namespaces talk to each other, or to one master.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::Graph;
use super::networks::Place;
use crate::event::Namespace;
use crate::observation::{Observation, What};

impl Graph {
    /// Where an observation was made, and whether it shows that two namespaces talk to each other.
    pub(super) fn find_network(&mut self, observation: &Observation) {
        let socket = observation.socket.as_ref().and_then(|socket| self.sockets.get(socket.id));
        let of_process = || {
            let state = self.process(observation.process.as_ref()?)?;
            Some(state.process.net_namespace)
        };
        let here = socket.map(|socket| socket.net_namespace).filter(|known| *known != 0).or_else(of_process);
        let here = Place::Namespace(here.unwrap_or(0));
        let both_ends = matches!(
            observation.what,
            What::Accepted | What::Connected { .. } | What::Call { .. } | What::TcprosHeader { .. }
        );
        let far = socket.filter(|_| both_ends).and_then(|socket| self.sockets.mirror(socket.id));
        let new = matches!(observation.what, What::Accepted | What::Connected { .. });
        // Where addresses are translated on the way, the two ends do not name each other, but the far address has an owner.
        let owner = || socket.filter(|_| new)?.remote.and_then(|remote| self.only_owner(remote.ip()));
        let there = far.map(|far| far.net_namespace).or_else(owner);
        if let Some(there) = there {
            self.join(here, Place::Namespace(there));
        }
        self.network = self.clients.networks.of(here);
    }

    /// A client reached its master at an address. Whose that is shows with whom it is in one network, also where the far end is not
    /// seen; of an address that several namespaces have it does not.
    pub(super) fn join_master(&mut self, client: Place, master: SocketAddr) {
        if master.ip().is_loopback() {
            return;
        }
        if let Some(owner) = self.only_owner(master.ip()) {
            self.join(client, Place::Namespace(owner));
        } else if self.owners(master.ip()).next().is_none() {
            self.join(client, Place::Master(master));
        }
        self.network = self.clients.networks.of(self.network);
    }

    /// A namespace became known that may be where a master is that was reached before: where files of two hosts are read as one, the
    /// second begins later.
    pub(super) fn join_masters_of(&mut self, namespace: &Namespace) {
        for master in self.clients.networks.masters_at(|ip| namespace.has(ip)) {
            if self.only_owner(master.ip()) == Some(namespace.net_namespace) {
                self.join(Place::Namespace(namespace.net_namespace), Place::Master(master));
            }
        }
    }

    /// Namespaces on this machine that have an address.
    pub(super) fn owners(&self, ip: IpAddr) -> impl Iterator<Item = u64> {
        self.namespaces.values().filter(move |namespace| namespace.has(ip)).map(|namespace| namespace.net_namespace)
    }

    /// The namespace that alone has an address.
    pub(crate) fn only_owner(&self, ip: IpAddr) -> Option<u64> {
        let mut owners = self.owners(ip).filter(|_| !ip.is_loopback());
        let first = owners.next()?;
        owners.next().is_none().then_some(first)
    }

    fn join(&mut self, one: Place, other: Place) {
        let Some((from, into)) = self.clients.networks.join(one, other) else { return };
        for (name, node) in take(&mut self.nodes, from) {
            self.nodes.entry((into, name)).and_modify(|known| known.absorb(&node)).or_insert(node);
        }
        for (uri, name) in take(&mut self.uri_nodes, from) {
            self.uri_nodes.entry((into, uri)).or_insert(name);
        }
        for (topic, names) in take(&mut self.masters.publishers, from) {
            self.masters.publishers.entry((into, topic)).or_insert(names);
        }
        for (host, ports) in take(&mut self.answering, from) {
            self.answering.entry((into, host)).or_default().extend(ports);
        }
        if let Some(uri) = self.masters.uris.remove(&from) {
            self.masters.uris.entry(into).or_insert(uri);
        }
        let gone = std::mem::take(&mut self.unregistered).into_iter();
        self.unregistered = gone.map(|(at, uri, topic)| (if at == from { into } else { at }, uri, topic)).collect();
    }
}

/// Takes what is known of one network out of a map.
fn take<K: Ord + Clone, V>(map: &mut BTreeMap<(Place, K), V>, network: Place) -> Vec<(K, V)> {
    map.extract_if(.., |(at, _), _| *at == network).map(|((_, key), value)| (key, value)).collect()
}
