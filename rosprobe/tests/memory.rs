//! How much memory links hold. What is measured is what `cargo xtask bench` has rosprobe watch: TCPROS connections with both of their ends
//! on this machine, headers, and one message.

use std::alloc::System;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use cap::Cap;
use rosprobe::capture::Statistics;
use rosprobe::decode::Decoder;
use rosprobe::event::{Chunk, Clock, Direction, Event, Fact, Monotonic, ProcessRef, SocketRef, Traffic, Transport};
use rosprobe::filter::Filter;
use rosprobe::watch::{Audience as _, Format, Printer};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const LINKS: u16 = 5000;

/// `rosprobe watch --output jsonl` behind its ring buffer.
struct Watch {
    decoder: Decoder,
    printer: Printer<io::Sink>,
    process: ProcessRef,
    now: u64,
}

impl Watch {
    fn new() -> Self {
        let clock = Clock { zero: jiff::Timestamp::UNIX_EPOCH };
        let printer = Printer::new(io::sink(), Format::Json, Filter::default());
        let process = ProcessRef { pid: 4242, started: 1, comm: "load".into() };
        Self { decoder: Decoder::new(clock), printer, process, now: 1_000_000_000 }
    }

    fn event(&mut self, socket: &SocketRef, fact: Fact) {
        self.now += 1000;
        let (time, process, socket) = (Monotonic(self.now), Some(self.process.clone()), Some(socket.clone()));
        let mut observations = Vec::new();
        self.decoder.handle(Event { time, process, socket, fact }, &mut observations);
        self.printer.observations(&mut observations).expect("a sink takes everything");
    }

    fn bytes(&mut self, socket: &SocketRef, direction: Direction, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let chunk = Chunk { direction, offset: 0, bytes: bytes.to_vec(), length, cut: None };
        self.event(socket, Fact::Stream(chunk));
    }

    /// The link of a topic, seen at both of its ends.
    fn link(&mut self, number: u16) {
        let subscriber_end = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + number));
        let publisher_end = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + number));
        let socket = |id, local, remote| SocketRef {
            id,
            transport: Transport::Tcp,
            local: Some(local),
            remote: Some(remote),
            net_namespace: 1,
        };
        let subscriber = socket(u64::from(number) * 2 + 1, subscriber_end, publisher_end);
        let publisher = socket(u64::from(number) * 2 + 2, publisher_end, subscriber_end);
        self.event(&subscriber, Fact::SynSent);
        self.event(&subscriber, Fact::Established { incoming: false });
        self.event(&publisher, Fact::Established { incoming: true });
        self.event(&subscriber, Fact::ConnectReturned { fd: 7, errno: None, took_ns: 50_000 });
        let topic = format!("topic=/bench/topic_{number}");
        let common = ["type=std_msgs/String", "md5sum=992ce8a1687cec8c8bd883ec73ca41d1", &topic];
        let asked = header(&[&["callerid=/bench/subscriber", "tcp_nodelay=0"], &common[..]].concat());
        let answered = header(&[&["callerid=/bench/publisher", "latching=0"], &common[..]].concat());
        self.bytes(&subscriber, Direction::Sent, &asked);
        self.bytes(&publisher, Direction::Received, &asked);
        self.bytes(&publisher, Direction::Sent, &answered);
        self.bytes(&subscriber, Direction::Received, &answered);
        let message = Traffic { received_bytes: 13, received_messages: 1, ..Traffic::default() };
        self.event(&subscriber, Fact::Traffic(message));
        let message = Traffic { sent_bytes: 13, sent_messages: 1, ..Traffic::default() };
        self.event(&publisher, Fact::Traffic(message));
    }

    fn advance(&mut self) {
        self.now += 10_000_000_000;
        self.printer.advance(Monotonic(self.now)).expect("a sink takes everything");
        self.printer.statistics(&Statistics::default()).expect("a sink takes everything");
    }
}

/// A connection header: its length, then each field with its length.
fn header(fields: &[&str]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes(), bytes].concat();
    with_length(&fields.iter().flat_map(|field| with_length(field.as_bytes())).collect::<Vec<u8>>())
}

/// The kernel's pages for rosprobe's program and its ring buffer are not in this; of the 80 MB that 5,000 links may take they are 20.
#[test]
fn ten_thousand_sockets_and_five_thousand_links_are_small() {
    let before = ALLOCATOR.allocated();
    let mut watch = Watch::new();
    for number in 0..LINKS {
        watch.link(number);
    }
    watch.advance();
    assert_eq!(watch.printer.session().graph().links().count(), usize::from(LINKS));
    assert!(watch.printer.session().findings().is_empty(), "{:?}", watch.printer.session().findings().first());
    let held = ALLOCATOR.allocated() - before;
    assert!(held < 37_000_000, "{held} bytes are held, {} a link", held / usize::from(LINKS));
}
