//! What rosprobe itself uses, loses, and how fast it answers.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::figure::{Report, Target};
use super::host::{Line, Running};
use super::usage::{memory, pass, processor_percent};
use super::watcher::{start_rosprobe, start_rosprobe_into_file};
use super::{Bench, Pace};

/// How long a program may take to do its part on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);
/// After the start, until it rests.
const REST: Duration = Duration::from_secs(2);

impl Bench {
    fn times(&self, quick: u32, full: u32) -> u32 {
        if self.pace == Pace::Quick { quick } else { full }
    }

    fn load(&self, words: &[&str]) -> Result<Running> {
        Running::start(self.host.command(&self.load_on, &self.load).args(words))
    }
}

/// Time from the start of the process to its first line, which says that it watches.
pub fn start(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..bench.times(3, 11) {
        let begin = super::host::now_ns();
        let (running, first) = start_rosprobe(&bench.rosprobe, &[])?;
        samples.push(milliseconds(first.read_ns.saturating_sub(begin)));
        running.end()?;
    }
    report.add("start to attached", "ms", samples, Some(Target::AtMost(300.0)));
    Ok(())
}

/// Processor and memory of a rosprobe that has nothing to do.
pub fn idle(bench: &Bench, report: &mut Report) -> Result<()> {
    let (mut processor, mut resident, mut anonymous) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.times(1, 3) {
        let (running, _) = start_rosprobe(&bench.rosprobe, &[])?;
        pass(REST);
        let time = Duration::from_secs(bench.times(3, 10).into());
        let (percent, ()) = processor_percent(running.pid(), || {
            pass(time);
            Ok(())
        })?;
        let memory = memory(running.pid())?;
        processor.push(percent);
        resident.push(memory.resident);
        anonymous.push(memory.anonymous);
        running.end()?;
    }
    report.add("rosprobe, idle: processor", "% of a core", processor, Some(Target::AtMost(0.3)));
    report.add("rosprobe, idle: RSS", "MB", resident, Some(Target::AtMost(25.0)));
    report.add("rosprobe, idle: RSS without files and maps", "MB", anonymous, None);
    Ok(())
}

