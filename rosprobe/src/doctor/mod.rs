//! Can rosprobe work on this machine, and what is odd about its ROS settings.

mod machine;
mod settings;

pub use self::machine::Machine;
pub use self::settings::{Resolution, Settings};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It will not work.
    Error,
    /// It will not work for somebody, or may not.
    Warning,
    /// Worth knowing.
    Info,
    /// As it should be.
    Ok,
}

impl Status {
    /// The word shown for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "note",
            Self::Ok => "ok",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it came out.
    pub status: Status,
    /// What was found, with its values.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { status: Status::Ok, text: text.into(), remedy: None }
    }

    /// Neither good nor bad.
    pub fn info(text: impl Into<String>) -> Self {
        Self { status: Status::Info, text: text.into(), remedy: None }
    }

    fn warning(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// It will not work; with what to do.
    pub fn error(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Error, text: text.into(), remedy: Some(remedy.into()) }
    }
}
