//! What dust_dds reads of participants and endpoints in a packet capture, as a table like `fixtures/ros2/*.tshark.txt`:
//!
//! ```text
//!   dust-dds-oracle CAPTURE.pcap
//! ```
//!
//! Message, submessages and parameter lists are dust_dds's reading; a parameter's value is a few bytes at fixed places.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;

use dust_dds::rtps_messages::overall_structure::{
    Endianness, RtpsMessageRead, RtpsSubmessageReadKind, TryReadFromBytes as _,
};
use dust_dds::rtps_messages::submessage_elements::ParameterList;
use dust_dds::transport::types::{EntityId, Locator};

const PARTICIPANTS: [u8; 4] = [0x00, 0x01, 0x00, 0xc2];
const WRITERS: [u8; 4] = [0x00, 0x00, 0x03, 0xc2];
const READERS: [u8; 4] = [0x00, 0x00, 0x04, 0xc2];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: dust-dds-oracle CAPTURE.pcap")?;
    let file = std::fs::read(path)?;
    let mut rows = BTreeMap::new();
    let mut fragments: BTreeMap<([u8; 12], [u8; 4], i64), Vec<u8>> = BTreeMap::new();
    for datagram in datagrams(&file) {
        let Ok(message) = RtpsMessageRead::try_from(datagram) else { continue };
        for submessage in message.submessages() {
            match submessage {
                RtpsSubmessageReadKind::Data(data) => {
                    row(id(data.writer_id()), data.serialized_payload().as_ref(), &mut rows);
                }
                RtpsSubmessageReadKind::DataFrag(data) => {
                    let key = (message.header().guid_prefix(), id(data.writer_id()), data.writer_sn());
                    let whole = fragments.entry(key).or_insert_with(|| vec![0; data.data_size() as usize]);
                    let from = (data.fragment_starting_num() as usize - 1) * usize::from(data.fragment_size());
                    let part = data.serialized_payload().as_ref();
                    if let Some(place) = whole.get_mut(from..from + part.len()) {
                        place.copy_from_slice(part);
                    }
                }
                _ => {}
            }
        }
    }
    for ((_, writer, _), whole) in &fragments {
        row(*writer, whole, &mut rows);
    }
    let mut rows: Vec<String> = rows.into_values().collect();
    rows.sort();
    for row in rows {
        println!("{row}");
    }
    Ok(())
}

fn id(id: EntityId) -> [u8; 4] {
    let [a, b, c] = id.entity_key();
    [a, b, c, id.entity_kind()]
}

/// Payloads of UDP over IPv4 over Ethernet that are not fragments.
fn datagrams(file: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    while let Some(header) = rest.get(..16) {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some(frame) = rest.get(16..16 + length) else { break };
        rest = &rest[16 + length..];
        let ip = frame.get(14..).unwrap_or_default();
        if ip.len() < 28 || ip[0] >> 4 != 4 || ip[9] != 17 || ip[6] & 0x3f != 0 || ip[7] != 0 {
            continue;
        }
        let udp = &ip[usize::from(ip[0] & 15) * 4..usize::from(u16::from_be_bytes([ip[2], ip[3]])).min(ip.len())];
        found.extend(udp.get(8..));
    }
    found
}

/// Parameters by their number.
struct Parameters {
    all: Vec<(i16, Vec<u8>)>,
    endianness: Endianness,
}

impl Parameters {
    fn read(payload: &[u8]) -> Option<Self> {
        let endianness = match payload.get(..2)? {
            [0, 3] => Endianness::LittleEndian,
            [0, 2] => Endianness::BigEndian,
            _ => return None,
        };
        let list = ParameterList::try_read_from_bytes(&mut &payload[4..], &endianness).ok()?;
        let all = list.parameter().iter().map(|each| (each.parameter_id(), each.value().to_vec())).collect();
        Some(Self { all, endianness })
    }

    fn first(&self, number: i16) -> Option<&[u8]> {
        self.all.iter().find(|(known, _)| *known == number).map(|(_, value)| value.as_slice())
    }

    fn number_of(&self, bytes: &[u8]) -> u32 {
        u32::try_read_from_bytes(&mut &*bytes, &self.endianness).unwrap_or_default()
    }

    fn number(&self, number: i16) -> Option<u32> {
        Some(self.number_of(self.first(number)?))
    }

