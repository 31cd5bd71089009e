//! ROS variables held against the addresses and names of this machine.
//!
//! What a node advertises: `ROS_HOSTNAME`, else `ROS_IP`, else the host's name (<https://wiki.ros.org/ROS/EnvironmentVariables>,
//! `rosgraph.network`, roscpp's `network.cpp`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Check;
use crate::domain::Domain;
use crate::observation::AdvertisedUri;

/// What a name resolved to here: addresses, or why not.
pub type Resolution = Result<Vec<IpAddr>, String>;

/// Where a ROS 1 program looks for the master when nothing is set.
const DEFAULT_MASTER: &str = "http://localhost:11311";

/// The settings of a shell, and the machine that they are for.
pub struct Settings<'a> {
    /// `ROS_*` variables that are set.
    pub environment: BTreeMap<String, String>,
    /// This host's name.
    pub hostname: String,
    /// This host's addresses.
    pub addresses: Vec<IpAddr>,
    /// The address of this host from which packets to the master leave, when there is a way to it.
    pub towards_master: Option<IpAddr>,
    /// Resolves a name as programs here do.
    pub resolve: &'a dyn Fn(&str) -> Resolution,
    /// Tries to connect to a TCP port: why not, when it fails.
    pub connect: &'a dyn Fn(IpAddr, u16) -> Result<(), String>,
}

