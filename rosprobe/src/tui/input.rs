//! A line that is being typed.

use unicode_segmentation::UnicodeSegmentation as _;

use super::keys::Action;

/// Longest line that is taken, in bytes.
const LIMIT: usize = 4096;

/// Text with a cursor, which stands between grapheme clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// In bytes.
    cursor: usize,
}

impl Input {
    /// A line with the cursor at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Types a text. Line ends and tabs in it become spaces; other control characters are left out.
    pub fn insert(&mut self, text: &str) {
        let typed = text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n").replace(['\r', '\n', '\t'], " ");
        for character in typed.chars().filter(|character| !character.is_control()) {
            if self.text.len() + character.len_utf8() > LIMIT {
                return;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    /// Does one of the editing actions; false when it is none.
    pub fn edit(&mut self, action: Action) -> bool {
        match action {
            Action::Erase => self.erase_from(self.left()),
            Action::EraseWord => {
                let kept = self.before_cursor().trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.erase_from(kept);
            }
            Action::EraseLine => {
                self.text.clear();
                self.cursor = 0;
            }
            Action::CursorLeft => self.cursor = self.left(),
            Action::CursorRight => {
                let cluster = self.text[self.cursor..].graphemes(true).next();
                self.cursor += cluster.map_or(0, str::len);
            }
            Action::CursorStart => self.cursor = 0,
            Action::CursorEnd => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    fn left(&self) -> usize {
        self.cursor - self.before_cursor().graphemes(true).next_back().map_or(0, str::len)
    }

    fn erase_from(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keeps_clusters_whole() {
        let mut input = Input::default();
        input.insert("node:/e\u{301}a \u{1b}[2Jb");
        assert_eq!(input.text(), "node:/e\u{301}a [2Jb");
        input.edit(Action::EraseWord);
        assert_eq!(input.text(), "node:/e\u{301}a ");
        input.edit(Action::Erase);
        input.edit(Action::CursorLeft);
        assert_eq!(input.before_cursor(), "node:/e\u{301}");
        input.edit(Action::Erase);
        assert_eq!(input.text(), "node:/a");
        input.edit(Action::CursorStart);
        input.edit(Action::Erase);
        input.edit(Action::CursorRight);
        assert_eq!(input.before_cursor(), "n");
        input.edit(Action::CursorEnd);
        input.edit(Action::EraseLine);
        assert_eq!(input, Input::default());
        assert!(!input.edit(Action::Quit));
    }

    #[test]
    fn a_pasted_line_end_keeps_words_apart() {
        let mut input = Input::default();
        input.insert("node:/a\r\nfailed\tscan\n");
        assert_eq!(input.text(), "node:/a failed scan");
    }

    #[test]
    fn a_pasted_book_is_cut() {
        let mut input = Input::default();
        input.insert(&"x".repeat(10 * LIMIT));
        assert_eq!(input.text().len(), LIMIT);
    }
}
