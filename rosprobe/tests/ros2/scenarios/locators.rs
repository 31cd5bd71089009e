//! Addresses that participants advertise, and whether anybody can use them.

use std::net::SocketAddr;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::Direction;
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, Locator, LocatorKind, Role, VendorId};

use super::{STRING, Scene, fast, ip, participant, reference};
use crate::findings::shown;

#[test]
fn an_advertised_address_that_cannot_be_sent_to() {
    for (addresses, severity) in
        [(&["172.17.0.1"][..], Severity::Error), (&["172.17.0.1", "10.0.0.2"][..], Severity::Info)]
    {
        for errno in [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EINVAL] {
            let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, addresses));
            let mut scene = Scene::default();
            scene.healthy_pair(0, &here, &there);
            scene.send_fails(101, SocketAddr::new(ip("172.17.0.1"), 7410), errno, 7);
            let finding = scene.finding();
            assert_eq!((finding.code, finding.severity), (Code::LocatorUnreachable, severity), "{addresses:?}");
            assert_eq!((finding.errno, finding.count), (Some(errno), 7));
            assert_eq!(finding.address.as_deref(), Some("172.17.0.1:7410"));
            assert_eq!(finding.process.map(|process| process.pid), Some(101));
        }
    }
}

#[test]
fn an_advertised_address_that_the_other_host_has_itself() {
    for (addresses, severity) in
        [(&["172.17.0.1"][..], Severity::Error), (&["172.17.0.1", "10.0.0.2"][..], Severity::Info)]
    {
        let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, addresses));
        let mut scene = Scene::default();
        scene.healthy_pair(0, &here, &there);
        scene.namespace(1, &[("eth0", "10.0.0.1"), ("docker0", "172.17.0.1")]);
        let finding = scene.finding();
        assert_eq!((finding.code, finding.severity), (Code::LocatorIsLocal, severity));
        assert!(finding.summary.contains("docker0"), "{}", finding.summary);
        assert_eq!(finding.remedies.iter().any(|remedy| remedy.contains("10.0.0.2")), severity == Severity::Error);
    }
}

#[test]
fn an_address_that_fails_and_one_that_is_the_senders_own_leave_nothing() {
    let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, &["172.17.0.1", "10.99.0.2"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.namespace(1, &[("eth0", "10.0.0.1"), ("docker0", "172.17.0.1")]);
    scene.send_fails(101, SocketAddr::new(ip("10.99.0.2"), 7410), Errno::ENETUNREACH, 7);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::LocatorUnreachable, Severity::Error));
    assert!(finding.explanation.contains("no other address is left"), "{}", finding.explanation);
}

#[test]
fn an_address_to_which_sends_succeed_and_from_which_nothing_ever_comes() {
    let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, &["10.99.0.2"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.wait(9);
    assert_eq!(shown(&scene.findings()), "", "packets get lost, and are sent again");
    scene.wait(2);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.errno), (Code::LocatorUnreachable, Severity::Error, None));
    assert!(finding.remedies[0].contains("<address>10.0.0.2</address>"), "{:?}", finding.remedies);
    // Behind a gateway that translates addresses the same is to be seen, and all is well.
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    let reader = scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
    let acknowledged = Dds::Acknowledged { direction: Direction::Sent, reader, writer };
    scene.push(Some(reference(102)), None, What::Dds(acknowledged));
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn the_peer_of_a_finding_is_not_at_the_loopback_address_that_it_names_first() {
    let (here, there) = (participant(1, VendorId::FAST_DDS, &["127.0.0.1", "10.0.0.1"], 7410), fast(2, &["10.0.0.2"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    scene.wait(6);
    let peer = scene.finding().peer.and_then(|peer| peer.uri);
    assert_eq!(peer.as_deref(), Some("10.0.0.1:7410"));
}

#[test]
fn only_the_loopback_address_is_advertised() {
    let (here, there) = (fast(1, &["10.0.0.1"]), fast(2, &["127.0.0.1"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::LoopbackLocator, Severity::Error));
    assert!(finding.remedies[0].contains("<address>10.0.0.2</address>"), "{:?}", finding.remedies);
}

#[test]
fn containers_of_one_host_without_a_common_dev_shm() {
    let shared = |number: u8| {
        let mut data = fast(number, &["10.0.0.1"]);
        data.default_unicast.push(Locator { kind: LocatorKind::SharedMemory, address: None, port: 7411 });
        data
    };
    for (there, expected) in [(8, Some(Code::SharedMemorySplit)), (7, None)] {
        let mut scene = Scene::default();
        scene.process(101, 1, 7, &[]);
        scene.process(102, 1, there, &[]);
        for (pid, number) in [(101, 1), (102, 2)] {
            scene.announce(pid, 1, "10.0.0.1", 0, &shared(number));
            scene.hear(203 - pid, 1, "10.0.0.1", 0, &shared(number));
        }
        scene.wait(15);
        let findings = scene.findings();
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, Vec::from_iter(expected), "{}", shown(&findings));
    }
}
