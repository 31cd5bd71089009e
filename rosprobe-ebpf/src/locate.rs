//! Where the bytes of a send or receive are: the task is still inside its system call, so its registers tell.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_probe_read_user, bpf_task_pt_regs};
use rosprobe_common::{Flow, IOVEC_LIMIT};

use crate::kernel;
use crate::maps::{BATCHES, Batch, CALLS, Entered, config};

/// Size of `struct msghdr` of user space.
const MSGHDR: usize = 56;
/// It is not known which message of a batch it is.
const UNKNOWN_MESSAGE: u32 = u32::MAX;
/// Size of `struct mmsghdr` of user space.
pub const MMSGHDR: u64 = 64;
/// Where in it the kernel writes how many bytes went.
pub const MMSGHDR_LENGTH: u64 = 56;

/// Where payload is in user memory.
#[derive(Clone, Copy)]
pub struct Location {
    /// The buffer, or the vector of segments.
    pub address: u64,
    /// Length of the buffer in bytes; unused for a vector.
    pub length: u64,
    /// Segments of the vector; 0: a buffer.
    pub segments: u32,
    /// 1: one message of several of a single call.
    pub batch: u32,
    /// Address of the peer's socket address, given by a send; 0 when none.
    pub name: u64,
    /// Its length.
    pub name_length: u64,
}

/// A system call, as its registers show it.
pub struct Call {
    registers: u64,
    /// Its number.
    pub number: u32,
    /// Which message of a batch it is about, where that is known.
    message: u32,
}

/// No number of a call.
const NO_NUMBER: u32 = u32::MAX;

impl Call {
    /// No call. With numbers in it, unlike `None`: before Linux 6.3 the verifier refuses to load from the stack what is nothing.
    pub const NONE: Self = Self { registers: 0, number: NO_NUMBER, message: UNKNOWN_MESSAGE };

    /// Whether it is one.
    #[inline(always)]
    pub fn is_known(&self) -> bool {
        self.number != NO_NUMBER
    }

    /// The current thread is at the end of this call. What it has to be told, [`Call::current`] says to the handlers: registers of
    /// the current task can only be asked for with BTF.
    #[inline(always)]
    pub fn enter(registers: u64, number: u32) {
        let thread = bpf_get_current_pid_tgid();
        match CALLS.get_ptr_mut(&thread) {
            // SAFETY: this thread's own entry.
            Some(entered) => unsafe { *entered = Entered { registers, sk: 0, number, message: UNKNOWN_MESSAGE } },
            None => {
                let _ = CALLS.insert(&thread, &Entered { registers, sk: 0, number, message: UNKNOWN_MESSAGE }, 0);
            }
        }
    }

    /// The current thread's call is about this message of its batch now.
    #[inline(always)]
    pub fn at_message(index: u32) {
        if let Some(entered) = CALLS.get_ptr_mut(bpf_get_current_pid_tgid()) {
            // SAFETY: this thread's own entry.
            unsafe { (*entered).message = index };
        }
    }

    /// The current thread's call is about this socket.
    #[inline(always)]
    pub fn on_socket(sk: u64) {
        if let Some(entered) = CALLS.get_ptr_mut(bpf_get_current_pid_tgid()) {
            // SAFETY: this thread's own entry.
            unsafe { (*entered).sk = sk };
        }
    }

    /// The socket that the current thread's call is about; 0 for none.
    #[inline(always)]
    pub fn socket() -> u64 {
        // SAFETY: this thread's own entry.
        CALLS.get_ptr(bpf_get_current_pid_tgid()).map_or(0, |entered| unsafe { (*entered).sk })
    }

    #[inline(always)]
    fn entered() -> Option<Self> {
        let entered = CALLS.get_ptr(bpf_get_current_pid_tgid())?;
        // SAFETY: this thread's own entry.
        let Entered { registers, number, message, .. } = unsafe { *entered };
        Some(Self { registers, number, message })
    }

    /// The call that the current task is in; `None` in kernel threads, io_uring's workers and 32-bit calls.
    #[inline(always)]
    pub fn current() -> Option<Self> {
        if config!(system_calls) != 0 {
            return Self::entered();
        }
        if !kernel::in_native_syscall() {
            return None;
        }
        // SAFETY: helpers; the task is the current one.
        let registers = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64;
        // The x32 ABI sets a bit above the number, so its calls are in no table.
        let number = kernel::member_of::<u32>(registers, config!(offsets.regs_syscall))?;
        Some(Self { registers, number, message: UNKNOWN_MESSAGE })
    }

    /// Argument number `N`, from 0; 0 when it cannot be read.
    #[inline(always)]
    pub fn argument<const N: usize>(&self) -> u64 {
        let offset = config!(offsets.regs_argument[N]);
        // At the end of system calls without BTF the verifier does not know what the address is of.
        let value = if config!(system_calls) != 0 {
            kernel::read::<u64>(self.registers, offset)
        } else {
            kernel::member_of::<u64>(self.registers, offset)
        };
        value.unwrap_or(0)
    }

    /// The descriptor that it is about.
    #[inline(always)]
    pub fn descriptor(&self) -> i32 {
        self.argument::<0>() as i32
    }

