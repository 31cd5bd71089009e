//! A capture, and what it said about one network.

use std::io::Read as _;
use std::time::Duration;

use rosprobe::capture::{CaptureMode, LiveCapture, Options};
use rosprobe::errno::Errno;
use rosprobe::event::{Chunk, Direction, Event, Fact, GapCause, SocketRef, Traffic};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::network::Network;

/// How long anything here may take before the test fails: far longer than it does, also in an emulator.
pub const LIMIT: Duration = Duration::from_mins(4);

pub struct Watched {
    capture: LiveCapture,
    pub network: Network,
    pub events: Vec<Event>,
}

impl Watched {
    /// Starts a capture. Inside a tokio runtime.
    pub fn start(case: &str, options: &Options) -> Self {
        let mode = options.mode.map_or("", CaptureMode::name);
        Self::over(Network::new(&format!("{case}-{mode}")), options)
    }

    /// Starts a capture over a network in which something may run already.
    pub fn over(network: Network, options: &Options) -> Self {
        let capture = LiveCapture::start(options).unwrap();
        Self { capture, network, events: Vec::new() }
    }

    /// Runs a case to its end; what it printed.
    pub async fn run(&mut self, case: &str, arguments: Value) -> Value {
        let mut child = self.network.start(case, &arguments);
        let mut output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        self.until(|_| child.try_wait().unwrap().is_some()).await;
        assert!(child.wait().unwrap().success(), "{case} {arguments} failed");
        serde_json::from_str(&reader.join().unwrap().unwrap()).unwrap()
    }

    /// Drains until `enough` of what was seen.
    pub async fn until(&mut self, mut enough: impl FnMut(&[Event]) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !enough(&self.events) {
            assert!(Instant::now() < deadline, "not seen in {LIMIT:?}; seen: {:#?}", self.facts());
            let _ = timeout(Duration::from_millis(100), self.capture.ready()).await;
            self.drain();
        }
        while self.drain() {}
    }

    fn drain(&mut self) -> bool {
        let more = self.capture.drain(1000, &mut self.events);
        let inode = self.network.inode;
        self.events.retain(|event| match (&event.socket, &event.fact) {
            (Some(socket), _) => socket.net_namespace == inode,
            (None, fact) => matches!(fact, Fact::ProcessExited | Fact::Lost { .. } | Fact::Forked { .. }),
        });
        more
    }

    /// Reads the counters; how many events they say to be lost, on the whole machine.
    pub fn sample(&mut self) -> u64 {
        let known = self.events.len();
        self.capture.sample(self.capture.now(), &mut self.events);
        self.events[known..].iter().filter_map(lost).sum()
    }

    /// How many events the capture says to be lost so far.
    pub fn lost(&self) -> u64 {
        self.capture.statistics().lost
    }

    /// Children of this process are reported.
    pub fn follow(&mut self, pid: u32) {
        self.capture.follow(pid).unwrap();
    }

    /// What was seen, without bytes.
    pub fn facts(&self) -> Vec<String> {
        let short = |event: &Event| {
            let text = format!("{:?} {:?}", event.socket.as_ref().map(|socket| (socket.id, socket.remote)), event.fact);
            text.chars().take(200).collect()
        };
        self.events.iter().map(short).collect()
    }

    /// Facts about the socket whose own port is `port`.
    pub fn of_port(&self, port: &Value) -> Vec<&Fact> {
        let port = port.as_u64().unwrap();
        let local = |socket: &SocketRef| socket.local.is_some_and(|local| u64::from(local.port()) == port);
        // The listener has the port of the sockets that it accepts, and never any payload.
        let id = self
            .events
            .iter()
            .find(|event| !matches!(event.fact, Fact::Listening { .. }) && event.socket.as_ref().is_some_and(local))
            .map(|event| event.socket.as_ref().unwrap().id);
        self.of_socket(id.unwrap_or_else(|| panic!("no socket with port {port}: {:#?}", self.facts())))
    }

    pub fn of_socket(&self, id: u64) -> Vec<&Fact> {
        let same = |event: &&Event| event.socket.as_ref().is_some_and(|socket| socket.id == id);
        self.events.iter().filter(same).map(|event| &event.fact).collect()
    }

    /// What each failing connect returned, in order.
    pub fn connects(&self) -> Vec<(String, Option<Errno>)> {
        let returned = |event: &Event| match &event.fact {
            Fact::ConnectReturned { errno, .. } => {
                Some((event.socket.as_ref().unwrap().remote.unwrap().to_string(), *errno))
            }
            _ => None,
        };
        self.events.iter().filter_map(returned).collect()
    }
}

/// How many events this one says to be lost.
pub fn lost(event: &Event) -> Option<u64> {
    match event.fact {
        Fact::Lost { events } => Some(events),
        _ => None,
    }
}

/// The chunks of one direction.
pub fn chunks<'a>(facts: &[&'a Fact], direction: Direction) -> Vec<&'a Chunk> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Stream(chunk) if chunk.direction == direction => Some(chunk),
            _ => None,
        })
        .collect()
}

/// The stream of one direction from its beginning, of which nothing may be missing.
pub fn stream(facts: &[&Fact], direction: Direction) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks(facts, direction) {
        assert_eq!((chunk.offset, chunk.cut), (bytes.len() as u64, None), "after {} bytes", bytes.len());
        assert_eq!(chunk.length as usize, chunk.bytes.len());
        bytes.extend(&chunk.bytes);
    }
    bytes
}

/// Ranges that are missing, with why.
pub fn gaps(facts: &[&Fact], direction: Direction) -> Vec<(u64, u32, GapCause)> {
    let cut = |chunk: &&Chunk| chunk.cut.map(|cause| (chunk.offset, chunk.length, cause));
    chunks(facts, direction).iter().filter_map(cut).collect()
}

/// The last totals.
pub fn traffic(facts: &[&Fact]) -> Option<Traffic> {
    facts.iter().rev().find_map(|fact| match fact {
        Fact::Traffic(traffic) => Some(*traffic),
        _ => None,
    })
}
