//! Every address that the master knows, tried from here.

mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use self::client::{Argument, CALLER, CallError};
use crate::errno::Errno;
use crate::observation::{AdvertisedUri, Answer, RequestedProtocol, SystemState};
use crate::reach::{self, ConnectError};

/// Nodes that are tried at the same time.
const PARALLEL: usize = 16;

/// The master could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the master at {uri} cannot be asked: {reason}; {remedy}")]
pub struct MasterError {
    uri: String,
    reason: String,
    remedy: &'static str,
}

/// What came of trying everything.
#[derive(Debug)]
pub struct Report {
    /// The master's URI.
    pub master: String,
    /// What it knows.
    pub state: SystemState,
    /// Each node that it knows, by name.
    pub nodes: Vec<NodeReport>,
}

/// What came of trying one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// What it advertises, when the master knows it.
    pub uri: Option<String>,
    /// Topics it publishes.
    pub publishes: Vec<String>,
    /// What was reached.
    pub reached: Vec<String>,
    /// The first thing that failed, and what to do.
    pub trouble: Option<Trouble>,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What, with address and reason.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// Asks the master at `uri` for every node, and tries each. An error when the master itself cannot be asked; what is wrong with a node is
/// in the report.
pub fn check(uri: &str) -> Result<Report, MasterError> {
    let failed = |reason: String, remedy| MasterError { uri: uri.to_owned(), reason, remedy };
    let parsed = AdvertisedUri::parse(uri)
        .map_err(|error| failed(error.to_string(), "give --master http://HOST:11311 or set ROS_MASTER_URI"))?;
    let start = "start roscore there, or give the right --master URI or ROS_MASTER_URI";
    let master = Server::reach(&parsed).map_err(|reason| failed(reason, start))?;
    let answer = master.call("getSystemState", &[Argument::Text(CALLER)]);
    let state = match answer.map_err(|error| failed(error.to_string(), start))? {
        Answer::SystemState { state, .. } => state,
        other => return Err(failed(format!("its answer to getSystemState is: {other}"), start)),
    };
    let nodes = try_nodes(&master, &parsed, &state);
    Ok(Report { master: uri.to_owned(), state, nodes })
}

/// A server whose address is known to accept connections.
struct Server {
    uri: AdvertisedUri,
    address: SocketAddr,
}

impl Server {
    /// Resolves and connects; the first address that accepts is kept.
    fn reach(uri: &AdvertisedUri) -> Result<Self, String> {
        let addresses = reach::resolve(&uri.host).map_err(|reason| unresolved(&uri.host, &reason))?;
        let mut reasons = Vec::new();
        for ip in addresses {
            let address = SocketAddr::new(ip, uri.port);
            match reach::connect(address, client::STEP_LIMIT) {
                Ok(_) => return Ok(Self { uri: uri.clone(), address }),
                Err(error) => reasons.push(format!("connect() to {address}: {error}")),
            }
        }
        Err(reasons.join("; "))
    }

