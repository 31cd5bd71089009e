//! What fuzzing begins with: real traffic, cut out of the captures of the tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rosprobe::capture::pcap::PacketCapture;
use rosprobe::event::{Direction, Event, Fact};
use rosprobe::trace;

use super::decoder::{fact_frame, stream_frame};
use super::input::push_frame;

/// Longest seed, in bytes: small inputs are changed to more purpose.
const LENGTH: usize = 32 << 10;
/// Seeds of one target.
const COUNT: usize = 60;

/// The seeds of a target. `fixtures` is the folder `rosprobe/tests/fixtures`.
///
/// # Panics
/// When a fixture is missing.
pub fn seeds(target: &str, fixtures: &Path) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "stream" => streams(),
        "http" => messages(fixtures).map(|(answer, bytes)| http(answer, &bytes)).collect(),
        "xmlrpc" => messages(fixtures).map(|(_, bytes)| body(&bytes)).collect(),
        "tcpros" => captured(fixtures, "ros1").flat_map(|events| headers(&events)).collect(),
        "dns" => names(),
        "rtps" => captured(fixtures, "ros2").map(|events| framed_datagrams(&events)).collect(),
        "decoder" => captured(fixtures, "ros1").flat_map(|events| conversations(&events)).collect(),
        "pcap" => captures(fixtures, "ros1").chain(captures(fixtures, "ros2")).map(|path| read(&path)).collect(),
        "trace" => traces(fixtures),
        _ => Vec::new(),
    };
    seeds.sort();
    seeds.dedup();
    // The short ones, and of all kinds that there are.
    seeds.sort_by_key(Vec::len);
    let step = seeds.len().div_ceil(COUNT).max(1);
    let mut seeds: Vec<_> = seeds.into_iter().step_by(step).collect();
    for seed in &mut seeds {
        seed.truncate(LENGTH);
    }
    assert!(!seeds.is_empty(), "no seed for {target} in {}", fixtures.display());
    seeds
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|known| known == extension));
    paths.sort();
    paths
}

fn captures(fixtures: &Path, kind: &str) -> impl Iterator<Item = PathBuf> {
    let folder = fixtures.join(if kind == "ros1" { "ros1/pcap" } else { "ros2" });
    files(&folder, "pcap").into_iter()
}

fn captured(fixtures: &Path, kind: &str) -> impl Iterator<Item = Vec<Event>> {
    captures(fixtures, kind).map(|path| {
        let mut capture = PacketCapture::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut events = Vec::new();
        while capture.read(&mut events) {}
        events
    })
}

/// The recorded HTTP messages, and whether each is an answer.
fn messages(fixtures: &Path) -> impl Iterator<Item = (bool, Vec<u8>)> {
    let paths = files(&fixtures.join("ros1/messages"), "http").into_iter();
    paths.map(|path| (path.to_string_lossy().ends_with("-resp.http"), read(&path)))
}

fn http(answer: bool, message: &[u8]) -> Vec<u8> {
    let mut seed = vec![u8::from(answer)];
    for piece in message.chunks(1000) {
        push_frame(&mut seed, 2, piece);
    }
    seed
}

/// The body of a message behind the byte that names its coding.
fn body(message: &[u8]) -> Vec<u8> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    let (head, body) = message.split_at(end);
    let gzip = String::from_utf8_lossy(head).to_ascii_lowercase().contains("content-encoding: gzip");
    [&[u8::from(gzip)], body].concat()
}

/// The first bytes of each direction that do not look like HTTP.
fn headers(events: &[Event]) -> Vec<Vec<u8>> {
    let mut firsts: BTreeMap<(u64, Direction), Vec<u8>> = BTreeMap::new();
    for event in events {
        if let (Some(socket), Fact::Stream(chunk)) = (&event.socket, &event.fact) {
            let bytes = firsts.entry((socket.id, chunk.direction)).or_default();
            if bytes.len() < 2000 {
                bytes.extend(&chunk.bytes);
            }
        }
    }
    let firsts = firsts.into_values().filter(|bytes| !bytes.starts_with(b"POST") && !bytes.starts_with(b"HTTP"));
    firsts.map(|bytes| [&[7], &bytes[..bytes.len().min(2000)]].concat()).collect()
}

