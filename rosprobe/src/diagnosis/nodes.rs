//! Nodes that others cannot call, and nodes that share a name.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::connect::{meant, odd_variable, plainly};
use super::draft::{Draft, Words};
use super::trouble::{is_advertisable, is_own, master_is_elsewhere, who};
use super::{Code, Finding, Severity};
use crate::event::Namespace;
use crate::graph::{Actor, Client, Graph, Incident, IncidentKind, Resolution, Stage, in_hosts};
use crate::observation::AdvertisedUri;

/// A node that others can call is called this soon after it registered, by the subscriber of its log at least.
const CALLED_AFTER: Duration = Duration::from_secs(3);

/// Nodes whose caller API others cannot use, before anything failed. `blamed` are URIs about which something worse was found.
pub(super) fn unusable_apis(graph: &Graph, blamed: &BTreeSet<String>) -> Vec<Finding> {
    graph
        .clients()
        .filter(|client| is_running(graph, client))
        .filter_map(|client| {
            let unusable = super::moved::api(graph, client, blamed).or_else(|| unusable_api(graph, client, blamed));
            unusable.or_else(|| odd_api(graph, client, blamed))
        })
        .collect()
}

fn is_running(graph: &Graph, client: &Client) -> bool {
    if let Some(process) = &client.process {
        return graph.process(process).is_some_and(|state| state.exited.is_none());
    }
    let node = client.name.as_ref().and_then(|name| graph.node_named(name, client));
    node.is_some_and(|node| !node.publishes.is_empty() || !node.subscribes.is_empty() || !node.services.is_empty())
}

fn unusable_api(graph: &Graph, client: &Client, blamed: &BTreeSet<String>) -> Option<Finding> {
    let (api, master, registered) = (client.api.as_ref()?, client.master?, client.registered?);
    let name = client.name.clone()?;
    let uri = format!("http://{api}/");
    // Whether it works is seen at once, where the master subscribes to its log: only loopback cannot.
    let tried = client.called || graph.now().since(registered.at) < CALLED_AFTER;
    if tried && !is_loopback(&api.host) {
        return None;
    }
    if blamed.contains(&uri) || master_is_elsewhere(graph, client) != Some(true) {
        return None;
    }
    // It was right when the node started; whether it comes back shows in a moment.
    if super::moved::of_api(graph, client).is_some() {
        return None;
    }
    let node = graph.node_named(&name, client)?;
    let used = !node.publishes.is_empty() || !node.subscribes.is_empty() || !node.services.is_empty();
    let (code, what) = complaint(graph, client, &api.host).filter(|_| used)?;
    let place = match &client.master_through {
        Some(relay) => format!("behind {} (pid {})", relay.comm, relay.pid),
        None => format!("on {}", master.ip()),
    };
    let summary = format!("{name} tells the master {place} to call it at {api}: {what}");
    let explanation = vec![
        format!("{} registered the caller API {uri}, and the master is on another host.", who(client)),
        "Others that are told this address cannot connect to the node, and the master cannot tell it of new publishers.".into(),
    ];
    let own = client.reaches_master_from.filter(|ip| !ip.is_loopback());
    // It was an address of the host a moment ago: what became of it is known when somebody has looked again.
    if own.is_some() && own == api.host.parse().ok() {
        return None;
    }
    let without = without_hostname(graph, client);
    let remedies = vec![match (own, only_address(graph, client)) {
        (Some(ip), _) => format!(
            "Restart {name} with ROS_IP={ip}, the address by which it reached the master, in its environment{without}."
        ),
        (None, Some(ip)) => {
            format!("Restart {name} with ROS_IP={ip}, the address of its host, in its environment{without}.")
        }
        (None, None) => {
            format!("Restart {name} with ROS_IP set to an address of its host that the others can reach{without}.")
        }
    }];
    let draft =
        Draft::new(graph, code, Severity::Warning, graph.now()).client(client).node(Some(name)).on(Stage::Callback);
    let draft = draft
        .times(graph, registered.at, registered.at, 1)
        .evidence([registered.by])
        .address(Some(api.to_string()))
        .peer(Some("/master".into()), Some(format!("http://{master}/")));
    Some(draft.finish(&Words { summary, explanation, remedies }))
}

/// The address of the client's host that others could use, where it has only one.
fn only_address(graph: &Graph, client: &Client) -> Option<IpAddr> {
    let own = graph.namespace_of(client)?.addresses.iter().map(|own| own.address).filter(|ip| is_advertisable(*ip));
    let own: Vec<IpAddr> = own.collect();
    if let [only] = own[..] { Some(only) } else { None }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified())
}

