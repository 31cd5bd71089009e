//! What the bytes are, decided from the first ones of each direction, and how much of them is copied.
//!
//! Everything here goes forward over one contiguous piece of user memory at a time and keeps its place in the socket's state, so
//! that it does not matter how an application cuts its bytes into pieces.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user};
use rosprobe_common::{
    Cut, DirectionState, Flow, Framing, Kind, MESSAGE_LIMIT, MID_STREAM_LOOKS, OPENING_BYTES, Opening, Protocol,
    SERVICE_ANSWER_LIMIT, SERVICE_REQUEST_LIMIT, SocketAddress, SocketState, opening,
};

use crate::emit::{Fact, Payload, Socket, emit, emit_payload};
use crate::kernel::{self, UDP};
use crate::locate::Location;
use crate::maps::config;

/// Largest piece that one record carries.
const PIECE: u32 = 32 * 1024;
/// Bytes of a header that are gathered before they are emitted.
const HEADER_PIECE: u32 = 16 * 1024;
/// Steps over one piece of memory; after that the rest is only counted.
const STEPS: u32 = 1 << 17;

const SERVICE: [u8; 8] = *b"service=";
const NO_MATCH: u8 = 255;

/// A walk over the bytes of one send or receive. Without pointers, so that it can be an argument of functions that the verifier looks
/// at once, each, and not anew for every turn of the loops that call them.
#[repr(C, align(8))]
pub struct Walk {
    sk: u64,
    cookie: u64,
    /// Next byte in user memory.
    at: u64,
    /// First byte that still has to be emitted; never behind `at`.
    mark: u64,
    /// Bytes that the call offered, for a batch.
    offered: u64,
    /// The buffer or the vector.
    address: u64,
    remote: SocketAddress,
    /// Bytes left in this piece.
    left: u32,
    /// Bytes left after this piece.
    total: u32,
    /// All bytes of this send or receive.
    length: u32,
    segments: u32,
    pid: u32,
    protocol: u32,
    /// [`Flow`] as a number.
    flow: u32,
    /// 1 when the beginning of a socket that was open before has been looked at.
    looked: u32,
    /// 1 in one of several messages of a call.
    batch: u32,
    reserved: u32,
}

/// What the loops' callbacks get.
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
    let mut walk = Walk {
        sk: socket.sk,
        cookie: socket.cookie,
        at: 0,
        mark: 0,
        offered: 0,
        address: location.address,
        remote: SocketAddress::NONE,
        left: 0,
        total: length,
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
    let mut turn = Turn { walk: &raw mut walk, state };
    if location.segments == 0 {
        walk.at = location.address;
        walk.left = if location.length < u64::from(length) { location.length as u32 } else { length };
        walk.total -= walk.left;
        piece(&mut turn);
    } else {
        // SAFETY: the callback gets `turn`, which outlives the loop.
        unsafe { bpf_loop(location.segments, segment as *mut c_void, (&raw mut turn).cast(), 0) };
    }
    walk.batch == 1 && walk.offered > u64::from(length)
}

#[inline(always)]
fn piece(turn: &mut Turn) {
    // SAFETY: on the stack of the loop's caller.
    let walk = unsafe { &mut *turn.walk };
    walk.mark = walk.at;
    // SAFETY: the callback gets `turn`, which outlives the loop.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut *turn).cast(), 0) };
    piece_ends(turn.state, turn.walk);
}

impl Walk {
    #[inline(always)]
    fn advance(&mut self, direction: &mut DirectionState, count: u32) {
        self.at += u64::from(count);
        self.left -= count;
        direction.bytes += u64::from(count);
    }

    /// Goes forward without copying.
    #[inline(always)]
    fn count(&mut self, direction: &mut DirectionState, count: u32) {
        self.advance(direction, count);
        self.mark = self.at;
        direction.uncopied += u64::from(count);
    }
}

