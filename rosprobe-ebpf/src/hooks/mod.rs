//! Where the kernel calls: one file a kind of hook. A hook finds out socket, result and user memory, and calls a handler.

mod connect_call;
mod fexit;
mod peek;
mod process;
mod raw_state;
mod sock_length;
mod socket_call;
mod socket_state;
mod system_call;
