//! The domains of ROS 2: participants of different domains never meet.

use std::collections::{BTreeMap, BTreeSet};

use super::ends::Ends;
use super::listing::{RowKey, Sort};
use super::marks;
use super::participants;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::domain::Domain as Number;
use crate::filter::Subject;
use crate::graph::{Health, LinkCounts};
use crate::observation::dds::{self, GuidPrefix, RosName};

/// What the list shows of a domain.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "DOMAIN", least: 7, cut: Cut::End },
    Column { title: "PARTICIPANTS", least: 20, cut: Cut::List },
    Column { title: "WRITERS", least: 7, cut: Cut::End },
    Column { title: "READERS", least: 7, cut: Cut::End },
    Column { title: "LINKS", least: 15, cut: Cut::End },
    Column { title: "PORT", least: 5, cut: Cut::End },
];

/// A domain.
#[derive(Clone, Debug, Default)]
pub struct Domain {
    /// Its participants, those that are gone included.
    pub participants: BTreeSet<GuidPrefix>,
    /// The same as people name them.
    pub labels: BTreeSet<String>,
    /// Topics, services and actions that endpoints in it name.
    pub topics: BTreeSet<String>,
    /// Writers that live.
    pub writers: usize,
    /// Readers that live.
    pub readers: usize,
    /// Links between them.
    pub counts: LinkCounts,
    /// An error is about one of its participants.
    pub blamed: bool,
    /// Participants that live and whose writers and readers are not known.
    pub silent: usize,
}

impl Domain {
    /// How it fares.
    pub fn health(&self) -> Health {
        if self.blamed { Health::Failed } else { self.counts.health() }
    }
}

/// Domains by number; that of participants who did not tell has none.
pub type Domains = BTreeMap<Option<u32>, Domain>;

/// Gathers domains from participants, endpoints and links.
pub fn gather(scene: &Scene, ends: &Ends) -> Domains {
    let mut domains = Domains::new();
    let dds = scene.graph().dds();
    for participant in dds.participants() {
        let domain = domains.entry(participant.domain()).or_default();
        domain.participants.insert(participant.data.guid_prefix);
        domain.labels.insert(participants::label(participant));
        domain.blamed |= ends.blames(participant);
    }
    for participant in dds.silent().into_values().flatten() {
        domains.entry(participant.domain()).or_default().silent += 1;
    }
    for endpoint in dds.endpoints().filter(|endpoint| endpoint.gone.is_none()) {
        let domain = domains.entry(dds.domain(endpoint.data.guid.prefix)).or_default();
        domain.topics.insert(RosName::of_dds_topic(&endpoint.data.topic).name);
        match endpoint.data.role {
            dds::Role::Writer => domain.writers += 1,
            dds::Role::Reader => domain.readers += 1,
        }
    }
    for link in dds.links() {
        if let Some((writer, _)) = dds.ends(link.id) {
            domains.entry(dds.domain(writer.data.guid.prefix)).or_default().counts.add(scene.health(link));
        }
    }
    domains
}

/// Rows that pass, in order, and how many there are in all.
pub fn rows(domains: &Domains, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let mut passed: Vec<(Option<u32>, &Domain)> = domains.iter().map(|(number, domain)| (*number, domain)).collect();
    passed.retain(|(number, domain)| passes(selection, *number, domain));
    match sort.column {
        0 => passed.sort_by_key(|(number, domain)| (domain.health(), number.is_none(), *number)),
        2 => passed.sort_by_key(|(number, domain)| (std::cmp::Reverse(domain.participants.len()), *number)),
        3 => passed.sort_by_key(|(number, domain)| (std::cmp::Reverse(domain.writers), *number)),
        4 => passed.sort_by_key(|(number, domain)| (std::cmp::Reverse(domain.readers), *number)),
        5 => passed.sort_by_key(|(number, domain)| (domain.counts.health(), *number)),
        _ => passed.sort_by_key(|(number, _)| *number),
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|(number, _)| RowKey::Domain(number)).collect(), domains.len())
}

fn passes(selection: &Selection, number: Option<u32>, domain: &Domain) -> bool {
    let subject = || Subject {
        names: domain.topics.iter().cloned().chain([name(number)]).map(Into::into).collect(),
        nodes: domain.labels.iter().cloned().map(Into::into).collect(),
        failed: domain.health() == Health::Failed,
        ..Subject::default()
    };
    selection.belongs_or(|related| domain.participants.iter().any(|one| related.has_participant(*one)), subject)
}

/// A domain as people name it.
pub fn name(number: Option<u32>) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

/// The port to which participants of a domain announce themselves.
pub fn discovery_port(number: Option<u32>) -> Option<u32> {
    Some(Number::new(number?).ok()?.discovery_multicast())
}

/// What a row shows.
pub fn cells(number: Option<u32>, domain: &Domain) -> Vec<Cell> {
    let (symbol, role) = marks::of_health(domain.health());
    let links = match (domain.counts.present(), domain.silent) {
        (0, 0) => "none".to_owned(),
        (0, _) => "not known".to_owned(),
        _ => marks::in_words(domain.counts),
    };
    let count = |known: usize| match (known, domain.silent) {
        (known, 0) => known.to_string(),
        (0, _) => "?".to_owned(),
        (known, _) => format!("{known}+"),
    };
    let labels = domain.labels.iter().cloned().collect::<Vec<_>>().join(", ");
    vec![
        Cell::new(symbol, role),
        Cell::searched(name(number), Role::Text),
        Cell::searched(labels, Role::Text),
        Cell::new(count(domain.writers), Role::Text),
        Cell::new(count(domain.readers), Role::Text),
        Cell::new(links, if domain.counts.failed > 0 { role } else { Role::Text }),
        Cell::new(discovery_port(number).map_or("?".to_owned(), |port| port.to_string()), Role::Muted),
    ]
}
