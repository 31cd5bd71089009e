//! A packet capture of mostly TCPROS data, made up: ten topics with messages of 60 kB, in Ethernet frames of 1514 bytes, with an
//! acknowledgement for every second segment.

use std::io::{self, Write};
use std::net::Ipv4Addr;

const PUBLISHER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const SUBSCRIBER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
const TOPICS: usize = 10;
/// Bytes of a message behind its length.
const MESSAGE: usize = 60_000;
/// Bytes of one segment.
const SEGMENT: usize = 1448;
const SYN: u8 = 2;
const PUSH: u8 = 8;
const ACK: u8 = 16;

/// One TCPROS connection. Sequence numbers of both ends.
struct Connection {
    topic: usize,
    sent: u32,
    received: u32,
}

/// Writes packets and counts their bytes.
struct Capture<'a> {
    out: &'a mut dyn Write,
    written: u64,
    microseconds: u64,
}

/// Writes a capture of at least `length` bytes.
pub fn write(out: &mut dyn Write, length: u64) -> io::Result<()> {
    let mut capture = Capture { out, written: 0, microseconds: 0 };
    capture.header()?;
    let mut connections = Vec::new();
    for topic in 0..TOPICS {
        connections.push(capture.connect(topic)?);
    }
    let message = message();
    while capture.written < length {
        for connection in &mut connections {
            capture.publish(connection, &message)?;
        }
    }
    Ok(())
}

/// A message with its length before it; the bytes look like those of an image.
fn message() -> Vec<u8> {
    let length = u32::try_from(MESSAGE).unwrap_or(0).to_le_bytes();
    let noise = (0_u32..).map(|position| (position.wrapping_mul(2_654_435_761) >> 24) as u8);
    length.into_iter().chain(noise.take(MESSAGE)).collect()
}

/// A connection header of these fields.
fn connection_header(fields: &[&str]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes();
    let body: Vec<u8> =
        fields.iter().flat_map(|field| [&length(field.as_bytes()), field.as_bytes()].concat()).collect();
    [&length(&body)[..], &body].concat()
}

impl Capture<'_> {
    fn header(&mut self) -> io::Result<()> {
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1_u32] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.written += 24;
        Ok(())
    }

    fn connect(&mut self, topic: usize) -> io::Result<Connection> {
        let mut connection = Connection { topic, sent: 1000, received: 2000 };
        self.segment(&connection, false, SYN, &[])?;
        connection.received += 1;
        self.segment(&connection, true, SYN | ACK, &[])?;
        connection.sent += 1;
        self.segment(&connection, false, ACK, &[])?;
        let name = format!("topic=/camera_{topic}");
        let kind = ["md5sum=060021388200f6f0f447d0fcd9c64743", "type=sensor_msgs/Image"];
        let request = connection_header(&[&[name.as_str(), "callerid=/viewer"], &kind[..]].concat());
        self.segment(&connection, false, PUSH | ACK, &request)?;
        connection.received += u32::try_from(request.len()).unwrap_or(0);
        let answer = connection_header(&[&[name.as_str(), "callerid=/camera"], &kind[..]].concat());
        self.segment(&connection, true, PUSH | ACK, &answer)?;
        connection.sent += u32::try_from(answer.len()).unwrap_or(0);
        Ok(connection)
    }

    fn publish(&mut self, connection: &mut Connection, message: &[u8]) -> io::Result<()> {
        for (number, segment) in message.chunks(SEGMENT).enumerate() {
            self.segment(connection, true, ACK, segment)?;
            connection.sent = connection.sent.wrapping_add(u32::try_from(segment.len()).unwrap_or(0));
            if number % 2 == 1 {
                self.segment(connection, false, ACK, &[])?;
            }
        }
        Ok(())
    }

    fn segment(&mut self, connection: &Connection, of_publisher: bool, flags: u8, payload: &[u8]) -> io::Result<()> {
        let ports = [45000, 40000 + u16::try_from(connection.topic).unwrap_or(0)];
        let (mut addresses, mut ports, mut numbers) =
            ([PUBLISHER, SUBSCRIBER], ports, [connection.sent, connection.received]);
        if !of_publisher {
            addresses.reverse();
            ports.reverse();
            numbers.reverse();
        }
        let total = u16::try_from(20 + 20 + payload.len()).unwrap_or(u16::MAX);
        let mut frame = [0; 54];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[14] = 0x45;
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[20] = 0x40;
        frame[22..24].copy_from_slice(&[64, 6]);
        frame[26..30].copy_from_slice(&addresses[0].octets());
        frame[30..34].copy_from_slice(&addresses[1].octets());
        frame[34..36].copy_from_slice(&ports[0].to_be_bytes());
        frame[36..38].copy_from_slice(&ports[1].to_be_bytes());
        frame[38..42].copy_from_slice(&numbers[0].to_be_bytes());
        frame[42..46].copy_from_slice(&numbers[1].to_be_bytes());
        frame[46..48].copy_from_slice(&[0x50, flags]);
        frame[48..50].copy_from_slice(&[0xff, 0xff]);
        self.microseconds += 12;
        let seconds = u32::try_from(self.microseconds / 1_000_000).unwrap_or(0);
        let fraction = u32::try_from(self.microseconds % 1_000_000).unwrap_or(0);
        let length = u32::try_from(frame.len() + payload.len()).unwrap_or(0);
        for word in [1_700_000_000 + seconds, fraction, length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(&frame)?;
        self.out.write_all(payload)?;
        self.written += 16 + u64::from(length);
        Ok(())
    }
}
