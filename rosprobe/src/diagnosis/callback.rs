//! The master calls nodes back, and the node that it cannot call never hears of new publishers.

use super::address::remedies;
use super::cause::{Cause, meaning};
use super::draft::{Draft, Words};
use super::name::lookup_words;
use super::trouble::{Trouble, trouble_of, who};
use super::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::graph::{Client, Entry, Graph, IncidentKind, LEAVING, LinkKind, Outcome, Resolution, Stage, StageState};
use crate::observation::Span;

pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Callback {
        return None;
    }
    let state = entry.link.stage(Stage::Callback)?;
    if let Some(Outcome::Refused { reason }) = &state.failure {
        return refused(graph, entry, state, reason);
    }
    let outcome = trouble_of(graph, entry, state)?;
    let trouble = Trouble::new(graph, entry, state)?;
    let first = state.first_failure.unwrap_or(state.at);
    let leaving = graph.leaving(entry.link.publisher.process.as_ref());
    if matches!(outcome, Outcome::Failed { errno: Errno::ECONNREFUSED }) && graph.now().since(first) < leaving {
        return None;
    }
    let (errno, ended) = ending(&trouble, &outcome)?;
    let (callee, place) = (trouble.publisher(), trouble.place());
    if let Some(newer) = graph.registered_again(entry) {
        // Nobody is there any more: whoever was has been started again, and the master knows where.
        let gone = errno == Some(Errno::ECONNREFUSED);
        return (!gone).then(|| older_left(&trouble, newer, errno, &ended));
    }
    let dead = trouble.publisher_has_ended();
    if dead && was_replaced(graph, &callee) {
        return None;
    }
    let topic = topic(graph, entry);
    let about = topic.as_ref().map(|topic| format!(" of {topic}")).unwrap_or_default();
    let node = graph.client(entry.track.client).and_then(|client| graph.node_named(&callee, client));
    let missed = if node.is_some_and(|node| node.subscribes.is_empty()) {
        "it will never hear of changed parameters, or that it is to shut down".to_owned()
    } else {
        format!("it will never hear of new publishers{about}")
    };
    let summary = format!("the master cannot call {callee} back at {place}: {ended}; {missed}");
    let mut explanation = vec![format!(
        "{callee} registered with the caller API {}.",
        entry.link.publisher.uri.clone().unwrap_or_default()
    )];
    let mut fixes = Vec::new();
    if dead {
        explanation.push("Its process has ended without unregistering.".into());
        fixes.extend(trouble.clean_up());
    } else if matches!(outcome, Outcome::NeverAttempted { .. }) && trouble.ip.is_some() {
        explanation.push("A connect() that fails at once, because there is no route, sends no packet.".into());
        fixes.extend(trouble.advertise_better());
    } else if matches!(outcome, Outcome::NeverAttempted { .. }) {
        explanation.push(format!("On the master's host, {}, so it never connects.", lookup_words(&trouble)));
        fixes.extend(trouble.hosts_line());
        fixes.extend(trouble.advertise_better());
    } else {
        let cause = trouble.cause(&outcome);
        explanation.extend(trouble.because(cause, &outcome));
        fixes = remedies(&trouble, cause, &outcome);
        if cause == Cause::Dropped {
            explanation
                .push("While it waits, one of the master's three workers for all its callbacks is held up.".into());
        }
    }
    explanation.push("The master tries it once and tells nobody but its own log.".into());
    if !dead {
        explanation.extend(topic.as_ref().and_then(|topic| waits(&trouble, topic)));
    }
    let severity = if dead { Severity::Warning } else { Severity::Error };
    let draft = Draft::new(graph, Code::CallbackFailed, severity, state.at).link(&entry.link, Some(trouble.client));
    let draft = draft.stage(graph, state).address(Some(place)).errno(errno).topic(topic);
    let draft = draft.node(entry.link.publisher.node.clone());
    Some(draft.finish(&Words { summary, explanation, remedies: fixes }))
}

