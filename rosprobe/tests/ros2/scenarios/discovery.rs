//! Whether participants hear of each other: multicast, discovery servers, leases.

use std::net::SocketAddr;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, ProcessRef};
use rosprobe::graph::Health;
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, Discovery, ParticipantData, Role, VendorId};

use super::{STRING, Scene, fast, ip, multicast, pair, participant, reference};
use crate::findings::shown;

#[test]
fn a_healthy_pair_gives_nothing() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
    scene.wait(15);
    assert_eq!(shown(&scene.findings()), "");
    assert!(scene.graph().links().all(|link| link.stages_health() == Health::Ok));
}

#[test]
fn outgoing_multicast_that_is_filtered_or_has_no_route() {
    for (errno, word) in [(Errno::EPERM, "firewall"), (Errno::ENETUNREACH, "interface is down")] {
        let mut scene = Scene::default();
        scene.process(101, 1, 1, &[]);
        scene.send_fails(101, multicast(3), errno, 4);
        let finding = scene.finding();
        assert_eq!((finding.code, finding.severity), (Code::MulticastBlocked, Severity::Error));
        assert_eq!((finding.errno, finding.domain, finding.count), (Some(errno), Some(3), 4));
        assert_eq!(finding.process.map(|process| process.pid), Some(101));
        assert!(finding.explanation.contains(word), "{}", finding.explanation);
    }
}

#[test]
fn whose_link_is_down_has_one_trouble() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.send_fails(101, SocketAddr::new(ip("10.0.0.2"), 7411), Errno::ENETUNREACH, 1);
    let id = scene.finding().id;
    scene.send_fails(101, SocketAddr::new(ip("10.0.0.2"), 7410), Errno::ENETUNREACH, 1);
    assert_eq!(scene.finding().id, id, "another port of the same address");
    scene.send_fails(101, SocketAddr::new(ip("239.255.0.1"), 7401), Errno::ENETUNREACH, 600);
    scene.send_fails(101, multicast(0), Errno::ENETUNREACH, 1);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.address.as_deref()), (Code::MulticastBlocked, Some("239.255.0.1:7400")));
    assert!(finding.remedies[0].contains("ip link set dev eth0 up"), "{:?}", finding.remedies);
}

#[test]
fn one_interface_of_several_that_refuses_is_no_fault() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.send_fails(101, multicast(0), Errno::ENETUNREACH, 1);
    let dds = Dds::ParticipantRenewed { direction: Direction::Sent, guid_prefix: here.guid_prefix };
    let socket = Scene::socket(SocketAddr::new(ip("10.0.0.1"), 40000), multicast(0), 1);
    scene.push(Some(reference(101)), Some(socket), What::Dds(dds));
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn a_group_that_cannot_be_joined() {
    let mut scene = Scene::default();
    let joined = |errno| Dds::MulticastJoined { group: ip("239.255.0.1"), interface: None, errno };
    scene.push(Some(reference(101)), None, What::Dds(joined(Some(Errno(19)))));
    assert_eq!(scene.finding().code, Code::MulticastBlocked);
    scene.push(Some(reference(101)), None, What::Dds(joined(None)));
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn a_process_that_ends_for_want_of_a_group_is_told_of_until_another_one_has_it() {
    let mut scene = Scene::default();
    let joined = |errno| Dds::MulticastJoined { group: ip("239.255.0.1"), interface: None, errno };
    scene.push(Some(reference(101)), None, What::Dds(joined(Some(Errno::ENOBUFS))));
    scene.push(Some(reference(101)), None, What::ProcessExited);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.errno), (Code::MulticastBlocked, Some(Errno::ENOBUFS)));
    assert!(finding.summary.contains("which has ended"), "{}", finding.summary);
    let socket = Scene::socket(SocketAddr::new(ip("0.0.0.0"), 7400), SocketAddr::new(ip("0.0.0.0"), 0), 0);
    let again = ProcessRef { pid: 102, ..reference(101) };
    scene.push(Some(again), Some(socket), What::Dds(joined(None)));
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn multicast_that_is_lost_between_two_hosts() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.unheard_pair(&here, &there);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.domain), (Code::NoRemoteDiscovery, Severity::Error, Some(0)));
    assert!(finding.explanation.contains("239.255.0.1, port 7400"), "{}", finding.explanation);
}

#[test]
fn announcements_within_a_moment_may_be_lost_together() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    for _ in 0..5 {
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.announce(102, 2, "10.0.0.2", 0, &there);
    }
    scene.wait(2);
    assert_eq!(shown(&scene.findings()), "");
    scene.wait(2);
    assert_eq!(scene.finding().code, Code::NoRemoteDiscovery);
}

