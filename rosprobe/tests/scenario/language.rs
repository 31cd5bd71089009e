//! One observation a line: `SECONDS WHO-OR-SOCKET VERB ...`.
//!
//! `0.0 echo opens m 192.168.50.2:4000 192.168.50.1:11311` names a socket (local, remote); from then on `0.1 m connected`,
//! `0.2 m > registerSubscriber /echo /topic http://..` (sent) or `<` (received), and so on. Without a process, as in a packet capture,
//! WHO is `wire`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rosprobe::errno::Errno;
use rosprobe::event::{
    Direction, GapCause, InterfaceAddress, Monotonic, Namespace, ProcessRef, Route, SocketRef, Traffic, Transport,
};
use rosprobe::observation::{
    AbandonCause, Answer, Call, ErrorSource, Http, Observation, ObservationId, ProtocolOffer, RequestedProtocol,
    TcprosHeader, Value, What,
};

use super::{Host, Scenario};

/// The observations of a scenario, in order.
pub fn observations(scenario: &Scenario) -> Vec<Observation> {
    let mut player = Player { scenario, out: Vec::new(), sockets: BTreeMap::new(), calls: BTreeMap::new() };
    for host in scenario.hosts.values() {
        player.say(0, None, None, What::Namespace(Box::new(namespace(host))));
    }
    for actor in scenario.processes.values() {
        let process = actor.process(&scenario.hosts);
        player.say(0, Some(actor.reference()), None, What::Process(Box::new(process)));
    }
    for line in scenario.observations.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        player.play(line);
    }
    player.out
}

struct Player<'a> {
    scenario: &'a Scenario,
    out: Vec<Observation>,
    sockets: BTreeMap<String, (Option<ProcessRef>, SocketRef)>,
    /// The last call of each socket.
    calls: BTreeMap<String, (ObservationId, String)>,
}

