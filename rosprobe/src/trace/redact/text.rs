//! Addresses, hosts of URIs and users' folders inside any text.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A pattern of this file; `None` never happens, because tests compile them all.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static ADDRESSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:(?:[0-9A-Fa-f:.]*[0-9A-Fa-f])?")
});
static URI_HOSTS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"[A-Za-z][A-Za-z0-9+.]*://(?:[^/\s@"'<>]*@)?([^/\s"'<>\\,;()]+)"#));
static HOMES: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"/(?:home|Users|media)/([^/\s"':;,<>]+)"#));

static LOGINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"([A-Za-z0-9_][A-Za-z0-9_.+-]*)(?::([^@\s/]*))?@([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])")
});
/// How `roslaunch` writes the address of a host into the name of a parameter.
static HOST_PARAMETERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"/host_([0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3})__[0-9]"));

static GUIDS: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b[0-9a-f]{24}\b"));

/// Prefixes of GUIDs in a text. In them implementations put addresses, numbers of hosts and process ids.
pub(super) fn for_each_guid_prefix(text: &str, mut found: impl FnMut(&str)) {
    if let Some(pattern) = GUIDS.as_ref().filter(|_| text.len() >= 24) {
        pattern.find_iter(text).for_each(|prefix| found(prefix.as_str()));
    }
}

/// The text with other prefixes of GUIDs.
pub(super) fn replace_guid_prefixes(text: &str, replace: impl Fn(&str) -> Option<String>) -> Cow<'_, str> {
    match GUIDS.as_ref().filter(|_| text.len() >= 24) {
        Some(pattern) => {
            pattern.replace_all(text, |found: &Captures<'_>| replace(&found[0]).unwrap_or_else(|| found[0].to_owned()))
        }
        None => Cow::Borrowed(text),
    }
}

/// Where in a text addresses are.
fn addresses(text: &str) -> Vec<(Range<usize>, IpAddr)> {
    let Some(pattern) = ADDRESSES.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    for candidate in pattern.find_iter(text) {
        let before = &text[..candidate.start()];
        let Some((length, address)) = longest_address(candidate.as_str(), before) else { continue };
        let behind = &text[candidate.start() + length..];
        // Four numbers with dots between them are an address wherever they stand, behind `v` a version; of what has colons,
        // much is no address (`std::vec`).
        let is_part = |character: char| {
            if address.is_ipv4() && !candidate.as_str().contains(':') {
                character.is_ascii_digit()
            } else {
                character.is_ascii_alphanumeric() || character == '_'
            }
        };
        let is_version = address.is_ipv4() && before.ends_with(['v', 'V']);
        if !before.ends_with(is_part) && !behind.starts_with(is_part) && !is_version {
            found.push((candidate.start()..candidate.start() + length, address));
        }
    }
    found
}

/// The address at the start of a candidate: behind one may be a port. In a ROS URI an IPv6 address has no brackets, and the
/// last colon separates the port.
fn longest_address(candidate: &str, before: &str) -> Option<(usize, IpAddr)> {
    if let Ok(address) = candidate.parse::<Ipv4Addr>() {
        return Some((candidate.len(), IpAddr::V4(address)));
    }
    let without_port = candidate.rsplit_once(':').map(|(address, _)| address.trim_end_matches(':'));
    let whole_first = !before.ends_with("://");
    let order = if whole_first { [Some(candidate), without_port] } else { [without_port, Some(candidate)] };
    order.into_iter().flatten().find_map(|text| {
        let address: Ipv6Addr = text.parse().ok()?;
        Some((text.len(), address.to_canonical()))
    })
}

pub(super) fn for_each_address(text: &str, mut found: impl FnMut(IpAddr)) {
    for (_, address) in addresses(text) {
        found(address);
    }
    let Some(pattern) = HOST_PARAMETERS.as_ref() else { return };
    for captures in pattern.captures_iter(text) {
        if let Ok(address) = captures[1].replace('_', ".").parse() {
            found(address);
        }
    }
}

/// An address as it stands in names, where neither dots nor colons may: `10-0-1-1`.
pub(super) fn spelled(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}

/// Who logs in where, as in `mia@robot` or `http://mia:secret@robot/`.
pub(super) struct Login<'a> {
    pub user: &'a str,
    pub password: Option<&'a str>,
    pub host: &'a str,
}

pub(super) fn for_each_login(text: &str, mut found: impl FnMut(Login<'_>)) {
    let Some(pattern) = LOGINS.as_ref().filter(|_| text.contains('@')) else { return };
    for captures in pattern.captures_iter(text) {
        if let (Some(user), Some(host)) = (captures.get(1), captures.get(3)) {
            let host = host.as_str();
            match captures.get(2) {
                Some(password) if text[..user.start()].ends_with("//") => {
                    found(Login { user: user.as_str(), password: Some(password.as_str()), host });
                }
                // Only in a URI stands a password there: `scp:mia@robot`.
                Some(behind_colon) => found(Login { user: behind_colon.as_str(), password: None, host }),
                None => found(Login { user: user.as_str(), password: None, host }),
            }
        }
    }
}

/// The text with other addresses; a network (`10.0.1.0/24`) stays one.
pub(super) fn replace_addresses(text: &str, replace: impl Fn(IpAddr) -> IpAddr) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, address) in addresses(text) {
        out.push_str(&text[copied..range.start]);
        let replacement = replace(address).to_string();
        let prefix = text[range.end..].strip_prefix('/').map(|rest| {
            let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
            &rest[..digits]
        });
        match prefix.and_then(|digits| digits.parse().ok()) {
            Some(prefix) if is_network(address, prefix) => out.push_str(&network(&replacement, prefix)),
            _ => out.push_str(&replacement),
        }
        copied = range.end;
    }
    out.push_str(&text[copied..]);
    out
}

