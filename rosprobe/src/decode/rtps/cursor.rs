//! Reading numbers and texts in either byte order, never beyond the end.

use crate::observation::dds::Duration;

/// Longest text that is believed, in bytes. DDS allows 256 for names of topics and types; properties may be longer.
const TEXT_LIMIT: usize = 4096;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    /// The bytes end inside a field.
    #[error("{0} ends before it is complete")]
    Short(&'static str),
    /// A length or count that cannot be.
    #[error("{0} is {1} bytes long, and {TEXT_LIMIT} are the limit")]
    TooLong(&'static str, usize),
    /// A parameter list without the sentinel that ends it.
    #[error("the parameter list has no end")]
    NoSentinel,
    /// A serialised form that discovery does not use.
    #[error("its encapsulation is {0:#06x}, and PL_CDR is 0x0002 or 0x0003")]
    Encapsulation(u16),
    /// Something that must be there is not.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// Fragments that contradict themselves.
    #[error("its fragments contradict themselves")]
    Fragments,
    /// A sample larger than is put together.
    #[error("a discovery sample of {0} bytes, and 1 MiB is the limit")]
    SampleTooLarge(u32),
}

/// Byte order of what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// A place in some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { bytes, at: 0, order }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Wrong> {
        let taken = self.rest().get(..length).ok_or(Wrong::Short(what))?;
        self.at += length;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Wrong> {
        let (taken, _) = self.rest().split_first_chunk().ok_or(Wrong::Short(what))?;
        self.at += N;
        Ok(*taken)
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, Wrong> {
        let bytes = self.array(what)?;
        Ok(if self.order == Order::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, Wrong> {
        let bytes = self.array(what)?;
        Ok(if self.order == Order::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A length or count.
    pub fn length(&mut self, what: &'static str) -> Result<usize, Wrong> {
        self.u32(what).map(|length| length as usize)
    }

    /// A sequence number: a signed high half, then the low half.
    pub fn sequence_number(&mut self) -> Result<u64, Wrong> {
        let high = self.u32("sequence number")?;
        Ok(u64::from(high) << 32 | u64::from(self.u32("sequence number")?))
    }

    /// Seconds and a 2^32nd part of one; DDSI-RTPS 2.5, 9.3.2.
    pub fn duration(&mut self, what: &'static str) -> Result<Duration, Wrong> {
        let seconds = self.u32(what)?;
        let fraction = self.u32(what)?;
        if seconds >= 0x7fff_ffff {
            return Ok(Duration::Infinite);
        }
        Ok(Duration::Nanoseconds(u64::from(seconds) * 1_000_000_000 + ((u64::from(fraction) * 1_000_000_000) >> 32)))
    }

    /// Moves on to the next multiple of four bytes since the beginning.
    pub fn align(&mut self) {
        self.at = self.at.next_multiple_of(4);
    }

    /// A CDR string: a length that counts a NUL, the bytes, the NUL. What is no UTF-8 becomes U+FFFD.
    pub fn string(&mut self, what: &'static str) -> Result<String, Wrong> {
        self.align();
        let length = self.length(what)?;
        if length > TEXT_LIMIT {
            return Err(Wrong::TooLong(what, length));
        }
        let bytes = self.take(length, what)?;
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_byte_order() {
        let bytes = [0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4];
        let mut big = Cursor::new(&bytes, Order::Big);
        assert_eq!((big.u16(""), big.u32(""), big.sequence_number()), (Ok(1), Ok(2), Ok(3 << 32 | 4)));
        let mut little = Cursor::new(&bytes, Order::Little);
        assert_eq!((little.u16(""), little.u32("n"), little.rest().len()), (Ok(0x0100), Ok(0x0200_0000), 8));
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut cursor = Cursor::new(&[1, 2, 3], Order::Little);
        assert_eq!(cursor.u32("a number"), Err(Wrong::Short("a number")));
        cursor.align();
        assert_eq!(cursor.take(3, "x").map(<[u8]>::len), Ok(3));
        cursor.align();
        assert_eq!(cursor.u16("more"), Err(Wrong::Short("more")));
        let long = [0xff, 0xff, 0xff, 0xff, 0];
        assert_eq!(Cursor::new(&long, Order::Big).string("a name"), Err(Wrong::TooLong("a name", 0xffff_ffff)));
    }

    #[test]
    fn durations() {
        let read = |bytes: [u8; 8]| Cursor::new(&bytes, Order::Big).duration("");
        assert_eq!(read([0, 0, 0, 10, 0x80, 0, 0, 0]), Ok(Duration::Nanoseconds(10_500_000_000)));
        assert_eq!(read([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(Duration::Infinite));
    }
}
