//! Writer and reader match, and what is sent does not arrive.

use std::collections::{BTreeMap, BTreeSet};

use super::earshot::lately_lost;
use super::remedies::formula_ports;
use crate::diagnosis::draft::Draft;
use crate::diagnosis::{Code, Finding, Severity};
use crate::event::Monotonic;
use crate::graph::dds::{Endpoint, Participant, Samples};
use crate::graph::{Graph, Stage};
use crate::observation::Bytes;
use crate::observation::dds::{GuidPrefix, Locator, RosName, VendorId};

/// Seconds in which samples were sent and none arrived, from which on that is no accident.
const UNRECEIVED: usize = 5;
/// After the two have found each other samples may take so long until they are sent to the reader too, in nanoseconds.
const BEGINS_NS: u64 = 1_000_000_000;
/// A send that failed so lately, in nanoseconds, has its own finding.
const FAILED_NS: u128 = 30_000_000_000;
/// Largest payload of UDP that fits into one packet of Ethernet, in bytes: 1500 less the headers of IPv4 and UDP.
const ONE_PACKET: f64 = 1472.0;

struct Loss<'a> {
    writer: &'a Endpoint,
    samples: &'a Samples,
    from: &'a Participant,
    to: &'a Participant,
    topics: BTreeSet<String>,
}

/// `deaf` are pids of processes whose silence has its finding already.
pub(super) fn findings(graph: &Graph, deaf: &BTreeSet<u32>) -> Vec<Finding> {
    if lately_lost(graph) {
        return Vec::new();
    }
    let mut losses: BTreeMap<(GuidPrefix, GuidPrefix), Loss<'_>> = BTreeMap::new();
    for (writer, reader) in graph.dds().pairs() {
        let Some((samples, from, to)) = lost(graph, writer, reader) else { continue };
        if from.is_of(deaf) || to.is_of(deaf) {
            continue;
        }
        let ends = (from.data.guid_prefix, to.data.guid_prefix);
        let loss = losses.entry(ends).or_insert_with(|| Loss { writer, samples, from, to, topics: BTreeSet::new() });
        loss.topics.insert(RosName::of_dds_topic(&writer.data.topic).name);
    }
    losses.values().map(finding).collect()
}

/// What was sent for seconds from a writer to a reader that knows it, and of which nothing has ever arrived.
fn lost<'a>(
    graph: &'a Graph,
    writer: &Endpoint,
    reader: &Endpoint,
) -> Option<(&'a Samples, &'a Participant, &'a Participant)> {
    let dds = graph.dds();
    let (from, to) = (dds.participant(writer.data.guid.prefix)?, dds.participant(reader.data.guid.prefix)?);
    let samples = dds.samples(writer.data.guid)?;
    let there = from.knows.get(&to.data.guid_prefix)?;
    let back = to.knows.get(&from.data.guid_prefix)?;
    let known = [writer.first.at, reader.first.at, there.at, back.at].into_iter().max()?;
    let all_seen = from.process.is_some() && from.missed.is_none() && to.missed.is_none();
    let arrives = dds.arrives(writer.data.guid, reader.data.guid, samples)?;
    let sent = samples.seconds_sent_since(Monotonic(known.0.saturating_add(BEGINS_NS))) >= UNRECEIVED;
    let fails = || {
        let targets: BTreeSet<_> = to.unicast().filter_map(Locator::socket_address).collect();
        let lately = |at: Monotonic| graph.now().since(at).as_nanos() < FAILED_NS;
        dds.sockets().failures().any(|failure| targets.contains(&failure.target) && lately(failure.last.at))
    };
    let lost = all_seen && sent && !arrives && dds.mismatch(writer, reader).is_none() && !fails();
    lost.then_some((samples, from, to))
}

fn finding(loss: &Loss<'_>) -> Finding {
    let Loss { writer, samples, from, to, topics } = loss;
    let mut draft = Draft::of_moments(Code::DatagramsLost, Severity::Error, samples.first, samples.last);
    draft.finding.count = samples.messages;
    draft.finding.stage = Some(Stage::Data);
    draft = draft.dds_topic(&writer.data.topic).participant(to).other_end(from);
    draft = draft.moments([&writer.first, &samples.first, &samples.last]);
    let size = samples.bytes as f64 / samples.messages.max(1) as f64;
    let ports: BTreeSet<_> = to.data.default_unicast.iter().map(|locator| locator.port).collect();
    let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (here, there) = (from.words(), to.words());
    let more = topics.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and of {more} more topics)") };
    let name = RosName::of_dds_topic(&writer.data.topic).name;
    let summary = format!("{name}: what {here} sends{more} does not arrive at {there}");
    let large = size > ONE_PACKET;
    let explanation = format!(
        "Both know each other and match, so that addresses and discovery are right. {} samples of about {} were sent, and the reader has \
         received none of them. {}",
        samples.messages,
        Bytes(size),
        if large {
            "What is larger than a packet travels as several IP fragments, and when one of them is dropped all of it is lost: firewalls, VPNs \
             and access points drop fragments. Small samples pass."
                .to_owned()
        } else {
            format!(
                "Discovery has ports of its own; samples go to UDP port {ports} of the reader's host, which a firewall there or on the way \
                 does not let pass."
            )
        }
    );
    let remedies = if large {
        let smaller = smaller_datagrams(from);
        vec![smaller, "let fragments pass: look for what drops them with nft list ruleset on both hosts (\"frag\"), and in the VPN".to_owned()]
    } else {
        let port = ports.split(", ").next().unwrap_or_default();
        let fixed_ports = if to.data.vendor == VendorId::CYCLONE_DDS { formula_ports() } else { String::new() };
        vec![format!("on the host of {there}: iptables -I INPUT -p udp --dport {port} -j ACCEPT{fixed_ports}")]
    };
    draft.told(&format!("{} {}", from.data.guid_prefix, to.data.guid_prefix), summary, explanation, remedies)
}

/// How an implementation is made to send datagrams that fit into one packet: then it makes fragments of its own, and repeats those that get lost.
fn smaller_datagrams(participant: &Participant) -> String {
    let who = participant.words();
    match participant.data.vendor {
        VendorId::CYCLONE_DDS => format!(
            "start {who} with CYCLONEDDS_URI='<CycloneDDS><Domain><General><MaxMessageSize>1400B</MaxMessageSize>\
             <FragmentSize>1200B</FragmentSize></General></Domain></CycloneDDS>'"
        ),
        VendorId::FAST_DDS => format!(
            "start {who} with a profile (FASTRTPS_DEFAULT_PROFILES_FILE) whose UDPv4 transport has <maxMessageSize>1400</maxMessageSize> \
             and useBuiltinTransports false"
        ),
        _ => format!("let {who} send smaller samples: each one must fit into a packet"),
    }
}
