//! Observations and their parts as one line for a person, the same on the screen and in text output.
//!
//! Text from the network is as it came: whoever shows it makes it printable.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{AbandonCause, ErrorSource, What};
use crate::event::{Direction, GapCause, InterfaceAddress, Namespace, Process, Traffic, WaitsFor};

/// Longest list or structure that a line shows whole.
pub(super) const SHOWN: usize = 4;

/// A duration given in nanoseconds, short: `0.3 ms`, `41 ms`, `3.1 s`, `12 s`, `2 min`.
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = Duration::from_nanos(self.0);
        let (milliseconds, seconds) = (duration.as_millis(), duration.as_secs());
        let text = match (milliseconds, seconds) {
            (0..10, _) => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
            (10..1000, _) => format!("{milliseconds} ms"),
            (_, 0..10) => format!("{:.1} s", duration.as_secs_f64()),
            (_, 10..120) => format!("{seconds} s"),
            (_, 120..7200) => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3600),
        };
        f.pad(&text)
    }
}

/// A count of bytes, short: `312 B`, `3.2 kB`, `1.0 GB`.
pub struct Bytes(pub f64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000.0 {
                let text = if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
                return f.pad(&text);
            }
            value /= 1000.0;
        }
        f.pad(&format!("{value:.1} TB"))
    }
}

impl Direction {
    /// `→` for sent, `←` for received.
    pub const fn arrow(self) -> char {
        match self {
            Self::Sent => '→',
            Self::Received => '←',
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => process_line(process, f),
            Self::Namespace(namespace) => namespace_line(namespace, f),
            Self::ProcessExited => f.write_str("process ended"),
            Self::ConnectReturned { fd, errno: None, took_ns } => {
                write!(f, "connect fd={fd} -> 0 in {}", Span(*took_ns))
            }
            Self::ConnectReturned { fd, errno: Some(errno), .. } => write!(f, "connect fd={fd} -> {errno}"),
            Self::ConnectStarted => f.write_str("SYN sent"),
            Self::Connected { after_ns } => write!(f, "connected after {}", Span(*after_ns)),
            Self::ConnectFailed { errno, after_ns, syn_retransmits, reported_by } => {
                write!(f, "connect failed: {errno} after {}", Span(*after_ns))?;
                resent(f, *syn_retransmits)?;
                write!(f, " ({})", reported_by.words())
            }
            Self::SocketError { errno } => write!(f, "the kernel reported {errno} on the socket"),
            Self::ConnectAbandoned { after_ns, syn_retransmits, cause } => {
                write!(f, "connect given up after {}", Span(*after_ns))?;
                resent(f, *syn_retransmits)?;
                write!(f, " ({})", cause.words())
            }
            Self::SynRetransmitted { count, after_ns } => {
                write!(f, "SYN sent again, {count} times in {}", Span(*after_ns))
            }
            Self::Accepted => f.write_str("accepted"),
            Self::Listening { already: true } => f.write_str("listened when watching began"),
            Self::Listening { already: false } => f.write_str("listens"),
            Self::AlreadyOpen => f.write_str("already open when watching began"),
            Self::PeerClosed => f.write_str("closed by the peer"),
            Self::Closed { traffic } if *traffic == Traffic::default() => f.write_str("closed"),
            Self::Closed { traffic } => write!(f, "closed: {traffic}"),
            Self::IoFailed { direction, errno, count } => {
                let word = if *direction == Direction::Sent { "send" } else { "receive" };
                write!(f, "{word} failed: {errno}")?;
                if *count > 1 { write!(f, ", {count} times") } else { Ok(()) }
            }
            Self::Traffic(traffic) => write!(f, "{traffic}"),
            Self::UdprosData { direction, connection, messages, bytes } => {
                let word = if *direction == Direction::Sent { "sent" } else { "received" };
                write!(f, "UDPROS connection {connection}: {word} {} in {messages} messages", Bytes(*bytes as f64))
            }
            Self::Call { direction, call, .. } => write!(f, "{} {call}", direction.arrow()),
            Self::Answer { direction, method, answer, after_ns, .. } => {
                write!(f, "{} {}: {answer}", direction.arrow(), if method.is_empty() { "answer" } else { method })?;
                after_ns.map_or(Ok(()), |after| write!(f, ", after {}", Span(after)))
            }
            Self::HttpOnly { direction, http } => write!(f, "{} {}", direction.arrow(), http.start_line),
            Self::TcprosHeader { direction, header } => write!(f, "{} header {header}", direction.arrow()),
            Self::ServiceAnswer { direction, ok: true, .. } => write!(f, "{} service answered ok", direction.arrow()),
            Self::ServiceAnswer { direction, error, .. } => {
                write!(f, "{} service failed: {error}", direction.arrow())
            }
            Self::NameQuery { name, record } => write!(f, "→ name {name}, {record}?"),
            Self::NameAnswer { name, record, addresses, status } => {
                write!(f, "← name {name}, {record}: {status}")?;
                addresses.iter().try_for_each(|address| write!(f, " {address}"))
            }
            Self::Malformed { protocol, direction, offset, reason } => {
                write!(f, "{} malformed {protocol:?} at byte {offset}: {reason}", direction.arrow())
            }
            Self::Gap { direction, from, to, cause } => {
                write!(
                    f,
                    "{} {} bytes not seen from byte {from}: {}",
                    direction.arrow(),
                    to.saturating_sub(*from),
                    cause.words()
                )
            }
            Self::Dds(dds) => dds.fmt(f),
            Self::Lost { events } => write!(f, "{events} events lost"),
        }
    }
}

