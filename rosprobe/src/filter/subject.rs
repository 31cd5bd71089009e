//! What a filter sees of a link, a finding or an observation.

use std::borrow::Cow;

use super::Subject;
use crate::diagnosis::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::graph::{Graph, Health, Link, LinkKind};
use crate::observation::dds::{Dds, RosName};
use crate::observation::{Answer, Call, Observation, What};

impl<'a> Subject<'a> {
    /// A link with both of its ends, and how it is doing.
    pub fn of_link(link: &'a Link, health: Health) -> Self {
        let mut subject = Self {
            names: link.name.as_deref().map(Cow::from).into_iter().collect(),
            failed: health == Health::Failed,
            above_names: link.name.is_none(),
            ..Self::default()
        };
        if link.kind == LinkKind::Dds
            && let Some((name, _)) = link.name.as_deref().and_then(|name| name.split_once(" ("))
        {
            // `/add_two_ints (requests)` is to be found by the whole name of the service, too.
            subject.names.push(name.into());
        }
        for party in [&link.subscriber, &link.publisher] {
            subject.nodes.extend(party.node.as_deref().map(Cow::from));
            subject.addresses.extend(party.uri.as_deref().map(Cow::from));
            if let Some(process) = &party.process {
                subject.pids.push(process.pid);
                subject.comms.push((&*process.comm).into());
            }
        }
        for state in &link.stages {
            subject.addresses.extend(state.advertised.as_deref().map(Cow::from));
            subject.addresses.extend(state.address.map(|address| address.to_string().into()));
            subject.errnos.extend(state.outcome.errno());
        }
        subject
    }

    /// A finding; errors and warnings count as failed.
    pub fn of_finding(finding: &'a Finding) -> Self {
        let mut subject = Self {
            failed: finding.severity <= Severity::Warning,
            above_names: finding.topic.is_none() && finding.service.is_none(),
            about_rosprobe: finding.code == Code::EventsLost,
            ..Self::default()
        };
        subject.names.extend([&finding.topic, &finding.service].into_iter().flatten().map(|name| name.as_str().into()));
        subject.nodes.extend(finding.node.as_deref().map(Cow::from));
        subject.addresses.extend(finding.address.as_deref().map(Cow::from));
        subject.errnos.extend(finding.errno);
        if let Some(process) = &finding.process {
            subject.pids.push(process.pid);
            subject.comms.push(process.comm.as_str().into());
            subject.nodes.extend(process.node.as_deref().map(Cow::from));
        }
        if let Some(peer) = &finding.peer {
            subject.nodes.extend(peer.node.as_deref().map(Cow::from));
            subject.addresses.extend(peer.uri.as_deref().map(Cow::from));
        }
        subject
    }

    /// An observation. Its topics are those it names, those of the call that it answers (`call`, where that is known), and those
    /// of the links on whose sockets it happened or whose names it looked up.
    pub fn of_observation(observation: &'a Observation, call: Option<&'a Observation>, graph: &'a Graph) -> Self {
        let mut subject = Self::of_observation_alone(observation, call);
        for link in graph.links().filter(|link| concerns(link, observation)) {
            subject.names.extend(link.name.as_deref().map(Cow::from));
            let ends = [&link.subscriber, &link.publisher];
            subject.nodes.extend(ends.into_iter().filter_map(|party| party.node.as_deref().map(Cow::from)));
        }
        subject
    }

    /// An observation without the links that it belongs to, for whoever has found those already.
    pub fn of_observation_alone(observation: &'a Observation, call: Option<&'a Observation>) -> Self {
        let mut subject = Self {
            failed: observation.what.is_failure(),
            about_rosprobe: matches!(observation.what, What::Lost { .. }),
            ..Self::default()
        };
        if let Some(process) = &observation.process {
            subject.pids.push(process.pid);
            subject.comms.push((&*process.comm).into());
        }
        if let Some(socket) = &observation.socket {
            let ends = socket.local.iter().chain(&socket.remote);
            subject.addresses.extend(ends.map(|end| end.to_string().into()));
        }
        subject.errnos.extend(observation.what.errno());
        for what in [Some(&observation.what), call.map(|call| &call.what)].into_iter().flatten() {
            subject.add_names(what);
        }
        subject
    }

    fn add_names(&mut self, what: &'a What) {
        match what {
            What::Call { call, .. } => self.add_call(call),
            What::TcprosHeader { header, .. } => {
                let names = [header.get("topic"), header.get("service")];
                self.names.extend(names.into_iter().flatten().map(Cow::from));
                self.nodes.extend(header.get("callerid").map(Cow::from));
            }
            What::Dds(Dds::EndpointAnnounced { endpoint, .. }) => {
                self.names.push(RosName::of_dds_topic(&endpoint.topic).name.into());
                self.names.push(endpoint.topic.as_str().into());
            }
            What::Dds(Dds::RosDiscoveryInfo { nodes, .. }) => {
                self.nodes.extend(nodes.iter().map(|node| Cow::from(node.full_name())));
            }
            _ => {}
        }
    }

    fn add_call(&mut self, call: &'a Call) {
        self.names.extend(call.topic_or_service().map(Cow::from));
        self.nodes.extend(call.caller_id().map(Cow::from));
        if let Call::Multicall { calls } = call {
            for call in calls {
                self.add_call(call);
            }
        }
    }
}

/// Whether the observation happened on one of the link's sockets, or looked up the name that the link was given.
fn concerns(link: &Link, observation: &Observation) -> bool {
    if let What::NameQuery { name, .. } | What::NameAnswer { name, .. } = &observation.what {
        let is_host = |advertised: &str| advertised.rsplit_once(':').is_some_and(|(host, _)| host == name);
        return link.stages.iter().filter_map(|state| state.advertised.as_deref()).any(is_host);
    }
    let socket = observation.socket.as_ref().map(|socket| socket.id);
    socket.is_some() && link.stages.iter().any(|state| state.socket == socket)
}

impl What {
    /// Whether something did not work, or was not seen.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::ConnectReturned { errno, .. } => errno.is_some_and(|errno| errno != Errno::EINPROGRESS),
            Self::ConnectFailed { .. }
            | Self::ConnectAbandoned { .. }
            | Self::SynRetransmitted { .. }
            | Self::IoFailed { .. }
            | Self::SocketError { .. }
            | Self::Malformed { .. }
            | Self::Lost { .. } => true,
            Self::Answer { answer, .. } => answer.is_failure(),
            Self::TcprosHeader { header, .. } => header.get("error").is_some(),
            Self::ServiceAnswer { ok, .. } => !ok,
            Self::NameAnswer { status, .. } => status != "NOERROR",
            _ => false,
        }
    }

    /// The error number that it carries.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::ConnectReturned { errno, .. } => *errno,
            Self::ConnectFailed { errno, .. } | Self::IoFailed { errno, .. } | Self::SocketError { errno } => {
                Some(*errno)
            }
            _ => None,
        }
    }
}

impl Answer {
    /// Code 0 or -1, or a fault; a multicall when any of its answers is one.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failure { .. } | Self::Fault { .. } => true,
            Self::Multicall { answers } => answers.iter().any(Self::is_failure),
            _ => false,
        }
    }
}
