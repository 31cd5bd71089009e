//! The text of a document: byte order marks, declared encodings, and references.

use std::borrow::Cow;

use super::Problem;

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
        Some(other) => Err(Problem::Encoding(other.chars().take(40).collect())),
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

/// Text with the references of XML itself resolved; `None` where something else stands behind a `&`.
pub fn resolved(text: &str) -> Option<Cow<'_, str>> {
    const REFERENCES: [(&str, char); 5] = [("lt;", '<'), ("gt;", '>'), ("amp;", '&'), ("quot;", '"'), ("apos;", '\'')];
    let Some((plain, mut rest)) = text.split_once('&') else { return Some(Cow::Borrowed(text)) };
    let mut resolved = String::with_capacity(text.len());
    resolved.push_str(plain);
    loop {
        let (name, character) = REFERENCES.iter().find(|(name, _)| rest.starts_with(name))?;
        resolved.push(*character);
        rest = &rest[name.len()..];
        let Some((plain, more)) = rest.split_once('&') else {
            resolved.push_str(rest);
            return Some(Cow::Owned(resolved));
        };
        resolved.push_str(plain);
        rest = more;
    }
}
