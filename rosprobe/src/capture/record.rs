//! Raw records of the kernel side become facts. A record that is not what it should be is an error, never a panic.

use std::borrow::Cow;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rosprobe_common::{Cut, Flow, Kind, Record, SocketAddress, is_record_length};

use crate::errno::Errno;
use crate::event::{Chunk, Direction, Fact, GapCause, SocketRef, Transport};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Why a record was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than the fixed part, or a length that its kind cannot have.
    #[error("a record of {0} bytes")]
    Length(usize),
    /// A number that names no kind.
    #[error("a record of unknown kind {0}")]
    Kind(u16),
    /// More bytes said to be copied than there are.
    #[error("a record that claims {copied} of {room} bytes")]
    Payload {
        /// Claimed.
        copied: u32,
        /// There.
        room: usize,
    },
    /// A field with a value that it cannot have.
    #[error("a record with {0} as its {1}")]
    Field(u64, &'static str),
}

/// A record, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<'a> {
    /// Its fixed part.
    pub record: Record,
    /// What it is.
    pub kind: Kind,
    /// The payload that was copied.
    pub payload: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// Checks length, kind and payload.
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let Some((fixed, room)) = bytes.split_at_checked(size_of::<Record>()) else {
            return Err(RecordError::Length(bytes.len()));
        };
        // SAFETY: `fixed` has exactly the size of a `Record`, which is integers only, so that every bit pattern is one.
        let record = unsafe { fixed.as_ptr().cast::<Record>().read_unaligned() };
        let kind = Kind::from_number(record.kind).ok_or(RecordError::Kind(record.kind))?;
        if !is_record_length(kind, bytes.len()) {
            return Err(RecordError::Length(bytes.len()));
        }
        let claimed = usize::try_from(record.copied).unwrap_or(usize::MAX);
        let payload = room.get(..claimed).ok_or(RecordError::Payload { copied: record.copied, room: room.len() })?;
        if kind.carries_payload() && record.copied > record.length {
            return Err(RecordError::Field(record.length.into(), "length"));
        }
        Ok(Self { record, kind, payload })
    }

    /// The thread's name.
    pub fn comm(&self) -> Cow<'_, str> {
        let name = self.record.comm.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name)
    }

    /// The socket, if it is about one.
    pub fn socket(&self) -> Result<Option<SocketRef>, RecordError> {
        let record = &self.record;
        if record.socket == 0 {
            return Ok(None);
        }
        let transport = match record.protocol {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            other => return Err(RecordError::Field(other.into(), "protocol")),
        };
        let (local, remote) = match self.kind {
            // What was asked for; a port that was given is the same one.
            Kind::Bound => (address(&record.remote), None),
            Kind::MulticastJoined => (address(&record.local), None),
            _ => (address(&record.local), address(&record.remote)),
        };
        let net_namespace = record.net_namespace.into();
        Ok(Some(SocketRef { id: record.socket, transport, local, remote, net_namespace }))
    }

    /// Which way its payload went.
    pub fn direction(&self) -> Result<Direction, RecordError> {
        match self.record.flow {
            flow if flow == Flow::Sent as u8 => Ok(Direction::Sent),
            flow if flow == Flow::Received as u8 => Ok(Direction::Received),
            other => Err(RecordError::Field(other.into(), "direction")),
        }
    }

    /// Why fewer bytes were copied than `length`.
    pub fn cut(&self) -> Result<Option<GapCause>, RecordError> {
        match self.record.cut {
            cut if cut == Cut::None as u8 => Ok(None),
            cut if cut == Cut::Limit as u8 => Ok(Some(GapCause::Limit)),
            cut if cut == Cut::Unreadable as u8 => Ok(Some(GapCause::Unreadable)),
            cut if cut == Cut::NotCopied as u8 => Ok(Some(GapCause::NotCopied)),
            other => Err(RecordError::Field(other.into(), "cut")),
        }
    }

    /// What happened; `None` for a record that only tells the loader something, and for datagrams, which come in pieces.
    pub fn fact(&self) -> Result<Option<Fact>, RecordError> {
        let record = &self.record;
        let errno = Errno(record.errno);
        Ok(Some(match self.kind {
            Kind::ConnectReturned => Fact::ConnectReturned {
                fd: record.fd,
                errno: (record.errno != 0).then_some(errno),
                took_ns: record.value,
            },
            Kind::SynSent => Fact::SynSent,
            Kind::Connected => Fact::Established { incoming: false },
            Kind::Accepted => Fact::Established { incoming: true },
            Kind::SynRetransmitted => Fact::SynRetransmitted,
            Kind::DataRetransmitted => Fact::DataRetransmitted,
            Kind::SocketError if self.is_aborted() => Fact::Aborted,
            Kind::SocketError => Fact::SocketError { errno },
            Kind::SoftError => Fact::SoftError { errno },
            Kind::AlreadyOpen => Fact::AlreadyOpen,
            Kind::Listening => Fact::Listening { already: false },
            Kind::Stream => Fact::Stream(self.chunk()?),
            Kind::IoFailed => Fact::IoFailed { direction: self.direction()?, errno, count: record.value },
            Kind::PeerClosed => Fact::PeerClosed,
            Kind::Closed => Fact::Closed,
            Kind::ProcessExited => Fact::ProcessExited,
            Kind::Forked => Fact::Forked {
                child: u32::try_from(record.value).map_err(|_| RecordError::Field(record.value, "child"))?,
            },
            Kind::Bound => Fact::Bound { errno: (record.errno != 0).then_some(errno), already: false },
            Kind::MulticastJoined => {
                let (Some(group), interface) = (address(&record.remote), self.interface()?) else { return Ok(None) };
                Fact::MulticastJoined { group: group.ip(), interface, errno: (record.errno != 0).then_some(errno) }
            }
            Kind::Counting | Kind::Datagram => return Ok(None),
        }))
    }

    /// `tcp_disconnect()` has forgotten the peer's port when it reports its ECONNRESET; a reset of the peer leaves it.
    fn is_aborted(&self) -> bool {
        let record = &self.record;
        record.protocol == TCP && Errno(record.errno) == Errno::ECONNRESET && record.remote.port == 0
    }

    /// Address of the interface on which a group was joined.
    fn interface(&self) -> Result<Option<IpAddr>, RecordError> {
        let value = self.record.value;
        let octets = u32::try_from(value).map_err(|_| RecordError::Field(value, "interface"))?.to_ne_bytes();
        Ok((value != 0).then(|| Ipv4Addr::from(octets).into()))
    }

    fn chunk(&self) -> Result<Chunk, RecordError> {
        Ok(Chunk {
            direction: self.direction()?,
            offset: self.record.value,
            bytes: self.payload.to_vec(),
            length: self.record.length,
            cut: self.cut()?,
        })
    }
}

