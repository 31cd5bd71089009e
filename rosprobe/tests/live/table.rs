//! Runs a table of cases: several at once, every one in labs of its own, and says how many were diagnosed.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use rosprobe::diagnosis::Finding;

/// Cases that are under way at the same moment.
const WORKERS: usize = 4;

/// Something that is made to happen, and what must be said about it.
pub trait Row: Send {
    /// What a person calls it.
    fn name(&self) -> String;

    /// Makes it happen and returns the findings that should not have come; panics when an expected one did not come.
    fn run(&self) -> Vec<Finding>;
}

/// Runs the whole table, or the rows whose names contain `ROSPROBE_CASE`.
///
/// Real nodes now and then do not find each other within a minute, with or without rosprobe. So a row that was not diagnosed is run once
/// more, and the score says how many needed that. A false alarm is one, whatever comes later.
pub fn run<R: Row>(mut rows: Vec<R>) {
    let only = std::env::var("ROSPROBE_CASE").unwrap_or_default();
    rows.retain(|row| row.name().contains(&only));
    rows.reverse();
    let total = rows.len();
    let (left, results) = (Mutex::new(rows), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(row) = next(&left) {
                    let result = attempts(&row);
                    results.lock().expect("no panic comes this far").push(result);
                }
            });
        }
    });
    let results: Vec<Attempts> = results.into_inner().expect("no panic comes this far");
    let diagnosed = results.iter().filter(|result| result.diagnosed).count();
    let again = results.iter().filter(|result| result.again).count();
    let false_alarms: usize = results.iter().map(|result| result.false_alarms).sum();
    let score = format!("diagnosed {diagnosed} of {total}, false alarms {false_alarms} ({again} run twice)");
    say(&score);
    let wrong: Vec<&str> = results.iter().flat_map(|result| &result.wrong).map(String::as_str).collect();
    assert!(diagnosed == total && false_alarms == 0 && total > 0, "{score}\n{}", wrong.join("\n"));
}

#[derive(Default)]
struct Attempts {
    diagnosed: bool,
    again: bool,
    false_alarms: usize,
    /// What was not as it should be, in words.
    wrong: Vec<String>,
}

fn attempts<R: Row>(row: &R) -> Attempts {
    let mut attempts = Attempts::default();
    attempt(row, &mut attempts);
    if !attempts.diagnosed {
        attempts.again = true;
        attempt(row, &mut attempts);
    }
    attempts
}

fn attempt<R: Row>(row: &R, attempts: &mut Attempts) {
    let verdict = match catch_unwind(AssertUnwindSafe(|| row.run())) {
        Ok(alarms) => {
            attempts.diagnosed = true;
            attempts.false_alarms += alarms.len();
            if alarms.is_empty() {
                "diagnosed".to_owned()
            } else {
                format!("diagnosed, with false alarms: {alarms:#?}")
            }
        }
        Err(panic) => {
            let formatted = panic.downcast_ref::<String>().map(String::as_str);
            let reason = formatted.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("NOT DIAGNOSED: {}", reason.unwrap_or("a panic without words"))
        }
    };
    let line = format!("  {}: {verdict}", row.name());
    say(&line);
    if verdict != "diagnosed" {
        attempts.wrong.push(line);
    }
}

fn next<R>(rows: &Mutex<Vec<R>>) -> Option<R> {
    rows.lock().expect("no panic comes this far").pop()
}

/// Past the test harness, which shows nothing of a test that passed.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
