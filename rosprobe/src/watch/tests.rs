use std::collections::VecDeque;
use std::ffi::OsString;

use jiff::tz::TimeZone;

use super::*;
use crate::errno::Errno;
use crate::event::{Clock, Fact, ProcessRef, SocketRef, Transport};
use crate::filter::Filter;
use crate::lines::{Paint, Style};
use crate::observation::Observation;

/// Gives one batch of events after the other, then nothing more.
struct Script {
    batches: VecDeque<Vec<Event>>,
    now: Monotonic,
}

impl Capture for Script {
    async fn ready(&mut self) -> io::Result<()> {
        if self.batches.is_empty() { std::future::pending().await } else { Ok(()) }
    }

    fn drain(&mut self, _limit: usize, out: &mut Vec<Event>) -> bool {
        out.extend(self.batches.pop_front().unwrap_or_default());
        self.now = out.last().map_or(self.now, |event| event.time);
        !self.batches.is_empty()
    }

    fn sample(&mut self, _now: Monotonic, _out: &mut Vec<Event>) {}

    fn losses(&mut self, _now: Monotonic, _out: &mut Vec<Event>) {}

    fn statistics(&self) -> Statistics {
        Statistics { events: 3, ring_buffer_bytes: 400, lost: 0 }
    }

    fn now(&self) -> Monotonic {
        self.now
    }
}

fn refused(socket: u64, comm: &str) -> Vec<Event> {
    vec![Event {
        time: Monotonic(socket * 1_000_000),
        process: Some(ProcessRef { pid: 4242, started: 1, comm: comm.into() }),
        socket: Some(SocketRef {
            id: socket,
            transport: Transport::Tcp,
            local: None,
            remote: Some("10.0.1.1:41235".parse().unwrap()),
            net_namespace: 0,
        }),
        fact: Fact::ConnectReturned { fd: 10, errno: Some(Errno::ECONNREFUSED), took_ns: 1000 },
    }]
}

async fn output(format: Format, filter: Filter, duration: Option<Duration>, command: Option<&str>) -> Vec<String> {
    let mut capture = Script { batches: [refused(1, "rostopic"), refused(2, "curl")].into(), now: Monotonic(0) };
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    let mut printer = Printer::new(Vec::new(), format, filter);
    let words: Option<Vec<OsString>> = command.map(|line| vec!["sh".into(), "-c".into(), line.into()]);
    let mut command = words.map(|words| Command::start(&words, None, Output::Nowhere).unwrap());
    let plan =
        Plan { scope: Scope::everything(), signals: Signals::new().unwrap(), duration, command: command.as_mut() };
    watch(&mut capture, &mut decoder, &mut printer, plan).await.unwrap();
    String::from_utf8(printer.into_inner()).unwrap().lines().map(str::to_owned).collect()
}

fn text() -> Format {
    Format::Text(Style { paint: Paint::default(), zone: TimeZone::UTC })
}

