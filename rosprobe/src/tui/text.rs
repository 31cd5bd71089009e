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
    /// Within the name: what follows it in brackets (`/talker [4242]`) stays. Of an anonymous name (`/echo_4242_1763731021000`) the
    /// numbers go first: they are the process and the moment of its start.
    Name,
    /// After the last entry that fits; how many are missing is said.
    List,
    /// At the end: for sentences.
    #[default]
    End,
}

/// Cuts text to `columns`, with an ellipsis where something was left out.
pub fn fit(text: &str, columns: usize, cut: Cut) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    match cut {
        Cut::Middle => shortened(text, columns, columns.saturating_sub(1) / 2),
        Cut::End => shortened(text, columns, 0),
        Cut::Name => fit_name(text, columns),
        Cut::List => fit_list(text, columns),
    }
}

/// Cuts to `columns`, the last `tail` of them from the end.
fn shortened(text: &str, columns: usize, tail: usize) -> String {
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let head = take(text.graphemes(true), room - tail);
    let mut ending: Vec<&str> = take(text.graphemes(true).rev(), tail);
    ending.reverse();
    format!("{}…{}", head.concat(), ending.concat())
}

/// The end of a text, behind an ellipsis where the whole of it is wider than `columns`.
pub fn ending(text: &str, columns: usize) -> String {
    if text.width() <= columns { text.to_owned() } else { shortened(text, columns, columns.saturating_sub(1)) }
}

fn fit_name(text: &str, columns: usize) -> String {
    let (name, rest) = text.split_at(text.find(" [").unwrap_or(text.len()));
    // With less than four columns for the name there is nothing to recognise it by: the end matters less.
    let Some(room) = columns.checked_sub(rest.width()).filter(|room| *room >= 4) else {
        return shortened(text, columns, columns.saturating_sub(1) / 2);
    };
    let stem = without_numbers(name);
    let after = rest.split_once(']').map_or("", |(_, after)| after);
    // The whole name of a node says more than its ends with a pid: no two nodes have one name.
    if name.starts_with('/') && stem.is_none() && name.width() + 4 + after.width() <= columns && rest.contains(']') {
        return format!("{name} […]{after}");
    }
    match stem {
        Some(stem) if stem.width() < room => format!("{stem}…{rest}"),
        // The start of an anonymous name says more than the numbers that end it.
        Some(stem) => format!("{}{rest}", shortened(stem, room, 0)),
        None => format!("{}{rest}", shortened(name, room, (room - 1) / 2)),
    }
}

/// The part of an anonymous name that a person chose: of `/echo_4242_1763731021000` it is `/echo_`.
fn without_numbers(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    (name.len() - stem.len() > 8).then(|| name.get(..=stem.len())).flatten()
}

fn fit_list(text: &str, columns: usize) -> String {
    let entries: Vec<&str> = text.split(", ").collect();
    for shown in (1..entries.len()).rev() {
        let listed = format!("{} +{}", entries[..shown].join(", "), entries.len() - shown);
        if listed.width() <= columns {
            return listed;
        }
    }
    let more = if entries.len() > 1 { format!(" +{}", entries.len() - 1) } else { String::new() };
    match columns.checked_sub(more.width()).filter(|room| *room >= 4) {
        Some(room) => format!("{}{more}", fit(entries[0], room, Cut::Name)),
        None => shortened(text, columns, 0),
    }
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
            ("/talker [4242]", 14, Cut::Name, "/talker [4242]"),
            ("/front/camera/driver [4242]", 20, Cut::Name, "/front…driver [4242]"),
            ("/viewer [22063]", 14, Cut::Name, "/viewer […]"),
            ("/rostopic_1160_1795245116968 [1160]", 18, Cut::Name, "/rostopic_… [1160]"),
            ("/rostopic_1160_1795245116968 [1160]", 14, Cut::Name, "/rosto… [1160]"),
            ("/rostopic_1160_1795245116968", 14, Cut::Name, "/rostopic_…"),
            ("/sensor_12", 8, Cut::Name, "/sen…_12"),
            ("/talker [4242]", 8, Cut::Name, "/tal…42]"),
            ("/rosout, /talker, /viewer", 18, Cut::List, "/rosout +2"),
            ("/rosout, /talker, /viewer", 20, Cut::List, "/rosout, /talker +1"),
            ("/a/very/long/name, /talker", 14, Cut::List, "/a/ve…/name +1"),
            ("/viewer [7] ENETUNREACH ×4", 24, Cut::List, "/v…er [7] ENETUNREACH ×4"),
        ];
        for (text, columns, cut, expected) in cases {
            assert_eq!(fit(text, columns, cut), expected, "{text}");
        }
    }

    #[test]
    fn of_a_long_line_the_end_is_shown() {
        for (text, columns, expected) in [
            ("/data/a.json", 12, "/data/a.json"),
            ("/data/a.json", 7, "…a.json"),
            ("/カメラ", 4, "…ラ"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(ending(text, columns), expected);
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
            for cut in [Cut::Middle, Cut::End, Cut::Name, Cut::List] {
                prop_assert!(fit(&text, columns, cut).width() <= columns);
            }
            for line in wrap(&text, columns) {
                // One cluster is never cut, however wide: "🈐େ" takes three columns.
                prop_assert!(line.width() <= columns || line.graphemes(true).count() == 1, "{line:?}");
            }
        }
    }
}
