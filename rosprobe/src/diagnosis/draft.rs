//! A finding in the making: who and what it is about, before the words.

use jiff::Timestamp;

use super::{Code, Finding, FindingPeer, FindingProcess, Severity};
use crate::errno::Errno;
use crate::event::{Monotonic, ProcessRef};
use crate::graph::{Client, Graph, Link, LinkKind, Stage, StageState};
use crate::observation::ObservationId;
use crate::printable::printable;

/// Observations that a finding names.
const EVIDENCE_LIMIT: usize = 24;

/// Collects what is known; `finish` adds the words and the id.
pub(super) struct Draft {
    pub(super) finding: Finding,
    /// What tells two troubles of equal address apart.
    who: String,
    /// The same, where the name of a node may come later and must not make another trouble of it.
    key: Option<String>,
}

/// What a finding says.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub summary: String,
    pub explanation: Vec<String>,
    pub remedies: Vec<String>,
}

impl Draft {
    pub fn new(graph: &Graph, code: Code, severity: Severity, at: Monotonic) -> Self {
        let at = graph.wall(at);
        Self::between(code, severity, at, at)
    }

    /// With the times at which it first and last happened.
    pub fn between(code: Code, severity: Severity, first: Timestamp, last: Timestamp) -> Self {
        let finding = Finding {
            id: String::new(),
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
            last: last.max(first),
            ended: None,
            count: 1,
            summary: String::new(),
            explanation: String::new(),
            remedies: Vec::new(),
            evidence: Vec::new(),
        };
        Self { finding, who: String::new(), key: None }
    }

    /// About a link: its topic or service, its client's process, its far end.
    pub fn link(mut self, link: &Link, client: Option<&Client>) -> Self {
        match link.kind {
            LinkKind::Topic | LinkKind::Dds => self.finding.topic.clone_from(&link.name),
            LinkKind::Service => self.finding.service.clone_from(&link.name),
            LinkKind::Master | LinkKind::Callback => {}
        }
        self.finding.node.clone_from(&link.subscriber.node);
        let peer = FindingPeer { node: link.publisher.node.clone(), uri: link.publisher.uri.clone() };
        self.finding.peer = Some(peer);
        match client {
            Some(client) => self.client(client),
            None => self,
        }
    }

    /// Whose process it is.
    pub fn client(mut self, client: &Client) -> Self {
        if let Some(process) = &client.process {
            self = self.process(process, client.name.clone());
        } else {
            self.who = format!("{:?} {:?}", client.actor, client.name);
        }
        self.finding.node = self.finding.node.or_else(|| client.name.clone());
        self
    }

    pub fn process(mut self, process: &ProcessRef, node: Option<String>) -> Self {
        self.who = format!("{} {}", process.pid, process.started);
        self.finding.process = Some(FindingProcess { pid: process.pid, comm: process.comm.to_string(), node });
        self
    }

    /// What a stage says of times, count, address and evidence.
    pub fn stage(mut self, graph: &Graph, state: &StageState) -> Self {
        self.finding.stage = Some(state.stage);
        self.finding.first = graph.wall(state.first_failure.unwrap_or(state.at));
        self.finding.last = graph.wall(state.last_failure.unwrap_or(state.at));
        self.finding.count = u64::from(state.own_failures.max(1));
        self.finding.address = state.address.map(|address| address.to_string()).or_else(|| state.advertised.clone());
        self.evidence(state.evidence.iter().copied())
    }

    pub fn on(mut self, stage: Stage) -> Self {
        self.finding.stage = Some(stage);
        self
    }

    pub fn topic(mut self, topic: Option<String>) -> Self {
        self.finding.topic = topic;
        self
    }

    pub fn node(mut self, node: Option<String>) -> Self {
        self.finding.node = node;
        self
    }

    pub fn peer(mut self, node: Option<String>, uri: Option<String>) -> Self {
        self.finding.peer = Some(FindingPeer { node, uri });
        self
    }

    pub fn errno(mut self, errno: Option<Errno>) -> Self {
        self.finding.errno = errno;
        self
    }

    pub fn address(mut self, address: Option<String>) -> Self {
        self.finding.address = address;
        self
    }

    pub fn times(mut self, graph: &Graph, first: Monotonic, last: Monotonic, count: u64) -> Self {
        (self.finding.first, self.finding.last, self.finding.count) = (graph.wall(first), graph.wall(last), count);
        self
    }

    pub fn evidence(mut self, ids: impl IntoIterator<Item = ObservationId>) -> Self {
        self.finding.evidence.extend(ids);
        self.finding.evidence.sort_unstable();
        self.finding.evidence.dedup();
        let surplus = self.finding.evidence.len().saturating_sub(EVIDENCE_LIMIT);
        self.finding.evidence.drain(..surplus);
        self
    }

    /// Tells two troubles of one code and subject apart, whatever becomes known of the nodes.
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The finding, its text made safe to show.
    pub fn finish(mut self, words: &Words) -> Finding {
        let finding = &mut self.finding;
        let key = if let Some(key) = &self.key {
            let subject = (&finding.topic, &finding.service, finding.domain);
            // Of several addresses another one may be the last that failed.
            format!("{:?} {subject:?} {:?} {} {key}", finding.code, finding.errno, self.who)
        } else {
            let subject =
                [&finding.topic, &finding.service, &finding.node].map(|part| part.clone().unwrap_or_default());
            let place = (finding.stage, finding.errno, finding.address.clone().unwrap_or_default());
            // The peer's name may become known later; that makes no other trouble of it.
            let peer = finding.peer.as_ref().and_then(|peer| peer.uri.as_ref().or(peer.node.as_ref()));
            format!("{:?} {subject:?} {place:?} {peer:?} {}", finding.code, self.who)
        };
        finding.id = format!("{}-{:012x}", finding.code.word(), fnv1a(key.as_bytes()) & 0xffff_ffff_ffff);
        finding.summary = printable(&words.summary).into_owned();
        finding.explanation = printable(&words.explanation.join(" ")).into_owned();
        finding.remedies = words.remedies.iter().map(|remedy| printable(remedy).into_owned()).collect();
        for text in [&mut finding.topic, &mut finding.service, &mut finding.node, &mut finding.address] {
            safe(text);
        }
        if let Some(peer) = &mut finding.peer {
            safe(&mut peer.node);
            safe(&mut peer.uri);
        }
        if let Some(process) = &mut finding.process {
            process.comm = printable(&process.comm).into_owned();
            safe(&mut process.node);
        }
        self.finding
    }
}

fn safe(text: &mut Option<String>) {
    if let Some(text) = text {
        *text = printable(text).into_owned();
    }
}

/// Fowler, Noll and Vo's hash: the same in every run and version, unlike the standard library's.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
