//! Addresses that are not written as four decimal numbers: the C library reads them as numbers all the same, and asks nobody for a name.

use std::net::Ipv4Addr;

use crate::diagnosis::trouble::Trouble;
use crate::graph::inet_aton;

impl Trouble<'_> {
    /// `10.81.1 is no name: it is read as 10.81.0.1, because a part is missing.`
    pub fn read_as(&self) -> Option<String> {
        let (host, ip) = (&self.host, inet_aton(&self.host)?);
        let hexadecimal = |part: &str| part.starts_with("0x") || part.starts_with("0X");
        let octal = |part: &str| part.len() > 1 && part.starts_with('0') && !hexadecimal(part);
        let because = match host.split('.').count() {
            1 | 2 => "parts are missing",
            3 => "a part is missing",
            _ if host.split('.').any(octal) => "a part that begins with 0 is octal",
            _ => "a part that begins with 0x is hexadecimal",
        };
        Some(format!("{host} is no name: it is read as {ip}, because {because}."))
    }

    /// It is read so, and nothing says that the publisher's host has that address.
    pub fn is_misread(&self) -> bool {
        let has_it = |ip: Ipv4Addr| self.publisher_namespace().is_some_and(|namespace| namespace.has(ip.into()));
        inet_aton(&self.host).is_some_and(|ip| !has_it(ip))
    }
}
