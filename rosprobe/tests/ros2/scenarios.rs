//! What only the kernel can tell, and what `/proc` adds: hand-written observations, and the findings that they give.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rosprobe::diagnosis::{Code, Finding, Severity, diagnose};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, InterfaceAddress, Monotonic, Namespace, Process, ProcessRef, SocketRef, Transport};
use rosprobe::graph::{Graph, Health};
use rosprobe::observation::dds::{
    Dds, Discovery, Duration, EndpointData, EntityId, Guid, GuidPrefix, Locator, LocatorKind, ParticipantData, Qos,
    Role, VendorId,
};
use rosprobe::observation::{Observation, ObservationId, What};

use crate::findings::shown;

const SECOND: u64 = 1_000_000_000;

/// Observations in the making, a millisecond apart.
#[derive(Default)]
struct Scene {
    observations: Vec<Observation>,
    now: u64,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

fn reference(pid: u32) -> ProcessRef {
    ProcessRef { pid, started: 1, comm: format!("node{pid}") }
}

fn participant(number: u8, vendor: VendorId, addresses: &[&str], port: u32) -> ParticipantData {
    let locator = |port| move |address: &&str| Locator { kind: LocatorKind::Udpv4, address: Some(ip(address)), port };
    ParticipantData {
        guid_prefix: GuidPrefix([number; 12]),
        vendor,
        protocol_version: "2.3".to_owned(),
        domain_id: None,
        lease: Duration::Nanoseconds(20 * SECOND),
        metatraffic_unicast: addresses.iter().map(locator(port)).collect(),
        metatraffic_multicast: Vec::new(),
        default_unicast: addresses.iter().map(locator(port + 1)).collect(),
        default_multicast: Vec::new(),
        name: String::new(),
        pid: None,
        process_name: None,
        host: None,
        enclave: None,
        secured: false,
        discovery: Discovery::Simple,
    }
}

fn fast(number: u8, addresses: &[&str]) -> ParticipantData {
    participant(number, VendorId::FAST_DDS, addresses, 7410)
}

fn multicast(domain: u16) -> SocketAddr {
    SocketAddr::new(ip("239.255.0.1"), 7400 + 250 * domain)
}

impl Scene {
    fn push(&mut self, process: Option<ProcessRef>, socket: Option<SocketRef>, what: What) {
        self.now += 1_000_000;
        let id = ObservationId(self.observations.len() as u64 + 1);
        let time = jiff::Timestamp::UNIX_EPOCH;
        self.observations.push(Observation { id, time, monotonic: Monotonic(self.now), process, socket, what });
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
    }

    fn process(&mut self, pid: u32, net_namespace: u64, shared_memory: u64, environment: &[(&str, &str)]) {
        let environment: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let process = Process {
            pid,
            started: 1,
            comm: format!("node{pid}"),
            argv: vec![format!("/opt/node{pid}")],
            net_namespace,
            shared_memory: Some(shared_memory),
            environment,
            ..Process::default()
        };
        self.push(Some(reference(pid)), None, What::Process(Box::new(process)));
    }

    fn namespace(&mut self, net_namespace: u64, addresses: &[(&str, &str)]) {
        let own = |(interface, address): &(&str, &str)| InterfaceAddress {
            interface: (*interface).to_owned(),
            address: ip(address),
            prefix: 24,
        };
        let namespace = Namespace {
            net_namespace,
            addresses: addresses.iter().map(own).collect(),
            ephemeral_ports: Some((32768, 60999)),
            ..Namespace::default()
        };
        self.push(None, None, What::Namespace(Box::new(namespace)));
    }

    fn socket(local: SocketAddr, remote: SocketAddr, net_namespace: u64) -> SocketRef {
        SocketRef { id: 1, transport: Transport::Udp, local: Some(local), remote: Some(remote), net_namespace }
    }

    /// The process `pid` in namespace `net_namespace` announces a participant from `from` by multicast.
    fn announce(&mut self, pid: u32, net_namespace: u64, from: &str, domain: u16, data: &ParticipantData) {
        let socket = Self::socket(SocketAddr::new(ip(from), 40000), multicast(domain), net_namespace);
        let participant = Box::new(data.clone());
        let dds = Dds::ParticipantAnnounced { direction: Direction::Sent, participant, relayed_by: None };
        self.push(Some(reference(pid)), Some(socket), What::Dds(dds));
    }

    /// The process `pid` hears it.
    fn hear(&mut self, pid: u32, net_namespace: u64, from: &str, domain: u16, data: &ParticipantData) {
        let socket = Self::socket(multicast(domain), SocketAddr::new(ip(from), 40000), net_namespace);
        let participant = Box::new(data.clone());
        let dds = Dds::ParticipantAnnounced { direction: Direction::Received, participant, relayed_by: None };
        self.push(Some(reference(pid)), Some(socket), What::Dds(dds));
    }

