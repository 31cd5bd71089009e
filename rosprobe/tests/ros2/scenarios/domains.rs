//! Participants and topics in different domains.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::observation::dds::Role;

use super::{Scene, fast, pair};
use crate::findings::shown;

#[test]
fn a_domain_id_in_the_environment_that_differs_from_the_others() {
    let (here, there) = pair();
    let mut scene = Scene::default();
    scene.process(101, 1, 1, &[("ROS_DOMAIN_ID", "7")]);
    scene.process(102, 2, 1, &[]);
    scene.announce(101, 1, "10.0.0.1", 7, &here);
    scene.announce(102, 2, "10.0.0.2", 0, &there);
    scene.wait(4);
    let finding = scene.finding();
    assert_eq!((finding.code, finding.severity), (Code::DomainMismatch, Severity::Error));
    assert!(finding.explanation.contains("ROS_DOMAIN_ID=7 in its environment"), "{}", finding.explanation);
    assert!(finding.explanation.contains("ROS_DOMAIN_ID is not set"), "{}", finding.explanation);
    assert!(finding.remedies[0].contains("ROS_DOMAIN_ID=0"), "{:?}", finding.remedies);
}

#[test]
fn a_topic_written_in_one_domain_and_read_in_another() {
    let (here, also_here) = pair();
    let (there, also_there) = (fast(3, &["10.0.0.1"]), fast(4, &["10.0.0.2"]));
    let mut scene = Scene::default();
    scene.healthy_pair(0, &here, &also_here);
    scene.healthy_pair(5, &there, &also_there);
    scene.endpoint(&here, Role::Writer, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    scene.endpoint(&there, Role::Reader, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    let finding = scene.finding();
    assert_eq!((finding.code, finding.topic.as_deref()), (Code::DomainMismatch, Some("/scan")));
    assert!(finding.summary.contains("written in domain 0") && finding.summary.contains("read in domain 5"));
    scene.endpoint(&also_there, Role::Writer, "rt/scan", "sensor_msgs::msg::dds_::LaserScan_");
    assert_eq!(shown(&scene.findings()), "", "two robots, each with its own");
}

#[test]
fn a_domain_that_cannot_be_is_not_believed() {
    let (mut here, there) = pair();
    here.domain_id = Some(u32::MAX);
    let mut scene = Scene::default();
    for _ in 0..5 {
        scene.announce(101, 1, "10.0.0.1", 0, &here);
        scene.announce(102, 2, "10.0.0.2", 0, &there);
        scene.wait(8);
    }
    let finding = scene.finding();
    assert_eq!((finding.code, finding.domain), (Code::NoRemoteDiscovery, Some(0)));
}
