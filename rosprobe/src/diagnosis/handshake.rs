//! After the connect: refused headers, missing headers, requests without an answer.

use std::time::Duration;

use super::address::told;
use super::cause::capital;
use super::draft::{Draft, Words};
use super::trouble::{Trouble, publisher, who};
use super::wrong_address::{is_loopback, loopback};
use super::{Code, Finding, Severity};
use crate::graph::{Entry, Graph, Link, LinkKind, Outcome, Party, Stage, StageState};
use crate::observation::{Call, Span};

/// An answer that has not come after this long will not come: nodes answer within milliseconds.
pub(super) const ANSWER_AFTER: Duration = Duration::from_secs(5);
/// A refusal may be that of a node on its way out, or be tried again at once.
const REFUSED_AFTER: Duration = Duration::from_secs(1);
/// The same for a connection closed without an answer. That the answer was lost on its way to rosprobe is told by then.
pub(super) const CLOSED_AFTER: Duration = Duration::from_secs(3);

/// Who is refused tries again sooner: roscpp waits 20 s at most (`TransportPublisherLink::onRetryTimer`).
const RETRIED_WITHIN: Duration = Duration::from_secs(30);

/// rospy's refusal while it shuts down (`rospy/impl/tcpros_base.py`).
const SHUTTING_DOWN: &str = "node shutting down";

/// What is wrong with requestTopic or the header of a link.
pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    let link = &entry.link;
    if let Some(state) = link.stage(Stage::RequestTopic) {
        if let Some(Outcome::Refused { reason }) = &state.failure
            && state.last_failure.is_some_and(|at| graph.now().since(at) >= REFUSED_AFTER)
        {
            return topic_refused(graph, entry, state, reason);
        }
        if matches!(state.failure, Some(Outcome::NeverAttempted { .. })) {
            return Some(unread(graph, entry, state));
        }
        if unanswered(graph, state) {
            return Some(no_response(graph, entry, state));
        }
    }
    let state = link.stage(Stage::Header)?;
    if !is_farewell(link, state) {
        if let Some(refused @ Outcome::Refused { reason }) = &state.failure {
            return Some(
                wrong_node(graph, entry, refused).unwrap_or_else(|| header_refused(graph, entry, state, reason)),
            );
        }
        if unanswered(graph, state) {
            return Some(no_header(graph, entry, state));
        }
    }
    let data = link.stage(Stage::Data)?;
    match &data.failure {
        Some(Outcome::Refused { reason }) if link.kind == LinkKind::Service => {
            Some(service_failed(graph, entry, data, reason))
        }
        Some(Outcome::Abandoned { .. }) if link.kind == LinkKind::Service && unanswered(graph, data) => {
            Some(super::service::request_unanswered(graph, entry, data))
        }
        _ => None,
    }
}

/// The subscriber reached a publisher that was just leaving: it says so, or it is on no list of publishers any more, and the
/// subscriber has not tried again.
fn is_farewell(link: &Link, state: &StageState) -> bool {
    let Party { node, process, uri } = &link.publisher;
    let listed = node.is_some() || process.is_some() || uri.is_some();
    match &state.failure {
        Some(Outcome::Refused { reason }) => reason == SHUTTING_DOWN,
        Some(Outcome::Abandoned { .. }) => !listed && (state.failures < 2 || failures_are_far_apart(state)),
        _ => false,
    }
}

/// The failures are no attempts of one subscriber to get through: at the same port there was somebody else each time.
fn failures_are_far_apart(state: &StageState) -> bool {
    let retries = state.failures.saturating_sub(1);
    state
        .first_failure
        .zip(state.last_failure)
        .is_some_and(|(first, last)| last.since(first) > RETRIED_WITHIN.saturating_mul(retries))
}

/// A stage that asked and was not answered.
fn unanswered(graph: &Graph, state: &StageState) -> bool {
    match (&state.failure, &state.outcome) {
        (Some(Outcome::Abandoned { .. }), _) => {
            // Who tries again every second fails again before the last failure is old.
            let counted = if state.failures > 1 { state.first_failure } else { state.last_failure };
            counted.is_some_and(|at| graph.now().since(at) >= CLOSED_AFTER)
        }
        (_, Outcome::Pending { since, .. }) => graph.now().since(*since) >= ANSWER_AFTER,
        _ => false,
    }
}

