//! DDS's own vocabulary, as ROS 2 uses it: participants, endpoints, their quality of service, and what ROS adds.
//!
//! Sources: DDSI-RTPS 2.5 (<https://www.omg.org/spec/DDSI-RTPS/2.5>), 8.5 and 9.6.3; DDS 1.4 (<https://www.omg.org/spec/DDS/1.4>), 2.2.3;
//! `rmw_dds_common`'s messages (<https://github.com/ros2/rmw_dds_common>).

mod compatibility;
mod guid;
mod names;
mod qos;
mod summary;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::compatibility::{Incompatibility, Policy, incompatibilities};
pub use self::guid::{EntityId, Guid, GuidPrefix, VendorId};
pub use self::names::{RosName, RosPart, ros_type};
pub use self::qos::{
    AccessScope, DestinationOrder, Durability, Duration, Liveliness, LivelinessKind, Ownership, Presentation, Qos,
    Reliability, representation_name,
};
use crate::event::Direction;

/// What a participant says of itself (SPDP).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ParticipantData {
    /// Which participant.
    pub guid_prefix: GuidPrefix,
    /// Whose implementation.
    pub vendor: VendorId,
    /// Version of the protocol, for instance `2.3`.
    pub protocol_version: String,
    /// `PID_DOMAIN_ID`; only Cyclone DDS sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_id: Option<u32>,
    /// How long it counts as alive after an announcement; 100 s when left out.
    pub lease: Duration,
    /// Where it takes discovery, sent to it alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metatraffic_unicast: Vec<Locator>,
    /// Where it takes discovery, sent to a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metatraffic_multicast: Vec<Locator>,
    /// Where it takes data, sent to it alone, when an endpoint names no locator of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_unicast: Vec<Locator>,
    /// Where it takes data, sent to a group, when an endpoint names no locator of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_multicast: Vec<Locator>,
    /// Name of the participant; empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Process id by its own account (Cyclone's `__Pid`, Fast DDS's `fastdds.physical_data.process`), in its own pid namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Name of its process by its own account (Cyclone's `__ProcessName`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_name: Option<String>,
    /// Host by its own account (Cyclone's `__Hostname`, Fast DDS's `fastdds.physical_data.host`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Security enclave, from the user data that ROS 2 sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enclave: Option<String>,
    /// True when it takes part in DDS-Security: its endpoints and data are encrypted.
    #[serde(default)]
    pub secured: bool,
    /// How it finds others (Fast DDS's `PARTICIPANT_TYPE`).
    #[serde(default)]
    pub discovery: Discovery,
}

/// How a participant finds others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Discovery {
    /// By announcements to everybody.
    #[default]
    Simple,
    /// Through a discovery server; it need not hear multicast.
    Client,
    /// It is a discovery server.
    Server,
}

/// What a writer or a reader says of itself (SEDP).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct EndpointData {
    /// Which endpoint.
    pub guid: Guid,
    /// Writer or reader.
    pub role: Role,
    /// Name of the DDS topic, `rt/chatter` for ROS 2's `/chatter`.
    pub topic: String,
    /// Name of the DDS type, `std_msgs::msg::dds_::String_` for ROS 2's `std_msgs/msg/String`.
    pub type_name: String,
    /// Hash of the type's definition (`RIHS01_...`), which ROS 2 sends since Iron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_hash: Option<String>,
    /// Quality of service; what was left out has its default.
    pub qos: Qos,
    /// Locators of its own; empty when those of its participant hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unicast: Vec<Locator>,
    /// Multicast locators of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multicast: Vec<Locator>,
}

/// Which end of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Publishes.
    Writer,
    /// Subscribes.
    Reader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
        })
    }
}

/// An address at which a participant or endpoint can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Locator {
    /// The transport.
    pub kind: LocatorKind,
    /// The IP address; none for shared memory and unknown kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port; 32 bits on the wire.
    pub port: u32,
}

/// Transport of a locator (DDSI-RTPS 9.3.2; the others are the vendors').
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LocatorKind {
    /// UDP over IPv4.
    Udpv4,
    /// UDP over IPv6.
    Udpv6,
    /// TCP over IPv4.
    Tcpv4,
    /// TCP over IPv6.
    Tcpv6,
    /// Fast DDS's shared memory.
    SharedMemory,
    /// Another one, by number.
    Other(i32),
}

impl Locator {
    /// Address and port, when it is an IP locator with a port that exists.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.address?, u16::try_from(self.port).ok()?))
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.socket_address()) {
            (LocatorKind::Tcpv4 | LocatorKind::Tcpv6, Some(address)) => write!(f, "tcp {address}"),
            (_, Some(address)) => address.fmt(f),
            (LocatorKind::SharedMemory, None) => write!(f, "shared memory port {}", self.port),
            (kind, None) => write!(f, "{kind:?} port {}", self.port),
        }
    }
}

