//! What the first bytes of a direction say.

use crate::HEADER_LIMIT;

/// How many bytes at the beginning of a direction are enough to decide.
pub const OPENING_BYTES: usize = 20;

/// Shortest field of a header: a name of one character and `=`.
const FIELD_MINIMUM: u32 = 2;

/// What a direction begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Could still be one of ours.
    Undecided,
    /// An HTTP request by POST, or an HTTP answer: XML-RPC, as far as the kernel can tell.
    XmlRpc,
    /// A TCPROS connection header: `u32` length, then fields of `u32` length and `key=value`, all little-endian.
    Tcpros {
        /// Bytes of the header after the length.
        length: u32,
    },
    /// None of ours.
    Other,
}

/// Decides by the first `have` bytes of `head`.
#[inline]
pub fn opening(head: &[u8; OPENING_BYTES], have: usize) -> Opening {
    if begins(head, have, *b"POST") || begins(head, have, *b"HTTP") {
        return if have < 4 { Opening::Undecided } else { Opening::XmlRpc };
    }
    if have < 4 {
        return Opening::Undecided;
    }
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    if !(4 + FIELD_MINIMUM..=HEADER_LIMIT).contains(&length) {
        return Opening::Other;
    }
    if have < 8 {
        return Opening::Undecided;
    }
    let field = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if field < FIELD_MINIMUM || field > length - 4 {
        return Opening::Other;
    }
    first_key(head, have, length, field)
}

#[inline]
fn first_key(head: &[u8; OPENING_BYTES], have: usize, length: u32, field: u32) -> Opening {
    let mut at = 8;
    while at < OPENING_BYTES {
        if at >= have {
            return Opening::Undecided;
        }
        let byte = head[at];
        if byte == b'=' {
            return if at > 8 { Opening::Tcpros { length } } else { Opening::Other };
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most OPENING_BYTES")]
        let in_field = (at as u32) - 8 < field - 1;
        if !in_field || !(byte.is_ascii_alphanumeric() || byte == b'_') {
            return Opening::Other;
        }
        at += 1;
    }
    Opening::Tcpros { length }
}

#[inline]
fn begins(head: &[u8; OPENING_BYTES], have: usize, word: [u8; 4]) -> bool {
    let mut at = 0;
    while at < 4 && at < have {
        if head[at] != word[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(bytes: &[u8]) -> Opening {
        let mut head = [0xAA; OPENING_BYTES];
        let have = bytes.len().min(OPENING_BYTES);
        head[..have].copy_from_slice(&bytes[..have]);
        opening(&head, have)
    }

    const HEADER: &[u8] = b"\xb0\0\0\0\x0f\0\0\0callerid=/talker\x27\0\0\0md5sum=*";

    #[test]
    fn whole_openings() {
        for (bytes, expected) in [
            (&b"POST /RPC2 HTTP/1.1\r\n"[..], Opening::XmlRpc),
            (b"HTTP/1.0 200 OK\r\n", Opening::XmlRpc),
            (b"GET / HTTP/1.1\r\n", Opening::Other),
            (b"SSH-2.0-OpenSSH_9.9\r\n", Opening::Other),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Opening::Other),
            (HEADER, Opening::Tcpros { length: 0xb0 }),
            (b"\x40\0\0\0\x30\0\0\0message_definition=x", Opening::Tcpros { length: 0x40 }),
            (b"\x40\0\0\0\x04\0\0\0message_definition=x", Opening::Other),
            (b"\x40\0\0\0\x04\0\0\0=abc", Opening::Other),
            (b"\x40\0\0\0\x3d\0\0\0a=", Opening::Other),
            (b"\x05\0\0\0\x01\0\0\0a", Opening::Other),
            (b"\x06\0\0\0\x02\0\0\0a=", Opening::Tcpros { length: 6 }),
            (b"\0\0\0\0", Opening::Other),
            (b"\x01\0\x10\0", Opening::Other),
            (b"\x40\0\0\0\x04\0\0\0a b=", Opening::Other),
        ] {
            assert_eq!(decide(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn pieces_of_any_size_are_undecided_until_they_are_enough() {
        for (bytes, enough) in [(&b"POST /"[..], 4), (b"HTTP/1.1", 4), (HEADER, 17)] {
            for have in 0..enough {
                assert_eq!(decide(&bytes[..have]), Opening::Undecided, "{have} of {bytes:?}");
            }
            assert_eq!(decide(&bytes[..enough]), decide(bytes));
        }
    }
}
