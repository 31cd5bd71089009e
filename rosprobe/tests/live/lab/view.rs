//! What a rosprobe that runs on one host alone says: everything that was observed on the other hosts is left out.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use rosprobe::diagnosis::{Finding, Severity};
use rosprobe::event::Monotonic;
use rosprobe::graph::Link;
use rosprobe::observation::{Observation, What};
use rosprobe::session::Session;

use super::Host;
use super::watch::{Line, Said, Watch};

/// A session fed with what happens in one network namespace.
struct View {
    net_namespace: u64,
    pids: HashSet<u32>,
    session: Session,
    /// A moment on both clocks, of the last observation on any host.
    clocks: Option<(Timestamp, Monotonic)>,
    seen: usize,
}

impl View {
    fn new(host: &Host) -> Self {
        let session = Session::default();
        Self { net_namespace: host.net_namespace(), pids: HashSet::new(), session, clocks: None, seen: 0 }
    }

    /// Looks at the lines that are new.
    fn read(&mut self, lines: &[Line]) -> &[Finding] {
        for line in &lines[self.seen..] {
            if let Said::Observation(observation) = &line.said {
                self.clocks = Some((observation.time, observation.monotonic));
                if self.is_here(observation) {
                    self.session.observe((**observation).clone());
                }
            }
            if let Some((time, monotonic)) = self.clocks {
                let later = u64::try_from(line.at.duration_since(time).as_nanos()).unwrap_or(0);
                self.session.advance(Monotonic(monotonic.0 + later));
            }
        }
        self.seen = lines.len();
        self.session.findings()
    }

    /// As `rosprobe watch --netns` decides it.
    fn is_here(&mut self, observation: &Observation) -> bool {
        let pid = observation.process.as_ref().map(|process| process.pid);
        match &observation.what {
            What::Lost { .. } => true,
            What::Namespace(namespace) => namespace.net_namespace == self.net_namespace,
            What::Process(process) => {
                let here = process.net_namespace == self.net_namespace;
                if here {
                    self.pids.insert(process.pid);
                }
                here
            }
            _ => match observation.socket.as_ref().map_or(0, |socket| socket.net_namespace) {
                0 => pid.is_some_and(|pid| self.pids.contains(&pid)),
                namespace => namespace == self.net_namespace,
            },
        }
    }
}

impl Watch {
    /// Waits for a finding that a rosprobe on this host alone would give.
    pub fn finding_from(&self, host: &Host, what: &str, limit: Duration, wanted: impl Fn(&Finding) -> bool) -> Finding {
        let mut view = View::new(host);
        let found = self.wait_for_line(limit, |lines| view.read(lines).iter().find(|finding| wanted(finding)).cloned());
        found.unwrap_or_else(|| {
            panic!("seen from {} alone, no finding within {limit:?}: {what}\n{:#?}", host.name, view.session.findings())
        })
    }

    /// Waits for a link that a rosprobe on this host alone would show.
    pub fn until_link_from(&self, host: &Host, what: &str, limit: Duration, wanted: impl Fn(&Link) -> bool) {
        let mut view = View::new(host);
        let found = self.wait_for_line(limit, |lines| {
            view.read(lines);
            view.session.graph().links().any(&wanted).then_some(())
        });
        let links: Vec<String> = view.session.graph().links().map(|link| format!("{link:#?}")).collect();
        assert!(
            found.is_some(),
            "seen from {} alone, no link within {limit:?}: {what}\n{}",
            host.name,
            links.join("\n")
        );
    }

    /// Waits until a rosprobe on this host alone shows what is wanted.
    pub fn until_from(&self, host: &Host, what: &str, limit: Duration, wanted: impl Fn(&Session) -> bool) {
        let mut view = View::new(host);
        let found = self.wait_for_line(limit, |lines| {
            view.read(lines);
            wanted(&view.session).then_some(())
        });
        let session = &view.session;
        let links = session.graph().links().map(|link| format!("{:?}: {link:#?}", session.health(link)));
        assert!(
            found.is_some(),
            "seen from {} alone, not within {limit:?}: {what}; {:?}\n{}",
            host.name,
            session.link_counts(),
            links.collect::<Vec<_>>().join("\n")
        );
    }

    /// What a rosprobe on this host alone would now say is wrong.
    pub fn alarms_from(&self, host: &Host) -> Vec<Finding> {
        let mut view = View::new(host);
        let findings = self.with_lines(|lines| view.read(lines).to_vec());
        findings.into_iter().filter(|finding| finding.severity != Severity::Info).collect()
    }
}
