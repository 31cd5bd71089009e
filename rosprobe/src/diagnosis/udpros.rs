//! UDPROS: datagrams that cannot be sent, are refused, or do not arrive. Nobody acknowledges them, so that neither side notices.

use std::net::IpAddr;
use std::time::Duration;

use super::cause::{capital, meaning};
use super::draft::{Draft, Words};
use super::remedy::USUAL_PORTS;
use super::trouble::{publisher, who};
use super::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::event::{Monotonic, Namespace};
use crate::graph::{Client, Datagrams, Entry, Graph, LEAVING, Outcome, Stage, StageState};
use crate::observation::Span;

/// Messages that are sent for this long without one that arrives are lost.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// Fewer messages in a row than that may be lost on any network. A refusal that comes later than that is of a subscriber that is gone.
const LOST_MESSAGES: u64 = 3;
/// A refusal may be a node on its way out, or be tried again at once.
const REFUSED_AFTER: Duration = Duration::from_secs(1);

/// Which publisher speaks TCPROS only, and which one could not open a socket (rospy's and roscpp's answers).
const NO_PROTOCOL: &str = "no supported protocol implementations";
const NO_SOCKET: &str = "Unknown Error";

/// What is wrong with the datagrams of a link.
pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    let datagrams = entry.track.datagrams.as_deref()?;
    let client = graph.client(entry.track.client)?;
    let link = Datagram { graph, entry, datagrams, client };
    link.unsent().or_else(|| link.declined()).or_else(|| link.refused()).or_else(|| link.unheard())
}

/// A link over UDPROS.
struct Datagram<'a> {
    graph: &'a Graph,
    entry: &'a Entry,
    datagrams: &'a Datagrams,
    client: &'a Client,
}