    fn address(&mut self, from: &ParticipantData, to: &ParticipantData) {
        let (from, to) = (from.guid_prefix, to.guid_prefix);
        let dds = Dds::ParticipantAddressed { direction: Direction::Sent, from, to };
        self.push(None, None, What::Dds(dds));
    }

    fn endpoint(&mut self, owner: &ParticipantData, role: Role, topic: &str, type_name: &str) -> Guid {
        let entity = EntityId([0, 0, 1, if role == Role::Writer { 3 } else { 4 }]);
        let guid = Guid { prefix: owner.guid_prefix, entity };
        let endpoint = Box::new(EndpointData {
            guid,
            role,
            topic: topic.to_owned(),
            type_name: type_name.to_owned(),
            type_hash: None,
            qos: if role == Role::Writer { Qos::WRITER_DEFAULT } else { Qos::READER_DEFAULT },
            unicast: Vec::new(),
            multicast: Vec::new(),
        });
        self.push(None, None, What::Dds(Dds::EndpointAnnounced { direction: Direction::Sent, endpoint }));
        guid
    }

    fn send_fails(&mut self, pid: u32, target: SocketAddr, errno: Errno, count: u64) {
        let socket = Self::socket(SocketAddr::new(ip("0.0.0.0"), 40000), target, 1);
        let what = What::IoFailed { direction: Direction::Sent, errno, count };
        self.push(Some(reference(pid)), Some(socket), what);
    }

    fn bind(&mut self, pid: u32, port: u16, errno: Option<Errno>) {
        let address = SocketAddr::new(ip("0.0.0.0"), port);
        let socket =
            SocketRef { id: 9, transport: Transport::Udp, local: Some(address), remote: None, net_namespace: 1 };
        self.push(Some(reference(pid)), Some(socket), What::Dds(Dds::Bound { address, errno }));
    }

    /// Two hosts (network namespaces 1 and 2) with a participant each, in one domain, that have found each other.
    fn healthy_pair(&mut self, domain: u16, here: &ParticipantData, there: &ParticipantData) {
        for (pid, net_namespace, from) in [(101, 1, "10.0.0.1"), (102, 2, "10.0.0.2")] {
            self.process(pid, net_namespace, net_namespace, &[]);
            self.namespace(net_namespace, &[("eth0", from)]);
        }
        self.announce(101, 1, "10.0.0.1", domain, here);
        self.hear(102, 2, "10.0.0.1", domain, here);
        self.announce(102, 2, "10.0.0.2", domain, there);
        self.hear(101, 1, "10.0.0.2", domain, there);
        self.address(here, there);
        self.address(there, here);
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        for observation in &self.observations {
            graph.observe(observation);
        }
        graph.advance(Monotonic(self.now));
        graph
    }

    fn findings(&self) -> Vec<Finding> {
        diagnose(&self.graph())
    }

    /// Exactly one finding.
    fn finding(&self) -> Finding {
        let mut findings = self.findings();
        assert_eq!(findings.len(), 1, "{}", shown(&findings));
        findings.remove(0)
    }
}

fn pair() -> (ParticipantData, ParticipantData) {
    (fast(1, &["10.0.0.1"]), fast(2, &["10.0.0.2"]))
}

const STRING: &str = "std_msgs::msg::dds_::String_";

#[test]
fn a_healthy_pair_gives_nothing() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", STRING);
    scene.wait(15);
    assert_eq!(shown(&scene.findings()), "");
    assert!(scene.graph().links().all(|link| link.health() == Health::Ok));
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
    scene.wait(1);
    assert_eq!(shown(&scene.findings()), "");
    scene.wait(3);
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
    scene.wait(2);
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
    let again = ProcessRef { pid: 103, started: 9, comm: "node102".to_owned() };
    let address = SocketAddr::new(ip("0.0.0.0"), 7900);
    let socket = SocketRef { id: 9, transport: Transport::Udp, local: Some(address), remote: None, net_namespace: 1 };
    scene.push(Some(again), Some(socket), What::Dds(Dds::Bound { address, errno: None }));
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

#[test]
fn multicast_that_is_lost_between_two_hosts() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[]);
    scene.process(102, 2, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    scene.announce(102, 2, "10.0.0.2", 0, &there);
    scene.wait(1);
    assert_eq!(shown(&scene.findings()), "");
    scene.wait(3);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.domain), (Code::NoRemoteDiscovery, Severity::Error, Some(0)));
    assert!(finding.explanation.contains("239.255.0.1, port 7400"), "{}", finding.explanation);
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
    packet(&mut scene, "10.0.0.2", &there);
    scene.wait(4);
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
fn a_domain_id_in_the_environment_that_differs_from_the_others() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[("ROS_DOMAIN_ID", "7")]);
    scene.process(102, 2, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 7, &here);
    scene.announce(102, 2, "10.0.0.2", 0, &there);
    scene.wait(4);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::DomainMismatch, Severity::Error));
    assert!(finding.explanation.contains("ROS_DOMAIN_ID=7 in its environment"), "{}", finding.explanation);
    assert!(finding.explanation.contains("ROS_DOMAIN_ID is not set"), "{}", finding.explanation);
    assert!(finding.remedies[0].contains("ROS_DOMAIN_ID=0"), "{:?}", finding.remedies);
}

