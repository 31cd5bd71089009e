//! Links: one subscriber, one publisher, one topic, and the ladder of stages between "advertised" and "data".

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::errno::Errno;
use crate::event::{Monotonic, ProcessRef, Traffic};
use crate::observation::ObservationId;

/// Number of a link within one graph, in the order in which links were first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// What a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// Messages of a topic, publisher to subscriber.
    Topic,
    /// Calls of a service, client to server.
    Service,
    /// A node's calls of its master.
    Master,
    /// The master's calls of a node: publisherUpdate, paramUpdate, shutdown.
    Callback,
    /// ROS 2: samples of a DDS topic, writer (the link's publisher) to reader (its subscriber).
    Dds,
}

/// One end of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The node's name (its caller id), when known.
    pub node: Option<String>,
    /// Its process, when it runs where rosprobe sees it.
    pub process: Option<ProcessRef>,
    /// The URI under which it advertises itself, when known.
    pub uri: Option<String>,
}

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Talking to the master.
    Master,
    /// The address was handed over.
    Advertised,
    /// XML-RPC connect to the publisher.
    Xmlrpc,
    /// requestTopic asked and answered.
    RequestTopic,
    /// TCPROS (or UDPROS) connect to the publisher.
    Tcpros,
    /// Connection headers exchanged.
    Header,
    /// Messages flow.
    Data,
    /// Connect to the server of a service.
    Service,
    /// The master calls a node back.
    Callback,
    /// ROS 2: both participants announced themselves.
    Announced,
    /// ROS 2: the participants have heard of each other.
    Discovered,
    /// ROS 2: both endpoints are known.
    EndpointsKnown,
    /// ROS 2: type and quality of service match.
    Matched,
}

impl Stage {
    /// The stages of a topic's link in their order.
    pub const TOPIC_LADDER: [Self; 6] =
        [Self::Advertised, Self::Xmlrpc, Self::RequestTopic, Self::Tcpros, Self::Header, Self::Data];

    /// The stages between a DDS writer and a reader in their order.
    pub const DDS_LADDER: [Self; 5] =
        [Self::Announced, Self::Discovered, Self::EndpointsKnown, Self::Matched, Self::Data];

    /// The word used from here to the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Advertised => "advertised",
            Self::Xmlrpc => "xmlrpc",
            Self::RequestTopic => "request-topic",
            Self::Tcpros => "tcpros",
            Self::Header => "header",
            Self::Data => "data",
            Self::Service => "service",
            Self::Callback => "callback",
            Self::Announced => "announced",
            Self::Discovered => "discovered",
            Self::EndpointsKnown => "endpoints-known",
            Self::Matched => "matched",
        }
    }
}

/// What became of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Not come to yet.
    #[default]
    NotReached,
    /// Done.
    Ok,
    /// Under way.
    Pending {
        /// Since when.
        since: Monotonic,
        /// SYNs sent again so far.
        syn_retransmits: u32,
    },
    /// Failed with an error number.
    Failed {
        /// Which.
        errno: Errno,
    },
    /// Refused by the peer in words: an `error=` header, a code 0 or -1, a fault.
    Refused {
        /// The peer's words.
        reason: String,
    },
    /// Closed or exited without a result.
    Abandoned {
        /// How long it had been tried.
        after_ns: u64,
        /// SYNs sent again before.
        syn_retransmits: u32,
    },
    /// The next step was due and never tried.
    NeverAttempted {
        /// Since when it was due.
        since: Monotonic,
    },
}

impl Outcome {
    /// The error number with which it failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Failed { errno } => Some(*errno),
            _ => None,
        }
    }
}

/// One rung with everything known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageState {
    /// Which rung.
    pub stage: Stage,
    /// What became of it, last.
    pub outcome: Outcome,
    /// When that was.
    pub at: Monotonic,
    /// When the first attempt since a success began, where its beginning was seen.
    pub first_try: Option<Monotonic>,
    /// When the first failure in a row was; `None` after a success.
    pub first_failure: Option<Monotonic>,
    /// When the last failure was; `None` after a success.
    pub last_failure: Option<Monotonic>,
    /// What the last failure was, kept while a new attempt is under way; `None` after a success.
    pub failure: Option<Outcome>,
    /// Failures in a row, 0 after a success.
    pub failures: u32,
    /// Those of them that fall to this link, in turn: a node asks a publisher for each of its topics, and which one a connect that fails
    /// was for is not seen.
    pub own_failures: u32,
    /// How long after its last SYN the last attempt failed, in nanoseconds; `None` when it failed before a packet left.
    pub failed_after_ns: Option<u64>,
    /// Host and port as advertised: `10.0.1.1:41235`, or `marvin:41235`.
    pub advertised: Option<String>,
    /// Address that was really connected to.
    pub address: Option<SocketAddr>,
    /// Socket of the last attempt.
    pub socket: Option<u64>,
    /// What shows it, oldest first, bounded.
    pub evidence: Vec<ObservationId>,
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// What it carries.
    pub kind: LinkKind,
    /// Name of the topic or service; `None` where it was not seen, and between a node and its master.
    pub name: Option<String>,
    /// Type, when known.
    pub data_type: Option<String>,
    /// Subscriber, client or caller: the end that connects.
    pub subscriber: Party,
    /// Publisher, server or callee: the end that is connected to.
    pub publisher: Party,
    /// The rungs that apply, in order.
    pub stages: Vec<StageState>,
    /// When the link was first seen.
    pub first_seen: Monotonic,
    /// When anything about it changed last.
    pub changed: Monotonic,
    /// Totals of its data connection.
    pub traffic: Traffic,
    /// Message rate and throughput over the last seconds.
    pub rate: Rate,
    /// The process on this host that carries the connection on its way, such as sshuttle behind a redirect.
    pub carried_by: Option<ProcessRef>,
    /// True once the subscriber unsubscribed, its process ended, or the publisher is no longer listed.
    pub gone: bool,
    /// True when the subscriber left in trouble: what failed was never resolved.
    pub unresolved: bool,
    /// True when bytes that belong to this link were lost, so that its state may be wrong.
    pub incomplete: bool,
}

