//! What is wrong, where, once; and everything after it still decodes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use rosprobe::decode::Limits;
use rosprobe::event::{Direction, Fact, GapCause};
use rosprobe::observation::{Answer, Call, What};

use crate::feed::{Feed, answer, call, request, response, tcpros};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A request whose answer is wrong, then one whose answer is right.
#[test]
fn wrong_answers_are_named_and_the_next_pair_is_read() {
    let good = response("<array><data><value><int>1</int></value><value/><value><int>7</int></value></data></array>");
    let whole = gzip(good.as_bytes());
    let bomb = gzip(&vec![b' '; 3 << 20]);
    let deep = response(&"<array><data><value>".repeat(60));
    for (bytes, expected) in [
        (
            answer("<methodResponse><params>"),
            "XmlRpc Received @87 it ends where <param> should stand, at byte 24 of the XML",
        ),
        (answer(&response("<int>seven</int>")), "XmlRpc Received @139 \"seven\" is no <int>, at byte 75 of the XML"),
        (answer(&response("&x;")), "XmlRpc Received @126 the entity \"x\" is not defined, at byte 62 of the XML"),
        (answer(&call("getPid", &["/me"])), "XmlRpc Received @64 an answer holds a methodCall"),
        (answer(&deep), "values are nested deeper than 48"),
        (compressed(&whole[..whole.len() - 9]), "Gzip Received @88 the gzip content is damaged: "),
        (compressed(b"not gzip"), "Gzip Received @86 the gzip content is damaged: "),
        (compressed(&bomb), "the gzip content expands to more than the limit of 1048576 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_vec(), "Http Received @0 Content-Length is \"many\""),
        (b"ICY 200 OK\r\n\r\n".to_vec(), "Http Received @0 an HTTP answer should begin here"),
    ] {
        let mut feed = Feed::with_limits(Limits { content: 1 << 20, ..Limits::default() });
        feed.sent(&request(&call("getPid", &["/me"])));
        feed.received(&bytes);
        let malformed = feed.malformed();
        assert_eq!(malformed.len(), 1, "{malformed:?}");
        assert!(malformed[0].contains(expected), "{malformed:?} is not {expected:?}");
        if expected.contains("should begin here") {
            // Its first bytes say that it is something else for good.
            continue;
        }
        feed.sent(&request(&call("getPid", &["/me"])));
        feed.received(&answer(&good));
        let last = feed.whats().pop().expect("an answer");
        let What::Answer { to: Some(to), answer: Answer::Success { .. }, .. } = last else { panic!("{last:?}") };
        assert_eq!(to.0 + 1, feed.out.last().expect("an answer").id.0, "{expected}");
    }
}

#[test]
fn wrong_requests_are_named_and_their_answers_are_not_mistaken() {
    let good = response("<array><data><value><int>1</int></value><value/><value>x</value></data></array>");
    for (bytes, expected, method) in [
        (
            request("<methodCall><methodName>getUri</methodName><params><x/>"),
            "XmlRpc Sent @122 <x> stands where <param> should",
            "getUri",
        ),
        (request("<methodCall>"), "XmlRpc Sent @79 it ends where <methodName> should stand", ""),
        (request(&response("x")), "XmlRpc Sent @68 a request holds a methodResponse", ""),
    ] {
        let mut feed = Feed::new();
        feed.sent(&bytes);
        let malformed = feed.malformed();
        assert_eq!(malformed.len(), 1, "{malformed:?}");
        assert!(malformed[0].starts_with(expected), "{malformed:?} is not {expected:?}");
        feed.received(&answer(&good));
        let Some(What::Answer { to: None, method: given, .. }) = feed.whats().pop() else { panic!("{expected}") };
        assert_eq!(given, method);
    }
}

#[test]
fn arguments_that_are_not_the_methods_own_are_named() {
    let wrong = |document: &str| {
        let mut feed = Feed::new();
        feed.sent(&request(document));
        match feed.whats().pop() {
            Some(What::Call { call: Call::Other { mismatch: Some(mismatch), .. }, .. }) => mismatch,
            other => panic!("{other:?}"),
        }
    };
    for (document, expected) in [
        (
            call("registerSubscriber", &["/me"]),
            "registerSubscriber takes 4 arguments (caller_id, topic, topic_type, caller_api), and 1 were given",
        ),
        (call("getPid", &["<int>1</int>"]), "argument 1 of getPid, caller_id, should be a string and is an int"),
        (
            call("publisherUpdate", &["/m", "/t", "x"]),
            "argument 3 of publisherUpdate, publishers, should be an array of strings and is a string",
        ),
        (
            call("publisherUpdate", &["/m", "/t", "<array><data><value><i4>1</i4></value></data></array>"]),
            "argument 3 of publisherUpdate, publishers, should be an array of strings and is another array",
        ),
        (
            call("requestTopic", &["/m", "/t", "<array><data><value>TCPROS</value></data></array>"]),
            "argument 3 of requestTopic, protocols, should be an array of arrays that begin with a protocol's name and is another array",
        ),
        (call("system.multicall", &["x"]), "system.multicall takes one array of structs with methodName and params"),
    ] {
        assert_eq!(wrong(&document), expected);
    }
}

