//! What the filter lets through in each view.

use std::borrow::Cow;
use std::collections::HashSet;

use super::address::host_of;
use super::scene::Scene;
use super::view::ViewKind;
use crate::diagnosis::{Finding, Severity};
use crate::event::ProcessRef;
use crate::filter::{Filter, Subject};
use crate::graph::dds::{Endpoint, Participant};
use crate::graph::{Health, Link, LinkId, LinkKind};
use crate::observation::dds::{Dds, Guid, GuidPrefix, RosName};
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
    endpoints: HashSet<Guid>,
    participants: HashSet<GuidPrefix>,
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
        scene.graph().links().filter(|link| self.link(scene, link)).for_each(|link| related.add(scene, link));
        let differs = before.as_ref() != Some(&related.links);
        self.related = Some(related);
        differs
    }

    /// Whether a link passes. What a node says to its master concerns every topic while it is in trouble, and none while it works.
    pub fn link(&self, scene: &Scene, link: &Link) -> bool {
        if self.filter.is_empty() {
            return !self.failures || scene.health(link) == Health::Failed;
        }
        let mut subject = Subject::of_link(link, scene.health(link));
        subject.above_names &= matches!(scene.health(link), Health::Failed | Health::Pending);
        if link.kind == LinkKind::Dds
            && let Some((writer, reader)) = scene.graph().dds().ends(link.id)
        {
            for end in [writer, reader] {
                add_endpoint(&mut subject, end, scene.participant_of(end));
            }
        }
        self.passes(&subject)
    }

    /// Whether something passes by itself, or because it belongs to a link that does.
    pub fn belongs_or(
        &self,
        belongs: impl FnOnce(&Related) -> bool,
        subject: impl FnOnce() -> Subject<'static>,
    ) -> bool {
        let Some(related) = &self.related else { return true };
        belongs(related) || self.passes(&subject())
    }

    fn passes(&self, subject: &Subject<'_>) -> bool {
        (!self.failures || subject.failed) && self.filter.matches(subject)
    }

    /// Whether a participant passes: by itself, or by a link of one of its endpoints.
    pub fn participant(&self, participant: &Participant, failed: bool) -> bool {
        let Some(related) = &self.related else { return true };
        let mut subject = Subject { failed, ..Subject::default() };
        add_participant(&mut subject, participant);
        subject.names.extend(subject.nodes.clone());
        related.participants.contains(&participant.data.guid_prefix) || self.passes(&subject)
    }

    /// Whether a writer or reader passes: by itself, or by one of its links.
    pub fn endpoint(&self, endpoint: &Endpoint, participant: Option<&Participant>, failed: bool) -> bool {
        let Some(related) = &self.related else { return true };
        let mut subject = Subject { failed, ..Subject::default() };
        subject.names.push(RosName::of_dds_topic(&endpoint.data.topic).name.into());
        add_endpoint(&mut subject, endpoint, participant);
        related.endpoints.contains(&endpoint.data.guid) || self.passes(&subject)
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

/// What a filter sees of an endpoint beyond its link: addresses, and the pid by its own account.
fn add_endpoint<'a>(subject: &mut Subject<'a>, endpoint: &'a Endpoint, participant: Option<&'a Participant>) {
    subject.names.push(endpoint.data.topic.as_str().into());
    subject.addresses.extend(endpoint.data.unicast.iter().map(|locator| Cow::from(locator.to_string())));
    if let Some(participant) = participant {
        add_participant(subject, participant);
    }
}

fn add_participant<'a>(subject: &mut Subject<'a>, participant: &'a Participant) {
    subject.nodes.extend(participant.nodes.iter().map(|node| Cow::from(node.full_name())));
    subject.pids.extend(participant.process.as_ref().map(|process| process.pid).or(participant.data.pid));
    subject.comms.extend(participant.process.as_ref().map(|process| Cow::from(&*process.comm)));
    subject.comms.extend(participant.data.process_name.as_deref().map(Cow::from));
    subject.addresses.extend(participant.unicast().map(|locator| Cow::from(locator.to_string())));
    subject.addresses.extend(participant.addresses.iter().map(|address| Cow::from(address.to_string())));
}

impl Related {
    /// Whether this link passes.
    pub fn has_link(&self, link: LinkId) -> bool {
        self.links.contains(&link)
    }

    /// Whether this process takes part in a link that passes.
    pub fn has_process(&self, process: &ProcessRef) -> bool {
        self.processes.contains(process)
    }

    /// Whether this participant takes part in a link that passes.
    pub fn has_participant(&self, prefix: GuidPrefix) -> bool {
        self.participants.contains(&prefix)
    }

    fn add(&mut self, scene: &Scene, link: &Link) {
        self.links.insert(link.id);
        let ends = [&link.subscriber, &link.publisher];
        self.processes.extend(ends.into_iter().filter_map(|end| end.process.clone()));
        self.sockets.extend(scene.sockets_of(link));
        self.evidence.extend(link.stages.iter().flat_map(|state| &state.evidence).copied());
        let advertised = link.stages.iter().filter_map(|state| state.advertised.as_deref());
        self.hosts.extend(advertised.map(|address| host_of(address).to_owned()));
        if let Some((writer, reader)) = scene.graph().dds().ends(link.id) {
            let guids = [writer.data.guid, reader.data.guid];
            self.participants.extend(guids.map(|guid| guid.prefix));
            self.endpoints.extend(guids);
        }
    }

    fn contains(&self, observation: &Observation) -> bool {
        let looked_up = match &observation.what {
            What::NameQuery { name, .. } | What::NameAnswer { name, .. } => self.hosts.contains(name),
            What::Dds(dds) => return self.contains_dds(dds) || self.evidence.contains(&observation.id),
            _ => false,
        };
        looked_up
            || self.evidence.contains(&observation.id)
            || observation.socket.as_ref().is_some_and(|socket| self.sockets.contains(&socket.id))
    }

    /// Sockets of DDS carry every topic: what was said decides.
    fn contains_dds(&self, dds: &Dds) -> bool {
        let participant = |prefix: &GuidPrefix| self.participants.contains(prefix);
        match dds {
            Dds::ParticipantAnnounced { participant: data, .. } => participant(&data.guid_prefix),
            Dds::ParticipantRenewed { guid_prefix, .. }
            | Dds::ParticipantDisposed { guid_prefix, .. }
            | Dds::RosDiscoveryInfo { guid_prefix, .. } => participant(guid_prefix),
            Dds::ParticipantAddressed { from, to, .. } => participant(from) && participant(to),
            Dds::EndpointAnnounced { endpoint, .. } => self.endpoints.contains(&endpoint.guid),
            Dds::EndpointDisposed { guid, .. } => self.endpoints.contains(guid),
            Dds::UserData { writer, .. } => self.endpoints.contains(writer),
            Dds::Acknowledged { reader, writer, .. } => {
                self.endpoints.contains(reader) && self.endpoints.contains(writer)
            }
            Dds::Bound { .. } | Dds::MulticastJoined { .. } | Dds::LimitReached { .. } => false,
        }
    }
}
