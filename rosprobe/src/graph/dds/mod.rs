//! ROS 2 in the graph: participants, their endpoints and nodes, and links between writers and readers.

mod endpoint;
mod matching;
mod participant;
mod silence;
mod sockets;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use self::endpoint::{Endpoint, Samples};
pub(crate) use self::matching::Mismatch;
pub use self::participant::{Gone, Participant};
pub use self::silence::Silence;
pub use self::sockets::{Attempt, SendFailure, UdpSockets};
use super::link::{Link, LinkId};
use super::node::Node;
use crate::event::{Monotonic, ProcessRef, Transport};
use crate::observation::dds::{self as observed, Guid, GuidPrefix, RosName};
use crate::observation::{Observation, ObservationId, What};

/// Participants remembered at once.
const PARTICIPANT_LIMIT: usize = 10_000;
/// Endpoints remembered at once.
const ENDPOINT_LIMIT: usize = 50_000;
/// Links between writers and readers remembered at once.
const LINK_LIMIT: usize = 20_000;
/// Something that is gone is remembered this long, in nanoseconds.
const REMEMBER_GONE_NS: u64 = 600_000_000_000;
/// Links of DDS are numbered from here, those of ROS 1 from 0.
const FIRST_LINK: u32 = 1 << 31;

/// Everything known of ROS 2.
#[derive(Clone, Debug, Default)]
pub struct Dds {
    now: Monotonic,
    /// When the first observation was made.
    began: Option<Monotonic>,
    participants: BTreeMap<GuidPrefix, Participant>,
    endpoints: BTreeMap<Guid, Endpoint>,
    /// Writers and readers by DDS topic.
    topics: BTreeMap<String, BTreeSet<Guid>>,
    samples: BTreeMap<Guid, Samples>,
    acknowledged: BTreeSet<(Guid, Guid)>,
    links: BTreeMap<LinkId, Link>,
    link_ids: BTreeMap<(Guid, Guid), LinkId>,
    /// Writer and reader of each link.
    ends: BTreeMap<LinkId, (Guid, Guid)>,
    next_link: u32,
    /// Writers and readers whose types differ by name, until it is known whether they match for all that.
    unsettled: BTreeSet<(Guid, Guid)>,
    nodes: BTreeMap<String, Node>,
    sockets: UdpSockets,
    limits: BTreeMap<String, Moment>,
}

/// When something was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On the monotonic clock.
    pub at: Monotonic,
    /// On the wall clock.
    pub time: Timestamp,
    /// The observation.
    pub id: ObservationId,
}

impl Moment {
    fn of(observation: &Observation) -> Self {
        Self { at: observation.monotonic, time: observation.time, id: observation.id }
    }
}

impl Dds {
    /// Folds in one observation.
    pub(super) fn observe(&mut self, observation: &Observation) {
        self.now = self.now.max(observation.monotonic);
        self.began.get_or_insert(observation.monotonic);
        match &observation.what {
            What::Dds(dds) => self.fold(observation, dds),
            What::IoFailed { direction, errno, count } => {
                self.sockets.send_failed(observation, *direction, *errno, *count);
            }
            What::Lost { .. } => self.lost(observation),
            What::ProcessExited => {
                if let Some(process) = &observation.process {
                    self.process_exited(process);
                }
            }
            _ => {}
        }
    }