/// An end of a socket; `None` when it has neither address nor port, or none of the internet.
pub(super) fn address(end: &SocketAddress) -> Option<SocketAddr> {
    let [a, b, c, d, ..] = end.address;
    let address = match end.family {
        AF_INET => SocketAddr::from((Ipv4Addr::new(a, b, c, d), end.port)),
        AF_INET6 => {
            let v6 = Ipv6Addr::from(end.address);
            match v6.to_ipv4_mapped() {
                Some(v4) => SocketAddr::from((v4, end.port)),
                None => SocketAddr::V6(SocketAddrV6::new(v6, end.port, 0, end.scope)),
            }
        }
        _ => return None,
    };
    let unknown = match address.ip() {
        IpAddr::V4(ip) => ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    (!unknown || address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rosprobe_common::CHUNK_CLASSES;

    fn bytes(record: &Record) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Record>()];
        // SAFETY: the buffer has the size of a `Record`.
        unsafe { bytes.as_mut_ptr().cast::<Record>().write_unaligned(*record) };
        bytes
    }

    fn record(kind: Kind) -> Record {
        let end = SocketAddress::NONE;
        Record {
            time: 7,
            socket: 3,
            value: 0,
            kind: kind as u16,
            protocol: TCP,
            flow: 0,
            cut: 0,
            reserved: [0; 3],
            pid: 42,
            errno: 0,
            fd: 0,
            length: 0,
            copied: 0,
            net_namespace: 9,
            comm: *b"rospy\0\0\0\0\0\0\0\0\0\0\0",
            local: end,
            remote: end,
        }
    }

    fn v6(text: &str, port: u16) -> SocketAddress {
        SocketAddress { address: text.parse::<Ipv6Addr>().unwrap().octets(), family: AF_INET6, port, scope: 0 }
    }

    #[test]
    fn a_failed_connect() {
        let mut remote = SocketAddress { family: AF_INET, port: 41235, ..SocketAddress::NONE };
        remote.address[..4].copy_from_slice(&[10, 0, 1, 1]);
        let raw = bytes(&Record { errno: 111, fd: 10, value: 1500, remote, ..record(Kind::ConnectReturned) });
        let parsed = Parsed::read(&raw).unwrap();
        let expected = Fact::ConnectReturned { fd: 10, errno: Some(Errno::ECONNREFUSED), took_ns: 1500 };
        assert_eq!(parsed.fact(), Ok(Some(expected)));
        let socket = parsed.socket().unwrap().unwrap();
        assert_eq!(socket.remote, Some("10.0.1.1:41235".parse().unwrap()));
        assert_eq!((socket.local, socket.net_namespace, &*parsed.comm()), (None, 9, "rospy"));
    }

    #[test]
    fn a_reset_of_the_peer_and_one_of_the_process_itself() {
        let end = |port| SocketAddress { family: AF_INET, port, ..SocketAddress::NONE };
        let (reset, refused) = (Errno::ECONNRESET, Errno::ECONNREFUSED);
        for (errno, port, expected) in [
            (reset, 41235, Fact::SocketError { errno: reset }),
            (reset, 0, Fact::Aborted),
            (refused, 0, Fact::SocketError { errno: refused }),
        ] {
            let raw = bytes(&Record { errno: errno.0, remote: end(port), ..record(Kind::SocketError) });
            assert_eq!(Parsed::read(&raw).unwrap().fact(), Ok(Some(expected)));
        }
    }

    #[test]
    fn addresses() {
        for (end, expected) in [
            (v6("::ffff:10.0.1.1", 80), Some("10.0.1.1:80")),
            (v6("fd00::1", 80), Some("[fd00::1]:80")),
            (v6("::", 80), Some("[::]:80")),
            (v6("::", 0), None),
            (SocketAddress { family: 1, port: 80, ..SocketAddress::NONE }, None),
            (SocketAddress::NONE, None),
        ] {
            assert_eq!(address(&end), expected.map(|text| text.parse().unwrap()), "{end:?}");
        }
    }

    #[test]
    fn a_chunk_holds_exactly_the_bytes_that_were_copied() {
        let mut raw = bytes(&Record { value: 100, length: 5, copied: 5, flow: 1, ..record(Kind::Stream) });
        raw.extend(b"hello");
        raw.resize(size_of::<Record>() + CHUNK_CLASSES[0], 0xEE);
        let fact = Parsed::read(&raw).unwrap().fact().unwrap();
        let chunk =
            Chunk { direction: Direction::Received, offset: 100, bytes: b"hello".to_vec(), length: 5, cut: None };
        assert_eq!(fact, Some(Fact::Stream(chunk)));
    }

    #[test]
    fn nothing_else_is_taken_for_a_record() {
        let good = bytes(&record(Kind::SynSent));
        for length in 0..good.len() {
            assert_eq!(Parsed::read(&good[..length]), Err(RecordError::Length(length)));
        }
        let with_tail = [&good[..], &[0; 64]].concat();
        assert_eq!(Parsed::read(&with_tail), Err(RecordError::Length(with_tail.len())));
        let odd = [&bytes(&record(Kind::Stream))[..], &[0; 63]].concat();
        assert_eq!(Parsed::read(&odd), Err(RecordError::Length(odd.len())));
        let kind = bytes(&Record { kind: 999, ..record(Kind::Stream) });
        assert_eq!(Parsed::read(&kind), Err(RecordError::Kind(999)));
        let greedy = bytes(&Record { copied: 1, length: 1, ..record(Kind::Stream) });
        assert_eq!(Parsed::read(&greedy), Err(RecordError::Payload { copied: 1, room: 0 }));
        let cut = bytes(&Record { cut: 9, ..record(Kind::Stream) });
        assert_eq!(Parsed::read(&cut).unwrap().fact(), Err(RecordError::Field(9, "cut")));
        let flow = bytes(&Record { flow: 2, ..record(Kind::IoFailed) });
        assert_eq!(Parsed::read(&flow).unwrap().fact(), Err(RecordError::Field(2, "direction")));
        let protocol = bytes(&Record { protocol: 1, ..record(Kind::SynSent) });
        assert_eq!(Parsed::read(&protocol).unwrap().socket(), Err(RecordError::Field(1, "protocol")));
    }
}
