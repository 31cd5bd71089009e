//! The decoded conversation in order: who said what to whom, and what became of each connect.

use std::net::IpAddr;

use super::participants;
use super::scene::Scene;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::observation::dds::GuidPrefix;
use crate::observation::{Observation, ObservationId, What};

/// What the list shows of an observation.
pub const COLUMNS: &[Column] = &[
    Column { title: "TIME", least: 12, cut: Cut::End },
    Column { title: "PROCESS", least: 10, cut: Cut::Middle },
    Column { title: "PEER", least: 15, cut: Cut::Middle },
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "WHAT", least: 36, cut: Cut::End },
];

/// True for what belongs to the conversation; who a process is and how much went through a socket has its place elsewhere.
pub const fn is_said(what: &What) -> bool {
    !matches!(what, What::Traffic(_) | What::UdprosData { .. } | What::Process(_) | What::Namespace(_))
}

/// Where an observation stands when a column sorts the conversation: by process, peer, trouble or kind, then in order.
pub fn place(seen: &Observation, column: usize) -> (u128, u16, ObservationId) {
    let (first, second) = match column {
        1 => (seen.process.as_ref().map_or(0, |process| u128::from(process.pid)), 0),
        2 => seen.socket.as_ref().and_then(|socket| socket.remote).map_or((0, 0), |remote| {
            let ip = match remote.ip() {
                IpAddr::V4(ip) => u128::from(ip.to_bits()),
                IpAddr::V6(ip) => ip.to_bits(),
            };
            (ip, remote.port())
        }),
        3 => (u128::from(rank(role(&seen.what))), 0),
        4 => (first_letters(kind(&seen.what)), 0),
        _ => (0, 0),
    };
    (first, second, seen.id)
}

/// The first sixteen bytes of a word as a number that sorts as the word does.
fn first_letters(word: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(word.bytes()).for_each(|(place, byte)| *place = byte);
    u128::from_be_bytes(bytes)
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Err => 0,
        Role::Warn => 1,
        _ => 2,
    }
}

fn kind(what: &What) -> &str {
    match what {
        What::Call { call, .. } => call.method(),
        What::Answer { method, .. } => method,
        What::TcprosHeader { .. } => "header",
        What::NameQuery { .. } | What::NameAnswer { .. } => "name",
        What::Dds(_) => "dds",
        _ => "connect",
    }
}

/// What a row shows.
pub fn cells(scene: &Scene, id: ObservationId) -> Vec<Cell> {
    let Some(observation) = scene.observation(id) else {
        return vec![Cell::new(format!("observation {} is no longer kept", id.0), Role::Muted)];
    };
    let role = role(&observation.what);
    let symbol = match role {
        Role::Err => "✗",
        Role::Warn => "!",
        _ => " ",
    };
    vec![
        Cell::new(scene.wall(observation.time), Role::Muted),
        Cell::searched(who(scene, observation), Role::Text),
        Cell::searched(peer(observation), Role::Accent),
        Cell::new(symbol, role),
        Cell::searched(words(scene, observation), role),
    ]
}

/// What an observation says, with participants of ROS 2 by the names that other views give them.
pub fn words(scene: &Scene, observation: &Observation) -> String {
    let text = observation.what.to_string();
    if !matches!(observation.what, What::Dds(_)) {
        return text;
    }
    let dds = scene.graph().dds();
    let named = |word: &str| {
        let prefix = GuidPrefix::parse(word.get(..24)?)?;
        Some(format!("{}{}", participants::label(dds.participant(prefix)?), &word[24..]))
    };
    text.split(' ').map(|word| named(word).unwrap_or_else(|| word.to_owned())).collect::<Vec<_>>().join(" ")
}

fn who(scene: &Scene, observation: &Observation) -> String {
    let packet = || observation.socket.as_ref()?.local.map(|local| local.to_string());
    observation.process.as_ref().map(|process| scene.process_label(process)).or_else(packet).unwrap_or_default()
}

fn peer(observation: &Observation) -> String {
    observation.socket.as_ref().and_then(|socket| socket.remote).map(|remote| remote.to_string()).unwrap_or_default()
}

/// Whether an observation tells of trouble.
pub fn role(what: &What) -> Role {
    match what {
        What::ConnectAbandoned { .. }
        | What::SynRetransmitted { .. }
        | What::Malformed { .. }
        | What::Gap { .. }
        | What::Lost { .. } => Role::Warn,
        failure if failure.is_failure() => Role::Err,
        _ => Role::Text,
    }
}
