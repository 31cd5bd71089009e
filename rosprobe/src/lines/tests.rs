use jiff::tz::TimeZone;

use super::*;
use crate::diagnosis::{Code, Finding, FindingPeer, FindingProcess, Severity};
use crate::errno::Errno;
use crate::event::{Direction, Monotonic, ProcessRef, SocketRef, Transport};
use crate::graph::Stage;
use crate::observation::{Call, ErrorSource, Http, Observation, ObservationId, What};

fn style() -> Style {
    Style { paint: Paint::default(), zone: TimeZone::UTC }
}

/// The seed's own case.
pub fn finding() -> Finding {
    Finding {
        id: "1f2e".to_owned(),
        code: Code::ConnectFailed,
        severity: Severity::Error,
        topic: Some("/some/topic".to_owned()),
        service: None,
        node: None,
        domain: None,
        stage: Some(Stage::Xmlrpc),
        errno: Some(Errno::ECONNREFUSED),
        address: Some("10.0.1.1:41235".to_owned()),
        process: Some(FindingProcess { pid: 4242, comm: "rostopic".to_owned(), node: Some("/rostopic_1".to_owned()) }),
        peer: Some(FindingPeer { node: Some("/talker".to_owned()), uri: Some("http://10.0.1.1:41235/".to_owned()) }),
        first: "2026-03-01T13:17:01.102Z".parse().unwrap(),
        last: "2026-03-01T13:17:08.5Z".parse().unwrap(),
        ended: None,
        count: 3,
        summary: "connect() to 10.0.1.1:41235, where /talker says it publishes /some/topic, failed: ECONNREFUSED".to_owned(),
        explanation: "10.0.1.1 is the address that /talker advertises (its ROS_IP). This host reached the master at 192.168.50.1; connections to 10.0.1.1 leave through the default route and are refused.\nA second paragraph.".to_owned(),
        remedies: vec!["on this host: sshuttle -r 192.168.50.1 10.0.1.0/24".to_owned(), "start /talker with ROS_IP=192.168.50.1".to_owned()],
        evidence: (1..=8).map(ObservationId).collect(),
    }
}

fn observation(what: What) -> Observation {
    Observation {
        id: ObservationId(7),
        time: "2026-03-01T13:17:01.102345Z".parse().unwrap(),
        monotonic: Monotonic(5),
        process: Some(ProcessRef { pid: 4242, started: 1, comm: "rostopic".into() }),
        socket: Some(SocketRef {
            id: 3,
            transport: Transport::Tcp,
            local: Some("192.168.50.2:53210".parse().unwrap()),
            remote: Some("10.0.1.1:41235".parse().unwrap()),
            net_namespace: 0,
        }),
        what,
    }
}

fn failed() -> What {
    What::ConnectFailed {
        errno: Errno::ECONNREFUSED,
        after_ns: 300_000,
        syn_retransmits: 0,
        reported_by: ErrorSource::Connect,
    }
}

#[test]
fn a_finding_is_a_block_that_answers() {
    let mut bare = finding();
    bare.process = None;
    bare.peer = None;
    bare.count = 1;
    bare.last = bare.first;
    bare.remedies.clear();
    bare.evidence.clear();
    let style = style();
    insta::assert_snapshot!(
        [
            style.finding(&finding()),
            style.alike(&finding(), "/another/topic"),
            style.again(&finding()),
            style.over(&finding()),
            style.finding(&bare)
        ]
        .join("\n")
    );
}

#[test]
fn observations_are_lines() {
    let mut nobody = observation(failed());
    nobody.process = None;
    nobody.socket = None;
    let call = Call::RequestTopic { caller_id: "/a".to_owned(), topic: "/t".to_owned(), protocols: Vec::new() };
    let call = What::Call { direction: Direction::Sent, call, http: Http::default() };
    let lines = [observation(failed()), nobody, observation(call)].map(|one| style().observation(&one));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_came_from_the_network_cannot_steer_the_terminal() {
    let mut hostile = finding();
    for text in
        [&mut hostile.summary, &mut hostile.explanation, hostile.topic.as_mut().unwrap(), &mut hostile.remedies[0]]
    {
        text.push_str("\u{1b}]0;owned\u{7}\u{202e}");
    }
    let call = Call::LookupNode { caller_id: "/a".to_owned(), node: "\u{1b}[2J\r\n".to_owned() };
    let mut seen = observation(What::Call { direction: Direction::Sent, call, http: Http::default() });
    seen.process.as_mut().unwrap().comm = "x\u{1b}[31m".into();
    let text = [style().finding(&hostile), style().again(&hostile), style().observation(&seen)].join("\n");
    let unsafe_characters: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert_eq!(unsafe_characters, Vec::<char>::new());
    assert_eq!(style().observation(&seen).lines().count(), 1);
}

fn written(line: &Line<'_>) -> String {
    let mut bytes = Vec::new();
    line.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn start<'a>(attached: &'a [String], command: Option<&'a [String]>, netns: &'a [String]) -> Start<'a> {
    Start {
        rosprobe: "0.1.0",
        time: "2026-03-01T13:17:00Z".parse().unwrap(),
        kernel: "6.1.0",
        capture_mode: "sock",
        attached,
        pid: 1,
        command,
        netns,
    }
}

#[test]
fn a_start_says_what_is_watched() {
    let words = ["roslaunch", "robot.launch"].map(str::to_owned);
    let namespaces = ["inner", "4711"].map(str::to_owned);
    for (command, netns, expected) in [
        (None, &[][..], "this machine"),
        (Some(&words[..]), &[], "roslaunch robot.launch"),
        (None, &namespaces, "netns inner, 4711"),
    ] {
        assert_eq!(start(&[], command, netns).what(), expected);
    }
    let line = written(&Line::Start(start(&[], None, &namespaces)));
    assert!(line.ends_with(",\"netns\":[\"inner\",\"4711\"]}\n"), "{line}");
}

#[test]
fn every_json_line_has_a_type_and_flat_fields() {
    let finding = finding();
    let observation = observation(failed());
    let attached = ["sock_send_length".to_owned()];
    let lines = [
        Line::Start(start(&attached, None, &[])),
        Line::Observation(&observation),
        Line::Finding(&finding),
        Line::FindingOver { id: &finding.id },
        Line::Statistics(Statistics::default()),
        Line::Notice { text: "a\u{1b}b\u{7f}\u{9b}31m é" },
    ];
    insta::assert_snapshot!(lines.map(|line| written(&line)).concat());
}
