//! Observations: the currency of rosprobe. Decoded facts with time, process and socket.
//!
//! `decode` makes them, `graph` folds them, a trace file stores them. Live capture, packet capture and trace differ only
//! in where observations come from.

pub mod dds;
mod ros1;
mod summary;
pub(crate) mod time;
mod uri;

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::ros1::{
    Answer, Call, Method, NodeTopics, ProtocolOffer, RequestedProtocol, SystemState, TcprosHeader, TopicType, Value,
};
pub use self::summary::{Bytes, Span};
pub(crate) use self::uri::host_and_port;
pub use self::uri::{AdvertisedUri, UriError};
use crate::errno::Errno;
use crate::event::{Direction, GapCause, Monotonic, Namespace, Process, ProcessRef, SocketRef, Traffic};

/// Number of an observation within one capture, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ObservationId(pub u64);

/// A decoded fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Its number; findings refer to it.
    pub id: ObservationId,
    /// Wall-clock time, RFC 3339.
    #[serde(serialize_with = "time::serialize")]
    pub time: Timestamp,
    /// The same moment in nanoseconds on the monotonic clock.
    pub monotonic: Monotonic,
    /// The process in whose name it happened, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessRef>,
    /// The socket concerned, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketRef>,
    /// What was observed.
    #[serde(flatten)]
    pub what: What,
}

/// What was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A process was seen for the first time.
    Process(Box<Process>),
    /// A network namespace was seen for the first time, or changed.
    Namespace(Box<Namespace>),
    /// A process ended.
    ProcessExited,

    /// `connect()` returned; EINPROGRESS is a beginning, no failure.
    ConnectReturned {
        /// File descriptor, as the process knows it.
        fd: i32,
        /// What it returned; `None` is success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errno: Option<Errno>,
        /// Duration of the call in nanoseconds.
        took_ns: u64,
    },
    /// A connect attempt began: a SYN went out, or `connect()` answered EINPROGRESS, whichever was seen first.
    ConnectStarted,
    /// The attempt succeeded. Exactly one of this, `connect-failed` and `connect-abandoned` ends an attempt.
    Connected {
        /// Time since the attempt began, in nanoseconds.
        after_ns: u64,
    },
    /// The attempt failed.
    ConnectFailed {
        /// Why.
        errno: Errno,
        /// Time since the attempt began, in nanoseconds; the duration of `connect()` when no SYN went out.
        after_ns: u64,
        /// SYNs sent again before.
        syn_retransmits: u32,
        /// Who said so.
        reported_by: ErrorSource,
    },
    /// The attempt ended without a result.
    ConnectAbandoned {
        /// Time since the attempt began, in nanoseconds.
        after_ns: u64,
        /// SYNs sent again before.
        syn_retransmits: u32,
        /// How it ended.
        cause: AbandonCause,
    },
    /// A SYN was sent again: nobody has answered yet.
    SynRetransmitted {
        /// How often so far.
        count: u32,
        /// Time since the attempt began, in nanoseconds.
        after_ns: u64,
    },
    /// This end accepted a connection.
    Accepted,
    /// First sight of a socket that had been open before: what went before it is unknown.
    AlreadyOpen,
    /// A TCP socket listens at its local address.
    Listening {
        /// True for a socket that listened when the capture began.
        #[serde(default)]
        already: bool,
    },
    /// The peer closed its direction.
    PeerClosed,
    /// The socket is gone. Totals are those at its end.
    Closed {
        /// What went through it.
        traffic: Traffic,
    },
    /// A send or receive failed on an established socket.
    IoFailed {
        /// Which way.
        direction: Direction,
        /// Why.
        errno: Errno,
        /// How often in a row.
        count: u64,
    },
    /// The kernel reported an error on an established socket, for instance ETIMEDOUT for data that nobody acknowledged, or on a
    /// datagram socket what an ICMP message said of a datagram.
    SocketError {
        /// The error.
        errno: Errno,
    },
    /// Totals of a socket so far.
    Traffic(Traffic),
    /// Totals of a UDPROS connection on this socket so far. A datagram that was captured as a packet counts as sent.
    UdprosData {
        /// Which way.
        direction: Direction,
        /// The connection id, which the publisher chose when it was asked for the topic.
        connection: u32,
        /// Messages.
        messages: u64,
        /// Bytes of their datagrams without the headers.
        bytes: u64,
    },

    /// An XML-RPC call.
    Call {
        /// Which way: `sent` by a client, `received` by a server.
        direction: Direction,
        /// The call.
        call: Call,
        /// HTTP around it.
        http: Http,
    },
    /// An XML-RPC answer or fault.
    Answer {
        /// Which way: `received` by a client, `sent` by a server.
        direction: Direction,
        /// The call that it answers, when that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ObservationId>,
        /// That call's method; empty when the call was not seen.
        method: String,
        /// Time since the call, in nanoseconds, when that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_ns: Option<u64>,
        /// The answer.
        answer: Answer,
        /// HTTP around it.
        http: Http,
    },
    /// An HTTP exchange that carries no XML-RPC, for instance an error status.
    HttpOnly {
        /// Which way.
        direction: Direction,
        /// The message.
        http: Http,
    },
    /// A TCPROS connection header.
    TcprosHeader {
        /// Which way.
        direction: Direction,
        /// Its fields.
        header: TcprosHeader,
    },
    /// The first answer byte of a ROS service call.
    ServiceAnswer {
        /// Which way: `received` by a client.
        direction: Direction,
        /// The ok byte.
        ok: bool,
        /// The server's text when it is not ok; empty otherwise.
        error: String,
    },
    /// A name was asked for in DNS.
    NameQuery {
        /// The name.
        name: String,
        /// `A`, `AAAA` or the number of another type.
        record: String,
    },
    /// DNS answered.
    NameAnswer {
        /// The name that was asked for.
        name: String,
        /// `A`, `AAAA` or the number of another type.
        record: String,
        /// The addresses it has, canonical names followed; none with an error.
        addresses: Vec<std::net::IpAddr>,
        /// `NOERROR`, `NXDOMAIN`, `SERVFAIL`, or the number of another code; `TRUNCATED` for a NOERROR answer that did not fit,
        /// so that its addresses may be incomplete.
        status: String,
    },

    /// ROS 2: something of DDS.
    Dds(dds::Dds),

    /// Bytes that should have been something and are not, or are more than a limit allows.
    Malformed {
        /// Which protocol was being decoded.
        protocol: Protocol,
        /// Which way.
        direction: Direction,
        /// Where in the direction's stream, in bytes.
        offset: u64,
        /// What was wrong.
        reason: String,
    },
    /// Bytes of a stream that were not seen.
    Gap {
        /// Which way.
        direction: Direction,
        /// First missing byte.
        from: u64,
        /// First byte after the gap.
        to: u64,
        /// Why.
        cause: GapCause,
    },
    /// Events were lost before they could be read.
    Lost {
        /// How many.
        events: u64,
    },
}

