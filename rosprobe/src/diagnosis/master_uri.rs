//! A `ROS_MASTER_URI` that cannot work. What each client library makes of a value was tried with `ros_comm` 1.15.15 and Python 3.11:
//! rospy and its tools hand it to `xmlrpc.client.ServerProxy`, roscpp takes it apart itself (`network::splitURI`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::draft::{Draft, Words};
use super::trouble::{is_advertisable, who};
use super::{Code, Finding, Severity};
use crate::event::ClientLibrary;
use crate::graph::{Actor, Client, Entry, Graph, LinkId, LinkKind, MASTER_PORT, Outcome, ProcessState, Stage};

/// A node whose variable is good after all, because its program sets it, has reached its master by then.
const START_UP: Duration = Duration::from_secs(5);
/// Longest value that is shown whole, in characters.
const SHOWN: usize = 200;

/// Why a value does not work, and what the library does with it.
#[derive(Debug, PartialEq, Eq)]
struct Flaw {
    why: String,
    then: &'static str,
    /// The value is good, and the family of its address is not the one that the library uses.
    family: bool,
}

/// Tools that ask the master themselves, as rospy does.
const TOOLS: [&str; 5] = ["rosbag", "rosnode", "rosparam", "rosservice", "rostopic"];

const RETRIES: &str =
    "rospy connects nowhere; it says that the master may not be running yet, and tries again for ever.";
const RETRIES_THERE: &str = "rospy says that the master may not be running yet, and tries again for ever.";
const ENDS: &str = "The tool shows an error about the master or its URI, and ends.";
const GIVES_UP: &str = "roscpp ends with \"Couldn't parse the master URI\".";
const FAILS: &str = "roscpp says that it failed to contact the master, and tries again for ever.";

/// Nodes that cannot reach any master, because the variable leads nowhere; with the link to where it led, when one connected there.
pub(super) fn unusable(graph: &Graph) -> Vec<(Option<LinkId>, Finding)> {
    let found = graph.processes().filter_map(|state| Some((state, finding(graph, state)?)));
    found.map(|(state, finding)| (link_to_master(graph, state), finding)).collect()
}

fn link_to_master(graph: &Graph, state: &ProcessState) -> Option<LinkId> {
    let key = Actor::Process(state.process.reference().key());
    let of_process = |entry: &&Entry| graph.client(entry.track.client).is_some_and(|client| client.actor == key);
    let mut masters = graph.entries().filter(|entry| entry.link.kind == LinkKind::Master);
    masters.find(of_process).map(|entry| entry.link.id)
}

/// Whether [`unusable`] is what there is to say of a client and its master.
pub(super) fn is_unusable(graph: &Graph, client: &Client) -> bool {
    let state = client.process.as_ref().and_then(|process| graph.process(process));
    state.is_some_and(|state| flaw_of(state).is_some())
}

