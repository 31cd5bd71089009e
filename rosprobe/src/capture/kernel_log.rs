//! What the programs in the kernel say about their own decisions, on standard error.

use std::io::{self, Write as _};

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

use super::capture_error::CaptureError;
use crate::printable::printable;

/// Name of the global that holds the level.
pub(super) const LEVEL: &str = aya_log::LEVEL;
/// The level at which no message is made.
pub(super) const NOTHING: u8 = 0;
/// The level at which every message is made.
pub(super) const EVERYTHING: u8 = u8::MAX;

/// The programs' messages.
pub(super) struct KernelLog(EbpfLogger<StandardError>);

impl KernelLog {
    /// Takes the map of messages out of the loaded object.
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<Self, CaptureError> {
        EbpfLogger::init_with_logger(ebpf, StandardError).map(Self).map_err(CaptureError::KernelLog)
    }

    /// Writes what was said since the last time.
    pub(super) fn say(&mut self) {
        self.0.flush();
    }
}

struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Nobody reads it any more: that is no reason to end the capture.
        let _ = writeln!(io::stderr(), "{}", line(record));
    }

    fn flush(&self) {}
}

fn line(record: &Record<'_>) -> String {
    let level = record.level().as_str().to_lowercase();
    format!("rosprobe: kernel: {level}: {}", printable(&record.args().to_string()))
}

#[cfg(test)]
mod tests {
    use log::{Level, Record};

    use super::line;

    #[test]
    fn a_line_has_its_level_and_nothing_that_moves_a_cursor() {
        let record = |text| line(&Record::builder().level(Level::Warn).args(text).build());
        assert_eq!(record(format_args!("socket 7: no room")), "rosprobe: kernel: warn: socket 7: no room");
        assert_eq!(record(format_args!("\u{1b}[2J")), "rosprobe: kernel: warn: ␛[2J");
    }
}
