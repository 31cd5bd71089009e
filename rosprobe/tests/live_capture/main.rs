//! The live capture against programs that use every system call, on loopback in network namespaces.
//!
//! They need root and a kernel that loads eBPF; `cargo xtask test` runs them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use rosprobe::capture::{CaptureMode, Object, Options};

mod attached;
mod bounds;
mod calibration;
mod conversations;
mod descriptors;
mod failures;
mod kernel_log;
mod losses;
mod network;
mod refused;
mod rtps;
mod stack;
mod udp;
mod verifier;
mod watched;

/// What every test runs in: what `ROSPROBE_CAPTURE_MODE` says, else the modes of the development machine. With `-bounded` behind it, by
/// the programs for kernels without `bpf_loop()`.
fn ways() -> Vec<Options> {
    let named = std::env::var("ROSPROBE_CAPTURE_MODE").unwrap_or_else(|_| "sock syscall syscall-bounded".to_owned());
    named.split(' ').map(way).collect()
}

fn way(name: &str) -> Options {
    let (mode, bounded) = name.strip_suffix(BOUNDED).map_or((name, false), |mode| (mode, true));
    let mode = CaptureMode::ALL.into_iter().find(|known| known.name() == mode).unwrap();
    Options { mode: Some(mode), object: bounded.then_some(Object::Bounded), ..Options::default() }
}

/// What [`ways`] are called by.
fn name(options: &Options) -> String {
    format!("{}{}", options.mode.unwrap(), if options.object == Some(Object::Bounded) { BOUNDED } else { "" })
}

const BOUNDED: &str = "-bounded";

/// The modes of these.
fn modes() -> Vec<CaptureMode> {
    let mut modes: Vec<_> = ways().into_iter().filter_map(|way| way.mode).collect();
    modes.dedup();
    modes
}

/// Waits until no other test runs: a capture sees the whole machine, so what one test floods would be lost to another.
fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test in each mode, alone.
fn in_every_mode<T>(test: impl AsyncFn(Options) -> T) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for options in ways() {
        println!("{} mode", name(&options));
        runtime.block_on(test(options));
    }
}

/// Bytes from hexadecimal digits.
fn hex(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
