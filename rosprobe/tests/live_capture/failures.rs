//! What becomes of a connect.

use std::io::{BufRead as _, BufReader};

use nix::libc;
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, Event, Fact};
use serde_json::json;

use crate::in_every_mode;
use crate::watched::Watched;

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn failing_connects_are_told_with_their_address() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("connects", &options);
        let targets = [
            ("127.0.0.1", 9, "127.0.0.1:9", Errno::ECONNREFUSED),
            ("::1", 9, "[::1]:9", Errno::ECONNREFUSED),
            ("::ffff:127.0.0.1", 9, "127.0.0.1:9", Errno::ECONNREFUSED),
            ("198.51.100.7", 11311, "198.51.100.7:11311", Errno::ENETUNREACH),
            ("2001:db8::7", 11311, "[2001:db8::7]:11311", Errno::ENETUNREACH),
        ];
        let asked: Vec<_> = targets.iter().map(|(address, port, ..)| json!([address, port])).collect();
        watched.run("connects", json!([asked])).await;
        let expected: Vec<_> = targets.iter().map(|(.., shown, errno)| ((*shown).to_owned(), Some(*errno))).collect();
        assert_eq!(watched.connects(), expected);
        let mut ids: Vec<_> = watched
            .events
            .iter()
            .filter(|event| matches!(event.fact, Fact::ConnectReturned { .. }))
            .map(|event| event.socket.as_ref().unwrap().id)
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), targets.len(), "every socket has an identity of its own");
        let refused = watched.of_socket(ids[0]);
        assert!(refused.contains(&&Fact::SynSent), "{refused:?}");
        assert!(refused.contains(&&Fact::SocketError { errno: Errno::ECONNREFUSED }), "{refused:?}");
        assert!(refused.contains(&&Fact::Closed), "{refused:?}");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_process_that_is_killed_while_it_connects_does_not_look_connected() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("pending", &options);
        // Packets to 198.51.100.2 arrive at an interface that has another address, and go no further.
        watched.network.ip(&["link", "add", "near", "type", "veth", "peer", "name", "far"]);
        watched.network.ip(&["address", "add", "198.51.100.1/24", "dev", "near"]);
        watched.network.ip(&["link", "set", "far", "up"]);
        watched.network.ip(&["link", "set", "near", "up"]);
        let nobody = ["neighbour", "add", "198.51.100.2", "lladdr", "02:00:00:00:00:01", "dev", "near"];
        watched.network.ip(&[&nobody[..], &["nud", "permanent"]].concat());
        let mut child = watched.network.start("pending", &json!(["198.51.100.2"]));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        watched.until(|events| events.iter().any(|event| event.fact == Fact::SynRetransmitted)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        watched.until(|events| events.iter().any(|event| event.fact == Fact::ProcessExited)).await;
        let returned = watched.connects();
        assert_eq!(returned, [("198.51.100.2:11311".to_owned(), Some(Errno::EINPROGRESS))]);
        let id = watched.events.iter().find(|event| event.fact == Fact::SynSent).unwrap().socket.as_ref().unwrap().id;
        let facts = watched.of_socket(id);
        assert_eq!(facts.last(), Some(&&Fact::Closed), "{facts:?}");
        assert!(!facts.iter().any(|fact| matches!(fact, Fact::Established { .. })), "{facts:?}");
        let pid = child.id();
        let others = |event: &&Event| event.process.as_ref().is_some_and(|process| process.pid != pid);
        let on_sockets = watched.events.iter().filter(|event| event.socket.is_some());
        assert_eq!(on_sockets.filter(others).count(), 0, "{:#?}", watched.facts());
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_signal_is_no_failure_of_a_connect() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("interrupted", &options);
        // The kernel calls connect() again, and the process never sees that; or it sees EINTR, and the kernel goes on connecting.
        for (again, errno, returned) in [(true, json!(null), vec![None]), (false, json!(libc::EINTR), vec![])] {
            watched.events.clear();
            let result = watched.run("interrupted", json!([again])).await;
            assert_eq!(result["errno"], errno);
            let said = |fact: &&Fact| match fact {
                Fact::ConnectReturned { errno, .. } => Some(*errno),
                _ => None,
            };
            let last = watched.events.iter().rfind(|event| event.fact == Fact::SynSent).unwrap();
            let facts = watched.of_socket(last.socket.as_ref().unwrap().id);
            assert_eq!(facts.iter().filter_map(said).collect::<Vec<_>>(), returned, "{facts:?}");
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_call_that_fails_again_and_again_is_told_a_few_times() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("repeats", &options);
        let result = watched.run("failing_sends", json!([1000])).await;
        let facts = watched.of_port(&result["client"]);
        assert_eq!(facts.iter().filter(|fact| ***fact == Fact::PeerClosed).count(), 1, "{facts:?}");
        let counts: Vec<_> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::IoFailed { direction: Direction::Sent, errno: Errno::EPIPE, count } => Some(*count),
                _ => None,
            })
            .collect();
        let powers: Vec<u64> = (0..counts.len()).map(|exponent| 1 << exponent).collect();
        assert_eq!(counts, powers);
        assert!((9..=10).contains(&counts.len()), "{counts:?}");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn children_of_a_followed_process_are_told() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("follow", &options);
        watched.follow(std::process::id());
        watched.run("connects", json!([[["127.0.0.1", 9]]])).await;
        let own = std::process::id();
        let forked = |event: &&Event| {
            matches!(event.fact, Fact::Forked { .. })
                && event.process.as_ref().is_some_and(|process| process.pid == own)
        };
        let child = watched.events.iter().find(forked).map(|event| event.fact.clone());
        let connecting = watched.events.iter().find(|event| event.fact == Fact::SynSent).unwrap();
        assert_eq!(child, Some(Fact::Forked { child: connecting.process.as_ref().unwrap().pid }));
    });
}
