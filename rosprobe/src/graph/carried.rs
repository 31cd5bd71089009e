//! Connections that a redirect on this host leads into another process (sshuttle, a transparent proxy), which carries them on.

use super::Graph;
use super::link::LinkId;
use crate::event::ProcessRef;
use crate::observation::{Observation, What};

impl Graph {
    /// Whether this was seen at the end of a redirected connection that its carrier accepted, and is not about the end itself.
    pub(super) fn is_carried(&mut self, observation: &Observation) -> bool {
        let of_connection = matches!(
            observation.what,
            What::Accepted
                | What::Call { .. }
                | What::Answer { .. }
                | What::TcprosHeader { .. }
                | What::ServiceAnswer { .. }
                | What::Traffic(_)
                | What::Gap { .. }
        );
        let Some(id) = observation.socket.as_ref().map(|socket| socket.id).filter(|_| of_connection) else {
            return false;
        };
        if self.sockets.get(id).is_some_and(|socket| socket.carrier) {
            return true;
        }
        let Some(connecting) = self.sockets.carried_for(id) else { return false };
        let Some(accepted) = self.sockets.get_mut(id) else { return false };
        // The connecting end may be gone before everything that it sent was read.
        accepted.carrier = true;
        if let Some(carrier) = accepted.owner.clone() {
            self.carry(connecting, &carrier);
        }
        true
    }

    /// The carrier often accepts after the connecting end has already spoken: what that led to is told now.
    fn carry(&mut self, connecting: u64, carrier: &ProcessRef) {
        let Some(socket) = self.sockets.get(connecting) else { return };
        let mut links: Vec<LinkId> = socket.claims.iter().map(|(link, _)| *link).chain(socket.link).collect();
        links.extend(self.calls.iter().filter(|(_, call)| call.socket == connecting).filter_map(|(_, call)| call.link));
        if let Some(asked) = socket.remote
            && let Some(ports) = self.answering.get_mut(&(self.network, asked.ip()))
        {
            // The carrier answered, not that host.
            ports.remove(&asked.port());
        }
        for link in links {
            if let Some(entry) = self.links.get_mut(link) {
                entry.link.carried_by = Some(carrier.clone());
            }
        }
    }
}
