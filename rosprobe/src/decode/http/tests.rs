//! Messages, cuts, gaps and nonsense.

use super::*;
use crate::event::GapCause;

/// What a reader says, as text that is easy to compare.
fn shown(output: &Output<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output {
        Output::Message { offset, head, body } => format!("{} @{offset} {:?}", head.start_line, text(body)),
        Output::Incomplete { head, prefix, gap } => {
            format!("incomplete {} {:?} {}", head.start_line, text(prefix), gap.is_some())
        }
        Output::Malformed { offset, error } => format!("@{offset} {error}"),
        Output::LostSync => "lost".to_owned(),
    }
}

struct Run {
    reader: Reader,
    out: Vec<String>,
}

impl Run {
    fn new(role: Role) -> Self {
        let limits = Limits { message: 100, head: 200, ..Limits::default() };
        Self { reader: Reader::new(role, 0, &limits), out: Vec::new() }
    }

    fn push(mut self, bytes: &[u8]) -> Self {
        self.reader.push(bytes, &mut |output| self.out.push(shown(&output)));
        self
    }

    fn gap(mut self, length: u64) -> Self {
        let from = self.reader.offset;
        let gap = Gap { from, to: from + length, cause: GapCause::Lost };
        self.reader.gap(gap, &mut |output| self.out.push(shown(&output)));
        self
    }

    fn close(mut self) -> Vec<String> {
        self.reader.close(&mut |output| self.out.push(shown(&output)));
        self.out
    }
}

fn answers(bytes: &[u8]) -> Vec<String> {
    Run::new(Role::Answers).push(bytes).close()
}

fn requests(bytes: &[u8]) -> Vec<String> {
    Run::new(Role::Requests).push(bytes).close()
}

/// Valid streams, and what is in them.
fn streams() -> Vec<(Role, &'static [u8], Vec<&'static str>)> {
    use Role::{Answers, Requests};
    vec![
        (Requests, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", vec!["POST / HTTP/1.1 @38 \"abc\""]),
        (Requests, b"POST / HTTP/1.0\ncONTENT-lENGTH:3\n\nabc", vec!["POST / HTTP/1.0 @34 \"abc\""]),
        (
            Requests,
            b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /c HTTP/1.1\r\n\r\n",
            vec!["POST /a HTTP/1.1 @39 \"x\"", "POST /b HTTP/1.1 @83 \"\"", "GET /c HTTP/1.1 @102 \"\""],
        ),
        (
            Answers,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            vec!["HTTP/1.1 200 OK @66 \"ok\""],
        ),
        (Answers, b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", vec![
            "HTTP/1.1 204 No Content @27 \"\"",
            "HTTP/1.1 304 Not Modified @75 \"\"",
        ]),
        (
            Answers,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n3;ext=1\r\nabc\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            vec!["HTTP/1.1 200 OK @59 \"abc0123456789\"", "HTTP/1.1 204 No @119 \"\""],
        ),
        (Answers, b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil the end", vec!["HTTP/1.0 200 OK @30 \"until the end\""]),
        (Answers, b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 no more", vec![]),
    ]
}

#[test]
fn messages_are_the_same_in_pieces_of_any_size() {
    for (role, bytes, expected) in streams() {
        for size in 1..=bytes.len() {
            let run = bytes.chunks(size).fold(Run::new(role), Run::push);
            assert_eq!(run.close(), expected, "pieces of {size}");
        }
        for cut in 0..bytes.len() {
            let run = Run::new(role).push(&bytes[..cut]).push(&bytes[cut..]);
            assert_eq!(run.close(), expected, "cut at {cut}");
        }
    }
}

