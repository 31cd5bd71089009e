//! Files: packet captures and traces, read, concluded from, written and read again.

use std::io::Cursor;

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::session::Session;
use rosprobe::trace::{self, Opened};

/// A packet capture, up to what is concluded from it.
pub fn pcap(input: &[u8]) {
    let Ok(mut capture) = PacketCapture::new(Cursor::new(input.to_vec())) else { return };
    let (mut events, mut out) = (Vec::new(), Vec::new());
    let (mut decoder, mut session) = (None, Session::for_file());
    let mut more = true;
    while more {
        more = capture.read(&mut events);
        let Some(clock) = capture.clock() else { break };
        let decoder = decoder.get_or_insert_with(|| Decoder::new(clock).of_packets());
        for event in events.drain(..) {
            decoder.handle(event, &mut out);
        }
        if !more {
            decoder.finish(capture.now(), &mut out);
        }
        for observation in out.drain(..) {
            session.observe(observation);
        }
    }
    session.advance(capture.now());
}

/// A trace. What opens is written, and opens again as the same; every report and export of it can be made.
pub fn trace(input: &[u8]) {
    let Ok(opened) = trace::open_bytes(input) else { return };
    let first = document(&opened);
    match trace::open_bytes(first.as_bytes()) {
        Ok(again) => assert_eq!(first, document(&again), "a second export is another one"),
        Err(error) => panic!("what was written does not open: {error}"),
    }
    let redacted = trace::redact(&opened);
    let _ = trace::markdown(&redacted);
    let _ = document(&redacted);
    let _ = serde_json::to_string(&trace::Report::of(&opened));
    let packets = trace::pcapng_bytes(&opened).unwrap_or_else(|error| panic!("no packets: {error}"));
    pcap(&packets);
}

fn document(opened: &Opened) -> String {
    trace::document_to_string(&opened.meta, &opened.session).unwrap_or_else(|error| panic!("not written: {error}"))
}
