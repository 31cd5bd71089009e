//! Every way a ROS 1 connection fails that we know of, made to happen, and what rosprobe must say about it.

mod callback;
mod changes;
mod connect;
mod cure;
mod handshake;
mod name;
mod reading;
mod service;
mod udpros;

use std::time::Duration;

use jiff::SignedDuration;
use nix::sys::signal::Signal;
use rosprobe::diagnosis::{Code, Finding, Severity};
use rosprobe::errno::Errno;
use rosprobe::event::Transport;
use rosprobe::graph::Stage;
use rosprobe::observation::{Observation, What};

use self::cure::{Applied, Cure, Place};
use crate::lab::{Found, Host, Lab, Library, Program, SOON, Watch, lateness};
use crate::table::{self, Row};

/// The topic (or service) that everything in the table is about.
pub const TOPIC: &str = "/some/topic";

/// One way to fail, for one client library.
pub struct Case {
    name: &'static str,
    library: Library,
    /// The topic or service that it is about.
    subject: &'static str,
    /// Where the master runs.
    master: fn(&Lab) -> &Host,
    /// Makes the network what it is to be, before anything runs.
    network: fn(&Lab),
    /// Starts whoever provides the topic or service, and whatever else has to be there first.
    publisher: fn(&Lab) -> Vec<Program>,
    /// Starts whoever needs it.
    subscriber: fn(&Lab, Library) -> Program,
    /// The master is ended and started again once the subscriber hears something; from this host somebody asks it meanwhile.
    master_again: Option<Place>,
    /// Goes on once the subscriber runs: what breaks later.
    afterwards: fn(&Lab, &Program) -> Vec<Program>,
    /// What must be reported, one after the other.
    expected: Vec<Expected>,
    /// What a rosprobe on another host alone must report.
    elsewhere: Vec<(Place, Expected)>,
    /// What may be reported besides, because it is true as well.
    also_true: &'static [Code],
    /// A finding may lack at first what rosprobe sees when it looks at the hosts again.
    becomes_right: bool,
    /// Remedies of the last finding: applied together, they let a subscriber reach data.
    cures: Vec<Cure>,
}

/// A finding that must come.
pub struct Expected {
    code: Code,
    severity: Severity,
    stage: Option<Stage>,
    errno: Option<Errno>,
    address: Address,
    /// Words that the remedies must contain: values of this very case.
    remedy: &'static [&'static str],
    /// Words that summary and explanation must contain.
    says: &'static [&'static str],
    about: About,
}

