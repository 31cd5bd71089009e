//! Pages of findings, processes, hosts and single observations.

use super::super::marks;
use super::super::processes::Tally;
use super::super::scene::Scene;
use super::super::theme::Role;
use super::super::{conversation, hosts, processes};
use super::page::Page;
use super::story::{TIMELINE, content, exchanges, is_exchange, links_section, moment, timeline};
use super::verdict;
use crate::diagnosis::Finding;
use crate::graph::Link;
use crate::observation::Observation;

/// The page of a finding.
pub(super) fn finding_page(scene: &Scene, finding: &Finding, page: &mut Page) {
    verdict(finding, page);
    page.heading("Facts");
    let process = finding
        .process
        .as_ref()
        .map(|process| format!("{} [{}] {}", process.comm, process.pid, process.node.as_deref().unwrap_or_default()));
    let peer = finding.peer.as_ref();
    let facts = [
        ("code", Some(finding.code.word())),
        ("topic", finding.topic.clone()),
        ("service", finding.service.clone()),
        ("node", finding.node.clone()),
        ("domain", finding.domain.map(|domain| domain.to_string())),
        ("process", process),
        ("peer", peer.and_then(|peer| peer.node.clone())),
        ("uri", peer.and_then(|peer| peer.uri.clone())),
        ("address", finding.address.clone()),
        ("stage", finding.stage.map(|stage| stage.word().to_owned())),
        ("errno", finding.errno.map(|errno| format!("{errno}: {}", errno.meaning()))),
        ("times", Some(finding.count.to_string())),
        ("first", Some(scene.wall(finding.first))),
        ("last", Some(scene.wall(finding.last))),
        ("over", finding.ended.map(|at| scene.wall(at))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.labelled(&format!("{name:<8}"), &value, Role::Text);
        }
    }
    let mut seen: Vec<&Observation> = finding.evidence.iter().filter_map(|id| scene.observation(*id)).collect();
    seen.sort_by_key(|observation| observation.id);
    page.heading("Evidence");
    for observation in &seen {
        moment(scene, observation, page);
    }
    let missing = finding.evidence.len() - seen.len();
    if missing > 0 {
        page.cut(&format!("{missing} observations of it are no longer kept"), Role::Muted);
    }
    exchanges(scene, &seen, page);
}

/// The page of a process.
pub(super) fn process_page(scene: &Scene, tally: &Tally, process: &crate::event::ProcessRef, page: &mut Page) {
    let Some(state) = scene.graph().process(process) else { return };
    let counts = tally.get(process).copied().unwrap_or_default();
    let (symbol, role) = marks::of_health(counts.health());
    let what = &state.process;
    let summary = format!(
        "{symbol} {} [{}]: {} links ok, {} pending, {} failed",
        what.comm, what.pid, counts.ok, counts.pending, counts.failed
    );
    page.labelled("", &summary, role);
    page.labelled("Command", &what.argv.join(" "), Role::Text);
    let uid = what.uid.map(|uid| uid.to_string()).unwrap_or_default();
    page.labelled("User", &format!("{} {uid}", what.user.as_deref().unwrap_or_default()), Role::Text);
    page.labelled("Host", &format!("{}, network namespace {}", processes::host(state), what.net_namespace), Role::Text);
    page.labelled("Nodes", &state.nodes.iter().cloned().collect::<Vec<_>>().join(" "), Role::Text);
    if let Some(reason) = &what.incomplete {
        page.labelled("!", reason, Role::Warn);
    }
    if let Some(ended) = state.exited {
        page.labelled("Ended", &scene.time_of_day(ended), Role::Muted);
    }
    page.heading("Environment");
    for (name, value) in &what.environment {
        page.labelled("", &format!("{name}={value}"), Role::Accent);
    }
    if what.environment.is_empty() {
        page.cut("no ROS variable is set", Role::Muted);
    }
    let takes_part = |link: &&Link| {
        link.subscriber.process.as_ref() == Some(process) || link.publisher.process.as_ref() == Some(process)
    };
    links_section(scene, scene.graph().links().filter(takes_part).collect(), page);
    let history = scene.session().history().iter().rev();
    let mut seen: Vec<&Observation> =
        history.filter(|observation| observation.process.as_ref() == Some(process)).take(TIMELINE).collect();
    seen.reverse();
    timeline(scene, &seen, page);
}

/// The page of a host.
pub(super) fn host_page(scene: &Scene, name: &str, host: &hosts::Host, page: &mut Page) {
    let (symbol, role) = marks::of_health(host.counts.health());
    page.labelled("", &format!("{symbol} {name}"), role);
    let lists = [
        ("Advertised by", &host.advertised_by, Role::Text),
        ("Reached by", &host.reached_by, Role::Ok),
        ("Trying", &host.awaited_by, Role::Warn),
        ("Not reached by", &host.missed_by, Role::Err),
    ];
    for (label, names, role) in lists {
        let words = names.iter().cloned().collect::<Vec<_>>().join(", ");
        page.labelled(&format!("{label:<14}"), if words.is_empty() { "nobody" } else { &words }, role);
    }
    let links = host.links.iter().filter_map(|id| scene.graph().link(*id)).collect();
    links_section(scene, links, page);
}

/// The page of an observation.
pub(super) fn observation_page(scene: &Scene, observation: &Observation, page: &mut Page) {
    let role = conversation::role(&observation.what);
    page.labelled("", &conversation::words(scene, observation), role);
    let who = observation.process.as_ref().map(|process| scene.process_label(process));
    page.labelled("Who  ", &who.unwrap_or_else(|| "unknown process".to_owned()), Role::Text);
    page.labelled("When ", &format!("{}, observation {}", scene.wall(observation.time), observation.id.0), Role::Text);
    if let Some(socket) = &observation.socket {
        let end = |address: Option<std::net::SocketAddr>| address.map_or("?".to_owned(), |address| address.to_string());
        page.labelled(
            "Where",
            &format!("{} → {}, socket {}", end(socket.local), end(socket.remote), socket.id),
            Role::Accent,
        );
    }
    let raw = page.frame.raw && is_exchange(&observation.what);
    page.heading(if raw { "Raw" } else { "Decoded" });
    content(observation, page);
    if let Some(socket) = &observation.socket {
        let mut seen: Vec<&Observation> = scene.of_socket(socket.id).rev().take(TIMELINE).collect();
        seen.reverse();
        timeline(scene, &seen, page);
    }
}
