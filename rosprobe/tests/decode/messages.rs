//! Every message of real ROS 1 traffic: requests and answers as they went over the wire.

use std::fs;
use std::path::PathBuf;

use rosprobe::event::Direction;
use rosprobe::observation::{Answer, Call, What};

use crate::feed::Feed;

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/messages")
}

pub fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn names(suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("fixtures are part of the project");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII")).collect();
    names.retain(|name| name.ends_with(suffix));
    names.sort();
    names
}

/// `python-to-roscpp-getBusStats-code0-req.http` is getBusStats.
fn method_in(name: &str) -> &str {
    let rest = name.split_once("-to-").expect("who to whom").1.trim_start_matches("--");
    rest.split('-').nth(usize::from(!rest.starts_with("requestTopic-noreply"))).expect("a method")
}

fn exchange(request: &[u8], answer: &[u8]) -> Vec<What> {
    let mut feed = Feed::new();
    feed.sent(request);
    feed.received(answer);
    feed.whats()
}

fn call_of(what: &What) -> &Call {
    let What::Call { direction: Direction::Sent, call, http } = what else { panic!("no call: {what:?}") };
    assert!(http.start_line.starts_with("POST /"), "{http:?}");
    call
}

#[test]
fn every_request_and_answer_is_typed() {
    let mut table = String::new();
    let mut pairs = 0;
    for name in names("-req.http") {
        let answer = name.replace("-req.http", "-resp.http");
        let answered = folder().join(&answer).exists();
        let whats = exchange(&read(&name), &if answered { read(&answer) } else { Vec::new() });
        assert_eq!(whats.len(), 1 + usize::from(answered), "{name}: {whats:?}");
        let call = call_of(&whats[0]);
        assert_eq!(call.method(), method_in(&name), "{name}");
        if let Call::Other { mismatch, .. } = call {
            let others = ["noSuchMethod", "get_pid", "list_processes", "system.listMethods"];
            assert!(mismatch.is_none() && others.contains(&call.method()), "{name}: {call:?}");
        }
        table += &line(&name, &serde_json::to_string(call).expect("serialisable"));
        let Some(What::Answer { method, answer: given, direction: Direction::Received, to, .. }) = whats.get(1) else {
            assert!(!answered, "{answer}: {whats:?}");
            continue;
        };
        assert_eq!((method.as_str(), to.map(|id| id.0)), (call.method(), Some(1)), "{answer}");
        assert_eq!(matches!(given, Answer::Fault { .. }), name.contains("fault"), "{answer}: {given:?}");
        table += &line(&answer, &serde_json::to_string(given).expect("serialisable"));
        pairs += 1;
    }
    assert_eq!(pairs, 74);
    insta::assert_snapshot!("calls_and_answers", table);
}

/// A line of the table; of long ones the beginning, the length and a sum over the whole.
fn line(name: &str, json: &str) -> String {
    if json.len() <= 4000 {
        return format!("{name}\n    {json}\n");
    }
    let sum = json.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{name}\n    {} ... {} bytes, sum {sum:016x}\n", &json[..200], json.len())
}

#[test]
fn every_tcpros_header_is_read() {
    let mut table = String::new();
    for name in names(".bin") {
        let bytes = read(&name);
        let mut feed = Feed::new();
        if name.ends_with("-s2c.bin") {
            let client = name.replace("-s2c", "-c2s");
            let client = if folder().join(&client).exists() { client } else { "tcpros-topic-rospy-c2s.bin".to_owned() };
            feed.sent(&read(&client));
            feed.out.clear();
            feed.received(&bytes);
        } else {
            feed.sent(&bytes);
        }
        let json: Vec<_> = feed.whats().iter().map(|what| serde_json::to_string(what).expect("serialisable")).collect();
        table.extend([name.as_str(), "\n    ", &json.join("\n    "), "\n"]);
    }
    insta::assert_snapshot!("tcpros_headers", table);
}
