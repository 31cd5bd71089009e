//! A finding: a diagnosis with its evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::errno::Errno;
use crate::graph::Stage;
use crate::observation::{ObservationId, time};

/// How bad it is. `error`: something that was asked for does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that was asked for does not work.
    Error,
    /// It will not work for somebody, or may not.
    Warning,
    /// Worth knowing; no fault.
    Info,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of severity error.
    pub error: u64,
    /// Of severity warning.
    pub warning: u64,
    /// Of severity info.
    pub info: u64,
}

impl Counts {
    /// Counts findings.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => counts.error += 1,
                Severity::Warning => counts.warning += 1,
                Severity::Info => counts.info += 1,
            }
        }
        counts
    }
}

/// What is wrong, as a word for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// `connect()` to an advertised address failed.
    ConnectFailed,
    /// `connect()` has had no answer so far.
    ConnectPending,
    /// `connect()` was given up without an answer.
    ConnectAbandoned,
    /// The advertised name could not be resolved.
    NameUnresolved,
    /// An address was handed over and nobody tried to connect to it.
    NeverAttempted,
    /// The advertised address is the receiver's own loopback.
    LoopbackAdvertised,
    /// The advertised address is of a family that the receiver does not use.
    WrongAddressFamily,
    /// The master could not call a node back.
    CallbackFailed,
    /// The master could not be reached.
    MasterUnreachable,
    /// A service's server could not be reached.
    ServiceUnreachable,
    /// The peer refused the connection header.
    HeaderRefused,
    /// The peer sent no connection header.
    NoHeader,
    /// A request got no answer.
    NoResponse,
    /// A call was answered with a failure or a fault.
    CallFailed,
    /// Data is sent and not acknowledged any more.
    Stalled,
    /// UDPROS: datagrams are sent and do not arrive, or cannot be sent.
    // Samples of ROS 2 too: what is above is part of a schema that is released.
    DatagramsLost,
    /// Connected, and the publisher sends nothing.
    IdlePublisher,
    /// Two nodes of one name.
    DuplicateNode,
    /// ROS 2: participants that belong together are in different domains.
    DomainMismatch,
    /// ROS 2: a participant announces itself and hears of nobody on another host.
    NoRemoteDiscovery,
    /// ROS 2: announcements cannot leave this host by multicast.
    MulticastBlocked,
    /// ROS 2: an address that a participant advertises cannot be reached.
    LocatorUnreachable,
    /// ROS 2: an address that a remote participant advertises is this host's own.
    LocatorIsLocal,
    /// ROS 2: a participant advertises only its loopback address to other hosts.
    LoopbackLocator,
    /// ROS 2: a writer offers less than a reader requests, so that they do not match.
    QosIncompatible,
    /// ROS 2: a writer and a reader of one topic have different types.
    TypeMismatch,
    /// ROS 2: a port of the domain is held by somebody else.
    PortTaken,
    /// ROS 2: more participants than the domain has ports.
    ParticipantOverflow,
    /// ROS 2: a domain's ports lie where the system hands out ports to anybody.
    DomainInEphemeralRange,
    /// ROS 2: participants of one host count on shared memory that they do not share.
    SharedMemorySplit,
    /// Events were lost between kernel and user space.
    EventsLost,
    /// Payload was cut at the limit.
    PayloadTruncated,
    /// Content is encrypted.
    Encrypted,
    /// A limit of rosprobe was reached: something is not followed.
    LimitReached,
}

impl Code {
    /// The code as a script sees it: `connect-failed`.
    pub fn word(self) -> String {
        // The name that serde writes, so that there is one list of them.
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The process that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FindingProcess {
    /// Process id.
    pub pid: u32,
    /// The kernel's name of it.
    pub comm: String,
    /// The node's name, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// The other end that a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FindingPeer {
    /// The node's name, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The URI under which it advertises itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// A diagnosis with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable: the same trouble keeps its id while its count and times change, in every view and in every run over the same observations.
    pub id: String,
    /// What is wrong.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The topic concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The service concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The node concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The ROS 2 domain concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<u32>,
    /// Where on the way it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The error number, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Errno>,
    /// Address and port, or the URI's host and port when no address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The process in which it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<FindingProcess>,
    /// The other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<FindingPeer>,
    /// First time it was seen.
    #[serde(serialize_with = "time::serialize")]
    pub first: jiff::Timestamp,
    /// Last time it was seen.
    #[serde(serialize_with = "time::serialize")]
    pub last: jiff::Timestamp,
    /// When what it is about was over: the publisher unregistered, or the subscriber left. Absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "time::serialize_option")]
    pub ended: Option<jiff::Timestamp>,
    /// How often.
    pub count: u64,
    /// One sentence with the values in it.
    pub summary: String,
    /// Why, and how that is known.
    pub explanation: String,
    /// What to do, best first. A line is a command or a setting with real values, and says whom it would hurt.
    #[serde(default)]
    pub remedies: Vec<String>,
    /// The observations that show it.
    #[serde(default)]
    pub evidence: Vec<ObservationId>,
}
