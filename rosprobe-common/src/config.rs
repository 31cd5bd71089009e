//! What differs between kernels and architectures, written by the loader before the programs are loaded.

use core::mem::{align_of, offset_of, size_of};

/// An offset that this kernel does not have.
pub const UNKNOWN_OFFSET: u32 = u32::MAX;

/// Constants of one capture. The programs see them as read-only data that the verifier knows the values of.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// [`LAYOUT_VERSION`](crate::LAYOUT_VERSION) of the loader.
    pub layout_version: u32,
    /// Payload copied of one XML-RPC message at most, in bytes.
    pub payload_limit: u32,
    /// Not 0: diagnostics through aya-log.
    pub log: u32,
    /// Not 0: `connect()` and payload are seen at the end of system calls, and sockets have numbers of our own.
    pub system_calls: u32,
    /// Offsets in the kernel's structures.
    pub offsets: KernelOffsets,
    /// Numbers of system calls.
    pub syscalls: Syscalls,
}

/// Byte offsets in the kernel's structures; [`UNKNOWN_OFFSET`] where this kernel has no such member.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelOffsets {
    /// `sock_common.skc_daddr`.
    pub skc_daddr: u32,
    /// `sock_common.skc_rcv_saddr`.
    pub skc_rcv_saddr: u32,
    /// `sock_common.skc_dport`.
    pub skc_dport: u32,
    /// `sock_common.skc_num`.
    pub skc_num: u32,
    /// `sock_common.skc_family`.
    pub skc_family: u32,
    /// `sock_common.skc_state`.
    pub skc_state: u32,
    /// `sock_common.skc_v6_daddr`.
    pub skc_v6_daddr: u32,
    /// `sock_common.skc_v6_rcv_saddr`.
    pub skc_v6_rcv_saddr: u32,
    /// `sock_common.skc_net`.
    pub skc_net: u32,
    /// `sock_common.skc_cookie`.
    pub skc_cookie: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `sock.sk_protocol`.
    pub sk_protocol: u32,
    /// `sock.sk_err`.
    pub sk_err: u32,
    /// `sock.sk_err_soft`.
    pub sk_err_soft: u32,
    /// `tcp_sock.write_seq`.
    pub write_seq: u32,
    /// `tcp_sock.snd_una`.
    pub snd_una: u32,
    /// `socket.sk`.
    pub socket_sk: u32,
    /// `socket.file`.
    pub socket_file: u32,
    /// `file.private_data`.
    pub file_private_data: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `inode.i_ino`.
    pub inode_number: u32,
    /// `task_struct.files`.
    pub task_files: u32,
    /// `files_struct.fdt`.
    pub files_fdt: u32,
    /// `fdtable.fd`.
    pub fdtable_fd: u32,
    /// `fdtable.max_fds`.
    pub fdtable_max_fds: u32,
    /// `task_struct.flags`.
    pub task_flags: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `signal_struct.live`.
    pub signal_live: u32,
    /// 32-bit word in `task_struct` that tells a 32-bit system call (`thread_info.status` or `thread_info.flags`).
    pub task_compat: u32,
    /// Bits of that word, not an offset.
    pub task_compat_mask: u32,
    /// System call number in `pt_regs`.
    pub regs_syscall: u32,
    /// First six arguments in `pt_regs`.
    pub regs_argument: [u32; 6],
    /// Word in `pt_regs` that tells a 64-bit program.
    pub regs_mode: u32,
    /// Bits of that word, not an offset.
    pub regs_mode_mask: u32,
    /// What these bits are in a 64-bit program, not an offset.
    pub regs_mode_native: u32,
    /// `fd` in the record of `syscalls:sys_enter_connect`.
    pub enter_fd: u32,
    /// `uservaddr` in the record of `syscalls:sys_enter_connect`.
    pub enter_address: u32,
    /// `addrlen` in the record of `syscalls:sys_enter_connect`.
    pub enter_length: u32,
    /// `ret` in the record of `syscalls:sys_exit_connect`.
    pub exit_result: u32,
}

/// Numbers of the system calls whose arguments are understood.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the system calls'")]
pub struct Syscalls {
    pub read: u32,
    pub write: u32,
    pub readv: u32,
    pub writev: u32,
    pub preadv2: u32,
    pub pwritev2: u32,
    pub sendto: u32,
    pub recvfrom: u32,
    pub sendmsg: u32,
    pub recvmsg: u32,
    pub sendmmsg: u32,
    pub recvmmsg: u32,
    pub connect: u32,
}

impl Config {
    /// What the object holds before the loader writes the real values.
    pub const ZERO: Self = Self {
        layout_version: 0,
        payload_limit: 0,
        log: 0,
        system_calls: 0,
        offsets: KernelOffsets {
            skc_daddr: 0,
            skc_rcv_saddr: 0,
            skc_dport: 0,
            skc_num: 0,
            skc_family: 0,
            skc_state: 0,
            skc_v6_daddr: 0,
            skc_v6_rcv_saddr: 0,
            skc_net: 0,
            skc_cookie: 0,
            net_inum: 0,
            sk_protocol: 0,
            sk_err: 0,
            sk_err_soft: 0,
            write_seq: 0,
            snd_una: 0,
            socket_sk: 0,
            socket_file: 0,
            file_private_data: 0,
            file_inode: 0,
            inode_number: 0,
            task_files: 0,
            files_fdt: 0,
            fdtable_fd: 0,
            fdtable_max_fds: 0,
            task_flags: 0,
            task_tgid: 0,
            task_signal: 0,
            signal_live: 0,
            task_compat: 0,
            task_compat_mask: 0,
            regs_syscall: 0,
            regs_argument: [0; 6],
            regs_mode: 0,
            regs_mode_mask: 0,
            regs_mode_native: 0,
            enter_fd: 0,
            enter_address: 0,
            enter_length: 0,
            exit_result: 0,
        },
        syscalls: Syscalls {
            read: 0,
            write: 0,
            readv: 0,
            writev: 0,
            preadv2: 0,
            pwritev2: 0,
            sendto: 0,
            recvfrom: 0,
            sendmsg: 0,
            recvmsg: 0,
            sendmmsg: 0,
            recvmmsg: 0,
            connect: 0,
        },
    };
}

const _: () = {
    assert!(align_of::<Config>() == 4);
    assert!(offset_of!(Config, offsets) == 16);
    assert!(size_of::<KernelOffsets>() == 45 * 4);
    assert!(size_of::<Syscalls>() == 13 * 4);
    assert!(size_of::<Config>() == 16 + 45 * 4 + 13 * 4);
};
