//! Scenarios as data: observations in a terse form, and the exact list of findings that they must give.
//!
//! Every file of `scenarios/` is one. `row` names the row of the table of failure modes that it shows; healthy ones expect nothing.

#![expect(clippy::unwrap_used, reason = "a test whose data cannot be read has failed")]

mod scenario;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rosprobe::diagnosis::{Code, Finding, Severity};
use rosprobe::graph::{Health, Link, LinkKind, Stage};
use rosprobe::printable::printable;
use rosprobe::session::Session;
use scenario::{Expected, Scenario};

/// The ways in which a ROS 1 connection fails; each has a scenario at least.
const ROWS: &[&str] = &[
    "no route",
    "host absent",
    "refused",
    "admin-prohibited",
    "dropped",
    "only the TCPROS port dropped",
    "name unknown",
    "loopback",
    "name resolves to another host",
    "only 11311 forwarded",
    "stale registration",
    "master cannot call back",
    "master started again",
    "ROS_MASTER_URI wrong",
    "subscriber advertises localhost",
    "types differ",
    "no header back",
    "closed without header",
    "never answers",
    "idle",
    "half open",
    "the subscriber takes nothing",
    "MTU black hole",
    "service unreachable",
    "IPv6 publisher",
    "UDPROS without answer",
    "UDPROS datagrams lost",
    "two nodes of one name",
    "a node that lies",
    "sshuttle",
    "rosprobe itself",
    "healthy",
];

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_scenario_gives_exactly_its_findings() {
    let (mut diagnosed, mut expected, mut false_alarms, mut complaints) = (0, 0, 0, Vec::new());
    for file in files() {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let scenario = Scenario::read(&file);
        let mut findings = Vec::new();
        let mut links = None;
        scenario.play(|session| {
            findings = session.findings().to_vec();
            links = Some(session.link_counts());
        });
        if let Some(wanted) = &scenario.links
            && links.as_ref() != Some(wanted)
        {
            complaints.push(format!("{name}: links are {links:?} and not {wanted:?}"));
        }
        expected += scenario.findings.len();
        let (matched, surplus) = compare(&name, &scenario.findings, &findings, &mut complaints);
        diagnosed += matched;
        false_alarms += surplus;
    }
    println!("diagnosed {diagnosed} of {expected}, false alarms {false_alarms}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Pairs each expected finding with one that was given; gives how many matched and how many nobody expected.
fn compare(name: &str, expected: &[Expected], given: &[Finding], complaints: &mut Vec<String>) -> (usize, usize) {
    let mut left: Vec<&Finding> = given.iter().collect();
    let mut matched = 0;
    for wanted in expected {
        if let Some(position) = left.iter().position(|finding| wanted.misses(finding).is_empty()) {
            left.remove(position);
            matched += 1;
        } else {
            let near = left.iter().find(|finding| finding.code == wanted.code);
            let why = near.map(|finding| wanted.misses(finding).join(", ")).unwrap_or_default();
            complaints.push(format!("{name}: {:?} was not given as expected. {why}", wanted.code));
        }
    }
    for finding in &left {
        complaints.push(format!("{name}: not expected:\n{}", serde_json::to_string_pretty(finding).unwrap()));
    }
    (matched, left.len())
}

#[test]
fn every_failure_mode_has_a_scenario() {
    let shown: BTreeSet<String> = files().iter().map(|file| Scenario::read(file).row).collect();
    let rows: BTreeSet<String> = ROWS.iter().map(ToString::to_string).collect();
    assert_eq!(shown, rows);
}

/// Orders and durations come from the monotonic clock, and shown times from the wall clock as it was when the capture began.
#[test]
fn a_wall_clock_that_is_stepped_changes_nothing() {
    for file in files() {
        let scenario = Scenario::read(&file);
        assert_eq!(scenario.findings_with_a_stepped_clock(), scenario.findings(), "{}", file.display());
    }
}

#[test]
fn findings_keep_their_ids_and_are_the_same_in_every_run() {
    for file in files() {
        let scenario = Scenario::read(&file);
        let (once, again) = (scenario.findings(), scenario.findings());
        assert_eq!(once, again, "{}", file.display());
        let ids: BTreeSet<&str> = once.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids.len(), once.len(), "{}: an id twice", file.display());
    }
}

/// Links and findings never contradict each other, at any moment: what is shown as failed has a finding that names it, and what a finding
/// of severity error names is not shown as working.
#[test]
fn no_link_is_failed_without_a_finding_and_none_that_has_one_is_fine() {
    let (mut moments, mut complaints) = (0, BTreeSet::new());
    for file in files() {
        Scenario::read(&file).play(|session| {
            moments += 1;
            for link in session.graph().links() {
                if let Some(complaint) = contradiction(session, link) {
                    let name = file.file_stem().unwrap().to_string_lossy();
                    complaints.insert(format!("{name}: {:?} {}: {complaint}", link.kind, link.shown_name()));
                }
            }
        });
    }
    assert!(moments > 1000, "{moments}");
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn contradiction(session: &Session, link: &Link) -> Option<String> {
    let made = session.finding_about(link.id);
    match session.health(link) {
        Health::Failed => {
            let Some(finding) = made else { return Some(format!("failed without a finding: {:?}", link.stages)) };
            let counts = finding.severity <= Severity::Warning;
            (!counts || !names(finding, link)).then(|| format!("failed, and the finding is of another: {finding:?}"))
        }
        Health::Ok => {
            let of_it = |finding: &&Finding| {
                // Then the connection works, and what was asked for through it does not.
                let of_connection = finding.code != Code::CallFailed || finding.stage != Some(Stage::Master);
                finding.severity == Severity::Error && finding.ended.is_none() && of_connection && names(finding, link)
            };
            let blamed = session.findings().iter().find(of_it);
            blamed.map(|finding| format!("ok, and a finding says: {}", finding.summary))
        }
        Health::Pending | Health::Gone => None,
    }
}

/// Whether a finding is about what a link carries, and about both of its ends, as far as those are known.
fn names(finding: &Finding, link: &Link) -> bool {
    let is = |said: &Option<String>| said.as_deref() == link.name.as_deref().map(printable).as_deref();
    let about = match link.kind {
        LinkKind::Topic | LinkKind::Dds => is(&finding.topic),
        LinkKind::Service => is(&finding.service),
        LinkKind::Master => finding.stage == Some(Stage::Master),
        LinkKind::Callback => finding.stage == Some(Stage::Callback),
    };
    // Datagrams go wrong in the publisher's process.
    let ends = [&link.subscriber.process, &link.publisher.process].into_iter().flatten();
    let client = match &finding.process {
        Some(said) => ends.map(|process| process.pid).any(|pid| pid == said.pid),
        None => link.subscriber.process.is_none(),
    };
    let server = match finding.peer.as_ref().and_then(|peer| peer.uri.as_deref()) {
        Some(uri) if link.kind != LinkKind::Master => link.publisher.uri.as_deref() == Some(uri),
        _ => true,
    };
    about && client && server
}

/// The seed's case, word for word: it is in the README.
#[test]
fn the_story_of_the_readme() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/no-route.toml");
    let findings = Scenario::read(&file).findings();
    let finding = findings.first().unwrap();
    let text = format!("{}\n\nWhy: {}\n\n{}", finding.summary, finding.explanation, finding.remedies.join("\n"));
    insta::assert_snapshot!(text);
}

/// A robot has a visitor a minute for months.
#[test]
fn who_took_everything_back_and_ended_is_forgotten_and_who_is_still_registered_is_not() {
    let scenario = Scenario::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/ended-long-ago.toml"));
    let (mut known, mut at_the_end) = (BTreeSet::new(), BTreeSet::new());
    scenario.play(|session| {
        let processes = session.graph().processes().map(|state| state.process.comm.clone());
        at_the_end = processes.chain(session.graph().nodes().map(|node| node.name.clone())).collect();
        known.extend(at_the_end.iter().cloned());
    });
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(known, names(&["visitor", "/visitor", "crashed", "/crashed"]));
    assert_eq!(at_the_end, names(&["crashed", "/crashed"]));
}
