//! Connects to advertised addresses: failed, pending, abandoned, never attempted, names unknown, loopback, wrong family.

use std::net::IpAddr;
use std::time::Duration;

use super::cause::{Cause, capital};
use super::draft::{Draft, Words};
use super::trouble::Trouble;
use super::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::graph::{Entry, Graph, LinkKind, Outcome, Resolution, Stage, StageState, Way};
use crate::observation::{AdvertisedUri, Span};

/// A connect under way this long without an answer is no longer a slow link. The SYN is sent again after 1 and after 2 more
/// seconds, and an address on the link that nobody has is given up after 3.1 s: that is a failure of its own.
const PENDING_AFTER: Duration = Duration::from_secs(4);
/// A link that worked may fail this long before it counts: its publisher may be on its way out, and the master says so in time.
const GRACE: Duration = Duration::from_secs(3);

/// Findings about the two connects of a topic's link.
pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Topic {
        return None;
    }
    for stage in [Stage::Xmlrpc, Stage::Tcpros] {
        let Some(state) = entry.link.stage(stage) else { continue };
        let Some(outcome) = trouble_of(graph, state, entry.track.worked) else { continue };
        return match Trouble::new(graph, entry, state) {
            Some(trouble) => Some(judge(&trouble, &outcome)),
            None => no_uri(graph, entry, state),
        };
    }
    None
}

