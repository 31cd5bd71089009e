//! The filter language: `/scan`, `/cam*`, `re:^/robot\d+/`, `pid:4242 comm:rostopic node:talker addr:10.0.1.1 errno:ECONNREFUSED failed`.
//!
//! Terms stand apart by spaces and must all hold. A topic of ROS 2 may be written as ROS has it (`/chatter`) or as DDS has it
//! (`rt/chatter`).

mod subject;

use std::borrow::Cow;
use std::ops::Range;

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};

use crate::errno::Errno;
use crate::observation::dds::{RosName, RosPart};

/// A filter that was parsed.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The expression after `re:`.
    #[error("{expression:?} is no regular expression: {reason}. Write re:^/scan$ for instance")]
    Expression {
        /// As it was written.
        expression: String,
        /// What is wrong.
        reason: String,
    },
    /// A pattern with `*`, `?` or `[`.
    #[error("{pattern:?} is no pattern: {reason}. Write /camera/* for instance")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// What stands after `pid:`.
    #[error("pid:{0} names no process: a number goes there, pid:4242 for instance")]
    Pid(String),
}

#[derive(Clone, Debug)]
enum Term {
    /// As it was written; for a DDS topic (`rt/chatter`) also the name that it has in ROS.
    Name(Pattern, Option<Pattern>),
    Comm(Pattern),
    Node(Pattern),
    Address(Pattern),
    Errno(String),
    Pid(u32),
    Failed,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// Part of the text; without regard to case unless it has a capital letter.
    Part { expression: Regex },
    /// The whole text.
    Glob(GlobMatcher),
}

/// What a filter looks at.
#[derive(Clone, Debug, Default)]
pub struct Subject<'a> {
    /// Topics and services concerned.
    pub names: Vec<Cow<'a, str>>,
    /// Nodes concerned.
    pub nodes: Vec<Cow<'a, str>>,
    /// Processes concerned.
    pub pids: Vec<u32>,
    /// Names of those processes.
    pub comms: Vec<Cow<'a, str>>,
    /// Addresses and URIs concerned.
    pub addresses: Vec<Cow<'a, str>>,
    /// Error numbers that were met.
    pub errnos: Vec<Errno>,
    /// Whether something failed.
    pub failed: bool,
    /// It stands above topics and services, as a master that cannot be reached does: terms about their names hold for it.
    pub above_names: bool,
    /// It says that what is shown may be incomplete: every term holds for it.
    pub about_rosprobe: bool,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, FilterError> {
        if let Some(expression) = text.strip_prefix("re:") {
            return Regex::new(expression).map(|expression| Self::Part { expression }).map_err(|error| {
                let reason =
                    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                FilterError::Expression { expression: expression.to_owned(), reason }
            });
        }
        if text.contains(['*', '?', '[']) {
            let glob = GlobBuilder::new(text).case_insensitive(!has_capital(text)).build();
            return glob
                .map(|glob| Self::Glob(glob.compile_matcher()))
                .map_err(|error| FilterError::Pattern { pattern: text.to_owned(), reason: error.kind().to_string() });
        }
        Self::part(text)
    }

    fn part(text: &str) -> Result<Self, FilterError> {
        let part = RegexBuilder::new(&regex::escape(text)).case_insensitive(!has_capital(text)).build();
        part.map(|expression| Self::Part { expression })
            .map_err(|error| FilterError::Pattern { pattern: text.to_owned(), reason: error.to_string() })
    }

    /// The brackets of `[fd50::1]:41235` are part of an address, and no choice of characters.
    fn of_address(text: &str) -> Result<Self, FilterError> {
        if text.starts_with('[') && !text.contains(['*', '?']) {
            return Self::part(text);
        }
        Self::parse(&if text.starts_with("re:") { text.to_owned() } else { text.replace('[', "[[]") })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Part { expression } => expression.is_match(text),
            Self::Glob(glob) => glob.is_match(text),
        }
    }

    fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Part { expression } => expression.find_iter(text).map(|found| found.range()).collect(),
            Self::Glob(glob) if glob.is_match(text) => std::iter::once(0..text.len()).collect(),
            Self::Glob(_) => Vec::new(),
        }
    }
}

