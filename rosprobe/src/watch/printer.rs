//! Lines on standard output, for a person or for a script.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::Audience;
use super::write_behind::WriteBehind;
use crate::capture::Statistics;
use crate::diagnosis::{Counts, Finding, Severity};
use crate::event::Monotonic;
use crate::filter::{Filter, Subject};
use crate::graph::dds::Silence;
use crate::lines::{self, Alike, Announcer, Line, Reason, Style};
use crate::observation::{Observation, ObservationId, What};
use crate::printable::counted;
use crate::session::Session;

/// Text or JSON lines.
#[derive(Clone, Debug)]
pub enum Format {
    /// For a person.
    Text(Style),
    /// For a script.
    Json,
}

/// Folds observations into a session of its own, and prints what passes the filter.
#[derive(Debug)]
pub struct Printer<W> {
    out: WriteBehind<W>,
    format: Format,
    filter: Filter,
    session: Session,
    announcer: Announcer,
    alike: Alike,
    /// Why topics of participants cannot be known, as far as that was said.
    unseen: BTreeSet<Silence>,
}

impl<W: Write + Send + 'static> Printer<W> {
    /// Prints to `out` what passes `filter`.
    pub fn new(out: W, format: Format, filter: Filter) -> Self {
        let (session, announcer) = (Session::for_lines(), Announcer::default());
        let (alike, unseen) = (Alike::default(), BTreeSet::new());
        Self { out: WriteBehind::new(out), format, filter, session, announcer, alike, unseen }
    }

    /// What was written to.
    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.out.into_inner().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What was seen, and what is wrong.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether an error stands that passes the filter.
    pub fn has_errors(&self) -> bool {
        self.shown().any(|finding| finding.severity == Severity::Error)
    }

    /// Writes the first line.
    pub fn start(&mut self, start: lines::Start<'_>) -> io::Result<()> {
        match &self.format {
            Format::Json => Line::Start(start).write(&mut self.out)?,
            Format::Text(_) => {
                self.text(&format!("watching {} ({} mode); Ctrl-C ends it", start.what(), start.capture_mode))?;
            }
        }
        self.out.flush()
    }

    fn shown(&self) -> impl Iterator<Item = &Finding> {
        self.session.findings().iter().filter(|finding| self.filter.matches(&Subject::of_finding(finding)))
    }

    /// Says once of which participants the topics cannot be known, so that nobody takes them for having none.
    fn tell_unseen(&mut self) -> io::Result<()> {
        let silent = self.session.graph().dds().silent();
        let unseen = |why: &Silence| matches!(why, Silence::Before | Silence::SharedMemory);
        let mut notices = Vec::new();
        for (why, participants) in silent.into_iter().filter(|(why, _)| unseen(why)) {
            if self.unseen.insert(why) {
                let named: Vec<_> = participants.iter().take(3).map(|participant| participant.words()).collect();
                let more = participants.len() - named.len();
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                notices.push(format!("writers and readers of {}{more}: {}", named.join(", "), why.words()));
            }
        }
        notices.iter().try_for_each(|notice| self.notice(notice))
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", crate::printable::printable(text))
    }

    /// Prints the last `count` observations.
    fn print(&mut self, count: usize) -> io::Result<()> {
        let Self { out, format, filter, session, .. } = self;
        let first = session.history().len().saturating_sub(count);
        for observation in session.history().range(first..) {
            let call = match &observation.what {
                What::Answer { to: Some(id), .. } if !filter.is_empty() => find(session, *id),
                _ => None,
            };
            let passes =
                filter.is_empty() || { filter.matches(&Subject::of_observation(observation, call, session.graph())) };
            if passes {
                match format {
                    Format::Json => Line::Observation(observation).write(out)?,
                    // Totals once a second and socket would bury everything else.
                    Format::Text(_) if matches!(observation.what, What::Traffic(_) | What::UdprosData { .. }) => {}
                    Format::Text(style) => writeln!(out, "{}", style.observation(observation))?,
                }
            }
        }
        out.flush()
    }

    fn announce(&mut self, due: &[(Reason, Finding)]) -> io::Result<()> {
        let Self { out, format, filter, alike, .. } = self;
        let due = due.iter().filter(|(_, finding)| filter.matches(&Subject::of_finding(finding)));
        for (reason, finding) in due {
            match (&*format, reason) {
                (Format::Json, Reason::Over) => Line::FindingOver { id: &finding.id }.write(out)?,
                (Format::Json, _) => Line::Finding(finding).write(out)?,
                (Format::Text(style), Reason::New | Reason::Changed) => match alike.said_of(finding) {
                    None => write!(out, "\n{}\n", style.finding(finding))?,
                    Some(other) => out.write_all(style.alike(finding, other).as_bytes())?,
                },
                (Format::Text(style), Reason::Again) => out.write_all(style.again(finding).as_bytes())?,
                (Format::Text(style), Reason::Over) => {
                    alike.over(&finding.id);
                    out.write_all(style.over(finding).as_bytes())?;
                }
            }
        }
        out.flush()
    }

    fn summary(&mut self) -> io::Result<()> {
        let findings = Counts::of(self.shown());
        let links = self.session.link_counts();
        let lost = self.session.lost();
        writeln!(
            self.out,
            "links: {} ok, {} pending, {} failed; findings: {}, {}, {}; events lost: {lost}",
            links.ok,
            links.pending,
            links.failed,
            counted(findings.error, "error"),
            counted(findings.warning, "warning"),
            counted(findings.info, "note"),
        )
    }
}

fn find(session: &Session, id: ObservationId) -> Option<&Observation> {
    let index = session.history().binary_search_by_key(&id, |observation| observation.id).ok()?;
    session.history().get(index)
}

impl<W: Write + Send + 'static> Audience for Printer<W> {
    fn observations(&mut self, observations: &mut Vec<Observation>) -> io::Result<()> {
        let count = observations.len();
        for observation in observations.drain(..) {
            self.session.observe(observation);
        }
        self.print(count)
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.session.advance(now);
        self.tell_unseen()?;
        let due = self.announcer.due(self.session.findings(), now);
        if due.is_empty() { Ok(()) } else { self.announce(&due) }
    }

    fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        if matches!(self.format, Format::Json) {
            let line = lines::Statistics {
                events: statistics.events,
                ring_buffer_bytes: statistics.ring_buffer_bytes,
                lost: statistics.lost,
                observations: self.session.history().len() as u64 + self.session.forgotten(),
                links: self.session.link_counts(),
                findings: Counts::of(self.shown()),
                memory_bytes: memory_bytes(),
            };
            Line::Statistics(line).write(&mut self.out)?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn trace_wanted(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        match &self.format {
            Format::Json => Line::Notice { text }.write(&mut self.out)?,
            Format::Text(_) => self.text(text)?,
        }
        self.out.flush()
    }

    fn finish(&mut self, now: Monotonic, statistics: &Statistics) -> io::Result<()> {
        self.advance(now)?;
        let rest = self.announcer.rest(self.session.findings());
        self.announce(&rest)?;
        self.statistics(statistics)?;
        if matches!(self.format, Format::Text(_)) {
            self.summary()?;
        }
        self.out.finish()
    }
}

/// Memory that this process holds, in bytes; 0 when unknown.
fn memory_bytes() -> u64 {
    let statm = procfs::process::Process::myself().and_then(|process| process.statm());
    statm.map_or(0, |statm| statm.resident * procfs::page_size())
}
