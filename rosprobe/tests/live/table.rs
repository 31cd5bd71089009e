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
    say(&format!("diagnosed {diagnosed} of {total}, false alarms {false_alarms} ({again} run twice)"));
    assert!(diagnosed == total && false_alarms == 0 && total > 0, "see above");
}

struct Attempts {
    diagnosed: bool,
    again: bool,
    false_alarms: usize,
}

fn attempts<R: Row>(row: &R) -> Attempts {
    if let Some(alarms) = attempt(row) {
        return Attempts { diagnosed: true, again: false, false_alarms: alarms };
    }
    let second = attempt(row);
    Attempts { diagnosed: second.is_some(), again: true, false_alarms: second.unwrap_or_default() }
}

/// False alarms of a row that was diagnosed.
fn attempt<R: Row>(row: &R) -> Option<usize> {
    let outcome = catch_unwind(AssertUnwindSafe(|| row.run()));
    let verdict = match &outcome {
        Ok(alarms) if alarms.is_empty() => "diagnosed".to_owned(),
        Ok(alarms) => format!("diagnosed, with false alarms: {alarms:#?}"),
        Err(panic) => {
            let formatted = panic.downcast_ref::<String>().map(String::as_str);
            let reason = formatted.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("NOT DIAGNOSED: {}", reason.unwrap_or("a panic without words"))
        }
    };
    say(&format!("  {}: {verdict}", row.name()));
    outcome.ok().map(|alarms| alarms.len())
}

fn next<R>(rows: &Mutex<Vec<R>>) -> Option<R> {
    rows.lock().expect("no panic comes this far").pop()
}

/// Past the test harness, which shows nothing of a test that passed.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
