//! ROS 2 beside ROS 1: participants, their endpoints and nodes, and samples that are counted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rosprobe::event::{Direction, SocketRef, Transport};
use rosprobe::observation::dds::{
    Dds, Discovery, Duration, EndpointData, EntityId, Guid, GuidPrefix, Locator, LocatorKind, NodeEntities,
    ParticipantData, Qos, Role, VendorId,
};
use rosprobe::observation::{Answer, Call, ObservationId, Value, What};

use crate::script::{MASTER, Node, Script};

/// Participants, a node each.
const PARTICIPANTS: u32 = 100;
/// Writers of each, and as many readers.
const ENDPOINTS: u32 = 20;
const DISCOVERY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 0, 1)), 7400);

struct Participant {
    node: Node,
    prefix: GuidPrefix,
    socket: SocketRef,
}

impl Participant {
    fn push(&self, script: &mut Script, dds: Dds) -> ObservationId {
        script.push(Some(&self.node.process), Some(&self.socket), What::Dds(dds))
    }

    fn guid(&self, role: Role, number: u32) -> Guid {
        let [.., high, low] = number.to_be_bytes();
        let kind = if role == Role::Writer { 3 } else { 4 };
        Guid { prefix: self.prefix, entity: EntityId([0, high, low, kind]) }
    }
}

/// Adds all of them, then samples and calls of ROS 1 by turns until there are so many observations.
pub(crate) fn add(script: &mut Script, observations: usize) {
    let participants: Vec<Participant> = (0..PARTICIPANTS).map(|number| participant(script, number)).collect();
    for one in &participants {
        for other in participants.iter().filter(|other| other.prefix != one.prefix).take(10) {
            let addressed =
                Dds::ParticipantAddressed { direction: Direction::Sent, from: one.prefix, to: other.prefix };
            one.push(script, addressed);
        }
    }
    let asks = participants[0].node.clone();
    let master = script.connected(&asks, MASTER, 21);
    let mut turn = 0;
    while script.observations.len() < observations {
        let sender = &participants[turn % participants.len()];
        let samples = turn as u64 / 10 + 1;
        let writer = sender.guid(Role::Writer, u32::try_from(turn).unwrap_or(0) % ENDPOINTS);
        let counted = Dds::UserData { direction: Direction::Sent, writer, messages: samples, bytes: samples * 100 };
        sender.push(script, counted);
        let call = Call::GetParam { caller_id: asks.name.clone(), key: format!("/key{turn}") };
        let answer = Answer::Success { message: "Parameter".to_owned(), value: Value::Int(1) };
        script.call(&asks, &master, call, answer);
        turn += 1;
    }
}

fn participant(script: &mut Script, number: u32) -> Participant {
    let name = format!("/robot2_{number}/driver");
    let node = script.node(9000 + number, "driver", &name, "", &[("ROS_DOMAIN_ID", "0")]);
    let [_, _, high, low] = number.to_be_bytes();
    let own = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 2));
    let port = 7410 + 2 * number;
    let locator = |port| Locator { kind: LocatorKind::Udpv4, address: Some(own), port };
    let local = SocketAddr::new(own, u16::try_from(port).unwrap_or(u16::MAX));
    let socket = SocketRef {
        id: 1_000_000 + u64::from(number),
        transport: Transport::Udp,
        local: Some(local),
        remote: Some(DISCOVERY),
        net_namespace: 4_026_532_000,
    };
    let participant = Participant { node, prefix: GuidPrefix([1, 16, high, low, 0, 0, 0, 0, 0, 0, 0, 1]), socket };
    let data = ParticipantData {
        guid_prefix: participant.prefix,
        vendor: VendorId::CYCLONE_DDS,
        protocol_version: "2.5".to_owned(),
        domain_id: Some(0),
        lease: Duration::Nanoseconds(u64::MAX / 4),
        metatraffic_unicast: vec![locator(port)],
        metatraffic_multicast: Vec::new(),
        default_unicast: vec![locator(port + 1)],
        default_multicast: Vec::new(),
        name: String::new(),
        pid: Some(9000 + number),
        process_name: Some("driver".to_owned()),
        host: Some("robot".to_owned()),
        enclave: None,
        secured: false,
        discovery: Discovery::Simple,
    };
    let direction = Direction::Sent;
    participant.push(script, Dds::ParticipantAnnounced { direction, participant: Box::new(data), relayed_by: None });
    for endpoint in 0..ENDPOINTS {
        for role in [Role::Writer, Role::Reader] {
            let neighbour = if role == Role::Writer { number } else { (number + 1) % PARTICIPANTS };
            let endpoint = Box::new(EndpointData {
                guid: participant.guid(role, endpoint),
                role,
                topic: format!("rt/robot2_{neighbour}/sensor{endpoint}"),
                type_name: "std_msgs::msg::dds_::String_".to_owned(),
                type_hash: None,
                qos: if role == Role::Writer { Qos::WRITER_DEFAULT } else { Qos::READER_DEFAULT },
                unicast: Vec::new(),
                multicast: Vec::new(),
            });
            participant.push(script, Dds::EndpointAnnounced { direction, endpoint });
        }
    }
    let all = |role| (0..ENDPOINTS).map(|endpoint| participant.guid(role, endpoint)).collect();
    let entities = NodeEntities {
        namespace: format!("/robot2_{number}"),
        name: "driver".to_owned(),
        readers: all(Role::Reader),
        writers: all(Role::Writer),
    };
    let guid_prefix = participant.prefix;
    participant.push(script, Dds::RosDiscoveryInfo { direction, guid_prefix, nodes: vec![entities] });
    participant
}