unsafe extern "C" fn segment(index: u64, turn: *mut Turn) -> i64 {
    // SAFETY: the turn of the loop's caller, and its walk.
    let (turn, walk) = unsafe { (&mut *turn, &mut *(*turn).walk) };
    let mut segment = [0u64; 2];
    let address = walk.address + (index & 0x3ff) * 16;
    // SAFETY: the helper checks the address and writes at most the array.
    if unsafe { bpf_probe_read_user(segment.as_mut_ptr().cast(), 16, address as *const _) } != 0 {
        return 1;
    }
    walk.offered += segment[1];
    walk.at = segment[0];
    walk.left = if segment[1] < u64::from(walk.total) { segment[1] as u32 } else { walk.total };
    if walk.left > 0 {
        walk.total -= walk.left;
        piece(turn);
    }
    if walk.total == 0 && walk.batch == 0 { 1 } else { 0 }
}

unsafe extern "C" fn step(_index: u64, turn: *mut Turn) -> i64 {
    // SAFETY: the turn of the loop's caller, its walk, and memory of the map.
    let (turn, left, protocol) = unsafe { (&*turn, (*(*turn).walk).left, (*(*turn).state).protocol) };
    if left == 0 {
        return 1;
    }
    if protocol == Protocol::Topic as u8 || protocol == Protocol::Service as u8 {
        tcpros(turn.state, turn.walk);
    } else {
        conversation(turn.state, turn.walk);
    }
    0
}

/// The parts of a piece of memory that the functions below work on.
macro_rules! parts {
    ($state:ident, $walk:ident) => {
        // SAFETY: not null, and then the verifier has checked that they are what their types say.
        let (Some($state), Some($walk)) = (unsafe { ($state.as_mut(), $walk.as_mut()) }) else { return 0 };
    };
}

/// The direction that a walk is about.
macro_rules! direction {
    ($state:ident, $walk:ident) => {
        // SAFETY: the index is 0 or 1.
        unsafe { $state.direction.get_unchecked_mut(($walk.flow & 1) as usize) }
    };
}

/// At the end of a piece of memory, everything that was gathered is emitted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn piece_ends(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    emit_gathered(walk, state);
    let direction = direction!(state, walk);
    if walk.left > 0 {
        // More messages than anybody sends in one piece.
        direction.framing = Framing::Lost as u8;
        let left = walk.left;
        walk.count(direction, left);
    }
    0
}

/// A step over anything but TCPROS.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn conversation(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    match state.protocol {
        protocol if protocol == Protocol::XmlRpc as u8 => copy_message(walk, state),
        protocol if protocol == Protocol::Undecided as u8 => decide(walk, state),
        protocol if protocol == Protocol::MidStream as u8 => look(walk, state),
        protocol if protocol == Protocol::Dns as u8 => copy_datagram(walk, direction!(state, walk)),
        _ => {
            let left = walk.left;
            walk.count(direction!(state, walk), left);
        }
    }
    0
}

#[inline(always)]
fn decide(walk: &mut Walk, state: &mut SocketState) {
    if walk.protocol == u32::from(UDP) {
        decide_datagram(walk, state);
    } else {
        open(walk, state);
    }
}

#[inline(always)]
fn decide_datagram(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let readable = walk.left >= 4 && read(walk.at, direction.head.as_mut_ptr(), 4);
    if readable
        && direction.head[0] == b'R'
        && direction.head[1] == b'T'
        && direction.head[2] == b'P'
        && direction.head[3] == b'S'
    {
        state.protocol = Protocol::Rtps as u8;
        announce(walk);
    } else {
        state.protocol = Protocol::Other as u8;
    }
}

/// The first bytes of a direction.
#[inline(always)]
fn open(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let have = u32::from(direction.have);
    if have >= OPENING_BYTES as u32 {
        direction.framing = Framing::Lost as u8;
        return;
    }
    let wanted = OPENING_BYTES as u32 - have;
    let count = if walk.left < wanted { walk.left } else { wanted };
    // SAFETY: `have` is less than the array's length.
    if !read(walk.at, unsafe { direction.head.as_mut_ptr().add(have as usize) }, count) {
        unreadable_opening(walk, state);
        return;
    }
    direction.have = (have + count) as u8;
    match open_by(direction) {
        OPENING_UNDECIDED => walk.advance(direction, count),
        OPENING_XMLRPC if state.protocol == Protocol::Undecided as u8 => {
            direction.copied = have;
            state.protocol = Protocol::XmlRpc as u8;
        }
        OPENING_TCPROS => {
            begin_header(direction, have);
            if state.protocol == Protocol::Undecided as u8 {
                state.protocol = Protocol::Topic as u8;
                announce(walk);
            }
        }
        _ if state.protocol == Protocol::Undecided as u8 => state.protocol = Protocol::Other as u8,
        _ => direction.framing = Framing::Lost as u8,
    }
}

