//! connect(): what was asked, and what it returned.
//!
//! The order of this and of the socket's changes is not fixed: a refusal on loopback is reported before connect() has returned
//! EINPROGRESS.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel, bpf_probe_read_user};
use rosprobe_common::{Kind, Protocol, SocketAddress};

use crate::emit::{Fact, Socket, emit};
use crate::flow::is_interrupted;
use crate::kernel::{self, AF_INET, AF_INET6, TCP, UDP};
use crate::maps::{CONNECTS, Connect, SOCKETS, config};
use crate::record::count_lost;
use crate::{identity, process, unrelated};

const EBADF: i32 = 9;
const EINPROGRESS: i32 = 115;
const ENOTSOCK: i32 = 88;

/// A process called connect(), with an address in its memory.
#[inline(always)]
pub fn called(fd: i32, address: u64, length: u64) {
    let mut remote: SocketAddress = kernel::zeroed();
    if user_address(address, length, &mut remote) {
        begin(kernel::socket_of(fd), fd, &remote);
    }
}

/// connect() reached its socket, with the address in the kernel's memory. `fd` is negative when it is not known.
#[inline(always)]
pub fn reached(sk: u64, fd: i32, address: u64, length: u32) {
    let mut remote: SocketAddress = kernel::zeroed();
    if address_from(Memory::Kernel, address, u64::from(length), &mut remote) {
        begin(sk, fd, &remote);
    }
}

#[inline(always)]
fn begin(sk: u64, fd: i32, remote: &SocketAddress) {
    // SAFETY: a helper without arguments.
    let started = unsafe { bpf_ktime_get_ns() };
    let connect = Connect { started, sk, cookie: 0, address: *remote, fd, reserved: 0 };
    if CONNECTS.insert(bpf_get_current_pid_tgid(), &connect, 0).is_err() {
        // Without it nothing is told of the end.
        count_lost(1);
    }
}

/// The current thread's call returned.
#[inline(always)]
pub fn call_returned(result: i32) {
    let thread = bpf_get_current_pid_tgid();
    let Some(entry) = CONNECTS.get_ptr(&thread) else { return };
    // SAFETY: this thread's own entry.
    let connect = unsafe { *entry };
    let _ = CONNECTS.remove(&thread);
    returned(&connect, result);
}

/// A TCP socket begins to connect, in the thread that called connect(), of which nothing was seen before.
#[inline(always)]
pub fn began(sk: u64, cookie: u64) {
    // SAFETY: a helper without arguments.
    let started = unsafe { bpf_ktime_get_ns() };
    let connect = Connect { started, sk, cookie, address: SocketAddress::NONE, fd: -1, reserved: 0 };
    let _ = CONNECTS.insert(bpf_get_current_pid_tgid(), &connect, 0);
}

/// The current thread's connect() returned, of which nothing was seen but, perhaps, that its socket [`began`]. `sk` is what the
/// descriptor leads to now; 0 when it was closed meanwhile.
#[inline(always)]
pub fn call_ended(sk: u64, cookie: u64, fd: i32, address: u64, length: u64, result: i32) {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let mut connect = Connect { started: now, sk, cookie, address: SocketAddress::NONE, fd, reserved: 0 };
    if let Some(entry) = CONNECTS.get_ptr(&thread) {
        // SAFETY: this thread's own entry.
        let began = unsafe { *entry };
        let _ = CONNECTS.remove(&thread);
        // Not every attempt begins in connect(), and a closed socket's place is soon another's.
        if sk == 0 || (began.sk == sk && began.cookie == identity::existing(sk)) {
            connect.started = began.started;
            connect.cookie = began.cookie;
        }
    }
    if user_address(address, length, &mut connect.address) {
        returned(&connect, result);
    }
}

