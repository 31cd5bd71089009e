//! Made-up systems, told as the observations that they would give: for states that no recorded trace shows at will.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rosprobe::errno::Errno;
use rosprobe::event::{Direction, Monotonic, Process, ProcessRef, SocketRef, Traffic, Transport};
use rosprobe::observation::{
    Answer, Call, ErrorSource, Http, Observation, ObservationId, ProtocolOffer, RequestedProtocol, TcprosHeader, What,
};

/// Observations in the making.
#[derive(Default)]
pub(crate) struct Script {
    pub observations: Vec<Observation>,
    /// Nanoseconds since the start.
    pub now: u64,
    sockets: u64,
}

/// A process with its node.
#[derive(Clone)]
pub(crate) struct Node {
    pub process: ProcessRef,
    pub name: String,
    pub uri: String,
}

/// The moment at which all scripts begin.
const BEGIN: &str = "2026-11-21T13:17:00Z";
pub(crate) const MASTER: &str = "192.168.50.1:11311";

impl Script {
    /// Lets time pass.
    pub fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
    }

    pub fn push(&mut self, process: Option<&ProcessRef>, socket: Option<&SocketRef>, what: What) -> ObservationId {
        self.now += 100_000;
        let id = ObservationId(self.observations.len() as u64 + 1);
        let begin: jiff::Timestamp = BEGIN.parse().unwrap();
        self.observations.push(Observation {
            id,
            time: begin + jiff::SignedDuration::from_nanos(i64::try_from(self.now).unwrap()),
            monotonic: Monotonic(self.now),
            process: process.cloned(),
            socket: socket.cloned(),
            what,
        });
        id
    }

    pub fn socket(&mut self, remote: &str) -> SocketRef {
        self.sockets += 1;
        let local = SocketAddr::from(([192, 168, 50, 2], 40_000 + (self.sockets % 20_000) as u16));
        SocketRef {
            id: self.sockets,
            transport: Transport::Tcp,
            local: Some(local),
            remote: Some(remote.parse().unwrap()),
            net_namespace: 4_026_532_000,
        }
    }

    pub fn node(&mut self, pid: u32, comm: &str, name: &str, uri: &str, variables: &[(&str, &str)]) -> Node {
        let environment: BTreeMap<String, String> =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let process = Process {
            pid,
            started: u64::from(pid) * 1000,
            comm: comm.to_owned(),
            argv: vec!["python3".to_owned(), format!("/usr/bin/{comm}"), "echo".to_owned()],
            uid: Some(1000),
            user: Some("robot".to_owned()),
            net_namespace: 4_026_532_000,
            hostname: Some("outer".to_owned()),
            environment,
            ..Process::default()
        };
        let reference = process.reference();
        self.push(Some(&reference), None, What::Process(Box::new(process)));
        Node { process: reference, name: name.to_owned(), uri: uri.to_owned() }
    }

    fn http(start_line: &str, body: String) -> Http {
        let length = body.len().to_string();
        let headers = vec![("Content-Type".into(), "text/xml".into()), ("Content-Length".into(), length.into())];
        Http { start_line: start_line.to_owned(), headers, body_bytes: body.len() as u64, body }
    }

    pub fn call(&mut self, node: &Node, socket: &SocketRef, call: Call, answer: Answer) {
        let method = call.method().to_owned();
        let body = format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params><param><value><string>{}</string></value></param></params></methodCall>",
            node.name
        );
        let http = Self::http("POST /RPC2 HTTP/1.1", body);
        let to = self.push(Some(&node.process), Some(socket), What::Call { direction: Direction::Sent, call, http });
        self.pass(1);
        let http =
            Self::http("HTTP/1.1 200 OK", "<?xml version='1.0'?><methodResponse><params/></methodResponse>".to_owned());
        let direction = Direction::Received;
        let what = What::Answer { direction, to: Some(to), method, after_ns: Some(1_100_000), answer, http };
        self.push(Some(&node.process), Some(socket), what);
    }

    pub fn connected(&mut self, node: &Node, remote: &str, fd: i32) -> SocketRef {
        let socket = self.socket(remote);
        let process = Some(&node.process);
        self.push(process, Some(&socket), What::ConnectStarted);
        self.push(process, Some(&socket), What::ConnectReturned { fd, errno: None, took_ns: 90_000 });
        self.push(process, Some(&socket), What::Connected { after_ns: 200_000 });
        socket
    }

    pub fn subscribe(&mut self, node: &Node, topic: &str, publishers: &[&str]) {
        let master = self.connected(node, MASTER, 7);
        let call = Call::RegisterSubscriber {
            caller_id: node.name.clone(),
            topic: topic.to_owned(),
            topic_type: "std_msgs/String".to_owned(),
            caller_api: node.uri.clone(),
        };
        let publishers = publishers.iter().map(|uri| (*uri).to_owned()).collect();
        self.call(node, &master, call, Answer::Publishers { message: format!("Subscribed to [{topic}]"), publishers });
    }

    /// A connect that is refused, the way a non-blocking one is.
    pub fn refused(&mut self, node: &Node, remote: &str, errno: Errno) {
        let socket = self.socket(remote);
        let process = Some(&node.process);
        self.push(process, Some(&socket), What::ConnectStarted);
        let returned = What::ConnectReturned { fd: 10, errno: Some(Errno::EINPROGRESS), took_ns: 40_000 };
        self.push(process, Some(&socket), returned);
        let failed =
            What::ConnectFailed { errno, after_ns: 300_000, syn_retransmits: 0, reported_by: ErrorSource::SocketError };
        self.push(process, Some(&socket), failed);
    }

    /// A connect that nobody answers.
    pub fn unanswered(&mut self, node: &Node, remote: &str, resent: u32) {
        let socket = self.socket(remote);
        let process = Some(&node.process);
        self.push(process, Some(&socket), What::ConnectStarted);
        let returned = What::ConnectReturned { fd: 11, errno: Some(Errno::EINPROGRESS), took_ns: 40_000 };
        self.push(process, Some(&socket), returned);
        for count in 1..=resent {
            self.pass(1000);
            let after_ns = u64::from(count) * 1_000_000_000;
            self.push(process, Some(&socket), What::SynRetransmitted { count, after_ns });
        }
    }

    /// All the way from requestTopic to messages.
    pub fn delivered(&mut self, node: &Node, publisher: &Node, topic: &str, data: &str, seconds: u64) {
        let address = publisher.uri.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let xmlrpc = self.connected(node, &address, 12);
        let protocols = vec![ProtocolOffer { name: "TCPROS".to_owned(), params: Vec::new() }];
        let call = Call::RequestTopic { caller_id: node.name.clone(), topic: topic.to_owned(), protocols };
        let (host, port) = data.rsplit_once(':').unwrap();
        let protocol = RequestedProtocol {
            name: "TCPROS".to_owned(),
            host: host.to_owned(),
            port: port.parse().unwrap(),
            connection_id: None,
        };
        self.call(node, &xmlrpc, call, Answer::Protocol { message: String::new(), protocol });
        let stream = self.connected(node, data, 13);
        for (direction, callerid) in [(Direction::Sent, &node.name), (Direction::Received, &publisher.name)] {
            let fields = [
                ("callerid", callerid.as_str()),
                ("topic", topic),
                ("type", "std_msgs/String"),
                ("md5sum", "992ce8a1687cec8c8bd883ec73ca41d1"),
            ];
            let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
            let what = What::TcprosHeader { direction, header: TcprosHeader { fields } };
            self.push(Some(&node.process), Some(&stream), what);
        }
        for second in 1..=seconds {
            self.pass(1000);
            let traffic = Traffic {
                sent_bytes: 180,
                received_bytes: 200 + second * second * 40,
                received_messages: second * 10,
                ..Traffic::default()
            };
            self.push(Some(&node.process), Some(&stream), What::Traffic(traffic));
        }
    }
}

