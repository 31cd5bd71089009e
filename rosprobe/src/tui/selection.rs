//! What the filter lets through in each view.

use std::borrow::Cow;
use std::collections::HashSet;

use super::app::ViewKind;
use super::hosts::{Host, host_of};
use super::processes::Counts;
use super::scene::Scene;
use crate::diagnosis::{Finding, Severity};
use crate::event::ProcessRef;
use crate::filter::{Filter, Subject};
use crate::graph::{Health, Link, LinkId, ProcessState};
use crate::observation::{Observation, ObservationId, What};

/// The filter and the switch for failures.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The filter.
    pub filter: Filter,
    /// Failures only.
    pub failures: bool,
    /// Links that the filter lets through, and with them what belongs to them; `None` while everything passes.
    pub related: Option<Related>,
}

/// What belongs to the links that pass.
#[derive(Clone, Debug, Default)]
pub struct Related {
    links: HashSet<LinkId>,
    processes: HashSet<ProcessRef>,
    sockets: HashSet<u64>,
    evidence: HashSet<ObservationId>,
    hosts: HashSet<String>,
}

impl Selection {
    /// True when everything passes.
    pub fn is_everything(&self) -> bool {
        self.filter.is_empty() && !self.failures
    }

    /// Finds what belongs to the links that pass, for the views that do not list links themselves. True when it is other links
    /// than before.
    pub fn relate(&mut self, scene: &Scene, view: ViewKind) -> bool {
        let before = self.related.take().map(|related| related.links);
        if self.is_everything() || matches!(view, ViewKind::Links | ViewKind::Findings) {
            return before.is_some();
        }
        let mut related = Related::default();
        scene.graph().links().filter(|link| self.link(link)).for_each(|link| related.add(scene, link));
        let differs = before.as_ref() != Some(&related.links);
        self.related = Some(related);
        differs
    }

    /// Whether a link passes. What a node says to its master concerns every topic while it is in trouble, and none while it works.
    pub fn link(&self, link: &Link) -> bool {
        if self.filter.is_empty() {
            return !self.failures || link.health() == Health::Failed;
        }
        let mut subject = Subject::of_link(link);
        subject.above_names &= matches!(link.health(), Health::Failed | Health::Pending);
        (!self.failures || subject.failed) && self.filter.matches(&subject)
    }

    /// Whether a process passes: by itself, or by a link of its own.
    pub fn process(&self, state: &ProcessState, counts: Counts) -> bool {
        let Some(related) = &self.related else { return true };
        let process = &state.process;
        let nodes: Vec<Cow<'_, str>> = state.nodes.iter().map(|node| Cow::from(node.as_str())).collect();
        let subject = Subject {
            names: std::iter::once(Cow::from(process.comm.as_str())).chain(nodes.iter().cloned()).collect(),
            nodes,
            pids: vec![process.pid],
            comms: vec![process.comm.as_str().into()],
            failed: counts.failed > 0,
            ..Subject::default()
        };
        related.processes.contains(&process.reference())
            || (!self.failures || counts.failed > 0) && self.filter.matches(&subject)
    }

    /// Whether a host passes: by itself, or by a link to it.
    pub fn host(&self, name: &str, host: &Host) -> bool {
        let Some(related) = &self.related else { return true };
        let subject = Subject {
            names: vec![name.into()],
            nodes: host.advertised_by.iter().map(|node| Cow::from(node.as_str())).collect(),
            addresses: vec![name.into()],
            failed: host.counts.failed > 0,
            ..Subject::default()
        };
        host.links.iter().any(|link| related.links.contains(link))
            || (!self.failures || host.counts.failed > 0) && self.filter.matches(&subject)
    }

    /// Whether an observation passes: by itself, or because it belongs to a link that does.
    pub fn observation(&self, scene: &Scene, observation: &Observation) -> bool {
        let Some(related) = &self.related else { return true };
        if self.failures && !observation.what.is_failure() {
            return false;
        }
        related.contains(observation) || {
            let call = match &observation.what {
                What::Answer { to, .. } => to.and_then(|call| scene.observation(call)),
                _ => None,
            };
            self.filter.matches(&Subject::of_observation_alone(observation, call))
        }
    }

    /// Whether a finding passes.
    pub fn finding(&self, finding: &Finding) -> bool {
        (!self.failures || finding.severity == Severity::Error) && self.filter.matches(&Subject::of_finding(finding))
    }
}

impl Related {
    fn add(&mut self, scene: &Scene, link: &Link) {
        self.links.insert(link.id);
        let ends = [&link.subscriber, &link.publisher];
        self.processes.extend(ends.into_iter().filter_map(|end| end.process.clone()));
        self.sockets.extend(scene.sockets_of(link));
        self.evidence.extend(link.stages.iter().flat_map(|state| &state.evidence).copied());
        let advertised = link.stages.iter().filter_map(|state| state.advertised.as_deref());
        self.hosts.extend(advertised.map(|address| host_of(address).to_owned()));
    }

    fn contains(&self, observation: &Observation) -> bool {
        let looked_up = match &observation.what {
            What::NameQuery { name, .. } | What::NameAnswer { name, .. } => self.hosts.contains(name),
            _ => false,
        };
        looked_up
            || self.evidence.contains(&observation.id)
            || observation.socket.as_ref().is_some_and(|socket| self.sockets.contains(&socket.id))
    }
}
