//! Everything about the selected row, as one page that scrolls.

mod dds;
mod entities;
mod link;
mod page;
mod story;

use ratatui::text::Line;

pub use self::page::Frame;
use self::page::Page;
use super::ends::Ends;
use super::hosts;
use super::listing::RowKey;
use super::marks;
use super::processes::Tally;
use super::scene::Scene;
use super::theme::Role;
use crate::diagnosis::Finding;
use crate::printable::printable;

/// What pages are made from.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The session.
    pub scene: &'a Scene,
    /// Hosts as they are advertised.
    pub hosts: &'a hosts::Hosts,
    /// Links by process.
    pub tally: &'a Tally,
    /// Links by endpoint of ROS 2.
    pub ends: &'a Ends,
}

/// The page for a row.
pub fn page(known: &Known<'_>, key: &RowKey, frame: Frame) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), frame };
    write(known, key, &mut page);
    page.lines
}

/// Nothing is written of what is no longer known.
fn write(known: &Known<'_>, key: &RowKey, page: &mut Page) -> Option<()> {
    let scene = known.scene;
    let (graph, ros2) = (scene.graph(), scene.graph().dds());
    match key {
        RowKey::Link(id) => link::link_page(scene, graph.link(*id)?, page),
        RowKey::Process(process) => entities::process_page(scene, known.tally, process, page),
        RowKey::Host(name) => entities::host_page(scene, name, known.hosts.get(name)?, page),
        RowKey::Observation(id) => entities::observation_page(scene, scene.observation(*id)?, page),
        RowKey::Finding(id) => {
            let finding = scene.session().findings().iter().find(|finding| finding.id == *id)?;
            entities::finding_page(scene, finding, page);
        }
        RowKey::Domain(number) => dds::domain_page(scene, known.ends, *number, page),
        RowKey::Participant(prefix) => dds::participant_page(scene, known.ends, ros2.participant(*prefix)?, page),
        RowKey::Endpoint(guid) => dds::endpoint_page(scene, known.ends, ros2.endpoint(*guid)?, page),
    }
    Some(())
}

/// A finding as plain text, for the clipboard.
pub fn finding_text(finding: &Finding) -> String {
    let why = format!("Why  {}", finding.explanation);
    let fixes = finding.remedies.iter().map(|remedy| format!("Fix  {remedy}"));
    let parts: Vec<String> = [finding.summary.clone(), why].into_iter().chain(fixes).collect();
    let lines: Vec<_> = parts.iter().flat_map(|part| part.lines()).map(printable).collect();
    lines.join("\n")
}

fn verdict(finding: &Finding, page: &mut Page) {
    let (symbol, _, role) = marks::of_severity(finding.severity);
    page.labelled("", &format!("{symbol} {}", finding.summary), role);
    page.labelled("Why", &finding.explanation, Role::Text);
    for (position, remedy) in finding.remedies.iter().enumerate() {
        page.remedy(if position == 0 { "Fix" } else { "or" }, remedy);
    }
}