    fn fold(&mut self, observation: &Observation, dds: &observed::Dds) {
        use observed::Dds as Seen;
        let moment = Moment::of(observation);
        match dds {
            Seen::ParticipantAnnounced { direction, participant, relayed_by } => {
                self.announced(observation, *direction, participant, relayed_by.is_some());
            }
            Seen::ParticipantRenewed { direction, guid_prefix } => self.renewed(observation, *direction, *guid_prefix),
            Seen::ParticipantDisposed { guid_prefix, .. } => {
                self.participant_gone(*guid_prefix, Gone::Disposed, moment.at);
            }
            Seen::ParticipantAddressed { from, to, .. } => self.addressed(*from, *to, moment),
            Seen::EndpointAnnounced { endpoint, .. } => self.endpoint_announced(endpoint, moment),
            Seen::EndpointDisposed { guid, .. } => self.endpoint_gone(*guid, moment.at),
            Seen::RosDiscoveryInfo { guid_prefix, nodes, .. } => {
                if let Some(participant) = self.participants.get_mut(guid_prefix) {
                    participant.nodes.clone_from(nodes);
                }
                self.name_nodes(*guid_prefix);
            }
            Seen::Acknowledged { reader, writer, .. } => {
                if self.acknowledged.len() < LINK_LIMIT {
                    self.acknowledged.insert((*reader, *writer));
                }
                self.judge(*writer, *reader);
            }
            Seen::UserData { direction, writer, messages, bytes } => {
                let socket = observation.socket.as_ref().map_or(0, |socket| socket.id);
                let process = observation.process.as_ref().map(ProcessRef::key);
                self.counted(*writer, process, (*direction, socket), *messages, *bytes, moment);
            }
            Seen::Bound { address, errno, already } => self.sockets.bound(observation, *address, *errno, *already),
            Seen::MulticastJoined { group, errno, .. } => self.sockets.joined(observation, *group, *errno),
            Seen::LimitReached { limit } => self.limit(limit.clone(), moment),
        }
    }

    /// Datagrams of a process, or of nobody in particular, were lost: what its participants said or heard then is not known.
    fn lost(&mut self, observation: &Observation) {
        if observation.socket.as_ref().is_some_and(|socket| socket.transport == Transport::Tcp) {
            return;
        }
        let process = observation.process.as_ref();
        let namespace = observation.socket.as_ref().map(|socket| socket.net_namespace);
        for participant in self.participants.values_mut() {
            let concerned = match (process, namespace) {
                (Some(process), _) => participant.process.as_ref().is_none_or(|own| own == process),
                (None, Some(namespace)) => participant.net_namespace == namespace,
                (None, None) => true,
            };
            if concerned {
                participant.missed = Some(observation.monotonic);
            }
        }
        for (writer, reader) in self.link_ids.keys().copied().collect::<Vec<_>>() {
            self.judge(writer, reader);
        }
    }

    /// Time has come to `now`: leases run out, and what has been gone for long is forgotten.
    pub(super) fn advance(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
        let now = self.now;
        let expired: Vec<_> = self.participants.values().filter(|participant| participant.lease_is_over(now)).collect();
        let expired: Vec<_> = expired.into_iter().map(|participant| participant.data.guid_prefix).collect();
        for guid_prefix in expired {
            self.participant_gone(guid_prefix, Gone::LeaseExpired, now);
        }
        self.judge_settled();
        self.forget(now);
    }

    fn forget(&mut self, now: Monotonic) {
        let stale =
            |gone: Option<Monotonic>| gone.is_some_and(|at| now.since(at).as_nanos() > u128::from(REMEMBER_GONE_NS));
        self.sockets.forget(now);
        self.participants.retain(|_, participant| !stale(participant.gone.map(|(_, at)| at)));
        let endpoints: Vec<_> =
            self.endpoints.iter().filter(|(_, endpoint)| stale(endpoint.gone)).map(|(guid, _)| *guid).collect();
        for guid in endpoints {
            self.forget_endpoint(guid);
        }
    }

    fn process_exited(&mut self, process: &ProcessRef) {
        let of_process = |participant: &&Participant| participant.process.as_ref().is_some_and(|own| own == process);
        let gone: Vec<_> =
            self.participants.values().filter(of_process).map(|participant| participant.data.guid_prefix).collect();
        for guid_prefix in gone {
            self.participant_gone(guid_prefix, Gone::ProcessExited, self.now);
        }
        self.sockets.process_exited(process, self.now);
    }

    fn limit(&mut self, limit: String, moment: Moment) {
        if self.limits.len() < 64 {
            self.limits.entry(limit).or_insert(moment);
        }
    }

