//! What real nodes and hostile ones send comes out of the kernel whole, or is said to be wrong.

use nix::sys::signal::Signal;
use rosprobe::diagnosis::Code;
use rosprobe::event::Direction;
use rosprobe::observation::{Answer, Call, Observation, Protocol, Value, What};

use crate::lab::{Lab, Library, Program, SOON, Watch, source};

const TOPIC: &str = "/some/topic";

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn an_answer_with_45_publishers_decodes_for_both_libraries() {
    let lab = Lab::new();
    let watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    lab.router.run(&format!("python3 {} {TOPIC} 45", source("register_many.py").display()));
    for library in [Library::Rospy, Library::Roscpp] {
        let listener = lab.inner.node(library, "listener", &format!("{library:?}"), TOPIC).start();
        let answer = watch.observation("registerSubscriber's answer", SOON, |observation| {
            is_of(observation, &listener) && publishers(observation).is_some_and(|publishers| publishers.len() == 45)
        });
        let publishers = publishers(&answer).expect("it was just looked at");
        for (number, uri) in publishers.iter().enumerate() {
            assert!(uri.contains(&format!("-{number:03}.fleet.example")), "{uri} at place {number}");
        }
    }
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_request_of_241_kilobytes_decodes_for_both_libraries() {
    let lab = Lab::new();
    let watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    for library in [Library::Rospy, Library::Roscpp] {
        let setter = lab.inner.node(library, "setter", &format!("{library:?}"), "/big").argument("241000").start();
        for direction in [Direction::Sent, Direction::Received] {
            watch.observation("setParam with its whole value", SOON, |observation| {
                let (sent, ours) = (direction == Direction::Sent, is_of(observation, &setter));
                sent == ours && big_value(observation, direction).is_some_and(is_whole)
            });
        }
    }
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn transfers_that_ros_itself_does_not_use_decode() {
    let lab = Lab::new();
    let watch = Watch::start(&lab, &[]);
    let client = lab.router.start(&format!("python3 {} 10.0.1.1", source("odd_transfers.py").display()));
    client.wait_for("sent everything", SOON);
    for name in ["http10", "chunked", "pipelined_1", "pipelined_2"] {
        for direction in [Direction::Sent, Direction::Received] {
            watch.observation(&format!("the call of {name}, {direction:?}"), SOON, |observation| {
                called_by(observation, direction) == Some(&format!("/{name}"))
            });
            watch.observation(&format!("the answer to {name}, {direction:?}"), SOON, |observation| {
                answered_with(observation, direction) == Some(name)
            });
        }
    }
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn hostile_peers_are_malformed_and_stop_nobody_else() {
    let lab = Lab::new();
    let watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let script = source("fake_publisher.py");
    let _hostile = lab.router.start(&format!("python3 {} hostile /hostile {TOPIC}", script.display()));
    let victims = [Library::Rospy, Library::Roscpp]
        .map(|library| lab.inner.node(library, "listener", &format!("{library:?}"), TOPIC).start());
    let uri = lab.router.lookup_node("/Rospy").expect("the listener has registered");
    let port = uri.trim_end_matches('/').rsplit(':').next().expect("a node's URI ends with its port");
    let client = format!("python3 {} 10.0.1.2 {port}", source("hostile_client.py").display());
    lab.router.start(&client).wait_for("sent everything", SOON);
    for protocol in [Protocol::Http, Protocol::XmlRpc, Protocol::Gzip, Protocol::Tcpros] {
        watch.observation(&format!("{protocol:?} is malformed"), SOON, |observation| {
            matches!(&observation.what, What::Malformed { protocol: wrong, reason, .. } if *wrong == protocol && !reason.is_empty())
        });
    }
    drop(victims);
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", "/other").start();
    let listener = lab.inner.node(Library::Roscpp, "listener", "unharmed", "/other").start();
    listener.wait_for("heard", SOON);
    watch.observation("another node's traffic", SOON, |observation| {
        is_of(observation, &listener)
            && matches!(&observation.what, What::TcprosHeader { direction: Direction::Received, .. })
    });
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_master_that_lies_takes_bounded_memory_and_hides_nothing() {
    /// What its lies may cost: 10,000 URIs twice, and a name of 64 KB, are 3 MB on the wire.
    const GROWTH_LIMIT: u64 = 128 << 20;
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let before = watch.resident_bytes();
    let liar = lab.inner.start(&format!("python3 {} 10.0.1.2 11400", source("lying_master.py").display()));
    liar.wait_for("lied", SOON);
    let reached = watch.finding("a limit", SOON, |finding| finding.code == Code::LimitReached);
    assert!(!reached.finding.evidence.is_empty(), "{:#?}", reached.finding);
    watch.observation("the topic of 64 KB", SOON, |observation| match &observation.what {
        What::Call { call: Call::RegisterSubscriber { topic, .. }, .. } => topic.len() > 65_536,
        _ => false,
    });
    let well = lab.inner.node(Library::Roscpp, "listener", "listener", TOPIC).start();
    watch.until_data(&well, TOPIC, SOON);
    let ill = lab.outer.node(Library::Roscpp, "listener", "stranded", TOPIC).start();
    let found = watch.finding("no route, all the same", SOON, |finding| {
        finding.code == Code::ConnectFailed && finding.process.as_ref().is_some_and(|process| process.pid == ill.pid())
    });
    assert_eq!(found.finding.peer.and_then(|peer| peer.node).as_deref(), Some("/talker"));
    let growth = watch.resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_LIMIT, "rosprobe grew by {growth} bytes");
    for finding in watch.findings() {
        let texts = [&finding.summary, &finding.explanation].into_iter().chain(&finding.remedies);
        let unsafe_text = texts.flat_map(|text| text.chars()).any(|letter| letter.is_control() || letter == '\u{202e}');
        assert!(!unsafe_text, "{finding:#?}");
    }
    watch.stop(Signal::SIGINT);
}

fn is_of(observation: &Observation, program: &Program) -> bool {
    observation.process.as_ref().is_some_and(|process| process.pid == program.pid())
}

/// The publishers that a subscriber was answered.
fn publishers(observation: &Observation) -> Option<&[String]> {
    match &observation.what {
        What::Answer { direction: Direction::Received, answer: Answer::Publishers { publishers, .. }, .. } => {
            Some(publishers)
        }
        _ => None,
    }
}

fn big_value(observation: &Observation, wanted: Direction) -> Option<&str> {
    match &observation.what {
        What::Call { direction, call: Call::SetParam { key, value: Value::String(text), .. }, .. }
            if *direction == wanted && key == "/big" =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Who called getPid.
fn called_by(observation: &Observation, wanted: Direction) -> Option<&String> {
    match &observation.what {
        What::Call { direction, call: Call::GetPid { caller_id }, .. } if *direction == wanted => Some(caller_id),
        _ => None,
    }
}

/// The words of an answer to getPid.
fn answered_with(observation: &Observation, wanted: Direction) -> Option<&str> {
    match &observation.what {
        What::Answer { direction, method, answer: Answer::Success { message, .. }, .. }
            if *direction == wanted && method == "getPid" =>
        {
            Some(message)
        }
        _ => None,
    }
}

fn is_whole(value: &str) -> bool {
    value.len() == 241_000 && value.bytes().all(|byte| byte == b'x')
}
