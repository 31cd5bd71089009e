//! What real kernels report, in their order and in every other.

use super::*;

#[derive(Clone, Copy, Debug)]
enum Seen {
    Returned { errno: Option<Errno>, took: u64 },
    Syn,
    Established,
    SynAgain,
    Error(Errno),
    Soft(Errno),
    Write(Errno),
    Received,
    Closed,
    Exited,
}

use ErrorSource::{Connect, FirstIo, SocketError};
use Seen::{Closed, Error, Established, Exited, Received, Returned, Soft, Syn, SynAgain, Write};

const SUCCESS: Option<Errno> = None;
const IN_PROGRESS: Option<Errno> = Some(Errno::EINPROGRESS);
const REFUSED: Errno = Errno::ECONNREFUSED;

fn returned(errno: Option<Errno>, took: u64) -> Seen {
    Returned { errno, took }
}

fn run(facts: &[(u64, Seen)]) -> Vec<What> {
    let mut tracker = Tracker::default();
    let mut out = Vec::new();
    let mut emit = |what| out.push(what);
    for (time, seen) in facts {
        let time = Monotonic(*time);
        match *seen {
            Returned { errno, took } => tracker.returned(errno, took, time, &mut emit),
            Syn => tracker.syn_sent(time, &mut emit),
            Established => tracker.established(false, time, &mut emit),
            SynAgain => tracker.syn_retransmitted(time, &mut emit),
            Error(errno) => tracker.error(errno, SocketError, time, &mut emit),
            Soft(errno) => tracker.soft_error(errno),
            Write(errno) => tracker.io_failed(Direction::Sent, errno, 1, time, &mut emit),
            Received => tracker.data(Direction::Received, time, &mut emit),
            Closed => tracker.ended(AbandonCause::Closed, time, &mut emit),
            Exited => tracker.ended(AbandonCause::ProcessExited, time, &mut emit),
        }
    }
    out
}

fn failed(errno: Errno, after_ns: u64, reported_by: ErrorSource) -> What {
    What::ConnectFailed { errno, after_ns, syn_retransmits: 0, reported_by }
}

fn abandoned(after_ns: u64, syn_retransmits: u32, cause: AbandonCause) -> What {
    What::ConnectAbandoned { after_ns, syn_retransmits, cause }
}

fn connected(after_ns: u64) -> What {
    What::Connected { after_ns }
}

/// A name, what is seen, and what is said.
type Case<'a> = (&'a str, &'a [(u64, Seen)], Vec<What>);

fn check(table: &[Case<'_>]) {
    for (name, facts, expected) in table {
        assert_eq!(&run(facts), expected, "{name}");
    }
}

fn started() -> What {
    What::ConnectStarted
}

#[test]
fn an_error_that_the_kernel_only_noted_counts_when_the_process_gives_up() {
    let unreachable = Errno::EHOSTUNREACH;
    check(&[
        (
            "an ICMP error during connect(), fetched by getsockopt",
            &[(10, Syn), (12, returned(IN_PROGRESS, 4)), (12, Soft(unreachable)), (30, Closed)],
            vec![started(), failed(unreachable, 20, SocketError)],
        ),
        (
            "a peer that was there resets what is no answer to a SYN, or events were seen late",
            &[(10, Syn), (12, returned(IN_PROGRESS, 4)), (30, Error(Errno::ECONNRESET)), (30, Closed)],
            vec![started(), failed(Errno::ECONNRESET, 20, SocketError)],
        ),
        (
            "and then somebody answered after all",
            &[(10, Syn), (12, returned(IN_PROGRESS, 4)), (12, Soft(unreachable)), (30, Established), (40, Closed)],
            vec![started(), connected(20)],
        ),
        (
            "and the process ended before it asked",
            &[(10, Syn), (12, returned(IN_PROGRESS, 4)), (12, Soft(unreachable)), (30, Exited)],
            vec![started(), abandoned(20, 0, AbandonCause::ProcessExited)],
        ),
    ]);
}

#[test]
fn success_is_said_once_whoever_reports_it() {
    check(&[
        (
            "blocking",
            &[(11, Syn), (15, Established), (16, returned(SUCCESS, 6)), (20, Closed)],
            vec![started(), connected(4)],
        ),
        (
            "non-blocking",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (15, Established), (20, Closed)],
            vec![started(), connected(4)],
        ),
        (
            "interrupted",
            &[(11, Syn), (12, returned(Some(Errno::EINTR), 2)), (15, Established)],
            vec![started(), connected(4)],
        ),
        (
            "non-blocking, and asked for by connect() again and again",
            &[
                (11, Syn),
                (12, returned(IN_PROGRESS, 2)),
                (15, Established),
                (18, returned(SUCCESS, 1)),
                (20, returned(Some(Errno::EISCONN), 1)),
            ],
            vec![started(), connected(4)],
        ),
        ("bytes prove it", &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (15, Received)], vec![started(), connected(4)]),
        (
            "an established connection breaks",
            &[
                (11, Syn),
                (15, Established),
                (16, returned(SUCCESS, 6)),
                (90, Error(Errno::ETIMEDOUT)),
                (91, Write(Errno::EPIPE)),
            ],
            vec![
                started(),
                connected(4),
                What::SocketError { errno: Errno::ETIMEDOUT },
                What::IoFailed { direction: Direction::Sent, errno: Errno::EPIPE, count: 1 },
            ],
        ),
    ]);
}

