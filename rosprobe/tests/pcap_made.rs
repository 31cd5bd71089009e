//! Packet captures made here: what real ones seldom show.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use rosprobe::capture::pcap::PacketCapture;
use rosprobe::errno::Errno;
use rosprobe::event::{Direction, Event, Fact, GapCause};

const CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 1, 2), 40000);
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 1, 1), 45000);
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const FIN: u8 = 1;
const ETHERNET: u32 = 1;

/// Time in milliseconds, and the IP packet.
type Packets = Vec<(u64, Vec<u8>)>;

fn ip(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, id: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let id = id.to_be_bytes();
    let mut packet = vec![0x45, 0, total[0], total[1], id[0], id[1], 0x40, 0, 64, protocol, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    packet
}

/// A conversation in the making; every packet has its own IP identification.
struct Conversation {
    packets: Packets,
    time: u64,
    client: u32,
    server: u32,
    id: u16,
}

impl Conversation {
    fn new(client: u32, server: u32) -> Self {
        Self { packets: Vec::new(), time: 0, client, server, id: 1 }
    }

    fn connected(client: u32, server: u32) -> Self {
        let mut conversation = Self::new(client, server);
        conversation.tcp(true, client, 0, SYN, b"");
        conversation.tcp(false, server, client.wrapping_add(1), SYN | ACK, b"");
        conversation.client = client.wrapping_add(1);
        conversation.server = server.wrapping_add(1);
        conversation.tcp(true, conversation.client, conversation.server, ACK, b"");
        conversation
    }

    fn tcp(&mut self, from_client: bool, sequence: u32, acknowledgement: u32, flags: u8, payload: &[u8]) {
        let (from, to) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let mut segment = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        segment.extend(sequence.to_be_bytes());
        segment.extend(acknowledgement.to_be_bytes());
        segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload);
        self.id += 1;
        self.time += 1;
        self.packets.push((self.time, ip(6, from.0, to.0, self.id, &segment)));
    }

    fn send(&mut self, payload: &[u8]) {
        self.tcp(true, self.client, self.server, ACK, payload);
        self.client = self.client.wrapping_add(u32::try_from(payload.len()).unwrap());
    }

    fn acknowledge(&mut self) {
        self.tcp(false, self.server, self.client, ACK, b"");
    }
}