/// What it runs, and the ROS variables that it was given.
fn process_line(process: &Process, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if process.argv.is_empty() {
        write!(f, "is process {}", process.pid)?;
    } else {
        write!(f, "runs {}", process.argv.join(" "))?;
    }
    for (position, (name, value)) in process.environment.iter().enumerate() {
        write!(f, "{}{name}={value}", if position == 0 { " with " } else { " " })?;
    }
    process.incomplete.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
}

/// The addresses by which others may know it.
fn namespace_line(namespace: &Namespace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "network namespace {}:", namespace.net_namespace)?;
    let link_local = |address: IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    let shown = |own: &&InterfaceAddress| !own.address.is_loopback() && !link_local(own.address);
    for own in namespace.addresses.iter().filter(shown).take(SHOWN) {
        write!(f, " {}/{}", own.address, own.prefix)?;
    }
    let others = namespace.addresses.iter().filter(shown).count().saturating_sub(SHOWN);
    if others > 0 {
        write!(f, " and {others} more")?;
    }
    write!(f, "; {} routes", namespace.routes.len())
}

fn resent(f: &mut fmt::Formatter<'_>, syn_retransmits: u32) -> fmt::Result {
    if syn_retransmits == 0 { Ok(()) } else { write!(f, ", {syn_retransmits} SYNs sent again") }
}

impl ErrorSource {
    /// Who said so, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Connect => "returned by connect()",
            Self::SocketError => "reported on the socket",
            Self::FirstIo => "at the first send or receive",
            Self::Packet => "by a packet",
        }
    }
}

impl AbandonCause {
    /// How it ended, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Closed => "the process closed the socket",
            Self::ProcessExited => "the process ended",
            Self::LostSight => "nothing more was seen",
        }
    }
}

impl GapCause {
    /// Why, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Limit => "beyond the payload limit",
            Self::Unreadable => "unreadable",
            Self::NotCopied => "not copied",
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {} in {} messages, received {} in {} messages",
            Bytes(self.sent_bytes as f64),
            self.sent_messages,
            Bytes(self.received_bytes as f64),
            self.received_messages
        )?;
        if self.retransmits > 0 {
            write!(f, ", {} segments sent again", self.retransmits)?;
        }
        match self.waits_for {
            None => Ok(()),
            Some(WaitsFor::Acknowledgement) => f.write_str(", and nothing is acknowledged"),
            Some(WaitsFor::Room) => f.write_str(", and the peer's buffer is full"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::Errno;
    use crate::observation::{Answer, Call, Value};

    #[test]
    fn spans_and_bytes_are_short() {
        let spans = [(300_000, "0.3 ms"), (41_000_000, "41 ms"), (3_100_000_000, "3.1 s"), (12_000_000_000, "12 s")];
        for (nanoseconds, text) in spans {
            assert_eq!(Span(nanoseconds).to_string(), text);
        }
        assert_eq!(Span(130_000_000_000).to_string(), "2 min");
        for (bytes, text) in [(312.0, "312 B"), (3200.0, "3.2 kB"), (1e9, "1.0 GB"), (5e13, "50.0 TB")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn observations_read_as_one_line() {
        let cases = [
            (
                What::ConnectReturned { fd: 10, errno: Some(Errno::EINPROGRESS), took_ns: 9000 },
                "connect fd=10 -> EINPROGRESS",
            ),
            (
                What::ConnectFailed {
                    errno: Errno::ETIMEDOUT,
                    after_ns: 134_000_000_000,
                    syn_retransmits: 6,
                    reported_by: ErrorSource::SocketError,
                },
                "connect failed: ETIMEDOUT after 2 min, 6 SYNs sent again (reported on the socket)",
            ),
            (
                What::Answer {
                    direction: Direction::Received,
                    to: None,
                    method: "registerSubscriber".into(),
                    after_ns: Some(2_000_000),
                    answer: Answer::Publishers {
                        message: "Subscribed to [/t]".into(),
                        publishers: vec!["http://10.0.1.1:41235/".into()],
                    },
                    http: super::super::Http::default(),
                },
                "← registerSubscriber: ok, publishers http://10.0.1.1:41235/, after 2.0 ms",
            ),
            (
                What::Call {
                    direction: Direction::Sent,
                    call: Call::SetParam {
                        caller_id: "/n".into(),
                        key: "/k".into(),
                        value: Value::Array(vec![Value::Nil; 9]),
                    },
                    http: super::super::Http::default(),
                },
                "→ setParam /k = [9 values]",
            ),
        ];
        for (what, line) in cases {
            assert_eq!(what.to_string(), line);
        }
    }
}
