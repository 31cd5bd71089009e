//! Reading a document element by element, so that a damaged one opens as far as it goes.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::document::{Lost, Meta};
use super::reading::{OpenError, Reading, check_version, clock_of, unknown_meta};
use crate::diagnosis::Finding;
use crate::event::{Monotonic, Process};
use crate::observation::Observation;

/// Places at which reading is taken up again after damage.
const ATTEMPT_LIMIT: u32 = 10_000;
/// Of those, how many may run to the end of the file in vain.
const VAIN_LIMIT: u32 = 100;
/// Keys of a foreign object that are named.
const KEYS_NAMED: usize = 5;

const KEYS: [&str; 6] = ["rosprobe_trace", "meta", "processes", "observations", "findings", "lost"];

/// Reads a document. `broken` says why the bytes end early, where they do.
pub(super) fn document(
    bytes: &[u8],
    broken: Option<String>,
    observe: &mut dyn FnMut(Observation),
) -> Result<Reading, OpenError> {
    let mut salvage = Salvage { bytes, at: 0, found: Found::default(), attempts: 0, vain: 0, observe };
    salvage.found.missing.extend(broken);
    salvage.object()?;
    salvage.found.reading()
}

#[derive(Default)]
struct Found {
    version: Option<u64>,
    meta: Option<Meta>,
    observations: u64,
    first: Option<crate::event::Clock>,
    until: Monotonic,
    findings: Vec<Finding>,
    lost: Option<Lost>,
    foreign_keys: Vec<String>,
    damaged_from: Option<usize>,
    unreadable: [u64; 3],
    complete: bool,
    missing: Vec<String>,
}

struct Salvage<'a> {
    bytes: &'a [u8],
    at: usize,
    found: Found,
    attempts: u32,
    vain: u32,
    observe: &'a mut dyn FnMut(Observation),
}

/// The value that begins here cannot be read.
struct Broken;

#[derive(Clone, Copy)]
enum List {
    Processes,
    Observations,
    Findings,
}

impl List {
    fn name(self) -> &'static str {
        ["processes", "observations", "findings"][self as usize]
    }
}

