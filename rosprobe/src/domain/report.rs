//! What `rosprobe domain` says, as text and as JSON.

use std::fmt;

use serde::Serialize;

use super::{
    BoundPort, Domain, Ephemeral, LAST_PORT, Limit, Machine, PARTICIPANTS_BEFORE_NEXT_DOMAIN, Reading, read_port,
};

/// A domain: its ports, how many processes it holds, and what this machine makes of it.
#[derive(Clone, Debug, Serialize)]
pub struct DomainReport {
    /// The domain.
    pub domain: Domain,
    /// Where its number came from: `the command line`, `ROS_DOMAIN_ID`, or `the default`.
    pub source: &'static str,
    /// Port of discovery by multicast.
    pub discovery_multicast: u32,
    /// Port of data by multicast.
    pub user_multicast: u32,
    /// Unicast ports, discovery and data, of the first process (participant 0).
    pub first_unicast: (u32, u32),
    /// How many processes fit on one machine: here, and on the common systems by default.
    pub room: Vec<Room>,
    /// With `--participants`: what so many processes on one machine meet, each from which participant on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<ParticipantsReport>,
    /// Domains that are free of trouble on this machine.
    pub safe: SafeDomains,
    /// Ports of this domain that are bound on this machine now.
    pub bound: Vec<BoundPort>,
}

/// How many processes fit into a domain on one machine of a system.
#[derive(Clone, Debug, Serialize)]
pub struct Room {
    /// The system.
    pub system: String,
    /// Its ephemeral ports.
    pub ephemeral: String,
    /// How many processes fit.
    pub processes: u32,
    /// What stops one more.
    #[serde(flatten)]
    pub limit: Limit,
}

/// What N processes of a domain on one machine meet.
#[derive(Clone, Debug, Serialize)]
pub struct ParticipantsReport {
    /// How many processes were asked about.
    pub participants: u32,
    /// Unicast ports of the last of them.
    pub last_unicast: (u32, u32),
    /// What goes wrong, and from which participant (counted from 0) on; empty when nothing does.
    pub troubles: Vec<(u32, String)>,
}

/// Domains that are safe on a machine.
#[derive(Clone, Debug, Serialize)]
pub struct SafeDomains {
    /// The machine's ephemeral ports.
    pub ephemeral: String,
    /// Inode of the network namespace that they belong to.
    pub net_namespace: u64,
    /// First and last of each run of domains with room for 120 processes each.
    pub full: Vec<(Domain, Domain)>,
    /// Domains with room for fewer, and for how many.
    pub partial: Vec<(Domain, u32)>,
}

impl DomainReport {
    /// Everything about `domain`.
    pub fn new(domain: Domain, source: &'static str, participants: Option<u32>, machine: &Machine) -> Self {
        let systems = [
            ("this machine", &machine.ephemeral),
            ("Linux", &Ephemeral::LINUX),
            ("macOS", &Ephemeral::MACOS_WINDOWS),
            ("Windows", &Ephemeral::MACOS_WINDOWS),
        ];
        let room = systems.map(|(system, ephemeral)| {
            let (processes, limit) = domain.room(ephemeral);
            Room { system: system.to_owned(), ephemeral: ephemeral.to_string(), processes, limit }
        });
        let holds = |reading: &Reading| reading.domain == domain;
        Self {
            domain,
            source,
            discovery_multicast: domain.discovery_multicast(),
            user_multicast: domain.user_multicast(),
            first_unicast: domain.unicast(0),
            room: room.into(),
            participants: participants.map(|count| ParticipantsReport::new(domain, count, &machine.ephemeral)),
            safe: SafeDomains::new(machine),
            bound: machine.bound.iter().filter(|bound| bound.readings.iter().any(holds)).cloned().collect(),
        }
    }
}

