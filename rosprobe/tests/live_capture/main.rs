//! The live capture against programs that use every system call, on loopback in network namespaces.
//!
//! They need root and a kernel that loads eBPF; `cargo xtask test` runs them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bounds;
mod conversations;
mod failures;
mod kernel_log;
mod network;
mod rtps;
mod udp;
mod verifier;
mod watched;

/// Runs a test's async part.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Bytes from hexadecimal digits.
fn hex(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
