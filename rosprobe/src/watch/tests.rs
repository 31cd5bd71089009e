use std::collections::VecDeque;
use std::ffi::OsString;

use jiff::tz::TimeZone;

use super::*;
use crate::errno::Errno;
use crate::event::{Clock, Fact, ProcessRef, SocketRef, Transport};
use crate::filter::Filter;
use crate::lines::{Paint, Style};

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

    fn sample(&mut self, _out: &mut Vec<Event>) {}

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
