//! The findings, worst first.

use super::listing::{RowKey, Sort};
use super::marks;
use super::scene::Scene;
use super::selection::Selection;
use super::table::{Cell, Column};
use super::text::Cut;
use super::theme::Role;
use crate::diagnosis::Finding;
use crate::graph::Link;
use crate::graph::dds::Endpoint;
use crate::observation::ObservationId;
use crate::observation::dds::RosName;
use crate::printable::printable;

/// What the list shows of a finding.
pub const COLUMNS: &[Column] = &[
    Column { title: "", least: 1, cut: Cut::End },
    Column { title: "SEVERITY", least: 7, cut: Cut::End },
    Column { title: "CODE", least: 14, cut: Cut::End },
    Column { title: "ABOUT", least: 12, cut: Cut::Name },
    Column { title: "TIMES", least: 5, cut: Cut::End },
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
    let (symbol, word, role) = marks::of_severity(finding.severity);
    let summary = match finding.ended {
        Some(at) => format!("over since {}: {}", scene.wall(at), finding.summary),
        None => finding.summary.clone(),
    };
    vec![
        Cell::new(symbol, role),
        Cell::new(word, role),
        Cell::new(finding.code.word(), role),
        Cell::searched(about(finding), Role::Text),
        Cell::new(finding.count.to_string(), Role::Muted),
        Cell::new(scene.wall(finding.last), Role::Muted),
        Cell::searched(summary, Role::Text),
    ]
}

/// The topic, service, node or domain that it is about.
pub fn about(finding: &Finding) -> String {
    let domain = finding.domain.map(|domain| format!("domain {domain}"));
    let named = [&finding.topic, &finding.service, &finding.node].into_iter().flatten().next().cloned();
    named.or(domain).or_else(|| finding.address.clone()).unwrap_or_default()
}

/// Findings about a link, worst first.
pub fn of_link<'a>(scene: &'a Scene, link: &Link) -> Vec<&'a Finding> {
    let made = scene.session().finding_about(link.id).map(|finding| finding.id.as_str());
    let about = |finding: &&Finding| made == Some(finding.id.as_str()) || concerns(scene, finding, link);
    scene.session().findings().iter().filter(about).collect()
}

fn concerns(scene: &Scene, finding: &Finding, link: &Link) -> bool {
    if let Some((writer, reader)) = scene.graph().dds().ends(link.id) {
        return concerns_dds(scene, finding, link, [writer, reader]);
    }
    let evidence = || link.stages.iter().flat_map(|state| &state.evidence).any(|id| finding.evidence.contains(id));
    // A finding's texts are made for reading; a link's are as they came.
    let is = |said: &Option<String>, came: &str| said.as_deref() == Some(&*printable(came));
    let same = |said: &Option<String>, came: &Option<String>| {
        said.is_some() && came.as_deref().is_some_and(|came| is(said, came))
    };
    let named = link.name.as_deref().is_some_and(|name| is(&finding.topic, name) || is(&finding.service, name));
    let process = match (&finding.process, &link.subscriber.process) {
        (Some(process), Some(subscriber)) => process.pid == subscriber.pid,
        _ => true,
    };
    let peer = finding.peer.as_ref().is_none_or(|peer| {
        same(&peer.node, &link.publisher.node)
            || same(&peer.uri, &link.publisher.uri)
            || (peer.node.is_none() && peer.uri.is_none())
    });
    (named && process && peer) || (finding.topic.is_none() && finding.service.is_none() && process && evidence())
}

/// A finding of ROS 2 is about a link when it names the topic and was made from what one of its ends said, or when it is about one of
/// the participants, whatever the topic.
fn concerns_dds(scene: &Scene, finding: &Finding, link: &Link, ends: [&Endpoint; 2]) -> bool {
    let shown = |id: ObservationId| finding.evidence.contains(&id);
    let topic = RosName::of_dds_topic(&ends[0].data.topic).name;
    if finding.topic.is_some() || finding.service.is_some() {
        let topic = printable(&topic);
        let named = [&finding.topic, &finding.service].into_iter().flatten().any(|name| *name == topic);
        let stage = finding.stage.is_some() && finding.stage == link.deciding_stage().map(|state| state.stage);
        return named && (stage || ends.iter().any(|end| shown(end.changed.id) || shown(end.first.id)));
    }
    let participants = ends.into_iter().filter_map(|end| scene.participant_of(end));
    participants.flat_map(|end| &end.evidence).any(|moment| shown(moment.id))
}
