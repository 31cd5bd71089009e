//! Messages as resolvers send them, and ones that lie.

use super::*;

/// A header with flags and counts of questions and answers.
fn header(flags: u16, questions: u8, answers: u8) -> Vec<u8> {
    let [high, low] = flags.to_be_bytes();
    vec![0x12, 0x34, high, low, 0, questions, 0, answers, 0, 0, 0, 0]
}

fn name(text: &str) -> Vec<u8> {
    let labels =
        text.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap_or(0)], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

fn question(text: &str, kind: u8) -> Vec<u8> {
    [&name(text)[..], &[0, kind, 0, 1]].concat()
}

fn record(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap_or(0);
    [owner, &[0, kind, 0, 1, 0, 0, 0, 60, 0, length], data].concat()
}

/// A pointer to the first question's name.
const POINTER: [u8; 2] = [0xc0, 12];

fn answer(bytes: &[u8]) -> (String, String, Vec<String>, String) {
    match parse(bytes).expect("valid") {
        Message::Answer { question, addresses, status } => {
            (question.name, question.record, addresses.iter().map(ToString::to_string).collect(), status)
        }
        Message::Query(_) => panic!("an answer"),
    }
}

#[test]
fn queries_name_what_is_asked() {
    let bytes = [header(0x0100, 1, 0), question("Robot.Local", 1)].concat();
    let asked = |name: &str, record: &str| Question { name: name.to_owned(), record: record.to_owned() };
    assert_eq!(parse(&bytes), Ok(Message::Query(vec![asked("robot.local", "A")])));
    let bytes = [header(0x0100, 2, 0), question("a", 28), question("b", 12)].concat();
    assert_eq!(parse(&bytes), Ok(Message::Query(vec![asked("a", "AAAA"), asked("b", "12")])));
}

#[test]
fn answers_give_addresses_and_follow_canonical_names() {
    let canonical = name("real.lan");
    let bytes = [
        header(0x8180, 1, 4),
        question("robot.lan", 1),
        record(&POINTER, 5, &canonical),
        record(&canonical, 1, &[10, 0, 1, 1]),
        record(&canonical, 1, &[10, 0, 1, 2]),
        record(&name("stranger.lan"), 1, &[6, 6, 6, 6]),
    ]
    .concat();
    let expected = (
        "robot.lan".to_owned(),
        "A".to_owned(),
        vec!["10.0.1.1".to_owned(), "10.0.1.2".to_owned()],
        "NOERROR".to_owned(),
    );
    assert_eq!(answer(&bytes), expected);
    let six = [&[0xfd, 0x50][..], &[0; 13], &[1]].concat();
    let bytes = [header(0x8180, 1, 1), question("robot.lan", 28), record(&POINTER, 28, &six)].concat();
    assert_eq!(answer(&bytes).2, ["fd50::1"]);
}

#[test]
fn failures_have_their_names() {
    for (flags, status) in [(0x8183, "NXDOMAIN"), (0x8182, "SERVFAIL"), (0x8185, "5"), (0x8180, "NOERROR")] {
        let bytes = [header(flags, 1, 0), question("unknown", 1)].concat();
        assert_eq!(answer(&bytes), ("unknown".to_owned(), "A".to_owned(), Vec::new(), status.to_owned()));
    }
}

#[test]
fn truncated_answers_say_so_and_give_what_they_have() {
    let whole = record(&POINTER, 1, &[10, 0, 1, 1]);
    let bytes = [header(0x8380, 1, 2), question("many", 1), whole.clone(), whole[..7].to_vec()].concat();
    let (_, _, addresses, status) = answer(&bytes);
    assert_eq!((addresses, status.as_str()), (vec!["10.0.1.1".to_owned()], "TRUNCATED"));
}

#[test]
fn canonical_names_in_a_circle_end() {
    let other = name("b");
    let bytes =
        [header(0x8180, 1, 2), question("a", 1), record(&POINTER, 5, &other), record(&other, 5, &POINTER)].concat();
    assert!(answer(&bytes).2.is_empty());
}

#[test]
fn control_characters_and_dots_in_labels_are_escaped() {
    let bytes = [header(0x0100, 1, 0), vec![4, b'a', 0x1b, b'.', b'B', 0, 0, 1, 0, 1]].concat();
    let Ok(Message::Query(questions)) = parse(&bytes) else { panic!("a query") };
    assert_eq!(questions[0].name, "a\\027\\046b");
}

#[test]
fn lies_are_named() {
    let long = ["a".repeat(63).as_str(); 5].join(".");
    for (bytes, error) in [
        (vec![1, 2, 3], DnsError::Short { what: "its header", at: 3 }),
        (header(0x8180, 0, 0), DnsError::NoQuestion),
        (header(0x0100, 0, 0), DnsError::NoQuestion),
        (header(0x0100, 1, 0), DnsError::Short { what: "a name", at: 12 }),
        ([header(0x0100, 1, 0), name("a"), vec![0]].concat(), DnsError::Short { what: "a question", at: 16 }),
        ([header(0x0100, 1, 0), vec![0xc0, 12, 0, 1, 0, 1]].concat(), DnsError::Pointer { at: 12 }),
        ([header(0x0100, 1, 0), vec![0xc0, 200, 0, 1, 0, 1]].concat(), DnsError::Pointer { at: 12 }),
        ([header(0x0100, 1, 0), vec![1, b'a', 0xc0, 12, 0, 1, 0, 1]].concat(), DnsError::Pointer { at: 14 }),
        ([header(0x0100, 1, 0), vec![0x80, 0]].concat(), DnsError::Label { at: 12 }),
        ([header(0x0100, 1, 0), question(&long, 1)].concat(), DnsError::NameTooLong { at: 12 }),
        (
            [header(0x8180, 1, 1), question("a", 1), vec![0xc0, 12, 0, 1]].concat(),
            DnsError::Short { what: "a record", at: 23 },
        ),
    ] {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
    }
}
