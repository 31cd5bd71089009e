//! Who listens where on this machine: a URI of which only the port is known leads to a process so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::client::{Actor, ClientId, Sight};
use super::conversation::Ends;
use super::link::{LinkId, LinkKind};
use super::{Graph, ProcessState};
use crate::event::{ProcessKey, ProcessRef};
use crate::observation::{AdvertisedUri, Observation, What};

/// Listening sockets remembered.
const LISTENER_LIMIT: usize = 16_384;

/// The processes at ports of network namespaces, the newest of each port.
#[derive(Clone, Debug, Default)]
pub(super) struct Listeners {
    by_port: BTreeMap<(u64, u16), (IpAddr, ProcessKey)>,
    /// Processes that listened when the capture began.
    already: BTreeSet<ProcessKey>,
}

impl Graph {
    pub(super) fn listening_observed(&mut self, observation: &Observation) {
        let (Some(socket), Some(process)) = (&observation.socket, &observation.process) else { return };
        let (Some(local), net_namespace @ 1..) = (socket.local, socket.net_namespace) else { return };
        let key = (net_namespace, local.port());
        let known = &mut self.listeners.by_port;
        if known.len() >= LISTENER_LIMIT && !known.contains_key(&key) {
            known.pop_first();
        }
        let before = known.insert(key, (local.ip().to_canonical(), process.key()));
        // They are looked for a moment after the capture began: whoever was seen to begin has begun after that, told before or behind.
        let same = before.is_some_and(|(_, owner)| owner == process.key());
        match observation.what {
            What::Listening { already: true } if !same && self.listeners.already.len() < LISTENER_LIMIT => {
                self.listeners.already.insert(process.key());
            }
            What::Listening { already: false } if same => {
                self.listeners.already.remove(&process.key());
            }
            _ => {}
        }
        let at_port = |entry: &&super::Entry| {
            let target = entry.track.target.as_ref().filter(|target| target.port == local.port());
            entry.link.kind == LinkKind::Topic && target.is_some()
        };
        let links: Vec<LinkId> = self.links.iter().filter(at_port).map(|entry| entry.link.id).collect();
        for link in links {
            self.name_parties(link);
        }
    }

    /// The running process that listens where a URI leads, seen from a client, on a host that is seen. Loopback leads to the client's
    /// own host, whoever was meant.
    pub(super) fn listener_at(&self, uri: &str, client: ClientId) -> Option<&ProcessState> {
        let (uri, client) = (AdvertisedUri::parse(uri).ok()?, self.clients.get(client)?);
        let ip = *self.resolve(client, &uri.host).addresses().first()?;
        if ip.is_loopback() {
            return None;
        }
        let here = self.namespace_of(client).filter(|own| own.has(ip)).map(|own| own.net_namespace);
        self.listener(here.or_else(|| self.only_owner(ip))?, SocketAddr::new(ip, uri.port))
    }

    /// The server of a conversation that is seen at the client's end alone, where a process of this machine listens there.
    pub(super) fn listening_server(&self, ends: &Ends, address: SocketAddr) -> Option<Sight> {
        let net_namespace = match ends.server.net_namespace {
            0 if address.ip().is_loopback() => ends.client.seen_in,
            0 => self.only_owner(address.ip())?,
            known => known,
        };
        let process = &self.listener(net_namespace, address)?.process;
        let (actor, reference) = (Actor::Process(process.key()), Some(process.reference()));
        Some(Sight { actor, process: reference, net_namespace: process.net_namespace, ..ends.server.clone() })
    }

    /// The running process that listens at an address of a network namespace.
    pub(super) fn listener(&self, net_namespace: u64, address: SocketAddr) -> Option<&ProcessState> {
        let (ip, process) = self.listeners.by_port.get(&(net_namespace, address.port()))?;
        let state = self.processes.get(process).filter(|state| state.exited.is_none())?;
        (ip.is_unspecified() || *ip == address.ip()).then_some(state)
    }

    /// Whether a process was running and listened when the capture began.
    pub(crate) fn was_listening(&self, process: ProcessKey) -> bool {
        self.listeners.already.contains(&process)
    }

    /// Whether a process had a connection before rosprobe began.
    pub(crate) fn was_connected_before(&self, process: &ProcessRef) -> bool {
        let own = |owner: &ProcessRef| owner.key() == process.key();
        self.sockets.iter().any(|socket| socket.already_open && socket.owner.as_ref().is_some_and(own))
    }
}
