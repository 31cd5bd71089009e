//! What this kernel offers: offsets in its structures, numbers of its system calls, arguments of its tracepoints.

use std::fs;
use std::path::Path;

use rosprobe_common::{CALL_NUMBERS, CallClass, Config, KernelOffsets, LAYOUT_VERSION, Syscalls, UNKNOWN_OFFSET};

use super::btf::{Btf, BtfError};

/// An architecture whose registers and system calls are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// As `uname -m` says.
    pub name: &'static str,
    /// Offset of the system call's number in `struct pt_regs`.
    regs_syscall: u32,
    /// Offsets of its arguments.
    regs_argument: [u32; 6],
    /// The system calls of interest, by name, meaning and number.
    calls: &'static [(&'static str, CallClass, u32)],
    /// Word in `pt_regs`, bits of it, and what they are in a 64-bit program.
    regs_mode: (u32, u32, u32),
    /// Where in `task_struct` a 32-bit system call shows, and which bits of that word.
    compat: (&'static str, u32),
}

/// `arch/x86/entry/syscalls/syscall_64.tbl`, `arch/x86/include/asm/ptrace.h`; `TS_COMPAT` of `thread_info.status`.
pub const X86_64: Architecture = Architecture {
    name: "x86_64",
    calls: &[
        ("read", CallClass::Read, 0),
        ("write", CallClass::Send, 1),
        ("readv", CallClass::Read, 19),
        ("writev", CallClass::Send, 20),
        ("sendfile", CallClass::SendFile, 40),
        ("socket", CallClass::Socket, 41),
        ("connect", CallClass::Connect, 42),
        ("accept", CallClass::Descriptor, 43),
        ("sendto", CallClass::Send, 44),
        ("recvfrom", CallClass::ReceiveFrom, 45),
        ("sendmsg", CallClass::Send, 46),
        ("recvmsg", CallClass::ReceiveMessage, 47),
        ("bind", CallClass::Bind, 49),
        ("setsockopt", CallClass::SetOption, 54),
        ("splice", CallClass::Splice, 275),
        ("accept4", CallClass::Descriptor, 288),
        ("recvmmsg", CallClass::ReceiveBatch, 299),
        ("sendmmsg", CallClass::SendBatch, 307),
        ("preadv2", CallClass::Read, 327),
        ("pwritev2", CallClass::Send, 328),
        ("io_uring_setup", CallClass::Ring, 425),
        ("pidfd_getfd", CallClass::Descriptor, 438),
    ],
    // `__USER_CS`; `int $0x80` of a 64-bit program is not told apart, and no library makes it.
    regs_mode: (17 * 8, 0xffff, 0x33),
    regs_syscall: 15 * 8,
    regs_argument: [14 * 8, 13 * 8, 12 * 8, 7 * 8, 9 * 8, 8 * 8],
    compat: ("thread_info.status", 0x2),
};

/// `include/uapi/asm-generic/unistd.h`, `arch/arm64/include/asm/ptrace.h`; `TIF_32BIT` of `thread_info.flags`.
///
/// The first argument is taken from `orig_x0`, because `regs[0]` becomes the result.
pub const AARCH64: Architecture = Architecture {
    name: "aarch64",
    calls: &[
        ("read", CallClass::Read, 63),
        ("write", CallClass::Send, 64),
        ("readv", CallClass::Read, 65),
        ("writev", CallClass::Send, 66),
        ("sendfile", CallClass::SendFile, 71),
        ("splice", CallClass::Splice, 76),
        ("socket", CallClass::Socket, 198),
        ("bind", CallClass::Bind, 200),
        ("accept", CallClass::Descriptor, 202),
        ("connect", CallClass::Connect, 203),
        ("sendto", CallClass::Send, 206),
        ("recvfrom", CallClass::ReceiveFrom, 207),
        ("setsockopt", CallClass::SetOption, 208),
        ("sendmsg", CallClass::Send, 211),
        ("recvmsg", CallClass::ReceiveMessage, 212),
        ("accept4", CallClass::Descriptor, 242),
        ("recvmmsg", CallClass::ReceiveBatch, 243),
        ("sendmmsg", CallClass::SendBatch, 269),
        ("preadv2", CallClass::Read, 286),
        ("pwritev2", CallClass::Send, 287),
        ("io_uring_setup", CallClass::Ring, 425),
        ("pidfd_getfd", CallClass::Descriptor, 438),
    ],
    // `PSR_MODE32_BIT` of `pstate`.
    regs_mode: (33 * 8, 0x10, 0),
    regs_syscall: 35 * 8,
    regs_argument: [34 * 8, 8, 2 * 8, 3 * 8, 4 * 8, 5 * 8],
    compat: ("thread_info.flags", 1 << 22),
};