impl Settings<'_> {
    /// What is odd about them; at least one line on each matter.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.advertised();
        checks.extend(self.master());
        checks.extend(self.domain());
        checks
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// An address that other hosts could use, to put into remedies.
    fn example(&self) -> String {
        let usable = |address: &&IpAddr| !address.is_loopback() && !is_link_local(address);
        let towards_master = self.towards_master.filter(|address| !address.is_loopback());
        let best = self.addresses.iter().filter(usable).min_by_key(|address| address.is_ipv6());
        towards_master.as_ref().or(best).map_or_else(|| "an address of this host".to_owned(), ToString::to_string)
    }

    fn own(&self) -> String {
        let usable = self.addresses.iter().filter(|address| !address.is_loopback() && !is_link_local(address));
        let list: Vec<String> = usable.map(ToString::to_string).collect();
        if list.is_empty() { "no address but loopback".to_owned() } else { list.join(", ") }
    }

    fn advertised(&self) -> Vec<Check> {
        match (self.get("ROS_HOSTNAME"), self.get("ROS_IP")) {
            (Some(name), Some(ip)) => {
                let both = Check::info(format!(
                    "ROS_HOSTNAME={name} and ROS_IP={ip} are both set: ROS_HOSTNAME wins, ROS_IP has no effect"
                ));
                vec![both, self.hostname_variable(name)]
            }
            (Some(name), None) => vec![self.hostname_variable(name)],
            (None, Some(ip)) => vec![self.ip_variable(ip)],
            (None, None) => vec![self.own_name()],
        }
    }

    fn ip_variable(&self, ip: &str) -> Check {
        let remedy = format!("export ROS_IP={}", self.example());
        let Ok(address) = ip.parse::<IpAddr>() else {
            return Check::error(format!("ROS_IP={ip} is no IP address; nodes would advertise it as it is"), remedy);
        };
        if address.is_loopback() {
            return Check::warning(
                format!("ROS_IP={ip} is loopback: nodes on other hosts that are given it connect to themselves"),
                format!("{remedy} (or leave it when all nodes run on this host)"),
            );
        }
        if !self.addresses.contains(&address) {
            return Check::error(
                format!(
                    "ROS_IP={ip} is not an address of this host, which has {}: nodes here advertise an address that nobody answers for",
                    self.own()
                ),
                remedy,
            );
        }
        Check::ok(format!("ROS_IP={ip} is an address of this host"))
    }

    fn hostname_variable(&self, name: &str) -> Check {
        let remedy = format!("unset ROS_HOSTNAME; export ROS_IP={}", self.example());
        self.name(name, &format!("ROS_HOSTNAME={name}"), remedy)
    }

    fn own_name(&self) -> Check {
        let name = &self.hostname;
        let subject =
            format!("neither ROS_IP nor ROS_HOSTNAME is set, so nodes advertise this host's name, {name}, which");
        self.name(name, &subject, format!("export ROS_IP={}", self.example()))
    }

    fn name(&self, name: &str, subject: &str, remedy: String) -> Check {
        let addresses = match (self.resolve)(name) {
            Ok(addresses) => addresses,
            Err(reason) => return Check::error(format!("{subject} does not resolve here: {reason}"), remedy),
        };
        let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if addresses.iter().all(IpAddr::is_loopback) {
            let alone = if name == "localhost" {
                "nodes on other hosts that are given it connect to themselves"
            } else {
                "other hosts need a name server or an /etc/hosts line for it, and must not read loopback there"
            };
            return Check::warning(
                format!("{subject} resolves to {list} here, which is loopback: {alone}"),
                format!("{remedy} (or leave it when all nodes run on this host)"),
            );
        }
        if !addresses.iter().any(|address| self.addresses.contains(address)) {
            return Check::error(
                format!("{subject} resolves to {list}, which is not an address of this host, which has {}", self.own()),
                remedy,
            );
        }
        Check::ok(format!(
            "{subject} resolves to {list}, an address of this host; other hosts must be able to resolve it too"
        ))
    }

    fn master(&self) -> Vec<Check> {
        let set = self.get("ROS_MASTER_URI");
        let uri = set.unwrap_or(DEFAULT_MASTER);
        let parsed = match AdvertisedUri::parse(uri.trim_end()) {
            Ok(parsed) => parsed,
            Err(reason) => {
                let text = format!("ROS_MASTER_URI={uri} is no master's address: {reason}");
                return vec![Check::error(text, "export ROS_MASTER_URI=http://HOST:11311")];
            }
        };
        let (host, port) = (parsed.host.as_str(), parsed.port);
        let addresses = match host.parse().map_or_else(|_| (self.resolve)(host), |address| Ok(vec![address])) {
            Ok(addresses) => addresses,
            Err(reason) => {
                let text = format!("ROS_MASTER_URI={uri}: the name {host} does not resolve here: {reason}");
                return vec![Check::error(
                    text,
                    format!(
                        "add a line `ADDRESS {host}` to /etc/hosts, or put the master's address into ROS_MASTER_URI"
                    ),
                )];
            }
        };
        let mut reasons = Vec::new();
        for address in &addresses {
            match (self.connect)(*address, port) {
                Ok(()) => return vec![Check::ok(format!("the master at {uri} accepts connections"))],
                Err(reason) => reasons.push(format!("{address}: {reason}")),
            }
        }
        let reasons = reasons.join("; ");
        if set.is_none() {
            return vec![Check::info(format!(
                "ROS_MASTER_URI is not set and no master runs on this host ({reasons}); ROS 2 needs none"
            ))];
        }
        vec![Check::error(
            format!("the master at ROS_MASTER_URI={uri} cannot be reached: {reasons}"),
            format!("start roscore on {host}, or correct ROS_MASTER_URI; `rosprobe check` says more once it answers"),
        )]
    }

    fn domain(&self) -> Vec<Check> {
        let Some(text) = self.get("ROS_DOMAIN_ID") else { return Vec::new() };
        match Domain::parse(text) {
            Ok(domain) => vec![Check::ok(format!(
                "ROS_DOMAIN_ID={} is a ROS 2 domain; `rosprobe domain` says more",
                domain.number()
            ))],
            Err(error) => vec![Check::error(format!("ROS_DOMAIN_ID: {error}"), "export ROS_DOMAIN_ID=0")],
        }
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(name: &str) -> Resolution {
        match name {
            "marvin" => Ok(vec!["127.0.1.1".parse().unwrap()]),
            "localhost" => Ok(vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
            "robot" => Ok(vec!["10.0.1.1".parse().unwrap()]),
            "other" => Ok(vec!["10.0.9.9".parse().unwrap()]),
            _ => Err("Name or service not known".to_owned()),
        }
    }

    fn connect(address: IpAddr, port: u16) -> Result<(), String> {
        if port == 11311 && address.to_string() == "10.0.1.1" {
            Ok(())
        } else {
            Err("ECONNREFUSED (refused)".to_owned())
        }
    }

    fn report(environment: &[(&str, &str)], hostname: &str) -> String {
        let settings = Settings {
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            hostname: hostname.to_owned(),
            addresses: ["127.0.0.1", "10.0.1.1", "192.168.50.1", "fe80::1"].map(|text| text.parse().unwrap()).into(),
            towards_master: Some("192.168.50.1".parse().unwrap()),
            resolve: &resolve,
            connect: &connect,
        };
        let given: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut lines = vec![format!("{hostname}: {}", given.join(" "))];
        for check in settings.checks() {
            lines.push(format!("  {}: {}", check.status.word(), check.text));
            lines.extend(check.remedy.map(|remedy| format!("    Fix: {remedy}")));
        }
        lines.join("\n")
    }

    #[test]
    fn every_odd_setting_is_named_with_its_remedy() {
        let master = ("ROS_MASTER_URI", "http://robot:11311");
        let cases: [(&[(&str, &str)], &str); 13] = [
            (&[], "robot"),
            (&[], "marvin"),
            (&[], "nowhere"),
            (&[("ROS_IP", "10.0.1.1"), master], "robot"),
            (&[("ROS_IP", "10.0.7.7"), master], "robot"),
            (&[("ROS_IP", "127.0.0.1"), master], "robot"),
            (&[("ROS_IP", "robot"), master], "robot"),
            (&[("ROS_HOSTNAME", "robot"), ("ROS_IP", "10.0.1.1"), master], "marvin"),
            (&[("ROS_HOSTNAME", "localhost"), master], "robot"),
            (&[("ROS_HOSTNAME", "other"), master], "robot"),
            (&[("ROS_IP", "10.0.1.1"), ("ROS_MASTER_URI", "http://robot:11312")], "robot"),
            (&[("ROS_IP", "10.0.1.1"), ("ROS_MASTER_URI", "http://gone:11311")], "robot"),
            (&[("ROS_IP", "10.0.1.1"), ("ROS_MASTER_URI", "robot:11311"), ("ROS_DOMAIN_ID", "300")], "robot"),
        ];
        insta::assert_snapshot!(cases.map(|(environment, hostname)| report(environment, hostname)).join("\n"));
    }
}
