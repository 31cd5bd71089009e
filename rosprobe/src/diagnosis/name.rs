//! Names that lead nowhere, and how that is known.

use std::net::IpAddr;

use super::address::{draft, not_come, silence, told};
use super::cause::capital;
use super::draft::Words;
use super::trouble::Trouble;
use super::{Code, Finding};
use crate::graph::{Graph, Outcome, Resolution};
use crate::observation::Span;

pub(super) fn is_unresolved(trouble: &Trouble<'_>) -> bool {
    !matches!(trouble.resolution, Resolution::Literal(_) | Resolution::Hosts(_) | Resolution::Dns(_))
}

/// `/listener (python3, pid 42) does not know the name robot: no connect() at all`, as far as that is known.
pub(super) fn unknown_name(trouble: &Trouble<'_>) -> String {
    let (who, name) = (trouble.who(), &trouble.host);
    match trouble.resolution {
        Resolution::Unknown if trouble.client.process.is_none() => {
            format!("{who} most likely does not know the name {name}: {}", not_come(trouble))
        }
        _ => format!("{who} does not know the name {name}: no connect() at all"),
    }
}

/// How it is known that a name leads nowhere.
pub(super) fn lookup_words(trouble: &Trouble<'_>) -> String {
    lookup_words_of(trouble.graph, &trouble.resolution, &trouble.host)
}

pub(super) fn lookup_words_of(graph: &Graph, resolution: &Resolution, host: &str) -> String {
    let asked = |server: &Option<IpAddr>| server.map(|ip| format!(" {ip}")).unwrap_or_default();
    match resolution {
        Resolution::Denied { status, server } => {
            format!("the hosts file lacks {host}, and the name server{} answered {status}", asked(server))
        }
        Resolution::Silent { since, server } => format!(
            "the hosts file lacks {host}, and the name server{} has not answered for {}",
            asked(server),
            Span(graph.now().0.saturating_sub(since.0))
        ),
        Resolution::NotInHosts => format!("the hosts file lacks {host}, and no name server is configured"),
        Resolution::NotSeen => format!("the hosts file lacks {host}, and no answer of a name server was seen"),
        _ => format!(
            "how the name {host} was looked up was not seen: it may be unknown there, or stand for another host"
        ),
    }
}

pub(super) fn unresolved(trouble: &Trouble<'_>) -> Finding {
    let (publisher, topic) = (trouble.publisher(), trouble.entry.link.shown_name());
    let outcome = Outcome::NeverAttempted { since: trouble.state.at };
    let summary = format!(
        "{} says it publishes {topic} at {}, and {}",
        capital(&publisher),
        trouble.place(),
        unknown_name(trouble)
    );
    let mut explanation = vec![told(trouble), format!("On {}, {}.", trouble.client_host(), lookup_words(trouble))];
    if trouble.host.to_ascii_lowercase().ends_with(".local") {
        explanation.push(
            "Names in .local are answered by mDNS, for which both hosts need avahi-daemon and libnss-mdns.".into(),
        );
    }
    explanation.push(silence(trouble));
    let remedies = trouble.hosts_line().into_iter().chain(trouble.advertise_better()).collect::<Vec<_>>();
    let remedies = if remedies.is_empty() {
        vec![format!(
            "Restart {publisher} with ROS_IP set to an address of its host and without ROS_HOSTNAME, so that it advertises that instead of a name."
        )]
    } else {
        remedies
    };
    draft(trouble, Code::NameUnresolved, &outcome)
        .evidence(trouble.graph.name_evidence(trouble.client, &trouble.host))
        .finish(&Words { summary, explanation, remedies })
}
