//! Connects to the addresses of a topic's publisher: failed, pending, abandoned, never attempted.

use std::net::IpAddr;

use super::address::{arrives_here, draft, no_errno, not_come, remedies, silence, told, unseen};
use super::cause::{capital, meaning};
use super::draft::{Draft, Words};
use super::name::{is_unresolved, unresolved};
use super::trouble::{Trouble, is_advertisable, trouble_of};
use super::wrong_address::{is_loopback, is_wrong_family, loopback, wrong_family};
use super::{Code, Finding, Severity};
use crate::graph::{Entry, Graph, LinkKind, Outcome, ProcessState, Stage, StageState};
use crate::observation::{AdvertisedUri, Span, UriError};

/// Findings about the two connects of a topic's link.
pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Topic {
        return None;
    }
    for stage in [Stage::Xmlrpc, Stage::Tcpros] {
        let Some(state) = entry.link.stage(stage) else { continue };
        // Over UDPROS it is the publisher who connects.
        if stage == Stage::Tcpros && entry.track.datagrams.is_some() {
            continue;
        }
        let Some(outcome) = trouble_of(graph, entry, state) else { continue };
        return match Trouble::new(graph, entry, state) {
            Some(trouble) => Some(judge(&trouble, &outcome)),
            None => no_uri(graph, entry, state),
        };
    }
    None
}

fn judge(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    if is_loopback(trouble) {
        return loopback(trouble, outcome);
    }
    if is_wrong_family(trouble, outcome) {
        return wrong_family(trouble, outcome);
    }
    match outcome {
        Outcome::NeverAttempted { .. } if is_unresolved(trouble) => unresolved(trouble),
        Outcome::NeverAttempted { .. } => never_attempted(trouble),
        _ => failed(trouble, outcome),
    }
}

fn at_place(trouble: &Trouble<'_>) -> String {
    let (publisher, topic, place) = (trouble.publisher(), trouble.entry.link.shown_name(), trouble.place());
    let by_name = if trouble.host.parse::<IpAddr>().is_err() && trouble.state.address.is_some() {
        format!(" ({})", trouble.host)
    } else {
        String::new()
    };
    if trouble.entry.link.name.is_none() {
        return format!("{place}, which {} was told of before rosprobe began", trouble.who());
    }
    format!("{place}{by_name}, where {publisher} says it publishes {topic}")
}

fn failed(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    let at = at_place(trouble);
    let (code, summary) = match outcome {
        Outcome::Failed { errno } => {
            (Code::ConnectFailed, format!("connect() to {at}, failed: {errno}{}", meaning(*errno)))
        }
        Outcome::Abandoned { after_ns, syn_retransmits } => (
            Code::ConnectAbandoned,
            format!(
                "connect() to {at}, was given up after {} without any answer ({syn_retransmits} SYNs sent again)",
                Span(*after_ns)
            ),
        ),
        Outcome::Pending { since, syn_retransmits } => {
            let waited = Span(trouble.graph.now().0.saturating_sub(since.0));
            (
                Code::ConnectPending,
                format!("connect() to {at}, has had no answer for {waited} ({syn_retransmits} SYNs sent again)"),
            )
        }
        _ => (Code::NeverAttempted, format!("nobody connected to {at}")),
    };
    let cause = trouble.cause(outcome);
    let mut explanation = vec![told(trouble)];
    explanation.extend(trouble.because(cause, outcome));
    explanation.push(silence(trouble));
    let mut remedies = remedies(trouble, cause, outcome);
    if let Some((now_at, start_again)) = elsewhere_now(trouble) {
        explanation.push(now_at);
        remedies.insert(0, start_again);
    }
    draft(trouble, code, outcome).finish(&Words { summary, explanation, remedies })
}

/// The node registered again from another address, perhaps on another host, and this subscriber still has the old one.
fn elsewhere_now(trouble: &Trouble<'_>) -> Option<(String, String)> {
    let newer = trouble.graph.registered_again(trouble.entry).filter(|_| !trouble.entry.link.gone)?;
    let (publisher, who) = (trouble.publisher(), trouble.who());
    let since = Span(trouble.graph.now().0.saturating_sub(newer.registered?.at.0));
    let now_at = format!(
        "{publisher} registered again {since} ago, from {}, and {who} was not told: it still has the old address.",
        newer.api.as_ref()?.text()
    );
    let start_again = format!("Start {who} again: the master then tells it where {publisher} is now.");
    Some((now_at, start_again))
}

