//! A poor network: packets get lost, links go down and come back, and participants fall silent for a while.

use std::net::SocketAddr;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, InterfaceAddress, Namespace, Route, SocketRef, Transport};
use rosprobe::graph::Health;
use rosprobe::graph::dds::Participant;
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, Guid, Locator, LocatorKind, ParticipantData, Role};

use super::{STRING, Scene, fast, ip, multicast, pair, reference};
use crate::findings::shown;

const INT32: &str = "std_msgs::msg::dds_::Int32_";

fn alive(scene: &Scene, data: &ParticipantData) -> bool {
    scene.graph().dds().participant(data.guid_prefix).is_some_and(Participant::is_alive)
}

/// The process `pid` has received so many samples of a writer.
fn samples(scene: &mut Scene, pid: u32, writer: Guid, messages: u64) {
    counted(scene, pid, Direction::Received, writer, messages, 1);
}

fn counted(scene: &mut Scene, pid: u32, direction: Direction, writer: Guid, messages: u64, size: u64) {
    let socket = Scene::socket(SocketAddr::new(ip("0.0.0.0"), 7411), SocketAddr::new(ip("0.0.0.0"), 0), 2);
    let data = Dds::UserData { direction, writer, messages, bytes: messages * size };
    scene.push(Some(reference(pid)), Some(socket), What::Dds(data));
}

#[test]
fn whoever_comes_back_after_its_lease_has_its_endpoints() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", INT32);
    scene.wait(25);
    assert_eq!(shown(&scene.findings()), "", "nobody is there");
    // Announcements were lost, and the two have never lost each other: they say nothing of their endpoints again.
    for (pid, from, data) in [(101, "10.0.0.1", &here), (102, "10.0.0.2", &there)] {
        let dds = Dds::ParticipantRenewed { direction: Direction::Sent, guid_prefix: data.guid_prefix };
        let socket = Scene::socket(SocketAddr::new(ip(from), 40000), multicast(0), u64::from(pid - 100));
        scene.push(Some(reference(pid)), Some(socket), What::Dds(dds));
    }
    assert_eq!(scene.finding().code, Code::TypeMismatch);
    assert!(scene.graph().links().all(|link| link.stages_health() == Health::Failed));
}

#[test]
fn whose_samples_arrive_is_there_whatever_becomes_of_its_announcements() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    for count in 1..=25 {
        scene.wait(1);
        samples(&mut scene, 102, writer, count);
    }
    assert!(alive(&scene, &here) && !alive(&scene, &there), "its lease is 20 s");
}

#[test]
fn what_arrives_late_of_one_that_has_ended_does_not_bring_it_back() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.push(Some(reference(101)), None, What::ProcessExited);
    scene.hear(102, 2, "10.0.0.1", 0, &here);
    assert!(!alive(&scene, &here), "its process has ended");

    let writer = scene.endpoint(&there, Role::Writer, "rt/chatter", STRING);
    let goodbye = Dds::ParticipantDisposed { direction: Direction::Received, guid_prefix: there.guid_prefix };
    scene.push(Some(reference(102)), None, What::Dds(goodbye));
    samples(&mut scene, 101, writer, 7);
    assert!(!alive(&scene, &there), "counts are told once a second");
}

#[test]
fn a_way_that_failed_once_and_has_not_failed_since_is_there_again() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let target = SocketAddr::new(ip("10.0.0.2"), 7410);
    scene.send_fails(101, target, Errno::ENETUNREACH, 3);
    assert_eq!(scene.finding().code, Code::LocatorUnreachable);
    for second in 1..=4 {
        scene.wait(9);
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.announce(102, 2, "10.0.0.2", 0, &there);
        assert_eq!(scene.findings().is_empty(), second == 4, "{}", shown(&scene.findings()));
    }
    scene.send_fails(101, target, Errno::ENETUNREACH, 4);
    assert_eq!(scene.finding().code, Code::LocatorUnreachable, "and again it fails");
}

#[test]
fn a_way_on_which_samples_arrive_is_there_again() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
    scene.send_fails(101, SocketAddr::new(ip("10.0.0.2"), 7410), Errno::ENETUNREACH, 3);
    scene.wait(1);
    samples(&mut scene, 102, writer, 10);
    assert_eq!(scene.finding().code, Code::LocatorUnreachable, "they may be from before");
    scene.wait(1);
    samples(&mut scene, 102, writer, 20);
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn failed_sends_to_one_that_is_long_forgotten_are_forgotten_too() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.wait(10);
    scene.send_fails(101, SocketAddr::new(ip("10.0.0.2"), 7410), Errno::ENETUNREACH, 30);
    for _ in 0..80 {
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.wait(10);
    }
    let codes: Vec<_> = scene.findings().iter().map(|finding| finding.code).collect();
    assert!(!codes.contains(&Code::LocatorUnreachable), "{}", shown(&scene.findings()));
}

#[test]
fn one_whose_company_is_hard_to_hear_while_another_domain_has_company() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.process(103, 1, 1, &[("ROS_DOMAIN_ID", "5")]);
    for _ in 0..2 {
        scene.announce(103, 1, "10.0.0.1", 5, &fast(3, &["10.0.0.1"]));
        scene.wait(3);
    }
    assert_eq!(shown(&scene.findings()), "", "two announcements may be lost");
    scene.announce(103, 1, "10.0.0.1", 5, &fast(3, &["10.0.0.1"]));
    let finding = scene.finding();
    assert_eq!((finding.code, finding.process.map(|process| process.pid)), (Code::DomainMismatch, Some(103)));
}

