//! What was seen and what is wrong, as lines for a person and as JSON lines.

mod alike;
mod announce;
mod json;
mod paint;
mod text;

pub use self::alike::Alike;
pub use self::announce::{Announcer, Reason};
pub use self::json::{Line, Start, Statistics};
pub use self::paint::{Colour, Paint};
pub use self::text::Style;

#[cfg(test)]
mod tests;
