//! ROS 2 domains and their UDP ports: arithmetic, and what a machine's ephemeral ports leave of it.
//!
//! Port mapping: DDSI-RTPS 2.5, 9.6.2.3 (PB 7400, DG 250, PG 2, d0 0, d1 10, d2 1, d3 11), the defaults of every ROS 2
//! middleware that follows the formula.

mod machine;
mod report;

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

pub(crate) use self::machine::parse_reserved;
pub use self::machine::{BoundPort, Machine, MachineError};
pub use self::report::{DomainReport, PortReport, Room, SafeDomains};

const PORT_BASE: u32 = 7400;
const DOMAIN_GAIN: u32 = 250;
const PARTICIPANT_GAIN: u32 = 2;
const DISCOVERY_UNICAST: u32 = 10;
const USER_UNICAST: u32 = 11;
const LAST_PORT: u32 = 65535;

/// Participants of a domain before their unicast ports reach those of the next domain.
pub const PARTICIPANTS_BEFORE_NEXT_DOMAIN: u32 = 120;

/// A ROS 2 domain, 0 to 232.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Domain(u32);

/// Why something is no domain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no ROS 2 domain: {why}; give a whole number from 0 to 232 (0 to 101 is free of trouble on Linux, macOS and Windows)"
)]
pub struct DomainError {
    given: String,
    why: String,
}

impl Domain {
    /// The last domain whose ports exist: the discovery port of 233 would be 65650.
    pub const LAST: Self = Self(232);

    /// A domain by number, 0 to 232: an error says which of its ports would lie beyond 65535.
    pub fn new(number: u32) -> Result<Self, DomainError> {
        if number <= Self::LAST.0 {
            return Ok(Self(number));
        }
        let port = u64::from(PORT_BASE) + u64::from(DOMAIN_GAIN) * u64::from(number);
        Err(DomainError {
            given: number.to_string(),
            why: format!("its discovery port would be {port}, and ports end at {LAST_PORT}"),
        })
    }

    /// A domain as written in `ROS_DOMAIN_ID` or on a command line. An error when it is no whole number from 0 to 232.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DomainError { given: text.to_owned(), why: "it is not a whole number".to_owned() });
        }
        if trimmed.starts_with('-') {
            return Err(DomainError { given: text.to_owned(), why: "it is negative".to_owned() });
        }
        match trimmed.parse() {
            Ok(number) => Self::new(number),
            Err(_) => Err(DomainError { given: text.to_owned(), why: "it is far too large".to_owned() }),
        }
    }

    /// All domains.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=Self::LAST.0).map(Self)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Port at which every participant hears of others, in the group 239.255.0.1.
    pub fn discovery_multicast(self) -> u32 {
        PORT_BASE + DOMAIN_GAIN * self.0
    }

    /// Port for data sent by multicast.
    pub fn user_multicast(self) -> u32 {
        self.discovery_multicast() + 1
    }

    /// Unicast ports of a participant, counted from 0: discovery, then user data. They may lie beyond 65535.
    pub fn unicast(self, participant: u32) -> (u32, u32) {
        let first = self.discovery_multicast().saturating_add(participant.saturating_mul(PARTICIPANT_GAIN));
        (first.saturating_add(DISCOVERY_UNICAST), first.saturating_add(USER_UNICAST))
    }

    /// How many participants find all their ports outside `ephemeral` and before the next domain's, and what stops more.
    pub fn room(self, ephemeral: &Ephemeral) -> (u32, Limit) {
        let multicast = [self.discovery_multicast(), self.user_multicast()];
        if let Some(&port) = multicast.iter().find(|&&port| ephemeral.contains(port)) {
            return (0, Limit::Ephemeral { port });
        }
        for participant in 0..PARTICIPANTS_BEFORE_NEXT_DOMAIN {
            let (discovery, user) = self.unicast(participant);
            if user > LAST_PORT {
                return (participant, Limit::PortsEnd);
            }
            if let Some(port) = [discovery, user].into_iter().find(|&port| ephemeral.contains(port)) {
                return (participant, Limit::Ephemeral { port });
            }
        }
        (
            PARTICIPANTS_BEFORE_NEXT_DOMAIN,
            Limit::NextDomain { domain: self.0 + 1, port: self.discovery_multicast() + DOMAIN_GAIN },
        )
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What stops a further participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "limit", rename_all = "kebab-case")]
pub enum Limit {
    /// The next domain's ports begin.
    NextDomain {
        /// That domain.
        domain: u32,
        /// Its discovery multicast port.
        port: u32,
    },
    /// A port is one that the system hands out to anybody.
    Ephemeral {
        /// The first such port.
        port: u32,
    },
    /// Ports end at 65535.
    PortsEnd,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextDomain { domain, .. } if *domain > Domain::LAST.0 => {
                f.write_str("the ports of domains end there")
            }
            Self::NextDomain { domain, port } => write!(f, "port {port} is domain {domain}'s discovery port"),
            Self::Ephemeral { port } => write!(f, "port {port} is an ephemeral port, which any program may be given"),
            Self::PortsEnd => write!(f, "ports end at {LAST_PORT}"),
        }
    }
}