const OPENING_UNDECIDED: u64 = 0;
const OPENING_XMLRPC: u64 = 1;
const OPENING_TCPROS: u64 = 2;
const OPENING_OTHER: u64 = 3;

/// A function of its own, which takes the number of bytes from the map: the verifier then forgets what it knew of that number, and
/// does not follow each value of it through the loop over the bytes.
#[inline(never)]
fn open_by(direction: &mut DirectionState) -> u64 {
    // SAFETY: memory of the map; volatile because the compiler knows the value too well.
    let have = unsafe { core::ptr::read_volatile(&raw const direction.have) };
    match opening(&direction.head, usize::from(have)) {
        Opening::Undecided => OPENING_UNDECIDED,
        Opening::XmlRpc => OPENING_XMLRPC,
        Opening::Tcpros { .. } => OPENING_TCPROS,
        Opening::Other => OPENING_OTHER,
    }
}

#[inline(always)]
fn unreadable_opening(walk: &mut Walk, state: &mut SocketState) {
    direction!(state, walk).framing = Framing::Lost as u8;
    if state.protocol == Protocol::Undecided as u8 {
        state.protocol = Protocol::MidStream as u8;
        announce(walk);
    }
}

/// The direction begins with a header, of which `have` bytes went by before that was certain.
#[inline(always)]
fn begin_header(direction: &mut DirectionState, have: u32) {
    let [a, b, c, d, ..] = direction.head;
    let length = u32::from_le_bytes([a, b, c, d]);
    direction.framing = Framing::Header as u8;
    direction.remaining = 4 + length - have;
    direction.have = 0;
    direction.matched = 0;
    if have < 4 {
        // The rest of the length prefix, as if it were a field of no interest.
        direction.field = 4 - have;
        direction.matched = NO_MATCH;
    } else if have < 8 {
        direction.field = 0;
        direction.have = (have - 4) as u8;
        let [_, _, _, _, a, b, c, d, ..] = direction.head;
        direction.head[0] = a;
        direction.head[1] = b;
        direction.head[2] = c;
        direction.head[3] = d;
    } else {
        let [_, _, _, _, a, b, c, d, name @ ..] = direction.head;
        direction.field = u32::from_le_bytes([a, b, c, d]) - (have - 8);
        let mut at = 0;
        while at < 8 {
            if at < have - 8 && direction.matched != NO_MATCH {
                direction.matched =
                    if name[at as usize] == SERVICE[at as usize] { direction.matched + 1 } else { NO_MATCH };
            }
            at += 1;
        }
    }
}

/// A step over a direction of a TCPROS connection.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tcpros(state: *mut SocketState, walk: *mut Walk) -> u64 {
    parts!(state, walk);
    match direction!(state, walk).framing {
        framing if framing == Framing::Body as u8 => body(walk, state),
        framing if framing == Framing::Length as u8 => length(walk, state),
        framing if framing == Framing::Status as u8 => {
            take(walk, state, 1);
            direction!(state, walk).framing = Framing::Length as u8;
        }
        framing if framing == Framing::Header as u8 => header(walk, state),
        framing if framing == Framing::Start as u8 => open(walk, state),
        _ => {
            let left = walk.left;
            walk.count(direction!(state, walk), left);
        }
    }
    0
}

#[inline(always)]
fn header(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    if direction.remaining == 0 {
        emit_gathered(walk, state);
        next_message(state, walk.flow);
    } else if direction.field == 0 {
        field_length(walk, state);
    } else if direction.matched < SERVICE.len() as u8 {
        if field_name(walk, direction) {
            direction.asks = 1;
            state.protocol = Protocol::Service as u8;
        }
    } else {
        let count = least(direction.field, walk.left, HEADER_PIECE);
        walk.advance(direction, count);
        direction.field -= count;
        direction.remaining = direction.remaining.saturating_sub(count);
        if walk.at - walk.mark >= u64::from(HEADER_PIECE) {
            emit_gathered(walk, state);
        }
    }
}

