//! What the UDP sockets of DDS tried: binds, groups joined, sends that failed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{Moment, ProcessId, process_id};
use crate::errno::Errno;
use crate::event::{Direction, ProcessRef, Transport};
use crate::observation::Observation;

/// Processes whose sockets are remembered.
const PROCESS_LIMIT: usize = 4096;
/// Binds and joins remembered of one process. Fast DDS and RustDDS try some 120 ports.
const ATTEMPT_LIMIT: usize = 512;
/// Addresses to which sends failed that are remembered.
const FAILURE_LIMIT: usize = 4096;

/// One bind or join.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Address and port that were asked for; port 0 for a group that was joined.
    pub address: SocketAddr,
    /// Why it failed, when it did.
    pub errno: Option<Errno>,
    /// When.
    pub moment: Moment,
    /// Network namespace of the socket; 0 when unknown.
    pub net_namespace: u64,
}

/// Sends of one sender to one address that failed with one error.
#[derive(Clone, Debug)]
pub struct SendFailure {
    /// The sender, when it is a process here.
    pub process: Option<ProcessRef>,
    /// The sender's address, when it was known.
    pub source: Option<IpAddr>,
    /// Network namespace of the sender; 0 when unknown.
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
#[derive(Debug, Default)]
pub struct UdpSockets {
    binds: BTreeMap<ProcessId, (ProcessRef, Vec<Attempt>)>,
    joins: BTreeMap<ProcessId, (ProcessRef, Vec<Attempt>)>,
    failures: BTreeMap<FailureKey, SendFailure>,
}

type FailureKey = (Option<ProcessId>, Option<IpAddr>, SocketAddr, Errno);

impl UdpSockets {
    /// Binds of each process, oldest first.
    pub fn binds(&self) -> impl Iterator<Item = (&ProcessRef, &[Attempt])> {
        self.binds.values().map(|(process, attempts)| (process, attempts.as_slice()))
    }

    /// Multicast groups joined by each process, or not, oldest first.
    pub fn joins(&self) -> impl Iterator<Item = (&ProcessRef, &[Attempt])> {
        self.joins.values().map(|(process, attempts)| (process, attempts.as_slice()))
    }

    /// Sends that failed.
    pub fn failures(&self) -> impl Iterator<Item = &SendFailure> {
        self.failures.values()
    }

    pub(super) fn bound(&mut self, observation: &Observation, address: SocketAddr, errno: Option<Errno>) {
        push(&mut self.binds, observation, address, errno);
    }

    pub(super) fn joined(&mut self, observation: &Observation, group: IpAddr, errno: Option<Errno>) {
        push(&mut self.joins, observation, SocketAddr::new(group, 0), errno);
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
        let key = (process.map(process_id), source.filter(|_| process.is_none()), target, errno);
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

    /// Its troubles ended with it.
    pub(super) fn process_exited(&mut self, process: &ProcessRef) {
        let id = process_id(process);
        self.binds.remove(&id);
        self.joins.remove(&id);
        self.failures.retain(|(owner, ..), _| *owner != Some(id));
    }
}

fn push(
    attempts: &mut BTreeMap<ProcessId, (ProcessRef, Vec<Attempt>)>,
    observation: &Observation,
    address: SocketAddr,
    errno: Option<Errno>,
) {
    let Some(process) = &observation.process else { return };
    let id = process_id(process);
    if attempts.len() >= PROCESS_LIMIT && !attempts.contains_key(&id) {
        return;
    }
    let (_, attempts) = attempts.entry(id).or_insert_with(|| (process.clone(), Vec::new()));
    let net_namespace = observation.socket.as_ref().map_or(0, |socket| socket.net_namespace);
    if attempts.len() < ATTEMPT_LIMIT {
        attempts.push(Attempt { address, errno, moment: Moment::of(observation), net_namespace });
    }
}