/// Ports that a system hands out to programs that ask for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    range: RangeInclusive<u16>,
    reserved: Vec<RangeInclusive<u16>>,
}

impl Ephemeral {
    /// Linux's default.
    pub const LINUX: Self = Self { range: 32768..=60999, reserved: Vec::new() };
    /// macOS's and Windows' default (RFC 6335's dynamic ports).
    pub const MACOS_WINDOWS: Self = Self { range: 49152..=65535, reserved: Vec::new() };

    /// A range, less the ports that are reserved from it.
    pub fn new(range: RangeInclusive<u16>, reserved: Vec<RangeInclusive<u16>>) -> Self {
        Self { range, reserved }
    }

    /// True for a port that the system may hand out.
    pub fn contains(&self, port: u32) -> bool {
        u16::try_from(port).is_ok_and(|port| {
            self.range.contains(&port) && !self.reserved.iter().any(|reserved| reserved.contains(&port))
        })
    }
}

impl fmt::Display for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.range.start(), self.range.end())?;
        for (index, range) in self.reserved.iter().enumerate() {
            f.write_str(if index == 0 { " without the reserved " } else { ", " })?;
            if range.start() == range.end() {
                write!(f, "{}", range.start())?;
            } else {
                write!(f, "{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Where every participant of a domain listens for others.
    DiscoveryMulticast,
    /// Data by multicast.
    UserMulticast,
    /// Discovery, to one participant.
    DiscoveryUnicast,
    /// Data, to one participant.
    UserUnicast,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscoveryMulticast => "discovery multicast",
            Self::UserMulticast => "user multicast",
            Self::DiscoveryUnicast => "discovery unicast",
            Self::UserUnicast => "user unicast",
        })
    }
}

/// One way to read a port number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The domain.
    pub domain: Domain,
    /// The participant, counted from 0; none for multicast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<u32>,
    /// What the port is for.
    pub purpose: Purpose,
}

/// What a port can be, the likelier reading first: the domain whose 250 ports it lies in, then a participant beyond the
/// 120th of the domain before. Empty for a port of no domain.
pub fn read_port(port: u16) -> Vec<Reading> {
    let Some(above_base) = u32::from(port).checked_sub(PORT_BASE) else { return Vec::new() };
    let (number, offset) = (above_base / DOMAIN_GAIN, above_base % DOMAIN_GAIN);
    let mut readings = Vec::new();
    if let Ok(domain) = Domain::new(number) {
        match offset {
            0 => readings.push(Reading { domain, participant: None, purpose: Purpose::DiscoveryMulticast }),
            1 => readings.push(Reading { domain, participant: None, purpose: Purpose::UserMulticast }),
            _ => readings.extend(read_unicast(domain, offset)),
        }
    }
    if let Some(before) = number.checked_sub(1).and_then(|number| Domain::new(number).ok()) {
        readings.extend(read_unicast(before, offset + DOMAIN_GAIN));
    }
    readings
}

fn read_unicast(domain: Domain, offset: u32) -> Option<Reading> {
    let unicast = offset.checked_sub(DISCOVERY_UNICAST)?;
    let purpose = if unicast % PARTICIPANT_GAIN == 0 { Purpose::DiscoveryUnicast } else { Purpose::UserUnicast };
    Some(Reading { domain, participant: Some(unicast / PARTICIPANT_GAIN), purpose })
}

#[cfg(test)]
mod tests;
