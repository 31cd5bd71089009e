//! Connected links that carry nothing: stalled, or with a publisher that is idle.

use std::time::Duration;

use super::cause::capital;
use super::draft::{Draft, Words};
use super::moved;
use super::trouble::{publisher, who};
use super::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::event::WaitsFor;
use crate::graph::{Entry, Graph, LinkKind, Outcome, Stage};
use crate::observation::{Bytes, Span};

/// Sent data that nobody acknowledges for this long, and that was sent again, is stuck. A lost segment costs a fifth of a second.
const STALLED_AFTER: Duration = Duration::from_secs(3);
/// Segments sent again before a link counts as stalled: after a fifth of a second, then twice as long each time, on a near host the
/// fourth after 3 s. Over a slow way that loses packets three in a row may be lost.
const STALLED_RETRANSMITS: u32 = 4;
/// What the kernel says is overdue is stuck after this long without them: a host that has no way left to send cannot send again.
const OVERDUE_AFTER: Duration = Duration::from_secs(10);
/// Whose buffer is full for this long takes nothing; a subscriber that is merely slow makes room now and then.
const UNREAD_AFTER: Duration = Duration::from_secs(10);
/// A link without a message for this long since its headers has an idle publisher.
const IDLE_AFTER: Duration = Duration::from_secs(10);

pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Topic || entry.link.gone {
        return None;
    }
    // Datagrams are not acknowledged.
    let stalled = if entry.track.datagrams.is_none() { stalled(graph, entry) } else { None };
    stalled.or_else(|| unread(graph, entry)).or_else(|| idle(graph, entry))
}

/// The subscriber's kernel answers, and its process takes nothing.
fn unread(graph: &Graph, entry: &Entry) -> Option<Finding> {
    let (link, stall) = (&entry.link, entry.track.stall);
    let since = stall.since.filter(|since| graph.now().since(*since) >= UNREAD_AFTER)?;
    if stall.waits_for != Some(WaitsFor::Room) || !link.reached(Stage::Data) {
        return None;
    }
    let state = link.stage(Stage::Data)?;
    let client = graph.client(entry.track.client);
    let subscriber = client.map_or_else(|| "the subscriber".into(), who);
    let summary = format!(
        "{} sends {} to {subscriber}, which has read nothing for {}: {} wait",
        capital(&publisher(link)),
        link.shown_name(),
        Span(graph.now().0.saturating_sub(since.0)),
        Bytes(stall.unacknowledged as f64)
    );
    let explanation = vec![
        format!(
            "The kernel of its host answers that its buffer is full, so the network is fine: {subscriber} takes nothing out of it. It was stopped, hangs, or still works on an earlier message."
        ),
        "Messages for it are thrown away meanwhile, or make the publisher wait.".to_owned(),
    ];
    let remedies = vec![match client.and_then(|client| client.process.as_ref()) {
        Some(process) => format!(
            "If `ps -o stat= -p {0}` shows that it is stopped (T), let it go on, run: kill -CONT {0}",
            process.pid
        ),
        None => format!("Look on its host what {subscriber} does, or restart it."),
    }];
    let draft = Draft::new(graph, Code::Stalled, Severity::Warning, since).link(link, client).stage(graph, state);
    let draft = draft.times(graph, since, graph.now(), 1).evidence(state.evidence.iter().copied());
    let address = link.stage(Stage::Header).and_then(|state| state.address).map(|address| address.to_string());
    Some(draft.address(address).finish(&Words { summary, explanation, remedies }))
}

