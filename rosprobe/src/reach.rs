//! Reaching for hosts from here: names, and TCP connections with a limit of time.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use crate::errno::Errno;

/// How long a name may take to resolve. The C library itself waits 10 s for a name server that does not answer.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(5);

/// What a name or address means to programs here: addresses without repetition, or why there are none.
pub fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    // The resolver knows no limit of time: a thread that is still waiting then is left to itself.
    let thread = std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let found = (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect::<Vec<_>>());
        // Nobody listens any more once the limit has passed.
        let _ = sender.send(found);
    });
    thread.map_err(|error| error.to_string())?;
    let mut addresses = match receiver.recv_timeout(RESOLVE_LIMIT) {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(resolver_words(&error)),
        Err(_) => return Err(format!("no name server answered within {} s", RESOLVE_LIMIT.as_secs())),
    };
    let mut seen = Vec::new();
    addresses.retain(|address| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
}

/// `failed to lookup address information: Name or service not known` is known by its second half.
fn resolver_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

/// Why a connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// With an error number.
    Errno(Errno),
    /// Nobody answered within this time.
    NoAnswer(Duration),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Errno(errno) if errno.meaning().is_empty() => write!(f, "{errno}"),
            Self::Errno(errno) => write!(f, "{errno} ({})", errno.meaning()),
            Self::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs_f64()),
        }
    }
}

/// Connects, waiting no longer than `limit`.
pub fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, ConnectError> {
    TcpStream::connect_timeout(&address, limit).map_err(|error| match error.raw_os_error() {
        Some(number) => ConnectError::Errno(Errno(number)),
        None => ConnectError::NoAnswer(limit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_resolver() {
        assert_eq!(resolve("10.0.1.1"), Ok(vec!["10.0.1.1".parse().unwrap()]));
        assert_eq!(resolve("fd50::1"), Ok(vec!["fd50::1".parse().unwrap()]));
        assert!(resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn a_closed_port_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(connect(address, Duration::from_secs(5)).is_ok());
        drop(listener);
        let refused = connect(address, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.to_string(), "ECONNREFUSED (refused)");
    }
}
