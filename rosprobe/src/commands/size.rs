//! Sizes as people write them: `64KiB`, `1M`, `4096`.

use std::fmt;

/// The smallest limit: a call with its HTTP head.
const LEAST: u64 = 4 << 10;
/// The largest limit.
const MOST: u64 = 64 << 20;

/// A size in bytes, 4 KiB to 64 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u32);

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// Reads a size. `k`, `M` mean 1000 and its square; `Ki`, `Mi` 1024 and its square; a `B` may follow.
pub fn parse(text: &str) -> Result<Size, String> {
    let hint = "write a number with k, M, KiB or MiB, from 4KiB to 64MiB";
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("that is no size; {hint}"))?;
    let unit = unit.trim().to_ascii_lowercase();
    let factor = match unit.strip_suffix('b').unwrap_or(&unit) {
        "" => 1,
        "k" => 1000,
        "ki" => 1 << 10,
        "m" => 1_000_000,
        "mi" => 1 << 20,
        _ => return Err(format!("{unit:?} is no unit; {hint}")),
    };
    let bytes = number.checked_mul(factor).filter(|bytes| (LEAST..=MOST).contains(bytes));
    let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
    bytes.map(Size).ok_or_else(|| format!("that is too small or too large; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("4096", Ok(4096)),
            ("64KiB", Ok(65536)),
            ("64 kib", Ok(65536)),
            ("1M", Ok(1_000_000)),
            ("1MB", Ok(1_000_000)),
            ("64MiB", Ok(64 << 20)),
            ("1", Err("too small")),
            ("65MiB", Err("too large")),
            ("99999999999999999999M", Err("no size")),
            ("18446744073709551615M", Err("too large")),
            ("M", Err("no size")),
            ("-4", Err("no size")),
            ("4GB", Err("no unit")),
        ];
        for (text, expected) in cases {
            match (parse(text), expected) {
                (Ok(size), Ok(bytes)) => assert_eq!(size.bytes(), bytes, "{text}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (found, expected) => panic!("{text}: {found:?} where {expected:?} should be"),
            }
        }
    }
}
