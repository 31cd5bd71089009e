//! What views draw from: the session, and an index that finds an observation without a search.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::tz::TimeZone;

use crate::event::{Clock, Monotonic, ProcessRef};
use crate::graph::dds::{Endpoint, Participant};
use crate::graph::{Graph, Health, Link, Stage};
use crate::observation::{Observation, ObservationId, Span};
use crate::session::Session;

/// The session with its index.
#[derive(Debug)]
pub struct Scene {
    session: Session,
    clock: Option<Clock>,
    zone: TimeZone,
    /// Observations of each socket that are kept, oldest first.
    sockets: HashMap<u64, VecDeque<ObservationId>>,
    latest: Monotonic,
    advanced: Monotonic,
    /// What the findings were, briefly: changes when one comes, goes or is met again.
    findings: u64,
}

impl Scene {
    /// Nothing seen so far.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            session: Session::default(),
            clock: None,
            zone,
            sockets: HashMap::new(),
            latest: Monotonic(0),
            advanced: Monotonic(0),
            findings: 0,
        }
    }

    /// Takes over the session of a file that was read.
    pub fn adopt(&mut self, session: Session) {
        *self = Self::new(self.zone.clone());
        for observation in session.history() {
            self.note(observation);
        }
        self.latest = self.latest.max(session.graph().now());
        self.advanced = self.latest;
        self.session = session;
    }

    /// Folds in one observation.
    pub fn observe(&mut self, observation: Observation) {
        self.note(&observation);
        let oldest = self.session.history().front().filter(|_| self.session.history().len() == Session::HISTORY_LIMIT);
        if let Some((socket, id)) = oldest.and_then(|old| Some((old.socket.as_ref()?.id, old.id))) {
            self.forget(socket, id);
        }
        self.session.observe(observation);
    }

    fn note(&mut self, observation: &Observation) {
        self.latest = self.latest.max(observation.monotonic);
        if self.clock.is_none() {
            let since_zero = i64::try_from(observation.monotonic.0).unwrap_or(i64::MAX);
            let zero = observation.time.checked_sub(jiff::SignedDuration::from_nanos(since_zero)).ok();
            self.clock = zero.map(|zero| Clock { zero });
        }
        if let Some(socket) = &observation.socket {
            self.sockets.entry(socket.id).or_default().push_back(observation.id);
        }
    }

    fn forget(&mut self, socket: u64, id: ObservationId) {
        let Some(kept) = self.sockets.get_mut(&socket) else { return };
        if kept.front() == Some(&id) {
            kept.pop_front();
        }
        if kept.is_empty() {
            self.sockets.remove(&socket);
        }
    }

    /// Time has come to `now`, or to the last observation when that is later: findings are made anew.
    pub fn advance(&mut self, now: Monotonic) {
        self.latest = self.latest.max(now);
        self.advanced = self.latest;
        self.session.advance(self.latest);
        let mut hasher = DefaultHasher::new();
        for finding in self.session.findings() {
            (&finding.id, finding.count, finding.severity as u8).hash(&mut hasher);
        }
        self.findings = hasher.finish();
    }

    /// How a link is doing.
    pub fn health(&self, link: &Link) -> Health {
        self.session.health(link)
    }

    /// A number that differs when the findings do.
    pub fn diagnoses(&self) -> u64 {
        self.findings
    }

    /// The latest moment seen.
    pub fn latest(&self) -> Monotonic {
        self.latest
    }

    /// Time has come to `now`; findings are left as they are.
    pub fn pass(&mut self, now: Monotonic) {
        self.latest = self.latest.max(now);
    }

    /// When findings were made last.
    pub fn advanced(&self) -> Monotonic {
        self.advanced
    }

    /// Time by which the observations are ahead of the findings.
    pub fn behind(&self) -> std::time::Duration {
        self.latest.since(self.advanced)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, when the screen is closed.
    pub fn into_session(self) -> Session {
        self.session
    }

    /// What is known.
    pub fn graph(&self) -> &Graph {
        self.session.graph()
    }

    /// An observation, while it is kept.
    pub fn observation(&self, id: ObservationId) -> Option<&Observation> {
        let history = self.session.history();
        history.binary_search_by_key(&id, |observation| observation.id).ok().map(|position| &history[position])
    }

    /// Observations of a socket that are kept, oldest first.
    pub fn of_socket(&self, socket: u64) -> impl DoubleEndedIterator<Item = &Observation> {
        self.sockets.get(&socket).into_iter().flatten().filter_map(|id| self.observation(*id))
    }

    /// Sockets of a link's own connections, each once; those to the master, which other topics share, are not among them.
    pub fn sockets_of(&self, link: &Link) -> Vec<u64> {
        let own = || link.stages.iter().filter(|state| !matches!(state.stage, Stage::Master | Stage::Advertised));
        let evidence = own().flat_map(|state| &state.evidence);
        let named = evidence.filter_map(|id| Some(self.observation(*id)?.socket.as_ref()?.id));
        let mut sockets: Vec<u64> = own().filter_map(|state| state.socket).chain(named).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets
    }

    /// The participant of an endpoint.
    pub fn participant_of(&self, endpoint: &Endpoint) -> Option<&Participant> {
        self.graph().dds().participant(endpoint.data.guid.prefix)
    }

    /// Time of day of a moment: `13:17:01.101`.
    pub fn time_of_day(&self, moment: Monotonic) -> String {
        self.clock.map_or_else(
            || format!("{:.3} s", moment.since(Monotonic(0)).as_secs_f64()),
            |clock| self.wall(clock.wall(moment)),
        )
    }

    /// Time of day of a wall-clock time.
    pub fn wall(&self, time: jiff::Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f").to_string()
    }

    /// How long ago a moment is, short: `2 s`, `3 min`.
    pub fn age(&self, moment: Monotonic) -> String {
        let passed = self.graph().now().max(self.latest).since(moment);
        if passed.as_secs() < 120 {
            return format!("{} s", passed.as_secs());
        }
        Span(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)).to_string()
    }

    /// A process as people name it: its node, or its command, with its pid.
    pub fn process_label(&self, process: &ProcessRef) -> String {
        let nodes = self.graph().process(process).map(|state| &state.nodes);
        match nodes.and_then(|nodes| nodes.first()) {
            Some(node) => format!("{node} [{}]", process.pid),
            None => format!("{} [{}]", process.comm, process.pid),
        }
    }
}
