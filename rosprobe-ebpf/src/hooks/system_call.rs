//! connect(), bind(), setsockopt() and payload at the end of every system call, by one raw tracepoint, Linux 5.8 and later, with or
//! without BTF. It runs in every process: a look at the number, then a look-up of the process, and nearly all calls are done with.
//!
//! Which socket a descriptor is, the kernel's own table of the process says at that moment. So there is nothing to keep up with: not
//! dup(), close(), fork(), exec(), nor a descriptor that came over a UNIX socket or from before the capture.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use rosprobe_common::{CALL_NUMBERS, CallClass, IOVEC_LIMIT};

use super::socket_call;
use crate::flow::{RECEIVED, SENT};
use crate::kernel::{self, AF_INET, AF_INET6, Held};
use crate::locate::{Call, MMSGHDR, MMSGHDR_LENGTH};
use crate::maps::{CLASSES, config, empty};
use crate::transfer::handed;
use crate::{connect, holder, identity};

/// Messages of one sendmmsg() or recvmmsg() that are looked at: all that the kernel takes, or as many as an older verifier follows in
/// good time. More than that count as lost.
const MESSAGES: u32 = if cfg!(feature = "bounded") { 128 } else { IOVEC_LIMIT };
/// Descriptors of one message that are looked at; more than that count as sockets.
const PASSED: u64 = 4;
const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
/// `struct cmsghdr`: length, level, type.
const CMSGHDR: u64 = 16;

#[raw_tracepoint(tracepoint = "sys_exit")]
fn sys_exit(ctx: RawTracePointContext) -> i32 {
    if empty() {
        return 0;
    }
    let registers: u64 = ctx.arg(0);
    let number = kernel::word(registers, config!(offsets.regs_syscall));
    let class = class(number);
    if class == CallClass::None as u8 {
        return 0;
    }
    let held = holder::is_known(kernel::current_pid());
    if (held || CallClass::is_origin(class)) && kernel::is_native(registers) {
        let result: u64 = ctx.arg(1);
        Call::enter(registers, number);
        if held {
            returned(class, result as i64);
        }
        if CallClass::is_origin(class) {
            obtained(u64::from(class), result as i64);
        }
    }
    0
}

#[inline(always)]
fn class(number: u32) -> u8 {
    if number as usize >= CALL_NUMBERS {
        return 0;
    }
    // SAFETY: inside the table; volatile because the loader replaces its values.
    unsafe { (&raw const CLASSES).cast::<u8>().add(number as usize).read_volatile() }
}

/// A process that may have sockets is at the end of a call of interest.
#[inline(always)]
fn returned(class: u8, result: i64) {
    let Some(call) = Call::current() else { return };
    let fd = call.descriptor();
    if class == CallClass::Send as u8 || class == CallClass::SendFile as u8 {
        moved(fd, result, 0, SENT as u64);
    } else if class == CallClass::Read as u8 {
        moved(fd, result, 0, RECEIVED as u64);
    } else if class == CallClass::ReceiveFrom as u8 {
        moved(fd, result, call.argument::<3>(), RECEIVED as u64);
    } else if class == CallClass::ReceiveMessage as u8 {
        moved(fd, result, call.argument::<2>(), RECEIVED as u64);
    } else if class == CallClass::SendBatch as u8 {
        batch(&call, result, 0, SENT as u64);
    } else if class == CallClass::ReceiveBatch as u8 {
        batch(&call, result, call.argument::<3>(), RECEIVED as u64);
    } else if class == CallClass::Splice as u8 {
        moved(fd, result, 0, RECEIVED as u64);
        moved(call.argument::<2>() as i32, result, 0, SENT as u64);
    } else {
        asked(u64::from(class), result as i32);
    }
}

/// What a process asked of a socket. A function of its own, as [`obtained`] is: its stack is not there during a walk over payload.
#[inline(never)]
fn asked(class: u64, result: i32) -> u64 {
    if class == CallClass::Connect as u64 {
        connected(result);
    } else if class == CallClass::Bind as u64 {
        socket_call::bind_returned(result);
    } else if class == CallClass::SetOption as u64 {
        socket_call::setsockopt_returned(result);
    }
    0
}

#[inline(always)]
fn moved(fd: i32, result: i64, flags: u64, flow: u64) {
    descriptor_moved(fd as u64, result as u64, flags, flow);
}

/// Bytes went through a descriptor, or failed to. Numbers alone, so that the verifier looks at it once, on every kernel.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn descriptor_moved(fd: u64, result: u64, flags: u64, flow: u64) -> u64 {
    let cookie = find(fd as i32);
    let sk = Call::socket();
    if cookie == 0 || sk == 0 {
        return 0;
    }
    if flow == SENT as u64 {
        handed::<SENT>(sk, cookie, result as i32, 0);
    } else {
        handed::<RECEIVED>(sk, cookie, result as i32, flags as i32);
    }
    0
}

