//! All clients, known by process where rosprobe sees it and by address otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Actor, Client, ClientId, Registered, Sight};
use super::networks::{Networks, Place};
use crate::observation::AdvertisedUri;

/// Clients remembered at once.
const CLIENT_LIMIT: usize = 16_384;
/// All clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    all: BTreeMap<ClientId, Client>,
    by_actor: BTreeMap<Actor, Vec<ClientId>>,
    by_name: BTreeMap<String, Vec<ClientId>>,
    by_api_port: BTreeMap<u16, BTreeSet<ClientId>>,
    /// Which of their places are one network: names and addresses say who somebody is only within one.
    pub networks: Networks,
    next: u32,
}

impl Clients {
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.all.get(&id)
    }

    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.values()
    }

    /// The clients of an actor.
    pub fn of(&self, actor: Actor) -> &[ClientId] {
        self.by_actor.get(&actor).map_or(&[], Vec::as_slice)
    }

    /// The clients of a name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Client> {
        self.by_name.get(name).into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// The client of that name that shows itself so; a new one when there is none.
    pub fn find_or_add(&mut self, sight: &Sight, name: Option<&str>) -> ClientId {
        let id = self.find(sight, name).unwrap_or_else(|| self.add(sight));
        if let Some(name) = name {
            self.name(id, name);
        }
        self.meet(id, sight);
        id
    }

    /// The same for who talks to another node: a name is that of one node at a time, so who registered under it is meant, also where it
    /// comes from another of its addresses.
    pub fn find_peer(&mut self, sight: &Sight, name: &str) -> Option<ClientId> {
        if let Actor::Process(_) = sight.actor {
            return self.find_carried(sight, name);
        }
        if self.find(sight, Some(name)).is_some() {
            return None;
        }
        let here = |client: &&Client| self.networks.same(client.place(), sight.place());
        let registered = self.named(name).filter(here);
        let registered = registered.filter(|client| client.registered.is_some() && client.process.is_none());
        let registered: Vec<ClientId> = registered.map(|client| client.id).collect();
        let [only] = registered[..] else { return None };
        self.meet(only, sight);
        Some(only)
    }

    /// A process on this machine that asks a node in the name of somebody who registered from elsewhere, and never registered itself:
    /// the far end of a tunnel, as sshuttle's.
    fn find_carried(&mut self, sight: &Sight, name: &str) -> Option<ClientId> {
        let mine =
            |id: &ClientId| self.all.get(id).is_some_and(|known| known.master.is_some() || known.registered.is_some());
        if self.of(sight.actor).iter().any(mine) {
            return None;
        }
        let elsewhere = |client: &&Client| {
            self.networks.same(client.place(), sight.place())
                && client.process.is_none()
                && client.registered.is_some()
                && !sight.address.is_some_and(|ip| client.addresses.contains(&ip))
        };
        let registered: Vec<ClientId> = self.named(name).filter(elsewhere).map(|client| client.id).collect();
        let [only] = registered[..] else { return None };
        if let Some(client) = self.all.get_mut(&only) {
            client.behind.clone_from(&sight.process);
        }
        Some(only)
    }

    fn find(&self, sight: &Sight, name: Option<&str>) -> Option<ClientId> {
        let of_actor = self.of(sight.actor);
        let Some(name) = name else { return of_actor.first().copied() };
        let here = |client: &&Client| self.networks.same(client.place(), sight.place());
        let named = || self.named(name).filter(here);
        let itself = named().find(|client| client.actor == sight.actor);
        // Whoever speaks through a relay on this machine may run on it as well.
        let itself = itself.or_else(|| named().find(|client| sight.behind.is_some() && client.process.is_some()));
        let known = itself.or_else(|| named().find(|client| client.can_be(sight.actor, sight.address)));
        let known = known.map(|client| client.id);
        // Behind one address there are many clients, but a process that has no name yet is the one that now gives it.
        let nameless = || {
            let process = matches!(sight.actor, Actor::Process(_));
            of_actor.iter().copied().find(|id| process && self.all.get(id).is_some_and(|client| client.name.is_none()))
        };
        known.or_else(nameless)
    }

    fn add(&mut self, sight: &Sight) -> ClientId {
        if self.all.len() >= CLIENT_LIMIT
            && let Some(oldest) = self.all.keys().next().copied()
        {
            self.remove(oldest);
        }
        let id = ClientId(self.next);
        self.next = self.next.wrapping_add(1);
        let client = Client {
            id,
            actor: sight.actor,
            process: sight.process.clone(),
            net_namespace: sight.net_namespace,
            seen_in: sight.seen_in,
            name: None,
            api: None,
            registered: None,
            last_registered: None,
            odd_api: None,
            called: false,
            behind: None,
            master_through: None,
            master: None,
            reaches_master_from: None,
            addresses: BTreeSet::new(),
            tried: None,
            reached: BTreeMap::new(),
            lists: BTreeMap::new(),
        };
        self.all.insert(id, client);
        self.by_actor.entry(sight.actor).or_default().push(id);
        id
    }

    fn name(&mut self, id: ClientId, name: &str) {
        if let Some(client) = self.all.get_mut(&id)
            && client.name.is_none()
        {
            client.name = Some(name.to_owned());
            self.by_name.entry(name.to_owned()).or_default().push(id);
        }
    }

    /// Adds what this sight says; a client known by address alone may turn out to be a process here.
    fn meet(&mut self, id: ClientId, sight: &Sight) {
        let Some(client) = self.all.get_mut(&id) else { return };
        client.seen_at(sight.address);
        if client.process.is_none() && sight.behind.is_some() {
            client.behind.clone_from(&sight.behind);
        }
        if client.net_namespace == 0 {
            client.net_namespace = sight.net_namespace;
        }
        if let (Actor::Host(_), Actor::Process(_)) = (client.actor, sight.actor) {
            let before = std::mem::replace(&mut client.actor, sight.actor);
            client.process.clone_from(&sight.process);
            if let Some(ids) = self.by_actor.get_mut(&before) {
                ids.retain(|known| *known != id);
            }
            self.by_actor.entry(sight.actor).or_default().push(id);
        }
    }

    /// Where it tells the master to call it. Of calls that say the same the first is remembered.
    pub fn register_api(&mut self, id: ClientId, uri: AdvertisedUri, registered: Registered) {
        let Some(client) = self.all.get_mut(&id) else { return };
        if client.registered.is_none() || client.api.as_ref() != Some(&uri) {
            client.registered = Some(registered);
            client.called = false;
        }
        client.odd_api = None;
        self.set_api(id, uri);
    }

    fn set_api(&mut self, id: ClientId, uri: AdvertisedUri) {
        let Some(client) = self.all.get_mut(&id) else { return };
        let port = uri.port;
        if let Some(before) = client.api.replace(uri)
            && let Some(ids) = self.by_api_port.get_mut(&before.port)
        {
            ids.remove(&id);
        }
        self.by_api_port.entry(port).or_default().insert(id);
    }

    /// It is another client that is called there.
    pub fn forget_api(&mut self, id: ClientId) {
        let Some(uri) = self.all.get_mut(&id).and_then(|client| client.api.take()) else { return };
        if let Some(ids) = self.by_api_port.get_mut(&uri.port) {
            ids.remove(&id);
        }
    }

    pub fn set_api_if_missing(&mut self, id: ClientId, uri: AdvertisedUri) {
        if self.all.get(&id).is_some_and(|client| client.api.is_none()) {
            self.set_api(id, uri);
        }
    }

    /// Those of the network of a place that want to be called back at a port.
    pub fn with_api_port(&self, port: u16, place: Place) -> impl Iterator<Item = ClientId> {
        let here = move |id: &ClientId| self.all.get(id).is_some_and(|known| self.networks.same(known.place(), place));
        self.by_api_port.get(&port).into_iter().flatten().copied().filter(here)
    }

    pub fn remove(&mut self, id: ClientId) {
        let Some(client) = self.all.remove(&id) else { return };
        if let Some(ids) = self.by_actor.get_mut(&client.actor) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                self.by_actor.remove(&client.actor);
            }
        }
        if let Some(port) = client.api.map(|uri| uri.port)
            && let Some(ids) = self.by_api_port.get_mut(&port)
        {
            ids.remove(&id);
        }
        let Some(name) = client.name else { return };
        if let Some(ids) = self.by_name.get_mut(&name) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                self.by_name.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::event::ProcessRef;

    fn host(address: &str) -> Sight {
        let ip: IpAddr = address.parse().unwrap();
        Sight { actor: Actor::Host(ip), process: None, address: Some(ip), net_namespace: 0, seen_in: 7, behind: None }
    }

    fn process(pid: u32, address: &str) -> Sight {
        let reference = ProcessRef { pid, started: 1, comm: "python3".into() };
        let actor = Actor::Process((pid, 1));
        Sight {
            actor,
            process: Some(reference),
            address: Some(address.parse().unwrap()),
            net_namespace: 7,
            seen_in: 7,
            behind: None,
        }
    }

    #[test]
    fn a_client_seen_by_its_server_and_by_itself_is_one() {
        let mut clients = Clients::default();
        let from_outside = clients.find_or_add(&host("10.0.1.2"), Some("/listener"));
        let itself = clients.find_or_add(&process(42, "10.0.1.2"), Some("/listener"));
        assert_eq!(from_outside, itself);
        assert_eq!(clients.get(itself).unwrap().actor, Actor::Process((42, 1)));
        assert_eq!(clients.find_or_add(&host("10.0.1.2"), Some("/listener")), itself);
    }

    #[test]
    fn clients_at_one_address_are_told_apart_by_name_and_processes_by_pid() {
        let mut clients = Clients::default();
        let one = clients.find_or_add(&host("10.0.1.2"), Some("/one"));
        assert_ne!(clients.find_or_add(&host("10.0.1.2"), Some("/two")), one);
        assert_ne!(clients.find_or_add(&host("10.0.1.3"), Some("/one")), one);
        let first = clients.find_or_add(&process(1, "10.0.1.9"), Some("/same"));
        assert_ne!(clients.find_or_add(&process(2, "10.0.1.9"), Some("/same")), first);
    }

    #[test]
    fn a_process_without_a_name_takes_the_one_it_gives_later() {
        let mut clients = Clients::default();
        let early = clients.find_or_add(&process(1, "10.0.1.9"), None);
        assert_eq!(clients.find_or_add(&process(1, "10.0.1.9"), Some("/late")), early);
    }
}
