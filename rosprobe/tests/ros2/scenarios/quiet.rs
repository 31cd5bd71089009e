//! What must not be said: of healthy systems that look odd, and of what was not to be seen.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::event::{Direction, InterfaceAddress, Namespace, SocketRef, Transport};
use rosprobe::graph::dds::Silence;
use rosprobe::observation::What;
use rosprobe::observation::dds::{
    Dds, EndpointData, Guid, Locator, LocatorKind, ParticipantData, Qos, Reliability, Role, VendorId,
};

use super::{STRING, Scene, fast, ip, pair, reference};
use crate::findings::shown;

/// A port that a process had when watching began.
fn had_bound(scene: &mut Scene, pid: u32, port: u16) {
    let address = std::net::SocketAddr::new(ip("0.0.0.0"), port);
    scene.push(Some(reference(pid)), None, What::Dds(Dds::Bound { address, errno: None, already: true }));
}

fn endpoint(owner: &ParticipantData, role: Role, number: u8, change: impl FnOnce(&mut EndpointData)) -> What {
    let qos = if role == Role::Writer { Qos::WRITER_DEFAULT } else { Qos::READER_DEFAULT };
    let kind = if role == Role::Writer { 3 } else { 4 };
    let entity = rosprobe::observation::dds::EntityId([0, 0, number, kind]);
    let mut data = EndpointData {
        guid: Guid { prefix: owner.guid_prefix, entity },
        role,
        topic: "rt/chatter".to_owned(),
        type_name: STRING.to_owned(),
        type_hash: None,
        qos,
        unicast: Vec::new(),
        multicast: Vec::new(),
    };
    change(&mut data);
    What::Dds(Dds::EndpointAnnounced { direction: Direction::Sent, endpoint: Box::new(data) })
}

#[test]
fn a_pair_that_keeps_to_its_host_beside_a_pair_that_does_not() {
    let local = |number| fast(number, &["127.0.0.1"]);
    let mut scene = Scene::default();
    let (one, other) = (local(1), local(2));
    for (pid, net_namespace, from) in [(101, 1, "10.0.0.1"), (102, 1, "10.0.0.1"), (103, 2, "10.0.0.2")] {
        scene.process(pid, net_namespace, net_namespace, &[]);
        scene.namespace(net_namespace, &[("eth0", from)]);
    }
    scene.announce(101, 1, "127.0.0.1", 0, &one);
    scene.hear(102, 1, "127.0.0.1", 0, &one);
    scene.announce(102, 1, "127.0.0.1", 0, &other);
    scene.hear(101, 1, "127.0.0.1", 0, &other);
    scene.announce(103, 2, "10.0.0.2", 0, &fast(3, &["10.0.0.2"]));
    scene.wait(15);
    assert_eq!(shown(&scene.findings()), "", "they have each other");
    scene.hear(103, 2, "10.0.0.1", 0, &one);
    let codes: Vec<_> = scene.findings().iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&Code::LoopbackLocator), "announcements do leave the host: {codes:?}");
}

#[test]
fn one_that_keeps_to_its_host_and_is_alone_there_while_another_waits_elsewhere() {
    for (addresses, environment, reason) in [
        (&["127.0.0.1"][..], &[][..], "loopback interface"),
        (&["10.0.0.1"][..], &[("ROS_LOCALHOST_ONLY", "1")][..], "ROS_LOCALHOST_ONLY=1 in the environment of node101"),
    ] {
        let mut scene = Scene::default();
        scene.process(101, 1, 1, environment);
        scene.process(102, 2, 2, &[]);
        scene.namespace(1, &[("eth0", "10.0.0.1")]);
        scene.namespace(2, &[("eth0", "10.0.0.2")]);
        scene.announce(101, 1, "127.0.0.1", 0, &fast(1, addresses));
        scene.announce(102, 2, "10.0.0.2", 0, &fast(2, &["10.0.0.2"]));
        scene.wait(12);
        let finding = scene.finding();
        assert_eq!((finding.code, finding.severity), (Code::NoRemoteDiscovery, Severity::Error));
        assert_eq!(finding.process.as_ref().map(|process| process.pid), Some(101));
        assert!(finding.explanation.contains(reason), "{}", finding.explanation);
        assert!(finding.remedies[0].contains("without ROS_LOCALHOST_ONLY"), "{:?}", finding.remedies);
    }
}

