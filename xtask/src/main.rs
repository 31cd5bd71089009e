//! `cargo xtask`: everything a person does to rosprobe besides building it.
fn main() {}
