//! A page being written: headings, texts that wrap, lines that are cut.

use ratatui::text::{Line, Span};

use super::super::text;
use super::super::theme::{Role, Theme};
use crate::printable::printable;

/// A space at which no line breaks.
pub const TIED: &str = "\u{a0}";

/// How far the second line of a text is set in.
const INSET: usize = 4;
/// Columns of a short label with the space behind it.
const LABEL: usize = 5;

/// What a page is made for.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Columns to write on.
    pub width: usize,
    /// Requests and answers raw instead of as a tree.
    pub raw: bool,
    /// The colours.
    pub theme: Theme,
}

/// A page being written. All text goes through `printable`.
#[derive(Debug)]
pub(super) struct Page {
    pub lines: Vec<Line<'static>>,
    pub frame: Frame,
}

impl Page {
    pub fn span(&self, text: impl AsRef<str>, role: Role) -> Span<'static> {
        Span::styled(printable(text.as_ref()).into_owned(), self.frame.theme.style(role))
    }

    pub fn line(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(spans));
    }

    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let span = self.span(text, Role::Heading);
        self.line(vec![span]);
    }

    /// A text that hangs beside its label, wrapped.
    pub fn labelled(&mut self, label: &str, body: &str, role: Role) {
        let indent = if label.is_empty() { 0 } else { LABEL.max(text::width(label) + 1) };
        let columns = self.frame.width.saturating_sub(indent).max(10);
        let safe = body.lines().map(printable).collect::<Vec<_>>().join("\n");
        for (position, part) in text::wrap(&safe, columns).into_iter().enumerate() {
            let label = if position == 0 { label } else { "" };
            let label = self.span(format!("{label:<indent$}"), Role::Heading);
            let part = self.span(part, role);
            self.line(vec![label, part]);
        }
    }

    /// A remedy beside its label; the command in it (what follows `run: ` to the end of its line) stands on lines of its own.
    pub fn remedy(&mut self, label: &str, remedy: &str) {
        let mut label = label;
        for line in remedy.lines() {
            let (words, command) = match line.split_once("run: ") {
                Some((words, command)) => (format!("{words}run:"), Some(command)),
                None => (line.to_owned(), None),
            };
            self.hanging(label, &words, Role::Accent);
            if let Some(command) = command {
                self.hanging("   $", command, Role::Heading);
            }
            label = " ";
        }
    }

    fn hanging(&mut self, label: &str, body: &str, role: Role) {
        let columns = self.frame.width.saturating_sub(LABEL).max(10);
        for (position, part) in text::wrap(&printable(body), columns).into_iter().enumerate() {
            let label = self.span(format!("{:<LABEL$}", if position == 0 { label } else { "" }), Role::Heading);
            let part = self.span(part, role);
            self.line(vec![label, part]);
        }
    }

    /// A line that is cut where it is too long.
    pub fn cut(&mut self, line: &str, role: Role) {
        let fitted = text::fit(&printable(line), self.frame.width, text::Cut::End);
        let span = self.span(fitted, role);
        self.line(vec![span]);
    }

    /// Texts one after the other; what does not fit goes to the next line, set in.
    pub fn flowing(&mut self, parts: &[(String, Role)]) {
        let mut spans = Vec::new();
        let mut used = 0;
        for (part, role) in parts {
            for word in printable(part).split_inclusive(' ') {
                if used + text::width(word.trim_end()) > self.frame.width && used > INSET {
                    self.line(std::mem::take(&mut spans));
                    spans.push(Span::raw(" ".repeat(INSET)));
                    used = INSET;
                }
                // What is longer than a line is cut, at the end of its own.
                let fitted = text::fit(word, self.frame.width.saturating_sub(used).max(1), text::Cut::Middle);
                used += text::width(&fitted);
                spans.push(Span::styled(fitted.replace(TIED, " "), self.frame.theme.style(*role)));
            }
        }
        self.line(spans);
    }
}