/// A node and its endpoints, from `ros_discovery_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NodeEntities {
    /// Namespace, `/` for none.
    pub namespace: String,
    /// Name without the namespace.
    pub name: String,
    /// Its readers.
    #[serde(default)]
    pub readers: Vec<Guid>,
    /// Its writers.
    #[serde(default)]
    pub writers: Vec<Guid>,
}

impl NodeEntities {
    /// Namespace and name as ROS writes them together: `/talker`, `/robot1/talker`.
    pub fn full_name(&self) -> String {
        let namespace = self.namespace.trim_end_matches('/');
        format!("{namespace}/{}", self.name)
    }
}

/// What RTPS packets and the sockets of DDS reveal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "dds", rename_all = "kebab-case")]
pub enum Dds {
    /// A participant announced itself, for the first time on this socket or with other contents than before.
    ParticipantAnnounced {
        /// Which way: `sent` by its own process, `received` by another.
        direction: Direction,
        /// What it said.
        participant: Box<ParticipantData>,
        /// Who passed it on, when the participant did not send it itself (a discovery server).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relayed_by: Option<GuidPrefix>,
    },
    /// It said the same again, so that its lease is renewed. At most one a second for each participant and socket.
    ParticipantRenewed {
        /// Which way.
        direction: Direction,
        /// Which participant.
        guid_prefix: GuidPrefix,
    },
    /// A participant said goodbye.
    ParticipantDisposed {
        /// Which way.
        direction: Direction,
        /// Which participant.
        guid_prefix: GuidPrefix,
    },
    /// A participant addressed another by its GUID prefix (`INFO_DST`) for the first time: it has discovered it.
    ParticipantAddressed {
        /// Which way.
        direction: Direction,
        /// Who sent.
        from: GuidPrefix,
        /// Whom it addressed.
        to: GuidPrefix,
    },
    /// A writer or reader was announced, for the first time on this socket or with other contents than before.
    EndpointAnnounced {
        /// Which way.
        direction: Direction,
        /// What was said of it.
        endpoint: Box<EndpointData>,
    },
    /// A writer or reader is gone.
    EndpointDisposed {
        /// Which way.
        direction: Direction,
        /// Which one.
        guid: Guid,
    },
    /// The nodes of a participant and their endpoints (`ros_discovery_info`).
    RosDiscoveryInfo {
        /// Which way.
        direction: Direction,
        /// Which participant.
        guid_prefix: GuidPrefix,
        /// Its nodes.
        nodes: Vec<NodeEntities>,
    },
    /// Samples of a writer so far on this socket; about once a second while they flow.
    UserData {
        /// Which way.
        direction: Direction,
        /// The writer.
        writer: Guid,
        /// Samples so far; a sample in fragments counts once, one that is sent again counts again.
        messages: u64,
        /// Bytes of their serialised form so far.
        bytes: u64,
    },
    /// A reader acknowledged samples of a writer, or asked for them, for the first time: they match.
    Acknowledged {
        /// Which way.
        direction: Direction,
        /// The reader.
        reader: Guid,
        /// The writer.
        writer: Guid,
    },
    /// A process bound an RTPS port, or tried to.
    Bound {
        /// Address and port that were asked for.
        address: SocketAddr,
        /// Why not, when it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errno: Option<crate::errno::Errno>,
        /// True for a port that it had when watching began.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        already: bool,
    },
    /// A process joined a multicast group, or tried to.
    MulticastJoined {
        /// The group.
        group: IpAddr,
        /// Address of the interface that was asked for; unspecified for the system's choice.
        interface: Option<IpAddr>,
        /// Why not, when it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errno: Option<crate::errno::Errno>,
    },
    /// A limit of rosprobe was reached: something is not followed.
    LimitReached {
        /// Which, in words with the number.
        limit: String,
    },
}

impl Dds {
    /// Whether it was said by a participant or about one, or about one of its endpoints.
    pub fn names(&self, prefix: GuidPrefix) -> bool {
        match self {
            Self::ParticipantAnnounced { participant, .. } => participant.guid_prefix == prefix,
            Self::ParticipantRenewed { guid_prefix, .. }
            | Self::ParticipantDisposed { guid_prefix, .. }
            | Self::RosDiscoveryInfo { guid_prefix, .. } => *guid_prefix == prefix,
            Self::ParticipantAddressed { from, to, .. } => [from, to].contains(&&prefix),
            Self::EndpointAnnounced { endpoint, .. } => endpoint.guid.prefix == prefix,
            Self::EndpointDisposed { guid, .. } => guid.prefix == prefix,
            Self::UserData { writer, .. } => writer.prefix == prefix,
            Self::Acknowledged { reader, writer, .. } => [reader.prefix, writer.prefix].contains(&prefix),
            Self::Bound { .. } | Self::MulticastJoined { .. } | Self::LimitReached { .. } => false,
        }
    }
}
