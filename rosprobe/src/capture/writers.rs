//! What the kernel side counted of RTPS writers and of UDPROS connections, read about once a second.

use std::collections::HashMap;

use aya::maps::{HashMap as BpfHashMap, MapData};
use rosprobe_common::{Flow, WRITER_LIMIT, WriterCount, WriterKey, WriterState};

use super::counters::SocketMap;
use crate::event::{Direction, Event, Fact, Monotonic, ProcessRef, SocketRef, Transport};

/// Writers whose totals are remembered, each once for every socket and direction.
const TOTAL_LIMIT: usize = 2 * WRITER_LIMIT as usize;
/// A writer that was quiet for this long gives its place to another one, in nanoseconds.
const QUIET_NS: u128 = 60_000_000_000;

/// [`WriterKey`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct WriterKeyPod(WriterKey);

// SAFETY: `WriterKey` is `repr(C)`, integers only and without padding, so that every bit pattern is one.
unsafe impl aya::Pod for WriterKeyPod {}

/// [`WriterCount`] as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct WriterCountPod(WriterCount);

// SAFETY: `WriterCount` is `repr(C)`, integers only and without padding, so that every bit pattern is one.
unsafe impl aya::Pod for WriterCountPod {}

/// Writers whose sockets have no place for them.
pub(super) type WriterMap = BpfHashMap<MapData, WriterKeyPod, WriterCountPod>;

/// A writer on a socket, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Writer {
    socket: u64,
    guid: [u32; 4],
    received: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    /// What the kernel side forgot since, as it does with the sockets that were used least recently.
    forgotten: (u64, u64),
    last: (u64, u64),
    changed: Monotonic,
}

impl Total {
    /// The totals, when they are new.
    fn update(&mut self, now: Monotonic, count: (u64, u64)) -> Option<(u64, u64)> {
        if count == self.last {
            return None;
        }
        if count.0 < self.last.0 || count.1 < self.last.1 {
            self.forgotten = (self.forgotten.0 + self.last.0, self.forgotten.1 + self.last.1);
        }
        self.last = count;
        self.changed = now;
        Some((self.forgotten.0 + count.0, self.forgotten.1 + count.1))
    }
}

/// A socket whose datagrams are counted.
#[derive(Clone, Debug)]
struct Met {
    socket: SocketRef,
    process: Option<ProcessRef>,
    /// Of UDPROS: its writers are connections, and the first word of their GUIDs is the connection id.
    udpros: bool,
}

/// Sockets of RTPS and UDPROS and the totals of their writers.
#[derive(Debug, Default)]
pub(super) struct Writers {
    sockets: HashMap<u64, Met>,
    totals: HashMap<Writer, Total>,
}

impl Writers {
    /// The kernel side counts writers on this socket from now on.
    pub fn meet(&mut self, socket: &SocketRef, process: Option<&ProcessRef>, udpros: bool) {
        // Of RTPS every datagram may have another peer; roscpp connects its socket to the one subscriber.
        let remote = socket.remote.filter(|_| udpros);
        let socket = SocketRef { remote, ..socket.clone() };
        self.sockets.insert(socket.id, Met { socket, process: process.cloned(), udpros });
    }

    /// The process ended, and its sockets with it: appends the last totals, and forgets them.
    pub fn exited(&mut self, now: Monotonic, pid: u32, sockets: &SocketMap, map: &mut WriterMap, out: &mut Vec<Event>) {
        let of_process = |met: &Met| met.process.as_ref().is_some_and(|process| process.pid == pid);
        if !self.sockets.values().any(of_process) {
            return;
        }
        self.sample(now, sockets, map, out);
        self.sockets.retain(|_, met| !of_process(met));
        let gone: Vec<_> =
            self.totals.keys().filter(|writer| !self.sockets.contains_key(&writer.socket)).copied().collect();
        for writer in gone {
            self.totals.remove(&writer);
            // Not there for those that their socket had a place for.
            let _ = map.remove(&WriterKeyPod(key(&writer)));
        }
    }

    /// Appends the totals that changed.
    pub fn sample(&mut self, now: Monotonic, sockets: &SocketMap, map: &mut WriterMap, out: &mut Vec<Event>) {
        let mut counts: HashMap<Writer, (u64, u64)> = HashMap::new();
        for id in self.sockets.keys() {
            // Forgotten by the kernel side until its next datagram.
            let Ok(state) = sockets.get(id, 0) else { continue };
            for count in &state.writers() {
                add(&mut counts, *id, count);
            }
        }
        let mut places = 0;
        for (WriterKeyPod(key), WriterCountPod(count)) in map.iter().flatten() {
            places += 1;
            add(&mut counts, key.socket, &count);
        }
        let mut changed: Vec<_> =
            counts.iter().filter_map(|(writer, count)| self.update(now, *writer, *count)).collect();
        changed.sort_by_key(|(writer, _)| *writer);
        out.extend(changed.into_iter().map(|(writer, total)| self.event(now, &writer, total)));
        if places > WRITER_LIMIT / 2 {
            self.make_room(now, map);
        }
    }

