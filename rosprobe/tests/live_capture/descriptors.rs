//! One socket behind several descriptors and in several processes, and one number for several sockets.

use std::io::{BufRead as _, BufReader, Write as _};

use rosprobe::event::{Direction, Fact};
use serde_json::{Value, json};

use crate::network::Network;
use crate::watched::{Watched, chunks, stream};
use crate::{hex, in_every_mode};

use Direction::Sent;

const WAYS: [&str; 14] = [
    "dup",
    "dup2",
    "dup3",
    "F_DUPFD",
    "close_range",
    "thread",
    "fork",
    "exec",
    "close-on-exec",
    "one-table",
    "passed",
    "with credentials",
    "in-batch",
    "fetched",
];

/// Who sent what went out of the socket, in order and each once.
fn senders(watched: &Watched, port: &Value) -> Vec<u32> {
    let port = port.as_u64().unwrap();
    let mut senders: Vec<u32> = Vec::new();
    for event in &watched.events {
        let local = event.socket.as_ref().and_then(|socket| socket.local);
        let sent = matches!(&event.fact, Fact::Stream(chunk) if chunk.direction == Sent);
        if sent && local.is_some_and(|local| u64::from(local.port()) == port) {
            senders.push(event.process.as_ref().unwrap().pid);
        }
    }
    senders.dedup();
    senders
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_socket_is_one_behind_every_descriptor_and_in_every_process() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("descriptors", &options);
        for way in WAYS {
            watched.events.clear();
            let result = watched.run("descriptors", json!([way])).await;
            let facts = watched.of_port(&result["client"]);
            let (seen, sent) = (stream(&facts, Sent), hex(&result["sent"]));
            assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&sent), "{way}");
            let by: Vec<u32> = serde_json::from_value(result["by"].clone()).unwrap();
            let mut expected = by;
            expected.dedup();
            assert_eq!(senders(&watched, &result["client"]), expected, "{way}");
            let closed = facts.iter().filter(|fact| ***fact == Fact::Closed).count();
            assert_eq!(closed, 1, "{way}: the last descriptor's close ends it: {facts:?}");
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_socket_is_seen_that_no_call_of_its_process_returned() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("elsewhere", &options);
        for way in ["one-table", "io_uring"] {
            watched.events.clear();
            let result = watched.run("opened_elsewhere", json!([way])).await;
            let sent = stream(&watched.of_port(&result["client"]), Sent);
            assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&hex(&result["sent"])), "{way}");
            let by: u32 = serde_json::from_value(result["by"].clone()).unwrap();
            assert_eq!(senders(&watched, &result["client"]), [by], "{way}");
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_number_that_is_used_again_is_another_socket() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("again", &options);
        let results = watched.run("number_again", json!([])).await;
        for result in results.as_array().unwrap() {
            let sent = stream(&watched.of_port(&result["client"]), Sent);
            let expected = hex(&result["sent"]);
            assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&expected));
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn of_a_socket_from_before_the_next_request_is_told() {
    in_every_mode(async |options| {
        let network = Network::new("open-before");
        let mut child = network.start("open_before", &json!([]));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let result: Value = serde_json::from_str(&line).unwrap();
        let mut watched = Watched::over(network, &options);
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        watched.until(|_| child.try_wait().unwrap().is_some()).await;
        let facts = watched.of_port(&result["client"]);
        assert_eq!(facts[0], &Fact::AlreadyOpen, "{facts:?}");
        // Its stream begins, for rosprobe, with what it saw first.
        let told = chunks(&facts, Sent);
        assert_eq!(told.iter().map(|chunk| &chunk.bytes[..]).collect::<Vec<_>>(), [&hex(&result["again"])[..]]);
        assert_eq!(told[0].offset, 0);
    });
}
