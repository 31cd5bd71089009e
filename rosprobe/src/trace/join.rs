//! Several files at once: what was seen of the same connections from both ends, on one clock.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::document::{Meta, Source};
use super::opened::Opened;
use crate::diagnosis::Finding;
use crate::event::{Clock, Monotonic};
use crate::observation::{Observation, ObservationId, What};
use crate::session::Session;

/// Two sockets with the same ends are the same connection when they begin this close to each other, in nanoseconds: ports are
/// used again, but not so soon.
const SAME_CONNECTION: i128 = 20_000_000_000;
/// Numbers of sockets and of network namespaces of different files are kept apart in the upper bits.
const FILE_SHIFT: u32 = 48;

/// Client's end and server's end of a connection.
type Ends = (SocketAddr, SocketAddr);

/// Joins what several files show; `None` without any. A single file stays as it is.
pub fn join(mut files: Vec<(PathBuf, Opened)>) -> Option<Opened> {
    if files.len() < 2 {
        return files.pop().map(|(_, opened)| opened);
    }
    let mut missing = Vec::new();
    let handshakes: Vec<_> = files.iter().map(|(_, opened)| handshakes(opened)).collect();
    let mut ahead = vec![0];
    for (position, (path, opened)) in files.iter().enumerate().skip(1) {
        let name = path.display();
        missing.extend(opened.missing.iter().map(|sentence| format!("{name}: {sentence}")));
        if !has_time(opened) {
            ahead.push(0);
            continue;
        }
        ahead.push(clock_ahead(&handshakes[..position], &ahead, &handshakes[position]).unwrap_or_else(|| {
            missing.push(format!(
                "{name} shows no connection of the files before it: its clock was taken as right, and could not be checked."
            ));
            0
        }));
    }
    let (path, first) = &files[0];
    missing.splice(0..0, first.missing.iter().map(|sentence| format!("{}: {sentence}", path.display())));
    let observations = merged(&files, &ahead);
    let nothing_in_any = !files.iter().any(|(_, opened)| has_time(opened));
    let timed: Vec<(&Opened, i128)> = files
        .iter()
        .zip(&ahead)
        .filter(|((_, opened), _)| nothing_in_any || has_time(opened))
        .map(|((_, opened), ahead)| (opened, *ahead))
        .collect();
    let zero = timed.iter().map(|(opened, ahead)| zero_of(opened) - ahead).min()?;
    let end = timed.iter().map(|(opened, ahead)| wall(opened, opened.meta.end) - ahead).max()?;
    let begin = timed.iter().map(|(opened, ahead)| wall(opened, opened.meta.begin) - ahead).min()?;
    let clock = Clock { zero: timestamp(zero) };
    let mut session = Session::for_file();
    for (id, (time, mut observation)) in (1..).zip(observations) {
        observation.id = ObservationId(id);
        observation.time = timestamp(time);
        observation.monotonic = since(time, zero);
        session.observe(observation);
    }
    let lost = files.iter().map(|(_, opened)| opened.session.lost()).sum();
    let forgotten: u64 = files.iter().map(|(_, opened)| opened.session.forgotten()).sum();
    session.finish_file(since(end, zero), lost, 0, Vec::new());
    if forgotten > 0 {
        let written: Vec<Finding> = files.iter().flat_map(|(_, opened)| opened.session.findings()).cloned().collect();
        session.distrust(forgotten, &written);
        missing.push(format!("{forgotten} observations are not in the files (older than what was kept, not written for lack of space, or damaged)."));
    }
    let names = files.iter().map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let mut meta = Meta::of_packets(clock, String::new());
    meta.source = Source::Joined;
    meta.files = names.collect();
    meta.begin = since(begin, zero);
    meta.redacted = files.iter().all(|(_, opened)| opened.meta.redacted);
    Some(Opened { meta: meta.until(since(end, zero)), session, missing })
}

/// False for a capture in which nobody's packet is: it says nothing of when it was.
fn has_time(opened: &Opened) -> bool {
    !opened.session.history().is_empty() || opened.meta.end > opened.meta.begin
}

fn zero_of(opened: &Opened) -> i128 {
    opened.meta.clock.zero.as_nanosecond()
}

/// Wall-clock time in nanoseconds, by the clock of the file.
fn wall(opened: &Opened, time: Monotonic) -> i128 {
    zero_of(opened) + i128::from(time.0)
}

fn since(time: i128, zero: i128) -> Monotonic {
    Monotonic(u64::try_from(time - zero).unwrap_or(0))
}

