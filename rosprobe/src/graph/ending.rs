//! Links that are over, and what the end of a process means for its own.

use std::time::Duration;

use super::Graph;
use super::client::Actor;
use super::link::LinkId;
use super::track::GoneCause;
use crate::event::{Monotonic, ProcessRef};
use crate::observation::Observation;

/// How long links that are over are kept.
const GONE_KEPT: Duration = Duration::from_mins(10);

impl Graph {
    pub(super) fn over(&mut self, links: &[LinkId], cause: GoneCause, at: Monotonic) {
        for link in links {
            self.links.set_gone(*link, cause, at);
            self.calls.link_gone(*link);
        }
    }

    pub(super) fn process_exited(&mut self, observation: &Observation, at: Monotonic) {
        let Some(key) = observation.process.as_ref().map(ProcessRef::key) else { return };
        self.judge_lookups(key);
        let Some(state) = self.processes.get_mut(&key) else { return };
        state.exited = Some(at);
        for client in self.clients.of(Actor::Process(key)).to_vec() {
            self.over(&self.links.of_client(client), GoneCause::ClientLeft, at);
        }
    }

    pub(super) fn forget_old(&mut self) {
        let kept = u64::try_from(GONE_KEPT.as_nanos()).unwrap_or(u64::MAX);
        self.links.forget_gone_before(Monotonic(self.now.0.saturating_sub(kept)));
    }
}
