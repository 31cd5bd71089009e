//! Participants whose writers and readers are not known, and why that is so: nobody may take it for having none.

use std::collections::BTreeMap;

use super::{Dds, Participant};
use crate::observation::dds::Discovery;

/// How long a participant may take to tell of its endpoints, in nanoseconds. Every one of ROS 2 has some.
const TOLD_NS: u128 = 2_000_000_000;

/// Why no endpoint of a living participant is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// DDS-Security: they are encrypted.
    Encrypted,
    /// It told them before watching began, and tells them again to newcomers only.
    Before,
    /// It may tell them through shared memory, as Fast DDS does on one host.
    SharedMemory,
    /// It knows of nobody whom it could tell.
    Alone,
    /// Nothing shows why.
    Unknown,
}

impl Silence {
    /// What is to be said of its writers and readers, in sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::Encrypted => "They are encrypted (DDS-Security).",
            Self::Before => {
                "Not known yet: they were told before rosprobe began, and are told again to newcomers only. Start any node, for \
                 instance ros2 topic list --no-daemon."
            }
            Self::SharedMemory => "Not to be seen: Fast DDS tells them through shared memory to others on this host.",
            Self::Alone => "Not known: they are told to other participants, and nobody is there.",
            Self::Unknown => "Not known: nobody was seen to be told of them.",
        }
    }
}

impl Dds {
    /// Living participants of which no endpoint is known, by why that is so.
    pub fn silent(&self) -> BTreeMap<Silence, Vec<&Participant>> {
        let offering = self.offering_shared_memory();
        let mut silent: BTreeMap<Silence, Vec<&Participant>> = BTreeMap::new();
        for participant in self.participants.values() {
            if let Some(why) = self.why_silent(participant, &offering) {
                silent.entry(why).or_default().push(participant);
            }
        }
        silent
    }

    /// Why no endpoint of a participant is known; `None` when some are, when it has only just come, and when it is gone.
    pub fn silence(&self, participant: &Participant) -> Option<Silence> {
        self.why_silent(participant, &self.offering_shared_memory())
    }

    /// How many participants offer shared memory in each network namespace.
    fn offering_shared_memory(&self) -> BTreeMap<u64, usize> {
        let offering = self.participants.values().filter(|one| one.is_alive() && one.offers_shared_memory());
        offering.fold(BTreeMap::new(), |mut counts, one| {
            *counts.entry(one.net_namespace).or_default() += 1;
            counts
        })
    }

    fn why_silent(&self, participant: &Participant, offering: &BTreeMap<u64, usize>) -> Option<Silence> {
        let just_come = self.now.since(participant.first.at).as_nanos() < TOLD_NS;
        if !participant.is_alive() || just_come || !self.endpoints_of(participant.data.guid_prefix).is_empty() {
            return None;
        }
        let namespace = participant.net_namespace;
        let neighbours = || namespace != 0 && offering.get(&namespace).is_some_and(|count| *count > 1);
        let heard = || participant.heard_by.iter().any(|id| participant.process_key() != Some(*id));
        let announces = participant.process.is_some() && participant.data.discovery == Discovery::Simple;
        Some(match () {
            () if participant.data.secured => Silence::Encrypted,
            () if participant.offers_shared_memory() && neighbours() => Silence::SharedMemory,
            () if participant.process.as_ref().is_some_and(|own| self.sockets.ran_before(own)) => Silence::Before,
            () if announces && participant.knows.is_empty() && !heard() => Silence::Alone,
            () => Silence::Unknown,
        })
    }
}
