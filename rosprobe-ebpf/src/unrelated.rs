//! Sockets of no interest, of which nearly all are on most machines. Each is recognized by one number, without a look-up among all
//! sockets. Who has lost the place to another one is looked up again, and takes it.

use rosprobe_common::UNRELATED_PLACES;

use crate::maps::UNRELATED;

#[inline(always)]
fn place(cookie: u64) -> Option<*mut u64> {
    UNRELATED.get_ptr_mut(cookie as u32 & (UNRELATED_PLACES - 1))
}

/// Whether the socket is of no interest for sure.
#[inline(always)]
pub fn is_known(cookie: u64) -> bool {
    // SAFETY: memory of the map.
    cookie != 0 && place(cookie).map_or(0, |known| unsafe { known.read_volatile() }) == cookie
}

/// The socket is of no interest.
#[inline(always)]
pub fn remember(cookie: u64) {
    set(cookie, cookie);
}

/// The socket begins anew: it may be of interest now.
#[inline(always)]
pub fn forget(cookie: u64) {
    if is_known(cookie) {
        set(cookie, 0);
    }
}

#[inline(always)]
fn set(cookie: u64, known: u64) {
    if let Some(place) = place(cookie) {
        // SAFETY: memory of the map; a whole word, so that nobody sees half of it.
        unsafe { place.write_volatile(known) };
    }
}

const _: () = assert!(UNRELATED_PLACES.is_power_of_two());
