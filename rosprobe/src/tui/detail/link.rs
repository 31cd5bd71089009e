//! A link: what is wrong, its ladder, its data, what was seen and said.

use super::super::marks;
use super::super::scene::Scene;
use super::super::theme::Role;
use super::super::{findings, links, rate};
use super::page::{Page, TIED};
use super::story::{TIMELINE, exchanges, timeline};
use super::{dds, verdict};
use crate::graph::{Health, Link, LinkKind, Outcome, StageState};
use crate::observation::Observation;

/// The page of a link.
pub(super) fn link_page(scene: &Scene, link: &Link, page: &mut Page) {
    let concerned = findings::of_link(scene, link);
    for finding in &concerned {
        verdict(finding, page);
    }
    if concerned.is_empty() {
        let (symbol, role) = marks::of_health(scene.health(link));
        let (words, _) = links::outcome(scene, link);
        let from = links::publisher_name(scene, link);
        let to = links::subscriber(scene, link);
        let sentence = match link.kind {
            LinkKind::Topic | LinkKind::Dds => format!("{symbol} {} from {from} to {to}: {words}", links::title(link)),
            LinkKind::Service => format!("{symbol} {}: {to} calls {from}: {words}", link.shown_name()),
            LinkKind::Master | LinkKind::Callback => format!("{symbol} {to} calls {from}: {words}"),
        };
        page.labelled("", &sentence, role);
    }
    ladder(scene, link, page);
    dds::ends(scene, link, page);
    traffic(scene, link, page);
    let seen = related(scene, link);
    timeline(scene, &seen, page);
    exchanges(scene, &seen, page);
}

/// The stages on one line, and under it what is known of each.
fn ladder(scene: &Scene, link: &Link, page: &mut Page) {
    page.heading("Ladder");
    let mut parts = Vec::new();
    for (position, state) in link.stages.iter().enumerate() {
        if position > 0 {
            parts.push(("─ ".to_owned(), Role::Muted));
        }
        let (symbol, role) = stage_mark(scene, link, state);
        // A rung stays whole: the space within it does not break.
        parts.push((format!("{}{TIED}{symbol} ", state.stage.word()), role));
    }
    page.flowing(&parts);
    for state in link.stages.iter().filter(|state| state.outcome != Outcome::NotReached) {
        stage_line(scene, link, state, page);
    }
    if link.incomplete {
        page.labelled("", "! bytes of this link were lost: its state may be wrong", Role::Warn);
    }
}

/// The mark of a stage: one that failed is as bad as the link is, and no worse.
fn stage_mark(scene: &Scene, link: &Link, state: &StageState) -> (&'static str, Role) {
    match (&state.outcome, state.health()) {
        (Outcome::NotReached, _) => ("·", Role::Muted),
        (_, Health::Failed) => marks::of_health(scene.health(link)),
        (_, health) => marks::of_health(health),
    }
}

fn stage_line(scene: &Scene, link: &Link, state: &StageState, page: &mut Page) {
    let (symbol, role) = stage_mark(scene, link, state);
    let mut where_to = state.advertised.clone().unwrap_or_default();
    if let Some(address) = state.address.map(|address| address.to_string()).filter(|address| *address != where_to) {
        where_to = if where_to.is_empty() { address } else { format!("{where_to} = {address}") };
    }
    page.flowing(&[
        (format!("{} ", scene.time_of_day(state.at)), Role::Muted),
        (format!("{symbol} {:<13} {}", state.stage.word(), links::stage_outcome(scene, state)), role),
        (format!("  {where_to}"), Role::Accent),
    ]);
}

fn traffic(scene: &Scene, link: &Link, page: &mut Page) {
    let samples = rate::samples(scene, link);
    if link.traffic == crate::event::Traffic::default() && samples.is_empty() {
        return;
    }
    page.heading("Data");
    page.labelled("", &link.traffic.to_string(), Role::Text);
    if let Some(peak) = samples.iter().map(|sample| sample.bytes).reduce(f64::max) {
        let room = page.frame.width.saturating_sub(30).clamp(8, 120);
        let shown = &samples[samples.len().saturating_sub(room)..];
        let bars = page.span(rate::sparkline(shown), Role::Accent);
        let words = format!("  up to {}/s", crate::observation::Bytes(peak));
        let words = page.span(words, Role::Muted);
        page.line(vec![bars, words]);
    }
}

/// Observations of a link's sockets and its evidence, oldest first, each once.
fn related<'a>(scene: &'a Scene, link: &Link) -> Vec<&'a Observation> {
    let sockets = scene.sockets_of(link);
    let on_sockets = sockets.iter().flat_map(|socket| scene.of_socket(*socket).rev().take(TIMELINE));
    let evidence = link.stages.iter().flat_map(|state| &state.evidence).filter_map(|id| scene.observation(*id));
    let mut seen: Vec<&Observation> = on_sockets.chain(evidence).collect();
    seen.sort_by_key(|observation| observation.id);
    seen.dedup_by_key(|observation| observation.id);
    seen
}
