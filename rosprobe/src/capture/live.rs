//! The live capture: loads the programs, attaches them, and drains what they say.
//!
//! All processors write into one ring buffer, and records come out in the order in which they were reserved there. That is the order
//! of events within one thread, but two threads that use one socket at the same moment may change places: sort by time and
//! by stream offset where it matters.

use std::io;
use std::path::Path;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{HashMap as BpfHashMap, MapData, PerCpuArray};
use rosprobe_common::{Kind, Protocol, WAKE_UP_INTERVAL};

use super::capture_error::CaptureError;
use super::counters::{Counters, SocketMap};
use super::datagram::Datagrams;
use super::existing;
use super::kernel_log::KernelLog;
use super::listening;
use super::losses::{self, LossMap, Losses};
use super::object;
use super::options::{Description, Options};
use super::process::ProcessTable;
use super::record::Parsed;
use super::ring::Ring;
use super::start::{self, Started};
use super::statistics::Statistics;
use super::writers::{WriterMap, Writers};
use crate::errno::Errno;
use crate::event::{Event, Fact, Monotonic, ProcessRef, SocketRef, Transport};

/// Network namespaces are read again this often, in nanoseconds: ports that are reserved now, addresses, routes.
const NAMESPACES_NS: u128 = 5_000_000_000;

/// While events are being lost the whole map of losses is read; not more often than this.
const LOSSES_EVERY: Duration = Duration::from_millis(200);

/// A running capture. Dropping it detaches everything.
pub struct LiveCapture {
    /// Holds the programs and their attachments.
    ebpf: Ebpf,
    /// Only where it was asked for.
    log: Option<KernelLog>,
    ring: Ring,
    /// The record that is read.
    raw: Vec<u8>,
    lost: PerCpuArray<MapData, u64>,
    loss_map: LossMap,
    losses: Losses,
    /// All records up to this moment were read.
    read_until: u64,
    /// There were more records than were taken the last time.
    behind: bool,
    /// When it was looked last whether something was lost.
    losses_told: Monotonic,
    sockets: SocketMap,
    followed: BpfHashMap<MapData, u32, u8>,
    counters: Counters,
    writers: Writers,
    writer_map: WriterMap,
    datagrams: Datagrams,
    processes: ProcessTable,
    /// Whether sockets that had been open before were looked for.
    looked_around: bool,
    /// When the network namespaces of DDS were read again last.
    namespaces_read: Monotonic,
    /// Records that were not understood; they are as good as lost.
    malformed: u64,
    description: Description,
    statistics: Statistics,
}

impl std::fmt::Debug for LiveCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCapture").field("description", &self.description).finish_non_exhaustive()
    }
}

impl LiveCapture {
    /// Loads and attaches the programs. Call it inside a tokio runtime. An error says what the caller or this kernel lacks, and what to
    /// do about it.
    pub fn start(options: &Options) -> Result<Self, CaptureError> {
        let Started { mut ebpf, description, held_back, unacknowledged_known } = start::climb(options)?;
        let log = options.kernel_log.then(|| KernelLog::of(&mut ebpf)).transpose()?;
        let ring = Ring::new(&mut ebpf, &held_back)?;
        Self::over(ebpf, ring, log, description, unacknowledged_known)
    }

    fn over(
        mut ebpf: Ebpf,
        ring: Ring,
        log: Option<KernelLog>,
        description: Description,
        unacknowledged_known: bool,
    ) -> Result<Self, CaptureError> {
        let lost = PerCpuArray::try_from(object::take_map(&mut ebpf, "LOST")?).map_err(CaptureError::map("LOST"))?;
        let loss_map =
            BpfHashMap::try_from(object::take_map(&mut ebpf, "LOSSES")?).map_err(CaptureError::map("LOSSES"))?;
        let sockets =
            BpfHashMap::try_from(object::take_map(&mut ebpf, "SOCKETS")?).map_err(CaptureError::map("SOCKETS"))?;
        let followed =
            BpfHashMap::try_from(object::take_map(&mut ebpf, "FOLLOWED")?).map_err(CaptureError::map("FOLLOWED"))?;
        let writer_map =
            BpfHashMap::try_from(object::take_map(&mut ebpf, "WRITERS")?).map_err(CaptureError::map("WRITERS"))?;
        Ok(Self {
            ebpf,
            log,
            ring,
            raw: Vec::new(),
            lost,
            loss_map,
            losses: Losses::default(),
            read_until: 0,
            behind: false,
            losses_told: Monotonic::default(),
            sockets,
            followed,
            counters: Counters::new(unacknowledged_known),
            writers: Writers::default(),
            writer_map,
            datagrams: Datagrams::default(),
            processes: ProcessTable::new(),
            looked_around: false,
            namespaces_read: Monotonic::default(),
            malformed: 0,
            description,
            statistics: Statistics::default(),
        })
    }