#[test]
fn a_dead_gateway_where_only_the_sending_host_is_seen() {
    // Heard at the group's port, or, where it has heard of the other, at any one.
    for (port, gateway, answers, expected) in
        [(7400, true, false, true), (38204, true, false, true), (7400, true, true, false), (7400, false, false, false)]
    {
        let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, &["10.99.0.2"]));
        let mut scene = Scene::default();
        scene.process(101, 1, 1, &[]);
        let route = |destination: &str, prefix, gateway: Option<&str>| Route {
            destination: ip(destination),
            prefix,
            gateway: gateway.map(ip),
            interface: "eth0".to_owned(),
            metric: 0,
            reject: false,
        };
        let far = if gateway { Some("10.0.0.254") } else { None };
        let namespace = Namespace {
            net_namespace: 1,
            addresses: vec![InterfaceAddress { interface: "eth0".to_owned(), address: ip("10.0.0.1"), prefix: 24 }],
            routes: vec![route("10.0.0.0", 24, None), route("10.99.0.0", 24, far)],
            ..Namespace::default()
        };
        scene.push(None, None, What::Namespace(Box::new(namespace)));
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        // In sock mode the source of a datagram that is received is not known.
        let local = Some(SocketAddr::new(ip("0.0.0.0"), port));
        let socket = SocketRef { id: 4, transport: Transport::Udp, local, remote: None, net_namespace: 1 };
        for _ in 0..4 {
            let participant = Box::new(there.clone());
            let dds = Dds::ParticipantAnnounced { direction: Direction::Received, participant, relayed_by: None };
            scene.push(Some(reference(101)), Some(socket.clone()), What::Dds(dds));
            scene.wait(4);
        }
        scene.address(&here, &there);
        let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
        if answers {
            let reader = scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
            scene.push(None, None, What::Dds(Dds::Acknowledged { direction: Direction::Received, reader, writer }));
        }
        if !expected {
            let findings = scene.findings();
            assert!(findings.iter().all(|finding| finding.code != Code::LocatorUnreachable), "{}", shown(&findings));
            continue;
        }
        let finding = scene.finding();
        assert_eq!((finding.code, finding.severity), (Code::LocatorUnreachable, Severity::Error));
        assert!(finding.summary.contains("10.99.0.2") && finding.summary.contains("10.0.0.254"), "{}", finding.summary);
        assert_eq!(finding.process.map(|process| process.pid), Some(101));
    }
}

#[test]
fn what_is_sent_to_a_reader_and_does_not_arrive() {
    for (size, expected, remedy) in
        [(80, "UDP port 7411", "--dport 7411"), (40_000, "IP fragments", "<maxMessageSize>1400</maxMessageSize>")]
    {
        let (here, there) = pair();
        let mut scene = Scene::default();
        scene.healthy_pair(0, &here, &there);
        let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
        scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
        scene.wait(1);
        for count in 1..=5 {
            assert_eq!(shown(&scene.findings()), "");
            scene.wait(1);
            counted(&mut scene, 101, Direction::Sent, writer, 10 * count, size);
        }
        let finding = scene.finding();
        assert_eq!((finding.code, finding.severity, finding.count), (Code::DatagramsLost, Severity::Error, 50));
        assert_eq!(finding.process.as_ref().map(|process| process.pid), Some(102));
        assert!(finding.explanation.contains(expected), "{}", finding.explanation);
        assert!(finding.remedies[0].contains(remedy), "{:?}", finding.remedies);
        let flows = |scene: &Scene| scene.graph().links().all(|link| link.reached(rosprobe::graph::Stage::Data));
        assert!(!flows(&scene), "what was sent is no proof");
        samples(&mut scene, 102, writer, 1);
        assert_eq!(shown(&scene.findings()), "");
        assert!(flows(&scene));
    }
}

#[test]
fn what_need_not_be_seen_to_arrive() {
    // A reader whose process is not watched; one on the same host, where Fast DDS has shared memory; one in a container with a network of its
    // own and the same memory; a writer that has sent nothing since.
    for (watched, namespace, memory, seconds) in
        [(false, 2, false, 9), (true, 1, false, 9), (true, 2, true, 9), (true, 2, false, 3)]
    {
        let (mut here, mut there) = pair();
        for data in [&mut here, &mut there].into_iter().filter(|_| memory) {
            data.host = Some("robot".to_owned());
            data.default_unicast.push(Locator { kind: LocatorKind::SharedMemory, address: None, port: 7411 });
        }
        let mut scene = Scene::default();
        scene.process(101, 1, 1, &[]);
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        if watched {
            scene.process(102, namespace, 1, &[]);
            scene.announce(102, namespace, "10.0.0.2", 0, &there);
        }
        scene.hear(101, 1, "10.0.0.2", 0, &there);
        scene.address(&here, &there);
        scene.address(&there, &here);
        let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
        scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
        for count in 1..=seconds {
            scene.wait(1);
            counted(&mut scene, 101, Direction::Sent, writer, 10 * count, 80);
        }
        scene.wait(5);
        assert_eq!(shown(&scene.findings()), "", "{watched} {namespace} {memory} {seconds}");
    }
}