#[inline(always)]
fn field_length(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let Some(count) = gather(walk, direction) else {
        direction.framing = Framing::Lost as u8;
        return;
    };
    direction.remaining = direction.remaining.saturating_sub(count);
    if direction.have < 4 {
        if direction.remaining == 0 {
            direction.framing = Framing::Lost as u8;
        }
        return;
    }
    let field = prefix(direction);
    if field == 0 || field > direction.remaining {
        // Malformed: user space has it up to here and says so.
        direction.framing = Framing::Lost as u8;
        emit_gathered(walk, state);
        return;
    }
    direction.field = field;
    direction.matched = 0;
}

/// The first bytes of a field; true when they are `service=`.
#[inline(always)]
fn field_name(walk: &mut Walk, direction: &mut DirectionState) -> bool {
    let matched = u32::from(direction.matched & 7);
    let count = least(direction.field, walk.left, SERVICE.len() as u32 - matched);
    // Between two lengths `head` is free.
    if !read(walk.at, direction.head.as_mut_ptr(), count) {
        direction.framing = Framing::Lost as u8;
        return false;
    }
    let mut at = 0;
    while at < SERVICE.len() as u32 {
        if at < count && direction.matched != NO_MATCH {
            let same = direction.head[at as usize] == SERVICE[((matched + at) & 7) as usize];
            direction.matched = if same { direction.matched + 1 } else { NO_MATCH };
        }
        at += 1;
    }
    walk.advance(direction, count);
    direction.field -= count;
    direction.remaining = direction.remaining.saturating_sub(count);
    direction.matched == SERVICE.len() as u8
}

/// The length prefix of a message.
#[inline(always)]
fn length(walk: &mut Walk, state: &mut SocketState) {
    let limit = copy_limit(state, walk.flow);
    let direction = direction!(state, walk);
    let Some(count) = gather(walk, direction) else {
        direction.framing = Framing::Lost as u8;
        return;
    };
    if limit == 0 {
        walk.mark = walk.at;
        direction.uncopied += u64::from(count);
    } else {
        direction.copied += count;
    }
    if direction.have < 4 {
        return;
    }
    direction.have = 0;
    direction.remaining = prefix(direction);
    if direction.remaining > MESSAGE_LIMIT {
        direction.framing = Framing::Lost as u8;
    } else if direction.remaining == 0 {
        message_ends(walk, state);
    } else {
        direction.framing = Framing::Body as u8;
    }
}

#[inline(always)]
fn body(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let count = if walk.left < direction.remaining { walk.left } else { direction.remaining };
    take(walk, state, count);
    direction!(state, walk).remaining -= count;
    if direction!(state, walk).remaining == 0 {
        message_ends(walk, state);
    }
}

#[inline(always)]
fn message_ends(walk: &mut Walk, state: &mut SocketState) {
    emit_gathered(walk, state);
    direction!(state, walk).messages += 1;
    next_message(state, walk.flow);
}

/// A request of a service, and a message of a topic, begin with their length; an answer begins with a status byte.
#[inline(always)]
pub fn next_message(state: &mut SocketState, flow: u32) {
    let service = state.protocol == Protocol::Service as u8;
    // SAFETY: the index is 0 or 1.
    let direction = unsafe { state.direction.get_unchecked_mut((flow & 1) as usize) };
    direction.have = 0;
    direction.copied = 0;
    direction.framing = if service && direction.asks == 0 { Framing::Status as u8 } else { Framing::Length as u8 };
}

/// Bytes to copy of each message.
#[inline(always)]
fn copy_limit(state: &SocketState, flow: u32) -> u32 {
    if state.protocol != Protocol::Service as u8 {
        0
    // SAFETY: the index is 0 or 1.
    } else if unsafe { state.direction.get_unchecked((flow & 1) as usize) }.asks == 1 {
        SERVICE_REQUEST_LIMIT
    } else {
        SERVICE_ANSWER_LIMIT
    }
}

