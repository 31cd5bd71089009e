//! What the UDP sockets of DDS tried: binds, groups joined, sends that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::{Moment, REMEMBER_GONE_NS};
use crate::errno::Errno;
use crate::event::{Direction, Monotonic, ProcessKey, ProcessRef, Transport};
use crate::observation::Observation;

/// Processes whose sockets are remembered.
const PROCESS_LIMIT: usize = 4096;
/// Binds and joins remembered of one process. Fast DDS and RustDDS try some 120 ports.
const ATTEMPT_LIMIT: usize = 512;
/// Addresses to which sends failed that are remembered.
const FAILURE_LIMIT: usize = 4096;

/// A process that ends this soon after a bind or join that failed has ended because of it, in nanoseconds.
const GIVES_UP_NS: u64 = 5_000_000_000;

/// One bind or join.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Address and port that were asked for; port 0 for a group that was joined.
    pub address: SocketAddr,
    /// Why it failed, when it did.
    pub errno: Option<Errno>,
    /// When.
    pub moment: Moment,
    /// Inode of the network namespace of the socket; 0 when unknown.
    pub net_namespace: u64,
}

/// Sends of one sender to one address that failed with one error.
#[derive(Clone, Debug)]
pub struct SendFailure {
    /// The sender, when it is a process here.
    pub process: Option<ProcessRef>,
    /// The sender's address, when it was known.
    pub source: Option<IpAddr>,
    /// Inode of the network namespace of the sender; 0 when unknown.
    pub net_namespace: u64,
    /// Where they went to.
    pub target: SocketAddr,
    /// Why they failed.
    pub errno: Errno,
    /// True when it was an ICMP message that said so, after a send that succeeded.
    pub by_icmp: bool,
    /// How often.
    pub count: u64,
    /// First time.
    pub first: Moment,
    /// Last time.
    pub last: Moment,
}

/// What UDP sockets tried.
#[derive(Clone, Debug, Default)]
pub struct UdpSockets {
    binds: Attempts,
    /// Processes that had ports of DDS before watching began.
    from_before: BTreeSet<ProcessKey>,
    /// Processes that ended soon after they got no port or could join no group, and when.
    ended: BTreeMap<ProcessKey, Monotonic>,
    joins: Attempts,
    failures: BTreeMap<FailureKey, SendFailure>,
}

/// What each process tried, oldest first.
type Attempts = BTreeMap<ProcessKey, (ProcessRef, Vec<Attempt>)>;
type FailureKey = (Option<ProcessKey>, Option<IpAddr>, SocketAddr, Errno);

impl UdpSockets {
    /// Binds of each process, oldest first.
    pub fn binds(&self) -> impl Iterator<Item = (&ProcessRef, &[Attempt])> {
        self.binds.values().map(|(process, attempts)| (process, attempts.as_slice()))
    }

    /// Binds of one process, oldest first.
    pub fn binds_of(&self, process: &ProcessRef) -> &[Attempt] {
        self.binds.get(&process.key()).map_or(&[], |(_, attempts)| attempts)
    }

    /// Multicast groups joined by each process, or not, oldest first.
    pub fn joins(&self) -> impl Iterator<Item = (&ProcessRef, &[Attempt])> {
        self.joins.values().map(|(process, attempts)| (process, attempts.as_slice()))
    }

    /// Sends that failed.
    pub fn failures(&self) -> impl Iterator<Item = &SendFailure> {
        self.failures.values()
    }

    /// True for a process that ended soon after it got no port or could join no group: what it tried is remembered.
    pub fn has_ended(&self, process: &ProcessRef) -> bool {
        self.ended.contains_key(&process.key())
    }

    /// True for a process that took part in DDS before watching began: what it said then was not seen.
    pub fn ran_before(&self, process: &ProcessRef) -> bool {
        self.from_before.contains(&process.key())
    }

    pub(super) fn bound(
        &mut self,
        observation: &Observation,
        address: SocketAddr,
        errno: Option<Errno>,
        already: bool,
    ) {
        // Ports from before are looked for a moment after watching began: whoever was seen to bind one began after that.
        let was_seen = |process: &ProcessRef| self.binds.contains_key(&process.key()) && !self.ran_before(process);
        if let Some(process) = observation.process.as_ref().filter(|process| already && !was_seen(process))
            && self.from_before.len() < PROCESS_LIMIT
        {
            self.from_before.insert(process.key());
        }
        if errno.is_none() {
            self.cured(observation, address, |sockets| &mut sockets.binds);
        }
        push(&mut self.binds, observation, address, errno);
    }

