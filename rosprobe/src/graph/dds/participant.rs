//! Participants: who announced what, from where, in which domain, and who knows of whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::{Dds, Moment, PARTICIPANT_LIMIT};
use crate::domain::{Domain, Purpose, Reading, read_port};
use crate::event::{Direction, Monotonic, ProcessKey, ProcessRef};
use crate::observation::Observation;
use crate::observation::dds::{Duration, GuidPrefix, Locator, LocatorKind, NodeEntities, ParticipantData, VendorId};

/// Peers, hearers, addresses and evidence kept of one participant.
const LIST_LIMIT: usize = 1024;
const EVIDENCE_LIMIT: usize = 8;
/// Announcements of one participant of which the moment is kept.
const CALL_LIMIT: usize = 8;

/// How a participant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It said goodbye.
    Disposed,
    /// It was not heard of for longer than its lease.
    LeaseExpired,
    /// Its process ended.
    ProcessExited,
}

/// A participant.
#[derive(Clone, Debug)]
pub struct Participant {
    /// What it said of itself, last.
    pub data: ParticipantData,
    /// Its process, when that runs where rosprobe sees it.
    pub process: Option<ProcessRef>,
    /// Inode of the network namespace of its process; 0 when unknown.
    pub net_namespace: u64,
    /// Addresses from which its own packets came.
    pub addresses: BTreeSet<IpAddr>,
    /// Domains whose multicast port it announced itself to.
    pub multicast_domains: BTreeSet<u32>,
    /// Domains of the participants in processes that received its announcements: whoever is announced to alone is of one domain with it.
    receiver_domains: BTreeSet<u32>,
    /// Addresses to which it announced itself directly.
    pub announced_to: BTreeMap<SocketAddr, u64>,
    /// When it was first seen.
    pub first: Moment,
    /// When it was last heard of.
    pub last: Moment,
    /// When it announced itself by multicast, as seen at its own socket: the first and last time, and how often. Repetitions
    /// within a second count once.
    pub multicasts: Option<(Moment, Moment, u64)>,
    /// When it announced itself by multicast lately.
    calls: VecDeque<Monotonic>,
    /// How often it announced itself, repetitions within a second counted once.
    pub announcements: u64,
    /// Participants that it has addressed, so that it knows of them.
    pub knows: BTreeMap<GuidPrefix, Moment>,
    /// Processes that received its announcements.
    pub heard_by: BTreeSet<ProcessKey>,
    /// Its nodes, from `ros_discovery_info`.
    pub nodes: Vec<NodeEntities>,
    /// True when all that is known of it was passed on by a discovery server.
    pub relayed: bool,
    /// How and when it ended, if it did.
    pub gone: Option<(Gone, Monotonic)>,
    /// Its process ended: whoever reads its datagrams after that hears a dead man.
    is_dead: bool,
    /// When events of its process, or of nobody in particular, were lost last: what it said or heard then is not known.
    pub missed: Option<Monotonic>,
    /// What shows it, oldest first.
    pub evidence: Vec<Moment>,
}

impl Participant {
    fn new(data: ParticipantData, moment: Moment) -> Self {
        Self {
            data,
            process: None,
            net_namespace: 0,
            addresses: BTreeSet::new(),
            multicast_domains: BTreeSet::new(),
            receiver_domains: BTreeSet::new(),
            announced_to: BTreeMap::new(),
            first: moment,
            last: moment,
            multicasts: None,
            calls: VecDeque::new(),
            announcements: 0,
            knows: BTreeMap::new(),
            heard_by: BTreeSet::new(),
            nodes: Vec::new(),
            relayed: true,
            gone: None,
            is_dead: false,
            missed: None,
            evidence: Vec::new(),
        }
    }

    /// Its domain: by its own word, or that of the one multicast port to which it announced itself, or of the participants to which it did so
    /// alone. Unicast ports tell nothing: Cyclone DDS takes any.
    pub fn domain(&self) -> Option<u32> {
        let known = [&self.multicast_domains, &self.receiver_domains].into_iter().find(|domains| !domains.is_empty());
        let only = || known.filter(|domains| domains.len() == 1)?.first().copied();
        let own = self.data.domain_id.filter(|domain| Domain::new(*domain).is_ok());
        own.or_else(only)
    }

    /// Pid and start of its process, when that is known.
    pub(crate) fn process_key(&self) -> Option<ProcessKey> {
        self.process.as_ref().map(ProcessRef::key)
    }

    /// True when its process is one of these, by pid.
    pub(crate) fn is_of(&self, pids: &BTreeSet<u32>) -> bool {
        self.process.as_ref().is_some_and(|process| pids.contains(&process.pid))
    }

