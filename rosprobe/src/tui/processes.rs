//! The processes: who they are, their ROS environment, and how their links are doing.

use std::borrow::Cow;
use std::collections::HashMap;

use super::listing::{RowKey, Sort};
use super::marks;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::event::ProcessRef;
use crate::filter::Subject;
use crate::graph::{LinkCounts, ProcessState};

/// What the list shows of a process.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "PID", least: 5, cut: Cut::End },
    Column { title: "COMMAND", least: 9, cut: Cut::Middle },
    Column { title: "NODES", least: 14, cut: Cut::Name },
    Column { title: "OK", least: 3, cut: Cut::End },
    Column { title: "PENDING", least: 4, cut: Cut::End },
    Column { title: "FAILED", least: 4, cut: Cut::End },
    Column { title: "HOST", least: 6, cut: Cut::Middle },
    Column { title: "ENVIRONMENT", least: 12, cut: Cut::Middle },
];

/// Counts of every process that takes part in a link, at either end.
pub type Tally = HashMap<ProcessRef, LinkCounts>;

/// Counts links by process.
pub fn tally(scene: &Scene) -> Tally {
    let mut tally = Tally::new();
    for link in scene.graph().links() {
        let ends = [&link.subscriber.process, &link.publisher.process];
        let same = ends[0] == ends[1];
        for process in ends.into_iter().take(if same { 1 } else { 2 }).flatten() {
            tally.entry(process.clone()).or_default().add(scene.health(link));
        }
    }
    tally
}

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, tally: &Tally, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let counts = |state: &ProcessState| tally.get(&state.process.reference()).copied().unwrap_or_default();
    let total = scene.graph().processes().count();
    let mut passed: Vec<&ProcessState> =
        scene.graph().processes().filter(|state| passes(selection, state, counts(state))).collect();
    let pid = |state: &ProcessState| state.process.key();
    match sort.column {
        0 => passed.sort_by_key(|state| (state.exited.is_some(), counts(state).health(), pid(state))),
        2 => passed.sort_by_key(|state| (state.process.comm.as_str(), pid(state))),
        3 => passed.sort_by_key(|state| (state.nodes.first(), pid(state))),
        4 => passed.sort_by_key(|state| (std::cmp::Reverse(counts(state).ok), pid(state))),
        5 => passed.sort_by_key(|state| (std::cmp::Reverse(counts(state).pending), pid(state))),
        6 => passed.sort_by_key(|state| (std::cmp::Reverse(counts(state).failed), pid(state))),
        7 => passed.sort_by_cached_key(|state| (host(state), pid(state))),
        8 => passed.sort_by_cached_key(|state| (environment(state), pid(state))),
        _ => passed.sort_by_key(|state| pid(state)),
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|state| RowKey::Process(state.process.reference())).collect(), total)
}

/// Whether a process passes: by itself, or by a link of its own.
fn passes(selection: &Selection, state: &ProcessState, counts: LinkCounts) -> bool {
    let process = &state.process;
    let nodes = || state.nodes.iter().cloned().map(Cow::from);
    let subject = || Subject {
        names: std::iter::once(process.comm.clone().into()).chain(nodes()).collect(),
        nodes: nodes().collect(),
        pids: vec![process.pid],
        comms: vec![process.comm.clone().into()],
        failed: counts.failed > 0,
        ..Subject::default()
    };
    selection.belongs_or(|related| related.has_process(&process.reference()), subject)
}

/// What a row shows.
pub fn cells(state: &ProcessState, tally: &Tally) -> Vec<Cell> {
    let counts = tally.get(&state.process.reference()).copied().unwrap_or_default();
    let (symbol, role) = if state.exited.is_some() { ("·", Role::Muted) } else { marks::of_health(counts.health()) };
    let number = |count: usize, role: Role| Cell::new(count.to_string(), if count == 0 { Role::Muted } else { role });
    let names = state.nodes.iter().cloned().collect::<Vec<_>>().join(" ");
    vec![
        Cell::new(symbol, role),
        Cell::searched(state.process.pid.to_string(), Role::Text),
        Cell::searched(&state.process.comm, Role::Text),
        Cell::searched(if names.is_empty() && state.exited.is_some() { "(ended)" } else { &names }, Role::Text),
        number(counts.ok, Role::Ok),
        number(counts.pending, Role::Warn),
        number(counts.failed, Role::Err),
        Cell::new(host(state), Role::Text),
        Cell::new(environment(state), Role::Accent),
    ]
}

/// Where a process runs: its host name, its container, else its network namespace.
pub fn host(state: &ProcessState) -> String {
    let process = &state.process;
    match (&process.hostname, &process.container) {
        (Some(host), Some(container)) => format!("{host} ({container})"),
        (None, Some(container)) => container.clone(),
        (Some(host), None) => host.clone(),
        (None, None) if process.net_namespace != 0 => format!("net {}", process.net_namespace),
        (None, None) => "?".to_owned(),
    }
}

/// Its ROS variables, the most telling first.
pub fn environment(state: &ProcessState) -> String {
    const TELLING: [&str; 3] = ["ROS_IP", "ROS_HOSTNAME", "ROS_MASTER_URI"];
    let set = &state.process.environment;
    let first = TELLING.iter().filter_map(|name| set.get_key_value(*name));
    let rest = set.iter().filter(|(name, _)| !TELLING.contains(&name.as_str()));
    let mut variables = first.chain(rest).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    if variables.is_empty() {
        variables = state.process.incomplete.clone().unwrap_or_else(|| "no ROS variable set".to_owned());
    }
    variables
}
