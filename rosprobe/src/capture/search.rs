//! Offsets in the kernel's structures where the kernel does not describe them (no BTF): searched on sockets of rosprobe's own, of which
//! everything is known. What is found is found on each of several sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fs, io, thread};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, getsockopt, socket, sockopt};
use nix::sys::stat::fstat;
use rosprobe_common::{KernelOffsets, UNKNOWN_OFFSET};

use super::calibration::cookie;
use super::capture_error::SearchError;
use super::kernel::{self, Architecture};
use super::peek::{Memory, u32_at, u64_at};

/// Largest `task_struct` that is looked through, in bytes.
const TASK_LIMIT: usize = 16 * 1024;
/// How much of a file, of a `struct socket`, and of a `struct sock` is looked through.
const FILE: usize = 512;
const SOCKET: usize = 64;
const SOCK: usize = 1024;
/// `files_struct.fdt`, `fdtable.max_fds` and `fdtable.fd`, the same since long before Linux 5.8.
const FDT: u32 = 32;
const MAX_FDS: u32 = 0;
const FDS: u32 = 8;
/// `signal_struct.live`, likewise.
const LIVE: u32 = 4;
/// The beginning of `struct sock_common`, likewise: both addresses, both ports, family and state.
const HEAD: [u32; 6] = [0, 4, 12, 14, 16, 18];

/// How often one member is asked whether it counts the threads, and how long after one that ended is no longer counted.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(2);

/// Sockets that are connected, and one that failed to.
struct Known {
    stream: Socket,
    datagrams: Socket,
    /// `None` where there is no IPv6.
    six: Option<OwnedFd>,
    /// Its error has not been asked for.
    refused: OwnedFd,
    net_namespace: u32,
    _others: Vec<OwnedFd>,
}

/// A socket from 127.0.0.2 to 127.0.0.3.
struct Socket {
    fd: OwnedFd,
    local: u16,
    remote: u16,
    inode: u64,
    cookie: u64,
}

impl Socket {
    fn of(fd: OwnedFd, local: SocketAddr, remote: SocketAddr) -> io::Result<Self> {
        let (inode, cookie) = (fstat(&fd)?.st_ino, cookie(&fd)?);
        Ok(Self { fd, local: local.port(), remote: remote.port(), inode, cookie })
    }

    /// Whether that is the beginning of its `struct sock`.
    fn begins(&self, head: &[u8]) -> bool {
        let [daddr, saddr, dport, num, family, state] = HEAD.map(|at| at as usize);
        let word = |at| u32_at(head, at).unwrap_or(0).to_ne_bytes();
        let half = |at: usize| head.get(at..at + 2).map_or([0; 2], |bytes| [bytes[0], bytes[1]]);
        word(daddr) == [127, 0, 0, 3]
            && word(saddr) == [127, 0, 0, 2]
            && half(dport) == self.remote.to_be_bytes()
            && half(num) == self.local.to_ne_bytes()
            && half(family) == 2u16.to_ne_bytes()
            && head.get(state) == Some(&1)
    }
}

impl Known {
    fn make() -> io::Result<Self> {
        let (near, far) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
        let listener = TcpListener::bind((far, 0))?;
        let target = listener.local_addr()?;
        let make = |kind, flags| socket(AddressFamily::Inet, kind, flags | SockFlag::SOCK_CLOEXEC, None);
        let address = |ip, port| SockaddrIn::from(std::net::SocketAddrV4::new(ip, port));
        let stream = make(SockType::Stream, SockFlag::empty())?;
        bind(stream.as_raw_fd(), &address(near, 0))?;
        connect(stream.as_raw_fd(), &address(far, target.port()))?;
        let stream = TcpStream::from(stream);
        let local = stream.local_addr()?;
        let other = UdpSocket::bind((far, 0))?;
        let datagrams = UdpSocket::bind((near, 0))?;
        datagrams.connect(other.local_addr()?)?;
        let datagram_ends = (datagrams.local_addr()?, other.local_addr()?);
        // Bound and not listening: a refusal.
        let (closed, refused) =
            (make(SockType::Stream, SockFlag::empty())?, make(SockType::Stream, SockFlag::SOCK_NONBLOCK)?);
        bind(closed.as_raw_fd(), &address(far, 0))?;
        let port = nix::sys::socket::getsockname::<SockaddrIn>(closed.as_raw_fd())?.port();
        let _ = connect(refused.as_raw_fd(), &address(far, port));
        let listener_of_six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
        let six =
            listener_of_six.as_ref().ok().and_then(|listener| TcpStream::connect(listener.local_addr().ok()?).ok());
        let mut others = vec![OwnedFd::from(listener), other.into(), closed];
        others.extend(listener_of_six.map(OwnedFd::from));
        Ok(Self {
            stream: Socket::of(stream.into(), local, target)?,
            datagrams: Socket::of(datagrams.into(), datagram_ends.0, datagram_ends.1)?,
            six: six.map(OwnedFd::from),
            refused,
            net_namespace: u32::try_from(fs::metadata("/proc/thread-self/ns/net")?.ino()).unwrap_or(u32::MAX),
            _others: others,
        })
    }
}

