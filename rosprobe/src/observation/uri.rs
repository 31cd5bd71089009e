//! The addresses that ROS 1 nodes advertise: `http://host:port/` (caller API) and `rosrpc://host:port` (service API).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An advertised URI, taken apart as ROS does it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvertisedUri {
    /// `http` or `rosrpc`, in lower case.
    pub scheme: String,
    /// A name or an address, without brackets. Letters, digits, `-`, `_`, `.`, `:` and `%` only, so it is safe to show.
    pub host: String,
    /// The port, 1 to 65535.
    pub port: u16,
}

/// Why a text is no advertised URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Longer than [`AdvertisedUri::LIMIT`].
    #[error("it is {0} bytes long, and {limit} are the limit", limit = AdvertisedUri::LIMIT)]
    TooLong(usize),
    /// No `http://` or `rosrpc://` in front.
    #[error("it does not begin with http:// or rosrpc://")]
    Scheme,
    /// Nothing between the scheme and the port.
    #[error("it names no host")]
    NoHost,
    /// A scheme where the host should be, as in `http://http://10.0.1.1:41235/`.
    #[error("its host begins with a scheme such as http://, and should be a name or an address alone")]
    SchemeInHost,
    /// A character that no name and no address has.
    #[error("its host contains {0:?}")]
    Character(char),
    /// No `:port` behind the host.
    #[error("it names no port")]
    NoPort,
    /// The port is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
}

impl AdvertisedUri {
    /// Longest URI that is looked at, in bytes.
    pub const LIMIT: usize = 1024;

    /// Takes a URI apart. ROS writes IPv6 addresses without brackets (`http://fd50::1:42937/`), so the port is what follows the
    /// last colon; brackets are understood as well.
    ///
    /// ```
    /// # use rosprobe::observation::AdvertisedUri;
    /// let uri = AdvertisedUri::parse("http://fd50::1:42937/")?;
    /// assert_eq!((uri.host.as_str(), uri.port), ("fd50::1", 42937));
    /// # Ok::<(), rosprobe::observation::UriError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.len() > Self::LIMIT {
            return Err(UriError::TooLong(text.len()));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "rosrpc" {
            return Err(UriError::Scheme);
        }
        if rest.split_once("://").is_some_and(|(inner, _)| matches!(inner, "http" | "https" | "rosrpc")) {
            return Err(UriError::SchemeInHost);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(UriError::NoHost);
        }
        if let Some(strange) = host.chars().find(|c| !(c.is_alphanumeric() || "-_.:%".contains(*c))) {
            return Err(UriError::Character(strange));
        }
        let port =
            Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())).and_then(|port| port.parse().ok());
        let port = port.filter(|port| *port != 0).ok_or(UriError::Port)?;
        Ok(Self { scheme, host: host.to_owned(), port })
    }

    /// The URI of who is only known by an address.
    pub(crate) fn at(scheme: &str, address: SocketAddr) -> Self {
        Self { scheme: scheme.to_owned(), host: address.ip().to_string(), port: address.port() }
    }

    /// The URI as ROS writes it: a caller API ends in a slash, a service's URI does not, and IPv6 addresses have no brackets.
    pub(crate) fn text(&self) -> String {
        let Self { scheme, host, port } = self;
        format!("{scheme}://{host}:{port}{}", if scheme == "http" { "/" } else { "" })
    }

    /// The address, when the host is one and no name.
    pub fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip.to_canonical(), self.port))
    }
}

fn split_port(authority: &str) -> Result<(&str, &str), UriError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(UriError::Character('['))?;
        return Ok((host, rest.strip_prefix(':').ok_or(UriError::NoPort)?));
    }
    authority.rsplit_once(':').ok_or(UriError::NoPort)
}

/// Host and port, with brackets around an IPv6 address: `10.0.1.1:41235`, `[fd50::1]:42937`.
impl fmt::Display for AdvertisedUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&host_and_port(&self.host, self.port))
    }
}

/// `10.0.1.1:41235`, `marvin:41235` or `[fd50::1]:41235`.
pub(crate) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_as_ros_writes_them() {
        for (text, shown) in [
            ("http://10.0.1.1:41235/", "10.0.1.1:41235"),
            ("http://fd50::1:42937/", "[fd50::1]:42937"),
            ("http://[fd50::1]:42937/", "[fd50::1]:42937"),
            ("rosrpc://10.0.1.2:42741", "10.0.1.2:42741"),
            ("HTTP://robot-1.local:11311", "robot-1.local:11311"),
            ("http://localhost:11311/RPC2?x#y", "localhost:11311"),
            ("http://fe80::1%eth0:11311/", "[fe80::1%eth0]:11311"),
        ] {
            assert_eq!(AdvertisedUri::parse(text).map(|uri| uri.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let address = |text: &str| AdvertisedUri::parse(text).ok().and_then(|uri| uri.address());
        assert_eq!(address("http://10.0.1.1:41235/"), "10.0.1.1:41235".parse().ok());
        assert_eq!(address("http://::ffff:10.0.1.1:41235/"), "10.0.1.1:41235".parse().ok());
        assert_eq!(address("http://fd50::1:42937/"), "[fd50::1]:42937".parse().ok());
        assert_eq!(address("http://robot:42937/"), None);
    }

    #[test]
    fn what_is_no_uri_says_why() {
        let long = format!("http://{}:1/", "a".repeat(2000));
        for (text, error) in [
            ("", UriError::Scheme),
            ("not a uri", UriError::Scheme),
            ("ftp://host:1/", UriError::Scheme),
            ("http://http://10.0.1.1:41235/", UriError::SchemeInHost),
            ("http://host/", UriError::NoPort),
            ("http://:11311/", UriError::NoHost),
            ("http://host:/", UriError::Port),
            ("http://host:0/", UriError::Port),
            ("http://host:65536/", UriError::Port),
            ("http://host:+1/", UriError::Port),
            ("http://ho\u{1b}[31mst:1/", UriError::Character('\u{1b}')),
            ("http://user@host:1/", UriError::Character('@')),
            ("http://[fd50::1/", UriError::Character('[')),
            ("http://[fd50::1]/", UriError::NoPort),
            (&long, UriError::TooLong(2010)),
        ] {
            assert_eq!(AdvertisedUri::parse(text), Err(error), "{text}");
        }
    }
}