fn pcap(link: u32, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link] {
        file.extend(u32::to_le_bytes(word));
    }
    for (time, packet) in packets {
        let length = u32::try_from(packet.len()).unwrap();
        let time = u32::try_from(*time).unwrap();
        for word in [1_700_000_000 + time / 1000, time % 1000 * 1000, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn read(file: Vec<u8>) -> Vec<Event> {
    let mut capture = PacketCapture::new(std::io::Cursor::new(file)).unwrap();
    let mut out = Vec::new();
    while capture.read(&mut out) {}
    out
}

fn events(packets: &[(u64, Vec<u8>)]) -> Vec<Event> {
    read(pcap(101, packets))
}

/// The stream in one direction, `?` for each byte that is missing; offsets must follow one another.
fn stream(events: &[Event], wanted: Direction) -> String {
    let mut text = String::new();
    for event in events {
        if let Fact::Stream(chunk) = &event.fact
            && chunk.direction == wanted
        {
            assert_eq!(chunk.offset, text.len() as u64, "{events:#?}");
            text.push_str(std::str::from_utf8(&chunk.bytes).unwrap());
            text.push_str(&"?".repeat(chunk.length as usize - chunk.bytes.len()));
        }
    }
    text
}

fn facts(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match &event.fact {
        Fact::Stream(_) | Fact::Traffic(_) => None,
        Fact::SocketError { errno } => Some(errno.to_string()),
        fact => Some(format!("{fact:?}").split([' ', '{']).next().unwrap().to_owned()),
    };
    events.iter().filter_map(word).collect()
}

const POST: &[u8] = b"POST /RPC2 HTTP/1.1\r\n";

#[test]
fn order_repetition_and_overlap_do_not_matter() {
    let whole = "POST /RPC2 HTTP/1.1\r\nabcdefghij";
    for start in [100, u32::MAX - 25, u32::MAX] {
        let mut ordered = Conversation::connected(start, 7);
        ordered.send(POST);
        ordered.send(b"abcde");
        ordered.send(b"fghij");
        ordered.acknowledge();
        let n = ordered.packets.len();
        for swap in [(n - 3, n - 2), (n - 4, n - 2), (n - 2, n - 1), (n - 4, n - 1)] {
            let mut packets = ordered.packets.clone();
            packets.swap(swap.0, swap.1);
            assert_eq!(stream(&events(&packets), Direction::Sent), whole, "from {start}, swapped {swap:?}");
        }
        let mut repeated = Conversation::connected(start, 7);
        repeated.send(POST);
        let (client, server) = (repeated.client, repeated.server);
        repeated.tcp(true, client.wrapping_sub(21), server, ACK, POST);
        repeated.tcp(true, client.wrapping_sub(2), server, ACK, b"XXabc");
        repeated.tcp(true, client, server, ACK, b"abcdefgh");
        repeated.tcp(true, client.wrapping_add(3), server, ACK, b"defghij");
        let events = events(&repeated.packets);
        assert_eq!(stream(&events, Direction::Sent), whole, "from {start}");
        assert_eq!(facts(&events)[2..], ["DataRetransmitted"; 4]);
    }
}

#[test]
fn what_the_capture_missed_is_a_gap_once_it_was_acknowledged() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    conversation.client += 4;
    conversation.send(b"efgh");
    conversation.acknowledge();
    for _ in 0..70 {
        conversation.acknowledge();
    }
    conversation.send(b"ijkl");
    let events = events(&conversation.packets);
    assert_eq!(stream(&events, Direction::Sent), "POST /RPC2 HTTP/1.1\r\n????efghijkl");
    let cut = |event: &Event| if let Fact::Stream(chunk) = &event.fact { chunk.cut } else { None };
    assert_eq!(events.iter().filter_map(cut).collect::<Vec<_>>(), [GapCause::Lost]);
}

#[test]
fn a_hole_at_the_end_is_a_gap_too() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    conversation.client += 4;
    conversation.acknowledge();
    assert_eq!(stream(&events(&conversation.packets), Direction::Sent), "POST /RPC2 HTTP/1.1\r\n????");
}

#[test]
fn a_packet_cut_by_the_snapshot_length_is_a_gap_with_its_reason() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    conversation.send(b"abcd");
    let last = conversation.packets.last_mut().unwrap();
    last.1.truncate(42);
    let events = events(&conversation.packets);
    assert_eq!(stream(&events, Direction::Sent), "POST /RPC2 HTTP/1.1\r\nab??");
    assert!(
        events.iter().any(|event| matches!(&event.fact, Fact::Stream(chunk) if chunk.cut == Some(GapCause::Limit)))
    );
}

#[test]
fn a_connection_that_was_open_begins_with_its_next_request() {
    let mut conversation = Conversation::new(500, 900);
    conversation.send(b"the end of something</methodCall>");
    conversation.tcp(false, 900, conversation.client, ACK, b"HTTP/1.1 200 OK\r\n");
    conversation.server += 17;
    conversation.send(POST);
    let events = events(&conversation.packets);
    assert_eq!(facts(&events), ["AlreadyOpen"]);
    assert_eq!(stream(&events, Direction::Sent), "POST /RPC2 HTTP/1.1\r\n");
    assert_eq!(stream(&events, Direction::Received), "HTTP/1.1 200 OK\r\n");
}

