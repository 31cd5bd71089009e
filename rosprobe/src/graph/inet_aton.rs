//! Hosts that are numbers and not written as four decimal ones: the C library reads them all the same, and asks nobody for a name.

use std::net::{IpAddr, Ipv4Addr};

/// What `inet_aton(3)` makes of a host that is no address as everybody writes it: the last part fills all that is left of 32 bits.
pub(crate) fn inet_aton(host: &str) -> Option<Ipv4Addr> {
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let parts = host.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, first) = parts.split_last()?;
    let left = 32_u32.checked_sub(8 * u32::try_from(first.len()).ok()?).filter(|left| *left > 0)?;
    if first.iter().any(|part| *part > 255) || u64::from(*last) >> left != 0 {
        return None;
    }
    let first = first.iter().fold(0, |all, part| all << 8 | u64::from(*part));
    u32::try_from(first << left | u64::from(*last)).ok().map(Ipv4Addr::from)
}

fn number(part: &str) -> Option<u32> {
    let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if part.len() > 1 && part.starts_with('0') => (part, 8),
        None => (part, 10),
    };
    // A sign is none of the digits.
    let digits = digits.chars().all(|c| c.is_ascii_hexdigit()).then_some(digits)?;
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_c_library_reads_them() {
        for (host, read) in [
            ("10.81.1", "10.81.0.1"),
            ("10.1", "10.0.0.1"),
            ("10.81.511", "10.81.1.255"),
            ("3232235777", "192.168.1.1"),
            ("010.81.2.1", "8.81.2.1"),
            ("0x0a.81.2.1", "10.81.2.1"),
        ] {
            assert_eq!(inet_aton(host), read.parse().ok(), "{host}");
        }
        let names = [
            "10.81.2.1",
            "",
            "robot",
            "10.81.",
            "10..1",
            "256.1",
            "10.81.2.256",
            "08.1",
            "1.2.3.4.5",
            "0x",
            "+1",
            "fd50::1",
        ];
        for name in names.into_iter().chain(["4294967296", "10.81.65536", "127.0.0.1"]) {
            assert_eq!(inet_aton(name), None, "{name}");
        }
    }
}
