//! Symbols and words for what fares how: every colour on the screen has one beside it.

use super::theme::Role;
use crate::diagnosis::Severity;
use crate::graph::{Health, LinkCounts};

/// Symbol and role of a state.
pub const fn of_health(health: Health) -> (&'static str, Role) {
    match health {
        Health::Failed => ("✗", Role::Err),
        Health::Pending => ("◷", Role::Warn),
        Health::Ok => ("✓", Role::Ok),
        Health::Gone => ("·", Role::Muted),
    }
}

/// Links that are not over in few words, worst first: `1 failed, 2 ok`.
pub fn in_words(counts: LinkCounts) -> String {
    let parts = [(counts.failed, "failed"), (counts.pending, "pending"), (counts.ok, "ok")];
    let words = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    words.collect::<Vec<_>>().join(", ")
}

/// Symbol, word and role of a severity.
pub const fn of_severity(severity: Severity) -> (&'static str, &'static str, Role) {
    match severity {
        Severity::Error => ("✗", "error", Role::Err),
        Severity::Warning => ("!", "warning", Role::Warn),
        Severity::Info => ("i", "info", Role::Accent),
    }
}
