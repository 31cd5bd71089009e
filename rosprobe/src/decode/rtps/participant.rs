//! SPDP: what a participant announces of itself.
//!
//! Source: DDSI-RTPS 2.5, 8.5.3 and 9.6.2.2; properties as Cyclone DDS 11.0.1 and Fast DDS 2.9.1 send them.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Wrong};
use super::message::Header;
use super::parameters::{pid, properties, push_locator, sample_parameters, user_data_value};
use crate::observation::dds::{Discovery, Duration, Guid, GuidPrefix, ParticipantData};

/// What holds when an announcement names no lease (DDSI-RTPS 2.5, table 9.14).
const DEFAULT_LEASE: Duration = Duration::Nanoseconds(100_000_000_000);

/// Reads an announcement. What it leaves out is taken from the message's header.
pub(super) fn participant(header: &Header, payload: &[u8]) -> Result<ParticipantData, Wrong> {
    let [major, minor] = header.version;
    let mut data = ParticipantData {
        guid_prefix: header.prefix,
        vendor: header.vendor,
        protocol_version: format!("{major}.{minor}"),
        domain_id: None,
        lease: DEFAULT_LEASE,
        metatraffic_unicast: Vec::new(),
        metatraffic_multicast: Vec::new(),
        default_unicast: Vec::new(),
        default_multicast: Vec::new(),
        name: String::new(),
        pid: None,
        process_name: None,
        host: None,
        enclave: None,
        secured: false,
        discovery: Discovery::Simple,
    };
    for (id, value) in sample_parameters(payload)? {
        parameter(&mut data, id, value)?;
    }
    Ok(data)
}

fn parameter(data: &mut ParticipantData, id: u16, mut value: Cursor<'_>) -> Result<(), Wrong> {
    match id {
        pid::PROTOCOL_VERSION => {
            let [major, minor] = value.array("a version")?;
            data.protocol_version = format!("{major}.{minor}");
        }
        pid::VENDOR_ID => data.vendor.0 = value.array("a vendor")?,
        pid::PARTICIPANT_GUID => data.guid_prefix = Guid::from_bytes(value.array("a GUID")?).prefix,
        pid::DOMAIN_ID => data.domain_id = Some(value.u32("a domain")?),
        pid::PARTICIPANT_LEASE_DURATION => data.lease = value.duration("a lease")?,
        pid::METATRAFFIC_UNICAST_LOCATOR => push_locator(value, &mut data.metatraffic_unicast)?,
        pid::METATRAFFIC_MULTICAST_LOCATOR => push_locator(value, &mut data.metatraffic_multicast)?,
        pid::DEFAULT_UNICAST_LOCATOR => push_locator(value, &mut data.default_unicast)?,
        pid::DEFAULT_MULTICAST_LOCATOR => push_locator(value, &mut data.default_multicast)?,
        pid::ENTITY_NAME => data.name = value.string("a participant's name")?,
        pid::PROPERTY_LIST => apply_properties(data, properties(value)?),
        pid::USER_DATA => data.enclave = user_data_value(value, "enclave"),
        pid::IDENTITY_TOKEN => data.secured = true,
        _ => {}
    }
    Ok(())
}

fn apply_properties(data: &mut ParticipantData, mut properties: BTreeMap<String, String>) {
    let mut take = |names: [&str; 2]| names.iter().find_map(|name| properties.remove(*name));
    data.pid = take(["__Pid", "fastdds.physical_data.process"]).and_then(|pid| pid.parse().ok());
    data.host = take(["__Hostname", "fastdds.physical_data.host"]);
    data.process_name = take(["__ProcessName", ""]);
    data.discovery = match take(["PARTICIPANT_TYPE", ""]).as_deref() {
        Some("CLIENT" | "SUPER_CLIENT") => Discovery::Client,
        Some("SERVER" | "BACKUP") => Discovery::Server,
        _ => Discovery::Simple,
    };
}

/// The participant that a key or an inline key hash names.
pub(super) fn disposed(key: Option<Guid>, payload: &[u8], otherwise: GuidPrefix) -> GuidPrefix {
    let in_payload = || {
        let parameters = sample_parameters(payload).ok()?;
        let (_, mut value) = parameters.into_iter().find(|(id, _)| *id == pid::PARTICIPANT_GUID)?;
        value.array("a GUID").ok().map(Guid::from_bytes)
    };
    key.or_else(in_payload).map_or(otherwise, |guid| guid.prefix)
}