/// The architecture of that name.
pub fn architecture(name: &str) -> Option<Architecture> {
    [X86_64, AARCH64].into_iter().find(|architecture| architecture.name == name)
}

impl Architecture {
    /// What each system call means, by its number.
    pub fn classes(&self) -> [u8; CALL_NUMBERS] {
        let mut classes = [CallClass::None as u8; CALL_NUMBERS];
        for (_, class, number) in self.calls {
            if let Some(place) = usize::try_from(*number).ok().and_then(|number| classes.get_mut(number)) {
                *place = *class as u8;
            }
        }
        classes
    }

    /// Numbers of the system calls that carry payload, and of `connect()`.
    pub fn syscalls(&self) -> Syscalls {
        // A number that no call has matches none.
        let number = |name| self.calls.iter().find(|call| call.0 == name).map_or(u32::MAX, |call| call.2);
        Syscalls {
            read: number("read"),
            write: number("write"),
            readv: number("readv"),
            writev: number("writev"),
            preadv2: number("preadv2"),
            pwritev2: number("pwritev2"),
            sendto: number("sendto"),
            recvfrom: number("recvfrom"),
            sendmsg: number("sendmsg"),
            recvmsg: number("recvmsg"),
            sendmmsg: number("sendmmsg"),
            recvmmsg: number("recvmmsg"),
            connect: number("connect"),
        }
    }
}

/// Offsets of a system call tracepoint's fields, read from its `format` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectFields {
    /// `fd` of `sys_enter_connect`.
    pub fd: u32,
    /// `uservaddr` of `sys_enter_connect`.
    pub address: u32,
    /// `addrlen` of `sys_enter_connect`.
    pub length: u32,
    /// `ret` of `sys_exit_connect`.
    pub result: u32,
}

impl ConnectFields {
    /// Where nothing is attached to it.
    pub const UNKNOWN: Self =
        Self { fd: UNKNOWN_OFFSET, address: UNKNOWN_OFFSET, length: UNKNOWN_OFFSET, result: UNKNOWN_OFFSET };

    /// Reads them below a mounted tracefs; the file that does not have them is the error.
    pub fn read(tracefs: &Path) -> Result<Self, String> {
        let file = |name: &str| tracefs.join("events/syscalls").join(name).join("format");
        let (enter, exit) = (file("sys_enter_connect"), file("sys_exit_connect"));
        let text = |path: &Path| {
            fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
        };
        let (entered, exited) = (text(&enter)?, text(&exit)?);
        let find = |text: &str, field: &str, path: &Path| {
            field_offset(text, field).ok_or_else(|| format!("{} has no field {field}", path.display()))
        };
        Ok(Self {
            fd: find(&entered, "fd", &enter)?,
            address: find(&entered, "uservaddr", &enter)?,
            length: find(&entered, "addrlen", &enter)?,
            result: find(&exited, "ret", &exit)?,
        })
    }
}

/// Offset of a field in a tracepoint's `format`: `field:int fd; offset:16; size:8; signed:0;`.
fn field_offset(format: &str, name: &str) -> Option<u32> {
    format.lines().find_map(|line| {
        let mut parts = line.trim().strip_prefix("field:")?.split(';').map(str::trim);
        let declared = parts.next()?.rsplit([' ', '*']).next()?;
        let offset = parts.find_map(|part| part.strip_prefix("offset:"))?;
        if declared == name { offset.parse().ok() } else { None }
    })
}

/// What is given wrong to the programs, to test that this is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Misplaced {
    SkcDaddr,
    SkcNum,
    SkcNet,
    SkProtocol,
    FilePrivateData,
    Arguments,
    /// Where the tracepoints of `connect()` have its address.
    TracepointAddress,
}

impl Misplaced {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::SkcDaddr,
        Self::SkcNum,
        Self::SkcNet,
        Self::SkProtocol,
        Self::FilePrivateData,
        Self::Arguments,
        Self::TracepointAddress,
    ];

    /// Moves it to where something else is.
    pub(super) fn misplace(self, offsets: &mut KernelOffsets) {
        match self {
            Self::SkcDaddr => offsets.skc_daddr = offsets.skc_rcv_saddr + 4,
            Self::SkcNum => offsets.skc_num = offsets.skc_family,
            Self::SkcNet => offsets.net_inum = offsets.net_inum.wrapping_sub(8),
            Self::SkProtocol => offsets.sk_protocol += 2,
            Self::FilePrivateData => offsets.file_private_data += 8,
            Self::Arguments => offsets.regs_argument.rotate_left(1),
            Self::TracepointAddress => offsets.enter_address = offsets.enter_length,
        }
    }
}

