//! Records into the ring buffer. Space is reserved there and filled in place: a scratch buffer per processor would be overwritten
//! wherever a program can be preempted.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_ktime_get_ns, bpf_probe_read_user};
use rosprobe_common::{CHUNK_CLASSES, Cut, Flow, Kind, Record, SocketAddress, WAKE_UP_INTERVAL};

#[cfg(feature = "bounded")]
use crate::emission;
use crate::maps::{BPF_NOEXIST, EVENTS, LOSSES, LOST, NO_LOSS, WOKEN};
use crate::{kernel, log};

/// What a record says besides its socket.
pub struct Fact {
    pub kind: Kind,
    pub value: u64,
    pub errno: i32,
    pub fd: i32,
    pub flow: Flow,
    /// Process; 0 when unknown.
    pub pid: u32,
    /// Whether the current task is that process.
    pub current: bool,
}

impl Fact {
    /// A fact about the current process.
    #[inline(always)]
    pub fn here(kind: Kind) -> Self {
        Self { kind, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid: kernel::current_pid(), current: true }
    }

    /// A fact about a process that need not be the current one.
    #[inline(always)]
    pub fn of(kind: Kind, pid: u32) -> Self {
        let current = pid != 0 && pid == kernel::current_pid();
        Self { kind, value: 0, errno: 0, fd: 0, flow: Flow::Sent, pid, current }
    }
}

/// The socket that a record is about.
pub struct Socket<'a> {
    /// Address of the kernel's `struct sock`; 0 when unknown.
    pub sk: u64,
    /// Its cookie.
    pub cookie: u64,
    /// Protocol number.
    pub protocol: u8,
    /// The peer, where it is not the one in `sk`.
    pub remote: Option<&'a SocketAddress>,
}

/// A fact about no socket.
pub const NO_SOCKET: Socket<'static> = Socket { sk: 0, cookie: 0, protocol: 0, remote: None };

/// Where payload is, and how much of it is copied.
pub struct Payload {
    /// In the memory of the current process.
    pub address: u64,
    /// Bytes to copy; at most the largest class.
    pub copy: u32,
    /// Bytes that this stands for.
    pub length: u32,
    pub cut: Cut,
}

/// No payload.
const NONE: Payload = Payload { address: 0, copy: 0, length: 0, cut: Cut::None };

/// Everything about one record, without pointers: the argument of a function that the verifier looks at once, and not anew for
/// every place that it is called from.
#[repr(C, align(8))]
pub struct Emission {
    sk: u64,
    cookie: u64,
    value: u64,
    address: u64,
    copy: u32,
    length: u32,
    pid: u32,
    fd: i32,
    errno: i16,
    kind: u16,
    protocol: u8,
    flow: u8,
    cut: u8,
    current: u8,
    remote: SocketAddress,
}

/// Emits a record without payload.
#[inline(always)]
pub fn emit(socket: &Socket<'_>, fact: &Fact) {
    emit_payload(socket, fact, &NONE);
}

/// Emits a record with payload.
#[cfg(not(feature = "bounded"))]
#[inline(always)]
pub fn emit_payload(socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    let mut emission: Emission = kernel::zeroed();
    emission.describe(socket, fact, payload);
    // One after the other, so that their stacks do not add up.
    let became = emit_record(&raw const emission);
    if became == NO_ROOM {
        lose_record(&raw const emission);
        if log::wanted() {
            log::log_no_room(emission.cookie, u32::from(emission.kind));
        }
    } else if became == UNREADABLE && log::wanted() {
        log::log_unreadable(emission.cookie, emission.copy);
    }
}

/// Emits a record with payload.
#[cfg(feature = "bounded")]
#[inline(always)]
pub fn emit_payload(socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    let Some(ready) = emission::described(|emission| emission.describe(socket, fact, payload)) else { return };
    // One after the other, so that their stacks do not add up.
    let became = ready.emit();
    if became == NO_ROOM {
        ready.lose();
        if log::wanted() {
            log::log_no_room(socket.cookie, fact.kind as u32);
        }
    } else if became == UNREADABLE && log::wanted() {
        log::log_unreadable(socket.cookie, payload.copy);
    }
    ready.forget();
}

impl Emission {
    /// No record.
    #[cfg(feature = "bounded")]
    // SAFETY: integers only, so that zeros are a value.
    pub const NOTHING: Self = unsafe { core::mem::zeroed() };

    #[inline(always)]
    fn describe(&mut self, socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
        self.sk = socket.sk;
        self.cookie = socket.cookie;
        self.value = fact.value;
        self.address = payload.address;
        self.copy = payload.copy;
        self.length = payload.length;
        self.pid = fact.pid;
        // At most 4095.
        self.errno = fact.errno as i16;
        self.fd = fact.fd;
        self.current = u8::from(fact.current);
        self.kind = fact.kind as u16;
        self.protocol = socket.protocol;
        self.flow = fact.flow as u8;
        self.cut = payload.cut as u8;
        if let Some(remote) = socket.remote {
            kernel::copy(remote, &mut self.remote);
        }
    }
}

#[repr(C)]
struct Chunk<const N: usize> {
    record: Record,
    bytes: [u8; N],
}

const SUBMITTED: u64 = 0;
const NO_ROOM: u64 = 1;
const UNREADABLE: u64 = 2;