/// The way from a file to its `struct sock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    private_data: u32,
    socket_file: u32,
    socket_sk: u32,
}

/// All that syscall mode needs. In a thread of its own, whose number is not its process's.
pub(super) fn offsets(memory: Memory, architecture: &Architecture) -> Result<KernelOffsets, SearchError> {
    thread::scope(|scope| {
        let search = scope.spawn(|| Search::new(memory)?.all(architecture));
        search.join().unwrap_or(Err(SearchError::NotFound("the current task")))
    })
}

struct Search {
    memory: Memory,
    known: Known,
    task: Vec<u8>,
}

impl Search {
    fn new(mut memory: Memory) -> Result<Self, SearchError> {
        let known = Known::make()?;
        let task = memory.task().and_then(|task| memory.read_most(task, TASK_LIMIT));
        let task = task.ok_or(SearchError::NotFound("the current task"))?;
        Ok(Self { memory, known, task })
    }

    fn all(mut self, architecture: &Architecture) -> Result<KernelOffsets, SearchError> {
        let mut offsets = kernel::registers_alone(architecture);
        [
            offsets.skc_daddr,
            offsets.skc_rcv_saddr,
            offsets.skc_dport,
            offsets.skc_num,
            offsets.skc_family,
            offsets.skc_state,
        ] = HEAD;
        (offsets.files_fdt, offsets.fdtable_max_fds, offsets.fdtable_fd) = (FDT, MAX_FDS, FDS);
        offsets.task_tgid = self.tgid().ok_or(SearchError::NotFound("task_struct.tgid"))?;
        let (files, way) = self.files().ok_or(SearchError::NotFound("task_struct.files"))?;
        offsets.task_files = files;
        (offsets.file_private_data, offsets.socket_file, offsets.socket_sk) =
            (way.private_data, way.socket_file, way.socket_sk);
        let inode = self.inode(files, way).ok_or(SearchError::NotFound("file.f_inode"))?;
        (offsets.file_inode, offsets.inode_number) = inode;
        self.sock(files, way, &mut offsets)?;
        let signal = self.signal(files).ok_or(SearchError::NotFound("task_struct.signal"))?;
        (offsets.task_signal, offsets.signal_live) = (signal, LIVE);
        Ok(offsets)
    }

    /// The thread's number, and behind it the process's.
    fn tgid(&self) -> Option<u32> {
        let (thread, process) = (nix::unistd::gettid().as_raw(), nix::unistd::getpid().as_raw());
        let numbers = [thread.to_ne_bytes(), process.to_ne_bytes()].concat();
        let at = (0..self.task.len()).step_by(4).find(|at| self.task.get(*at..at + 8) == Some(&numbers[..]))?;
        u32::try_from(at + 4).ok()
    }

    /// The table of descriptors: the pointer from which the known descriptors lead to their sockets.
    fn files(&mut self) -> Option<(u32, Way)> {
        for at in (0..self.task.len()).step_by(8) {
            let Some(files) = pointer(&self.task, at) else { continue };
            let fds = [self.known.stream.fd.as_raw_fd(), self.known.datagrams.fd.as_raw_fd()];
            let [Some(stream), Some(datagrams)] = fds.map(|fd| self.file(files, fd)) else { continue };
            let way = way(&mut self.memory, stream, &self.known.stream);
            if way.is_some() && way == self::way(&mut self.memory, datagrams, &self.known.datagrams) {
                return Some((u32::try_from(at).ok()?, way?));
            }
        }
        None
    }

