//! One case: a network, peers, what must be said about them and what must not.

use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding, Severity};
use rosprobe::errno::Errno;

use super::cure::Cure;
use super::peer::{Dds, Peer, listener, talker};
use super::segment::{Place, Segment};
use crate::lab::{Program, SOON, Watch};
use crate::table::Row;

/// What the talker says after 6 seconds: what is expected has come, and what else comes at once.
const LONG_ENOUGH: &str = "said 60";
/// After 13 seconds all that comes of silence has come.
const SILENT_LONG_ENOUGH: &str = "said 130";

/// One way to fail, or a way to be healthy.
pub struct Case {
    name: String,
    /// Makes the network what it is to be, before anything runs.
    network: fn(&Segment),
    /// Starts what has to be there besides the talker and the listener, before them.
    others: fn(&Segment) -> Vec<Program>,
    pub talker: Peer,
    pub listener: Peer,
    /// How talker and listener are started.
    start: Start,
    /// Goes on once both run: what breaks later.
    afterwards: fn(&Segment, &mut Cast),
    expected: Vec<Expected>,
    /// What may be said besides, because it is true as well.
    also_true: Option<Code>,
    data: Data,
    /// rosprobe begins to watch when everybody runs.
    late: bool,
    /// The only host that it sees.
    from: Option<Place>,
    cures: Vec<Cure>,
}

/// How talker and listener are started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Both,
    /// The listener ends with an error, or never gets ready.
    ListenerFails,
    /// Each in a container of its own, with one network.
    Apart,
}

/// Who plays.
pub struct Cast {
    pub talker: Program,
    pub listener: Program,
    pub _others: Vec<Program>,
}

/// What becomes of the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Flows,
    Never,
    /// Some implementations get through in spite of it.
    Perhaps,
}

/// A finding that must come.
#[derive(Clone, Debug)]
pub struct Expected {
    code: Code,
    severity: Severity,
    errno: Option<Errno>,
    about: Option<Who>,
    /// Words of summary and explanation. `TALKER` and `LISTENER` stand for their pids in brackets.
    says: Vec<&'static str>,
    /// Words of the remedies.
    remedy: Vec<&'static str>,
}

/// Whose process a finding names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Talker,
    Listener,
}

impl Case {
    /// A talker on alpha, a listener on beta, and something that keeps the data from arriving.
    pub fn new(name: &str, of_talker: Dds, of_listener: Dds, expected: Vec<Expected>) -> Self {
        let data = if expected.is_empty() { Data::Flows } else { Data::Never };
        Self {
            name: format!("{name}, {of_talker:?} to {of_listener:?}"),
            network: |_| (),
            others: |_| Vec::new(),
            talker: talker(of_talker, Place::Alpha),
            listener: listener(of_listener, Place::Beta),
            start: Start::Both,
            afterwards: |_, _| (),
            expected,
            also_true: None,
            data,
            late: false,
            from: None,
            cures: Vec::new(),
        }
    }

    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    pub fn network(self, network: fn(&Segment)) -> Self {
        Self { network, ..self }
    }

    pub fn others(self, others: fn(&Segment) -> Vec<Program>) -> Self {
        Self { others, ..self }
    }

    pub fn talker(self, change: impl FnOnce(Peer) -> Peer) -> Self {
        Self { talker: change(self.talker), ..self }
    }

    pub fn listener(self, change: impl FnOnce(Peer) -> Peer) -> Self {
        Self { listener: change(self.listener), ..self }
    }

    pub fn both(self, change: impl Fn(Peer) -> Peer) -> Self {
        Self { talker: change(self.talker), listener: change(self.listener), ..self }
    }

    pub fn on_one_host(self) -> Self {
        self.listener(|peer| peer.at(Place::Alpha))
    }

    pub fn apart(self) -> Self {
        Self { start: Start::Apart, ..self.on_one_host() }
    }

    /// The other host is one that nobody watches.
    pub fn seen_from(self, place: Place) -> Self {
        Self { name: format!("{}, seen from {place:?}", self.name), from: Some(place), ..self }
    }

    /// What was said before rosprobe watched is not known to it, the topics included.
    pub fn watched_late(self) -> Self {
        Self { late: true, data: Data::Perhaps, ..self }
    }

    pub fn listener_fails(self) -> Self {
        Self { start: Start::ListenerFails, ..self }
    }

    pub fn afterwards(self, afterwards: fn(&Segment, &mut Cast)) -> Self {
        Self { afterwards, ..self }
    }

    pub fn data(self, data: Data) -> Self {
        Self { data, ..self }
    }

    pub fn also_true(self, code: Code) -> Self {
        Self { also_true: Some(code), ..self }
    }

