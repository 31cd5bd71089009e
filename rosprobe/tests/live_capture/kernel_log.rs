//! What the programs in the kernel say about their own decisions, where somebody asks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rosprobe::capture::CaptureMode;
use serde_json::json;

use crate::modes;
use crate::network::Network;

/// What a watch over an XML-RPC conversation and calls that are not understood writes to standard error.
fn standard_error(case: &str, mode: CaptureMode, asked: &[&str]) -> String {
    let network = Network::new(&format!("{case}-{mode}"));
    let mut watch = Command::new(env!("CARGO_BIN_EXE_rosprobe"))
        .args(["watch", "--output", "jsonl", "--capture-mode", mode.name()])
        .args(asked)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(watch.stdout.take().unwrap());
    let mut start = String::new();
    output.read_line(&mut start).unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let mut errors = watch.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    for (case, arguments) in [("xmlrpc", json!(["4", "send", "recv", 2_000])), ("unknown_calls", json!(["sendfile"]))] {
        assert!(network.start(case, &arguments).wait_with_output().unwrap().status.success());
    }
    kill(Pid::from_raw(watch.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    watch.wait().unwrap();
    reader.join().unwrap().unwrap();
    let said = said.join().unwrap().unwrap();
    assert!(start.contains("\"type\":\"start\""), "{start}{said}");
    said
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn the_kernel_log_says_what_was_decided() {
    let _alone = crate::alone();
    for mode in modes() {
        let said = standard_error("log", mode, &["--kernel-log"]);
        assert!(said.lines().all(|line| line.starts_with("rosprobe: kernel: ")), "{said}");
        for expected in
            [": debug: socket ", ": classified as XML-RPC", ": warn: socket ", " not located in system call "]
        {
            assert!(said.contains(expected), "{mode}: no {expected:?} in: {said}");
        }
    }
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn nothing_is_said_where_nobody_asks() {
    let _alone = crate::alone();
    for mode in modes() {
        assert_eq!(standard_error("nolog", mode, &[]), "");
    }
}
