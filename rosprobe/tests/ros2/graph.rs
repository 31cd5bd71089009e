//! Participants and links of real captures.

use std::fmt::Write;

use rosprobe::graph::{Graph, Link, Outcome};

use crate::{CAPTURES, graph};

fn participants(graph: &Graph) -> String {
    graph.dds().participants().fold(String::new(), |mut text, participant| {
        let domain = participant.domain().map_or_else(|| "?".to_owned(), |domain| domain.to_string());
        let _ = writeln!(
            text,
            "{} domain {domain} knows {} {}{}",
            participant.words(),
            participant.knows.len(),
            if participant.is_alive() { "alive" } else { "gone" },
            if participant.relayed { ", passed on" } else { "" },
        );
        text
    })
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::NotReached => "-".to_owned(),
        Outcome::Pending { .. } => "pending".to_owned(),
        Outcome::Refused { reason } => format!("refused ({reason})"),
        other => format!("{other:?}"),
    }
}

fn link(link: &Link) -> String {
    let ladder = link.stages.iter().map(|state| format!("{} {}", state.stage.word(), outcome(&state.outcome)));
    let ladder: Vec<_> = ladder.collect();
    let node = |node: &Option<String>| node.clone().unwrap_or_else(|| "?".to_owned());
    format!(
        "{} [{}] {} -> {}: {}; {} samples\n",
        link.shown_name(),
        link.data_type.clone().unwrap_or_default(),
        node(&link.publisher.node),
        node(&link.subscriber.node),
        ladder.join(", "),
        link.traffic.sent_messages
    )
}

#[test]
fn participants_and_links_of_each_capture() {
    for name in CAPTURES {
        let graph = graph(name);
        let links: String = graph.links().map(link).collect();
        insta::assert_snapshot!(format!("graph_of_{name}"), format!("{}\n{links}", participants(&graph)));
    }
}
