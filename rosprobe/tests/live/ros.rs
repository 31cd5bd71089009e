//! The lab itself: what the other tests rely on, shown without rosprobe.

use crate::lab::{Lab, Library, SOON};

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn inner_hears_the_talker_and_outer_does_not() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", "/some/topic").start();
    let inner = lab.inner.node(Library::Rospy, "listener", "listener", "/some/topic").start();
    let roscpp = lab.inner.node(Library::Roscpp, "listener", "roscpp_listener", "/some/topic").start();
    let outer = lab.outer.node(Library::Rospy, "listener", "outer_listener", "/some/topic").start();
    inner.wait_for("heard hello", SOON);
    roscpp.wait_for("heard hello", SOON);
    assert!(!outer.has_said("heard"), "outer cannot reach 10.0.1.1 and heard something");
    assert!(lab.router.lookup_node("/talker").is_some_and(|uri| uri.starts_with("http://10.0.1.1:")));
}