#[test]
fn outcomes_of_a_connect() {
    let syn = |conversation: &mut Conversation| conversation.tcp(true, 5, 0, SYN, b"");
    let mut refused = Conversation::new(5, 0);
    syn(&mut refused);
    refused.tcp(false, 0, 6, RST | ACK, b"");
    assert_eq!(facts(&events(&refused.packets)), ["SynSent", "ECONNREFUSED", "Closed"]);

    // As a network card with several queues may hand them over.
    refused.packets.swap(0, 1);
    assert_eq!(facts(&events(&refused.packets)), ["SynSent", "ECONNREFUSED", "Closed"], "the refusal first");

    let mut stray = Conversation::new(5, 0);
    syn(&mut stray);
    stray.tcp(false, 0, 77, RST | ACK, b"");
    assert_eq!(facts(&events(&stray.packets)), ["SynSent"], "a reset of something else");

    for (code, errno) in
        [(0, Errno::ENETUNREACH), (1, Errno::EHOSTUNREACH), (3, Errno::ECONNREFUSED), (13, Errno::EHOSTUNREACH)]
    {
        let mut unreachable = Conversation::new(5, 0);
        syn(&mut unreachable);
        let quoted = unreachable.packets[0].1[..28].to_vec();
        let message = [&[3, code, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
        let router = Ipv4Addr::new(10, 0, 1, 254);
        unreachable.packets.push((3, ip(1, router, CLIENT.0, 9, &message)));
        let expected = ["SynSent".to_owned(), errno.to_string(), "Closed".to_owned()];
        assert_eq!(facts(&events(&unreachable.packets)), expected, "code {code}");
    }

    let mut dropped = Conversation::new(5, 0);
    for time in [1, 1001, 3001, 7001] {
        dropped.time = time;
        syn(&mut dropped);
    }
    let repeated = ["SynSent", "SynRetransmitted", "SynRetransmitted", "SynRetransmitted"];
    assert_eq!(facts(&events(&dropped.packets)), repeated);
}

#[test]
fn an_answer_that_the_capture_has_before_its_syn_is_no_repetition() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    conversation.packets.swap(0, 1);
    let events = events(&conversation.packets);
    assert_eq!(facts(&events), ["SynSent", "Established"]);
    assert_eq!(stream(&events, Direction::Sent), "POST /RPC2 HTTP/1.1\r\n");
}

#[test]
fn the_end_of_a_connection() {
    let mut closed = Conversation::connected(5, 6);
    closed.tcp(true, closed.client, closed.server, FIN | ACK, b"");
    closed.tcp(false, closed.server, closed.client + 1, FIN | ACK, b"");
    closed.tcp(true, closed.client + 1, closed.server + 1, ACK, b"");
    assert_eq!(facts(&events(&closed.packets)), ["SynSent", "Established", "PeerClosed", "Closed"]);

    let mut reset = Conversation::connected(5, 6);
    reset.tcp(false, reset.server, reset.client, RST | ACK, b"");
    assert_eq!(facts(&events(&reset.packets)), ["SynSent", "Established", "ECONNRESET", "Closed"]);

    let mut reused = closed;
    reused.tcp(true, 7777, 0, SYN, b"");
    let reused = events(&reused.packets);
    assert_eq!(facts(&reused)[4..], ["SynSent"]);
    assert_ne!(reused[0].socket.as_ref().unwrap().id, reused.last().unwrap().socket.as_ref().unwrap().id);
}

/// The wall clock is set back by almost an hour after the third packet: time goes on, and what took milliseconds still does.
#[test]
fn a_clock_that_is_set_back_does_not_turn_time_around() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(b"POST / HTTP/1.0\r\n\r\n");
    conversation.acknowledge();
    let steady = events(&conversation.packets);
    for (time, _) in &mut conversation.packets[..3] {
        *time += 3_500_000;
    }
    let stepped = events(&conversation.packets);
    assert_eq!(facts(&stepped), facts(&steady));
    let times = |events: &[Event]| -> Vec<u64> { events.iter().map(|event| event.time.0).collect() };
    let (steady, stepped) = (times(&steady), times(&stepped));
    assert!(stepped.is_sorted(), "{stepped:?}");
    let late = |(stepped, steady): (&u64, &u64)| stepped.abs_diff(*steady) > 100_000_000;
    assert!(!stepped.iter().zip(&steady).any(late), "{stepped:?} {steady:?}");
}

