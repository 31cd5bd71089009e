//! HTTP content codings: gzip and deflate, with a limit on what they expand to.
//!
//! Python's XML-RPC server compresses every answer above 1400 bytes.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Why a body could not be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The compressed bytes are damaged or end early.
    #[error("the {coding} content is damaged: {detail}")]
    Damaged {
        /// `gzip` or `deflate`.
        coding: &'static str,
        /// What the decompressor says.
        detail: String,
    },
    /// It would become longer than the limit.
    #[error("the {coding} content expands to more than the limit of {limit} bytes")]
    TooLarge {
        /// `gzip` or `deflate`.
        coding: &'static str,
        /// In bytes.
        limit: usize,
    },
    /// A coding that is not decoded here.
    #[error("the content coding {0:?} is not decoded")]
    Unsupported(String),
}

/// Undoes a `Content-Encoding` (RFC 9110, 8.4). `coding` is the header's value, `None` without one; the result has at most `limit` bytes.
pub fn decode<'a>(coding: Option<&str>, body: &'a [u8], limit: usize) -> Result<Cow<'a, [u8]>, ContentError> {
    match coding.map(|coding| coding.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(Cow::Borrowed(body)),
        Some("gzip" | "x-gzip") => expand("gzip", GzDecoder::new(body), limit).map(Cow::Owned),
        // RFC 9110 8.4.1.2: deflate is zlib's format, and some send the bare stream.
        Some("deflate") if is_zlib(body) => expand("deflate", ZlibDecoder::new(body), limit).map(Cow::Owned),
        Some("deflate") => expand("deflate", DeflateDecoder::new(body), limit).map(Cow::Owned),
        Some(other) => Err(ContentError::Unsupported(other.chars().take(40).collect())),
    }
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

fn expand(coding: &'static str, decoder: impl Read, limit: usize) -> Result<Vec<u8>, ContentError> {
    let mut content = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match decoder.take(bound).read_to_end(&mut content) {
        Ok(_) if content.len() > limit => Err(ContentError::TooLarge { coding, limit }),
        Ok(_) => Ok(content),
        Err(error) => Err(ContentError::Damaged { coding, detail: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("into memory");
        encoder.finish().expect("into memory")
    }

    #[test]
    fn every_coding_gives_the_same_bytes_back() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hello").expect("into memory");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"hello").expect("into memory");
        for (coding, body) in [
            (None, b"hello".to_vec()),
            (Some("identity"), b"hello".to_vec()),
            (Some(" GZIP "), gzip(b"hello")),
            (Some("x-gzip"), gzip(b"hello")),
            (Some("deflate"), zlib.finish().expect("into memory")),
            (Some("deflate"), raw.finish().expect("into memory")),
        ] {
            assert_eq!(decode(coding, &body, 5).as_deref(), Ok(&b"hello"[..]), "{coding:?}");
        }
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000);
        let error = ContentError::TooLarge { coding: "gzip", limit: 1 << 20 };
        assert_eq!(decode(Some("gzip"), &bomb, 1 << 20), Err(error));
    }

    #[test]
    fn damage_is_named() {
        let whole = gzip(b"hello hello hello");
        let mut flipped = whole.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        for (body, text) in [
            (&whole[..whole.len() - 3], "gzip"),
            (&b"not gzip at all"[..], "gzip"),
            (&flipped[..], "gzip"),
            (&b"\xff\xff\xff\xff"[..], "deflate"),
        ] {
            let message = decode(Some(text), body, 100).map_err(|error| error.to_string());
            assert!(message.as_ref().is_err_and(|message| message.contains("is damaged: ")), "{message:?}");
        }
        assert_eq!(decode(Some("br"), b"", 100), Err(ContentError::Unsupported("br".to_owned())));
    }
}