    /// The file behind a descriptor of a `files_struct`.
    fn file(&mut self, files: u64, fd: i32) -> Option<u64> {
        let fdt = pointer(&self.memory.read(files, SOCKET)?, FDT as usize)?;
        let table = self.memory.read(fdt, 16)?;
        let (count, array) = (u32_at(&table, MAX_FDS as usize)?, pointer(&table, FDS as usize)?);
        let fd = u32::try_from(fd).ok()?;
        if count % 64 != 0 || count > 1 << 30 || fd >= count {
            return None;
        }
        pointer(&self.memory.read(array + u64::from(fd) * 8, 8)?, 0)
    }

    fn file_of(&mut self, files: u32, fd: i32) -> Option<u64> {
        let files = pointer(&self.task, files as usize)?;
        self.file(files, fd)
    }

    fn sk_of(&mut self, files: u32, way: Way, fd: i32) -> Option<Vec<u8>> {
        let file = self.file_of(files, fd)?;
        let socket = pointer(&self.memory.read(file, FILE)?, way.private_data as usize)?;
        let sk = pointer(&self.memory.read(socket, SOCKET)?, way.socket_sk as usize)?;
        self.memory.read(sk, SOCK)
    }

    /// `file.f_inode` and `inode.i_ino`. The socket has its inode behind it, which is another way to the same number.
    fn inode(&mut self, files: u32, way: Way) -> Option<(u32, u32)> {
        let own = [(self.known.stream.fd.as_raw_fd(), self.known.stream.inode)];
        let other = [(self.known.datagrams.fd.as_raw_fd(), self.known.datagrams.inode)];
        let [first, second] = [own, other].map(|[(fd, inode)]| {
            let file = self.file_of(files, fd).and_then(|file| self.memory.read(file, FILE)).unwrap_or_default();
            let mut found = Vec::new();
            for at in (0..file.len()).step_by(8).filter(|at| *at != way.private_data as usize) {
                let target = pointer(&file, at).and_then(|inode| self.memory.read(inode, FILE / 2)).unwrap_or_default();
                let numbers = (0..target.len()).step_by(8).filter(|number| u64_at(&target, *number) == Some(inode));
                found.extend(numbers.map(|number| (at, number)));
            }
            found
        });
        let (at, number) = first.into_iter().find(|place| second.contains(place))?;
        Some((u32::try_from(at).ok()?, u32::try_from(number).ok()?))
    }

    fn sock(&mut self, files: u32, way: Way, offsets: &mut KernelOffsets) -> Result<(), SearchError> {
        let of = |this: &mut Self, fd: i32| this.sk_of(files, way, fd).ok_or(SearchError::NotFound("socket.sk"));
        let (stream_fd, datagrams_fd) = (self.known.stream.fd.as_raw_fd(), self.known.datagrams.fd.as_raw_fd());
        let (stream, datagrams) = (of(self, stream_fd)?, of(self, datagrams_fd)?);
        let find = |name, size: usize, is: &dyn Fn(usize) -> bool| {
            let at = (0..SOCK - size).step_by(size).find(|at| is(*at)).and_then(|at| u32::try_from(at).ok());
            at.ok_or(SearchError::NotFound(name))
        };
        let half = |bytes: &[u8], at: usize| bytes.get(at..at + 2).map(|two| u16::from_ne_bytes([two[0], two[1]]));
        let cookies = [self.known.stream.cookie, self.known.datagrams.cookie].map(Some);
        offsets.skc_cookie =
            find("sock_common.skc_cookie", 8, &|at| [u64_at(&stream, at), u64_at(&datagrams, at)] == cookies)?;
        offsets.sk_protocol =
            find("sock.sk_protocol", 2, &|at| [half(&stream, at), half(&datagrams, at)] == [Some(6), Some(17)])?;
        if let Some(six) = self.known.six.as_ref().map(AsRawFd::as_raw_fd) {
            let six = of(self, six)?;
            let twice = [Ipv6Addr::LOCALHOST.octets(), Ipv6Addr::LOCALHOST.octets()].concat();
            let at = find("sock_common.skc_v6_daddr", 4, &|at| six.get(at..at + 32) == Some(&twice[..]))?;
            (offsets.skc_v6_daddr, offsets.skc_v6_rcv_saddr) = (at, at + 16);
        }
        let refused = self.known.refused.as_raw_fd();
        let before = of(self, refused)?;
        // Asking takes it away.
        let _ = getsockopt(&self.known.refused, sockopt::SocketError);
        let after = of(self, refused)?;
        let refusal = [Some(nix::libc::ECONNREFUSED.unsigned_abs()), Some(0), Some(0)];
        offsets.sk_err =
            find("sock.sk_err", 4, &|at| [u32_at(&before, at), u32_at(&after, at), u32_at(&stream, at)] == refusal)?;
        let (net, inum) = self.net(&stream).ok_or(SearchError::NotFound("sock_common.skc_net"))?;
        (offsets.skc_net, offsets.net_inum) = (net, inum);
        Ok(())
    }

