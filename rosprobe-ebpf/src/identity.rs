//! What a socket is called. Where the kernel gives cookies to programs, by its cookie; programs at raw tracepoints have to number
//! sockets themselves.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;

use crate::kernel::{self, AF_INET, AF_INET6, Held, TCP};
use crate::maps::{IDENTITIES, Identity, NUMBERS, config};

/// The number of a socket that no descriptor led to; a new one for a socket that had none. TCP sockets alone: their end is seen.
#[inline(always)]
pub fn of_socket(sk: u64) -> u64 {
    of_inode(sk, 0)
}

/// The number of a socket behind a descriptor whose file has that inode number. UDP sockets end unseen, and the next one may be at the
/// same address: by its inode it is another. Of TCP sockets the inode is 0.
#[inline(never)]
pub fn of_inode(sk: u64, inode: u64) -> u64 {
    if let Some(identity) = IDENTITIES.get_ptr(&sk) {
        // SAFETY: memory of the map.
        let (number, of) = unsafe { ((*identity).number, (*identity).inode) };
        if of == inode {
            return number;
        }
    }
    let number = own_number();
    let _ = IDENTITIES.insert(&sk, &Identity { number, inode }, 0);
    number
}

/// The number of a socket that a descriptor leads to; 0 for one that is not of the internet.
#[inline(always)]
pub fn of_held(held: &Held) -> u64 {
    let family = kernel::family(held.sk);
    if family != AF_INET && family != AF_INET6 {
        return 0;
    }
    if kernel::protocol(held.sk) == TCP { of_socket(held.sk) } else { of_inode(held.sk, held.inode()) }
}

/// What the socket `sk` behind a descriptor is called already; 0 for nothing.
#[inline(always)]
pub fn of_descriptor(fd: i32, sk: u64) -> u64 {
    if config!(system_calls) == 0 {
        return kernel::cookie(sk);
    }
    Held::of(fd).map_or(0, |held| of_held(&held))
}

/// What a socket is called already; 0 for nothing.
#[inline(always)]
pub fn existing(sk: u64) -> u64 {
    if config!(system_calls) == 0 {
        return kernel::cookie(sk);
    }
    // SAFETY: memory of the map.
    IDENTITIES.get_ptr(&sk).map_or(0, |identity| unsafe { (*identity).number })
}

/// The socket is gone; what it was called, or 0.
#[inline(always)]
pub fn ended(sk: u64) -> u64 {
    let number = existing(sk);
    let _ = IDENTITIES.remove(&sk);
    number
}

/// A name for a socket that the kernel has not named: one whose connect() failed before anything changed.
#[inline(always)]
pub fn own_number() -> u64 {
    // SAFETY: a helper without arguments.
    let processor = u64::from(unsafe { bpf_get_smp_processor_id() });
    let number = NUMBERS.get_ptr_mut(0).map_or(0, |number| {
        // SAFETY: this processor's own counter.
        unsafe {
            *number += 1;
            *number
        }
    });
    1 << 63 | processor << 44 | number
}