/// The address that a finding must name.
#[derive(Clone, Copy)]
pub enum Address {
    /// Host and port of the publisher's URI, as the master hands it out.
    Advertised,
    /// This host, whatever the port.
    Host(&'static str),
    /// Exactly this.
    Exactly(&'static str),
    /// None in particular.
    Any,
}

/// Whose process the finding must name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum About {
    Subscriber,
    Master,
    /// The finding names this node.
    Node(&'static str),
    Anybody,
}

impl Case {
    /// A case with the story's own parts: the master and the talker on router as 10.0.1.1, the listener on outer.
    pub fn new(name: &'static str, library: Library, expected: Expected) -> Self {
        Self {
            name,
            library,
            subject: TOPIC,
            master: |lab| &lab.router,
            network: |_| (),
            publisher: |lab| vec![lab.router.node(Library::Rospy, "talker", "talker", TOPIC).start()],
            subscriber: |lab, library| lab.outer.node(library, "listener", "listener", TOPIC).start(),
            master_again: None,
            afterwards: |_, _| Vec::new(),
            expected: vec![expected],
            elsewhere: Vec::new(),
            also_true: &[],
            becomes_right: false,
            cures: Vec::new(),
        }
    }

    pub fn about(self, subject: &'static str) -> Self {
        Self { subject, ..self }
    }

    pub fn master(self, master: fn(&Lab) -> &Host) -> Self {
        Self { master, ..self }
    }

    pub fn network(self, network: fn(&Lab)) -> Self {
        Self { network, ..self }
    }

    pub fn publisher(self, publisher: fn(&Lab) -> Vec<Program>) -> Self {
        Self { publisher, ..self }
    }

    pub fn subscriber(self, subscriber: fn(&Lab, Library) -> Program) -> Self {
        Self { subscriber, ..self }
    }

    pub fn master_again(self, asked_from: Place) -> Self {
        Self { master_again: Some(asked_from), ..self }
    }

    pub fn afterwards(self, afterwards: fn(&Lab, &Program) -> Vec<Program>) -> Self {
        Self { afterwards, ..self }
    }

    pub fn then(mut self, expected: Expected) -> Self {
        self.expected.push(expected);
        self
    }

    /// A rosprobe that runs on this host and sees no other.
    pub fn seen_from(mut self, place: Place, expected: Expected) -> Self {
        let about = if expected.about == About::Subscriber { About::Anybody } else { expected.about };
        self.elsewhere.push((place, expected.about(about)));
        self
    }

    pub fn also_true(self, also_true: &'static [Code]) -> Self {
        Self { also_true, ..self }
    }

    /// The findings may lack at first what rosprobe sees when it looks at the hosts again.
    pub fn becomes_right(self) -> Self {
        Self { becomes_right: true, ..self }
    }

    pub fn cure(mut self, cure: Cure) -> Self {
        self.cures.push(cure);
        self
    }

    /// Applies the remedies as printed, and demands that a subscriber now gets messages.
    fn cure_and_try_again(&self, lab: &Lab, watch: &Watch, finding: &Finding, mut publisher: Vec<Program>) {
        let applied = self.cures.iter().map(|cure| cure.apply(lab, self.library, finding, &mut publisher));
        let mut applied: Vec<Applied> = applied.collect();
        let restarted = applied.iter_mut().find_map(|applied| applied.subscriber.take());
        let subscriber = restarted.unwrap_or_else(|| (self.subscriber)(lab, self.library));
        watch.until_data(&subscriber, self.subject, SOON);
        drop(applied);
    }

    fn all_expected(&self) -> impl Iterator<Item = &Expected> {
        self.expected.iter().chain(self.elsewhere.iter().map(|(_, expected)| expected))
    }

    fn explains(&self, finding: &Finding) -> bool {
        // The kernel side sees the whole machine: events are lost when a lab beside this one floods it. `healthy` demands none.
        finding.code == Code::EventsLost
            || self.also_true.contains(&finding.code)
            || self.all_expected().any(|expected| expected.code == finding.code)
    }
}

impl Row for Case {
    fn name(&self) -> String {
        format!("{}, {:?}", self.name, self.library)
    }

    fn run(&self) -> Vec<Finding> {
        let lab = Lab::new();
        (self.network)(&lab);
        let mut watch = Watch::start(&lab, &[]);
        let mut roscore = (self.master)(&lab).roscore();
        let publisher = (self.publisher)(&lab);
        let advertised = (self.master)(&lab).lookup_node("/talker");
        let subscriber = (self.subscriber)(&lab, self.library);
        if let Some(asked_from) = self.master_again {
            subscriber.wait_for("heard", SOON);
            // What /rosout was about to do is done.
            std::thread::sleep(Duration::from_secs(2));
            cure::leave(roscore);
            let mut asks = asked_from(&lab).start("rostopic list");
            asks.ends_within(SOON);
            roscore = (self.master)(&lab).roscore();
        }
        let later = (self.afterwards)(&lab, &subscriber);
        let mut last = None;
        for expected in &self.expected {
            let wanted = |finding: &Finding| expected.is_met(finding) && expected.about.is_met(finding, &subscriber);
            let mut found = watch.finding(&expected.describe(), SOON, wanted);
            expected.check_delay(&found, &watch);
            if self.becomes_right {
                let right = |finding: &Finding| expected.lacking(finding, advertised.as_deref()).is_empty();
                found = watch.finding(&expected.describe(), SOON, |finding| wanted(finding) && right(finding));
            }
            expected.check(&found.finding, advertised.as_deref());
            last = Some(found.finding);
        }
        for (place, expected) in &self.elsewhere {
            let wanted = |finding: &Finding| expected.is_met(finding) && expected.about.is_met(finding, &subscriber);
            let found = watch.finding_from(place(&lab), &expected.describe(), SOON, wanted);
            expected.check(&found, advertised.as_deref());
        }
        let mut alarms = watch.alarms();
        alarms.extend(lab.hosts().iter().flat_map(|host| watch.alarms_from(host)));
        alarms.retain(|finding| !self.explains(finding));
        if let Some(finding) = last.filter(|_| !self.cures.is_empty()) {
            cure::leave(subscriber);
            self.cure_and_try_again(&lab, &watch, &finding, publisher);
        }
        watch.stop(Signal::SIGINT);
        drop((later, roscore));
        alarms
    }
}

impl Expected {
    pub fn new(code: Code, stage: Stage) -> Self {
        Self {
            code,
            severity: Severity::Error,
            stage: Some(stage),
            errno: None,
            address: Address::Advertised,
            remedy: &[],
            says: &[],
            about: About::Subscriber,
        }
    }

    pub fn errno(self, errno: Errno) -> Self {
        Self { errno: Some(errno), ..self }
    }

    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    pub fn address(self, address: Address) -> Self {
        Self { address, ..self }
    }

    pub fn remedy(self, remedy: &'static [&'static str]) -> Self {
        Self { remedy, ..self }
    }

    pub fn says(self, says: &'static [&'static str]) -> Self {
        Self { says, ..self }
    }

    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }

    fn describe(&self) -> String {
        let errno = self.errno.map(|errno| errno.to_string()).unwrap_or_default();
        format!("{:?} {:?} {errno}", self.code, self.stage)
    }

    fn is_met(&self, finding: &Finding) -> bool {
        let about = finding.topic.as_deref().or(finding.service.as_deref()).or(finding.node.as_deref());
        finding.code == self.code
            && self.errno.is_none_or(|errno| finding.errno == Some(errno))
            && about.is_none_or(|name| name != "/rosout" && name != "/rosout_agg")
    }

    /// Everything a person needs is in it.
    fn check(&self, finding: &Finding, advertised: Option<&str>) {
        let lacking = self.lacking(finding, advertised);
        assert!(lacking.is_empty(), "{} of {finding:#?}", lacking.join(", "));
    }

    /// What a person would miss in it.
    fn lacking(&self, finding: &Finding, advertised: Option<&str>) -> Vec<String> {
        let host = |address: &str| address.rsplit_once(':').map(|(host, _)| host.to_owned());
        let address = finding.address.as_deref().unwrap_or_default();
        let address_is_right = match self.address {
            Address::Advertised => advertised.map(host_and_port) == Some(address),
            Address::Host(expected) => host(address).as_deref() == Some(expected),
            Address::Exactly(expected) => address == expected,
            Address::Any => true,
        };
        let fields = [
            ("severity", finding.severity == self.severity),
            ("stage", self.stage.is_none() || finding.stage == self.stage),
            ("errno", finding.errno == self.errno),
            ("address", address_is_right),
            ("summary", !finding.summary.is_empty()),
            ("explanation", !finding.explanation.is_empty()),
            ("evidence", !finding.evidence.is_empty()),
        ];
        let wrong = fields.into_iter().filter(|(_, right)| !right).map(|(field, _)| format!("the {field}"));
        let remedies = finding.remedies.join("\n");
        let unsaid = self.remedy.iter().filter(|word| !remedies.contains(**word));
        let unsaid = unsaid.map(|word| format!("a remedy with {word:?}"));
        let words = format!("{}\n{}", finding.summary, finding.explanation);
        let untold = self.says.iter().filter(|word| !words.contains(**word));
        let untold = untold.map(|word| format!("{word:?} in summary or explanation"));
        wrong.chain(unsaid).chain(untold).collect()
    }

    /// A failed connect is reported within a second of the failing system call's return, where this machine wakes everybody in time.
    fn check_delay(&self, found: &Found, watch: &Watch) {
        // A datagram socket's connect fails at once or not at all.
        let failed = |observation: &Observation| match observation.what {
            What::ConnectFailed { .. } => true,
            What::ConnectReturned { errno: Some(_), .. } => {
                observation.socket.as_ref().is_some_and(|socket| socket.transport == Transport::Udp)
            }
            _ => false,
        };
        let evidence = found.finding.evidence.iter().filter_map(|id| watch.evidence(*id));
        if self.code != Code::ConnectFailed {
            return;
        }
        let failure = evidence.filter(failed).max_by_key(|observation| observation.time);
        let failure = failure.unwrap_or_else(|| panic!("no failed connect is evidence of {:#?}", found.finding));
        let delay = found.at.duration_since(failure.time);
        let late = lateness::between(failure.time, found.at);
        let limit = SignedDuration::from_secs(1) + late;
        assert!(delay <= limit, "reported {delay:#} after the connect failed, of which the machine was {late:#} late");
    }
}

impl About {
    fn is_met(self, finding: &Finding, subscriber: &Program) -> bool {
        let process = finding.process.as_ref();
        match self {
            Self::Subscriber => process.is_some_and(|process| process.pid == subscriber.pid()),
            Self::Master => process.is_some_and(|process| process.comm.contains("rosmaster")),
            Self::Node(name) => finding.node.as_deref() == Some(name),
            Self::Anybody => true,
        }
    }
}

/// `10.0.1.1:41235` of `http://10.0.1.1:41235/`.
fn host_and_port(uri: &str) -> &str {
    uri.split_once("://").map_or(uri, |(_, rest)| rest).trim_end_matches('/')
}

/// Runs the whole table, or the cases whose names contain `ROSPROBE_CASE`.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and ROS 1: cargo xtask test"]
fn every_failure_is_diagnosed() {
    let cases = [
        connect::cases(),
        name::cases(),
        callback::cases(),
        handshake::cases(),
        udpros::cases(),
        service::cases(),
        changes::cases(),
    ];
    table::run(cases.into_iter().flatten().collect());
}
