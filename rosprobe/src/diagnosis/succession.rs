//! A master that was started again: who registered with the one before is not known to it, and rospy and roscpp register only once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::draft::{Draft, Words};
use super::trouble::who;
use super::{Code, Finding, Severity};
use crate::event::Monotonic;
use crate::graph::{Change, Client, Graph, Stage, Succession};
use crate::observation::{AdvertisedUri, Span};

/// Nodes that watch for their master register again sooner, and roslaunch has started again what it respawns.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// Nodes named in a sentence; the rest is counted.
const NAMED: usize = 6;

/// Nodes that run, and that the master which is there now does not know; one finding a master.
pub(super) fn forgotten(graph: &Graph) -> Vec<Finding> {
    let mut by_master: BTreeMap<(Monotonic, String), (&Succession, Vec<&Client>)> = BTreeMap::new();
    for client in graph.clients() {
        let Some(succession) = known_before(graph, client).filter(|_| runs_here(graph, client)) else { continue };
        let master = client.master.map(|master| master.port().to_string()).unwrap_or_default();
        by_master.entry((succession.at, master)).or_insert_with(|| (succession, Vec::new())).1.push(client);
    }
    let nodes = by_master.into_values().filter_map(|(succession, nodes)| of_nodes(graph, succession, &nodes));
    nodes.chain(subscribers(graph)).collect()
}

/// The master that took the place of its own, long enough ago.
fn known_before<'a>(graph: &'a Graph, client: &Client) -> Option<&'a Succession> {
    let node = graph.node_named(client.name.as_deref()?, client)?;
    graph
        .succession_of(client)
        .filter(|succession| !node.has_nothing() && graph.now().since(succession.at) >= BACK_WITHIN)
}

fn runs_here(graph: &Graph, client: &Client) -> bool {
    let state = client.process.as_ref().and_then(|process| graph.process(process));
    state.is_some_and(|state| state.exited.is_none())
}

fn of_nodes(graph: &Graph, succession: &Succession, nodes: &[&Client]) -> Option<Finding> {
    let first = nodes.first()?;
    let master = first.master?;
    let names: Vec<String> = nodes.iter().map(|client| who(client)).collect();
    let (these, register) = if let [only] = &names[..] {
        (format!("{only}, which had"), "has")
    } else {
        (format!("{}, which had", listed(&names)), "have")
    };
    let summary = format!(
        "the master at {master} was started again {} ago: {these} registered before, {register} not registered since",
        Span(graph.now().0.saturating_sub(succession.at.0))
    );
    let explanation = vec![
        how_known(graph, succession),
        "A node with rospy or roscpp registers once, when it starts. Who asks this master is not told of these nodes, and they hear of nobody new; what was connected before goes on.".to_owned(),
    ];
    let remedies = vec![format!("Start again, the way each was started: {}.", listed(&names))];
    let uri = format!("http://{master}/");
    let draft = Draft::new(graph, Code::MasterUnreachable, Severity::Warning, succession.at).on(Stage::Master);
    let draft = draft.node(nodes.first().filter(|_| nodes.len() == 1).and_then(|client| client.name.clone()));
    let draft = draft.address(Some(master.to_string())).peer(Some("/master".into()), Some(uri));
    let draft = draft
        .times(graph, succession.at, succession.at, nodes.len() as u64)
        .key(&format!("started again {:?}", succession.by));
    Some(draft.evidence(succession.by.iter().copied()).finish(&Words { summary, explanation, remedies }))
}

/// Subscribers that asked the new master, and were not told of a publisher that the old one knew.
fn subscribers(graph: &Graph) -> Vec<Finding> {
    let before: Vec<(&Client, &Succession)> =
        graph.clients().filter_map(|client| Some((client, known_before(graph, client)?))).collect();
    if before.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for subscriber in graph.clients() {
        let Some(last) = subscriber.last_registered else { continue };
        for (topic, list) in subscriber.lists.iter().filter(|(topic, _)| !super::is_rosout(topic)) {
            let asked_since = |(other, succession): &&(&Client, &Succession)| {
                other.id != subscriber.id
                    && last.at >= succession.at
                    && other.name != subscriber.name
                    && graph
                        .clients_named(other.name.as_deref().unwrap_or_default(), subscriber)
                        .any(|same| same.id == other.id)
            };
            let untold = before.iter().filter(asked_since).find_map(|(other, succession)| {
                let publishes = graph.node_named(other.name.as_deref()?, other)?.publishes.contains(topic);
                let uri = other.api.as_ref().map(AdvertisedUri::text)?;
                if publishes && !list.uris.contains(&uri) {
                    return Some((other.name.clone(), uri, runs_here(graph, other), *succession));
                }
                // What another subscriber was told by the old one.
                let known = other.lists.get(topic).filter(|_| list.uris.is_empty() && runs_here(graph, other))?;
                let uri = known.uris.first()?.clone();
                Some((graph.name_of_uri(&uri, other), uri, false, *succession))
            });
            if let Some((node, uri, runs, succession)) = untold {
                findings.push(untold_of(graph, subscriber, topic, (node, uri), runs, succession));
            }
        }
    }
    findings
}

fn untold_of(
    graph: &Graph,
    subscriber: &Client,
    topic: &str,
    (node, uri): (Option<String>, String),
    runs: bool,
    succession: &Succession,
) -> Finding {
    let publisher = node.clone().unwrap_or_else(|| format!("the publisher at {uri}"));
    let summary = format!(
        "the master did not tell {} of {publisher}, which publishes {topic}: it was started again {} ago, and {publisher} registered with the one before",
        who(subscriber),
        Span(graph.now().0.saturating_sub(succession.at.0))
    );
    let explanation = vec![
        how_known(graph, succession),
        format!(
            "A node with rospy or roscpp registers once, when it starts. {} waits, and prints nothing about this.",
            who(subscriber)
        ),
    ];
    let remedies = vec![if runs {
        format!("Start {publisher} again, so that it registers with the master that is there now.")
    } else {
        format!("If {publisher} still runs, start it again, so that it registers with the master that is there now.")
    }];
    let severity = if runs { Severity::Error } else { Severity::Warning };
    let at = subscriber.last_registered.map_or(succession.at, |last| last.at);
    // The connection to the master works: what is missing is what it should have told.
    let draft = Draft::new(graph, Code::MasterUnreachable, severity, at).on(Stage::Advertised).client(subscriber);
    let draft = draft.node(subscriber.name.clone()).topic(Some(topic.to_owned())).peer(node, Some(uri));
    let draft = draft.address(subscriber.master.map(|master| master.to_string()));
    let evidence = succession.by.iter().copied().chain(subscriber.registered.map(|registered| registered.by));
    draft.evidence(evidence).finish(&Words { summary, explanation, remedies })
}

fn how_known(graph: &Graph, succession: &Succession) -> String {
    match &succession.change {
        Change::Process { before, now } => format!(
            "The master with which they registered (pid {}) has ended; {} (pid {}) answers in its place, and knows only who registered since.",
            before.0, now.comm, now.pid
        ),
        Change::Refused { at } => format!(
            "It refused connections {} ago, and answers again: most likely it was started anew, and a master remembers nobody from before.",
            Span(graph.now().0.saturating_sub(at.0))
        ),
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
