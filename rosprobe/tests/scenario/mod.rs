//! The scenario language: who is there, then one observation a line.

mod language;

use std::collections::BTreeMap;
use std::path::Path;

use rosprobe::diagnosis::{Code, Finding, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::{ClientLibrary, Monotonic, Process, ProcessRef};
use rosprobe::graph::{LinkCounts, Stage};
use rosprobe::observation::Observation;
use rosprobe::session::Session;
use serde::Deserialize;

/// A scenario file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Row of the table of failure modes, or `healthy`.
    pub row: String,
    /// Hosts that rosprobe watches: their namespaces are known.
    #[serde(default)]
    hosts: BTreeMap<String, Host>,
    /// Processes that rosprobe sees.
    #[serde(default)]
    processes: BTreeMap<String, Actor>,
    /// One observation a line.
    observations: String,
    /// Time at which the findings are read, in seconds.
    until: f64,
    /// How many links do how, where that is of interest.
    #[serde(default, deserialize_with = "links")]
    pub links: Option<LinkCounts>,
    /// The findings, all of them, in any order.
    #[serde(default)]
    pub findings: Vec<Expected>,
}

/// `{ ok = 1, failed = 2 }`: what is left out is none.
fn links<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<LinkCounts>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Counts {
        ok: usize,
        pending: usize,
        failed: usize,
        gone: usize,
    }
    let Counts { ok, pending, failed, gone } = Counts::deserialize(deserializer)?;
    Ok(Some(LinkCounts { ok, pending, failed, gone }))
}

/// A network namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    net_namespace: u64,
    /// `eth0 192.168.50.2/24`.
    addresses: Vec<String>,
    /// `10.0.1.0/24 via 192.168.50.1` or `default via 192.168.50.1`.
    #[serde(default)]
    routes: Vec<String>,
    /// `10.0.1.1 router`.
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    nameservers: Vec<std::net::IpAddr>,
}

/// A process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    pid: u32,
    comm: String,
    host: String,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// The client library that it is seen to use.
    #[serde(default)]
    library: Option<ClientLibrary>,
    /// Words of its command line behind the program.
    #[serde(default)]
    arguments: Vec<String>,
}

impl Actor {
    fn reference(&self) -> ProcessRef {
        ProcessRef { pid: self.pid, started: u64::from(self.pid), comm: self.comm.as_str().into() }
    }

    fn process(&self, hosts: &BTreeMap<String, Host>) -> Process {
        Process {
            pid: self.pid,
            started: u64::from(self.pid),
            comm: self.comm.clone(),
            argv: [std::slice::from_ref(&self.comm), &self.arguments].concat(),
            client_library: self.library,
            hostname: self.hostname.clone(),
            environment: self.environment.clone(),
            net_namespace: hosts.get(&self.host).map_or(0, |host| host.net_namespace),
            ..Process::default()
        }
    }
}

/// A finding as far as it is of interest; what is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub code: Code,
    severity: Severity,
    topic: Option<String>,
    service: Option<String>,
    node: Option<String>,
    stage: Option<Stage>,
    errno: Option<Errno>,
    address: Option<String>,
    pid: Option<u32>,
    peer: Option<String>,
    count: Option<u64>,
    /// Whether it is over.
    ended: Option<bool>,
    /// Parts of the summary and explanation.
    #[serde(default)]
    says: Vec<String>,
    /// Parts of the remedies, each of another one.
    #[serde(default)]
    remedies: Vec<String>,
    /// What no remedy may contain.
    #[serde(default)]
    not_remedies: Vec<String>,
}

