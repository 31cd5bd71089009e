//! What a process asked of a UDP socket: a port, or a multicast group. Both are asked for once, before anything is sent.

use rosprobe_common::{Kind, SocketAddress};

use crate::emit::{Fact, Socket, emit};
use crate::kernel::{self, AF_INET, UDP};
use crate::{identity, process};

/// The first port of RTPS: discovery multicast of domain 0.
const FIRST_PORT: u16 = 7400;
/// 239.255.0.1, where participants of every domain announce themselves.
const DISCOVERY_GROUP: [u8; 4] = [239, 255, 0, 1];

/// bind() of a socket to `asked` returned. A port that the system chooses shows when the socket is used.
#[inline(always)]
pub fn bound(sk: u64, fd: i32, asked: &SocketAddress, result: i32) {
    if asked.port >= FIRST_PORT && kernel::protocol(sk) == UDP {
        tell(sk, asked, &Fact { fd, errno: errno(result), ..Fact::here(Kind::Bound) });
    }
}

/// A socket joined a group, or tried to. `interface` is the IPv4 address of the interface, as it is in memory; 0 for none.
#[inline(always)]
pub fn joined(sk: u64, fd: i32, group: &SocketAddress, interface: u32, result: i32) {
    if kernel::protocol(sk) != UDP {
        return;
    }
    let [a, b, c, d, ..] = group.address;
    // Who finds out names, or devices, joins groups as well.
    let of_discovery = group.family == AF_INET && [a, b, c, d] == DISCOVERY_GROUP;
    if of_discovery || kernel::local_port(sk) >= FIRST_PORT {
        let fact = Fact::here(Kind::MulticastJoined);
        tell(sk, group, &Fact { fd, errno: errno(result), value: interface.into(), ..fact });
    }
}

#[inline(always)]
fn errno(result: i32) -> i32 {
    if result < 0 { -result } else { 0 }
}

#[inline(always)]
fn tell(sk: u64, address: &SocketAddress, fact: &Fact) {
    let cookie = identity::of_descriptor(fact.fd, sk);
    let cookie = if cookie == 0 { identity::own_number() } else { cookie };
    process::remember(fact.pid);
    emit(&Socket { sk, cookie, protocol: UDP, remote: Some(address) }, fact);
}
