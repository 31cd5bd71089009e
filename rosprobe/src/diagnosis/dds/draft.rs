//! A finding in the making.

use std::borrow::Cow;

use crate::diagnosis::{Code, Finding, FindingPeer, FindingProcess, Severity};
use crate::errno::Errno;
use crate::event::ProcessRef;
use crate::graph::Stage;
use crate::graph::dds::{Moment, Participant};
use crate::observation::ObservationId;
use crate::observation::dds::{Locator, RosName};
use crate::printable::printable;

/// Observations that a finding names.
const EVIDENCE_LIMIT: usize = 24;

/// What a finding is about, before its words.
pub(super) struct Draft {
    pub code: Code,
    pub severity: Severity,
    pub topic: Option<String>,
    pub service: Option<String>,
    pub node: Option<String>,
    pub domain: Option<u32>,
    pub stage: Option<Stage>,
    pub errno: Option<Errno>,
    pub address: Option<String>,
    pub process: Option<FindingProcess>,
    pub peer: Option<FindingPeer>,
    pub first: Moment,
    pub last: Moment,
    pub count: u64,
    evidence: Vec<ObservationId>,
}

impl Draft {
    pub fn new(code: Code, severity: Severity, first: Moment, last: Moment) -> Self {
        Self {
            code,
            severity,
            topic: None,
            service: None,
            node: None,
            domain: None,
            stage: None,
            errno: None,
            address: None,
            process: None,
            peer: None,
            first,
            last,
            count: 1,
            evidence: Vec::new(),
        }
    }

    /// The participant in which it went wrong.
    pub fn about(&mut self, participant: &Participant) {
        self.node = only_node(participant);
        if let Some(process) = &participant.process {
            self.process_is(process);
        }
        self.domain = self.domain.or(participant.domain());
    }

    pub fn process_is(&mut self, process: &ProcessRef) {
        self.process = Some(FindingProcess { pid: process.pid, comm: process.comm.clone(), node: self.node.clone() });
    }

    /// The participant at the other end.
    pub fn peer_is(&mut self, participant: &Participant) {
        let uri = participant.unicast().find_map(Locator::socket_address).map(|address| address.to_string());
        self.peer = Some(FindingPeer { node: only_node(participant), uri });
    }

    /// A DDS topic, as the topic or service that it is for ROS.
    pub fn dds_topic(&mut self, topic: &str) {
        let name = RosName::of_dds_topic(topic);
        if name.is_service() {
            self.service = Some(name.name);
        } else {
            self.topic = Some(name.name);
        }
    }

    pub fn evidence<'a>(&mut self, moments: impl IntoIterator<Item = &'a Moment>) {
        self.evidence.extend(moments.into_iter().map(|moment| moment.id));
    }

    /// The finding, its text made safe to show. `key` tells two troubles of one code and subject apart.
    pub fn finish(mut self, key: &str, summary: String, explanation: String, remedies: Vec<String>) -> Finding {
        self.evidence.sort_unstable();
        self.evidence.dedup();
        self.evidence.truncate(EVIDENCE_LIMIT);
        let subject = (&self.topic, &self.service, self.domain, self.errno, &self.address);
        let process = self.process.as_ref().map(|process| process.pid);
        let hash = fnv1a(format!("{subject:?} {process:?} {key}").as_bytes());
        let code = serde_json::to_value(self.code).ok().and_then(|word| word.as_str().map(str::to_owned));
        Finding {
            id: format!("{}-{hash:016x}", code.unwrap_or_default()),
            code: self.code,
            severity: self.severity,
            topic: self.topic,
            service: self.service,
            node: self.node,
            domain: self.domain,
            stage: self.stage,
            errno: self.errno,
            address: self.address,
            process: self.process,
            peer: self.peer,
            first: self.first.time,
            last: self.last.time.max(self.first.time),
            count: self.count,
            summary: shown(summary),
            explanation: shown(explanation),
            remedies: remedies.into_iter().map(shown).collect(),
            evidence: self.evidence,
        }
    }
}

fn only_node(participant: &Participant) -> Option<String> {
    match participant.nodes.as_slice() {
        [node] => Some(node.full_name()),
        _ => None,
    }
}

fn shown(text: String) -> String {
    match printable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(safe) => safe,
    }
}

/// Fowler-Noll-Vo: the same in every run and every version of Rust.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