/// The end of every way to learn a connect()'s result.
#[inline(always)]
pub fn returned(connect: &Connect, result: i32) {
    // A descriptor that was closed or replaced meanwhile leads to another socket.
    let sk = if connect.fd < 0 || kernel::socket_of(connect.fd) == connect.sk { connect.sk } else { 0 };
    let errno = if result < 0 { -result } else { 0 };
    // The kernel goes on connecting.
    if is_interrupted(errno) {
        return;
    }
    if sk == 0 && (errno == EBADF || errno == ENOTSOCK) {
        return;
    }
    let protocol = if sk == 0 { TCP } else { kernel::protocol(sk) };
    if protocol != TCP && protocol != UDP {
        return;
    }
    let mut cookie = if connect.cookie != 0 { connect.cookie } else { identity::existing(sk) };
    if protocol == UDP && cookie != 0 {
        restart_datagrams(cookie);
    }
    if cookie == 0 {
        cookie = identity::own_number();
    }
    let fact = Fact::here(Kind::ConnectReturned);
    if connect.cookie == 0 {
        process::remember(fact.pid);
    }
    // SAFETY: a helper without arguments.
    let took = unsafe { bpf_ktime_get_ns() }.wrapping_sub(connect.started);
    let socket = Socket { sk, cookie, protocol, remote: Some(&connect.address) };
    emit(&socket, &Fact { errno, fd: connect.fd, value: took, ..fact });
    if errno == EINPROGRESS {
        soft_error(&socket);
    }
}

/// An ICMP error that arrives while `connect()` holds the socket is only noted; `getsockopt(SO_ERROR)` then takes it away.
#[inline(always)]
fn soft_error(socket: &Socket<'_>) {
    let errno = kernel::read::<i32>(socket.sk, config!(offsets.sk_err_soft)).unwrap_or(0);
    if errno != 0 {
        emit(socket, &Fact { errno, ..Fact::here(Kind::SoftError) });
    }
}

/// A datagram socket has another peer now, so it may speak another protocol.
#[inline(always)]
fn restart_datagrams(cookie: u64) {
    if let Some(state) = SOCKETS.get_ptr_mut(&cookie) {
        // SAFETY: memory of the map.
        unsafe { (*state).protocol = Protocol::Undecided as u8 };
        unrelated::forget(cookie);
    }
}

/// Whose memory an address is in.
#[derive(Clone, Copy)]
enum Memory {
    User,
    Kernel,
}

/// A socket address in user memory; false when it is no internet address.
#[inline(always)]
pub fn user_address(address: u64, length: u64, into: &mut SocketAddress) -> bool {
    address_from(Memory::User, address, length, into)
}

#[inline(always)]
fn address_from(memory: Memory, address: u64, length: u64, into: &mut SocketAddress) -> bool {
    // sockaddr_in: family, port, address[4]. sockaddr_in6: family, port, flow information, address[16], scope.
    let mut words: [u64; 4] = kernel::zeroed();
    let length = length as u32;
    if length < 16 {
        return false;
    }
    let size = if length < 28 { 16 } else { 28 };
    let (words_at, address) = (words.as_mut_ptr().cast(), address as *const _);
    // SAFETY: the helpers check the address; `size` is at most the array's.
    let read = unsafe {
        match memory {
            Memory::User => bpf_probe_read_user(words_at, size, address),
            Memory::Kernel => bpf_probe_read_kernel(words_at, size, address),
        }
    };
    if read != 0 {
        return false;
    }
    let [first, second, third, fourth] = words;
    into.family = first as u16;
    into.port = u16::from_be((first >> 16) as u16);
    let octets = into.address.as_mut_ptr().cast::<u64>();
    if into.family == AF_INET {
        // SAFETY: two words, aligned as `SocketAddress` is.
        unsafe { octets.write(first >> 32) };
        return true;
    }
    if into.family != AF_INET6 || size < 28 {
        return false;
    }
    // SAFETY: as above.
    unsafe {
        octets.write(second);
        octets.add(1).write(third);
    }
    into.scope = fourth as u32;
    true
}
