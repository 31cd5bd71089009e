//! Names as the failing process would look them up: its hosts file first, then what DNS answered on the wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::inet_aton::inet_aton;
use crate::event::{Monotonic, Namespace, ProcessKey};
use crate::observation::ObservationId;

/// Names remembered; beyond it the first in order is forgotten.
const NAME_LIMIT: usize = 8192;
/// Processes remembered that asked for one name.
const ASKER_LIMIT: usize = 256;

/// What DNS said about a name to the processes of one network namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameRecord {
    /// Addresses of the last good answer.
    pub addresses: Vec<IpAddr>,
    /// Status of the last bad answer: `NXDOMAIN`, `SERVFAIL` ...
    pub bad_status: Option<String>,
    /// When the first query since the last answer was sent.
    pub unanswered_since: Option<Monotonic>,
    /// The name server that was asked last.
    pub server: Option<IpAddr>,
    /// Processes that asked, with the moment of their first query.
    pub asked_by: BTreeMap<ProcessKey, Monotonic>,
    /// What shows it.
    pub evidence: Vec<ObservationId>,
}

/// What DNS was asked and answered, by network namespace and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    records: BTreeMap<(u64, String), NameRecord>,
}

/// How a name resolves, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// It is an address.
    Literal(IpAddr),
    /// A line of the hosts file.
    Hosts(Vec<IpAddr>),
    /// An answer of DNS.
    Dns(Vec<IpAddr>),
    /// DNS answered that it does not know it.
    Denied { status: String, server: Option<IpAddr> },
    /// DNS was asked and does not answer.
    Silent { since: Monotonic, server: Option<IpAddr> },
    /// The hosts file lacks it and no name server is configured.
    NotInHosts,
    /// The hosts file lacks it; what DNS would say was not seen.
    NotSeen,
    /// Nothing is known of that host's configuration.
    Unknown,
}

impl Resolution {
    /// The addresses that it leads to.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Literal(address) => std::slice::from_ref(address),
            Self::Hosts(addresses) | Self::Dns(addresses) => addresses,
            _ => &[],
        }
    }

    /// Whether nobody gives it an address, as far as that can be known.
    pub fn leads_nowhere(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Silent { .. } | Self::NotInHosts)
    }
}

impl Names {
    pub fn asked(
        &mut self,
        net_namespace: u64,
        name: &str,
        by: Option<ProcessKey>,
        at: Monotonic,
        server: Option<IpAddr>,
        id: ObservationId,
    ) {
        let record = self.record(net_namespace, name);
        if let Some(process) = by.filter(|_| record.asked_by.len() < ASKER_LIMIT) {
            record.asked_by.entry(process).or_insert(at);
        }
        record.unanswered_since.get_or_insert(at);
        record.server = server;
        show(record, id);
    }

    pub fn answered(&mut self, net_namespace: u64, name: &str, addresses: &[IpAddr], status: &str, id: ObservationId) {
        let record = self.record(net_namespace, name);
        record.unanswered_since = None;
        if !addresses.is_empty() {
            addresses.clone_into(&mut record.addresses);
            record.bad_status = None;
        } else if status != "NOERROR" {
            record.bad_status = Some(status.to_owned());
        }
        show(record, id);
    }

    /// Answers to processes of this network namespace, or of any, may have been lost.
    pub fn answers_lost(&mut self, net_namespace: Option<u64>) {
        for ((namespace, _), record) in &mut self.records {
            if net_namespace.is_none_or(|lost| lost == *namespace) {
                record.unanswered_since = None;
            }
        }
    }

    fn record(&mut self, net_namespace: u64, name: &str) -> &mut NameRecord {
        let key = (net_namespace, plain(name));
        if self.records.len() >= NAME_LIMIT && !self.records.contains_key(&key) {
            self.records.pop_first();
        }
        self.records.entry(key).or_default()
    }

