//! The trace: what was seen, in a file that travels. Opening it gives the same graph, findings and screens.
//!
//! Two forms of one format, both made from the types that the program works with: a document (one JSON object, written
//! at once) and a recording (JSON lines, written while capturing). `docs/compatibility.md` says which versions read which.

mod detect;
mod document;
mod files;
mod join;
mod open;
mod opened;
mod pcapng;
mod read;
mod reading;
mod record;
mod redact;
mod report;
mod salvage;
mod schema;
mod write;

pub use self::detect::FileKind;
pub use self::document::{Document, Line, Lost, Meta, Source, VERSION};
pub use self::files::{Existing, WriteError, free_name};
pub use self::join::join;
pub use self::open::{Progress, STANDARD_INPUT, open, open_all, open_bytes, open_until};
pub use self::opened::Opened;
pub use self::pcapng::{pcapng_bytes, write_pcapng};
pub use self::read::read;
pub use self::reading::{FileError, OpenError, Reading};
pub use self::record::Recorder;
pub use self::redact::redact;
pub use self::report::{Report, markdown, provenance};
pub use self::schema::schema;
pub use self::write::{document_to_string, write_document};
