//! What watching adds to a system call, a byte, a connection and a call.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::figure::{Report, Target};
use super::host::Running;
use super::watcher::{DEFAULT, Place, Watcher};
use super::{Bench, Pace};

/// The loads, as `load measure` knows them, and what they are.
const LOADS: [(&str, &str); 9] = [
    ("getpid", "getpid()"),
    ("read-write", "1-byte read of /dev/zero + write of /dev/null"),
    ("tcp-pair", "TCP send + recv of 32 bytes"),
    ("tcp-ping-pong", "TCP ping-pong of 32 bytes"),
    ("tcp-bulk", "TCP bulk, 64 KiB"),
    ("udp-ping-pong", "UDP ping-pong of 32 bytes"),
    ("rtps-sample", "RTPS sample of 100 bytes, sent + received"),
    ("connect-refused", "connect + close, refused"),
    ("xml-rpc", "XML-RPC call"),
];
/// strace makes a turn a hundred times slower; the loads take their time, but not more than that.
const LIMIT: Duration = Duration::from_mins(1);

/// Nanoseconds of each load in one round under one watcher.
type Turn = BTreeMap<String, f64>;

/// Measures, and adds the figures.
pub fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let watchers = Watcher::all(&bench.modes);
    let rounds = if bench.pace == Pace::Quick { 3 } else { 9 };
    let mut turns: BTreeMap<Watcher, BTreeMap<usize, Turn>> = BTreeMap::new();
    for round in 0..rounds {
        for at in 0..watchers.len() {
            // Another order in each round, so that what drifts drifts over all.
            let watcher = &watchers[(at + round) % watchers.len()];
            super::check_interrupted()?;
            bench.say(&format!("overhead, round {} of {rounds}: {}", round + 1, watcher.title()));
            match turn(bench, watcher) {
                Ok(turn) => drop(turns.entry(watcher.clone()).or_default().insert(round, turn)),
                Err(error) => report.failed.push(format!("overhead under {}: {error:#}", watcher.title())),
            }
        }
    }
    let nothing = turns.remove(&Watcher::Nothing).context("no round without a watcher was measured")?;
    for (load, title) in LOADS {
        report.add(
            format!("{title}, nothing"),
            "ns",
            nothing.values().filter_map(|turn| turn.get(load).copied()),
            None,
        );
    }
    for watcher in &watchers {
        let Some(turns) = turns.get(watcher) else { continue };
        for (load, title) in LOADS {
            let pairs: Vec<(f64, f64)> = turns
                .iter()
                .filter_map(|(round, turn)| Some((*nothing.get(round)?.get(load)?, *turn.get(load)?)))
                .collect();
            add(report, watcher, load, title, &pairs);
        }
    }
    against_floor(bench, report, &turns);
    Ok(())
}

fn turn(bench: &Bench, watcher: &Watcher) -> Result<Turn> {
    let place = Place { host: &bench.host, on: &bench.watchers_on, rosprobe: &bench.rosprobe };
    let watching = watcher.start(&place)?;
    let milliseconds = if bench.pace == Pace::Quick { "80" } else { "200" };
    let mut words: Vec<&str> = watcher.prefix().to_vec();
    let load = bench.load.to_string_lossy();
    words.extend([&*load, "measure", "--milliseconds", milliseconds]);
    words.extend(LOADS.map(|(name, _)| name));
    let (program, arguments) = words.split_first().context("a command has words")?;
    let loading = Running::start(bench.host.command(&bench.load_on, program).args(arguments))?;
    let line = loading.wait_for(LIMIT, |line| line.starts_with('{'))?;
    drop(watching);
    serde_json::from_str(&line.text).context("the load's line is one JSON object")
}

fn add(report: &mut Report, watcher: &Watcher, load: &str, title: &str, pairs: &[(f64, f64)]) {
    let own = matches!(watcher, Watcher::Rosprobe(mode) if mode == "sock" || mode == DEFAULT);
    let added = pairs.iter().map(|(nothing, with)| with - nothing);
    let name = format!("{title}, {}", watcher.title());
    if matches!(load, "getpid" | "read-write" | "connect-refused") {
        let target = match load {
            "getpid" if own => Some(Target::AtMost(40.0)),
            // Two system calls.
            "read-write" if own => Some(Target::AtMost(80.0)),
            "connect-refused" if own => Some(Target::AtMost(2000.0)),
            _ => None,
        };
        report.add(format!("{name}, added"), "ns", added, target);
    }
    if load == "tcp-bulk" {
        let target = own.then_some(Target::AtLeast(0.97));
        let ratios = pairs.iter().map(|(nothing, with)| nothing / with);
        report.add(format!("{name}, throughput"), "x nothing", ratios, target);
        return;
    }
    let target = match load {
        "tcp-pair" if own => Some(Target::AtMost(1.06)),
        "read-write" if *watcher == Watcher::Rosprobe("syscall".to_owned()) => Some(Target::AtMost(1.6)),
        _ => None,
    };
    report.add(name, "x nothing", pairs.iter().map(|(nothing, with)| with / nothing), target);
}

/// Unrelated system calls, against programs that return at once.
fn against_floor(bench: &Bench, report: &mut Report, turns: &BTreeMap<Watcher, BTreeMap<usize, Turn>>) {
    for mode in &bench.modes {
        let (Some(own), Some(floor)) =
            (turns.get(&Watcher::Rosprobe(mode.clone())), turns.get(&Watcher::Floor(mode.clone())))
        else {
            continue;
        };
        for (load, title, calls) in [("getpid", LOADS[0].1, 1.0), ("read-write", LOADS[1].1, 2.0)] {
            let above =
                own.iter().filter_map(|(round, turn)| Some((turn.get(load)? - floor.get(round)?.get(load)?) / calls));
            let target = (mode == "sock" || mode == DEFAULT).then_some(Target::AtMost(10.0));
            report.add(format!("{title}, {mode} above its floor, a system call"), "ns", above, target);
        }
    }
}