/// A node that told the master something that is no URI.
fn odd_api(graph: &Graph, client: &Client, blamed: &BTreeSet<String>) -> Option<Finding> {
    let (api, registered) = client.odd_api.as_ref()?;
    let error = AdvertisedUri::parse(api).err().filter(|_| !blamed.contains(api))?;
    let name = client.name.clone()?;
    let summary = format!("{name} tells the master to call it at {api:?}, which is no address: {error}");
    let mut explanation = vec![
        format!("{} registered it as its caller API.", who(client)),
        "Nobody can connect to the node, and the master cannot tell it of new publishers.".to_owned(),
    ];
    let state = client.process.as_ref().and_then(|process| graph.process(process));
    explanation.extend(state.and_then(|state| odd_variable(state, api)));
    let remedies = vec![match meant(graph, state, api) {
        Some(ip) => format!("Restart {name} with {}.", plainly(state, api, ip)),
        None => format!("Restart {name} with ROS_IP set to an address of its host."),
    }];
    let draft = Draft::new(graph, Code::CallbackFailed, Severity::Warning, registered.at);
    let draft = draft.client(client).node(Some(name)).on(Stage::Callback).evidence([registered.by]);
    Some(draft.address(Some(api.clone())).finish(&Words { summary, explanation, remedies }))
}

fn without_hostname(graph: &Graph, client: &Client) -> &'static str {
    let state = client.process.as_ref().and_then(|process| graph.process(process));
    let set = state.is_some_and(|state| state.process.environment.contains_key("ROS_HOSTNAME"));
    if set { " and without ROS_HOSTNAME, which would win" } else { "" }
}

/// Why others cannot use a caller API's host.
fn complaint(graph: &Graph, client: &Client, host: &str) -> Option<(Code, String)> {
    let namespace = graph.namespace_of(client);
    if let Ok(ip) = host.parse::<IpAddr>() {
        if ip.is_loopback() {
            return Some((Code::LoopbackAdvertised, "that is loopback, on every host the host itself".into()));
        }
        if ip.is_unspecified() {
            return Some((
                Code::LoopbackAdvertised,
                "that is no address of one host, and leads every host to itself".into(),
            ));
        }
        let foreign = namespace.is_some_and(|n| !n.addresses.is_empty()) && !is_own(graph, client, ip.to_canonical());
        let process = matches!(client.actor, Actor::Process(_));
        return (foreign && process)
            .then(|| (Code::CallbackFailed, "that is an address of no interface of its host".into()));
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Some((Code::LoopbackAdvertised, "that is loopback, on every host the host itself".into()));
    }
    let namespace = namespace?;
    let what = if only_here(namespace, host) {
        "only the hosts file of its own host knows that name"
    } else if !matches!(
        graph.resolve_in(namespace.net_namespace, host),
        Resolution::NotInHosts | Resolution::Denied { .. }
    ) {
        return None;
    } else if host.strip_suffix('.').is_some_and(|name| in_hosts(namespace, name).is_some()) {
        "its own host knows that name only without the dot at its end"
    } else {
        "neither the hosts file of its own host nor a name server knows that name"
    };
    Some((Code::NameUnresolved, what.into()))
}

/// A name that the hosts file gives this host alone, where no name server could tell it to others. Where the file names other hosts
/// too, it is likely the same everywhere.
fn only_here(namespace: &Namespace, host: &str) -> bool {
    let own = |ip: &IpAddr| ip.is_loopback() || namespace.has(*ip);
    let names_others = namespace.hosts.iter().any(|(ip, _)| !own(ip) && !is_boilerplate(*ip));
    let mine = in_hosts(namespace, host).is_some_and(|addresses| addresses.iter().all(own));
    mine && !names_others && namespace.nameservers.is_empty()
}

/// The multicast lines that every hosts file has (`ff02::1 ip6-allnodes`).
fn is_boilerplate(ip: IpAddr) -> bool {
    ip.is_multicast() || ip.is_unspecified() || matches!(ip, IpAddr::V6(v6) if v6.segments()[0] == 0xfe00)
}

/// A node was shut down because another one took its name.
pub(super) fn replaced(graph: &Graph, kind: &IncidentKind, incident: &Incident) -> Option<Finding> {
    let IncidentKind::Replaced { client, node, reason } = kind else { return None };
    let summary = format!("two nodes are called {node}: the master shut the older one down");
    let client = graph.client(*client);
    let process = client.and_then(|client| graph.node_named(node, client)?.process.clone());
    let mut explanation = vec![format!(
        "The master called shutdown on it: {reason}. A name belongs to one node; the newer registration wins."
    )];
    let older = client.and_then(|client| client.process.as_ref());
    if let (Some(older), Some(newer)) = (older, &process)
        && older.key() != newer.key()
    {
        explanation.push(format!(
            "The older one is {} (pid {}), the newer one {} (pid {}).",
            older.comm, older.pid, newer.comm, newer.pid
        ));
    }
    let remedies = vec![format!(
        "Give one of them another name, for instance with __name:=other on its command line, or anonymous=True in rospy.init_node ({node})."
    )];
    let mut draft = Draft::new(graph, Code::DuplicateNode, Severity::Error, incident.last).node(Some(node.clone()));
    if let Some(process) = process {
        draft = draft.process(&process, Some(node.clone()));
    }
    let draft = draft.on(Stage::Callback).times(graph, incident.first, incident.last, incident.count);
    Some(draft.evidence(incident.evidence.iter().copied()).finish(&Words { summary, explanation, remedies }))
}