impl Player<'_> {
    fn say(&mut self, at: u64, process: Option<ProcessRef>, socket: Option<SocketRef>, what: What) -> ObservationId {
        let id = ObservationId(self.out.len() as u64 + 1);
        let time = jiff::Timestamp::new(1_800_000_000, 0).unwrap() + jiff::SignedDuration::from_nanos(at.cast_signed());
        self.out.push(Observation { id, time, monotonic: Monotonic(at), process, socket, what });
        id
    }

    fn play(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let seconds: f64 = words[0].parse().unwrap_or_else(|_| panic!("no time: {line}"));
        let at = super::nanoseconds(seconds);
        match (words[1], words[2]) {
            (who, "opens" | "opens-udp") => self.open(who, &words),
            (who, "exits") => {
                let process = self.scenario.processes[who].reference();
                self.say(at, Some(process), None, What::ProcessExited);
            }
            // `router has eth0=10.0.1.7/24`: these are the addresses of a host from now on, loopback left out.
            (host, "has") if self.scenario.hosts.contains_key(host) => {
                let mut now = namespace(&self.scenario.hosts[host]);
                now.addresses.retain(|own| own.address.is_loopback());
                let pairs = words[3..].iter().filter_map(|word| word.split_once('='));
                now.addresses.extend(pairs.map(|(interface, address)| interface_address(interface, address)));
                self.say(at, None, None, What::Namespace(Box::new(now)));
            }
            // Of a socket that was named, or of nobody.
            (who, "lost") if !self.sockets.contains_key(who) => {
                self.say(at, None, None, What::Lost { events: words[3].parse().unwrap() });
            }
            (socket, _) => {
                let what = self.what(socket, &words[2..], line);
                let (process, reference) =
                    self.sockets.get(socket).unwrap_or_else(|| panic!("no socket: {line}")).clone();
                let call = if let What::Call { call, .. } = &what { Some(call.method().to_owned()) } else { None };
                let id = self.say(at, process, Some(reference), what);
                if let Some(method) = call {
                    self.calls.insert(socket.to_owned(), (id, method));
                }
            }
        }
    }

    /// `TIME WHO opens NAME LOCAL REMOTE`.
    fn open(&mut self, who: &str, words: &[&str]) {
        let actor = self.scenario.processes.get(who);
        // A socket that nobody has read is a host's, and no process's.
        let host = actor.map_or(who, |actor| actor.host.as_str());
        let net_namespace = self.scenario.hosts.get(host).map_or(0, |host| host.net_namespace);
        let address = |word: &str| (word != "-").then(|| word.parse::<SocketAddr>().unwrap());
        let transport = if words[2] == "opens" { Transport::Tcp } else { Transport::Udp };
        let (local, remote) = (address(words[4]), address(words[5]));
        let socket = SocketRef { id: self.sockets.len() as u64 + 1, transport, local, remote, net_namespace };
        self.sockets.insert(words[3].to_owned(), (actor.map(super::Actor::reference), socket));
    }

    fn what(&self, socket: &str, words: &[&str], line: &str) -> What {
        let number = |index: usize| words[index].parse::<u64>().unwrap_or_else(|_| panic!("no number: {line}"));
        let errno = |index: usize| Errno::parse(words[index]).unwrap_or_else(|| panic!("no errno: {line}"));
        match words[0] {
            "started" => What::ConnectStarted,
            "connected" => What::Connected { after_ns: 1_000_000 },
            "accepted" => What::Accepted,
            "already-open" => What::AlreadyOpen,
            "listens" => What::Listening { already: false },
            "already-listens" => What::Listening { already: true },
            "failed" => What::ConnectFailed {
                errno: errno(1),
                after_ns: words.get(2).map_or(0, |after| super::nanoseconds(after.parse().unwrap())),
                syn_retransmits: 0,
                reported_by: ErrorSource::Connect,
            },
            "syn" => {
                What::SynRetransmitted { count: u32::try_from(number(1)).unwrap(), after_ns: number(2) * 1_000_000_000 }
            }
            "abandoned" => What::ConnectAbandoned {
                after_ns: number(1) * 1_000_000_000,
                syn_retransmits: u32::try_from(number(2)).unwrap(),
                cause: AbandonCause::Closed,
            },
            "peer-closed" => What::PeerClosed,
            "closed" => What::Closed { traffic: Traffic::default() },
            "error" => What::SocketError { errno: errno(1) },
            "cut" => What::Gap { direction: Direction::Received, from: 0, to: 9, cause: GapCause::Limit },
            "gap" => What::Gap { direction: Direction::Received, from: 0, to: 9, cause: GapCause::Lost },
            "asks" => What::NameQuery { name: words[1].into(), record: "A".into() },
            "told" => What::NameAnswer {
                name: words[1].into(),
                record: "A".into(),
                addresses: words[3..].iter().map(|word| word.parse().unwrap()).collect(),
                status: words[2].into(),
            },
            "lost" => What::Lost { events: number(1) },
            "traffic" => What::Traffic(traffic(&words[1..])),
            "datagrams" => What::UdprosData {
                direction: if words[1] == "sent" { Direction::Sent } else { Direction::Received },
                connection: u32::try_from(number(2)).unwrap(),
                messages: number(3),
                bytes: number(4),
            },
            "send-failed" => What::IoFailed { direction: Direction::Sent, errno: errno(1), count: 1 },
            "returned" => What::ConnectReturned { fd: 9, errno: Some(errno(1)), took_ns: 10_000 },
            ">" => self.message(socket, Direction::Sent, &words[1..], line),
            "<" => self.message(socket, Direction::Received, &words[1..], line),
            other => panic!("{other} is no verb: {line}"),
        }
    }

    fn message(&self, socket: &str, direction: Direction, words: &[&str], line: &str) -> What {
        if words[0] == "header" {
            let fields = words[1..].iter().filter_map(|word| word.split_once('='));
            let fields = fields
                .map(|(key, value)| {
                    // Words are parted by blanks, so a sentence is written with underscores.
                    let value = if key == "error" {
                        value.replace('_', " ").replace("std msgs", "std_msgs")
                    } else {
                        value.to_owned()
                    };
                    (key.to_owned(), value)
                })
                .collect();
            return What::TcprosHeader { direction, header: TcprosHeader { fields } };
        }
        if words[0] == "service-answer" {
            return What::ServiceAnswer { direction, ok: words[1] == "ok", error: words[2..].join(" ") };
        }
        if words[0] == "http" {
            let http = Http { start_line: words[1..].join(" "), ..Http::default() };
            return What::HttpOnly { direction, http };
        }
        if let Some(call) = call(words) {
            return What::Call { direction, call, http: Http::default() };
        }
        if words[0] == "answer-of-unknown-call" {
            let answer = Answer::Success { message: String::new(), value: Value::Int(0) };
            return What::Answer {
                direction,
                to: None,
                method: String::new(),
                after_ns: None,
                answer,
                http: Http::default(),
            };
        }
        let answer = answer(words).unwrap_or_else(|| panic!("no call and no answer: {line}"));
        let (to, method) =
            self.calls.get(socket).cloned().map_or((None, String::new()), |(id, method)| (Some(id), method));
        What::Answer { direction, to, method, after_ns: None, answer, http: Http::default() }
    }
}

