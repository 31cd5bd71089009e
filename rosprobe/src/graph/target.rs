//! Where the data of a link goes.

use std::net::IpAddr;

use crate::event::{Monotonic, ProcessRef, Traffic};
use crate::observation::host_and_port;

/// Where the publisher told the subscriber to connect to, or where a subscriber wants its datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataTarget {
    pub host: String,
    pub port: u16,
}

impl DataTarget {
    /// `10.0.1.1:41235`, `marvin:41235` or `[fd50::1]:41235`.
    pub fn place(&self) -> String {
        host_and_port(&self.host, self.port)
    }
}

/// Where a link's datagrams go, and how many were seen at either end.
#[derive(Clone, Debug)]
pub(crate) struct Datagrams {
    /// Host and port that the subscriber named.
    pub target: DataTarget,
    /// The subscriber's address when it asked, at which the publisher answered it.
    pub asked_from: Option<IpAddr>,
    /// What the publisher chose, once it has answered.
    pub connection: Option<i64>,
    /// The process that sends, or tried to.
    pub sender: Option<ProcessRef>,
    /// Its address, where it was seen.
    pub sent_from: Option<IpAddr>,
    /// Totals, each seen at its own end.
    pub totals: Traffic,
    /// Since when messages are sent of which none arrived.
    pub unheard_since: Option<Monotonic>,
    /// Messages that had been sent when something arrived last.
    pub sent_when_heard: u64,
    /// Messages that had been sent when sending failed for the first time.
    pub sent_when_failed: Option<u64>,
}

impl Datagrams {
    /// Messages in a row that did not arrive.
    pub fn unheard(&self) -> u64 {
        self.totals.sent_messages.saturating_sub(self.sent_when_heard)
    }
}