impl DomainReport {
    /// False when not even one process, or not the number that was asked about, finds its ports free on this machine.
    pub fn is_sound(&self) -> bool {
        let fits = self.room.first().is_none_or(|here| here.processes > 0);
        fits && self.participants.as_ref().is_none_or(|participants| participants.troubles.is_empty())
    }
}

impl ParticipantsReport {
    fn new(domain: Domain, count: u32, ephemeral: &Ephemeral) -> Self {
        let mut troubles = Vec::new();
        let (last_discovery, last_user) = domain.unicast(count.saturating_sub(1));
        let multicast = [domain.discovery_multicast(), domain.user_multicast()];
        if let Some(port) = multicast.into_iter().find(|&port| ephemeral.contains(port)) {
            troubles.push((
                0,
                format!("port {port}, which all of them share, is an ephemeral port: any program may hold it"),
            ));
        }
        let first = |wrong: &dyn Fn(u32) -> bool| {
            (0..count).find(|&p| wrong(domain.unicast(p).0) || wrong(domain.unicast(p).1))
        };
        if let Some(participant) = first(&|port| port <= LAST_PORT && ephemeral.contains(port)) {
            let (discovery, user) = domain.unicast(participant);
            troubles.push((
                participant,
                format!("ports {discovery} and {user} are ephemeral ports: any program may hold them"),
            ));
        }
        let overlaps = |later: Domain| {
            let of_multicast = |port| port == later.discovery_multicast() || port == later.user_multicast();
            Some((later, first(&of_multicast)?))
        };
        let mut overlapped = Domain::all().filter(|&later| later > domain).map_while(overlaps);
        if let Some((next, participant)) = overlapped.next() {
            let (discovery, user) = domain.unicast(participant);
            let last = overlapped.last().map_or_else(String::new, |(last, _)| format!(", up to domain {last}"));
            troubles.push((
                participant,
                format!(
                    "ports {discovery} and {user} are those of domain {next}'s multicast, and its own follow{last}"
                ),
            ));
        }
        if let Some(participant) = first(&|port| port > LAST_PORT) {
            troubles
                .push((participant, format!("its ports would lie beyond {LAST_PORT}: it cannot start by the formula")));
        }
        troubles.sort_by_key(|(participant, _)| *participant);
        Self { participants: count, last_unicast: (last_discovery, last_user), troubles }
    }
}

impl SafeDomains {
    fn new(machine: &Machine) -> Self {
        let mut full: Vec<(Domain, Domain)> = Vec::new();
        let mut partial = Vec::new();
        for domain in Domain::all() {
            match domain.room(&machine.ephemeral).0 {
                0 => {}
                PARTICIPANTS_BEFORE_NEXT_DOMAIN => match full.last_mut() {
                    Some((_, last)) if last.number() + 1 == domain.number() => *last = domain,
                    _ => full.push((domain, domain)),
                },
                fewer => partial.push((domain, fewer)),
            }
        }
        Self { ephemeral: machine.ephemeral.to_string(), net_namespace: machine.net_namespace, full, partial }
    }
}

/// What a port is, and who holds it here.
#[derive(Clone, Debug, Serialize)]
pub struct PortReport {
    /// The port.
    pub port: u16,
    /// Ways to read it, the likelier first; empty for a port of no domain.
    pub readings: Vec<Reading>,
    /// Who has it bound on this machine now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundPort>,
}

impl PortReport {
    /// Everything about `port`.
    pub fn new(port: u16, machine: &Machine) -> Self {
        let bound = machine.bound.iter().find(|bound| bound.port == port).cloned();
        Self { port, readings: read_port(port), bound }
    }
}