fn has_capital(text: &str) -> bool {
    text.chars().any(char::is_uppercase)
}

impl Filter {
    /// Parses a filter; the empty text passes everything. An error names the word that is no pattern, expression or pid.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        text.split_whitespace().map(Term::parse).collect::<Result<_, _>>().map(|terms| Self { terms })
    }

    /// Adds: a topic or service concerned must match.
    pub fn with_topic(mut self, pattern: &str) -> Result<Self, FilterError> {
        self.terms.push(Term::name(pattern)?);
        Ok(self)
    }

    /// Adds: the name of a process concerned must match.
    pub fn with_comm(mut self, pattern: &str) -> Result<Self, FilterError> {
        self.terms.push(Term::Comm(Pattern::parse(pattern)?));
        Ok(self)
    }

    /// Adds: this process must be concerned.
    #[must_use]
    pub fn with_pid(mut self, pid: u32) -> Self {
        self.terms.push(Term::Pid(pid));
        self
    }

    /// Adds: something must have failed.
    #[must_use]
    pub fn with_failed(mut self) -> Self {
        self.terms.push(Term::Failed);
        self
    }

    /// True for a filter that passes everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether every term holds.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.about_rosprobe || self.terms.iter().all(|term| term.holds(subject))
    }

    /// Where a text shows what was looked for, in order and without overlap.
    pub fn highlights(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = self.terms.iter().flat_map(|term| term.ranges(text)).collect();
        found.retain(|range| !range.is_empty());
        found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        found.retain(|range| {
            let apart = range.start >= end;
            end = if apart { range.end } else { end };
            apart
        });
        found
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, FilterError> {
        if text == "failed" {
            return Ok(Self::Failed);
        }
        Ok(match text.split_once(':') {
            Some(("pid", number)) => Self::Pid(number.parse().map_err(|_| FilterError::Pid(number.to_owned()))?),
            Some(("comm", pattern)) => Self::Comm(Pattern::parse(pattern)?),
            Some(("node", pattern)) => Self::Node(Pattern::parse(pattern)?),
            Some(("addr", pattern)) => Self::Address(Pattern::of_address(pattern)?),
            Some(("errno", name)) => Self::Errno(name.to_ascii_uppercase()),
            _ => Self::name(text)?,
        })
    }

    fn name(text: &str) -> Result<Self, FilterError> {
        let ros = RosName::of_dds_topic(text);
        let ros = (ros.part != RosPart::Plain).then(|| Pattern::parse(&ros.name)).transpose()?;
        Ok(Self::Name(Pattern::parse(text)?, ros))
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Name(..) if subject.above_names => true,
            Self::Name(pattern, ros) => {
                let matches = |name: &str| pattern.matches(name) || ros.as_ref().is_some_and(|ros| ros.matches(name));
                subject.names.iter().any(|name| matches(name))
            }
            Self::Comm(pattern) => subject.comms.iter().any(|comm| pattern.matches(comm)),
            Self::Node(pattern) => subject.nodes.iter().any(|node| pattern.matches(node)),
            Self::Address(pattern) => subject.addresses.iter().any(|address| pattern.matches(address)),
            Self::Errno(name) => {
                let number = name.parse().ok();
                subject
                    .errnos
                    .iter()
                    .any(|errno| Some(errno.0) == number || errno.to_string().starts_with(name.as_str()))
            }
            Self::Pid(pid) => subject.pids.contains(pid),
            Self::Failed => subject.failed,
        }
    }

    fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Name(pattern, ros) => match pattern.ranges(text) {
                none if none.is_empty() => ros.as_ref().map(|ros| ros.ranges(text)).unwrap_or_default(),
                ranges => ranges,
            },
            Self::Comm(pattern) | Self::Node(pattern) | Self::Address(pattern) => pattern.ranges(text),
            Self::Errno(name) => text.match_indices(name.as_str()).map(|(at, found)| at..at + found.len()).collect(),
            Self::Pid(pid) => {
                let pid = pid.to_string();
                text.match_indices(&pid).map(|(at, found)| at..at + found.len()).collect()
            }
            Self::Failed => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject<'static> {
        Subject {
            names: vec!["/robot1/scan".into()],
            nodes: vec!["/viewer".into(), "/lidar".into()],
            pids: vec![4242],
            addresses: vec!["10.0.1.1:41235".into(), "[fd50::1]:41236".into()],
            comms: vec!["rostopic".into()],
            errnos: vec![Errno::ECONNREFUSED],
            failed: true,
            ..Subject::default()
        }
    }

    #[test]
    fn terms_hold_together() {
        let cases = [
            ("", true),
            ("scan", true),
            ("SCAN", false),
            ("Scan", false),
            ("/robot*", true),
            ("robot*", false),
            ("*/sca?", true),
            ("re:^/robot\\d/", true),
            ("re:^scan", false),
            ("pid:4242 node:lidar addr:10.0.1. errno:econnrefused failed scan", true),
            ("pid:424", false),
            ("comm:rostop* failed", true),
            ("comm:python", false),
            ("node:/view*", true),
            ("errno:ETIMEDOUT", false),
            ("errno:111", true),
            ("errno:11", false),
            ("addr:[fd50::1]:41236", true),
            ("addr:[fd50::1]*", true),
            ("addr:[fd51*", false),
            ("addr:re:^10[.]0", true),
            ("lidar", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Filter::parse(text).unwrap().matches(&subject()), expected, "{text}");
        }
        assert!(!Filter::parse("failed").unwrap().matches(&Subject::default()));
    }

    #[test]
    fn options_add_the_same_terms() {
        let filter = Filter::default().with_topic("/robot*").unwrap().with_comm("rostopic").unwrap();
        assert!(filter.clone().with_pid(4242).with_failed().matches(&subject()));
        assert!(!filter.with_pid(1).matches(&subject()));
        assert!(Filter::default().with_topic("re:[").is_err());
    }

    #[test]
    fn nothing_hides_what_concerns_everything() {
        let filter = Filter::parse("/scan").unwrap();
        assert!(filter.matches(&Subject { above_names: true, ..Subject::default() }));
        let filter = Filter::parse("/scan pid:1 failed").unwrap();
        assert!(!filter.matches(&Subject { above_names: true, ..Subject::default() }));
        assert!(filter.matches(&Subject { about_rosprobe: true, ..Subject::default() }));
    }

    #[test]
    fn what_is_no_filter_says_why() {
        assert_eq!(Filter::parse("pid:x").unwrap_err(), FilterError::Pid("x".into()));
        assert!(
            Filter::parse("re:(")
                .unwrap_err()
                .to_string()
                .starts_with("\"(\" is no regular expression: unclosed group")
        );
        assert!(matches!(Filter::parse("/a[").unwrap_err(), FilterError::Pattern { .. }));
    }

    #[test]
    fn matches_are_marked_once() {
        let marked = |filter: &str, text: &str| {
            let ranges = Filter::parse(filter).unwrap().highlights(text);
            ranges.into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(marked("a ab", "xabxa"), ["ab", "a"]);
        assert_eq!(marked("/r*", "/robot"), ["/robot"]);
        assert_eq!(marked("pid:12", "node [12]"), ["12"]);
        assert_eq!(marked("ラ", "/カメラ"), ["ラ"]);
        assert!(marked("", "anything").is_empty());
        assert!(marked("re:x*", "abc").is_empty());
    }
}
