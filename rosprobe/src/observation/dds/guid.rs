//! GUIDs: who sent it, in 16 bytes.

use std::borrow::Cow;
use std::fmt;

use rosprobe_common::rtps::entity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a participant, everywhere and for as long as it lives. Written as 24 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuidPrefix(pub [u8; 12]);

/// Names an entity within its participant: three bytes of key, one of kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub [u8; 4]);

/// Names a writer or reader. Written as the prefix, a colon and 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid {
    /// Its participant.
    pub prefix: GuidPrefix,
    /// Which of the participant's entities.
    pub entity: EntityId,
}

/// Whose implementation: two bytes that the OMG gives out (<https://www.dds-foundation.org/dds-rtps-vendor-and-product-ids/>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VendorId(pub [u8; 2]);

impl VendorId {
    /// eProsima Fast DDS, the middleware that ROS 2 uses unless told otherwise.
    pub const FAST_DDS: Self = Self([0x01, 0x0f]);
    /// Eclipse Cyclone DDS.
    pub const CYCLONE_DDS: Self = Self([0x01, 0x10]);
    /// RustDDS, on which ros2-client is built.
    pub const RUST_DDS: Self = Self([0x01, 0x12]);

    /// The product's name; `vendor 01.ff` where it is not known.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.0 {
            [0x01, 0x01] => "RTI Connext",
            [0x01, 0x02] => "OpenSplice",
            [0x01, 0x03] => "OpenDDS",
            [0x01, 0x06] => "CoreDX",
            [0x01, 0x0b] => "Vortex Cloud",
            [0x01, 0x0d] => "Vortex Lite",
            [0x01, 0x0f] => "Fast DDS",
            [0x01, 0x10] => "Cyclone DDS",
            [0x01, 0x11] => "Gurum DDS",
            [0x01, 0x12] => "RustDDS",
            [0x01, 0x14] => "Dust DDS",
            [major, minor] => return Cow::Owned(format!("vendor {major:02x}.{minor:02x}")),
        })
    }
}

impl EntityId {
    /// Nobody in particular.
    pub const UNKNOWN: Self = Self([0; 4]);
    /// The participant itself.
    pub const PARTICIPANT: Self = Self(entity::PARTICIPANT);
    /// Announces participants.
    pub const SPDP_WRITER: Self = Self(entity::SPDP_WRITER);
    /// Announces writers.
    pub const SEDP_PUBLICATIONS_WRITER: Self = Self(entity::SEDP_PUBLICATIONS_WRITER);
    /// Announces readers.
    pub const SEDP_SUBSCRIPTIONS_WRITER: Self = Self(entity::SEDP_SUBSCRIPTIONS_WRITER);

    /// True for entities that the protocol itself uses, vendors' own included (DDSI-RTPS 9.3.1.2: the two upper bits of the kind).
    pub fn is_builtin(self) -> bool {
        self.0[3] & 0xc0 != 0
    }
}

impl Guid {
    /// From the 16 bytes of the wire.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let (mut prefix, mut entity) = ([0; 12], [0; 4]);
        prefix.copy_from_slice(&bytes[..12]);
        entity.copy_from_slice(&bytes[12..]);
        Self { prefix: GuidPrefix(prefix), entity: EntityId(entity) }
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for GuidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.prefix, self.entity)
    }
}

impl fmt::Display for VendorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl GuidPrefix {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl EntityId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl Guid {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, entity) = text.split_once(':')?;
        Some(Self { prefix: GuidPrefix::parse(prefix)?, entity: EntityId::parse(entity)? })
    }
}

impl VendorId {
    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

macro_rules! as_text {
    ($($name:ident, $pattern:literal;)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(format_args!("{text:?} is no {}: {} is expected", stringify!($name), $pattern))
                })
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

as_text! {
    GuidPrefix, "^[0-9a-f]{24}$";
    EntityId, "^[0-9a-f]{8}$";
    Guid, "^[0-9a-f]{24}:[0-9a-f]{8}$";
    VendorId, "^[0-9a-f]{4}$";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back() {
        let guid = Guid::parse("010f995b866d659e00000000:00000103").unwrap();
        assert_eq!(guid.to_string(), "010f995b866d659e00000000:00000103");
        assert_eq!(serde_json::from_str::<Guid>(&serde_json::to_string(&guid).unwrap()).unwrap(), guid);
        for no_guid in [
            "",
            ":",
            "010f995b866d659e00000000",
            "010f995b866d659e0000000g:00000103",
            "é10f995b866d659e0000000:00000103",
        ] {
            assert_eq!(Guid::parse(no_guid), None, "{no_guid}");
        }
    }

    #[test]
    fn kinds_of_entities() {
        for (entity, builtin) in [
            ("000100c2", true),
            ("000100c7", true),
            ("000300c3", true),
            ("00000103", false),
            ("00000104", false),
            ("00000107", false),
        ] {
            let entity = EntityId::parse(entity).unwrap();
            assert_eq!(entity.is_builtin(), builtin, "{entity}");
        }
    }
}
