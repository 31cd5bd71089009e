//! Writers and readers of one topic that do not match: quality of service, types.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::graph::dds::{Endpoint, Mismatch};
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Guid, Incompatibility, Policy, RosName};

/// Pairs that fail for one reason are one trouble.
struct Group<'a> {
    mismatch: Mismatch,
    /// False for types that neither end compares.
    refused: bool,
    pairs: Vec<(&'a Endpoint, &'a Endpoint)>,
}

pub(super) fn findings(graph: &Graph) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    let mut served: Option<BTreeSet<Guid>> = None;
    for (writer, reader) in graph.dds().pairs() {
        let refusal = graph.dds().mismatch(writer, reader).map(|mismatch| (mismatch, true));
        let found = refusal.or_else(|| Some((graph.dds().uncompared_types(writer, reader)?, false)));
        if let Some((mismatch, refused)) = found {
            // Partitions keep apart what is meant to be kept apart.
            if is_of_partitions(&mismatch)
                && served.get_or_insert_with(|| with_writer(graph)).contains(&reader.data.guid)
            {
                continue;
            }
            let key = format!("{:?} {} {mismatch:?}", graph.dds().domain(writer.data.guid.prefix), writer.data.topic);
            groups
                .entry(key)
                .or_insert_with(|| Group { mismatch, refused, pairs: Vec::new() })
                .pairs
                .push((writer, reader));
        }
    }
    groups.iter().filter_map(|(key, group)| group_finding(graph, key, group)).collect()
}

/// Nothing but their partitions keeps them apart.
fn is_of_partitions(mismatch: &Mismatch) -> bool {
    matches!(mismatch, Mismatch::Qos(found) if found.iter().all(|found| found.policy == Policy::Partition))
}

/// Readers that match a writer.
fn with_writer(graph: &Graph) -> BTreeSet<Guid> {
    let dds = graph.dds();
    let matching = dds.pairs().filter(|(writer, reader)| dds.mismatch(writer, reader).is_none());
    matching.map(|(_, reader)| reader.data.guid).collect()
}

fn group_finding(graph: &Graph, key: &str, group: &Group<'_>) -> Option<Finding> {
    let (writer, reader) = group.pairs.first()?;
    let (code, severity) = match &group.mismatch {
        Mismatch::Type { written, read } if group.refused || same_name(written, read) => {
            (Code::TypeMismatch, Severity::Error)
        }
        Mismatch::Type { .. } => (Code::TypeMismatch, Severity::Warning),
        mismatch if is_of_partitions(mismatch) => (Code::QosIncompatible, Severity::Warning),
        Mismatch::Qos(_) => (Code::QosIncompatible, Severity::Error),
    };
    let known = group.pairs.iter().flat_map(|(writer, reader)| [&writer.changed, &reader.changed]);
    let first = known.clone().min_by_key(|moment| moment.at)?;
    let last = known.clone().max_by_key(|moment| moment.at)?;
    let mut draft = Draft::of_moments(code, severity, *first, *last);
    draft.finding.count = group.pairs.len() as u64;
    draft.finding.stage = Some(Stage::Matched);
    draft = draft.dds_topic(&writer.data.topic);
    if let Some(participant) = graph.dds().participant(reader.data.guid.prefix) {
        draft = draft.participant(participant);
    }
    if let Some(participant) = graph.dds().participant(writer.data.guid.prefix) {
        draft = draft.other_end(participant);
        draft.finding.domain = draft.finding.domain.or(participant.domain());
    }
    draft = draft.moments(known);
    let ends = Ends {
        topic: RosName::of_dds_topic(&writer.data.topic).to_string(),
        writer: end(graph, writer.data.guid),
        reader: end(graph, reader.data.guid),
        more: group.pairs.len() - 1,
    };
    Some(match &group.mismatch {
        Mismatch::Type { written, read } => type_mismatch(draft, key, &ends, (written, read), group.refused),
        Mismatch::Qos(found) => incompatible(draft, key, &ends, found),
    })
}

struct Ends {
    topic: String,
    writer: String,
    reader: String,
    more: usize,
}

impl Ends {
    fn others(&self) -> String {
        match self.more {
            0 => String::new(),
            1 => " (and one more pair)".to_owned(),
            more => format!(" (and {more} more pairs)"),
        }
    }
}

