//! Diagnostics through aya-log. Callers ask [`wanted`] first: where nobody wants them, the verifier knows that and takes the calls out.
//!
//! Every message is a function of its own, which the verifier looks at once, and which spends no stack of its caller.

use aya_log_ebpf::{debug, warn};
use rosprobe_common::Protocol;

use crate::maps::config;

/// Whether the loader was asked for diagnostics.
#[inline(always)]
pub fn wanted() -> bool {
    config!(log) != 0
}

/// What a socket speaks was decided.
#[inline(always)]
pub fn classified(cookie: u64, protocol: Protocol) {
    if wanted() {
        log_classified(cookie, protocol as u32);
    }
}

/// A socket was seen for the first time, while it was open.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_first_sight(cookie: u64, pid: u32) -> u64 {
    debug!(&(), "socket {} of process {}: first seen in a transfer", cookie, pid);
    0
}

/// What a socket speaks was decided.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_classified(cookie: u64, protocol: u32) -> u64 {
    if protocol == Protocol::XmlRpc as u32 {
        debug!(&(), "socket {}: classified as XML-RPC", cookie);
    } else if protocol == Protocol::Topic as u32 {
        debug!(&(), "socket {}: classified as TCPROS topic", cookie);
    } else if protocol == Protocol::Service as u32 {
        debug!(&(), "socket {}: classified as TCPROS service", cookie);
    } else if protocol == Protocol::Dns as u32 {
        debug!(&(), "socket {}: classified as DNS", cookie);
    } else if protocol == Protocol::Rtps as u32 {
        debug!(&(), "socket {}: classified as RTPS", cookie);
    } else if protocol == Protocol::Udpros as u32 {
        debug!(&(), "socket {}: classified as UDPROS", cookie);
    } else if protocol == Protocol::Other as u32 {
        debug!(&(), "socket {}: classified as of no interest", cookie);
    } else {
        debug!(&(), "socket {}: beginning not seen, bytes counted", cookie);
    }
    0
}

/// A transfer's bytes are not where a system call that is understood has them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_not_located(cookie: u64, length: u32, number: u32) -> u64 {
    warn!(&(), "socket {}: {} bytes not located in system call {}", cookie, length, number);
    0
}

/// A transfer went by outside any system call of a 64-bit program: io_uring, a kernel thread, a 32-bit call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_no_call(cookie: u64, length: u32) -> u64 {
    warn!(&(), "socket {}: {} bytes outside any 64-bit system call", cookie, length);
    0
}

/// Payload could not be copied from user memory.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_unreadable(cookie: u64, length: u32) -> u64 {
    warn!(&(), "socket {}: {} bytes of user memory could not be read", cookie, length);
    0
}

/// A record found the ring buffer full.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn log_no_room(cookie: u64, kind: u32) -> u64 {
    warn!(&(), "socket {}: no room for a record of kind {}", cookie, kind);
    0
}
