//! Masters that cannot be reached.

use std::net::SocketAddr;
use std::time::Duration;

use super::cause::{Cause, meaning};
use super::draft::{Draft, Words};
use super::name::lookup_words_of;
use super::trouble::{Trouble, trouble_of, who};
use super::{Code, Finding, Severity};
use crate::errno::Errno;
use crate::event::Monotonic;
use crate::graph::{Actor, Entry, Graph, LinkKind, MASTER_PORT, Outcome, ProcessState, Resolution, Stage, Way};
use crate::observation::{AdvertisedUri, ObservationId, Span};

/// A master that refuses may still be starting: nodes and roslaunch ask until it is up.
const START_UP: Duration = Duration::from_secs(5);
/// roslaunch and roscore wait ten seconds for the master that they start themselves (`roslaunch/launch.py`), and start it before; on
/// a busy machine that takes as long again. One that gives up ends.
const LAUNCH: Duration = Duration::from_secs(30);

pub(super) fn of_link(graph: &Graph, entry: &Entry) -> Option<Finding> {
    if entry.link.kind != LinkKind::Master {
        return None;
    }
    let state = entry.link.stage(Stage::Master)?;
    // Where it led does not matter then.
    if graph.client(entry.track.client).is_some_and(|client| super::master_uri::is_unusable(graph, client)) {
        return None;
    }
    if let Some(Outcome::Refused { reason }) = &state.failure {
        return Some(no_master(graph, &Trouble::new(graph, entry, state)?, reason));
    }
    let outcome = trouble_of(graph, entry, state)?;
    let trouble = Trouble::new(graph, entry, state)?;
    if matches!(outcome, Outcome::Failed { errno: Errno::ECONNREFUSED }) && may_be_starting(&trouble) {
        return None;
    }
    if is_back(graph, &trouble) {
        return None;
    }
    let (errno, ended) = match &outcome {
        Outcome::Failed { errno } => (Some(*errno), format!("failed: {errno}{}", meaning(*errno))),
        Outcome::Abandoned { after_ns, .. } => {
            (None, format!("was given up after {} without any answer", Span(*after_ns)))
        }
        Outcome::Pending { since, .. } => {
            (None, format!("has had no answer for {}", Span(graph.now().0.saturating_sub(since.0))))
        }
        _ => return None,
    };
    let place = trouble.place();
    let variable = master_variable(graph, &trouble);
    let summary = format!("{} cannot reach its master: connect() to {place} {ended}", trouble.who());
    let mut explanation = vec![match &variable {
        Some(uri) => format!("ROS_MASTER_URI of {} is {uri}.", trouble.who()),
        None => format!("{} takes {place} for its master.", trouble.who()),
    }];
    explanation.push(why(&trouble, &outcome));
    let draft = Draft::new(graph, Code::MasterUnreachable, Severity::Error, state.at);
    let draft = draft.link(&entry.link, Some(trouble.client)).stage(graph, state).address(Some(place)).errno(errno);
    Some(draft.peer(Some("/master".into()), variable).finish(&Words {
        summary,
        explanation,
        remedies: remedies(&trouble, &outcome),
    }))
}

/// Somebody else listens where the client expects its master.
fn no_master(graph: &Graph, trouble: &Trouble<'_>, reason: &str) -> Finding {
    let (place, variable) = (trouble.place(), master_variable(graph, trouble));
    let path = variable.as_deref().filter(|_| reason.contains(" 404"));
    if let Some(path) = path.and_then(super::master_uri::path_of) {
        return not_at_path(graph, trouble, path, reason);
    }
    let summary = format!("{} takes {place} for its master, and what answers there is none: {reason}", trouble.who());
    let mut explanation = vec!["The connection works; whoever listens there is a node or another program.".to_owned()];
    explanation.extend(variable.as_ref().map(|uri| format!("ROS_MASTER_URI of {} is {uri}.", trouble.who())));
    let usual = trouble.ip.filter(|_| trouble.answering_ports().contains(&MASTER_PORT));
    let remedies = vec![match usual {
        Some(ip) => format!(
            "On that host something answers at the usual port of a master. Start {} again in a shell where you have run: export ROS_MASTER_URI=http://{}",
            trouble.who(),
            SocketAddr::new(ip, MASTER_PORT)
        ),
        None => format!(
            "The usual port of a master is {MASTER_PORT}. If it runs on that host, start {} again in a shell where you have run: export ROS_MASTER_URI=http://{}:{MASTER_PORT}",
            trouble.who(),
            trouble.host
        ),
    }];
    let state = trouble.state;
    let draft = Draft::new(graph, Code::MasterUnreachable, Severity::Error, state.at);
    let draft = draft.link(&trouble.entry.link, Some(trouble.client)).stage(graph, state).address(Some(place));
    draft.peer(Some("/master".into()), variable).finish(&Words { summary, explanation, remedies })
}

