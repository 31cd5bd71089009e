//! A known `bind()` and a known `connect()` of rosprobe's own, at the start of every capture: they have to come back as they were made.
//!
//! Where arguments and structures are, differs between kernels. What is read in a wrong place is wrong data without a sign of it, so
//! a capture that does not find what it knows does not begin.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::RingBuf;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, getsockname, socket};
use rosprobe_common::Kind;

use super::capture_error::CaptureError;
use super::record::{Parsed, address};
use crate::errno::Errno;

/// Longest time that a record may take. They are written before the calls return.
const LIMIT: Duration = Duration::from_millis(500);
/// A full ring buffer may lose what is looked for.
const ATTEMPTS: usize = 3;
/// `bind()` is told from here on.
const FIRST_PORT: u16 = 7400;

/// The calls, and what the kernel said to this process.
struct Known {
    /// Closed when the records were seen, so that nothing of theirs comes later.
    _sockets: [OwnedFd; 3],
    bound: Call,
    connected: Call,
    /// What `connect()` returned.
    answer: Errno,
    /// The connecting socket's.
    cookie: u64,
    net_namespace: u64,
}

/// A call with an address.
struct Call {
    name: &'static str,
    fd: i32,
    asked: SocketAddr,
    /// This end of the socket; `None` where it has none.
    local: Option<SocketAddr>,
}

impl Known {
    fn make() -> io::Result<Self> {
        let loopback = |port| SockaddrIn::from(SocketAddrV4::new([127, 0, 0, 1].into(), port));
        let stream = || socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
        // A port of its own that nobody listens on: the answer is a refusal, at once. Without loopback neither has an address, and
        // connect() answers that there is no route, which is known as well.
        let (closed, caller) = (stream()?, stream()?);
        let _ = bind(closed.as_raw_fd(), &loopback(0));
        let _ = bind(caller.as_raw_fd(), &loopback(0));
        let own = |socket: &OwnedFd| getsockname::<SockaddrIn>(socket.as_raw_fd()).map(SocketAddrV4::from);
        let target = SocketAddrV4::new([127, 0, 0, 1].into(), own(&closed)?.port().max(1));
        let local = Some(own(&caller)?).filter(|local| local.port() != 0).map(SocketAddr::V4);
        let (datagrams, asked) = bound()?;
        let answer = connect(caller.as_raw_fd(), &SockaddrIn::from(target)).err().map_or(0, |error| error as i32);
        let (bound, asking) = (datagrams.as_raw_fd(), caller.as_raw_fd());
        Ok(Self {
            bound: Call { name: "bind()", fd: bound, asked, local: Some(asked) },
            connected: Call { name: "connect()", fd: asking, asked: target.into(), local },
            answer: Errno(answer),
            cookie: cookie(&caller)?,
            net_namespace: std::fs::metadata("/proc/thread-self/ns/net")?.ino(),
            _sockets: [closed, caller, datagrams],
        })
    }

    /// What is wrong with a record of this process; nothing when it is about something else, or right. `numbered` sockets have no
    /// cookies.
    fn contradiction(&self, parsed: &Parsed<'_>, numbered: bool) -> Option<String> {
        let record = &parsed.record;
        let call = match parsed.kind {
            Kind::Bound => &self.bound,
            Kind::ConnectReturned | Kind::SynSent => &self.connected,
            _ => return None,
        };
        let differ = |what: &str, own: &dyn Display, read: &dyn Display| {
            Some(format!("the {what} of its own {}, {own}, is read as {read}", call.name))
        };
        let shown = |address: Option<SocketAddr>| address.map_or_else(|| "nothing".to_owned(), |a| a.to_string());
        let (asked, local) = (address(&record.remote), address(&record.local));
        let namespace = u64::from(record.net_namespace);
        if asked != Some(call.asked) {
            return differ("address", &call.asked, &shown(asked));
        }
        // A connect() that was refused has let its address go.
        if parsed.kind != Kind::ConnectReturned && call.local.is_some() && local != call.local {
            return differ("local address", &shown(call.local), &shown(local));
        }
        if parsed.kind != Kind::SynSent && record.fd != call.fd {
            return differ("descriptor", &call.fd, &record.fd);
        }
        if namespace != self.net_namespace && namespace != 0 {
            return differ("network namespace", &self.net_namespace, &namespace);
        }
        if parsed.kind == Kind::ConnectReturned && record.errno != self.answer.0 {
            return differ("answer", &self.answer, &Errno(record.errno));
        }
        if parsed.kind == Kind::SynSent && !numbered && record.socket != self.cookie {
            return differ("socket's cookie", &self.cookie, &record.socket);
        }
        None
    }
}