/// Everything that the programs have to know of this kernel.
pub fn config(
    btf: &Btf<'_>,
    architecture: &Architecture,
    connect: ConnectFields,
    payload_limit: u32,
    log: bool,
    system_calls: bool,
) -> Result<Config, BtfError> {
    Ok(with_offsets(offsets(btf, architecture, connect)?, architecture, payload_limit, log, system_calls))
}

/// The same by offsets that are known.
pub fn with_offsets(
    offsets: KernelOffsets,
    architecture: &Architecture,
    payload_limit: u32,
    log: bool,
    system_calls: bool,
) -> Config {
    Config {
        layout_version: LAYOUT_VERSION,
        payload_limit,
        log: u32::from(log),
        system_calls: u32::from(system_calls),
        offsets,
        syscalls: architecture.syscalls(),
    }
}

/// What an architecture says of itself; nothing is known of the kernel's structures.
pub fn registers_alone(architecture: &Architecture) -> KernelOffsets {
    let (_, task_compat_mask) = architecture.compat;
    let (regs_mode, regs_mode_mask, regs_mode_native) = architecture.regs_mode;
    let unknown = UNKNOWN_OFFSET;
    KernelOffsets {
        skc_daddr: unknown,
        skc_rcv_saddr: unknown,
        skc_dport: unknown,
        skc_num: unknown,
        skc_family: unknown,
        skc_state: unknown,
        skc_v6_daddr: unknown,
        skc_v6_rcv_saddr: unknown,
        skc_net: unknown,
        skc_cookie: unknown,
        net_inum: unknown,
        sk_protocol: unknown,
        sk_err: unknown,
        sk_err_soft: unknown,
        write_seq: unknown,
        snd_una: unknown,
        socket_sk: unknown,
        socket_file: unknown,
        file_private_data: unknown,
        file_inode: unknown,
        inode_number: unknown,
        task_files: unknown,
        files_fdt: unknown,
        fdtable_fd: unknown,
        fdtable_max_fds: unknown,
        task_flags: unknown,
        task_tgid: unknown,
        task_signal: unknown,
        signal_live: unknown,
        task_compat: unknown,
        task_compat_mask,
        regs_syscall: architecture.regs_syscall,
        regs_argument: architecture.regs_argument,
        regs_mode,
        regs_mode_mask,
        regs_mode_native,
        enter_fd: unknown,
        enter_address: unknown,
        enter_length: unknown,
        exit_result: unknown,
    }
}

fn offsets(btf: &Btf<'_>, architecture: &Architecture, connect: ConnectFields) -> Result<KernelOffsets, BtfError> {
    let common = |member| btf.offset("sock_common", member);
    let maybe = |found: Result<u32, BtfError>| found.unwrap_or(UNKNOWN_OFFSET);
    Ok(KernelOffsets {
        skc_daddr: common("skc_daddr")?,
        skc_rcv_saddr: common("skc_rcv_saddr")?,
        skc_dport: common("skc_dport")?,
        skc_num: common("skc_num")?,
        skc_family: common("skc_family")?,
        skc_state: common("skc_state")?,
        // A kernel without IPv6 has no such members.
        skc_v6_daddr: maybe(common("skc_v6_daddr")),
        skc_v6_rcv_saddr: maybe(common("skc_v6_rcv_saddr")),
        skc_net: maybe(common("skc_net.net")),
        skc_cookie: common("skc_cookie")?,
        net_inum: maybe(btf.offset("net", "ns.inum")),
        sk_protocol: btf.offset("sock", "sk_protocol")?,
        sk_err: btf.offset("sock", "sk_err")?,
        sk_err_soft: maybe(btf.offset("sock", "sk_err_soft")),
        write_seq: maybe(btf.offset("tcp_sock", "write_seq")),
        snd_una: maybe(btf.offset("tcp_sock", "snd_una")),
        socket_sk: btf.offset("socket", "sk")?,
        socket_file: btf.offset("socket", "file")?,
        file_private_data: btf.offset("file", "private_data")?,
        file_inode: btf.offset("file", "f_inode")?,
        inode_number: btf.offset("inode", "i_ino")?,
        task_files: btf.offset("task_struct", "files")?,
        files_fdt: btf.offset("files_struct", "fdt")?,
        fdtable_fd: btf.offset("fdtable", "fd")?,
        fdtable_max_fds: btf.offset("fdtable", "max_fds")?,
        task_flags: btf.offset("task_struct", "flags")?,
        task_tgid: btf.offset("task_struct", "tgid")?,
        task_signal: btf.offset("task_struct", "signal")?,
        signal_live: btf.offset("signal_struct", "live")?,
        task_compat: btf.offset("task_struct", architecture.compat.0)?,
        enter_fd: connect.fd,
        enter_address: connect.address,
        enter_length: connect.length,
        exit_result: connect.result,
        ..registers_alone(architecture)
    })
}

#[cfg(test)]
mod tests;
