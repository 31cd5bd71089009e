//! rosprobe.
fn main() {}
