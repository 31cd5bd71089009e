//! Which pairs were told of: participants that know of each other, and readers that answer writers.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;

use super::message::{Message, found};
use crate::kernel::zeroed;
use crate::maps::{PAIRS, Pair};

/// What was told of a pair is told again after this time, in nanoseconds: the record may have been lost.
const TELL_AGAIN_NS: u64 = 30_000_000_000;

/// Whether user space wants it: discovery, or the first sign that two participants know of each other.
#[inline(always)]
pub fn is_wanted(message: &Message) -> bool {
    message.has(found::WANTED) || (!message.has(found::USER) && message.is_addressed() && first_time(message, 0, 0))
}

/// A reader's first answer to a writer, which is what was looked at last, is wanted as well. Asked after a step, whose stack is not
/// there any more then.
#[inline(always)]
pub fn look_up_answer(message: &mut Message) {
    if message.has(found::ANSWER) {
        message.found &= !found::ANSWER;
        let [reader, writer, ..] = message.head;
        if first_time(message, reader, writer) {
            message.found |= found::WANTED;
        }
    }
}

/// Whether who sends addresses whom it does for the first time, or for the first time after a while. The entities are 0 for the
/// participants themselves. The pair is on a stack: up to Linux 6.1 the verifier takes no key that a global function was given.
#[inline(always)]
fn first_time(message: &Message, reader: u32, writer: u32) -> bool {
    is_first(message, reader, writer) != 0
}

#[inline(never)]
fn is_first(message: &Message, reader: u32, writer: u32) -> u64 {
    let ([a, b, c, _], [x, y, z]) = (message.guid, message.to);
    let mut pair: Pair = zeroed();
    pair.from[0] = a;
    pair.from[1] = b;
    pair.from[2] = c;
    pair.reader = reader;
    pair.to[0] = x;
    pair.to[1] = y;
    pair.to[2] = z;
    pair.writer = writer;
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(told) = PAIRS.get_ptr(&pair) {
        // SAFETY: memory of the map.
        let told = unsafe { told.read_volatile() };
        if now.wrapping_sub(told) < TELL_AGAIN_NS {
            return 0;
        }
    }
    let _ = PAIRS.insert(&pair, &now, 0);
    1
}
