//! Who answers a SYN with "host unreachable": somebody at once, or Linux itself when nobody has the address.
//!
//! Linux asks three times, a second apart, who has an address of its own network, and then fails every attempt that waits
//! (`neigh_timer_handler`, `mcast_solicit`). A firewall answers at once (`icmp-host-prohibited` and the like), though not more than once
//! a second (`net.ipv4.icmp_ratelimit`): then to a SYN that is sent again.

use std::net::IpAddr;

use super::Graph;
use super::client::Client;
use crate::errno::Errno;
use crate::event::Monotonic;
use crate::observation::{Observation, What};

/// Addresses remembered.
const ADDRESS_LIMIT: usize = 4096;
/// Linux has given up an address after this long, and not sooner.
const GIVEN_UP_AFTER_NS: u64 = 2_900_000_000;
/// An answer follows its SYN this soon.
const ANSWER_NS: u64 = 500_000_000;
/// All attempts that wait for an address fail together.
const TOGETHER_NS: u64 = 300_000_000;
/// Attempts in a row that nobody answered, until whoever answered before is taken to be gone.
const GONE_AFTER: u32 = 3;

/// What became of attempts to reach one address from one host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rejecting {
    rejected: Option<Monotonic>,
    given_up: Option<Monotonic>,
    unanswered: u32,
}

impl Rejecting {
    fn failed(&mut self, after_ns: u64, since_syn_ns: u64, at: Monotonic) {
        let together = |before: Option<Monotonic>| before.is_some_and(|before| at.0.abs_diff(before.0) < TOGETHER_NS);
        if after_ns >= GIVEN_UP_AFTER_NS {
            self.given_up = Some(at);
            self.unanswered = self.unanswered.saturating_add(1);
            if together(self.rejected) || self.unanswered >= GONE_AFTER {
                self.rejected = None;
            }
        } else if since_syn_ns < ANSWER_NS && !together(self.given_up) {
            self.rejected = Some(at);
            self.unanswered = 0;
        }
    }
}

impl Graph {
    /// Attempts that ended, told before their links hear of it.
    pub(super) fn reached_or_not(&mut self, observation: &Observation) {
        let Some(socket) = &observation.socket else { return };
        let Some(remote) = socket.remote else { return };
        let key = (socket.net_namespace, remote.ip().to_canonical());
        match observation.what {
            What::Connected { .. } => {
                self.rejecting.remove(&key);
            }
            What::ConnectFailed { errno: Errno::EHOSTUNREACH, after_ns, .. } => {
                let since_syn_ns = self.since_syn(socket.id, observation.monotonic).unwrap_or(after_ns);
                if self.rejecting.len() >= ADDRESS_LIMIT && !self.rejecting.contains_key(&key) {
                    self.rejecting.pop_first();
                }
                self.rejecting.entry(key).or_default().failed(after_ns, since_syn_ns, observation.monotonic);
            }
            _ => {}
        }
    }

    /// Since when the last SYN of an attempt is under way, as the first link that waits for it has it.
    fn since_syn(&self, socket: u64, at: Monotonic) -> Option<u64> {
        let (link, stage) = *self.sockets.get(socket)?.claims.first()?;
        let state = self.links.get(link)?.link.stage(stage)?;
        Some(at.0.saturating_sub(state.at.0))
    }

    /// Whether somebody answers, from where a client is, that an address cannot be reached.
    pub(crate) fn is_rejected(&self, client: &Client, ip: IpAddr) -> bool {
        let key = (self.net_namespace_of(client), ip.to_canonical());
        self.rejecting.get(&key).is_some_and(|known| known.rejected.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn an_answer_is_told_from_an_address_that_nobody_has() {
        let mut known = Rejecting::default();
        known.failed(3 * S, S, Monotonic(3 * S));
        assert!(known.rejected.is_none(), "nobody answered");
        known.failed(S / 10, S / 10, Monotonic(3 * S + 1000));
        assert!(known.rejected.is_none(), "an attempt that began late fails with those that wait");
        known.failed(250_000, 250_000, Monotonic(9 * S));
        assert!(known.rejected.is_some(), "at once");
        known.failed(3 * S, S, Monotonic(12 * S));
        assert!(known.rejected.is_some(), "an answer may be held back");
        for attempt in 2..4 {
            known.failed(3 * S, S, Monotonic((12 + 10 * attempt) * S));
        }
        assert!(known.rejected.is_none(), "the host has left");
    }

    #[test]
    fn an_answer_may_come_to_a_syn_that_is_sent_again() {
        let mut known = Rejecting::default();
        known.failed(2_056_100_572, 171_000, Monotonic(3 * S));
        assert!(known.rejected.is_some());
        // The one that waited longer is told a moment later.
        known.failed(3_070_000_000, S, Monotonic(3 * S + 2000));
        assert!(known.rejected.is_none());
    }
}
