//! A walk over the bytes of one send or receive: one contiguous piece of user memory at a time, the place kept in the socket's state,
//! so that it does not matter how an application cuts its bytes into pieces.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use rosprobe_common::{Cut, DirectionState, Flow, Framing, Kind, OPENING_BYTES, Protocol, SocketState};

use crate::emit::{Fact, Payload, Socket, emit, emit_payload};
use crate::kernel::{self, TCP};
use crate::locate::Location;
use crate::log;

/// A walk over the bytes of one send or receive. Without pointers, so that it can be an argument of functions that the verifier looks
/// at once, each, and not anew for every turn of the loops that call them.
#[repr(C, align(8))]
pub struct Walk {
    pub sk: u64,
    pub cookie: u64,
    /// Next byte in user memory.
    pub at: u64,
    /// First byte that still has to be emitted; never behind `at`.
    pub mark: u64,
    /// Bytes that the call offered, for a batch.
    offered: u64,
    /// The vector's next segment.
    vector: u64,
    /// Bytes left in this piece of memory.
    pub left: u32,
    /// Bytes left after this piece of memory.
    pub total: u32,
    /// All bytes of this send or receive.
    pub length: u32,
    /// Segments of the vector that are left.
    segments: u32,
    pid: u32,
    /// [`Flow`] as a number.
    pub flow: u8,
    /// 1 when the beginning of a socket that was open before has been looked at.
    pub looked: u8,
    /// 1 in one of several messages of a call.
    batch: u8,
}

impl Walk {
    /// From here it will go over `length` bytes at `location`. The socket is there already.
    #[inline(always)]
    pub fn begin(&mut self, location: &Location, length: u32, pid: u32, flow: Flow) {
        let left = if location.segments > 0 {
            0
        } else if location.length < u64::from(length) {
            location.length as u32
        } else {
            length
        };
        self.at = location.address;
        self.mark = location.address;
        self.vector = location.address;
        self.left = left;
        self.total = length - left;
        self.length = length;
        self.segments = location.segments;
        self.pid = pid;
        self.flow = flow as u8;
        self.batch = location.batch as u8;
    }

    /// At the end: whether the call offered more than was taken.
    #[inline(always)]
    pub fn offers_more(&self) -> bool {
        self.batch == 1 && self.offered > u64::from(self.length)
    }

    #[inline(always)]
    pub fn advance(&mut self, direction: &mut DirectionState, count: u32) {
        self.at += u64::from(count);
        self.left -= count;
        direction.bytes += u64::from(count);
    }

    /// What the socket speaks is decided.
    #[inline(always)]
    pub fn speaks(&self, state: &mut SocketState, protocol: Protocol) {
        state.protocol = protocol as u8;
        log::classified(self.cookie, protocol);
    }

    /// Goes forward without copying.
    #[inline(always)]
    pub fn count(&mut self, direction: &mut DirectionState, count: u32) {
        self.advance(direction, count);
        self.mark = self.at;
        direction.uncopied += u64::from(count);
    }
}

/// The parts of a piece of memory that the functions below work on.
macro_rules! parts {
    ($state:ident, $walk:ident) => {
        // SAFETY: not null, and then the verifier has checked that they are what their types say.
        let (Some($state), Some($walk)) = (unsafe { ($state.as_mut(), $walk.as_mut()) }) else { return 0 };
    };
}

pub(crate) use parts;

/// The direction that a walk is about.
macro_rules! direction {
    ($state:ident, $walk:ident) => {
        // SAFETY: the index is 0 or 1.
        unsafe { $state.direction.get_unchecked_mut(($walk.flow & 1) as usize) }
    };
}

pub(crate) use direction;

/// Goes to the vector's next segment; false when there is none, or no bytes for it.
#[inline(always)]
pub fn next_segment(walk: &mut Walk) -> bool {
    // A batch goes through all of them, because their sum says what was offered.
    if walk.segments == 0 || (walk.total == 0 && walk.batch == 0) {
        return false;
    }
    let mut segment: [u64; 2] = kernel::zeroed();
    // SAFETY: the helper checks the address and writes at most the array.
    if unsafe { bpf_probe_read_user(segment.as_mut_ptr().cast(), 16, walk.vector as *const _) } != 0 {
        return false;
    }
    walk.vector += 16;
    walk.segments -= 1;
    walk.offered += segment[1];
    walk.at = segment[0];
    walk.mark = walk.at;
    walk.left = if segment[1] < u64::from(walk.total) { segment[1] as u32 } else { walk.total };
    walk.total -= walk.left;
    true
}