/// What the socket behind a descriptor is called, 0 for none; [`Call::socket`] is it then. A function of its own for its stack.
#[inline(never)]
fn find(fd: i32) -> u64 {
    let Some(held) = Held::of(fd) else { return 0 };
    Call::on_socket(held.sk);
    identity::of_held(&held)
}

/// sendmmsg() or recvmmsg(): the kernel wrote into each message how much went.
#[inline(always)]
fn batch(call: &Call, result: i64, flags: u64, flow: u64) {
    let (fd, vector) = (call.descriptor(), call.argument::<1>());
    if result < 0 {
        Call::at_message(0);
        moved(fd, result, flags, flow);
        return;
    }
    let count = if result > i64::from(MESSAGES) { i64::from(MESSAGES) } else { result };
    let mut index = 0;
    while index < MESSAGES {
        if i64::from(index) >= count {
            break;
        }
        let mut length = 0u32;
        let address = vector + u64::from(index) * MMSGHDR + MMSGHDR_LENGTH;
        // SAFETY: the helper checks the address and writes the number or fails.
        if unsafe { bpf_probe_read_user((&raw mut length).cast(), 4, address as *const _) } != 0 {
            break;
        }
        Call::at_message(index);
        moved(fd, i64::from(length), flags, flow);
        index += 1;
    }
    #[cfg(feature = "bounded")]
    if result > count {
        crate::record::count_lost((result - count) as u64);
    }
}

/// connect(): the arguments are there still. When it began, the socket's change of state said; without one it had failed at once.
#[inline(always)]
fn connected(result: i32) {
    let Some(call) = Call::current() else { return };
    let fd = call.descriptor();
    let (sk, cookie) = match Held::of(fd) {
        Some(held) => (held.sk, identity::of_held(&held)),
        None => (0, 0),
    };
    if sk == 0 || cookie != 0 {
        connect::call_ended(sk, cookie, fd, call.argument::<1>(), call.argument::<2>(), result);
    }
}

/// The process got a descriptor, perhaps of a socket of the internet.
#[inline(never)]
fn obtained(class: u64, result: i64) -> u64 {
    let Some(call) = Call::current() else { return 0 };
    if result < 0 {
        return 0;
    }
    let pid = kernel::current_pid();
    if class == CallClass::Socket as u64 {
        let family = call.argument::<0>() as u16;
        if family == AF_INET || family == AF_INET6 {
            holder::remember(pid);
        }
    } else if class == CallClass::Descriptor as u64 {
        if is_internet(result as i32) {
            holder::remember(pid);
        }
    } else if class != CallClass::ReceiveMessage as u64 || passed(call.argument::<1>()) {
        // Who takes many messages at once mostly does so from sockets, and a ring opens them.
        holder::remember(pid);
    }
    0
}

#[inline(always)]
fn is_internet(fd: i32) -> bool {
    let Some(held) = Held::of(fd) else { return false };
    let family = kernel::family(held.sk);
    family == AF_INET || family == AF_INET6
}

/// Whether a message that was received brought descriptors of such sockets, or perhaps did.
#[inline(always)]
fn passed(message: u64) -> bool {
    // struct msghdr: control data is its fifth word, the length its sixth.
    let mut control = [0u64; 2];
    // SAFETY: the helper checks the address and writes at most the array.
    let read = unsafe { bpf_probe_read_user(control.as_mut_ptr().cast(), 16, (message + 32) as *const _) };
    if read != 0 || control[0] == 0 || control[1] < CMSGHDR + 4 {
        return false;
    }
    let mut words = [0u32; 4 + PASSED as usize];
    let size = 16 + 4 * PASSED as u32;
    // SAFETY: as above. What is behind the last descriptor is not looked at.
    if unsafe { bpf_probe_read_user(words.as_mut_ptr().cast(), size, control[0] as *const _) } != 0 {
        return true;
    }
    if words[2] != SOL_SOCKET || words[3] != SCM_RIGHTS {
        // Descriptors may come after it, and who else has credentials or times told rarely takes messages often.
        return words[2] == SOL_SOCKET && control[1] > u64::from(words[0]) + CMSGHDR;
    }
    let count = (u64::from(words[0]).saturating_sub(CMSGHDR)) / 4;
    let mut any = count > PASSED;
    let mut at = 0;
    while at < PASSED as usize {
        any |= (at as u64) < count && is_internet(words[4 + at] as i32);
        at += 1;
    }
    any
}