    /// Whether it is sendmmsg() or recvmmsg().
    #[inline(always)]
    pub fn is_batch(&self) -> bool {
        self.number == config!(syscalls.sendmmsg) || self.number == config!(syscalls.recvmmsg)
    }

    /// Whether its descriptor leads to this socket. A file system's own socket is used inside other calls.
    #[inline(always)]
    pub fn is_on(&self, sk: u64) -> bool {
        kernel::socket_of(self.descriptor()) == sk
    }

    /// Where the bytes are; false for calls that are not known to have them in the process's memory. For a batch, `index` says which
    /// message.
    #[inline(always)]
    pub fn location(&self, flow: Flow, index: u32, into: &mut Location) -> bool {
        locate(self, flow as u32, index, into) != 0
    }

    #[inline(always)]
    fn buffer(&self, into: &mut Location) {
        into.address = self.argument::<1>();
        into.length = self.argument::<2>();
    }

    /// Which message of sendmmsg() or recvmmsg() this is; `None` when that cannot be known.
    ///
    /// The hooks fire once a message. A call ends with its last message, with a failure, or with a send that took only a part
    /// ([`end_batch`]). A receive with a time-out can end unseen, so there is no telling.
    #[inline(always)]
    pub fn batch_index(&self, cookie: u64, failed: bool) -> Option<u32> {
        let index = message_of_batch(self, cookie, u32::from(failed));
        (index != UNKNOWN_MESSAGE).then_some(index)
    }
}

/// See [`Call::batch_index`]. A function of its own for its stack.
#[inline(never)]
fn message_of_batch(call: &Call, cookie: u64, failed: u32) -> u32 {
    if call.message != UNKNOWN_MESSAGE {
        return call.message;
    }
    let count = call.argument::<2>() as u32;
    let count = if count > IOVEC_LIMIT { IOVEC_LIMIT } else { count };
    if count > 1 && call.number == config!(syscalls.recvmmsg) && call.argument::<4>() != 0 {
        return UNKNOWN_MESSAGE;
    }
    let vector = call.argument::<1>();
    let thread = bpf_get_current_pid_tgid();
    let index = match BATCHES.get_ptr(&thread) {
        // SAFETY: this thread's own entry.
        Some(batch) => unsafe {
            if (*batch).cookie == cookie && (*batch).vector == vector && (*batch).count == count {
                (*batch).next
            } else {
                0
            }
        },
        None => 0,
    };
    if failed == 1 || index + 1 >= count {
        let _ = BATCHES.remove(&thread);
    } else {
        let _ = BATCHES.insert(&thread, &Batch { cookie, vector, count, next: index + 1 }, 0);
    }
    index
}

/// See [`Call::location`]. A function of its own for its stack, and with a signature that the kernel's type format can say.
#[inline(never)]
fn locate(call: &Call, flow: u32, index: u32, into: &mut Location) -> u32 {
    let sent = flow == Flow::Sent as u32;
    let number = call.number;
    if number == if sent { config!(syscalls.write) } else { config!(syscalls.read) } {
        call.buffer(into);
        return 1;
    }
    if number == if sent { config!(syscalls.sendto) } else { config!(syscalls.recvfrom) } {
        call.buffer(into);
        if sent {
            into.name = call.argument::<4>();
            into.name_length = call.argument::<5>();
        }
        return 1;
    }
    if number == if sent { config!(syscalls.writev) } else { config!(syscalls.readv) }
        || number == if sent { config!(syscalls.pwritev2) } else { config!(syscalls.preadv2) }
    {
        call.buffer(into);
        into.segments = segments(call.argument::<2>());
        return 1;
    }
    let batch = number == if sent { config!(syscalls.sendmmsg) } else { config!(syscalls.recvmmsg) };
    if batch || number == if sent { config!(syscalls.sendmsg) } else { config!(syscalls.recvmsg) } {
        into.batch = u32::from(batch);
        let skipped = if batch { u64::from(index) * MMSGHDR } else { 0 };
        return u32::from(message(call.argument::<1>() + skipped, sent, into));
    }
    0
}

/// The current thread's sendmmsg() stops after this message.
#[inline(always)]
pub fn end_batch() {
    let _ = BATCHES.remove(bpf_get_current_pid_tgid());
}

#[inline(always)]
fn segments(count: u64) -> u32 {
    if count > u64::from(IOVEC_LIMIT) { IOVEC_LIMIT } else { count as u32 }
}

#[inline(always)]
fn message(address: u64, sent: bool, into: &mut Location) -> bool {
    // name, name length, segments, their number, and what is of no interest.
    let mut header: [u64; MSGHDR / 8] = kernel::zeroed();
    // SAFETY: the helper checks the address and writes at most the array.
    if unsafe { bpf_probe_read_user(header.as_mut_ptr().cast(), MSGHDR as u32, address as *const _) } != 0 {
        return false;
    }
    into.segments = segments(header[3]);
    into.address = header[2];
    if sent {
        into.name = header[0];
        into.name_length = header[1] & 0xffff_ffff;
    }
    into.segments > 0
}
