//! What a rospy node goes on trying that was running before anybody looked.
//!
//! Which publishers the master has named to it was not seen. But rospy tries one that it does not reach again, after 1, 2, 4, .. 32
//! seconds (`rospy/impl/tcpros_pubsub.py`): the pauses tell.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Graph;
use super::connects::outcome;
use super::link::{LinkId, LinkKind, Stage};
use super::links::NewLink;
use crate::event::{ClientLibrary, Monotonic, ProcessKey};
use crate::observation::{AdvertisedUri, Observation, ObservationId, What};

/// Failures remembered.
const ATTEMPT_LIMIT: usize = 4096;
/// Pauses that tell. Shorter ones have others as well, and become one of these.
const PAUSES: [Duration; 3] = [Duration::from_secs(8), Duration::from_secs(16), Duration::from_secs(32)];
/// A round of several topics of one publisher may take as long.
const EARLY: Duration = Duration::from_millis(500);
/// A busy machine may wake a process up as late.
const LATE: Duration = Duration::from_secs(1);

/// Failed connects of processes that had been running, by the address that they were to.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries {
    failed: BTreeMap<(ProcessKey, SocketAddr), Failed>,
}

#[derive(Clone, Debug)]
struct Failed {
    at: Monotonic,
    what: What,
    shown_by: ObservationId,
}

impl Graph {
    /// A connect of which nobody knows what it is for: of a rospy node that was running it is the next attempt at a publisher, when it
    /// comes as long after the one before as rospy waits. The socket's stage, then.
    pub(super) fn resume(&mut self, observation: &Observation) -> Vec<(LinkId, Stage)> {
        let after_ns = match &observation.what {
            What::ConnectStarted => 0,
            What::ConnectFailed { after_ns, .. } | What::ConnectAbandoned { after_ns, .. } => *after_ns,
            _ => return Vec::new(),
        };
        let (Some(process), Some(socket)) = (&observation.process, &observation.socket) else { return Vec::new() };
        let key = process.key();
        let is_rospy =
            self.processes.get(&key).is_some_and(|state| state.process.client_library == Some(ClientLibrary::Rospy));
        let Some(address) = socket.remote.filter(|remote| is_rospy && remote.port() != 0) else { return Vec::new() };
        if !self.was_listening(key) {
            return Vec::new();
        }
        let began = Monotonic(observation.monotonic.0.saturating_sub(after_ns));
        let before = self.retries.failed.get(&(key, address));
        let fits = |pause: Duration| PAUSES.iter().any(|usual| pause + EARLY >= *usual && pause <= *usual + LATE);
        if let Some(before) = before.filter(|before| fits(began.since(before.at))).cloned() {
            self.retries.failed.remove(&(key, address));
            return self.publisher_tried_again(observation, address, &before).into_iter().collect();
        }
        if observation.what != What::ConnectStarted {
            let failed = Failed { at: observation.monotonic, what: observation.what.clone(), shown_by: observation.id };
            if self.retries.failed.len() >= ATTEMPT_LIMIT {
                self.retries.failed.pop_first();
            }
            self.retries.failed.insert((key, address), failed);
        }
        Vec::new()
    }

    fn publisher_tried_again(
        &mut self,
        observation: &Observation,
        address: SocketAddr,
        before: &Failed,
    ) -> Option<(LinkId, Stage)> {
        let ends = self.ends(observation, true)?;
        let state = self.process(ends.client.process.as_ref()?)?;
        let name = state.nodes.first().filter(|_| state.nodes.len() == 1).cloned();
        let master = state.process.environment.get("ROS_MASTER_URI");
        let master = master.and_then(|uri| AdvertisedUri::parse(uri.trim_end()).ok());
        let id = self.clients.find_or_add(&ends.client, name.as_deref());
        let client = self.clients.get(id)?;
        let resolved = |uri: AdvertisedUri| Some((*self.resolve(client, &uri.host).addresses().first()?, uri.port));
        // Only a master can have named the publisher.
        let master = master.and_then(resolved).map(SocketAddr::from);
        let known = self.clients.get_mut(id)?;
        known.master = known.master.or(master);
        let target = AdvertisedUri::at("http", address);
        let uri = target.text();
        let new = NewLink { kind: LinkKind::Topic, client: id, name: None, uri: &uri, target: Some(target) };
        let (link, _) = self.links.find_or_add(&new, before.at)?;
        self.links.set_back(link, before.at);
        self.name_parties(link);
        if let Some(entry) = self.links.get_mut(link) {
            entry.track.at_client = true;
        }
        self.links.mark(link, Stage::Xmlrpc, before.at, before.shown_by, |state| {
            state.address = Some(address);
            outcome(&before.what, state, before.at);
        });
        Some((link, Stage::Xmlrpc))
    }
}
