//! A capture that is not read: the number lost is exact, whose it was is known, links say that they are incomplete, and it recovers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Child;
use std::time::{Duration, Instant};

use rosprobe::capture::Options;
use rosprobe::decode::Decoder;
use rosprobe::diagnosis::{Code, Finding, diagnose};
use rosprobe::event::{Direction, Event, Fact, Monotonic, Transport};
use rosprobe::graph::{Graph, Health, Link, LinkKind, Outcome, Stage};
use rosprobe::observation::dds::Dds;
use serde_json::{Value, json};

use crate::bounds::message;
use crate::in_every_mode;
use crate::rtps::clock;
use crate::watched::{LIMIT, Watched, chunks, lost};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Small enough to be full at once.
const SMALL: u32 = 16 * 1024;
/// Large enough for what happens on the whole machine while a step is taken, and small enough to be filled on purpose.
const LARGER: u32 = 256 * 1024;

/// How many records of streams, and of datagrams, the events came from, or say to be lost.
fn records(events: &[Event], of: impl Fn(&Event) -> u64) -> [u64; 2] {
    [Transport::Tcp, Transport::Udp].map(|transport| {
        let same = |event: &&Event| event.socket.as_ref().is_some_and(|socket| socket.transport == transport);
        events.iter().filter(same).map(&of).sum()
    })
}

/// Whether a record is behind it.
fn came(event: &Event) -> u64 {
    u64::from(!matches!(event.fact, Fact::Traffic(_) | Fact::RtpsData { .. } | Fact::Lost { .. }))
}

