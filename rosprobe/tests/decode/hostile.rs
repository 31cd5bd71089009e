//! Whatever bytes and events come, nothing panics and nothing grows without bound.

use proptest::prelude::*;
use rosprobe::decode::{Limits, content, dns, tcpros, xmlrpc};
use rosprobe::errno::Errno;
use rosprobe::event::{Chunk, Direction, Event, Fact, GapCause, Monotonic, SocketRef, Traffic, Transport};
use rosprobe::observation::What;

use crate::feed::{Feed, process, tcp};

/// What protocols are made of.
const WORDS: &[&[u8]] = &[
    b"POST / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: 9\r\n",
    b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: text/xml\r\n",
    b"\r\n",
    b"5\r\n",
    b"0\r\n\r\n",
    b"<?xml version='1.0'?>",
    b"<methodCall><methodName>getPid</methodName>",
    b"<params><param><value><array><data>",
    b"</data></array></value></param></params></methodCall>",
    b"<methodResponse>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>&a;",
    b"\x10\0\0\0\x0c\0\0\0callerid=/me",
    b"\xff\xff\xff\xff",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
    b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\xc0\x0c",
];

/// Bytes that often look like something.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(WORDS).prop_map(<[u8]>::to_vec);
    let piece = prop_oneof![3 => word, 1 => prop::collection::vec(any::<u8>(), 0..40)];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Sent), Just(Direction::Received)]
}

fn errno() -> impl Strategy<Value = Errno> {
    (1..134_i32).prop_map(Errno)
}

fn fact() -> impl Strategy<Value = Fact> {
    let cut = prop_oneof![Just(None), Just(Some(GapCause::Limit)), Just(Some(GapCause::NotCopied))];
    let offset = prop_oneof![8 => 0..300_u64, 1 => any::<u64>()];
    let extra = prop_oneof![4 => Just(0_u32), 1 => 0..100_u32, 1 => any::<u32>()];
    let stream = (direction(), offset, bytes(), extra, cut).prop_map(|(direction, offset, bytes, extra, cut)| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(extra);
        Fact::Stream(Chunk { direction, offset, bytes, length, cut })
    });
    prop_oneof![
        6 => stream,
        1 => (any::<i32>(), prop::option::of(errno()), any::<u64>()).prop_map(|(fd, errno, took_ns)| Fact::ConnectReturned { fd, errno, took_ns }),
        1 => Just(Fact::SynSent),
        1 => any::<bool>().prop_map(|incoming| Fact::Established { incoming }),
        1 => Just(Fact::SynRetransmitted),
        1 => errno().prop_map(|errno| Fact::SocketError { errno }),
        1 => (direction(), errno(), any::<u64>()).prop_map(|(direction, errno, count)| Fact::IoFailed { direction, errno, count }),
        1 => (direction(), bytes(), any::<u32>()).prop_map(|(direction, bytes, length)| Fact::Datagram { direction, bytes, length }),
        1 => Just(Fact::Aborted),
        1 => Just(Fact::AlreadyOpen),
        1 => Just(Fact::PeerClosed),
        1 => Just(Fact::Closed),
        1 => Just(Fact::Traffic(Traffic::default())),
        1 => (direction(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(direction, connection, messages, bytes)| Fact::UdprosData { direction, connection, messages, bytes }),
        1 => any::<u64>().prop_map(|events| Fact::Lost { events }),
        1 => Just(Fact::ProcessExited),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u32>(), 0..6_u64, any::<bool>(), any::<bool>(), fact()).prop_map(|(time, id, known, udp, fact)| {
        let socket = if udp {
            SocketRef { transport: Transport::Udp, remote: "10.0.0.1:53".parse().ok(), ..tcp(id) }
        } else {
            tcp(id)
        };
        let process = known.then(process);
        Event { time: Monotonic(u64::from(time) * 1000), process, socket: Some(socket), fact }
    })
}

proptest! {
    #[test]
    fn decoders_never_panic(bytes in bytes(), raw in prop::collection::vec(any::<u8>(), 0..300)) {
        let limits = Limits::default();
        for bytes in [&bytes, &raw] {
            let _ = xmlrpc::parse(bytes, &limits);
            let _ = xmlrpc::method_of_prefix(bytes);
            let _ = dns::parse(bytes);
            let _ = tcpros::judge(bytes);
            if let Ok(Some((_, used))) = tcpros::header(bytes, 1 << 20) {
                prop_assert!(used <= bytes.len());
            }
            let _ = tcpros::ServiceAnswers::default().take(bytes);
            for coding in ["gzip", "deflate", "br"] {
                if let Ok(content) = content::decode(Some(coding), bytes, 1000) {
                    prop_assert!(content.len() <= 1000);
                }
            }
        }
    }

    #[test]
    fn whatever_happens_ids_count_attempts_end_and_memory_stays(events in prop::collection::vec(event(), 0..120)) {
        let limits = Limits { sockets: 4, buffered: 2000, out_of_order: 500, message: 1000, ..Limits::default() };
        let mut feed = Feed::with_limits(limits);
        for event in events {
            feed.decoder.handle(event, &mut feed.out);
            prop_assert!(feed.decoder.buffered() <= 2000 + 1000 + 500 + 1024);
        }
        feed.decoder.finish(Monotonic(u64::MAX), &mut feed.out);
        for (index, observation) in feed.out.iter().enumerate() {
            prop_assert_eq!(observation.id.0, index as u64 + 1);
        }
        for id in 0..6_u64 {
            let of_socket = feed.out.iter().filter(|seen| seen.socket.as_ref().is_some_and(|socket| socket.id == id));
            let mut under_way = false;
            for seen in of_socket {
                match seen.what {
                    What::ConnectStarted => {
                        prop_assert!(!under_way);
                        under_way = true;
                    }
                    What::Connected { .. } | What::ConnectFailed { .. } | What::ConnectAbandoned { .. } => under_way = false,
                    _ => {}
                }
            }
            prop_assert!(!under_way);
        }
    }
}

/// 10,000 publishers, a topic of 64 KB with escape codes, and URIs that are none: all of it is data.
#[test]
fn a_node_that_lies_is_quoted_as_it_lied() {
    let topic = "\u{1b}[31m/evil".repeat(6000);
    let publishers = (0..10_000).map(|n| format!("<value>no uri {n}</value>")).collect::<Vec<_>>().concat();
    let value = format!(
        "<array><data><value><int>1</int></value><value>Subscribed to [{topic}]</value><value><array><data>{publishers}</data></array></value></data></array>"
    );
    let mut feed = Feed::new();
    feed.sent(&crate::feed::request(&crate::feed::call("registerSubscriber", &["/me", &topic, "*", "http://me:1/"])));
    feed.received(&crate::feed::answer(&crate::feed::response(&value)));
    let whats = feed.whats();
    let [What::Call { http, .. }, What::Answer { answer, .. }] = &whats[..] else { panic!("{}", whats.len()) };
    assert!(http.body.len() <= 16 * 1024);
    let rosprobe::observation::Answer::Publishers { publishers, .. } = answer else { panic!("publishers") };
    assert_eq!(publishers.len(), 10_000);
}