#[test]
fn a_topic_written_in_one_domain_and_read_in_another() {
    let (here, also_here) = pair();
    let (there, also_there) = (fast(3, &["10.0.0.1"]), fast(4, &["10.0.0.2"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &also_here);
    scene.healthy_pair(5, &there, &also_there);
    scene.endpoint(&here, Role::Writer, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    scene.endpoint(&there, Role::Reader, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    let finding = scene.finding();
    assert_eq!((finding.code, finding.topic.as_deref()), (Code::DomainMismatch, Some("/scan")));
    assert!(finding.summary.contains("written in domain 0") && finding.summary.contains("read in domain 5"));
    scene.endpoint(&also_there, Role::Writer, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    assert_eq!(shown(&scene.findings()), "", "two robots, each with its own");
}

#[test]
fn a_type_that_differs() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    scene.wait(2);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.topic.as_deref()), (Code::TypeMismatch, Some("/chatter")));
    assert!(finding.summary.contains("std_msgs/msg/String") && finding.summary.contains("std_msgs/msg/Int32"));
}

#[test]
fn types_of_other_names_that_match_for_their_structure() {
    let cyclone = |number, address| participant(number, VendorId::CYCLONE_DDS, &[address], 7410);
    let (here, there) = (cyclone(1, "10.0.0.1"), cyclone(2, "10.0.0.2"));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    let reader = scene.endpoint(&there, Role::Reader, "rt/chatter", "mine::msg::dds_::Text_");
    assert_eq!(shown(&scene.findings()), "", "the reader may still acknowledge");
    scene.wait(2);
    assert_eq!(scene.finding().code, Code::TypeMismatch);
    scene.push(None, None, What::Dds(Dds::Acknowledged { direction: Direction::Sent, reader, writer }));
    assert_eq!(shown(&scene.findings()), "");
    assert!(scene.graph().links().all(|link| link.health() == Health::Ok));
}

#[test]
fn types_that_nobody_compares() {
    let rust = |number, address| participant(number, VendorId::RUST_DDS, &[address], 7410);
    let (here, there) = (rust(1, "10.0.0.1"), rust(2, "10.0.0.2"));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::TypeMismatch, Severity::Warning));
    assert!(finding.explanation.contains("does not compare types"), "{}", finding.explanation);
}

#[test]
fn types_that_nobody_compares_and_participants_that_are_not_known_yet() {
    let rust = |number| {
        let mut participant = participant(number, VendorId::RUST_DDS, &["10.0.0.1"], 7410);
        participant.guid_prefix.0[..2].copy_from_slice(&VendorId::RUST_DDS.0);
        participant
    };
    let mut scene = Scene::default();
    scene.endpoint(&rust(1), Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&rust(2), Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    assert_eq!(scene.finding().severity, Severity::Warning);
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
    scene.push(Some(reference(101)), Some(socket), announced(&here));
    let elsewhere = Scene::socket(SocketAddr::new(ip("10.0.0.9"), 11811), SocketAddr::new(ip("10.0.0.3"), 7410), 2);
    scene.push(Some(reference(109)), Some(elsewhere), announced(&server));
    assert_eq!(shown(&scene.findings()), "");
    scene.wait(4);
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
    assert!(graph.links().all(|link| link.health() == Health::Gone));
    assert_eq!(shown(&scene.findings()), "", "who is gone has no trouble");
}

#[test]
fn a_domain_that_cannot_be_is_not_believed() {
    let (mut here, there) = pair();
    here.domain_id = Some(u32::MAX);
    let mut scene = Scene::default();
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    scene.announce(102, 2, "10.0.0.2", 0, &there);
    scene.wait(15);
    scene.announce(101, 1, "10.0.0.1", 0, &here);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.domain), (Code::NoRemoteDiscovery, Some(0)));
}

#[test]
fn a_limit_that_was_reached_is_said() {
    let mut scene = Scene::default();
    let limit = "more than 10000 participants: further ones are not followed".to_owned();
    scene.push(None, None, What::Dds(Dds::LimitReached { limit: limit.clone() }));
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity, finding.summary), (Code::LimitReached, Severity::Warning, limit));
}