/// Speed of a link's data, over the last few seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Messages a second.
    pub messages: f64,
    /// Bytes a second.
    pub bytes: f64,
}

/// What a link's state amounts to, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// A stage failed, was refused, abandoned or never attempted, or what comes after the stages is stuck.
    Failed,
    /// A stage is under way, or has failed so lately that it may be no fault.
    Pending,
    /// Everything that was seen succeeded.
    Ok,
    /// Over: unsubscribed or ended, or it failed and that was nobody's fault.
    Gone,
}

impl Link {
    /// Evidence kept for a stage: the first observations and the last ones.
    const EVIDENCE_LIMIT: usize = 16;

    /// The topic or service as a sentence names it.
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or("a topic that was not seen")
    }

    /// Whether that is the name of its topic or service.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// One of its stages.
    pub fn stage(&self, stage: Stage) -> Option<&StageState> {
        self.stages.iter().find(|state| state.stage == stage)
    }

    pub(super) fn stage_mut(&mut self, stage: Stage) -> Option<&mut StageState> {
        self.stages.iter_mut().find(|state| state.stage == stage)
    }

    /// True when the stage succeeded last.
    pub fn reached(&self, stage: Stage) -> bool {
        self.stage(stage).is_some_and(|state| state.outcome == Outcome::Ok)
    }

    /// What its stages amount to by themselves; whether that is a fault, the findings say. A failure that was never resolved stays one
    /// when the subscriber has left.
    pub fn stages_health(&self) -> Health {
        let worst = self.stages.iter().map(StageState::health).min().unwrap_or(Health::Ok);
        if self.gone && !(self.unresolved && worst == Health::Failed) { Health::Gone } else { worst }
    }

    /// The stage that decides how the link is doing: the worst one, or the furthest that was reached.
    pub fn deciding_stage(&self) -> Option<&StageState> {
        let worst = self.stages.iter().filter(|state| state.health() != Health::Ok).min_by_key(|state| state.health());
        worst.or_else(|| self.stages.iter().rev().find(|state| state.outcome == Outcome::Ok))
    }
}

impl StageState {
    pub(crate) fn new(stage: Stage, at: Monotonic) -> Self {
        Self {
            stage,
            outcome: Outcome::NotReached,
            at,
            first_try: None,
            first_failure: None,
            last_failure: None,
            failure: None,
            failures: 0,
            own_failures: 0,
            failed_after_ns: None,
            advertised: None,
            address: None,
            socket: None,
            evidence: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, at: Monotonic) {
        self.outcome = Outcome::Pending { since: at, syn_retransmits: 0 };
        self.at = at;
        self.first_try.get_or_insert(at);
    }

    pub(super) fn succeed(&mut self, at: Monotonic) {
        self.outcome = Outcome::Ok;
        self.at = at;
        self.first_try = None;
        self.first_failure = None;
        self.last_failure = None;
        self.failure = None;
        self.failures = 0;
        self.own_failures = 0;
        self.failed_after_ns = None;
    }

    pub(super) fn fail(&mut self, outcome: Outcome, at: Monotonic) {
        self.failure = Some(outcome.clone());
        self.outcome = outcome;
        self.at = at;
        self.first_failure.get_or_insert(at);
        self.last_failure = Some(at);
        self.failures = self.failures.saturating_add(1);
        self.own_failures = self.own_failures.saturating_add(1);
    }

    /// What became of it is not known any more.
    pub(super) fn forget(&mut self) {
        self.outcome = Outcome::NotReached;
        self.first_try = None;
        self.first_failure = None;
        self.last_failure = None;
        self.failure = None;
        self.failures = 0;
        self.own_failures = 0;
        self.failed_after_ns = None;
    }

    /// Whoever tried went away before anything could come of it: what was known before stands.
    pub(super) fn break_off(&mut self) {
        self.outcome = self.failure.clone().unwrap_or_default();
    }

    /// Whether it failed since `since`, and only in that nothing was seen.
    pub(super) fn rests_on_silence(&self, since: Monotonic) -> bool {
        let silent = matches!(self.failure, Some(Outcome::Abandoned { .. } | Outcome::NeverAttempted { .. }));
        silent && self.first_failure.is_none_or(|first| first >= since)
    }

    /// Remembers what shows it: the oldest stay, the newest replace each other at the end.
    pub(super) fn show(&mut self, id: ObservationId) {
        if self.evidence.last() == Some(&id) {
            return;
        }
        if self.evidence.len() == Link::EVIDENCE_LIMIT {
            self.evidence.remove(Link::EVIDENCE_LIMIT / 2);
        }
        self.evidence.push(id);
    }

    /// What its outcome amounts to; a stage not come to yet is no trouble of its own.
    pub fn health(&self) -> Health {
        match self.outcome {
            Outcome::NotReached | Outcome::Ok => Health::Ok,
            Outcome::Pending { .. } => Health::Pending,
            Outcome::Failed { .. }
            | Outcome::Refused { .. }
            | Outcome::Abandoned { .. }
            | Outcome::NeverAttempted { .. } => Health::Failed,
        }
    }
}