fn stalled(graph: &Graph, entry: &Entry) -> Option<Finding> {
    let (link, stall) = (&entry.link, entry.track.stall);
    let state = link.stage(Stage::Data)?;
    let cut = match state.failure {
        Some(Outcome::Failed { errno: errno @ (Errno::ETIMEDOUT | Errno::EHOSTUNREACH | Errno::ENETUNREACH) }) => {
            Some(errno)
        }
        _ => None,
    };
    let sent_again = stall.retransmits.saturating_sub(stall.retransmits_then);
    let since = stall.since.filter(|since| {
        let waits = graph.now().since(*since);
        match stall.waits_for {
            Some(WaitsFor::Room) => false,
            Some(WaitsFor::Acknowledgement) if waits >= OVERDUE_AFTER => true,
            _ => waits >= STALLED_AFTER && sent_again >= STALLED_RETRANSMITS,
        }
    });
    if since.is_none() && cut.is_none() {
        return None;
    }
    let client = graph.client(entry.track.client);
    let publisher = publisher(link);
    let subscriber = client.map_or_else(|| "the subscriber".into(), who);
    let address = link.stage(Stage::Header).and_then(|state| state.address).map(|address| address.to_string());
    let summary = match (since, cut) {
        (Some(since), _) => format!(
            "{} sends {} to {subscriber}, and nothing of it has been acknowledged for {}: {} wait, sent again {sent_again} times",
            capital(&publisher),
            link.shown_name(),
            Span(graph.now().0.saturating_sub(since.0)),
            Bytes(stall.unacknowledged as f64),
        ),
        (None, errno) => format!(
            "the connection of {publisher} and {subscriber} for {} broke: {}",
            link.shown_name(),
            errno.map(|errno| errno.to_string()).unwrap_or_default()
        ),
    };
    let end = link.stage(Stage::Header).and_then(|state| state.address);
    let moved = end.and_then(|end| moved::of_connection(graph, link.publisher.process.as_ref(), end.ip(), &publisher));
    let why = match &moved {
        Some((became, _)) => became.clone(),
        None => "The headers went through, so addresses and ports are right; the way between the two hosts was cut afterwards, or lets only small packets pass (an MTU that is too large for a tunnel on the way).".to_owned(),
    };
    let explanation = vec![why, "Neither side notices for minutes.".to_owned()];
    let mut remedies = vec![format!(
        "Check the network between the two hosts (cable, wireless, VPN), then restart the subscriber {subscriber} to connect anew."
    )];
    if let Some((_, start_again)) = moved {
        remedies = vec![start_again];
    } else if let Some(party) = client.and_then(|client| client.reaches_master_from).filter(|ip| !ip.is_loopback()) {
        remedies.push(format!("If small messages pass and large ones do not, find the largest packet that passes, run on the publisher's host: tracepath -n {party}"));
    }
    let at = since.unwrap_or(state.at);
    let draft = Draft::new(graph, Code::Stalled, Severity::Error, at).link(link, client).stage(graph, state);
    let ladder = link.stages.iter().flat_map(|state| state.evidence.iter().copied());
    let draft = draft.times(graph, at, graph.now(), 1).address(address).errno(cut).evidence(ladder);
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

fn idle(graph: &Graph, entry: &Entry) -> Option<Finding> {
    let link = &entry.link;
    // Log topics are silent by nature.
    if super::is_rosout(link.shown_name()) || !link.reached(Stage::Header) {
        return None;
    }
    let since = entry.track.header_since?;
    let messages = link.traffic.received_messages + link.traffic.sent_messages;
    let connected = entry.track.data_socket.is_some() || entry.track.datagrams.is_some();
    // Datagrams that were sent and did not arrive leave no trace at the subscriber.
    if entry.track.datagrams.is_some() && link.publisher.process.is_none() {
        return None;
    }
    if messages > 0 || !connected || link.reached(Stage::Data) || graph.now().since(since) < IDLE_AFTER {
        return None;
    }
    let state = link.stage(Stage::Header)?;
    let client = graph.client(entry.track.client);
    let publisher = publisher(link);
    // What was lost on the way is seen where it was sent.
    let seen_to_send_nothing = link.publisher.process.is_some();
    let summary = format!(
        "{} and {} are connected for {}, and no message has come for {}: the publisher {} idle",
        capital(&publisher),
        client.map_or_else(|| "the subscriber".into(), who),
        link.shown_name(),
        Span(graph.now().0.saturating_sub(since.0)),
        if seen_to_send_nothing { "is" } else { "seems" }
    );
    let explanation = vec![match entry.track.datagrams {
        Some(_) => "The publisher was asked for datagrams (UDPROS) and has sent none.".to_owned(),
        None if seen_to_send_nothing => {
            "Both headers were exchanged, so the network is fine; the publisher has sent nothing since.".to_owned()
        }
        None => "Both headers were exchanged, so addresses and ports are right. Either the publisher has sent nothing since, or messages are too large for a path that loses large packets; rosprobe on the publisher's host can tell which.".to_owned(),
    }];
    let remedies = vec![format!(
        "Look at {publisher}: it publishes only when it has something to say, or waits for something itself."
    )];
    let draft = Draft::new(graph, Code::IdlePublisher, Severity::Info, since)
        .link(link, client)
        .stage(graph, state)
        .on(Stage::Data);
    Some(draft.times(graph, since, since, 1).finish(&Words { summary, explanation, remedies }))
}
