//! The same bytes in other pieces say the same.

use proptest::prelude::*;
use rosprobe::event::{Direction, Fact};
use rosprobe::observation::What;

use crate::feed::{Feed, call, chunk, request, response, tcpros};
use crate::messages::{folder, names, read};

fn pieces(direction: Direction, pieces: &[&[u8]]) -> Vec<What> {
    let mut feed = Feed::new();
    for piece in pieces {
        feed.bytes(direction, piece);
    }
    feed.whats()
}

/// Every request, answer and header, cut in two at every byte, and byte by byte.
#[test]
fn every_message_cut_at_every_byte_says_the_same() {
    let names = [names(".http"), names(".bin")].concat();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for first in 0..threads {
            let names = names.iter().skip(first).step_by(threads);
            scope.spawn(move || names.for_each(|name| cut_everywhere(name)));
        }
    });
}

fn cut_everywhere(name: &str) {
    let bytes = read(name);
    let whole = pieces(Direction::Sent, &[&bytes]);
    assert!(!whole.is_empty(), "{name}");
    // The two long ones: every byte of the head, and some of the body.
    let short = bytes.len() < 20_000;
    for cut in (1..bytes.len()).filter(|cut| short || *cut < 200 || cut % 17_001 == 0) {
        assert_eq!(pieces(Direction::Sent, &[&bytes[..cut], &bytes[cut..]]), whole, "{name} cut at {cut}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(pieces(Direction::Sent, &single), whole, "{name} byte by byte");
}

/// Sizes in which real clients read answers: `(file, sizes)`.
#[test]
fn sizes_that_were_seen() {
    let name = "python-to-python-getParam-gzip-resp.http";
    assert!(folder().join(name).exists());
    let bytes = read(name);
    for sizes in [&[138, 4095, 4095, 330][..], &[8192, 543]] {
        let mut rest = &bytes[..];
        let mut feed = Feed::new();
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            feed.received(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(feed.whats(), pieces(Direction::Received, &[&bytes]));
    }
}

/// A connection with pipelined calls and their answers, and one of TCPROS with a service.
fn conversations() -> [(Vec<u8>, Vec<u8>); 2] {
    let calls = [
        request(&call("getPid", &["/me"])),
        request(&call("lookupNode", &["/me", "/talker"])),
        request(&call("noSuchMethod", &[])),
    ];
    let document =
        response("<array><data><value><int>1</int></value><value>ok</value><value>http://a:1/</value></data></array>");
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{document}\r\n0\r\n\r\n", document.len());
    let answers =
        [crate::feed::answer(&document), chunked.into_bytes(), format!("HTTP/1.0 200 OK\n\n{document}").into_bytes()];
    let client = [tcpros(&["callerid=/me", "service=/do_it", "md5sum=*"]), b"\x02\0\0\0hi".to_vec()].concat();
    let server =
        [tcpros(&["callerid=/srv", "md5sum=abc"]), b"\x01\x04\0\0\0donexx\0\x02\0\0\0no"[..9].to_vec()].concat();
    [(calls.concat(), answers.concat()), (client, server)]
}

proptest! {
    #[test]
    fn any_split_of_both_directions_says_the_same(
        which in 0..2_usize,
        cuts in prop::collection::vec((any::<bool>(), 1..40_usize), 1..200),
    ) {
        let (sent, received) = &conversations()[which];
        let run = |cuts: &[(bool, usize)]| {
            let mut feed = Feed::new();
            // An answer never comes before its call.
            let mut rest = &sent[..];
            for (_, size) in cuts {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                feed.sent(piece);
                rest = after;
            }
            feed.sent(rest);
            let mut rest = &received[..];
            for (_, size) in cuts.iter().rev() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                feed.received(piece);
                rest = after;
            }
            feed.received(rest);
            feed.fact(Fact::PeerClosed);
            // Times differ with the number of pieces.
            let mut whats = feed.whats();
            for what in &mut whats {
                if let What::Answer { after_ns, .. } = what {
                    prop_assert!(after_ns.is_some());
                    *after_ns = None;
                }
            }
            Ok(whats)
        };
        prop_assert_eq!(run(&cuts)?, run(&[])?);
    }

    #[test]
    fn any_order_of_segments_says_the_same(
        seed in any::<u64>(),
        size in 20..200_usize,
    ) {
        let (sent, _) = &conversations()[0];
        let mut segments: Vec<_> = sent.chunks(size).enumerate().map(|(n, bytes)| ((n * size) as u64, bytes)).collect();
        // A permutation, and each segment twice.
        segments.extend(segments.clone());
        let key = |offset: u64| (offset ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(seed | 1);
        segments.sort_by_key(|(offset, _)| key(*offset));
        let mut feed = Feed::new();
        for (offset, bytes) in segments {
            feed.fact(Fact::Stream(chunk(Direction::Sent, offset, bytes)));
        }
        let methods: Vec<_> = feed.whats().into_iter().map(|what| match what {
            What::Call { call, .. } => call.method().to_owned(),
            other => format!("{other:?}"),
        }).collect();
        prop_assert_eq!(methods, ["getPid", "lookupNode", "noSuchMethod"]);
    }
}
