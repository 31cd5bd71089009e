//! ROS 2: the ends of a link with their quality of service and locators; domains, participants and endpoints.

use std::fmt::Display;

use super::super::ends::Ends;
use super::super::marks;
use super::super::scene::Scene;
use super::super::theme::Role;
use super::super::{domains, endpoints, participants, text};
use super::page::Page;
use super::story::{TIMELINE, links_section, timeline};
use super::verdict;
use crate::diagnosis::Finding;
use crate::graph::Link;
use crate::graph::dds::{Endpoint, Participant};
use crate::observation::dds::{
    self, Dds, Discovery, GuidPrefix, Locator, NodeEntities, Qos, RosName, incompatibilities, ros_type,
};
use crate::observation::{Observation, What};

/// The ends of a link between a writer and a reader; nothing for a link of ROS 1.
pub(super) fn ends(scene: &Scene, link: &Link, page: &mut Page) {
    let Some((writer, reader)) = scene.graph().dds().ends(link.id) else { return };
    page.heading("Writer and reader");
    for end in [writer, reader] {
        let who = participants::end_label(scene, end);
        let vendor = scene.participant_of(end).map_or("?".into(), |owner| owner.data.vendor.name());
        let words = format!("{who}, {vendor}, {}, type {}", end.data.guid, ros_type(&end.data.type_name));
        page.labelled(&format!("{:<6}", end.data.role.to_string()), &words, Role::Text);
    }
    qos_of_both(&writer.data.qos, &reader.data.qos, page);
    page.heading("Locators");
    for end in [writer, reader] {
        locators(scene, &end.data.role.to_string(), &participants::data_locators(scene, end), page);
    }
}

/// A policy's name and its values, offered and requested.
type PolicyRow = (&'static str, String, String);

fn policies(offered: &Qos, requested: &Qos) -> Vec<PolicyRow> {
    let row = |name: &'static str, of: &dyn Fn(&Qos) -> String| (name, of(offered), of(requested));
    let shown = |value: &dyn Display| value.to_string();
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let forms = |forms: &[i16]| match forms {
        [] => "not said".to_owned(),
        forms => forms.iter().map(|form| dds::representation_name(*form)).collect::<Vec<_>>().join(", "),
    };
    vec![
        row("reliability", &|qos| shown(&qos.reliability)),
        row("durability", &|qos| shown(&qos.durability)),
        row("deadline", &|qos| shown(&qos.deadline)),
        row("latency_budget", &|qos| shown(&qos.latency_budget)),
        row("liveliness", &|qos| shown(&qos.liveliness.kind)),
        row("liveliness_lease_duration", &|qos| shown(&qos.liveliness.lease)),
        row("ownership", &|qos| shown(&qos.ownership)),
        row("destination_order", &|qos| shown(&qos.destination_order)),
        row("presentation", &|qos| shown(&qos.presentation)),
        row("partition", &|qos| list(&qos.partitions)),
        row("data_representation", &|qos| forms(&qos.data_representations)),
    ]
}

/// What the writer offers beside what the reader requests. Policies with their defaults at both ends are left out, the two that people
/// set most excepted.
fn qos_of_both(offered: &Qos, requested: &Qos, page: &mut Page) {
    page.heading("Quality of service");
    let apart: Vec<String> =
        incompatibilities(offered, requested).iter().map(|found| found.policy.to_string()).collect();
    let defaults = policies(&Qos::WRITER_DEFAULT, &Qos::READER_DEFAULT);
    let rows = policies(offered, requested);
    let telling = rows.into_iter().zip(defaults).enumerate().filter(|(position, (row, default))| {
        *position < 2 || row != default || apart.iter().any(|policy| policy == row.0)
    });
    let telling: Vec<PolicyRow> = telling.map(|(_, (row, _))| row).collect();
    let widest = telling.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let offers = telling.iter().map(|(_, offered, _)| text::width(offered)).max().unwrap_or(0).max(14);
    page.cut(&format!("  {:<widest$}  {:<offers$}  reader requests", "", "writer offers"), Role::Muted);
    for (name, offered, requested) in telling {
        let (symbol, role) =
            if apart.iter().any(|policy| policy == name) { ("✗", Role::Err) } else { ("✓", Role::Ok) };
        let padding = " ".repeat(offers.saturating_sub(text::width(&offered)));
        page.cut(&format!("{symbol} {name:<widest$}  {offered}{padding}  {requested}"), role);
    }
}

/// Addresses, and what became of packets that were sent there.
fn locators(scene: &Scene, of: &str, locators: &[&Locator], page: &mut Page) {
    if locators.is_empty() {
        page.labelled(&format!("{of:<6}"), "none was announced", Role::Muted);
    }
    for (position, locator) in locators.iter().enumerate() {
        let label = if position == 0 { of } else { "" };
        let (words, role) = match trouble(scene, locator) {
            Some(trouble) => (format!("✗ {locator}  {trouble}"), Role::Err),
            None => (locator.to_string(), Role::Accent),
        };
        page.labelled(&format!("{label:<6}"), &words, role);
    }
}

/// Why packets do not reach an address, as far as that was seen.
fn trouble(scene: &Scene, locator: &Locator) -> Option<String> {
    let address = locator.socket_address()?;
    let failed = scene.graph().dds().sockets().failures().find(|failure| failure.target == address);
    if let Some(failure) = failed {
        let who = failure.process.as_ref().map(|process| scene.process_label(process));
        let who = who.or_else(|| failure.source.map(|source| source.to_string()));
        let from = who.map(|who| format!(" from {who}")).unwrap_or_default();
        let how = if failure.by_icmp { "answered with" } else { "send failed:" };
        return Some(format!("{how} {} ×{}{from}", failure.errno, failure.count));
    }
    let shown = [address.to_string(), address.ip().to_string()];
    let about = |finding: &&Finding| finding.address.as_ref().is_some_and(|given| shown.contains(given));
    let finding = scene.session().findings().iter().find(about)?;
    Some(finding.code.word())
}

fn verdicts<'a>(found: impl Iterator<Item = &'a Finding>, page: &mut Page) {
    found.for_each(|finding| verdict(finding, page));
}

