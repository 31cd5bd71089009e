//! What happened and belongs to no stage of a link: failed calls, cut payload, lost events, a second node of a name.

use std::collections::BTreeMap;

use super::client::ClientId;
use crate::event::Monotonic;
use crate::observation::ObservationId;

/// Different incidents remembered.
const INCIDENT_LIMIT: usize = 1024;

/// What happened. Incidents of equal kind are one with a count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IncidentKind {
    EventsLost,
    /// More links than are followed.
    LinksRefused,
    PayloadTruncated {
        client: ClientId,
        socket: u64,
    },
    /// The master shut a node down because another one took its name.
    Replaced {
        client: ClientId,
        node: String,
        reason: String,
    },
    /// A call was answered with a failure or a fault.
    CallFailed {
        client: ClientId,
        method: String,
        subject: String,
        message: String,
        fault: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub first: Monotonic,
    pub last: Monotonic,
    pub count: u64,
    pub evidence: Vec<ObservationId>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Incidents {
    all: BTreeMap<IncidentKind, Incident>,
}

impl Incidents {
    pub fn note(&mut self, kind: IncidentKind, count: u64, at: Monotonic, id: ObservationId) {
        if self.all.len() >= INCIDENT_LIMIT && !self.all.contains_key(&kind) {
            return;
        }
        let new = Incident { first: at, last: at, count: 0, evidence: Vec::new() };
        let incident = self.all.entry(kind).or_insert(new);
        incident.last = at;
        incident.count = incident.count.saturating_add(count);
        if incident.evidence.len() < 8 {
            incident.evidence.push(id);
        }
    }

    /// A later call of the same kind succeeded: its failures are history.
    pub fn recovered(&mut self, by: ClientId, called: &str, about: &str) {
        self.all.retain(|kind, _| !matches!(kind, IncidentKind::CallFailed { client, method, subject, .. } if *client == by && method == called && subject == about));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&IncidentKind, &Incident)> {
        self.all.iter()
    }
}
