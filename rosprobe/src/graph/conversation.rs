//! Who talks to whom in an observation, told the same from either end.

use std::net::{IpAddr, SocketAddr};

use super::Graph;
use super::client::{Actor, ClientId, Sight};
use super::names::reached;
use super::track::GoneCause;
use crate::event::ProcessRef;
use crate::observation::{AdvertisedUri, Observation};

/// Begins the name of who is called at an address while nothing else is known.
const UNNAMED: &str = "node at ";

/// Both ends of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// The end that connected.
    pub client: Sight,
    /// The end that was connected to.
    pub server: Sight,
    /// Where the server listens, as the client addressed it.
    pub server_address: Option<SocketAddr>,
    pub socket: u64,
    pub at_client: bool,
}

impl Graph {
    /// Both ends; `at_client` says at which of them it was observed. `None` when not even an address is known.
    pub(super) fn ends(&self, observation: &Observation, at_client: bool) -> Option<Ends> {
        let socket = self.sockets.get(observation.socket.as_ref()?.id)?;
        let owner = observation.process.as_ref().or(socket.owner.as_ref());
        let mirror = self.sockets.mirror(socket.id);
        let seen_in = match socket.net_namespace {
            0 => owner.and_then(|process| self.process(process)).map_or(0, |state| state.process.net_namespace),
            known => known,
        };
        let here = sight(owner, socket.local, socket.net_namespace, seen_in)?;
        let far_owner = mirror.and_then(|mirror| mirror.owner.as_ref());
        let far = sight(far_owner, socket.remote, mirror.map_or(0, |mirror| mirror.net_namespace), seen_in)?;
        let (client, server) = if at_client { (here, far) } else { (far, here) };
        let client = self.behind_relay(client);
        let server_address = if at_client { socket.remote } else { socket.local };
        Some(Ends { client, server, server_address, socket: socket.id, at_client })
    }

    /// The client that calls; named by the call's caller id.
    pub(super) fn calling(&mut self, ends: &Ends, caller_id: Option<&str>) -> ClientId {
        let id = self.clients.find_or_add(&ends.client, caller_id.filter(|name| !name.is_empty()));
        if let Some(name) = caller_id.filter(|name| !name.is_empty())
            && let Some(process) = &ends.client.process
        {
            self.runs_node(process.key(), name);
            let node = self.node(name);
            node.process.get_or_insert_with(|| process.clone());
        }
        id
    }

    /// The client that asks another node for a topic or service.
    pub(super) fn asking(&mut self, ends: &Ends, caller_id: Option<&str>) -> ClientId {
        let known =
            caller_id.filter(|name| !name.is_empty()).and_then(|name| self.clients.find_peer(&ends.client, name));
        known.unwrap_or_else(|| self.calling(ends, caller_id))
    }

    /// The client that is called at an address: the one that registered it.
    pub(super) fn called(&mut self, ends: &Ends) -> ClientId {
        let Some(address) = ends.server_address else { return self.clients.find_or_add(&ends.server, None) };
        if let Some(id) = self.client_at(address, &ends.server) {
            if !self.stands_for_nobody(id, ends) {
                return id;
            }
            // The master was seen to call it before the process was seen to be called.
            self.over(&self.links.of_client(id), GoneCause::Unlisted, self.now);
            self.clients.forget_api(id);
        }
        let id = match ends.server.actor {
            Actor::Process(_) => self.clients.find_or_add(&ends.server, None),
            Actor::Host(_) if let Some(server) = self.listening_server(ends, address) => {
                let state = server.process.as_ref().and_then(|process| self.process(process));
                let nodes = state.map(|state| &state.nodes).filter(|nodes| nodes.len() == 1);
                let name = nodes.and_then(|nodes| nodes.first()).cloned();
                self.clients.find_or_add(&server, name.as_deref())
            }
            // Behind an address are many clients, each with a port.
            Actor::Host(_) => self.clients.find_or_add(&ends.server, Some(&format!("{UNNAMED}{address}"))),
        };
        let uri = AdvertisedUri::at("http", address);
        self.clients.set_api_if_missing(id, uri);
        id
    }

    /// Whether a client was made up for an address, and the process that is called there is seen now.
    fn stands_for_nobody(&self, id: ClientId, ends: &Ends) -> bool {
        let Some(client) = self.clients.get(id) else { return false };
        ends.server.process.as_ref().is_some_and(|process| !self.is_relay(process))
            && client.process.is_none()
            && client.registered.is_none()
            && client.master.is_none()
            && client.name.as_ref().is_some_and(|name| name.starts_with(UNNAMED))
    }

    /// The client whose caller API is at an address.
    pub(super) fn client_at(&self, address: SocketAddr, sight: &Sight) -> Option<ClientId> {
        let at_port: Vec<ClientId> = self.clients.with_api_port(address.port(), sight.place()).collect();
        let of_actor = |id: &ClientId| self.clients.get(*id).is_some_and(|client| client.actor == sight.actor);
        let of_address = |id: &ClientId| {
            let api = self.clients.get(*id).and_then(|client| client.api.as_ref());
            api.is_some_and(|uri| self.host_may_be(&uri.host, address.ip(), None))
        };
        let process = matches!(sight.actor, Actor::Process(_));
        at_port.iter().find(|id| process && of_actor(id)).or_else(|| at_port.iter().find(|id| of_address(id))).copied()
    }

    /// Whether a host of a URI can be that address: equal, or a name that is not known to be another one.
    pub(super) fn host_may_be(&self, host: &str, ip: IpAddr, client: Option<ClientId>) -> bool {
        if let Ok(literal) = host.parse::<IpAddr>() {
            let literal = reached(literal.to_canonical());
            return literal == ip || (literal.is_loopback() && ip.is_loopback());
        }
        let Some(client) = client.and_then(|id| self.clients.get(id)) else { return true };
        let resolution = self.resolve(client, host);
        resolution.addresses().is_empty() || resolution.addresses().contains(&ip) || ip.is_loopback()
    }
}

fn sight(owner: Option<&ProcessRef>, address: Option<SocketAddr>, net_namespace: u64, seen_in: u64) -> Option<Sight> {
    let ip = address.map(|address| address.ip());
    let actor = match (owner, ip) {
        (Some(process), _) => Actor::Process(process.key()),
        (None, Some(ip)) => Actor::Host(ip),
        (None, None) => return None,
    };
    Some(Sight { actor, process: owner.cloned(), address: ip, net_namespace, seen_in, behind: None })
}
