//! Sockets that are open or were lately: who owns them, which other socket is their far end, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::link::{LinkId, Stage};
use crate::event::{Monotonic, ProcessRef, SocketRef, Traffic, Transport};

/// Sockets followed at once; beyond it the oldest is forgotten.
const SOCKET_LIMIT: usize = 65_536;
/// Links whose stage one attempt decides.
pub(super) const CLAIM_LIMIT: usize = 4096;

/// One socket.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each was seen or not, in any combination")]
pub(crate) struct Socket {
    pub id: u64,
    pub transport: Transport,
    pub owner: Option<ProcessRef>,
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub net_namespace: u64,
    /// True for the connecting end, false for the accepting one; `None` while unknown.
    pub connecting: Option<bool>,
    /// It was open before the capture began.
    pub already_open: bool,
    pub connected: bool,
    /// The peer has closed or reset the connection, or the last that was sent found it closed.
    pub ended_by_peer: bool,
    /// The peer closed, or the socket is gone.
    pub closed: bool,
    /// Stages of links that the connect attempt decides.
    pub claims: Vec<(LinkId, Stage)>,
    /// The link whose header or data goes through it.
    pub link: Option<LinkId>,
    /// It is the accepting end of a connection that asked for another address: a redirect on this host led it here.
    pub carrier: bool,
    pub header_from_client: Option<Monotonic>,
    pub header_from_server: bool,
    pub traffic: Traffic,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    /// Boxed: a tree whose keys only grow is half empty.
    by_id: BTreeMap<u64, Box<Socket>>,
    /// Near end, far end, and which socket.
    by_ends: BTreeSet<(SocketAddr, SocketAddr, u64)>,
    /// Accepted sockets by network namespace and far end, for connections that a redirect carries elsewhere.
    accepted_from: BTreeMap<(u64, SocketAddr), u64>,
}

impl Sockets {
    pub fn see(&mut self, socket: &SocketRef, owner: Option<&ProcessRef>) {
        if !self.by_id.contains_key(&socket.id) && self.by_id.len() >= SOCKET_LIMIT {
            self.forget_oldest();
        }
        let known = self.by_id.entry(socket.id).or_insert_with(|| {
            Box::new(Socket {
                id: socket.id,
                transport: socket.transport,
                owner: None,
                local: None,
                remote: None,
                net_namespace: socket.net_namespace,
                connecting: None,
                already_open: false,
                connected: false,
                ended_by_peer: false,
                closed: false,
                claims: Vec::new(),
                link: None,
                carrier: false,
                header_from_client: None,
                header_from_server: false,
                traffic: Traffic::default(),
            })
        });
        if known.owner.is_none() {
            known.owner = owner.cloned();
        }
        if known.net_namespace == 0 {
            known.net_namespace = socket.net_namespace;
        }
        let before = (known.local, known.remote);
        known.local = latest(known.local, socket.local);
        known.remote = latest(known.remote, socket.remote);
        let after = (known.local, known.remote);
        if before != after {
            self.unlink_ends(socket.id, before);
            if let (Some(local), Some(remote)) = after {
                self.by_ends.insert((local, remote, socket.id));
            }
        }
    }

    /// This end accepted the connection.
    pub fn accepted(&mut self, id: u64) {
        if let Some(socket) = self.by_id.get_mut(&id) {
            socket.connecting = Some(false);
            socket.connected = true;
            if let Some(remote) = socket.remote {
                self.accepted_from.insert((socket.net_namespace, remote), id);
            }
        }
    }

