//! What happened, in order; requests and answers opened up.

use super::super::marks;
use super::super::scene::Scene;
use super::super::theme::Role;
use super::super::{conversation, links, text, tree};
use super::page::Page;
use crate::graph::Link;
use crate::observation::{Observation, What};
use crate::printable::printable;

/// Most lines of a timeline; the newest are kept.
pub(super) const TIMELINE: usize = 200;
/// Most exchanges that are opened up at once; the newest are kept.
const EXCHANGES: usize = 12;

/// Observations, a line each.
pub(super) fn timeline(scene: &Scene, seen: &[&Observation], page: &mut Page) {
    page.heading("Timeline");
    let told: Vec<&&Observation> = seen.iter().filter(|observation| conversation::is_said(&observation.what)).collect();
    let skipped = told.len().saturating_sub(TIMELINE);
    if told.is_empty() {
        page.cut("nothing is kept of it", Role::Muted);
    }
    if skipped > 0 {
        page.cut(&format!("… {skipped} earlier"), Role::Muted);
    }
    for observation in &told[skipped..] {
        moment(scene, observation, page);
    }
}

/// One of them.
pub(super) fn moment(scene: &Scene, observation: &Observation, page: &mut Page) {
    let role = conversation::role(&observation.what);
    let symbol = match role {
        Role::Err => "✗",
        Role::Warn => "!",
        _ => " ",
    };
    let time = scene.wall(observation.time);
    let who = observation.process.as_ref().map(|process| scene.process_label(process)).unwrap_or_default();
    let remote = observation.socket.as_ref().and_then(|socket| socket.remote).map(|remote| remote.to_string());
    let words = format!("{symbol} {}", conversation::words(scene, observation));
    let about = format!("  {who} {}", remote.unwrap_or_default());
    let room = page.frame.width.saturating_sub(text::width(&time) + 1);
    let words = text::fit(&printable(&words), room, text::Cut::End);
    let left = room.saturating_sub(text::width(&words));
    let about = text::fit(&printable(&about), left, text::Cut::End);
    let spans = vec![
        page.span(time + " ", Role::Muted),
        page.span(words, role),
        page.span(if left > 8 { about } else { String::new() }, Role::Muted),
    ];
    page.line(spans);
}

/// Requests and answers among them, opened up.
pub(super) fn exchanges(scene: &Scene, seen: &[&Observation], page: &mut Page) {
    let spoken: Vec<&&Observation> = seen.iter().filter(|observation| is_exchange(&observation.what)).collect();
    if spoken.is_empty() {
        return;
    }
    page.heading(if page.frame.raw { "Requests and answers, raw" } else { "Requests and answers" });
    let skipped = spoken.len().saturating_sub(EXCHANGES);
    if skipped > 0 {
        page.cut(&format!("… {skipped} earlier"), Role::Muted);
    }
    for observation in &spoken[skipped..] {
        moment(scene, observation, page);
        content(observation, page);
    }
}

/// Whether there is something to open up.
pub(super) const fn is_exchange(what: &What) -> bool {
    matches!(
        what,
        What::Call { .. }
            | What::Answer { .. }
            | What::HttpOnly { .. }
            | What::TcprosHeader { .. }
            | What::ServiceAnswer { .. }
    )
}

/// What was said, as a tree or raw.
pub(super) fn content(observation: &Observation, page: &mut Page) {
    let raw = page.frame.raw && is_exchange(&observation.what);
    let lines = if raw { tree::raw(observation) } else { tree::decoded(observation) };
    if lines.is_empty() {
        page.cut("    nothing more is known of it", Role::Muted);
    }
    for line in lines {
        let indented = format!("    {}", printable(&line));
        for part in text::wrap(&indented, page.frame.width) {
            let span = page.span(part, Role::Text);
            page.line(vec![span]);
        }
    }
}

/// Links, a line each, worst first.
pub(super) fn links_section(scene: &Scene, mut links: Vec<&Link>, page: &mut Page) {
    links.sort_by_key(|link| (scene.health(link), link.id));
    page.heading(&format!("Links ({})", links.len()));
    for link in links.iter().take(TIMELINE) {
        let (symbol, role) = marks::of_health(scene.health(link));
        let (from, to) = (links::publisher_name(scene, link), links::subscriber(scene, link));
        let (words, _) = links::outcome(scene, link);
        page.cut(
            &format!("{symbol} {}  {from} → {to}  {}  {words}", links::title(link), links::address(scene, link)),
            role,
        );
    }
}