/// What is wrong with a stage that connects, if anything: the last failure stays wrong until a success.
pub(super) fn trouble_of(graph: &Graph, state: &StageState, worked: bool) -> Option<Outcome> {
    let failed = |outcome: &Outcome| {
        matches!(outcome, Outcome::Failed { .. } | Outcome::Abandoned { .. } | Outcome::NeverAttempted { .. })
    };
    if let Some(failure) = state.failure.clone().filter(failed) {
        let first = state.first_failure.unwrap_or(state.at);
        return (!worked || graph.now().since(first) >= GRACE).then_some(failure);
    }
    match &state.outcome {
        Outcome::Pending { since, .. } if graph.now().since(*since) >= PENDING_AFTER => Some(state.outcome.clone()),
        _ => None,
    }
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

fn draft(trouble: &Trouble<'_>, code: Code, outcome: &Outcome) -> Draft {
    let errno = if let Outcome::Failed { errno } = outcome { Some(*errno) } else { None };
    Draft::new(trouble.graph, code, Severity::Error, trouble.state.at)
        .link(&trouble.entry.link, Some(trouble.client))
        .stage(trouble.graph, trouble.state)
        .address(Some(trouble.place()))
        .errno(errno)
        .evidence(
            trouble
                .entry
                .link
                .stage(Stage::Advertised)
                .into_iter()
                .flat_map(|state| state.evidence.iter().copied().take(2)),
        )
}

/// Who was told what: the first sentence of every explanation.
pub(super) fn told(trouble: &Trouble<'_>) -> String {
    let (publisher, topic) = (trouble.publisher(), &trouble.entry.link.name);
    let uri = trouble.entry.link.publisher.uri.clone().unwrap_or_default();
    match trouble.state.stage {
        Stage::Tcpros => format!(
            "{} answered to requestTopic that {} gets {topic} at {}:{}.",
            capital(&publisher),
            trouble.who(),
            trouble.host,
            trouble.port
        ),
        _ if trouble.entry.link.publisher.node.is_none() => {
            format!("The master told {} that a publisher of {topic} is at {uri}{}.", trouble.who(), variable(trouble))
        }
        _ => format!(
            "The master told {} that {publisher} publishes {topic} at {uri}{}.",
            trouble.who(),
            variable(trouble)
        ),
    }
}

/// Where the advertised host comes from.
fn variable(trouble: &Trouble<'_>) -> String {
    for name in ["ROS_HOSTNAME", "ROS_IP"] {
        if trouble.publisher_variable(name) == Some(trouble.host.as_str()) {
            return format!("; {} is the {name} of {}", trouble.host, trouble.publisher());
        }
    }
    match trouble.publisher_process() {
        Some(_) => "; neither ROS_IP nor ROS_HOSTNAME of its environment says so, so ROS chose it by itself".into(),
        None => "; that is its ROS_IP or ROS_HOSTNAME, or what ROS chose by itself".into(),
    }
}

fn at_place(trouble: &Trouble<'_>) -> String {
    let (publisher, topic, place) = (trouble.publisher(), &trouble.entry.link.name, trouble.place());
    let by_name = if trouble.host.parse::<IpAddr>().is_err() && trouble.state.address.is_some() {
        format!(" ({})", trouble.host)
    } else {
        String::new()
    };
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
    let remedies = remedies(trouble, cause, outcome);
    draft(trouble, code, outcome).finish(&Words { summary, explanation, remedies })
}

pub(super) fn meaning(errno: Errno) -> String {
    let meaning = errno.meaning();
    if meaning.is_empty() { String::new() } else { format!(" ({meaning})") }
}

/// Why nobody noticed.
fn silence(trouble: &Trouble<'_>) -> String {
    let name = trouble.client.name.clone().unwrap_or_else(|| "the subscriber".into());
    format!("{} prints nothing about this; it just receives no messages.", capital(&name))
}

pub(super) fn remedies(trouble: &Trouble<'_>, cause: Cause, outcome: &Outcome) -> Vec<String> {
    let errno = if let Outcome::Failed { errno } = outcome { Some(*errno) } else { None };
    let mut remedies = Vec::new();
    if trouble.resolves_elsewhere().is_some() {
        remedies.extend(trouble.hosts_line());
    }
    match cause {
        Cause::Loopback | Cause::Other => remedies.extend(trouble.advertise_better()),
        Cause::NoRoute | Cause::NotForwarded | Cause::Refused => {
            remedies.extend(trouble.tunnel(errno));
            remedies.extend(trouble.advertise_better());
            if cause == Cause::Refused {
                remedies.push(trouble.clean_up());
            }
        }
        Cause::OnLinkSilent => {
            remedies.extend(trouble.advertise_better());
            remedies.push(trouble.clean_up());
        }
        Cause::RefusedByLiveHost => {
            remedies.push(trouble.clean_up());
            remedies.push(format!("If {} should be running, start it again.", trouble.publisher()));
        }
        Cause::Dropped => {
            remedies.extend(trouble.open_ports());
            remedies.extend(trouble.tunnel(errno));
            remedies.extend(trouble.advertise_better());
        }
    }
    remedies
}

pub(super) fn is_loopback(trouble: &Trouble<'_>) -> bool {
    let leads_to_loopback = match trouble.ip {
        Some(ip) => ip.is_loopback(),
        None => trouble.host.eq_ignore_ascii_case("localhost"),
    };
    leads_to_loopback && trouble.publisher_is_elsewhere() == Some(true)
}

pub(super) fn loopback(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    let (publisher, topic, place) = (trouble.publisher(), &trouble.entry.link.name, trouble.place());
    let ended = match outcome {
        Outcome::Failed { errno } => format!("connect() failed: {errno}{}", meaning(*errno)),
        Outcome::Refused { .. } => "another node answered there".into(),
        _ => "nobody connected".into(),
    };
    let summary = format!(
        "{} says it publishes {topic} at {place}, which on every other host is that host itself: {ended}",
        capital(&publisher)
    );
    let mut explanation = vec![told(trouble)];
    explanation.extend(trouble.because(Cause::Loopback, outcome));
    explanation.push(silence(trouble));
    let mut remedies: Vec<String> = trouble.advertise_better().into_iter().collect();
    if trouble.host.parse::<IpAddr>().is_err() && !trouble.host.eq_ignore_ascii_case("localhost") {
        remedies.extend(trouble.hosts_line());
    }
    if remedies.is_empty() {
        remedies
            .push(format!("Restart {publisher} with ROS_IP set to an address of its host that the others can reach."));
    }
    draft(trouble, Code::LoopbackAdvertised, outcome).finish(&Words { summary, explanation, remedies })
}

fn is_wrong_family(trouble: &Trouble<'_>, outcome: &Outcome) -> bool {
    let Some(ip) = trouble.ip else { return false };
    match outcome {
        Outcome::Failed { errno } => {
            *errno == Errno::EAFNOSUPPORT
                || (matches!(*errno, Errno::ENETUNREACH | Errno::EADDRNOTAVAIL)
                    && ip.is_ipv6()
                    && !has_family(trouble, true))
        }
        Outcome::NeverAttempted { .. } => ip.is_ipv6(),
        _ => false,
    }
}

/// Whether the client's host has an address of that family that others could reach.
fn has_family(trouble: &Trouble<'_>, v6: bool) -> bool {
    let namespace = trouble.graph.namespace_of(trouble.client);
    namespace.is_none_or(|namespace| {
        namespace.addresses.iter().any(|own| {
            own.address.is_ipv6() == v6
                && !own.address.is_loopback()
                && !matches!(own.address, IpAddr::V6(v6) if v6.is_unicast_link_local())
        })
    })
}

fn wrong_family(trouble: &Trouble<'_>, outcome: &Outcome) -> Finding {
    let (publisher, topic, place) = (trouble.publisher(), &trouble.entry.link.name, trouble.place());
    let summary = format!(
        "{} says it publishes {topic} at {place}, an IPv6 address, and {} speaks IPv4 only",
        capital(&publisher),
        trouble.who()
    );
    let how = match outcome {
        Outcome::Failed { errno } => format!("connect() failed: {errno}{}.", meaning(*errno)),
        _ => format!("No connect to {place} was tried: without ROS_IPV6=on a node looks for IPv4 addresses only."),
    };
    let explanation = vec![told(trouble), how, silence(trouble)];
    let mut remedies = Vec::new();
    if has_family(trouble, true) {
        remedies.push(format!("Restart {} with ROS_IPV6=on in its environment.", trouble.who()));
    }
    let v4 = trouble.better_address().filter(|(ip, _)| ip.is_ipv4());
    remedies.push(match v4 {
        Some((ip, _)) => format!("Restart {publisher} with ROS_IP={ip} and without ROS_IPV6. Subscribers that have only IPv6 would then lose it."),
        None => format!("Restart {publisher} without ROS_IPV6 and with ROS_IP set to an IPv4 address of its host. Subscribers that have only IPv6 would then lose it."),
    });
    draft(trouble, Code::WrongAddressFamily, outcome).finish(&Words { summary, explanation, remedies })
}

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

fn unresolved(trouble: &Trouble<'_>) -> Finding {
    let (publisher, topic) = (trouble.publisher(), &trouble.entry.link.name);
    let outcome = Outcome::NeverAttempted { since: trouble.state.at };
    let summary = format!(
        "{} says it publishes {topic} at {}, and {}",
        capital(&publisher),
        trouble.place(),
        unknown_name(trouble)
    );
    let explanation =
        vec![told(trouble), format!("On {}, {}.", trouble.client_host(), lookup_words(trouble)), silence(trouble)];
    let remedies = trouble.hosts_line().into_iter().chain(trouble.advertise_better()).collect::<Vec<_>>();
    let remedies = if remedies.is_empty() {
        vec![format!(
            "Restart {publisher} with ROS_IP set to an address of its host, so that it advertises that instead of a name."
        )]
    } else {
        remedies
    };
    draft(trouble, Code::NameUnresolved, &outcome)
        .evidence(trouble.graph.name_evidence(trouble.client, &trouble.host))
        .finish(&Words { summary, explanation, remedies })
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
        remedies.extend(trouble.tunnel(no_errno(trouble)));
        remedies.extend(trouble.open_ports().filter(|_| arrives_here(trouble)));
        remedies.extend(trouble.advertise_better());
    }
    explanation.push(silence(trouble));
    draft(trouble, Code::NeverAttempted, &outcome).finish(&Words { summary, explanation, remedies })
}