fn end(graph: &Graph, guid: Guid) -> String {
    let node = graph.dds().node_of(guid);
    let participant = graph.dds().participant(guid.prefix);
    let words = participant.map_or_else(|| format!("endpoint {guid}"), crate::graph::dds::Participant::words);
    match node {
        Some(node) if !words.starts_with(&node) => format!("{node} of {words}"),
        _ => words,
    }
}

fn type_mismatch(draft: Draft, key: &str, ends: &Ends, (written, read): (&str, &str), refused: bool) -> Finding {
    let Ends { topic, writer, reader, .. } = ends;
    let summary = format!("{topic}: {writer} writes {written}, {reader} reads {read}{}", ends.others());
    let explanation = format!(
        "{} The types differ in {}.",
        if same_name(written, read) {
            "DDS compares the names, which are the same, and lets both ends match: samples pass, and are read as what they are not, or \
             thrown away as broken."
        } else if refused {
            "A writer and a reader match only when their types are the same. Both ends are discovered and alive, and no sample will \
             ever pass between them."
        } else {
            "RustDDS, which both ends use, does not compare types: samples pass, and are read as what they are not. With any other \
             implementation at one end nothing would pass."
        },
        if same_name(written, read) {
            "their definition, not in their name: the two sides were built from different versions"
        } else {
            "their name"
        }
    );
    let remedies = if same_name(written, read) {
        vec![format!(
            "build both sides from the same version of {}, and start them again",
            written.split(' ').next().unwrap_or(written)
        )]
    } else {
        vec![
            format!("let the subscriber of {topic} use {written}, or the publisher {read}"),
            format!(
                "if they are meant to be two topics, give one of them another name: --ros-args -r {topic}:={topic}_2"
            ),
        ]
    };
    draft.told(key, summary, explanation, remedies)
}

/// A definition's hash follows the name.
fn same_name(written: &str, read: &str) -> bool {
    written.split(' ').next() == read.split(' ').next()
}

fn incompatible(draft: Draft, key: &str, ends: &Ends, found: &[Incompatibility]) -> Finding {
    let Ends { topic, writer, reader, .. } = ends;
    let policies: Vec<_> = found
        .iter()
        .map(|found| format!("{}: {} offered, {} requested", found.policy, found.offered, found.requested))
        .collect();
    let summary =
        format!("{topic}: {reader} asks for more than {writer} offers ({}){}", policies.join("; "), ends.others());
    let explanation = "Both ends are discovered and alive, and DDS does not let them match: what a writer offers must be at least what \
                       a reader requests. No sample will pass between them, and neither gets an error."
        .to_owned();
    let remedies = found.iter().flat_map(|found| policy_remedies(topic, found)).collect();
    draft.told(key, summary, explanation, remedies)
}

fn policy_remedies(topic: &str, found: &Incompatibility) -> Vec<String> {
    let Incompatibility { offered, requested, policy } = found;
    match policy {
        Policy::Reliability => vec![
            format!(
                "subscriber of {topic}: request BEST_EFFORT (rclpy: ReliabilityPolicy.BEST_EFFORT, rclcpp: rclcpp::SensorDataQoS(), \
                 by hand: ros2 topic echo --qos-reliability best_effort {topic}); samples that get lost stay lost"
            ),
            format!(
                "publisher of {topic}: offer RELIABLE; on a bad link a reliable writer may slow its publisher down"
            ),
        ],
        Policy::Durability => vec![
            format!(
                "subscriber of {topic}: request {offered} (by hand: ros2 topic echo --qos-durability {} {topic}); samples sent \
                 before it starts are then not seen",
                offered.to_lowercase()
            ),
            format!(
                "publisher of {topic}: offer {requested}; it then keeps its last samples for readers that come late"
            ),
        ],
        Policy::Deadline => vec![
            format!("subscriber of {topic}: request a deadline of {offered} or longer, or none"),
            format!("publisher of {topic}: offer a deadline of {requested} or shorter, and publish that often"),
        ],
        Policy::LivelinessLease => vec![
            format!("subscriber of {topic}: request a liveliness lease of {offered} or longer, or none"),
            format!("publisher of {topic}: offer a liveliness lease of {requested} or shorter"),
        ],
        Policy::Partition => vec![format!(
            "put both into one partition, if they are meant to talk: the writer is in {offered}, the reader in {requested}"
        )],
        Policy::Ownership => {
            vec![format!("let both ends of {topic} say {offered}, or both {requested}: ownership must be equal")]
        }
        _ => vec![
            format!("subscriber of {topic}: request {policy} {offered}"),
            format!("publisher of {topic}: offer {policy} {requested}"),
        ],
    }
}