#[test]
fn failure_and_its_reporter_are_said_once() {
    check(&[
        (
            "loopback refuses before connect() returns",
            &[(11, Syn), (12, Error(REFUSED)), (13, returned(IN_PROGRESS, 3)), (14, Closed)],
            vec![started(), failed(REFUSED, 1, SocketError)],
        ),
        (
            "blocking and refused",
            &[(11, Syn), (12, Error(REFUSED)), (13, returned(Some(REFUSED), 3)), (14, Closed)],
            vec![started(), failed(REFUSED, 1, SocketError)],
        ),
        (
            "blocking and refused, where nothing reports asynchronously",
            &[(11, Syn), (13, returned(Some(REFUSED), 3)), (14, Closed)],
            vec![started(), failed(REFUSED, 2, Connect)],
        ),
        (
            "no route: no change of state",
            &[(10, returned(Some(Errno::ENETUNREACH), 2)), (11, Closed)],
            vec![failed(Errno::ENETUNREACH, 2, Connect)],
        ),
        (
            "roscpp learns it from the first write",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (15, Write(REFUSED)), (16, Write(Errno::EPIPE)), (17, Closed)],
            vec![started(), failed(REFUSED, 4, FirstIo)],
        ),
        (
            "refused, and the write says it again",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (14, Error(REFUSED)), (15, Write(REFUSED)), (17, Closed)],
            vec![started(), failed(REFUSED, 3, SocketError)],
        ),
        (
            "dropped, then closed as rospy does",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (1011, SynAgain), (3011, SynAgain), (60_011, Closed)],
            vec![
                started(),
                What::SynRetransmitted { count: 1, after_ns: 1000 },
                What::SynRetransmitted { count: 2, after_ns: 3000 },
                abandoned(60_000, 2, AbandonCause::Closed),
            ],
        ),
        (
            "killed",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (20, Exited), (21, Closed)],
            vec![started(), abandoned(9, 0, AbandonCause::ProcessExited)],
        ),
    ]);
}

#[test]
fn each_attempt_of_a_socket_has_an_end_of_its_own() {
    check(&[
        (
            "no route, tried again on the same socket",
            &[(10, returned(Some(Errno::ENETUNREACH), 2)), (20, returned(Some(Errno::ENETUNREACH), 2)), (30, Closed)],
            vec![failed(Errno::ENETUNREACH, 2, Connect), failed(Errno::ENETUNREACH, 2, Connect)],
        ),
        (
            "no route, then one",
            &[
                (10, returned(Some(Errno::ENETUNREACH), 2)),
                (21, Syn),
                (22, Error(REFUSED)),
                (23, returned(IN_PROGRESS, 3)),
            ],
            vec![failed(Errno::ENETUNREACH, 2, Connect), started(), failed(REFUSED, 1, SocketError)],
        ),
        (
            "refused, and the next connect() says it again",
            &[
                (11, Syn),
                (12, Error(REFUSED)),
                (13, returned(IN_PROGRESS, 3)),
                (20, returned(Some(REFUSED), 1)),
                (21, Closed),
            ],
            vec![started(), failed(REFUSED, 1, SocketError)],
        ),
        (
            "refused, reported again, and refused again",
            &[
                (11, Syn),
                (12, Error(REFUSED)),
                (13, returned(IN_PROGRESS, 3)),
                (20, returned(Some(Errno::ECONNABORTED), 1)),
                (31, Syn),
                (32, Error(REFUSED)),
                (33, returned(IN_PROGRESS, 3)),
            ],
            vec![started(), failed(REFUSED, 1, SocketError), started(), failed(REFUSED, 1, SocketError)],
        ),
        (
            "a second connect() while under way, and one that finds it connected",
            &[
                (11, Syn),
                (12, returned(IN_PROGRESS, 2)),
                (14, returned(Some(Errno::EALREADY), 1)),
                (18, returned(Some(Errno::EISCONN), 1)),
                (19, Established),
            ],
            vec![started(), connected(7)],
        ),
        (
            "the end of one was lost",
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (31, Syn), (35, Established)],
            vec![started(), abandoned(20, 0, AbandonCause::LostSight), started(), connected(4)],
        ),
        (
            "a SYN_SENT socket from before the capture",
            &[(11, SynAgain), (12, Error(REFUSED))],
            vec![
                started(),
                What::SynRetransmitted { count: 1, after_ns: 0 },
                What::ConnectFailed { errno: REFUSED, after_ns: 1, syn_retransmits: 1, reported_by: SocketError },
            ],
        ),
    ]);
}

