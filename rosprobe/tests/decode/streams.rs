//! Gaps, order, both ends of a connection, sockets that were open, and who is paired with whom.

use rosprobe::decode::Limits;
use rosprobe::event::{Direction, Event, Fact, GapCause, Monotonic, SocketRef, Traffic, Transport};
use rosprobe::observation::{Answer, Call, What};

use crate::feed::{Feed, answer, call, chunk, process, request, response, tcp, tcpros};

fn get_pid() -> Vec<u8> {
    request(&call("getPid", &["/me"]))
}

fn pid(number: i64) -> Vec<u8> {
    let value =
        format!("<array><data><value><int>1</int></value><value/><value><int>{number}</int></value></data></array>");
    answer(&response(&value))
}

/// `call 3`, `answer 4 to 3 getPid`, and the kinds of others.
fn lines(feed: &Feed) -> Vec<String> {
    let line = |observation: &rosprobe::observation::Observation| match &observation.what {
        What::Call { call, .. } => format!("call {} {}", observation.id.0, call.method()),
        What::Answer { to, method, .. } => format!("answer to {} {method}", to.map_or(0, |to| to.0)),
        What::Gap { from, to, cause, .. } => format!("gap {from}..{to} {cause:?}"),
        What::HttpOnly { http, .. } => format!("http {}", http.start_line),
        What::TcprosHeader { direction, .. } => format!("header {direction:?}"),
        What::ServiceAnswer { ok, error, .. } => format!("service {ok} {error:?}"),
        other => format!("{other:?}"),
    };
    feed.out.iter().map(line).collect()
}

#[test]
fn answers_belong_to_calls_in_their_order() {
    let mut feed = Feed::new();
    feed.sent(&[get_pid(), request(&call("getUri", &["/me"]))].concat());
    feed.received(&[b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), pid(1)].concat());
    feed.received(&pid(2));
    feed.received(&pid(3));
    assert_eq!(
        lines(&feed),
        ["call 1 getPid", "call 2 getUri", "answer to 1 getPid", "answer to 2 getUri", "answer to 0 "]
    );
}

#[test]
fn the_servers_socket_says_the_same_the_other_way_round() {
    let mut feed = Feed::new();
    feed.received(&get_pid());
    feed.sent(&pid(1));
    assert_eq!(lines(&feed), ["call 1 getPid", "answer to 1 getPid"]);
    assert!(matches!(feed.out[0].what, What::Call { direction: Direction::Received, .. }));
    assert!(matches!(feed.out[1].what, What::Answer { direction: Direction::Sent, after_ns: Some(1_000_000), .. }));
}

#[test]
fn bytes_that_come_later_fill_their_place() {
    let bytes = get_pid();
    let mut feed = Feed::new();
    feed.fact(Fact::Stream(chunk(Direction::Sent, 50, &bytes[50..])));
    assert_eq!(lines(&feed), Vec::<String>::new());
    feed.fact(Fact::Stream(chunk(Direction::Sent, 0, &bytes[..60])));
    assert_eq!(lines(&feed), ["call 1 getPid"]);
}

#[test]
fn what_does_not_come_is_a_gap_after_a_second_or_at_once_when_events_were_lost() {
    let patience = Limits::default().patience;
    for lost in [false, true] {
        let mut feed = Feed::new();
        feed.sent(&get_pid());
        feed.skip(Direction::Sent, 500);
        feed.sent(&get_pid());
        assert_eq!(lines(&feed), ["call 1 getPid"]);
        if lost {
            feed.fact(Fact::Lost { events: 3 });
        } else {
            let now = Monotonic(feed.now);
            let later = Monotonic(now.0 + u64::try_from(patience.as_nanos()).expect("a second"));
            feed.decoder.advance(later, &mut feed.out);
        }
        let end = get_pid().len();
        let gap = format!("gap {end}..{} Lost", end + 500);
        assert_eq!(lines(&feed)[1..3], [gap, "call 3 getPid".to_owned()]);
        if lost {
            assert_eq!(feed.whats().last(), Some(&What::Lost { events: 3 }));
        }
    }
}

#[test]
fn a_message_left_out_in_many_pieces_is_one_gap() {
    let head = b"POST / HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: 9000\r\n\r\n";
    for (finish, kinds) in [(false, 3), (true, 1)] {
        let mut feed = Feed::new();
        feed.sent(head);
        for _ in 0..8 {
            feed.cut(Direction::Sent, &[b'x'; 1000], 1000, GapCause::Limit);
        }
        assert_eq!(lines(&feed), Vec::<String>::new());
        if finish {
            feed.decoder.finish(Monotonic(feed.now), &mut feed.out);
        } else {
            feed.cut(Direction::Sent, &[b'x'; 1000], 1000, GapCause::Limit);
            feed.sent(&get_pid());
        }
        let end = head.len() + if finish { 8000 } else { 9000 };
        assert_eq!(lines(&feed)[0], format!("gap {}..{end} Limit", head.len()));
        assert_eq!(feed.out.len(), kinds);
    }
}

