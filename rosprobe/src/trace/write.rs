//! Writing a document: one JSON object, one line for each thing in it.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::document::{Lost, Meta, VERSION};
use super::files::{self, Existing, WriteError};
use crate::diagnosis;
use crate::session::Session;

/// Writes what a session holds as a document; compressed when the name ends in `.gz`. Whole or not at all.
///
/// `meta` says where the observations came from; its end, its namespaces and the losses are the session's.
pub fn write_document(path: &Path, existing: Existing, meta: &Meta, session: &Session) -> Result<(), WriteError> {
    files::write_whole(path, existing, |out| write_to(out, meta, session))
}

/// The document as text.
pub fn document_to_string(meta: &Meta, session: &Session) -> io::Result<String> {
    let mut bytes = Vec::new();
    write_to(&mut bytes, meta, session)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn write_to(out: &mut dyn Write, meta: &Meta, session: &Session) -> io::Result<()> {
    let graph = session.graph();
    let mut meta = meta.clone().until(graph.now());
    meta.namespaces = graph.namespaces().cloned().collect();
    let lost = Lost { events: session.lost(), observations: session.forgotten() };
    // Those of this very moment, as a reader will find them; the session makes them anew only now and then.
    let now = (session.forgotten() == 0).then(|| diagnosis::diagnose(graph).findings);
    let findings = now.as_deref().unwrap_or(session.findings());
    meta.note_limits(lost, findings);
    write!(out, "{{\"rosprobe_trace\":{VERSION},\n\"meta\":")?;
    serde_json::to_writer(&mut *out, &meta)?;
    list(out, "processes", graph.processes().map(|state| &state.process))?;
    list(out, "observations", session.history())?;
    list(out, "findings", findings)?;
    out.write_all(b",\n\"lost\":")?;
    serde_json::to_writer(&mut *out, &lost)?;
    out.write_all(b"}\n")
}

/// A list whose elements each have their line, so that a damaged file loses lines and not everything.
fn list<T: Serialize>(out: &mut dyn Write, name: &str, items: impl IntoIterator<Item = T>) -> io::Result<()> {
    write!(out, ",\n\"{name}\":[")?;
    for (position, item) in items.into_iter().enumerate() {
        out.write_all(if position == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &item)?;
    }
    out.write_all(b"\n]")
}
