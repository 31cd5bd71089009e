//! What a network namespace looks like from inside: addresses, routes, hosts file and name servers, from `/proc/PID`.
//!
//! Formats: `proc_net(5)`, hosts(5), resolv.conf(5).

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::bounded;
use crate::domain::parse_reserved;
use crate::event::{InterfaceAddress, Monotonic, Namespace, Route};

/// How much of a table below `/proc/PID/net` is read, in bytes; a router with a full table is no robot.
const TABLE_LIMIT: u64 = 1024 * 1024;
/// How much of a hosts file is read, in bytes.
const HOSTS_LIMIT: u64 = 64 * 1024;
/// How much of a resolv.conf is read, in bytes.
const RESOLV_LIMIT: u64 = 16 * 1024;
/// How much of the list of reserved ports is read, in bytes.
const RESERVED_LIMIT: u64 = 64 * 1024;
/// Addresses, routes, hosts lines and reserved ranges kept of each namespace.
const ENTRY_LIMIT: usize = 1024;
/// Longest name kept, in bytes: a name in DNS has at most 253.
const NAME_LIMIT: usize = 255;
/// Name servers kept; the C library uses three.
const NAMESERVER_LIMIT: usize = 8;
/// Namespaces remembered at one time.
const NAMESPACE_LIMIT: usize = 4096;
/// A namespace is read again after this time at the earliest.
const REREAD_NS: u64 = 3_000_000_000;

/// `RTF_GATEWAY` of `linux/route.h`.
const GATEWAY: u32 = 0x2;
/// `RTF_REJECT` of `linux/route.h`.
const REJECT: u32 = 0x200;
/// `RTF_ANYCAST` of `linux/ipv6_route.h`.
const ANYCAST: u32 = 0x0010_0000;
/// `RTF_LOCAL` of `linux/ipv6_route.h`: an address of this host, no route.
const LOCAL: u32 = 0x8000_0000;

/// Namespaces by inode, as they looked last.
#[derive(Debug, Default)]
pub struct NamespaceTable {
    known: HashMap<u64, (Monotonic, Namespace)>,
}

impl NamespaceTable {
    /// Reads the namespace from the folder of a process in it, unless that was done less than three seconds before; gives it when it
    /// is new or looks different now.
    pub fn refresh(&mut self, time: Monotonic, folder: &Path, pid: u32, net_namespace: u64) -> Option<Namespace> {
        if net_namespace == 0 {
            return None;
        }
        let last = self.known.get(&net_namespace);
        if last.is_some_and(|(read, _)| time.since(*read).as_nanos() < u128::from(REREAD_NS)) {
            return None;
        }
        let now = read(folder, pid, net_namespace)?;
        let changed = last.is_none_or(|(_, before)| !looks_alike(before, &now));
        if last.is_none() && self.known.len() >= NAMESPACE_LIMIT {
            let oldest = self.known.iter().min_by_key(|(_, (read, _))| *read).map(|(inode, _)| *inode);
            oldest.and_then(|inode| self.known.remove(&inode));
        }
        self.known.insert(net_namespace, (time, now.clone()));
        changed.then_some(now)
    }
}

fn looks_alike(before: &Namespace, now: &Namespace) -> bool {
    Namespace { read_from_pid: now.read_from_pid, ..before.clone() } == *now
}

/// `None` when the process is gone.
fn read(folder: &Path, pid: u32, net_namespace: u64) -> Option<Namespace> {
    let table = |name: &str| bounded::read_text(&folder.join("net").join(name), TABLE_LIMIT).ok();
    let mut routes = routes_v4(&table("route")?);
    let mut addresses = addresses_v4(&table("fib_trie").unwrap_or_default(), &routes);
    // Absent where IPv6 is switched off.
    addresses.extend(addresses_v6(&table("if_inet6").unwrap_or_default()));
    routes.extend(routes_v6(&table("ipv6_route").unwrap_or_default()));
    addresses.truncate(ENTRY_LIMIT);
    routes.truncate(ENTRY_LIMIT);
    let root = folder.join("root");
    let file = |path, limit| bounded::read_text_below(&root, path, limit).unwrap_or_default();
    let (range, reserved) = local_ports(&folder.join("ns/net"), net_namespace).unwrap_or_default();
    Some(Namespace {
        net_namespace,
        addresses,
        routes,
        hosts: hosts(&file("etc/hosts", HOSTS_LIMIT)),
        nameservers: nameservers(&file("etc/resolv.conf", RESOLV_LIMIT)),
        ephemeral_ports: ephemeral_ports(&range),
        reserved_ports: reserved_ports(&reserved),
        read_from_pid: pid,
    })
}

