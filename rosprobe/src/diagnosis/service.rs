//! Services whose server cannot be reached, or ends before it answers.

use std::net::IpAddr;

use super::address::{no_errno, not_come, remedies, unseen};
use super::cause::{capital, meaning};
use super::draft::{Draft, Words};
use super::handshake;
use super::name::{is_unresolved, lookup_words, unknown_name};
use super::trouble::{Trouble, publisher, trouble_of};
use super::{Code, Finding, Severity};
use crate::graph::{Entry, Graph, LinkKind, Outcome, Stage, StageState};
use crate::observation::Span;

pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Service {
        return None;
    }
    let state = entry.link.stage(Stage::Service)?;
    let outcome = trouble_of(graph, entry, state)?;
    let trouble = Trouble::new(graph, entry, state)?;
    let (service, server, place) = (entry.link.shown_name(), trouble.publisher(), trouble.place());
    let (errno, ended) = match &outcome {
        Outcome::Failed { errno } => (Some(*errno), format!("failed: {errno}{}", meaning(*errno))),
        Outcome::Abandoned { after_ns, .. } => {
            (None, format!("was given up after {} without any answer", Span(*after_ns)))
        }
        Outcome::Pending { since, syn_retransmits } => (
            None,
            format!(
                "has had no answer for {} ({syn_retransmits} SYNs sent again)",
                Span(graph.now().0.saturating_sub(since.0))
            ),
        ),
        Outcome::NeverAttempted { .. } => return never_attempted(&trouble, state),
        _ => return None,
    };
    let summary = format!("connect() to {place}, where {server} says it serves {service}, {ended}");
    let cause = trouble.cause(&outcome);
    let mut explanation = vec![told(&trouble)];
    explanation.extend(trouble.because(cause, &outcome));
    let remedies = remedies(&trouble, cause, &outcome);
    Some(draft(&trouble, state).errno(errno).finish(&Words { summary, explanation, remedies }))
}

/// The client was told where the service is and did not connect: it does not know the name, or its connect sent no packet.
fn never_attempted(trouble: &Trouble<'_>, state: &StageState) -> Option<Finding> {
    let (service, server, place) = (trouble.entry.link.shown_name(), trouble.publisher(), trouble.place());
    let at = format!("{} says it serves {service} at {place}", capital(&server));
    let mut explanation = vec![told(trouble)];
    if is_unresolved(trouble) && trouble.host.parse::<IpAddr>().is_err() {
        explanation.push(format!("On {}, {}.", trouble.client_host(), lookup_words(trouble)));
        let summary = format!("{at}, and {}", unknown_name(trouble));
        let remedies = trouble.hosts_line().into_iter().chain(trouble.advertise_better()).collect();
        let evidence = trouble.graph.name_evidence(trouble.client, &trouble.host);
        return Some(draft(trouble, state).evidence(evidence).finish(&Words { summary, explanation, remedies }));
    }
    if trouble.client.process.is_some() {
        // It was seen all the time and wanted nothing of the service.
        return None;
    }
    explanation.extend(unseen(trouble));
    let summary = format!("{at}; {} was told so, and {}", trouble.who(), not_come(trouble));
    let better = trouble.advertise_present().or_else(|| trouble.advertise_better());
    let remedies = trouble.tunnel(no_errno(trouble)).into_iter().chain(better).collect();
    Some(draft(trouble, state).finish(&Words { summary, explanation, remedies }))
}

fn draft(trouble: &Trouble<'_>, state: &StageState) -> Draft {
    let told =
        trouble.entry.link.stage(Stage::Advertised).map(|advertised| advertised.evidence.iter().copied().take(2));
    Draft::new(trouble.graph, Code::ServiceUnreachable, Severity::Error, state.at)
        .link(&trouble.entry.link, Some(trouble.client))
        .stage(trouble.graph, state)
        .address(Some(trouble.place()))
        .evidence(told.into_iter().flatten())
}

fn told(trouble: &Trouble<'_>) -> String {
    let (service, uri) = (trouble.entry.link.shown_name(), trouble.entry.link.publisher.uri.as_deref());
    format!("The master told {} that {service} is at {}.", trouble.who(), uri.unwrap_or_default())
}

/// The server ended the connection between a request and its answer.
pub(super) fn request_unanswered(graph: &Graph, entry: &Entry, state: &StageState) -> Finding {
    let (service, server) = (entry.link.name.as_deref().unwrap_or("the service"), publisher(&entry.link));
    let summary = format!(
        "{} at {} closed the connection of {} before it had answered the request for {service}",
        capital(&server),
        handshake::place(state),
        handshake::client(graph, entry)
    );
    let mut explanation = vec!["The connection and both headers were fine, and the request was sent whole.".to_owned()];
    let process = entry.link.publisher.process.as_ref();
    let ended = process.and_then(|process| graph.process(process)).is_some_and(|state| state.exited.is_some());
    let pid = process.map(|process| format!(" (pid {})", process.pid)).unwrap_or_default();
    explanation.push(if ended {
        format!(
            "The process of {server}{pid} has ended with it: it crashed or was killed while it worked on the request."
        )
    } else if process.is_some() {
        format!("{} still runs{pid}: it closed the connection by itself.", capital(&server))
    } else {
        format!("{} crashed, was killed, or was stopped while it worked on the request.", capital(&server))
    });
    explanation.push("Whether the request was carried out is not known. A client with a persistent connection does not connect again by itself.".to_owned());
    let remedies = vec![
        format!("Look at the output of {server} for why it ended, and start it again."),
        format!(
            "A client that keeps a persistent connection has to make a new one then: start {} again unless it does.",
            handshake::client(graph, entry)
        ),
    ];
    let ladder = entry.link.stages.iter().flat_map(|state| state.evidence.iter().copied());
    let draft = handshake::draft(graph, entry, state, Code::NoResponse, Severity::Error).evidence(ladder);
    draft.finish(&Words { summary, explanation, remedies })
}
