//! Figures of the pipeline in user space, from benchmarks of its own in `rosprobe/benches`.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::{Report, Target};
use super::{Bench, Pace};
use crate::process::{cargo, output};

/// Decoding of XML-RPC bodies of several kinds, on one core; and of whole messages, with HTTP and all that becomes of them.
pub fn decode(_: &Bench, report: &mut Report) -> Result<()> {
    let text = bench_output("decode", &[])?;
    let rates = rates(&text);
    anyhow::ensure!(!rates.is_empty(), "divan's table is not understood:\n{text}");
    for Rate { group, name, median } in rates {
        match group.as_str() {
            "bodies" => report.add(format!("XML-RPC decode, {name}"), "MB/s", [median], Some(Target::AtLeast(200.0))),
            _ => report.add(format!("XML-RPC {group}, {name}"), "MB/s", [median], None),
        }
    }
    Ok(())
}

/// A row of divan's table.
#[derive(Clone, Debug, PartialEq)]
struct Rate {
    group: String,
    name: String,
    /// Megabytes a second.
    median: f64,
}

/// Medians of divan's table: a line for each group, then for each benchmark a line with its times and one with its throughput.
fn rates(table: &str) -> Vec<Rate> {
    let mut rates = Vec::new();
    let (mut group, mut name) = (String::new(), String::new());
    for line in table.lines() {
        let mut rows = line.split('│').map(str::trim).filter(|cell| !cell.is_empty());
        let first = rows.next().unwrap_or_default();
        if let Some(row) = first.rsplit(['├', '╰']).next().and_then(|row| row.strip_prefix('─')) {
            let mut words = row.split_whitespace();
            let first = words.next().unwrap_or_default();
            first.clone_into(if words.next().is_none() { &mut group } else { &mut name });
        } else if first.ends_with("B/s") {
            // Fastest, slowest, median, mean.
            let median = rows.nth(1).unwrap_or_default();
            let (number, unit) = median.split_once(' ').unwrap_or_default();
            let scale = match unit {
                "GB/s" => 1000.0,
                "MB/s" => 1.0,
                "KB/s" => 0.001,
                _ => continue,
            };
            let rate = |number: f64| Rate { group: group.clone(), name: name.clone(), median: number * scale };
            rates.extend(number.parse().ok().map(rate));
        }
    }
    rates
}

/// What `rosprobe/benches/day.rs` prints: RSS at the end of each hour.
#[derive(Deserialize)]
struct Day {
    events: u64,
    resident_megabytes: Vec<f64>,
}

/// Memory over a day of a robot, fed to decoder, graph, diagnosis and printer as fast as they go.
pub fn day(bench: &Bench, report: &mut Report) -> Result<()> {
    let pace: &[&str] = if bench.pace == Pace::Quick { &["--", "--quick"] } else { &[] };
    let text = bench_output("day", pace)?;
    let line = text.lines().find(|line| line.starts_with('{')).context("the benchmark printed no result")?;
    let Day { events, resident_megabytes: hours } = serde_json::from_str(line).context("the benchmark's result")?;
    let quarter = *hours.get(hours.len() / 4).context("a day has hours")?;
    let last = *hours.last().context("a day has a last hour")?;
    let note = format!("{events} events");
    report.add_noted("24 h of a robot: RSS after 6 h", "MB", [quarter], None, &note);
    report.add("24 h of a robot: RSS after 24 h", "MB", [last], None);
    report.add("24 h of a robot: RSS after 24 h against 6 h", "x", [last / quarter], Some(Target::AtMost(1.1)));
    Ok(())
}

fn bench_output(name: &str, arguments: &[&str]) -> Result<String> {
    output(cargo().args(["bench", "--quiet", "--package", "rosprobe", "--bench", name]).args(arguments))
}

#[cfg(test)]
mod tests {
    use super::{Rate, rates};

    #[test]
    fn medians_are_read_from_the_table_of_divan() {
        let table = "Timer precision: 20 ns\n\
            decode                   fastest       │ slowest       │ median        │ mean          │ samples │ iters\n\
            ├─ bodies                              │               │               │               │         │\n\
            │  ├─ getSystemState     523 µs        │ 1.3 ms        │ 542.6 µs      │ 553.8 µs      │ 100     │ 100\n\
            │  │                     242.4 MB/s    │ 96 MB/s       │ 233.6 MB/s    │ 228.9 MB/s    │         │\n\
            │  ╰─ setParam-text      23 µs         │ 51 µs         │ 24 µs         │ 25 µs         │ 100     │ 100\n\
            │                        4.4 GB/s      │ 2 GB/s        │ 4.2 GB/s      │ 4.1 GB/s      │         │\n\
            ╰─ messages                            │               │               │               │         │\n   \
            ╰─ getPid                2 µs          │ 3 µs          │ 2.1 µs        │ 2.1 µs        │ 100     │ 100\n                            \
            200 MB/s      │ 150 MB/s      │ 190 MB/s      │ 190 MB/s      │         │\n";
        let expected =
            [("bodies", "getSystemState", 233.6), ("bodies", "setParam-text", 4200.0), ("messages", "getPid", 190.0)]
                .map(|(group, name, median)| Rate { group: group.to_owned(), name: name.to_owned(), median });
        assert_eq!(rates(table), expected);
    }
}
