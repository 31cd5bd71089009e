//! An RTPS message on the way: where in it the walk is, and what was found so far.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::rtps::{HEADER_BYTES, flag};

use crate::datagram::Datagram;
use crate::kernel;

/// Most bytes that are looked at together: the beginning of `DATA_FRAG`.
const LOOK: u32 = 24;

/// What the bytes that are gathered are.
pub mod stage {
    pub const HEADER: u8 = 0;
    pub const SUBMESSAGE: u8 = 1;
    pub const SAMPLE: u8 = 2;
    pub const INLINE_QOS: u8 = 3;
    pub const PAYLOAD: u8 = 4;
    pub const DESTINATION: u8 = 5;
    pub const SOURCE: u8 = 6;
    pub const ACKNACK: u8 = 7;
    pub const OVER: u8 = 8;
}

/// Bits of what was found.
pub mod found {
    /// It begins as RTPS does.
    pub const RTPS: u8 = 1;
    /// User space wants to see it.
    pub const WANTED: u8 = 2;
    /// There is user data in it.
    pub const USER: u8 = 4;
    /// A reader answered a writer.
    pub const ANSWER: u8 = 8;
    /// The sample begins here: it is no further fragment.
    pub const BEGINS: u8 = 16;
    /// Its writer was not known, and writes user data.
    pub const NEW_USER: u8 = 32;
    /// The same, and it writes `ros_discovery_info`.
    pub const NEW_DISCOVERY: u8 = 64;
    /// The same, and nothing tells what it writes.
    pub const NEW_UNDECIDED: u8 = 128;
    /// A writer that was not known.
    pub const NEW: u8 = NEW_USER | NEW_DISCOVERY | NEW_UNDECIDED;
}

/// A message on the way. Without pointers, as [`Datagram`] is, and small: it is on the stack during the deepest call.
#[repr(C, align(8))]
pub struct Message {
    /// Next byte in user memory.
    at: u64,
    /// The vector's next segment.
    vector: u64,
    /// The bytes that are looked at. The verifier knows only that not many more than these are written.
    pub head: [u32; 6],
    /// Who sends, and the writer of the sample that is being looked at.
    pub guid: [u32; 4],
    /// Who is addressed; zeros for all.
    pub to: [u32; 3],
    /// Bytes left in this piece.
    pub left: u32,
    /// Bytes left after this piece.
    pub rest: u32,
    /// Bytes of the message before `at`.
    pub position: u32,
    /// Where the submessage ends.
    pub end: u32,
    /// Bytes that are not looked at, before the next ones that are.
    pub skip: u32,
    /// Length of the sample's payload.
    pub bytes: u32,
    /// Segments of the vector that are left.
    segments: u16,
    /// First octets of the submessage: kind and flags.
    pub submessage: u16,
    want: u8,
    have: u8,
    /// See [`stage`].
    pub stage: u8,
    /// See [`found`].
    pub found: u8,
}

impl Message {
    #[inline(always)]
    pub fn new(datagram: &Datagram) -> Self {
        let mut message: Self = kernel::zeroed();
        let in_buffer = if datagram.segments > 0 {
            0
        } else if datagram.room < datagram.length {
            datagram.room
        } else {
            datagram.length
        };
        message.at = datagram.address;
        message.vector = datagram.address;
        message.left = in_buffer;
        message.rest = datagram.length - in_buffer;
        message.segments = datagram.segments;
        message.want = HEADER_BYTES as u8;
        message
    }

    /// Goes to the vector's next segment; false when there is none, or no bytes for it.
    #[inline(always)]
    pub fn next_segment(&mut self) -> bool {
        if self.segments == 0 || self.rest == 0 {
            return false;
        }
        let mut segment = MaybeUninit::<[u64; 2]>::uninit();
        // SAFETY: the helper checks the address and writes the array or fails.
        if unsafe { bpf_probe_read_user(segment.as_mut_ptr().cast(), 16, self.vector as *const _) } != 0 {
            return false;
        }
        // SAFETY: written above.
        let segment = unsafe { segment.assume_init() };
        self.vector += 16;
        self.segments -= 1;
        self.at = segment[0];
        self.left = if segment[1] < u64::from(self.rest) { segment[1] as u32 } else { self.rest };
        self.rest -= self.left;
        true
    }

    /// Whether all of these bits are set.
    #[inline(always)]
    pub fn has(&self, bits: u8) -> bool {
        self.found & bits == bits
    }

    /// Whether the submessages are for one participant, and not for all.
    #[inline(always)]
    pub fn is_addressed(&self) -> bool {
        let [a, b, c] = self.to;
        a | b | c != 0
    }

    #[inline(always)]
    pub fn is_from(&mut self, a: u32, b: u32, c: u32) {
        self.guid[0] = a;
        self.guid[1] = b;
        self.guid[2] = c;
    }

    #[inline(always)]
    fn expect(&mut self, stage: u8, want: u8) {
        self.stage = stage;
        self.want = want;
        self.have = 0;
    }

    #[inline(always)]
    pub fn next_submessage(&mut self) {
        self.skip = self.end.saturating_sub(self.position);
        self.expect(stage::SUBMESSAGE, 4);
    }

    /// Goes to what comes `count` bytes further, if that is inside the submessage with `want` bytes behind it.
    #[inline(always)]
    pub fn skip_to(&mut self, count: u32, stage: u8, want: u8) -> bool {
        let inside = self.position.wrapping_add(count).wrapping_add(u32::from(want)) <= self.end && count <= 0xffff;
        if inside {
            self.skip = count;
            self.expect(stage, want);
        }
        inside
    }

    #[inline(always)]
    pub fn kind(&self) -> u8 {
        self.submessage as u8
    }

    #[inline(always)]
    pub fn flags(&self) -> u8 {
        (self.submessage >> 8) as u8
    }

    #[inline(always)]
    pub fn u16(&self, value: u32) -> u32 {
        let value = value as u16;
        u32::from(if self.flags() & flag::LITTLE_ENDIAN == 0 { value.swap_bytes() } else { value })
    }

    /// A number that was gathered at word `N`.
    #[inline(always)]
    pub fn u32<const N: usize>(&self) -> u32 {
        if self.flags() & flag::LITTLE_ENDIAN == 0 { self.head[N].swap_bytes() } else { self.head[N] }
    }

    /// Gathers what is wanted; false when it is not all there, or cannot be read.
    #[inline(always)]
    pub fn gather(&mut self) -> bool {
        let have = u32::from(self.have & 31);
        let missing = u32::from(self.want).wrapping_sub(have);
        let count = core::hint::black_box(if missing < self.left { missing } else { self.left });
        if count > LOOK {
            self.stage = stage::OVER;
            return false;
        }
        // SAFETY: `have` and `count` together are at most the array; the helper checks the address in user memory.
        let result = unsafe {
            let into = self.head.as_mut_ptr().cast::<u8>().add(have as usize);
            bpf_probe_read_user(into.cast(), count, self.at as *const _)
        };
        if result != 0 {
            self.stage = stage::OVER;
            return false;
        }
        self.advance(count);
        self.have = (have + count) as u8;
        self.have >= self.want
    }

    #[inline(always)]
    pub fn advance(&mut self, count: u32) {
        self.at += u64::from(count);
        self.left -= count;
        self.position += count;
    }
}

const _: () = assert!(size_of::<Message>() == 104);
