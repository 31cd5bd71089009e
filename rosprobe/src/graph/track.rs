//! What only the graph and its diagnosis need to know of a link.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::claims::Guess;
use super::client::ClientId;
use super::links::NewLink;
use super::target::{DataTarget, Datagrams};
use crate::event::{Monotonic, WaitsFor};
use crate::observation::AdvertisedUri;

/// Topics remembered that a callback was about.
const TOPIC_LIMIT: usize = 64;

/// Why a link is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoneCause {
    /// The subscriber unregistered or its process ended: its troubles were never resolved.
    ClientLeft,
    /// The publisher is no longer listed: there is nothing left to connect to.
    Unlisted,
    /// The subscriber closed the connection, and nothing but that told of the link.
    HungUp,
}

/// Whether what is missing did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Judged {
    /// It may have happened unseen.
    #[default]
    Not,
    /// The client may have been connected already, unless the name of the host leads nowhere.
    ByName,
    /// Everything since the address was handed over was seen.
    Whole,
}

/// Of one link.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    /// The URI as it was given: with client, kind and name it tells links apart.
    pub uri: String,
    pub client: ClientId,
    /// The publisher's, server's or master's URI taken apart; `None` when it is none.
    pub target: Option<AdvertisedUri>,
    pub data_target: Option<DataTarget>,
    /// Of a link over UDPROS, from the request on.
    pub datagrams: Option<Box<Datagrams>>,
    pub judged: Judged,
    /// Its header or data socket, while that is open.
    pub data_socket: Option<u64>,
    /// Type and md5sum that the client asked for.
    pub asked_type: Option<(String, String)>,
    pub header_since: Option<Monotonic>,
    /// Seen at the client's end; else only at the server's.
    pub at_client: bool,
    /// Topics whose publishers a callback was to announce.
    pub topics: BTreeSet<String>,
    /// The connect that is taken for its among several that it may be.
    pub guess: Option<Guess>,
    /// The client itself closed the connection on which it waited for an answer last.
    pub given_up: bool,
    /// It carried data once, or its header was accepted.
    pub worked: bool,
    /// When it first succeeded at anything.
    pub gone: Option<(GoneCause, Monotonic)>,
    pub samples: VecDeque<(Monotonic, u64, u64)>,
    pub stall: Stall,
}

/// Whether what is sent is also acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stall {
    /// Bytes acknowledged when that last advanced, of those that were sent since the capture began.
    pub acknowledged: i64,
    /// When that was; `None` while nothing waits for acknowledgement.
    pub since: Option<Monotonic>,
    /// Retransmits at that moment.
    pub retransmits_then: u32,
    /// Latest totals.
    pub unacknowledged: u64,
    pub retransmits: u32,
    pub waits_for: Option<WaitsFor>,
}

impl Track {
    pub fn new(new: &NewLink<'_>) -> Self {
        Self {
            uri: new.uri.to_owned(),
            client: new.client,
            target: new.target.clone(),
            data_target: None,
            datagrams: None,
            judged: Judged::Not,
            data_socket: None,
            asked_type: None,
            header_since: None,
            at_client: false,
            topics: BTreeSet::new(),
            guess: None,
            given_up: false,
            worked: false,
            gone: None,
            samples: VecDeque::new(),
            stall: Stall::default(),
        }
    }

    /// True when the address is where the far end said it is; a name may stand for any address that it has.
    pub fn is_target(&self, address: SocketAddr, resolved: impl Fn(&str, IpAddr) -> bool) -> bool {
        self.target.as_ref().is_some_and(|uri| uri.port == address.port() && resolved(&uri.host, address.ip()))
    }

    pub fn is_data_target(&self, address: SocketAddr, resolved: impl Fn(&str, IpAddr) -> bool) -> bool {
        self.data_target
            .as_ref()
            .is_some_and(|target| target.port == address.port() && resolved(&target.host, address.ip()))
    }

    /// Whether a connect is only taken for this link's.
    pub fn is_guess(&self, socket: u64) -> bool {
        self.guess.as_ref().is_some_and(|guess| guess.socket == socket)
    }

    pub fn about(&mut self, topic: &str) {
        if self.topics.len() < TOPIC_LIMIT {
            self.topics.insert(topic.to_owned());
        }
    }
}
