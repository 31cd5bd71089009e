//! Moments as text: RFC 3339 with all nine digits of the nanoseconds, so that sorting texts sorts moments.

use jiff::Timestamp;
use serde::Serializer;

pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.9}"))
}

/// The same of a moment that may not have come.
#[expect(clippy::ref_option, reason = "the signature that serde wants")]
pub(crate) fn serialize_option<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_nine_digits_and_sorts_as_text() {
        let text = |nanosecond: i128| {
            let mut out = Vec::new();
            serialize(&Timestamp::from_nanosecond(nanosecond).unwrap(), &mut serde_json::Serializer::new(&mut out))
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        let texts = [0, 1, 10, 1_000_000_000, 1_010_000_000, 1_010_000_001].map(text);
        assert_eq!(texts[0], "\"1970-01-01T00:00:00.000000000Z\"");
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
