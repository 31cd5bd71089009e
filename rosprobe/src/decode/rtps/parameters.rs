//! Parameter lists, in which discovery and inline QoS say everything.
//!
//! Source: DDSI-RTPS 2.5, 9.4.2.11 and table 9.18; DDS-Security 1.1, 7.4.1.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rosprobe_common::rtps::PID_SENTINEL;

use super::cursor::{Cursor, Order, Wrong};
use crate::observation::dds::{Locator, LocatorKind};

/// Locators kept of each list; a host with more interfaces is no robot.
const LOCATOR_LIMIT: usize = 64;
/// Properties kept.
const PROPERTY_LIMIT: usize = 256;

pub(super) mod pid {
    pub const PAD: u16 = 0x0000;
    pub const PARTICIPANT_LEASE_DURATION: u16 = 0x0002;
    pub const TOPIC_NAME: u16 = 0x0005;
    pub const TYPE_NAME: u16 = 0x0007;
    pub const DOMAIN_ID: u16 = 0x000f;
    pub const PROTOCOL_VERSION: u16 = 0x0015;
    pub const VENDOR_ID: u16 = 0x0016;
    pub const RELIABILITY: u16 = 0x001a;
    pub const LIVELINESS: u16 = 0x001b;
    pub const DURABILITY: u16 = 0x001d;
    pub const OWNERSHIP: u16 = 0x001f;
    pub const PRESENTATION: u16 = 0x0021;
    pub const DEADLINE: u16 = 0x0023;
    pub const DESTINATION_ORDER: u16 = 0x0025;
    pub const LATENCY_BUDGET: u16 = 0x0027;
    pub const PARTITION: u16 = 0x0029;
    pub const USER_DATA: u16 = 0x002c;
    pub const UNICAST_LOCATOR: u16 = 0x002f;
    pub const MULTICAST_LOCATOR: u16 = 0x0030;
    pub const DEFAULT_UNICAST_LOCATOR: u16 = 0x0031;
    pub const METATRAFFIC_UNICAST_LOCATOR: u16 = 0x0032;
    pub const METATRAFFIC_MULTICAST_LOCATOR: u16 = 0x0033;
    pub const DEFAULT_MULTICAST_LOCATOR: u16 = 0x0048;
    pub const PARTICIPANT_GUID: u16 = 0x0050;
    pub const PROPERTY_LIST: u16 = 0x0059;
    pub const ENDPOINT_GUID: u16 = 0x005a;
    pub const ENTITY_NAME: u16 = 0x0062;
    pub const KEY_HASH: u16 = 0x0070;
    pub const STATUS_INFO: u16 = 0x0071;
    pub const DATA_REPRESENTATION: u16 = 0x0073;
    pub const IDENTITY_TOKEN: u16 = 0x1001;
}

/// The parameters of a list up to its sentinel, vendors' own left out.
pub(super) fn parameters(list: &[u8], order: Order) -> Result<Vec<(u16, Cursor<'_>)>, Wrong> {
    let mut cursor = Cursor::new(list, order);
    let mut found = Vec::new();
    loop {
        let id = cursor.u16("").map_err(|_| Wrong::NoSentinel)?;
        let length = cursor.u16("").map_err(|_| Wrong::NoSentinel)?;
        if id == PID_SENTINEL {
            return Ok(found);
        }
        let value = cursor.take(usize::from(length), "a parameter")?;
        // The two upper bits: a vendor's own, and "must be understood".
        if id & 0x8000 == 0 && id != pid::PAD {
            found.push((id & 0x3fff, Cursor::new(value, order)));
        }
    }
}

/// The parameters of a serialised sample: the encapsulation's header, then the list.
pub(super) fn sample_parameters(payload: &[u8]) -> Result<Vec<(u16, Cursor<'_>)>, Wrong> {
    let (head, list) = payload.split_first_chunk::<4>().ok_or(Wrong::Short("a sample"))?;
    match u16::from_be_bytes([head[0], head[1]]) {
        // PL_CDR and PL_CDR2 in either order; DDS-XTypes 1.3, table 60.
        0x0002 | 0x000a => parameters(list, Order::Big),
        0x0003 | 0x000b => parameters(list, Order::Little),
        other => Err(Wrong::Encapsulation(other)),
    }
}

pub(super) fn push_locator(mut value: Cursor<'_>, into: &mut Vec<Locator>) -> Result<(), Wrong> {
    let kind = value.u32("a locator")?.cast_signed();
    let port = value.u32("a locator")?;
    let bytes: [u8; 16] = value.array("a locator")?;
    let v4 = || IpAddr::from(Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]));
    let v6 = || Ipv6Addr::from(bytes).to_canonical();
    let (kind, address) = match kind {
        1 => (LocatorKind::Udpv4, Some(v4())),
        2 => (LocatorKind::Udpv6, Some(v6())),
        4 => (LocatorKind::Tcpv4, Some(v4())),
        8 => (LocatorKind::Tcpv6, Some(v6())),
        16 => (LocatorKind::SharedMemory, None),
        // LOCATOR_KIND_INVALID and _RESERVED say nothing.
        -1 | 0 => return Ok(()),
        other => (LocatorKind::Other(other), None),
    };
    let locator = Locator { kind, address, port };
    if into.len() < LOCATOR_LIMIT && !into.contains(&locator) {
        into.push(locator);
    }
    Ok(())
}

/// A sequence of name and value.
pub(super) fn properties(mut value: Cursor<'_>) -> Result<BTreeMap<String, String>, Wrong> {
    let count = value.length("properties")?;
    let mut found = BTreeMap::new();
    for _ in 0..count.min(PROPERTY_LIMIT) {
        let name = value.string("a property's name")?;
        found.insert(name, value.string("a property's value")?);
    }
    Ok(found)
}

/// `key=value;` pairs, as ROS 2 writes them into user data.
pub(super) fn user_data_value(mut value: Cursor<'_>, key: &str) -> Option<String> {
    let length = value.length("user data").ok()?;
    let text = std::str::from_utf8(value.take(length, "user data").ok()?).ok()?;
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
}