    /// Since when its silence says something: from its first word on, and after a loss anew.
    pub(crate) fn watched_since(&self) -> Monotonic {
        self.missed.map_or(self.first.at, |missed| missed.max(self.first.at))
    }

    /// How often it announced itself by multicast at that moment or later, up to 8 times. Repetitions within a second count once.
    pub(crate) fn calls_since(&self, moment: Monotonic) -> usize {
        self.calls.iter().filter(|at| **at >= moment).count()
    }

    /// True while it lives, as far as known.
    pub fn is_alive(&self) -> bool {
        self.gone.is_none()
    }

    /// True when it lived at that moment or later. Of one whose process is not seen that is certain only while it is heard of: it may have been
    /// killed, and its lease runs on.
    pub(crate) fn is_there_since(&self, moment: Monotonic) -> bool {
        self.is_alive() && (self.process.is_some() || self.last.at >= moment)
    }

    /// When its lease runs out; `None` for one without end.
    pub fn lease_ends(&self) -> Option<Monotonic> {
        match self.data.lease {
            Duration::Nanoseconds(lease) => Some(Monotonic(self.last.at.0.saturating_add(lease))),
            Duration::Infinite => None,
        }
    }

    pub(super) fn lease_is_over(&self, now: Monotonic) -> bool {
        self.is_alive() && self.lease_ends().is_some_and(|end| end < now)
    }

    /// Unicast addresses at which others can find it, over UDP or TCP.
    pub fn unicast(&self) -> impl Iterator<Item = &Locator> {
        let locators = self.data.metatraffic_unicast.iter().chain(&self.data.default_unicast);
        locators.filter(|locator| locator.address.is_some())
    }

    /// True when it offers Fast DDS's shared memory.
    pub fn offers_shared_memory(&self) -> bool {
        self.data.default_unicast.iter().any(|locator| locator.kind == LocatorKind::SharedMemory)
    }

    /// True when the two run on one host (in one network namespace), as far as can be told.
    pub fn same_host(&self, other: &Self) -> bool {
        if self.data.guid_prefix == other.data.guid_prefix {
            return true;
        }
        if self.net_namespace != 0 && other.net_namespace != 0 {
            return self.net_namespace == other.net_namespace;
        }
        // Fast DDS's host id is a hash over the host's addresses; Cyclone's host name is the same in every container.
        let fast = self.data.vendor == VendorId::FAST_DDS && other.data.vendor == VendorId::FAST_DDS;
        (fast && self.data.host.is_some() && self.data.host == other.data.host)
            || !self.addresses.is_disjoint(&other.addresses)
    }

    /// Its nodes and process, and in brackets its implementation and address.
    pub fn words(&self) -> String {
        let vendor = self.data.vendor.name();
        let name = self.name();
        match self.addresses.first() {
            Some(address) => format!("{name} ({vendor} at {address})"),
            None => format!("{name} ({vendor})"),
        }
    }

    fn name(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().take(3).map(NodeEntities::full_name).collect();
        let nodes = nodes.join(", ");
        let process = match (&self.process, &self.data.process_name, self.data.pid) {
            (Some(process), ..) => format!("{}[{}]", process.comm, process.pid),
            (None, Some(name), Some(pid)) => format!("{name}[{pid}]"),
            (None, None, Some(pid)) => format!("pid {pid}"),
            _ if nodes.is_empty() => format!("participant {}", self.data.guid_prefix),
            _ => return nodes,
        };
        if nodes.is_empty() { process } else { format!("{nodes} of {process}") }
    }
}

/// The domain whose discovery multicast port this is.
fn multicast_domain(port: u16) -> Option<u32> {
    read_port(port)
        .into_iter()
        .find_map(|Reading { domain, purpose, .. }| (purpose == Purpose::DiscoveryMulticast).then(|| domain.number()))
}

impl Dds {
    pub(super) fn announced(
        &mut self,
        observation: &Observation,
        direction: Direction,
        data: &ParticipantData,
        relayed: bool,
    ) {
        let moment = Moment::of(observation);
        let guid_prefix = data.guid_prefix;
        if self.participants.len() >= PARTICIPANT_LIMIT && !self.participants.contains_key(&guid_prefix) {
            let limit = format!("more than {PARTICIPANT_LIMIT} participants: further ones are not followed");
            self.limit(limit, moment);
            return;
        }
        let participant =
            self.participants.entry(guid_prefix).or_insert_with(|| Participant::new(data.clone(), moment));
        participant.data = data.clone();
        participant.relayed &= relayed;
        if participant.evidence.len() < EVIDENCE_LIMIT {
            participant.evidence.push(moment);
        }
        if relayed {
            self.heard_of(guid_prefix, moment);
        } else {
            self.renewed(observation, direction, guid_prefix);
        }
    }

