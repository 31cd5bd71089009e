//! Reading the kernel's structures by the offsets that user space found.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated};
use rosprobe_common::{Record, SocketAddress, UNKNOWN_OFFSET};

use crate::maps::config;

pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// States of a TCP socket, `include/net/tcp_states.h`.
pub mod tcp_state {
    pub const ESTABLISHED: i32 = 1;
    pub const SYN_SENT: i32 = 2;
    pub const SYN_RECV: i32 = 3;
    pub const FIN_WAIT1: i32 = 4;
    pub const FIN_WAIT2: i32 = 5;
    #[cfg(feature = "bounded")]
    pub const CLOSE: i32 = 7;
    pub const LISTEN: i32 = 10;
}

/// The bits of `task_struct.flags` of a kernel thread and of an io_uring worker: their registers are nobody's system call.
const PF_KTHREAD: u32 = 0x0020_0000;
const PF_IO_WORKER: u32 = 0x10;

/// A value at `base + offset` in kernel memory; `None` where the offset is unknown or the memory cannot be read.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: u32) -> Option<T> {
    if offset == UNKNOWN_OFFSET || base == 0 {
        return None;
    }
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address and writes the whole value or fails.
    let result = unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, (base + u64::from(offset)) as *const _)
    };
    // SAFETY: written above.
    (result == 0).then(|| unsafe { value.assume_init() })
}

/// A member of a structure of the kernel whose address the verifier knows for one, read without a helper; `None` where the offset is
/// unknown. The verifier checks the offset against the kernel's own description.
#[inline(always)]
pub fn member_of<T: Copy>(base: u64, offset: u32) -> Option<T> {
    if offset == UNKNOWN_OFFSET {
        return None;
    }
    // SAFETY: the kernel gives zeros where the address is none.
    Some(unsafe { (base as *const u8).add(offset as usize).cast::<T>().read_volatile() })
}

/// The current task, as an address that the verifier knows for one.
#[inline(always)]
fn known_task() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { generated::bpf_get_current_task_btf() as u64 }
}

/// The pid of the current process (its tgid).
#[inline(always)]
pub fn current_pid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// The same with the thread's number.
#[inline(always)]
pub fn current_pid_and_thread() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    ((both >> 32) as u32, both as u32)
}

/// The current task, as an address.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { generated::bpf_get_current_task() }
}

/// IP protocol number of a socket; 0 when unknown.
#[inline(always)]
pub fn protocol(sk: u64) -> u8 {
    read::<u16>(sk, config!(offsets.sk_protocol)).map_or(0, |protocol| if protocol < 256 { protocol as u8 } else { 0 })
}

/// State of a TCP socket; 0 when unknown.
#[inline(always)]
pub fn state(sk: u64) -> i32 {
    read::<u8>(sk, config!(offsets.skc_state)).map_or(0, i32::from)
}

/// Cookie of a socket; 0 when the kernel has not given one yet.
#[inline(always)]
pub fn cookie(sk: u64) -> u64 {
    read::<u64>(sk, config!(offsets.skc_cookie)).unwrap_or(0)
}

/// Bytes that the peer has not acknowledged; 0 when unknown.
#[inline(always)]
pub fn unacknowledged(sk: u64) -> u32 {
    word(sk, config!(offsets.write_seq)).wrapping_sub(word(sk, config!(offsets.snd_una)))
}

/// A word at `base + offset`; 0 when it cannot be read. Without the branches of [`read`], of which the compiler calculates with what
/// was never written on the one that it throws away; older verifiers refuse that.
#[inline(always)]
pub fn word(base: u64, offset: u32) -> u32 {
    let mut value = 0u32;
    if offset != UNKNOWN_OFFSET && base != 0 {
        // SAFETY: the helper checks the address, and zeroes where it cannot read.
        unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 4, (base + u64::from(offset)) as *const _) };
    }
    // SAFETY: a local; volatile so that the compiler does not know it.
    unsafe { core::ptr::read_volatile(&raw const value) }
}

/// How much of the beginning of `struct sock` is read at once: all that a record says of a socket, on every kernel so far.
const BLOCK: u32 = 96;

