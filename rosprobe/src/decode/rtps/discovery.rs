//! Discovery, told where it is new: participants, endpoints, nodes, and who answers whom.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use super::cursor::Wrong;
use super::datagram::{Datagram, Source, Witness};
use super::message::guid;
use super::{REPEAT_NS, Rtps, endpoint, ros_discovery_info};
use crate::event::Monotonic;
use crate::observation::What;
use crate::observation::dds::{Dds, EntityId, Guid, GuidPrefix, ParticipantData, Role};

/// An announcement to another group or port is another one: it may be for another domain.
pub(super) type ParticipantKey = (GuidPrefix, Witness, Option<SocketAddr>);

/// One that was not heard of for this long is told of anew with all that it says, in nanoseconds: whoever keeps it in mind may have forgotten
/// it. Its peers have, so that it tells them everything again.
const AWAY_NS: u64 = 300_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Told {
    pub contents: u64,
    pub at: Monotonic,
}

impl Rtps {
    pub(super) fn participant(
        &mut self,
        datagram: &Datagram<'_>,
        sender: GuidPrefix,
        data: ParticipantData,
        emit: &mut dyn FnMut(What),
    ) {
        let (guid_prefix, direction) = (data.guid_prefix, datagram.direction);
        let relayed_by = (sender != guid_prefix).then_some(sender);
        let contents = hash(&(&data, relayed_by));
        let key = (guid_prefix, datagram.witness(), datagram.group());
        let away = |told: &Told| datagram.now.since(told.at).as_nanos() >= u128::from(AWAY_NS);
        if self.participants.get(&key).is_some_and(away) {
            self.forget_participant(guid_prefix);
        }
        let Some(told) = self.participants.entry(key, datagram.now) else {
            self.limit("participants", self.participants.limit(), emit);
            return;
        };
        if told.contents != contents {
            *told = Told { contents, at: datagram.now };
            let participant = Box::new(data);
            emit(What::Dds(Dds::ParticipantAnnounced { direction, participant, relayed_by }));
        } else if datagram.now.since(told.at).as_nanos() >= u128::from(REPEAT_NS) {
            told.at = datagram.now;
            emit(What::Dds(Dds::ParticipantRenewed { direction, guid_prefix }));
        }
    }

    pub(super) fn forget_participant(&mut self, guid_prefix: GuidPrefix) {
        self.participants.remove_if(|(known, ..)| *known == guid_prefix);
        self.endpoints.remove_if(|(known, _)| known.prefix == guid_prefix);
        self.nodes.remove_if(|(known, _)| *known == guid_prefix);
        self.addressed.remove_if(|(from, to)| *from == guid_prefix || *to == guid_prefix);
        self.acknowledged.remove_if(|(reader, writer)| reader.prefix == guid_prefix || writer.prefix == guid_prefix);
    }

    pub(super) fn endpoint(
        &mut self,
        datagram: &Datagram<'_>,
        role: Role,
        key: Option<Guid>,
        payload: &[u8],
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        let data = endpoint::endpoint(role, key, payload)?;
        if role == Role::Writer && data.topic == ros_discovery_info::TOPIC {
            self.discovery_info_writers.entry(data.guid, datagram.now);
        }
        let contents = hash(&data);
        let Some(told) = self.endpoints.entry((data.guid, datagram.witness()), datagram.now) else {
            self.limit("endpoints", self.endpoints.limit(), emit);
            return Ok(());
        };
        if *told != contents {
            *told = contents;
            let (direction, endpoint) = (datagram.direction, Box::new(data));
            emit(What::Dds(Dds::EndpointAnnounced { direction, endpoint }));
        }
        Ok(())
    }

    pub(super) fn discovery_info(
        &mut self,
        datagram: &Datagram<'_>,
        payload: &[u8],
        emit: &mut dyn FnMut(What),
    ) -> Result<(), Wrong> {
        let (guid_prefix, nodes) = ros_discovery_info::nodes(payload)?;
        let contents = hash(&nodes);
        let Some(told) = self.nodes.entry((guid_prefix, datagram.witness()), datagram.now) else {
            self.limit("participants with nodes", self.nodes.limit(), emit);
            return Ok(());
        };
        if *told != contents {
            *told = contents;
            emit(What::Dds(Dds::RosDiscoveryInfo { direction: datagram.direction, guid_prefix, nodes }));
        }
        Ok(())
    }

    pub(super) fn addressed(&mut self, datagram: &Datagram<'_>, source: &Source, emit: &mut dyn FnMut(What)) {
        let from = source.header.prefix;
        let Some(to) = source.destination.filter(|to| *to != from) else { return };
        match self.addressed.entry((from, to), datagram.now) {
            None => self.limit("pairs of participants", self.addressed.limit(), emit),
            Some(told) if *told => {}
            Some(told) => {
                *told = true;
                emit(What::Dds(Dds::ParticipantAddressed { direction: datagram.direction, from, to }));
            }
        }
    }

    /// An ACKNACK names only the writer's entity; whose it is, the `INFO_DST` before it said.
    pub(super) fn acknowledged(
        &mut self,
        datagram: &Datagram<'_>,
        source: &Source,
        reader: EntityId,
        writer: EntityId,
        emit: &mut dyn FnMut(What),
    ) {
        let Some(to) = source.destination else { return };
        if reader.is_builtin() || writer.is_builtin() {
            return;
        }
        let (reader, writer) = (guid(source.header.prefix, reader), guid(to, writer));
        match self.acknowledged.entry((reader, writer), datagram.now) {
            None => self.limit("pairs of reader and writer", self.acknowledged.limit(), emit),
            Some(told) if *told => {}
            Some(told) => {
                *told = true;
                emit(What::Dds(Dds::Acknowledged { direction: datagram.direction, reader, writer }));
            }
        }
    }
}

fn hash(contents: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    // 0 means: nothing said yet.
    hasher.finish() | 1
}