/// Goes forward inside a message, and copies as much of it as its limit has left.
#[inline(always)]
fn take(walk: &mut Walk, state: &mut SocketState, count: u32) {
    let limit = copy_limit(state, walk.flow);
    let direction = direction!(state, walk);
    let room = limit.saturating_sub(direction.copied);
    let copy = if count < room { count } else { room };
    walk.advance(direction, copy);
    direction.copied += copy;
    if count > copy {
        emit_gathered(walk, state);
        walk.count(direction!(state, walk), count - copy);
    }
}

/// XML-RPC: all of it, up to the limit of the message.
#[inline(always)]
fn copy_message(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    let room = config!(payload_limit).saturating_sub(direction.copied);
    let count = if room == 0 { walk.left } else { least(walk.left, room, PIECE) };
    walk.mark = walk.at;
    walk.advance(direction, count);
    if room == 0 {
        emit_chunk(state, walk, count, 0, Cut::Limit as u32);
        walk.mark = walk.at;
    } else {
        direction.copied += count;
        emit_gathered(walk, state);
    }
}

/// DNS: the datagram, a record for each piece of memory that it is in.
#[inline(always)]
fn copy_datagram(walk: &mut Walk, direction: &mut DirectionState) {
    let count = if walk.left < PIECE { walk.left } else { PIECE };
    let before = walk.length - walk.total - walk.left;
    let payload = Payload { address: walk.at, copy: count, length: walk.length, cut: Cut::None };
    let fact = Fact { value: u64::from(before), ..fact(walk, Kind::Datagram) };
    emit_payload(&socket(walk), &fact, &payload);
    walk.advance(direction, count);
    walk.mark = walk.at;
}

/// A socket that was open before: XML-RPC is picked up where a chunk begins with it.
#[inline(always)]
fn look(walk: &mut Walk, state: &mut SocketState) {
    let direction = direction!(state, walk);
    if walk.looked == 0 && walk.left >= 4 {
        walk.looked = 1;
        if read(walk.at, direction.head.as_mut_ptr(), 4) && opening(&direction.head, 4) == Opening::XmlRpc {
            direction.copied = 0;
            state.protocol = Protocol::XmlRpc as u8;
            return;
        }
        if state.looked < MID_STREAM_LOOKS {
            state.looked += 1;
        }
    }
    let left = walk.left;
    walk.count(direction, left);
}

/// Reads up to four bytes of a length prefix, and goes forward; `None` when they cannot be read.
#[inline(always)]
fn gather(walk: &mut Walk, direction: &mut DirectionState) -> Option<u32> {
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
fn prefix(direction: &mut DirectionState) -> u32 {
    direction.have = 0;
    let [a, b, c, d, ..] = direction.head;
    u32::from_le_bytes([a, b, c, d])
}

#[inline(always)]
fn read(address: u64, into: *mut u8, count: u32) -> bool {
    let count = core::hint::black_box(count);
    if count > OPENING_BYTES as u32 {
        return false;
    }
    // SAFETY: the helper checks the address; callers pass a place inside `DirectionState::head` with that much room.
    unsafe { bpf_probe_read_user(into.cast(), count, address as *const _) == 0 }
}

#[inline(always)]
fn least(a: u32, b: u32, c: u32) -> u32 {
    let least = if a < b { a } else { b };
    if least < c { least } else { c }
}

#[inline(always)]
fn socket(walk: &Walk) -> Socket<'_> {
    let remote = if walk.remote.family == 0 { None } else { Some(&walk.remote) };
    Socket { sk: walk.sk, cookie: walk.cookie, protocol: walk.protocol as u8, remote }
}

#[inline(always)]
fn fact(walk: &Walk, kind: Kind) -> Fact {
    let flow = if walk.flow == Flow::Sent as u32 { Flow::Sent } else { Flow::Received };
    Fact { kind, value: 0, errno: 0, fd: 0, flow, pid: walk.pid, current: true }
}

/// Tells user space that this socket's counters are worth reading.
#[inline(always)]
fn announce(walk: &Walk) {
    emit(
        &socket(walk),
        &Fact { kind: Kind::Counting, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid: walk.pid, current: true },
    );
}

/// Emits what lies between `mark` and `at`.
#[inline(always)]
fn emit_gathered(walk: &mut Walk, state: &mut SocketState) {
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