/// The URI has a path, and a master answers at none: it may be one all the same.
fn not_at_path(graph: &Graph, trouble: &Trouble<'_>, path: &str, reason: &str) -> Finding {
    let (who, place, variable) = (trouble.who(), trouble.place(), master_variable(graph, trouble));
    let summary = format!("{who} asks for its master at the path {path} of {place}, and is turned away: {reason}");
    let others = |entry: &Entry| {
        entry.track.client != trouble.client.id && answering_master(entry).map(|(at, _)| at) == trouble.state.address
    };
    let known = graph.entries().any(others);
    let mut explanation: Vec<String> =
        variable.iter().map(|uri| format!("ROS_MASTER_URI of {who} is {uri}.")).collect();
    explanation.push(if known {
        format!("A master answers at the path / alone, and there is one at {place}: others call it.")
    } else {
        "A master answers at the path / alone, so what listens there may be one.".to_owned()
    });
    let host = if trouble.host.contains(':') { format!("[{}]", trouble.host) } else { trouble.host.clone() };
    let remedies = vec![format!(
        "Start {who} again in a shell where you have run: export ROS_MASTER_URI=http://{host}:{}",
        trouble.port
    )];
    let state = trouble.state;
    let draft = Draft::new(graph, Code::MasterUnreachable, Severity::Error, state.at);
    let draft = draft.link(&trouble.entry.link, Some(trouble.client)).stage(graph, state).address(Some(place));
    draft.peer(Some("/master".into()), variable).finish(&Words { summary, explanation, remedies })
}

/// Whoever could not reach it has ended, and others reach it since.
fn is_back(graph: &Graph, trouble: &Trouble<'_>) -> bool {
    let state = trouble.client.process.as_ref().and_then(|process| graph.process(process));
    let ended = state.is_some_and(|state| state.exited.is_some());
    let reached = |entry: &Entry| {
        let master = entry.link.stage(Stage::Master).filter(|_| entry.link.kind == LinkKind::Master);
        master.is_some_and(|master| {
            master.address == trouble.state.address
                && master.outcome == Outcome::Ok
                && Some(master.at) > trouble.state.last_failure
        })
    };
    ended && graph.entries().any(reached)
}

/// Where a link to a master leads that has nothing wrong, and since when.
fn answering_master(entry: &Entry) -> Option<(SocketAddr, Monotonic)> {
    let state = entry.link.stage(Stage::Master).filter(|_| entry.link.kind == LinkKind::Master)?;
    let fine = state.outcome == Outcome::Ok && state.failure.is_none();
    fine.then_some((state.address?, state.at))
}

fn master_variable(graph: &Graph, trouble: &Trouble<'_>) -> Option<String> {
    let state = graph.process(trouble.client.process.as_ref()?)?;
    state.process.environment.get("ROS_MASTER_URI").cloned()
}

/// Refused for a moment only, or by a process that only asked whether a master is there already.
fn may_be_starting(trouble: &Trouble<'_>) -> bool {
    let state = trouble.state;
    let (first, last) = (state.first_failure.unwrap_or(state.at), state.last_failure.unwrap_or(state.at));
    let tried_for = last.since(first);
    let process = trouble.client.process.as_ref().and_then(|process| trouble.graph.process(process));
    match process {
        Some(ProcessState { exited: Some(_), process, .. }) => !process.environment.contains_key("ROS_MASTER_URI"),
        Some(state) if launches_master(state) => tried_for < LAUNCH,
        _ => tried_for < START_UP,
    }
}

fn launches_master(state: &ProcessState) -> bool {
    let mut words = state.process.argv.iter().take(2).filter_map(|word| word.rsplit('/').next());
    words.any(|word| matches!(word, "roscore" | "roslaunch"))
}

