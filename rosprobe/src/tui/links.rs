//! The links, grouped by topic, failing ones first.

use std::collections::HashMap;

use super::address::authority;
use super::listing::{RowKey, Sort};
use super::marks;
use super::participants;
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
    Column { title: "TOPIC", least: 12, cut: Cut::Middle },
    Column { title: "SUBSCRIBER", least: 14, cut: Cut::Name },
    Column { title: "PUBLISHER", least: 9, cut: Cut::Name },
    Column { title: "ADVERTISED", least: 11, cut: Cut::Middle },
    Column { title: "STAGE", least: 6, cut: Cut::End },
    Column { title: "OUTCOME", least: 14, cut: Cut::End },
    Column { title: "AGE", least: 4, cut: Cut::End },
];

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let mut total = 0;
    let mut passed: Vec<&Link> = Vec::new();
    for link in scene.graph().links() {
        total += 1;
        if selection.link(scene, link) {
            passed.push(link);
        }
    }
    order(scene, &mut passed, sort);
    (passed.into_iter().map(|link| RowKey::Link(link.id)).collect(), total)
}

fn order(scene: &Scene, links: &mut [&Link], sort: Sort) {
    match sort.column {
        0 | 6 => {
            let mut worst: HashMap<Option<&str>, Health> = HashMap::with_capacity(links.len());
            for link in links.iter() {
                let health = scene.health(link);
                worst.entry(link.name.as_deref()).and_modify(|worst| *worst = health.min(*worst)).or_insert(health);
            }
            // What is between nodes and their master comes after the topics that fare alike.
            let plumbing = |link: &Link| matches!(link.kind, LinkKind::Master | LinkKind::Callback);
            links.sort_by_cached_key(|link| {
                (worst[&link.name.as_deref()], plumbing(link), link.name.as_deref(), scene.health(link), link.id)
            });
        }
        1 => links.sort_by_cached_key(|link| (title(link), scene.health(link), link.id)),
        2 => links.sort_by_cached_key(|link| (subscriber(scene, link), link.id)),
        3 => links.sort_by_cached_key(|link| (publisher_name(scene, link), link.id)),
        4 => links.sort_by_cached_key(|link| (address(scene, link), link.id)),
        5 => links.sort_by_cached_key(|link| (link.deciding_stage().map(|state| state.stage), link.id)),
        _ => links.sort_by_cached_key(|link| (std::cmp::Reverse(since(link)), link.id)),
    }
    if sort.descending {
        links.reverse();
    }
}

/// What a row shows.
pub fn cells(scene: &Scene, link: &Link) -> Vec<Cell> {
    let health = scene.health(link);
    let (symbol, role) = marks::of_health(health);
    let (outcome, _) = outcome(scene, link);
    vec![
        Cell::new(symbol, role),
        Cell::searched(title(link), if health == Health::Gone { Role::Muted } else { Role::Text }),
        Cell::searched(subscriber(scene, link), Role::Text),
        Cell::searched(publisher_name(scene, link), Role::Text),
        Cell::searched(address(scene, link), Role::Accent),
        Cell::new(link.deciding_stage().map_or("", |state| state.stage.word()), Role::Text),
        Cell::searched(outcome, role),
        Cell::new(scene.age(since(link)), Role::Muted),
    ]
}

/// The end that connects, with its pid; of ROS 2 the end that reads.
pub fn subscriber(scene: &Scene, link: &Link) -> String {
    match scene.graph().dds().ends(link.id) {
        Some((_, reader)) => participants::end_label(scene, reader),
        None => party(scene, &link.subscriber),
    }
}

/// The end that is connected to: its node alone, which names it better than a pid elsewhere.
pub fn publisher_name(scene: &Scene, link: &Link) -> String {
    match (&link.publisher.node, link.kind) {
        (Some(node), _) => node.clone(),
        (None, LinkKind::Master) => "(master)".to_owned(),
        (None, LinkKind::Dds) => {
            let ends = scene.graph().dds().ends(link.id);
            ends.map(|(writer, _)| participants::end_label(scene, writer)).unwrap_or_default()
        }
        // Where only its address is known, that stands in a column of its own.
        (None, _) if link.publisher.process.is_none() => "not known".to_owned(),
        (None, _) => party(scene, &link.publisher),
    }
}

/// What a link is about: the topic or service, or which way between node and master.
pub fn title(link: &Link) -> String {
    match link.kind {
        LinkKind::Topic | LinkKind::Dds => link.name.clone().unwrap_or_else(|| "topic not known".to_owned()),
        LinkKind::Service => format!("{} (service)", link.shown_name()),
        LinkKind::Master => "to master".to_owned(),
        LinkKind::Callback => "from master".to_owned(),
    }
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

/// The advertised host and port that matter most: those of the stage that decides; of ROS 2 where the reader takes data.
pub fn address(scene: &Scene, link: &Link) -> String {
    if let Some((_, reader)) = scene.graph().dds().ends(link.id) {
        return participants::data_address(scene, reader);
    }
    let deciding = link.deciding_stage().and_then(|state| state.advertised.clone());
    let any = || link.stages.iter().rev().find_map(|state| state.advertised.clone());
    let uri = || link.publisher.uri.as_ref().map(|uri| authority(uri).to_owned());
    deciding.or_else(any).or_else(uri).unwrap_or_default()
}

fn since(link: &Link) -> crate::event::Monotonic {
    link.deciding_stage().map_or(link.changed, |state| match state.outcome {
        Outcome::Pending { since, .. } | Outcome::NeverAttempted { since } => since,
        _ => state.at,
    })
}

/// What became of a link, in few words.
pub fn outcome(scene: &Scene, link: &Link) -> (String, Role) {
    let health = scene.health(link);
    let (_, role) = marks::of_health(health);
    let words = match link.deciding_stage() {
        Some(state) if link.gone && health == Health::Failed => format!("{}, gone", stage_outcome(scene, state)),
        _ if link.gone => "gone".to_owned(),
        Some(state) if health == Health::Gone => format!("{}, over", stage_outcome(scene, state)),
        // Every stage succeeded, and it is not right all the same.
        Some(state) if health == Health::Failed && state.health() == Health::Ok => {
            let finding = scene.session().finding_about(link.id);
            finding.map_or_else(String::new, |finding| finding.code.word())
        }
        None => "nothing so far".to_owned(),
        Some(state) if state.stage == Stage::Data && state.outcome == Outcome::Ok => speed(link),
        Some(state) => stage_outcome(scene, state),
    };
    let words = if link.incomplete && !link.gone { format!("{words}, incomplete") } else { words };
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
    let times = if state.own_failures > 1 { format!(" ×{}", state.own_failures) } else { String::new() };
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