#[test]
fn a_range_of_discovery_that_keeps_nobody_on_its_host() {
    let range = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
    for (environment, kept) in [
        (vec![range], true),
        (vec![range, ("ROS_STATIC_PEERS", "10.0.0.2")], false),
        (vec![range, ("ROS_DISTRO", "humble")], false),
        (vec![range, ("ROS_DISTRO", "humble"), ("ROS_LOCALHOST_ONLY", "1")], true),
        (vec![("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")], false),
    ] {
        let mut scene = Scene::default();
        scene.process(101, 1, 1, &environment);
        scene.process(102, 2, 2, &[]);
        scene.namespace(1, &[("eth0", "10.0.0.1")]);
        scene.namespace(2, &[("eth0", "10.0.0.2")]);
        scene.announce(101, 1, "0.0.0.0", 0, &fast(1, &["10.0.0.1"]));
        scene.announce(102, 2, "0.0.0.0", 0, &fast(2, &["10.0.0.2"]));
        scene.wait(12);
        let told = scene.findings().iter().any(|finding| finding.summary.contains("talks to its own host only"));
        assert_eq!(told, kept, "{environment:?}");
    }
}

#[test]
fn one_that_advertises_the_loopback_address_and_hears_the_outside() {
    let (one, other) = (fast(1, &["127.0.0.1"]), fast(2, &["10.0.0.2"]));
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    scene.namespace(1, &[("eth0", "10.0.0.1")]);
    scene.announce(101, 1, "0.0.0.0", 0, &one);
    scene.hear(101, 1, "0.0.0.0", 0, &other);
    scene.wait(5);
    assert_eq!(scene.finding().code, Code::LoopbackLocator, "seen from its own host alone");
}

#[test]
fn whoever_is_announced_to_alone_is_of_one_domain_with_the_announcer() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 5, &here);
    let local = std::net::SocketAddr::new(ip("0.0.0.0"), 50_847);
    let socket = SocketRef { id: 3, transport: Transport::Udp, local: Some(local), remote: None, net_namespace: 1 };
    let participant = Box::new(there.clone());
    let dds = Dds::ParticipantAnnounced { direction: Direction::Received, participant, relayed_by: None };
    scene.push(Some(reference(101)), Some(socket), What::Dds(dds));
    assert_eq!(scene.graph().dds().domain(there.guid_prefix), Some(5));
}

#[test]
fn two_networks_that_have_nothing_in_common() {
    for (subnets, apart) in
        [(["10.0.0.1", "10.0.0.1"], true), (["10.0.0.1", "10.9.0.1"], true), (["10.0.0.1", "10.0.0.2"], false)]
    {
        let mut scene = Scene::default();
        for (number, net_namespace, address) in [(1_u8, 1, subnets[0]), (2, 2, subnets[1])].repeat(5) {
            let pid = 100 + u32::from(number);
            scene.process(pid, net_namespace, net_namespace, &[]);
            scene.namespace(net_namespace, &[("eth0", address)]);
            scene.announce(pid, net_namespace, address, 0, &fast(number, &[address]));
            scene.wait(2);
        }
        let codes: Vec<_> = scene.findings().iter().map(|finding| finding.code).collect();
        let expected = if apart { vec![] } else { vec![Code::NoRemoteDiscovery] };
        assert_eq!(codes, expected, "{subnets:?}");
    }
}