fn is_network(address: IpAddr, prefix: u64) -> bool {
    mask(address, prefix) == Some(address)
}

/// The network of a prefix, as text; what is no address stays as it is.
pub(super) fn network(address: &str, prefix: u64) -> String {
    let network = address.parse().ok().and_then(|address| mask(address, prefix));
    network.map_or_else(|| address.to_owned(), |network| network.to_string())
}

fn mask(address: IpAddr, prefix: u64) -> Option<IpAddr> {
    let prefix = u32::try_from(prefix).ok()?;
    Some(match address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(address) & !host))
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & !host))
        }
    })
}

/// The host in `host:port`.
pub(super) fn without_port(authority: &str) -> &str {
    if authority.parse::<IpAddr>().is_ok() {
        return authority;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

pub(super) fn for_each_uri_host(text: &str, mut found: impl FnMut(&str)) {
    let Some(pattern) = URI_HOSTS.as_ref() else { return };
    for captures in pattern.captures_iter(text) {
        let Some(authority) = captures.get(1) else { continue };
        let host = without_port(authority.as_str());
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_address && is_name {
            found(host);
        }
    }
}

pub(super) fn for_each_home(text: &str, mut found: impl FnMut(&str)) {
    let Some(pattern) = HOMES.as_ref() else { return };
    for captures in pattern.captures_iter(text) {
        if let Some(user) = captures.get(1) {
            found(user.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(ADDRESSES.is_some() && URI_HOSTS.is_some() && HOMES.is_some() && GUIDS.is_some());
        assert!(LOGINS.is_some() && HOST_PARAMETERS.is_some());
    }

    #[test]
    fn addresses_are_found_in_any_text() {
        let swap = |text: &str| {
            replace_addresses(text, |address| if address.is_ipv4() { [9, 9, 9, 9].into() } else { [9; 8].into() })
        };
        for (text, expected) in [
            ("connect to 10.0.1.1:41235 failed", "connect to 9.9.9.9:41235 failed"),
            ("http://10.0.1.1:41235/", "http://9.9.9.9:41235/"),
            ("http://fd50::1:42937/", "http://9:9:9:9:9:9:9:9:42937/"),
            ("http://fd50::1:4293/", "http://9:9:9:9:9:9:9:9:4293/"),
            ("[fd50::1]:80 and fd50::1.", "[9:9:9:9:9:9:9:9]:80 and 9:9:9:9:9:9:9:9."),
            ("fe80::1%eth0", "9:9:9:9:9:9:9:9%eth0"),
            ("10.0.1.0/24", "9.9.9.0/24"),
            ("at 06:00:05 std::vector v1.2.3", "at 06:00:05 std::vector v1.2.3"),
            ("cam_10.0.1.1_front eth10.0.1.1", "cam_9.9.9.9_front eth9.9.9.9"),
            ("v1.2.3.4 1234.0.0.1 10.0.1.1234", "v1.2.3.4 1234.0.0.1 10.0.1.1234"),
        ] {
            assert_eq!(swap(text), expected);
        }
    }

    #[test]
    fn hosts_and_homes_are_found() {
        let mut found = Vec::new();
        for text in
            ["a http://marvin:41235/ b rosrpc://r-2.lab:1", "http://10.0.0.1:1/ http://fd50::1:42937/", "http://u:p@x/"]
        {
            for_each_uri_host(text, |host| found.push(host.to_owned()));
        }
        for_each_home("/home/mia/ws:/home/ole /media/kim/stick", |user| found.push(user.to_owned()));
        assert_eq!(found, ["marvin", "r-2.lab", "x", "mia", "ole", "kim"]);
    }

    #[test]
    fn logins_and_addresses_in_names_are_found() {
        let mut found = Vec::new();
        for text in ["scp mia@files.lab:/x", "to:kim@files", "http://ole:secret7@[fd50::1]:80/", "a @ b", "@everyone"] {
            for_each_login(text, |login| found.push(format!("{} {:?} {}", login.user, login.password, login.host)));
        }
        assert_eq!(found, ["mia None files.lab", "kim None files", "ole Some(\"secret7\") [fd50::1]"]);
        let mut found = Vec::new();
        for_each_address("/roslaunch/uris/host_10_0_1_1__41235 /host_1_2_3_4", |address| {
            found.push(address.to_string());
        });
        assert_eq!(found, ["10.0.1.1"]);
        assert_eq!([spelled([10, 0, 1, 1].into()), spelled("fd50::1".parse().unwrap())], ["10-0-1-1", "fd50--1"]);
    }
}