/// What was not reached: more messages than anybody sends in one call, or a vector that cannot be read.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn walk_ends(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    let missed = walk.left + walk.total;
    if missed > 0 {
        emit_gathered(walk, state);
        miss(direction!(state, walk), missed);
    }
    0
}

/// Bytes that the walk does not come to.
#[inline(always)]
pub fn miss(direction: &mut DirectionState, count: u32) {
    direction.framing = Framing::Lost as u8;
    direction.bytes += u64::from(count);
    direction.uncopied += u64::from(count);
}

/// Reads up to four bytes of a length prefix, and goes forward; `None` when they cannot be read.
#[inline(always)]
pub fn gather(walk: &mut Walk, direction: &mut DirectionState) -> Option<u32> {
    let have = u32::from(direction.have & 3);
    let count = if walk.left < 4 - have { walk.left } else { 4 - have };
    // SAFETY: `have` is at most 3.
    if !read(walk.at, unsafe { direction.head.as_mut_ptr().add(have as usize) }, count) {
        return None;
    }
    walk.advance(direction, count);
    direction.have = (have + count) as u8;
    Some(count)
}

/// The length prefix that was gathered.
#[inline(always)]
pub fn prefix(direction: &mut DirectionState) -> u32 {
    direction.have = 0;
    let [a, b, c, d, ..] = direction.head;
    u32::from_le_bytes([a, b, c, d])
}

#[inline(always)]
pub fn read(address: u64, into: *mut u8, count: u32) -> bool {
    let count = core::hint::black_box(count);
    if count > OPENING_BYTES as u32 {
        return false;
    }
    // SAFETY: the helper checks the address; callers pass a place inside `DirectionState::head` with that much room.
    unsafe { bpf_probe_read_user(into.cast(), count, address as *const _) == 0 }
}

#[inline(always)]
pub fn least(a: u32, b: u32, c: u32) -> u32 {
    let least = if a < b { a } else { b };
    if least < c { least } else { c }
}

#[inline(always)]
pub fn socket(walk: &Walk) -> Socket<'_> {
    Socket { sk: walk.sk, cookie: walk.cookie, protocol: TCP, remote: None }
}

#[inline(always)]
pub fn fact(walk: &Walk, kind: Kind) -> Fact {
    let flow = if walk.flow == Flow::Sent as u8 { Flow::Sent } else { Flow::Received };
    Fact { kind, value: 0, errno: 0, fd: 0, flow, pid: walk.pid, current: true }
}

/// Tells user space that this socket's counters are worth reading.
#[inline(never)]
pub fn announce(walk: &Walk) {
    emit(&socket(walk), &fact(walk, Kind::Counting));
}

/// Emits what lies between `mark` and `at`.
#[inline(always)]
pub fn emit_gathered(walk: &mut Walk, state: &mut SocketState) {
    let count = (walk.at - walk.mark) as u32;
    if count > 0 {
        emit_chunk(state, walk, count, count, Cut::None as u32);
        walk.mark = walk.at;
    }
}

/// Emits the last `length` bytes before `at`, of which `copy` are copied from `mark` on; before that, what was not copied since the
/// last chunk.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn emit_chunk(state: *mut SocketState, walk: *mut Walk, length: u32, copy: u32, cut: u32) -> u64 {
    parts!(state, walk);
    let direction = direction!(state, walk);
    let offset = direction.bytes - u64::from(length);
    let gap = direction.uncopied;
    if gap > 0 {
        direction.uncopied = 0;
        let length = if gap < u64::from(u32::MAX) { gap as u32 } else { u32::MAX };
        let fact = Fact { value: offset - gap, ..fact(walk, Kind::Stream) };
        emit_payload(&socket(walk), &fact, &Payload { address: 0, copy: 0, length, cut: Cut::NotCopied });
    }
    let cut = if cut == Cut::None as u32 { Cut::None } else { Cut::Limit };
    let fact = Fact { value: offset, ..fact(walk, Kind::Stream) };
    emit_payload(&socket(walk), &fact, &Payload { address: walk.mark, copy, length, cut });
    0
}
