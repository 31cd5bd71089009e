//! The story's solution: sshuttle carries what outer sends to 10.0.1.0/24. Shown working, and broken at its far end.

use rosprobe::diagnosis::{Code, Severity};
use rosprobe::errno::Errno;

use crate::lab::{Lab, Library, SOON, Watch};

const TOPIC: &str = "/some/topic";

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn the_sshuttle_that_is_advised_carries_the_topic() {
    let lab = Lab::new();
    lab.forward();
    lab.router.run("iptables -A INPUT -i wan0 -d 10.0.1.1 -p tcp -j REJECT --reject-with tcp-reset");
    let _ssh = lab.ssh_server();
    let watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let stranded = lab.outer.node(Library::Roscpp, "listener", "stranded", TOPIC).start();
    let refused = watch.finding("refused without sshuttle", SOON, |finding| {
        finding.code == Code::ConnectFailed && finding.errno == Some(Errno::ECONNREFUSED)
    });
    let advice = refused.finding.remedies.iter().find_map(|remedy| sshuttle_in(remedy));
    let advice = advice.unwrap_or_else(|| panic!("no sshuttle among {:#?}", refused.finding.remedies));
    drop(stranded);

    let _sshuttle = lab.sshuttle(&advice);
    for library in [Library::Rospy, Library::Roscpp] {
        let listener = lab.outer.node(library, "listener", &format!("{library:?}"), TOPIC).start();
        listener.wait_for("heard", SOON);
        watch.until_data(&listener, TOPIC, SOON);
    }

    // The talker dies without a word: sshuttle still accepts every connection and then closes it.
    drop(talker);
    let late = lab.outer.node(Library::Rospy, "listener", "late", TOPIC).start();
    watch.finding("broken behind sshuttle, which is named", SOON, |finding| {
        finding.severity == Severity::Error
            && finding.process.as_ref().is_some_and(|process| process.pid == late.pid())
            && finding.topic.as_deref() == Some(TOPIC)
            && finding.explanation.contains("sshuttle")
    });
}

/// The command line in a remedy: from `sshuttle` to the last word of its kind.
fn sshuttle_in(remedy: &str) -> Option<String> {
    let command = &remedy[remedy.find("sshuttle -r ")?..];
    let words: Vec<&str> = command.split_whitespace().take(4).collect();
    Some(words.join(" ").trim_end_matches([',', '.', ';', ')', '`']).to_owned())
}
