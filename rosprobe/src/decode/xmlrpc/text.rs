//! The text of a document: byte order marks, declared encodings, references and line ends.

use std::borrow::Cow;

use super::problem::{Problem, cut};

/// Longest XML declaration that is looked at, in bytes.
const DECLARATION: usize = 256;

/// The text. UTF-8, UTF-16 with a byte order mark, and Latin-1 where it is declared; what is no UTF-8 becomes U+FFFD.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Ok(String::from_utf8_lossy(rest)),
        [0xfe, 0xff, rest @ ..] => return Ok(Cow::Owned(utf16(rest, u16::from_be_bytes))),
        [0xff, 0xfe, rest @ ..] => return Ok(Cow::Owned(utf16(rest, u16::from_le_bytes))),
        _ => {}
    }
    match declared(bytes).map(str::to_ascii_lowercase).as_deref() {
        // Valid text, the usual case, is checked faster so.
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => {
            Ok(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed))
        }
        Some("iso-8859-1" | "iso_8859-1" | "latin-1" | "latin1") => {
            Ok(Cow::Owned(bytes.iter().copied().map(char::from).collect()))
        }
        Some(other) => Err(Problem::Encoding(cut(other, 40))),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The encoding that the XML declaration names.
fn declared(bytes: &[u8]) -> Option<&str> {
    let start = bytes.trim_ascii_start();
    let declaration = start.get(..start.len().min(DECLARATION))?.strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(&declaration[..end]).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// Bytes that are looked at together.
const WORD: usize = 8;

/// Text with the references of XML itself resolved; `None` where something else stands behind a `&`.
///
/// A robot description has little between two references, and which comes next is not to be guessed by a processor: so nothing here
/// branches on either.
pub fn resolved(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.find('&') else { return Some(Cow::Borrowed(text)) };
    let bytes = text.as_bytes();
    // A reference is longer than what it stands for. Whole words are written, of which only the beginning may count.
    let mut resolved = vec![0; bytes.len() + WORD];
    resolved.get_mut(..first)?.copy_from_slice(bytes.get(..first)?);
    let (mut from, mut to) = (first, first);
    while let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
        let plain = if let Some(word) = rest.first_chunk::<WORD>() {
            *resolved.get_mut(to..)?.first_chunk_mut()? = *word;
            until_ampersand(*word)
        } else {
            let plain = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
            resolved.get_mut(to..to + plain)?.copy_from_slice(rest.get(..plain)?);
            plain
        };
        (from, to) = (from + plain, to + plain);
        if let Some(b'&') = rest.get(plain).filter(|_| plain < WORD) {
            let (character, length) = reference(rest.get(plain + 1..)?)?;
            *resolved.get_mut(to)? = character;
            (from, to) = (from + 1 + length, to + 1);
        }
    }
    resolved.truncate(to);
    String::from_utf8(resolved).ok().map(Cow::Owned)
}

/// Bytes before the first `&`.
fn until_ampersand(word: [u8; WORD]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; WORD]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; WORD]);
    // Zero where a `&` is; the lowest such byte is found, whatever a borrow makes of those above.
    let different = u64::from_le_bytes(word) ^ u64::from_ne_bytes([b'&'; WORD]);
    let found = different.wrapping_sub(ONES) & !different & HIGHEST;
    found.trailing_zeros() as usize / 8
}

/// A reference without its `&`, and the character that it stands for.
#[derive(Clone, Copy)]
struct Reference {
    word: u64,
    mask: u64,
    character: u8,
    length: u8,
}

/// By the lowest four bits in which its first two letters differ, which are others for each of the five.
const REFERENCES: [Reference; 16] = {
    const fn reference(name: [u8; WORD], length: u8, character: u8) -> Reference {
        let mask = u64::MAX >> (64 - 8 * length as u32);
        Reference { word: u64::from_le_bytes(name), mask, character, length }
    }
    // No masked word is this one.
    let mut references = [Reference { word: 1, mask: 0, character: 0, length: 0 }; 16];
    references[slot(b'l', b't')] = reference(*b"lt;\0\0\0\0\0", 3, b'<');
    references[slot(b'g', b't')] = reference(*b"gt;\0\0\0\0\0", 3, b'>');
    references[slot(b'a', b'm')] = reference(*b"amp;\0\0\0\0", 4, b'&');
    references[slot(b'q', b'u')] = reference(*b"quot;\0\0\0", 5, b'"');
    references[slot(b'a', b'p')] = reference(*b"apos;\0\0\0", 5, b'\'');
    references
};

const fn slot(first: u8, second: u8) -> usize {
    ((first ^ second) & 15) as usize
}

/// The character that a reference stands for, by what follows the `&`, and how long that is.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let mut word = [0; WORD];
    if let Some(whole) = text.first_chunk() {
        word = *whole;
    } else {
        word.get_mut(..text.len())?.copy_from_slice(text);
    }
    let found = REFERENCES.get(slot(word[0], word[1]))?;
    (u64::from_le_bytes(word) & found.mask == found.word).then_some((found.character, usize::from(found.length)))
}

/// Line ends as XML 1.0 2.11 has them.
pub fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTS: [(&str, &str); 9] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("a", "a"),
        ("\u{e9}\u{a6}", "\u{e9}\u{a6}"),
        ("lt;gt;", "lt;gt;"),
        ("a longer run of text %'", "a longer run of text %'"),
    ];

    proptest! {
        #[test]
        fn references_are_resolved_wherever_they_stand(parts in prop::collection::vec(0..PARTS.len(), 0..40)) {
            let written: String = parts.iter().map(|part| PARTS[*part].0).collect();
            let meant: String = parts.iter().map(|part| PARTS[*part].1).collect();
            prop_assert_eq!(resolved(&written), Some(Cow::Borrowed(&*meant)));
        }
    }

    #[test]
    fn what_is_no_reference_of_xml_itself_is_left_to_the_parser() {
        for behind in
            ["", ";", "l", "lt", "lx;", "LT;", "am;", "amp", "apo;", "apos", "quot", "#60;", "ampere;", "\u{1}"]
        {
            for after in ["", "&amp;", " and much more text behind it"] {
                let text = format!("text&{behind}{after}");
                assert!(text.contains("&amp; ") || resolved(&text).is_none(), "{text}");
            }
        }
    }
}
