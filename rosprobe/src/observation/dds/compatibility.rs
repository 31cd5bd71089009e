//! Which offers of a writer meet which requests of a reader.
//!
//! Source: DDS 1.4, 2.2.3 (the "compatible" rules of the policies).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::qos::{Presentation, Qos, representation_name, words};

words! {
    /// A policy by which a writer and a reader may fail to match.
    Policy {
        /// Reliability.
        Reliability = "reliability",
        /// Durability.
        Durability = "durability",
        /// Deadline.
        Deadline = "deadline",
        /// Latency budget.
        LatencyBudget = "latency_budget",
        /// Liveliness.
        Liveliness = "liveliness",
        /// Lease of the liveliness.
        LivelinessLease = "liveliness_lease_duration",
        /// Ownership.
        Ownership = "ownership",
        /// Destination order.
        DestinationOrder = "destination_order",
        /// Presentation.
        Presentation = "presentation",
        /// Partition.
        Partition = "partition",
        /// Data representation.
        DataRepresentation = "data_representation",
    }
}

/// A policy in which a writer offers less than, or something else than, a reader requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incompatibility {
    /// Which policy.
    pub policy: Policy,
    /// The writer's value.
    pub offered: String,
    /// The reader's value.
    pub requested: String,
}

/// The policies that keep a writer and a reader of one topic apart; empty when they match.
pub fn incompatibilities(offered: &Qos, requested: &Qos) -> Vec<Incompatibility> {
    let mut found = Vec::new();
    let mut check = |fine: bool, policy, offered: &dyn fmt::Display, requested: &dyn fmt::Display| {
        if !fine {
            found.push(Incompatibility { policy, offered: offered.to_string(), requested: requested.to_string() });
        }
    };
    let (o, r) = (offered, requested);
    check(o.reliability >= r.reliability, Policy::Reliability, &o.reliability, &r.reliability);
    check(o.durability >= r.durability, Policy::Durability, &o.durability, &r.durability);
    check(o.deadline <= r.deadline, Policy::Deadline, &o.deadline, &r.deadline);
    check(o.latency_budget <= r.latency_budget, Policy::LatencyBudget, &o.latency_budget, &r.latency_budget);
    let (alive, wanted) = (o.liveliness, r.liveliness);
    check(alive.kind >= wanted.kind, Policy::Liveliness, &alive.kind, &wanted.kind);
    check(alive.lease <= wanted.lease, Policy::LivelinessLease, &alive.lease, &wanted.lease);
    check(o.ownership == r.ownership, Policy::Ownership, &o.ownership, &r.ownership);
    check(
        o.destination_order >= r.destination_order,
        Policy::DestinationOrder,
        &o.destination_order,
        &r.destination_order,
    );
    check(presentation_meets(o.presentation, r.presentation), Policy::Presentation, &o.presentation, &r.presentation);
    check(
        partitions_meet(&o.partitions, &r.partitions),
        Policy::Partition,
        &shown_partitions(&o.partitions),
        &shown_partitions(&r.partitions),
    );
    check(
        representations_meet(&o.data_representations, &r.data_representations),
        Policy::DataRepresentation,
        &shown_representations(&o.data_representations),
        &shown_representations(&r.data_representations),
    );
    found
}

fn presentation_meets(offered: Presentation, requested: Presentation) -> bool {
    offered.access_scope >= requested.access_scope
        && (offered.coherent || !requested.coherent)
        && (offered.ordered || !requested.ordered)
}