const ENVIRONMENT: [(&str, &str); 2] = [("ROS_MASTER_URI", "http://192.168.50.1:11311"), ("ROS_IP", "192.168.50.2")];

/// One topic whose publisher advertises an address that refuses.
pub(crate) fn one_failing() -> Script {
    let mut script = Script::default();
    let echo = script.node(4242, "rostopic", "/rostopic_4242_1763731021", "http://192.168.50.2:40001/", &ENVIRONMENT);
    script.subscribe(&echo, "/some/topic", &["http://10.0.1.1:41235/"]);
    for _ in 0..3 {
        script.refused(&echo, "10.0.1.1:41235", Errno::ECONNREFUSED);
        script.pass(1000);
    }
    script
}

/// One of each: failed, pending, working.
pub(crate) fn mixed() -> Script {
    let mut script = one_failing();
    let viewer = script.node(4310, "viewer", "/viewer", "http://192.168.50.2:40002/", &ENVIRONMENT);
    let rosout = script.node(901, "rosout", "/rosout", "http://192.168.50.1:40003/", &ENVIRONMENT);
    let talker = script.node(900, "talker", "/talker", "http://192.168.50.1:44810/", &[("ROS_IP", "10.0.1.1")]);
    script.subscribe(&rosout, "/rosout", &["http://192.168.50.1:44810/"]);
    script.delivered(&rosout, &talker, "/rosout", "192.168.50.1:44811", 12);
    script.subscribe(&viewer, "/scan", &["http://10.0.1.2:38911/"]);
    script.unanswered(&viewer, "10.0.1.2:38911", 6);
    script
}

