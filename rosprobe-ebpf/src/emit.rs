//! What is told to user space: a fact about a socket, and payload with it.

use rosprobe_common::{Cut, Flow, Kind, SocketAddress};

#[cfg(feature = "bounded")]
use crate::emission;
use crate::record::{Emission, NO_ROOM, UNREADABLE};
#[cfg(not(feature = "bounded"))]
use crate::record::{emit_record, lose_record};
use crate::{kernel, log};

/// What a record says besides its socket.
pub struct Fact {
    pub kind: Kind,
    pub value: u64,
    pub errno: i32,
    pub fd: i32,
    pub flow: Flow,
    /// Process; 0 when unknown.
    pub pid: u32,
    /// Whether the current task is that process.
    pub current: bool,
}

impl Fact {
    /// A fact about the current process.
    #[inline(always)]
    pub fn here(kind: Kind) -> Self {
        Self { kind, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid: kernel::current_pid(), current: true }
    }

    /// A fact about a process that need not be the current one.
    #[inline(always)]
    pub fn of(kind: Kind, pid: u32) -> Self {
        let current = pid != 0 && pid == kernel::current_pid();
        Self { kind, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid, current }
    }
}

/// The socket that a record is about.
pub struct Socket<'a> {
    /// Address of the kernel's `struct sock`; 0 when unknown.
    pub sk: u64,
    /// Its cookie.
    pub cookie: u64,
    /// Protocol number.
    pub protocol: u8,
    /// The peer, where it is not the one in `sk`.
    pub remote: Option<&'a SocketAddress>,
}

/// A fact about no socket.
pub const NO_SOCKET: Socket<'static> = Socket { sk: 0, cookie: 0, protocol: 0, remote: None };

/// Where payload is, and how much of it is copied.
pub struct Payload {
    /// In the memory of the current process.
    pub address: u64,
    /// Bytes to copy; at most the largest class.
    pub copy: u32,
    /// Bytes that this stands for.
    pub length: u32,
    pub cut: Cut,
}

/// No payload.
const NONE: Payload = Payload { address: 0, copy: 0, length: 0, cut: Cut::None };

/// Emits a record without payload.
#[inline(always)]
pub fn emit(socket: &Socket<'_>, fact: &Fact) {
    emit_payload(socket, fact, &NONE);
}

/// Emits a record with payload.
#[cfg(not(feature = "bounded"))]
#[inline(always)]
pub fn emit_payload(socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    let mut emission: Emission = kernel::zeroed();
    describe(&mut emission, socket, fact, payload);
    // One after the other, so that their stacks do not add up.
    let became = emit_record(&raw const emission);
    if became == NO_ROOM {
        lose_record(&raw const emission);
        if log::wanted() {
            log::log_no_room(emission.cookie, u32::from(emission.kind));
        }
    } else if became == UNREADABLE && log::wanted() {
        log::log_unreadable(emission.cookie, emission.copy);
    }
}

/// Emits a record with payload.
#[cfg(feature = "bounded")]
#[inline(always)]
pub fn emit_payload(socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    let Some(ready) = emission::described(|emission| describe(emission, socket, fact, payload)) else { return };
    // One after the other, so that their stacks do not add up.
    let became = ready.emit();
    if became == NO_ROOM {
        ready.lose();
        if log::wanted() {
            log::log_no_room(socket.cookie, fact.kind as u32);
        }
    } else if became == UNREADABLE && log::wanted() {
        log::log_unreadable(socket.cookie, payload.copy);
    }
    ready.forget();
}

#[inline(always)]
fn describe(emission: &mut Emission, socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    emission.sk = socket.sk;
    emission.cookie = socket.cookie;
    emission.value = fact.value;
    emission.address = payload.address;
    emission.copy = payload.copy;
    emission.length = payload.length;
    emission.pid = fact.pid;
    // At most 4095.
    emission.errno = fact.errno as i16;
    emission.fd = fact.fd;
    emission.current = u8::from(fact.current);
    emission.kind = fact.kind as u16;
    emission.protocol = socket.protocol;
    emission.flow = fact.flow as u8;
    emission.cut = payload.cut as u8;
    if let Some(remote) = socket.remote {
        kernel::copy(remote, &mut emission.remote);
    }
}
