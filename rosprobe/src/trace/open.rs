//! Opening a file for looking at it: a trace, a recording or a packet capture becomes a session.

use std::fs::File;
use std::io::{Cursor, IsTerminal as _, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::detect::FileKind;
use super::document::{Lost, Meta};
use super::join::join;
use super::opened::Opened;
use super::read::read;
use super::reading::{FileError, OpenError, unknown_meta};
use crate::capture::pcap::PacketCapture;
use crate::decode::Decoder;
use crate::event::{Clock, GapCause};
use crate::observation::{Bytes, Observation, What};
use crate::printable::counted;
use crate::session::Session;

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// Told how many bytes of the file were read; says whether to go on.
pub type Progress<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Opens a trace, a recording, a pcap or a pcapng, compressed or not. `progress` is told now and then how many bytes of
/// the file were read. An error when it is none of these, or nothing of it can be used; what is missing is said in the result.
pub fn open(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Opened, OpenError> {
    open_until(path, &mut |bytes| {
        progress(bytes);
        ControlFlow::Continue(())
    })
}

/// The same, until `progress` breaks it off: then with what was read by that moment. `-` is standard input.
pub fn open_until(path: &Path, progress: &mut Progress<'_>) -> Result<Opened, OpenError> {
    if path == Path::new(STANDARD_INPUT) {
        if std::io::stdin().is_terminal() {
            return Err(OpenError::NotATrace { found: "a terminal, and nothing comes from it".to_owned() });
        }
        return open_stream(std::io::stdin(), "standard input", progress);
    }
    let file = File::open(path).map_err(OpenError::Io)?;
    let metadata = file.metadata().map_err(OpenError::Io)?;
    if metadata.is_dir() {
        return Err(OpenError::NotATrace { found: "a folder".to_owned() });
    }
    if !metadata.is_file() {
        return open_stream(file, &name_of(path), progress);
    }
    match kind_of(&head_of(file)?) {
        FileKind::PacketCapture => {
            let capture = PacketCapture::open(path).map_err(|error| OpenError::PacketCapture(error.to_string()))?;
            packets(capture, name_of(path), progress)
        }
        _ => read_trace(File::open(path).map_err(OpenError::Io)?, progress),
    }
}

/// Opens several files, one after the other, and joins what they show. `progress` is told the bytes of all of them.
pub fn open_all(paths: &[PathBuf], progress: &mut Progress<'_>) -> Result<Opened, FileError> {
    let mut files = Vec::with_capacity(paths.len());
    let mut before = 0;
    for path in paths {
        let mut read = 0;
        let opened = open_until(path, &mut |bytes| {
            read = bytes;
            progress(before + bytes)
        });
        before += read;
        files.push((path.clone(), opened.map_err(|source| FileError { path: path.clone(), source })?));
    }
    let nothing = || FileError { path: PathBuf::new(), source: OpenError::NotATrace { found: "no file".to_owned() } };
    join(files).ok_or_else(nothing)
}

/// What can be read only once: a pipe, a FIFO, a terminal's line.
fn open_stream(
    mut input: impl Read + Send + 'static,
    name: &str,
    progress: &mut Progress<'_>,
) -> Result<Opened, OpenError> {
    let head = head_of(&mut input)?;
    let kind = kind_of(&head);
    let whole = Cursor::new(head).chain(input);
    if kind == FileKind::PacketCapture {
        let capture = PacketCapture::new(whole).map_err(|error| OpenError::PacketCapture(error.to_string()))?;
        return packets(capture, name.to_owned(), progress);
    }
    read_trace(whole, progress)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Judges by the first bytes, of a compressed file by those of what is in it.
fn kind_of(head: &[u8]) -> FileKind {
    let kind = FileKind::of(head);
    if kind != FileKind::Gzip {
        return kind;
    }
    let mut inner = [0; 512];
    let length = fill(MultiGzDecoder::new(head), &mut inner).unwrap_or(0);
    FileKind::of(&inner[..length])
}

/// Enough of an input to see what it is, also where it is compressed.
fn head_of(input: impl Read) -> Result<Vec<u8>, OpenError> {
    let mut head = vec![0; 4096];
    let length = fill(input, &mut head)?;
    head.truncate(length);
    Ok(head)
}

fn fill(mut input: impl Read, buffer: &mut [u8]) -> Result<usize, OpenError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) if filled > 0 => break,
            Err(error) => return Err(OpenError::Io(error)),
        }
    }
    Ok(filled)
}

/// Opens a trace that is in memory, compressed or not. An error when it is none, or nothing of it can be used.
pub fn open_bytes(bytes: &[u8]) -> Result<Opened, OpenError> {
    read_trace(bytes, &mut |_| ControlFlow::Continue(()))
}