/// The page of a domain.
pub(super) fn domain_page(scene: &Scene, ends: &Ends, number: Option<u32>, page: &mut Page) {
    let members: Vec<&Participant> =
        scene.graph().dds().participants().filter(|participant| participant.domain() == number).collect();
    let evidence = |finding: &Finding| {
        let all = members.iter().flat_map(|member| &member.evidence);
        finding.domain.is_some() && finding.domain == number
            || all.into_iter().any(|moment| finding.evidence.contains(&moment.id))
    };
    verdicts(scene.session().findings().iter().filter(|finding| evidence(finding)), page);
    let what = match number {
        Some(number) => format!("Domain {number} (ROS_DOMAIN_ID={number})"),
        None => "Participants whose domain nothing tells: neither their own word nor a multicast port".to_owned(),
    };
    page.heading(&what);
    if let Some(port) = domains::discovery_port(number) {
        let words = format!("They announce themselves to UDP port {port}; `rosprobe domain` explains the others.");
        page.labelled("", &words, Role::Text);
    }
    page.heading(&format!("Participants ({})", members.len()));
    for member in members.iter().take(TIMELINE) {
        participant_line(scene, ends, member, page);
    }
    let in_domain = |link: &&Link| {
        let ends = scene.graph().dds().ends(link.id);
        ends.is_some_and(|(writer, _)| scene.graph().dds().domain(writer.data.guid.prefix) == number)
    };
    links_section(scene, scene.graph().dds().links().filter(in_domain).collect(), page);
}

