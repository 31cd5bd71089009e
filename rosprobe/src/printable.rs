//! Text from the network made safe to show: nothing in it can move a cursor, ring a bell or turn the line round.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

/// The same text with every character that is not for reading made visible: `ESC` as `␛`, a right-to-left override as `<U+202E>`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match u32::from(character) {
            code @ 0..0x20 => safe.push(char::from_u32(0x2400 + code).unwrap_or('\u{fffd}')),
            0x7f => safe.push('␡'),
            code if is_unsafe(character) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "<U+{code:04X}>");
            }
            _ => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

/// So many of something, in words: `1 error`, `2 errors`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    if count == N::from(1) { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// Control characters (C0, DEL, C1), and the marks of Unicode that reorder or hide text.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_for_reading_becomes_visible() {
        let cases = [
            ("/some/topic", "/some/topic"),
            ("\u{1b}[2J\u{7}", "␛[2J␇"),
            ("a\nb\tc\u{7f}", "a␊b␉c␡"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("abc\u{202e}cba", "abc<U+202E>cba"),
            ("/カメラ e\u{301} עברית", "/カメラ e\u{301} עברית"),
        ];
        for (text, safe) in cases {
            assert_eq!(printable(text), safe);
        }
    }

    proptest! {
        #[test]
        fn no_control_character_comes_through(text in any::<String>()) {
            prop_assert!(!printable(&text).chars().any(is_unsafe));
        }
    }
}