fn call(words: &[&str]) -> Option<Call> {
    let word = |index: usize| words.get(index).map(ToString::to_string).unwrap_or_default();
    Some(match words[0] {
        "registerSubscriber" => {
            Call::RegisterSubscriber { caller_id: word(1), topic: word(2), topic_type: "*".into(), caller_api: word(3) }
        }
        "registerPublisher" => Call::RegisterPublisher {
            caller_id: word(1),
            topic: word(2),
            topic_type: "std_msgs/String".into(),
            caller_api: word(3),
        },
        "registerService" => {
            Call::RegisterService { caller_id: word(1), service: word(2), service_api: word(3), caller_api: word(4) }
        }
        "unregisterPublisher" => Call::UnregisterPublisher { caller_id: word(1), topic: word(2), caller_api: word(3) },
        "unregisterSubscriber" => {
            Call::UnregisterSubscriber { caller_id: word(1), topic: word(2), caller_api: word(3) }
        }
        "lookupService" => Call::LookupService { caller_id: word(1), service: word(2) },
        "getUri" => Call::GetUri { caller_id: word(1) },
        "getParam" => Call::GetParam { caller_id: word(1), key: word(2) },
        "searchParam" => Call::SearchParam { caller_id: word(1), key: word(2) },
        "deleteParam" => Call::DeleteParam { caller_id: word(1), key: word(2) },
        "setParam" => Call::SetParam { caller_id: word(1), key: word(2), value: Value::Int(1) },
        "paramUpdate" => Call::ParamUpdate { caller_id: word(1), key: word(2), value: Value::Int(1) },
        "lookupNode" => Call::LookupNode { caller_id: word(1), node: word(2) },
        "unregisterService" => Call::UnregisterService { caller_id: word(1), service: word(2), service_api: word(3) },
        "getPid" => Call::GetPid { caller_id: word(1) },
        "method" => Call::Other { name: word(1), params: Vec::new(), mismatch: None },
        "requestTopic" => Call::RequestTopic {
            caller_id: word(1),
            topic: word(2),
            protocols: vec![ProtocolOffer {
                name: words.get(3).map_or("TCPROS", |name| name).into(),
                params: match words.get(4..) {
                    Some([host, port]) => vec![
                        Value::Base64(String::new()),
                        Value::String((*host).into()),
                        Value::Int(port.parse().unwrap()),
                        Value::Int(1500),
                    ],
                    _ => Vec::new(),
                },
            }],
        },
        "publisherUpdate" => Call::PublisherUpdate {
            caller_id: word(1),
            topic: word(2),
            publishers: words[3..].iter().map(ToString::to_string).collect(),
        },
        "shutdown" => Call::Shutdown { caller_id: word(1), reason: words[2..].join(" ") },
        "topic-of-64k" => Call::RegisterSubscriber {
            caller_id: word(1),
            topic: format!("/\u{1b}[2J{}", "x".repeat(65_536)),
            topic_type: "*".into(),
            caller_api: word(2),
        },
        _ => return None,
    })
}

fn answer(words: &[&str]) -> Option<Answer> {
    let list = || words[1..].iter().map(ToString::to_string).collect();
    let message = String::new();
    Some(match words[0] {
        "publishers" => Answer::Publishers { message, publishers: list() },
        "subscribers" => Answer::Subscribers { message, subscribers: list() },
        "publishers-10000" => {
            let publishers =
                (0..10_000).map(|n| format!("http://10.9.{}.{}:{}/", n / 250, n % 250 + 1, 20_000 + n)).collect();
            Answer::Publishers { message, publishers }
        }
        "uri" => Answer::Uri { message, uri: words[1].into() },
        "protocol" => Answer::Protocol {
            message,
            protocol: RequestedProtocol {
                name: words[1].into(),
                host: words[2].into(),
                port: words[3].parse().unwrap(),
                connection_id: words.get(4).map(|id| id.parse().unwrap()),
            },
        },
        "ok" => Answer::Success { message, value: Value::Int(0) },
        "failure" => Answer::Failure { code: -1, message: words[1..].join(" "), value: Value::Int(0) },
        "failure-0" => Answer::Failure { code: 0, message: words[1..].join(" "), value: Value::Int(0) },
        "fault" => Answer::Fault { code: 1, message: words[1..].join(" ") },
        _ => return None,
    })
}

/// `received_messages=3 unacknowledged_bytes=100 waits_for="room"`.
fn traffic(words: &[&str]) -> Traffic {
    let object: serde_json::Map<String, serde_json::Value> = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(key, value)| (key.to_owned(), serde_json::from_str(value).unwrap()))
        .collect();
    serde_json::from_value(object.into()).unwrap()
}

fn subnet(text: &str) -> (IpAddr, u8) {
    let text = if text == "default" { "0.0.0.0/0" } else { text };
    let (ip, prefix) = text.split_once('/').unwrap();
    (ip.parse().unwrap(), prefix.parse().unwrap())
}

fn interface_address(interface: &str, address: &str) -> InterfaceAddress {
    let (address, prefix) = subnet(address);
    InterfaceAddress { interface: interface.into(), address, prefix }
}

fn namespace(host: &Host) -> Namespace {
    let addresses = host.addresses.iter().map(|line| line.split_once(' ').unwrap());
    let addresses = addresses.map(|(interface, address)| interface_address(interface, address));
    let routes = host.routes.iter().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (destination, prefix) = subnet(words[0]);
        let gateway = words.get(2).filter(|_| words[1] == "via").map(|ip| ip.parse().unwrap());
        Route { destination, prefix, gateway, interface: "eth0".into(), metric: 0, reject: words.contains(&"reject") }
    });
    let names = host.names.iter().map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap().parse().unwrap(), words.map(str::to_owned).collect())
    });
    Namespace {
        net_namespace: host.net_namespace,
        addresses: addresses.collect(),
        routes: routes.collect(),
        hosts: names.collect(),
        nameservers: host.nameservers.clone(),
        ..Namespace::default()
    }
}
