//! Payload: the same bytes come out as went over the wire, whatever system calls carried them.

use rosprobe::capture::{CaptureMode, Object, Options};
use rosprobe::event::{Direction, Event, Fact, GapCause};
use serde_json::{Value, json};

use crate::watched::{Watched, chunks, gaps, stream, traffic};
use crate::{hex, in_every_mode};

use Direction::{Received, Sent};

/// Every system call once for each side, every address family, and the flags that change what a call does.
const FORMS: [(&str, &str, &str, u32); 14] = [
    ("4", "send", "recv", 70_000),
    ("4", "sendto", "recvfrom", 70_000),
    ("4", "sendmsg", "recvmsg", 70_000),
    ("4", "sendmmsg", "recvmmsg", 70_000),
    ("4", "write", "read", 70_000),
    ("4", "writev", "readv", 70_000),
    ("4", "pwritev2", "preadv2", 70_000),
    ("4", "pieces", "pieces", 300),
    ("6", "sendmsg", "read", 5_000),
    ("mapped", "write", "recvmsg", 5_000),
    ("mapped", "pieces", "readv", 300),
    ("4", "send", "peek", 20_000),
    ("4", "send", "waitall", 20_000),
    ("4", "nonblocking", "nonblocking", 70_000),
];

fn client_and_server_agree(watched: &Watched, result: &Value, asked: &[u8], told: &[u8]) {
    for (port, out, back) in [("client", Sent, Received), ("server", Received, Sent)] {
        let facts = watched.of_port(&result[port]);
        assert!(stream(&facts, out) == asked, "what the {port}'s socket was asked: {facts:?}");
        assert!(stream(&facts, back) == told, "what the {port}'s socket was told: {facts:?}");
    }
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn xmlrpc_comes_through_whole_by_every_system_call() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("forms", &options);
        for (family, send, receive, size) in FORMS {
            watched.events.clear();
            let result = watched.run("xmlrpc", json!([family, send, receive, size])).await;
            client_and_server_agree(&watched, &result, &hex(&result["request"]), &hex(&result["answer"]));
            let established: Vec<_> =
                watched.events.iter().filter(|event| matches!(event.fact, Fact::Established { .. })).collect();
            assert_eq!(established.len(), 2, "{:#?}", watched.facts());
            let remote = established[0].socket.as_ref().unwrap().remote.unwrap();
            assert_eq!(remote.is_ipv4(), family != "6", "{remote} of {family}");
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_message_past_the_limit_is_cut_there_and_the_next_one_is_whole() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("limit", &Options { payload_limit: 10_000, ..options });
        let result = watched.run("xmlrpc", json!(["4", "send", "recv", 25_000])).await;
        let (request, answer) = (hex(&result["request"]), hex(&result["answer"]));
        let facts = watched.of_port(&result["client"]);
        let mut copied = vec![None; request.len()];
        for chunk in chunks(&facts, Sent) {
            for (at, byte) in (usize::try_from(chunk.offset).unwrap()..).zip(&chunk.bytes) {
                copied[at] = Some(*byte);
            }
        }
        for (at, byte) in request.iter().enumerate() {
            let in_limit = at % (request.len() / 2) < 10_000;
            assert_eq!(copied[at], in_limit.then_some(*byte), "byte {at}");
        }
        assert!(gaps(&facts, Sent).iter().all(|(.., cause)| *cause == GapCause::Limit));
        let missing: u32 = gaps(&facts, Received).iter().map(|(_, length, _)| length).sum();
        assert_eq!(missing as usize, answer.len() - 2 * 10_000);
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_topic_s_header_is_copied_and_its_messages_are_counted() {
    in_every_mode(async |options| {
        // Tens of thousands of records come at once where each byte is a message of its own.
        let room = Options { ring_buffer_bytes: 64 * 1024 * 1024, ..options };
        let mut watched = Watched::start("topic", &room);
        for (send, receive) in [("send", "recv"), ("writev", "readv"), ("sendmmsg", "recvmmsg"), ("pieces", "recv")] {
            watched.events.clear();
            let result = watched.run("topic", json!([send, receive, 300])).await;
            client_and_server_agree(&watched, &result, &hex(&result["asked"]), &hex(&result["told"]));
            let listener = traffic(&watched.of_port(&result["client"])).unwrap();
            assert_eq!(Some(listener.received_messages), result["messages"].as_u64(), "{send} {receive}");
            assert_eq!(Some(listener.received_bytes), result["bytes"].as_u64());
            let talker = traffic(&watched.of_port(&result["server"])).unwrap();
            assert_eq!(
                (talker.sent_messages, talker.sent_bytes),
                (listener.received_messages, listener.received_bytes)
            );
            assert_eq!(talker.received_messages, 0);
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn of_a_call_with_more_messages_than_are_looked_at_every_byte_is_counted() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("many", &options);
        let result = watched.run("topic", json!(["send", "recv", 5_000])).await;
        let sent = result["messages"].as_u64().unwrap();
        for (port, direction) in [("client", Received), ("server", Sent)] {
            let totals = traffic(&watched.of_port(&result[port])).unwrap();
            let (messages, bytes) = match direction {
                Sent => (totals.sent_messages, totals.sent_bytes),
                Received => (totals.received_messages, totals.received_bytes),
            };
            assert_eq!(Some(bytes), result["bytes"].as_u64(), "{port}");
            // Who receives takes less in one call.
            if options.object == Some(Object::Bounded) && direction == Sent {
                assert!((1_000..sent).contains(&messages), "{port}: {messages}");
            } else {
                assert_eq!(messages, sent, "{port}");
            }
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_service_s_answers_are_copied_at_their_beginning() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("service", &options);
        for (send, receive) in [("send", "recv"), ("writev", "recvmsg"), ("pieces", "pieces")] {
            watched.events.clear();
            let result = watched.run("service", json!([send, receive])).await;
            let answers: Vec<_> = result["answers"].as_array().unwrap().iter().map(hex).collect();
            for (port, back) in [("client", Received), ("server", Sent)] {
                let facts = watched.of_port(&result[port]);
                let mut expected = hex(&result["told"]);
                expected.extend(answers.iter().flat_map(|answer| &answer[..answer.len().min(512)]));
                let seen: Vec<u8> = chunks(&facts, back).iter().flat_map(|chunk| chunk.bytes.clone()).collect();
                assert!(seen == expected, "{send} {receive} {port}: {facts:?}");
                let rest = u32::try_from(answers[2].len() - 512).unwrap();
                let missing: Vec<_> = gaps(&facts, back).iter().map(|(_, length, cause)| (*length, *cause)).collect();
                assert_eq!(missing, [(rest, GapCause::NotCopied)]);
            }
            let totals = traffic(&watched.of_port(&result["client"])).unwrap();
            assert_eq!((totals.sent_messages, totals.received_messages), (4, 4));
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn dns_comes_through_as_datagrams() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("dns", &options);
        let result = watched.run("dns", json!([])).await;
        let datagrams = |wanted: Direction| -> Vec<Vec<u8>> {
            let of = |event: &Event| match &event.fact {
                Fact::Datagram { direction, bytes, length } if *direction == wanted => {
                    assert_eq!(bytes.len(), *length as usize);
                    let remote = event.socket.as_ref().unwrap().remote.unwrap();
                    assert_eq!(remote.to_string(), "127.0.0.1:53");
                    Some(bytes.clone())
                }
                _ => None,
            };
            watched.events.iter().filter_map(of).collect()
        };
        let expected = |name: &str| -> Vec<Vec<u8>> { result[name].as_array().unwrap().iter().map(hex).collect() };
        assert_eq!(datagrams(Sent), expected("sent"), "{:#?}", watched.facts());
        assert_eq!(datagrams(Received), expected("received"), "{:#?}", watched.facts());
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn what_is_not_ours_is_not_looked_at() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("other", &options);
        let result = watched.run("other", json!([])).await;
        for port in ["client", "server"] {
            let facts = watched.of_port(&result[port]);
            assert!(chunks(&facts, Sent).is_empty() && chunks(&facts, Received).is_empty(), "{facts:?}");
            assert_eq!(traffic(&facts), None);
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn what_was_not_ours_is_looked_at_once_it_is_connected_again() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("anew", &options);
        let result = watched.run("begins_anew", json!([])).await;
        watched.sample();
        let facts = watched.of_port(&result["client"]);
        assert_eq!(stream(&facts, Sent), hex(&result["sent"]), "{facts:?}");
        let inode = watched.network.inode;
        let ours =
            watched.events.iter().filter(|event| event.socket.as_ref().is_some_and(|s| s.net_namespace == inode));
        let samples = |event: &Event| match event.fact {
            Fact::RtpsData { direction: Sent, messages, .. } => Some(messages),
            _ => None,
        };
        assert_eq!(ours.filter_map(samples).max(), Some(3), "{:#?}", watched.facts());
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn bytes_of_a_call_that_does_not_say_where_they_are_leave_a_gap() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("unreadable", &options);
        for way in ["sendfile", "splice", "io_uring", "io_submit", "32-bit"] {
            watched.events.clear();
            let result = watched.run("unknown_calls", json!([way])).await;
            let facts = watched.of_port(&result["client"]);
            let (before, after) = (hex(&result["before"]), hex(&result["after"]));
            let missing = gaps(&facts, Sent);
            let bytes: u64 = missing.iter().map(|(_, length, _)| u64::from(*length)).sum();
            // These are not among the calls whose end syscall mode looks at: docs/compatibility.md says so.
            let unseen = options.mode == Some(CaptureMode::Syscall) && !["sendfile", "splice"].contains(&way);
            assert_eq!(Some(bytes), if unseen { Some(0) } else { result["gap"].as_u64() }, "{way}: {facts:?}");
            assert!(missing.iter().all(|(.., cause)| *cause == GapCause::Unreadable), "{way}");
            assert!(missing.iter().all(|(offset, ..)| *offset >= before.len() as u64), "{way}");
            let last = chunks(&facts, Sent).last().copied().unwrap();
            assert_eq!((last.offset, &last.bytes), (before.len() as u64 + bytes, &after), "{way}");
        }
    });
}