/// A UDP socket with a port that is asked for by its number.
fn bound() -> io::Result<(OwnedFd, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let free = UdpSocket::bind("0.0.0.0:0")?.local_addr()?;
        let port = free.port().max(FIRST_PORT);
        match UdpSocket::bind(("0.0.0.0", port)) {
            Ok(socket) => {
                let address = socket.local_addr()?;
                return Ok((socket.into(), address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The kernel's name of a socket.
pub(super) fn cookie(socket: &OwnedFd) -> io::Result<u64> {
    let (mut cookie, mut length) = (0u64, 8);
    // SAFETY: the pointers are to a number of that length and to the length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// What was seen of the calls.
#[derive(Default)]
struct Seen {
    bound: bool,
    connected: bool,
    syn: bool,
    contradiction: Option<String>,
}

/// Compares; the records of others that came meanwhile, for the capture. `numbered`: sockets have numbers of our own.
pub(super) fn check(ebpf: &mut Ebpf, numbered: bool) -> Result<Vec<Vec<u8>>, CaptureError> {
    let map = ebpf.map_mut("EVENTS").ok_or(CaptureError::Missing("EVENTS"))?;
    let mut ring = RingBuf::try_from(map).map_err(CaptureError::map("EVENTS"))?;
    let mut others = Vec::new();
    let mut missing = "bind()";
    for _ in 0..ATTEMPTS {
        let known = Known::make().map_err(CaptureError::KnownSocket)?;
        let seen = look(&mut ring, &known, numbered, &mut others);
        drop(known);
        forget_own(&mut ring, &mut others);
        if let Some(contradiction) = seen.contradiction {
            return Err(CaptureError::Calibration(contradiction));
        }
        match seen {
            Seen { bound: true, connected: true, syn: true, .. } => return Ok(others),
            Seen { bound: false, .. } => missing = "bind()",
            Seen { connected: false, .. } => missing = "connect()",
            Seen { .. } => missing = "change of state by connect()",
        }
    }
    Err(CaptureError::Calibration(format!("its own {missing} is not seen")))
}

fn look(ring: &mut RingBuf<&mut aya::maps::MapData>, known: &Known, numbered: bool, others: &mut Vec<Vec<u8>>) -> Seen {
    let end = Instant::now() + LIMIT;
    // A connect() that fails without a route changes no state.
    let mut seen = Seen { syn: known.answer != Errno::ECONNREFUSED, ..Seen::default() };
    while !(seen.bound && seen.connected && seen.syn) && Instant::now() < end {
        let Some(record) = ring.next() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let Some(parsed) = own(&record) else {
            others.push(record.to_vec());
            continue;
        };
        seen.contradiction = seen.contradiction.or_else(|| known.contradiction(&parsed, numbered));
        match parsed.kind {
            Kind::Bound => seen.bound = true,
            Kind::ConnectReturned => seen.connected = true,
            Kind::SynSent => seen.syn = true,
            _ => {}
        }
    }
    seen
}

/// A record about a socket of this process.
fn own(record: &[u8]) -> Option<Parsed<'_>> {
    let parsed = Parsed::read(record).ok()?;
    (parsed.record.pid == std::process::id() && parsed.record.socket != 0).then_some(parsed)
}

/// Takes away what the known sockets said at their end.
fn forget_own(ring: &mut RingBuf<&mut aya::maps::MapData>, others: &mut Vec<Vec<u8>>) {
    while let Some(record) = ring.next() {
        if own(&record).is_none() {
            others.push(record.to_vec());
        }
    }
}
