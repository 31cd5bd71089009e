//! Several files at once.

use std::path::PathBuf;

use super::open::Opened;

/// Joins what several files show; `None` without any.
pub fn join(mut files: Vec<(PathBuf, Opened)>) -> Option<Opened> {
    files.pop().map(|(_, opened)| opened)
}