/// Both ends of a socket and its network namespace. The beginning of the kernel's structure is read at once, into the record itself,
/// and then put in its places: a read for each member costs ten times as much.
#[inline(always)]
pub fn describe(sk: u64, record: &mut Record) {
    let base: *mut u8 = (&raw mut *record).cast();
    // SAFETY: the helper checks the address; a record is longer than the block.
    if unsafe { bpf_probe_read_kernel(base.cast(), BLOCK, sk as *const _) } != 0 {
        clear(record);
        return;
    }
    let family: u16 = member(sk, base, config!(offsets.skc_family));
    let (remote_port, local_port): (u16, u16) =
        (member(sk, base, config!(offsets.skc_dport)), member(sk, base, config!(offsets.skc_num)));
    let net: u64 = member(sk, base, config!(offsets.skc_net));
    let mut words: [u64; 4] = zeroed();
    if family == AF_INET6 {
        let (local, remote) = (config!(offsets.skc_v6_rcv_saddr), config!(offsets.skc_v6_daddr));
        words =
            [half(sk, base, local, 0), half(sk, base, local, 8), half(sk, base, remote, 0), half(sk, base, remote, 8)];
    } else {
        words[0] = u64::from(member::<u32>(sk, base, config!(offsets.skc_rcv_saddr)));
        words[2] = u64::from(member::<u32>(sk, base, config!(offsets.skc_daddr)));
    }
    clear(record);
    place(&mut record.local, family, local_port, words[0], words[1]);
    place(&mut record.remote, family, u16::from_be(remote_port), words[2], words[3]);
    record.net_namespace = read(net, config!(offsets.net_inum)).unwrap_or(0);
}

/// A member of the block, or of what follows it; zero when unknown.
#[inline(always)]
fn member<T: Copy + Default>(sk: u64, base: *const u8, offset: u32) -> T {
    if offset <= BLOCK - size_of::<T>() as u32 {
        // SAFETY: inside the block, and aligned as the kernel's own member.
        return unsafe { base.add(offset as usize).cast::<T>().read_volatile() };
    }
    read(sk, offset).unwrap_or_default()
}

#[inline(always)]
fn half(sk: u64, base: *const u8, offset: u32, at: u32) -> u64 {
    if offset == UNKNOWN_OFFSET { 0 } else { member(sk, base, offset + at) }
}

#[inline(always)]
fn place(address: &mut SocketAddress, family: u16, port: u16, first: u64, second: u64) {
    address.family = family;
    address.port = port;
    let octets = address.address.as_mut_ptr().cast::<u64>();
    // SAFETY: two words, aligned as `SocketAddress` is.
    unsafe {
        octets.write(first);
        octets.add(1).write(second);
    }
}

/// Port of this end of a socket; 0 when none.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    read(sk, config!(offsets.skc_num)).unwrap_or(0)
}

/// The other end of a socket.
#[inline(always)]
pub fn remote(sk: u64, address: &mut SocketAddress) {
    let port = read::<u16>(sk, config!(offsets.skc_dport)).unwrap_or(0);
    end(sk, address, u16::from_be(port), config!(offsets.skc_daddr), config!(offsets.skc_v6_daddr));
}

#[inline(always)]
fn end(sk: u64, address: &mut SocketAddress, port: u16, v4: u32, v6: u32) {
    let family = read::<u16>(sk, config!(offsets.skc_family)).unwrap_or(0);
    clear(address);
    address.family = family;
    address.port = port;
    let (offset, size) = if family == AF_INET6 { (v6, 16) } else { (v4, 4) };
    if offset != UNKNOWN_OFFSET {
        // SAFETY: the helper checks the address; the array has 16 bytes. What cannot be read stays zero.
        unsafe {
            bpf_probe_read_kernel(address.address.as_mut_ptr().cast(), size, (sk + u64::from(offset)) as *const _)
        };
    }
}

/// Zeroes by words. Anything else becomes a loop over bytes, of which the verifier follows every turn.
#[inline(always)]
pub fn clear<T>(value: &mut T) {
    let words: *mut u64 = (&raw mut *value).cast();
    let mut at = 0;
    while at < size_of::<T>() / 8 {
        // SAFETY: inside `value`, which callers give aligned to words and with a size in whole words.
        unsafe { core::ptr::write_volatile(words.add(at), 0) };
        at += 1;
    }
}

/// A value of zeros.
#[inline(always)]
pub fn zeroed<T>() -> T {
    // SAFETY: callers ask for integers only, so that zeros are a value.
    unsafe { core::mem::zeroed() }
}

