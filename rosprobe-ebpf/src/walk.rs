//! A walk over the bytes of one send or receive: one contiguous piece of user memory at a time, the place kept in the socket's state,
//! so that it does not matter how an application cuts its bytes into pieces.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user};
use rosprobe_common::{Cut, DirectionState, Flow, Framing, Kind, OPENING_BYTES, Protocol, SocketAddress, SocketState};

use crate::conversation::conversation;
use crate::emit::{Fact, Payload, Socket, emit, emit_payload};
use crate::kernel;
use crate::locate::Location;
use crate::tcpros::tcpros;

/// Steps of one walk; after that the rest is only counted.
const STEPS: u32 = 1 << 17;

/// A walk over the bytes of one send or receive. Without pointers, so that it can be an argument of functions that the verifier looks
/// at once, each, and not anew for every turn of the loops that call them.
#[repr(C, align(8))]
pub struct Walk {
    sk: u64,
    cookie: u64,
    /// Next byte in user memory.
    pub at: u64,
    /// First byte that still has to be emitted; never behind `at`.
    pub mark: u64,
    /// Bytes that the call offered, for a batch.
    offered: u64,
    /// The vector's next segment.
    vector: u64,
    remote: SocketAddress,
    /// Bytes left in this piece of memory.
    pub left: u32,
    /// Bytes left after this piece of memory.
    pub total: u32,
    /// All bytes of this send or receive.
    pub length: u32,
    /// Segments of the vector that are left.
    segments: u32,
    pid: u32,
    pub protocol: u32,
    /// [`Flow`] as a number.
    pub flow: u32,
    /// 1 when the beginning of a socket that was open before has been looked at.
    pub looked: u32,
    /// 1 in one of several messages of a call.
    batch: u32,
    reserved: u32,
}

/// What the loop's callback gets.
struct Turn {
    walk: *mut Walk,
    state: *mut SocketState,
}

/// Goes over `length` bytes at `location`. True when the call offered more than was taken.
#[inline(always)]
pub fn walk(
    state: *mut SocketState,
    socket: &Socket<'_>,
    location: &Location,
    length: u32,
    pid: u32,
    flow: Flow,
) -> bool {
    let left = if location.segments > 0 {
        0
    } else if location.length < u64::from(length) {
        location.length as u32
    } else {
        length
    };
    let mut walk = Walk {
        sk: socket.sk,
        cookie: socket.cookie,
        at: location.address,
        mark: location.address,
        offered: 0,
        vector: location.address,
        remote: SocketAddress::NONE,
        left,
        total: length - left,
        length,
        segments: location.segments,
        pid,
        protocol: u32::from(socket.protocol),
        flow: flow as u32,
        looked: 0,
        batch: location.batch as u32,
        reserved: 0,
    };
    match socket.remote {
        Some(remote) => kernel::copy(remote, &mut walk.remote),
        None => kernel::clear(&mut walk.remote),
    }
    let turn = Turn { walk: &raw mut walk, state };
    // SAFETY: the callback gets `turn`, which outlives the loop.
    unsafe { bpf_loop(STEPS, take_turn as *mut c_void, (&raw const turn).cast_mut().cast(), 0) };
    walk_ends(state, &raw mut walk);
    walk.batch == 1 && walk.offered > u64::from(length)
}

unsafe extern "C" fn take_turn(_index: u64, turn: *mut Turn) -> i64 {
    // SAFETY: the turn of the loop's caller.
    let turn = unsafe { &*turn };
    // The verifier, which does not look into `step` here, wants to see that it is 0 or 1.
    (core::hint::black_box(step(turn.state, turn.walk)) & 1) as i64
}

impl Walk {
    #[inline(always)]
    pub fn advance(&mut self, direction: &mut DirectionState, count: u32) {
        self.at += u64::from(count);
        self.left -= count;
        direction.bytes += u64::from(count);
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

/// A step of a walk; 1 when it is at its end.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn step(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    if walk.left == 0 {
        emit_gathered(walk, state);
        return u64::from(!next_segment(walk));
    }
    if state.protocol == Protocol::Topic as u8 || state.protocol == Protocol::Service as u8 {
        tcpros(state, walk);
    } else {
        conversation(state, walk);
    }
    0
}

/// Goes to the vector's next segment; false when there is none, or no bytes for it.
#[inline(always)]
fn next_segment(walk: &mut Walk) -> bool {
    // A batch goes through all of them, because their sum says what was offered.
    if walk.segments == 0 || (walk.total == 0 && walk.batch == 0) {
        return false;
    }
    let mut segment = [0u64; 2];
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
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn walk_ends(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    let missed = walk.left + walk.total;
    if missed > 0 {
        emit_gathered(walk, state);
        let direction = direction!(state, walk);
        direction.framing = Framing::Lost as u8;
        direction.bytes += u64::from(missed);
        direction.uncopied += u64::from(missed);
    }
    0
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
    let remote = if walk.remote.family == 0 { None } else { Some(&walk.remote) };
    Socket { sk: walk.sk, cookie: walk.cookie, protocol: walk.protocol as u8, remote }
}

#[inline(always)]
pub fn fact(walk: &Walk, kind: Kind) -> Fact {
    let flow = if walk.flow == Flow::Sent as u32 { Flow::Sent } else { Flow::Received };
    Fact { kind, value: 0, errno: 0, fd: 0, flow, pid: walk.pid, current: true }
}

/// Tells user space that this socket's counters are worth reading.
#[inline(always)]
pub fn announce(walk: &Walk) {
    emit(
        &socket(walk),
        &Fact { kind: Kind::Counting, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid: walk.pid, current: true },
    );
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
#[unsafe(no_mangle)]
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