/// Emits a record, in the smallest class that holds its payload; [`NO_ROOM`] when the ring buffer is full, [`UNREADABLE`] when it went
/// without its payload.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle), inline(never))]
#[cfg_attr(feature = "bounded", inline(always))]
pub extern "C" fn emit_record(emission: *const Emission) -> u64 {
    // SAFETY: not null, and then the verifier has checked that it is an `Emission`.
    let Some(emission) = (unsafe { emission.as_ref() }) else { return SUBMITTED };
    match emission.copy {
        0 => in_class::<0>(emission),
        1..=64 => in_class::<{ CHUNK_CLASSES[0] }>(emission),
        65..=512 => in_class::<{ CHUNK_CLASSES[1] }>(emission),
        513..=1024 => in_class::<{ CHUNK_CLASSES[2] }>(emission),
        1025..=2048 => in_class::<{ CHUNK_CLASSES[3] }>(emission),
        2049..=4096 => in_class::<{ CHUNK_CLASSES[4] }>(emission),
        _ => in_class::<{ CHUNK_CLASSES[5] }>(emission),
    }
}

#[inline(always)]
fn in_class<const N: usize>(emission: &Emission) -> u64 {
    let Some(mut entry) = EVENTS.reserve::<Chunk<N>>(0) else { return NO_ROOM };
    // SAFETY: memory of the ring buffer that nobody else sees before it is submitted; integers only, so that any bytes are a value.
    let chunk = unsafe { &mut *entry.as_mut_ptr() };
    fill(&mut chunk.record, emission);
    let mut became = SUBMITTED;
    if N > 0 {
        // The verifier has to see the bound on the very register that it checks.
        let copy = core::hint::black_box(emission.copy);
        let copy = if copy > N as u32 { N as u32 } else { copy };
        // SAFETY: the helper checks the address; `copy` is at most N.
        let result =
            unsafe { bpf_probe_read_user(chunk.bytes.as_mut_ptr().cast(), copy, emission.address as *const _) };
        if result == 0 {
            chunk.record.copied = copy;
        } else {
            chunk.record.cut = Cut::Unreadable as u8;
            became = UNREADABLE;
        }
    }
    let flags = wake_up(chunk.record.time);
    entry.submit(flags);
    became
}

#[inline(always)]
fn fill(record: &mut Record, emission: &Emission) {
    kernel::clear(record);
    if emission.sk != 0 {
        kernel::describe(emission.sk, record);
    }
    if emission.remote.family != 0 {
        kernel::copy(&emission.remote, &mut record.remote);
    }
    // SAFETY: helpers; the name has 16 bytes.
    unsafe {
        record.time = bpf_ktime_get_ns();
        if emission.current != 0 {
            bpf_get_current_comm(record.comm.as_mut_ptr().cast(), 16);
        }
    }
    record.socket = emission.cookie;
    record.value = emission.value;
    record.kind = emission.kind;
    record.protocol = emission.protocol;
    record.flow = emission.flow;
    record.cut = emission.cut;
    record.pid = emission.pid;
    record.errno = i32::from(emission.errno);
    record.fd = emission.fd;
    record.length = emission.length;
}

/// How to submit a record of that time. A wake-up costs the watched program more than everything else here, so there is at most one in
/// each interval: user space, once awake, looks again until an interval brings nothing.
#[inline(always)]
fn wake_up(time: u64) -> u64 {
    let Some(woken) = WOKEN.get_ptr_mut(0) else { return u64::from(BPF_RB_FORCE_WAKEUP) };
    // SAFETY: memory of the map. Two processors that read the same time both wake user space, which does no harm.
    unsafe {
        if time.wrapping_sub(*woken) < WAKE_UP_INTERVAL {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        *woken = time;
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}

/// Counts a record that found no room, and remembers whose it was: what is shown of that socket is incomplete from then on.
#[cfg_attr(not(feature = "bounded"), unsafe(no_mangle), inline(never))]
#[cfg_attr(feature = "bounded", inline(always))]
pub extern "C" fn lose_record(emission: *const Emission) -> u64 {
    // SAFETY: not null, and then the verifier has checked that it is an `Emission`.
    let Some(emission) = (unsafe { emission.as_ref() }) else { return 0 };
    count_lost(1);
    let cookie = emission.cookie;
    if cookie == 0 {
        return 0;
    }
    if LOSSES.get_ptr(&cookie).is_none() {
        // Another processor may be faster; its entry stays.
        let _ = LOSSES.insert(&cookie, &NO_LOSS, BPF_NOEXIST);
    }
    // SAFETY: memory of the map; integers only.
    let Some(loss) = LOSSES.get_ptr_mut(&cookie).map(|loss| unsafe { &mut *loss }) else { return 0 };
    let closed = loss.record.kind == Kind::Closed as u16;
    fill(&mut loss.record, emission);
    if closed {
        loss.record.kind = Kind::Closed as u16;
    }
    // Last, so that who reads a count reads what it counts.
    // SAFETY: as above.
    unsafe { add(&raw mut loss.count, 1) };
    0
}

/// Counts records that are lost.
#[inline(always)]
pub fn count_lost(records: u64) {
    if let Some(count) = LOST.get_ptr_mut(0) {
        // SAFETY: memory of the map.
        unsafe { add(count, records) };
    }
}

/// Adds in one instruction: a program may be interrupted by another one on the same processor, and the number lost is exact.
///
/// # Safety
///
/// The counter is in the memory of a map.
#[inline(always)]
unsafe fn add(counter: *mut u64, more: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("lock *(u64 *)({counter} + 0) += {more}", counter = in(reg) counter, more = in(reg) more) };
}
