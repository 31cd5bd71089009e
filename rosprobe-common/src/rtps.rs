//! Numbers of RTPS that the kernel side, which tells discovery from user data, and the decoder both read.
//!
//! Source: DDSI-RTPS 2.5, 8.3, 9.3 and 9.4.

/// What every message begins with.
pub const MAGIC: [u8; 4] = *b"RTPS";
/// Length of a message's header in bytes: magic, version, vendor, GUID prefix.
pub const HEADER_BYTES: usize = 20;
/// `PID_SENTINEL`, which ends a parameter list.
pub const PID_SENTINEL: u16 = 1;

/// Kinds of submessages: the first octet.
pub mod submessage {
    /// Nothing.
    pub const PAD: u8 = 0x01;
    /// A reader's answer to a writer.
    pub const ACKNACK: u8 = 0x06;
    /// What a writer has.
    pub const HEARTBEAT: u8 = 0x07;
    /// When what follows was said.
    pub const INFO_TS: u8 = 0x09;
    /// Who said what follows.
    pub const INFO_SRC: u8 = 0x0c;
    /// For whom what follows is.
    pub const INFO_DST: u8 = 0x0e;
    /// A sample.
    pub const DATA: u8 = 0x15;
    /// Fragments of a sample.
    pub const DATA_FRAG: u8 = 0x16;
}

/// Bits of a submessage's flags: the second octet.
pub mod flag {
    /// Its numbers are little-endian.
    pub const LITTLE_ENDIAN: u8 = 0x01;
    /// DATA and `DATA_FRAG`: a parameter list comes before the payload.
    pub const INLINE_QOS: u8 = 0x02;
    /// DATA: a payload follows.
    pub const PAYLOAD: u8 = 0x04;
    /// DATA: a key follows in its place.
    pub const KEY: u8 = 0x08;
}

/// Entities of the discovery protocols.
pub mod entity {
    /// The participant itself.
    pub const PARTICIPANT: [u8; 4] = [0x00, 0x00, 0x01, 0xc1];
    /// Announces participants.
    pub const SPDP_WRITER: [u8; 4] = [0x00, 0x01, 0x00, 0xc2];
    /// Announces writers.
    pub const SEDP_PUBLICATIONS_WRITER: [u8; 4] = [0x00, 0x00, 0x03, 0xc2];
    /// Announces readers.
    pub const SEDP_SUBSCRIPTIONS_WRITER: [u8; 4] = [0x00, 0x00, 0x04, 0xc2];
}
