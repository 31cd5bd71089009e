//! Processes that pass connections on for others: who speaks through them is somebody else, somewhere else.
//!
//! `ssh -L 11311:localhost:11311 robot` is the usual one. On the subscriber's host every node takes ssh for its master; on the
//! master's host sshd seems to be all the nodes.

use std::net::IpAddr;

use super::Graph;
use super::client::{Actor, Sight};
use crate::event::ProcessRef;

/// Programs that do nothing else, as the kernel names them (15 bytes at most).
const PROGRAMS: [&str; 22] = [
    "autossh",
    "chisel",
    "cloudflared",
    "dbclient",
    "docker-proxy",
    "dropbear",
    "envoy",
    "frpc",
    "frps",
    "haproxy",
    "kubectl",
    "ncat",
    "nginx",
    "passt",
    "pasta",
    "rootlessport",
    "slirp4netns",
    "socat",
    "ssh",
    "sshd",
    "sshd-session",
    "stunnel4",
];

impl Graph {
    /// Whether a process is known to pass on what others say.
    pub(super) fn is_relay(&self, process: &ProcessRef) -> bool {
        PROGRAMS.contains(&&*process.comm) || self.relays.contains(&process.key())
    }

    /// A master calls no master: a process that was called as one and now calls one passes calls on.
    pub(super) fn may_be_relay(&mut self, client: &Sight) -> bool {
        let Actor::Process(process) = client.actor else { return false };
        self.masters.processes.contains(&process) && self.relays.insert(process)
    }

    /// The client's end of a connection that a relay opened: the process at it is not the one that speaks.
    pub(super) fn behind_relay(&self, sight: Sight) -> Sight {
        let Some(relay) = sight.process.clone().filter(|process| self.is_relay(process)) else { return sight };
        let Some(ip) = sight.address else { return sight };
        Sight { actor: Actor::Host(ip), process: None, net_namespace: 0, behind: Some(relay), ..sight }
    }

    /// The host to which a relay carries what it is told: the far end of its connection that leaves this host.
    pub(crate) fn relay_leads_to(&self, relay: &ProcessRef) -> Option<IpAddr> {
        let leaving = self.sockets.iter().filter(|socket| {
            !socket.closed
                && socket.connecting != Some(false)
                && socket.owner.as_ref().map(ProcessRef::key) == Some(relay.key())
        });
        leaving.filter_map(|socket| socket.remote).map(|remote| remote.ip()).find(|ip| !ip.is_loopback())
    }
}
