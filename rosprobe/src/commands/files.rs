//! Opening the files that a command names, with a progress bar where there is a terminal.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::trace::{self, Opened};

/// How often the progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Opens one file, or several joined.
pub fn open(paths: &[PathBuf]) -> anyhow::Result<Opened> {
    let mut opened = Vec::new();
    for path in paths {
        opened.push((path.clone(), open_one(path)?));
    }
    trace::join(opened).context("no file was given")
}

fn open_one(path: &Path) -> anyhow::Result<Opened> {
    let mut bar = Bar::new(path);
    let opened = trace::open(path, &mut |bytes| bar.draw(bytes)).with_context(|| path.display().to_string());
    bar.clear();
    opened
}

struct Bar {
    name: String,
    total: u64,
    began: Instant,
    drawn: Option<Instant>,
    shown: bool,
}

impl Bar {
    fn new(path: &Path) -> Self {
        Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            total: path.metadata().map_or(0, |metadata| metadata.len()),
            began: Instant::now(),
            drawn: None,
            shown: io::stderr().is_terminal(),
        }
    }

    fn draw(&mut self, bytes: u64) {
        let due = self.drawn.map_or(self.began.elapsed() > REDRAW, |drawn| drawn.elapsed() > REDRAW);
        if !self.shown || !due || self.total == 0 {
            return;
        }
        self.drawn = Some(Instant::now());
        let share = (bytes as f64 / self.total as f64).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 30")]
        let full = (share * 30.0) as usize;
        let speed = bytes as f64 / 1e6 / self.began.elapsed().as_secs_f64();
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(30 - full));
        let name = crate::printable::printable(&self.name);
        // A progress bar that cannot be drawn is no reason to stop.
        let _ = write!(io::stderr(), "\r\u{1b}[K{name} {bar} {:3.0} %  {speed:.0} MB/s", share * 100.0);
    }

    fn clear(&self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
