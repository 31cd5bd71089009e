//! Events: plain facts from the kernel, from `/proc` or from a packet, with no ROS in them.

mod host;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::host::{ClientLibrary, InterfaceAddress, Namespace, Process, Route};
use crate::errno::Errno;

/// Nanoseconds on `CLOCK_MONOTONIC` (live), or since the first packet (pcap).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// Time passed since `earlier`; zero when the order is the other way round, as it can be between processors.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// One fact, with when, who and on which socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub time: Monotonic,
    /// The process in whose name it happened; `None` in a packet capture, and where the kernel could not tell.
    pub process: Option<ProcessRef>,
    /// The socket concerned, if any.
    pub socket: Option<SocketRef>,
    /// What happened.
    pub fact: Fact,
}

/// A process, named well enough to survive the reuse of its pid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRef {
    /// Process id (the kernel's tgid) in the initial pid namespace.
    pub pid: u32,
    /// When the process started, in nanoseconds since boot; 0 when it was gone before it could be read.
    pub started: u64,
    /// The kernel's name of the process, at most 15 bytes.
    // Shared, because every event, observation and socket of the process has it.
    pub comm: Arc<str>,
}

/// Pid and start of a process: its name may change when it executes another program.
pub type ProcessKey = (u32, u64);

impl ProcessRef {
    /// What tells it from every other process.
    pub fn key(&self) -> ProcessKey {
        (self.pid, self.started)
    }
}

/// Transport of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A socket with both of its ends, as far as they were known at that moment. IPv4-mapped IPv6 addresses are given as IPv4.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SocketRef {
    /// Never reused during one capture, unlike the kernel's pointer and the file descriptor.
    pub id: u64,
    /// TCP or UDP.
    pub transport: Transport,
    /// This end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<SocketAddr>,
    /// The other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
    /// Inode of the network namespace it lives in; 0 when unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub net_namespace: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Which way bytes went, seen from the owner of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Written by the owner of the socket.
    Sent,
    /// Read by the owner of the socket.
    Received,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A process was seen for the first time; read from `/proc`.
    Process(Box<Process>),
    /// A network namespace was seen for the first time, or its addresses, routes or names changed.
    Namespace(Box<Namespace>),
    /// The process, which is followed because a watched command started it, has a child now, which is followed as well.
    Forked {
        /// Process id of the child.
        child: u32,
    },
    /// The process ended.
    ProcessExited,
    /// `connect()` returned. `errno` is `None` on success; EINPROGRESS is a beginning, no failure.
    /// The socket's `remote` is the address that was asked for.
    ConnectReturned {
        /// File descriptor, as the process knows it.
        fd: i32,
        /// What it returned.
        errno: Option<Errno>,
        /// Duration of the call in nanoseconds.
        took_ns: u64,
    },
    /// A SYN went out (TCP: CLOSE to SYN_SENT).
    SynSent,
    /// The connection is established; `incoming` when this end accepted it.
    Established {
        /// True for the accepting end.
        incoming: bool,
    },
    /// A SYN was sent again.
    SynRetransmitted,
    /// Data was sent again.
    DataRetransmitted,
    /// The kernel reported an asynchronous error on the socket.
    SocketError {
        /// The error.
        errno: Errno,
    },
    /// The process itself cut a TCP connection short, or a connect under way: `close()` with an `SO_LINGER` of no time, `shutdown()`
    /// while it connects, `connect()` with `AF_UNSPEC`. The kernel reports it as ECONNRESET (`tcp_disconnect()`).
    Aborted,
    /// The kernel noted an error on a connect under way and goes on trying. The process gets it when it asks for `SO_ERROR`.
    SoftError {
        /// The error.
        errno: Errno,
    },
    /// First sight of a socket that had been open before the capture began; what went before is unknown.
    AlreadyOpen,
    /// A TCP socket listens. The socket's `local` is where; it has no `remote`.
    Listening {
        /// True for a socket that listened when the capture began.
        already: bool,
    },
    /// Bytes of a TCP stream.
    Stream(Chunk),
    /// One UDP datagram. The socket's `remote` is its peer.
    Datagram {
        /// Which way.
        direction: Direction,
        /// The payload, cut at the capture's limit.
        bytes: Vec<u8>,
        /// Length of the datagram on the wire, in bytes.
        length: u32,
    },
    /// A send or receive returned an error (EAGAIN and EINTR are left out).
    IoFailed {
        /// Which way.
        direction: Direction,
        /// The error.
        errno: Errno,
        /// How often in a row, this one included.
        count: u64,
    },
    /// `bind()` of a UDP socket to a port of RTPS returned. The socket's `local` is the address that was asked for.
    Bound {
        /// What it returned; `None` is success.
        errno: Option<Errno>,
        /// True for a port that the socket had when the capture began.
        already: bool,
    },
    /// A socket joined a multicast group, or tried to (`IP_ADD_MEMBERSHIP` and its like).
    MulticastJoined {
        /// The group.
        group: IpAddr,
        /// Address of the interface that was asked for, when it was given as an address.
        interface: Option<IpAddr>,
        /// What it returned; `None` is success.
        errno: Option<Errno>,
    },
    /// RTPS samples that were counted and not copied: totals of one writer on this socket so far, about once a second while they change.
    RtpsData {
        /// Which way.
        direction: Direction,
        /// The writer's GUID.
        writer: [u8; 16],
        /// DATA submessages and first fragments.
        messages: u64,
        /// Bytes of all of them.
        bytes: u64,
    },
    /// UDPROS datagrams that were counted and not copied: totals of one connection on this socket so far, about once a second while
    /// they change. A datagram that was captured as a packet counts as sent.
    UdprosData {
        /// Which way.
        direction: Direction,
        /// The connection id in the datagrams' headers.
        connection: u32,
        /// Messages, counted by their first datagrams.
        messages: u64,
        /// Bytes of all datagrams without their headers of 8 bytes.
        bytes: u64,
    },
    /// A receive returned 0 bytes: the peer has closed its direction.
    PeerClosed,
    /// The socket is gone.
    Closed,
    /// Totals of a socket so far; sent when they changed, about once a second.
    Traffic(Traffic),
    /// Events were lost between kernel and user space before this one.
    Lost {
        /// How many.
        events: u64,
    },
}

