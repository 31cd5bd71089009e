//! A poor network: packets get lost, links go down and come back, and participants fall silent for a while.

use std::net::SocketAddr;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, InterfaceAddress, Namespace, Route, SocketRef, Transport};
use rosprobe::graph::Health;
use rosprobe::graph::dds::Participant;
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, Guid, ParticipantData, Role};

use super::{STRING, Scene, fast, ip, multicast, pair, reference};
use crate::findings::shown;

const INT32: &str = "std_msgs::msg::dds_::Int32_";

fn alive(scene: &Scene, data: &ParticipantData) -> bool {
    scene.graph().dds().participant(data.guid_prefix).is_some_and(Participant::is_alive)
}

/// The process `pid` has received so many samples of a writer.
fn samples(scene: &mut Scene, pid: u32, writer: Guid, messages: u64) {
    let socket = Scene::socket(SocketAddr::new(ip("0.0.0.0"), 7411), SocketAddr::new(ip("0.0.0.0"), 0), 2);
    let data = Dds::UserData { direction: Direction::Received, writer, messages, bytes: messages };
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
    assert!(scene.graph().links().all(|link| link.health() == Health::Failed));
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
    for (gateway, answers, expected) in [(true, false, true), (true, true, false), (false, false, false)] {
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
        let local = Some(SocketAddr::new(ip("0.0.0.0"), 7400));
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
