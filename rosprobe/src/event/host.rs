//! What a host looks like from inside: its processes and its network namespaces.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProcessKey, ProcessRef};

/// Who a process is, as read from `/proc` at first sight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// When it started, in nanoseconds since boot; 0 when unknown.
    pub started: u64,
    /// Parent's process id; 0 when unknown.
    #[serde(default)]
    pub parent: u32,
    /// The kernel's name of the process.
    pub comm: String,
    /// The command line, bounded.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Numeric user id.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Name of that user, where this machine knows it.
    #[serde(default)]
    pub user: Option<String>,
    /// Inode of its network namespace; 0 when unknown.
    #[serde(default)]
    pub net_namespace: u64,
    /// Id of its container, shortened to 12 characters as container tools do.
    #[serde(default)]
    pub container: Option<String>,
    /// Host name in its UTS namespace, where it could be read.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Device number of the file system at its `/dev/shm`: processes with different ones share no memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory: Option<u64>,
    /// The ROS 1 client library that it is seen to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_library: Option<ClientLibrary>,
    /// ROS variables of its environment that are set.
    #[serde(default)]
    pub environment: std::collections::BTreeMap<String, String>,
    /// Why something above is missing (for instance: ended before it could be read).
    #[serde(default)]
    pub incomplete: Option<String>,
}

/// A client library of ROS 1, which decides what a setting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientLibrary {
    /// C++: `libroscpp.so` is mapped.
    Roscpp,
    /// Python: a log file is open where rospy keeps them.
    Rospy,
}

impl ClientLibrary {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Roscpp => "roscpp",
            Self::Rospy => "rospy",
        }
    }
}

impl Process {
    /// The reference that observations of this process carry.
    pub fn reference(&self) -> ProcessRef {
        ProcessRef { pid: self.pid, started: self.started, comm: self.comm.as_str().into() }
    }

    /// What tells it from every other process.
    pub fn key(&self) -> ProcessKey {
        (self.pid, self.started)
    }

    /// Whether a node in it speaks IPv6: without `ROS_IPV6=on` it listens and connects by IPv4 alone.
    pub(crate) fn has_ros_ipv6(&self) -> bool {
        self.environment.get("ROS_IPV6").is_some_and(|value| value == "on")
    }
}

/// What a network namespace looks like from inside: the facts from which "no route" or "its own address" are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespace {
    /// Inode of the network namespace.
    pub net_namespace: u64,
    /// Its own addresses with the length of their prefixes.
    pub addresses: Vec<InterfaceAddress>,
    /// Its routes, main table.
    pub routes: Vec<Route>,
    /// Lines of the hosts file that a process in it reads: address, then its names.
    #[serde(default)]
    pub hosts: Vec<(IpAddr, Vec<String>)>,
    /// Name servers that a process in it asks.
    #[serde(default)]
    pub nameservers: Vec<IpAddr>,
    /// First and last ephemeral port (`net.ipv4.ip_local_port_range`), where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_ports: Option<(u16, u16)>,
    /// First and last port of each range that is kept from being handed out (`net.ipv4.ip_local_reserved_ports`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved_ports: Vec<(u16, u16)>,
    /// Processes from whose `/proc/PID/net` and root this was read, newest last.
    #[serde(default)]
    pub read_from_pid: u32,
}

impl Namespace {
    /// Whether one of its interfaces has the address.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == ip)
    }
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceAddress {
    /// Name of the interface; empty when unknown.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Destination network.
    pub destination: IpAddr,
    /// Length of its prefix in bits; 0 is the default route.
    pub prefix: u8,
    /// Next hop; `None` when the network is on the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Interface by which packets leave.
    pub interface: String,
    /// Lower is preferred.
    #[serde(default)]
    pub metric: u32,
    /// True for `unreachable`, `blackhole` and `prohibit` routes.
    #[serde(default)]
    pub reject: bool,
}