/// Bytes of one direction of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which way.
    pub direction: Direction,
    /// Position of the first byte in its direction's stream. For a socket that was already open, counted from the first byte seen.
    pub offset: u64,
    /// The bytes that were copied.
    pub bytes: Vec<u8>,
    /// How many bytes the stream advanced from `offset`; more than `bytes.len()` when the rest was not copied.
    pub length: u32,
    /// Why the bytes are fewer than `length`, when they are.
    pub cut: Option<GapCause>,
}

/// Why bytes of a stream are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// The ring buffer was full, or the packet capture misses the segment.
    Lost,
    /// The limit on copied payload was reached (`--payload-limit`).
    Limit,
    /// The process's memory could not be read at that moment.
    Unreadable,
    /// The kernel side counts these bytes and does not copy them.
    NotCopied,
}

/// Totals of a socket, both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Traffic {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// TCPROS messages sent, counted by their length prefixes; for UDP, datagrams.
    pub sent_messages: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// TCPROS messages received; for UDP, datagrams.
    pub received_messages: u64,
    /// Bytes sent and not yet acknowledged by the peer, when the kernel says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacknowledged_bytes: Option<u64>,
    /// Data segments sent again so far.
    pub retransmits: u32,
    /// What has to come before more is acknowledged, as the kernel says. Looked for where nothing was for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
}

/// What holds up a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitsFor {
    /// An acknowledgement that is overdue: it is being sent again, or that is tried, without an answer.
    Acknowledgement,
    /// Room in the peer's buffer: its kernel answers that there is none (RFC 9293, 3.8.6.1).
    Room,
}

/// Relation of the monotonic clock to the wall clock, taken once at the start of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Wall-clock time at monotonic zero.
    pub zero: jiff::Timestamp,
}

impl Clock {
    /// Wall-clock time of a moment; the end of time where that is beyond what a timestamp can hold.
    pub fn wall(self, time: Monotonic) -> jiff::Timestamp {
        let nanoseconds = i64::try_from(time.0).unwrap_or(i64::MAX);
        self.zero.checked_add(jiff::SignedDuration::from_nanos(nanoseconds)).unwrap_or(jiff::Timestamp::MAX)
    }
}