impl fmt::Display for PortReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.readings.as_slice() {
            [] => writeln!(
                f,
                "Port {} belongs to no ROS 2 domain by the default formula (domain 0 begins at 7400).",
                self.port
            )?,
            [only] => writeln!(f, "Port {} is {only}.", self.port)?,
            [likely, others @ ..] => {
                writeln!(f, "Port {} can be read in two ways:", self.port)?;
                writeln!(f, "  {likely}")?;
                for other in others {
                    writeln!(
                        f,
                        "  or {other}: only where a machine runs more than {PARTICIPANTS_BEFORE_NEXT_DOMAIN} processes of it"
                    )?;
                }
            }
        }
        match &self.bound {
            Some(bound) => writeln!(f, "Bound here now{}.", holders(bound)),
            None if self.readings.is_empty() => Ok(()),
            None => writeln!(f, "Not bound on this machine now."),
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "domain {}, ", self.domain)?;
        match self.participant {
            Some(participant) => write!(f, "participant {participant} (process {}), {}", participant + 1, self.purpose),
            None => self.purpose.fmt(f),
        }
    }
}

impl fmt::Display for DomainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (discovery, user) = self.first_unicast;
        writeln!(f, "ROS_DOMAIN_ID {} (from {})", self.domain, self.source)?;
        writeln!(f, "  discovery multicast  {}  239.255.0.1, shared by all processes", self.discovery_multicast)?;
        writeln!(f, "  user multicast       {}", self.user_multicast)?;
        writeln!(f, "  discovery unicast    {discovery} + 2p  for participant p = 0, 1, 2 ...")?;
        writeln!(f, "  user unicast         {user} + 2p")?;
        writeln!(f, "\nProcesses that fit on one machine")?;
        for room in &self.room {
            writeln!(
                f,
                "  {:<12}  {:>3}  then {} (ephemeral ports {})",
                room.system, room.processes, room.limit, room.ephemeral
            )?;
        }
        if let Some(participants) = &self.participants {
            participants.fmt(f)?;
        }
        writeln!(f)?;
        self.safe.fmt(f)?;
        if !self.bound.is_empty() {
            writeln!(f, "\nBound on this machine now")?;
        }
        for bound in &self.bound {
            let reading = bound.readings.iter().find(|reading| reading.domain == self.domain);
            let meaning = reading.map(ToString::to_string).unwrap_or_default();
            writeln!(f, "  {}  {meaning}{}", bound.port, holders(bound))?;
        }
        Ok(())
    }
}

impl fmt::Display for ParticipantsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (discovery, user) = self.last_unicast;
        let processes = match self.participants {
            1 => "1 process".to_owned(),
            several => format!("{several} processes"),
        };
        writeln!(f, "\nWith {processes} on this machine the last one needs ports {discovery} and {user}")?;
        if self.troubles.is_empty() {
            writeln!(f, "  all of them fit")?;
        }
        for (participant, trouble) in &self.troubles {
            writeln!(f, "  from process {} (participant {participant}) on: {trouble}", participant + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for SafeDomains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Safe on this machine (ephemeral ports {}, network namespace {})",
            self.ephemeral, self.net_namespace
        )?;
        let full: Vec<_> = self
            .full
            .iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
            .collect();
        if full.is_empty() && self.partial.is_empty() {
            return writeln!(
                f,
                "  none: every domain's ports are ephemeral here; sysctl -w net.ipv4.ip_local_port_range='32768 60999' frees 0-100"
            );
        }
        if !full.is_empty() {
            writeln!(f, "  {}  with {PARTICIPANTS_BEFORE_NEXT_DOMAIN} processes each", full.join(", "))?;
        }
        for (domain, processes) in &self.partial {
            writeln!(
                f,
                "  {domain}  with at most {processes} {}",
                if *processes == 1 { "process" } else { "processes" }
            )?;
        }
        Ok(())
    }
}

fn holders(bound: &BoundPort) -> String {
    if bound.holders.is_empty() {
        return " by a process that rosprobe may not see (run it with sudo)".to_owned();
    }
    let names: Vec<_> = bound.holders.iter().map(|(pid, comm)| format!("{} [{pid}]", comm.escape_debug())).collect();
    format!(" by {}", names.join(", "))
}
