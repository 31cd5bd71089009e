//! What is wrong according to one or several files, for a script or for an issue.

mod markdown;

use serde::Serialize;

pub use self::markdown::markdown;
use super::document::{Lost, Meta};
use super::opened::Opened;
use crate::diagnosis::{Counts, Finding};
use crate::graph::LinkCounts;

/// `report --format json`.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// What is wrong, worst first.
    pub findings: &'a [Finding],
    /// How many findings of each severity there are.
    pub counts: Counts,
    /// How many links there are in each state.
    pub links: LinkCounts,
    /// Where the observations come from.
    pub meta: &'a Meta,
    /// How many observations there are.
    pub observations: usize,
    /// What is missing, and why; each a sentence.
    pub missing: &'a [String],
    /// What was lost while observing.
    pub lost: Lost,
}

impl<'a> Report<'a> {
    /// The report on an opened file.
    pub fn of(opened: &'a Opened) -> Self {
        let session = &opened.session;
        Self {
            findings: session.findings(),
            counts: Counts::of(session.findings()),
            links: session.link_counts(),
            meta: &opened.meta,
            observations: session.history().len(),
            missing: &opened.missing,
            lost: Lost { events: session.lost(), observations: session.forgotten() },
        }
    }
}

/// Where the observations come from, in a line: `recorded on outer, Linux 6.12.0, 2026-11-21 06:00:00 UTC, 60 s`.
pub fn provenance(meta: &Meta) -> String {
    let mut parts = Vec::new();
    if meta.files.is_empty() {
        parts.push(format!("seen on {}", meta.host.as_deref().unwrap_or("an unknown host")));
    } else {
        parts.push(format!("read from {}", meta.files.join(" and ")));
    }
    if let Some(kernel) = &meta.kernel {
        parts.push(format!("Linux {kernel}"));
    }
    // A capture without a packet does not say when it was.
    if meta.started == jiff::Timestamp::UNIX_EPOCH && meta.duration_ns == 0 {
        return parts.join(", ");
    }
    parts.push(meta.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    parts.push(format!("{:.1} s", std::time::Duration::from_nanos(meta.duration_ns).as_secs_f64()));
    parts.join(", ")
}