pub(super) fn draft(graph: &Graph, entry: &Entry, state: &StageState, code: Code, severity: Severity) -> Draft {
    let client = graph.client(entry.track.client);
    Draft::new(graph, code, severity, state.at).link(&entry.link, client).stage(graph, state)
}

pub(super) fn client(graph: &Graph, entry: &Entry) -> String {
    graph.client(entry.track.client).map_or_else(|| "a client".into(), who)
}

pub(super) fn place(state: &StageState) -> String {
    state.address.map(|address| address.to_string()).or_else(|| state.advertised.clone()).unwrap_or_default()
}

/// requestTopic was refused: at the right node a stale registration, at a wrong one a wrong address.
fn topic_refused(graph: &Graph, entry: &Entry, state: &StageState, reason: &str) -> Option<Finding> {
    let (topic, publisher) = (entry.link.shown_name(), publisher(&entry.link));
    let connect = entry.link.stage(Stage::Xmlrpc)?;
    let trouble = Trouble::new(graph, entry, connect);
    if let Some(finding) = wrong_node(graph, entry, &Outcome::Refused { reason: reason.to_owned() }) {
        return Some(finding);
    }
    let summary =
        format!("{} at {} refused {} for {topic}: {reason}", capital(&publisher), place(state), client(graph, entry));
    let mut explanation = Vec::new();
    let mut remedies = Vec::new();
    // rospy's words (`rospy/impl/masterslave.py`), with code 0.
    if reason.contains("no supported protocol") {
        explanation.push(format!("{} publishes the topic, and speaks none of the protocols that it was asked for: rospy speaks TCPROS alone.", capital(&publisher)));
        remedies.push(format!(
            "Let {} use TCPROS, without TransportHints().udp() or with .tcp() behind it.",
            client(graph, entry)
        ));
        let draft = draft(graph, entry, state, Code::CallFailed, Severity::Error);
        return Some(draft.finish(&Words { summary, explanation, remedies }));
    }
    if let Some(trouble) = &trouble {
        explanation.push(told(trouble));
        explanation.extend(trouble.resolved());
        explanation.extend(trouble.resolves_elsewhere());
        if trouble.resolves_elsewhere().is_some() {
            remedies.extend(trouble.hosts_line());
        }
        remedies.extend(trouble.clean_up());
    }
    explanation.push(
        "The node that answers there does not publish the topic: the registration is stale, or it is another node."
            .into(),
    );
    let draft = draft(graph, entry, state, Code::CallFailed, Severity::Error);
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

/// Who refused is another node, on the client's own host: the publisher advertised loopback.
fn wrong_node(graph: &Graph, entry: &Entry, refused: &Outcome) -> Option<Finding> {
    let trouble = Trouble::new(graph, entry, entry.link.stage(Stage::Xmlrpc)?)?;
    is_loopback(&trouble).then(|| loopback(&trouble, refused))
}

fn no_response(graph: &Graph, entry: &Entry, state: &StageState) -> Finding {
    let (topic, publisher) = (entry.link.shown_name(), publisher(&entry.link));
    let ended = ending(graph, entry, state);
    let summary = format!(
        "{} at {} did not answer when {} asked for {topic} (requestTopic): {ended}",
        capital(&publisher),
        place(state),
        client(graph, entry)
    );
    let (mut explanation, mut remedies) = silent_peer(graph, entry, state, &publisher);
    explanation.insert(0, "The connection was accepted and the request was sent whole.".into());
    if asks_for_datagrams(graph, entry) {
        explanation.push("The request is for UDPROS: roscpp ends some of these with a NUL byte, depending on the lengths of names, and a publisher that gets it waits for ever for the rest.".into());
        remedies.insert(0, format!("Let {} use TCPROS, without TransportHints().udp() or .unreliable(); or give it a name of another length, for instance with __name:=another_name on its command line.", client(graph, entry)));
    }
    draft(graph, entry, state, Code::NoResponse, Severity::Error).finish(&Words { summary, explanation, remedies })
}

/// Seen at the publisher: a subscriber is connected, and what it asks is not read.
fn unread(graph: &Graph, entry: &Entry, state: &StageState) -> Finding {
    let (topic, publisher) = (entry.link.shown_name(), publisher(&entry.link));
    let place = entry.link.stage(Stage::Xmlrpc).map(place).unwrap_or_default();
    let since = state.first_failure.unwrap_or(state.at);
    let summary = format!(
        "{} wants {topic} and is connected to {publisher} at {place}, which has read nothing of its request for {}",
        client(graph, entry),
        Span(graph.now().0.saturating_sub(since.0))
    );
    let (mut explanation, mut remedies) = silent_peer(graph, entry, state, &publisher);
    explanation.insert(0, "The connection was established, so network and firewall are right.".into());
    if let Some(process) = &entry.link.publisher.process {
        explanation.push("Or it has no file descriptors left to accept with.".into());
        remedies.push(format!("Compare how many files it has open with its limit, run: ls /proc/{0}/fd | wc -l; grep 'open files' /proc/{0}/limits", process.pid));
    }
    let ladder = entry.link.stages.iter().flat_map(|state| state.evidence.iter().copied());
    let draft = draft(graph, entry, state, Code::NoResponse, Severity::Error).address(Some(place)).evidence(ladder);
    draft.finish(&Words { summary, explanation, remedies })
}

/// Whether what waits for an answer is a request for datagrams.
fn asks_for_datagrams(graph: &Graph, entry: &Entry) -> bool {
    let datagrams = |call: &Call| match call {
        Call::RequestTopic { protocols, .. } => protocols.first().is_some_and(|offer| offer.name == "UDPROS"),
        _ => false,
    };
    graph.waiting_calls().any(|(_, waiting)| waiting.link == Some(entry.link.id) && datagrams(&waiting.call))
}

/// How a stage without an answer stands.
fn ending(graph: &Graph, entry: &Entry, state: &StageState) -> String {
    match (&state.outcome, &state.failure) {
        (Outcome::Pending { since, .. }, failure) if failure.is_none() || graph.now().since(*since) >= ANSWER_AFTER => {
            format!("nothing came back for {}", Span(graph.now().0.saturating_sub(since.0)))
        }
        (_, Some(Outcome::Abandoned { after_ns, .. })) => {
            let who = if entry.track.given_up { "the client gave up" } else { "the connection was closed" };
            format!("{who} after {} without a byte of answer", Span(*after_ns))
        }
        _ => "nothing came back".into(),
    }
}

/// Why a peer that accepted says nothing.
pub(super) fn silent_peer(
    graph: &Graph,
    entry: &Entry,
    state: &StageState,
    publisher: &str,
) -> (Vec<String>, Vec<String>) {
    let closed = matches!(state.failure, Some(Outcome::Abandoned { .. })) && !entry.track.given_up;
    if let Some(carrier) = &entry.link.carried_by {
        let explanation = format!(
            "The connection is carried by {} (pid {}), which accepts everything on this host; that nothing comes back means that its far end could not connect to {publisher}.",
            carrier.comm, carrier.pid
        );
        let remedy =
            format!("Check that {publisher} runs and that the far end of {} reaches {}.", carrier.comm, place(state));
        return (vec![explanation], vec![remedy]);
    }
    if closed {
        let explanation = format!(
            "Something accepts connections there and hangs up: a proxy or tunnel whose far end refuses, another program, or {publisher} is on its way out."
        );
        return (
            vec![explanation],
            vec![format!("Look at what listens at {} on the host of {publisher}, there run: ss -ltnp", place(state))],
        );
    }
    let process = entry.link.publisher.process.as_ref();
    let moved = state.address.and_then(|end| super::moved::of_connection(graph, process, end.ip(), publisher));
    if let Some((became, start_again)) = moved {
        return (vec![became], vec![start_again]);
    }
    let whom = process.map_or_else(|| publisher.to_owned(), |process| format!("{publisher} (pid {})", process.pid));
    let gone = if process.is_some() { "" } else { "; or its host has left that address since" };
    let explanation = format!(
        "The kernel of its host accepts connections by itself, so {whom} may be stopped, hanging, or overloaded{gone}."
    );
    let remedy = match process {
        Some(process) => format!(
            "If `ps -o stat= -p {0}` shows that it is stopped (T), let it go on, run: kill -CONT {0}",
            process.pid
        ),
        None => format!("Restart {publisher}, or look on its host why it hangs."),
    };
    (vec![explanation], vec![remedy])
}

fn header_refused(graph: &Graph, entry: &Entry, state: &StageState, reason: &str) -> Finding {
    let (name, publisher) = (entry.link.shown_name(), publisher(&entry.link));
    let what = if entry.link.kind == LinkKind::Service { "service" } else { "topic" };
    let summary = format!("{} refused {} for the {what} {name}: {reason}", capital(&publisher), client(graph, entry));
    let mut explanation = vec![format!(
        "The connection header sent to {} was answered with an error, and the connection closed.",
        place(state)
    )];
    if let Some((data_type, md5sum)) = entry.track.asked_type.as_ref().filter(|asked| !asked.0.is_empty()) {
        explanation.push(format!("{} asked for type {data_type} with md5sum {md5sum}.", client(graph, entry)));
    }
    let mut remedies = Vec::new();
    if let Some((one, other)) = differing_types(reason) {
        explanation.push(format!("{one} and {other} are different types, and a {what} has one: either side may have the wrong one, or mean another {what}."));
        let look = if entry.link.kind == LinkKind::Service { "rosservice info" } else { "rostopic info" };
        remedies.push(format!("Correct the {what} name or the type of one of the two; another name is given on its command line, with {name}:=/another_name for instance. To see who is at {name}, run: {look} {name}"));
    } else if reason.contains("type") || reason.contains("md5") {
        explanation.push(format!("Both sides must use the same definition of the {what}'s type."));
        let (data_type, service) = (entry.link.data_type.as_deref(), entry.link.kind == LinkKind::Service);
        let compare = match (service, data_type) {
            (true, Some(data_type)) => format!("rossrv md5 {data_type}"),
            // Clients of services do not say what type they take it for.
            (true, None) => format!("rossrv md5 $(rosservice type {name})"),
            (false, Some(data_type)) => format!("rosmsg md5 {data_type}"),
            (false, None) => format!("rosmsg md5 $(rostopic type {name})"),
        };
        remedies.push(format!("Build both nodes from the same message package, or give one of them another {what} name; to compare the definitions, run on both hosts: {compare}"));
    } else {
        remedies.push(format!("Do what the message says, or restart {publisher}."));
    }
    draft(graph, entry, state, Code::HeaderRefused, Severity::Error).finish(&Words { summary, explanation, remedies })
}

/// The names of two types in the words of a refusal, where those differ and not the definitions alone: rospy writes `[std_msgs/Int32]`,
/// and before an md5sum both libraries do.
fn differing_types(reason: &str) -> Option<(&str, &str)> {
    let mut types = reason.split('[').skip(1).filter_map(|part| {
        let written = part.split_once(']')?.0;
        let (package, rest) = written.split_once('/').filter(|(package, _)| !package.is_empty())?;
        let name = rest.split('/').next()?;
        written.get(..package.len() + 1 + name.len())
    });
    let (one, other) = (types.next()?, types.next()?);
    (one != other && one != "*" && other != "*").then_some((one, other))
}

fn no_header(graph: &Graph, entry: &Entry, state: &StageState) -> Finding {
    let (name, publisher) = (entry.link.shown_name(), publisher(&entry.link));
    let summary = format!(
        "{} at {} accepted the connection of {} for {name} and sent no header: {}",
        capital(&publisher),
        place(state),
        client(graph, entry),
        ending(graph, entry, state)
    );
    let (mut explanation, remedies) = silent_peer(graph, entry, state, &publisher);
    let whose = if entry.link.kind == LinkKind::Service { "server" } else { "publisher" };
    explanation.insert(
        0,
        if asked(entry) {
            format!("The TCPROS header was sent, and the {whose} must answer with its own.")
        } else {
            format!("It was closed before the TCPROS header was sent, which the {whose} must wait for.")
        },
    );
    draft(graph, entry, state, Code::NoHeader, Severity::Error).finish(&Words { summary, explanation, remedies })
}

/// Whether a header was sent on the last connection.
fn asked(entry: &Entry) -> bool {
    let connected = |stage| entry.link.stage(stage).filter(|state| state.outcome == Outcome::Ok).map(|state| state.at);
    let connected = connected(Stage::Tcpros).or_else(|| connected(Stage::Service));
    entry.track.header_since.is_some_and(|since| connected.is_none_or(|connected| since >= connected))
}

fn service_failed(graph: &Graph, entry: &Entry, state: &StageState, reason: &str) -> Finding {
    let summary =
        format!("{} answered the call of {} with a failure: {reason}", entry.link.shown_name(), client(graph, entry));
    let explanation = vec!["The connection works; the service itself reported that it could not do it.".to_owned()];
    let remedies = vec![format!("Look at the output of {}.", publisher(&entry.link))];
    draft(graph, entry, state, Code::CallFailed, Severity::Warning).finish(&Words { summary, explanation, remedies })
}
