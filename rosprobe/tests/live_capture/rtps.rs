//! RTPS: what comes through the kernel is what a packet capture of the same datagrams shows, whatever system calls carried them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::decode::Decoder;
use rosprobe::event::{Clock, Direction, Event, Fact};
use rosprobe::observation::What;
use rosprobe::observation::dds::Dds;
use serde_json::{Value, json};

use crate::in_every_mode;
use crate::watched::Watched;

use Direction::{Received, Sent};

/// Each way to send and each way to receive, with a capture of each implementation and of everything out of the ordinary.
const FORMS: [(&str, &str, &str); 7] = [
    ("cyc_cyc_d0", "2", "recvmsg"),
    ("cyc_cyc_d0", "10", "recvfrom"),
    ("fast_fast_d0", "sendto", "recvfrom"),
    ("rust_rust_d0", "sendmmsg", "recvmmsg"),
    ("e14_ros_discovery_info", "write", "peek"),
    ("e15_big_sedp", "10", "recvmmsg"),
    ("e3_frag_cyc", "3", "recvmsg"),
];

/// The RTPS datagrams of a capture.
pub fn packets(name: &str) -> Vec<Event> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ros2").join(name).with_extension("pcap");
    let mut capture = PacketCapture::open(&path).unwrap();
    let mut events = Vec::new();
    while capture.read(&mut events) {}
    events.retain(|event| matches!(&event.fact, Fact::Datagram { bytes, .. } if bytes.starts_with(b"RTPS")));
    events
}

/// The bytes as hexadecimal digits.
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The same in a file with a line for each as well.
fn datagrams(name: &str) -> (Vec<Event>, PathBuf) {
    let events = packets(name);
    let file = std::env::temp_dir().join(format!("rosprobe-{name}-{}.hex", std::process::id()));
    let mut lines = String::new();
    for event in &events {
        let Fact::Datagram { bytes, .. } = &event.fact else { continue };
        lines.push_str(&digits(bytes));
        lines.push('\n');
    }
    std::fs::write(&file, lines).unwrap();
    (events, file)
}

/// What discovery says, and the totals of each writer.
type Known = (BTreeSet<String>, BTreeMap<String, (u64, u64)>);

fn known(mut decoder: Decoder, events: &[Event], wanted: Direction) -> Known {
    let mut observations = Vec::new();
    for event in events {
        decoder.handle(event.clone(), &mut observations);
    }
    decoder.finish(events.last().unwrap().time, &mut observations);
    let mut said = BTreeSet::new();
    // Totals are of each socket, and in a packet capture a socket is a pair of addresses.
    let mut sockets = BTreeMap::new();
    for observation in observations {
        let What::Dds(dds) = observation.what else { continue };
        match dds {
            Dds::UserData { direction, writer, messages, bytes } if direction == wanted => {
                let socket = observation.socket.map(|socket| socket.id);
                sockets.insert((format!("{writer:?}"), socket), (messages, bytes));
            }
            // Told of each pair once, whoever of the two is heard first.
            Dds::Acknowledged { reader, writer, .. } => {
                said.insert(format!("{reader:?} acknowledged {writer:?}"));
            }
            Dds::ParticipantAddressed { from, to, .. } => {
                said.insert(format!("{from:?} addressed {to:?}"));
            }
            // Repetitions, which only the time between them makes one.
            Dds::ParticipantRenewed { .. } | Dds::UserData { .. } => {}
            dds => {
                let text = format!("{dds:?}");
                if text.contains(&format!("{wanted:?}")) {
                    said.insert(text);
                }
            }
        }
    }
    let mut totals = BTreeMap::<String, (u64, u64)>::new();
    for ((writer, _), (messages, bytes)) in sockets {
        let total = totals.entry(writer).or_default();
        *total = (total.0 + messages, total.1 + bytes);
    }
    (said, totals)
}

pub fn clock() -> Clock {
    Clock { zero: jiff::Timestamp::UNIX_EPOCH }
}

/// Runs the case until its datagrams are through, reads the counters, and lets it end.
async fn through(watched: &mut Watched, file: &Path, send: &str, receive: &str) -> Value {
    let mut child = watched.network.start("rtps", &json!([file, send, receive]));
    let stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    });
    watched.until(|_| reader.is_finished()).await;
    watched.sample();
    let line = reader.join().unwrap().unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success(), "{send} {receive}");
    serde_json::from_str(&line).unwrap()
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn discovery_comes_through_and_user_data_is_counted_by_every_system_call() {
    in_every_mode(async |options| {
        for (name, send, receive) in FORMS {
            let case = format!("{name} {send} {receive}");
            let (packets, file) = datagrams(name);
            let mut watched = Watched::start("rtps", &options);
            let ports = through(&mut watched, &file, send, receive).await;
            std::fs::remove_file(&file).unwrap();
            let expected = known(Decoder::new(clock()).of_packets(), &packets, Sent);
            for (direction, port) in [(Sent, "client"), (Received, "server")] {
                let port = ports[port].as_u64();
                let local = |event: &&Event| {
                    let local = event.socket.as_ref().and_then(|socket| socket.local);
                    local.map(|local| u64::from(local.port())) == port
                };
                let events: Vec<_> = watched.events.iter().filter(local).cloned().collect();
                let (said, totals) = known(Decoder::new(clock()), &events, direction);
                let told = if direction == Sent { "Sent" } else { "Received" };
                let wanted: BTreeSet<_> = expected.0.iter().map(|text| text.replace("Sent", told)).collect();
                // A pair is told of at the socket that knew first.
                let of_pair = |text: &&String| text.contains(" acknowledged ") || text.contains(" addressed ");
                let missing: Vec<_> =
                    wanted.difference(&said).filter(|text| direction == Sent || !of_pair(text)).collect();
                assert!(missing.is_empty(), "{case} {direction:?}: missing {missing:#?}");
                let more: Vec<_> = said.difference(&wanted).collect();
                assert!(more.is_empty(), "{case} {direction:?}: more {more:#?}");
                let messages =
                    |totals: &BTreeMap<String, (u64, u64)>| -> BTreeMap<String, (u64, u64)> { totals.clone() };
                assert_eq!(messages(&totals), messages(&expected.1), "{case} {direction:?}");
            }
        }
    });
}
