//! When a finding is said: at once when it is new or another trouble than before, now and then while it merely goes on.

use std::collections::HashMap;

use crate::diagnosis::Finding;
use crate::event::Monotonic;

/// Shortest time between two announcements of one finding that has become another trouble (another errno, stage or remedy).
const CHANGE_NS: u64 = 500_000_000;
/// Time after which a finding that merely went on is said again; doubled each time up to `LONGEST_NS`.
const FIRST_REPEAT_NS: u64 = 10_000_000_000;
/// Longest time between two announcements of a finding that goes on.
const LONGEST_NS: u64 = 600_000_000_000;
/// How long a finding must have been away before it is said to be over.
const OVER_NS: u64 = 2_000_000_000;

/// Why a finding is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// For the first time.
    New,
    /// It has become another trouble.
    Changed,
    /// It goes on: its count or its times changed.
    Again,
    /// It is over.
    Over,
}

/// Remembers what was said about which finding.
#[derive(Debug, Default)]
pub struct Announcer {
    said: HashMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    finding: Finding,
    at: Monotonic,
    wait_ns: u64,
    /// Since when it is no longer among the findings.
    away: Option<Monotonic>,
    over: bool,
}

impl Announcer {
    /// What is to be said at `now`, given all findings of that moment.
    pub fn due(&mut self, findings: &[Finding], now: Monotonic) -> Vec<(Reason, Finding)> {
        let mut due = Vec::new();
        for finding in findings {
            if let Some(reason) = self.reason(finding, now) {
                due.push((reason, finding.clone()));
            }
        }
        self.note_absent(findings, now, &mut due);
        due
    }

    /// What is to be said at the end: findings whose last state was not said.
    pub fn rest(&mut self, findings: &[Finding]) -> Vec<(Reason, Finding)> {
        let unsaid = |finding: &&Finding| self.said.get(&finding.id).is_none_or(|said| said.finding != **finding);
        let reason = |finding: &Finding| if self.said.contains_key(&finding.id) { Reason::Again } else { Reason::New };
        findings.iter().filter(unsaid).map(|finding| (reason(finding), finding.clone())).collect()
    }

    fn reason(&mut self, finding: &Finding, now: Monotonic) -> Option<Reason> {
        let Some(said) = self.said.get_mut(&finding.id) else {
            self.said.insert(finding.id.clone(), Said::now(finding, now));
            return Some(Reason::New);
        };
        if said.over {
            *said = Said::now(finding, now);
            return Some(Reason::New);
        }
        said.away = None;
        let passed = now.since(said.at).as_nanos();
        let reason = if differs(&said.finding, finding) && passed >= u128::from(CHANGE_NS) {
            Reason::Changed
        } else if said.finding.ended.is_none() && finding.ended.is_some() {
            Reason::Again
        } else if goes_on(&said.finding, finding) && passed >= u128::from(said.wait_ns) {
            said.wait_ns = (said.wait_ns * 2).min(LONGEST_NS);
            Reason::Again
        } else {
            return None;
        };
        said.finding = finding.clone();
        said.at = now;
        Some(reason)
    }

    fn note_absent(&mut self, findings: &[Finding], now: Monotonic, due: &mut Vec<(Reason, Finding)>) {
        for (id, said) in &mut self.said {
            if said.over || findings.iter().any(|finding| finding.id == *id) {
                continue;
            }
            let away = *said.away.get_or_insert(now);
            if now.since(away).as_nanos() >= u128::from(OVER_NS) {
                said.over = true;
                due.push((Reason::Over, said.finding.clone()));
            }
        }
    }
}

impl Said {
    fn now(finding: &Finding, now: Monotonic) -> Self {
        Self { finding: finding.clone(), at: now, wait_ns: FIRST_REPEAT_NS, away: None, over: false }
    }
}

/// It is another trouble, or has another remedy.
fn differs(before: &Finding, now: &Finding) -> bool {
    before.code != now.code
        || before.severity != now.severity
        || before.stage != now.stage
        || before.errno != now.errno
        || before.address != now.address
        || before.peer != now.peer
        || before.remedies != now.remedies
}

fn goes_on(before: &Finding, now: &Finding) -> bool {
    before != now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::Errno;
    use crate::lines::tests::finding;

    const SECOND: u64 = 1_000_000_000;

    fn reasons(announcer: &mut Announcer, findings: &[Finding], second: u64) -> Vec<Reason> {
        announcer.due(findings, Monotonic(second * SECOND)).into_iter().map(|(reason, _)| reason).collect()
    }

    #[test]
    fn a_finding_is_said_at_once_and_then_ever_more_rarely() {
        let mut announcer = Announcer::default();
        let mut trouble = finding();
        let mut said = Vec::new();
        for second in 0..200 {
            trouble.count = second + 1;
            if !reasons(&mut announcer, std::slice::from_ref(&trouble), second).is_empty() {
                said.push(second);
            }
        }
        assert_eq!(said, [0, 10, 30, 70, 150]);
        assert_eq!(announcer.rest(&[trouble]).len(), 1, "the last count was not said yet");
    }

    #[test]
    fn another_errno_is_said_soon_and_nothing_new_never() {
        let mut announcer = Announcer::default();
        let mut trouble = finding();
        assert_eq!(reasons(&mut announcer, std::slice::from_ref(&trouble), 0), [Reason::New]);
        assert_eq!(reasons(&mut announcer, std::slice::from_ref(&trouble), 100), []);
        assert_eq!(announcer.rest(std::slice::from_ref(&trouble)), []);
        trouble.errno = Some(Errno::ETIMEDOUT);
        assert_eq!(reasons(&mut announcer, &[trouble], 101), [Reason::Changed]);
    }

    #[test]
    fn that_a_trouble_has_ended_is_said_at_once() {
        let mut announcer = Announcer::default();
        let mut trouble = finding();
        assert_eq!(reasons(&mut announcer, std::slice::from_ref(&trouble), 0), [Reason::New]);
        trouble.ended = Some(trouble.last);
        assert_eq!(reasons(&mut announcer, std::slice::from_ref(&trouble), 1), [Reason::Again]);
        assert_eq!(reasons(&mut announcer, &[trouble], 2), []);
    }

    #[test]
    fn what_is_over_is_said_once_after_a_while() {
        let mut announcer = Announcer::default();
        let trouble = [finding()];
        assert_eq!(reasons(&mut announcer, &trouble, 0), [Reason::New]);
        assert_eq!(reasons(&mut announcer, &[], 1), []);
        assert_eq!(reasons(&mut announcer, &trouble, 2), [], "it was only away for a moment");
        assert_eq!(reasons(&mut announcer, &[], 3), []);
        assert_eq!(reasons(&mut announcer, &[], 5), [Reason::Over]);
        assert_eq!(reasons(&mut announcer, &[], 9), []);
        assert_eq!(reasons(&mut announcer, &trouble, 10), [Reason::New], "it has come back");
        assert_eq!(reasons(&mut announcer, &[], 11), []);
        assert_eq!(reasons(&mut announcer, &[], 14), [Reason::Over], "and is over again");
    }
}