/// The two settings of local ports as `/proc/sys/net` shows them: the range that is handed out, and what is reserved from it.
///
/// It shows the network namespace of the thread that opens it, so for another one a thread of our own looks from inside; that needs
/// `CAP_SYS_ADMIN`, and gives `None` without it.
fn local_ports(path: &Path, net_namespace: u64) -> Option<(String, String)> {
    let read = || {
        let setting = |name, limit| bounded::read_text(&Path::new("/proc/sys/net/ipv4").join(name), limit).ok();
        Some((
            setting("ip_local_port_range", 64)?,
            setting("ip_local_reserved_ports", RESERVED_LIMIT).unwrap_or_default(),
        ))
    };
    let own = fs::metadata("/proc/self/ns/net").is_ok_and(|own| own.ino() == net_namespace);
    if own { read() } else { inside(path, read) }
}

fn ephemeral_ports(text: &str) -> Option<(u16, u16)> {
    let mut ports = text.split_whitespace().map_while(|port| port.parse().ok());
    Some((ports.next()?, ports.next()?))
}

fn reserved_ports(text: &str) -> Vec<(u16, u16)> {
    let ranges = parse_reserved(text).unwrap_or_default().into_iter();
    ranges.take(ENTRY_LIMIT).map(RangeInclusive::into_inner).collect()
}

fn inside<T: Send + 'static>(path: &Path, read: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let namespace = fs::File::open(path).ok()?;
    // The network namespace belongs to a thread, and this one ends with the answer.
    let thread = std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET).ok()?;
        read()
    });
    thread.ok()?.join().ok()?
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// `/proc/net/route`: the kernel prints each address as a number of the machine's own byte order.
fn v4(text: &str) -> Option<Ipv4Addr> {
    hex(text).map(|number| Ipv4Addr::from(number.to_ne_bytes()))
}

/// Line by line rather than with a parser of the whole file: one odd line must not hide the other routes.
fn routes_v4(text: &str) -> Vec<Route> {
    text.lines().skip(1).filter_map(route_v4).collect()
}

fn route_v4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, gateway, flags, _refcnt, _use, metric, mask, ..] = fields[..] else { return None };
    let flags = hex(flags)?;
    Some(Route {
        destination: v4(destination)?.into(),
        prefix: u8::try_from(u32::from(v4(mask)?).leading_ones()).ok()?,
        gateway: if flags & GATEWAY == 0 { None } else { Some(v4(gateway)?.into()) },
        interface: if interface == "*" { String::new() } else { interface.to_owned() },
        // Printed signed.
        metric: metric.parse::<i32>().ok()?.cast_unsigned(),
        reject: flags & REJECT != 0,
    })
}

/// Addresses from `/proc/net/fib_trie`, which shows each as a leaf `|-- ADDRESS` followed by `/32 host LOCAL`. Interface and prefix
/// are those of the narrowest on-link route that holds the address.
fn addresses_v4(fib_trie: &str, routes: &[Route]) -> Vec<InterfaceAddress> {
    let mut found: Vec<InterfaceAddress> = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf.take()
            && !found.iter().any(|known| known.address == IpAddr::V4(address))
        {
            found.push(with_interface(address, routes));
        }
    }
    found
}

fn with_interface(address: Ipv4Addr, routes: &[Route]) -> InterfaceAddress {
    if address.is_loopback() {
        return InterfaceAddress { interface: "lo".to_owned(), address: address.into(), prefix: 8 };
    }
    let on_link = routes
        .iter()
        .filter(|route| route.gateway.is_none() && !route.reject && route.prefix > 0 && contains_v4(route, address));
    let narrowest = on_link.max_by_key(|route| route.prefix);
    InterfaceAddress {
        interface: narrowest.map(|route| route.interface.clone()).unwrap_or_default(),
        address: address.into(),
        prefix: narrowest.map_or(32, |route| route.prefix),
    }
}

fn contains_v4(route: &Route, address: Ipv4Addr) -> bool {
    let IpAddr::V4(destination) = route.destination else { return false };
    let mask = u32::MAX.checked_shl(32 - u32::from(route.prefix.min(32))).unwrap_or(0);
    u32::from(destination) & mask == u32::from(address) & mask
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Ipv6Addr::from)).flatten()
}

fn addresses_v6(if_inet6: &str) -> Vec<InterfaceAddress> {
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _index, prefix, _scope, _flags, interface] = fields[..] else { return None };
        Some(InterfaceAddress {
            interface: interface.to_owned(),
            address: v6(address)?.into(),
            prefix: u8::from_str_radix(prefix, 16).ok()?,
        })
    };
    if_inet6.lines().filter_map(address).collect()
}

fn routes_v6(ipv6_route: &str) -> Vec<Route> {
    ipv6_route.lines().filter_map(route_v6).collect()
}

fn route_v6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, prefix, _source, _source_prefix, gateway, metric, _refcnt, _use, flags, interface] = fields[..]
    else {
        return None;
    };
    let (destination, flags, metric) = (v6(destination)?, hex(flags)?, hex(metric)?);
    let reject = flags & REJECT != 0;
    // The kernel's own entry for "no route at all", present everywhere.
    let null_entry = reject && metric == u32::MAX;
    if flags & (LOCAL | ANYCAST) != 0 || destination.is_multicast() || null_entry {
        return None;
    }
    Some(Route {
        destination: destination.into(),
        prefix: u8::from_str_radix(prefix, 16).ok()?,
        gateway: if flags & GATEWAY == 0 { None } else { Some(v6(gateway)?.into()) },
        interface: interface.to_owned(),
        metric,
        reject,
    })
}

