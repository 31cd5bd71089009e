//! A subscriber that takes nothing any more, while both kernels go on answering each other.

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding, Severity};

use super::TOPIC;
use super::cure::{command_with, run_command};
use crate::healthy::until_nothing_is_wrong;
use crate::lab::{Lab, Library, SOON, Watch};

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_subscriber_that_is_stopped_is_told_of_until_it_goes_on() {
    for library in [Library::Rospy, Library::Roscpp] {
        let lab = Lab::new();
        let mut watch = Watch::start(&lab, &[]);
        let _roscore = lab.router.roscore();
        let _talker = lab.router.node(Library::Rospy, "big", "talker", TOPIC).argument("100000").start();
        let listener = lab.inner.node(library, "listener", "listener", TOPIC).start();
        watch.until_data(&listener, TOPIC, SOON);
        listener.signal(Signal::SIGSTOP);

        let unread = |finding: &Finding| finding.code == Code::Stalled && finding.severity == Severity::Warning;
        let found = watch.finding("that nothing is read", SOON, unread).finding;
        assert_eq!(found.topic.as_deref(), Some(TOPIC), "{found:#?}");
        assert_eq!(found.process.as_ref().map(|process| process.pid), Some(listener.pid()), "{found:#?}");
        assert!(found.summary.contains("has read nothing"), "{found:#?}");
        let from_router = watch.finding_from(&lab.router, "the same at the publisher", SOON, unread);
        assert_eq!(from_router.process, None, "the subscriber runs elsewhere: {from_router:#?}");

        drop(run_command(&lab.inner, &command_with(&found, "kill -CONT")));
        until_nothing_is_wrong(&watch);
        watch.stop(Signal::SIGTERM);
        // /rosout may have just asked it for its log, and gets no answer.
        let others = |finding: &Finding| finding.id != found.id && finding.topic.as_deref() == Some(TOPIC);
        let others: Vec<Finding> = watch.alarms().into_iter().filter(others).collect();
        assert!(others.is_empty(), "{others:#?}");
    }
}