    /// Something shows that a participant lives. One whose lease had run out is back, with its endpoints: peers of other implementations may
    /// never have lost it, and say nothing of them anew.
    pub(super) fn heard_of(&mut self, guid_prefix: GuidPrefix, moment: Moment) {
        let Some(participant) = self.participants.get_mut(&guid_prefix).filter(|participant| !participant.is_dead)
        else {
            return;
        };
        participant.last = moment;
        let Some((how, at)) = participant.gone.take() else { return };
        for guid in self.endpoints_of(guid_prefix) {
            if let Some(endpoint) = self.endpoints.get_mut(&guid)
                && how == Gone::LeaseExpired
                && endpoint.gone == Some(at)
            {
                endpoint.gone = None;
            }
        }
        self.judge_participant(guid_prefix);
    }

    pub(super) fn renewed(&mut self, observation: &Observation, direction: Direction, guid_prefix: GuidPrefix) {
        let receiver_domains = match (&observation.process, direction) {
            (Some(process), Direction::Received) => self.domains_of(process),
            _ => BTreeSet::new(),
        };
        let moment = Moment::of(observation);
        self.heard_of(guid_prefix, moment);
        let Some(participant) = self.participants.get_mut(&guid_prefix) else { return };
        participant.announcements += 1;
        let Some(socket) = &observation.socket else { return };
        let (source, target) = match direction {
            Direction::Sent => (socket.local, socket.remote),
            Direction::Received => (socket.remote, socket.local),
        };
        if let Some(source) = source.map(|source| source.ip()).filter(|ip| !ip.is_unspecified())
            && participant.addresses.len() < LIST_LIMIT
        {
            participant.addresses.insert(source);
        }
        match direction {
            Direction::Sent => participant.sent(observation, target, moment),
            Direction::Received => participant.received(observation, target, &receiver_domains),
        }
    }

    /// Domains of the participants that a process runs.
    fn domains_of(&self, process: &ProcessRef) -> BTreeSet<u32> {
        let own = self.participants.values().filter(|participant| participant.process.as_ref() == Some(process));
        own.filter_map(Participant::domain).collect()
    }

    pub(super) fn participant_gone(&mut self, guid_prefix: GuidPrefix, how: Gone, at: Monotonic) {
        if let Some(participant) = self.participants.get_mut(&guid_prefix) {
            participant.gone.get_or_insert((how, at));
            participant.is_dead |= how == Gone::ProcessExited;
        }
        for guid in self.endpoints_of(guid_prefix) {
            self.endpoint_gone(guid, at);
        }
    }

    pub(super) fn addressed(&mut self, from: GuidPrefix, to: GuidPrefix, moment: Moment) {
        let Some(participant) = self.participants.get_mut(&from) else { return };
        if participant.knows.len() < LIST_LIMIT {
            participant.knows.entry(to).or_insert(moment);
        }
        self.judge_participant(from);
    }
}

impl Participant {
    fn sent(&mut self, observation: &Observation, target: Option<SocketAddr>, moment: Moment) {
        if let Some(process) = &observation.process {
            self.process = Some(process.clone());
        }
        if let Some(socket) = &observation.socket {
            self.net_namespace = socket.net_namespace;
        }
        let Some(target) = target else { return };
        if target.ip().is_multicast() {
            self.multicast_domains.extend(multicast_domain(target.port()));
            let (_, last, count) = self.multicasts.get_or_insert((moment, moment, 0));
            (*last, *count) = (moment, *count + 1);
            if self.calls.len() >= CALL_LIMIT {
                self.calls.pop_front();
            }
            self.calls.push_back(moment.at);
        } else if self.announced_to.len() < LIST_LIMIT || self.announced_to.contains_key(&target) {
            *self.announced_to.entry(target).or_default() += 1;
        }
    }

    /// A receiving socket without a group's address may still be bound to the multicast port, and no unicast port is to be taken
    /// for one: its number counts only when the receiver's own domain has it, or no unicast port can.
    fn received(&mut self, observation: &Observation, target: Option<SocketAddr>, receiver_domains: &BTreeSet<u32>) {
        if let Some(process) = &observation.process
            && self.heard_by.len() < LIST_LIMIT
        {
            self.heard_by.insert(process.key());
        }
        let Some(target) = target else { return };
        let domain = multicast_domain(target.port());
        // Anybody may receive what was sent to a group.
        let to_one = !target.ip().is_multicast() && domain.is_none();
        if to_one && self.receiver_domains.len() < LIST_LIMIT {
            self.receiver_domains.extend(receiver_domains);
        }
        let certain = |domain: &u32| target.ip().is_multicast() || *domain == 0 || receiver_domains.contains(domain);
        self.multicast_domains.extend(domain.filter(certain));
    }
}