pub(super) fn no_errno(trouble: &Trouble<'_>) -> Option<Errno> {
    // Where routes are unknown a connect that left no packet most likely found none.
    matches!(trouble.way, Way::Unknown).then_some(Errno::ENETUNREACH)
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

/// The client is on another host, and this one is where its connections would arrive.
fn arrives_here(trouble: &Trouble<'_>) -> bool {
    trouble.client.process.is_none() && trouble.graph.sees_processes()
}

/// What was seen instead of a connect: only where the client's process is seen it is known that it did not try.
pub(super) fn not_come(trouble: &Trouble<'_>) -> &'static str {
    if trouble.client.process.is_some() {
        "has not tried to connect"
    } else if arrives_here(trouble) {
        "no connection of it has arrived here"
    } else {
        "no packet of an attempt was captured"
    }
}

/// Where the attempt could have gone unnoticed.
pub(super) fn unseen(trouble: &Trouble<'_>) -> Vec<String> {
    let mut lines: Vec<String> = trouble.resolved().into_iter().collect();
    if trouble.client.process.is_some() {
        lines.push("rosprobe sees every connect() on this machine, and there was none to that address.".into());
    } else if arrives_here(trouble) {
        lines.push(format!(
            "{} runs on another host, and nothing of it arrived here, where {} listens: its connect() fails over there because there is no route to {}, or a firewall on the way or on this host stops it. rosprobe on that host can tell which.",
            trouble.who(),
            trouble.publisher(),
            trouble.host
        ));
    } else {
        lines.push("The capture holds no packet of an attempt. A connect() that fails at once, because there is no route, sends none.".into());
    }
    lines
}

/// The publisher's URI is none.
fn no_uri(graph: &Graph, entry: &Entry, state: &StageState) -> Option<Finding> {
    let client = graph.client(entry.track.client)?;
    let uri = entry.link.publisher.uri.as_ref()?;
    let error = AdvertisedUri::parse(uri).err()?;
    let publisher = super::trouble::publisher(&entry.link);
    let summary =
        format!("{} advertises {} for {}, which is no address: {error}", capital(&publisher), uri, entry.link.name);
    let explanation = vec!["Nobody can connect to it.".to_owned()];
    let remedies = vec![format!("Restart {publisher} with ROS_IP set to an address of its host.")];
    let draft = Draft::new(graph, Code::NeverAttempted, Severity::Error, state.at);
    let draft = draft.link(&entry.link, Some(client)).stage(graph, state).address(Some(uri.clone()));
    let told = entry.link.stage(Stage::Advertised).map(|advertised| advertised.evidence.iter().copied());
    let draft = draft.evidence(told.into_iter().flatten());
    Some(draft.finish(&Words { summary, explanation, remedies }))
}
