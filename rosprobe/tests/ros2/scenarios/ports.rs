//! Ports that are taken, run out or lie where others are handed out.

use std::net::SocketAddr;

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::{ProcessRef, SocketRef, Transport};
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, VendorId};

use super::{Scene, fast, ip, pair, participant, reference};
use crate::findings::shown;

#[test]
fn a_discovery_port_that_another_process_has() {
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[("ROS_DOMAIN_ID", "1")]);
    scene.process(102, 1, 1, &[("ROS_DOMAIN_ID", "2")]);
    scene.bind(101, 7650, None);
    scene.bind(101, 7900, None);
    scene.bind(102, 7900, Some(Errno::EADDRINUSE));
    scene.bind(102, 7902, None);
    scene.announce(102, 1, "10.0.0.1", 2, &fast(2, &["10.0.0.1"]));
    scene.wait(20);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::PortTaken, Severity::Error));
    assert_eq!((finding.domain, finding.errno), (Some(2), Some(Errno::EADDRINUSE)));
    assert_eq!(
        finding.summary,
        "node102[102] could not bind port 7900, the discovery port of domain 2: node101[101] has it, bound 7902 instead and \
         hears no announcement"
    );
    assert!(finding.explanation.contains("participant 120 of domain 1"), "{}", finding.explanation);
}

#[test]
fn a_process_that_ended_because_it_got_no_port_until_it_is_started_again() {
    let mut scene = Scene::default();
    scene.process(102, 1, 1, &[("ROS_DOMAIN_ID", "2")]);
    scene.bind(102, 7900, Some(Errno::EADDRINUSE));
    scene.push(Some(reference(102)), None, What::ProcessExited);
    scene.wait(30);
    let summary = scene.finding().summary;
    assert!(summary.starts_with("node102[102], which has ended, could not bind port 7900"), "{summary}");
    let again = ProcessRef { pid: 103, started: 9, comm: "node102".into() };
    let address = SocketAddr::new(ip("0.0.0.0"), 7900);
    let socket = SocketRef { id: 9, transport: Transport::Udp, local: Some(address), remote: None, net_namespace: 1 };
    scene.push(Some(again), Some(socket), What::Dds(Dds::Bound { address, errno: None, already: false }));
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn a_participant_that_goes_on_without_its_discovery_port() {
    let mut scene = Scene::default();
    scene.process(102, 1, 1, &[("ROS_DOMAIN_ID", "2")]);
    scene.bind(102, 7900, Some(Errno::EADDRINUSE));
    scene.bind(102, 7901, None);
    scene.bind(102, 7910, None);
    scene.announce(102, 1, "10.0.0.1", 2, &fast(2, &["10.0.0.1"]));
    let summary = scene.finding().summary;
    assert!(summary.ends_with("another program has it, goes on without and hears no announcement"), "{summary}");
}

#[test]
fn the_next_participant_of_a_domain_takes_the_next_port_and_that_is_no_fault() {
    let mut scene = Scene::default();
    for pid in [101, 102, 103] {
        scene.process(pid, 1, 1, &[]);
        scene.bind(pid, 7400, None);
        for taken in 101..pid {
            scene.bind(pid, 7410 + 2 * u16::try_from(taken - 101).unwrap(), Some(Errno::EADDRINUSE));
        }
        scene.bind(pid, 7410 + 2 * u16::try_from(pid - 101).unwrap(), None);
    }
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn more_participants_than_ports() {
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[("ROS_DOMAIN_ID", "1")]);
    scene.bind(101, 7650, None);
    for port in (7660..7860).step_by(2) {
        scene.bind(101, port, Some(Errno::EADDRINUSE));
    }
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::ParticipantOverflow, Severity::Error));
    assert_eq!((finding.domain, finding.count), (Some(1), 100));
}

#[test]
fn a_participant_that_took_a_port_of_the_next_domain() {
    let (here, there) = (fast(1, &["10.0.0.1"]), participant(2, VendorId::FAST_DDS, &["10.0.0.2"], 7900));
    let mut scene = Scene::default();
    scene.healthy_pair(1, &here, &there);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::ParticipantOverflow, Severity::Warning));
    assert!(finding.summary.contains("participant 120 of domain 1"), "{}", finding.summary);
}

#[test]
fn a_domain_among_the_ephemeral_ports_and_one_whose_port_was_handed_out() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(110, &here, &there);
    let findings = scene.findings();
    assert!(findings.iter().all(|finding| finding.code == Code::DomainInEphemeralRange), "{}", shown(&findings));
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning && finding.domain == Some(110)));

    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[("ROS_DOMAIN_ID", "110")]);
    scene.bind(101, 34900, Some(Errno::EADDRINUSE));
    scene.bind(101, 34902, None);
    scene.announce(101, 1, "10.0.0.1", 110, &here);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::DomainInEphemeralRange, Severity::Error));
    assert_eq!(finding.errno, Some(Errno::EADDRINUSE));
}