fn read_trace(input: impl Read, progress: &mut Progress<'_>) -> Result<Opened, OpenError> {
    let mut input = Watched { inner: input, read: 0, stopped: false, progress };
    let mut session = Session::for_file();
    let reading = read(&mut input, &mut |observation| session.observe(observation))?;
    let mut missing = reading.missing;
    if input.stopped {
        missing.insert(0, stopped_at(input.read));
    }
    describe_lost(reading.lost, &mut missing);
    let (lost, damaged) = (reading.lost, reading.damaged);
    if damaged == 0 || lost.observations > 0 {
        session.finish_file(reading.meta.end, lost.events, lost.observations, reading.findings);
    } else {
        session.finish_file(reading.meta.end, lost.events, 0, Vec::new());
        if session.distrust(damaged, &reading.findings) > 0 {
            missing.push(
                "What would follow from observations not being there is not shown, because they may be among the damaged ones."
                    .to_owned(),
            );
        }
    }
    Ok(Opened { meta: reading.meta, session, missing })
}

fn describe_lost(lost: Lost, missing: &mut Vec<String>) {
    if lost.observations > 0 {
        missing.push(format!(
            "{} observations are not in the file (older than what was kept, or not written for lack of space); findings are those of the \
             moment of writing.",
            lost.observations
        ));
    }
}

fn stopped_at(bytes: u64) -> String {
    format!("Reading was stopped after {}: what comes behind is not shown.", Bytes(bytes as f64))
}

struct Watched<'a, R> {
    inner: R,
    read: u64,
    stopped: bool,
    progress: &'a mut Progress<'a>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.stopped {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        self.stopped = (self.progress)(self.read).is_break();
        Ok(read)
    }
}

fn packets(mut capture: PacketCapture, name: String, progress: &mut Progress<'_>) -> Result<Opened, OpenError> {
    let position = capture.progress();
    let mut session = Session::for_file();
    let (mut events, mut observations) = (Vec::new(), Vec::<Observation>::new());
    let (mut decoder, mut gaps) = (None, 0);
    let mut more = true;
    let mut stopped = None;
    while more {
        more = capture.read(&mut events);
        let Some(clock) = capture.clock() else { break };
        let decoder = decoder.get_or_insert_with(|| Decoder::new(clock).of_packets());
        for event in events.drain(..) {
            decoder.handle(event, &mut observations);
        }
        if !more {
            decoder.finish(capture.now(), &mut observations);
        }
        for observation in observations.drain(..) {
            gaps += u64::from(matches!(observation.what, What::Gap { cause: GapCause::Lost, .. }));
            session.observe(observation);
        }
        if progress(position.bytes()).is_break() {
            stopped = Some(stopped_at(position.bytes()));
            break;
        }
    }
    let unknown = &capture.counts().unknown_link;
    if let Some((link, count)) = unknown.iter().next().filter(|(_, count)| **count == capture.counts().packets) {
        return Err(OpenError::PacketCapture(format!(
            "{} of link type {link}, which rosprobe does not understand",
            if *count == 1 { "its packet is".to_owned() } else { format!("all its {count} packets are") }
        )));
    }
    let mut meta = match capture.clock() {
        Some(clock) => Meta::of_packets(clock, name).until(capture.now()),
        None => Meta::of_packets(Clock { zero: unknown_meta(None).started }, name),
    };
    session.advance(capture.now());
    let gaps = (gaps > 0)
        .then(|| format!("Packets of the conversations are missing from the capture, at {}.", counted(gaps, "place")));
    let missing: Vec<String> = stopped.into_iter().chain(describe(&capture)).chain(gaps).collect();
    for limit in &missing {
        meta.note(limit.clone());
    }
    Ok(Opened { meta, session, missing })
}

/// What a packet capture could not tell, in sentences.
fn describe(capture: &PacketCapture) -> Vec<String> {
    let counts = capture.counts();
    let mut missing = Vec::new();
    if let Some(damage) = capture.damage() {
        missing.push(format!("The file could be read up to byte {}: {}.", damage.position, damage.reason));
    }
    if counts.packets == 0 {
        missing.push("There is no packet in the file.".to_owned());
    }
    for (link, count) in &counts.unknown_link {
        missing.push(format!("{count} packets are of link type {link}, which rosprobe does not understand."));
    }
    for (count, what) in [
        (counts.cut, "packets were cut when they were captured; capture with tcpdump -s 0"),
        (counts.malformed, "packets have headers that are cut or wrong"),
        (counts.incomplete_fragments, "fragmented packets could not be put together"),
        (counts.stray_segments, "TCP segments fit into no connection"),
        (counts.forgotten_connections, "connections were dropped, because too many were open at once"),
    ] {
        if count > 0 {
            missing.push(format!("{count} {what}."));
        }
    }
    missing
}
