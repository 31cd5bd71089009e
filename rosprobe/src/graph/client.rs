//! A client: whoever calls the master or connects to a node, and how it shows itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::mastership::LastRegistered;
use super::networks::Place;
use crate::event::{Monotonic, ProcessKey, ProcessRef};
use crate::observation::{AdvertisedUri, ObservationId};

/// Topics of one client whose publishers are remembered.
const TOPIC_LIMIT: usize = 4096;
/// Addresses of one client that are remembered.
const ADDRESS_LIMIT: usize = 16;

/// Who does something, as far as it can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor {
    /// A process on this machine.
    Process(ProcessKey),
    /// Somebody at this address: on another machine, or in a packet capture.
    Host(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub u32);

/// The publishers of a topic, as a client was told last.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublisherList {
    pub uris: BTreeSet<String>,
}

/// The first call by which a client told the master where to call it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub by: ObservationId,
    pub at: Monotonic,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub id: ClientId,
    pub actor: Actor,
    pub process: Option<ProcessRef>,
    pub net_namespace: u64,
    /// The network namespace from which it was seen first.
    pub seen_in: u64,
    /// Caller id; `None` until it called somebody.
    pub name: Option<String>,
    /// Where it wants to be called back.
    pub api: Option<AdvertisedUri>,
    /// The call that said so; `None` when the address was concluded from a connection.
    pub registered: Option<Registered>,
    /// When it last told a master of itself, or a master was seen to know it.
    pub last_registered: Option<LastRegistered>,
    /// What it said when that was no URI, with what the master was told so by.
    pub odd_api: Option<(String, Registered)>,
    /// Another host has called it at its caller API.
    pub called: bool,
    /// The process on this machine through which it was seen last, where its own is not.
    pub behind: Option<ProcessRef>,
    /// The process that passes its calls on to a master elsewhere.
    pub master_through: Option<ProcessRef>,
    /// The address at which it reached the master.
    pub master: Option<SocketAddr>,
    /// Its own address on its way to the master.
    pub reaches_master_from: Option<IpAddr>,
    pub addresses: BTreeSet<IpAddr>,
    /// When it last began or finished a connect.
    pub tried: Option<Monotonic>,
    /// Where its connects were answered, and when that was last.
    pub reached: BTreeMap<SocketAddr, Monotonic>,
    pub lists: BTreeMap<String, PublisherList>,
}

impl Client {
    /// Where it is, as far as that is known.
    pub fn place(&self) -> Place {
        place(self.net_namespace, self.seen_in)
    }

    /// Remembers what it was told of a topic; the list before, if there was one.
    pub fn told(&mut self, topic: &str, uris: BTreeSet<String>) -> Option<PublisherList> {
        if self.lists.len() >= TOPIC_LIMIT && !self.lists.contains_key(topic) {
            self.lists.pop_first();
        }
        self.lists.insert(topic.to_owned(), PublisherList { uris })
    }

    /// It tries to connect; `answered` is where that was successful.
    pub fn connects(&mut self, at: Monotonic, answered: Option<SocketAddr>) {
        self.tried = Some(at);
        let Some(address) = answered else { return };
        if self.reached.len() >= TOPIC_LIMIT && !self.reached.contains_key(&address) {
            self.reached.pop_first();
        }
        self.reached.insert(address, at);
    }

    /// Remembers that it was seen at an address.
    pub fn seen_at(&mut self, address: Option<IpAddr>) {
        if self.addresses.len() < ADDRESS_LIMIT {
            self.addresses.extend(address);
        }
    }

    /// True when an observation by `actor` at `address` can be of this client, given that the names are equal.
    pub fn can_be(&self, actor: Actor, address: Option<IpAddr>) -> bool {
        let known_at = |ip: IpAddr| ip.is_loopback() || self.addresses.contains(&ip);
        match (self.actor, actor) {
            (Actor::Process(mine), Actor::Process(other)) => mine == other,
            (_, Actor::Host(ip)) => known_at(ip),
            (Actor::Host(_), Actor::Process(_)) => address.is_some_and(known_at),
        }
    }
}

/// How a client shows itself in one conversation.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub actor: Actor,
    pub process: Option<ProcessRef>,
    pub address: Option<IpAddr>,
    pub net_namespace: u64,
    /// The network namespace in which this was observed.
    pub seen_in: u64,
    /// The process that passes on what it says.
    pub behind: Option<ProcessRef>,
}

impl Sight {
    pub fn place(&self) -> Place {
        place(self.net_namespace, self.seen_in)
    }
}

fn place(own: u64, seen_in: u64) -> Place {
    Place::Namespace(if own == 0 { seen_in } else { own })
}
