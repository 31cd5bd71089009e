//! `rosprobe watch --output jsonl`, run beside a lab.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rosprobe::diagnosis::{Finding, Severity};
use rosprobe::graph::{Link, LinkKind, Outcome, Stage};
use rosprobe::observation::{Observation, ObservationId, What};
use rosprobe::session::Session;
use serde_json::Value;

use super::record::Record;
use super::{Host, Lab, Program, SOON, lateness};

/// A line that rosprobe printed, and when it came out of the pipe.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Timestamp,
    pub said: Said,
}

/// What a line is about, by its `type`.
#[derive(Clone, Debug)]
pub enum Said {
    Observation(Box<Observation>),
    Finding(Box<Finding>),
    Other(Value),
    /// No JSON, or not what its `type` promises.
    Unreadable(String),
}

/// A finding and when its line came out of the pipe.
pub struct Found {
    pub finding: Finding,
    pub at: Timestamp,
}

/// A running `rosprobe watch`.
pub struct Watch {
    child: Child,
    lines: Arc<Record<Line>>,
    errors: Arc<Record<String>>,
    net_namespaces: Vec<u64>,
}

impl Watch {
    /// Starts it and waits until it watches.
    pub fn start(lab: &Lab, arguments: &[&str]) -> Self {
        Self::beside(&lab.hosts(), arguments)
    }

    /// The same over several labs, which have the same addresses.
    pub fn over(labs: &[&Lab], arguments: &[&str]) -> Self {
        let hosts: Vec<&Host> = labs.iter().flat_map(|lab| lab.hosts()).collect();
        Self::beside(&hosts, arguments)
    }

    /// Starts it for these hosts and waits until it watches.
    pub fn beside(hosts: &[&Host], arguments: &[&str]) -> Self {
        // Others on this machine may have a lab with the same addresses at the same moment.
        let watch = Self::spawn_beside(hosts, Self::command(hosts, arguments));
        watch.until_begun();
        watch
    }

    /// The command that watches these hosts, for whoever has something to add to it.
    pub fn command(hosts: &[&Host], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosprobe"));
        command.args(["watch", "--output", "jsonl"]).args(arguments);
        for host in hosts {
            command.args(["--netns", host.namespace()]);
        }
        command
    }

    /// Waits until it watches.
    pub fn until_begun(&self) {
        let begun = self.lines.wait(SOON, |lines| lines.first().map(|_| ()));
        assert!(begun.is_some(), "rosprobe watch printed nothing within {SOON:?}\n{}", self.summary());
    }

    /// Starts `command`, a `rosprobe watch --output jsonl` of the caller's own making.
    pub fn spawn(lab: &Lab, command: Command) -> Self {
        Self::spawn_beside(&lab.hosts(), command)
    }

