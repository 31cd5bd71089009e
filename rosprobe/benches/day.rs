//! A day of a robot in a minute: everything behind the ring buffer is fed with the events of 24 hours, and at the end of each hour says
//! how much memory it holds. The last line is JSON, for `cargo xtask bench`.
//!
//! Every second: calls of nodes to the master and to each other, each on a connection of its own, and counters of 50 topics. Every minute:
//! nodes that end and others that start, links that go and come, connects that fail.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rosprobe::capture::Statistics;
use rosprobe::decode::Decoder;
use rosprobe::errno::Errno;
use rosprobe::event::{
    Chunk, Clock, Direction, Event, Fact, Monotonic, Process, ProcessRef, SocketRef, Traffic, Transport,
};
use rosprobe::filter::Filter;
use rosprobe::watch::{Audience as _, Format, Printer};

const SECOND: u64 = 1_000_000_000;
/// Hours of a day, and of a quick look.
const HOURS: (u64, u64) = (24, 4);
/// XML-RPC calls a second.
const CALLS: u64 = 8;
/// Topics whose counters change every second.
const TOPICS: u64 = 50;

/// `rosprobe watch --output jsonl` without a kernel.
struct Robot {
    decoder: Decoder,
    printer: Printer<io::Sink>,
    now: u64,
    next_socket: u64,
    next_pid: u32,
    events: u64,
}

impl Robot {
    fn event(&mut self, process: &ProcessRef, socket: Option<&SocketRef>, fact: Fact) {
        self.now += 1000;
        self.events += 1;
        let event = Event { time: Monotonic(self.now), process: Some(process.clone()), socket: socket.cloned(), fact };
        let mut observations = Vec::new();
        self.decoder.handle(event, &mut observations);
        self.printer.observations(&mut observations).expect("a sink takes everything");
    }

    fn process(&mut self, comm: &str) -> ProcessRef {
        self.next_pid += 1;
        let process = Process {
            pid: self.next_pid,
            started: self.now,
            comm: comm.to_owned(),
            argv: vec![format!("/usr/bin/{comm}")],
            net_namespace: 1,
            ..Process::default()
        };
        let reference = process.reference();
        self.event(&reference, None, Fact::Process(Box::new(process)));
        reference
    }

    fn socket(&mut self, port: u16) -> SocketRef {
        self.next_socket += 1;
        let local = u16::try_from(32768 + self.next_socket % 28000).unwrap_or(u16::MAX);
        SocketRef {
            id: self.next_socket,
            transport: Transport::Tcp,
            local: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, local))),
            remote: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            net_namespace: 1,
        }
    }

    fn connect(&mut self, process: &ProcessRef, port: u16, errno: Option<Errno>) -> SocketRef {
        let socket = self.socket(port);
        self.event(process, Some(&socket), Fact::SynSent);
        match errno {
            Some(errno) => self.event(process, Some(&socket), Fact::SocketError { errno }),
            None => self.event(process, Some(&socket), Fact::Established { incoming: false }),
        }
        self.event(process, Some(&socket), Fact::ConnectReturned { fd: 7, errno, took_ns: 50_000 });
        socket
    }

    fn bytes(&mut self, process: &ProcessRef, socket: &SocketRef, direction: Direction, bytes: Vec<u8>) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.event(process, Some(socket), Fact::Stream(Chunk { direction, offset: 0, bytes, length, cut: None }));
    }

    fn call(&mut self, process: &ProcessRef, method: &str, params: &[&str], answer: &str) {
        let socket = self.connect(process, 11311, None);
        let param = |param: &&str| ["<param><value>", param, "</value></param>"].concat();
        let params: String = params.iter().map(param).collect();
        let call = format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let answer = format!(
            "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><int>1</int></value><value></value>\
             <value>{answer}</value></data></array></value></param></params></methodResponse>"
        );
        let head =
            |first: &str, body: &str| format!("{first}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        self.bytes(process, &socket, Direction::Sent, head("POST /RPC2 HTTP/1.1\r\nHost: localhost:11311", &call));
        self.bytes(process, &socket, Direction::Received, head("HTTP/1.1 200 OK", &answer));
        self.event(process, Some(&socket), Fact::Closed);
    }

    /// A link of a topic, open and with its header.
    fn link(&mut self, process: &ProcessRef, topic: u64) -> SocketRef {
        let socket = self.connect(process, 40_000, None);
        let common =
            ["type=std_msgs/String", "md5sum=992ce8a1687cec8c8bd883ec73ca41d1", &format!("topic=/robot/topic_{topic}")];
        let asked = header(&[&["callerid=/subscriber", "tcp_nodelay=0"], &common[..]].concat());
        self.bytes(process, &socket, Direction::Sent, asked);
        let answered = header(&[&["callerid=/publisher", "latching=0"], &common[..]].concat());
        self.bytes(process, &socket, Direction::Received, answered);
        socket
    }

    fn advance(&mut self, to: u64) {
        self.now = self.now.max(to);
        let mut observations = Vec::new();
        self.decoder.advance(Monotonic(self.now), &mut observations);
        self.printer.observations(&mut observations).expect("a sink takes everything");
        self.printer.advance(Monotonic(self.now)).expect("a sink takes everything");
        self.printer.statistics(&Statistics::default()).expect("a sink takes everything");
    }
}

