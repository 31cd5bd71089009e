//! Writers and readers of one topic that do not match.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::event::Direction;
use rosprobe::graph::Health;
use rosprobe::observation::What;
use rosprobe::observation::dds::{Dds, Role, VendorId};

use super::{STRING, Scene, pair, participant};
use crate::findings::shown;

#[test]
fn a_type_that_differs() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    scene.wait(6);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.topic.as_deref()), (Code::TypeMismatch, Some("/chatter")));
    assert!(finding.summary.contains("std_msgs/msg/String") && finding.summary.contains("std_msgs/msg/Int32"));
}

#[test]
fn types_of_other_names_that_match_for_their_structure() {
    let cyclone = |number, address| participant(number, VendorId::CYCLONE_DDS, &[address], 7410);
    let (here, there) = (cyclone(1, "10.0.0.1"), cyclone(2, "10.0.0.2"));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    let writer = scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    let reader = scene.endpoint(&there, Role::Reader, "rt/chatter", "mine::msg::dds_::Text_");
    scene.wait(4);
    assert_eq!(shown(&scene.findings()), "", "the reader may still acknowledge");
    scene.wait(2);
    assert_eq!(scene.finding().code, Code::TypeMismatch);
    scene.push(None, None, What::Dds(Dds::Acknowledged { direction: Direction::Sent, reader, writer }));
    assert_eq!(shown(&scene.findings()), "");
    assert!(scene.graph().links().all(|link| link.stages_health() == Health::Ok));
}

#[test]
fn types_that_nobody_compares() {
    let rust = |number, address| participant(number, VendorId::RUST_DDS, &[address], 7410);
    let (here, there) = (rust(1, "10.0.0.1"), rust(2, "10.0.0.2"));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &there);
    scene.endpoint(&here, Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&there, Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::TypeMismatch, Severity::Warning));
    assert!(finding.explanation.contains("does not compare types"), "{}", finding.explanation);
}

#[test]
fn types_that_nobody_compares_and_participants_that_are_not_known_yet() {
    let rust = |number| {
        let mut participant = participant(number, VendorId::RUST_DDS, &["10.0.0.1"], 7410);
        participant.guid_prefix.0[..2].copy_from_slice(&VendorId::RUST_DDS.0);
        participant
    };
    let mut scene = Scene::default();
    scene.endpoint(&rust(1), Role::Writer, "rt/chatter", STRING);
    scene.endpoint(&rust(2), Role::Reader, "rt/chatter", "std_msgs::msg::dds_::Int32_");
    assert_eq!(scene.finding().severity, Severity::Warning);
}