fn is_refusal(line: &str) -> bool {
    line.contains("10.0.1.1:41235") && line.contains("connect failed: ECONNREFUSED")
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_there_when_the_duration_ends_is_still_said() {
    let lines = output(text(), Filter::default(), Some(Duration::ZERO), None).await;
    assert_eq!(lines.iter().filter(|line| is_refusal(line)).count(), 2, "{lines:#?}");
    assert!(lines.last().unwrap().starts_with("links: "), "{lines:#?}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_filter_hides_other_processes() {
    let filter = Filter::default().with_comm("rostopic").unwrap();
    let lines = output(text(), filter, Some(Duration::ZERO), None).await;
    let refusals: Vec<&String> = lines.iter().filter(|line| is_refusal(line)).collect();
    assert!(matches!(refusals[..], [line] if line.contains("rostopic[4242]")), "{lines:#?}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_end_of_the_command_is_the_end_of_the_watch() {
    let lines = output(text(), Filter::default(), None, Some("exit 3")).await;
    assert!(lines.contains(&"sh ended with exit status 3".to_owned()), "{lines:#?}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_end_of_the_duration_is_the_end_of_the_command() {
    let lines = output(text(), Filter::default(), Some(Duration::ZERO), Some("exec sleep 600")).await;
    let ended = |line: &String| line.ends_with("was ended by SIGTERM");
    assert!(lines.iter().any(ended), "{lines:#?}");
}

#[tokio::test(flavor = "current_thread")]
async fn json_lines_end_with_statistics() {
    let lines = output(Format::Json, Filter::default(), Some(Duration::ZERO), None).await;
    let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().filter(|line| line["type"] == "observation" && line["kind"] == "connect-failed");
    assert_eq!(failed.count(), 2, "{lines:#?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["ring_buffer_bytes"]), (&"statistics".into(), &400.into()));
}

/// More happens than is taken at a time: each look at the clock finds it far ahead of what was taken.
struct Backlog(VecDeque<Vec<Event>>);

impl Capture for Backlog {
    async fn ready(&mut self) -> io::Result<()> {
        std::future::pending().await
    }

    fn drain(&mut self, _limit: usize, out: &mut Vec<Event>) -> bool {
        out.extend(self.0.pop_front().unwrap_or_default());
        !self.0.is_empty()
    }

    fn sample(&mut self, now: Monotonic, out: &mut Vec<Event>) {
        self.losses(now, out);
    }

    fn losses(&mut self, now: Monotonic, out: &mut Vec<Event>) {
        out.push(Event { time: now, process: None, socket: None, fact: Fact::Lost { events: 1 } });
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn now(&self) -> Monotonic {
        Monotonic(100_000_000_000)
    }
}

/// Remembers to which moments time came.
#[derive(Default)]
struct Moments(Vec<u64>);

impl Audience for Moments {
    fn observations(&mut self, observations: &mut Vec<Observation>) -> io::Result<()> {
        self.0.extend(observations.drain(..).map(|observation| observation.monotonic.0));
        Ok(())
    }

    fn advance(&mut self, now: Monotonic) -> io::Result<()> {
        self.0.push(now.0);
        Ok(())
    }

    fn statistics(&mut self, _: &Statistics) -> io::Result<()> {
        Ok(())
    }

    fn trace_wanted(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn notice(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: Monotonic, _: &Statistics) -> io::Result<()> {
        Ok(())
    }
}

/// Else what waits to be taken would be missed in what it is concluded from that it did not happen.
#[tokio::test(flavor = "current_thread")]
async fn time_comes_no_further_than_what_was_taken() {
    let mut capture = Backlog((1..=400).map(|socket| refused(socket, "rostopic")).collect());
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    let mut moments = Moments::default();
    let duration = Some(Duration::from_millis(1200));
    let plan = Plan { scope: Scope::everything(), signals: Signals::new().unwrap(), duration, command: None };
    watch(&mut capture, &mut decoder, &mut moments, plan).await.unwrap();
    assert!(moments.0.len() > 10 && moments.0.is_sorted(), "{:?}", moments.0);
    assert!(moments.0.iter().all(|moment| *moment <= 400_000_000), "{:?}", moments.0);
}

/// Gets no time for three seconds after each look, in which something happens.
struct StandsStill {
    now: Monotonic,
}

impl Capture for StandsStill {
    async fn ready(&mut self) -> io::Result<()> {
        std::future::pending().await
    }

    fn drain(&mut self, _limit: usize, out: &mut Vec<Event>) -> bool {
        out.extend(refused(self.now.0 / 1_000_000 - 2000, "rostopic"));
        self.now.0 += 3_000_000_000;
        false
    }

    fn sample(&mut self, _now: Monotonic, _out: &mut Vec<Event>) {}

    fn losses(&mut self, _now: Monotonic, _out: &mut Vec<Event>) {}

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn now(&self) -> Monotonic {
        self.now
    }
}

/// Seen on CI: rosprobe was stopped between the look and what was concluded from it, and a connect of meanwhile was never attempted.
#[tokio::test(flavor = "current_thread")]
async fn what_happens_while_rosprobe_stands_still_is_not_missed_before_it_was_looked_for() {
    let mut capture = StandsStill { now: Monotonic(3_000_000_000) };
    let mut decoder = Decoder::new(Clock { zero: jiff::Timestamp::UNIX_EPOCH });
    let mut moments = Moments::default();
    let duration = Some(Duration::from_millis(1200));
    let plan = Plan { scope: Scope::everything(), signals: Signals::new().unwrap(), duration, command: None };
    watch(&mut capture, &mut decoder, &mut moments, plan).await.unwrap();
    assert!(moments.0.len() > 4 && moments.0.is_sorted(), "{:?}", moments.0);
}