/// Two pattern names do not match each other; a pattern matches names (DDS 1.4, 2.2.3.13).
fn partitions_meet(offered: &[String], requested: &[String]) -> bool {
    let nameless = [String::new()];
    let offered = if offered.is_empty() { &nameless } else { offered };
    let requested = if requested.is_empty() { &nameless } else { requested };
    offered.iter().any(|o| requested.iter().any(|r| o == r || pattern_matches(o, r) || pattern_matches(r, o)))
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn pattern_matches(pattern: &str, name: &str) -> bool {
    if !is_pattern(pattern) || is_pattern(name) {
        return false;
    }
    // A pattern that cannot be read is taken to match: a doubt must not become an alarm.
    globset::Glob::new(pattern).map_or(true, |glob| glob.compile_matcher().is_match(name))
}

fn shown_partitions(partitions: &[String]) -> String {
    if partitions.is_empty() { "none".to_owned() } else { partitions.join(", ") }
}

/// The writer uses the first that it offers (DDS-XTypes 1.3, 7.6.3.1.2). Where one side says nothing its default depends on
/// the vendor, so nothing is concluded.
fn representations_meet(offered: &[i16], requested: &[i16]) -> bool {
    match offered.first() {
        Some(used) if !requested.is_empty() => requested.contains(used),
        _ => true,
    }
}

fn shown_representations(representations: &[i16]) -> String {
    representations.iter().map(|representation| representation_name(*representation)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::dds::{
        AccessScope, DestinationOrder, Durability, Duration, Liveliness, LivelinessKind, Ownership, Reliability,
    };

    fn shown(offered: &Qos, requested: &Qos) -> Vec<String> {
        let found = incompatibilities(offered, requested).into_iter();
        found.map(|found| format!("{} {} / {}", found.policy, found.offered, found.requested)).collect()
    }

    #[test]
    fn defaults_match() {
        assert_eq!(shown(&Qos::WRITER_DEFAULT, &Qos::READER_DEFAULT), Vec::<String>::new());
    }

    #[test]
    fn each_policy_is_told_with_both_values() {
        let (writer, reader) = (Qos::WRITER_DEFAULT, Qos::READER_DEFAULT);
        let ms = |ms: u64| Duration::Nanoseconds(ms * 1_000_000);
        let lively = |kind, lease| Liveliness { kind, lease };
        for (offered, requested, expected) in [
            (
                Qos { reliability: Reliability::BestEffort, ..writer.clone() },
                Qos { reliability: Reliability::Reliable, ..reader.clone() },
                "reliability BEST_EFFORT / RELIABLE",
            ),
            (
                writer.clone(),
                Qos { durability: Durability::TransientLocal, ..reader.clone() },
                "durability VOLATILE / TRANSIENT_LOCAL",
            ),
            (writer.clone(), Qos { deadline: ms(100), ..reader.clone() }, "deadline infinite / 100 ms"),
            (
                Qos { deadline: ms(2000), ..writer.clone() },
                Qos { deadline: ms(100), ..reader.clone() },
                "deadline 2 s / 100 ms",
            ),
            (Qos { latency_budget: ms(5), ..writer.clone() }, reader.clone(), "latency_budget 5 ms / 0 ns"),
            (
                writer.clone(),
                Qos { liveliness: lively(LivelinessKind::ManualByTopic, Duration::Infinite), ..reader.clone() },
                "liveliness AUTOMATIC / MANUAL_BY_TOPIC",
            ),
            (
                writer.clone(),
                Qos { liveliness: lively(LivelinessKind::Automatic, ms(1000)), ..reader.clone() },
                "liveliness_lease_duration infinite / 1 s",
            ),
            (Qos { ownership: Ownership::Exclusive, ..writer.clone() }, reader.clone(), "ownership EXCLUSIVE / SHARED"),
            (
                writer.clone(),
                Qos { destination_order: DestinationOrder::BySource, ..reader.clone() },
                "destination_order BY_RECEPTION_TIMESTAMP / BY_SOURCE_TIMESTAMP",
            ),
            (
                writer.clone(),
                Qos {
                    presentation: Presentation { access_scope: AccessScope::Topic, coherent: false, ordered: true },
                    ..reader.clone()
                },
                "presentation INSTANCE / TOPIC, ordered",
            ),
            (
                Qos { partitions: vec!["left".to_owned()], ..writer.clone() },
                Qos { partitions: vec!["right".to_owned(), "r*".to_owned()], ..reader.clone() },
                "partition left / right, r*",
            ),
            (Qos { partitions: vec!["left".to_owned()], ..writer.clone() }, reader.clone(), "partition left / none"),
            (
                Qos { data_representations: vec![2], ..writer.clone() },
                Qos { data_representations: vec![0], ..reader.clone() },
                "data_representation XCDR2 / XCDR1",
            ),
        ] {
            assert_eq!(shown(&offered, &requested), [expected]);
        }
    }

    #[test]
    fn stronger_offers_and_patterns_match() {
        let strong = Qos {
            durability: Durability::TransientLocal,
            deadline: Duration::Nanoseconds(1),
            partitions: vec!["left".to_owned()],
            data_representations: vec![2],
            ..Qos::WRITER_DEFAULT
        };
        let modest = Qos {
            reliability: Reliability::Reliable,
            deadline: Duration::Nanoseconds(2),
            partitions: vec!["l*".to_owned()],
            ..Qos::READER_DEFAULT
        };
        assert_eq!(shown(&strong, &modest), Vec::<String>::new());
    }
}
