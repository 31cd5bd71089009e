//! Links that are over, what the end of a process means for its own, and when either is forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use super::Graph;
use super::client::{Actor, Client};
use super::link::LinkId;
use super::processes::PROCESS_LIMIT;
use super::track::GoneCause;
use crate::event::{Monotonic, ProcessKey, ProcessRef};
use crate::observation::Observation;

/// How long links that are over, and processes that have ended, are kept.
const GONE_KEPT: Duration = Duration::from_mins(10);
/// Processes looked at for forgetting in one advance.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Processes that have ended, in that order, until they are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Departed(VecDeque<(Monotonic, ProcessKey)>);

impl Departed {
    fn add(&mut self, key: ProcessKey, at: Monotonic) {
        if self.0.len() >= PROCESS_LIMIT {
            self.0.pop_front();
        }
        self.0.push_back((at, key));
    }

    fn next_before(&mut self, at: Monotonic) -> Option<ProcessKey> {
        self.0.pop_front_if(|(ended, _)| *ended < at).map(|(_, key)| key)
    }
}

/// A node on its way out refuses callbacks this long before its unregistration arrives.
pub(crate) const LEAVING: Duration = Duration::from_secs(2);
/// The same for one that is seen to run: ten nodes that end at once keep a master on a busy host longer than that.
const SEEN_LEAVING: Duration = Duration::from_secs(15);

impl Graph {
    /// How long a node may refuse before that is more than its leaving.
    pub(crate) fn leaving(&self, node: Option<&ProcessRef>) -> Duration {
        let runs = node.and_then(|node| self.process(node)).is_some_and(|state| state.exited.is_none());
        if runs { SEEN_LEAVING } else { LEAVING }
    }

    pub(super) fn over(&mut self, links: &[LinkId], cause: GoneCause, at: Monotonic) {
        for link in links {
            self.links.set_gone(*link, cause, at);
            self.calls.link_gone(*link);
        }
    }

    pub(super) fn process_exited(&mut self, observation: &Observation, at: Monotonic) {
        let Some(key) = observation.process.as_ref().map(ProcessRef::key) else { return };
        self.judge_lookups(key);
        let Some(state) = self.processes.get_mut(&key) else { return };
        state.exited = Some(at);
        self.departed.add(key, at);
        for client in self.clients.of(Actor::Process(key)).to_vec() {
            self.over(&self.links.of_client(client), GoneCause::ClientLeft, at);
        }
    }

    pub(super) fn forget_old(&mut self) {
        let kept = u64::try_from(GONE_KEPT.as_nanos()).unwrap_or(u64::MAX);
        let before = Monotonic(self.now.0.saturating_sub(kept));
        self.links.forget_gone_before(before);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(key) = self.departed.next_before(before) else { break };
            if self.is_missed(key) {
                self.departed.add(key, self.now);
            } else {
                self.forget_process(key);
            }
        }
    }

    /// Whether something stands that is told by who ended: a link with either end, what the master still believes, a participant.
    fn is_missed(&self, key: ProcessKey) -> bool {
        let registered = |client: &Client| {
            let node = client.name.as_ref().and_then(|name| self.node_named(name, client));
            node.is_some_and(|node| {
                let own = node.process.as_ref().is_some_and(|process| process.key() == key);
                own && !node.has_nothing()
            })
        };
        let clients = || self.clients.of(Actor::Process(key)).iter().filter_map(|id| self.clients.get(*id));
        clients().any(|client| self.links.count_of(client.id) > 0 || registered(client))
            || self.links.iter().any(|entry| entry.link.publisher.process.as_ref().is_some_and(|it| it.key() == key))
            || self.dds.participants().any(|participant| participant.process_key() == Some(key))
    }

    fn forget_process(&mut self, key: ProcessKey) {
        self.processes.remove(&key);
        self.relays.remove(&key);
        self.masters.processes.remove(&key);
        for id in self.clients.of(Actor::Process(key)).to_vec() {
            let known = self.clients.get(id);
            let node = known.and_then(|client| {
                let network = self.clients.networks.of(client.place());
                Some((network, client.name.clone()?))
            });
            self.clients.remove(id);
            let Some(node) = node else { continue };
            // Another process may have taken the name.
            let own = |known: &super::Node| known.process.as_ref().is_none_or(|process| process.key() == key);
            if self.nodes.get(&node).is_some_and(|known| own(known) && known.has_nothing())
                && let Some(known) = self.nodes.remove(&node)
            {
                for uri in known.uris {
                    self.uri_nodes.remove(&(node.0, uri));
                }
            }
        }
    }
}
