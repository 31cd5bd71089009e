//! A datagram with its circumstances.

use std::net::SocketAddr;

use super::message::Header;
use crate::event::{Direction, Monotonic, ProcessKey, ProcessRef, SocketRef};
use crate::observation::dds::GuidPrefix;

/// Who saw it and which way; none in a packet capture.
pub(super) type Witness = (Direction, Option<ProcessKey>);

/// A datagram with its circumstances.
pub(super) struct Datagram<'a> {
    pub now: Monotonic,
    pub process: Option<&'a ProcessRef>,
    pub socket: &'a SocketRef,
    pub direction: Direction,
    pub bytes: &'a [u8],
    /// Length on the wire; more than the bytes when it was cut.
    pub length: u32,
}

impl Datagram<'_> {
    pub fn witness(&self) -> Witness {
        (self.direction, self.process.map(ProcessRef::key))
    }

    /// Where it went to, when that was a multicast group.
    pub fn group(&self) -> Option<SocketAddr> {
        let to = if self.direction == Direction::Sent { self.socket.remote } else { self.socket.local };
        to.filter(|to| to.ip().is_multicast())
    }

    pub fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < u64::from(self.length)
    }
}

/// Who speaks, and to whom, as of the submessages so far.
pub(super) struct Source {
    pub header: Header,
    pub destination: Option<GuidPrefix>,
}
