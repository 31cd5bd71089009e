//! Domains that are not the same, and domains that are anybody's.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;

use super::case::{Case, Data, Expected, Who};
use super::cure::Cure;
use super::peer::{Dds, listener, talker};
use super::ports::hold;
use super::segment::Place;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (from, to) in Dds::PAIRS {
        cases.push(
            Case::new("each alone in its domain", from, to, vec![alone(from, to)])
                .listener(|peer| peer.domain(3))
                .cure(Cure::Variable("ROS_DOMAIN_ID", Who::Listener)),
        );
    }
    cases.extend(Dds::ALL.map(split));
    for dds in Dds::ALL {
        let ephemeral = Expected::new(Code::DomainInEphemeralRange)
            .severity(Severity::Warning)
            .says(&["domain 110", "34900", "32768-60999"])
            .remedy(&["net.ipv4.ip_local_reserved_ports=34900-35149"]);
        cases.push(
            Case::new("a domain among the ephemeral ports", dds, dds, vec![ephemeral])
                .both(|peer| peer.domain(110))
                .data(Data::Flows),
        );
        cases.push(ephemeral_taken(dds));
    }
    cases
}

fn alone(from: Dds, to: Dds) -> Expected {
    let expected = Expected::new(Code::DomainMismatch)
        .about(Who::Listener)
        .says(&["LISTENER", "TALKER", "domain 0", "domain 3", "ROS_DOMAIN_ID=3 in its environment"])
        .remedy(&["ROS_DOMAIN_ID=0", "ROS_DOMAIN_ID=3"]);
    // RustDDS tells everybody of its writers and readers, also when nobody is there.
    let told = from == Dds::Ros2Client && to == Dds::Ros2Client;
    expected.says(if told { &["/chatter: written in domain 0"] } else { &["is alone in domain 3"] })
}

/// Both are in company, and their company is not the same: what they publish and subscribe to is known.
fn split(dds: Dds) -> Case {
    let expected = Expected::new(Code::DomainMismatch)
        .about(Who::Listener)
        .says(&["/chatter: written in domain 0", "read in domain 3", "LISTENER", "TALKER", "ROS_DOMAIN_ID=3"])
        .remedy(&["ROS_DOMAIN_ID=0", "ROS_DOMAIN_ID=3"]);
    Case::new("a topic in two domains", dds, dds, vec![expected])
        .listener(|peer| peer.domain(3))
        .others(|segment| {
            vec![
                listener(Dds::Cyclone, Place::Beta).topic("/battery").start(segment),
                talker(Dds::Cyclone, Place::Alpha).topic("/map").domain(3).start(segment),
            ]
        })
        .cure(Cure::Variable("ROS_DOMAIN_ID", Who::Listener))
}

fn ephemeral_taken(dds: Dds) -> Case {
    let taken = Expected::new(Code::DomainInEphemeralRange)
        .errno(Errno::EADDRINUSE)
        .about(Who::Listener)
        .says(&["LISTENER", "port 34900", "domain 110", "32768-60999"])
        .remedy(&["ss -ulpn"]);
    let warning = Expected::new(Code::DomainInEphemeralRange).severity(Severity::Warning);
    // The talker's host has its port; what its announcements name is the listener's.
    Case::new("a port of domain 110 is somebody's", dds, dds, vec![warning, taken])
        .others(|segment| vec![hold(segment, Place::Beta, 34900..=34900)])
        .both(|peer| peer.domain(110))
        .listener_fails()
        .data(Data::Perhaps)
}
