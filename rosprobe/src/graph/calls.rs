//! Calls that wait for their answers.

use std::collections::BTreeMap;

use super::client::ClientId;
use super::link::LinkId;
use crate::event::Monotonic;
use crate::observation::{Call, ObservationId, Value};

/// Calls remembered at once; beyond it the oldest is forgotten.
const CALL_LIMIT: usize = 8192;

/// A call that was seen, until its answer is.
#[derive(Clone, Debug)]
pub(crate) struct WaitingCall {
    /// The call, without values that are only carried.
    pub call: Call,
    pub client: ClientId,
    pub socket: u64,
    pub at: Monotonic,
    /// The link that it belongs to.
    pub link: Option<LinkId>,
    /// Seen where it was sent, and not where it was received.
    pub at_client: bool,
    /// When its socket was closed without an answer.
    pub broken: Option<Monotonic>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct WaitingCalls {
    by_id: BTreeMap<ObservationId, WaitingCall>,
}

impl WaitingCalls {
    pub fn add(&mut self, id: ObservationId, call: WaitingCall) {
        if self.by_id.len() >= CALL_LIMIT {
            self.by_id.pop_first();
        }
        self.by_id.insert(id, call);
    }

    /// The call that was answered. A link that answers again has recovered from earlier calls that broke off.
    pub fn answered(&mut self, id: ObservationId) -> Option<WaitingCall> {
        let call = self.by_id.remove(&id)?;
        if call.link.is_some() {
            self.by_id.retain(|_, other| {
                other.broken.is_none() || other.link != call.link || other.call.method() != call.call.method()
            });
        }
        Some(call)
    }

    /// The socket was closed: its calls will not be answered. Gives those that just broke off.
    pub fn socket_closed(&mut self, socket: u64, at: Monotonic) -> Vec<WaitingCall> {
        let mut broken = Vec::new();
        for call in self.by_id.values_mut().filter(|call| call.socket == socket && call.broken.is_none()) {
            call.broken = Some(at);
            broken.push(call.clone());
        }
        self.by_id.retain(|_, call| call.broken.is_none() || call.link.is_some());
        broken
    }

    /// Answers on this socket may have been lost.
    pub fn lost(&mut self, socket: u64) {
        self.by_id.retain(|_, call| call.socket != socket);
    }

    /// Forgets calls by socket and time.
    pub fn forget(&mut self, unsure: impl Fn(u64, Monotonic) -> bool) {
        self.by_id.retain(|_, call| call.broken.is_some() || !unsure(call.socket, call.at));
    }

    /// Of calls that wait, or broke off since `since`, it is not known any more whether they were answered.
    pub fn forget_unanswered(&mut self, since: Monotonic) {
        self.by_id.retain(|_, call| call.broken.is_some_and(|broken| broken < since));
    }

    /// Links that wait on this socket for the answer to a call.
    pub fn links_of(&self, socket: u64) -> Vec<LinkId> {
        self.by_id.values().filter(|call| call.socket == socket).filter_map(|call| call.link).collect()
    }

    pub fn link_gone(&mut self, link: LinkId) {
        self.by_id.retain(|_, call| call.link != Some(link));
    }

    pub fn iter(&self) -> impl Iterator<Item = (ObservationId, &WaitingCall)> {
        self.by_id.iter().map(|(id, call)| (*id, call))
    }
}

/// The call without what is large and not needed to understand its answer.
pub(super) fn slim(call: &Call) -> Call {
    let mut slim = match call {
        Call::SetParam { caller_id, key, .. } => {
            Call::SetParam { caller_id: caller_id.clone(), key: key.clone(), value: Value::Nil }
        }
        Call::ParamUpdate { caller_id, key, .. } => {
            Call::ParamUpdate { caller_id: caller_id.clone(), key: key.clone(), value: Value::Nil }
        }
        Call::PublisherUpdate { caller_id, topic, .. } => {
            Call::PublisherUpdate { caller_id: caller_id.clone(), topic: topic.clone(), publishers: Vec::new() }
        }
        Call::Other { name, .. } => Call::Other { name: name.clone(), params: Vec::new(), mismatch: None },
        Call::Multicall { calls } => Call::Multicall { calls: calls.iter().take(64).map(slim).collect() },
        other => other.clone(),
    };
    if let Call::RequestTopic { protocols, .. } = &mut slim {
        for offer in protocols {
            offer.params.clear();
        }
    }
    slim
}
