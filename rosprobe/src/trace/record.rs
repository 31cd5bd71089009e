//! Recording while capturing: one JSON line for each observation, in the file at the latest a second after it was made.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// What was written is made safe on the disk at least this often: a machine that loses its power loses that much and no more.
const SYNC_EVERY: Duration = Duration::from_secs(5);

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
    /// Lines wait for the disk.
    failing: bool,
    /// Written since it was made safe last.
    unsynced: u64,
    synced: Instant,
    /// A thread of its own: a slow disk must not hold up the capture.
    syncing: Option<JoinHandle<()>>,
}

/// Findings as they were last written, by id.
type Findings = HashMap<String, Finding>;

#[derive(Debug)]
enum Encoder {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Recorder {
    /// Begins a recording; compressed when the name ends in `.gz`. Never over an existing file.
    pub fn create(path: &Path, meta: Meta) -> Result<Self, WriteError> {
        let file = files::create_new(path)?;
        let pending = if path.extension().is_some_and(|extension| extension == "gz") {
            Encoder::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default())))
        } else {
            Encoder::Plain(Vec::new())
        };
        let head = RecordingHead { rosprobe_trace: VERSION, recording: true, meta: meta.clone() };
        let (written, lost) = (Findings::new(), Lost::default());
        let mut recorder = Self {
            path: path.to_owned(),
            file,
            meta,
            pending,
            written,
            lost,
            failing: false,
            unsynced: 0,
            synced: Instant::now(),
            syncing: None,
        };
        recorder.line(&head);
        recorder.write_pending().map_err(|source| recorder.error(source))?;
        files::sync_folder_of(path);
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

    /// Writes everything so far, and that nothing else happened until `now`. Call it at least once a second.
    ///
    /// An error is returned when writing begins to fail, and not again until it has succeeded in between.
    pub fn flush(&mut self, now: Monotonic, findings: &[Finding], lost_events: u64) -> Result<(), WriteError> {
        self.lost.events = lost_events;
        self.findings(findings);
        if self.pending.len() <= PENDING_LIMIT {
            self.line(&Line::Now { monotonic: now, lost: self.lost });
        }
        let written = self.write_pending();
        self.make_safe();
        match written {
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

    /// Has what was written made safe on the disk, when that is due.
    fn make_safe(&mut self) {
        let busy = self.syncing.as_ref().is_some_and(|thread| !thread.is_finished());
        if busy || self.unsynced == 0 || self.synced.elapsed() < SYNC_EVERY {
            return;
        }
        if let Ok(file) = self.file.try_clone() {
            self.unsynced = 0;
            self.synced = Instant::now();
            // What a disk does not take is said by the next write, or when the recording ends.
            let sync = move || drop(file.sync_data());
            self.syncing = std::thread::Builder::new().name("sync".to_owned()).spawn(sync).ok();
        }
    }

    /// What could not be kept for lack of space.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Ends the recording: everything is written and safe on the disk, or an error says that it is not.
    pub fn finish(mut self, now: Monotonic, findings: &[Finding], lost_events: u64) -> Result<(), WriteError> {
        self.lost.events = lost_events;
        self.findings(findings);
        let mut meta = Box::new(self.meta.clone().until(now));
        meta.note_limits(self.lost, findings);
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
        self.unsynced += done as u64;
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::Clock;
    use crate::observation::{ObservationId, What};
    use crate::trace::{Source, open};

    fn observation(id: u64) -> Observation {
        Observation {
            id: ObservationId(id),
            time: jiff::Timestamp::UNIX_EPOCH,
            monotonic: Monotonic(id),
            process: None,
            socket: None,
            what: What::AlreadyOpen,
        }
    }

    /// A recorder whose disk has become full, and the file in which it began.
    fn on_a_full_disk(folder: &Path, name: &str) -> (Recorder, File) {
        let meta = Meta::here(Source::Live, Clock { zero: jiff::Timestamp::UNIX_EPOCH }, Monotonic(0));
        let mut recorder = Recorder::create(&folder.join(name), meta).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let file = std::mem::replace(&mut recorder.file, full);
        (recorder, file)
    }

    #[test]
    fn a_full_disk_is_said_once_and_what_waited_is_written_when_there_is_space_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jsonl", "a.jsonl.gz"] {
            let (mut recorder, file) = on_a_full_disk(folder.path(), name);
            recorder.observation(&observation(1));
            let error = recorder.flush(Monotonic(10), &[], 0).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("free some space"), "{error}");
            recorder.observation(&observation(2));
            recorder.flush(Monotonic(20), &[], 0).unwrap();
            assert!(recorder.failing);
            recorder.file = file;
            recorder.observation(&observation(3));
            recorder.flush(Monotonic(30), &[], 0).unwrap();
            assert!(!recorder.failing);
            recorder.finish(Monotonic(40), &[], 0).unwrap();
            let opened = open(&folder.path().join(name), &mut |_| {}).unwrap();
            assert_eq!(opened.missing, Vec::<String>::new());
            assert_eq!(opened.session.history().len(), 3);
        }
    }

    #[test]
    fn what_was_written_is_made_safe_once_that_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::here(Source::Live, Clock { zero: jiff::Timestamp::UNIX_EPOCH }, Monotonic(0));
        let mut recorder = Recorder::create(&folder.path().join("a.jsonl"), meta).unwrap();
        recorder.observation(&observation(1));
        recorder.synced = Instant::now() + SYNC_EVERY;
        recorder.flush(Monotonic(10), &[], 0).unwrap();
        assert!(recorder.syncing.is_none() && recorder.unsynced > 0, "not yet due");
        let Some(due) = Instant::now().checked_sub(SYNC_EVERY) else { return };
        recorder.synced = due;
        recorder.flush(Monotonic(20), &[], 0).unwrap();
        assert_eq!(recorder.unsynced, 0);
        recorder.syncing.take().unwrap().join().unwrap();
        recorder.finish(Monotonic(30), &[], 0).unwrap();
    }

    #[test]
    fn what_does_not_fit_into_memory_either_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (mut recorder, file) = on_a_full_disk(folder.path(), "a.jsonl");
        for id in 1..200_000 {
            recorder.observation(&observation(id));
        }
        assert!(recorder.pending.len() < PENDING_LIMIT + 1000);
        let lost = recorder.lost().observations;
        assert!(lost > 0);
        recorder.file = file;
        recorder.finish(Monotonic(300_000), &[], 0).unwrap();
        let opened = open(&folder.path().join("a.jsonl"), &mut |_| {}).unwrap();
        assert_eq!(opened.session.history().len() as u64 + lost, 199_999);
        assert!(opened.missing.iter().any(|sentence| sentence.contains(&lost.to_string())), "{:?}", opened.missing);
    }

    #[test]
    fn a_folder_that_takes_no_files_is_named_with_what_to_do() {
        let meta = Meta::here(Source::Live, Clock { zero: jiff::Timestamp::UNIX_EPOCH }, Monotonic(0));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for path in [
            Path::new("/proc/a.jsonl").to_owned(),
            folder.path().join("file/a.jsonl"),
            folder.path().join("no/a.jsonl"),
        ] {
            let error = Recorder::create(&path, meta.clone()).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("; "), "{error}");
        }
    }
}
