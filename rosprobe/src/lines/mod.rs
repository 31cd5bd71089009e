//! What was seen and what is wrong, as lines for a person and as JSON lines.

mod paint;

pub use self::paint::{Colour, Paint};
