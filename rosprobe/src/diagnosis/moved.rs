//! Addresses that a host had when a node started there, and has no more: a new lease, another network, an address removed by hand.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::draft::{Draft, Words};
use super::trouble::{Trouble, is_advertisable, who};
use super::{Code, Finding, Severity};
use crate::event::{Namespace, ProcessRef};
use crate::graph::{Client, Former, Graph, Stage};
use crate::observation::Span;

/// An address that is gone for less may be about to come back: a lease that is renewed, an interface that is set up again.
const GONE_FOR: Duration = Duration::from_secs(5);

impl Trouble<'_> {
    /// What became of the address, where that of the publisher's host is known.
    pub fn moved(&self) -> Option<String> {
        let namespace = self.publisher_namespace()?;
        Some(became(self.graph, &self.former()?, namespace, &self.publisher()))
    }

    /// Let the publisher advertise what its host has now.
    pub fn advertise_present(&self) -> Option<String> {
        let (former, process) = (self.former()?, self.publisher_process()?);
        Some(start_again(self.graph, &former, process, &self.publisher()))
    }

    /// The host was alive at this address once, and nothing says that it still has it.
    pub fn look_for_it(&self) -> Option<String> {
        let ip = self.ip.filter(|_| self.alive_ports().is_empty() && self.last_answered().is_some())?;
        let publisher = self.publisher();
        Some(format!(
            "Look whether the host of {publisher} still has {ip}, there run: ip -brief address; if it has another address now, start {publisher} again."
        ))
    }
}

/// What became of an address that a node advertises.
fn became(graph: &Graph, former: &Former, namespace: &Namespace, node: &str) -> String {
    let now: Vec<String> = namespace
        .addresses
        .iter()
        .map(|own| own.address)
        .filter(|ip| is_advertisable(*ip))
        .take(4)
        .map(|ip| ip.to_string())
        .collect();
    let now = if now.is_empty() { "no other".to_owned() } else { now.join(", ") };
    let gone = match (former.was_seen, Span(graph.now().0.saturating_sub(former.at.0))) {
        (true, gone) => format!("has been none for {gone}"),
        (false, since) => format!("is none any more (the node registered from there {since} ago)"),
    };
    let interface =
        if former.own.interface.is_empty() { String::new() } else { format!(" ({})", former.own.interface) };
    format!(
        "{}{interface} was an address of the host of {node}, and {gone}: the host now has {now}. A node advertises for all its life what it found when it started.",
        former.own.address
    )
}

fn start_again(graph: &Graph, former: &Former, process: &ProcessRef, node: &str) -> String {
    let state = graph.process(process);
    let set = |name: &str| state.is_some_and(|state| state.process.environment.contains_key(name));
    let namespace = state.and_then(|state| graph.namespace(state.process.net_namespace));
    let present = namespace.and_then(|namespace| former.successor(namespace, is_advertisable));
    let without = if set("ROS_HOSTNAME") { " and without ROS_HOSTNAME, which would win" } else { "" };
    let variable = match present {
        Some(ip) => format!("ROS_IP={ip} in its environment{without}"),
        None => format!("ROS_IP set to an address that its host has now{without}"),
    };
    format!(
        "Restart {node} (pid {}) with {variable}. To be spared this at the next change, give the host a fixed address, or the node a ROS_HOSTNAME that all hosts resolve to the present one.",
        process.pid
    )
}

/// The address of one end of a connection is gone from its host; what became of it, and what helps.
pub(super) fn of_connection(
    graph: &Graph,
    process: Option<&ProcessRef>,
    ip: IpAddr,
    node: &str,
) -> Option<(String, String)> {
    let process = process?;
    let namespace = graph.namespace(graph.process(process)?.process.net_namespace)?;
    let former = graph.former_address(namespace.net_namespace, ip)?;
    Some((became(graph, former, namespace, node), start_again(graph, former, process, node)))
}

/// The address that a client advertises, where its host had it and has it no more.
pub(super) fn of_api(graph: &Graph, client: &Client) -> Option<Former> {
    graph.former_address_of(client, client.api.as_ref()?.host.parse::<IpAddr>().ok()?)
}

/// A node on this host that advertises an address which its host has no more. `blamed` are URIs about which something worse was found.
pub(super) fn api(graph: &Graph, client: &Client, blamed: &BTreeSet<String>) -> Option<Finding> {
    let (api, process, name) = (client.api.as_ref()?, client.process.as_ref()?, client.name.clone()?);
    let (namespace, former) = (graph.namespace_of(client)?, of_api(graph, client)?);
    let ip = former.own.address;
    let uri = format!("http://{api}/");
    if blamed.contains(&uri) || graph.now().since(former.at) < GONE_FOR {
        return None;
    }
    let node = graph.node_named(&name, client)?;
    if node.publishes.is_empty() && node.subscribes.is_empty() && node.services.is_empty() {
        return None;
    }
    let summary =
        format!("{name} tells everybody to connect to it at {api}, and {ip} is no address of its host any more");
    let explanation = vec![
        became(graph, &former, namespace, &name),
        format!(
            "{} goes on running; nobody who is told of it from now on can connect to it, and the master cannot call it.",
            who(client)
        ),
    ];
    let remedies = vec![start_again(graph, &former, process, &name)];
    let draft = Draft::new(graph, Code::CallbackFailed, Severity::Warning, former.at);
    let draft = draft.client(client).node(Some(name)).on(Stage::Callback).address(Some(api.to_string()));
    let draft = draft.peer(Some("/master".into()), client.master.map(|master| format!("http://{master}/")));
    let evidence = client.registered.map(|registered| registered.by).into_iter().chain([former.by]);
    Some(draft.evidence(evidence).finish(&Words { summary, explanation, remedies }))
}
