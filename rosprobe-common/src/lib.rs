//! What the eBPF programs and user space share: the configuration that the loader writes, the records that come back, and limits.
//!
//! Both sides are built from this file, but not at the same moment: the compiled object is committed. [`LAYOUT_VERSION`] is in the
//! object, and the loader refuses another one.
#![no_std]

mod config;
mod opening;
mod peek;
mod record;
pub mod rtps;
mod socket;
mod system_call;
mod udpros;

pub use config::{Config, KernelOffsets, Syscalls, UNKNOWN_OFFSET};
pub use opening::{OPENING_BYTES, Opening, opening};
pub use peek::{PEEK_BYTES, Peek};
pub use record::{CHUNK_CLASSES, Cut, Flow, Kind, Loss, Record, SocketAddress, is_record_length};
pub use socket::{
    DirectionState, Framing, Protocol, SocketFlags, SocketState, WRITERS_OF_SOCKET, WriterCount, WriterKey, WriterState,
};
pub use system_call::{CALL_NUMBERS, CallClass};
pub use udpros::{UDPROS_DATA0, UDPROS_DATAN, UDPROS_HEADER, UDPROS_OPENING, begins_udpros, udpros_operation};

/// Changes whenever a shared layout or the meaning of a field changes.
pub const LAYOUT_VERSION: u32 = 8;

/// Sockets remembered at one time, the ones of no interest included; the least recently used is forgotten.
pub const SOCKET_LIMIT: u32 = 16 * 1024;
/// Sockets of no interest that are recognized before they are looked up, one in each place; a power of two.
pub const UNRELATED_PLACES: u32 = 16 * 1024;
/// Threads inside `connect()`, `sendmmsg()` or `recvmmsg()` at one time. Of more, the result of `connect()` counts as lost, and of the
/// others the least recently used is forgotten.
pub const THREAD_LIMIT: u32 = 4 * 1024;
/// Processes of which the end is reported; the least recently used is forgotten.
pub const PROCESS_LIMIT: u32 = 8 * 1024;
/// Processes that may have a descriptor of an internet socket, where payload is seen at the end of system calls; the least recently used
/// is forgotten.
pub const HOLDER_LIMIT: u32 = 16 * 1024;
/// Processes that are followed because a watched command started them.
pub const FOLLOWED_LIMIT: u32 = 8 * 1024;
/// Default size of the ring buffer, in bytes. The kernel maps it twice, one behind the other, and counts it twice in the reader's
/// resident memory.
pub const RING_BUFFER_BYTES: u32 = 4 * 1024 * 1024;
/// User space is woken at most once in this time, in nanoseconds; what comes in between it finds by looking again. While it says that it
/// will, it is woken only where the ring buffer fills.
pub const WAKE_UP_INTERVAL: u64 = 5_000_000;
/// Default limit on the payload that is copied of one XML-RPC message, in bytes.
pub const PAYLOAD_LIMIT: u32 = 1024 * 1024;
/// Longest TCPROS header that is taken for one, in bytes. A longer length prefix is not TCPROS.
pub const HEADER_LIMIT: u32 = 1024 * 1024;
/// Longest message that is taken for one, in bytes: what roscpp refuses as well.
pub const MESSAGE_LIMIT: u32 = 1_000_000_000;
/// Bytes that are copied of each answer of a service: errors are text, and results can be anything.
pub const SERVICE_ANSWER_LIMIT: u32 = 512;
/// Bytes that are copied of each request to a service: its length says that it was asked, its arguments are nobody's business.
pub const SERVICE_REQUEST_LIMIT: u32 = 4;
/// Chunks of a socket that had been open before that are searched for the beginning of XML-RPC, before it is only counted.
pub const MID_STREAM_LOOKS: u16 = 64;
/// Datagrams of a UDP socket that are looked at without finding RTPS or UDPROS, before it is left alone.
pub const DATAGRAM_LOOKS: u16 = 16;
/// Writers of user data that are counted at one time, besides those that their sockets have places for.
pub const WRITER_LIMIT: u32 = 32 * 1024;
/// Pairs of RTPS participants, or of reader and writer, of which it is remembered that they were told of.
pub const PAIR_LIMIT: u32 = 16 * 1024;
/// Addresses to which sends of UDP sockets failed, remembered at one time; the least recently used is forgotten.
pub const FAILURE_LIMIT: u32 = 4 * 1024;
/// Sockets of which it is remembered how many records found no room; the least recently used is forgotten, and what it lost is then
/// nobody's.
pub const LOSS_LIMIT: u32 = 8 * 1024;
/// Segments of one vector that are looked at; Linux allows no more (`UIO_MAXIOV`).
pub const IOVEC_LIMIT: u32 = 1024;
