//! System calls by what they mean for sockets, for the hook at the end of every system call.

/// What a system call means. [`CallClass::None`] in the table is left alone.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallClass {
    /// Nothing to do with sockets.
    None = 0,
    /// One send: `write`, `writev`, `pwritev2`, `sendto`, `sendmsg`.
    Send = 1,
    /// One receive without flags: `read`, `readv`, `preadv2`.
    Read = 2,
    /// `recvfrom`: flags are its fourth argument.
    ReceiveFrom = 3,
    /// `recvmsg`: flags are its third argument, and descriptors may come with it.
    ReceiveMessage = 4,
    /// `sendmmsg`: each message has its own length.
    SendBatch = 5,
    /// `recvmmsg`: descriptors may come with each message.
    ReceiveBatch = 6,
    /// `sendfile`: its first argument is where bytes went.
    SendFile = 7,
    /// `splice`: from its first argument to its third.
    Splice = 8,
    /// `connect`.
    Connect = 9,
    /// `bind`.
    Bind = 10,
    /// `setsockopt`.
    SetOption = 11,
    /// `socket`: the process has a socket from now on.
    Socket = 12,
    /// A call that returns a descriptor which may be a socket's: `accept`, `accept4`, `pidfd_getfd`.
    Descriptor = 13,
    /// `io_uring_setup`: descriptors may come without a call from now on.
    Ring = 14,
}

impl CallClass {
    /// Whether processes are looked at that are not known to have a socket.
    #[inline]
    pub const fn is_origin(number: u8) -> bool {
        number == Self::Socket as u8
            || number == Self::Descriptor as u8
            || number == Self::ReceiveMessage as u8
            || number == Self::ReceiveBatch as u8
            || number == Self::Ring as u8
    }
}

/// Numbers that the table of classes has places for. Linux counts new system calls in one row for all architectures, from 424 on.
pub const CALL_NUMBERS: usize = 512;
