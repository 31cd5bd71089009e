//! Which writer and reader match, as links with a ladder of their own.

use super::{Dds, Endpoint, FIRST_LINK, LINK_LIMIT, Moment, Participant, Samples};
use crate::event::{Monotonic, Traffic};
use crate::graph::link::{Link, LinkId, LinkKind, Outcome, Party, Rate, Stage, StageState};
use crate::observation::dds::{
    Guid, GuidPrefix, Incompatibility, Role, RosName, VendorId, incompatibilities, ros_type,
};

/// How long a reader may take to acknowledge a writer that it matches, in nanoseconds. It takes milliseconds, and seconds where packets get
/// lost.
const SETTLED_NS: u128 = 5_000_000_000;

/// Why a writer and a reader of one topic do not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Their types have different names, or one name and different definitions.
    Type {
        /// The writer's.
        written: String,
        /// The reader's.
        read: String,
    },
    /// The writer offers less than the reader requests.
    Qos(Vec<Incompatibility>),
}

impl Mismatch {
    fn words(&self) -> String {
        match self {
            Self::Type { written, read } => format!("the writer's type is {written}, the reader's {read}"),
            Self::Qos(found) => {
                let words = found
                    .iter()
                    .map(|found| format!("{}: offered {}, requested {}", found.policy, found.offered, found.requested));
                words.collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// Their types have one name and two definitions.
fn differ_in_definition(writer: &Endpoint, reader: &Endpoint) -> bool {
    let (written, read) = (&writer.data, &reader.data);
    let hashes = written.type_hash.as_ref().zip(read.type_hash.as_ref());
    written.type_name == read.type_name && hashes.is_some_and(|(one, other)| one != other)
}

/// Why two endpoints of one topic do not match; `None` when they do.
fn mismatch(writer: &Endpoint, reader: &Endpoint) -> Option<Mismatch> {
    let (written, read) = (&writer.data, &reader.data);
    if written.type_name != read.type_name {
        return Some(Mismatch::Type { written: ros_type(&written.type_name), read: ros_type(&read.type_name) });
    }
    if differ_in_definition(writer, reader)
        && let (Some(of_writer), Some(of_reader)) = (&written.type_hash, &read.type_hash)
    {
        let name = ros_type(&written.type_name);
        return Some(Mismatch::Type { written: format!("{name} {of_writer}"), read: format!("{name} {of_reader}") });
    }
    qos_mismatch(writer, reader)
}

fn qos_mismatch(writer: &Endpoint, reader: &Endpoint) -> Option<Mismatch> {
    let found = incompatibilities(&writer.data.qos, &reader.data.qos);
    (!found.is_empty()).then_some(Mismatch::Qos(found))
}

impl Dds {
    /// Why two endpoints of one topic do not match; `None` when they do, as far as known.
    pub(crate) fn mismatch(&self, writer: &Endpoint, reader: &Endpoint) -> Option<Mismatch> {
        // DDS itself knows nothing of ROS's hashes.
        let found =
            if differ_in_definition(writer, reader) { qos_mismatch(writer, reader) } else { mismatch(writer, reader) };
        let vendor = self.vendor(writer.data.guid.prefix);
        let of_one = vendor == self.vendor(reader.data.guid.prefix);
        // Not every implementation compares everything. Of two, the reader's may acknowledge what the writer's does not match.
        let found = found.filter(|_| !(of_one && self.has_matched(writer, reader)))?;
        if matches!(found, Mismatch::Type { .. }) && of_one {
            // Of one implementation, they may compare what types are made of and not their names (DDS-XTypes 1.3, 7.6.3.4).
            return (self.has_settled(writer, reader) && vendor != VendorId::RUST_DDS).then_some(found);
        }
        Some(found)
    }

    /// Both ends have been known for so long that the reader would have acknowledged.
    fn has_settled(&self, writer: &Endpoint, reader: &Endpoint) -> bool {
        self.now.since(later(writer.first, reader.first).at).as_nanos() >= SETTLED_NS
    }

    /// Looks again at links about which time was to decide.
    pub(super) fn judge_settled(&mut self) {
        let ends = |(writer, reader): &(Guid, Guid)| Some((self.endpoints.get(writer)?, self.endpoints.get(reader)?));
        let due = |pair: &(Guid, Guid)| ends(pair).is_none_or(|(writer, reader)| self.has_settled(writer, reader));
        let due: Vec<_> = self.unsettled.iter().filter(|pair| due(pair)).copied().collect();
        for (writer, reader) in due {
            self.unsettled.remove(&(writer, reader));
            self.judge(writer, reader);
        }
    }

    /// Types that differ where neither end compares them: definitions behind one name, and names with RustDDS at both ends. Samples are
    /// delivered nevertheless.
    pub(crate) fn uncompared_types(&self, writer: &Endpoint, reader: &Endpoint) -> Option<Mismatch> {
        let ends = [writer, reader].map(|endpoint| self.vendor(endpoint.data.guid.prefix));
        let uncompared = ends == [VendorId::RUST_DDS; 2] || differ_in_definition(writer, reader);
        let found = mismatch(writer, reader).filter(|_| uncompared)?;
        matches!(found, Mismatch::Type { .. }).then_some(found)
    }

    /// The reader has acknowledged samples of the writer.
    fn has_matched(&self, writer: &Endpoint, reader: &Endpoint) -> bool {
        self.acknowledged.contains(&(reader.data.guid, writer.data.guid))
    }

    /// Also of a participant whose announcement was not seen: a GUID prefix begins with the vendor's id (DDSI-RTPS 2.3, 9.3.1.5).
    fn vendor(&self, guid_prefix: GuidPrefix) -> VendorId {
        let announced = self.participants.get(&guid_prefix).map(|participant| participant.data.vendor);
        let [first, second, ..] = guid_prefix.0;
        announced.unwrap_or(VendorId([first, second]))
    }

    /// Whether samples of the writer have arrived at the reader; `None` where that is not to be seen: its process is not watched, or they may have
    /// another way than the network.
    pub(crate) fn arrives(&self, writer: Guid, reader: Guid, samples: &Samples) -> Option<bool> {
        let (from, to) = (self.participants.get(&writer.prefix)?, self.participants.get(&reader.prefix)?);
        // Containers with networks of their own may share memory all the same.
        let offer_memory = from.offers_shared_memory() && to.offers_shared_memory();
        let of_one_host = from.same_host(to) || (offer_memory && from.data.host == to.data.host);
        let process = to.process_key().filter(|_| !of_one_host)?;
        Some(samples.received_by(process).is_some())
    }

    /// Looks at all links of a participant's endpoints again.
    pub(super) fn judge_participant(&mut self, guid_prefix: GuidPrefix) {
        for guid in self.endpoints_of(guid_prefix) {
            self.judge_endpoint(guid);
        }
    }

    /// Looks at all links of an endpoint again.
    pub(super) fn judge_endpoint(&mut self, guid: Guid) {
        let Some(role) = self.endpoints.get(&guid).map(|endpoint| endpoint.data.role) else { return };
        for other in self.counterparts(guid) {
            match role {
                Role::Writer => self.judge(guid, other),
                Role::Reader => self.judge(other, guid),
            }
        }
    }

    /// Looks at one link again; makes it when there is none and both ends are in one domain.
    pub(super) fn judge(&mut self, writer: Guid, reader: Guid) {
        let (Some(from), Some(to)) = (self.endpoints.get(&writer), self.endpoints.get(&reader)) else { return };
        if from.data.topic != to.data.topic || !self.may_meet(writer.prefix, reader.prefix) {
            return;
        }
        let known = self.link_ids.get(&(writer, reader)).copied();
        if known.is_none() && self.links.len() >= LINK_LIMIT {
            let moment = from.first;
            self.limit(
                format!("more than {LINK_LIMIT} pairs of writer and reader: further ones are not shown"),
                moment,
            );
            return;
        }
        if from.data.type_name != to.data.type_name && !self.has_settled(from, to) {
            self.unsettled.insert((writer, reader));
        }
        let id = known.unwrap_or(LinkId(FIRST_LINK + self.next_link));
        let Some(link) = self.link_now(id, writer, reader) else { return };
        if known.is_none() {
            self.next_link = self.next_link.wrapping_add(1) % FIRST_LINK;
            self.link_ids.insert((writer, reader), id);
            self.ends.insert(id, (writer, reader));
        }
        self.links.insert(id, link);
    }

    /// True unless the participants are known to be in different domains.
    pub(crate) fn may_meet(&self, one: GuidPrefix, other: GuidPrefix) -> bool {
        match (self.domain(one), self.domain(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    fn link_now(&self, id: LinkId, writer: Guid, reader: Guid) -> Option<Link> {
        let (from, to) = (self.endpoints.get(&writer)?, self.endpoints.get(&reader)?);
        let samples = self.samples.get(&writer);
        let ends = (self.participants.get(&writer.prefix), self.participants.get(&reader.prefix));
        let mut stages: Vec<StageState> = Stage::DDS_LADDER.into_iter().map(empty).collect();
        let [announced, discovered, known, matched, data] = stages.as_mut_slice() else { return None };
        let both_known = later(from.first, to.first);
        done(known, both_known);
        if let (Some(one), Some(other)) = ends {
            done(announced, later(one.first, other.first));
            judge_discovery(discovered, one, other, self.acknowledged.contains(&(reader, writer)), both_known);
        }
        if let Some(mismatch) = self.mismatch(from, to) {
            matched.outcome = Outcome::Refused { reason: mismatch.words() };
            matched.at = both_known.at;
            matched.first_failure = Some(both_known.at);
            matched.failures = 1;
            matched.evidence = vec![from.changed.id, to.changed.id];
        } else if !matches!(discovered.outcome, Outcome::Pending { .. }) {
            done(matched, both_known);
            // Where the reader is seen, what counts is what arrives there.
            let arrives = |samples: &&Samples| self.arrives(writer, reader, samples).unwrap_or(true);
            if let Some(samples) = samples.filter(arrives) {
                done(data, samples.last);
            }
        }
        let flows = data.outcome == Outcome::Ok;
        let missed = |participant: Option<&Participant>| participant.and_then(|participant| participant.missed);
        let missed = missed(ends.0).max(missed(ends.1));
        // Data that came after a loss says more than what was lost.
        let told_since = |lost| flows && samples.is_some_and(|samples| samples.last.at > lost);
        let traffic = samples.filter(|_| flows).map_or_else(Traffic::default, |samples| Traffic {
            sent_bytes: samples.bytes,
            sent_messages: samples.messages,
            ..Traffic::default()
        });
        let known = self.links.get(&id);
        Some(Link {
            id,
            kind: LinkKind::Dds,
            name: Some(RosName::of_dds_topic(&from.data.topic).to_string()),
            data_type: Some(ros_type(&from.data.type_name)),
            subscriber: self.party(reader),
            publisher: self.party(writer),
            stages,
            first_seen: known.map_or(both_known.at, |link| link.first_seen),
            changed: self.now,
            traffic,
            rate: samples.filter(|_| flows).map_or_else(Rate::default, |samples| samples.rate),
            carried_by: None,
            gone: from.gone.is_some() || to.gone.is_some(),
            unresolved: false,
            incomplete: missed.is_some_and(|lost| !told_since(lost)),
        })
    }

    fn party(&self, guid: Guid) -> Party {
        let process = self.participants.get(&guid.prefix).and_then(|participant| participant.process.clone());
        Party { node: self.node_of(guid), process, uri: None }
    }
}

fn later(one: Moment, other: Moment) -> Moment {
    if one.at >= other.at { one } else { other }
}

fn empty(stage: Stage) -> StageState {
    StageState::new(stage, Monotonic::default())
}

fn done(state: &mut StageState, moment: Moment) {
    state.outcome = Outcome::Ok;
    state.at = moment.at;
    state.evidence = vec![moment.id];
}

/// Each has addressed the other, or the reader has acknowledged, or both are one.
fn judge_discovery(
    state: &mut StageState,
    one: &Participant,
    other: &Participant,
    acknowledged: bool,
    both_known: Moment,
) {
    let same = one.data.guid_prefix == other.data.guid_prefix;
    let there = one.knows.get(&other.data.guid_prefix);
    let back = other.knows.get(&one.data.guid_prefix);
    match (there, back) {
        (Some(there), Some(back)) => done(state, later(*there, *back)),
        _ if same || acknowledged => done(state, both_known),
        // On one host they may talk through shared memory or the loopback interface, where nothing of it need be seen.
        _ if one.same_host(other) => {}
        _ => state.outcome = Outcome::Pending { since: both_known.at, syn_retransmits: 0 },
    }
}
