//! One thing as often as it goes: batches of about a millisecond, and the median of the batches, so that a batch in which the machine
//! did something else does not count.

use std::io;
use std::time::{Duration, Instant};

/// How long a batch shall take.
const BATCH: Duration = Duration::from_millis(1);
/// The same where two threads fill and empty a buffer by turns: many turns.
const LONG_BATCH: Duration = Duration::from_millis(25);
/// Before it counts.
const WARM_UP: Duration = Duration::from_millis(30);

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
