//! Giving up what a running watch no longer needs.
//!
//! What stays, and why: reading /proc of other users' processes and files below their root (`CAP_SYS_PTRACE`,
//! `CAP_DAC_READ_SEARCH`), maps and host names of other namespaces (`CAP_BPF`, `CAP_PERFMON`, `CAP_SYS_ADMIN`), ending a command that
//! runs as another user (`CAP_KILL`), and writing a trace into a folder of whoever called sudo, whose file it becomes
//! (`CAP_DAC_OVERRIDE`, `CAP_CHOWN`). Everything else goes: modules, raw devices, network administration, changing user, and the rest.

use caps::errors::CapsError;
use caps::{CapSet, Capability};

const KEPT: [Capability; 8] = [
    Capability::CAP_BPF,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_KILL,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
];

/// Drops every other capability from this thread and from those that it starts. Programs must be attached and the command started.
/// An error when the kernel does not let them go.
pub fn drop_unneeded() -> Result<(), CapsError> {
    caps::clear(None, CapSet::Inheritable)?;
    for set in [CapSet::Effective, CapSet::Permitted] {
        let mut have = caps::read(None, set)?;
        have.retain(|capability| KEPT.contains(capability));
        caps::set(None, set, &have)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        // Capabilities belong to a thread: this one has them for itself.
        let left = std::thread::spawn(|| {
            drop_unneeded().unwrap();
            [CapSet::Effective, CapSet::Permitted].map(|set| caps::read(None, set).unwrap())
        });
        for set in left.join().unwrap() {
            assert!(set.iter().all(|capability| KEPT.contains(capability)), "{set:?}");
        }
    }
}