impl<'a> Salvage<'a> {
    fn object(&mut self) -> Result<(), OpenError> {
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            self.at = 3;
        }
        self.eat(b'{');
        loop {
            match self.peek() {
                None => return Ok(()),
                Some(b'}') => {
                    self.found.complete = true;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    if self.entry()?.is_err() && !self.resume() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn entry(&mut self) -> Result<Result<(), Broken>, OpenError> {
        let Ok(key) = self.value::<String>() else { return Ok(Err(Broken)) };
        if !self.eat(b':') {
            return Ok(Err(Broken));
        }
        let result = match key.as_str() {
            "rosprobe_trace" => match self.value::<u64>() {
                Ok(version) => {
                    check_version(version)?;
                    self.found.version = Some(version);
                    Ok(())
                }
                Err(broken) => Err(broken),
            },
            "meta" => self.raw().map(|raw| self.found.meta = serde_json::from_str(raw.get()).ok()),
            "lost" => self.raw().map(|raw| self.found.lost = serde_json::from_str(raw.get()).ok()),
            "processes" => self.list(List::Processes),
            "observations" => self.list(List::Observations),
            "findings" => self.list(List::Findings),
            _ => {
                if self.found.foreign_keys.len() < KEYS_NAMED {
                    self.found.foreign_keys.push(key);
                }
                self.raw().map(drop)
            }
        };
        Ok(result)
    }

    fn list(&mut self, list: List) -> Result<(), Broken> {
        if !self.eat(b'[') {
            return Err(Broken);
        }
        self.elements(list)
    }

    fn elements(&mut self, list: List) -> Result<(), Broken> {
        loop {
            match self.peek() {
                None => return Err(Broken),
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    if let Ok(raw) = self.raw() {
                        self.element(list, raw);
                        continue;
                    }
                    self.damaged();
                    if !self.resume_in_list() {
                        // Not in this list any more: the caller looks for the next key.
                        return Err(Broken);
                    }
                }
            }
        }
    }

    fn element(&mut self, list: List, raw: &RawValue) {
        let known = match list {
            List::Processes => serde_json::from_str::<Process>(raw.get()).is_ok(),
            List::Observations => match serde_json::from_str::<Observation>(raw.get()) {
                Ok(observation) => {
                    self.found.observations += 1;
                    self.found.until = self.found.until.max(observation.monotonic);
                    self.found.first.get_or_insert_with(|| clock_of(&observation));
                    (self.observe)(observation);
                    true
                }
                Err(_) => false,
            },
            List::Findings => serde_json::from_str(raw.get()).map(|finding| self.found.findings.push(finding)).is_ok(),
        };
        if !known {
            self.found.unreadable[list as usize] += 1;
        }
    }

    /// Goes to the next line that begins with an element of a list; false at the next key or at the end.
    fn resume_in_list(&mut self) -> bool {
        while self.next_line() {
            match self.peek() {
                Some(b'{') => {
                    self.attempts += 1;
                    let at = self.at;
                    if self.attempts > ATTEMPT_LIMIT || self.vain > VAIN_LIMIT {
                        return false;
                    }
                    if self.raw().is_ok() {
                        self.at = at;
                        return true;
                    }
                    self.at = at;
                }
                Some(b']') => return true,
                Some(b'"') if self.at_key() => return false,
                _ => {}
            }
        }
        false
    }

    /// Goes to the next line that begins with a key of a document; false when there is none.
    fn resume(&mut self) -> bool {
        self.damaged();
        loop {
            if self.at_key() {
                return true;
            }
            if !self.next_line() {
                return false;
            }
            while self.peek() == Some(b',') {
                self.at += 1;
            }
        }
    }

    fn at_key(&mut self) -> bool {
        self.peek();
        let rest = &self.bytes[self.at..];
        KEYS.iter().any(|key| {
            rest.strip_prefix(b"\"")
                .and_then(|rest| rest.strip_prefix(key.as_bytes()))
                .and_then(|rest| rest.strip_prefix(b"\""))
                .is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
        })
    }

    fn next_line(&mut self) -> bool {
        let end = self.bytes[self.at..].iter().position(|byte| *byte == b'\n');
        self.at = end.map_or(self.bytes.len(), |end| self.at + end + 1);
        end.is_some()
    }

    fn damaged(&mut self) {
        self.found.damaged_from.get_or_insert(self.at);
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn raw(&mut self) -> Result<&'a RawValue, Broken> {
        let rest = &self.bytes[self.at..];
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<&'a RawValue>();
        match stream.next() {
            Some(Ok(raw)) => {
                self.at += stream.byte_offset();
                Ok(raw)
            }
            Some(Err(error)) => {
                self.vain += u32::from(error.is_eof());
                Err(Broken)
            }
            None => Err(Broken),
        }
    }

    fn value<T: DeserializeOwned>(&mut self) -> Result<T, Broken> {
        let raw = self.raw()?;
        serde_json::from_str(raw.get()).map_err(|_| Broken)
    }
}

impl Found {
    fn reading(mut self) -> Result<Reading, OpenError> {
        if self.version.is_none() && self.observations == 0 {
            return Err(self.not_a_trace());
        }
        if self.version.is_none() {
            self.missing.push("The version is missing; it was read as version 1.".to_owned());
        }
        for (list, count) in [List::Processes, List::Observations, List::Findings].iter().zip(self.unreadable) {
            if count > 0 {
                let what = list.name();
                self.missing.push(format!("{count} of the {what} are damaged or of an unknown kind, and left out."));
            }
        }
        if let Some(position) = self.damaged_from {
            self.missing.push(format!("The file is damaged from byte {position} on; what could be read after it was."));
        } else if !self.complete {
            self.missing.push("The end of the file is missing.".to_owned());
        }
        let damaged = self.unreadable[List::Observations as usize].max(u64::from(self.damaged_from.is_some()));
        if self.meta.is_none() {
            self.missing.push("Where the trace comes from is missing.".to_owned());
        }
        let meta = self.meta.unwrap_or_else(|| unknown_meta(self.first));
        let end = meta.end.max(self.until);
        Ok(Reading {
            meta: meta.until(end),
            findings: self.findings,
            lost: self.lost.unwrap_or_default(),
            missing: self.missing,
            damaged,
        })
    }

    fn not_a_trace(&self) -> OpenError {
        if self.meta.is_some() {
            return OpenError::Useless { reason: "neither its version nor an observation can be read".to_owned() };
        }
        let found = if !self.foreign_keys.is_empty() {
            let keys: Vec<String> = self.foreign_keys.iter().map(|key| format!("{:?}", shorten(key))).collect();
            format!("a JSON object of something else (with the keys {})", keys.join(", "))
        } else if self.complete {
            "an empty JSON object".to_owned()
        } else {
            "no readable JSON".to_owned()
        };
        OpenError::NotATrace { found }
    }
}

fn shorten(key: &str) -> String {
    key.chars().take(40).collect()
}