#[test]
fn two_systems_that_lack_nothing_need_not_hear_of_each_other() {
    let mut scene = Scene::default();
    let hosts = [(1_u8, 1, "10.0.0.1"), (2, 1, "10.0.0.1"), (3, 2, "10.0.0.2"), (4, 2, "10.0.0.2")];
    let all = hosts.map(|(number, _, address)| fast(number, &[address]));
    for ((number, net_namespace, address), data) in hosts.iter().zip(&all).cycle().take(5 * all.len()) {
        let pid = 100 + u32::from(*number);
        scene.process(pid, *net_namespace, *net_namespace, &[]);
        scene.namespace(*net_namespace, &[("eth0", address)]);
        scene.announce(pid, *net_namespace, address, 0, data);
        scene.wait(1);
    }
    for (one, other) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        scene.address(&all[one], &all[other]);
    }
    for (owner, role) in [(0, Role::Writer), (1, Role::Reader), (2, Role::Writer), (3, Role::Reader)] {
        scene.endpoint(&all[owner], role, "rt/chatter", STRING);
    }
    scene.wait(15);
    assert_eq!(shown(&scene.findings()), "");
    let map = |data: &mut EndpointData| data.topic = "rt/map".to_owned();
    scene.push(None, None, endpoint(&all[3], Role::Reader, 2, map));
    assert_eq!(shown(&scene.findings()), "", "nobody writes it");
    scene.push(None, None, endpoint(&all[0], Role::Writer, 2, map));
    assert_eq!(scene.finding().code, Code::NoRemoteDiscovery);
}

#[test]
fn a_neighbour_that_is_not_watched_is_no_host_with_the_same_address() {
    for (interface, expected) in [("eth0", None), ("docker0", Some(Code::LocatorIsLocal))] {
        let mut scene = Scene::default();
        scene.process(101, 1, 1, &[]);
        scene.namespace(1, &[("eth0", "10.0.0.9"), (interface, "10.0.0.1")]);
        scene.announce(101, 1, "10.0.0.9", 0, &fast(1, &["10.0.0.9"]));
        scene.hear(101, 1, "0.0.0.0", 0, &fast(2, &["10.0.0.1"]));
        scene.wait(5);
        let codes: Vec<_> = scene.findings().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, Vec::from_iter(expected), "{interface}");
    }
}

#[test]
fn nothing_is_concluded_from_silence_just_after_events_were_lost() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.unheard_pair(&here, &there);
    scene.wait(4);
    scene.push(None, None, What::Lost { events: 7 });
    let codes = |scene: &Scene| scene.findings().iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(codes(&scene), [Code::EventsLost]);
    // Everybody has had the time to announce itself again.
    for _ in 0..5 {
        scene.wait(10);
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.announce(102, 2, "10.0.0.2", 0, &there);
    }
    assert!(codes(&scene).contains(&Code::NoRemoteDiscovery), "{:?}", codes(&scene));
}

#[test]
fn who_ran_before_has_time_to_be_heard_of() {
    let mut scene = Scene::default();
    for (pid, domain) in [(101, 0), (102, 3)] {
        scene.process(pid, 1, 1, &[]);
        had_bound(&mut scene, pid, 7400 + 250 * domain);
    }
    let (here, there) = pair();
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    scene.announce(102, 1, "10.0.0.1", 3, &there);
    scene.wait(12);
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    scene.announce(102, 1, "10.0.0.1", 3, &there);
    assert_eq!(shown(&scene.findings()), "", "their company may not have announced itself yet");
    let graph = scene.graph();
    assert_eq!(graph.dds().silent().keys().collect::<Vec<_>>(), [&Silence::Before]);
    for _ in 0..3 {
        scene.wait(10);
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.announce(102, 1, "10.0.0.1", 3, &there);
    }
    assert_eq!(scene.finding().code, Code::DomainMismatch);
}