    fn call(&self, method: &str, arguments: &[Argument<'_>]) -> Result<Answer, CallError> {
        client::call(self.address, &self.uri, method, arguments)
    }
}

fn unresolved(host: &str, reason: &str) -> String {
    format!("the name {host} does not resolve here: {reason}")
}

fn try_nodes(master: &Server, master_uri: &AdvertisedUri, state: &SystemState) -> Vec<NodeReport> {
    let lists = [&state.publishers, &state.subscribers, &state.services];
    let names: BTreeSet<&str> =
        lists.into_iter().flatten().flat_map(|entry| &entry.nodes).map(String::as_str).collect();
    let waiting = Mutex::new(names.into_iter());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                // A poisoned lock means that another thread panicked, which ends the scope anyway.
                while let Some(name) = waiting.lock().ok().and_then(|mut names| names.next()) {
                    let report = try_node(master, master_uri, state, name);
                    if let Ok(mut done) = done.lock() {
                        done.insert(name, report);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_default().into_values().collect()
}

fn try_node(master: &Server, master_uri: &AdvertisedUri, state: &SystemState, name: &str) -> NodeReport {
    let publishes: Vec<String> = state
        .publishers
        .iter()
        .filter(|topic| topic.nodes.iter().any(|node| node == name))
        .map(|topic| topic.name.clone())
        .collect();
    let mut report = NodeReport { node: name.to_owned(), uri: None, publishes, reached: Vec::new(), trouble: None };
    report.trouble = find_trouble(master, master_uri, &mut report).err();
    report
}

fn find_trouble(master: &Server, master_uri: &AdvertisedUri, report: &mut NodeReport) -> Result<(), Trouble> {
    let uri = match master.call("lookupNode", &[Argument::Text(CALLER), Argument::Text(&report.node)]) {
        Ok(Answer::Uri { uri, .. }) => uri,
        Ok(other) => {
            let text = format!("the master does not say where it is: {other}");
            return Err(Trouble { text, remedy: "run `rosnode cleanup`: it may have ended".to_owned() });
        }
        Err(error) => {
            let text = format!("the master stopped answering: {error}");
            return Err(Trouble { text, remedy: "try again".to_owned() });
        }
    };
    report.uri = Some(uri.clone());
    let parsed = AdvertisedUri::parse(&uri).map_err(|error| Trouble {
        text: format!("it advertises {uri}, which is no address: {error}"),
        remedy: "start it with ROS_IP set to an address of its host".to_owned(),
    })?;
    let (address, _) = try_address(&parsed, "xmlrpc", master_uri, &report.node)?;
    let Some(topic) = report.publishes.first().cloned() else {
        // Any call will do to see that a node answers.
        let asked = client::call(address, &parsed, "getPid", &[Argument::Text(CALLER)]);
        asked.map_err(|error| silent(address, &error.to_string()))?;
        report.reached.push(format!("xmlrpc {address}"));
        return Ok(());
    };
    let arguments = [Argument::Text(CALLER), Argument::Text(&topic), Argument::Tcpros];
    let answer = client::call(address, &parsed, "requestTopic", &arguments);
    let answer = answer.map_err(|error| silent(address, &error.to_string()))?;
    report.reached.push(format!("xmlrpc {address}"));
    match answer {
        Answer::Protocol { protocol, .. } => {
            let reached = try_data(&protocol, &topic, master_uri, &report.node)?;
            report.reached.push(format!("tcpros {reached}"));
            Ok(())
        }
        other => Err(Trouble {
            text: format!("asked for {topic} it says: {other}"),
            remedy: "run `rosnode cleanup`, or restart it: the master says that it publishes this topic".to_owned(),
        }),
    }
}

fn silent(address: SocketAddr, reason: &str) -> Trouble {
    let remedy = format!(
        "look at the process that listens on port {} there: it may be stopped, or be another program",
        address.port()
    );
    Trouble { text: format!("{address}: {reason}"), remedy }
}

fn try_data(
    protocol: &RequestedProtocol,
    topic: &str,
    master_uri: &AdvertisedUri,
    node: &str,
) -> Result<SocketAddr, Trouble> {
    let uri = AdvertisedUri { scheme: "rosrpc".to_owned(), host: protocol.host.clone(), port: protocol.port };
    let (address, mut stream) = try_address(&uri, "tcpros", master_uri, node)?;
    client::greet(&mut stream, topic).map_err(|reason| silent(address, &reason))?;
    Ok(address)
}

/// Resolves and connects; says what is wrong and what to do when that fails.
fn try_address(
    uri: &AdvertisedUri,
    stage: &str,
    master_uri: &AdvertisedUri,
    node: &str,
) -> Result<(SocketAddr, TcpStream), Trouble> {
    let addresses = reach::resolve(&uri.host).map_err(|reason| Trouble {
        text: format!("it advertises {uri}: {}", unresolved(&uri.host, &reason)),
        remedy: format!(
            "add a line `ADDRESS {}` with the address of its host to /etc/hosts here, or start {node} with ROS_IP set to that address",
            uri.host
        ),
    })?;
    let mut last = None;
    for ip in addresses {
        let address = SocketAddr::new(ip, uri.port);
        match reach::connect(address, client::STEP_LIMIT) {
            Ok(stream) => return Ok((address, stream)),
            Err(error) => last = Some((address, error)),
        }
    }
    let Some((address, error)) = last else {
        return Err(Trouble { text: format!("{} has no address", uri.host), remedy: String::new() });
    };
    let text = format!("{stage} connect() to {address}: {error}");
    Err(Trouble { text, remedy: remedy(address, error, master_uri, node) })
}

fn remedy(address: SocketAddr, error: ConnectError, master: &AdvertisedUri, node: &str) -> String {
    let ip = address.ip();
    let master_is_here =
        master.host == "localhost" || master.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if ip.is_loopback() && !master_is_here {
        return format!(
            "start {node} with ROS_IP set to an address of its host: {ip} means this very host to everyone"
        );
    }
    match error {
        ConnectError::Errno(Errno::ECONNREFUSED) => {
            format!(
                "nothing listens there: {node} may have ended (then `rosnode cleanup` forgets it), or {ip} is not its host's address as seen from here"
            )
        }
        ConnectError::Errno(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            format!(
                "start {node} with ROS_IP set to an address of its host that this host reaches, or make {ip} reachable from here (route, VPN)"
            )
        }
        _ => format!(
            "a firewall may drop it: open port {} (ROS uses any port from 1024 to 65535) at {ip} for this host",
            address.port()
        ),
    }
}
