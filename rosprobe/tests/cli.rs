//! The program as a person meets it: help, errors, exit status. Nothing here needs privileges.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

fn rosprobe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosprobe"));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    rosprobe(arguments).output().unwrap()
}

/// As a user without any right; as ourselves when we are not root.
fn run_unprivileged(arguments: &[&str]) -> Output {
    let mut command = rosprobe(arguments);
    if nix::unistd::geteuid().is_root() {
        // The binary may lie in a folder that nobody else can enter: it is opened before the rights go.
        let file = std::fs::File::open(env!("CARGO_BIN_EXE_rosprobe")).unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
        command = Command::new(path);
        command.args(arguments).env_clear().stdin(Stdio::null()).uid(65534).gid(65534);
        let output = command.output().unwrap();
        drop(file);
        return output;
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_is_as_it_was_read_last() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("short_help", &["-h"]),
        ("watch", &["watch", "--help"]),
        ("watch_short", &["watch", "-h"]),
        ("check", &["check", "--help"]),
        ("doctor", &["doctor", "--help"]),
    ] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}");
        insta::assert_snapshot!(name, text(&output.stdout));
    }
}

#[test]
fn usage_errors_say_what_and_exit_with_2() {
    let cases: &[&[&str]] = &[
        &["watch", "--duration", "soon"],
        &["watch", "--payload-limit", "1"],
        &["watch", "--payload-limit", "4GB"],
        &["watch", "--pid", "rostopic"],
        &["watch", "--pid", "0"],
        &["watch", "--netns", "nowhere", "--output", "text"],
        &["watch", "--output", "xml"],
        &["watch", "--topic", "re:("],
        &["watch", "--comm", "a["],
        &["report", "nothing.json"],
        &["wacth"],
        &[],
    ];
    let mut said = String::new();
    for arguments in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        writeln!(said, "$ rosprobe {}\n{}", arguments.join(" "), text(&output.stderr)).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn output_that_nobody_can_take_is_named() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ros2/e7_qos.pcap");
    for arguments in [
        &["demo"][..],
        &["domain", "--format", "json", "5"],
        &["report", capture],
        &["export", "--format", "json", capture],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = rosprobe(arguments).stdout(full).output().unwrap();
        let said = "rosprobe: standard output cannot be written: No space left on device; make room there, or send it elsewhere\n";
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), (said, Some(2)), "{arguments:?}");
    }
}

#[test]
fn without_the_rights_one_message_says_what_to_do() {
    for arguments in [&["watch"][..], &["watch", "--output", "jsonl"], &["watch", "--", "true"]] {
        let output = run_unprivileged(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(error.starts_with("rosprobe: ") && error.contains("sudo rosprobe watch"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn doctor_without_the_rights_says_which_are_missing() {
    let output = run_unprivileged(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("CAP_BPF"), "{}", text(&output.stdout));
}

#[test]
fn a_master_that_is_not_there_is_said_with_its_address() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{port}/");
    let output = run(&["check", "--master", &uri]);
    assert_eq!(output.status.code(), Some(2));
    let expected = format!(
        "rosprobe: the master at {uri} cannot be asked: connect() to 127.0.0.1:{port}: ECONNREFUSED (refused); start roscore there, or give the right --master URI or ROS_MASTER_URI\n"
    );
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = rosprobe(&["doctor"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""));
}