    fn update(&mut self, now: Monotonic, writer: Writer, count: (u64, u64)) -> Option<(Writer, (u64, u64))> {
        if self.totals.len() >= TOTAL_LIMIT && !self.totals.contains_key(&writer) {
            return None;
        }
        let total = self.totals.entry(writer).or_default().update(now, count)?;
        Some((writer, total))
    }

    fn event(&self, time: Monotonic, writer: &Writer, (messages, bytes): (u64, u64)) -> Event {
        let Met { socket, process, udpros } = self.sockets.get(&writer.socket).cloned().unwrap_or_else(|| {
            let socket =
                SocketRef { id: writer.socket, transport: Transport::Udp, local: None, remote: None, net_namespace: 0 };
            Met { socket, process: None, udpros: false }
        });
        let direction = if writer.received { Direction::Received } else { Direction::Sent };
        if udpros {
            let fact = Fact::UdprosData { direction, connection: writer.guid[0], messages, bytes };
            return Event { time, process, socket: Some(socket), fact };
        }
        let mut guid = [0; 16];
        for (octets, word) in guid.chunks_exact_mut(4).zip(writer.guid) {
            octets.copy_from_slice(&word.to_ne_bytes());
        }
        let fact = Fact::RtpsData { direction, writer: guid, messages, bytes };
        Event { time, process, socket: Some(socket), fact }
    }

    fn make_room(&mut self, now: Monotonic, map: &mut WriterMap) {
        let quiet = |total: &Total| now.since(total.changed).as_nanos() > QUIET_NS;
        let gone: Vec<_> = self.totals.iter().filter(|(_, total)| quiet(total)).map(|(writer, _)| *writer).collect();
        for writer in gone {
            // One that comes back has its totals, and counts from 0 in the kernel.
            if map.remove(&WriterKeyPod(key(&writer))).is_ok()
                && let Some(total) = self.totals.get_mut(&writer)
            {
                total.forgotten = (total.forgotten.0 + total.last.0, total.forgotten.1 + total.last.1);
                total.last = (0, 0);
            }
        }
    }
}

fn key(writer: &Writer) -> WriterKey {
    let flow = if writer.received { Flow::Received } else { Flow::Sent };
    WriterKey { socket: writer.socket, guid: writer.guid, flow: flow as u32, reserved: 0 }
}

/// A writer may have a place on its socket and, when two threads met it at the same moment, one in the map.
fn add(counts: &mut HashMap<Writer, (u64, u64)>, socket: u64, count: &WriterCount) {
    if count.state != WriterState::Undecided as u32 && count.state != WriterState::User as u32 {
        return;
    }
    let writer = Writer { socket, guid: count.guid, received: count.flow == Flow::Received as u32 };
    let (messages, bytes) = counts.entry(writer).or_default();
    *messages += count.messages;
    *bytes += count.bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_go_on_where_the_kernel_begins_anew() {
        let mut total = Total::default();
        assert_eq!(total.update(Monotonic(1), (3, 30)), Some((3, 30)));
        assert_eq!(total.update(Monotonic(2), (3, 30)), None);
        assert_eq!(total.update(Monotonic(3), (5, 50)), Some((5, 50)));
        assert_eq!(total.update(Monotonic(4), (1, 10)), Some((6, 60)), "forgotten and met again");
        assert_eq!(total.update(Monotonic(5), (2, 20)), Some((7, 70)));
    }

    #[test]
    fn what_is_no_user_data_is_not_counted() {
        let mut counts = HashMap::new();
        let writer =
            |state: WriterState| WriterCount { messages: 1, bytes: 2, state: state as u32, ..WriterCount::EMPTY };
        for (state, counted) in [
            (WriterState::Free, 0),
            (WriterState::Taken, 0),
            (WriterState::Discovery, 0),
            (WriterState::User, 1),
            (WriterState::Undecided, 2),
        ] {
            add(&mut counts, 7, &writer(state));
            assert_eq!(counts.values().map(|(messages, _)| messages).sum::<u64>(), counted, "{state:?}");
        }
    }
}
