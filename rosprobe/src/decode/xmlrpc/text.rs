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

/// A run of text up to this long, in bytes, is copied byte by byte: a robot description has little between two references.
const SHORT: usize = 16;

/// Text with the references of XML itself resolved; `None` where something else stands behind a `&`.
pub fn resolved(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.as_bytes();
    let Some(mut plain) = text.find('&') else { return Some(Cow::Borrowed(text)) };
    let mut resolved = Vec::with_capacity(text.len());
    loop {
        let (run, behind) = rest.split_at_checked(plain)?;
        if run.len() > SHORT {
            resolved.extend_from_slice(run);
        } else {
            for byte in run {
                resolved.push(*byte);
            }
        }
        let Some((b'&', behind)) = behind.split_first() else { break };
        let (character, length) = reference(behind)?;
        resolved.push(character);
        rest = behind.get(length..)?;
        plain = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
    }
    String::from_utf8(resolved).ok().map(Cow::Owned)
}

/// The character that a reference stands for, by what follows the `&`, and how long that is.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'l', b't', b';', ..] => Some((b'<', 3)),
        [b'g', b't', b';', ..] => Some((b'>', 3)),
        [b'a', b'm', b'p', b';', ..] => Some((b'&', 4)),
        [b'q', b'u', b'o', b't', b';', ..] => Some((b'"', 5)),
        [b'a', b'p', b'o', b's', b';', ..] => Some((b'\'', 5)),
        _ => None,
    }
}

/// Line ends as XML 1.0 2.11 has them.
pub fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text }
}
