//! All TCP connections of a packet capture: which segment belongs to which, within bounds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use super::flow::{Flow, Key, State};
use super::icmp::Unreachable;
use super::segment::{ACK, RST, SYN, Segment};
use super::stream::HalfStream;
use crate::errno::Errno;
use crate::event::{Event, Fact};

/// Connections followed at once.
const FLOW_LIMIT: usize = 32_768;
/// Bytes that wait for missing ones, over all connections.
const WAITING_LIMIT: usize = 32 << 20;
const SECOND: u64 = 1_000_000_000;
/// How long a closed connection is remembered, so that its late packets begin no new one.
const CLOSED_TIME: u64 = 60 * SECOND;

/// By how much a capture may have a refusal before the SYN that it answers: each queue of a network card has its own order.
const REORDERING: u64 = SECOND / 10;
/// Refusals without a SYN that are remembered.
const EARLY_LIMIT: usize = 64;

/// A refusal of a SYN that was not seen so far.
#[derive(Debug)]
struct EarlyReset {
    time: u64,
    server: SocketAddr,
    client: SocketAddr,
    acknowledgement: u32,
}

/// All connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Flows {
    index: HashMap<Key, u64>,
    by_id: BTreeMap<u64, Flow>,
    waiting_bytes: usize,
    early_resets: VecDeque<EarlyReset>,
    last_sweep: u64,
    /// Connections that were dropped because too many were open.
    pub forgotten: u64,
    /// Segments that fit into no connection.
    pub stray: u64,
}

impl Flows {
    /// Takes a segment. `next_socket` numbers new connections.
    pub fn segment(&mut self, time: u64, segment: &Segment<'_>, next_socket: &mut u64, out: &mut Vec<Event>) {
        let key = Key::new(segment.source, segment.destination);
        let known = self.index.get(&key).and_then(|id| self.by_id.get_mut(id));
        let starts_anew = match &known {
            None => true,
            Some(flow) => flow.is_followed_by(segment),
        };
        if !starts_anew {
            if let Some(flow) = known {
                let before = flow.waiting_bytes();
                flow.segment(time, segment, out);
                self.waiting_bytes = (self.waiting_bytes + flow.waiting_bytes()).saturating_sub(before);
                if self.waiting_bytes > WAITING_LIMIT {
                    let held = flow.waiting_bytes();
                    flow.hand_on(time, out, HalfStream::finish);
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(held);
                }
            }
            return;
        }
        if let Some(flow) = known {
            flow.close(time, out);
        }
        if let Some(mut flow) = Flow::begin(time, segment, key, *next_socket + 1, out) {
            *next_socket += 1;
            flow.segment_of_new(time, segment, out);
            if self.was_refused(time, segment) {
                flow.fail(time, Errno::ECONNREFUSED, out);
            }
            self.insert(flow);
        } else if segment.has(RST) && segment.has(ACK) {
            if self.early_resets.len() == EARLY_LIMIT {
                self.early_resets.pop_front();
            }
            self.early_resets.push_back(EarlyReset {
                time,
                server: segment.source,
                client: segment.destination,
                acknowledgement: segment.acknowledgement,
            });
        }
    }

    /// The capture had the refusal of this SYN before it.
    fn was_refused(&mut self, time: u64, syn: &Segment<'_>) -> bool {
        let is_answer = |early: &EarlyReset| {
            (early.client, early.server) == (syn.source, syn.destination)
                && early.acknowledgement == syn.sequence.wrapping_add(1)
                && time.saturating_sub(early.time) < REORDERING
        };
        let at = self.early_resets.iter().position(is_answer).filter(|_| syn.has(SYN) && !syn.has(ACK));
        at.and_then(|at| self.early_resets.remove(at)).is_some()
    }

    fn insert(&mut self, flow: Flow) {
        if self.by_id.len() >= FLOW_LIMIT {
            self.make_room();
        }
        let id = flow.socket.id;
        if let Some(old) = self.index.insert(flow.key, id) {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id, flow);
    }

    /// Forgets closed connections, and if that is not enough the quarter that has been silent for longest.
    fn make_room(&mut self) {
        self.retain(|flow| !matches!(flow.state, State::Closed { .. }));
        if self.by_id.len() < FLOW_LIMIT {
            return;
        }
        let mut times: Vec<u64> = self.by_id.values().map(|flow| flow.last_packet).collect();
        let (_, quarter, _) = times.select_nth_unstable(FLOW_LIMIT / 4);
        let quarter = *quarter;
        let before = self.by_id.len();
        self.retain(|flow| flow.last_packet > quarter);
        self.forgotten += (before - self.by_id.len()) as u64;
    }

    fn retain(&mut self, keep: impl Fn(&Flow) -> bool) {
        self.by_id.retain(|_, flow| keep(flow));
        let by_id = &self.by_id;
        self.index.retain(|_, id| by_id.contains_key(id));
        self.waiting_bytes = self.by_id.values().map(Flow::waiting_bytes).sum();
    }

    /// An ICMP error about a TCP segment.
    pub fn unreachable(&mut self, time: u64, error: &Unreachable, next_socket: &mut u64, out: &mut Vec<Event>) {
        let key = Key::new(error.source, error.destination);
        if let Some(flow) = self.index.get(&key).and_then(|id| self.by_id.get_mut(id))
            && !matches!(flow.state, State::Closed { .. })
        {
            // RFC 5461: fatal while connecting, and only then.
            let about_syn = error.sequence.is_none_or(|sequence| sequence == flow.initial_sequence);
            if flow.state == State::SynSent && flow.client == error.source && about_syn && !flow.syn_acknowledged {
                flow.fail(time, error.errno, out);
            }
            return;
        }
        // A host that answers for an address that it cannot find sends the error to itself; the SYN never left.
        if error.syn != Some(true) {
            return;
        }
        let sequence = error.sequence.unwrap_or_default();
        *next_socket += 1;
        let mut flow = Flow::new(time, key, *next_socket, error.source, error.destination, false);
        flow.initial_sequence = sequence;
        flow.push(time, Fact::SynSent, out);
        flow.fail(time, error.errno, out);
        self.insert(flow);
    }

    /// Once a second of the capture: totals, and connections that ended without a packet.
    pub fn sweep(&mut self, time: u64, out: &mut Vec<Event>) {
        if time < self.last_sweep + SECOND {
            return;
        }
        self.last_sweep = time;
        let mut expired = Vec::new();
        for (id, flow) in &mut self.by_id {
            if let State::Closed { at } = flow.state {
                if time.saturating_sub(at) > CLOSED_TIME {
                    expired.push((*id, flow.key));
                }
                continue;
            }
            flow.tick(time, out);
        }
        for (id, key) in expired {
            if self.index.get(&key) == Some(&id) {
                self.index.remove(&key);
            }
            self.by_id.remove(&id);
        }
        self.waiting_bytes = self.by_id.values().map(Flow::waiting_bytes).sum();
    }

    /// The capture is over.
    pub fn finish(&mut self, time: u64, out: &mut Vec<Event>) {
        for flow in self.by_id.values_mut() {
            flow.hand_on(time, out, HalfStream::finish);
            flow.report(time, out);
            self.stray += flow.sent.stray + flow.received.stray;
        }
        self.by_id.clear();
        self.index.clear();
    }
}
