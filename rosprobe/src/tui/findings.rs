//! The findings, worst first.

use super::listing::{RowKey, Sort};
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::diagnosis::{Finding, Severity};
use crate::graph::Link;

/// What the list shows of a finding.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "SEVERITY", least: 7, cut: Cut::End },
    Column { title: "CODE", least: 14, cut: Cut::End },
    Column { title: "ABOUT", least: 12, cut: Cut::Middle },
    Column { title: "TIMES", least: 3, cut: Cut::End },
    Column { title: "LAST", least: 12, cut: Cut::End },
    Column { title: "SUMMARY", least: 20, cut: Cut::End },
];

/// Rows that pass, in order, and how many there are in all.
pub fn rows(scene: &Scene, selection: &Selection, sort: Sort) -> (Vec<RowKey>, usize) {
    let findings = scene.session().findings();
    let mut passed: Vec<&Finding> = findings.iter().filter(|finding| selection.finding(finding)).collect();
    match sort.column {
        1 => passed.sort_by_key(|finding| finding.severity),
        2 => passed.sort_by_key(|finding| finding.code),
        3 => passed.sort_by_cached_key(|finding| about(finding)),
        4 => passed.sort_by_key(|finding| std::cmp::Reverse(finding.count)),
        5 => passed.sort_by_key(|finding| std::cmp::Reverse(finding.last)),
        6 => passed.sort_by_key(|finding| finding.summary.as_str()),
        _ => {}
    }
    if sort.descending {
        passed.reverse();
    }
    (passed.into_iter().map(|finding| RowKey::Finding(finding.id.clone())).collect(), findings.len())
}

/// What a row shows.
pub fn cells(scene: &Scene, finding: &Finding) -> Vec<Cell> {
    let (symbol, word, role) = mark(finding.severity);
    vec![
        Cell::new(symbol, role),
        Cell::new(word, role),
        Cell::new(finding.code.word(), role),
        Cell::searched(about(finding), Role::Text),
        Cell::new(finding.count.to_string(), Role::Muted),
        Cell::new(scene.wall(finding.last), Role::Muted),
        Cell::searched(&finding.summary, Role::Text),
    ]
}

/// Symbol, word and role of a severity.
pub const fn mark(severity: Severity) -> (&'static str, &'static str, Role) {
    match severity {
        Severity::Error => ("✗", "error", Role::Err),
        Severity::Warning => ("!", "warning", Role::Warn),
        Severity::Info => ("i", "info", Role::Accent),
    }
}

/// The topic, service, node or domain that it is about.
pub fn about(finding: &Finding) -> String {
    let domain = finding.domain.map(|domain| format!("domain {domain}"));
    let named = [&finding.topic, &finding.service, &finding.node].into_iter().flatten().next().cloned();
    named.or(domain).or_else(|| finding.address.clone()).unwrap_or_default()
}

/// Findings about a link, worst first.
pub fn of_link<'a>(scene: &'a Scene, link: &Link) -> Vec<&'a Finding> {
    scene.session().findings().iter().filter(|finding| concerns(finding, link)).collect()
}

fn concerns(finding: &Finding, link: &Link) -> bool {
    let evidence = || link.stages.iter().flat_map(|state| &state.evidence).any(|id| finding.evidence.contains(id));
    let named = finding.topic.as_deref() == Some(&link.name) || finding.service.as_deref() == Some(&link.name);
    let process = match (&finding.process, &link.subscriber.process) {
        (Some(process), Some(subscriber)) => process.pid == subscriber.pid,
        _ => true,
    };
    let peer = finding.peer.as_ref().is_none_or(|peer| {
        (peer.node.is_some() && peer.node == link.publisher.node)
            || (peer.uri.is_some() && peer.uri == link.publisher.uri)
            || (peer.node.is_none() && peer.uri.is_none())
    });
    (named && process && peer) || (finding.topic.is_none() && finding.service.is_none() && process && evidence())
}