/// DNS messages; the captures have none, because their hosts know each other by `/etc/hosts`. RFC 1035, 4.1.
fn names() -> Vec<Vec<u8>> {
    let head = |flags: [u8; 2], answers: u8| [&[0x12, 0x34], &flags[..], &[0, 1, 0, answers, 0, 0, 0, 0]].concat();
    let question = |record: u8| [&b"\x05robot\x05local\0"[..], &[0, record, 0, 1]].concat();
    // The name is a pointer to that of the question.
    let answer = |record: u8, data: &[u8]| {
        [&[0xc0, 12, 0, record, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap_or(0)], data].concat()
    };
    let (a, aaaa, cname) = (1, 28, 5);
    vec![
        [head([1, 0], 0), question(a)].concat(),
        [head([1, 0], 0), question(aaaa)].concat(),
        [head([0x81, 0x80], 1), question(a), answer(a, &[10, 0, 1, 1])].concat(),
        [head([0x81, 0x80], 2), question(a), answer(cname, b"\x01x\xc0\x0c"), answer(a, &[10, 0, 1, 1])].concat(),
        [head([0x81, 0x80], 1), question(aaaa), answer(aaaa, &[0xfe; 16])].concat(),
        [head([0x81, 0x83], 0), question(a)].concat(),
    ]
}

fn framed_datagrams(events: &[Event]) -> Vec<u8> {
    let mut seed = Vec::new();
    let datagrams = events.iter().filter_map(|event| match &event.fact {
        Fact::Datagram { bytes, .. } => Some(bytes),
        _ => None,
    });
    for (position, bytes) in datagrams.enumerate() {
        let tag = u8::try_from(position % 4).unwrap_or(0) | 0x20;
        push_frame(&mut seed, tag, bytes);
    }
    seed
}

/// Each connection of a capture as one seed.
fn conversations(events: &[Event]) -> Vec<Vec<u8>> {
    let mut seeds: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for event in events {
        let Some(socket) = &event.socket else { continue };
        let number = u8::try_from(socket.id % 8).unwrap_or(0);
        let frame = match &event.fact {
            Fact::SynSent => fact_frame(number, 1, false),
            Fact::Established { incoming } => fact_frame(number, 2, *incoming),
            Fact::Closed => fact_frame(number, 9, false),
            Fact::Stream(chunk) => stream_frame(number, chunk.direction, &chunk.bytes),
            _ => continue,
        };
        push_frame(seeds.entry(socket.id).or_insert_with(|| vec![0]), 0x10, &frame);
    }
    seeds.into_values().filter(|seed| seed.len() < LENGTH).collect()
}

/// Chunks in order, in reverse, and with holes.
fn streams() -> Vec<Vec<u8>> {
    let record = |offset: u16, four: u8, missing: u8, how: u8| {
        let [low, high] = offset.to_le_bytes();
        [low, high, four, missing, how, 1]
    };
    let in_order: Vec<_> = (0..20).map(|n| record(n * 40, 10, 0, 7)).collect();
    let reverse: Vec<_> = in_order.iter().rev().copied().collect();
    let holes: Vec<_> = (0..20).map(|n| record(n * 60, 10, 5, u8::try_from(n % 8).unwrap_or(7))).collect();
    [in_order, reverse, holes].iter().map(|records| records.concat()).collect()
}

/// The trace of the oldest version, and the small captures as documents.
fn traces(fixtures: &Path) -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = files(&fixtures.join("trace"), "json").iter().map(|path| read(path)).collect();
    for path in captures(fixtures, "ros1").chain(captures(fixtures, "ros2")) {
        let opened = trace::open(&path, &mut |_| {}).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        seeds.extend(trace::document_to_string(&opened.meta, &opened.session).ok().map(String::into_bytes));
    }
    seeds
}
