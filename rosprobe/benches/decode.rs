//! How many bytes of XML-RPC one core decodes in a second: bodies as real nodes and masters sent them, and larger ones of the same kind.
//!
//! `bodies` takes the coding off and reads the document; a compressed body counts with the bytes that it holds. `messages` is all that the
//! decoder does with a message: HTTP, document, typed call or answer, observation.

use std::path::Path;

use divan::Bencher;
use divan::counter::BytesCount;
use rosprobe::decode::xmlrpc::parse;
use rosprobe::decode::{Decoder, Limits, content};
use rosprobe::event::{Chunk, Clock, Direction, Event, Fact, Monotonic, SocketRef, Transport};

fn main() {
    divan::main();
}

/// Messages that were captured: what they are, and their files in `tests/fixtures/ros1/messages`. The two large ones are a text of random
/// letters, a third of them references.
const CAPTURED: [(&str, &str); 7] = [
    ("captured-registerSubscriber", "python-to-python-registerSubscriber-req.http"),
    ("captured-roscpp-requestTopic", "roscpp-to-python-requestTopic-req.http"),
    ("captured-getTopicTypes-answer", "python-to-python-getTopicTypes-resp.http"),
    ("captured-multicall", "python-to-python-system.multicall-req.http"),
    ("captured-setParam-large", "python-to-python-setParam-big-req.http"),
    ("captured-getSystemState-gzip", "python-to-python-getSystemState-gzip-resp.http"),
    ("captured-getParam-large-gzip", "python-to-python-getParam-gzip-resp.http"),
];

/// Documents that are made here.
const MADE: [&str; 4] = ["registerSubscriber", "getSystemState", "setParam-text", "setParam-entities"];

fn names() -> impl Iterator<Item = &'static str> {
    MADE.into_iter().chain(CAPTURED.map(|(name, _)| name))
}

/// A captured message, whole.
fn captured(name: &str) -> Option<Vec<u8>> {
    let (_, file) = CAPTURED.into_iter().find(|(known, _)| *known == name)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros1/messages").join(file);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A body, with its content coding.
fn body(name: &str) -> (Option<&'static str>, Vec<u8>) {
    let Some(message) = captured(name) else { return (None, document(name).into_bytes()) };
    let head = message.windows(4).position(|end| end == b"\r\n\r\n").expect("a captured message has a head");
    (name.ends_with("gzip").then_some("gzip"), message[head + 4..].to_vec())
}

fn document(name: &str) -> String {
    match name {
        "registerSubscriber" => call(
            name,
            &[
                "/listener_7",
                "/camera/front/image_raw/compressed",
                "sensor_msgs/CompressedImage",
                "http://10.0.1.2:41234/",
            ]
            .map(|text| format!("<string>{text}</string>")),
        ),
        "getSystemState" => system_state(),
        "setParam-text" => {
            let text = "A line of a long text without anything that XML writes otherwise.\n".repeat(1500);
            call("setParam", &[string("/node"), string("/text"), string(&text)])
        }
        // A robot description, as everybody's launch file sets it.
        _ => {
            let link = "&lt;link name=\"wheel_left\"&gt;\n  &lt;visual&gt;&lt;origin xyz=\"0 0.1 0\" rpy=\"0 0 0\" /&gt;&lt;/visual&gt;\n&lt;/link&gt;\n";
            call("setParam", &[string("/node"), string("/robot_description"), string(&link.repeat(600))])
        }
    }
}

fn string(text: &str) -> String {
    format!("<string>{text}</string>")
}

fn call(method: &str, values: &[String]) -> String {
    let param = |value: &String| ["<param>\n<value>", value, "</value>\n</param>\n"].concat();
    let params: String = values.iter().map(param).collect();
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n{params}</params>\n</methodCall>\n"
    )
}

/// What the master of a robot with 500 topics answers.
fn system_state() -> String {
    let array = |values: &str| format!("<array><data>\n{values}</data></array>");
    let value = |value: &str| format!("<value>{value}</value>\n");
    let topics: String = (0..500)
        .map(|number| {
            let nodes: String = (0..3).map(|node| value(&string(&format!("/node_{}", number + node)))).collect();
            value(&array(&[value(&string(&format!("/robot/topic_{number}"))), value(&array(&nodes))].concat()))
        })
        .collect();
    let state = [&topics, &topics, ""].map(|part| value(&array(part))).concat();
    let answer = [value("<int>1</int>"), value(&string("current system state")), value(&array(&state))].concat();
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{}</param>\n</params>\n</methodResponse>\n",
        value(&array(&answer))
    )
}

#[divan::bench(args = names())]
fn bodies(bencher: Bencher<'_, '_>, name: &str) {
    let limits = Limits::default();
    let (coding, bytes) = body(name);
    let length = content::decode(coding, &bytes, limits.content).expect("the bodies here are undamaged").len();
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        let content = content::decode(coding, divan::black_box(&bytes), limits.content).expect("as above");
        parse(&content, &limits).expect("the documents here are well-formed")
    });
}

/// The same in messages, from the events of a live capture to observations. An answer comes without its call.
#[divan::bench(args = CAPTURED.map(|(name, _)| name))]
fn messages(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = captured(name).expect("all of these were captured");
    let direction = if bytes.starts_with(b"POST") { Direction::Sent } else { Direction::Received };
    let socket = SocketRef { id: 1, transport: Transport::Tcp, local: None, remote: None, net_namespace: 0 };
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    let (mut offset, mut said) = (0, Vec::new());
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        for piece in bytes.chunks(LARGEST_CHUNK) {
            let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let chunk = Chunk { direction, offset, bytes: piece.to_vec(), length, cut: None };
            offset += piece.len() as u64;
            let event = Event {
                time: Monotonic(offset),
                process: None,
                socket: Some(socket.clone()),
                fact: Fact::Stream(chunk),
            };
            decoder.handle(event, &mut said);
        }
        assert_eq!(said.drain(..).len(), 1, "a message is an observation");
    });
}

/// The kernel side copies this much at once.
const LARGEST_CHUNK: usize = rosprobe_common::CHUNK_CLASSES[rosprobe_common::CHUNK_CLASSES.len() - 1];
