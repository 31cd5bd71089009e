//! How much of the verifier's patience the programs take. A program that is near the limit here is over it on another kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rosprobe::capture::LiveCapture;

use crate::stack;

/// What was committed; `cargo xtask ebpf verify` writes it.
const REPORT: &str = include_str!("../../bpf/verifier.toml");
/// Instructions that the verifier looks at before it gives up, Linux 5.2 and later (`BPF_COMPLEXITY_LIMIT_INSNS`).
const LIMIT: u32 = 1_000_000;
/// The report may be so far away from what the kernel says, in percent: small changes of the programs move it.
const TOLERANCE: u32 = 25;

/// Where the report has the stack of the objects, in place of a kernel and its modes.
const STACK: &str = "stack";

/// Verified instructions by program.
type Programs = BTreeMap<String, u32>;
/// By mode, by kernel release.
type Report = BTreeMap<String, BTreeMap<String, Programs>>;

/// Bytes of stack of an object as reported, by program.
pub fn reported_stack(object: &str) -> Programs {
    let report: Report = toml::from_str(REPORT).unwrap();
    report.get(STACK).and_then(|report| report.get(object)).cloned().unwrap_or_default()
}

fn verified(mode: &str, capture: &LiveCapture) -> Programs {
    let programs = capture.verified_instructions();
    assert!(!programs.is_empty(), "{mode} mode attaches programs");
    // Linux tells since 5.16; before, a program that is loaded is below the limit, and that is all there is to know.
    programs.into_iter().filter_map(|(name, count)| Some((name, count?))).collect()
}

/// What the kernel says in every mode that works here.
fn measured() -> (String, BTreeMap<String, Programs>) {
    let measured = RefCell::new((String::new(), BTreeMap::new()));
    super::in_every_mode(async |options| {
        let capture = LiveCapture::start(&options).unwrap();
        let mode = super::name(&options);
        let programs = verified(&mode, &capture);
        let mut measured = measured.borrow_mut();
        measured.0.clone_from(&capture.description().kernel);
        measured.1.insert(mode, programs);
    });
    measured.into_inner()
}

#[test]
#[ignore = "loads eBPF programs, which needs root"]
fn the_verifier_s_headroom_is_as_reported_and_no_program_is_near_the_limit() {
    let (kernel, modes) = measured();
    for (mode, programs) in &modes {
        for (program, count) in programs {
            println!("verified: {kernel} {mode} {program} {count}");
        }
    }
    let near = near_the_limit(&modes);
    assert!(near.is_empty(), "Linux {kernel}: {}", near.join("; "));
    if std::env::var("ROSPROBE_BLESS").is_ok_and(|what| what == "verifier") {
        return write(kernel, modes);
    }
    let report: Report = toml::from_str(REPORT).unwrap();
    // A kernel of which there is no report has the limit alone.
    let Some(reported) = report.get(&kernel) else { return };
    for (mode, programs) in &modes {
        let reported = reported.get(mode).unwrap_or_else(|| panic!("{} says nothing of {mode} mode", advice(&kernel)));
        assert!(
            programs.keys().eq(reported.keys()),
            "{} has other programs: {programs:?}, {reported:?}",
            advice(&kernel)
        );
        for (program, count) in programs {
            let off = count.abs_diff(reported[program]);
            assert!(
                off <= count / 100 * TOLERANCE,
                "{} says {} of {program}, which has {count}",
                advice(&kernel),
                reported[program]
            );
        }
    }
}

/// The programs that have 80 % of the limit or more.
fn near_the_limit(modes: &BTreeMap<String, Programs>) -> Vec<String> {
    let all = modes.iter().flat_map(|(mode, programs)| programs.iter().map(move |(name, count)| (mode, name, *count)));
    all.filter(|(.., count)| *count >= LIMIT / 100 * 80)
        .map(|(mode, program, count)| format!("{program} ({mode} mode): {count} of {LIMIT} instructions"))
        .collect()
}

#[test]
fn a_program_at_80_percent_of_the_limit_is_too_near_on_every_kernel_that_is_reported() {
    let modes = |count| BTreeMap::from([("sock".to_owned(), BTreeMap::from([("sys_exit".to_owned(), count)]))]);
    assert_eq!(near_the_limit(&modes(799_999)), [""; 0]);
    assert_eq!(near_the_limit(&modes(800_000)), ["sys_exit (sock mode): 800000 of 1000000 instructions"]);
    let report: Report = toml::from_str(REPORT).unwrap();
    for (kernel, modes) in report.iter().filter(|(kernel, _)| *kernel != STACK) {
        assert!(!modes.is_empty(), "{kernel}");
        assert_eq!(near_the_limit(modes), [""; 0], "{kernel}");
    }
}

fn advice(kernel: &str) -> String {
    format!("rosprobe/bpf/verifier.toml is stale (run `cargo xtask ebpf verify` and commit it): for {kernel} it")
}

/// Replaces what the report says of this kernel.
fn write(kernel: String, modes: BTreeMap<String, Programs>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf/verifier.toml");
    let mut report: Report = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    report.insert(kernel, modes);
    report.insert(STACK.to_owned(), stack::bytes());
    let head = "# Instructions that the verifier looked at, of 1,000,000, for each kernel, capture mode and program.\n\
                # Under `stack`, the bytes that each program takes with all that it calls, of 512, as Linux 6.1 counts them; under\n\
                # `bounded` and with `-bounded` behind a mode, of the object for kernels without bpf_loop().\n\
                # Written by `cargo xtask ebpf verify`; the live test `verifier` compares.\n\n";
    fs::write(path, head.to_owned() + &toml::to_string(&report).unwrap()).unwrap();
}
