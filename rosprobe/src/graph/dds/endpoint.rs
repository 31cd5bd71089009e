//! Writers and readers, and what writers sent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Dds, ENDPOINT_LIMIT, Gone, Moment, Participant};
use crate::event::{Direction, Monotonic, ProcessKey};
use crate::graph::link::Rate;
use crate::observation::dds::{EndpointData, EntityId, Guid, GuidPrefix, Role};

/// Sockets whose counts are kept for one writer.
const SOCKET_LIMIT: usize = 256;

/// Seconds in which a writer sent that are remembered.
const SENDING_LIMIT: usize = 8;

const SECOND: Duration = Duration::from_secs(1);

/// Readers of one writer, or writers of one reader, that are looked at.
const COUNTERPART_LIMIT: usize = 1000;

/// A writer or a reader.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What was said of it, last.
    pub data: EndpointData,
    /// When it was first announced.
    pub first: Moment,
    /// When its announcement changed last.
    pub changed: Moment,
    /// When it ended, if it did.
    pub gone: Option<Monotonic>,
}

/// Samples of a writer.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Most samples counted at one socket. A writer sends one copy to each reader, so that sockets are not added up.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Speed over the last seconds.
    pub rate: Rate,
    /// First sight.
    pub first: Moment,
    /// Last sight.
    pub last: Moment,
    sockets: BTreeMap<(Direction, u64), (u64, u64, Monotonic)>,
    /// When more had been sent, lately; counts are told once a second.
    sendings: VecDeque<Monotonic>,
    /// Processes that received some, and when last.
    received: BTreeMap<ProcessKey, Monotonic>,
}

impl Dds {
    pub(super) fn endpoint_announced(&mut self, data: &EndpointData, moment: Moment) {
        let guid = data.guid;
        if self.endpoints.len() >= ENDPOINT_LIMIT && !self.endpoints.contains_key(&guid) {
            self.limit(format!("more than {ENDPOINT_LIMIT} endpoints: further ones are not followed"), moment);
            return;
        }
        let known = self.endpoints.entry(guid);
        let endpoint =
            known.or_insert_with(|| Endpoint { data: data.clone(), first: moment, changed: moment, gone: None });
        let renamed = (endpoint.data.topic != data.topic).then(|| endpoint.data.topic.clone());
        if endpoint.data != *data {
            endpoint.changed = moment;
        }
        endpoint.data = data.clone();
        endpoint.gone = None;
        if let Some(topic) = renamed {
            self.leave_topic(&topic, guid);
        }
        self.topics.entry(data.topic.clone()).or_default().insert(guid);
        self.judge_endpoint(guid);
        self.name_nodes(guid.prefix);
    }

    pub(super) fn endpoint_gone(&mut self, guid: Guid, at: Monotonic) {
        if let Some(endpoint) = self.endpoints.get_mut(&guid) {
            endpoint.gone.get_or_insert(at);
        }
        self.judge_endpoint(guid);
    }

    pub(super) fn forget_endpoint(&mut self, guid: Guid) {
        if let Some(endpoint) = self.endpoints.remove(&guid) {
            self.leave_topic(&endpoint.data.topic, guid);
        }
        self.samples.remove(&guid);
        self.acknowledged.retain(|(reader, writer)| *reader != guid && *writer != guid);
        let Self { links, link_ids, ends, .. } = self;
        link_ids.retain(|(writer, reader), id| {
            let keep = *writer != guid && *reader != guid;
            if !keep {
                links.remove(id);
                ends.remove(id);
            }
            keep
        });
    }

    fn leave_topic(&mut self, topic: &str, guid: Guid) {
        if let Some(ends) = self.topics.get_mut(topic) {
            ends.remove(&guid);
            if ends.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// Endpoints of the same topic in the other role.
    pub(super) fn counterparts(&self, guid: Guid) -> Vec<Guid> {
        let Some(endpoint) = self.endpoints.get(&guid) else { return Vec::new() };
        let others = self.topics.get(&endpoint.data.topic).into_iter().flatten();
        let role = |guid: &Guid| self.endpoints.get(guid).map(|endpoint| endpoint.data.role);
        let wanted = if endpoint.data.role == Role::Writer { Role::Reader } else { Role::Writer };
        others.filter(|other| role(other) == Some(wanted)).take(COUNTERPART_LIMIT).copied().collect()
    }

    /// Endpoints of a participant.
    pub(crate) fn endpoints_of(&self, prefix: GuidPrefix) -> Vec<Guid> {
        let first = Guid { prefix, entity: EntityId([0; 4]) };
        let last = Guid { prefix, entity: EntityId([0xff; 4]) };
        self.endpoints.range(first..=last).map(|(guid, _)| *guid).collect()
    }

    pub(super) fn counted(
        &mut self,
        writer: Guid,
        process: Option<ProcessKey>,
        socket: (Direction, u64),
        messages: u64,
        bytes: u64,
        moment: Moment,
    ) {
        if self.samples.len() >= ENDPOINT_LIMIT && !self.samples.contains_key(&writer) {
            return;
        }
        let samples = self.samples.entry(writer).or_insert_with(|| Samples {
            messages: 0,
            bytes: 0,
            rate: Rate::default(),
            first: moment,
            last: moment,
            sockets: BTreeMap::new(),
            sendings: VecDeque::new(),
            received: BTreeMap::new(),
        });
        samples.add(socket, messages, bytes, moment);
        samples.pass(process, socket.0, moment.at);
        // What was counted until it said goodbye is told after that.
        let disposed = |one: &Participant| matches!(one.gone, Some((Gone::Disposed, _)));
        if !self.participants.get(&writer.prefix).is_some_and(disposed) {
            self.heard_of(writer.prefix, moment);
        }
        for reader in self.counterparts(writer) {
            self.judge(writer, reader);
        }
    }
}

impl Samples {
    /// When a process received some of them last.
    pub fn received_by(&self, process: ProcessKey) -> Option<Monotonic> {
        self.received.get(&process).copied()
    }

    /// In how many of the last seconds some were sent, from a moment on; up to 8.
    pub(crate) fn seconds_sent_since(&self, moment: Monotonic) -> usize {
        self.sendings.iter().filter(|at| **at >= moment).count()
    }

    fn pass(&mut self, process: Option<ProcessKey>, direction: Direction, at: Monotonic) {
        match (direction, process) {
            (Direction::Received, Some(process))
                if self.received.len() < SOCKET_LIMIT || self.received.contains_key(&process) =>
            {
                self.received.insert(process, at);
            }
            (Direction::Sent, _) if self.sendings.back().is_none_or(|last| at.since(*last) >= SECOND / 2) => {
                if self.sendings.len() >= SENDING_LIMIT {
                    self.sendings.pop_front();
                }
                self.sendings.push_back(at);
            }
            _ => {}
        }
    }

    fn add(&mut self, socket: (Direction, u64), messages: u64, bytes: u64, moment: Moment) {
        self.last = moment;
        if let Some((messages_before, bytes_before, before)) = self.sockets.get(&socket) {
            let seconds = moment.at.since(*before).as_secs_f64();
            if seconds > 0.0 && messages >= self.messages {
                self.rate = Rate {
                    messages: messages.saturating_sub(*messages_before) as f64 / seconds,
                    bytes: bytes.saturating_sub(*bytes_before) as f64 / seconds,
                };
            }
        }
        if self.sockets.len() < SOCKET_LIMIT || self.sockets.contains_key(&socket) {
            self.sockets.insert(socket, (messages, bytes, moment.at));
        }
        if messages >= self.messages {
            (self.messages, self.bytes) = (messages, bytes);
        }
    }
}
