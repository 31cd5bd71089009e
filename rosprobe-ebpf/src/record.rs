//! Records into the ring buffer. Space is reserved there and filled in place: a scratch buffer per processor would be overwritten
//! wherever a program can be preempted.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE};
use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_ktime_get_ns, bpf_probe_read_user};
use rosprobe_common::{CHUNK_CLASSES, Cut, Kind, Record, SocketAddress, WAKE_UP_INTERVAL};

use crate::kernel;
use crate::maps::{BPF_NOEXIST, EVENTS, LOOKING, LOSSES, LOST, NO_LOSS, WAKE_UPS};

/// One part in so many of the ring buffer filled is too much to wait for user space's next look.
const FILLED: u64 = 4;

/// Everything about one record, without pointers: the argument of a function that the verifier looks at once, and not anew for
/// every place that it is called from.
#[repr(C, align(8))]
pub struct Emission {
    pub sk: u64,
    pub cookie: u64,
    pub value: u64,
    pub address: u64,
    pub copy: u32,
    pub length: u32,
    pub pid: u32,
    pub fd: i32,
    pub errno: i16,
    pub kind: u16,
    pub protocol: u8,
    pub flow: u8,
    pub cut: u8,
    pub current: u8,
    pub remote: SocketAddress,
}

#[cfg(feature = "bounded")]
impl Emission {
    /// No record.
    // SAFETY: integers only, so that zeros are a value.
    pub const NOTHING: Self = unsafe { core::mem::zeroed() };
}

#[repr(C)]
struct Chunk<const N: usize> {
    record: Record,
    bytes: [u8; N],
}

/// It is on its way.
pub const SUBMITTED: u64 = 0;
/// The ring buffer is full.
pub const NO_ROOM: u64 = 1;
/// It went without its payload.
pub const UNREADABLE: u64 = 2;

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

/// How to submit a record of that time. A wake-up costs the watched program more than everything else here, so it is thought about once
/// in each interval only: user space, once awake, looks again until an interval brings nothing. As long as it does, it is woken only
/// where the ring buffer would be full before it looks.
#[inline(always)]
fn wake_up(time: u64) -> u64 {
    let Some(decided) = WAKE_UPS.get_ptr_mut(0) else { return u64::from(BPF_RB_FORCE_WAKEUP) };
    // SAFETY: memory of the map. Two processors that read the same time both wake user space, which does no harm.
    unsafe {
        if time.wrapping_sub(*decided) < WAKE_UP_INTERVAL {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        *decided = time;
    }
    let looking = LOOKING.get(0).is_some_and(|looking| *looking != 0);
    let room = || EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) < EVENTS.query(u64::from(BPF_RB_RING_SIZE)) / FILLED;
    u64::from(if looking && room() { BPF_RB_NO_WAKEUP } else { BPF_RB_FORCE_WAKEUP })
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