    fn spawn_beside(hosts: &[&Host], mut command: Command) -> Self {
        lateness::look();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (lines, errors) = (Arc::new(Record::default()), Arc::new(Record::default()));
        if let Some(stdout) = child.stdout.take() {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    lines.push(Line { at: Timestamp::now(), said: parse(&line) });
                }
                lines.close();
            });
        }
        if let Some(stderr) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    errors.push(line);
                }
                errors.close();
            });
        }
        let net_namespaces = hosts.iter().map(|host| host.net_namespace()).collect();
        Self { child, lines, errors, net_namespaces }
    }

    /// Waits for a finding.
    pub fn finding(&self, what: &str, limit: Duration, wanted: impl Fn(&Finding) -> bool) -> Found {
        let found = self.lines.wait(limit, |lines| {
            lines.iter().find_map(|line| match &line.said {
                Said::Finding(finding) if wanted(finding) => Some(Found { finding: (**finding).clone(), at: line.at }),
                _ => None,
            })
        });
        found.unwrap_or_else(|| panic!("no finding within {limit:?}: {what}\n{}", self.summary()))
    }

    /// Waits for an observation.
    pub fn observation(&self, what: &str, limit: Duration, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let found = self.lines.wait(limit, |lines| {
            lines.iter().find_map(|line| match &line.said {
                Said::Observation(observation) if wanted(observation) => Some((**observation).clone()),
                _ => None,
            })
        });
        found.unwrap_or_else(|| panic!("no observation within {limit:?}: {what}\n{}", self.summary()))
    }

    /// Waits for a notice.
    pub fn notice(&self, text: &str, limit: Duration) -> String {
        let found = self.lines.wait(limit, |lines| {
            lines.iter().find_map(|line| match &line.said {
                Said::Other(value) if value["type"] == "notice" => {
                    value["text"].as_str().filter(|said| said.contains(text)).map(str::to_owned)
                }
                _ => None,
            })
        });
        found.unwrap_or_else(|| panic!("no notice of {text:?} within {limit:?}\n{}", self.summary()))
    }

    /// Waits for a line on standard error.
    pub fn error(&self, text: &str, limit: Duration) -> String {
        let found = self.errors.wait(limit, |lines| lines.iter().find(|line| line.contains(text)).cloned());
        found.unwrap_or_else(|| panic!("no {text:?} on standard error within {limit:?}\n{}", self.summary()))
    }

    /// An observation by its number.
    pub fn evidence(&self, id: ObservationId) -> Option<Observation> {
        self.observations(|observation| observation.id == id).pop()
    }

    /// All observations so far that are wanted.
    pub fn observations(&self, wanted: impl Fn(&Observation) -> bool) -> Vec<Observation> {
        self.lines.with(|lines| {
            let observations = lines.iter().filter_map(|line| match &line.said {
                Said::Observation(observation) if wanted(observation) => Some((**observation).clone()),
                _ => None,
            });
            observations.collect()
        })
    }

    /// Every finding about this lab so far, in its last state. Others may be at work on the same machine.
    pub fn findings(&self) -> Vec<Finding> {
        let strangers = self.observations(|observation| match &observation.what {
            What::Process(process) => !self.net_namespaces.contains(&process.net_namespace),
            _ => false,
        });
        let stranger = |pid| strangers.iter().filter_map(|o| o.process.as_ref()).any(|process| process.pid == pid);
        let mut findings: Vec<Finding> = Vec::new();
        self.lines.with(|lines| {
            for line in lines {
                let Said::Finding(finding) = &line.said else { continue };
                findings.retain(|known| known.id != finding.id);
                findings.push((**finding).clone());
            }
        });
        findings.retain(|finding| !finding.process.as_ref().is_some_and(|process| stranger(process.pid)));
        findings
    }

    /// Findings that say something is wrong.
    pub fn alarms(&self) -> Vec<Finding> {
        self.findings().into_iter().filter(|finding| finding.severity != Severity::Info).collect()
    }

    /// Findings that stand when it has ended, in their last state.
    pub fn standing(&self) -> Vec<Finding> {
        let over = |finding: &Finding| {
            self.lines.with(|lines| {
                let last = lines.iter().rev().find_map(|line| match &line.said {
                    Said::Finding(known) if known.id == finding.id => Some(false),
                    Said::Other(value) if value["type"] == "finding-over" && value["id"] == finding.id.as_str() => {
                        Some(true)
                    }
                    _ => None,
                });
                last == Some(true)
            })
        };
        self.findings().into_iter().filter(|finding| !over(finding)).collect()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("process ids of Linux fit in an i32"));
        kill(pid, signal).expect("rosprobe still runs");
    }

    /// Ends it as Ctrl-C or `kill` would and waits for it, and for the last line that it printed.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let status = self.wait(SOON);
        self.lines.wait_closed(SOON);
        status
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                other => panic!("rosprobe did not end within {limit:?}: {other:?}"),
            }
        }
    }

    /// Waits until the lines so far, and each that comes, give what is looked for.
    pub fn wait_for_line<T>(&self, limit: Duration, look: impl FnMut(&[Line]) -> Option<T>) -> Option<T> {
        self.lines.wait(limit, look)
    }

    /// Looks at the lines so far.
    pub fn with_lines<T>(&self, look: impl FnOnce(&[Line]) -> T) -> T {
        self.lines.with(look)
    }

    /// Memory that it has in use.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The same without its executable and what it shares with the kernel.
    pub fn anonymous_bytes(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_else(|| panic!("no {field} in {path}: {status}")) * 1024
    }

    /// What it printed besides observations and findings, for instance statistics.
    pub fn others(&self, kind: &str) -> Vec<Value> {
        self.lines.with(|lines| {
            let others = lines.iter().filter_map(|line| match &line.said {
                Said::Other(value) if value["type"] == kind => Some(value.clone()),
                _ => None,
            });
            others.collect()
        })
    }

    /// Events that it says it lost.
    pub fn lost(&self) -> u64 {
        let statistics = self.others("statistics");
        let last = statistics.last().expect("statistics are printed while it runs");
        last["lost"].as_u64().expect("statistics say how many events were lost")
    }

    /// Waits until the link of a subscriber and a topic carries data.
    pub fn until_data(&self, subscriber: &Program, topic: &str, limit: Duration) {
        let mut session = Session::default();
        let mut seen = 0;
        let reached = self.lines.wait(limit, |lines| {
            for line in &lines[seen..] {
                if let Said::Observation(observation) = &line.said {
                    session.observe((**observation).clone());
                }
            }
            seen = lines.len();
            let mut links = session.graph().links();
            links.any(|link| is_subscribed(link, subscriber, topic) && carries_data(link)).then_some(())
        });
        assert!(reached.is_some(), "{topic} did not reach data within {limit:?}\n{}", self.summary());
    }

    fn summary(&self) -> String {
        let findings: Vec<String> = self.findings().iter().map(|finding| format!("{finding:#?}")).collect();
        let errors = self.errors.with(|errors| errors.join("\n"));
        let lines = self.lines.with(<[Line]>::len);
        let unreadable = self.lines.with(|lines| {
            let unreadable = lines.iter().filter_map(|line| match &line.said {
                Said::Unreadable(text) => Some(text.clone()),
                _ => None,
            });
            unreadable.collect::<Vec<_>>().join("\n")
        });
        let findings = findings.join("\n");
        format!("{lines} lines so far\nunreadable: {unreadable}\nfindings: {findings}\nstandard error: {errors}")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_subscribed(link: &Link, subscriber: &Program, topic: &str) -> bool {
    let pid = link.subscriber.process.as_ref().map(|process| process.pid);
    let carries = matches!(link.kind, LinkKind::Topic | LinkKind::Service | LinkKind::Dds);
    carries && link.is_named(topic) && pid == Some(subscriber.pid())
}

fn carries_data(link: &Link) -> bool {
    link.stages.iter().any(|state| state.stage == Stage::Data && state.outcome == Outcome::Ok)
}

fn parse(line: &str) -> Said {
    let said = serde_json::from_str::<Value>(line).and_then(|value| match value["type"].as_str() {
        Some("observation") => serde_json::from_str(line).map(Said::Observation),
        Some("finding") => serde_json::from_str(line).map(Said::Finding),
        _ => Ok(Said::Other(value)),
    });
    said.unwrap_or_else(|error| Said::Unreadable(format!("{error}: {line}")))
}
