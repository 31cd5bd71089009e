//! Figures of the pipeline in user space, from benchmarks of its own in `rosprobe/benches`.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::{Report, Target};
use super::{Bench, Pace};
use crate::process::{cargo, output};

/// Decoding of XML-RPC documents of several kinds, on one core.
pub fn decode(_: &Bench, report: &mut Report) -> Result<()> {
    let text = bench_output("decode", &[])?;
    let rates = rates(&text);
    anyhow::ensure!(!rates.is_empty(), "divan's table is not understood:\n{text}");
    for (document, rate) in rates {
        report.add(format!("XML-RPC decode, {document}"), "MB/s", [rate], Some(Target::AtLeast(200.0)));
    }
    Ok(())
}

/// Medians of divan's table in megabytes a second: a line with the times of a benchmark, then one with its throughput.
fn rates(table: &str) -> Vec<(String, f64)> {
    let mut rates = Vec::new();
    let mut name = String::new();
    for line in table.lines() {
        let mut rows = line.split('│').map(str::trim).filter(|cell| !cell.is_empty());
        let first = rows.next().unwrap_or_default();
        if let Some(row) = first.rsplit(['├', '╰']).next().and_then(|row| row.strip_prefix('─')) {
            row.split_whitespace().next().unwrap_or_default().clone_into(&mut name);
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
            rates.extend(number.parse().ok().map(|number: f64| (name.clone(), number * scale)));
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
    use super::rates;

    #[test]
    fn medians_are_read_from_the_table_of_divan() {
        let table = "Timer precision: 20 ns\n\
            decode                   fastest       │ slowest       │ median        │ mean          │ samples │ iters\n\
            ╰─ decode                              │               │               │               │         │\n   \
            ├─ getSystemState        523 µs        │ 1.3 ms        │ 542.6 µs      │ 553.8 µs      │ 100     │ 100\n   \
            │                        242.4 MB/s    │ 96 MB/s       │ 233.6 MB/s    │ 228.9 MB/s    │         │\n   \
            ╰─ setParam-text         23 µs         │ 51 µs         │ 24 µs         │ 25 µs         │ 100     │ 100\n                            \
            4.4 GB/s      │ 2 GB/s        │ 4.2 GB/s      │ 4.1 GB/s      │         │\n";
        let expected = [("getSystemState".to_owned(), 233.6), ("setParam-text".to_owned(), 4200.0)];
        assert_eq!(rates(table), expected);
    }
}
