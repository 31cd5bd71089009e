//! The live capture against programs that use every system call, on loopback in network namespaces.
//!
//! They need root and a kernel that loads eBPF; `cargo xtask test` runs them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use rosprobe::capture::{CaptureMode, Options};

mod attached;
mod bounds;
mod calibration;
mod conversations;
mod descriptors;
mod failures;
mod kernel_log;
mod losses;
mod network;
mod rtps;
mod stack;
mod udp;
mod verifier;
mod watched;

/// The modes that every test runs in: what `ROSPROBE_CAPTURE_MODE` says, else those of the development machine.
fn modes() -> Vec<CaptureMode> {
    match std::env::var("ROSPROBE_CAPTURE_MODE") {
        Ok(name) => vec![CaptureMode::ALL.into_iter().find(|mode| mode.name() == name).unwrap()],
        Err(_) => vec![CaptureMode::Sock, CaptureMode::Syscall],
    }
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
    for mode in modes() {
        println!("{mode} mode");
        runtime.block_on(test(Options { mode: Some(mode), ..Options::default() }));
    }
}

/// Bytes from hexadecimal digits.
fn hex(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