/// The node knows no such method. One that is on its way out does not either, and it has ended when this is said.
fn refused(graph: &Graph, entry: &Entry, state: &StageState, reason: &str) -> Option<Finding> {
    let trouble = Trouble::new(graph, entry, state)?;
    if graph.now().since(state.first_failure.unwrap_or(state.at)) < LEAVING || trouble.publisher_has_ended() {
        return None;
    }
    let (callee, place) = (trouble.publisher(), trouble.place());
    let summary = format!("{callee} at {place} answered the master's call with a fault: {reason}");
    let explanation = vec![
        "Every node has the methods that a master calls. The node that registered this address is stopping and does not come to its end, or something else listens there.".to_owned(),
    ];
    let remedies =
        vec![format!("Look at what listens at {place}, on its host run: ss -ltnp; if it is {callee}, restart it.")];
    let draft = Draft::new(graph, Code::CallFailed, Severity::Error, state.at).link(&entry.link, Some(trouble.client));
    let draft = draft.stage(graph, state).address(Some(place)).topic(topic(graph, entry));
    let draft = draft.node(entry.link.publisher.node.clone());
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

/// A second node took the name, and the master cannot tell the first one to end.
fn older_left(trouble: &Trouble<'_>, newer: &Client, errno: Option<Errno>, ended: &str) -> Finding {
    let (name, place) = (trouble.publisher(), trouble.place());
    let summary =
        format!("two nodes may be called {name}: the master cannot shut the older one down at {place}: {ended}");
    let explanation = vec![
        format!(
            "{} registered that name again. A name belongs to one node, so the master calls shutdown on the older one.",
            who(newer)
        ),
        "If that still runs, it keeps its connections and hears of nothing new.".to_owned(),
    ];
    let remedies = vec![format!(
        "If the older {name} still runs, end it on its host, or give one of the two another name, for instance with __name:=other on its command line."
    )];
    let state = trouble.state;
    let draft = Draft::new(trouble.graph, Code::DuplicateNode, Severity::Warning, state.at);
    let draft = draft.link(&trouble.entry.link, Some(trouble.client)).stage(trouble.graph, state);
    let draft = draft.address(Some(place)).errno(errno).node(Some(name));
    draft.finish(&Words { summary, explanation, remedies })
}

/// The master shut it down because another node took its name: that it then refuses is what was wanted.
fn was_replaced(graph: &Graph, name: &str) -> bool {
    graph.incidents().any(|(kind, _)| matches!(kind, IncidentKind::Replaced { node, .. } if node == name))
}

fn ending(trouble: &Trouble<'_>, outcome: &Outcome) -> Option<(Option<Errno>, String)> {
    Some(match outcome {
        Outcome::Failed { errno } => (Some(*errno), format!("connect() failed: {errno}{}", meaning(*errno))),
        Outcome::Abandoned { after_ns, .. } => (None, format!("connect() was given up after {}", Span(*after_ns))),
        Outcome::Pending { since, syn_retransmits } => (
            None,
            format!(
                "connect() has had no answer for {} ({syn_retransmits} SYNs sent again)",
                Span(trouble.graph.now().0.saturating_sub(since.0))
            ),
        ),
        // Among processes only a name explains why a master did not even try; in a packet capture there is also no trace of a
        // connect that found no route.
        Outcome::NeverAttempted { .. } => match trouble.resolution {
            Resolution::Denied { .. } | Resolution::Silent { .. } | Resolution::NotInHosts => {
                (None, format!("it does not know the name {}", trouble.host))
            }
            _ if !trouble.graph.sees_processes() => (None, "no packet of an attempt was captured".into()),
            _ => return None,
        },
        _ => return None,
    })
}

/// The other half, where the node's own host was seen as well: all that it was ever told.
fn waits(trouble: &Trouble<'_>, topic: &str) -> Option<String> {
    let client = trouble.publisher_client()?;
    let who = who(client);
    Some(match client.lists.get(topic)?.uris.len() {
        0 => format!("{who} waits: it was told of no publisher of {topic}, and of nothing since."),
        told => format!(
            "{who} was told of {told} publisher{} of {topic}, and of nothing since.",
            if told == 1 { "" } else { "s" }
        ),
    })
}

/// The topic that it is about, when that is only one.
fn topic(graph: &Graph, entry: &Entry) -> Option<String> {
    let due = &entry.track.topics;
    let node = entry
        .link
        .publisher
        .node
        .as_ref()
        .zip(graph.client(entry.track.client))
        .and_then(|(name, client)| graph.node_named(name, client));
    let own = node.map(|node| &node.subscribes);
    match (due.len(), own) {
        (1, _) => due.first().cloned(),
        (0, Some(own)) if own.len() == 1 => own.first().cloned(),
        _ => None,
    }
}
