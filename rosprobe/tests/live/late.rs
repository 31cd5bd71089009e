//! rosprobe starts when everything runs and fails already: what can still be known is said, and nothing is made up.

use std::time::Duration;

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding};
use rosprobe::errno::Errno;

use crate::lab::{Lab, Library, SOON, Watch};

const TOPIC: &str = "/some/topic";

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn what_nodes_still_try_is_diagnosed_from_their_host_and_from_the_masters() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let rospy = lab.outer.node(Library::Rospy, "listener", "listener", TOPIC).start();
    let _roscpp = lab.outer.node(Library::Roscpp, "listener", "quiet", TOPIC).start();
    let _deaf = lab.outer.node(Library::Roscpp, "listener", "deaf", TOPIC).env("ROS_IP", "10.9.9.9").start();
    // By then both have been told of the talker: roscpp has tried once, and rospy pauses longer and longer.
    std::thread::sleep(Duration::from_secs(5));

    let mut watch = Watch::start(&lab, &[]);
    let talker_at = lab.router.lookup_node("/talker").expect("the talker is registered");
    let of_rospy = |finding: &Finding| finding.process.as_ref().is_some_and(|process| process.pid == rospy.pid());
    let tries = |finding: &Finding| finding.code == Code::ConnectFailed && of_rospy(finding);
    let found = watch.finding("rospy tries again", Duration::from_secs(90), tries).finding;
    assert_eq!((found.errno, found.topic.as_deref()), (Some(Errno::ENETUNREACH), None), "{found:#?}");
    assert_eq!(found.address.map(|address| format!("http://{address}/")), Some(talker_at));
    let remedies = found.remedies.join("\n");
    assert!(remedies.contains(&format!("(pid {})", talker.pid())), "who listens there is known: {remedies}");
    let from_outer = watch.finding_from(&lab.outer, "rospy tries again", SOON, tries);
    let remedies = from_outer.remedies.join("\n");
    assert!(remedies.contains("via 192.168.50.1 && sshuttle -r 192.168.50.1 10.0.1.0/24"), "{remedies}");
    assert!(watch.alarms().iter().all(of_rospy), "roscpp tries no more: {:#?}", watch.alarms());
    assert!(
        watch.alarms_from(&lab.router).is_empty(),
        "nothing of it comes here: {:#?}",
        watch.alarms_from(&lab.router)
    );

    let _second = lab.router.node(Library::Rospy, "talker", "second", TOPIC).start();
    let callback =
        watch.finding_from(&lab.router, "the master calls a node that it knows from before", SOON, |finding| {
            finding.code == Code::CallbackFailed
        });
    assert_eq!(callback.errno, Some(Errno::ENETUNREACH), "{callback:#?}");
    assert!(callback.address.is_some_and(|address| address.starts_with("10.9.9.9:")));
    watch.stop(Signal::SIGINT);
}
