//! The terminal screen: a fault understood in ten seconds, the bytes for whoever wants them.
//!
//! [`App`] is the state; `update(message) -> effects` changes it, [`draw`] shows it. Neither does I/O. The runner in
//! `run.rs` is the one place that touches the terminal, files and signals.

mod app;
mod conversation;
mod detail;
mod findings;
mod help;
mod hosts;
mod input;
pub mod keys;
mod links;
mod listing;
mod message;
mod mouse;
mod processes;
mod rate;
mod run;
mod scene;
mod screen;
mod selection;
mod status;
mod table;
mod terminal;
mod text;
mod theme;
mod tree;

#[cfg(test)]
mod tests;

pub use self::app::{App, ViewKind};
pub use self::message::{Effect, Export, ExportError, Message, Options, Progress, Source, Statistics};
pub use self::run::{Error, run, show};
pub use self::screen::draw;
pub use self::theme::Theme;
