//! The ladder: which hooks carry `connect()`'s results and payload.

use std::fmt;

use super::hook::Hook;

/// Which hooks carry the payload. All of them end in the same handlers and give the same events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaptureMode {
    /// The kernel's own functions (fentry and fexit), for `connect()` as well: Linux 5.15 with BTF. No system call tracepoint is
    /// attached, so that unrelated system calls cost nothing.
    Fexit,
    /// The tracepoints `sock_send_length` and `sock_recv_length`: Linux 6.3 with BTF. `connect()` is seen by fexit where the kernel lets it
    /// be loaded, else by the tracepoints of its system call.
    Sock,
    /// The end of every system call, one raw tracepoint for `connect()` and payload: Linux 5.8, with or without BTF. It costs every system
    /// call of every process, so it is the last that is tried.
    Syscall,
}

impl CaptureMode {
    /// Every mode, the best first.
    pub const ALL: [Self; 3] = [Self::Sock, Self::Fexit, Self::Syscall];

    /// Its name on the command line, in the status line and in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::Sock => "sock",
            Self::Syscall => "syscall",
        }
    }
}

impl fmt::Display for CaptureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One way up: what is attached together, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What it is called.
    pub mode: CaptureMode,
    /// What is attached, what is likeliest to be refused first.
    pub hooks: &'static [&'static [Hook]],
    /// Whether it sees calls at their end alone, whichever they are.
    pub system_calls: bool,
    /// Whether it uses the tracepoints of `connect()`, whose fields tracefs describes.
    pub connect_calls: bool,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connect = if self.connect_calls { " with the tracepoints of connect()" } else { "" };
        write!(f, "{} mode{connect}", self.mode)
    }
}

/// What processes ask of sockets, by the kernel's functions.
const SOCKET_FUNCTIONS: &[Hook] = &[
    Hook::Entry { function: "inet_stream_connect", program: "begin_stream_connect" },
    Hook::Exit { function: "inet_stream_connect", program: "inet_stream_connect" },
    Hook::Entry { function: "inet_dgram_connect", program: "begin_dgram_connect" },
    Hook::Exit { function: "inet_dgram_connect", program: "inet_dgram_connect" },
    Hook::Exit { function: "__sys_bind", program: "end_bind" },
    Hook::Exit { function: "__sys_setsockopt", program: "end_setsockopt" },
];
/// The same by the system calls.
const SOCKET_CALLS: &[Hook] = &[
    Hook::TracePoint { category: "syscalls", name: "sys_enter_connect", program: "sys_enter_connect" },
    Hook::TracePoint { category: "syscalls", name: "sys_exit_connect", program: "sys_exit_connect" },
    Hook::TracePoint { category: "syscalls", name: "sys_exit_bind", program: "sys_exit_bind" },
    Hook::TracePoint { category: "syscalls", name: "sys_exit_setsockopt", program: "sys_exit_setsockopt" },
];
/// Payload by the tracepoints for it.
const PAYLOAD_TRACEPOINTS: &[Hook] = &[Hook::Btf { name: "sock_send_length" }, Hook::Btf { name: "sock_recv_length" }];
/// Payload by the kernel's functions.
const PAYLOAD_FUNCTIONS: &[Hook] = &[
    Hook::Exit { function: "inet_sendmsg", program: "inet_sendmsg" },
    Hook::Exit { function: "inet_recvmsg", program: "inet_recvmsg" },
    Hook::Exit { function: "inet6_sendmsg", program: "inet6_sendmsg" },
    Hook::Exit { function: "inet6_recvmsg", program: "inet6_recvmsg" },
    Hook::ExitIfThere { function: "inet_sendpage" },
];
/// What becomes of sockets and processes.
const STATES: &[Hook] = &[
    Hook::Btf { name: "inet_sock_set_state" },
    Hook::Btf { name: "inet_sk_error_report" },
    Hook::Btf { name: "tcp_retransmit_skb" },
    Hook::Btf { name: "tcp_destroy_sock" },
    Hook::Btf { name: "sched_process_exit" },
    Hook::Btf { name: "sched_process_fork" },
];

/// Everything at the end of system calls. First what takes longest to load: what states say of calls that nobody sees would be half a story.
const CALL_ENDS: &[Hook] = &[
    Hook::Raw { name: "sys_exit", program: "sys_exit" },
    Hook::Raw { name: "inet_sock_set_state", program: "raw_set_state" },
    Hook::RawOr {
        name: "inet_sk_error_report",
        program: "raw_error_report",
        before: ("inet_sock_set_state", "raw_closed"),
    },
    Hook::Raw { name: "tcp_retransmit_skb", program: "raw_retransmit" },
    Hook::Raw { name: "tcp_destroy_sock", program: "raw_destroy" },
    Hook::Raw { name: "sched_process_exit", program: "raw_process_exit" },
    Hook::Raw { name: "sched_process_fork", program: "raw_process_fork" },
];

/// The rungs of each mode, the best first.
pub const LADDER: [Rung; 4] = [
    Rung {
        mode: CaptureMode::Sock,
        hooks: &[SOCKET_FUNCTIONS, PAYLOAD_TRACEPOINTS, STATES],
        system_calls: false,
        connect_calls: false,
    },
    Rung {
        mode: CaptureMode::Sock,
        hooks: &[PAYLOAD_TRACEPOINTS, SOCKET_CALLS, STATES],
        system_calls: false,
        connect_calls: true,
    },
    Rung {
        mode: CaptureMode::Fexit,
        hooks: &[SOCKET_FUNCTIONS, PAYLOAD_FUNCTIONS, STATES],
        system_calls: false,
        connect_calls: false,
    },
    Rung { mode: CaptureMode::Syscall, hooks: &[CALL_ENDS], system_calls: true, connect_calls: false },
];
