//! Both ends know of each other and do not match; or they count on memory that they do not share.

use rosprobe::diagnosis::{Code, Severity};

use super::case::{Case, Data, Expected, Who};
use super::cure::Cure;
use super::peer::Dds;
use super::segment::Place;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (from, to) in Dds::PAIRS.into_iter().chain([(Dds::Ros2Client, Dds::Cyclone)]) {
        cases.push(
            Case::new(
                "a best-effort talker",
                from,
                to,
                vec![qos("reliability: BEST_EFFORT offered, RELIABLE requested")],
            )
            .talker(|peer| peer.option("--reliability", "best_effort"))
            .cure(Cure::Qos(Who::Listener)),
        );
        cases.push(
            Case::new(
                "a volatile talker",
                from,
                to,
                vec![qos("durability: VOLATILE offered, TRANSIENT_LOCAL requested")],
            )
            .listener(|peer| peer.option("--durability", "transient_local"))
            .cure(Cure::Qos(Who::Listener)),
        );
        let types = Expected::new(Code::TypeMismatch)
            .about(Who::Listener)
            .says(&["/chatter", "TALKER", "writes std_msgs/msg/String", "LISTENER", "reads std_msgs/msg/Int32"])
            .remedy(&["use std_msgs/msg/String"]);
        // RustDDS alone does not compare types.
        let compared = (from, to) != (Dds::Ros2Client, Dds::Ros2Client);
        let types = if compared { types } else { types.severity(Severity::Warning).says(&["RustDDS"]) };
        cases.push(
            Case::new("another type", from, to, vec![types])
                .listener(|peer| peer.option("--type", "std_msgs/msg/Int32"))
                .data(if compared { Data::Never } else { Data::Perhaps })
                .cure(Cure::Type),
        );
    }
    let split = Expected::new(Code::SharedMemorySplit)
        .says(&["TALKER", "LISTENER", "/dev/shm"])
        .remedy(&["--ipc=host", "useBuiltinTransports false"]);
    cases.extend([Dds::Cyclone, Dds::Fast].map(port_of_samples));
    cases.extend([Dds::Cyclone, Dds::Fast].map(fragments));
    cases.push(Case::new("two containers with one network", Dds::Fast, Dds::Fast, vec![split]).apart());
    cases
}

/// A firewall that was told of discovery's port and not of the next one.
fn port_of_samples(of_talker: Dds) -> Case {
    Case::new("a firewall drops samples", of_talker, Dds::Fast, vec![lost(&["about", "UDP port 7411"], "--dport 7411")])
        .network(|segment| drop(segment.beta.run("iptables -A INPUT -p udp --dport 7411 -j DROP")))
        .cure(Cure::Command("iptables", Place::Beta))
}

/// A network that drops IP fragments: Fast DDS sends datagrams of up to 64 kB.
fn fragments(of_listener: Dds) -> Case {
    let lost = lost(&["about 100.0 kB", "IP fragments"], "<maxMessageSize>1400</maxMessageSize>");
    Case::new("samples in IP fragments, which get lost", Dds::Fast, of_listener, vec![lost])
        .both(|peer| peer.option("--size", "100000"))
        .network(|segment| drop(segment.beta.run("iptables -t raw -A PREROUTING -f -j DROP")))
}

fn lost(words: &[&'static str], remedy: &'static str) -> Expected {
    let expected = Expected::new(Code::DatagramsLost).about(Who::Listener).says(&["/chatter", "TALKER", "LISTENER"]);
    expected.says(words).remedy(&[remedy])
}

fn qos(words: &'static str) -> Expected {
    Expected::new(Code::QosIncompatible).about(Who::Listener).says(&["/chatter", "LISTENER", "TALKER", words])
}
