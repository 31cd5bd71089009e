//! bind() and setsockopt() by the tracepoints or the kernel's functions at their end: the registers still have the arguments, so that one program does for each.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::{fexit, tracepoint};
use aya_ebpf::programs::{FExitContext, TracePointContext};
use rosprobe_common::SocketAddress;

use super::connect_call::argument;
use crate::bind;
use crate::connect::user_address;
use crate::kernel::{self, AF_INET, AF_INET6};
use crate::locate::Call;
use crate::maps::{config, empty};

/// Levels of setsockopt().
const IPPROTO_IP: u32 = 0;
const IPPROTO_IPV6: u32 = 41;

/// Options that join a group, `linux/in.h` and `linux/in6.h`.
const IP_ADD_MEMBERSHIP: u32 = 35;
const IP_ADD_SOURCE_MEMBERSHIP: u32 = 39;
const IPV6_ADD_MEMBERSHIP: u32 = 20;
const MCAST_JOIN_GROUP: u32 = 42;
const MCAST_JOIN_SOURCE_GROUP: u32 = 46;

#[tracepoint]
fn sys_exit_bind(ctx: TracePointContext) -> u32 {
    if empty() {
        return 0;
    }
    bind_returned(argument(&ctx, config!(offsets.exit_result)) as i32);
    0
}

#[fexit(function = "__sys_bind")]
fn end_bind(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    bind_returned(ctx.arg(3));
    0
}

#[tracepoint]
fn sys_exit_setsockopt(ctx: TracePointContext) -> u32 {
    if empty() {
        return 0;
    }
    setsockopt_returned(argument(&ctx, config!(offsets.exit_result)) as i32);
    0
}

#[fexit(function = "__sys_setsockopt")]
fn end_setsockopt(ctx: FExitContext) -> i32 {
    if empty() {
        return 0;
    }
    setsockopt_returned(ctx.arg(5));
    0
}

#[inline(always)]
pub fn bind_returned(result: i32) {
    let Some(call) = Call::current() else { return };
    let mut asked: SocketAddress = kernel::zeroed();
    if user_address(call.argument::<1>(), call.argument::<2>(), &mut asked) {
        let fd = call.argument::<0>() as i32;
        let sk = kernel::socket_of(fd);
        if sk != 0 {
            bind::bound(sk, fd, &asked, result);
        }
    }
}

#[inline(always)]
pub fn setsockopt_returned(result: i32) {
    let Some(call) = Call::current() else { return };
    let (level, option) = (call.argument::<1>() as u32, call.argument::<2>() as u32);
    if level != IPPROTO_IP && level != IPPROTO_IPV6 {
        return;
    }
    let (value, length) = (call.argument::<3>(), call.argument::<4>());
    let mut group: SocketAddress = kernel::zeroed();
    let mut interface = 0;
    let joins = if option == MCAST_JOIN_GROUP || option == MCAST_JOIN_SOURCE_GROUP {
        // struct group_req: the interface's index, and after eight bytes the group's address.
        user_address(value + 8, length.saturating_sub(8), &mut group)
    } else if level == IPPROTO_IP && (option == IP_ADD_MEMBERSHIP || option == IP_ADD_SOURCE_MEMBERSHIP) {
        membership(value, length, &mut group, &mut interface)
    } else {
        level == IPPROTO_IPV6 && option == IPV6_ADD_MEMBERSHIP && membership_v6(value, length, &mut group)
    };
    if joins {
        let fd = call.argument::<0>() as i32;
        let sk = kernel::socket_of(fd);
        if sk != 0 {
            bind::joined(sk, fd, &group, interface, result);
        }
    }
}

/// `struct ip_mreq`: the group, and the address of an interface.
#[inline(always)]
fn membership(address: u64, length: u64, group: &mut SocketAddress, interface: &mut u32) -> bool {
    let mut words = [0u32; 2];
    // SAFETY: the helper checks the address and writes at most the array.
    let result = unsafe { bpf_probe_read_user(words.as_mut_ptr().cast(), 8, address as *const _) };
    group.family = AF_INET;
    // SAFETY: inside the array, aligned as `SocketAddress` is.
    unsafe { group.address.as_mut_ptr().cast::<u32>().write(words[0]) };
    *interface = words[1];
    result == 0 && length >= 8
}

/// `struct ipv6_mreq`: the group, and the index of an interface.
#[inline(always)]
fn membership_v6(address: u64, length: u64, group: &mut SocketAddress) -> bool {
    let into = group.address.as_mut_ptr();
    // SAFETY: the helper checks the address and writes at most the array.
    let result = unsafe { bpf_probe_read_user(into.cast(), 16, address as *const _) };
    group.family = AF_INET6;
    result == 0 && length >= 20
}