impl Datagram<'_> {
    /// The publisher's `connect()` failed, so that nothing is ever sent.
    fn unsent(&self) -> Option<Finding> {
        let state = self.entry.link.stage(Stage::Tcpros)?;
        let Some(Outcome::Failed { errno }) = state.failure else { return None };
        let (place, topic, publisher) = (self.place(), self.entry.link.shown_name(), self.publisher());
        let summary = format!(
            "{} cannot send {topic} to {} by UDPROS: connect() to {place} failed: {errno}{}",
            capital(&publisher),
            self.subscriber(),
            meaning(errno)
        );
        let explanation = vec![
            self.asked(),
            format!("{} got no usable answer, prints nothing, and waits.", capital(&self.subscriber())),
        ];
        let words = Words { summary, explanation, remedies: self.remedies(Some(errno)) };
        let mut draft = self.draft(Code::ConnectFailed, state).errno(Some(errno));
        if let Some(sender) = &self.datagrams.sender {
            draft = draft.process(sender, self.entry.link.publisher.node.clone());
        }
        Some(draft.finish(&words))
    }

    /// requestTopic was answered with a failure that is about datagrams.
    fn declined(&self) -> Option<Finding> {
        let state = self.entry.link.stage(Stage::RequestTopic)?;
        let Some(Outcome::Refused { reason }) = &state.failure else { return None };
        let settled = state.last_failure.is_some_and(|at| self.graph.now().since(at) >= REFUSED_AFTER);
        let (foreign, no_socket) = (reason.contains(NO_PROTOCOL), reason.contains(NO_SOCKET));
        if !settled || (!foreign && !no_socket) {
            return None;
        }
        let publisher = self.publisher();
        let summary = format!(
            "{} refused {} for {} over UDPROS: {reason}",
            capital(&publisher),
            self.subscriber(),
            self.entry.link.shown_name()
        );
        let explanation = if foreign {
            vec![format!("{publisher} does not speak UDPROS, as no node in Python does, and was offered nothing else.")]
        } else {
            let place = self.place();
            vec![
                self.asked(),
                format!(
                    "roscpp answers this when it cannot open a socket towards {place}: there is no route, or the name is unknown there."
                ),
            ]
        };
        let remedies = if foreign { vec![self.use_tcpros()] } else { self.remedies(None) };
        Some(self.draft(Code::CallFailed, state).finish(&Words { summary, explanation, remedies }))
    }

    /// A send failed. roscpp closes the link at the first error.
    fn refused(&self) -> Option<Finding> {
        let state = self.entry.link.stage(Stage::Data)?;
        let Some(Outcome::Failed { errno }) = state.failure else { return None };
        let first = state.first_failure.unwrap_or(state.at);
        if self.until().since(first) < LEAVING || !self.is_no_farewell() {
            return None;
        }
        let (place, topic, publisher) = (self.place(), self.entry.link.shown_name(), self.publisher());
        let summary = format!(
            "{} cannot send {topic} to {} by UDPROS: sending to {place} failed: {errno}{}",
            capital(&publisher),
            self.subscriber(),
            meaning(errno)
        );
        let mut explanation = vec![self.asked()];
        explanation.extend(self.whose_refusal(errno));
        explanation.push(format!(
            "{publisher} gives the link up at the first error, and {} is not told: start it again when the cause is gone.",
            self.subscriber()
        ));
        let words = Words { summary, explanation, remedies: self.remedies(Some(errno)) };
        Some(self.draft(Code::DatagramsLost, state).errno(Some(errno)).finish(&words))
    }

    /// Whether whoever refuses is not simply a subscriber that has ended.
    fn is_no_farewell(&self) -> bool {
        let from_start = self.datagrams.sent_when_failed.is_some_and(|sent| sent < LOST_MESSAGES);
        from_start || (self.client.process.is_some() && !self.entry.link.gone)
    }

    /// Both ends are seen: one sends, the other one receives nothing.
    fn unheard(&self) -> Option<Finding> {
        let since = self.datagrams.unheard_since?;
        let (lost, until) = (self.datagrams.unheard(), self.until());
        // Whether it arrives is known only where it would.
        if self.client.process.is_none() || until.since(since) < LOST_AFTER || lost < LOST_MESSAGES {
            return None;
        }
        let state = self.entry.link.stage(Stage::Data)?;
        let received = self.datagrams.totals.received_messages;
        let before =
            if received == 0 { "none has ever arrived".to_owned() } else { format!("{received} had arrived before") };
        let summary = format!(
            "{} sends {} to {} at {} by UDPROS, and nothing arrives: {lost} messages in {}, {before}",
            capital(&self.publisher()),
            self.entry.link.shown_name(),
            self.subscriber(),
            self.place(),
            Span(until.0.saturating_sub(since.0))
        );
        let mut explanation = vec![self.asked()];
        explanation.push(match self.target_is_own() {
            Some(false) => self.foreign_target(),
            _ => "The request over TCP went through, so the hosts reach each other: a firewall drops the datagrams, or lets only TCP through.".into(),
        });
        explanation.push("Datagrams are not acknowledged, so neither side notices.".into());
        let ladder = self.entry.link.stages.iter().flat_map(|state| state.evidence.iter().copied());
        let draft = self.draft(Code::DatagramsLost, state).times(self.graph, since, until, 1).evidence(ladder);
        Some(draft.finish(&Words { summary, explanation, remedies: self.remedies(None) }))
    }

    fn draft(&self, code: Code, state: &StageState) -> Draft {
        let draft = Draft::new(self.graph, code, Severity::Error, state.at).link(&self.entry.link, Some(self.client));
        let draft = draft.stage(self.graph, state);
        // The request went to the publisher.
        if state.stage == Stage::RequestTopic { draft } else { draft.address(Some(self.place())) }
    }

    /// Up to when the link was there.
    fn until(&self) -> Monotonic {
        self.entry.track.gone.map_or_else(|| self.graph.now(), |(_, at)| at)
    }

    fn publisher(&self) -> String {
        publisher(&self.entry.link)
    }

    fn subscriber(&self) -> String {
        who(self.client)
    }

    fn place(&self) -> String {
        self.datagrams.target.place()
    }

    fn target_ip(&self) -> Option<IpAddr> {
        self.datagrams.target.host.parse().ok()
    }

    fn subscriber_namespace(&self) -> Option<&Namespace> {
        self.client.process.as_ref().and_then(|_| self.graph.namespace_of(self.client))
    }

    /// Whether the address that the subscriber named is one of its host.
    fn target_is_own(&self) -> Option<bool> {
        let (ip, namespace) = (self.target_ip()?, self.subscriber_namespace()?);
        Some(namespace.has(ip))
    }

    /// Where the address comes from.
    fn asked(&self) -> String {
        let variable = ["ROS_HOSTNAME", "ROS_IP"].into_iter().find_map(|name| {
            let value = self.subscriber_variable(name)?;
            (value == self.datagrams.target.host).then(|| format!(", its {name}"))
        });
        format!(
            "{} asked {} for datagrams (UDPROS) to {}{}.",
            capital(&self.subscriber()),
            self.publisher(),
            self.place(),
            variable.unwrap_or_default()
        )
    }

    fn subscriber_variable(&self, name: &str) -> Option<&str> {
        let state = self.graph.process(self.client.process.as_ref()?)?;
        state.process.environment.get(name).map(String::as_str)
    }

    fn foreign_target(&self) -> String {
        let own = self.subscriber_namespace().into_iter().flat_map(|namespace| &namespace.addresses);
        let own: Vec<String> =
            own.map(|own| own.address).filter(|ip| !ip.is_loopback()).take(4).map(|ip| ip.to_string()).collect();
        format!(
            "But {} is no address of the host of {} ({}).",
            self.datagrams.target.host,
            self.subscriber(),
            own.join(", ")
        )
    }

    fn whose_refusal(&self, errno: Errno) -> Option<String> {
        let (host, port) = (&self.datagrams.target.host, self.datagrams.target.port);
        match errno {
            Errno::EPERM => Some(format!("A firewall on the host of {} does not let it out.", self.publisher())),
            Errno::ECONNREFUSED => Some(match self.target_is_own() {
                Some(true) => format!(
                    "{host} answered that nobody listens at port {port}, where {} does listen: a firewall rejects it.",
                    self.subscriber()
                ),
                Some(false) => format!("{host} answered that nobody listens at port {port}. {}", self.foreign_target()),
                None => format!(
                    "{host} answered that nobody listens at port {port}: a firewall rejects it, {} has ended, or {host} is another host.",
                    self.subscriber()
                ),
            }),
            _ => None,
        }
    }

    /// What to do, what is surest first.
    fn remedies(&self, errno: Option<Errno>) -> Vec<String> {
        let mut remedies: Vec<String> = self.advertise_better().into_iter().collect();
        let rejected =
            matches!(errno, None | Some(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::EPERM | Errno::EACCES));
        if remedies.is_empty() && rejected {
            remedies.extend(self.open_ports(errno));
        }
        remedies.push(self.use_tcpros());
        remedies
    }

    /// The publisher has answered the subscriber at the address from which that asked, so that this one is right.
    fn advertise_better(&self) -> Option<String> {
        let from = self.datagrams.asked_from?;
        if self.target_ip() == Some(from)
            || (from.is_loopback() && !self.target_ip().is_some_and(|ip| ip.is_loopback()))
        {
            return None;
        }
        // An address of its host that is not the one it asked from may be as good.
        if self.target_is_own() == Some(true) && self.entry.link.stage(Stage::Tcpros)?.failure.is_none() {
            return None;
        }
        let pid = self.client.process.as_ref().map(|process| format!(" (pid {})", process.pid)).unwrap_or_default();
        let now = match (self.subscriber_variable("ROS_HOSTNAME"), self.subscriber_variable("ROS_IP")) {
            (Some(name), _) => format!(" and without ROS_HOSTNAME (now {name}, which would win)"),
            (None, Some(ip)) => format!(" (now {ip})"),
            // Of a process that is not seen the variables are not known.
            (None, None) if self.client.process.is_none() && self.target_ip().is_none() => {
                " and without ROS_HOSTNAME, which would win".into()
            }
            (None, None) => String::new(),
        };
        let name = self.client.name.clone().unwrap_or_else(|| self.subscriber());
        Some(format!(
            "Restart {name}{pid} with ROS_IP={from} in its environment{now}: from there it asked, and {} answered.",
            self.publisher()
        ))
    }

    /// Let the firewall pass: a subscriber takes any port.
    fn open_ports(&self, errno: Option<Errno>) -> Option<String> {
        let ip = self.target_ip()?;
        let (first, last) =
            self.subscriber_namespace().and_then(|namespace| namespace.ephemeral_ports).unwrap_or(USUAL_PORTS);
        let command = if ip.is_ipv4() { "iptables" } else { "ip6tables" };
        if errno == Some(Errno::EPERM) {
            return Some(format!(
                "Let the firewall on the host of {} send UDP to ports {first} to {last}, there run: sudo {command} -I OUTPUT -p udp -d {ip} --dport {first}:{last} -j ACCEPT",
                self.publisher()
            ));
        }
        let from = self
            .datagrams
            .sent_from
            .filter(|from| !from.is_loopback() && !from.is_unspecified() && from.is_ipv4() == ip.is_ipv4());
        let from = from.map(|from| format!(" -s {from}")).unwrap_or_default();
        Some(format!(
            "Let the firewall on {ip} pass UDP ports {first} to {last} (a subscriber takes any of them), there run: sudo {command} -I INPUT -p udp{from} --dport {first}:{last} -j ACCEPT"
        ))
    }

    fn use_tcpros(&self) -> String {
        format!("Let {} use TCPROS, without TransportHints().udp() or .unreliable().", self.subscriber())
    }
}
