//! SEDP: what a participant announces of its writers and readers.
//!
//! Source: DDSI-RTPS 2.5, 8.5.4 and 9.6.2.2; values of the policies by table 9.14 and DDS-XTypes 1.3, 7.6.3.1.

use super::cursor::{Cursor, Wrong};
use super::parameters::{pid, push_locator, sample_parameters, user_data_value};
use crate::observation::dds::{
    AccessScope, DestinationOrder, Durability, EndpointData, Guid, LivelinessKind, Ownership, Qos, Reliability, Role,
};

/// Partitions kept.
const PARTITION_LIMIT: usize = 256;
/// Data representations kept.
const REPRESENTATION_LIMIT: usize = 16;

/// Reads an announcement. `key` is the GUID from the inline key hash, for an announcement that names none itself.
pub(super) fn endpoint(role: Role, key: Option<Guid>, payload: &[u8]) -> Result<EndpointData, Wrong> {
    let mut guid = key;
    let mut data = EndpointData {
        guid: Guid::from_bytes([0; 16]),
        role,
        topic: String::new(),
        type_name: String::new(),
        type_hash: None,
        qos: if role == Role::Writer { Qos::WRITER_DEFAULT } else { Qos::READER_DEFAULT },
        unicast: Vec::new(),
        multicast: Vec::new(),
    };
    for (id, mut value) in sample_parameters(payload)? {
        match id {
            pid::ENDPOINT_GUID => guid = Some(Guid::from_bytes(value.array("a GUID")?)),
            pid::TOPIC_NAME => data.topic = value.string("a topic's name")?,
            pid::TYPE_NAME => data.type_name = value.string("a type's name")?,
            pid::USER_DATA => data.type_hash = user_data_value(value, "typehash"),
            pid::UNICAST_LOCATOR => push_locator(value, &mut data.unicast)?,
            pid::MULTICAST_LOCATOR => push_locator(value, &mut data.multicast)?,
            _ => policy(&mut data.qos, id, value)?,
        }
    }
    data.guid = guid.ok_or(Wrong::Missing("GUID"))?;
    if data.topic.is_empty() {
        return Err(Wrong::Missing("topic name"));
    }
    Ok(data)
}

/// A value that no version of the standard knows leaves the default.
fn policy(qos: &mut Qos, id: u16, mut value: Cursor<'_>) -> Result<(), Wrong> {
    match id {
        pid::RELIABILITY => match value.u32("reliability")? {
            1 => qos.reliability = Reliability::BestEffort,
            2 => qos.reliability = Reliability::Reliable,
            _ => {}
        },
        pid::DURABILITY => match value.u32("durability")? {
            0 => qos.durability = Durability::Volatile,
            1 => qos.durability = Durability::TransientLocal,
            2 => qos.durability = Durability::Transient,
            3 => qos.durability = Durability::Persistent,
            _ => {}
        },
        pid::DEADLINE => qos.deadline = value.duration("deadline")?,
        pid::LATENCY_BUDGET => qos.latency_budget = value.duration("latency budget")?,
        pid::LIVELINESS => {
            match value.u32("liveliness")? {
                0 => qos.liveliness.kind = LivelinessKind::Automatic,
                1 => qos.liveliness.kind = LivelinessKind::ManualByParticipant,
                2 => qos.liveliness.kind = LivelinessKind::ManualByTopic,
                _ => {}
            }
            qos.liveliness.lease = value.duration("liveliness")?;
        }
        pid::OWNERSHIP => match value.u32("ownership")? {
            0 => qos.ownership = Ownership::Shared,
            1 => qos.ownership = Ownership::Exclusive,
            _ => {}
        },
        pid::DESTINATION_ORDER => match value.u32("destination order")? {
            0 => qos.destination_order = DestinationOrder::ByReception,
            1 => qos.destination_order = DestinationOrder::BySource,
            _ => {}
        },
        pid::PRESENTATION => presentation(qos, value)?,
        pid::PARTITION => {
            let count = value.length("partitions")?;
            for _ in 0..count.min(PARTITION_LIMIT) {
                qos.partitions.push(value.string("a partition")?);
            }
        }
        pid::DATA_REPRESENTATION => {
            let count = value.length("data representations")?;
            for _ in 0..count.min(REPRESENTATION_LIMIT) {
                qos.data_representations.push(value.u16("a data representation")?.cast_signed());
            }
        }
        _ => {}
    }
    Ok(())
}

fn presentation(qos: &mut Qos, mut value: Cursor<'_>) -> Result<(), Wrong> {
    match value.u32("presentation")? {
        0 => qos.presentation.access_scope = AccessScope::Instance,
        1 => qos.presentation.access_scope = AccessScope::Topic,
        2 => qos.presentation.access_scope = AccessScope::Group,
        _ => {}
    }
    let [coherent, ordered] = value.array("presentation")?;
    qos.presentation.coherent = coherent != 0;
    qos.presentation.ordered = ordered != 0;
    Ok(())
}

/// The endpoint that a key or an inline key hash names.
pub(super) fn disposed(key: Option<Guid>, payload: &[u8]) -> Option<Guid> {
    key.or_else(|| {
        let parameters = sample_parameters(payload).ok()?;
        let (_, mut value) = parameters.into_iter().find(|(id, _)| *id == pid::ENDPOINT_GUID)?;
        value.array("a GUID").ok().map(Guid::from_bytes)
    })
}