/// What a robot's nodes ask of each other and of the master in a busy second.
pub fn rates(bench: &Bench, report: &mut Report) -> Result<()> {
    let (mut fresh, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..bench.times(1, 3) {
        let seconds = bench.times(3, 8).to_string();
        let one = calls(bench, &[], &["--rate", "200", "--seconds", &seconds, "--bytes", "100"])?;
        let other = calls(bench, &[], &[&QUIET[..], &["--seconds", &seconds]].concat())?;
        fresh.push(one.percent);
        kept.push(other.percent);
    }
    let target = Some(Target::AtMost(2.0));
    report.add("rosprobe, 200 XML-RPC calls a second: processor", "% of a core", kept, target);
    report.add(
        "rosprobe, 200 XML-RPC calls a second, each on its own connection: processor",
        "% of a core",
        fresh,
        target,
    );
    Ok(())
}

/// 20,000 calls a second, while failures are printed, and while everything is: that writes more than 100 MB a second.
pub fn storm(bench: &Bench, report: &mut Report) -> Result<()> {
    for (what, arguments) in [("storm", &["--failures"][..]), ("storm, every observation printed", &[])] {
        let (mut lost, mut rate, mut processor, mut resident) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.times(1, 3) {
            let seconds = bench.times(3, 8).to_string();
            let words = ["--rate", "20000", "--seconds", &seconds, "--bytes", "1000", "--connections", "8"];
            let storm = calls(bench, arguments, &words)?;
            lost.push(storm.lost);
            rate.push(storm.rate);
            processor.push(storm.percent);
            resident.push(storm.resident);
        }
        let note = "20,000 were asked for; the load and rosprobe share the machine";
        report.add_noted(format!("{what}: XML-RPC calls of 1 kB a second that were made"), "calls/s", rate, None, note);
        report.add(format!("{what}: events lost"), "events", lost, Some(Target::AtMost(0.0)));
        report.add(format!("{what}: processor"), "% of a core", processor, None);
        report.add(format!("{what}: RSS"), "MB", resident, None);
    }
    onset(bench, report)
}

/// The same, beginning in the middle of calls that rosprobe looks for now and then.
fn onset(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut lost = Vec::new();
    for _ in 0..bench.times(2, 5) {
        let beside = bench.load(&[&["calls"], &QUIET[..], &["--seconds", "4"]].concat())?;
        let words = ["--rate", "20000", "--seconds", "1", "--bytes", "1000", "--connections", "8"];
        lost.push(calls(bench, &["--failures"], &words)?.lost);
        beside.wait_for(LIMIT, |line| line.starts_with('{'))?;
    }
    let name = "storm that begins among 200 calls a second: events lost";
    report.add(name, "events", lost, Some(Target::AtMost(0.0)));
    Ok(())
}

/// 200 calls a second on connections that stay open, for `load calls`.
const QUIET: [&str; 6] = ["--rate", "200", "--bytes", "100", "--connections", "4"];

struct Watched {
    percent: f64,
    resident: f64,
    rate: f64,
    lost: f64,
}

/// `load calls`, watched. What rosprobe prints goes into a file: reading it would cost more than writing it.
fn calls(bench: &Bench, arguments: &[&str], words: &[&str]) -> Result<Watched> {
    let (running, printed) = start_rosprobe_into_file(&bench.rosprobe, arguments)?;
    pass(REST);
    let (percent, made) = processor_percent(running.pid(), || {
        let loading = bench.load(&[&["calls"], words].concat())?;
        object(&loading.wait_for(LIMIT, |line| line.starts_with('{'))?.text)
    })?;
    let resident = memory(running.pid())?.resident;
    let rate = number(&made, "calls")? / number(&made, "seconds")?;
    running.end()?;
    Ok(Watched { percent, resident, rate, lost: number(&object(&printed.last_statistics()?)?, "lost")? })
}

/// Many sockets and links.
pub fn links(bench: &Bench, report: &mut Report) -> Result<()> {
    let (running, _) = start_rosprobe(&bench.rosprobe, &[])?;
    let mut holding = bench.load(&["links", "--count", "5000"])?;
    holding.wait_for(LIMIT, |line| line == "ready")?;
    let links = 5000.0;
    running.wait_for(LIMIT, |line| known_links(line) >= links).context("the links were not all recognised")?;
    let (percent, ()) = processor_percent(running.pid(), || {
        pass(REST * 2);
        Ok(())
    })?;
    let memory = memory(running.pid())?;
    drop(holding.stdin());
    let lines = running.end()?;
    report.add("10,000 sockets and 5,000 links: RSS", "MB", [memory.resident], Some(Target::AtMost(80.0)));
    report.add("10,000 sockets and 5,000 links: RSS without files and maps", "MB", [memory.anonymous], None);
    report.add("10,000 sockets and 5,000 links, at rest: processor", "% of a core", [percent], None);
    report.add("10,000 sockets and 5,000 links: events lost", "events", [lost(&lines)?], Some(Target::AtMost(0.0)));
    Ok(())
}

fn known_links(line: &str) -> f64 {
    if !line.contains("\"type\":\"statistics\"") {
        return 0.0;
    }
    let Ok(statistics) = object(line) else { return 0.0 };
    ["ok", "pending", "failed"].iter().filter_map(|outcome| statistics["links"][outcome].as_f64()).sum()
}

/// Many processes.
pub fn processes(bench: &Bench, report: &mut Report) -> Result<()> {
    let (running, _) = start_rosprobe(&bench.rosprobe, &[])?;
    pass(REST);
    let (percent, made) = processor_percent(running.pid(), || {
        let loading = bench.load(&["processes", "--count", "1000"])?;
        object(&loading.wait_for(LIMIT, |line| line.starts_with('{'))?.text)
    })?;
    let memory = memory(running.pid())?;
    let rate = number(&made, "processes")? / number(&made, "seconds")?;
    report.add("1,000 processes, one call each: processes a second", "processes/s", [rate], None);
    report.add("1,000 processes, one call each: processor", "% of a core", [percent], None);
    report.add("1,000 processes, one call each: RSS", "MB", [memory.resident], None);
    let lost = lost(&running.end()?)?;
    report.add("1,000 processes, one call each: events lost", "events", [lost], Some(Target::AtMost(0.0)));
    Ok(())
}

/// From the return of the failing `connect()` to the finding on standard output.
pub fn findings(bench: &Bench, report: &mut Report) -> Result<()> {
    let (running, _) = start_rosprobe(&bench.rosprobe, &[])?;
    let count = bench.times(5, 30);
    let failing = bench.load(&["failing", "--count", &count.to_string()])?;
    let mut samples = Vec::new();
    for _ in 0..count {
        let failed = object(&failing.wait_for(LIMIT, |line| line.starts_with('{'))?.text)?;
        let topic = failed["topic"].as_str().context("the load names a topic")?.to_owned();
        let failed_ns = failed["failed_ns"].as_u64().context("the load says when")?;
        let wanted = |line: &str| {
            let finding =
                || object(line).is_ok_and(|finding| finding["topic"] == *topic && finding["errno"] == "ECONNREFUSED");
            line.contains("\"type\":\"finding\"") && finding()
        };
        let finding = running.wait_for(Duration::from_secs(10), wanted)?;
        samples.push(milliseconds(finding.read_ns.saturating_sub(failed_ns)));
    }
    report.add("failing connect to finding", "ms", samples, Some(Target::AtMost(100.0)));
    running.end().map(drop)
}

fn object(line: &str) -> Result<Value> {
    serde_json::from_str(line).with_context(|| format!("no JSON object: {line}"))
}

fn number(object: &Value, name: &str) -> Result<f64> {
    object[name].as_f64().with_context(|| format!("{object} has no number {name}"))
}

/// Events lost, as the last line of statistics says.
fn lost(lines: &[Line]) -> Result<f64> {
    let last = lines.iter().rev().find(|line| line.text.contains("\"type\":\"statistics\""));
    let Some(last) = last else { bail!("rosprobe said no statistics at its end") };
    number(&object(&last.text)?, "lost")
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}
