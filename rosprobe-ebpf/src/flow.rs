//! The two directions of payload, and which results of a send or a receive mean nothing.

use rosprobe_common::Flow;

pub const SENT: usize = 0;
pub const RECEIVED: usize = 1;

const MSG_OOB: i32 = 0x1;
const MSG_PEEK: i32 = 0x2;
const MSG_ERRQUEUE: i32 = 0x2000;

const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
/// `ERESTARTSYS` and its like: a signal came, and the call begins again, or the process sees EINTR, or ends. It never sees these.
const RESTARTS: core::ops::RangeInclusive<i32> = 512..=516;

/// The direction.
#[inline(always)]
pub fn flow<const FLOW: usize>() -> Flow {
    if FLOW == SENT { Flow::Sent } else { Flow::Received }
}

/// A receive that takes no bytes away, or not those of the conversation.
#[inline(always)]
pub fn is_no_receive<const FLOW: usize>(flags: i32) -> bool {
    FLOW == RECEIVED && flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB) != 0
}

/// Errors after which the process does the same again.
#[inline(always)]
pub fn is_no_failure(errno: i32) -> bool {
    errno == EAGAIN || errno == EINTR || is_interrupted(errno)
}

/// A signal came before the call had a result.
#[inline(always)]
pub fn is_interrupted(errno: i32) -> bool {
    RESTARTS.contains(&errno)
}

const _: () = assert!(SENT == Flow::Sent as usize && RECEIVED == Flow::Received as usize);
