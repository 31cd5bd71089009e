//! Records into the ring buffer. Space is reserved there and filled in place: a scratch buffer per processor would be overwritten
//! wherever a program can be preempted.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_ktime_get_ns, bpf_probe_read_user};
use rosprobe_common::{CHUNK_CLASSES, Cut, Flow, Kind, Record, SocketAddress, WAKE_UP_INTERVAL};

use crate::maps::{EVENTS, LOST, WOKEN};
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
    errno: i32,
    fd: i32,
    current: u32,
    kind: u16,
    protocol: u8,
    flow: u8,
    cut: u32,
    remote: SocketAddress,
}

/// Emits a record without payload.
#[inline(always)]
pub fn emit(socket: &Socket<'_>, fact: &Fact) {
    emit_payload(socket, fact, &NONE);
}

/// Emits a record with payload.
#[inline(always)]
pub fn emit_payload(socket: &Socket<'_>, fact: &Fact, payload: &Payload) {
    let mut emission = Emission {
        sk: socket.sk,
        cookie: socket.cookie,
        value: fact.value,
        address: payload.address,
        copy: payload.copy,
        length: payload.length,
        pid: fact.pid,
        errno: fact.errno,
        fd: fact.fd,
        current: u32::from(fact.current),
        kind: fact.kind as u16,
        protocol: socket.protocol,
        flow: fact.flow as u8,
        cut: payload.cut as u32,
        remote: SocketAddress::NONE,
    };
    match socket.remote {
        Some(remote) => kernel::copy(remote, &mut emission.remote),
        None => kernel::clear(&mut emission.remote),
    }
    emit_record(&raw const emission);
}

#[repr(C)]
struct Chunk<const N: usize> {
    record: Record,
    bytes: [u8; N],
}

/// Emits a record, in the smallest class that holds its payload.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn emit_record(emission: *const Emission) -> u64 {
    // SAFETY: not null, and then the verifier has checked that it is an `Emission`.
    let Some(emission) = (unsafe { emission.as_ref() }) else { return 0 };
    match emission.copy {
        0 => in_class::<0>(emission),
        1..=64 => in_class::<{ CHUNK_CLASSES[0] }>(emission),
        65..=512 => in_class::<{ CHUNK_CLASSES[1] }>(emission),
        513..=1024 => in_class::<{ CHUNK_CLASSES[2] }>(emission),
        1025..=2048 => in_class::<{ CHUNK_CLASSES[3] }>(emission),
        2049..=4096 => in_class::<{ CHUNK_CLASSES[4] }>(emission),
        _ => in_class::<{ CHUNK_CLASSES[5] }>(emission),
    }
    0
}

#[inline(always)]
fn in_class<const N: usize>(emission: &Emission) {
    let Some(mut entry) = EVENTS.reserve::<Chunk<N>>(0) else {
        lost();
        if log::wanted() {
            log::log_no_room(emission.cookie, u32::from(emission.kind));
        }
        return;
    };
    // SAFETY: memory of the ring buffer that nobody else sees before it is submitted; integers only, so that any bytes are a value.
    let chunk = unsafe { &mut *entry.as_mut_ptr() };
    fill(&mut chunk.record, emission);
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
            if log::wanted() {
                log::log_unreadable(emission.cookie, copy);
            }
        }
    }
    let flags = wake_up(chunk.record.time);
    entry.submit(flags);
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
    record.cut = emission.cut as u8;
    record.pid = emission.pid;
    record.errno = emission.errno;
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

/// Counts a record that found no room.
#[inline(always)]
pub fn lost() {
    if let Some(count) = LOST.get_ptr_mut(0) {
        // SAFETY: this processor's own counter.
        unsafe { *count += 1 };
    }
}
