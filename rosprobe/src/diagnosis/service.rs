//! Services whose server cannot be reached.

use super::connect::{meaning, remedies, trouble_of};
use super::draft::{Draft, Words};
use super::trouble::Trouble;
use super::{Code, Finding, Severity};
use crate::graph::{Entry, Graph, LinkKind, Outcome, Stage};
use crate::observation::Span;

pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Service {
        return None;
    }
    let state = entry.link.stage(Stage::Service)?;
    let outcome = trouble_of(graph, state, false)?;
    let trouble = Trouble::new(graph, entry, state)?;
    let (service, server, place) = (&entry.link.name, trouble.publisher(), trouble.place());
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
        _ => return None,
    };
    let summary = format!("connect() to {place}, where {server} says it serves {service}, {ended}");
    let cause = trouble.cause(&outcome);
    let mut explanation = vec![format!(
        "The master told {} that {service} is at {}.",
        trouble.who(),
        entry.link.publisher.uri.clone().unwrap_or_default()
    )];
    explanation.extend(trouble.because(cause, &outcome));
    let remedies = remedies(&trouble, cause, &outcome);
    let draft = Draft::new(graph, Code::ServiceUnreachable, Severity::Error, state.at);
    let draft = draft.link(&entry.link, Some(trouble.client)).stage(graph, state).address(Some(place)).errno(errno);
    Some(draft.finish(&Words { summary, explanation, remedies }))
}