    /// How it works.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// How many instructions the verifier looked at of each program that was loaded; `None` before Linux 5.16, which does not tell.
    pub fn verified_instructions(&self) -> Vec<(String, Option<u32>)> {
        let programs = self.ebpf.programs();
        // What was not loaded has no information.
        let loaded = programs.filter_map(|(name, program)| Some((name.to_owned(), program.info().ok()?)));
        loaded.map(|(name, info)| (name, info.verified_instruction_count())).collect()
    }

    /// Totals so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Reports the children of this process, and theirs, as [`Fact::Forked`], and the end of all of them. An error when
    /// [`FOLLOWED_LIMIT`](rosprobe_common::FOLLOWED_LIMIT) processes are followed already.
    pub fn follow(&mut self, pid: u32) -> Result<(), CaptureError> {
        self.followed.insert(pid, 1, 0).map_err(CaptureError::map("FOLLOWED"))
    }

    /// Waits until there may be events. May be dropped at any time. An error when the ring buffer can no longer be waited for.
    pub async fn ready(&mut self) -> io::Result<()> {
        self.ring.ready().await
    }

    /// Appends the events of at most `limit` records; true when there may be more.
    pub fn drain(&mut self, limit: usize, out: &mut Vec<Event>) -> bool {
        self.say_log();
        let mut raw = std::mem::take(&mut self.raw);
        let more = self.drain_into(limit, &mut raw, out);
        self.raw = raw;
        self.behind = more;
        more
    }

    fn drain_into(&mut self, limit: usize, raw: &mut Vec<u8>, out: &mut Vec<Event>) -> bool {
        let begun = self.now().0;
        for _ in 0..limit {
            if !self.ring.next(raw) {
                // What has been reserved and not committed yet has less time behind it than this.
                self.read_until = begun.saturating_sub(WAKE_UP_INTERVAL);
                return false;
            }
            self.statistics.events += 1;
            self.statistics.ring_buffer_bytes += raw.len() as u64;
            self.take_record(raw, out);
        }
        self.ring.interrupted();
        true
    }

