//! Many sockets at once: one does not touch another, all together are bounded, and their processes end.

use rosprobe::decode::Limits;
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, Event, Fact, Monotonic, SocketRef, Transport};
use rosprobe::observation::{AbandonCause, Call, What};

use crate::feed::{Feed, call, chunk, process, request, tcp};

#[test]
fn trouble_on_one_socket_does_not_touch_another() {
    let bytes = request(&call("getPid", &["/me"]));
    let mut feed = Feed::new();
    feed.fact_on(1, Fact::Stream(chunk(Direction::Sent, 0, b"POST nonsense\r\n\r\n")));
    feed.fact_on(2, Fact::Stream(chunk(Direction::Sent, 0, &bytes[..40])));
    feed.fact_on(1, Fact::Stream(chunk(Direction::Sent, 900, b"far away")));
    feed.fact_on(2, Fact::Stream(chunk(Direction::Sent, 40, &bytes[40..])));
    assert_eq!(feed.malformed().len(), 1);
    let last = feed.out.last().expect("a call");
    assert_eq!(last.socket.as_ref().map(|socket| socket.id), Some(2));
    assert!(matches!(last.what, What::Call { call: Call::GetPid { .. }, .. }));
}

#[test]
fn the_quietest_socket_is_forgotten_first_and_its_attempt_is_said_to_be_lost() {
    let mut feed = Feed::with_limits(Limits { sockets: 2, ..Limits::default() });
    for socket in [1, 2] {
        feed.fact_on(socket, Fact::SynSent);
    }
    feed.fact_on(1, Fact::SynRetransmitted);
    feed.fact_on(3, Fact::SynSent);
    let lost: Vec<_> = feed
        .out
        .iter()
        .filter(|seen| matches!(seen.what, What::ConnectAbandoned { cause: AbandonCause::LostSight, .. }))
        .collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].socket.as_ref().map(|socket| socket.id), Some(2));
}

#[test]
fn unfinished_messages_of_all_sockets_are_bounded() {
    let limits = Limits { buffered: 10_000, ..Limits::default() };
    let mut feed = Feed::with_limits(limits);
    let head = b"POST / HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n";
    for socket in 1..=4 {
        feed.fact_on(socket, Fact::Stream(chunk(Direction::Sent, 0, head)));
        feed.fact_on(socket, Fact::Stream(chunk(Direction::Sent, head.len() as u64, &[b'x'; 3000])));
    }
    let malformed = feed.malformed();
    assert!(!malformed.is_empty() && malformed.len() < 4, "{malformed:?}");
    assert!(
        malformed.iter().all(|line| line.contains("3000 bytes of an unfinished message were dropped")),
        "{malformed:?}"
    );
}

#[test]
fn a_process_that_ends_abandons_its_attempts_and_no_others() {
    let mut feed = Feed::new();
    feed.fact_on(1, Fact::SynSent);
    feed.now += 1;
    let stranger = Event { time: Monotonic(feed.now), process: None, socket: Some(tcp(2)), fact: Fact::SynSent };
    feed.decoder.handle(stranger, &mut feed.out);
    let exit = Event { time: Monotonic(feed.now), process: Some(process()), socket: None, fact: Fact::ProcessExited };
    feed.decoder.handle(exit, &mut feed.out);
    let abandoned: Vec<_> = feed.out.iter().filter(|seen| matches!(seen.what, What::ConnectAbandoned { .. })).collect();
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0].socket.as_ref().map(|socket| socket.id), Some(1));
    assert_eq!(feed.whats().last(), Some(&What::ProcessExited));
    feed.decoder.finish(Monotonic(feed.now + 5), &mut feed.out);
    let cause = AbandonCause::LostSight;
    assert_eq!(feed.whats().last(), Some(&What::ConnectAbandoned { after_ns: 5, syn_retransmits: 0, cause }));
}

#[test]
fn what_a_later_event_does_not_know_is_kept_from_an_earlier_one() {
    let mut feed = Feed::new();
    feed.fact(Fact::SynSent);
    let timer = SocketRef { local: None, remote: None, net_namespace: 0, ..tcp(1) };
    let fact = Fact::SocketError { errno: Errno::ETIMEDOUT };
    let event = Event { time: Monotonic(9_000_000), process: None, socket: Some(timer), fact };
    feed.decoder.handle(event, &mut feed.out);
    let last = feed.out.last().expect("a failure");
    assert!(matches!(last.what, What::ConnectFailed { errno: Errno::ETIMEDOUT, .. }));
    assert_eq!((last.process.clone(), last.socket.clone()), (Some(process()), Some(tcp(1))));
}

#[test]
fn a_process_that_resets_its_connection_closes_it_and_the_socket_keeps_its_ports() {
    let mut feed = Feed::new();
    let seen = |feed: &mut Feed, local: &str, remote: &str, fact| {
        feed.now += 1;
        let ends = SocketRef { local: local.parse().ok(), remote: remote.parse().ok(), ..tcp(1) };
        let event = Event { time: Monotonic(feed.now), process: None, socket: Some(ends), fact };
        feed.decoder.handle(event, &mut feed.out);
    };
    seen(&mut feed, "10.0.1.1:39023", "10.0.1.2:37428", Fact::Established { incoming: true });
    seen(&mut feed, "10.0.1.1:39023", "10.0.1.2:0", Fact::Aborted);
    seen(&mut feed, "10.0.1.1:0", "10.0.1.2:0", Fact::Closed);
    assert!(matches!(feed.whats()[..], [What::Accepted, What::Closed { .. }]), "{:?}", feed.whats());
    let socket = feed.out.last().and_then(|closed| closed.socket.clone()).expect("a socket");
    let ends = [socket.local, socket.remote].map(|end| end.expect("an address").to_string());
    assert_eq!(ends, ["10.0.1.1:39023", "10.0.1.2:37428"]);
}

#[test]
fn a_process_that_shuts_down_a_connect_gives_it_up_and_the_next_one_has_a_port_of_its_own() {
    let mut feed = Feed::new();
    let ends = |local: &str| SocketRef { local: local.parse().ok(), ..tcp(1) };
    for (local, fact) in
        [("10.0.1.1:50000", Fact::SynSent), ("10.0.1.1:0", Fact::Aborted), ("10.0.1.1:0", Fact::SynSent)]
    {
        feed.now += 1;
        let event = Event { time: Monotonic(feed.now), process: None, socket: Some(ends(local)), fact };
        feed.decoder.handle(event, &mut feed.out);
    }
    let [What::ConnectStarted, What::ConnectAbandoned { cause: AbandonCause::Closed, .. }, What::ConnectStarted] =
        feed.whats()[..]
    else {
        panic!("{:?}", feed.whats());
    };
    let local = |at: usize| feed.out[at].socket.as_ref().and_then(|socket| socket.local).map(|local| local.port());
    assert_eq!([local(1), local(2)], [Some(50000), Some(0)]);
}

#[test]
fn a_connected_udp_socket_is_connected_to_nobody() {
    let mut feed = Feed::new();
    let socket = SocketRef { transport: Transport::Udp, remote: "8.8.8.8:53".parse().ok(), ..tcp(1) };
    for errno in [None, Some(Errno::ENETUNREACH)] {
        let fact = Fact::ConnectReturned { fd: 3, errno, took_ns: 10 };
        let event = Event { time: Monotonic(1), process: Some(process()), socket: Some(socket.clone()), fact };
        feed.decoder.handle(event, &mut feed.out);
    }
    assert!(feed.whats().iter().all(|what| matches!(what, What::ConnectReturned { .. })), "{:?}", feed.whats());
    assert_eq!(feed.out.len(), 2);
}
