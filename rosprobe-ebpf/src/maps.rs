//! The maps, and the constants that the loader writes.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use rosprobe_common::{
    CALL_NUMBERS, Config, FAILURE_LIMIT, FOLLOWED_LIMIT, HOLDER_LIMIT, LAYOUT_VERSION, LOSS_LIMIT, Loss, PAIR_LIMIT,
    PROCESS_LIMIT, Peek, RING_BUFFER_BYTES, SOCKET_LIMIT, SocketAddress, SocketState, THREAD_LIMIT, UNRELATED_PLACES,
    WRITER_LIMIT, WriterCount, WriterKey,
};

/// `BPF_NOEXIST` of `linux/bpf.h`: an entry that is there stays as it is.
pub const BPF_NOEXIST: u64 = 1;

/// Written by the loader before the programs are loaded; zero in the object.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::ZERO;

/// A member of [`CONFIG`], read in such a way that the compiler does not fold its value in the object.
macro_rules! config {
    ($($member:tt)+) => {
        // SAFETY: CONFIG is a static of this program; volatile because the loader replaces its value.
        unsafe { core::ptr::read_volatile(&raw const $crate::maps::CONFIG.$($member)+) }
    };
}
pub(crate) use config;

/// What each system call means, by its number: `CallClass`. Written by the loader; zeros in the object.
#[unsafe(no_mangle)]
pub static CLASSES: [u8; CALL_NUMBERS] = [0; CALL_NUMBERS];

/// Not 0: every program returns at once, so that the cost of the hooks alone can be measured.
#[unsafe(no_mangle)]
static EMPTY: u32 = 0;

/// Whether the programs shall do nothing. The verifier knows the answer and leaves out the rest.
#[inline(always)]
pub fn empty() -> bool {
    // SAFETY: a static of this program; volatile because the loader replaces its value.
    unsafe { core::ptr::read_volatile(&raw const EMPTY) != 0 }
}

/// As many entries as the version of the shared layouts: the loader refuses an object with another number.
#[map]
pub static LAYOUT: Array<u32> = Array::with_max_entries(LAYOUT_VERSION, 0);

/// What goes to user space, in the order of the commits of all processors.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(RING_BUFFER_BYTES, 0);

/// When it was decided last whether to wake user space, on the clock of the records.
#[map]
pub static WAKE_UPS: Array<u64> = Array::with_max_entries(1, 0);

/// Not 0 while user space is going to look for records before long. Written by user space.
#[map]
pub static LOOKING: Array<u32> = Array::with_max_entries(1, 0);

/// Records that found the ring buffer full.
#[map]
pub static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The same by socket.
#[map]
pub static LOSSES: LruHashMap<u64, Loss> = LruHashMap::with_max_entries(LOSS_LIMIT, 0);

/// Sockets by cookie.
#[map]
pub static SOCKETS: LruHashMap<u64, SocketState> = LruHashMap::with_max_entries(SOCKET_LIMIT, 0);

/// Cookies of sockets of no interest, each in the place that its lowest bits say, unless another one has it; 0 for nobody.
#[map]
pub static UNRELATED: Array<u64> = Array::with_max_entries(UNRELATED_PLACES, 0);

/// Writers of RTPS that their sockets have no place for. User space removes those that have gone quiet.
#[map]
pub static WRITERS: HashMap<WriterKey, WriterCount> = HashMap::with_max_entries(WRITER_LIMIT, 0);

/// When each pair of RTPS participants, or of reader and writer, was told of, in nanoseconds.
#[map]
pub static PAIRS: LruHashMap<Pair, u64> = LruHashMap::with_max_entries(PAIR_LIMIT, 0);

/// Sends of UDP sockets that failed.
#[map]
pub static FAILURES: LruHashMap<FailureKey, Failures> = LruHashMap::with_max_entries(FAILURE_LIMIT, 0);

