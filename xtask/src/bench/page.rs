//! A report as a page, and against an earlier one.

use std::fmt::Write as _;

use super::figure::{Figure, Report, Target};

/// A change of a median that is worth a line: larger than this share of it, where the quartiles of both runs do not overlap.
const CHANGE: f64 = 0.05;
/// The same where a run has one sample, whose spread nobody knows.
const CHANGE_OF_ONE: f64 = 0.2;

/// The report as Markdown.
pub fn page(report: &Report) -> String {
    let Report { date, command, machine, commit, modes, figures, failed } = report;
    let mut page = format!(
        "# What rosprobe costs\n\nWritten by `{command}` on {date}, on {machine}, at commit {commit}. Capture modes of that machine: {}.\n\n",
        modes.join(", ")
    );
    page.push_str(
        "Rounds alternate between all watchers, nothing included; each ratio is of two measurements of the same round. Shown are medians, \
         with quartiles in brackets. All traffic is on the loopback of a network namespace. `empty programs` are rosprobe's hooks with programs \
         that return at once: what no eBPF program at these places can go below. What stops a figure, and what was tried: [in the \
         kernel](floors.md), [in user space](cost.md).\n\n",
    );
    let (demanded, rest): (Vec<&Figure>, Vec<&Figure>) = figures.iter().partition(|figure| figure.target.is_some());
    page.push_str("## What it must show\n\n| measure | at most / at least | measured | |\n|---|---|---|---|\n");
    for figure in demanded {
        let met = figure.target.is_none_or(|target| target.is_met(figure.spread.median));
        let target = figure.target.map_or_else(String::new, target);
        let _ = writeln!(
            page,
            "| {}{} | {target} {} | {} | {} |",
            figure.name,
            note(figure),
            figure.unit,
            measured(figure),
            if met { "met" } else { "**not met**" }
        );
    }
    page.push_str("\n## Everything measured\n\n| measure | measured | unit |\n|---|---|---|\n");
    for figure in rest {
        let _ = writeln!(page, "| {}{} | {} | {} |", figure.name, note(figure), measured(figure), figure.unit);
    }
    if !failed.is_empty() {
        page.push_str("\n## Not measured\n\n");
        for line in failed {
            let _ = writeln!(page, "- {line}");
        }
    }
    page
}

fn target(target: Target) -> String {
    match target {
        Target::AtMost(limit) => format!("≤ {}", number(limit)),
        Target::AtLeast(limit) => format!("≥ {}", number(limit)),
    }
}

fn note(figure: &Figure) -> String {
    if figure.note.is_empty() { String::new() } else { format!(" ({})", figure.note) }
}

fn measured(figure: &Figure) -> String {
    let spread = &figure.spread;
    if spread.samples == 1 {
        return number(spread.median);
    }
    format!("{} [{} .. {}]", number(spread.median), number(spread.low), number(spread.high))
}

/// Three or four digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3}"),
    }
}

/// What changed since an earlier run, a line each.
pub fn changes(before: &Report, now: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for figure in &now.figures {
        let Some(earlier) = before.figure(&figure.name) else {
            lines.push(format!("new: {} {} {}", figure.name, measured(figure), figure.unit));
            continue;
        };
        let (old, new) = (earlier.spread.median, figure.spread.median);
        let apart = figure.spread.high < earlier.spread.low || figure.spread.low > earlier.spread.high;
        let alone = figure.spread.samples == 1 || earlier.spread.samples == 1;
        let least = if alone { CHANGE_OF_ONE } else { CHANGE };
        if apart && (new - old).abs() > least * old.abs() {
            let share = if old == 0.0 { String::new() } else { format!(" ({:+.0} %)", (new - old) / old * 100.0) };
            let alone = if alone { ", of one sample" } else { "" };
            let (old, new) = (measured(earlier), measured(figure));
            lines.push(format!("{}: {old} -> {new} {}{share}{alone}", figure.name, figure.unit));
        }
    }
    let gone = before.figures.iter().filter(|figure| now.figure(&figure.name).is_none());
    lines.extend(gone.map(|figure| format!("no longer measured: {}", figure.name)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(samples: &[(&str, &[f64])]) -> Report {
        let mut report = Report::default();
        for (name, samples) in samples {
            report.add(*name, "ns", samples.iter().copied(), Some(Target::AtMost(40.0)));
        }
        report
    }

    #[test]
    fn a_page_says_what_was_demanded_and_whether_it_is_met() {
        let page = page(&report(&[("getpid, added", &[38.0, 39.0, 43.0]), ("read, added", &[50.0])]));
        assert!(page.contains("| getpid, added | ≤ 40.0 ns | 39.0 [38.5 .. 41.0] | met |"), "{page}");
        assert!(page.contains("| read, added | ≤ 40.0 ns | 50.0 | **not met** |"), "{page}");
    }

    #[test]
    fn only_changes_outside_of_the_spread_are_told() {
        let before = report(&[
            ("same", &[10.0, 11.0, 12.0]),
            ("worse", &[10.0, 20.0, 30.0]),
            ("overlapping", &[10.0, 11.0, 12.0]),
            ("apart", &[10.0, 11.0, 12.0]),
            ("one and one", &[10.0]),
            ("gone", &[1.0]),
        ]);
        let now = report(&[
            ("same", &[11.4]),
            ("worse", &[40.0]),
            ("overlapping", &[11.0, 12.0, 20.0]),
            ("apart", &[13.0, 13.0, 13.0]),
            ("one and one", &[11.5]),
            ("fresh", &[1.0]),
        ]);
        let lines = changes(&before, &now);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "worse: 20.0 [15.0 .. 25.0] -> 40.0 ns (+100 %), of one sample");
        assert_eq!(lines[1], "apart: 11.0 [10.5 .. 11.5] -> 13.0 [13.0 .. 13.0] ns (+18 %)");
        assert_eq!(lines[2..], ["new: fresh 1.00 ns", "no longer measured: gone"]);
    }
}
