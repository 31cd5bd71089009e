//! What is found wrong in real captures, and that nothing is found in healthy ones.

use std::fmt::Write;

use rosprobe::diagnosis::{Finding, diagnose};

use crate::graph;

const HEALTHY: [&str; 9] = [
    "cyc_cyc_d0",
    "e14_ros_discovery_info",
    "e15_big_sedp",
    "e2_shm_default",
    "e3_frag_cyc",
    "e6_noroute_rust",
    "fast_fast_d0",
    "mixed_two_domains",
    "rust_rust_d0",
];

pub fn shown(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        let Finding { code, severity, count, summary, explanation, remedies, .. } = finding;
        let subject: Vec<_> = [
            finding.topic.clone(),
            finding.service.clone(),
            finding.domain.map(|domain| format!("domain {domain}")),
            finding.stage.map(|stage| stage.word().to_owned()),
            finding.errno.map(|errno| errno.to_string()),
            finding.address.clone(),
        ]
        .into_iter()
        .flatten()
        .collect();
        let _ = writeln!(text, "{severity:?} {code:?} [{}] {count}x\n  {summary}\n  {explanation}", subject.join(", "));
        for remedy in remedies {
            let _ = writeln!(text, "  - {remedy}");
        }
        text
    })
}

#[test]
fn healthy_captures_give_no_findings() {
    for name in HEALTHY {
        assert_eq!(shown(&diagnose(&graph(name)).findings), "", "{name}");
    }
}

#[test]
fn failing_captures_give_their_finding_and_nothing_else() {
    for name in ["e12_discovery_server", "e4_domain_mismatch", "e6_noroute_cyc", "e6_samedocker_cyc", "e7_qos"] {
        let findings = diagnose(&graph(name)).findings;
        assert!(findings.iter().all(|finding| !finding.evidence.is_empty() && !finding.remedies.is_empty()), "{name}");
        insta::assert_snapshot!(format!("findings_of_{name}"), shown(&findings));
    }
}