#[test]
fn one_packet_on_two_interfaces_is_one_packet() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    let doubled: Packets = conversation.packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
    assert_eq!(facts(&events(&doubled)), ["SynSent", "Established"]);
    assert_eq!(stream(&events(&doubled), Direction::Sent), "POST /RPC2 HTTP/1.1\r\n");
}

#[test]
fn every_container_of_the_same_packets_gives_the_same_events() {
    let mut conversation = Conversation::connected(5, 6);
    conversation.send(POST);
    let expected = events(&conversation.packets);
    let framed = |head: &[u8]| -> Packets {
        conversation.packets.iter().map(|(time, packet)| (*time, [head, packet].concat())).collect()
    };
    let mac = [0_u8; 12];
    for (link, head) in [
        (ETHERNET, [&mac[..], &[8, 0]].concat()),
        (ETHERNET, [&mac[..], &[0x81, 0, 0, 7, 8, 0]].concat()),
        (113, [&[0; 14][..], &[8, 0]].concat()),
        (276, [&[8, 0][..], &[0; 18]].concat()),
        (0, vec![2, 0, 0, 0]),
    ] {
        assert_eq!(read(pcap(link, &framed(&head))), expected, "link type {link}");
    }
    let plain = pcap(101, &conversation.packets);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    assert_eq!(read(gzip.finish().unwrap()), expected, "gzip");
    let mut swapped = plain.clone();
    let mut at = 0;
    let mut swap = |at: usize, length: usize| swapped[at..at + length].reverse();
    for length in [4, 2, 2, 4, 4, 4, 4] {
        swap(at, length);
        at += length;
    }
    for (_, packet) in &conversation.packets {
        for _ in 0..4 {
            swap(at, 4);
            at += 4;
        }
        at += packet.len();
    }
    assert_eq!(read(swapped), expected, "big-endian");
}

#[test]
fn a_file_that_ends_early_gives_what_is_there() {
    let conversation = Conversation::connected(5, 6);
    let file = pcap(101, &conversation.packets);
    let mut capture = PacketCapture::new(std::io::Cursor::new(file[..file.len() - 3].to_vec())).unwrap();
    let mut out = Vec::new();
    while capture.read(&mut out) {}
    assert_eq!(facts(&out), ["SynSent"]);
    assert!(capture.damage().unwrap().reason.contains("ends in the middle of a packet"));
}

proptest! {
    #[test]
    fn no_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), pcapng in any::<bool>(), link in 0_u32..300) {
        let head = if pcapng {
            vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0]
        } else {
            pcap(link, &[])
        };
        if let Ok(mut capture) = PacketCapture::new(std::io::Cursor::new([head, bytes].concat())) {
            let mut out = Vec::new();
            while capture.read(&mut out) {}
        }
    }

    #[test]
    fn no_damaged_packet_panics_and_streams_stay_in_order(at in 0_usize..2000, byte in any::<u8>(), cut in 0_usize..2000) {
        let mut conversation = Conversation::connected(5, 6);
        for _ in 0..5 {
            conversation.send(POST);
            conversation.acknowledge();
        }
        let mut file = pcap(101, &conversation.packets);
        let length = file.len();
        file[24 + at % (length - 24)] = byte;
        file.truncate(length - cut % (length - 24));
        let mut ends = std::collections::HashMap::new();
        for event in read(file) {
            if let (Fact::Stream(chunk), Some(socket)) = (event.fact, event.socket) {
                let end = ends.entry((socket.id, chunk.direction)).or_insert(0);
                prop_assert_eq!(*end, chunk.offset);
                prop_assert!(chunk.bytes.len() as u64 <= u64::from(chunk.length));
                *end += u64::from(chunk.length);
            }
        }
    }
}
