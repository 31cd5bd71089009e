//! Symbols for what fares how: every colour on the screen has one beside it.

use super::theme::Role;
use crate::diagnosis::Severity;
use crate::graph::Health;

/// Symbol and role of a state.
pub const fn of_health(health: Health) -> (&'static str, Role) {
    match health {
        Health::Failed => ("✗", Role::Err),
        Health::Pending => ("◷", Role::Warn),
        Health::Ok => ("✓", Role::Ok),
        Health::Gone => ("·", Role::Muted),
    }
}

/// Symbol, word and role of a severity.
pub const fn of_severity(severity: Severity) -> (&'static str, &'static str, Role) {
    match severity {
        Severity::Error => ("✗", "error", Role::Err),
        Severity::Warning => ("!", "warning", Role::Warn),
        Severity::Info => ("i", "info", Role::Accent),
    }
}
