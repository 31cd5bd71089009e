//! `ros_discovery_info`: which nodes a participant runs, and which endpoints are whose.
//!
//! Source: `rmw_dds_common/msg/{ParticipantEntitiesInfo,NodeEntitiesInfo,Gid}.msg`. A Gid had 24 bytes until Humble and has 16 since
//! Iron; the first 16 are the GUID.

use super::cursor::{Cursor, Order, Wrong};
use crate::observation::dds::{Guid, GuidPrefix, NodeEntities};

/// The DDS topic.
pub(super) const TOPIC: &str = "ros_discovery_info";

/// Nodes kept of one participant.
const NODE_LIMIT: usize = 1024;
/// Endpoints kept of one node, each way.
const ENDPOINT_LIMIT: usize = 4096;

/// True when a sample of any writer looks like one: behind the encapsulation comes the GUID of the sender's own participant.
pub(super) fn looks_like_it(payload: &[u8], sender: GuidPrefix) -> bool {
    payload.get(4..16) == Some(&sender.0) && payload.get(16..20) == Some(&[0, 0, 0x01, 0xc1])
}

/// Reads a sample.
pub(super) fn nodes(payload: &[u8]) -> Result<(GuidPrefix, Vec<NodeEntities>), Wrong> {
    let (head, body) = payload.split_first_chunk::<4>().ok_or(Wrong::Short("ros_discovery_info"))?;
    let order = if head[1] & 1 == 0 { Order::Big } else { Order::Little };
    read(Cursor::new(body, order), 24).or_else(|_| read(Cursor::new(body, order), 16))
}

/// Right only when the sample ends where it should, which tells the two lengths of a Gid apart.
fn read(mut cursor: Cursor<'_>, gid_length: usize) -> Result<(GuidPrefix, Vec<NodeEntities>), Wrong> {
    let participant = gid(&mut cursor, gid_length)?.prefix;
    let count = cursor.length("a count of nodes")?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        let node = NodeEntities {
            namespace: cursor.string("a node's namespace")?,
            name: cursor.string("a node's name")?,
            readers: gids(&mut cursor, gid_length)?,
            writers: gids(&mut cursor, gid_length)?,
        };
        if nodes.len() < NODE_LIMIT {
            nodes.push(node);
        }
        cursor.align();
    }
    if cursor.rest().len() > 3 {
        return Err(Wrong::TooLong("ros_discovery_info", cursor.rest().len()));
    }
    Ok((participant, nodes))
}

fn gid(cursor: &mut Cursor<'_>, length: usize) -> Result<Guid, Wrong> {
    let bytes = cursor.take(length, "a Gid")?;
    bytes.first_chunk().map(|bytes| Guid::from_bytes(*bytes)).ok_or(Wrong::Short("a Gid"))
}

fn gids(cursor: &mut Cursor<'_>, length: usize) -> Result<Vec<Guid>, Wrong> {
    cursor.align();
    let count = cursor.length("a count of endpoints")?;
    let mut found = Vec::new();
    for _ in 0..count {
        let gid = gid(cursor, length)?;
        if found.len() < ENDPOINT_LIMIT {
            found.push(gid);
        }
    }
    Ok(found)
}
