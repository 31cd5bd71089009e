//! ROS 2: why a writer and a reader do not find each other.

mod discovery;
mod domains;
mod draft;
mod earshot;
mod locators;
mod membership;
mod multicast;
mod ports;
mod qos;
mod reach;
mod remedies;
mod samples;
mod servers;
mod shared_memory;
mod words;

use std::collections::BTreeSet;

use super::{Code, Finding, Severity};
use crate::diagnosis::draft::Draft;
use crate::graph::Graph;
use crate::graph::dds::Participant;

/// Everything that is wrong with ROS 2.
pub(super) fn diagnose(graph: &Graph) -> Vec<Finding> {
    let mut findings = ports::findings(graph);
    // A process that could not bind its port hears nobody, and that needs no second reason.
    let deaf: BTreeSet<u32> = findings.iter().filter_map(|finding| Some(finding.process.as_ref()?.pid)).collect();
    findings.extend(qos::findings(graph));
    findings.extend(domains::findings(graph, &deaf));
    findings.extend(reach::findings(graph, &deaf));
    findings.extend(shared_memory::findings(graph));
    findings.extend(samples::findings(graph, &deaf));
    findings.extend(encrypted(graph));
    findings.extend(limits(graph));
    findings.extend(not_compared(graph));
    findings
}

/// Participants that are compared pair by pair.
const COMPARED: usize = 256;

/// The living participants that are compared with each other.
fn compared(graph: &Graph) -> Vec<&Participant> {
    let alive = graph.dds().participants().filter(|participant| participant.is_alive());
    alive.take(COMPARED).collect()
}

/// Said when there are more.
fn not_compared(graph: &Graph) -> Option<Finding> {
    let first = graph.dds().participants().filter(|participant| participant.is_alive()).nth(COMPARED)?;
    let mut draft = Draft::of_moments(Code::LimitReached, Severity::Info, first.first, first.first);
    draft = draft.moments([&first.first]);
    let summary =
        format!("more than {COMPARED} participants: the addresses of further ones are not compared with each other's");
    let explanation = "Domains, types and quality of service are judged for all of them.".to_owned();
    Some(draft.told("compared", summary, explanation, Vec::new()))
}

/// One finding for each secured participant would say the same over and over.
fn encrypted(graph: &Graph) -> Option<Finding> {
    let secured: Vec<&Participant> =
        graph.dds().participants().filter(|participant| participant.data.secured).collect();
    let first = secured.first()?;
    let last = secured.last()?;
    let mut draft = Draft::of_moments(Code::Encrypted, Severity::Info, first.first, last.last);
    draft.finding.count = secured.len() as u64;
    draft.finding.domain = first.domain();
    draft = draft.participant(first);
    draft = draft.moments(secured.iter().flat_map(|participant| &participant.evidence));
    let summary = match secured.len() {
        1 => format!("{} uses DDS-Security: its topics and data are encrypted", first.words()),
        count => format!(
            "{count} participants use DDS-Security: their topics and data are encrypted ({} is the first)",
            first.words()
        ),
    };
    let explanation = "Announcements of participants stay readable, so that addresses and domains are judged as always; which topics \
                       there are, their quality of service and their types cannot be seen.";
    Some(draft.told("", summary, explanation.to_owned(), Vec::new()))
}

fn limits(graph: &Graph) -> Vec<Finding> {
    let limits = graph.dds().limits().map(|(limit, moment)| {
        let mut draft = Draft::of_moments(Code::LimitReached, Severity::Warning, moment, moment);
        draft = draft.moments([&moment]);
        let explanation = "rosprobe runs as root and keeps what the network sends bounded. What is beyond the limit is missing from every \
                           view and every finding.";
        draft.told(limit, limit.to_owned(), explanation.to_owned(), Vec::new())
    });
    limits.collect()
}
