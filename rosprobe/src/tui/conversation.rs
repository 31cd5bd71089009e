//! The decoded conversation in order: who said what to whom, and what became of each connect.

use super::listing::{RowKey, Sort};
use super::scene::Scene;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::observation::{Observation, ObservationId, What};

/// What the list shows of an observation.
pub const COLUMNS: &[Column] = &[
    Column { title: "TIME", least: 12, cut: Cut::End },
    Column { title: "PROCESS", least: 12, cut: Cut::Middle },
    Column { title: "PEER", least: 15, cut: Cut::Middle },
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "WHAT", least: 20, cut: Cut::End },
];

/// True for what belongs to the conversation; who a process is and how much went through a socket has its place elsewhere.
pub const fn is_said(what: &What) -> bool {
    !matches!(what, What::Traffic(_) | What::Process(_) | What::Namespace(_))
}

/// Brings rows into order; they come oldest first.
pub fn order(scene: &Scene, keys: &mut [RowKey], sort: Sort) {
    let observation = |key: &RowKey| match key {
        RowKey::Observation(id) => scene.observation(*id),
        _ => None,
    };
    match sort.column {
        1 => keys.sort_by_cached_key(|key| observation(key).and_then(|seen| Some(seen.process.as_ref()?.pid))),
        2 => keys.sort_by_cached_key(|key| observation(key).and_then(|seen| seen.socket.as_ref()?.remote)),
        3 => keys.sort_by_cached_key(|key| observation(key).map(|seen| rank(role(&seen.what)))),
        4 => keys.sort_by_cached_key(|key| observation(key).map(|seen| kind(&seen.what))),
        _ => {}
    }
    if sort.descending {
        keys.reverse();
    }
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Err => 0,
        Role::Warn => 1,
        _ => 2,
    }
}

fn kind(what: &What) -> String {
    match what {
        What::Call { call, .. } => call.method().to_owned(),
        What::Answer { method, .. } => method.clone(),
        What::TcprosHeader { .. } => "header".to_owned(),
        What::NameQuery { .. } | What::NameAnswer { .. } => "name".to_owned(),
        _ => "connect".to_owned(),
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
        Cell::searched(observation.what.to_string(), role),
    ]
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
