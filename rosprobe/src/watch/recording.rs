//! Whoever looks on, and a recording of the same.

use std::io;

use super::Audience;
use crate::capture::Statistics;
use crate::diagnosis::Finding;
use crate::event::Monotonic;
use crate::observation::Observation;
use crate::trace::{Recorder, WriteError};

/// Records what an audience sees. A disk that takes nothing is said once and does not end the watch.
#[derive(Debug)]
pub struct Recording<A> {
    audience: A,
    recorder: Option<Recorder>,
    now: Monotonic,
    lost: u64,
}

impl<A: Audience> Recording<A> {
    /// Without a recorder it only hands on.
    pub fn new(audience: A, recorder: Option<Recorder>) -> Self {
        Self { audience, recorder, now: Monotonic(0), lost: 0 }
    }

    /// Ends the recording with the last findings.
    pub fn finish(self, findings: Option<&[Finding]>) -> Result<A, WriteError> {
        if let Some(recorder) = self.recorder {
            recorder.finish(self.now, findings.unwrap_or(self.audience.findings()), self.lost)?;
        }
        Ok(self.audience)
    }
}

impl<A: Audience> Audience for Recording<A> {
    fn observations(&mut self, observations: Vec<Observation>) -> io::Result<()> {
        if let Some(recorder) = &mut self.recorder {
            for observation in &observations {
                recorder.observation(observation);
            }
        }
        self.audience.observations(observations)
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.now = now;
        self.audience.advance(now)
    }

    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        self.lost = statistics.lost;
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.flush(self.now, self.audience.findings(), self.lost)
        {
            self.audience.notice(&format!("recording waits: {error}"))?;
        }
        self.audience.statistics(statistics)
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.audience.notice(text)
    }

    fn findings(&self) -> &[Finding] {
        self.audience.findings()
    }

    async fn gone(&mut self) {
        self.audience.gone().await;
    }

    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()> {
        (self.now, self.lost) = (now, statistics.lost);
        Audience::finish(&mut self.audience, now, statistics)
    }
}
