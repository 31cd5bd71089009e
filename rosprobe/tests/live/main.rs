//! Live tests: real ROS 1 on three hosts (network namespaces), watched by the built rosprobe.
//!
//! They need root, a kernel that loads eBPF, and Debian's ROS 1 packages; `cargo xtask test` sees to all of that.

mod dds;
mod decoding;
mod failures;
mod healthy;
mod lab;
mod late;
mod links;
mod ros;
mod running;
mod sshuttle;
mod table;
mod trace;
