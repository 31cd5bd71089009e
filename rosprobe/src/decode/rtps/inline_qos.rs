//! What inline QoS says of a sample.

use super::cursor::Wrong;
use super::message::Data;
use super::parameters::{self, pid};
use crate::observation::dds::Guid;

/// The parameters that matter here.
pub(super) struct InlineQos {
    /// Disposed or unregistered.
    pub gone: bool,
    pub key: Option<Guid>,
}

impl InlineQos {
    pub fn read(data: &Data<'_>) -> Result<Self, Wrong> {
        let mut found = Self { gone: false, key: None };
        if data.inline_qos.is_empty() {
            return Ok(found);
        }
        for (id, mut value) in parameters::parameters(data.inline_qos, data.order)? {
            match id {
                // Always big-endian: octets of which the last has the flags (9.6.3.9).
                pid::STATUS_INFO => {
                    let [.., flags] = value.array::<4>("status info")?;
                    found.gone = flags & 0x03 != 0;
                }
                pid::KEY_HASH => found.key = Some(Guid::from_bytes(value.array("a key hash")?)),
                _ => {}
            }
        }
        Ok(found)
    }
}