fn never_attempted(trouble: &Trouble<'_>) -> Finding {
    let outcome = trouble.state.outcome.clone();
    let (place, seconds) = (at_place(trouble), waited(trouble));
    let summary = format!("{} was told {seconds} ago of {place}, and {}", trouble.who(), not_come(trouble));
    let mut explanation = vec![told(trouble)];
    let mut remedies = Vec::new();
    if local_only(trouble) {
        explanation
            .push("Its ROS_HOSTNAME is localhost, and a node started so refuses to connect to any other host.".into());
        let own =
            trouble.client.reaches_master_from.map_or_else(|| "an address of its host".into(), |ip| ip.to_string());
        remedies
            .push(format!("Restart {} without ROS_HOSTNAME and with ROS_IP={own} in its environment.", trouble.who()));
    } else {
        explanation.extend(unseen(trouble));
        if !trouble.is_of_no_interface() && trouble.inner_bridge().is_none() {
            remedies.extend(trouble.tunnel(no_errno(trouble)));
            remedies.extend(trouble.open_ports().filter(|_| arrives_here(trouble)));
        }
        remedies.extend(trouble.advertise_present().or_else(|| trouble.advertise_better()));
        if remedies.is_empty() {
            remedies.push(format!(
                "Restart {} with ROS_IP set to an address of its host that {} reaches.",
                trouble.publisher(),
                trouble.who()
            ));
        }
    }
    explanation.push(silence(trouble));
    draft(trouble, Code::NeverAttempted, &outcome).finish(&Words { summary, explanation, remedies })
}

fn waited(trouble: &Trouble<'_>) -> String {
    let since = match trouble.state.outcome {
        Outcome::NeverAttempted { since } => since,
        _ => trouble.state.at,
    };
    Span(trouble.graph.now().0.saturating_sub(since.0)).to_string()
}

/// A subscriber told to stay on its own host.
fn local_only(trouble: &Trouble<'_>) -> bool {
    let process = trouble.client.process.as_ref().and_then(|process| trouble.graph.process(process));
    process.is_some_and(|state| state.process.environment.get("ROS_HOSTNAME").map(String::as_str) == Some("localhost"))
        && trouble.ip.is_some_and(|ip| !trouble.is_own(ip))
}

/// The publisher's URI is none.
fn no_uri(graph: &Graph, entry: &Entry, state: &StageState) -> Option<Finding> {
    let client = graph.client(entry.track.client)?;
    let uri = entry.link.publisher.uri.as_ref()?;
    let error = AdvertisedUri::parse(uri).err()?;
    let publisher = super::trouble::publisher(&entry.link);
    let summary = format!(
        "{} advertises {uri:?} for {}, which is no address: {error}",
        capital(&publisher),
        entry.link.shown_name()
    );
    let process = entry.link.publisher.process.as_ref().and_then(|process| graph.process(process));
    let mut explanation = vec!["Nobody can connect to it, and nobody tries.".to_owned()];
    explanation.extend(process.and_then(|state| odd_variable(state, uri)));
    let pid = process.map(|state| format!(" (pid {})", state.process.pid)).unwrap_or_default();
    let remedies = vec![match meant(graph, process, uri) {
        Some(ip) => format!("Restart {publisher}{pid} with {}.", plainly(process, uri, ip)),
        None => format!("Restart {publisher}{pid} with ROS_IP set to an address of its host."),
    }];
    let draft = Draft::new(graph, Code::NeverAttempted, Severity::Error, state.at);
    let draft = draft.link(&entry.link, Some(client)).stage(graph, state).address(Some(uri.clone()));
    let told = entry.link.stage(Stage::Advertised).map(|advertised| advertised.evidence.iter().copied());
    let draft = draft.evidence(told.into_iter().flatten());
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

/// The variable of the environment that made the URI what it is.
pub(super) fn odd_variable(state: &ProcessState, uri: &str) -> Option<String> {
    let set = |name: &'static str| state.process.environment.get(name).map(|value| (name, value));
    let (name, value) = ["ROS_HOSTNAME", "ROS_IP"].into_iter().find_map(set)?;
    uri.contains(value.as_str()).then(|| format!("Its {name} is {value:?}."))
}

/// The setting that says an address and nothing else. `ROS_HOSTNAME` wins over `ROS_IP`, and is where a scheme usually stands.
pub(super) fn plainly(process: Option<&ProcessState>, uri: &str, ip: IpAddr) -> String {
    let set = |state: &ProcessState| state.process.environment.contains_key("ROS_HOSTNAME");
    let nested = AdvertisedUri::parse(uri) == Err(UriError::SchemeInHost);
    if process.map_or(nested, set) {
        format!("ROS_IP={ip} in its environment and without ROS_HOSTNAME, which would win")
    } else {
        format!("ROS_IP={ip} in its environment, and nothing else in it")
    }
}

/// The address that stands in a URI with something else around it, or one of the host that wrote it.
pub(super) fn meant(graph: &Graph, process: Option<&ProcessState>, uri: &str) -> Option<IpAddr> {
    let written = uri.rsplit_once("://").map_or(uri, |(_, rest)| rest);
    let mut parts = written.split(|c: char| !(c.is_ascii_hexdigit() || c == '.'));
    let written = parts.next().and_then(|part| part.parse().ok()).filter(|ip| is_advertisable(*ip));
    let own = process.and_then(|state| graph.namespace(state.process.net_namespace));
    let own = own.map(|namespace| namespace.addresses.iter().map(|own| own.address));
    match own {
        Some(mut own) => {
            let mut all = own.clone().filter(|ip| is_advertisable(*ip));
            own.find(|ip| Some(*ip) == written).or_else(|| all.next())
        }
        None => written,
    }
}