/// Who reported a failed connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorSource {
    /// The return value of `connect()`.
    Connect,
    /// The kernel's report on the socket (`inet_sk_error_report`).
    SocketError,
    /// The first send or receive on the socket.
    FirstIo,
    /// A packet: RST or ICMP.
    Packet,
}

/// How a connect attempt ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AbandonCause {
    /// The process closed the socket.
    Closed,
    /// The process ended.
    ProcessExited,
    /// The capture ended, or no further packet was seen.
    LostSight,
}

/// A protocol that rosprobe decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http,
    /// gzip or deflate content.
    Gzip,
    /// XML-RPC.
    XmlRpc,
    /// TCPROS.
    Tcpros,
    /// UDPROS.
    Udpros,
    /// DNS.
    Dns,
    /// RTPS.
    Rtps,
}

/// Name and value of a field of an HTTP head, as they were written.
pub type HeaderField = (Cow<'static, str>, Cow<'static, str>);

/// An HTTP message as far as it is kept. Control characters are as they came: whoever shows them makes them safe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Http {
    /// The request or status line, without its line end.
    pub start_line: String,
    /// Header fields in order.
    #[serde(default)]
    pub headers: Vec<HeaderField>,
    /// The body, decompressed, cut at `Http::BODY_LIMIT`.
    #[serde(default)]
    pub body: String,
    /// Length of the whole body in bytes, decompressed.
    #[serde(default)]
    pub body_bytes: u64,
}

impl Http {
    /// How much of a body an observation keeps, in bytes; the decoded values are complete either way.
    pub const BODY_LIMIT: usize = 16 * 1024;
}
