//! rosprobe's programs in the kernel: what a task asked of connect(), what became of it, and the first bytes of every conversation.
//!
//! Everything that differs between kernels is in [`maps::CONFIG`]; every program ends in [`emit`].
#![no_std]
#![no_main]
#![expect(clippy::inline_always, reason = "a function that is called costs a frame of the 512 bytes of stack")]

mod connect;
mod emit;
mod kernel;
mod locate;
mod log;
mod maps;
mod process;
mod socket_io;
mod stream;

/// The kernel lets only GPL-compatible programs call some of its helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: nothing here indexes or unwraps, and the verifier would refuse the loop.
    loop {}
}
