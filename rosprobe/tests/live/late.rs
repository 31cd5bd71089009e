//! rosprobe starts when everything runs and fails already: what can still be known is said, and nothing is made up.

use std::time::Duration;

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding};
use rosprobe::errno::Errno;
use rosprobe::observation::What;

use crate::healthy::{LIBRARIES, nodes, until_nothing_is_wrong};
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

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_late_start_says_which_sockets_were_already_open() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let nodes = nodes(&lab);
    let watch = Watch::start(&lab, &[]);
    watch.observation("a socket that was open before", SOON, |observation| {
        let ours =
            observation.process.as_ref().is_some_and(|process| nodes.iter().any(|node| node.pid() == process.pid));
        ours && matches!(observation.what, What::AlreadyOpen)
    });
    let newcomer = lab.inner.node(Library::Roscpp, "listener", "newcomer", TOPIC).start();
    watch.until_data(&newcomer, TOPIC, SOON);
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

/// The clients ask for the service fifty times a second while rosprobe's programs are attached one after the other.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn what_was_running_goes_on_in_silence() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let clients = LIBRARIES.map(|library| {
        lab.inner.node(library, "persistent", &format!("persistent_{library:?}"), "/some/service").start()
    });
    let start =
        |library| lab.router.node(library, "talker", &format!("talker_{library:?}"), &format!("/{library:?}")).start();
    let talkers = LIBRARIES.map(start);
    let listeners = LIBRARIES.map(|library| {
        lab.inner.node(library, "listener", &format!("listener_{library:?}"), &format!("/{library:?}")).start()
    });
    for listener in &listeners {
        listener.wait_for("heard", SOON);
    }
    let mut watch = Watch::start(&lab, &[]);
    // Its last words to the master cross the master's to it.
    for number in 0..2 {
        lab.inner.node(Library::Roscpp, "loop", &format!("loop_{number}"), "/loop").start().wait(SOON);
    }
    let _server = lab.router.node(Library::Roscpp, "server", "server", "/some/service").start();
    for client in &clients {
        client.wait_for("answered", SOON);
    }
    // A call that the master never answers would be said after five seconds.
    std::thread::sleep(Duration::from_secs(6));
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
    drop(talkers);
    let _talkers = LIBRARIES.map(start);
    until_nothing_is_wrong(&watch);
    watch.stop(Signal::SIGTERM);
}
