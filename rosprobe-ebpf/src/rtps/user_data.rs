//! User data of a writer that its socket knows: nearly all datagrams of a robot. They are counted after one read of their beginning,
//! without a walk; everything else is left to the walk.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::rtps::{flag, submessage as kind};
use rosprobe_common::{SocketState, WRITERS_OF_SOCKET, WriterState};

use super::submessages::{BEGINNING, BUILT_IN};
use super::writers::is_of;
use crate::datagram::Datagram;

/// Words that are read: the header, for whom and when it was said, and the beginning of DATA.
const WORDS: usize = 16;
/// Bytes of the beginning of DATA that are before what its second number counts from, and behind its head.
const BEFORE: u32 = 20;

/// First word of a submessage of this kind and length, as the processor reads it, without the flags of no interest.
const fn head(kind: u8, length: u32) -> u32 {
    kind as u32 | (flag::LITTLE_ENDIAN as u32) << 8 | length << 16
}

const INFO_TS: u32 = head(kind::INFO_TS, 8);
const INFO_DST: u32 = head(kind::INFO_DST, 12);
/// Leaves of a first word what [`head`] has.
const KIND_AND_LENGTH: u32 = 0xffff_01ff;

/// Counts a datagram in one piece of memory that is a message with a sample, and nothing else that tells anything; 0 when it is another
/// one, or its writer is not known yet.
#[inline(never)]
pub fn counted(datagram: &Datagram, state: &mut SocketState) -> u64 {
    if datagram.segments != 0 || datagram.room < datagram.length || datagram.length < 4 * WORDS as u32 {
        return 0;
    }
    let mut words = MaybeUninit::<[u32; WORDS]>::uninit();
    // SAFETY: the helper checks the address and writes the array or fails.
    let result =
        unsafe { bpf_probe_read_user(words.as_mut_ptr().cast(), 4 * WORDS as u32, datagram.address as *const _) };
    if result != 0 {
        return 0;
    }
    // SAFETY: written above.
    let words = unsafe { words.assume_init_ref() };
    if words[0] != BEGINNING {
        return 0;
    }
    // Constant places: what a place in the array is, the verifier would ask again and again.
    let done = match words[5] & KIND_AND_LENGTH {
        INFO_TS => match words[8] & KIND_AND_LENGTH {
            INFO_DST => sample::<12>(words, datagram, state),
            _ => sample::<8>(words, datagram, state),
        },
        INFO_DST => match words[9] & KIND_AND_LENGTH {
            INFO_TS => sample::<12>(words, datagram, state),
            _ => sample::<9>(words, datagram, state),
        },
        _ => sample::<5>(words, datagram, state),
    };
    u64::from(done)
}

/// Counts the sample whose submessage begins at word `AT`.
#[inline(always)]
fn sample<const AT: usize>(words: &[u32; WORDS], datagram: &Datagram, state: &mut SocketState) -> bool {
    let wanted = head(kind::DATA, 0) | u32::from(flag::PAYLOAD) << 8;
    if words[AT] & (0xff | wanted) != wanted {
        return false;
    }
    let begins = 4 * (AT as u32 + 1);
    let (length, left) = (words[AT] >> 16, datagram.length - begins);
    let length = if length == 0 || length > left { left } else { length };
    let end = begins + length;
    // What was looked at behind the place that this number counts from.
    let ahead = (words[AT + 1] >> 16).wrapping_sub(BEFORE - 4);
    if length < BEFORE || ahead > 0xffff || words[AT + 3] & BUILT_IN == BUILT_IN {
        return false;
    }
    if end != datagram.length && !ends_with_heartbeat(datagram, end) {
        return false;
    }
    let guid = [words[2], words[3], words[4], words[AT + 3]];
    let bytes = end.saturating_sub(begins + BEFORE + ahead);
    let mut at = 0;
    while at < WRITERS_OF_SOCKET {
        let place = &mut state.writers[at];
        if place.state == WriterState::User as u32 && is_of(place, &guid, u32::from(datagram.flow)) {
            place.messages += 1;
            place.bytes += u64::from(bytes);
            return true;
        }
        at += 1;
    }
    false
}

/// Whether all that comes from there on is a word of what the writer has.
#[inline(always)]
fn ends_with_heartbeat(datagram: &Datagram, at: u32) -> bool {
    if at + 4 > datagram.length {
        return false;
    }
    let mut word = MaybeUninit::<u32>::uninit();
    let address = datagram.address + u64::from(at);
    // SAFETY: the helper checks the address and writes the word or fails.
    if unsafe { bpf_probe_read_user(word.as_mut_ptr().cast(), 4, address as *const _) } != 0 {
        return false;
    }
    // SAFETY: written above.
    let word = unsafe { word.assume_init() };
    let length = word >> 16;
    word & 0x1ff == head(kind::HEARTBEAT, 0) && (length == 0 || at + 4 + length == datagram.length)
}