/// Everything works.
pub(crate) fn healthy() -> Script {
    let mut script = Script::default();
    let rosout = script.node(901, "rosout", "/rosout", "http://192.168.50.1:40003/", &ENVIRONMENT);
    let talker = script.node(900, "talker", "/talker", "http://192.168.50.1:44810/", &ENVIRONMENT);
    script.subscribe(&rosout, "/rosout", &["http://192.168.50.1:44810/"]);
    script.delivered(&rosout, &talker, "/rosout", "192.168.50.1:44811", 8);
    script
}

/// Names that are wide, combine, run from right to left, hide control characters, or are very long.
pub(crate) fn odd_names() -> Script {
    let mut script = Script::default();
    let names = [
        ("/カメラ/画像", "/録画ノード"),
        ("/cafe\u{301}/mu\u{308}ll", "/zoe\u{308}"),
        ("/עברית/נושא", "/צומת"),
        ("/bell\u{7}/\u{1b}[2J\u{1b}[31mred", "/evil\u{9b}31m\nline"),
        ("/turned\u{202e}cipot", "/hidden\u{200b}space"),
        (
            "/a/very/long/topic/name/that/goes/on/and/on/for/more/than/a/hundred/columns/until/nobody/can/remember/how/it/began",
            "/n",
        ),
    ];
    for (position, (topic, node)) in names.iter().enumerate() {
        let pid = 100 + u32::try_from(position).unwrap();
        let node = script.node(pid, "node", node, &format!("http://192.168.50.2:{}/", 41_000 + pid), &ENVIRONMENT);
        let port = 42_000 + pid;
        script.subscribe(&node, topic, &[&format!("http://10.0.1.1:{port}/")]);
        script.refused(&node, &format!("10.0.1.1:{port}"), Errno::EHOSTUNREACH);
    }
    script
}

/// So many links, a few observations each, then as many more observations as are asked for.
pub(crate) fn many(links: u32, observations: usize) -> Script {
    let mut script = Script::default();
    let mut nodes = Vec::new();
    for number in 0..links.div_ceil(50).max(1) {
        let name = format!("/robot{number}/viewer");
        let uri = format!("http://192.168.50.2:{}/", 40_000 + number);
        nodes.push(script.node(2000 + number, "viewer", &name, &uri, &ENVIRONMENT));
    }
    for number in 0..links {
        let node = nodes[number as usize / 50].clone();
        let topic = format!("/robot{}/sensor{}", number / 50, number % 50);
        let remote = format!("10.{}.{}.1:{}", number / 250, number % 250, 41_000 + number % 1000);
        script.subscribe(&node, &topic, &[&format!("http://{remote}/")]);
        if number % 7 == 0 {
            script.refused(&node, &remote, Errno::ECONNREFUSED);
        } else {
            script.connected(&node, &remote, 20);
        }
    }
    let node = nodes[0].clone();
    let master = script.connected(&node, MASTER, 21);
    while script.observations.len() < observations {
        let call = Call::GetParam { caller_id: node.name.clone(), key: format!("/key{}", script.observations.len()) };
        script.call(
            &node,
            &master,
            call,
            Answer::Success { message: "Parameter".to_owned(), value: rosprobe::observation::Value::Int(1) },
        );
    }
    script
}