    pub fn expects(self, expected: Vec<Expected>) -> Self {
        Self { data: Data::Never, expected, ..self }
    }

    pub fn cure(mut self, cure: Cure) -> Self {
        self.cures.push(cure);
        self
    }

    fn explains(&self, finding: &Finding) -> bool {
        // Events are lost when somebody else floods this machine; nothing is concluded from what is missing.
        self.also_true == Some(finding.code)
            || finding.code == Code::EventsLost
            || self.expected.iter().any(|each| each.explains(finding))
    }

    fn start(&self, segment: &Segment, mut others: Vec<Program>) -> Cast {
        let (talker, listener) = match self.start {
            Start::Both => (self.talker.start(segment), self.listener.start(segment)),
            Start::ListenerFails => (self.talker.start(segment), self.listener.launch(segment)),
            Start::Apart => {
                let [talker, memory] = self.talker.start_apart(segment);
                others.push(memory);
                let [listener, memory] = self.listener.start_apart(segment);
                others.push(memory);
                (talker, listener)
            }
        };
        Cast { talker, listener, _others: others }
    }
}

impl Row for Case {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(&self) -> Vec<Finding> {
        let segment = Segment::new();
        (self.network)(&segment);
        let watch = || match self.from {
            Some(place) => Watch::beside(&[segment.host(place)], &[]),
            None => Watch::beside(&segment.hosts(), &[]),
        };
        let early = (!self.late).then(watch);
        let others = (self.others)(&segment);
        let mut cast = self.start(&segment, others);
        let mut watch = early.unwrap_or_else(|| {
            cast.talker.wait_for("said 60", SOON);
            watch()
        });
        (self.afterwards)(&segment, &mut cast);
        let mut last = None;
        for expected in &self.expected {
            let wanted = |finding: &Finding| expected.is_met(finding, &cast);
            let found = watch.finding(&format!("{expected:?}"), SOON, wanted);
            last = Some(found.finding);
        }
        if self.data == Data::Flows {
            cast.listener.wait_for("heard", SOON);
            // Between processes of one host Fast DDS goes through shared memory, where nobody sees it.
            if self.talker.place != self.listener.place {
                watch.until_data(&cast.listener, "/chatter", SOON);
            }
        }
        let enough = if self.expected.is_empty() { SILENT_LONG_ENOUGH } else { LONG_ENOUGH };
        cast.talker.wait_for(if self.late { "said 150" } else { enough }, SOON);
        assert!(self.data != Data::Never || !cast.listener.has_said("heard"), "{}: data arrived", self.name);
        let mut alarms = watch.findings();
        alarms.retain(|finding| !self.explains(finding));
        if let Some(finding) = last.filter(|_| !self.cures.is_empty()) {
            for cure in &self.cures {
                cure.apply(&segment, self, &finding, &mut cast);
            }
            cast.listener.wait_for("heard", SOON);
        }
        watch.stop(Signal::SIGINT);
        alarms
    }
}

impl Expected {
    pub fn new(code: Code) -> Self {
        Self { code, severity: Severity::Error, errno: None, about: None, says: Vec::new(), remedy: Vec::new() }
    }

    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    pub fn errno(self, errno: Errno) -> Self {
        Self { errno: Some(errno), ..self }
    }

    pub fn about(self, about: Who) -> Self {
        Self { about: Some(about), ..self }
    }

    pub fn says(mut self, words: &[&'static str]) -> Self {
        self.says.extend(words);
        self
    }

    pub fn remedy(mut self, words: &[&'static str]) -> Self {
        self.remedy.extend(words);
        self
    }

    /// True when this is what was to be found.
    fn explains(&self, finding: &Finding) -> bool {
        finding.code == self.code && finding.severity == self.severity && finding.errno == self.errno
    }

    /// True when everything a person needs is in it.
    fn is_met(&self, finding: &Finding, cast: &Cast) -> bool {
        let pid = finding.process.as_ref().map(|process| process.pid);
        let about = match self.about {
            Some(Who::Talker) => pid == Some(cast.talker.pid()),
            Some(Who::Listener) => pid == Some(cast.listener.pid()),
            None => true,
        };
        let bracketed = |program: &Program| format!("[{}]", program.pid());
        let words = format!("{}\n{}", finding.summary, finding.explanation);
        let says = |word: &&str| {
            let word = word.replace("TALKER", &bracketed(&cast.talker)).replace("LISTENER", &bracketed(&cast.listener));
            words.contains(&word)
        };
        let remedies = finding.remedies.join("\n");
        self.explains(finding)
            && about
            && !finding.evidence.is_empty()
            && self.says.iter().all(says)
            && self.remedy.iter().all(|word| remedies.contains(word))
    }
}
