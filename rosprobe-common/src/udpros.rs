//! What the first bytes of a datagram say of UDPROS.
//!
//! The protocol has no mark of its own, but the first datagram of a message says three lengths that must agree: how many datagrams the
//! message has, how long the message is, and how long the datagram is. Source: `ros/transport/transport_udp.h` and `transport_udp.cpp`
//! of `roscpp`, the only implementation.

use crate::MESSAGE_LIMIT;

/// Length of the header in bytes: connection id (`u32`), operation (`u8`), message id (`u8`), block (`u16`), all little-endian.
pub const UDPROS_HEADER: u32 = 8;
/// First bytes of a datagram that are enough to decide: the header, and the length of the message.
pub const UDPROS_OPENING: u32 = UDPROS_HEADER + 4;
/// Operation of a message's first datagram; its block is the number of datagrams.
pub const UDPROS_DATA0: u32 = 0;
/// Operation of a further datagram.
pub const UDPROS_DATAN: u32 = 1;

/// The operation in the second word of the header.
#[inline]
pub const fn udpros_operation(control: u32) -> u32 {
    control & 0xff
}

/// Whether a datagram of `length` bytes that begins with these three little-endian words begins a message of UDPROS.
#[inline]
pub const fn begins_udpros(head: [u32; 3], length: u32) -> bool {
    let [_connection, control, size] = head;
    let blocks = (control >> 16) as u64;
    if udpros_operation(control) != UDPROS_DATA0 || blocks == 0 || length < UDPROS_OPENING || size > MESSAGE_LIMIT {
        return false;
    }
    let (payload, message) = ((length - UDPROS_HEADER) as u64, size as u64 + 4);
    // All datagrams but the last one are full.
    if blocks == 1 { message == payload } else { message > payload * (blocks - 1) && message <= payload * blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(bytes: &[u8], length: u32) -> bool {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        begins_udpros([word(0), word(4), word(8)], length)
    }

    #[test]
    fn messages_of_one_datagram_and_of_several() {
        // As roscpp sent it.
        assert!(begins(b"\x01\0\0\0\0\x01\x01\0\x09\0\0\0\x05\0\0\0cpp 7", 21));
        assert!(begins(b"\0\0\0\0\0\x01\x01\0\0\0\0\0", 12), "std_msgs/Empty");
        // 20,004 bytes in 14 datagrams of 1492.
        assert!(begins(b"\x01\0\0\0\0\x02\x0e\0\x20\x4e\0\0", 1500));
    }

    #[test]
    fn nothing_else_does() {
        for (bytes, length, what) in [
            (b"\x01\0\0\0\x01\x01\x01\0\x09\0\0\0", 21, "a further datagram"),
            (b"\x01\0\0\0\x02\x01\x01\0\x09\0\0\0", 21, "a ping"),
            (b"\x01\0\0\0\0\x01\0\0\x09\0\0\0", 21, "no block"),
            (b"\x01\0\0\0\0\x01\x01\0\x0a\0\0\0", 21, "a message that is longer than its only datagram"),
            (b"\x01\0\0\0\0\x02\x0d\0\x20\x4e\0\0", 1500, "too few datagrams"),
            (b"\x01\0\0\0\0\x02\x0f\0\x20\x4e\0\0", 1500, "too many datagrams"),
            (b"\x01\0\0\0\0\x02\xff\xff\xff\xff\xff\xff", 1500, "a message that is too long"),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", 12, "zeros"),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "ones"),
            (b"RTPS\x02\x03\x01\x0f\0\0\0\0", 100, "RTPS"),
        ] {
            assert!(!begins(bytes, length), "{what}");
        }
    }
}
