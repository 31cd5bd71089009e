//! The terminal screen: a fault understood in ten seconds, the bytes for whoever wants them.
//!
//! [`App`] is the state (`state.rs`). `update(message) -> effects` (`update.rs`, `actions.rs`, `mouse.rs`) changes it, `prepare`
//! (`prepare.rs`) makes rows and detail from it, [`draw`] (`screen.rs`) shows it. None of them does I/O. The runner in `run.rs` is the
//! one place that touches the terminal, files and signals. A view is a file: what its columns are, which rows it has, what they show;
//! `rows.rs` knows them all.

mod actions;
mod address;
mod ascii;
mod bar;
mod colour;
mod conversation;
mod detail;
mod domains;
mod endpoints;
mod ends;
mod findings;
mod follow;
mod help;
mod hosts;
mod input;
pub mod keys;
mod layout;
mod links;
mod list;
mod listing;
mod marks;
mod message;
mod mouse;
mod participants;
mod prepare;
mod processes;
mod rate;
mod rows;
mod run;
mod scene;
mod screen;
mod selection;
mod state;
mod status;
mod table;
mod terminal;
mod text;
mod theme;
mod tree;
mod update;
mod view;

pub use self::message::{Effect, Export, ExportError, Message, Options, Progress, Source, Statistics};
pub use self::run::{Error, run, show};
pub use self::screen::draw;
pub use self::state::App;
pub use self::theme::Theme;
pub use self::view::ViewKind;
