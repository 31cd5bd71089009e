//! UDPROS datagrams: messages and bytes are counted by connection id. All that names a link went over XML-RPC before.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::{
    Protocol, SocketState, UDPROS_DATA0, UDPROS_DATAN, UDPROS_HEADER, UDPROS_OPENING, WRITERS_OF_SOCKET, WriterState,
    begins_udpros, udpros_operation,
};

use crate::datagram::{Datagram, vector_entry};

/// Counts one datagram of a socket; true when it is UDPROS. Of a socket that is not known to speak it, only the beginning of a message
/// tells. A length of 0: it could not be sent, and is only looked at.
#[inline(always)]
pub fn taken(datagram: &Datagram, state: &mut SocketState) -> bool {
    udpros_datagram(&raw const *datagram, &raw mut *state) != 0
}

#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
extern "C" fn udpros_datagram(datagram: *const Datagram, state: *mut SocketState) -> u64 {
    // SAFETY: not null, and then the verifier has checked that they are what their types say.
    let (Some(datagram), Some(state)) = (unsafe { (datagram.as_ref(), state.as_mut()) }) else { return 0 };
    let mut head = [0u32; 3];
    let offered = read(datagram, &mut head);
    let length = if datagram.length != 0 { datagram.length } else { offered };
    if length < UDPROS_OPENING {
        // Only the last datagram of a message in several is that short.
        if length <= UDPROS_HEADER || state.protocol != Protocol::Udpros as u8 {
            return 0;
        }
    } else if state.protocol != Protocol::Udpros as u8 && !begins_udpros(head, length) {
        return 0;
    }
    if datagram.length != 0 {
        count(state, datagram, head[0], udpros_operation(head[1]));
    }
    1
}

/// Reads the first three words, which roscpp has in two pieces of memory: header and message. Gives the room of both.
#[inline(always)]
fn read(datagram: &Datagram, head: &mut [u32; 3]) -> u32 {
    let (mut first, mut room) = (datagram.address, u64::from(datagram.room));
    let mut offered = room;
    let mut message = first + u64::from(UDPROS_HEADER);
    if datagram.segments > 0 {
        let Some(entry) = vector_entry(datagram, 0) else { return 0 };
        (first, room) = entry;
        offered = room;
        message = first + u64::from(UDPROS_HEADER);
        if datagram.segments > 1 {
            let Some(entry) = vector_entry(datagram, 1) else { return 0 };
            offered += entry.1;
            if room == u64::from(UDPROS_HEADER) {
                message = entry.0;
            }
        }
    }
    if room < u64::from(UDPROS_HEADER) {
        return 0;
    }
    let words = head.as_mut_ptr();
    // SAFETY: the helper checks the addresses and writes two words and one, which the array has.
    unsafe {
        if bpf_probe_read_user(words.cast(), UDPROS_HEADER, first as *const _) != 0 {
            return 0;
        }
        // What cannot be read stays 0, and then the lengths do not agree.
        let _ = bpf_probe_read_user(words.add(2).cast(), 4, message as *const _);
    }
    offered as u32
}

/// Two threads that send on one socket at the same moment may count as one: no implementation does that. A socket has as many connections
/// as places; roscpp gives each a socket of its own.
#[inline(always)]
fn count(state: &mut SocketState, datagram: &Datagram, connection: u32, operation: u32) {
    if operation != UDPROS_DATA0 && operation != UDPROS_DATAN {
        return;
    }
    let mut at = 0;
    while at < WRITERS_OF_SOCKET {
        let place = &mut state.writers[at];
        if place.state == WriterState::Free as u32 {
            place.state = WriterState::User as u32;
            place.guid[0] = connection;
            place.flow = u32::from(datagram.flow);
        }
        if place.guid[0] == connection && place.flow == u32::from(datagram.flow) {
            place.messages += u64::from(operation == UDPROS_DATA0);
            place.bytes += u64::from(datagram.length - UDPROS_HEADER);
            return;
        }
        at += 1;
    }
}
