//! A report to paste into an issue.

use std::fmt::Write;

use super::provenance;
use crate::diagnosis::{Counts, Finding, Severity};
use crate::observation::Observation;
use crate::printable::{counted, printable};
use crate::trace::Opened;

/// Observations shown for one finding.
const EVIDENCE_LIMIT: usize = 12;
/// Longest text of an observation, in characters.
const LINE_LIMIT: usize = 300;

/// The report as Markdown. Whether it was redacted is said in it.
pub fn markdown(opened: &Opened) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, opened);
    out
}

fn write(out: &mut String, opened: &Opened) -> std::fmt::Result {
    let findings = opened.session.findings();
    let counts = Counts::of(findings);
    writeln!(out, "## rosprobe: {}", headline(counts))?;
    writeln!(out, "\n{}; rosprobe {}.", prose(&provenance(&opened.meta)), prose(&opened.meta.rosprobe))?;
    if opened.meta.redacted {
        writeln!(
            out,
            "Parameter values, host names, user names, addresses and GUIDs are replaced by placeholders; the same placeholder is \
             the same original (`--no-redact` shows the originals)."
        )?;
    }
    for sentence in &opened.missing {
        writeln!(out, "\n> {}", prose(sentence))?;
    }
    for finding in findings {
        one(out, finding, opened)?;
    }
    Ok(())
}

fn headline(counts: Counts) -> String {
    if counts == Counts::default() {
        return "nothing wrong was found".to_owned();
    }
    let parts = [(counts.error, "error"), (counts.warning, "warning"), (counts.info, "note")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect();
    parts.join(", ")
}

fn one(out: &mut String, finding: &Finding, opened: &Opened) -> std::fmt::Result {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let subject = [&finding.topic, &finding.service, &finding.node].into_iter().flatten().next();
    let subject = subject.map(|subject| format!(" on {}", code(subject))).unwrap_or_default();
    writeln!(out, "\n### {severity}: {}{subject}\n", finding.code.word())?;
    writeln!(out, "{}", prose(&finding.summary))?;
    writeln!(out, "\n**Why.** {}", prose(&finding.explanation))?;
    for (position, remedy) in finding.remedies.iter().enumerate() {
        writeln!(out, "{}- {}", if position == 0 { "\n**Fix.**\n\n" } else { "" }, code(remedy))?;
    }
    let times = if finding.count == 1 { "once".to_owned() } else { format!("{} times", finding.count) };
    let ended = finding.ended.map(|at| format!(", over since {at:.3}")).unwrap_or_default();
    writeln!(
        out,
        "\nSeen {times}, first {:.3}, last {:.3}{ended}; finding {}.",
        finding.first,
        finding.last,
        code(&finding.id)
    )?;
    evidence(out, finding, opened)
}

fn evidence(out: &mut String, finding: &Finding, opened: &Opened) -> std::fmt::Result {
    let history = opened.session.history();
    let mut shown = finding
        .evidence
        .iter()
        .filter_map(|id| history.binary_search_by_key(id, |observation| observation.id).ok())
        .filter_map(|position| history.get(position))
        .take(EVIDENCE_LIMIT)
        .peekable();
    if shown.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>Evidence</summary>\n\n| # | time | who | with | what |\n|---|---|---|---|---|")?;
    for observation in shown {
        writeln!(out, "{}", row(observation))?;
    }
    writeln!(out, "\n</details>")
}

fn row(observation: &Observation) -> String {
    let who = observation.process.as_ref().map(|process| format!("{}[{}]", process.comm, process.pid));
    let socket = observation.socket.as_ref();
    let who = who.or_else(|| socket.and_then(|socket| socket.local).map(|local| local.to_string())).unwrap_or_default();
    let with = socket.and_then(|socket| socket.remote).map(|remote| remote.to_string()).unwrap_or_default();
    let what: String = observation.what.to_string().chars().take(LINE_LIMIT).collect();
    let time = observation.time.strftime("%H:%M:%S%.3f");
    format!("| {} | {time} | {} | {} | {} |", observation.id.0, code(&who), code(&with), code(&what))
}

/// Text in which nothing is markup.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in printable(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '@') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Text as code, on one line, also inside a table.
fn code(text: &str) -> String {
    let text = printable(text).replace('|', "\\|");
    if text.is_empty() {
        return text;
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    if fence.len() == 1 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_network_is_no_markup() {
        assert_eq!(prose("<img src=x> *a* @team"), "\\<img src=x\\> \\*a\\* \\@team");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a\nb"), "`a␊b`");
    }
}