fn timestamp(nanoseconds: i128) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(nanoseconds).unwrap_or(jiff::Timestamp::MAX)
}

/// When each connection was established, from whichever end it was seen.
fn handshakes(opened: &Opened) -> HashMap<Ends, i128> {
    let mut times = HashMap::new();
    for observation in opened.session.history() {
        if let Some(ends) = established(observation) {
            times.entry(ends).or_insert_with(|| wall(opened, observation.monotonic));
        }
    }
    times
}

fn established(observation: &Observation) -> Option<Ends> {
    let socket = observation.socket.as_ref()?;
    let (local, remote) = (socket.local?, socket.remote?);
    match observation.what {
        What::Connected { .. } => Some((local, remote)),
        What::Accepted => Some((remote, local)),
        _ => None,
    }
}

/// By how much a clock is ahead of the first file's, in nanoseconds: the median over all handshakes that both saw.
fn clock_ahead(known: &[HashMap<Ends, i128>], ahead: &[i128], these: &HashMap<Ends, i128>) -> Option<i128> {
    let mut differences: Vec<i128> = these
        .iter()
        .filter(|((client, server), _)| !client.ip().is_loopback() && client.ip() != server.ip())
        .filter_map(|(ends, time)| {
            known.iter().zip(ahead).find_map(|(known, ahead)| known.get(ends).map(|other| time - (other - ahead)))
        })
        .collect();
    if differences.is_empty() {
        return None;
    }
    differences.sort_unstable();
    differences.get(differences.len() / 2).copied()
}

/// All observations with their times on the first file's clock, in order. Of two packet captures that show the same socket, the
/// first one counts.
fn merged(files: &[(PathBuf, Opened)], ahead: &[i128]) -> Vec<(i128, Observation)> {
    let mut all: Vec<(i128, usize, Observation)> = Vec::new();
    let mut seen: HashMap<Ends, Vec<i128>> = HashMap::new();
    for (position, ((_, opened), ahead)) in files.iter().zip(ahead).enumerate() {
        let (twice, first_times) = seen_before(opened, *ahead, &seen);
        for (ends, time) in first_times {
            seen.entry(ends).or_default().push(time);
        }
        for observation in opened.session.history() {
            if observation.socket.as_ref().is_some_and(|socket| twice.contains(&socket.id)) {
                continue;
            }
            let time = wall(opened, observation.monotonic) - ahead;
            all.push((time, position, of_file(observation, position)));
        }
    }
    all.sort_by_key(|(time, position, observation)| (*time, *position, observation.id));
    let numbers: HashMap<(usize, ObservationId), ObservationId> = (1..)
        .zip(&all)
        .map(|(number, (_, position, observation))| ((*position, observation.id), ObservationId(number)))
        .collect();
    all.into_iter()
        .map(|(time, position, mut observation)| {
            if let What::Answer { to, .. } = &mut observation.what {
                *to = to.and_then(|id| numbers.get(&(position, id)).copied());
            }
            (time, observation)
        })
        .collect()
}

/// Sockets of a file that another file has shown already, and the connections of all the others.
fn seen_before(opened: &Opened, ahead: i128, seen: &HashMap<Ends, Vec<i128>>) -> (HashSet<u64>, Vec<(Ends, i128)>) {
    let (mut twice, mut known, mut first_times) = (HashSet::new(), HashSet::new(), Vec::new());
    for observation in opened.session.history() {
        let Some(socket) = &observation.socket else { continue };
        let (Some(local), Some(remote)) = (socket.local, socket.remote) else { continue };
        if !known.insert(socket.id) {
            continue;
        }
        let time = wall(opened, observation.monotonic) - ahead;
        let near = |other: &i128| (time - other).abs() < SAME_CONNECTION;
        if seen.get(&(local, remote)).is_some_and(|times| times.iter().any(near)) {
            twice.insert(socket.id);
        } else {
            first_times.push(((local, remote), time));
        }
    }
    (twice, first_times)
}

/// The same observation with numbers that no other file uses.
fn of_file(observation: &Observation, position: usize) -> Observation {
    let mut observation = observation.clone();
    let apart = (position as u64) << FILE_SHIFT;
    let namespace = |inode: &mut u64| {
        if *inode != 0 {
            *inode ^= apart;
        }
    };
    if let Some(socket) = &mut observation.socket {
        socket.id ^= apart;
        namespace(&mut socket.net_namespace);
    }
    match &mut observation.what {
        What::Process(process) => namespace(&mut process.net_namespace),
        What::Namespace(of) => namespace(&mut of.net_namespace),
        _ => {}
    }
    observation
}
