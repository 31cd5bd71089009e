//! One thing as often as it goes: batches of about a millisecond, and the median of the batches, so that a batch in which the machine
//! did something else does not count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::{transfer, xmlrpc};

/// How long a batch shall take.
const BATCH: Duration = Duration::from_millis(1);
/// The same where two threads fill and empty a buffer by turns: many turns.
const LONG_BATCH: Duration = Duration::from_millis(25);
/// Before it counts.
const WARM_UP: Duration = Duration::from_millis(30);

/// Runs the loads of these names and prints nanoseconds for one operation of each.
pub fn run(names: &[String], time: Duration) -> anyhow::Result<()> {
    let mut nanoseconds = BTreeMap::new();
    for name in names {
        let one = one(name, time).with_context(|| format!("the load {name}"))?;
        nanoseconds.insert(name, one);
    }
    println!("{}", serde_json::to_string(&nanoseconds)?);
    Ok(())
}

fn one(name: &str, time: Duration) -> anyhow::Result<f64> {
    Ok(match name {
        "getpid" => repeat(time, || {
            std::hint::black_box(nix::unistd::getpid());
            Ok(())
        })?,
        "read-write" => {
            let (mut zero, mut null) = (File::open("/dev/zero")?, File::options().write(true).open("/dev/null")?);
            let mut byte = [0];
            repeat(time, || {
                zero.read_exact(&mut byte)?;
                null.write_all(&byte)
            })?
        }
        "tcp-pair" => transfer::tcp_pair(time)?,
        "tcp-ping-pong" => transfer::tcp_ping_pong(time)?,
        "tcp-bulk" => transfer::tcp_bulk(time)?,
        "udp-ping-pong" => transfer::udp_ping_pong(time)?,
        "rtps-sample" => transfer::rtps_sample(time)?,
        "connect-refused" => transfer::connect_refused(time)?,
        "xml-rpc" => xmlrpc::calls(time)?,
        unknown => bail!("nothing is called {unknown}"),
    })
}

/// Nanoseconds that one turn takes, as the median of many batches.
pub fn repeat(time: Duration, turn: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    repeat_in(BATCH, time, turn)
}

/// The same for turns that fill a buffer.
pub fn repeat_long(time: Duration, turn: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    repeat_in(LONG_BATCH, time, turn)
}

fn repeat_in(length: Duration, time: Duration, mut turn: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    let begin = Instant::now();
    let mut warm = 0_u32;
    while begin.elapsed() < WARM_UP || warm == 0 {
        turn()?;
        warm += 1;
    }
    let each = begin.elapsed().as_secs_f64() / f64::from(warm);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a few millions")]
    let size = ((length.as_secs_f64() / each) as u32).max(1);
    let begin = Instant::now();
    let mut batches = Vec::new();
    while begin.elapsed() < time || batches.is_empty() {
        let batch = Instant::now();
        for _ in 0..size {
            turn()?;
        }
        batches.push(batch.elapsed().as_secs_f64() * 1e9 / f64::from(size));
    }
    batches.sort_by(f64::total_cmp);
    Ok(batches[batches.len() / 2])
}