fn participant_line(scene: &Scene, ends: &Ends, participant: &Participant, page: &mut Page) {
    let (symbol, role) = marks::of_health(participants::health(ends, participant));
    let (state, known) = participants::state(scene, participant);
    let symbol = if known { symbol } else { "·" };
    let words = format!(
        "{symbol} {}  {}  at {}  {state}",
        participants::label(participant),
        participant.data.vendor.name(),
        participants::locators(participant).join(", ")
    );
    page.cut(&words, role);
}

/// The page of a participant.
pub(super) fn participant_page(scene: &Scene, ends: &Ends, participant: &Participant, page: &mut Page) {
    let blamed = |finding: &&Finding| participant.evidence.iter().any(|moment| finding.evidence.contains(&moment.id));
    verdicts(scene.session().findings().iter().filter(blamed), page);
    let data = &participant.data;
    page.heading(&format!("Participant {}", data.guid_prefix));
    let counts = participants::counts(scene, ends, participant);
    let facts = [
        ("Who", participants::label(participant)),
        ("State", participants::state(scene, participant).0),
        ("Domain", domains::name(participant.domain())),
        ("DDS", format!("{}, protocol {}", data.vendor.name(), data.protocol_version)),
        ("Host", data.host.clone().unwrap_or_else(|| "it does not say".to_owned())),
        ("Nodes", joined(participant.nodes.iter().map(NodeEntities::full_name), "none named so far")),
        ("From", joined(participant.addresses.iter().map(ToString::to_string), "no packet of its own was seen")),
        ("Lease", data.lease.to_string()),
        ("Finds", discovery(data.discovery).to_owned()),
        ("Links", format!("{} ok, {} pending, {} failed", counts.ok, counts.pending, counts.failed)),
    ];
    for (name, value) in facts {
        page.labelled(&format!("{name:<7}"), &value, Role::Text);
    }
    if data.secured {
        page.labelled(
            "!",
            "its endpoints and data are encrypted (DDS-Security): what it says cannot be read",
            Role::Warn,
        );
    }
    page.heading("Announcements");
    match participant.multicasts {
        Some((first, last, count)) => {
            let (first, last) = (scene.wall(first.time), scene.wall(last.time));
            page.labelled("", &format!("to everybody (multicast) {count} times, {first} to {last}"), Role::Text);
        }
        None => page.labelled("", "none by multicast was seen at its own socket", Role::Muted),
    }
    for (target, count) in participant.announced_to.iter().take(TIMELINE) {
        page.labelled("", &format!("to {target} {count} times"), Role::Text);
    }
    page.heading("Locators");
    for (name, list) in [("discovery", &data.metatraffic_unicast), ("data", &data.default_unicast)] {
        locators(scene, &format!("{name:<9}"), &list.iter().collect::<Vec<_>>(), page);
    }
    page.heading(&format!("Knows ({})", participant.knows.len()));
    for (prefix, moment) in participant.knows.iter().take(TIMELINE) {
        let other = scene.graph().dds().participant(*prefix);
        let other = other.map_or_else(|| prefix.to_string(), participants::label);
        page.cut(&format!("{}  {other}", scene.wall(moment.time)), Role::Text);
    }
    let own: Vec<&Endpoint> =
        scene.graph().dds().endpoints().filter(|end| end.data.guid.prefix == data.guid_prefix).collect();
    page.heading(&format!("Writers and readers ({})", own.len()));
    if let Some(why) = scene.graph().dds().silence(participant) {
        page.labelled("", why.words(), Role::Warn);
    }
    for end in own.iter().take(TIMELINE) {
        let (state, role) = endpoints::state(scene, ends, end);
        let topic = RosName::of_dds_topic(&end.data.topic);
        page.cut(&format!("{} {topic}  {}  {state}", end.data.role, ros_type(&end.data.type_name)), role);
    }
    said(scene, data.guid_prefix, |_| true, page);
}

fn joined(names: impl Iterator<Item = String>, none: &str) -> String {
    let names = names.collect::<Vec<_>>().join(", ");
    if names.is_empty() { none.to_owned() } else { names }
}

