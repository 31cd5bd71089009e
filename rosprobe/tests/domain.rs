//! `rosprobe domain` as a person and as a script meet it.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Output};

fn domain(arguments: &[&str], variable: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosprobe"));
    command.arg("domain").args(arguments).env_remove("ROS_DOMAIN_ID");
    if let Some(value) = variable {
        command.env("ROS_DOMAIN_ID", value);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_domain_comes_from_the_command_line_then_the_environment_then_0() {
    let first_line = |output: Output| text(&output.stdout).lines().next().unwrap().to_owned();
    assert_eq!(first_line(domain(&["5"], Some("7"))), "ROS_DOMAIN_ID 5 (from the command line)");
    assert_eq!(first_line(domain(&[], Some("7"))), "ROS_DOMAIN_ID 7 (from ROS_DOMAIN_ID)");
    assert_eq!(first_line(domain(&[], Some(""))), "ROS_DOMAIN_ID 0 (from the default)");
    assert_eq!(first_line(domain(&[], None)), "ROS_DOMAIN_ID 0 (from the default)");
}

#[test]
fn what_is_no_domain_ends_with_2_the_range_and_the_reason() {
    for (given, reason) in [("233", "65650"), ("-1", "negative"), ("chatter", "whole number")] {
        let output = domain(&[given], None);
        assert_eq!(output.status.code(), Some(2), "{given}");
        let message = text(&output.stderr);
        assert!(
            message.starts_with("rosprobe: ") && message.contains("0 to 232") && message.contains(reason),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let output = domain(&[], Some("300"));
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.starts_with("rosprobe: ROS_DOMAIN_ID: \"300\" is no"), "{message}");
}

#[test]
fn json_says_the_same_to_a_script() {
    let output = domain(&["1", "--participants", "121", "--format", "json"], None);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["discovery_multicast"], 7650);
    assert_eq!(report["participants"]["last_unicast"], serde_json::json!([7900, 7901]));
    let overlap = report["participants"]["troubles"].as_array().unwrap().iter().any(|trouble| trouble[0] == 120);
    assert!(overlap, "{report:#}");
    assert_eq!(output.status.code(), Some(1), "the 121st process has another domain's ports");

    let output = domain(&["--port", "7900", "--format", "json"], None);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["readings"][0], serde_json::json!({"domain": 2, "purpose": "discovery-multicast"}));
    assert_eq!(report["readings"][1]["participant"], 120);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn many_domains_that_are_run_over_are_one_trouble() {
    let output = domain(&["1", "--participants", "10000"], None);
    let report = text(&output.stdout);
    let lines: Vec<_> = report.lines().filter(|line| line.contains("multicast, and its own follow")).collect();
    let [only] = lines[..] else { panic!("{report}") };
    assert!(
        only.contains("process 121 ") && only.ends_with("domain 2's multicast, and its own follow, up to domain 81"),
        "{only}"
    );
}