#[test]
fn sockets_that_were_open_say_what_breaks() {
    let mut tracker = Tracker::default();
    let mut out = Vec::new();
    tracker.already_open();
    tracker.error(Errno::ETIMEDOUT, SocketError, Monotonic(1), &mut |what| out.push(what));
    tracker.io_failed(Direction::Received, Errno::ECONNRESET, 2, Monotonic(2), &mut |what| out.push(what));
    tracker.ended(AbandonCause::Closed, Monotonic(3), &mut |what| out.push(what));
    let reset = What::IoFailed { direction: Direction::Received, errno: Errno::ECONNRESET, count: 2 };
    assert_eq!(out, [What::SocketError { errno: Errno::ETIMEDOUT }, reset]);
}

#[test]
fn accepting_is_said_once_and_is_no_attempt() {
    let mut tracker = Tracker::default();
    let mut out = Vec::new();
    tracker.established(true, Monotonic(1), &mut |what| out.push(what));
    tracker.established(true, Monotonic(2), &mut |what| out.push(what));
    tracker.ended(AbandonCause::Closed, Monotonic(3), &mut |what| out.push(what));
    assert_eq!(out, [What::Accepted]);
}

fn permutations(facts: &[(u64, Seen)]) -> Vec<Vec<(u64, Seen)>> {
    if facts.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |index: usize| {
        let mut rest = facts.to_vec();
        let first = rest.remove(index);
        permutations(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    (0..facts.len()).flat_map(with_first).collect()
}

fn ends(out: &[What]) -> Vec<&What> {
    let is_end = |what: &&What| {
        matches!(what, What::Connected { .. } | What::ConnectFailed { .. } | What::ConnectAbandoned { .. })
    };
    out.iter().filter(is_end).collect()
}

#[test]
fn in_any_order_an_attempt_has_one_end_and_the_same_outcome() {
    let scenarios: &[(&[(u64, Seen)], &str)] = &[
        (&[(11, Syn), (15, Established), (16, returned(SUCCESS, 6))], "connected"),
        (
            &[(11, Syn), (12, returned(IN_PROGRESS, 2)), (15, Established), (18, returned(Some(Errno::EISCONN), 1))],
            "connected",
        ),
        (
            &[
                (11, Syn),
                (12, Error(REFUSED)),
                (13, returned(IN_PROGRESS, 3)),
                (15, Write(REFUSED)),
                (16, Write(Errno::EPIPE)),
            ],
            "ECONNREFUSED",
        ),
        (&[(11, Syn), (12, Error(REFUSED)), (13, returned(Some(REFUSED), 3))], "ECONNREFUSED"),
        (&[(11, Syn), (12, returned(IN_PROGRESS, 2)), (15, Write(REFUSED)), (16, Write(Errno::EPIPE))], "ECONNREFUSED"),
        (&[(10, returned(Some(Errno::ENETUNREACH), 2)), (11, Write(Errno::EPIPE))], "ENETUNREACH"),
        (
            &[
                (11, Syn),
                (12, returned(IN_PROGRESS, 2)),
                (1011, SynAgain),
                (3011, SynAgain),
                (9000, Error(Errno::EHOSTUNREACH)),
            ],
            "EHOSTUNREACH",
        ),
    ];
    for (facts, outcome) in scenarios {
        for mut order in permutations(facts) {
            order.push((99_999, Closed));
            let out = run(&order);
            let ends = ends(&out);
            let [end] = ends[..] else { panic!("{order:?}: {ends:?}") };
            let seen = match end {
                What::ConnectFailed { errno, .. } => errno.to_string(),
                What::Connected { .. } => "connected".to_owned(),
                other => panic!("{order:?}: {other:?}"),
            };
            assert_eq!(seen, *outcome, "{order:?}");
            assert!(out.iter().filter(|what| **what == What::ConnectStarted).count() <= 1, "{order:?}");
        }
        let mut with_close = facts.to_vec();
        with_close.push((99_999, Closed));
        for order in permutations(&with_close) {
            assert_eq!(ends(&run(&order)).len(), 1, "{order:?}");
        }
    }
}