fn hosts(text: &str) -> Vec<(IpAddr, Vec<String>)> {
    text.lines().filter_map(hosts_line).take(ENTRY_LIMIT).collect()
}

fn hosts_line(line: &str) -> Option<(IpAddr, Vec<String>)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let address = address_with_scope(words.next()?)?;
    let names: Vec<String> = words.filter(|name| name.len() <= NAME_LIMIT).map(str::to_owned).collect();
    (!names.is_empty()).then_some((address, names))
}

/// `fe80::1%eth0` is `fe80::1`.
fn address_with_scope(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

fn nameservers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| address_with_scope(words.next()?)).flatten()
    };
    text.lines().filter_map(server).take(NAMESERVER_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Copied from a machine with two interfaces, an unreachable route and IPv6; byte order little-endian.
    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
veth1\t0001000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
*\t0000A8C0\t00000000\t0201\t0\t0\t-1\t0000FFFF\t0\t0\t0
nonsense
";
    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 10.0.1.1
        /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
Local:
           |-- 192.0.2.2
              /32 host LOCAL
";
    const IF_INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
";
    const IPV6_ROUTE: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn shown(route: &Route) -> String {
        let gateway = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        let reject = if route.reject { " reject" } else { "" };
        format!(
            "{}/{}{gateway} dev {} metric {}{reject}",
            route.destination, route.prefix, route.interface, route.metric
        )
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_are_read_from_both_families() {
        let routes: Vec<String> = routes_v4(ROUTE).iter().chain(&routes_v6(IPV6_ROUTE)).map(shown).collect();
        assert_eq!(
            routes,
            [
                "0.0.0.0/0 via 192.0.2.1 dev eth0 metric 0",
                "192.0.2.0/24 dev eth0 metric 0",
                "10.0.1.0/24 dev veth1 metric 100",
                "192.168.0.0/16 dev  metric 4294967295 reject",
                "fd00::/64 dev eth0 metric 256",
                "::/0 via fd00::1 dev eth0 metric 1024",
            ]
        );
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_have_interface_and_prefix() {
        let found = addresses_v4(FIB_TRIE, &routes_v4(ROUTE)).into_iter().chain(addresses_v6(IF_INET6));
        let found: Vec<String> =
            found.map(|known| format!("{} {}/{}", known.interface, known.address, known.prefix)).collect();
        assert_eq!(
            found,
            ["lo 127.0.0.1/8", "veth1 10.0.1.1/24", "eth0 192.0.2.2/24", "lo ::1/128", "eth0 fe80::fc:ff:fe00:1/64"]
        );
    }

    #[test]
    fn hosts_files_are_read_as_the_c_library_reads_them() {
        let text = "# comment\n127.0.0.1 localhost # loop\n10.0.1.1\trouter router.lab\nfe80::1%eth0 v6\nnot-an-address x\n10.0.1.2\n";
        let expected: Vec<(IpAddr, Vec<String>)> = vec![
            ("127.0.0.1".parse().unwrap(), vec!["localhost".to_owned()]),
            ("10.0.1.1".parse().unwrap(), vec!["router".to_owned(), "router.lab".to_owned()]),
            ("fe80::1".parse().unwrap(), vec!["v6".to_owned()]),
        ];
        assert_eq!(hosts(text), expected);
        assert_eq!(hosts(&"10.0.0.1 a\n".repeat(5000)).len(), ENTRY_LIMIT);
    }

    #[test]
    fn name_servers_are_those_of_resolv_conf() {
        let text = "search lab\nnameserver 127.0.0.53\n;nameserver 1.1.1.1\nnameserver fe80::1%eth0\nnameserver\nnameserver x\n";
        assert_eq!(nameservers(text), ["127.0.0.53".parse::<IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
    }

    #[test]
    fn a_namespace_is_given_once_and_again_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("net")).unwrap();
        fs::create_dir_all(folder.path().join("root/etc")).unwrap();
        fs::write(folder.path().join("net/route"), ROUTE).unwrap();
        let hosts = folder.path().join("root/etc/hosts");
        fs::write(&hosts, "10.0.1.1 router\n").unwrap();

        let mut table = NamespaceTable::default();
        let first = table.refresh(Monotonic(0), folder.path(), 1, 77).unwrap();
        assert_eq!((first.net_namespace, first.hosts.len(), first.routes.len()), (77, 1, 4));
        fs::write(&hosts, "10.0.1.1 router\n10.0.1.2 inner\n").unwrap();
        assert_eq!(table.refresh(Monotonic(REREAD_NS - 1), folder.path(), 1, 77), None, "not so soon");
        let second = table.refresh(Monotonic(REREAD_NS), folder.path(), 2, 77).unwrap();
        assert_eq!(second.hosts.len(), 2);
        assert_eq!(table.refresh(Monotonic(REREAD_NS * 2), folder.path(), 3, 77), None, "the same as before");
    }
}
