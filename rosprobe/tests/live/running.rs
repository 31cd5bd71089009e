//! How `rosprobe watch` runs: a command of its own, signals, exit status, the screen.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rosprobe::diagnosis::{Code, Finding};
use rosprobe::observation::What;

use crate::lab::{Lab, Library, SOON, Screen, Watch};

const TOPIC: &str = "/some/topic";
/// Debian's user `nobody`.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_command_runs_as_the_invoking_user_and_ends_the_watch() {
    let lab = Lab::new();
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let mut command = lab.outer.command(env!("CARGO_BIN_EXE_rosprobe"));
    command.env("SUDO_UID", NOBODY.to_string()).env("SUDO_GID", NOBODY.to_string()).env("SUDO_USER", "nobody");
    let home = home_for_everybody();
    command.env("HOME", home.path());
    command.args(["watch", "--output", "jsonl", "--", "timeout", "600", "rostopic", "echo", TOPIC]);
    let mut watch = Watch::spawn(&lab, command);
    let found = watch.finding("rostopic cannot connect", SOON, |finding| finding.code == Code::ConnectFailed);
    let pid = found.finding.process.expect("a failed connect has a process").pid;
    let process = watch.observation(
        "who rostopic is",
        SOON,
        |observation| matches!(&observation.what, What::Process(process) if process.pid == pid),
    );
    assert!(matches!(process.what, What::Process(process) if process.uid == Some(NOBODY)), "it runs as nobody");
    kill(Pid::from_raw(pid.try_into().expect("process ids of Linux fit in an i32")), Signal::SIGTERM)
        .expect("rostopic goes on trying");
    let status = watch.wait(SOON);
    assert_eq!(status.code(), Some(1), "findings of severity error make the exit status 1");
    let strangers = watch.observations(|observation| {
        // What a network namespace looks like is read from any process in it.
        let about_a_namespace = matches!(observation.what, What::Namespace(_));
        !about_a_namespace && observation.process.as_ref().is_some_and(|process| process.comm.contains("rosmaster"))
    });
    assert!(strangers.is_empty(), "the command is watched alone: {strangers:#?}");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn signals_end_it_with_the_exit_status_of_what_was_found() {
    let lab = Lab::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut watch = Watch::start(&lab, &["--topic", "/no/such/topic"]);
        assert_eq!(watch.stop(signal).code(), Some(0), "nothing was found before {signal}");
    }
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let mut watch = Watch::start(&lab, &["--topic", TOPIC]);
    let _listener = lab.outer.node(Library::Roscpp, "listener", "listener", TOPIC).start();
    watch.finding("no route", SOON, |finding| finding.code == Code::ConnectFailed);
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(1), "an error was found");
}

/// The description of the kernel's types is tens of megabytes when it is taken apart.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn what_the_start_needed_is_given_back() {
    let lab = Lab::new();
    let watch = Watch::start(&lab, &[]);
    let bytes = watch.anonymous_bytes();
    assert!(bytes < 12_000_000, "{bytes} bytes are held when the watch begins");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn the_screen_shows_the_failing_link_and_leaves_the_terminal_as_it_was() {
    let lab = Lab::new();
    let screen = Screen::new();
    screen.send(&["echo before", "Enter"]);
    screen.wait_for("before", SOON);
    let namespaces = lab.hosts().map(|host| format!(" --netns {}", host.namespace())).concat();
    screen.send(&[&format!("{} watch{namespaces}; echo status $?", env!("CARGO_BIN_EXE_rosprobe")), "Enter"]);
    screen.wait_for("Waiting for ROS nodes", SOON);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let _listener = lab.outer.node(Library::Roscpp, "listener", "listener", TOPIC).start();
    for text in [TOPIC, "/listener", "/talker", "10.0.1.1:", "ENETUNREACH"] {
        screen.wait_for(text, SOON);
    }
    screen.send(&["/", "no_such_topic"]);
    screen.wait_for_absence("ENETUNREACH", SOON);
    screen.send(&["Escape"]);
    screen.wait_for("ENETUNREACH", SOON);
    screen.send(&["/", TOPIC, "Enter"]);
    screen.wait_for(&format!("{TOPIC}  "), SOON);
    screen.wait_for_absence("to master", SOON);
    screen.send(&["Down", "Up", "Enter"]);
    screen.wait_for("Ladder", SOON);
    screen.send(&["Escape"]);
    screen.wait_for("OUTCOME", SOON);
    screen.send(&["p"]);
    screen.wait_for("observations came in since", SOON);
    screen.send(&["p"]);
    screen.wait_for_absence("FROZEN", SOON);
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let trace = folder.path().join("live.json");
    screen.send(&["e", "C-u"]);
    screen.send(&["-l", trace.to_str().expect("a temporary name is text")]);
    screen.send(&["Enter"]);
    screen.wait_for("observations written to", SOON);
    screen.send(&["q"]);
    screen.wait_for("status 1", SOON);
    screen.wait_for("before", SOON);
    screen.send(&["stty -a | grep -c ' icanon'; stty -a | grep -c ' echo '", "Enter"]);
    screen.wait_for("1\n1\n", SOON);
    let report = std::process::Command::new(env!("CARGO_BIN_EXE_rosprobe")).arg("report").arg(&trace).output();
    let report = String::from_utf8(report.expect("rosprobe starts").stdout).expect("a report is text");
    assert!(report.contains("ENETUNREACH") && report.contains(TOPIC), "{report}");
}

/// A home directory that any user may write to.
fn home_for_everybody() -> tempfile::TempDir {
    let everybody = std::fs::Permissions::from_mode(0o777);
    tempfile::Builder::new().permissions(everybody).tempdir().expect("a temporary directory can be made")
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn what_was_wrong_stays_when_its_publisher_unregisters_and_says_since_when_it_is_over() {
    let lab = Lab::new();
    let mut watch = Watch::start(&lab, &[]);
    let _roscore = lab.router.roscore();
    let mut talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let _listener = lab.outer.node(Library::Rospy, "listener", "listener", TOPIC).start();
    let failed = |finding: &Finding| finding.code == Code::ConnectFailed && finding.topic.as_deref() == Some(TOPIC);
    let found = watch.finding("no route", SOON, |finding| failed(finding) && finding.ended.is_none());
    // rospy tries again after 1, 2, 4, ... seconds: it has to last longer than a node takes to leave.
    watch.observation("another attempt", SOON, |observation| {
        let later = observation.time.duration_since(found.finding.first).as_secs() >= 5;
        later && matches!(observation.what, What::ConnectFailed { .. })
    });
    talker.signal(Signal::SIGINT);
    talker.wait(SOON);
    let over = watch.finding("it is over", SOON, |finding| failed(finding) && finding.ended.is_some());
    assert_eq!(over.finding.id, found.finding.id);
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(1), "an error was found");
    assert!(watch.standing().iter().any(failed), "{:#?}", watch.standing());
}
