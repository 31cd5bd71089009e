//! What the links of ROS 2 and the findings say of participants and endpoints.

use std::collections::{HashMap, HashSet};

use super::scene::Scene;
use crate::diagnosis::Severity;
use crate::graph::LinkCounts;
use crate::graph::dds::{Endpoint, Participant};
use crate::observation::ObservationId;
use crate::observation::dds::Guid;

/// How endpoints fare, and which observations a finding of severity error was made from.
#[derive(Debug, Default)]
pub struct Ends {
    counts: HashMap<Guid, LinkCounts>,
    blamed: HashSet<ObservationId>,
}

impl Ends {
    /// Counts links by their ends.
    pub fn gather(scene: &Scene) -> Self {
        let mut counts: HashMap<Guid, LinkCounts> = HashMap::new();
        let dds = scene.graph().dds();
        for link in dds.links() {
            let Some((writer, reader)) = dds.ends(link.id) else { continue };
            for end in [writer, reader] {
                counts.entry(end.data.guid).or_default().add(scene.health(link));
            }
        }
        let errors = scene.session().findings().iter().filter(|finding| finding.severity == Severity::Error);
        Self { counts, blamed: errors.flat_map(|finding| &finding.evidence).copied().collect() }
    }

    /// Links of an endpoint.
    pub fn of(&self, endpoint: &Endpoint) -> LinkCounts {
        self.counts.get(&endpoint.data.guid).copied().unwrap_or_default()
    }

    /// Whether what a participant announced led to an error.
    pub fn blames(&self, participant: &Participant) -> bool {
        participant.evidence.iter().any(|moment| self.blamed.contains(&moment.id))
    }
}
