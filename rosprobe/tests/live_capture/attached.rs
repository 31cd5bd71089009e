//! What is attached, as rosprobe says it and as the kernel says it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rosprobe::capture::CaptureMode;
use serde_json::Value;

use crate::modes;

/// `BPF_PROG_TYPE_TRACEPOINT` and `BPF_PROG_TYPE_TRACING` of the kernel's `include/uapi/linux/bpf.h`.
const TRACEPOINT: &str = "5";
const TRACING: &str = "26";

/// A watch that has started, and the first line that it printed.
fn watch(mode: CaptureMode) -> (Child, Value) {
    let mut watch = Command::new(env!("CARGO_BIN_EXE_rosprobe"))
        .args(["watch", "--output", "jsonl", "--capture-mode", mode.name()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    (watch, serde_json::from_str(&line).unwrap())
}

/// Types of the programs that a process holds, each once.
fn program_types(pid: u32) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let described = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    let kind = |text: String| Some(text.lines().find_map(|line| line.strip_prefix("prog_type:"))?.trim().to_owned());
    let mut kinds: Vec<String> = described.filter_map(kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn the_kernel_functions_need_no_system_call_tracepoint() {
    let _alone = crate::alone();
    for mode in modes() {
        let (mut watch, start) = watch(mode);
        let attached: Vec<&str> = start["attached"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let kinds = program_types(watch.id());
        kill(Pid::from_raw(watch.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        watch.wait().unwrap();
        println!("{mode} mode: {attached:?}; types of programs {kinds:?}");
        assert_eq!(start["capture_mode"], mode.name());
        let places: BTreeSet<&str> = attached.iter().copied().collect();
        assert_eq!(places.len(), attached.len(), "a place is named twice: {attached:?}");
        let system_calls = attached.iter().any(|program| program.starts_with("tracepoint:syscalls:"));
        assert_eq!(kinds.contains(&TRACEPOINT.to_owned()), system_calls, "{attached:?}");
        let payload = match mode {
            CaptureMode::Fexit => "fexit:inet_sendmsg",
            CaptureMode::Sock => "tp_btf:sock_send_length",
            CaptureMode::Syscall => "raw_tp:sys_exit",
        };
        assert!(attached.contains(&payload), "{attached:?}");
        if mode == CaptureMode::Fexit {
            assert!(attached.contains(&"fexit:inet_stream_connect"), "{attached:?}");
            assert_eq!((system_calls, kinds), (false, vec![TRACING.to_owned()]), "{attached:?}");
        }
    }
}