    /// Nodes of a participant anew, from its `ros_discovery_info` and the endpoints known so far.
    fn name_nodes(&mut self, guid_prefix: GuidPrefix) {
        let Some(participant) = self.participants.get(&guid_prefix) else { return };
        let topic = |guid: &Guid| self.endpoints.get(guid).map(|endpoint| RosName::of_dds_topic(&endpoint.data.topic));
        let mut found = Vec::new();
        for entities in &participant.nodes {
            let mut node = Node { name: entities.full_name(), process: participant.process.clone(), ..Node::default() };
            for name in entities.writers.iter().filter_map(topic) {
                if name.is_service() {
                    node.services.insert(name.name)
                } else {
                    node.publishes.insert(name.name)
                };
            }
            let read = entities.readers.iter().filter_map(topic).filter(|name| !name.is_service());
            node.subscribes.extend(read.map(|name| name.name));
            found.push(node);
        }
        for node in found {
            if self.nodes.len() < PARTICIPANT_LIMIT || self.nodes.contains_key(&node.name) {
                self.nodes.insert(node.name.clone(), node);
            }
        }
    }

    /// The latest moment known.
    pub fn now(&self) -> Monotonic {
        self.now
    }

    /// All participants, those that are gone for less than ten minutes included.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.participants.values()
    }

    /// A participant.
    pub fn participant(&self, guid_prefix: GuidPrefix) -> Option<&Participant> {
        self.participants.get(&guid_prefix)
    }

    /// All writers and readers, those that are gone for less than ten minutes included.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// A writer or reader.
    pub fn endpoint(&self, guid: Guid) -> Option<&Endpoint> {
        self.endpoints.get(&guid)
    }

    /// What a writer sent, as far as it was counted.
    pub fn samples(&self, writer: Guid) -> Option<&Samples> {
        self.samples.get(&writer)
    }

    /// Links between writers and readers.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// One link.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// Writer and reader of a link.
    pub fn ends(&self, id: LinkId) -> Option<(&Endpoint, &Endpoint)> {
        let (writer, reader) = self.ends.get(&id)?;
        Some((self.endpoints.get(writer)?, self.endpoints.get(reader)?))
    }

    /// Nodes named by `ros_discovery_info`.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// What UDP sockets of DDS tried and failed at.
    pub fn sockets(&self) -> &UdpSockets {
        &self.sockets
    }

    /// Writers and readers of one topic that live and may meet.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Endpoint, &Endpoint)> {
        let pairs = self
            .link_ids
            .keys()
            .filter_map(|(writer, reader)| Some((self.endpoints.get(writer)?, self.endpoints.get(reader)?)));
        pairs.filter(|(writer, reader)| {
            writer.gone.is_none()
                && reader.gone.is_none()
                && self.may_meet(writer.data.guid.prefix, reader.data.guid.prefix)
        })
    }

    /// True when a reader of the participant acknowledged a writer of another one: unicast arrives there.
    pub(crate) fn has_acknowledged(&self, guid_prefix: GuidPrefix) -> bool {
        self.acknowledged.iter().any(|(reader, writer)| reader.prefix == guid_prefix && writer.prefix != guid_prefix)
    }

    /// Limits of rosprobe that were reached.
    pub fn limits(&self) -> impl Iterator<Item = (&str, Moment)> {
        self.limits.iter().map(|(limit, moment)| (limit.as_str(), *moment))
    }

    /// Name of the node that an endpoint belongs to, where `ros_discovery_info` says so; of its participant's only node otherwise.
    pub fn node_of(&self, guid: Guid) -> Option<String> {
        let nodes = &self.participants.get(&guid.prefix)?.nodes;
        let owner = nodes.iter().find(|node| node.writers.contains(&guid) || node.readers.contains(&guid));
        let only = || if let [node] = nodes.as_slice() { Some(node) } else { None };
        owner.or_else(only).map(observed::NodeEntities::full_name)
    }

    /// The domain of a participant: by its own word, or that of the multicast port to which it announced itself.
    pub fn domain(&self, guid_prefix: GuidPrefix) -> Option<u32> {
        self.participants.get(&guid_prefix)?.domain()
    }
}