    pub(super) fn joined(&mut self, observation: &Observation, group: IpAddr, errno: Option<Errno>) {
        let address = SocketAddr::new(group, 0);
        if errno.is_none() {
            self.cured(observation, address, |sockets| &mut sockets.joins);
        }
        push(&mut self.joins, observation, address, errno);
    }

    pub(super) fn send_failed(&mut self, observation: &Observation, direction: Direction, errno: Errno, count: u64) {
        let Some(socket) = observation.socket.as_ref().filter(|socket| socket.transport == Transport::Udp) else {
            return;
        };
        let Some(target) = socket.remote else { return };
        let process = observation.process.as_ref();
        // Only a packet capture tells of a failed receive with the address that a datagram was sent to: ICMP.
        let by_icmp = direction == Direction::Received;
        if by_icmp && process.is_some() {
            return;
        }
        let source = socket.local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified());
        let key = (process.map(ProcessRef::key), source.filter(|_| process.is_none()), target, errno);
        if self.failures.len() >= FAILURE_LIMIT && !self.failures.contains_key(&key) {
            return;
        }
        let moment = Moment::of(observation);
        let failure = self.failures.entry(key).or_insert_with(|| SendFailure {
            process: process.cloned(),
            source,
            net_namespace: socket.net_namespace,
            target,
            errno,
            by_icmp,
            count: 0,
            first: moment,
            last: moment,
        });
        failure.count = if by_icmp { failure.count + count } else { count.max(failure.count + 1) };
        failure.last = moment;
    }

    /// A program that had ended for want of a port, or of a group, has been started again, and has it now.
    fn cured(&mut self, observation: &Observation, address: SocketAddr, tried: fn(&mut Self) -> &mut Attempts) {
        let (Some(process), Some(socket)) = (&observation.process, &observation.socket) else { return };
        let wanted = |attempt: &Attempt| {
            attempt.errno.is_some()
                && attempt.address.port() == address.port()
                && (address.port() != 0 || attempt.address == address)
                && attempt.net_namespace == socket.net_namespace
        };
        let ended = std::mem::take(&mut self.ended);
        tried(self).retain(|id, (before, attempts)| {
            !(ended.contains_key(id) && before.comm == process.comm && attempts.iter().any(wanted))
        });
        self.ended = ended;
        self.ended.retain(|id, _| self.binds.contains_key(id) || self.joins.contains_key(id));
    }

    /// What ended long ago is forgotten.
    pub(super) fn forget(&mut self, now: Monotonic) {
        let stale = |at: &Monotonic| now.since(*at).as_nanos() > u128::from(REMEMBER_GONE_NS);
        for attempts in [&mut self.binds, &mut self.joins] {
            attempts.retain(|id, _| !self.ended.get(id).is_some_and(stale));
        }
        self.ended.retain(|_, at| !stale(at));
        // Where the address was a participant's, that is forgotten at the same time or later.
        self.failures.retain(|_, failure| !stale(&failure.last.at));
    }

    /// Its troubles ended with it, unless it ended because of them: it got no port, or could join no group.
    pub(super) fn process_exited(&mut self, process: &ProcessRef, now: Monotonic) {
        let id = process.key();
        let soon = |attempt: &Attempt| now.since(attempt.moment.at).as_nanos() < u128::from(GIVES_UP_NS);
        let no_port = |attempt: &Attempt| attempt.errno == Some(Errno::EADDRINUSE) && soon(attempt);
        let fatal_bind = self.binds.get(&id).is_some_and(|(_, attempts)| attempts.iter().any(no_port));
        let fatal_join = self.joins.get(&id).is_some_and(|(_, attempts)| {
            attempts.iter().any(soon) && attempts.iter().all(|attempt| attempt.errno.is_some())
        });
        if !fatal_bind {
            self.binds.remove(&id);
        }
        if !fatal_join {
            self.joins.remove(&id);
        }
        if fatal_bind || fatal_join {
            self.ended.insert(id, now);
        }
        self.from_before.remove(&id);
        self.failures.retain(|(owner, ..), _| *owner != Some(id));
    }
}

fn push(attempts: &mut Attempts, observation: &Observation, address: SocketAddr, errno: Option<Errno>) {
    let Some(process) = &observation.process else { return };
    let id = process.key();
    if attempts.len() >= PROCESS_LIMIT && !attempts.contains_key(&id) {
        return;
    }
    let (_, attempts) = attempts.entry(id).or_insert_with(|| (process.clone(), Vec::new()));
    let net_namespace = observation.socket.as_ref().map_or(0, |socket| socket.net_namespace);
    if attempts.len() < ATTEMPT_LIMIT {
        attempts.push(Attempt { address, errno, moment: Moment::of(observation), net_namespace });
    }
}
