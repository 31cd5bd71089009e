//! Reading a trace, whole or damaged: as far as it goes, with a word about what is missing.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::detect::FileKind;
use super::document::{Line, Lost, Meta, RecordingHead};
use super::reading::{OpenError, Reading, check_version, clock_of, unknown_meta};
use super::salvage;
use crate::diagnosis::Finding;
use crate::event::{Clock, Monotonic};
use crate::observation::Observation;

/// Longest line of a recording that is believed, in bytes.
const LINE_LIMIT: u64 = 64 << 20;
/// Longest document that is read, decompressed, in bytes.
const DOCUMENT_LIMIT: u64 = 2 << 30;
/// Bytes by which a file is judged.
const START: usize = 512;

/// Reads a trace, compressed or not, and hands its observations to `observe` in their order.
pub fn read(input: impl Read, observe: &mut dyn FnMut(Observation)) -> Result<Reading, OpenError> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    if peek(&mut input)?.starts_with(&[0x1f, 0x8b]) {
        let mut input = BufReader::with_capacity(1 << 18, MultiGzDecoder::new(input));
        return read_plain(&mut input, observe);
    }
    read_plain(&mut input, observe)
}

/// The first bytes, which stay where they are.
fn peek(input: &mut impl BufRead) -> Result<&[u8], OpenError> {
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(OpenError::Io(error)),
        }
    }
    let start = input.fill_buf().map_err(OpenError::Io)?;
    Ok(&start[..start.len().min(START)])
}

fn read_plain(input: &mut impl BufRead, observe: &mut dyn FnMut(Observation)) -> Result<Reading, OpenError> {
    let kind = FileKind::of(peek(input)?);
    if kind != FileKind::JsonObject {
        return Err(OpenError::NotATrace { found: kind.to_string() });
    }
    let mut lines = Lines::new(input);
    let first = lines.next().unwrap_or_default();
    if let Ok(head) = serde_json::from_slice::<RecordingHead>(&first) {
        check_version(u64::from(head.rosprobe_trace))?;
        return Ok(recording(Some(head.meta), &mut lines, observe));
    }
    let second = lines.next();
    if second.as_ref().is_some_and(|line| serde_json::from_slice::<Line>(line).is_ok()) {
        let mut lines = Lines { first: second, ..lines };
        let mut reading = recording(None, &mut lines, observe);
        reading.missing.insert(0, "The first line, which says where the recording comes from, is damaged.".to_owned());
        return Ok(reading);
    }
    let mut bytes = first;
    bytes.extend(second.unwrap_or_default());
    let broken = lines.rest(&mut bytes);
    salvage::document(&bytes, broken, observe)
}

/// Lines with their line ends; the last one may have none.
struct Lines<'a, R> {
    input: &'a mut R,
    first: Option<Vec<u8>>,
    error: Option<String>,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(input: &'a mut R) -> Self {
        Self { input, first: None, error: None }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.error.is_some() {
            return None;
        }
        let mut line = Vec::new();
        if let Err(error) = (&mut self.input).take(LINE_LIMIT).read_until(b'\n', &mut line) {
            self.error = Some(broken_off(&error));
        }
        (!line.is_empty()).then_some(line)
    }

    /// Everything that is left; a sentence where it does not end in order.
    fn rest(self, bytes: &mut Vec<u8>) -> Option<String> {
        if self.error.is_some() {
            return self.error;
        }
        match self.input.take(DOCUMENT_LIMIT).read_to_end(bytes) {
            Ok(read) if read as u64 == DOCUMENT_LIMIT => {
                Some(format!("The file has more than {DOCUMENT_LIMIT} bytes; what comes after was not read."))
            }
            Ok(_) => None,
            Err(error) => Some(broken_off(&error)),
        }
    }
}

fn broken_off(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "The compressed data ends early; the rest of the file is missing.".to_owned(),
        _ => format!("Reading broke off: {error}."),
    }
}

/// Reads the lines behind the head.
fn recording(head: Option<Meta>, lines: &mut Lines<'_, impl BufRead>, observe: &mut dyn FnMut(Observation)) -> Reading {
    let mut state = Recording { meta: head, ..Recording::default() };
    let mut number = 1_u64;
    while let Some(line) = lines.next() {
        number += 1;
        match serde_json::from_slice::<Line>(&line) {
            Ok(line) => state.line(line, observe),
            Err(_) if !line.ends_with(b"\n") => state.cut = true,
            Err(_) => {
                state.damaged += 1;
                state.first_damaged.get_or_insert(number);
            }
        }
    }
    state.reading(lines.error.take())
}

#[derive(Default)]
struct Recording {
    meta: Option<Meta>,
    guessed_clock: Option<Clock>,
    findings: Vec<Finding>,
    lost: Lost,
    until: Monotonic,
    ended: bool,
    cut: bool,
    damaged: u64,
    first_damaged: Option<u64>,
}

impl Recording {
    fn line(&mut self, line: Line, observe: &mut dyn FnMut(Observation)) {
        match line {
            Line::Observation(observation) => {
                self.until = self.until.max(observation.monotonic);
                self.guessed_clock.get_or_insert_with(|| clock_of(&observation));
                observe(*observation);
            }
            Line::Finding(finding) => match self.findings.iter_mut().find(|known| known.id == finding.id) {
                Some(known) => *known = *finding,
                None => self.findings.push(*finding),
            },
            Line::Now { monotonic, lost } => {
                self.until = self.until.max(monotonic);
                self.lost = lost;
            }
            Line::End { meta, lost } => {
                self.meta = Some(*meta);
                self.lost = lost;
                self.ended = true;
            }
        }
    }

    fn reading(self, broken: Option<String>) -> Reading {
        let until = self.until;
        let meta = self.meta.unwrap_or_else(|| unknown_meta(self.guessed_clock));
        let mut missing = Vec::new();
        if let Some(first) = self.first_damaged {
            missing.push(format!(
                "{} damaged or unknown, and left out; the first is line {first}.",
                lines_are(self.damaged)
            ));
        }
        if self.cut {
            missing.push("The last line is cut, and left out.".to_owned());
        }
        missing.extend(broken);
        if !self.ended {
            let time = meta.clock.wall(until);
            missing.push(format!("The recording was not ended in order; it goes up to {time:.3}."));
        }
        let end = if self.ended { meta.end.max(until) } else { until };
        Reading { meta: meta.until(end), findings: self.findings, lost: self.lost, missing, damaged: self.damaged }
    }
}

fn lines_are(count: u64) -> String {
    if count == 1 { "1 line is".to_owned() } else { format!("{count} lines are") }
}