#[test]
fn wrong_headers_are_named() {
    let client = tcpros(&["callerid=/me", "topic=/t", "md5sum=*", "type=a/B"]);
    let mut long_field = tcpros(&["callerid=/srv", "md5sum=*"]);
    long_field[21] = 0xff;
    for (bytes, expected) in [
        (
            b"\xff\xff\xff\x7f\x0d\0\0\0callerid=/srv".to_vec(),
            "Tcpros Received @0 the connection header says that it is 2147483647 bytes long, and 1048576 are the limit",
        ),
        (
            long_field,
            "Tcpros Received @21 a field of 255 bytes at byte 21 of the connection header goes beyond its end at byte 33",
        ),
        (
            tcpros(&["callerid=/srv", "nonsense"]),
            "Tcpros Received @21 the field at byte 21 of the connection header has no `=`",
        ),
        (
            b"HELLO THERE I AM NO ROS NODE".to_vec(),
            "Tcpros Received @0 the connection header says that it is 1280066888 bytes long",
        ),
        (
            b"\x10\0\0\0\x0c\0\0\0hello world!".to_vec(),
            "Tcpros Received @0 the field at byte 4 of the connection header has no `=`",
        ),
    ] {
        let mut feed = Feed::new();
        feed.sent(&client);
        feed.received(&bytes);
        feed.received(b"and more");
        feed.fact(Fact::PeerClosed);
        let malformed = feed.malformed();
        assert_eq!(malformed.len(), 1, "{malformed:?}");
        assert!(malformed[0].starts_with(expected), "{malformed:?} is not {expected:?}");
    }
    let whole = tcpros(&["callerid=/srv", "md5sum=*"]);
    for cut in 1..whole.len() {
        let mut feed = Feed::new();
        feed.sent(&client);
        feed.received(&whole[..cut]);
        feed.fact(Fact::PeerClosed);
        let expected = format!(
            "Tcpros Received @{cut} the connection was closed within the connection header, after {cut} bytes of it"
        );
        assert_eq!(feed.malformed(), [expected]);
    }
}

#[test]
fn limits_are_named() {
    let big = call("setParam", &["/me", "/key", &"x".repeat(5000)]);
    let limits = Limits { message: 4000, ..Limits::default() };
    let mut feed = Feed::with_limits(limits);
    feed.sent(&request(&big));
    feed.received(&answer(&response(
        "<array><data><value><int>1</int></value><value/><value><int>0</int></value></data></array>",
    )));
    let offset = request(&big).len() - big.len();
    let expected = format!(
        "Http Sent @{offset} the body of {} bytes is longer than the limit of 4000 bytes (--payload-limit)",
        big.len()
    );
    assert_eq!(feed.malformed(), [expected]);
    let Some(What::Answer { method, to: None, .. }) = feed.whats().pop() else { panic!("an answer") };
    assert_eq!(method, "setParam");
}

#[test]
fn payload_that_the_kernel_did_not_copy_is_a_gap_and_names_the_message() {
    let bytes = request(&call("setParam", &["/me", "/key", &"x".repeat(5000)]));
    let mut feed = Feed::new();
    feed.cut(Direction::Sent, &bytes, 3000, GapCause::Limit);
    let (from, to) = ((bytes.len() - 3000) as u64, bytes.len() as u64);
    let gap = What::Gap { direction: Direction::Sent, from, to, cause: GapCause::Limit };
    assert_eq!(feed.whats()[0], gap);
    let expected = format!(
        "XmlRpc Sent @{from} the message \"POST /RPC2 HTTP/1.1\" misses bytes {from} to {to}: they are beyond what is copied of a message (--payload-limit) or kept of a packet (tcpdump -s)"
    );
    assert_eq!(feed.malformed(), [expected]);
    feed.sent(&request(&call("getPid", &["/me"])));
    assert!(matches!(feed.whats().last(), Some(What::Call { call: Call::GetPid { .. }, .. })));
}
