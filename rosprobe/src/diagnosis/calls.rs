//! Calls of the master, and by it, that nobody answered, and those that failed.

use std::collections::BTreeMap;

use super::cause::capital;
use super::draft::{Draft, Words};
use super::handshake::{ANSWER_AFTER, CLOSED_AFTER, client, draft, place, silent_peer};
use super::trouble::{publisher, who};
use super::{Code, Finding, Severity};
use crate::graph::{Graph, Incident, IncidentKind, LinkId, LinkKind, Stage};
use crate::observation::{ObservationId, Span};

/// Calls of masters and callbacks that nobody answered, one finding a link and method.
pub(super) fn unanswered(graph: &Graph) -> Vec<(LinkId, Finding)> {
    let mut silent: BTreeMap<(LinkId, String), Vec<(ObservationId, bool)>> = BTreeMap::new();
    for (id, call) in graph.waiting_calls() {
        let late = match call.broken {
            Some(at) => graph.now().since(at) >= CLOSED_AFTER,
            None => graph.now().since(call.at) >= ANSWER_AFTER,
        };
        let Some(link) = call.link.filter(|_| late) else { continue };
        if call.broken.is_none() || !called_has_ended(graph, link) {
            silent.entry((link, call.call.method().to_owned())).or_default().push((id, call.at_client));
        }
    }
    let finding = |link, method: &str, calls: &[_]| Some((link, unanswered_method(graph, link, method, calls)?));
    silent.into_iter().filter_map(|((link, method), calls)| finding(link, &method, &calls)).collect()
}

/// That it ended with a call unanswered says nothing of whoever is called next: that will be refused, or answered.
fn called_has_ended(graph: &Graph, link: LinkId) -> bool {
    let entry = graph.entries().find(|entry| entry.link.id == link);
    let process = entry.and_then(|entry| graph.process(entry.link.publisher.process.as_ref()?));
    process.is_some_and(|state| state.exited.is_some())
}

fn unanswered_method(graph: &Graph, link: LinkId, method: &str, calls: &[(ObservationId, bool)]) -> Option<Finding> {
    let entry = graph.entries().find(|entry| entry.link.id == link)?;
    let state = match entry.link.kind {
        LinkKind::Master => entry.link.stage(Stage::Master)?,
        LinkKind::Callback => entry.link.stage(Stage::Callback)?,
        _ => return None,
    };
    let times: Vec<_> = graph
        .waiting_calls()
        .filter(|(id, _)| calls.iter().any(|call| call.0 == *id))
        .map(|(_, call)| call.at)
        .collect();
    let (first, last) = (times.iter().min().copied()?, times.iter().max().copied()?);
    let peer = match entry.link.kind {
        LinkKind::Master => "the master".to_owned(),
        _ => publisher(&entry.link),
    };
    let waited = Span(graph.now().0.saturating_sub(first.0));
    let summary = format!(
        "{} at {} has not answered the {method} of {} for {waited}",
        capital(&peer),
        place(state),
        client(graph, entry)
    );
    let (mut explanation, remedies) = silent_peer(graph, entry, state, &peer);
    explanation.insert(0, "The connection was accepted and the request was sent whole.".into());
    let count = calls.iter().filter(|call| call.1).count().max(calls.len().div_ceil(2)) as u64;
    let draft = draft(graph, entry, state, Code::NoResponse, Severity::Error).times(graph, first, last, count);
    Some(draft.evidence(calls.iter().map(|call| call.0)).finish(&Words { summary, explanation, remedies }))
}

/// Calls of the master that were answered with a failure or a fault.
pub(super) fn failed(graph: &Graph, kind: &IncidentKind, incident: &Incident) -> Option<Finding> {
    let IncidentKind::CallFailed { client, method, subject, message, fault } = kind else { return None };
    // What roscpp answers when it cannot connect to a publisher that it was told of: that connect is a finding of its own.
    if method == "publisherUpdate" && message == "Unknown Error" {
        return None;
    }
    let client = graph.client(*client)?;
    let about = if subject.is_empty() { String::new() } else { format!(" {subject}") };
    let word = if *fault { "a fault" } else { "a failure" };
    let summary = format!("{method}{about} of {} was answered with {word}: {message}", who(client));
    let explanation = vec!["The connection works; the call itself was refused.".to_owned()];
    let topic = subject
        .starts_with('/')
        .then(|| subject.clone())
        .filter(|_| matches!(method.as_str(), "registerPublisher" | "registerSubscriber" | "publisherUpdate"));
    let draft = Draft::new(graph, Code::CallFailed, Severity::Error, incident.last)
        .client(client)
        .topic(topic)
        .on(Stage::Master);
    let draft =
        draft.times(graph, incident.first, incident.last, incident.count).evidence(incident.evidence.iter().copied());
    let draft = draft.address(client.master.map(|master| master.to_string()));
    Some(draft.finish(&Words {
        summary,
        explanation,
        remedies: vec![format!("Correct what the message names; {} asked for it.", who(client))],
    }))
}
