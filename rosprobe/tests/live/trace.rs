//! What travels: recordings and traces of real ROS, also where the disk, the folder or the process gives way.

mod disk;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding, Severity};
use rosprobe::errno::Errno;
use rosprobe::observation::{Observation, What};
use rosprobe::trace::{self, Opened};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::{Host, Lab, Library, Program, SOON, Screen, Watch};

const TOPIC: &str = "/some/topic";
/// Debian's user and group `nobody`.
const NOBODY: u32 = 65534;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosprobe"));
    command.args(arguments);
    command
}

/// What `rosprobe report --format json` prints about these files.
fn report(files: &[&Path]) -> Value {
    let output = program(&["report", "--format", "json"]).args(files).output().expect("rosprobe runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn open(path: &Path) -> Opened {
    trace::open(path, &mut |_| {}).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

/// A watch of all hosts that records into `path`.
fn recording(lab: &Lab, path: &Path) -> Watch {
    Watch::start(lab, &["--record", text(path)])
}

/// The story's fault: outer is given an address that it has no route to.
fn stranded_listener(lab: &Lab) -> Vec<Program> {
    let roscore = lab.router.roscore();
    let talker = lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start();
    let listener = lab.outer.node(Library::Roscpp, "listener", "listener", TOPIC).start();
    vec![roscore, talker, listener]
}

fn until_stranded(watch: &Watch) -> Finding {
    watch.finding("no route", SOON, |finding| finding.code == Code::ConnectFailed).finding
}

/// Each finding as JSON, by id.
fn sorted(findings: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut findings: Vec<Value> = findings.into_iter().collect();
    findings.sort_by_key(|finding| finding["id"].as_str().map(str::to_owned));
    findings
}

fn printed(watch: &Watch) -> Vec<Value> {
    sorted(watch.standing().iter().map(|finding| serde_json::to_value(finding).expect("a finding is JSON")))
}

fn reported(report: &Value) -> Vec<Value> {
    sorted(report["findings"].as_array().expect("a report has findings").iter().cloned())
}

/// The recording and the trace of it say what was printed live, and a second export is the first one, byte for byte.
fn is_the_same_from_the_file(watch: &Watch, recording: &Path) {
    assert_eq!(printed(watch), reported(&report(&[recording])), "findings live and from the recording");
    let opened = open(recording);
    assert_eq!(opened.missing, Vec::<String>::new());
    let seen = watch.observations(|_| true);
    assert_eq!(seen.iter().collect::<Vec<_>>(), opened.session.history().iter().collect::<Vec<_>>());
    let [first, second] = ["first.json", "second.json"].map(|name| recording.with_file_name(name));
    for (from, to) in [(recording, &first), (&first, &second)] {
        let status = program(&["export", "--format", "json", text(from), "--output", text(to)]).status();
        assert!(status.expect("rosprobe runs").success());
    }
    assert_eq!(fs::read(&first).expect("written"), fs::read(&second).expect("written"), "a second export");
    assert_eq!(printed(watch), reported(&report(&[&first])), "findings live and from the trace");
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_failing_run_and_its_trace_have_the_same_findings() {
    let (lab, folder) = (Lab::new(), folder());
    let path = folder.path().join("run.jsonl.gz");
    let mut watch = recording(&lab, &path);
    let _programs = stranded_listener(&lab);
    until_stranded(&watch);
    assert_eq!(watch.stop(Signal::SIGINT).code(), Some(1));
    assert!(fs::read(&path).expect("recorded").starts_with(&[0x1f, 0x8b]), "compressed by its name");
    assert!(!printed(&watch).is_empty());
    is_the_same_from_the_file(&watch, &path);
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_healthy_run_and_its_trace_have_no_findings() {
    let (lab, folder) = (Lab::new(), folder());
    let path = folder.path().join("run.jsonl");
    let mut watch = recording(&lab, &path);
    let _roscore = lab.router.roscore();
    let _talker = lab.router.node(Library::Roscpp, "talker", "talker", TOPIC).start();
    let listener = lab.inner.node(Library::Rospy, "listener", "listener", TOPIC).start();
    watch.until_data(&listener, TOPIC, SOON);
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(0));
    assert!(watch.alarms().is_empty(), "{:#?}", watch.alarms());
    is_the_same_from_the_file(&watch, &path);
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_recording_that_is_killed_lacks_at_most_its_last_second() {
    for name in ["killed.jsonl", "killed.jsonl.gz"] {
        let (lab, folder) = (Lab::new(), folder());
        let path = folder.path().join(name);
        let mut watch = recording(&lab, &path);
        let _programs = stranded_listener(&lab);
        until_stranded(&watch);
        watch.stop(Signal::SIGKILL);
        let printed = watch.observations(|_| true);
        let opened = open(&path);
        assert!(opened.missing.iter().any(|sentence| sentence.contains("not ended in order")), "{:?}", opened.missing);
        let last = printed.iter().map(|observation| observation.monotonic.0).max().expect("something was seen");
        let due: Vec<&Observation> =
            printed.iter().filter(|observation| observation.monotonic.0 + 1_000_000_000 < last).collect();
        let kept: Vec<&Observation> = opened.session.history().iter().take(due.len()).collect();
        assert_eq!(due, kept, "{name}: all but the last second");
    }
}

/// It belongs to whoever called sudo, and to nobody else.
fn is_private(path: &Path) {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mode, owner) = (metadata.permissions().mode() & 0o777, (metadata.uid(), metadata.gid()));
    assert_eq!((mode, owner), (0o600, (NOBODY, NOBODY)), "{}", path.display());
}

/// The one file in a folder, by its full name.
fn only_file(folder: &Path) -> PathBuf {
    let names: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().expect("one")
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn sigusr1_writes_a_trace_and_the_watch_goes_on() {
    let (lab, folder, traces) = (Lab::new(), folder(), folder());
    let path = folder.path().join("run.jsonl");
    let mut command = Watch::command(&lab.hosts(), &["--record", text(&path)]);
    command.env("SUDO_UID", NOBODY.to_string()).env("SUDO_GID", NOBODY.to_string()).current_dir(traces.path());
    let mut watch = Watch::spawn(&lab, command);
    watch.until_begun();
    let _programs = stranded_listener(&lab);
    let found = until_stranded(&watch);
    watch.signal(Signal::SIGUSR1);
    let said = watch.notice("observations written to", SOON);
    assert_eq!(watch.error("observations written to", SOON), format!("rosprobe: {said}"));
    let first = only_file(traces.path());
    let name = first.file_name().and_then(|name| name.to_str()).expect("text");
    assert!(name.starts_with("rosprobe-20") && first.extension().is_some_and(|it| it == "json"), "{name}");
    assert!(said.ends_with(text(&first)), "{said}");
    is_private(&first);
    is_private(&path);
    let opened = open(&first);
    assert_eq!(opened.missing, Vec::<String>::new());
    assert!(opened.session.findings().iter().any(|finding| finding.id == found.id));
    let seen = watch.observations(|_| true);
    let kept: Vec<&Observation> = opened.session.history().iter().collect();
    assert_eq!(kept, seen.iter().take(kept.len()).collect::<Vec<_>>());

    // It goes on, writes another one beside the first, and says where there is no room for one.
    let second = lab.outer.node(Library::Rospy, "listener", "second", TOPIC).start();
    watch.finding("no route, again", SOON, |finding| {
        finding.process.as_ref().is_some_and(|process| process.pid == second.pid())
    });
    watch.signal(Signal::SIGUSR1);
    let written = fs::read(&first).expect("it is there");
    let deadline = std::time::Instant::now() + SOON;
    while fs::read_dir(traces.path()).expect("a folder").filter(|entry| !hidden(entry)).count() < 2 {
        assert!(std::time::Instant::now() < deadline, "no second trace");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read(&first).expect("it is there"), written, "the first is left as it was");
    assert_eq!(watch.stop(Signal::SIGTERM).code(), Some(1));
}

/// A trace that is still being written.
fn hidden(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.'))
}

#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn the_screen_exports_by_key_and_by_signal_for_whoever_called_sudo() {
    let (lab, folder) = (Lab::new(), folder());
    let screen = Screen::new();
    screen.send(&[&format!("cd {} && export SUDO_UID={NOBODY} SUDO_GID={NOBODY}", text(folder.path())), "Enter"]);
    let namespaces = lab.hosts().map(|host| format!(" --netns {}", host.namespace())).concat();
    screen.send(&[&format!("{} watch{namespaces}; echo status $?", env!("CARGO_BIN_EXE_rosprobe")), "Enter"]);
    screen.wait_for("Waiting for ROS nodes", SOON);
    let _programs = stranded_listener(&lab);
    screen.wait_for("ENETUNREACH", SOON);
    screen.send(&["e"]);
    screen.wait_for("export to:", SOON);
    screen.send(&["C-u", "mine.json.gz", "Enter"]);
    screen.wait_for("observations written to", SOON);
    let by_key = folder.path().join("mine.json.gz");
    is_private(&by_key);
    assert_eq!(only_file(folder.path()), by_key);
    assert!(open(&by_key).session.findings().iter().any(|finding| finding.code == Code::ConnectFailed));

    screen.send(&["/", "Escape"]);
    screen.send(&["C-z"]);
    screen.wait_for("Stopped", SOON);
    screen.send(&["kill -USR1 %1; fg", "Enter"]);
    screen.wait_for(".json", SOON);
    screen.send(&["q"]);
    screen.wait_for("status 1", SOON);
    fs::remove_file(&by_key).expect("it is there");
    let by_signal = only_file(folder.path());
    is_private(&by_signal);
    assert!(open(&by_signal).session.findings().iter().any(|finding| finding.code == Code::ConnectFailed));
}

/// Records one host alone.
fn recording_of(lab: &Lab, host: &Host, path: &Path) -> Watch {
    let watch = Watch::spawn(lab, Watch::command(&[host], &["--record", text(path)]));
    watch.until_begun();
    watch
}

/// Captures the packets of one host's interface.
fn packets_of(host: &Host, path: &Path) -> Program {
    let tcpdump = host.start(&format!("tcpdump -i eth0 --immediate-mode -U -s 0 -w {}", text(path)));
    tcpdump.wait_for("listening on", SOON);
    tcpdump
}

fn failed_callbacks(opened: &Opened) -> Vec<&Finding> {
    let failed = |finding: &&Finding| finding.code == Code::CallbackFailed && finding.severity == Severity::Error;
    opened.session.findings().iter().filter(failed).collect()
}

/// What both files prove, also when the clock of one of them was wrong by hours.
fn is_proven_by_both(files: [&Path; 2], address: &str) -> Finding {
    let [outer, inner] = files;
    assert_eq!(failed_callbacks(&open(outer)), Vec::<&Finding>::new(), "the subscriber's host alone");
    let alone = open(inner);
    let about = |finding: &&Finding| finding.topic.is_some() && finding.address.as_deref() == Some(address);
    let about_the_topic: Vec<&Finding> = failed_callbacks(&alone).into_iter().filter(about).collect();
    assert_eq!(about_the_topic, Vec::<&Finding>::new(), "the master's host alone");
    let mut found = Vec::new();
    for hours in [-5, 0, 3] {
        let mut files = files.map(|path| (path.to_owned(), open(path)));
        files[1].1.meta.clock.zero += jiff::SignedDuration::from_hours(hours);
        let joined = trace::join(files.into()).expect("two files");
        assert_eq!(joined.missing, Vec::<String>::new(), "clocks that differ by {hours} h");
        let at_address = |finding: &&&Finding| finding.address.as_deref() == Some(address);
        let callbacks = failed_callbacks(&joined);
        let Some(finding) = callbacks.iter().find(at_address) else {
            panic!("{hours} h: {:#?}", joined.session.findings());
        };
        assert_eq!((finding.topic.as_deref(), finding.errno), (Some(TOPIC), Some(Errno::EHOSTUNREACH)), "{finding:#?}");
        assert_eq!(finding.node.as_deref(), Some("/listener"));
        assert!(
            finding.explanation.contains(&format!("waits: it was told of no publisher of {TOPIC}")),
            "{finding:#?}"
        );
        assert!(!finding.evidence.is_empty());
        found.push((*finding).clone());
    }
    let both = report(&[outer, inner]);
    let reported = both["findings"].as_array().expect("findings").iter().any(|finding| finding["id"] == *found[1].id);
    assert!(reported, "{both:#}");
    found.swap_remove(1)
}

/// A firewall lets outer call inner, and not the other way round. What is recorded at the master begins after the subscriber registered:
/// it shows a connect of the master that fails, and not for what. At the subscriber nothing fails, and nothing comes.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn a_failing_callback_is_proven_by_what_both_hosts_recorded() {
    let master = ("ROS_MASTER_URI", "http://10.0.1.2:11311");
    for library in [Library::Rospy, Library::Roscpp] {
        let (lab, folder) = (Lab::new(), folder());
        lab.forward();
        lab.router
            .run("iptables -A FORWARD -i lan0 -o wan0 -p tcp --syn -j REJECT --reject-with icmp-admin-prohibited");
        let path = |name: &str| folder.path().join(name);
        let mut watch_outer = recording_of(&lab, &lab.outer, &path("outer.jsonl"));
        let packets_outer = packets_of(&lab.outer, &path("outer.pcap"));
        let _roscore = lab.inner.roscore();
        let listener = lab.outer.node(library, "listener", "listener", TOPIC).env(master.0, master.1).start();
        let mut watch_inner = recording_of(&lab, &lab.inner, &path("inner.jsonl.gz"));
        let packets_inner = packets_of(&lab.inner, &path("inner.pcap"));
        let talker = lab.inner.node(Library::Rospy, "talker", "talker", TOPIC).env(master.0, master.1);
        let _talker = talker.env("ROS_IP", "10.0.1.2").start();
        watch_inner.observation("the master's connect", SOON, |observation| {
            let master = observation.process.as_ref().is_some_and(|process| process.comm.contains("rosmaster"));
            master && matches!(observation.what, What::ConnectFailed { .. })
        });
        // Its connections are seen from both ends, and tell by how much the clocks differ.
        let late = lab.outer.node(Library::Rospy, "listener", "late", TOPIC).env(master.0, master.1).start();
        late.wait_for("heard", SOON);
        watch_outer.stop(Signal::SIGTERM);
        watch_inner.stop(Signal::SIGTERM);
        for mut packets in [packets_outer, packets_inner] {
            packets.signal(Signal::SIGINT);
            packets.wait(SOON);
        }
        let listeners = lab.inner.lookup_node("/listener").expect("the master knows it");
        let address = listeners.trim_start_matches("http://").trim_end_matches('/');
        let found = is_proven_by_both([&path("outer.jsonl"), &path("inner.jsonl.gz")], address);
        let who = format!("pid {}", listener.pid());
        assert!(found.explanation.contains(&who), "{who}: {found:#?}");
        is_proven_by_both([&path("outer.pcap"), &path("inner.pcap")], address);
    }
}
