//! Participants, endpoints and nodes of real captures.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use rosprobe::observation::dds::{Dds, Duration, EndpointData, Locator, LocatorKind, ParticipantData};
use rosprobe::observation::{Observation, What};

use crate::{CAPTURES, decoded, events, fixture};

fn dds(observations: &[Observation]) -> impl Iterator<Item = &Dds> {
    observations.iter().filter_map(|observation| match &observation.what {
        What::Dds(dds) => Some(dds),
        _ => None,
    })
}

fn milliseconds(duration: Duration) -> String {
    match duration {
        Duration::Nanoseconds(ns) => ((ns + 500_000) / 1_000_000).to_string(),
        Duration::Infinite => "infinite".to_owned(),
    }
}

/// tshark names the addresses of UDP over IPv4 only.
fn locators(locators: &[Locator]) -> String {
    let udp = locators.iter().filter(|locator| locator.kind == LocatorKind::Udpv4);
    let shown: Vec<_> = udp.map(ToString::to_string).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(",") }
}

fn or_dash(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn participant(data: &ParticipantData) -> String {
    format!(
        "participant {} vendor {} lease {} domain {} pid {} metatraffic {} default {}",
        data.guid_prefix,
        data.vendor,
        milliseconds(data.lease),
        or_dash(data.domain_id),
        or_dash(data.pid),
        locators(&data.metatraffic_unicast),
        locators(&data.default_unicast)
    )
}

fn endpoint(data: &EndpointData) -> String {
    let qos = &data.qos;
    format!(
        "{} {} {} {} {} {} deadline {} liveliness {} ownership {} unicast {}",
        data.role,
        data.guid,
        data.topic,
        data.type_name,
        qos.reliability,
        qos.durability,
        milliseconds(qos.deadline),
        qos.liveliness.kind,
        qos.ownership,
        locators(&data.unicast)
    )
}

fn table(observations: &[Observation]) -> String {
    let mut rows = BTreeMap::new();
    for dds in dds(observations) {
        match dds {
            Dds::ParticipantAnnounced { participant: data, .. } => {
                rows.insert(data.guid_prefix.to_string(), participant(data))
            }
            Dds::EndpointAnnounced { endpoint: data, .. } => rows.insert(data.guid.to_string(), endpoint(data)),
            _ => None,
        };
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort();
    rows.iter().fold(String::new(), |mut table, row| {
        let _ = writeln!(table, "{row}");
        table
    })
}

#[test]
fn participants_and_endpoints_are_those_that_tshark_reads() {
    for name in CAPTURES {
        let expected = std::fs::read_to_string(fixture(&format!("{name}.tshark.txt"))).unwrap();
        assert!(!expected.is_empty(), "{name}");
        assert_eq!(table(&decoded(&events(name))), expected, "{name}");
    }
}

#[test]
#[ignore = "needs dust_dds: cargo xtask peers builds what reads captures with it, cargo xtask test all and runs it"]
fn participants_and_endpoints_are_those_that_dust_dds_reads() {
    let oracle = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers").join("debug/dust-dds-oracle");
    for name in CAPTURES {
        let output = Command::new(&oracle).arg(fixture(&format!("{name}.pcap"))).output();
        let output =
            output.unwrap_or_else(|error| panic!("cannot run {}: {error}: cargo xtask peers", oracle.display()));
        let expected = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !expected.is_empty(), "{name}");
        assert_eq!(table(&decoded(&events(name))), expected, "{name}");
    }
}

#[test]
fn nothing_in_a_real_capture_is_malformed() {
    for name in CAPTURES {
        for observation in decoded(&events(name)) {
            assert!(!matches!(observation.what, What::Malformed { .. }), "{name}: {}", observation.what);
        }
    }
}

#[test]
fn nodes_and_their_endpoints_come_from_ros_discovery_info() {
    let observations = decoded(&events("e14_ros_discovery_info"));
    let mut shown = String::new();
    for dds in dds(&observations) {
        if let Dds::RosDiscoveryInfo { guid_prefix, nodes, .. } = dds {
            for node in nodes {
                let (readers, writers) = (&node.readers, &node.writers);
                let _ = writeln!(shown, "{guid_prefix} {} readers {readers:?} writers {writers:?}", node.full_name());
            }
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn samples_are_counted_for_each_writer() {
    let observations = decoded(&events("e3_frag_cyc"));
    let mut totals = BTreeMap::new();
    for dds in dds(&observations) {
        if let Dds::UserData { writer, messages, bytes, .. } = dds {
            totals.insert(writer.to_string(), (*messages, *bytes));
        }
    }
    insta::assert_debug_snapshot!(totals);
}
