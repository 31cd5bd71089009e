//! The whole decoder: facts of a few sockets in any order, up to what is concluded from them.

use rosprobe::decode::{Decoder, Limits};
use rosprobe::errno::Errno;
use rosprobe::event::{
    Chunk, Clock, Direction, Event, Fact, GapCause, Monotonic, ProcessRef, SocketRef, Traffic, Transport,
};
use rosprobe::session::Session;

use super::input::{Frame, frames};
use super::streams::SMALL;

/// Bytes of a frame that say what happens where; what follows is payload.
const HEAD: usize = 4;

/// Facts one after another. The first byte chooses the limits.
pub fn decoder(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let limits = if first & 1 == 0 { Limits::default() } else { SMALL };
    let mut decoder = Decoder::with_limits(Clock { zero: jiff::Timestamp::UNIX_EPOCH }, limits);
    if first & 2 != 0 {
        decoder = decoder.of_packets();
    }
    let (mut session, mut out) = (Session::for_file(), Vec::new());
    let (mut now, mut ids) = (0, 0);
    let mut offsets = [0_u64; 16];
    for frame in frames(rest) {
        now += u64::from(frame.tag >> 4) * 40_000_000;
        let Some(event) = event(now, frame, &mut offsets) else { continue };
        decoder.handle(event, &mut out);
        let busiest = limits.message + limits.head + limits.out_of_order;
        assert!(decoder.buffered() <= limits.buffered + 2 * busiest, "{} bytes kept", decoder.buffered());
        for observation in out.drain(..) {
            ids += 1;
            assert_eq!(observation.id.0, ids);
            session.observe(observation);
        }
    }
    decoder.finish(Monotonic(now), &mut out);
    for observation in out {
        session.observe(observation);
    }
    session.advance(Monotonic(now + 60_000_000_000));
}

fn event(now: u64, frame: Frame<'_>, offsets: &mut [u64; 16]) -> Option<Event> {
    let (&[who, what, skip, errno], payload) = frame.bytes.split_first_chunk::<HEAD>()?;
    let id = u64::from(who & 7);
    let direction = if what & 0x80 == 0 { Direction::Sent } else { Direction::Received };
    let errno_of = |byte: u8| Errno(i32::from(byte % 134));
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut udp = false;
    let fact = match what & 0x1f {
        0 => Fact::ConnectReturned { fd: 7, errno: (errno != 0).then(|| errno_of(errno)), took_ns: u64::from(skip) },
        1 => Fact::SynSent,
        2 => Fact::Established { incoming: errno & 1 == 1 },
        3 => Fact::SynRetransmitted,
        4 => Fact::SocketError { errno: errno_of(errno) },
        5 => Fact::SoftError { errno: errno_of(errno) },
        6 => Fact::IoFailed { direction, errno: errno_of(errno), count: u64::from(skip) },
        7 => Fact::AlreadyOpen,
        8 => Fact::PeerClosed,
        9 => Fact::Closed,
        10 => Fact::ProcessExited,
        11 => Fact::Lost { events: u64::from(skip) },
        12 => Fact::Traffic(Traffic {
            sent_bytes: u64::from(skip),
            received_messages: u64::from(errno),
            ..Traffic::default()
        }),
        13 => Fact::DataRetransmitted,
        14 | 15 => {
            udp = true;
            Fact::Datagram { direction, bytes: payload.to_vec(), length: length + u32::from(skip) }
        }
        16 => Fact::Bound { errno: (errno != 0).then(|| errno_of(errno)), already: false },
        _ => {
            let next = &mut offsets[usize::from(who & 7) * 2 + usize::from(direction == Direction::Received)];
            // Mostly in order; now and then with a hole, again, or from nowhere.
            let offset = match errno & 0x0f {
                0 => next.saturating_sub(u64::from(skip)),
                1 => next.saturating_add(u64::from(skip)),
                2 => u64::MAX - u64::from(skip),
                _ => *next,
            };
            let cut = (errno & 0xf0 == 0x10).then_some(GapCause::Limit);
            let length = if cut.is_some() { length + u32::from(skip) } else { length };
            *next = offset.saturating_add(length.into());
            Fact::Stream(Chunk { direction, offset, bytes: payload.to_vec(), length, cut })
        }
    };
    let remote_port = if udp { 53 } else { [11311, 41235, 40001, 11311][usize::from(who & 3)] };
    let socket = SocketRef {
        id,
        transport: if udp { Transport::Udp } else { Transport::Tcp },
        local: Some(([192, 168, 50, 2], 40000 + u16::from(who & 7)).into()),
        remote: Some(([10, 0, 1, 1], remote_port).into()),
        net_namespace: 1,
    };
    let pid = u32::from(who >> 6);
    let process = (pid != 0).then(|| ProcessRef { pid, started: 7, comm: "node".into() });
    Some(Event { time: Monotonic(now), process, socket: Some(socket), fact })
}

/// A frame's bytes for the next bytes of a connection.
pub fn stream_frame(socket: u8, direction: Direction, bytes: &[u8]) -> Vec<u8> {
    let what = 0x11 | if direction == Direction::Received { 0x80 } else { 0 };
    [&[(socket & 7) | 0x40, what, 0, 0xff][..], bytes].concat()
}

/// A frame's bytes for a fact without payload: 0 `connect()` returned, 1 SYN sent, 2 established, 9 closed.
pub fn fact_frame(socket: u8, fact: u8, incoming: bool) -> Vec<u8> {
    vec![(socket & 7) | 0x40, fact, 0, u8::from(incoming)]
}
