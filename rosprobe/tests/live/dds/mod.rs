//! Every way in which ROS 2 fails that we know of, made to happen with three implementations of DDS, and what rosprobe must say about it;
//! and that it says nothing where nothing is wrong.

mod case;
mod cure;
mod discovery;
mod domains;
mod endpoints;
mod healthy;
mod locators;
mod peer;
mod ports;
mod segment;

use crate::table;

/// Runs the whole table, or the cases whose names contain `ROSPROBE_CASE`.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and three implementations of DDS: cargo xtask test"]
fn every_failure_of_ros_2_is_diagnosed() {
    let cases = [domains::cases(), discovery::cases(), locators::cases(), endpoints::cases(), ports::cases()];
    table::run(cases.into_iter().flatten().collect());
}

/// The same for what is healthy: three implementations, between two hosts and on one, in pairs and mixed.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and three implementations of DDS: cargo xtask test"]
fn nothing_is_said_of_healthy_ros_2() {
    table::run(healthy::cases());
}
