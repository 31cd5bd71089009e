//! The fuzz targets, and the inputs that they begin with. `cargo xtask fuzz` runs them under libFuzzer, and `tests/fuzz.rs` runs each
//! on its seeds and on every input that was a bug once.

mod bounds;
mod datagrams;
mod decoder;
mod files;
mod input;
mod seeds;
mod streams;

pub use self::seeds::seeds;

/// Runs one input; panics where something is wrong.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("stream", streams::stream),
    ("http", streams::http),
    ("xmlrpc", streams::xmlrpc),
    ("tcpros", streams::tcpros),
    ("dns", datagrams::dns),
    ("rtps", datagrams::rtps),
    ("decoder", decoder::decoder),
    ("pcap", files::pcap),
    ("trace", files::trace),
];

/// Runs one input through the target of that name, within bounds of memory and of work.
///
/// # Panics
/// When there is no such target, and when the target finds a bug.
pub fn run(name: &str, input: &[u8]) {
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        panic!("there is no fuzz target {name}");
    };
    bounds::bounded(input.len(), || target(input));
}