fn why(trouble: &Trouble<'_>, outcome: &Outcome) -> String {
    match (outcome, &trouble.way) {
        (Outcome::Failed { errno: Errno::ECONNREFUSED }, Way::Loopback) => {
            "No master runs on this host at that port, and loopback never leads to another host.".into()
        }
        (Outcome::Failed { errno: Errno::ECONNREFUSED }, _) => {
            "That host answers, and nothing listens at that port: no master runs there, or it uses another port.".into()
        }
        (_, Way::Rejected { .. }) | (Outcome::Failed { .. }, Way::OnLink { .. }) => {
            trouble.because(trouble.cause(outcome), outcome).join(" ")
        }
        (Outcome::Failed { errno: Errno::ENETUNREACH }, _) => {
            format!("{} has no route to {}.", super::cause::capital(&trouble.client_host()), trouble.host)
        }
        (Outcome::Failed { errno: Errno::EHOSTUNREACH }, _) => {
            "A router or firewall on the way says that it cannot be reached.".into()
        }
        (_, Way::OnLink { .. }) => format!(
            "Nothing comes back: a firewall drops it, there or on {} itself. Without a host at that address the attempt would have failed after three seconds.",
            trouble.client_host()
        ),
        _ => "Nothing comes back: a firewall drops it, or no such host exists.".into(),
    }
}

fn remedies(trouble: &Trouble<'_>, outcome: &Outcome) -> Vec<String> {
    let (host, port) = (&trouble.host, trouble.port);
    let elsewhere = trouble.ip.and_then(|ip| trouble.graph.masters_at(ip, trouble.client).find(|at| at.port() != port));
    match (outcome, elsewhere) {
        (Outcome::Failed { errno: Errno::ECONNREFUSED }, Some(master)) => vec![format!(
            "A master of that host was reached at {master}. Start {} again in a shell where you have run: export ROS_MASTER_URI=http://{master}",
            trouble.who()
        )],
        (Outcome::Failed { errno: Errno::ECONNREFUSED }, None) => refused(trouble),
        _ if matches!(trouble.way, Way::Rejected { .. }) && trouble.remove_route().is_some() => {
            trouble.remove_route().into_iter().collect()
        }
        (Outcome::Failed { errno: Errno::ENETUNREACH | Errno::ENETDOWN }, _) if !trouble.is_answer() => {
            without_route(trouble)
        }
        _ => {
            let address = format!(
                "Set ROS_MASTER_URI of {} to an address of the master that this host reaches; to see which way packets take, run: ip route get {host}",
                trouble.who()
            );
            let firewall = let_in(trouble);
            let is_there = matches!(trouble.way, Way::OnLink { .. }) && trouble.cause(outcome) != Cause::OnLinkSilent;
            if is_there {
                firewall.into_iter().chain(trouble.let_out()).collect()
            } else {
                std::iter::once(address).chain(firewall).collect()
            }
        }
    }
}

/// Nothing listens there. A master started where none belongs would be a second one that knows nobody.
fn refused(trouble: &Trouble<'_>) -> Vec<String> {
    let (who, host, port) = (trouble.who(), &trouble.host, trouble.port);
    match master_elsewhere(trouble) {
        Some(master) => vec![
            format!(
                "A master has answered this host at {master}. Start {who} again in a shell where you have run: export ROS_MASTER_URI=http://{master}"
            ),
            format!("If it is to have a master of its own, start one on {host}, there run: roscore -p {port}"),
        ],
        None => vec![
            format!("Start a master on {host}, there run: roscore -p {port}"),
            format!(
                "Set ROS_MASTER_URI of {who} to where the master runs, for instance ROS_MASTER_URI=http://HOST:11311/ with the master's address for HOST."
            ),
        ],
    }
}

/// The master that answered anybody on the client's host last, at an address that means the same to all of it.
fn master_elsewhere(trouble: &Trouble<'_>) -> Option<SocketAddr> {
    let graph = trouble.graph;
    let here = graph.net_namespace_of(trouble.client);
    let answered = graph.entries().filter_map(|entry| {
        let client = graph.client(entry.track.client).filter(|client| graph.net_namespace_of(client) == here)?;
        answering_master(entry).filter(|(at, _)| client.master == Some(*at) && client.process.is_some())
    });
    let other = answered.filter(|(at, _)| Some(*at) != trouble.state.address && here != 0);
    other.max_by_key(|(_, since)| *since).map(|(at, _)| at)
}

/// Let the firewall on the master's host pass its port.
fn let_in(trouble: &Trouble<'_>) -> Option<String> {
    let (host, port, ip) = (&trouble.host, trouble.port, trouble.ip?);
    let command = if ip.is_ipv4() { "iptables" } else { "ip6tables" };
    Some(format!(
        "If it is the firewall of {host}, let TCP port {port} pass, there run: sudo {command} -I INPUT -p tcp --dport {port} -j ACCEPT"
    ))
}