#[test]
fn why_no_topic_of_a_participant_is_known() {
    let shared = |number| {
        let mut data = fast(number, &["10.0.0.1"]);
        data.default_unicast.push(Locator { kind: LocatorKind::SharedMemory, address: None, port: 7411 });
        data
    };
    let (one, other) = (shared(1), shared(2));
    let mut scene = Scene::default();
    let why = |scene: &Scene| scene.graph().dds().silent().into_keys().collect::<Vec<_>>();
    scene.process(101, 1, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 0, &one);
    assert_eq!(why(&scene), [], "it has only just come");
    scene.wait(3);
    assert_eq!(why(&scene), [Silence::Alone]);
    scene.process(102, 1, 1, &[]);
    scene.announce(102, 1, "10.0.0.1", 0, &other);
    scene.wait(3);
    assert_eq!(why(&scene), [Silence::SharedMemory]);
    for owner in [&one, &other] {
        scene.endpoint(owner, Role::Writer, "rt/chatter", STRING);
    }
    assert_eq!(why(&scene), []);
}

#[test]
fn reserved_ports_are_handed_out_to_nobody() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(110, &here, &there);
    for net_namespace in [1, 2] {
        let address = InterfaceAddress {
            interface: "eth0".to_owned(),
            address: ip(&format!("10.0.0.{net_namespace}")),
            prefix: 24,
        };
        let namespace = Namespace {
            net_namespace,
            addresses: vec![address],
            ephemeral_ports: Some((32768, 60999)),
            reserved_ports: vec![(34900, 35149)],
            ..Namespace::default()
        };
        scene.push(None, None, What::Namespace(Box::new(namespace)));
    }
    assert_eq!(shown(&scene.findings()), "");
}

#[test]
fn partitions_that_are_kept_apart_on_purpose() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let of = |partition: &'static str| move |data: &mut EndpointData| data.qos.partitions = vec![partition.to_owned()];
    scene.push(None, None, endpoint(&here, Role::Writer, 1, of("left")));
    scene.push(None, None, endpoint(&there, Role::Reader, 1, of("left")));
    scene.push(None, None, endpoint(&here, Role::Writer, 2, of("right")));
    scene.push(None, None, endpoint(&there, Role::Reader, 2, of("right")));
    assert_eq!(shown(&scene.findings()), "");
    scene.push(None, None, endpoint(&there, Role::Reader, 3, of("middle")));
    let findings = scene.findings();
    assert_eq!(findings.len(), 2, "no writer is in its partition: {}", shown(&findings));
    let expected = (Code::QosIncompatible, Severity::Warning);
    assert!(findings.iter().all(|finding| (finding.code, finding.severity) == expected));
}

#[test]
fn a_reader_that_acknowledges_what_the_writers_implementation_does_not_match() {
    let (here, mut there) = pair();
    there.vendor = VendorId::RUST_DDS;
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    let reader = scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    scene.push(None, None, What::Dds(Dds::Acknowledged { direction: Direction::Sent, reader, writer }));
    assert_eq!(scene.finding().code, Code::TypeMismatch);
}

#[test]
fn definitions_that_differ_behind_one_name_and_match_nevertheless() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let hashed = |hash: &'static str| move |data: &mut EndpointData| data.type_hash = Some(hash.to_owned());
    scene.push(None, None, endpoint(&here, Role::Writer, 1, hashed("RIHS01_aa")));
    scene.push(None, None, endpoint(&there, Role::Reader, 1, hashed("RIHS01_bb")));
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::TypeMismatch, Severity::Error));
    assert!(finding.explanation.contains("lets both ends match"), "{}", finding.explanation);
    assert!(finding.summary.contains("RIHS01_aa") && finding.summary.contains("RIHS01_bb"), "{}", finding.summary);
    let asks = |data: &mut EndpointData| {
        data.type_hash = Some("RIHS01_aa".to_owned());
        data.qos.reliability = Reliability::Reliable;
    };
    let offers = |data: &mut EndpointData| {
        data.type_hash = Some("RIHS01_aa".to_owned());
        data.qos.reliability = Reliability::BestEffort;
    };
    scene.push(None, None, endpoint(&there, Role::Reader, 1, asks));
    scene.push(None, None, endpoint(&here, Role::Writer, 1, offers));
    assert_eq!(scene.finding().code, Code::QosIncompatible);
}