#[test]
fn seven_announcements_may_be_lost_on_a_poor_radio() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    scene.process(102, 2, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    for _ in 0..3 {
        scene.wait(8);
        scene.announce(102, 2, "10.0.0.2", 0, &there);
        scene.announce(101, 1, "10.0.0.1", 0, &here);
    }
    scene.wait(1);
    scene.announce(102, 2, "10.0.0.2", 0, &there);
    scene.wait(7);
    assert_eq!(shown(&scene.findings()), "");
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    assert_eq!(scene.finding().code, Code::NoRemoteDiscovery);
}

#[test]
fn one_that_was_not_heard_of_since_the_other_came_may_have_been_killed() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    let packet = |scene: &mut Scene, from: &str, data: &ParticipantData| {
        let socket = Scene::socket(SocketAddr::new(ip(from), 40000), multicast(0), 0);
        let participant = Box::new(data.clone());
        let dds = Dds::ParticipantAnnounced { direction: Direction::Sent, participant, relayed_by: None };
        scene.push(None, Some(socket), What::Dds(dds));
    };
    packet(&mut scene, "10.0.0.1", &here);
    for _ in 0..8 {
        packet(&mut scene, "10.0.0.2", &there);
        scene.wait(1);
    }
    assert_eq!(shown(&scene.findings()), "");
    packet(&mut scene, "10.0.0.1", &here);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::NoRemoteDiscovery, Severity::Error));
    assert!(finding.explanation.contains("ip route get 10.0.0.1"), "{}", finding.explanation);
}

#[test]
fn nobody_is_heard_of() {
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 0, &fast(1, &["10.0.0.1"]));
    scene.wait(15);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::NoRemoteDiscovery, Severity::Info));
    scene.process(101, 1, 1, &[("ROS_LOCALHOST_ONLY", "1")]);
    assert_eq!(shown(&scene.findings()), "", "it is meant to be alone");
}

#[test]
fn a_client_whose_discovery_server_does_not_answer() {
    let (mut here, _) = pair();
    here.discovery = Discovery::Client;
    let mut server = participant(9, VendorId::FAST_DDS, &["10.0.0.9"], 11811);
    server.discovery = Discovery::Server;
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    let target = SocketAddr::new(ip("10.0.0.9"), 11812);
    let socket = Scene::socket(SocketAddr::new(ip("0.0.0.0"), 40000), target, 1);
    let announced = |participant: &ParticipantData| {
        let participant = Box::new(participant.clone());
        What::Dds(Dds::ParticipantAnnounced { direction: Direction::Sent, participant, relayed_by: None })
    };
    scene.push(Some(reference(101)), Some(socket.clone()), announced(&here));
    let elsewhere = Scene::socket(SocketAddr::new(ip("10.0.0.9"), 11811), SocketAddr::new(ip("10.0.0.3"), 7410), 2);
    scene.push(Some(reference(109)), Some(elsewhere), announced(&server));
    assert_eq!(shown(&scene.findings()), "");
    scene.wait(4);
    assert_eq!(shown(&scene.findings()), "", "one may have been lost");
    for _ in 0..5 {
        scene.push(Some(reference(101)), Some(socket.clone()), announced(&here));
    }
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::LocatorUnreachable, Severity::Error));
    assert_eq!(finding.address.as_deref(), Some("10.0.0.9:11812"));
    assert!(finding.remedies[0].contains("ROS_DISCOVERY_SERVER=10.0.0.9:11811"), "{:?}", finding.remedies);
    scene.hear(101, 1, "10.0.0.9", 0, &server);
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn security_is_said_once_and_is_no_fault() {
    let (mut here, mut there) = pair();
    (here.secured, there.secured) = (true, true);
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.count), (Code::Encrypted, Severity::Info, 2));
}

#[test]
fn a_lease_that_runs_out_ends_participant_and_links() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    scene.wait(21);
    let graph = scene.graph();
    assert!(graph.dds().participants().all(|participant| !participant.is_alive()));
    assert!(graph.links().all(|link| link.stages_health() == Health::Gone));
    assert_eq!(shown(&scene.findings()), "", "who is gone has no trouble");
}

#[test]
fn a_limit_that_was_reached_is_said() {
    let mut scene = Scene::default();
    let limit = "more than 10000 participants: further ones are not followed".to_owned();
    scene.push(None, None, What::Dds(Dds::LimitReached { limit: limit.clone() }));
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.summary), (Code::LimitReached, Severity::Warning, limit));
}
