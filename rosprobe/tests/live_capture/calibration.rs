//! What is read in a wrong place is found out before the capture begins.

use rosprobe::capture::{CaptureMode, LiveCapture, Misplaced, Options};

use crate::{alone, modes};

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
    for mode in modes() {
        let right = Options { mode: Some(mode), ..Options::default() };
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