    /// What DNS said of a name itself, or of it with a search domain behind.
    pub fn records<'a>(&'a self, net_namespace: u64, name: &str) -> impl Iterator<Item = &'a NameRecord> + use<'a> {
        let name = plain(name);
        let first = (net_namespace, name.clone());
        self.records
            .range(first..)
            .take_while({
                let name = name.clone();
                move |((namespace, known), _)| *namespace == net_namespace && known.starts_with(&name)
            })
            .filter(move |((_, known), _)| known.len() == name.len() || known.as_bytes().get(name.len()) == Some(&b'.'))
            .map(|(_, record)| record)
    }

    /// How a host of an advertised URI resolves for a process in that namespace.
    pub fn resolve(&self, net_namespace: u64, namespace: Option<&Namespace>, host: &str) -> Resolution {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Resolution::Literal(reached(address.to_canonical()));
        }
        if let Some(address) = inet_aton(host) {
            return Resolution::Literal(reached(address.into()));
        }
        if let Some(addresses) = namespace.and_then(|namespace| in_hosts(namespace, host)) {
            return Resolution::Hosts(addresses);
        }
        if host.eq_ignore_ascii_case("localhost") {
            return Resolution::Hosts(vec![IpAddr::from([127, 0, 0, 1])]);
        }
        let records: Vec<&NameRecord> = self.records(net_namespace, host).collect();
        if let Some(record) = records.iter().find(|record| !record.addresses.is_empty()) {
            return Resolution::Dns(record.addresses.clone());
        }
        if let Some((since, server)) = records.iter().find_map(|r| Some((r.unanswered_since?, r.server))) {
            return Resolution::Silent { since, server };
        }
        if let Some((status, server)) = records.iter().find_map(|r| Some((r.bad_status.clone()?, r.server))) {
            return Resolution::Denied { status, server };
        }
        match namespace {
            None => Resolution::Unknown,
            Some(namespace) if namespace.nameservers.is_empty() => Resolution::NotInHosts,
            Some(_) => Resolution::NotSeen,
        }
    }
}

/// Where packets to an address go: to 0.0.0.0 and `::`, to the host itself (`ip_route_output_key()`, `tcp_v6_connect()`).
pub(crate) fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// The addresses that the hosts file gives a name.
pub(crate) fn in_hosts(namespace: &Namespace, host: &str) -> Option<Vec<IpAddr>> {
    let lines = namespace.hosts.iter().filter(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(host)));
    let addresses: Vec<IpAddr> = lines.map(|(address, _)| *address).collect();
    (!addresses.is_empty()).then_some(addresses)
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn show(record: &mut NameRecord, id: ObservationId) {
    if record.evidence.len() < 8 {
        record.evidence.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_comes_before_dns_and_search_domains_count() {
        let address: IpAddr = "10.0.1.1".parse().unwrap();
        let mut names = Names::default();
        let namespace = Namespace { hosts: vec![(address, vec!["Router".into()])], ..Namespace::default() };
        assert_eq!(names.resolve(1, Some(&namespace), "router"), Resolution::Hosts(vec![address]));
        assert_eq!(names.resolve(1, Some(&namespace), "inner"), Resolution::NotInHosts);
        assert_eq!(names.resolve(1, None, "inner"), Resolution::Unknown);
        names.asked(1, "inner.lan.", None, Monotonic(5), None, ObservationId(1));
        assert_eq!(names.resolve(1, None, "inner"), Resolution::Silent { since: Monotonic(5), server: None });
        names.answered(1, "inner.lan", &[], "NXDOMAIN", ObservationId(2));
        let denied = Resolution::Denied { status: "NXDOMAIN".into(), server: None };
        assert_eq!(names.resolve(1, None, "inner"), denied);
        assert_eq!(names.resolve(2, None, "inner"), Resolution::Unknown, "another namespace's DNS");
        assert_eq!(names.resolve(1, None, "inn"), Resolution::Unknown, "another name");
        names.answered(1, "inner", &[address], "NOERROR", ObservationId(3));
        assert_eq!(names.resolve(1, None, "inner"), Resolution::Dns(vec![address]));
    }
}