#[test]
fn after_a_gap_no_answer_is_given_to_the_wrong_call() {
    // The end of the first call and a whole second one are lost; the third is answered after it was sent.
    let mut feed = Feed::new();
    feed.sent(&request(&call("getUri", &["/me"])));
    feed.cut(Direction::Sent, &vec![b'x'; 900], 900, GapCause::Unreadable);
    feed.received(&pid(1));
    feed.sent(&get_pid());
    feed.received(&pid(3));
    let seen = lines(&feed);
    assert_eq!(
        (seen[2].as_str(), seen[3].as_str(), seen[4].as_str()),
        ("answer to 0 ", "call 4 getPid", "answer to 4 getPid")
    );
}

#[test]
fn after_a_gap_a_client_that_pipelines_gets_no_pairs_at_all() {
    let mut feed = Feed::new();
    feed.sent(&[get_pid(), get_pid()].concat());
    feed.received(&pid(1));
    feed.cut(Direction::Sent, &vec![b'x'; 900], 900, GapCause::Lost);
    feed.sent(&get_pid());
    feed.received(&[pid(2), pid(3), pid(4)].concat());
    let answers: Vec<_> = lines(&feed).into_iter().filter(|line| line.starts_with("answer")).collect();
    assert_eq!(answers, ["answer to 1 getPid", "answer to 0 ", "answer to 0 ", "answer to 0 "]);
}

#[test]
fn sockets_that_were_open_say_so_and_decode_from_the_next_message_on() {
    let mut feed = Feed::new();
    feed.fact(Fact::AlreadyOpen);
    feed.sent(b"the end of something</params></methodCall>");
    feed.received(&pid(1));
    feed.sent(&get_pid());
    feed.received(&pid(2));
    assert_eq!(lines(&feed), ["AlreadyOpen", "answer to 0 ", "call 3 getPid", "answer to 3 getPid"]);
}

/// The programs in the kernel are attached one after the other: calls are seen while their answers are not yet.
#[test]
fn answers_that_passed_before_they_were_looked_for_do_not_shift_later_ones() {
    let mut feed = Feed::new();
    feed.fact(Fact::AlreadyOpen);
    for _ in 0..3 {
        feed.sent(&get_pid());
    }
    feed.received(&pid(1));
    feed.sent(&get_pid());
    feed.received(&pid(2));
    let seen = lines(&feed);
    assert_eq!(
        seen,
        [
            "AlreadyOpen",
            "call 2 getPid",
            "call 3 getPid",
            "call 4 getPid",
            "answer to 4 getPid",
            "call 6 getPid",
            "answer to 6 getPid"
        ]
    );
}

#[test]
fn a_message_of_data_on_an_open_socket_is_no_header() {
    let mut feed = Feed::new();
    feed.fact(Fact::AlreadyOpen);
    feed.sent(&tcpros(&["just=a string"]));
    feed.sent(&tcpros(&["callerid=also a string"]));
    assert_eq!(lines(&feed), ["AlreadyOpen"]);
    feed.sent(&tcpros(&["callerid=/me", "md5sum=*", "topic=/t"]));
    assert_eq!(lines(&feed), ["AlreadyOpen", "header Sent"]);
}

#[test]
fn other_protocols_are_not_worth_a_word() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        b"\0\0\0\0\0\0\0\0\0",
    ] {
        let mut feed = Feed::new();
        for piece in bytes.chunks(3) {
            feed.sent(piece);
            feed.received(piece);
        }
        feed.fact(Fact::PeerClosed);
        assert_eq!(feed.whats(), [What::PeerClosed]);
    }
}

