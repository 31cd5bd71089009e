//! What travels through the ring buffer.

use core::mem::{align_of, offset_of, size_of};

/// Payload sizes of the records that carry bytes. A record is reserved in the smallest class that holds its bytes.
pub const CHUNK_CLASSES: [usize; 6] = [64, 512, 1024, 2048, 4096, 32 * 1024];

/// What a [`Record`] tells. The kernel writes the number; user space refuses a number that it does not know.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `connect()` returned: `errno`, `fd`, `value` = nanoseconds it took; `remote` is what was asked for.
    ConnectReturned = 1,
    /// CLOSE to SYN_SENT.
    SynSent = 2,
    /// Established by connect.
    Connected = 3,
    /// Established by the peer's connect.
    Accepted = 4,
    /// A SYN was sent again.
    SynRetransmitted = 5,
    /// Data was sent again.
    DataRetransmitted = 6,
    /// `sk_err` was reported: `errno`.
    SocketError = 7,
    /// First sight of an established socket.
    AlreadyOpen = 8,
    /// Bytes of a stream: `value` = offset, `length`, `copied`, `flow`, `cut`; payload follows.
    Stream = 9,
    /// A piece of a datagram: `value` = its offset, `length` of the whole, `copied`, `flow`, `cut`, `fd` = thread; payload follows.
    Datagram = 10,
    /// A send or receive failed: `errno`, `flow`, `value` = how often in a row.
    IoFailed = 11,
    /// A receive returned 0.
    PeerClosed = 12,
    /// The socket is gone.
    Closed = 13,
    /// The last thread of a process ended.
    ProcessExited = 14,
    /// A followed process forked: `value` = pid of the child.
    Forked = 15,
    /// The kernel side begins to count this socket: `value` = [`Protocol`](crate::Protocol) as a number for a UDP socket.
    Counting = 16,
    /// `sk_err_soft` was set when `connect()` returned EINPROGRESS: `errno`.
    SoftError = 17,
    /// `bind()` of a UDP socket returned: `errno`, `fd`; `remote` is what was asked for.
    Bound = 18,
    /// A UDP socket joined a multicast group: `errno`, `fd`; `remote` is the group, `value` the IPv4 address of the interface as it is
    /// in memory, or 0.
    MulticastJoined = 19,
    /// A TCP socket listens from now on; `local` is where.
    Listening = 20,
}

impl Kind {
    /// The kind of that number.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::ConnectReturned,
            2 => Self::SynSent,
            3 => Self::Connected,
            4 => Self::Accepted,
            5 => Self::SynRetransmitted,
            6 => Self::DataRetransmitted,
            7 => Self::SocketError,
            8 => Self::AlreadyOpen,
            9 => Self::Stream,
            10 => Self::Datagram,
            11 => Self::IoFailed,
            12 => Self::PeerClosed,
            13 => Self::Closed,
            14 => Self::ProcessExited,
            15 => Self::Forked,
            16 => Self::Counting,
            17 => Self::SoftError,
            18 => Self::Bound,
            19 => Self::MulticastJoined,
            20 => Self::Listening,
            _ => return None,
        })
    }

    /// Whether a payload class follows the record.
    pub const fn carries_payload(self) -> bool {
        matches!(self, Self::Stream | Self::Datagram)
    }
}

/// Direction of payload, seen from the owner of the socket.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Written by the owner.
    Sent = 0,
    /// Read by the owner.
    Received = 1,
}

/// Why fewer bytes than `length` were copied.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All were copied.
    None = 0,
    /// Past the limit of the message.
    Limit = 1,
    /// The process's memory could not be read, or it is not known where the bytes are.
    Unreadable = 2,
    /// Counted on purpose.
    NotCopied = 3,
}

/// One end of a socket. IPv4 addresses are the first four bytes.
///
/// Aligned so that it is copied by words: the verifier follows every turn of a loop over bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketAddress {
    /// Address bytes in network order.
    pub address: [u8; 16],
    /// 0, `AF_INET` (2) or `AF_INET6` (10).
    pub family: u16,
    /// Port in host order.
    pub port: u16,
    /// IPv6 scope (interface index); 0 when none or unknown.
    pub scope: u32,
}

impl SocketAddress {
    /// Nothing known.
    pub const NONE: Self = Self { address: [0; 16], family: 0, port: 0, scope: 0 };
}

/// One record. What a field means depends on the kind; unused fields are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub time: u64,
    /// The socket's cookie; 0 for none. With the top bit set the kernel had given no cookie yet and this is a number of our own.
    pub socket: u64,
    /// See [`Kind`].
    pub value: u64,
    /// [`Kind`] as a number.
    pub kind: u16,
    /// IP protocol number: 6 or 17, 0 without a socket.
    pub protocol: u8,
    /// [`Flow`] as a number.
    pub flow: u8,
    /// [`Cut`] as a number.
    pub cut: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// Process id (tgid); 0 when unknown.
    pub pid: u32,
    /// A positive error number, or 0.
    pub errno: i32,
    /// File descriptor.
    pub fd: i32,
    /// Bytes that the stream advanced.
    pub length: u32,
    /// Bytes of the payload that are valid.
    pub copied: u32,
    /// Network namespace's inode; 0 when unknown.
    pub net_namespace: u32,
    /// Name of the thread; empty when the current process is not the socket's.
    pub comm: [u8; 16],
    /// This end.
    pub local: SocketAddress,
    /// The other end.
    pub remote: SocketAddress,
}

/// What found no room in the ring buffer, of one socket, in a map that user space reads.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// How many records.
    pub count: u64,
    /// What the last one said of socket and process, and when. [`Kind::Closed`] stays its kind once that is among them.
    pub record: Record,
}

impl Loss {
    /// Nothing lost.
    pub const NONE: Self = Self {
        count: 0,
        record: Record {
            time: 0,
            socket: 0,
            value: 0,
            kind: 0,
            protocol: 0,
            flow: 0,
            cut: 0,
            reserved: [0; 3],
            pid: 0,
            errno: 0,
            fd: 0,
            length: 0,
            copied: 0,
            net_namespace: 0,
            comm: [0; 16],
            local: SocketAddress::NONE,
            remote: SocketAddress::NONE,
        },
    };
}

/// Whether a record of that kind can have that length, payload included.
pub fn is_record_length(kind: Kind, length: usize) -> bool {
    match length.checked_sub(size_of::<Record>()) {
        Some(0) => true,
        Some(payload) => kind.carries_payload() && CHUNK_CLASSES.contains(&payload),
        None => false,
    }
}

const _: () = {
    assert!(size_of::<SocketAddress>() == 24);
    assert!(align_of::<Record>() == 8);
    assert!(offset_of!(Record, kind) == 24);
    assert!(offset_of!(Record, pid) == 32);
    assert!(offset_of!(Record, comm) == 56);
    assert!(offset_of!(Record, local) == 72);
    assert!(size_of::<Record>() == 120);
    assert!(size_of::<Loss>() == 128);
};
