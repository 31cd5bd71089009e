//! What processes ask of UDP sockets: ports, groups and sends, with what the kernel answered.

use std::io::{BufRead as _, BufReader};

use rosprobe::capture::{CaptureMode, Object};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, Event, Fact};
use serde_json::json;

use crate::in_every_mode;
use crate::network::Network;
use crate::watched::Watched;

/// An RTPS header with a `PAD` behind it.
const MESSAGE: &str = "5254505302030110000102030405060708090a0b01010000";

fn errno(number: &serde_json::Value) -> Option<Errno> {
    let number = i32::try_from(number.as_i64().unwrap()).unwrap();
    (number != 0).then_some(Errno(number))
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn binds_are_told_with_what_became_of_them() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("binds", &options);
        let asked = [("0.0.0.0", 7400), ("0.0.0.0", 7400), ("198.51.100.9", 7410), ("::", 7650), ("0.0.0.0", 5353)];
        let result = watched.run("binds", json!([asked])).await;
        let bound: Vec<_> = watched
            .events
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::Bound { errno, .. } => {
                    let socket = event.socket.as_ref().unwrap();
                    assert!(event.process.as_ref().is_some_and(|process| &*process.comm == "python3"), "{event:?}");
                    Some((socket.local.unwrap().to_string(), *errno))
                }
                _ => None,
            })
            .collect();
        let expected = [
            ("0.0.0.0:7400", None),
            ("0.0.0.0:7400", Some(Errno::EADDRINUSE)),
            ("198.51.100.9:7410", Some(Errno::EADDRNOTAVAIL)),
            ("[::]:7650", None),
        ];
        assert_eq!(bound, expected.map(|(address, errno)| (address.to_owned(), errno)));
        let said: Vec<_> = result["results"].as_array().unwrap().iter().map(errno).collect();
        assert_eq!(said[..4], expected.map(|(_, errno)| errno), "what the process was told");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn groups_are_told_with_what_became_of_them() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("joins", &options);
        let result = watched.run("joins", json!([7400])).await;
        let said: Vec<_> = result["results"].as_array().unwrap().iter().map(errno).collect();
        let joined: Vec<_> = watched
            .events
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::MulticastJoined { group, interface, errno } => {
                    Some((group.to_string(), interface.map(|ip| ip.to_string()), *errno))
                }
                _ => None,
            })
            .collect();
        let loopback = Some("127.0.0.1".to_owned());
        let expected = [
            ("239.255.0.1", loopback.clone(), None),
            ("239.255.0.1", loopback, Some(Errno::EADDRINUSE)),
            ("239.255.0.1", None, Some(Errno(19))),
            ("239.255.0.2", None, None),
            ("ff03::1", None, None),
        ];
        assert_eq!(joined, expected.clone().map(|(group, interface, errno)| (group.to_owned(), interface, errno)));
        assert_eq!(said[..5], expected.map(|(.., errno)| errno), "what the process was told");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn failing_sends_are_told_with_their_destination() {
    const TIMES: u32 = 1000;
    in_every_mode(async |options| {
        let mut watched = Watched::start("unsent", &options);
        watched.network.ip(&["route", "add", "prohibit", "198.51.100.1"]);
        watched.network.ip(&["route", "add", "unreachable", "198.51.100.2"]);
        watched.network.ip(&["route", "add", "198.51.100.3", "dev", "lo"]);
        watched.network.drop_towards("198.51.100.3");
        let reached = ("127.0.0.1", 7411);
        let failing = [("198.51.100.1", 7410), ("198.51.100.2", 7412), ("198.51.100.3", 7414), ("239.255.0.1", 7400)];
        let targets = [failing[0], reached, failing[1], failing[2], failing[3]];
        let result = watched.run("unsent", json!([MESSAGE, targets, TIMES])).await;
        let failed = |event: &Event| match &event.fact {
            Fact::IoFailed { direction: Direction::Sent, errno, count } => {
                let remote = event.socket.as_ref().unwrap().remote.unwrap();
                Some((remote.to_string(), *errno, *count))
            }
            _ => None,
        };
        let told: Vec<_> = watched.events.iter().filter_map(failed).collect();
        let mut of_targets: Vec<_> = told.iter().map(|(remote, errno, _)| (remote.as_str(), *errno)).collect();
        of_targets.sort_unstable();
        of_targets.dedup();
        let expected = [
            ("127.0.0.1:7", Errno::ECONNREFUSED),
            ("198.51.100.1:7410", Errno::EACCES),
            ("198.51.100.2:7412", Errno::EHOSTUNREACH),
            ("198.51.100.3:7414", Errno::EPERM),
            ("239.255.0.1:7400", Errno::ENETUNREACH),
        ];
        assert_eq!(of_targets, expected, "{result}");
        for (remote, _) in &expected[1..] {
            let counts: Vec<_> = told.iter().filter(|(to, ..)| to == remote).map(|(.., count)| *count).collect();
            assert_eq!(counts[..4], [1, 2, 4, 8], "{remote}");
            // 1, 2, 4, ... 512, and one for each second.
            assert!(counts.is_sorted() && counts.len() < 70 && counts.last() >= Some(&512), "{remote}: {counts:?}");
        }
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn messages_over_udpros_are_counted_at_either_end_and_failures_told() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("udpros", &options);
        watched.network.ip(&["route", "add", "198.51.100.3", "dev", "lo"]);
        watched.network.drop_towards("198.51.100.3");
        let sizes = [0, 9, 1488, 1489, 20_000];
        let result = watched.run("udpros", json!([sizes, 1492])).await;
        watched.sample();
        let mut totals: Vec<_> = watched
            .events
            .iter()
            .filter_map(|event| match event.fact {
                Fact::UdprosData { direction, connection, messages, bytes } => {
                    let port = match direction {
                        Direction::Sent => event.socket.as_ref()?.remote?.port(),
                        Direction::Received => event.socket.as_ref()?.local?.port(),
                    };
                    (port == result["port"]).then_some((direction, connection, messages, bytes))
                }
                _ => None,
            })
            .collect();
        totals.sort_unstable();
        let bytes: u64 = sizes.iter().map(|size| size + 4).sum();
        // One more datagram was sent before the refusal came.
        let expected = [(Direction::Sent, 7, 6, bytes + 13), (Direction::Received, 7, 5, bytes)];
        assert_eq!(totals, expected, "{result}");
        let failed = watched.events.iter().filter_map(|event| match event.fact {
            Fact::IoFailed { direction: Direction::Sent, errno, .. } => {
                Some((event.socket.as_ref()?.remote?.port(), errno))
            }
            _ => None,
        });
        let failed: Vec<_> = failed.map(|(port, errno)| (port == result["port"], errno)).collect();
        assert_eq!(failed, [(true, Errno::ECONNREFUSED), (false, Errno::EPERM)], "{result}");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn large_batches_are_counted_or_said_to_be_lost() {
    const MESSAGES: u64 = 1000;
    /// Of one call, by the programs without `bpf_loop()` at the end of a system call.
    const BOUNDED: u64 = 128;
    in_every_mode(async |options| {
        let mut watched = Watched::start("batches", &options);
        watched.run("large_batches", json!([MESSAGES])).await;
        let lost = watched.sample();
        let inode = watched.network.inode;
        let mut totals: Vec<_> = watched
            .events
            .iter()
            .filter(|event| event.socket.as_ref().is_some_and(|socket| socket.net_namespace == inode))
            .filter_map(|event| match event.fact {
                Fact::RtpsData { direction, messages, bytes, .. } => Some(("RTPS", direction, messages, bytes)),
                Fact::UdprosData { direction, messages, bytes, .. } => Some(("UDPROS", direction, messages, bytes)),
                _ => None,
            })
            .collect();
        totals.sort_unstable();
        let few = options.mode == Some(CaptureMode::Syscall) && options.object == Some(Object::Bounded);
        let counted = if few { BOUNDED } else { MESSAGES };
        let expected = [("RTPS", 104), ("UDPROS", 54)].map(|(protocol, size)| {
            [Direction::Sent, Direction::Received].map(|direction| (protocol, direction, counted, counted * size))
        });
        assert_eq!(totals, expected.concat());
        assert_eq!(lost, 4 * (MESSAGES - counted), "what is not counted is said to be lost");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn ports_and_groups_of_before_are_told() {
    in_every_mode(async |options| {
        let network = Network::new("before");
        let mut child = network.start("waits", &json!([[7400, 7411, 40000, 5353]]));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut watched = Watched::over(network, &options);
        watched.sample();
        child.kill().unwrap();
        child.wait().unwrap();
        let told: Vec<_> = watched
            .events
            .iter()
            .filter(|event| event.process.as_ref().is_some_and(|process| process.pid == child.id()))
            .filter_map(|event| match &event.fact {
                Fact::Bound { errno: None, already: true } => Some(event.socket.as_ref()?.local?.to_string()),
                Fact::MulticastJoined { group, interface: None, errno: None } => Some(group.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["0.0.0.0:7400", "239.255.0.1", "0.0.0.0:7411", "0.0.0.0:40000"]);
    });
}