fn finding(graph: &Graph, state: &ProcessState) -> Option<Finding> {
    let (variable, value, flaw, library) = flaw_of(state)?;
    let process = state.process.reference();
    let key = Actor::Process(process.key());
    let client = graph.clients().find(|client| client.actor == key);
    let waited = state.exited.is_some() || graph.now().since(state.first_seen) >= START_UP;
    if !waited || has_a_master(graph, key) || graph.was_connected_before(&process) {
        return None;
    }
    let node = state.nodes.first().cloned();
    let name = match (client, &node) {
        (Some(client), _) if client.name.is_some() => who(client),
        (_, Some(node)) => format!("{node} ({}, pid {})", process.comm, process.pid),
        _ => format!("{} (pid {})", process.comm, process.pid),
    };
    let shown: String = value.chars().take(SHOWN).collect();
    let summary = format!("{name} cannot reach any master with {variable}={shown:?}: {}", flaw.why);
    let needs = if flaw.family {
        "It uses roscpp, which with ROS_IPV6=on looks for IPv6 addresses alone and does not even try to connect to others.".to_owned()
    } else {
        format!("It uses {}, which needs http://, a host, a colon and a port.", library.word())
    };
    let explanation = vec![needs, flaw.then.to_owned()];
    let remedies = if flaw.family { in_one_family(graph, &name, value) } else { vec![plain(&name, value, library)] };
    let draft = Draft::new(graph, Code::MasterUnreachable, Severity::Error, state.first_seen);
    let draft = draft.process(&process, node.clone()).node(node).on(Stage::Master).address(Some(shown.clone()));
    let draft = draft.peer(Some("/master".into()), Some(shown)).evidence(state.seen_by);
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

/// The value as it should be.
fn plain(name: &str, value: &str, library: ClientLibrary) -> String {
    let restart = format!("Start {name} again in a shell where you have run: export ROS_MASTER_URI=http://");
    let understood = |host: &str| library == ClientLibrary::Rospy || !host.contains(':');
    let host = if library == ClientLibrary::Rospy { "name or address" } else { "name" };
    match host_in(value).filter(|(host, _)| understood(host)) {
        Some((host, port)) => format!("{restart}{host}:{port}"),
        None => format!("With the {host} of the master's computer for HOST: {restart}HOST:{MASTER_PORT}"),
    }
}

/// Without IPv6, or with an IPv6 address of the master: roscpp understands only a name for that.
fn in_one_family(graph: &Graph, name: &str, value: &str) -> Vec<String> {
    let (host, port) = host_in(value).unwrap_or_else(|| (value.to_owned(), MASTER_PORT));
    let owner = host.parse().ok().and_then(|ip| graph.namespace(graph.only_owner(ip)?));
    let own = owner.into_iter().flat_map(|namespace| &namespace.addresses).map(|own| own.address);
    let v6 = own.filter(|ip| ip.is_ipv6() && is_advertisable(*ip)).min();
    let v6 = v6.map_or_else(|| "an IPv6 address of the master's host".to_owned(), |ip| ip.to_string());
    vec![
        format!("Start {name} again in a shell where you have run: unset ROS_IPV6"),
        format!(
            "To stay with IPv6, give {v6} a name in /etc/hosts, as roscpp takes no IPv6 address in ROS_MASTER_URI; with that name for NAME, start {name} again in a shell where you have run: export ROS_MASTER_URI=http://NAME:{port}"
        ),
    ]
}

/// It was seen to be answered by one.
fn has_a_master(graph: &Graph, key: Actor) -> bool {
    let reached = |client: &Client| client.actor == key && client.master.is_some();
    graph.entries().filter(|entry| entry.link.kind == LinkKind::Master).any(|entry| {
        let of_process = graph.client(entry.track.client).is_some_and(reached);
        of_process && entry.link.stage(Stage::Master).is_some_and(|state| state.outcome == Outcome::Ok)
    })
}

/// What is wrong with a node's setting: its name, its value, and why. `__master:=` on the command line wins over the variable.
fn flaw_of(state: &ProcessState) -> Option<(&'static str, &str, Flaw, ClientLibrary)> {
    let is_tool = state.process.client_library.is_none() && is_tool(state);
    let library = state.process.client_library.or(is_tool.then_some(ClientLibrary::Rospy))?;
    let argument = state.process.argv.iter().find_map(|word| word.strip_prefix("__master:="));
    let (variable, value) = match argument {
        Some(value) => ("__master", value),
        None => ("ROS_MASTER_URI", state.process.environment.get("ROS_MASTER_URI")?.as_str()),
    };
    let flaw = match library {
        ClientLibrary::Rospy => in_rospy(value),
        ClientLibrary::Roscpp => in_roscpp(value).or_else(|| of_family(state, value)),
    };
    let flaw = flaw.map(|flaw| if is_tool { Flaw { then: ENDS, ..flaw } } else { flaw });
    Some((variable, value, flaw?, library))
}

/// roscpp with `ROS_IPV6=on` passes over every IPv4 address; rospy does not.
fn of_family(state: &ProcessState, value: &str) -> Option<Flaw> {
    let on = state.process.has_ros_ipv6();
    let (host, _) = host_in(value).filter(|_| on)?;
    let why = "roscpp with ROS_IPV6=on reaches a master by IPv6 only".to_owned();
    host.parse::<Ipv4Addr>().is_ok().then_some(Flaw { why, then: FAILS, family: true })
}

/// It is no node that keeps a log, by which rospy is told.
fn is_tool(state: &ProcessState) -> bool {
    let mut words = state.process.argv.iter().take(2).filter_map(|word| word.rsplit('/').next());
    words.any(|word| TOOLS.contains(&word))
}

fn flaw(why: impl Into<String>, then: &'static str) -> Flaw {
    Flaw { why: why.into(), then, family: false }
}

fn in_rospy(value: &str) -> Option<Flaw> {
    if value.is_empty() {
        // Then it is http://localhost:11311.
        return None;
    }
    // `urllib.parse.urlsplit` takes blanks at either end away.
    let value = value.trim_matches(|c: char| c <= ' ');
    let Some((scheme, rest)) = value.split_once("://") else {
        return Some(flaw("it does not begin with http://", RETRIES));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" => return Some(flaw("it begins with https://, and a ROS master speaks no TLS", RETRIES_THERE)),
        _ => return Some(flaw("it does not begin with http://", RETRIES)),
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let colon = authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|bracket| *colon > bracket));
    let (host, port) = colon.map_or((authority, ""), |colon| (&authority[..colon], &authority[colon + 1..]));
    if host.is_empty() {
        return Some(flaw("it names no host", RETRIES));
    }
    if port.is_empty() {
        return Some(flaw("it names no port, so that rospy takes port 80", RETRIES_THERE));
    }
    if !is_port(port.trim()) {
        return Some(flaw("its port is no number from 1 to 65535", RETRIES_THERE));
    }
    if let Some(why) = strange(host.trim_start_matches('[').trim_end_matches(']')) {
        return Some(flaw(why, RETRIES));
    }
    let odd = odd_path(path);
    odd.map(|path| flaw(format!("a ROS master does not answer at the path {path}"), RETRIES_THERE))
}

