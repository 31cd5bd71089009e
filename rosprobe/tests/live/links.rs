//! Every link stands right while nodes come and go, from every host: none is shown as failed or under way when nothing is wrong.

use std::time::Duration;

use nix::sys::signal::Signal;
use rosprobe::graph::{Health, LinkKind};
use rosprobe::session::Session;

use crate::lab::{Host, Lab, Library, Program, SOON, Watch};

const TOPIC: &str = "/some/topic";

/// How many links of the topic a subscriber has that work.
fn working(session: &Session, subscriber: &Program) -> usize {
    let of_it = |pid| pid == Some(subscriber.pid());
    let links = session.graph().links().filter(|link| link.kind == LinkKind::Topic && link.is_named(TOPIC));
    let mine = links.filter(|link| of_it(link.subscriber.process.as_ref().map(|process| process.pid)));
    mine.filter(|link| session.health(link) == Health::Ok).count()
}

fn is_quiet(session: &Session) -> bool {
    let counts = session.link_counts();
    counts.failed == 0 && counts.pending == 0
}

fn nothing_is_wrong_from(watch: &Watch, hosts: [&Host; 3]) {
    for host in hosts {
        watch.until_from(host, "nothing failed and nothing under way", SOON, is_quiet);
        assert!(watch.alarms_from(host).is_empty(), "{}: {:#?}", host.name, watch.alarms_from(host));
    }
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn visitors_of_a_running_fleet_leave_no_link_that_looks_broken() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let listener = lab.inner.node(Library::Roscpp, "listener", "listener", TOPIC).start();
    listener.wait_for("heard", SOON);
    let mut watch = Watch::start(&lab, &[]);
    let uri = lab.router.lookup_node("/talker").expect("the talker is registered");
    let port = uri.trim_end_matches('/').rsplit(':').next().expect("a URI has a port");
    let probe = format!("import socket; socket.create_connection(('10.0.1.1', {port})).close()");
    for round in 0..3 {
        for (library, name) in [(Library::Roscpp, "visitor"), (Library::Rospy, "guest")] {
            let node = format!("{name}_{round}");
            let mut visitor = lab.router.node(library, "talker", &node, "/elsewhere").start();
            visitor.signal(Signal::SIGINT);
            visitor.wait(SOON);
        }
        lab.inner.run("rostopic list");
        lab.inner.run("rosnode ping -c 1 /talker");
        lab.inner.run("rostopic echo -n 1 /some/topic");
        lab.router.run("rostopic pub --once /some/topic std_msgs/String latched");
        assert!(lab.inner.command("python3").args(["-c", &probe]).status().is_ok_and(|status| status.success()));
    }
    std::thread::sleep(Duration::from_secs(1));
    nothing_is_wrong_from(&watch, lab.hosts());
    watch.stop(Signal::SIGINT);
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn fifty_publishers_of_one_topic_are_fifty_links_that_stand_right() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let talker = |number| {
        let library = if number % 25 == 0 { Library::Rospy } else { Library::Roscpp };
        lab.router.node(library, "talker", &format!("talker_{number}"), TOPIC).argument("1").launch()
    };
    let mut talkers: Vec<Program> = (0..50).map(talker).collect();
    for talker in &talkers {
        talker.wait_for("advertised", SOON);
    }
    let listener = |(library, name)| lab.inner.node(library, "listener", name, TOPIC).start();
    let listeners = [(Library::Rospy, "slow"), (Library::Roscpp, "fast")].map(listener);
    // It unsubscribes with the first message, while it connects to the others.
    for _ in 0..3 {
        lab.inner.run("rostopic echo -n 1 /some/topic");
    }
    // It latches, and is gone when some hear of it.
    lab.router.run("rostopic pub --once /some/topic std_msgs/String latched");
    for listener in &listeners {
        watch.until_from(&lab.inner, "fifty links", SOON, |session| working(session, listener) == 50);
    }
    nothing_is_wrong_from(&watch, lab.hosts());
    for talker in &talkers[..10] {
        talker.signal(Signal::SIGINT);
    }
    for mut talker in talkers.drain(..10) {
        talker.wait(SOON);
    }
    for listener in &listeners {
        watch.until_from(&lab.inner, "forty links", SOON, |session| working(session, listener) == 40);
    }
    nothing_is_wrong_from(&watch, lab.hosts());
    watch.stop(Signal::SIGINT);
}