/// A connection header: its length, then each field with its length.
fn header(fields: &[&str]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes(), bytes].concat();
    with_length(&fields.iter().flat_map(|field| with_length(field.as_bytes())).collect::<Vec<u8>>())
}

fn main() {
    let hours = if std::env::args().any(|argument| argument == "--quick") { HOURS.1 } else { HOURS.0 };
    let clock = Clock { zero: jiff::Timestamp::UNIX_EPOCH };
    let printer = Printer::new(io::sink(), Format::Json, Filter::default());
    let mut robot =
        Robot { decoder: Decoder::new(clock), printer, now: SECOND, next_socket: 0, next_pid: 100, events: 0 };
    let node = robot.process("robot_node");
    let mut links: Vec<(SocketRef, u64)> = (0..TOPICS).map(|topic| (robot.link(&node, topic), 0)).collect();
    let mut resident = Vec::new();
    for second in 0..hours * 3600 {
        if second % 60 == 0 {
            minute(&mut robot, &node, &mut links, second / 60);
        }
        for call in 0..CALLS {
            let parameter = format!("<string>/robot/parameter_{}</string>", (second + call) % 100);
            robot.call(&node, "getParam", &["<string>/robot_node</string>", &parameter], "<double>1.5</double>");
        }
        for (socket, messages) in &mut links {
            *messages += 30;
            let traffic =
                Traffic { received_messages: *messages, received_bytes: *messages * 100, ..Traffic::default() };
            robot.event(&node, Some(&*socket), Fact::Traffic(traffic));
        }
        robot.advance((second + 2) * SECOND);
        if second % 3600 == 3599 {
            resident.push(resident_megabytes());
            eprintln!("after {} h: {:.1} MB", second / 3600 + 1, resident_megabytes());
        }
    }
    println!("{}", serde_json::json!({ "events": robot.events, "resident_megabytes": resident }));
}

/// A node comes, asks for a topic that nobody can give it, and goes; one link closes and opens again.
fn minute(robot: &mut Robot, node: &ProcessRef, links: &mut [(SocketRef, u64)], minute: u64) {
    let visitor = robot.process("rostopic");
    let name = format!("<string>/rostopic_{minute}</string>");
    let topic = format!("<string>/robot/broken_{}</string>", minute % 20);
    let uri = format!("http://127.0.0.1:{}/", 50_000 + minute % 20);
    let publishers = format!("<array><data><value><string>{uri}</string></value></data></array>");
    let api = "<string>http://127.0.0.1:45000/</string>";
    let params = [name.as_str(), &topic, "<string>std_msgs/String</string>", api];
    robot.call(&visitor, "registerSubscriber", &params, &publishers);
    let port = u16::try_from(50_000 + minute % 20).unwrap_or(0);
    let refused = robot.connect(&visitor, port, Some(Errno::ECONNREFUSED));
    robot.event(&visitor, Some(&refused), Fact::Closed);
    robot.call(&visitor, "unregisterSubscriber", &[&name, &topic, api], "<int>1</int>");
    robot.event(&visitor, None, Fact::ProcessExited);
    let number = minute % TOPICS;
    if let Some(link) = links.get_mut(usize::try_from(number).unwrap_or(0)) {
        robot.event(node, Some(&link.0), Fact::Closed);
        *link = (robot.link(node, number), 0);
    }
}

fn resident_megabytes() -> f64 {
    let statm = procfs::process::Process::myself().and_then(|process| process.statm());
    #[expect(clippy::cast_precision_loss, reason = "megabytes of a process")]
    statm.map_or(0.0, |statm| (statm.resident * procfs::page_size()) as f64 / 1e6)
}
