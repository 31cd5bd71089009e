//! Every way in which ROS 2 fails that we know of, made to happen with three implementations of DDS, and what rosprobe must say about it;
//! and that it says nothing where nothing is wrong.

mod case;
mod cure;
mod discovery;
mod domains;
mod endpoints;
mod healthy;
mod locators;
mod peer;
mod ports;
mod segment;

use std::io::Write as _;
use std::sync::Mutex;

use rosprobe::diagnosis::Finding;

use self::case::Case;

/// Cases that are under way at the same moment.
const WORKERS: usize = 4;

/// Runs the whole table, or the cases whose names contain `ROSPROBE_CASE`.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and three implementations of DDS: cargo xtask test"]
fn every_failure_of_ros_2_is_diagnosed() {
    let cases = [domains::cases(), discovery::cases(), locators::cases(), endpoints::cases(), ports::cases()];
    run(cases.into_iter().flatten().collect());
}

/// The same for what is healthy: three implementations, between two hosts and on one, in pairs and mixed.
#[test]
#[ignore = "needs root, a kernel that loads eBPF and three implementations of DDS: cargo xtask test"]
fn nothing_is_said_of_healthy_ros_2() {
    run(healthy::cases());
}

fn run(mut cases: Vec<Case>) {
    let only = std::env::var("ROSPROBE_CASE").unwrap_or_default();
    cases.retain(|case| case.name.contains(&only));
    cases.reverse();
    let total = cases.len();
    let (left, results) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = next(&left) {
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.run()));
                    say(&report(&case, &outcome));
                    results.lock().expect("no panic comes this far").push(outcome);
                }
            });
        }
    });
    let results = results.into_inner().expect("no panic comes this far");
    let diagnosed = results.iter().filter(|outcome| outcome.is_ok()).count();
    let false_alarms: usize = results.iter().flatten().map(Vec::len).sum();
    say(&format!("diagnosed {diagnosed} of {total}, false alarms {false_alarms}"));
    assert!(diagnosed == total && false_alarms == 0 && total > 0, "see above");
}

fn next(cases: &Mutex<Vec<Case>>) -> Option<Case> {
    cases.lock().expect("no panic comes this far").pop()
}

fn report(case: &Case, outcome: &std::thread::Result<Vec<Finding>>) -> String {
    let verdict = match outcome {
        Ok(alarms) if alarms.is_empty() => "diagnosed".to_owned(),
        Ok(alarms) => format!("diagnosed, with false alarms: {alarms:#?}"),
        Err(panic) => format!("NOT DIAGNOSED: {}", panic.downcast_ref::<String>().map_or("", String::as_str)),
    };
    format!("  {}: {verdict}", case.name)
}

/// Past the test harness, which shows nothing of a test that passed.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
