//! Recording while capturing: one JSON line for each observation, in the file at the latest a second after it was made.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::document::{Line, Lost, Meta, RecordingHead, VERSION};
use super::files::{self, WriteError};
use crate::diagnosis::Finding;
use crate::event::Monotonic;
use crate::observation::Observation;

/// What is kept in memory while the disk takes nothing, in bytes; what comes after that is counted and left out.
const PENDING_LIMIT: usize = 16 << 20;

/// Writes a recording.
///
/// When the disk is full, lines wait in memory and are written once there is space again: what follows on a cut line is
/// its rest. Capturing goes on either way.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
    meta: Meta,
    /// Lines not yet compressed or written.
    pending: Encoder,
    written: Findings,
    lost: Lost,
    failing: bool,
}

/// Findings as they were last written, by id.
type Findings = HashMap<String, Finding>;

#[derive(Debug)]
enum Encoder {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Recorder {
    /// Begins a recording; compressed when the name ends in `.gz`. Never over an existing file.
    pub fn create(path: &Path, meta: Meta) -> Result<Self, WriteError> {
        let file = files::create_new(path)?;
        let pending = if path.extension().is_some_and(|extension| extension == "gz") {
            Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::default()))
        } else {
            Encoder::Plain(Vec::new())
        };
        let head = RecordingHead { rosprobe_trace: VERSION, recording: true, meta: meta.clone() };
        let (written, lost) = (Findings::new(), Lost::default());
        let mut recorder = Self { path: path.to_owned(), file, meta, pending, written, lost, failing: false };
        recorder.line(&head);
        recorder.write_pending().map_err(|source| recorder.error(source))?;
        Ok(recorder)
    }

    /// Adds an observation; it is written with the next `flush`.
    pub fn observation(&mut self, observation: &Observation) {
        if self.pending.len() > PENDING_LIMIT {
            self.lost.observations += 1;
            return;
        }
        // The same as `Line::Observation`, without a copy.
        self.line(&Borrowed { observation });
    }

    /// Writes everything so far, and that nothing else happened until `now`. Call it once a second.
    ///
    /// An error is returned when writing begins to fail, and not again until it has succeeded in between.
    pub fn flush(&mut self, now: Monotonic, findings: &[Finding], lost_events: u64) -> Result<(), WriteError> {
        self.lost.events = lost_events;
        self.findings(findings);
        if self.pending.len() <= PENDING_LIMIT {
            self.line(&Line::Now { monotonic: now, lost: self.lost });
        }
        match self.write_pending() {
            Ok(()) => {
                self.failing = false;
                Ok(())
            }
            Err(_) if self.failing => Ok(()),
            Err(source) => {
                self.failing = true;
                Err(self.error(source))
            }
        }
    }

    /// True while lines wait for the disk.
    pub fn is_failing(&self) -> bool {
        self.failing
    }

    /// What could not be kept for lack of space.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Ends the recording: everything is written and safe on the disk, or an error says that it is not.
    pub fn finish(mut self, now: Monotonic, findings: &[Finding], lost_events: u64) -> Result<(), WriteError> {
        self.lost.events = lost_events;
        self.findings(findings);
        let meta = Box::new(self.meta.clone().until(now));
        self.line(&Line::End { meta, lost: self.lost });
        self.pending.finish();
        self.write_pending().map_err(|source| self.error(source))?;
        self.file.sync_all().map_err(|source| self.error(source))
    }

    fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            if self.written.get(&finding.id) != Some(finding) && self.pending.len() <= PENDING_LIMIT {
                self.line(&Line::Finding(Box::new(finding.clone())));
                self.written.insert(finding.id.clone(), finding.clone());
            }
        }
    }

    fn line(&mut self, line: &impl Serialize) {
        // Only a map with keys that are no strings could fail here, and none of these types has one.
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            self.pending.push(&text);
        }
    }

    /// Writes as much as the disk takes; what it does not take stays, so that the next try goes on right there.
    fn write_pending(&mut self) -> io::Result<()> {
        let pending = self.pending.ready();
        let mut done = 0;
        let result = loop {
            if done == pending.len() {
                break Ok(());
            }
            match self.file.write(&pending[done..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        pending.drain(..done);
        result
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError::Write { path: self.path.clone(), source }
    }
}

#[derive(Serialize)]
struct Borrowed<'a> {
    observation: &'a Observation,
}

impl Encoder {
    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Gzip(gzip) => gzip.get_ref().len(),
        }
    }

    fn push(&mut self, text: &[u8]) {
        match self {
            Self::Plain(bytes) => bytes.extend_from_slice(text),
            // Writing to memory does not fail.
            Self::Gzip(gzip) => drop(gzip.write_all(text)),
        }
    }

    /// The bytes that can go to the file; of a compressed recording, so that everything pushed can be read from them.
    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Gzip(gzip) => {
                let _ = gzip.flush();
                gzip.get_mut()
            }
        }
    }

    /// Closes the compressed stream; what is left of it is plain bytes to write.
    fn finish(&mut self) {
        if let Self::Gzip(gzip) = self {
            let ended = gzip.try_finish().is_ok();
            let rest = std::mem::take(gzip.get_mut());
            debug_assert!(ended, "writing to memory does not fail");
            *self = Self::Plain(rest);
        }
    }
}
