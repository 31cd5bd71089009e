//! Where events come from: the kernel, `/proc`, or a packet capture.

mod bounded;
mod namespace;
pub mod pcap;
mod process;

pub use self::process::{ENVIRONMENT, ProcessTable};