/// Copies a GUID, for the same reason.
#[inline(always)]
pub fn copy_guid(from: &[u32; 4], to: &mut [u32; 4]) {
    let (source, target) = (from.as_ptr(), to.as_mut_ptr());
    let mut at = 0;
    while at < 4 {
        // SAFETY: inside both arrays.
        unsafe { core::ptr::write_volatile(target.add(at), source.add(at).read_volatile()) };
        at += 1;
    }
}

/// Copies by words, for the same reason.
#[inline(always)]
pub fn copy<T>(from: &T, to: &mut T) {
    let (source, target): (*const u64, *mut u64) = ((&raw const *from).cast(), (&raw mut *to).cast());
    let mut at = 0;
    while at < size_of::<T>() / 8 {
        // SAFETY: inside both, which callers give aligned to words and with a size in whole words.
        unsafe { core::ptr::write_volatile(target.add(at), source.add(at).read()) };
        at += 1;
    }
}

/// Family of a socket; 0 when unknown.
#[inline(always)]
pub fn family(sk: u64) -> u16 {
    read(sk, config!(offsets.skc_family)).unwrap_or(0)
}

/// Whether these registers are those of a 64-bit program.
#[inline(always)]
pub fn is_native(registers: u64) -> bool {
    word(registers, config!(offsets.regs_mode)) & config!(offsets.regs_mode_mask) == config!(offsets.regs_mode_native)
}

/// A socket that a descriptor of the current process leads to.
pub struct Held {
    file: u64,
    /// The kernel's `struct sock`.
    pub sk: u64,
}

impl Held {
    /// What a descriptor leads to, if it is a socket: other files have other things in the place of theirs, and none of those has the
    /// file in the place of a socket's.
    #[inline(always)]
    pub fn of(fd: i32) -> Option<Self> {
        let file = file_of(fd)?;
        let socket: u64 = read(file, config!(offsets.file_private_data))?;
        if read::<u64>(socket, config!(offsets.socket_file))? != file {
            return None;
        }
        Some(Self { file, sk: read(socket, config!(offsets.socket_sk))? })
    }

    /// Number of its inode; 0 when unknown.
    #[inline(always)]
    pub fn inode(&self) -> u64 {
        read::<u64>(self.file, config!(offsets.file_inode))
            .and_then(|inode| read(inode, config!(offsets.inode_number)))
            .unwrap_or(0)
    }
}

/// The socket behind a descriptor of the current process; 0 when it is none, or unknown.
#[inline(always)]
pub fn socket_of(fd: i32) -> u64 {
    walk(fd).unwrap_or(0)
}

#[inline(always)]
fn walk(fd: i32) -> Option<u64> {
    let file = file_of(fd)?;
    let socket: u64 = read(file, config!(offsets.file_private_data))?;
    read(socket, config!(offsets.socket_sk))
}

#[inline(always)]
fn file_of(fd: i32) -> Option<u64> {
    let (count, array) = if config!(system_calls) == 0 {
        let files: u64 = member_of(known_task(), config!(offsets.task_files))?;
        let table: u64 = member_of(files, config!(offsets.files_fdt))?;
        (member_of::<u32>(table, config!(offsets.fdtable_max_fds))?, member_of(table, config!(offsets.fdtable_fd))?)
    } else {
        let files: u64 = read(current_task(), config!(offsets.task_files))?;
        let table: u64 = read(files, config!(offsets.files_fdt))?;
        (read::<u32>(table, config!(offsets.fdtable_max_fds))?, read::<u64>(table, config!(offsets.fdtable_fd))?)
    };
    if fd < 0 || fd as u32 >= count {
        return None;
    }
    read(array + u64::from(fd as u32) * 8, 0)
}

/// Whether the current task's registers are those of a 64-bit system call of a program.
#[inline(always)]
pub fn in_native_syscall() -> bool {
    let task = known_task();
    let Some(flags) = member_of::<u32>(task, config!(offsets.task_flags)) else { return false };
    let Some(compat) = member_of::<u32>(task, config!(offsets.task_compat)) else { return false };
    flags & (PF_KTHREAD | PF_IO_WORKER) == 0 && compat & config!(offsets.task_compat_mask) == 0
}

/// Whether the current task belongs to no process.
#[inline(always)]
pub fn is_kernel_thread() -> bool {
    member_of::<u32>(known_task(), config!(offsets.task_flags)).is_none_or(|flags| flags & PF_KTHREAD != 0)
}
