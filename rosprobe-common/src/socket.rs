//! What is remembered of a socket, in a map that user space reads too.

use core::mem::{align_of, size_of};

use crate::opening::OPENING_BYTES;

/// What a socket turned out to carry.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Not decided yet.
    Undecided = 0,
    /// None of ours: never looked at again.
    Other = 1,
    /// HTTP with XML-RPC in it: copied.
    XmlRpc = 2,
    /// TCPROS of a topic: header copied, messages counted.
    Topic = 3,
    /// TCPROS of a service: header and the beginning of each answer copied.
    Service = 4,
    /// TCP that was open before the capture began: counted, and looked at for XML-RPC at the beginning of each chunk.
    MidStream = 5,
    /// DNS: copied.
    Dns = 6,
    /// RTPS: discovery copied, user data counted by writer.
    Rtps = 7,
    /// UDPROS: counted by connection id.
    Udpros = 8,
}

impl Protocol {
    /// Whether user space reads the totals of a socket of that protocol.
    pub const fn is_counted(number: u8) -> bool {
        number == Self::Topic as u8 || number == Self::Service as u8 || number == Self::MidStream as u8
    }
}

/// Where a direction of a TCPROS connection is.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Before the header, or in its first bytes.
    Start = 0,
    /// In the header.
    Header = 1,
    /// At a length prefix.
    Length = 2,
    /// In a message's body.
    Body = 3,
    /// At the byte with which an answer of a service begins.
    Status = 4,
    /// Where messages begin is no longer known; bytes are counted.
    Lost = 5,
}

/// Bits of [`SocketState::flags`].
#[derive(Clone, Copy, Debug)]
pub struct SocketFlags;

impl SocketFlags {
    /// This end called connect.
    pub const CONNECTING: u8 = 1;
    /// A descriptor of a process was seen to lead to this socket, so the process's buffers are this socket's.
    pub const USER: u8 = 2;
    /// A receive of 0 bytes was reported.
    pub const PEER_CLOSED: u8 = 4;
    /// Bytes were read last, not written.
    pub const TURNED: u8 = 8;
}

/// One direction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionState {
    /// Bytes so far: the stream offset of the next one.
    pub bytes: u64,
    /// Bytes that were counted and not copied since the last chunk.
    pub uncopied: u64,
    /// Messages, or datagrams, so far.
    pub messages: u64,
    /// Failures in a row with `errno`.
    pub failures: u64,
    /// Error of the last failure.
    pub errno: i32,
    /// Bytes left of the header or of the body.
    pub remaining: u32,
    /// Bytes left of the header's field that is being read.
    pub field: u32,
    /// Bytes copied of the current message.
    pub copied: u32,
    /// First bytes of the direction, then a length prefix that came in pieces.
    pub head: [u8; OPENING_BYTES],
    /// How many of `head` are there.
    pub have: u8,
    /// [`Framing`] as a number.
    pub framing: u8,
    /// How much of `service=` the field's name matched; more than its length: no match.
    pub matched: u8,
    /// 1 in the direction whose header had `service=` in it.
    pub asks: u8,
}

impl DirectionState {
    /// Before the first byte.
    pub const EMPTY: Self = Self {
        bytes: 0,
        uncopied: 0,
        messages: 0,
        failures: 0,
        errno: 0,
        remaining: 0,
        field: 0,
        copied: 0,
        head: [0; OPENING_BYTES],
        have: 0,
        framing: 0,
        matched: 0,
        asks: 0,
    };
}

/// What was counted of one writer of user data, or of one connection of UDPROS, in one direction of one socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCount {
    /// Its GUID, as it is on the wire; of UDPROS the connection id, and zeros.
    pub guid: [u32; 4],
    /// DATA submessages and first fragments; messages of UDPROS.
    pub messages: u64,
    /// Bytes of them and of further fragments, inline QoS included; bytes of UDPROS without the datagrams' headers.
    pub bytes: u64,
    /// [`WriterState`] as a number.
    pub state: u32,
    /// [`Flow`](crate::Flow) as a number.
    pub flow: u32,
}

impl WriterCount {
    /// A place that is free.
    pub const EMPTY: Self = Self { guid: [0; 4], messages: 0, bytes: 0, state: 0, flow: 0 };
}

/// What a writer turned out to write.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterState {
    /// The place has no writer.
    Free = 0,
    /// The place is being taken.
    Taken = 1,
    /// Nothing was seen yet that tells.
    Undecided = 2,
    /// User data.
    User = 3,
    /// `ros_discovery_info`, which is copied.
    Discovery = 4,
}

/// Key of a [`WriterCount`] that its socket has no place for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterKey {
    /// The socket's cookie.
    pub socket: u64,
    /// The GUID, as it is on the wire.
    pub guid: [u32; 4],
    /// [`Flow`](crate::Flow) as a number.
    pub flow: u32,
    /// Zero.
    pub reserved: u32,
}

/// Writers that are counted with their socket, so that a message of theirs costs one look-up; the others are in a map of their own.
pub const WRITERS_OF_SOCKET: usize = 8;

/// A socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketState {
    /// `Flow::Sent`, `Flow::Received`.
    pub direction: [DirectionState; 2],
    /// RTPS: the first writers that were seen. UDPROS: the connections.
    pub writers: [WriterCount; WRITERS_OF_SOCKET],
    /// When a retransmission was last reported, in nanoseconds.
    pub retransmit_reported: u64,
    /// Data segments sent again.
    pub retransmits: u32,
    /// Bytes that the peer had not acknowledged before the last send, or at the last retransmission.
    pub unacknowledged: u32,
    /// Process that used it last; 0 when unknown.
    pub pid: u32,
    /// Chunks that were looked at without finding anything.
    pub looked: u16,
    /// [`Protocol`] as a number.
    pub protocol: u8,
    /// [`SocketFlags`].
    pub flags: u8,
}

impl SocketState {
    /// A socket of which nothing is known.
    pub const EMPTY: Self = Self {
        direction: [DirectionState::EMPTY; 2],
        writers: [WriterCount::EMPTY; WRITERS_OF_SOCKET],
        retransmit_reported: 0,
        retransmits: 0,
        unacknowledged: 0,
        pid: 0,
        looked: 0,
        protocol: 0,
        flags: 0,
    };
}

const _: () = {
    assert!(size_of::<DirectionState>() == 72);
    assert!(align_of::<SocketState>() == 8);
    assert!(size_of::<WriterCount>() == 40);
    assert!(size_of::<WriterKey>() == 32);
    assert!(size_of::<SocketState>() == 168 + 40 * WRITERS_OF_SOCKET);
};
