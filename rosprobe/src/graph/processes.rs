//! Processes, network namespaces and nodes become known.

use std::collections::BTreeSet;

use super::node::{NODE_LIST_LIMIT, Node, ProcessState};
use super::{Graph, bounded};
use crate::event::{Monotonic, Namespace, Process, ProcessKey, ProcessRef};
use crate::observation::ObservationId;

/// Processes remembered at once.
pub(super) const PROCESS_LIMIT: usize = 16_384;
/// Network namespaces remembered at once.
const NAMESPACE_LIMIT: usize = 1024;
/// Nodes remembered at once.
const NODE_LIMIT: usize = 16_384;

impl Graph {
    pub(super) fn meet_process(&mut self, process: &ProcessRef, at: Monotonic) {
        let key = process.key();
        if !self.processes.contains_key(&key) && self.processes.len() >= PROCESS_LIMIT {
            self.processes.pop_first();
        }
        self.processes.entry(key).or_insert_with(|| ProcessState {
            process: Process {
                pid: process.pid,
                started: process.started,
                comm: process.comm.as_ref().into(),
                ..Process::default()
            },
            nodes: BTreeSet::new(),
            seen_by: None,
            first_seen: at,
            exited: None,
        });
    }

    pub(super) fn know_process(&mut self, process: &Process, at: Monotonic, id: ObservationId) {
        self.meet_process(&process.reference(), at);
        let key = process.key();
        if let Some(state) = self.processes.get_mut(&key) {
            state.process = process.clone();
            state.seen_by.get_or_insert(id);
        }
        if process.argv.iter().take(2).any(|word| word.rsplit('/').next() == Some("rosmaster")) {
            self.masters.processes.insert(key);
        }
        if let Some(name) = name_argument(process) {
            self.runs_node(key, &name);
        }
    }

    pub(super) fn know_namespace(&mut self, namespace: &Namespace, at: Monotonic, id: ObservationId) {
        if let Some(before) = self.namespaces.get(&namespace.net_namespace) {
            self.former.changed(before, namespace, at, id);
        }
        if self.namespaces.len() >= NAMESPACE_LIMIT && !self.namespaces.contains_key(&namespace.net_namespace) {
            self.namespaces.pop_first();
        }
        self.namespaces.insert(namespace.net_namespace, namespace.clone());
        self.join_masters_of(namespace);
    }

    /// The process runs a node of that name.
    pub(super) fn runs_node(&mut self, key: ProcessKey, name: &str) {
        if let Some(state) = self.processes.get_mut(&key)
            && state.nodes.len() < NODE_LIST_LIMIT
        {
            state.nodes.insert(name.to_owned());
        }
    }

    /// The node of that name in the network of the present observation.
    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        let key = (self.network, name.to_owned());
        if self.nodes.len() >= NODE_LIMIT && !self.nodes.contains_key(&key) {
            self.nodes.pop_first();
        }
        self.nodes.entry(key).or_insert_with(|| Node { name: name.to_owned(), ..Node::default() })
    }

    /// A node advertises itself under a URI.
    pub(super) fn uri_of_node(&mut self, uri: &str, name: &str) {
        let uris = &mut self.node(name).uris;
        if uris.len() < NODE_LIST_LIMIT {
            uris.insert(uri.to_owned());
        }
        let key = (self.network, uri.to_owned());
        if self.uri_nodes.get(&key).is_none_or(|known| known != name) {
            if self.uri_nodes.len() >= NODE_LIMIT * 2 {
                self.uri_nodes.pop_first();
            }
            self.uri_nodes.insert(key, name.to_owned());
            self.name_publishers(uri);
        }
    }
}

/// `__name:=` of a ROS command line, as the name that it gives in its namespace: `/name`. roslaunch tells the namespace of a group in the
/// environment.
fn name_argument(process: &Process) -> Option<String> {
    let argument = |key| process.argv.iter().find_map(|word| word.strip_prefix(key));
    let namespace = argument("__ns:=").or(process.environment.get("ROS_NAMESPACE").map(String::as_str)).unwrap_or("");
    let name = argument("__name:=")?;
    let parts = [namespace.trim_matches('/'), name.trim_matches('/')];
    let path = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
    Some(bounded(&format!("/{path}")))
}
