//! Whoever looks on, and the files that are written of the same: a recording, and traces on demand.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use super::Audience;
use crate::capture::Statistics;
use crate::diagnosis::Finding;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::session::Session;
use crate::trace::{self, Meta, Recorder, WriteError};

/// Records what an audience sees. A disk that takes nothing is said once and does not end the watch.
#[derive(Debug)]
pub struct Recording<A> {
    audience: A,
    recorder: Option<Recorder>,
    meta: Meta,
    now: Monotonic,
    flushed: Monotonic,
    lost: u64,
}

/// What was recorded waits in memory at most about this long: a second is promised.
const FLUSH: Duration = Duration::from_millis(500);

impl<A: Audience> Recording<A> {
    /// `meta` describes the capture, for traces on demand. Without a recorder nothing else is written.
    pub fn new(audience: A, recorder: Option<Recorder>, meta: Meta) -> Self {
        Self { audience, recorder, meta, now: Monotonic(0), flushed: Monotonic(0), lost: 0 }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.now;
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.flush(self.now, findings_of(&self.audience), self.lost)
        {
            self.audience.notice(&format!("recording waits: {error}"))?;
        }
        Ok(())
    }

    /// Ends the recording with the last findings.
    pub fn finish(self, findings: Option<&[Finding]>) -> Result<A, WriteError> {
        if let Some(recorder) = self.recorder {
            recorder.finish(self.now, findings.unwrap_or(findings_of(&self.audience)), self.lost)?;
        }
        Ok(self.audience)
    }
}

fn findings_of(audience: &impl Audience) -> &[Finding] {
    audience.session().map(Session::findings).unwrap_or_default()
}

/// Writes a trace into this folder, under a name that says when; gives a sentence about it.
fn write_trace(folder: &Path, meta: &Meta, session: &Session) -> String {
    let path = trace::free_name(folder, jiff::Timestamp::now(), "json");
    match trace::write_document(&path, trace::Existing::Keep, meta, session) {
        Ok(()) => {
            let place = path.canonicalize().unwrap_or(path);
            let forgotten = match session.forgotten() {
                0 => String::new(),
                count => format!("; {count} older ones were no longer kept (--record keeps all)"),
            };
            format!("{} observations written to {}{forgotten}", session.history().len(), place.display())
        }
        Err(error) => format!("no trace was written: {error}"),
    }
}

impl<A: Audience> Audience for Recording<A> {
    fn observations(&mut self, observations: &mut Vec<Observation>) -> io::Result<()> {
        if let Some(recorder) = &mut self.recorder {
            for observation in observations.iter() {
                recorder.observation(observation);
            }
        }
        self.audience.observations(observations)
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.now = now;
        self.audience.advance(now)?;
        if now.since(self.flushed) >= FLUSH {
            self.flush()?;
        }
        Ok(())
    }

    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        self.lost = statistics.lost;
        self.audience.statistics(statistics)
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.audience.notice(text)
    }

    fn trace_wanted(&mut self) -> io::Result<()> {
        let Some(session) = self.audience.session() else { return self.audience.trace_wanted() };
        let said = write_trace(Path::new("."), &self.meta, session);
        if !io::stdout().is_terminal() {
            // Whoever sent the signal may not see where the lines go.
            eprintln!("rosprobe: {said}");
        }
        self.audience.notice(&said)
    }

    fn session(&self) -> Option<&Session> {
        self.audience.session()
    }

    async fn gone(&mut self) {
        self.audience.gone().await;
    }

    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()> {
        (self.now, self.lost) = (now, statistics.lost);
        Audience::finish(&mut self.audience, now, statistics)
    }
}
