//! Nodes that died and were started again: what their subscribers and clients tried meanwhile is over, and no fault any more.

use std::time::Duration;

use super::trouble::who;
use super::{Finding, Severity};
use crate::errno::Errno;
use crate::event::Monotonic;
use crate::graph::{Entry, Graph, LinkKind, Outcome, Stage};
use crate::observation::AdvertisedUri;
use crate::printable::printable;

/// The master tells subscribers of a new address within milliseconds, unless its three workers wait for somebody else.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Where a node is again, and since when.
struct Back {
    uri: String,
    at: Monotonic,
    /// The subscriber or client was told.
    told: bool,
}

/// The finding as it stands: information that is over, where nobody listens at an address because its node is at another one by now.
pub(super) fn settled(graph: &Graph, entry: &Entry, finding: Finding) -> Finding {
    if finding.errno != Some(Errno::ECONNREFUSED) || finding.severity == Severity::Info {
        return finding;
    }
    let Some(back) = listed_again(graph, entry).or_else(|| announced_again(graph, entry)) else { return finding };
    let client = graph.client(entry.track.client).map_or_else(|| "the client".into(), who);
    let told = if back.told { format!("and {client} knows that") } else { format!("which {client} is about to hear") };
    let node = finding.peer.as_ref().and_then(|peer| peer.node.clone()).unwrap_or_else(|| "The node".into());
    let over = format!("{node} was started again and is at {} now, {told}: this is over.", back.uri);
    Finding {
        severity: Severity::Info,
        ended: finding.ended.or_else(|| Some(graph.wall(back.at))),
        explanation: printable(&over).into_owned(),
        remedies: Vec::new(),
        ..finding
    }
}

/// The list that the old address is missing from names a new one of the same node.
fn listed_again(graph: &Graph, entry: &Entry) -> Option<Back> {
    let (_, gone) = entry.track.gone?;
    let told_since = |other: &Entry| {
        let state = other.link.stage(Stage::Advertised).filter(|state| state.outcome == Outcome::Ok);
        state.is_some_and(|state| state.at >= gone)
    };
    let (old, new) = (&entry.link, |other: &&Entry| {
        other.track.client == entry.track.client
            && other.link.kind == entry.link.kind
            && other.link.name == entry.link.name
            && !other.link.gone
            && other.track.uri != entry.track.uri
            && told_since(other)
    });
    let same_node = |other: &&Entry| match (&old.publisher.node, &other.link.publisher.node) {
        (Some(one), Some(another)) => one == another,
        _ => host(entry) == host(other),
    };
    // A service has one server.
    let same = |other: &&Entry| old.kind == LinkKind::Service || same_node(other);
    let back = graph.entries().filter(new).find(same)?;
    Some(Back { uri: back.track.uri.clone(), at: gone, told: true })
}

fn host(entry: &Entry) -> Option<&str> {
    entry.track.target.as_ref().map(|uri| uri.host.as_str())
}

/// The node has told the master its new address, and its subscriber hears of it in a moment.
fn announced_again(graph: &Graph, entry: &Entry) -> Option<Back> {
    if entry.link.kind != LinkKind::Topic || entry.link.gone {
        return None;
    }
    let newer = graph.registered_again(entry)?;
    let at = newer.registered?.at;
    let uri = newer.api.as_ref().map(AdvertisedUri::text)?;
    (graph.now().since(at) < TOLD_WITHIN).then_some(Back { uri, at, told: false })
}
