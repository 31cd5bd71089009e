//! The links, grouped by topic, failing ones first.

use std::collections::HashMap;

use super::listing::{RowKey, Sort};
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::graph::{Health, Link, LinkKind, Outcome, Party, Stage, StageState};
use crate::observation::{Bytes, Span};

/// What the list shows of a link.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "TOPIC", least: 11, cut: Cut::Middle },
    Column { title: "SUBSCRIBER", least: 13, cut: Cut::Middle },
    Column { title: "PUBLISHER", least: 9, cut: Cut::Middle },
    Column { title: "ADVERTISED", least: 14, cut: Cut::Middle },
    Column { title: "STAGE", least: 6, cut: Cut::End },
    Column { title: "OUTCOME", least: 13, cut: Cut::End },
    Column { title: "AGE", least: 4, cut: Cut::End },
];

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let mut total = 0;
    let mut passed: Vec<&Link> = Vec::new();
    for link in scene.graph().links() {
        total += 1;
        if selection.link(link) {
            passed.push(link);
        }
    }
    order(&mut passed, sort);
    (passed.into_iter().map(|link| RowKey::Link(link.id)).collect(), total)
}

fn order(links: &mut [&Link], sort: Sort) {
    match sort.column {
        0 | 6 => {
            let mut worst: HashMap<&str, Health> = HashMap::new();
            for link in links.iter() {
                let health = worst.entry(&link.name).or_insert(Health::Gone);
                *health = (*health).min(link.health());
            }
            // What is between nodes and their master comes after the topics that fare alike.
            let plumbing = |link: &Link| matches!(link.kind, LinkKind::Master | LinkKind::Callback);
            links.sort_by_cached_key(|link| {
                (worst[link.name.as_str()], plumbing(link), link.name.as_str(), link.health(), link.id)
            });
        }
        1 => links.sort_by_key(|link| (link.name.as_str(), link.health(), link.id)),
        2 => links.sort_by_cached_key(|link| (name(&link.subscriber), link.id)),
        3 => links.sort_by_cached_key(|link| (name(&link.publisher), link.id)),
        4 => links.sort_by_cached_key(|link| (address(link), link.id)),
        5 => links.sort_by_key(|link| (link.deciding_stage().map(|state| state.stage), link.id)),
        _ => links.sort_by_key(|link| (std::cmp::Reverse(since(link)), link.id)),
    }
    if sort.descending {
        links.reverse();
    }
}

/// What a row shows.
pub fn cells(scene: &Scene, link: &Link) -> Vec<Cell> {
    let health = link.health();
    let (symbol, role) = mark(health);
    let (outcome, _) = outcome(scene, link);
    vec![
        Cell::new(symbol, role),
        Cell::searched(title(link), if health == Health::Gone { Role::Muted } else { Role::Text }),
        Cell::searched(party(scene, &link.subscriber), Role::Text),
        publisher(scene, link),
        Cell::searched(address(link), Role::Accent),
        Cell::new(link.deciding_stage().map_or("", |state| state.stage.word()), Role::Text),
        Cell::searched(outcome, role),
        Cell::new(scene.age(since(link)), Role::Muted),
    ]
}

/// The publisher; where only its address is known, that stands in the next column already.
fn publisher(scene: &Scene, link: &Link) -> Cell {
    match (&link.publisher.node, &link.publisher.process) {
        (None, None) => Cell::new("?", Role::Muted),
        _ => Cell::searched(party(scene, &link.publisher), Role::Text),
    }
}

/// The symbol and role of a state.
pub const fn mark(health: Health) -> (&'static str, Role) {
    match health {
        Health::Failed => ("✗", Role::Err),
        Health::Pending => ("◷", Role::Warn),
        Health::Ok => ("✓", Role::Ok),
        Health::Gone => ("·", Role::Muted),
    }
}

/// What a link is about: the topic or service, or which way between node and master.
pub fn title(link: &Link) -> String {
    match link.kind {
        LinkKind::Topic | LinkKind::Dds => link.name.clone(),
        LinkKind::Service => format!("{} (service)", link.name),
        LinkKind::Master => format!("(to the master) {}", link.name).trim_end().to_owned(),
        LinkKind::Callback => format!("(from the master) {}", link.name).trim_end().to_owned(),
    }
}

fn name(party: &Party) -> String {
    let process = party.process.as_ref().map(|process| format!("{} [{}]", process.comm, process.pid));
    party.node.clone().or(process).or_else(|| party.uri.clone()).unwrap_or_default()
}

/// A party as people name it: node and pid, as far as they are known.
pub fn party(scene: &Scene, party: &Party) -> String {
    match (&party.node, &party.process) {
        (Some(node), Some(process)) => format!("{node} [{}]", process.pid),
        (Some(node), None) => node.clone(),
        (None, Some(process)) => scene.process_label(process),
        (None, None) => party.uri.clone().unwrap_or_else(|| "?".to_owned()),
    }
}

/// The advertised host and port that matter most: those of the stage that decides.
pub fn address(link: &Link) -> String {
    let deciding = link.deciding_stage().and_then(|state| state.advertised.clone());
    let any = || link.stages.iter().rev().find_map(|state| state.advertised.clone());
    let host = |uri: &String| uri.trim_start_matches("http://").trim_end_matches('/').to_owned();
    deciding.or_else(any).or_else(|| link.publisher.uri.as_ref().map(host)).unwrap_or_default()
}

fn since(link: &Link) -> crate::event::Monotonic {
    link.deciding_stage().map_or(link.changed, |state| match state.outcome {
        Outcome::Pending { since, .. } | Outcome::NeverAttempted { since } => since,
        _ => state.at,
    })
}

/// What became of a link, in few words.
pub fn outcome(scene: &Scene, link: &Link) -> (String, Role) {
    let (_, role) = mark(link.health());
    let words = match link.deciding_stage() {
        _ if link.gone => "gone".to_owned(),
        None => "nothing so far".to_owned(),
        Some(state) if state.stage == Stage::Data && state.outcome == Outcome::Ok => speed(link),
        Some(state) => stage_outcome(scene, state),
    };
    (words, role)
}

fn speed(link: &Link) -> String {
    if link.rate.messages > 0.0 {
        return format!("{:.0} msg/s {}/s", link.rate.messages, Bytes(link.rate.bytes));
    }
    "ok, no messages now".to_owned()
}

/// What became of a stage, in few words.
pub fn stage_outcome(scene: &Scene, state: &StageState) -> String {
    let times = if state.failures > 1 { format!(", {} times", state.failures) } else { String::new() };
    match &state.outcome {
        Outcome::NotReached => "not reached".to_owned(),
        Outcome::Ok => "ok".to_owned(),
        Outcome::Pending { since, syn_retransmits: 0 } => format!("pending {}", scene.age(*since)),
        Outcome::Pending { since, syn_retransmits } => format!("pending {}, {syn_retransmits} SYNs", scene.age(*since)),
        Outcome::Failed { errno } => format!("{errno}{times}"),
        Outcome::Refused { reason } => format!("refused: {reason}"),
        Outcome::Abandoned { after_ns, .. } => format!("given up after {}{times}", Span(*after_ns)),
        Outcome::NeverAttempted { since } => format!("never tried, {}", scene.age(*since)),
    }
}
