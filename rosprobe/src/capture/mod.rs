//! Where events come from: the kernel, `/proc`, or a packet capture.

mod bounded;
mod namespace;
pub mod pcap;
mod process;
mod statistics;

pub use self::process::{ENVIRONMENT, ProcessTable};
pub use self::statistics::Statistics;
