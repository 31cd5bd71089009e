//! Datagrams: DNS and RTPS.

use rosprobe::decode::{Decoder, dns};
use rosprobe::event::{Clock, Direction, Event, Fact, Monotonic, ProcessRef, SocketRef, Transport};
use rosprobe::session::Session;

use super::input::frames;

/// One DNS message.
pub fn dns(input: &[u8]) {
    match dns::parse(input) {
        Ok(dns::Message::Query(questions)) => assert!(questions.len() <= input.len()),
        Ok(dns::Message::Answer { addresses, .. }) => assert!(addresses.len() <= input.len()),
        Err(error) => assert!(error.at() <= input.len()),
    }
}

/// RTPS datagrams one after another, up to what is concluded from them. The tag says which way, to whom, who saw it and when.
pub fn rtps(input: &[u8]) {
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    let (mut session, mut observations) = (Session::for_file(), Vec::new());
    let mut now = 0;
    for frame in frames(input) {
        now += u64::from(frame.tag >> 5) * 300_000_000;
        let remote = match frame.tag & 3 {
            0 => ([239, 255, 0, 1], 7400),
            1 => ([10, 77, 0, 2], 7410),
            2 => ([10, 77, 0, 2], 7661),
            _ => ([239, 255, 0, 1], 7650),
        };
        let socket = SocketRef {
            id: u64::from(frame.tag & 7),
            transport: Transport::Udp,
            local: Some(([10, 77, 0, 1], 40000).into()),
            remote: Some(remote.into()),
            net_namespace: 0,
        };
        let process = (frame.tag & 8 != 0).then(|| ProcessRef { pid: 7, started: 7, comm: "node".into() });
        let direction = if frame.tag & 16 == 0 { Direction::Sent } else { Direction::Received };
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let fact = Fact::Datagram { direction, bytes: frame.bytes.to_vec(), length };
        decoder.handle(Event { time: Monotonic(now), process, socket: Some(socket), fact }, &mut observations);
        for observation in observations.drain(..) {
            session.observe(observation);
        }
    }
    decoder.finish(Monotonic(now), &mut observations);
    for observation in observations {
        session.observe(observation);
    }
    session.advance(Monotonic(now + 60_000_000_000));
}
