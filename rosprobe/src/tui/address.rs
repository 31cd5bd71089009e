//! Hosts and ports as nodes advertise them.

/// Host and port of a URI: `10.0.1.1:41235` of `http://10.0.1.1:41235/` or `rosrpc://10.0.1.1:41235`.
pub fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// The host part of `host:port`, also where the host is an IPv6 address without brackets.
pub fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_uri_host_and_port_remain() {
        for (uri, expected) in [
            ("http://10.0.1.1:41235/", "10.0.1.1:41235"),
            ("rosrpc://marvin:41235", "marvin:41235"),
            ("http://[fd50::1]:80/RPC2", "[fd50::1]:80"),
            ("10.0.1.1:41235", "10.0.1.1:41235"),
            ("", ""),
        ] {
            assert_eq!(authority(uri), expected);
        }
    }

    #[test]
    fn ipv6_hosts_keep_their_colons() {
        for (address, host) in [
            ("10.0.1.1:41235", "10.0.1.1"),
            ("fd50::1:42937", "fd50::1"),
            ("[fd50::1]:80", "fd50::1"),
            ("marvin", "marvin"),
        ] {
            assert_eq!(host_of(address), host);
        }
    }
}