impl Expected {
    /// What differs from a finding; empty when it is the one.
    pub fn misses(&self, finding: &Finding) -> Vec<String> {
        let mut misses = Vec::new();
        let mut check = |name: &str, wanted: String, given: String| {
            if wanted != given {
                misses.push(format!("{name} is {given} and not {wanted}"));
            }
        };
        check("code", format!("{:?}", self.code), format!("{:?}", finding.code));
        check("severity", format!("{:?}", self.severity), format!("{:?}", finding.severity));
        check("errno", format!("{:?}", self.errno), format!("{:?}", finding.errno));
        if self.stage.is_some() {
            check("stage", format!("{:?}", self.stage), format!("{:?}", finding.stage));
        }
        for (name, wanted, given) in [
            ("topic", &self.topic, &finding.topic),
            ("service", &self.service, &finding.service),
            ("node", &self.node, &finding.node),
            ("address", &self.address, &finding.address),
            ("peer", &self.peer, &finding.peer.as_ref().and_then(|peer| peer.node.clone())),
        ] {
            if wanted.is_some() {
                check(name, format!("{wanted:?}"), format!("{given:?}"));
            }
        }
        if self.pid.is_some() {
            check(
                "pid",
                format!("{:?}", self.pid),
                format!("{:?}", finding.process.as_ref().map(|process| process.pid)),
            );
        }
        if self.count.is_some() {
            check("count", format!("{:?}", self.count), format!("{:?}", Some(finding.count)));
        }
        if self.ended.is_some() {
            check("ended", format!("{:?}", self.ended), format!("{:?}", Some(finding.ended.is_some())));
        }
        if finding.evidence.is_empty() {
            misses.push("it has no evidence".to_owned());
        }
        // They are listed with an "or:" in front.
        if finding.remedies.iter().any(|remedy| remedy.starts_with("Or ")) {
            misses.push("a remedy begins with Or".to_owned());
        }
        let text = format!("{} {}", finding.summary, finding.explanation);
        misses.extend(
            self.says
                .iter()
                .filter(|part| !text.contains(*part))
                .map(|part| format!("it does not say {part:?}: {text}")),
        );
        let remedies = finding.remedies.join("\n");
        misses.extend(
            self.remedies
                .iter()
                .filter(|part| !remedies.contains(*part))
                .map(|part| format!("no remedy has {part:?}: {remedies}")),
        );
        misses.extend(
            self.not_remedies
                .iter()
                .filter(|part| remedies.contains(*part))
                .map(|part| format!("a remedy has {part:?}: {remedies}")),
        );
        misses
    }
}

/// Seconds on the clock of a scenario.
fn nanoseconds(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::from_secs_f64(seconds).as_nanos()).unwrap()
}

impl Scenario {
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Plays the observations, a tick every half second, and gives the findings at the end.
    pub fn findings(&self) -> Vec<Finding> {
        let mut last = Vec::new();
        self.play(|session| last = session.findings().to_vec());
        last
    }

    /// The same with a wall clock that is set back by an hour halfway.
    pub fn findings_with_a_stepped_clock(&self) -> Vec<Finding> {
        let mut observations = language::observations(self);
        let half = observations.len() / 2;
        for observation in &mut observations[half..] {
            observation.time -= jiff::SignedDuration::from_hours(1);
        }
        let mut last = Vec::new();
        self.play_these(observations, |session| last = session.findings().to_vec());
        last
    }

    /// Plays the observations, a tick every half second, and shows the session after each observation and tick.
    pub fn play(&self, seen: impl FnMut(&Session)) {
        self.play_these(language::observations(self), seen);
    }

    fn play_these(&self, observations: Vec<Observation>, mut seen: impl FnMut(&Session)) {
        let mut session = Session::default();
        let mut now = 0;
        for observation in observations {
            while now + 500_000_000 < observation.monotonic.0 {
                now += 500_000_000;
                session.advance(Monotonic(now));
                seen(&session);
            }
            now = observation.monotonic.0;
            session.observe(observation);
            session.advance(Monotonic(now));
            seen(&session);
        }
        let end = nanoseconds(self.until);
        while now < end {
            now = (now + 500_000_000).min(end);
            session.advance(Monotonic(now));
            seen(&session);
        }
    }
}
