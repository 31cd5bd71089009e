//! What a finding about ROS 2 is about: participants, DDS topics, moments.

use crate::diagnosis::draft::{Draft, Words};
use crate::diagnosis::{Code, Finding, Severity};
use crate::event::ProcessRef;
use crate::graph::dds::{Moment, Participant};
use crate::observation::dds::{Locator, RosName};

impl Draft {
    /// With the moments at which it first and last happened.
    pub(super) fn of_moments(code: Code, severity: Severity, first: Moment, last: Moment) -> Self {
        Self::between(code, severity, first.time, last.time)
    }

    /// The participant in which it went wrong.
    pub(super) fn participant(mut self, participant: &Participant) -> Self {
        self.finding.node = only_node(participant);
        self.finding.domain = self.finding.domain.or(participant.domain());
        match &participant.process {
            Some(process) => self.process(process, only_node(participant)),
            None => self,
        }
    }

    /// The participant at the other end.
    pub(super) fn other_end(self, participant: &Participant) -> Self {
        // RustDDS names the loopback address first.
        let addresses: Vec<_> = participant.unicast().filter_map(Locator::socket_address).collect();
        let others_reach = addresses.iter().find(|address| !address.ip().is_loopback());
        let uri = others_reach.or(addresses.first()).map(ToString::to_string);
        self.peer(only_node(participant), uri)
    }

    /// A DDS topic, as the topic or service that it is for ROS.
    pub(super) fn dds_topic(mut self, topic: &str) -> Self {
        let name = RosName::of_dds_topic(topic);
        let of_ros = if name.is_service() { &mut self.finding.service } else { &mut self.finding.topic };
        *of_ros = Some(name.name);
        self
    }

    /// The process in which it went wrong.
    pub(super) fn in_process(self, process: &ProcessRef) -> Self {
        let node = self.finding.node.clone();
        self.process(process, node)
    }

    pub(super) fn moments<'a>(self, moments: impl IntoIterator<Item = &'a Moment>) -> Self {
        self.evidence(moments.into_iter().map(|moment| moment.id))
    }

    /// The finding. `key` tells two troubles of one code and subject apart.
    pub(super) fn told(self, key: &str, summary: String, explanation: String, remedies: Vec<String>) -> Finding {
        self.key(key).finish(&Words { summary, explanation: vec![explanation], remedies })
    }
}

fn only_node(participant: &Participant) -> Option<String> {
    match participant.nodes.as_slice() {
        [node] => Some(node.full_name()),
        _ => None,
    }
}
