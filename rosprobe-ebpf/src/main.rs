//! rosprobe's programs in the kernel: what a task asked of connect(), what became of it, and the first bytes of every conversation.
//!
//! A job has several [`hooks`], because kernels differ; all of them end in the same handlers: [`connect`] and [`bind`] for what a
//! process asked for, [`socket`] for what became of it, [`transfer`] and [`udp`] for payload, [`process`] for processes. What differs besides is in
//! [`maps::CONFIG`].
//!
//! With the feature `bounded` it is another object, for kernels before 5.17: see [`turns`].
#![no_std]
#![no_main]
// The only way to an atomic addition: this target has no atomic types.
#![feature(asm_experimental_arch)]
#![expect(clippy::inline_always, reason = "a function that is called costs a frame of the 512 bytes of stack")]

mod bind;
mod connect;
mod conversation;
mod datagram;
#[cfg(feature = "bounded")]
mod emission;
mod emit;
mod flow;
mod holder;
mod hooks;
mod identity;
mod kernel;
mod locate;
mod log;
mod maps;
mod opening;
mod process;
mod record;
mod rtps;
mod socket;
mod tcpros;
mod transfer;
#[cfg_attr(feature = "bounded", path = "turns/bounded.rs")]
#[cfg_attr(not(feature = "bounded"), path = "turns/looped.rs")]
mod turns;
mod udp;
mod udpros;
mod unrelated;
mod walk;

/// The kernel lets only GPL-compatible programs call some of its helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: nothing here indexes or unwraps, and the verifier would refuse the loop.
    loop {}
}