/// Threads inside connect(), by pid and tgid. Who comes in comes out, so that nobody has to be forgotten; only what io_uring begins in
/// syscall mode stays. Were it full of that, calls would be told of without the time that they took.
#[map]
pub static CONNECTS: HashMap<u64, Connect> = HashMap::with_max_entries(THREAD_LIMIT, 0);

/// Threads inside sendmmsg() or recvmmsg(), by pid and tgid.
#[map]
pub static BATCHES: LruHashMap<u64, Batch> = LruHashMap::with_max_entries(THREAD_LIMIT, 0);

/// Calls at the end of which threads are, by pid and tgid.
#[map]
pub static CALLS: LruHashMap<u64, Entered> = LruHashMap::with_max_entries(THREAD_LIMIT, 0);

/// Numbers of our own of sockets, by the address of the kernel's `struct sock`.
#[map]
pub static IDENTITIES: LruHashMap<u64, Identity> = LruHashMap::with_max_entries(SOCKET_LIMIT, 0);

/// Processes that may have a descriptor of an internet socket; user space puts those in that had it before.
#[map]
pub static HOLDERS: LruHashMap<u32, u8> = LruHashMap::with_max_entries(HOLDER_LIMIT, 0);

/// What rosprobe asks the kernel's memory for.
#[map]
pub static PEEK: Array<Peek> = Array::with_max_entries(1, 0);

/// Processes that records named: their end is reported.
#[map]
pub static PROCESSES: LruHashMap<u32, u8> = LruHashMap::with_max_entries(PROCESS_LIMIT, 0);

/// Processes whose children are reported; user space puts the first one in.
#[map]
pub static FOLLOWED: HashMap<u32, u8> = HashMap::with_max_entries(FOLLOWED_LIMIT, 0);

/// How many sockets of each processor were named by a number of our own.
#[map]
pub static NUMBERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// A call of connect() that has not returned.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Connect {
    /// When it was called.
    pub started: u64,
    /// The kernel's socket behind the descriptor at that moment; 0 when unknown.
    pub sk: u64,
    /// The socket's cookie, once a state change in this thread gave it; 0 before.
    pub cookie: u64,
    /// What it shall connect to.
    pub address: SocketAddress,
    /// The descriptor.
    pub fd: i32,
    /// Zero.
    pub reserved: u32,
}

/// The end of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entered {
    /// Address of its registers.
    pub registers: u64,
    /// Its socket; 0 before that is known.
    pub sk: u64,
    /// Its number.
    pub number: u32,
    /// Which message of a batch is looked at; `u32::MAX` when that is not known.
    pub message: u32,
}

/// What a socket is called.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Identity {
    /// The number.
    pub number: u64,
    /// Inode of a socket whose end is not seen; else 0.
    pub inode: u64,
}

/// A reader and the writer that it answers, or two participants, one of which addressed the other: prefixes of their GUIDs, and
/// entities.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Pair {
    pub from: [u32; 3],
    pub reader: u32,
    pub to: [u32; 3],
    pub writer: u32,
}

/// Sends of one socket to one address that failed with one error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FailureKey {
    pub cookie: u64,
    pub remote: SocketAddress,
    pub errno: i32,
    /// Zero.
    pub reserved: u32,
}

/// How often.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Failures {
    pub count: u64,
    /// When user space was told last, in nanoseconds.
    pub told: u64,
}

/// Where a call of sendmmsg() or recvmmsg() has got to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Batch {
    /// The socket.
    pub cookie: u64,
    /// The vector in user memory.
    pub vector: u64,
    /// Its length.
    pub count: u32,
    /// The message that comes next.
    pub next: u32,
}

/// A socket of which nothing is known; in a map's memory, so that no stack is spent on it.
pub static EMPTY_SOCKET: SocketState = SocketState::EMPTY;

/// A socket that lost nothing, for the same reason.
pub static NO_LOSS: Loss = Loss::NONE;
