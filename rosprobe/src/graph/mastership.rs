//! Masters that are started again: a master remembers nobody who registered with the one before.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Graph;
use super::client::{Actor, Client, ClientId};
use super::conversation::Ends;
use crate::event::{Monotonic, ProcessKey, ProcessRef};
use crate::observation::{AdvertisedUri, ObservationId};

/// Masters and addresses of masters remembered.
const MASTER_LIMIT: usize = 1024;

/// The last registration of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRegistered {
    pub at: Monotonic,
    /// The master's process, where that is seen.
    pub with: Option<ProcessKey>,
}

/// A master took the place of another.
#[derive(Clone, Debug)]
pub(crate) struct Succession {
    /// When the new one was first heard of.
    pub at: Monotonic,
    /// What shows it.
    pub by: Vec<ObservationId>,
    pub change: Change,
}

/// How it is known.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Both processes were seen.
    Process { before: ProcessKey, now: ProcessRef },
    /// It refused connections, and answers again.
    Refused { at: Monotonic },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Mastership {
    /// By network namespace and port: who listens there, and whom it succeeded.
    seats: BTreeMap<(u64, u16), Seat>,
    /// The same as seen from elsewhere: by the network namespace of who asks, and the address.
    far: BTreeMap<(u64, SocketAddr), Far>,
}

#[derive(Clone, Debug)]
struct Seat {
    process: ProcessKey,
    succession: Option<Succession>,
}

#[derive(Clone, Debug, Default)]
struct Far {
    refused: Option<(Monotonic, ObservationId)>,
    succession: Option<Succession>,
}

impl Graph {
    /// A master was called.
    pub(super) fn master_seen(&mut self, ends: &Ends, address: SocketAddr, at: Monotonic, id: ObservationId) {
        if let (Actor::Process(key), Some(process)) = (ends.server.actor, &ends.server.process)
            && ends.server.net_namespace != 0
            && !self.is_relay(process)
        {
            let seat = (ends.server.net_namespace, address.port());
            self.seated(seat, key, process, at, id);
        }
        if !ends.at_client {
            return;
        }
        let seats = &mut self.mastership.far;
        if seats.len() >= MASTER_LIMIT && !seats.contains_key(&(ends.client.net_namespace, address)) {
            return;
        }
        let far = seats.entry((ends.client.net_namespace, address)).or_default();
        if let Some((refused, shown)) = far.refused.take() {
            far.succession = Some(Succession { at, by: vec![shown, id], change: Change::Refused { at: refused } });
        }
    }

    fn seated(&mut self, seat: (u64, u16), key: ProcessKey, process: &ProcessRef, at: Monotonic, id: ObservationId) {
        let ended = |key: &ProcessKey| self.processes.get(key).is_none_or(|state| state.exited.is_some());
        match self.mastership.seats.get(&seat) {
            Some(known) if known.process == key || !ended(&known.process) => {}
            Some(known) => {
                let change = Change::Process { before: known.process, now: process.clone() };
                let succession = Some(Succession { at, by: vec![id], change });
                self.mastership.seats.insert(seat, Seat { process: key, succession });
            }
            None if self.mastership.seats.len() < MASTER_LIMIT => {
                self.mastership.seats.insert(seat, Seat { process: key, succession: None });
            }
            None => {}
        }
    }

    /// A connect to where a master was called before was refused.
    pub(super) fn master_refused(&mut self, net_namespace: u64, address: SocketAddr, at: Monotonic, id: ObservationId) {
        if let Some(far) = self.mastership.far.get_mut(&(net_namespace, address)) {
            far.refused.get_or_insert((at, id));
        }
    }

    /// A node told a master of itself.
    pub(super) fn registered(&mut self, ends: &Ends, client: ClientId, at: Monotonic) {
        let with = match (ends.server.actor, &ends.server.process) {
            (Actor::Process(key), Some(process)) if !self.is_relay(process) => Some(key),
            _ => None,
        };
        if let Some(known) = self.clients.get_mut(client) {
            let with = with.or(known.last_registered.and_then(|last| last.with));
            known.last_registered = Some(LastRegistered { at, with });
        }
    }

    /// A master names this URI, or calls whoever is there: it knows the node.
    pub(super) fn known_to_master(&mut self, target: &AdvertisedUri, by: ClientId, at: Monotonic) {
        let Some(place) = self.clients.get(by).map(Client::place) else { return };
        let there: Vec<ClientId> = self.clients.with_api_port(target.port, place).collect();
        for id in there {
            if let Some(client) = self.clients.get_mut(id)
                && client.api.as_ref() == Some(target)
                && let Some(last) = &mut client.last_registered
            {
                last.at = at.max(last.at);
            }
        }
    }

    /// The master that took the place of the one that a client registered with, and does not know the client.
    pub(crate) fn succession_of(&self, client: &Client) -> Option<&Succession> {
        let (last, master) = (client.last_registered?, client.master?);
        let succession = match last.with {
            // Where the master's process is seen, nothing else counts.
            Some(with) => {
                let mut seats = self.mastership.seats.values().filter_map(|seat| seat.succession.as_ref());
                seats.find(|one| matches!(one.change, Change::Process { before, .. } if before == with))
            }
            // A tunnel that is gone refuses as well, and says nothing of the master behind it.
            None if client.master_through.is_some() || master.ip().is_loopback() => None,
            None => self.mastership.far.get(&(client.net_namespace, master))?.succession.as_ref(),
        };
        let since = |one: &Succession| match one.change {
            Change::Process { .. } => one.at,
            Change::Refused { at } => at,
        };
        let succession = succession.filter(|one| last.at < since(one))?;
        // The node may have registered again in another process.
        let back = |other: &Client| other.last_registered.is_some_and(|last| last.at >= since(succession));
        let name = client.name.as_deref()?;
        (!self.clients_named(name, client).any(back)).then_some(succession)
    }
}
