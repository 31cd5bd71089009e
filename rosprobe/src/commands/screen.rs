//! What `open` and `demo` share: a file's screen.

use std::io::{self, IsTerminal};

use anyhow::bail;

use super::Verdict;
use crate::diagnosis::Severity;
use crate::session::Session;
use crate::trace::{FileError, Opened, Progress};
use crate::tui::{self, Options, Source, Theme};

/// Options of a file's screen.
pub fn options(name: &str, filter: &str, failures: bool) -> Options {
    Options {
        source: Source::File(name.to_owned()),
        filter: filter.to_owned(),
        failures,
        theme: Theme::from_environment(|name| std::env::var(name).ok()),
        zone: jiff::tz::TimeZone::system(),
    }
}

/// True when standard output is a terminal on which a cursor can be placed.
pub fn is_possible() -> bool {
    io::stdout().is_terminal() && !is_dumb()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Shows files of `total` bytes until somebody leaves.
pub fn show<R>(total: u64, as_text: &str, options: Options, read: R) -> anyhow::Result<Verdict>
where
    R: FnOnce(&mut Progress<'_>) -> Result<Opened, FileError> + Send + 'static,
{
    if !io::stdout().is_terminal() {
        bail!("the screen needs a terminal, and standard output is none. For text: {as_text}");
    }
    if is_dumb() {
        bail!("the screen needs a terminal on which a cursor can be placed, and TERM is dumb. For text: {as_text}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let session = runtime.block_on(tui::show(total, options, read))?;
    // A reader of events may still sit in the terminal's queue; it ends with the process.
    runtime.shutdown_background();
    Ok(verdict(&session))
}

/// What its findings amount to.
pub fn verdict(session: &Session) -> Verdict {
    let errors = session.findings().iter().any(|finding| finding.severity == Severity::Error);
    if errors { Verdict::Errors } else { Verdict::Clean }
}
