//! Feeding a decoder.

use std::net::SocketAddr;

use rosprobe::decode::{Decoder, Limits};
use rosprobe::event::{Chunk, Clock, Direction, Event, Fact, GapCause, Monotonic, ProcessRef, SocketRef, Transport};
use rosprobe::observation::{Observation, What};

/// A decoder with a clock of its own that advances 1 ms an event.
pub struct Feed {
    pub decoder: Decoder,
    pub out: Vec<Observation>,
    pub now: u64,
    offsets: [u64; 2],
}

impl Feed {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let clock = Clock { zero: jiff::Timestamp::UNIX_EPOCH };
        Self { decoder: Decoder::with_limits(clock, limits), out: Vec::new(), now: 0, offsets: [0; 2] }
    }

    pub fn fact_on(&mut self, socket: u64, fact: Fact) {
        self.now += 1_000_000;
        let event = Event { time: Monotonic(self.now), process: Some(process()), socket: Some(tcp(socket)), fact };
        self.decoder.handle(event, &mut self.out);
    }

    pub fn fact(&mut self, fact: Fact) {
        self.fact_on(1, fact);
    }

    /// The next bytes of a direction of socket 1.
    pub fn bytes(&mut self, direction: Direction, bytes: &[u8]) {
        let offset = self.advance(direction, bytes.len());
        self.fact(Fact::Stream(chunk(direction, offset, bytes)));
    }

    pub fn sent(&mut self, bytes: &[u8]) {
        self.bytes(Direction::Sent, bytes);
    }

    pub fn received(&mut self, bytes: &[u8]) {
        self.bytes(Direction::Received, bytes);
    }

    /// The next bytes of a direction, the last `missing` of them not copied.
    pub fn cut(&mut self, direction: Direction, bytes: &[u8], missing: usize, cause: GapCause) {
        let offset = self.advance(direction, bytes.len());
        let copied = bytes.len() - missing;
        let length = u32::try_from(bytes.len()).expect("small");
        let chunk = Chunk { direction, offset, bytes: bytes[..copied].to_vec(), length, cut: Some(cause) };
        self.fact(Fact::Stream(chunk));
    }

    /// The next bytes of a direction were never seen.
    pub fn skip(&mut self, direction: Direction, length: usize) {
        self.advance(direction, length);
    }

    fn advance(&mut self, direction: Direction, length: usize) -> u64 {
        let next = &mut self.offsets[usize::from(direction == Direction::Received)];
        let offset = *next;
        *next += length as u64;
        offset
    }

    /// What was malformed, as `protocol direction @offset reason`.
    pub fn malformed(&self) -> Vec<String> {
        let line = |observation: &Observation| match &observation.what {
            What::Malformed { protocol, direction, offset, reason } => {
                Some(format!("{protocol:?} {direction:?} @{offset} {reason}"))
            }
            _ => None,
        };
        self.out.iter().filter_map(line).collect()
    }

    pub fn whats(&self) -> Vec<What> {
        self.out.iter().map(|observation| observation.what.clone()).collect()
    }
}

/// An XML-RPC request around a document.
pub fn request(xml: &str) -> Vec<u8> {
    format!("POST /RPC2 HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{xml}", xml.len()).into_bytes()
}

/// An XML-RPC answer around a document.
pub fn answer(xml: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{xml}", xml.len()).into_bytes()
}

/// A call with arguments that are strings.
pub fn call(method: &str, params: &[&str]) -> String {
    let params = params.iter().map(|text| format!("<param><value>{text}</value></param>")).collect::<Vec<_>>().concat();
    format!("<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>")
}

/// A response with one value.
pub fn response(value: &str) -> String {
    format!(
        "<?xml version='1.0'?><methodResponse><params><param><value>{value}</value></param></params></methodResponse>"
    )
}

/// A TCPROS header.
pub fn tcpros(fields: &[&str]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("small").to_le_bytes();
    let body: Vec<u8> =
        fields.iter().flat_map(|field| [&length(field.as_bytes()), field.as_bytes()].concat()).collect();
    [&length(&body)[..], &body].concat()
}

pub fn process() -> ProcessRef {
    ProcessRef { pid: 4242, started: 7, comm: "rostopic".into() }
}

pub fn tcp(id: u64) -> SocketRef {
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    SocketRef {
        id,
        transport: Transport::Tcp,
        local: address("192.168.50.2:40000"),
        remote: address("10.0.1.1:11311"),
        net_namespace: 4_026_531_840,
    }
}

pub fn chunk(direction: Direction, offset: u64, bytes: &[u8]) -> Chunk {
    let length = u32::try_from(bytes.len()).expect("small");
    Chunk { direction, offset, bytes: bytes.to_vec(), length, cut: None }
}