    fn say_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.say();
        }
    }

    fn take_record(&mut self, raw: &[u8], out: &mut Vec<Event>) {
        let Ok(parsed) = Parsed::read(raw) else {
            self.malformed += 1;
            return;
        };
        let (Ok(socket), Ok(fact)) = (parsed.socket(), parsed.fact()) else {
            self.malformed += 1;
            return;
        };
        let time = Monotonic(parsed.record.time);
        self.read_until = self.read_until.max(time.0.saturating_sub(WAKE_UP_INTERVAL));
        let process = self.process(time, &parsed, out);
        let fact = match parsed.kind {
            Kind::Datagram => self.datagrams.add(&parsed),
            _ => fact,
        };
        self.note(time, &parsed, socket.as_ref(), process.as_ref(), out);
        if parsed.kind == Kind::ProcessExited {
            self.writers.exited(time, parsed.record.pid, &self.sockets, &mut self.writer_map, out);
        }
        if let Some(fact) = fact {
            if is_failure(&fact) {
                self.processes.refresh_namespace(time, parsed.record.pid, out);
            }
            out.push(Event { time, process, socket, fact });
        }
        if parsed.kind == Kind::ProcessExited {
            self.processes.exited(parsed.record.pid);
        }
    }

    fn process(&mut self, time: Monotonic, parsed: &Parsed<'_>, out: &mut Vec<Event>) -> Option<ProcessRef> {
        let pid = parsed.record.pid;
        (pid != 0).then(|| self.processes.resolve(time, pid, &parsed.comm(), out))
    }

    /// Which sockets are counted.
    fn note(
        &mut self,
        time: Monotonic,
        parsed: &Parsed<'_>,
        socket: Option<&SocketRef>,
        process: Option<&ProcessRef>,
        out: &mut Vec<Event>,
    ) {
        let Some(socket) = socket else { return };
        match parsed.kind {
            // Of UDP sockets only those of RTPS and UDPROS.
            Kind::Counting if socket.transport == Transport::Udp => {
                self.writers.meet(socket, process, parsed.record.value == Protocol::Udpros as u64);
            }
            Kind::Counting | Kind::AlreadyOpen => self.counters.meet(socket, process),
            Kind::Closed => self.counters.closed(time, socket.id, &mut self.sockets, out),
            _ => {}
        }
    }

    /// Appends what the kernel side counted since the last time, as of `time`, the moment up to which records were taken. Meant for about
    /// once a second.
    pub fn sample(&mut self, time: Monotonic, out: &mut Vec<Event>) {
        self.say_log();
        self.ring.rest();
        if !self.looked_around {
            self.looked_around = true;
            self.look_around(time, out);
        }
        self.tell_losses(time, out);
        self.counters.sample(time, &self.sockets, out);
        self.writers.sample(time, &self.sockets, &mut self.writer_map, out);
        if time.since(self.namespaces_read).as_nanos() >= NAMESPACES_NS {
            self.namespaces_read = time;
            self.processes.refresh_namespaces(time, out);
        }
    }

    /// Appends what was lost since the last time, as of `time`, unless that was a moment ago. Costs one look at a counter when nothing was
    /// lost.
    pub fn losses(&mut self, time: Monotonic, out: &mut Vec<Event>) {
        if time.since(self.losses_told) >= LOSSES_EVERY {
            self.tell_losses(time, out);
        }
    }

    /// Appends what was lost since the last time, by socket. What is seen of these sockets is incomplete from then on. Of what is nobody's
    /// it is told once all that came before it was taken.
    fn tell_losses(&mut self, time: Monotonic, out: &mut Vec<Event>) {
        self.losses_told = time;
        // A counter that cannot be read is read the next time.
        let Ok(lost) = self.lost.get(&0, 0) else { return };
        let known = lost.iter().sum::<u64>() + self.malformed;
        if !self.losses.is_news(known) {
            return;
        }
        let counts = losses::counts(&self.loss_map);
        let Ok(lost) = self.lost.get(&0, 0) else { return };
        self.statistics.lost = lost.iter().sum::<u64>() + self.malformed;
        let (of_sockets, events) =
            self.losses.since_last_time(&counts, self.statistics.lost, self.read_until, self.behind);
        for lost in of_sockets {
            let parsed = lost.parsed();
            let process = self.process(time, &parsed, out);
            let socket = parsed.socket().ok().flatten();
            if let Some(socket) = &socket {
                self.count_unannounced(socket, process.as_ref());
            }
            let fact = Fact::Lost { events: lost.events };
            out.push(Event { time, process: process.clone(), socket: socket.clone(), fact });
            if lost.closed {
                self.note(time, &parsed, socket.as_ref(), process.as_ref(), out);
                out.push(Event { time, process, socket, fact: Fact::Closed });
            }
        }
        if events > 0 {
            out.push(Event { time, process: None, socket: None, fact: Fact::Lost { events } });
        }
    }

    /// That the kernel side begins to count a socket may be what was lost.
    fn count_unannounced(&mut self, socket: &SocketRef, process: Option<&ProcessRef>) {
        let Ok(state) = self.sockets.get(&socket.id, 0) else { return };
        if state.protocol() == Protocol::Rtps as u8 || state.protocol() == Protocol::Udpros as u8 {
            self.writers.meet(socket, process, state.protocol() == Protocol::Udpros as u8);
        } else if Protocol::is_counted(state.protocol()) {
            self.counters.meet_again(socket, process);
        }
    }

    /// Appends the ports and groups that UDP sockets of DDS have already, and where nodes of ROS 1 listen already.
    fn look_around(&mut self, time: Monotonic, out: &mut Vec<Event>) {
        for socket in existing::existing(Path::new("/proc")) {
            let Some(process) = self.processes.resolve_silent(time, socket.pid, out) else { continue };
            let mut say = |fact| {
                let socket = socket.reference();
                out.push(Event { time, process: Some(process.clone()), socket: Some(socket), fact });
            };
            say(Fact::Bound { errno: None, already: true });
            if socket.in_group {
                let group = existing::DISCOVERY_GROUP.into();
                say(Fact::MulticastJoined { group, interface: None, errno: None });
            }
        }
        for socket in listening::listening(Path::new("/proc")) {
            if let Some(process) = self.processes.resolve_silent(time, socket.pid, out) {
                let (process, socket) = (Some(process), Some(socket.reference()));
                out.push(Event { time, process, socket, fact: Fact::Listening { already: true } });
            }
        }
    }

    /// The time now, on the clock of the events.
    pub fn now(&self) -> Monotonic {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
        Monotonic(time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Failures that addresses, routes or names may explain.
fn is_failure(fact: &Fact) -> bool {
    match fact {
        Fact::ConnectReturned { errno: Some(errno), .. } => *errno != Errno::EINPROGRESS,
        Fact::SocketError { .. } | Fact::SoftError { .. } | Fact::IoFailed { .. } | Fact::SynRetransmitted => true,
        _ => false,
    }
}