/// The route that is missing, where the master's host is seen and has an address that the client reaches; else how to find one.
fn without_route(trouble: &Trouble<'_>) -> Vec<String> {
    let (who, here, port) = (trouble.who(), trouble.client_host(), trouble.port);
    if let Some((subnet, via)) = trouble.way_through_owner() {
        let family = if via.is_ipv6() { " -6" } else { "" };
        return vec![
            format!(
                "{via} is an address of the same host, and reached from here. Make a route through it; on {here}, run: sudo ip{family} route replace {subnet} via {via}"
            ),
            format!(
                "Set ROS_MASTER_URI of {who} to http://{}/; nodes that advertise addresses of {subnet} stay out of reach then.",
                SocketAddr::new(via, port)
            ),
        ];
    }
    let networks = trouble.networks();
    let near = if networks.is_empty() { String::new() } else { format!(" ({})", networks.join(", ")) };
    let mut remedies = vec![format!(
        "Look on the master's host for an address in a network that {here} is attached to{near}, there run: ip -brief address"
    )];
    let host = &trouble.host;
    remedies.push(format!(
        "With that address, either set ROS_MASTER_URI of {who} to it, or make it the gateway of a route to {host} (ip route replace {host} via that address)."
    ));
    remedies.push(format!(
        "If a host between the two lets you in by ssh, sshuttle through it carries the network of {host}; sshuttle needs a route to {host} as well, any will do."
    ));
    remedies
}

/// Processes whose master has a name that does not resolve: there is no connect to find them by.
pub(super) fn unresolved(graph: &Graph) -> Vec<Finding> {
    graph.processes().filter_map(|state| unresolved_for(graph, state)).collect()
}

fn unresolved_for(graph: &Graph, state: &ProcessState) -> Option<Finding> {
    let uri_text = state.process.environment.get("ROS_MASTER_URI")?;
    let uri = AdvertisedUri::parse(uri_text).ok()?;
    let process = state.process.reference();
    let resolution = graph.resolve_in(state.process.net_namespace, &uri.host);
    let (asked, evidence) = match graph.name_asked_by(&process, &uri.host) {
        Some(asked) => asked,
        None => asked_nobody(graph, state, &resolution)?,
    };
    let final_now = match &resolution {
        Resolution::Denied { .. } | Resolution::NotInHosts => true,
        Resolution::Silent { since, .. } => graph.now().since(*since) >= START_UP,
        _ => false,
    };
    let key = Actor::Process(process.key());
    let client = graph.clients().find(|client| client.actor == key);
    if !final_now || client.is_some_and(|client| client.master.is_some()) {
        return None;
    }
    let name = client.map_or_else(|| format!("{} (pid {})", process.comm, process.pid), who);
    let summary = format!("{name} cannot reach its master: the name {} in ROS_MASTER_URI does not resolve", uri.host);
    let words = lookup_words_of(graph, &resolution, &uri.host);
    let explanation = vec![format!("ROS_MASTER_URI is {uri_text}."), format!("{}.", super::cause::capital(&words))];
    let remedies = vec![format!(
        "Set ROS_MASTER_URI to the master's address instead of its name, or add a line with that address and the name {} to /etc/hosts.",
        uri.host
    )];
    let node = state.nodes.first().cloned();
    let draft =
        Draft::new(graph, Code::MasterUnreachable, Severity::Error, asked).process(&process, node.clone()).node(node);
    let draft =
        draft.on(Stage::Master).address(Some(uri.to_string())).peer(Some("/master".into()), Some(uri_text.clone()));
    Some(draft.evidence(evidence).finish(&Words { summary, explanation, remedies }))
}

/// A node that looks only into its hosts file leaves no trace of that; it has had the time to reach its master.
fn asked_nobody(
    graph: &Graph,
    state: &ProcessState,
    resolution: &Resolution,
) -> Option<(Monotonic, Vec<ObservationId>)> {
    let other = state.process.argv.iter().any(|word| word.starts_with("__master:="));
    let is_node = state.process.client_library.is_some() && !other && state.exited.is_none();
    let waited = graph.now().since(state.first_seen) >= START_UP;
    let there_before = graph.was_connected_before(&state.process.reference());
    // Whoever got as far as a connect has an address: there are other ways to look up a name than DNS.
    let connects = |entry: &Entry| {
        let client = graph.client(entry.track.client).filter(|_| entry.link.kind == LinkKind::Master);
        client.is_some_and(|client| client.actor == Actor::Process(state.process.key()))
    };
    let alone = *resolution == Resolution::NotInHosts && is_node && waited && !there_before;
    let alone = alone && !graph.entries().any(connects);
    alone.then(|| (state.first_seen, state.seen_by.into_iter().collect()))
}
