//! What much traffic, or hostile traffic, may cost.

use std::io::{BufRead as _, BufReader, Write as _};

use rosprobe::capture::Options;
use rosprobe::decode::Decoder;
use rosprobe::diagnosis::{Code, diagnose};
use rosprobe::event::{Event, Fact};
use rosprobe::graph::Graph;
use rosprobe::observation::What;
use rosprobe::observation::dds::Dds;
use serde_json::json;

use crate::in_every_mode;
use crate::rtps::{clock, digits, packets};
use crate::watched::Watched;

/// The first datagram of a capture that says nothing but what is `wanted`.
pub fn message(name: &str, wanted: impl Fn(&Dds) -> bool) -> String {
    let only = |event: &&Event| {
        let mut said = Vec::new();
        Decoder::new(clock()).of_packets().handle((*event).clone(), &mut said);
        let [observation] = &said[..] else { return false };
        matches!(&observation.what, What::Dds(dds) if wanted(dds))
    };
    let found = packets(name);
    let Fact::Datagram { bytes, .. } = &found.iter().find(only).unwrap().fact else { unreachable!("only datagrams") };
    digits(bytes)
}

/// Findings of limits after a message came from each of many participants, how many participants are known then, and of how many
/// writers totals were read.
async fn flood(case: &str, message: &str, options: &Options) -> (Vec<String>, usize, usize) {
    // Room for what comes while the decoder is busy: this is about what it keeps.
    let mut watched = Watched::start(case, &Options { ring_buffer_bytes: 64 * 1024 * 1024, ..options.clone() });
    watched.run("flood", json!([message, 100_000])).await;
    watched.sample();
    let (mut decoder, mut graph, mut observations) = (Decoder::new(clock()), Graph::default(), Vec::new());
    let inode = watched.network.inode;
    let here = |event: &&Event| event.socket.as_ref().is_some_and(|socket| socket.net_namespace == inode);
    let counts = |event: &&Event| matches!(event.fact, Fact::RtpsData { .. });
    let writers = watched.events.iter().filter(here).filter(counts).count();
    for event in watched.events.drain(..) {
        decoder.handle(event, &mut observations);
        for observation in observations.drain(..) {
            graph.observe(&observation);
        }
    }
    let limits = diagnose(&graph).findings.into_iter().filter(|finding| finding.code == Code::LimitReached);
    (limits.map(|finding| finding.summary).collect(), graph.dds().participants().count(), writers)
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_hundred_thousand_participants_stay_bounded_and_are_said() {
    in_every_mode(async |options| {
        let announcement = message("rust_rust_d0", |dds| matches!(dds, Dds::ParticipantAnnounced { .. }));
        let (limits, participants, _) = flood("participants", &announcement, &options).await;
        assert_eq!(participants, 10_000);
        assert!(limits.iter().any(|summary| summary.contains("more than 10000 participants")), "{limits:?}");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn a_hundred_thousand_writers_stay_bounded_and_are_said() {
    in_every_mode(async |options| {
        let sample = message("rust_rust_d0", |dds| matches!(dds, Dds::UserData { .. }));
        let (limits, _, writers) = flood("writers", &sample, &options).await;
        assert!((20_000..33_000).contains(&writers), "{writers}");
        assert!(limits.iter().any(|summary| summary.contains("more than 20000 writers")), "{limits:?}");
    });
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn user_data_stays_in_the_kernel() {
    const COUNT: u64 = 10_000;
    in_every_mode(async |options| {
        let sample = message("rust_rust_d0", |dds| matches!(dds, Dds::UserData { .. }));
        let mut watched = Watched::start("userdata", &options);
        let mut child = watched.network.start("talk", &json!([sample, COUNT]));
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let pid = Some(child.id());
        let of_child = |event: &&Event| event.process.as_ref().map(|process| process.pid) == pid;
        let mut records = Vec::new();
        for _ in 0..2 {
            let reader = std::thread::spawn(move || {
                let mut line = String::new();
                output.read_line(&mut line).map(|_| output)
            });
            watched.until(|_| reader.is_finished()).await;
            output = reader.join().unwrap().unwrap();
            records.push(watched.events.iter().filter(of_child).count());
            watched.sample();
            input.write_all(b"\n").unwrap();
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(records[1] - records[0], 1, "nothing but the totals that were read: {:#?}", watched.facts());
        let totals = watched.events.iter().filter(of_child).filter_map(|event| match event.fact {
            Fact::RtpsData { messages, .. } => Some(messages),
            _ => None,
        });
        assert_eq!(totals.collect::<Vec<_>>(), [1, 1 + COUNT]);
    });
}