    /// The network namespace, and in it its inode.
    fn net(&mut self, sk: &[u8]) -> Option<(u32, u32)> {
        for at in (0..SOCK).step_by(8) {
            let Some(net) = pointer(sk, at).and_then(|net| self.memory.read(net, SOCK)) else { continue };
            let inum = (0..net.len()).step_by(4).find(|inum| u32_at(&net, *inum) == Some(self.known.net_namespace));
            if let Some(inum) = inum {
                return Some((u32::try_from(at).ok()?, u32::try_from(inum).ok()?));
            }
        }
        None
    }

    /// What threads share, a few members behind the table of descriptors: it counts them, and one more when there is one more.
    fn signal(&mut self, files: u32) -> Option<u32> {
        (1..=8).map(|step| files + step * 8).find(|at| {
            let Some(signal) = pointer(&self.task, *at as usize) else { return false };
            let mut live = || u32_at(&self.memory.read(signal, SOCKET)?, LIVE as usize);
            // Threads of others begin and end meanwhile, and one that has been waited for is counted a moment longer.
            (0..TRIES).any(|_| {
                let (Some(counted), Some(before)) = (threads(), live()) else { return false };
                if before.abs_diff(counted) > 1 {
                    return false;
                }
                let (go, wait) = channel::<()>();
                let more = thread::spawn(move || wait.recv());
                let during = live();
                drop(go);
                let _ = more.join();
                let found = before == counted && during == before.checked_add(1);
                if !found {
                    thread::sleep(BETWEEN_TRIES);
                }
                found
            })
        })
    }
}

/// How many threads this process has.
fn threads() -> Option<u32> {
    u32::try_from(fs::read_dir("/proc/self/task").ok()?.count()).ok()
}

/// How one gets from a file to its `struct sock`, if it is this socket's.
fn way(memory: &mut Memory, file: u64, known: &Socket) -> Option<Way> {
    let members = memory.read(file, FILE)?;
    for private_data in (0..FILE).step_by(8) {
        let Some(socket) = pointer(&members, private_data).and_then(|socket| memory.read(socket, SOCKET)) else {
            continue;
        };
        let places = || (0..SOCKET).step_by(8);
        let Some(socket_file) = places().find(|at| pointer(&socket, *at) == Some(file)) else { continue };
        let mut leads = |at: usize| {
            let head = pointer(&socket, at).and_then(|sk| memory.read(sk, SOCKET));
            head.is_some_and(|head| known.begins(&head))
        };
        if let Some(socket_sk) = places().find(|at| leads(*at)) {
            let [private_data, socket_file, socket_sk] =
                [private_data, socket_file, socket_sk].map(|at| u32::try_from(at).unwrap_or(UNKNOWN_OFFSET));
            return Some(Way { private_data, socket_file, socket_sk });
        }
    }
    None
}

/// An address of the kernel's.
fn pointer(bytes: &[u8], at: usize) -> Option<u64> {
    u64_at(bytes, at).filter(|pointer| pointer >> 56 == 0xff && pointer % 8 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::btf::{Btf, VMLINUX};
    use crate::capture::kernel::{ConnectFields, architecture};

    #[test]
    #[ignore = "needs root and a kernel that loads eBPF"]
    fn what_is_searched_on_the_running_kernel_is_what_its_types_say() {
        let ours = architecture(std::env::consts::ARCH).unwrap();
        let searched = offsets(Memory::open().unwrap(), &ours).unwrap();
        let bytes = fs::read(VMLINUX).unwrap();
        let types = Btf::parse(&bytes).unwrap();
        let described = kernel::config(&types, &ours, ConnectFields::UNKNOWN, 0, false, true).unwrap().offsets;
        let unknown = kernel::registers_alone(&ours);
        // What is not searched stays unknown, and its modes need the types.
        let expected = KernelOffsets {
            sk_err_soft: unknown.sk_err_soft,
            write_seq: unknown.write_seq,
            snd_una: unknown.snd_una,
            task_flags: unknown.task_flags,
            task_compat: unknown.task_compat,
            ..described
        };
        assert_eq!(searched, expected);
    }
}
