//! One datagram: where its bytes are, whom it goes to, and how it is copied.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::{Cut, Flow, Kind, SocketAddress};

use crate::connect::user_address;
use crate::emit::{Fact, Payload, Socket, emit_payload};
use crate::kernel::{self, UDP};

/// Largest piece that one record carries.
const PIECE: u32 = 32 * 1024;

/// One datagram. Without pointers, so that it can be the argument of functions that the verifier looks at once, each.
#[repr(C, align(8))]
pub struct Datagram {
    pub sk: u64,
    pub cookie: u64,
    /// The buffer or the vector.
    pub address: u64,
    /// Address of the peer's socket address, given by a send; 0 when none.
    pub name: u64,
    /// The peer, once somebody asked for it; no family where it is not known.
    pub remote: SocketAddress,
    /// Bytes of the datagram.
    pub length: u32,
    /// Length of the buffer, as far as it may be needed.
    pub room: u32,
    /// Segments of the vector; 0: a buffer.
    pub segments: u16,
    /// [`Flow`] as a number.
    pub flow: u16,
    /// Length of the peer's socket address.
    pub name_length: u32,
}

impl Datagram {
    /// The socket with the datagram's peer.
    #[inline(always)]
    pub fn socket(&self) -> Socket<'_> {
        let remote = if self.remote.family == 0 { None } else { Some(&self.remote) };
        Socket { sk: self.sk, cookie: self.cookie, protocol: UDP, remote }
    }

    /// A fact about it.
    #[inline(always)]
    pub fn fact(&self, kind: Kind, value: u64) -> Fact {
        let flow = if self.flow == Flow::Sent as u16 { Flow::Sent } else { Flow::Received };
        // A socket's datagrams may be sent by several threads at once, and then their pieces mix.
        let (pid, thread) = kernel::current_pid_and_thread();
        Fact { kind, value, errno: 0, fd: thread as i32, flow, pid, current: true }
    }
}

/// Whom it goes to. Of user data nobody asks.
#[inline(never)]
pub fn find_peer(datagram: &mut Datagram) -> u64 {
    if datagram.name == 0 || !user_address(datagram.name, u64::from(datagram.name_length), &mut datagram.remote) {
        kernel::remote(datagram.sk, &mut datagram.remote);
    }
    0
}

/// The address and the length of a segment; `None` when they cannot be read.
#[inline(always)]
pub fn vector_entry(datagram: &Datagram, index: u64) -> Option<(u64, u64)> {
    let mut segment: [u64; 2] = kernel::zeroed();
    let address = datagram.address + (index & 0x3ff) * 16;
    // SAFETY: the helper checks the address and writes at most the array.
    let result = unsafe { bpf_probe_read_user(segment.as_mut_ptr().cast(), 16, address as *const _) };
    (result == 0).then_some((segment[0], segment[1]))
}

/// Copies what the datagram has of a piece of memory, and says how much that is. A datagram has less than 64 KiB, so that it is at
/// most two records.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle), inline(never))]
#[cfg_attr(feature = "bounded", inline(always))]
pub extern "C" fn copy_piece(datagram: *const Datagram, address: u64, length: u64, at: u32) -> u64 {
    // SAFETY: not null, and then the verifier has checked that it is a `Datagram`.
    let Some(datagram) = (unsafe { datagram.as_ref() }) else { return 0 };
    let left = datagram.length.saturating_sub(at);
    let count = if length < u64::from(left) { length as u32 } else { left };
    let mut done = 0;
    while done < 2 {
        let before = done * PIECE;
        if count > before {
            let piece = if count - before < PIECE { count - before } else { PIECE };
            let payload =
                Payload { address: address + u64::from(before), copy: piece, length: datagram.length, cut: Cut::None };
            let fact = datagram.fact(Kind::Datagram, u64::from(at + before));
            emit_payload(&datagram.socket(), &fact, &payload);
        }
        done += 1;
    }
    u64::from(count)
}
