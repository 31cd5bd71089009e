//! What opening files gives.

use super::document::Meta;
use crate::session::Session;

/// A file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Where the observations come from.
    pub meta: Meta,
    /// Graph, findings and observations, as of the end of the file.
    pub session: Session,
    /// What is missing, and why; each a sentence. Empty when the file is whole.
    pub missing: Vec<String>,
}
