//! Colour, where there is a terminal that wants it. Never the only carrier of a meaning.

use std::fmt;
use std::io::IsTerminal;

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

/// One of the 16 colours that every terminal has, readable on dark and on light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Errors.
    Red,
    /// Warnings.
    Yellow,
    /// All is well.
    Green,
    /// Names of things.
    Cyan,
    /// What matters less.
    Dim,
    /// What matters more.
    Bold,
}

impl Paint {
    /// Colour on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is `dumb`.
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { on: stream.is_terminal() && !unwanted && !dumb }
    }

    /// `text` as it is, where other texts have a colour.
    pub fn plain<T: fmt::Display>(self, text: T) -> Painted<T> {
        Painted { colour: None, text }
    }

    /// `text` in a colour.
    pub fn paint<T: fmt::Display>(self, colour: Colour, text: T) -> Painted<T> {
        Painted { colour: self.on.then_some(colour), text }
    }
}

/// A text with its colour.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    colour: Option<Colour>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(colour) = self.colour else { return self.text.fmt(f) };
        let code = match colour {
            Colour::Bold => 1,
            Colour::Dim => 2,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
        };
        write!(f, "\u{1b}[{code}m")?;
        self.text.fmt(f)?;
        f.write_str("\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_goes_round_the_padded_text() {
        assert_eq!(format!("{:<6}|", Paint { on: true }.paint(Colour::Red, "error")), "\u{1b}[31merror \u{1b}[0m|");
        assert_eq!(format!("{:<6}|", Paint::default().paint(Colour::Red, "error")), "error |");
    }
}