    pub fn get(&self, id: u64) -> Option<&Socket> {
        self.by_id.get(&id).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Socket> {
        self.by_id.get_mut(&id).map(Box::as_mut)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.by_id.values().map(Box::as_ref)
    }

    /// The other end of the same connection, when that is on this machine too. Loopback addresses are the same in every network
    /// namespace, so there both ends must be in one.
    pub fn mirror(&self, id: u64) -> Option<&Socket> {
        let socket = self.get(id)?;
        let (local, remote) = (socket.local?, socket.remote?);
        let candidates = self.by_ends.range((remote, local, 0)..=(remote, local, u64::MAX)).map(|(.., other)| *other);
        let fits = |other: &&Socket| {
            other.transport == socket.transport
                && (!local.ip().is_loopback() || other.net_namespace == socket.net_namespace)
        };
        let others = candidates.filter(|other| *other != id).filter_map(|other| self.get(other));
        let mut fitting = others.filter(fits);
        let first = fitting.next()?;
        // Of two groups of namespaces with the same addresses it is not known which one the far end is in.
        fitting.all(|other| other.net_namespace == first.net_namespace).then_some(first)
    }

    /// The accepted end of a connection that went elsewhere than it asked to: a redirect on this host took it.
    pub fn redirected(&self, id: u64) -> Option<&Socket> {
        let socket = self.get(id)?;
        let accepted = self.get(*self.accepted_from.get(&(socket.net_namespace, socket.local?))?)?;
        self.leads_to(socket, accepted).then_some(accepted)
    }

    /// The connecting end of a connection whose accepted end this is, when it asked for another address.
    pub fn carried_for(&self, id: u64) -> Option<u64> {
        const LOWEST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let accepted = self.get(id).filter(|socket| socket.connecting != Some(true))?;
        let from = accepted.remote?;
        let ends = self.by_ends.range((from, LOWEST, 0)..).take_while(|(local, ..)| *local == from);
        let mut connecting = ends.filter_map(|(.., other)| self.get(*other));
        connecting.find(|socket| self.leads_to(socket, accepted)).map(|socket| socket.id)
    }

    /// Whether a redirect led `connecting` to `accepted`: they agree on who asks and not on who is asked.
    fn leads_to(&self, connecting: &Socket, accepted: &Socket) -> bool {
        connecting.transport == accepted.transport
            && connecting.connecting != Some(false)
            && connecting.net_namespace == accepted.net_namespace
            && connecting.local == accepted.remote
            && connecting.remote.is_some()
            && accepted.local.is_some()
            && connecting.remote != accepted.local
            && accepted.owner.is_some()
            && connecting.owner != accepted.owner
            // One port can be used for connections to several addresses at once.
            && self.mirror(accepted.id).is_none()
    }

    pub fn remove(&mut self, id: u64) -> Option<Box<Socket>> {
        let socket = self.by_id.remove(&id)?;
        self.unlink_ends(id, (socket.local, socket.remote));
        if let Some(remote) = socket.remote
            && self.accepted_from.get(&(socket.net_namespace, remote)) == Some(&id)
        {
            self.accepted_from.remove(&(socket.net_namespace, remote));
        }
        Some(socket)
    }

    fn unlink_ends(&mut self, id: u64, ends: (Option<SocketAddr>, Option<SocketAddr>)) {
        if let (Some(local), Some(remote)) = ends {
            self.by_ends.remove(&(local, remote, id));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.by_id.keys().next().copied() {
            self.remove(id);
        }
    }
}

/// A socket that is closed has given its port back, and goes on being known by it.
fn latest(known: Option<SocketAddr>, seen: Option<SocketAddr>) -> Option<SocketAddr> {
    seen.filter(|seen| seen.port() != 0).or(known).or(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(id: u64, local: &str, remote: &str, net_namespace: u64) -> SocketRef {
        SocketRef {
            id,
            transport: Transport::Tcp,
            local: Some(local.parse().unwrap()),
            remote: Some(remote.parse().unwrap()),
            net_namespace,
        }
    }

    #[test]
    fn both_ends_of_a_connection_find_each_other() {
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "10.0.1.1:4000", "10.0.1.2:11311", 7), None);
        sockets.see(&socket(2, "10.0.1.2:11311", "10.0.1.1:4000", 8), None);
        assert_eq!(sockets.mirror(1).map(|other| other.id), Some(2));
        sockets.remove(2);
        assert!(sockets.mirror(1).is_none());
    }

    #[test]
    fn a_closed_socket_is_known_by_the_port_that_it_had() {
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "10.0.1.1:0", "10.0.1.2:11311", 7), None);
        sockets.see(&socket(1, "10.0.1.1:4000", "10.0.1.2:11311", 7), None);
        sockets.see(&socket(2, "10.0.1.2:11311", "10.0.1.1:4000", 8), None);
        sockets.see(&socket(1, "10.0.1.1:0", "10.0.1.2:11311", 7), None);
        assert_eq!(sockets.mirror(2).map(|other| other.id), Some(1));
    }

    #[test]
    fn loopback_connections_of_two_namespaces_are_not_mixed_up() {
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "127.0.0.1:4000", "127.0.0.1:11311", 7), None);
        sockets.see(&socket(2, "127.0.0.1:11311", "127.0.0.1:4000", 8), None);
        assert!(sockets.mirror(1).is_none());
    }

    #[test]
    fn a_redirected_connection_is_accepted_by_somebody_else() {
        let process = |pid| ProcessRef { pid, started: 1, comm: "x".into() };
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "192.168.50.2:4000", "10.0.1.1:41235", 7), Some(&process(1)));
        sockets.see(&socket(2, "127.0.0.1:12300", "192.168.50.2:4000", 7), Some(&process(2)));
        sockets.accepted(2);
        assert_eq!(sockets.redirected(1).and_then(|other| other.owner.clone()), Some(process(2)));
        assert_eq!((sockets.carried_for(2), sockets.carried_for(1)), (Some(1), None));
    }

    #[test]
    fn a_port_used_for_two_connections_is_no_redirect() {
        let process = |pid| ProcessRef { pid, started: 1, comm: "x".into() };
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "10.0.1.1:4000", "10.0.1.2:41235", 7), Some(&process(1)));
        sockets.see(&socket(2, "10.0.1.1:4000", "10.0.1.1:11311", 7), Some(&process(1)));
        sockets.see(&socket(3, "10.0.1.1:11311", "10.0.1.1:4000", 7), Some(&process(2)));
        sockets.accepted(3);
        assert!(sockets.redirected(1).is_none());
        assert_eq!(sockets.carried_for(3), None);
    }

    #[test]
    fn a_redirect_does_not_reach_into_another_namespace() {
        let process = |pid| ProcessRef { pid, started: 1, comm: "x".into() };
        let mut sockets = Sockets::default();
        sockets.see(&socket(1, "10.0.1.1:4000", "10.0.1.2:41235", 7), Some(&process(1)));
        sockets.see(&socket(2, "127.0.0.1:12300", "10.0.1.1:4000", 8), Some(&process(2)));
        sockets.accepted(2);
        assert!(sockets.redirected(1).is_none());
        assert_eq!(sockets.carried_for(2), None);
    }

    #[test]
    fn the_number_of_sockets_is_bounded() {
        let mut sockets = Sockets::default();
        for id in 0..SOCKET_LIMIT as u64 + 10 {
            sockets.see(&socket(id, "10.0.1.1:4000", "10.0.1.2:11311", 0), None);
        }
        assert_eq!((sockets.iter().count(), sockets.by_ends.len()), (SOCKET_LIMIT, SOCKET_LIMIT));
    }
}
