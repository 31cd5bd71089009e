//! What the filter lets through in each view.

use std::borrow::Cow;
use std::collections::HashSet;

use super::conversation;
use super::findings;
use super::hosts::Host;
use super::links;
use super::processes::Counts;
use super::scene::Scene;
use super::theme::Role;
use crate::diagnosis::{Finding, Severity};
use crate::errno::Errno;
use crate::event::ProcessRef;
use crate::filter::{Filter, Subject};
use crate::graph::{Health, Link, LinkId, Outcome, Party, ProcessState};
use crate::observation::{Call, Observation, ObservationId, What};

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
}

impl Selection {
    /// True when everything passes.
    pub fn is_everything(&self) -> bool {
        self.filter.is_empty() && !self.failures
    }

    /// Finds what belongs to the links that pass.
    pub fn relate(&mut self, scene: &Scene) {
        self.related = None;
        if self.is_everything() {
            return;
        }
        let mut related = Related::default();
        for link in scene.graph().links().filter(|link| self.link(scene, link)) {
            related.links.insert(link.id);
            related
                .processes
                .extend([&link.subscriber, &link.publisher].into_iter().filter_map(|end| end.process.clone()));
            related.sockets.extend(scene.sockets_of(link));
            related.evidence.extend(link.stages.iter().flat_map(|state| &state.evidence).copied());
        }
        self.related = Some(related);
    }

    /// Whether a link passes.
    pub fn link(&self, _scene: &Scene, link: &Link) -> bool {
        if self.is_everything() {
            return true;
        }
        let failed = link.health() == Health::Failed;
        (!self.failures || failed) && self.filter.matches(&link_subject(link))
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
    pub fn observation(&self, observation: &Observation) -> bool {
        let Some(related) = &self.related else { return true };
        if self.failures && conversation::role(&observation.what) == Role::Text {
            return false;
        }
        related.evidence.contains(&observation.id)
            || observation.socket.as_ref().is_some_and(|socket| related.sockets.contains(&socket.id))
            || self.filter.matches(&observation_subject(observation))
    }

    /// Whether a finding passes.
    pub fn finding(&self, finding: &Finding) -> bool {
        let named = findings::about(finding);
        let node = finding.process.as_ref().and_then(|process| process.node.as_deref());
        let peer = finding.peer.as_ref();
        let nodes = [node, peer.and_then(|peer| peer.node.as_deref()), finding.node.as_deref()];
        let uri = peer.and_then(|peer| peer.uri.as_deref());
        let failed = finding.severity == Severity::Error;
        let subject = Subject {
            names: vec![named.into()],
            nodes: nodes.into_iter().flatten().map(Cow::from).collect(),
            pids: finding.process.iter().map(|process| process.pid).collect(),
            addresses: [finding.address.as_deref(), uri].into_iter().flatten().map(Cow::from).collect(),
            errnos: finding.errno.into_iter().collect(),
            failed,
        };
        (!self.failures || failed) && self.filter.matches(&subject)
    }
}

fn link_subject(link: &Link) -> Subject<'_> {
    let ends = [&link.subscriber, &link.publisher];
    let each = |part: fn(&Party) -> Option<&str>| ends.into_iter().filter_map(part).map(Cow::from);
    let tried = link.stages.iter().filter_map(|state| state.address).map(|address| Cow::from(address.to_string()));
    let advertised = link.stages.iter().filter_map(|state| state.advertised.as_deref()).map(Cow::from);
    Subject {
        names: vec![links::title(link).into()],
        nodes: each(|party| party.node.as_deref()).collect(),
        pids: ends.into_iter().filter_map(|party| Some(party.process.as_ref()?.pid)).collect(),
        addresses: advertised.chain(tried).chain(each(|party| party.uri.as_deref())).collect(),
        errnos: link.stages.iter().filter_map(|state| errno(&state.outcome)).collect(),
        failed: link.health() == Health::Failed,
    }
}

fn errno(outcome: &Outcome) -> Option<Errno> {
    match outcome {
        Outcome::Failed { errno } => Some(*errno),
        _ => None,
    }
}

fn observation_subject(observation: &Observation) -> Subject<'_> {
    let mut subject = Subject {
        pids: observation.process.iter().map(|process| process.pid).collect(),
        failed: conversation::role(&observation.what) == Role::Err,
        ..Subject::default()
    };
    if let Some(remote) = observation.socket.as_ref().and_then(|socket| socket.remote) {
        subject.addresses.push(remote.to_string().into());
    }
    match &observation.what {
        What::Call { call, .. } => call_subject(call, &mut subject),
        What::Answer { method, .. } => subject.names.push(method.into()),
        What::TcprosHeader { header, .. } => {
            subject.names.extend(["topic", "service"].into_iter().filter_map(|key| header.get(key)).map(Cow::from));
            subject.nodes.extend(header.get("callerid").map(Cow::from));
        }
        What::NameQuery { name, .. } | What::NameAnswer { name, .. } => subject.names.push(name.into()),
        What::ConnectFailed { errno, .. } | What::SocketError { errno } | What::IoFailed { errno, .. } => {
            subject.errnos.push(*errno);
        }
        What::ConnectReturned { errno, .. } => subject.errnos.extend(*errno),
        _ => {}
    }
    subject
}

fn call_subject<'a>(call: &'a Call, subject: &mut Subject<'a>) {
    subject.names.push(call.method().into());
    match call {
        Call::RegisterSubscriber { caller_id, topic, caller_api, .. }
        | Call::RegisterPublisher { caller_id, topic, caller_api, .. }
        | Call::UnregisterSubscriber { caller_id, topic, caller_api }
        | Call::UnregisterPublisher { caller_id, topic, caller_api } => {
            subject.names.push(topic.into());
            subject.nodes.push(caller_id.into());
            subject.addresses.push(caller_api.into());
        }
        Call::PublisherUpdate { caller_id, topic, publishers } => {
            subject.names.push(topic.into());
            subject.nodes.push(caller_id.into());
            subject.addresses.extend(publishers.iter().map(Cow::from));
        }
        Call::RequestTopic { caller_id, topic: name, .. }
        | Call::RegisterService { caller_id, service: name, .. }
        | Call::UnregisterService { caller_id, service: name, .. }
        | Call::LookupService { caller_id, service: name }
        | Call::LookupNode { caller_id, node: name }
        | Call::GetParam { caller_id, key: name }
        | Call::SetParam { caller_id, key: name, .. } => {
            subject.names.push(name.into());
            subject.nodes.push(caller_id.into());
        }
        Call::Multicall { calls } => calls.iter().for_each(|call| call_subject(call, subject)),
        _ => {}
    }
}
