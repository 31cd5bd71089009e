//! Words that several findings have in common.

use crate::event::ProcessRef;
use crate::graph::Graph;
use crate::graph::dds::SendFailure;

pub(super) fn failed(failure: &SendFailure) -> String {
    if failure.by_icmp {
        format!("Datagrams to {} came back by ICMP", failure.target)
    } else {
        format!("Sending to {} failed {} with {}", failure.target, times(failure.count), failure.errno)
    }
}

pub(super) fn sender(graph: &Graph, failure: &SendFailure) -> String {
    if let Some(process) = &failure.process {
        return format!("{}[{}]", process.comm, process.pid);
    }
    let mut at_source = graph
        .dds()
        .participants()
        .filter(|participant| failure.source.is_some_and(|source| participant.addresses.contains(&source)));
    match (at_source.next(), at_source.next(), failure.source) {
        (Some(only), None, _) => only.words(),
        (_, _, Some(source)) => source.to_string(),
        _ => "a participant".to_owned(),
    }
}

pub(super) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Put behind the name of a process that ended because of what it could not get.
pub(super) fn ended(graph: &Graph, process: &ProcessRef) -> &'static str {
    if graph.dds().sockets().has_ended(process) { ", which has ended," } else { "" }
}
