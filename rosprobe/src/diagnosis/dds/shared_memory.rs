//! Fast DDS between processes of one host goes through /dev/shm, also when they do not have the same one.

use std::collections::BTreeSet;

use super::compared;
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::event::Process;
use crate::graph::dds::Participant;
use crate::graph::{Graph, Stage};
use crate::observation::dds::{Discovery, VendorId};

pub(super) fn findings(graph: &Graph) -> Vec<Finding> {
    let mut participants = compared(graph);
    // What a discovery server is told, and tells, goes over UDP.
    participants.retain(|one| {
        one.data.vendor == VendorId::FAST_DDS && one.offers_shared_memory() && one.data.discovery != Discovery::Server
    });
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for (index, one) in participants.iter().enumerate() {
        for other in &participants[index + 1..] {
            if let Some((here, there)) = split(graph, one, other)
                && told.insert((here.shared_memory, there.shared_memory))
            {
                findings.push(finding(one, other, here, there));
            }
        }
    }
    findings
}

/// The two processes, when they count on one /dev/shm and have two. Those that have exchanged discovery over UDP do not count on it.
fn split<'a>(graph: &'a Graph, one: &Participant, other: &Participant) -> Option<(&'a Process, &'a Process)> {
    let process = |participant: &Participant| Some(&graph.process(participant.process.as_ref()?)?.process);
    let (here, there) = (process(one)?, process(other)?);
    let apart = here.shared_memory? != there.shared_memory?;
    let over_udp = one.knows.contains_key(&other.data.guid_prefix) || other.knows.contains_key(&one.data.guid_prefix);
    let domains = one.domain() == other.domain();
    (apart && !over_udp && domains && one.same_host(other)).then_some((here, there))
}

fn finding(one: &Participant, other: &Participant, here: &Process, there: &Process) -> Finding {
    let mut draft = Draft::of_moments(Code::SharedMemorySplit, Severity::Error, one.first, other.last);
    draft.finding.stage = Some(Stage::Discovered);
    draft = draft.participant(other);
    draft = draft.other_end(one);
    draft = draft.moments(one.evidence.iter().chain(&other.evidence));
    let place = |process: &Process| {
        process.container.as_ref().map_or_else(|| "outside of containers".to_owned(), |id| format!("in container {id}"))
    };
    let summary = format!(
        "{} and {} are on one host and do not share /dev/shm: they hear of each other and exchange nothing",
        one.words(),
        other.words()
    );
    let explanation = format!(
        "Fast DDS sends to a participant of the same host through shared memory (/dev/shm/fastrtps_*). The first runs {}, the second {}, \
         and their /dev/shm are different file systems, so that nothing arrives and nobody gets an error.",
        place(here),
        place(there)
    );
    let remedies = vec![
        "let the containers share it: docker run --ipc=host (or --ipc=container:NAME) for both".to_owned(),
        "use UDP between them: a profile (FASTRTPS_DEFAULT_PROFILES_FILE) with useBuiltinTransports false and a UDPv4 transport"
            .to_owned(),
    ];
    draft.told(&format!("{:?} {:?}", here.shared_memory, there.shared_memory), summary, explanation, remedies)
}
