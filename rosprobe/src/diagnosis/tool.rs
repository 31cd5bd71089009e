//! What rosprobe itself could not see.

use super::draft::{Draft, Words};
use super::trouble::who;
use super::{Code, Finding, Severity};
use crate::graph::{Graph, Incident, IncidentKind, LINK_LIMIT, Link, LinkKind, Party};

pub(super) fn of_incident(graph: &Graph, kind: &IncidentKind, incident: &Incident) -> Option<Finding> {
    let (code, words, client) = match kind {
        IncidentKind::EventsLost => (Code::EventsLost, events_lost(graph, incident.count), None),
        IncidentKind::LinksRefused => (Code::LimitReached, limit_reached(incident.count), None),
        IncidentKind::PayloadTruncated { client, .. } => {
            let client = graph.client(*client);
            let name = client.map_or_else(|| "a client".into(), who);
            let in_packets = client.is_some_and(|client| client.process.is_none());
            (Code::PayloadTruncated, payload_truncated(&name, in_packets), client)
        }
        _ => return None,
    };
    let mut draft = Draft::new(graph, code, Severity::Warning, incident.last);
    if let Some(client) = client {
        draft = draft.client(client);
    }
    let draft = draft.times(graph, incident.first, incident.last, incident.count);
    Some(draft.evidence(incident.evidence.iter().copied()).finish(&words))
}

/// Incomplete links that are named.
const NAMED: usize = 5;

fn events_lost(graph: &Graph, count: u64) -> Words {
    let mut explanation = vec!["The ring buffer was full. Links whose bytes are missing are marked incomplete, and nothing is concluded from what was not seen on them.".to_owned()];
    let incomplete: Vec<&Link> = graph.links().filter(|link| link.incomplete && !link.gone).collect();
    if !incomplete.is_empty() {
        let named: Vec<String> = incomplete.iter().take(NAMED).map(|link| named(link)).collect();
        let more = incomplete.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        explanation.push(format!("Incomplete: {}{more}.", named.join(", ")));
    }
    Words {
        summary: format!("{count} events were lost between kernel and rosprobe: what is shown may be incomplete"),
        explanation,
        remedies: vec!["Watch less at once: rosprobe watch --pid PID or --comm NAME.".into()],
    }
}

/// A link by its topic and its ends.
fn named(link: &Link) -> String {
    let end = |party: &Party| {
        let process = || party.process.as_ref().map(|process| format!("{}[{}]", process.comm, process.pid));
        party.node.clone().or_else(process).or_else(|| party.uri.clone())
    };
    let ends = [("of", end(&link.subscriber)), ("from", end(&link.publisher))];
    let about = match link.kind {
        LinkKind::Master => "master",
        LinkKind::Callback => "callback",
        _ => link.shown_name(),
    };
    let ends = ends.iter().filter_map(|(word, end)| Some(format!(" {word} {}", end.as_ref()?)));
    format!("{about}{}", ends.collect::<String>())
}

/// In a packet capture nobody has a process, and it was the capture that cut.
fn payload_truncated(name: &str, in_packets: bool) -> Words {
    let (longer_than, why, remedy) = if in_packets {
        (
            "what the capture keeps of a packet",
            "tcpdump -s N and dumpcap -s N keep N bytes of each packet.",
            "Capture again with whole packets: tcpdump -s 0 -i any -w fault.pcap",
        )
    } else {
        (
            "the limit",
            "rosprobe copies at most --payload-limit bytes of a message.",
            "Watch again with a larger limit: rosprobe watch --payload-limit 16777216",
        )
    };
    Words {
        summary: format!(
            "a message of {name} was longer than {longer_than} and was cut: what it said behind that is unknown"
        ),
        explanation: vec![why.into()],
        remedies: vec![remedy.into()],
    }
}

fn limit_reached(count: u64) -> Words {
    Words {
        summary: format!(
            "{count} links are not followed: rosprobe keeps {LINK_LIMIT} at most, and 1024 publishers of one topic for one subscriber"
        ),
        explanation: vec!["Someone advertises far more than a ROS system has; what is followed is complete.".into()],
        remedies: vec!["Look for a node that registers the same topic again and again, run: rostopic list -v".into()],
    }
}