const fn discovery(how: Discovery) -> &'static str {
    match how {
        Discovery::Simple => "others by announcements to everybody",
        Discovery::Client => "others through a discovery server",
        Discovery::Server => "others as a discovery server",
    }
}

/// The page of a writer or a reader.
pub(super) fn endpoint_page(scene: &Scene, ends: &Ends, endpoint: &Endpoint, page: &mut Page) {
    let data = &endpoint.data;
    let made_from =
        |finding: &&Finding| [endpoint.first.id, endpoint.changed.id].iter().any(|id| finding.evidence.contains(id));
    verdicts(scene.session().findings().iter().filter(made_from), page);
    page.heading(&format!("{} of {}", data.role, RosName::of_dds_topic(&data.topic)));
    let sent = scene.graph().dds().samples(data.guid);
    let sent = sent.map(|samples| format!("{} samples, {} bytes", samples.messages, samples.bytes));
    let facts = [
        ("Of", Some(participants::end_label(scene, endpoint))),
        ("GUID", Some(data.guid.to_string())),
        ("Topic", Some(format!("{} in DDS", data.topic))),
        ("Type", Some(ros_type(&data.type_name))),
        ("Hash", data.type_hash.clone()),
        ("Since", Some(scene.wall(endpoint.first.time))),
        ("State", Some(endpoints::state(scene, ends, endpoint).0)),
        ("Sent", sent),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.labelled(&format!("{name:<6}"), &value, Role::Text);
        }
    }
    page.heading(match data.role {
        dds::Role::Writer => "Quality of service that it offers",
        dds::Role::Reader => "Quality of service that it requests",
    });
    for (name, value, _) in policies(&data.qos, &data.qos) {
        page.cut(&format!("{name:<26}{value}"), Role::Text);
    }
    page.heading("Locators");
    locators(scene, "", &participants::data_locators(scene, endpoint), page);
    let own = |link: &&Link| {
        let ends = scene.graph().dds().ends(link.id);
        ends.is_some_and(|(writer, reader)| writer.data.guid == data.guid || reader.data.guid == data.guid)
    };
    let own: Vec<&Link> = scene.graph().dds().links().filter(own).collect();
    if own.is_empty() {
        page.heading("Links (0)");
        page.labelled("", &lonely(scene, endpoint), Role::Warn);
    } else {
        links_section(scene, own, page);
    }
    let guid = data.guid;
    said(
        scene,
        guid.prefix,
        |what| matches!(what, Dds::EndpointAnnounced { endpoint, .. } if endpoint.guid == guid),
        page,
    );
}

/// Why an endpoint may have no link.
fn lonely(scene: &Scene, endpoint: &Endpoint) -> String {
    let dds = scene.graph().dds();
    let same = |other: &&Endpoint| other.data.topic == endpoint.data.topic && other.data.role != endpoint.data.role;
    let other = if endpoint.data.role == dds::Role::Writer { "reader" } else { "writer" };
    match dds.endpoints().find(same) {
        Some(found) => format!(
            "there is a {other} of this topic, in domain {}: participants of different domains never meet",
            domains::name(dds.domain(found.data.guid.prefix))
        ),
        None => format!("no {other} of this topic was announced"),
    }
}

/// What was said by and about a participant.
fn said(scene: &Scene, prefix: GuidPrefix, wanted: impl Fn(&Dds) -> bool, page: &mut Page) {
    let about = |seen: &&Observation| matches!(&seen.what, What::Dds(what) if what.names(prefix) && wanted(what));
    let mut seen: Vec<&Observation> = scene.session().history().iter().rev().filter(about).take(TIMELINE).collect();
    seen.reverse();
    timeline(scene, &seen, page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_that_can_keep_ends_apart_is_in_the_table() {
        let rows = policies(&Qos::WRITER_DEFAULT, &Qos::READER_DEFAULT);
        let names: Vec<&str> = rows.iter().map(|(name, ..)| *name).collect();
        for policy in dds::Policy::ALL {
            assert!(names.contains(&policy.to_string().as_str()), "{policy}");
        }
    }
}