fn in_roscpp(value: &str) -> Option<Flaw> {
    let Some(rest) = value.strip_prefix("http://").or_else(|| value.strip_prefix("rosrpc://")) else {
        return Some(flaw("it does not begin with http://", GIVES_UP));
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    if authority.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() || authority.matches(':').count() > 2 {
        return Some(flaw("roscpp understands no IPv6 address there, only a name for it", FAILS));
    }
    let Some((host, port)) = rest.split_once(':') else { return Some(flaw("it names no port", GIVES_UP)) };
    let port = port.split('/').next().unwrap_or(port).trim_start();
    let digits = &port[..port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len())];
    if host.is_empty() {
        return Some(flaw("it names no host", FAILS));
    }
    if digits.is_empty() {
        return Some(flaw("it names no port", FAILS));
    }
    if !is_port(digits) {
        return Some(flaw("its port is no number from 1 to 65535", FAILS));
    }
    if let Some(why) = strange(host) {
        return Some(flaw(why, FAILS));
    }
    let odd = port[digits.len()..].chars().next().is_some_and(|c| !c.is_whitespace() && c != ':');
    odd.then(|| flaw(format!("its port is no number; roscpp takes it for {digits}"), FAILS))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// The path of a master's URI, where it is none at which a master answers.
pub(super) fn path_of(value: &str) -> Option<&str> {
    let (_, rest) = value.trim().split_once("://")?;
    odd_path(&rest[rest.find('/')?..])
}

fn odd_path(path: &str) -> Option<&str> {
    (path.starts_with('/') && !matches!(path, "/" | "/RPC2")).then_some(path)
}

/// Why a host is neither a name nor an address.
fn strange(host: &str) -> Option<String> {
    if host.split('%').next().is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()) {
        return None;
    }
    let strange = host.chars().find(|c| !(c.is_alphanumeric() || "-_.".contains(*c)))?;
    Some(format!("its host, {host}, contains {strange:?}"))
}

