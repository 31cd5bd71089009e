//! Observations as one line each, and findings as a block that a beginner understands.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::{Colour, Paint};
use crate::diagnosis::{Finding, Severity};
use crate::observation::{Observation, What};
use crate::printable::printable;

/// Where explanations are broken, in columns. Remedies are never broken: they are there to be copied.
const WIDTH: usize = 100;

/// How text is written.
#[derive(Clone, Debug)]
pub struct Style {
    /// Colour or not.
    pub paint: Paint,
    /// Time zone of the times of day.
    pub zone: TimeZone,
}

impl Style {
    /// `13:17:01.102`.
    fn time(&self, time: Timestamp) -> impl fmt::Display + use<> {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f")
    }

    /// An observation as one line, without its end.
    pub fn observation(&self, observation: &Observation) -> String {
        let process = observation.process.as_ref();
        let process = process.map_or_else(|| "-".to_owned(), |process| format!("{}[{}]", process.comm, process.pid));
        let remote = observation.socket.as_ref().and_then(|socket| socket.remote.or(socket.local));
        let remote = remote.map_or_else(|| "-".to_owned(), |remote| remote.to_string());
        let what = observation.what.to_string();
        let what = printable(&what);
        let what = match () {
            () if observation.what.is_failure() => self.paint.paint(Colour::Red, what),
            () if is_detail(&observation.what) => self.paint.paint(Colour::Dim, what),
            () => self.paint.plain(what),
        };
        format!("{} {:<20} {remote:<21} {what}", self.time(observation.time), printable(&process))
    }

    /// A finding as a block of lines: what, why, what to do, how it is known.
    pub fn finding(&self, finding: &Finding) -> String {
        let mut block = self.headline(finding);
        let summary = printable(&finding.summary).into_owned();
        push_line(&mut block, "  ", &self.paint.paint(Colour::Bold, summary).to_string());
        let paragraphs = finding.explanation.lines().filter(|line| !line.trim().is_empty());
        let lines = paragraphs.flat_map(|paragraph| wrapped(&printable(paragraph), WIDTH - 7));
        for (index, line) in lines.enumerate() {
            push_line(&mut block, if index == 0 { "  Why: " } else { "       " }, &line);
        }
        for (index, remedy) in finding.remedies.iter().enumerate() {
            let mut lines = remedy.lines();
            push_line(
                &mut block,
                if index == 0 { "  Fix: " } else { "   or: " },
                &printable(lines.next().unwrap_or_default()),
            );
            for line in lines {
                push_line(&mut block, "       ", &printable(line));
            }
        }
        let known = format!("{}{}  finding {}", self.times(finding), evidence(finding), printable(&finding.id));
        push_line(&mut block, "  ", &self.paint.paint(Colour::Dim, known).to_string());
        block
    }

    /// A finding that differs from one that was said by its topic or service alone, which there was `other`.
    pub fn alike(&self, finding: &Finding, other: &str) -> String {
        let mut block = self.headline(finding);
        let same = format!("The same trouble as with {} above, with the same remedy.", printable(other));
        let known = format!("  {}  finding {}", self.times(finding), printable(&finding.id));
        push_line(&mut block, "  ", &format!("{same}{}", self.paint.paint(Colour::Dim, known)));
        block
    }

    /// A finding that was said before, as one line.
    pub fn again(&self, finding: &Finding) -> String {
        format!("{}  {}\n", self.headline(finding).trim_end(), self.paint.paint(Colour::Dim, self.times(finding)))
    }

    /// A finding that no longer holds, as one line.
    pub fn over(&self, finding: &Finding) -> String {
        format!("{} {}\n", self.paint.paint(Colour::Green, "over"), facts(finding))
    }

    fn headline(&self, finding: &Finding) -> String {
        let (colour, word) = severity(finding.severity);
        format!("{} {}\n", self.paint.paint(colour, word), facts(finding))
    }

    fn times(&self, finding: &Finding) -> String {
        let first = self.time(finding.first);
        let ended = finding.ended.map(|at| format!(", over since {}", self.time(at))).unwrap_or_default();
        if finding.count <= 1 && finding.first == finding.last {
            return format!("once, at {first}{ended}");
        }
        let last = self.time(finding.last);
        match finding.count {
            0 | 1 => format!("since {first}, last seen at {last}{ended}"),
            count => format!("{count} times, first at {first}, last at {last}{ended}"),
        }
    }
}

/// The word and the colour of a severity.
fn severity(severity: Severity) -> (Colour, &'static str) {
    match severity {
        Severity::Error => (Colour::Red, "ERROR"),
        Severity::Warning => (Colour::Yellow, "WARNING"),
        Severity::Info => (Colour::Cyan, "NOTE"),
    }
}

/// `connect-failed  /some/topic  rostopic[4242] /rostopic_16622 -> /talker 10.0.1.1:41235  xmlrpc ECONNREFUSED`.
fn facts(finding: &Finding) -> String {
    let mut line = finding.code.word();
    let subject = [&finding.topic, &finding.service, &finding.node].into_iter().flatten().next();
    let mut push = |separator: &str, text: &str| {
        line.push_str(separator);
        line.push_str(&printable(text));
    };
    if let Some(subject) = subject {
        push("  ", subject);
    }
    if let Some(domain) = finding.domain {
        push("  ", &format!("domain {domain}"));
    }
    if let Some(process) = &finding.process {
        push("  ", &format!("{}[{}]", process.comm, process.pid));
        if let Some(node) = &process.node {
            push(" ", node);
        }
    }
    let (node, uri) = finding.peer.as_ref().map_or((None, None), |peer| (peer.node.as_deref(), peer.uri.as_deref()));
    // The URI says the same as the address.
    let peer = node.or(uri.filter(|_| finding.address.is_none()));
    if peer.is_some() || finding.address.is_some() {
        push(" ", "->");
    }
    for text in [peer, finding.address.as_deref()].into_iter().flatten() {
        push(" ", text);
    }
    let words = [finding.stage.map(|stage| stage.word().to_owned()), finding.errno.map(|errno| errno.to_string())];
    for (index, word) in words.iter().flatten().enumerate() {
        push(if index == 0 { "  " } else { " " }, word);
    }
    line
}

fn evidence(finding: &Finding) -> String {
    const SHOWN: usize = 6;
    let Some(first) = finding.evidence.first() else { return String::new() };
    let mut text = format!("; observations {}", first.0);
    for id in finding.evidence.iter().skip(1).take(SHOWN - 1) {
        // Writing to a String cannot fail.
        let _ = write!(text, ", {}", id.0);
    }
    if finding.evidence.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// What only fills the picture.
fn is_detail(what: &What) -> bool {
    matches!(
        what,
        What::Process(_)
            | What::Namespace(_)
            | What::Closed { .. }
            | What::PeerClosed
            | What::ProcessExited
            | What::AlreadyOpen
            | What::Listening { .. }
    )
}

fn push_line(block: &mut String, indent: &str, text: &str) {
    block.push_str(indent);
    block.push_str(text);
    block.push('\n');
}

/// Words in lines of at most `width` columns; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