    fn text_of(&self, bytes: &[u8]) -> String {
        let length = self.number_of(bytes) as usize;
        let text = bytes.get(4..4 + length).unwrap_or_default();
        String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text)).into_owned()
    }

    fn text(&self, number: i16) -> Option<String> {
        Some(self.text_of(self.first(number)?))
    }

    fn locators(&self, number: i16) -> String {
        let mut texts = Vec::new();
        for (_, value) in self.all.iter().filter(|(known, _)| *known == number) {
            let Ok(locator) = Locator::try_read_from_bytes(&mut value.as_slice(), &self.endianness) else { continue };
            let [.., a, b, c, d] = locator.address();
            let text = format!("{}:{}", Ipv4Addr::new(a, b, c, d), locator.port());
            if locator.kind() == 1 && !texts.contains(&text) {
                texts.push(text);
            }
        }
        if texts.is_empty() { "-".to_owned() } else { texts.join(",") }
    }

    fn milliseconds(&self, number: i16) -> Option<String> {
        let bytes = self.first(number)?;
        let (seconds, fraction) = (self.number_of(bytes), self.number_of(bytes.get(4..)?));
        if seconds == 0x7fff_ffff {
            return Some("infinite".to_owned());
        }
        let milliseconds = f64::from(seconds) * 1000.0 + f64::from(fraction) * 1000.0 / 4_294_967_296.0;
        Some(format!("{milliseconds:.0}"))
    }

    fn kind<'a>(&self, number: i16, names: &[&'a str], default: &'a str) -> &'a str {
        self.number(number).map_or(default, |kind| names.get(kind as usize).copied().unwrap_or("?"))
    }

    /// Cyclone's and Fast DDS's names for the process.
    fn pid(&self) -> Option<String> {
        let mut rest = self.first(0x59)?.get(4..)?;
        let mut texts = Vec::new();
        while rest.len() > 4 {
            texts.push(self.text_of(rest));
            let length = (4 + self.number_of(rest) as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
        let pid = |pair: &&[String]| pair[0] == "__Pid" || pair[0] == "fastdds.physical_data.process";
        texts.chunks_exact(2).find(pid).map(|pair| pair[1].clone())
    }
}

fn row(writer: [u8; 4], payload: &[u8], rows: &mut BTreeMap<String, String>) {
    let Some(found) = Parameters::read(payload) else { return };
    let row = match writer {
        PARTICIPANTS => participant(&found),
        WRITERS => endpoint(&found, "writer"),
        READERS => endpoint(&found, "reader"),
        _ => None,
    };
    if let Some((key, row)) = row {
        rows.insert(key, row);
    }
}

fn participant(found: &Parameters) -> Option<(String, String)> {
    let prefix = hex(found.first(0x50)?.get(..12)?);
    let vendor = hex(found.first(0x16)?.get(..2)?);
    let lease = found.milliseconds(0x02).unwrap_or_else(|| "100000".to_owned());
    let domain = found.number(0x0f).map_or_else(|| "-".to_owned(), |domain| domain.to_string());
    let pid = found.pid().unwrap_or_else(|| "-".to_owned());
    let (metatraffic, default) = (found.locators(0x32), found.locators(0x31));
    let row = format!(
        "participant {prefix} vendor {vendor} lease {lease} domain {domain} pid {pid} metatraffic {metatraffic} default {default}"
    );
    Some((prefix, row))
}

fn endpoint(found: &Parameters, role: &str) -> Option<(String, String)> {
    let guid = found.first(0x5a)?;
    let guid = format!("{}:{}", hex(guid.get(..12)?), hex(guid.get(12..16)?));
    let (topic, type_name) = (found.text(0x05)?, found.text(0x07)?);
    let reliability = if role == "writer" { "RELIABLE" } else { "BEST_EFFORT" };
    let reliability = found.kind(0x1a, &["?", "BEST_EFFORT", "RELIABLE"], reliability);
    let durability = found.kind(0x1d, &["VOLATILE", "TRANSIENT_LOCAL", "TRANSIENT", "PERSISTENT"], "VOLATILE");
    let deadline = found.milliseconds(0x23).unwrap_or_else(|| "infinite".to_owned());
    let liveliness = found.kind(0x1b, &["AUTOMATIC", "MANUAL_BY_PARTICIPANT", "MANUAL_BY_TOPIC"], "AUTOMATIC");
    let ownership = found.kind(0x1f, &["SHARED", "EXCLUSIVE"], "SHARED");
    let unicast = found.locators(0x2f);
    let row = format!(
        "{role} {guid} {topic} {type_name} {reliability} {durability} deadline {deadline} liveliness {liveliness} ownership \
         {ownership} unicast {unicast}"
    );
    Some((guid, row))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