#[test]
fn posts_that_are_not_xml_rpc_are_not_worth_a_word() {
    let json = b"POST /api HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let soap = request("<soap:Envelope><soap:Body/></soap:Envelope>");
    let mut feed = Feed::new();
    feed.sent(json);
    feed.received(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>");
    feed.sent(&soap);
    feed.received(&answer("<soap:Envelope/>"));
    assert_eq!(feed.whats(), []);
}

#[test]
fn an_error_status_answers_a_call() {
    let mut feed = Feed::new();
    feed.sent(&get_pid());
    feed.received(b"HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\n\r\n<html>no</html>");
    feed.fact(Fact::PeerClosed);
    assert_eq!(lines(&feed), ["call 1 getPid", "http HTTP/1.0 404 Not Found", "PeerClosed"]);
    assert!(
        matches!(&feed.out[1].what, What::HttpOnly { http, .. } if http.body == "<html>no</html>" && http.body_bytes == 15)
    );
}

#[test]
fn services_answer_on_either_side() {
    let client = tcpros(&["callerid=/me", "service=/do_it", "md5sum=*", "persistent=1"]);
    let server = tcpros(&["callerid=/srv", "md5sum=abc", "type=a/B"]);
    for (asks, answers) in [(Direction::Sent, Direction::Received), (Direction::Received, Direction::Sent)] {
        let mut feed = Feed::new();
        feed.bytes(asks, &client);
        feed.bytes(asks, b"\x02\0\0\0hi\x02\0\0\0ho");
        feed.bytes(answers, &server);
        feed.bytes(answers, b"\x01\x04\0\0\0done\0\x05\0\0\0so");
        feed.bytes(answers, b"rry");
        let expected = [
            format!("header {asks:?}"),
            format!("header {answers:?}"),
            "service true \"\"".to_owned(),
            "service false \"sorry\"".to_owned(),
        ];
        assert_eq!(lines(&feed), expected);
    }
}

#[test]
fn a_refused_service_or_probe_has_no_answer_byte() {
    let mut feed = Feed::new();
    feed.sent(&tcpros(&["callerid=/me", "service=/do_it", "md5sum=x"]));
    feed.received(&tcpros(&["error=md5sums do not match"]));
    feed.received(b"\x02\x02\x02\x02\x02");
    assert_eq!(lines(&feed), ["header Sent", "header Received"]);
}

#[test]
fn data_that_the_kernel_only_counts_is_no_gap_worth_a_word() {
    let mut feed = Feed::new();
    feed.sent(&tcpros(&["callerid=/me", "topic=/t", "md5sum=*"]));
    feed.received(&tcpros(&["callerid=/talker", "topic=/t", "md5sum=abc"]));
    feed.cut(Direction::Received, &[0; 5000], 5000, GapCause::NotCopied);
    let traffic = Traffic { received_bytes: 5060, received_messages: 3, ..Traffic::default() };
    feed.fact(Fact::Traffic(traffic));
    feed.fact(Fact::Closed);
    assert_eq!(feed.whats()[2..], [What::Traffic(traffic), What::Closed { traffic }]);
}

#[test]
fn names_are_asked_for_and_answered() {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x05robot\0\0\x01\0\x01";
    let mut reply = query.to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x83]);
    let mut feed = Feed::new();
    let socket = SocketRef { transport: Transport::Udp, remote: "192.168.1.1:53".parse().ok(), ..tcp(1) };
    for (direction, bytes) in
        [(Direction::Sent, &query[..]), (Direction::Received, &reply), (Direction::Received, b"\x12")]
    {
        let length = u32::try_from(bytes.len()).expect("small");
        let fact = Fact::Datagram { direction, bytes: bytes.to_vec(), length };
        feed.decoder.handle(
            Event { time: Monotonic(1), process: Some(process()), socket: Some(socket.clone()), fact },
            &mut feed.out,
        );
    }
    let (name, record) = ("robot".to_owned(), "A".to_owned());
    let asked = What::NameQuery { name: name.clone(), record: record.clone() };
    let answered = What::NameAnswer { name, record, addresses: Vec::new(), status: "NXDOMAIN".to_owned() };
    assert_eq!(feed.whats()[..2], [asked, answered]);
    assert_eq!(feed.malformed(), ["Dns Received @1 the DNS message ends within its header, at byte 1"]);
}

#[test]
fn bodies_are_kept_up_to_their_limit_and_values_whole() {
    let text = "\u{e4}".repeat(20_000);
    let mut feed = Feed::new();
    feed.sent(&request(&call("setParam", &["/me", "/key", &text])));
    let Some(What::Call { call: Call::SetParam { value, .. }, http, .. }) = feed.whats().pop() else {
        panic!("a call")
    };
    assert_eq!(value, rosprobe::observation::Value::String(text));
    assert!(
        http.body.len() <= rosprobe::observation::Http::BODY_LIMIT && http.body.len() > 16_000,
        "{}",
        http.body.len()
    );
    assert!(!http.body.contains('\u{fffd}') && http.body_bytes > 40_000);
}

#[test]
fn answers_of_a_multicall_are_typed_one_by_one() {
    let inner = |method: &str, params: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value>{method}</value></member><member><name>params</name><value><array><data>{params}</data></array></value></member></struct></value>"
        )
    };
    let calls = inner("getUri", "<value>/me</value>") + &inner("getPid", "<value>/me</value>") + &inner("nothing", "");
    let mut feed = Feed::new();
    feed.sent(&request(&call("system.multicall", &[&format!("<array><data>{calls}</data></array>")])));
    let one = |value: &str| {
        format!(
            "<value><array><data><value><array><data><value><int>1</int></value><value/><value>{value}</value></data></array></value></data></array></value>"
        )
    };
    let fault = "<value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value>no</value></member></struct></value>";
    feed.received(&answer(&response(&format!(
        "<array><data>{}{}{fault}</data></array>",
        one("http://a:1/"),
        one("<int>7</int>")
    ))));
    let Some(What::Answer { answer: Answer::Multicall { answers }, .. }) = feed.whats().pop() else {
        panic!("an answer")
    };
    assert!(
        matches!(&answers[..], [Answer::Uri { .. }, Answer::Success { .. }, Answer::Fault { code: 1, .. }]),
        "{answers:?}"
    );
}
