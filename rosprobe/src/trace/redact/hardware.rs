//! Hardware addresses, as they are written and inside UUIDs of version 1 (a `run_id` of ROS is one: its last part is the
//! address of a network card, RFC 9562).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Six or eight pairs of digits; the last group of a UUID of version 1. `None` never happens, because a test compiles it.
static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b([0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?:[:-][0-9a-f]{2}[:-][0-9a-f]{2})?)\b|\b([0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-)([0-9a-f]{12})\b",
    )
    .ok()
});
/// Placeholders begin with the mark of addresses that nobody was given (locally administered, IEEE 802).
const FIRST: u64 = 0x0200_0000_0000;

/// Placeholders of hardware addresses.
#[derive(Debug, Default)]
pub(super) struct HardwareMap {
    originals: BTreeSet<String>,
    placeholders: BTreeMap<String, String>,
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect()
}

/// The address in a match; `None` when it tells nothing: nobody, or everybody.
fn address(found: &Captures<'_>) -> Option<String> {
    let digits = digits(found.get(1).or_else(|| found.get(3))?.as_str());
    let tells = ["0", "f"].iter().all(|digit| !digits.replace(digit, "").is_empty());
    tells.then_some(digits)
}

impl HardwareMap {
    /// Notes the addresses in a text.
    pub fn find(&mut self, text: &str) {
        if let Some(pattern) = PATTERN.as_ref() {
            self.originals.extend(pattern.captures_iter(text).filter_map(|found| address(&found)));
        }
    }

    /// All have been noted.
    pub fn finish(mut self) -> Self {
        let free = (FIRST + 1..).map(|number| format!("{number:012x}")).filter(|text| !self.originals.contains(text));
        self.placeholders = self.originals.iter().cloned().zip(free).collect();
        self
    }

    /// The text with placeholders, written as the addresses were.
    pub fn replace(&self, text: &str) -> String {
        let Some(pattern) = PATTERN.as_ref().filter(|_| !self.placeholders.is_empty()) else { return text.to_owned() };
        let replacement = |found: &Captures<'_>| {
            let Some(placeholder) = address(found).and_then(|address| self.placeholders.get(&address)) else {
                return found[0].to_owned();
            };
            if let Some(head) = found.get(2) {
                return format!("{}{placeholder}", head.as_str());
            }
            let separator = found[0].chars().nth(2).unwrap_or(':');
            let pairs: Vec<&str> =
                (0..placeholder.len()).step_by(2).filter_map(|at| placeholder.get(at..at + 2)).collect();
            pairs.join(&separator.to_string())
        };
        pattern.replace_all(text, replacement).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_replaced_as_they_are_written() {
        assert!(PATTERN.is_some());
        let texts = [
            ("at 02:42:AC:11:00:07, 02-42-ac-11-00-07", "at 02:00:00:00:00:01, 02-00-00-00-00-01"),
            (
                "/var/log/3ee4c1f2-1f2a-11ee-9d3c-0242ac110007/a.log",
                "/var/log/3ee4c1f2-1f2a-11ee-9d3c-020000000001/a.log",
            ),
            ("ff:ff:ff:ff:ff:ff 00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff 00:00:00:00:00:00"),
            ("3ee4c1f2-1f2a-41ee-9d3c-0242ac110007 is random", "3ee4c1f2-1f2a-41ee-9d3c-0242ac110007 is random"),
            ("2026-11-21-10-11-12.bag at 06:00:05", "2026-11-21-10-11-12.bag at 06:00:05"),
            ("[aa:bb:cc:dd:ee:ff]", "[02:00:00:00:00:02]"),
        ];
        let mut map = HardwareMap::default();
        for (text, _) in texts {
            map.find(text);
        }
        let map = map.finish();
        for (text, expected) in texts {
            assert_eq!(map.replace(text), expected);
        }
    }
}