fn gone(event: &Event) -> u64 {
    lost(event).unwrap_or(0)
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn what_came_and_what_was_lost_is_what_there_was() {
    const PROCESSES: u64 = 4;
    let announcement = message("rust_rust_d0", |dds| matches!(dds, Dds::ParticipantAnnounced { .. }));
    let case = json!([20, 10, announcement]);
    in_every_mode(async |options| {
        let mut watched = Watched::start("counted", &options);
        watched.run("counted", case.clone()).await;
        watched.until(|events| events.iter().filter(|event| event.fact == Fact::Closed).count() >= 40).await;
        let [streams, datagrams] = records(&watched.events, came).map(|count| count * PROCESSES);
        assert_eq!(watched.sample(), 0, "nothing is lost with the default buffer: {:#?}", watched.facts());
        drop(watched);

        let mut watched = Watched::start("flooded", &Options { ring_buffer_bytes: SMALL, ..options });
        // On all processors at once, and nobody reads.
        let children: Vec<Child> = (0..PROCESSES).map(|_| watched.network.start("counted", &case)).collect();
        for child in children {
            assert!(child.wait_with_output().unwrap().status.success());
        }
        let (mut told, mut seen, mut missed) = (0, [0; 2], [0; 2]);
        let deadline = Instant::now() + LIMIT;
        loop {
            watched.until(|_| true).await;
            seen = add(seen, records(&watched.events, came));
            watched.events.clear();
            told += watched.sample();
            let inode = watched.network.inode;
            watched.events.retain(|event| event.socket.as_ref().is_some_and(|socket| socket.net_namespace == inode));
            missed = add(missed, records(&watched.events, gone));
            // Ends of sockets that were lost as records are told as what they are.
            seen = add(seen, records(&watched.events, |event| u64::from(event.fact != Fact::Closed) * came(event)));
            watched.events.clear();
            if told == watched.lost() && add(seen, missed)[0] >= streams {
                break;
            }
            let so_far = format!("{seen:?} came, {missed:?} were lost, {told} of {} were told", watched.lost());
            assert!(Instant::now() < deadline, "of {streams} records of streams {so_far}");
            tokio::time::sleep(PAUSE).await;
        }
        let sum = add(seen, missed);
        assert_eq!(sum[0], streams, "records of streams: {seen:?} came, {missed:?} were lost");
        // And one of each socket that announced itself, which is an event only where it is lost.
        assert!(
            (datagrams..=datagrams + PROCESSES).contains(&sum[1]),
            "{seen:?} came, {missed:?} were lost of {datagrams}"
        );
        assert!(missed[0] > streams / 2 && missed[1] > datagrams / 2, "{missed:?} were lost");
        assert_eq!(watched.sample(), 0, "told once");

        let again = watched.run("xmlrpc", json!(["4", "send", "recv", 2_000])).await;
        let facts = watched.of_port(&again["client"]);
        assert!(!chunks(&facts, Direction::Sent).is_empty(), "the capture goes on: {facts:?}");
    });
}

fn add(one: [u64; 2], other: [u64; 2]) -> [u64; 2] {
    [one[0] + other[0], one[1] + other[1]]
}

/// What becomes of events on their way to a finding.
struct Diagnosed {
    decoder: Decoder,
    graph: Graph,
}

impl Diagnosed {
    fn take(&mut self, watched: &mut Watched) {
        let inode = watched.network.inode;
        let mut observations = Vec::new();
        for event in watched.events.drain(..) {
            let here = event.socket.as_ref().is_none_or(|socket| socket.net_namespace == inode);
            if here || lost(&event).is_some() {
                self.decoder.handle(event, &mut observations);
            }
        }
        for observation in observations {
            self.graph.observe(&observation);
        }
    }

    /// The findings, `seconds` after the last event.
    fn findings_after(&mut self, seconds: u64) -> Vec<Finding> {
        let now = Monotonic(self.graph.now().0 + seconds * 1_000_000_000);
        let mut observations = Vec::new();
        self.decoder.advance(now, &mut observations);
        for observation in observations {
            self.graph.observe(&observation);
        }
        self.graph.advance(now);
        diagnose(&self.graph).findings
    }

    fn link(&self, topic: &str) -> &Link {
        let found: Vec<_> =
            self.graph.links().filter(|link| link.kind == LinkKind::Topic && link.is_named(topic)).collect();
        let [link] = found[..] else { panic!("one link of {topic}: {found:#?}") };
        link
    }
}

/// Tells the subscriber what to do, and waits until it has done it. Nothing is read meanwhile.
struct Told {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Told {
    fn start(watched: &Watched) -> Self {
        let mut child = watched.network.start("subscriber", &Value::Array(Vec::new()));
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        assert!(self.output.read_line(&mut answer).unwrap() > 0, "{line}");
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It has ended by itself, or does so now.
        let _ = self.child.wait();
    }
}

/// Reads all that there is, and that was lost: losses are told once everything from before them was read.
async fn read(watched: &mut Watched, diagnosed: &mut Diagnosed) {
    let deadline = Instant::now() + LIMIT;
    // The first look may come while the peer, which nobody waits for, still closes its end.
    let mut looks = 0;
    while looks < 3 || diagnosed.graph.lost() != watched.lost() {
        assert!(Instant::now() < deadline, "{} of {} losses are told", diagnosed.graph.lost(), watched.lost());
        watched.until(|_| true).await;
        diagnosed.take(watched);
        watched.sample();
        diagnosed.take(watched);
        tokio::time::sleep(PAUSE).await;
        looks += 1;
    }
}

/// Codes and summaries of the findings that say that something is wrong, but for the one of the loss itself.
fn wrong(findings: &[Finding]) -> Vec<String> {
    let others = findings.iter().filter(|finding| finding.code != Code::EventsLost);
    others.map(|finding| format!("{:?}: {}", finding.code, finding.summary)).collect()
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn links_that_lost_events_say_so_and_recover() {
    in_every_mode(async |options| {
        let mut watched = Watched::start("doubt", &Options { ring_buffer_bytes: LARGER, ..options });
        let mut diagnosed = Diagnosed { decoder: Decoder::new(clock()), graph: Graph::default() };
        let mut robot = Told::start(&watched);
        for line in ["/before master", "/before rest", "/before data", "/during master", "/asked master"] {
            robot.tell(line);
            read(&mut watched, &mut diagnosed).await;
            let topics: Vec<_> = diagnosed.graph.links().filter_map(|link| link.name.as_deref()).collect();
            assert_eq!(watched.lost(), 0, "{line}: something else fills the ring buffer; links: {topics:?}");
        }
        assert_eq!(diagnosed.link("/before").stages_health(), Health::Ok);
        assert!(diagnosed.link("/before").reached(Stage::Data), "{:#?}", diagnosed.link("/before"));
        assert!(!diagnosed.link("/during").incomplete);

        // Full from here on.
        let flood = watched.network.start("xmlrpc", &json!(["4", "send", "recv", 200_000]));
        assert!(flood.wait_with_output().unwrap().status.success());
        robot.tell("/during rest");
        read(&mut watched, &mut diagnosed).await;
        let findings = diagnosed.findings_after(20);
        assert!(watched.lost() > 0 && diagnosed.graph.lost() == watched.lost(), "the graph knows the number");
        let during = diagnosed.link("/during");
        assert!(during.incomplete, "{during:#?}");
        let untrue = |outcome: &Outcome| matches!(outcome, Outcome::NeverAttempted { .. } | Outcome::Pending { .. });
        assert!(!during.stages.iter().any(|state| untrue(&state.outcome)), "{during:#?}");
        assert!(!diagnosed.link("/before").incomplete, "nothing of it was lost: {:#?}", diagnosed.link("/before"));
        let said = findings.iter().find(|finding| finding.code == Code::EventsLost).unwrap();
        assert_eq!(said.count, watched.lost(), "{said:#?}");
        assert!(said.summary.starts_with(&format!("{} events were lost", watched.lost())), "{said:#?}");
        assert!(said.explanation.contains("/during of /listener"), "{said:#?}");
        assert!(!said.explanation.contains("/before"), "{said:#?}");
        // What really is not tried is a fault, whatever else was lost: nobody asked for this one.
        let others = wrong(&findings);
        assert!(others.iter().all(|text| text.contains("/asked")), "{others:#?}");

        // Data flows, which needs no record: what was lost does not matter any more.
        robot.tell("/during data");
        read(&mut watched, &mut diagnosed).await;
        robot.tell("/during data");
        read(&mut watched, &mut diagnosed).await;
        assert!(diagnosed.link("/before").reached(Stage::Data));

        robot.tell("/after master");
        robot.tell("/after rest");
        robot.tell("/after data");
        read(&mut watched, &mut diagnosed).await;
        let findings = diagnosed.findings_after(20);
        let after = diagnosed.link("/after");
        assert!(!after.incomplete && after.stages_health() == Health::Ok && after.reached(Stage::Data), "{after:#?}");
        assert!(wrong(&findings).iter().all(|text| text.contains("/asked")), "{findings:#?}");
    });
}