/// Host and port that were meant, as far as they can be read out of it.
fn host_in(value: &str) -> Option<(String, u16)> {
    let value = value.trim().trim_matches(['"', '\'']);
    let rest = value.rsplit("//").next().unwrap_or(value);
    let rest = rest.strip_prefix("http:/").or_else(|| rest.strip_prefix("https:/")).unwrap_or(rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let v6 = authority.rsplit_once(':').filter(|(host, _)| host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok());
    if let Some((host, port)) = v6 {
        return Some((host.to_owned(), port.parse().unwrap_or(MASTER_PORT)));
    }
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let whole = digits(port);
    let port = Some(whole.as_str()).filter(|whole| port.trim_end() == *whole && is_port(whole));
    let host = host.trim();
    (!host.is_empty() && strange(host).is_none())
        .then(|| (host.to_owned(), port.and_then(|port| port.parse().ok()).unwrap_or(MASTER_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was seen with both libraries: true where the node reached the master.
    #[test]
    fn values_that_work_and_values_that_do_not() {
        for (value, rospy, roscpp) in [
            ("http://192.168.50.1:11311", true, true),
            ("http://192.168.50.1:11311/", true, true),
            ("http://router:11311", true, true),
            ("http://192.168.50.1:011311", true, true),
            ("http://192.168.50.1:11311 ", true, true),
            (" http://192.168.50.1:11311", true, false),
            ("HTTP://192.168.50.1:11311", true, false),
            ("http://user@192.168.50.1:11311", true, false),
            ("rosrpc://192.168.50.1:11311", false, true),
            ("http://192.168.50.1:11311/foo", false, true),
            ("http://192.168.50.1:11311:11311", false, true),
            ("https://192.168.50.1:11311", false, false),
            ("https://192.168.50.1:11311/x", false, false),
            ("192.168.50.1:11311", false, false),
            ("localhost:11311", false, false),
            ("router", false, false),
            ("", true, false),
            ("//192.168.50.1:11311", false, false),
            ("http:/192.168.50.1:11311", false, false),
            ("ftp://192.168.50.1:11311", false, false),
            ("\"http://192.168.50.1:11311\"", false, false),
            ("http://192.168.50.1", false, false),
            ("http://192.168.50.1:", false, false),
            ("http://:11311", false, false),
            ("http://192.168.50.1:0", false, false),
            ("http://192.168.50.1:113111", false, false),
            ("http://192.168.50.1:1131x", false, false),
            ("http://192. 168.50.1:11311", false, false),
            ("http://[fd50::1]:11311", true, false),
            ("http://fd50::1:11311", true, false),
        ] {
            assert_eq!(in_rospy(value).is_none(), rospy, "rospy and {value:?}: {:?}", in_rospy(value));
            assert_eq!(in_roscpp(value).is_none(), roscpp, "roscpp and {value:?}: {:?}", in_roscpp(value));
        }
    }

    #[test]
    fn the_remedy_has_the_host_that_was_meant() {
        for (value, meant) in [
            ("https://192.168.50.1:11311", Some(("192.168.50.1", 11311))),
            ("localhost:11311", Some(("localhost", 11311))),
            ("router", Some(("router", 11311))),
            ("http:/router:11399", Some(("router", 11399))),
            ("http://192.168.50.1", Some(("192.168.50.1", 11311))),
            ("http://192.168.50.1:1131x", Some(("192.168.50.1", 11311))),
            ("http://user@robot:11311/foo", Some(("robot", 11311))),
            ("'http://robot:11311'", Some(("robot", 11311))),
            ("https://[fd50::1]:11399", Some(("[fd50::1]", 11399))),
            ("fd50::1:11311", Some(("fd50::1", 11311))),
            ("http://:11311", None),
            ("http://ro bot:11311", None),
            ("", None),
        ] {
            let meant = meant.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_in(value), meant, "{value:?}");
        }
    }
}
