//! What only the kernel can tell, and what `/proc` adds: hand-written observations, and the findings that they give.

#[path = "scenarios/discovery.rs"]
mod discovery;
#[path = "scenarios/domains.rs"]
mod domains;
#[path = "scenarios/endpoints.rs"]
mod endpoints;
#[path = "scenarios/locators.rs"]
mod locators;
#[path = "scenarios/ports.rs"]
mod ports;
#[path = "scenarios/quiet.rs"]
mod quiet;
#[path = "scenarios/radio.rs"]
mod radio;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rosprobe::diagnosis::{Finding, diagnose};
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, InterfaceAddress, Monotonic, Namespace, Process, ProcessRef, SocketRef, Transport};
use rosprobe::graph::Graph;
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
    ProcessRef { pid, started: 1, comm: format!("node{pid}").into() }
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
        self.push(Some(reference(pid)), Some(socket), What::Dds(Dds::Bound { address, errno, already: false }));
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

    /// The same two in domain 0, each announced and neither heard by the other.
    fn unheard_pair(&mut self, here: &ParticipantData, there: &ParticipantData) {
        self.process(101, 1, 1, &[]);
        self.process(102, 2, 1, &[]);
        for _ in 0..5 {
            self.announce(101, 1, "10.0.0.1", 0, here);
            self.announce(102, 2, "10.0.0.2", 0, there);
            self.wait(1);
        }
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        for observation in &self.observations {
            // As a session does.
            graph.advance(observation.monotonic);
            graph.observe(observation);
        }
        graph.advance(Monotonic(self.now));
        graph
    }

    fn findings(&self) -> Vec<Finding> {
        diagnose(&self.graph()).findings
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
