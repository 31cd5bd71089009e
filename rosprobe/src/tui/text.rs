//! Text made to fit: measured in terminal columns, cut between grapheme clusters, wrapped at words.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Where an ellipsis goes when text is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// In the middle: for URIs and names, whose ends tell most.
    Middle,
    /// At the end: for sentences.
    #[default]
    End,
}

/// Cuts text to `columns`, with an ellipsis where something was left out.
pub fn fit(text: &str, columns: usize, cut: Cut) -> String {
    let total = text.width();
    if total <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let tail = if cut == Cut::Middle { room / 2 } else { 0 };
    let head = take(text.graphemes(true), room - tail);
    let mut ending: Vec<&str> = take(text.graphemes(true).rev(), tail);
    ending.reverse();
    format!("{}…{}", head.concat(), ending.concat())
}

fn take<'a>(clusters: impl Iterator<Item = &'a str>, columns: usize) -> Vec<&'a str> {
    let mut used = 0;
    clusters
        .take_while(|cluster| {
            used += cluster.width();
            used <= columns
        })
        .collect()
}

/// Wraps text at spaces to lines of at most `columns`; a word that is longer is cut into pieces.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if line.width() + word.trim_end().width() > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            for cluster in word.graphemes(true) {
                if line.width() + cluster.width() > columns && cluster != " " {
                    lines.push(std::mem::take(&mut line));
                }
                line.push_str(cluster);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A text with some ranges of bytes in another style. Ranges are in order, do not overlap, and end on characters.
pub fn highlighted(text: &str, ranges: &[Range<usize>], base: Style, found: Style) -> Line<'static> {
    let mut spans = Vec::new();
    let mut done = 0;
    for range in ranges {
        let (Some(before), Some(inside)) = (text.get(done..range.start), text.get(range.clone())) else { continue };
        spans.push(Span::styled(before.to_owned(), base));
        spans.push(Span::styled(inside.to_owned(), base.patch(found)));
        done = range.end;
    }
    spans.push(Span::styled(text.get(done..).unwrap_or_default().to_owned(), base));
    spans.retain(|span| !span.content.is_empty());
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ellipsis_stands_where_least_is_lost() {
        let cases = [
            ("http://10.0.1.1:41235/", 22, Cut::Middle, "http://10.0.1.1:41235/"),
            ("http://10.0.1.1:41235/", 12, Cut::Middle, "http:/…1235/"),
            ("a sentence that is long", 10, Cut::End, "a sentenc…"),
            ("/カメラ/画像", 8, Cut::Middle, "/カ…像"),
            ("e\u{301}e\u{301}e\u{301}e\u{301}", 3, Cut::End, "e\u{301}e\u{301}…"),
            ("anything", 0, Cut::End, ""),
            ("anything", 1, Cut::Middle, "…"),
        ];
        for (text, columns, cut, expected) in cases {
            assert_eq!(fit(text, columns, cut), expected, "{text}");
        }
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(
            wrap("connect() to 10.0.1.1:41235 was refused", 16),
            ["connect() to", "10.0.1.1:41235", "was refused"]
        );
        assert_eq!(wrap("one\ntwo three", 20), ["one", "two three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("ROS_IP=10.0.1.1 roscore", 12), ["ROS_IP=10.0.", "1.1 roscore"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,60}", columns in 2_usize..40) {
            for cut in [Cut::Middle, Cut::End] {
                prop_assert!(fit(&text, columns, cut).width() <= columns);
            }
            for line in wrap(&text, columns) {
                // One cluster is never cut, however wide: "🈐େ" takes three columns.
                prop_assert!(line.width() <= columns || line.graphemes(true).count() == 1, "{line:?}");
            }
        }
    }
}