#[test]
fn nonsense_is_named_with_its_place() {
    let long_head = format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(300));
    let bad_chunk = |chunk: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    for (role, bytes, expected) in [
        (Role::Requests, "post / HTTP/1.1\r\n\r\n", vec!["@0 an HTTP request should begin here", "lost"]),
        (Role::Requests, "POST /\r\n\r\n", vec!["@0 the HTTP head is not well-formed: invalid token", "lost"]),
        (
            Role::Requests,
            "POST / HTTP/2.0\r\n\r\n",
            vec!["@0 the HTTP head is not well-formed: invalid HTTP version", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\na b: c\r\n\r\n",
            vec!["@0 the HTTP head is not well-formed: invalid header name", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\na: \x01\r\n\r\n",
            vec!["@0 the HTTP head is not well-formed: invalid header value", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\n\r\n",
            vec!["@0 the request has a body of unknown length: neither Content-Length nor chunked", "lost"],
        ),
        (Role::Requests, "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", vec!["@0 Content-Length is \"-1\"", "lost"]),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            vec!["@0 Content-Length is \"1, 2\"", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            vec!["@0 Content-Length is \"99999999999999999999\"", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            vec!["@0 Transfer-Encoding \"gzip, chunked\" is not decoded", "lost"],
        ),
        (Role::Requests, &long_head, vec!["@0 the HTTP head is longer than the limit of 200 bytes", "lost"]),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\nContent-Le",
            vec!["@27 the connection was closed within an HTTP head, after 27 bytes of it", "lost"],
        ),
        (
            Role::Requests,
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
            vec!["@41 the connection was closed within a body, after 3 bytes of it", "lost"],
        ),
        (Role::Answers, "SIP/2.0 200 OK\r\n\r\n", vec!["@0 an HTTP answer should begin here", "lost"]),
        (Role::Answers, &bad_chunk("xyz\r\n"), vec!["@47 the size of a chunk is no hexadecimal number", "lost"]),
        (
            Role::Answers,
            &bad_chunk("ffffffffffffffff\r\n"),
            vec!["@47 the size of a chunk is no hexadecimal number", "lost"],
        ),
        (Role::Answers, &bad_chunk("2\r\nabc\r\n0\r\n\r\n"), vec!["@52 a chunk is longer than its size says", "lost"]),
    ] {
        let out = Run::new(role).push(bytes.as_bytes()).close();
        assert_eq!(out, expected, "{bytes:?}");
    }
}

#[test]
fn bodies_over_the_limit_are_passed_over_and_the_next_message_is_read() {
    let next = "POST /next HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
    let given = format!("POST /big HTTP/1.1\r\nContent-Length: 101\r\n\r\n{}{next}", "a".repeat(101));
    let said = "@43 the body of 101 bytes is longer than the limit of 100 bytes (--payload-limit)".to_owned();
    let prefix = "a".repeat(100);
    let incomplete = format!("incomplete POST /big HTTP/1.1 {prefix:?} false");
    let after = "POST /next HTTP/1.1 @186 \"x\"".to_owned();
    assert_eq!(requests(given.as_bytes()), [said, incomplete, after]);

    let chunks = "32\r\n".to_owned() + &"b".repeat(50) + "\r\n";
    let chunked =
        format!("POST /big HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n{next}", chunks.repeat(3));
    let out = requests(chunked.as_bytes());
    assert_eq!(out.len(), 3, "{out:?}");
    assert!(out[0].ends_with("the body is longer than the limit of 100 bytes (--payload-limit)"), "{out:?}");
    assert_eq!(out[1], format!("incomplete POST /big HTTP/1.1 {:?} false", "b".repeat(100)));
    assert!(out[2].starts_with("POST /next"), "{out:?}");
}

#[test]
fn after_nonsense_the_next_message_is_found() {
    let good = "POST /good HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
    for nonsense in [
        "garbage\r\n",
        "POST broken\r\n",
        "POST / HTTP/1.1\r\nb a d\r\n",
        "\0\u{1}\u{2}\n",
        "POST / HTTP/1.1\r\n\r\n<xml/>\n",
    ] {
        let whole = format!("{nonsense}{good}");
        for cut in 0..whole.len() {
            let run = Run::new(Role::Requests).push(&whole.as_bytes()[..cut]).push(&whole.as_bytes()[cut..]);
            let out = run.close();
            assert_eq!(out.iter().filter(|line| line.starts_with('@')).count(), 1, "{nonsense:?} {out:?}");
            let expected = format!("POST /good HTTP/1.1 @{} \"x\"", whole.len() - 1);
            assert_eq!(out.last(), Some(&expected), "{nonsense:?} cut at {cut}");
        }
    }
}

#[test]
fn nonsense_for_ever_is_said_once() {
    let bytes = "no HTTP at all\nPOST neither\n".repeat(500);
    assert_eq!(requests(bytes.as_bytes()).iter().filter(|line| line.starts_with('@')).count(), 1);
}

#[test]
fn a_gap_within_a_body_of_known_length_loses_that_body_only() {
    let run = Run::new(Role::Requests).push(b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab").gap(3).push(b"fghi");
    let out = run.push(b"POST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").close();
    assert_eq!(out, ["incomplete POST /a HTTP/1.1 \"ab\" true", "POST /b HTTP/1.1 @87 \"x\""]);

    let run = Run::new(Role::Answers).push(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").gap(3);
    let out = run.push(b"\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n").close();
    assert_eq!(out, ["incomplete HTTP/1.1 200 OK \"ab\" true", "HTTP/1.1 204 No @81 \"\""]);
}

#[test]
fn a_gap_over_the_end_of_a_message_is_followed_by_a_search() {
    for (before, said) in [
        (
            &b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\na"[..],
            vec!["incomplete POST /a HTTP/1.1 \"a\" true", "lost"],
        ),
        (b"POST /a HTT", vec!["lost"]),
        (b"", vec!["lost"]),
    ] {
        let run = Run::new(Role::Requests).push(before).gap(1000);
        let run = run.push(b"ngth: 7\r\n\r\n<value>").push(b"POST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
        let offset = before.len() + 1000 + 18 + 39;
        let expected = format!("POST /b HTTP/1.1 @{offset} \"x\"");
        assert_eq!(run.close(), [said, vec![expected.as_str()]].concat());
    }
}

#[test]
fn what_is_forgotten_says_so_and_the_next_message_is_read() {
    let mut run = Run::new(Role::Requests).push(b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
    assert_eq!(run.reader.buffered(), 2);
    run.reader.forget(&mut |output| run.out.push(shown(&output)));
    assert_eq!(run.reader.buffered(), 0);
    let out = run.push(b"cdePOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").close();
    assert!(out[0].contains("2 bytes of an unfinished message were dropped"), "{out:?}");
    assert_eq!(out[1..], ["incomplete POST /a HTTP/1.1 \"cde\" false", "POST /b HTTP/1.1 @83 \"x\""]);
}

#[test]
fn more_fields_than_anybody_needs_are_an_error() {
    let head = |fields: usize| format!("POST / HTTP/1.1\r\nContent-Length: 0\r\n{}\r\n", "a: b\r\n".repeat(fields));
    assert!(Head::parse(Role::Requests, head(127).as_bytes()).is_ok());
    assert_eq!(Head::parse(Role::Requests, head(128).as_bytes()), Err(HttpError::TooManyFields));
}

#[test]
fn answers_are_told_from_requests() {
    assert_eq!(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), ["HTTP/1.1 200 OK @38 \"\""]);
}
