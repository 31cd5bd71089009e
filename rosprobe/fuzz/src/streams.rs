//! Bytes of a connection: put in order, as HTTP, as XML-RPC and as TCPROS.

use rosprobe::decode::http::{Output, Reader, Role};
use rosprobe::decode::stream::{Assembler, Gap, Piece};
use rosprobe::decode::{Limits, content, tcpros, xmlrpc};
use rosprobe::event::{Chunk, Direction, GapCause, Monotonic};

use super::input::frames;

/// Limits that small inputs reach as well.
pub const SMALL: Limits = Limits {
    message: 2048,
    content: 4096,
    head: 512,
    values: 200,
    depth: 12,
    out_of_order: 512,
    patience: std::time::Duration::from_secs(1),
    outstanding: 4,
    sockets: 4,
    buffered: 8192,
};

/// The byte at an offset of the stream that the chunks below are cut from.
fn byte_at(offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Chunks of one stream in any order and with any overlaps: what is handed out is that stream, without a repetition, and every gap
/// is where it says.
pub fn stream(input: &[u8]) {
    const HELD_LIMIT: usize = 4096;
    let mut assembler = Assembler::new(HELD_LIMIT);
    let (mut next, mut pieces) = (0, Vec::new());
    for record in input.chunks_exact(6) {
        let mut offset = u64::from(u16::from_le_bytes([record[0], record[1]]));
        let (copied, missing) = (u64::from(record[2]) * 4, u32::from(record[3]));
        match record[4] % 8 {
            0 => assembler.give_up(&mut pieces),
            1 => offset = u64::MAX - offset,
            2 => offset = next,
            _ => {}
        }
        let length = u32::try_from(copied).unwrap_or(0) + missing;
        let bytes: Vec<u8> = (0..copied).map(|position| byte_at(offset.wrapping_add(position))).collect();
        let cut = (missing > 0).then_some(GapCause::Limit);
        let chunk = Chunk { direction: Direction::Sent, offset, bytes, length, cut };
        let _ = assembler.insert(chunk, Monotonic(u64::from(record[5])), &mut pieces);
        assert!(assembler.held_bytes() <= HELD_LIMIT);
        for piece in pieces.drain(..) {
            next = after(next, &piece);
        }
    }
    assembler.give_up(&mut pieces);
    assert_eq!((assembler.held_bytes(), assembler.waiting_since()), (0, None));
    pieces.drain(..).fold(next, |next, piece| after(next, &piece));
}

fn after(next: u64, piece: &Piece) -> u64 {
    match piece {
        Piece::Bytes { offset, bytes } => {
            assert_eq!(*offset, next);
            assert!(!bytes.is_empty());
            for (position, byte) in (0..).zip(bytes) {
                assert_eq!(*byte, byte_at(offset.wrapping_add(position)), "byte {position} from {offset}");
            }
            next + bytes.len() as u64
        }
        Piece::Gap(gap) => {
            assert_eq!(gap.from, next);
            assert!(gap.to > gap.from);
            gap.to
        }
    }
}

/// One direction of an HTTP connection, in pieces and with gaps. The first byte chooses the role and the limits.
pub fn http(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let role = if first & 1 == 0 { Role::Requests } else { Role::Answers };
    let limits = if first & 2 == 0 { Limits::default() } else { SMALL };
    let mut reader = Reader::new(role, 0, &limits);
    let mut offset = 0;
    let mut sink = |output: Output<'_>| match output {
        Output::Message { body, .. } => assert!(body.len() <= limits.message),
        Output::Incomplete { prefix, .. } => assert!(prefix.len() <= limits.message),
        Output::Malformed { .. } | Output::LostSync => {}
    };
    for frame in frames(rest) {
        match frame.tag % 8 {
            0 => {
                let to = offset + 1 + frame.bytes.len() as u64 * 256;
                reader.gap(Gap { from: offset, to, cause: GapCause::Lost }, &mut sink);
                offset = to;
            }
            1 => reader.forget(&mut sink),
            _ => {
                reader.push(frame.bytes, &mut sink);
                offset += frame.bytes.len() as u64;
            }
        }
        assert!(reader.buffered() <= limits.head + limits.message, "{} bytes kept", reader.buffered());
    }
    reader.close(&mut sink);
}

/// A body, perhaps compressed. The first byte chooses the coding and the limits.
pub fn xmlrpc(input: &[u8]) {
    let Some((&first, body)) = input.split_first() else { return };
    let limits = if first & 4 == 0 { Limits::default() } else { SMALL };
    let coding = [None, Some("gzip"), Some("deflate"), Some("x-gzip")][usize::from(first & 3)];
    let Ok(content) = content::decode(coding, body, limits.content) else { return };
    assert!(coding.is_none() || content.len() <= limits.content);
    let _ = xmlrpc::parse(&content, &limits);
    let _ = xmlrpc::method_of_prefix(&content);
}

/// A TCPROS header, and the same bytes as a service's answers, whole and in pieces.
pub fn tcpros(input: &[u8]) {
    let Some((&size, bytes)) = input.split_first() else { return };
    let _ = tcpros::judge(bytes);
    if let Ok(Some((header, used))) = tcpros::header(bytes, 1 << 20) {
        assert!(used <= bytes.len());
        let texts: usize = header.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        // Text that is no UTF-8 grows by its replacement characters.
        assert!(texts <= 3 * used);
    }
    let pieces = bytes.chunks(usize::from(size).max(1));
    assert_eq!(answers(std::iter::once(bytes)), answers(pieces));
}

fn answers<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<tcpros::ServiceAnswer, String>> {
    let mut reader = tcpros::ServiceAnswers::default();
    let mut seen = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match reader.take(piece) {
                Ok(Some((answer, used))) => {
                    seen.push(Ok(answer));
                    piece = &piece[used..];
                }
                Ok(None) => break,
                Err(error) => {
                    seen.push(Err(error.to_string()));
                    return seen;
                }
            }
            assert!(reader.buffered() <= tcpros::ServiceAnswers::ERROR_LIMIT + 5);
        }
    }
    seen
}
