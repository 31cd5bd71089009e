//! What a client makes of a host's name, and which way its packets take: as its network namespace has it.

use std::net::IpAddr;

use super::client::Client;
use super::names::Resolution;
use super::routes::{Subnet, Way, way, way_without};
use super::{Graph, bounded};
use crate::event::{Monotonic, Namespace, ProcessRef};
use crate::observation::{Observation, ObservationId};

impl Graph {
    pub(super) fn name_asked(&mut self, observation: &Observation, name: &str) {
        let Some(socket) = &observation.socket else { return };
        let server = socket.remote.map(|remote| remote.ip());
        let process = observation.process.as_ref().map(ProcessRef::key);
        let (name, at) = (bounded(name), observation.monotonic);
        self.names.asked(socket.net_namespace, &name, process, at, server, observation.id);
    }

    pub(super) fn name_answered(&mut self, observation: &Observation, name: &str, addresses: &[IpAddr], status: &str) {
        let Some(socket) = &observation.socket else { return };
        self.names.answered(socket.net_namespace, &bounded(name), addresses, status, observation.id);
    }

    /// How a host resolves for a client.
    pub(crate) fn resolve(&self, client: &Client, host: &str) -> Resolution {
        self.names.resolve(self.net_namespace_of(client), self.namespace_of(client), host)
    }

    /// How a host resolves in a network namespace.
    pub(crate) fn resolve_in(&self, net_namespace: u64, host: &str) -> Resolution {
        self.names.resolve(net_namespace, self.namespaces.get(&net_namespace), host)
    }

    pub(crate) fn name_evidence(&self, client: &Client, host: &str) -> Vec<ObservationId> {
        self.names.records(self.net_namespace_of(client), host).flat_map(|record| record.evidence.clone()).collect()
    }

    /// When a process first asked for a name, and what shows it.
    pub(crate) fn name_asked_by(&self, process: &ProcessRef, host: &str) -> Option<(Monotonic, Vec<ObservationId>)> {
        let net_namespace = self.process(process)?.process.net_namespace;
        let key = process.key();
        self.names
            .records(net_namespace, host)
            .find_map(|record| record.asked_by.get(&key).map(|at| (*at, record.evidence.clone())))
    }

    /// The network namespace in which a client runs.
    pub(crate) fn namespace_of(&self, client: &Client) -> Option<&Namespace> {
        self.namespaces.get(&self.net_namespace_of(client))
    }

    pub(crate) fn net_namespace_of(&self, client: &Client) -> u64 {
        let of_process = client.process.as_ref().and_then(|process| self.process(process));
        of_process.map(|state| state.process.net_namespace).filter(|known| *known != 0).unwrap_or(client.net_namespace)
    }

    /// The way from a client to an address.
    pub(crate) fn way_of(&self, client: &Client, address: IpAddr) -> Way {
        way(self.namespace_of(client), address)
    }

    /// The same if a route that rejects it were gone.
    pub(crate) fn way_without(&self, client: &Client, rejecting: &Subnet, address: IpAddr) -> Way {
        self.namespace_of(client).map_or(Way::Unknown, |namespace| way_without(namespace, rejecting, address))
    }
}
