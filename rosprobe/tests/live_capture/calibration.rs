//! What is read in a wrong place is found out before the capture begins.

use rosprobe::capture::{CaptureMode, LiveCapture, Misplaced, Options};
use rosprobe::event::Direction;
use serde_json::json;

use crate::watched::{Watched, stream};
use crate::{alone, hex, name, ways};

/// What a mode does not read.
fn matters(misplaced: Misplaced, options: &Options, attached: &[String]) -> bool {
    let tracepoints = attached.iter().any(|hook| hook.starts_with("tracepoint:syscalls:"));
    match misplaced {
        Misplaced::TracepointAddress => options.mode == Some(CaptureMode::Sock) && tracepoints,
        _ => true,
    }
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn an_offset_that_is_wrong_is_an_error_with_its_reason_and_not_wrong_data() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = |options: &Options| runtime.block_on(async { LiveCapture::start(options) });
    for right in ways() {
        let mode = name(&right);
        let attached = start(&right).unwrap().description().programs.clone();
        for misplaced in Misplaced::ALL {
            let wrong = Options { misplaced: Some(misplaced), ..right.clone() };
            if !matters(misplaced, &right, &attached) {
                continue;
            }
            let error = start(&wrong).map(|_| ()).unwrap_err().to_string();
            println!("{mode} mode, {misplaced:?}: {error}");
            assert!(error.contains("does not read this kernel right: "), "{mode} mode, {misplaced:?}: {error}");
            assert!(error.contains("its own ") && error.contains("tcpdump"), "{mode} mode, {misplaced:?}: {error}");
        }
    }
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn without_the_kernel_s_types_syscall_mode_sees_the_same_and_the_others_say_what_is_missing() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for way in ways() {
            let options = Options { without_types: true, ..way };
            if options.mode != Some(CaptureMode::Syscall) {
                let error = LiveCapture::start(&options).map(|_| ()).unwrap_err().to_string();
                assert!(error.contains("CONFIG_DEBUG_INFO_BTF=y") && error.contains("tcpdump"), "{error}");
                continue;
            }
            let mut watched = Watched::start("no-types", &options);
            for family in ["4", "6", "mapped"] {
                watched.events.clear();
                let result = watched.run("xmlrpc", json!([family, "sendmsg", "readv", 5_000])).await;
                for (port, direction) in [("client", Direction::Sent), ("server", Direction::Received)] {
                    assert!(stream(&watched.of_port(&result[port]), direction) == hex(&result["request"]), "{family}");
                }
            }
            watched.events.clear();
            watched.run("connects", json!([[["127.0.0.1", 9], ["198.51.100.7", 9]]])).await;
            let shown: Vec<_> =
                watched.connects().iter().map(|(to, errno)| format!("{to} {}", errno.unwrap())).collect();
            assert_eq!(shown.len(), 2, "{shown:?}");
            assert!(shown[0].contains("127.0.0.1:9 ECONNREFUSED") && shown[1].contains("ENETUNREACH"), "{shown:?}");
        }
    });
}
