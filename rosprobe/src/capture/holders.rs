//! Processes that had internet sockets before the capture began, from `/proc`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya::Ebpf;
use aya::maps::HashMap as BpfHashMap;
use nix::libc;

use super::capture_error::CaptureError;
use super::existing::processes;

/// Descriptors of one process that are looked at.
const DESCRIPTOR_LIMIT: usize = 64 * 1024;
/// Protocols of internet sockets, as the kernel calls them (`struct proto`).
const INTERNET: [&[u8]; 5] = [b"TCP", b"TCPv6", b"UDP", b"UDPv6", b"MPTCP"];

/// Has the calls of these processes looked at. What is to be said of those whose descriptors could not be read.
pub(super) fn remember(ebpf: &mut Ebpf, proc: &Path) -> Result<Option<String>, CaptureError> {
    let map = ebpf.map_mut("HOLDERS").ok_or(CaptureError::Missing("HOLDERS"))?;
    let mut known: BpfHashMap<_, u32, u8> = BpfHashMap::try_from(map).map_err(CaptureError::map("HOLDERS"))?;
    let mut forbidden = 0;
    for (pid, folder) in processes(proc) {
        match holds(&folder.join("fd")) {
            Ok(true) => known.insert(pid, 1, 0).map_err(CaptureError::map("HOLDERS"))?,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => forbidden += 1,
            // A process that ends meanwhile has none.
            Ok(false) | Err(_) => {}
        }
    }
    Ok((forbidden > 0).then(|| {
        format!(
            "the open sockets of {} cannot be looked for in /proc, so that connections from before are not seen: \
             CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing; run rosprobe with sudo",
            if forbidden == 1 { "1 process".to_owned() } else { format!("{forbidden} processes") }
        )
    }))
}

/// Whether a process has a descriptor of an internet socket, of whatever network namespace.
fn holds(descriptors: &Path) -> io::Result<bool> {
    let descriptors = fs::read_dir(descriptors)?.flatten().take(DESCRIPTOR_LIMIT);
    let is_socket = |path: &Path| fs::read_link(path).is_ok_and(|to| to.as_os_str().as_bytes().starts_with(b"socket:"));
    Ok(descriptors.map(|descriptor| descriptor.path()).any(|path| is_socket(&path) && is_internet(&path)))
}

/// Whether the socket behind a descriptor is of the internet: sockfs has the name of its protocol as an extended attribute, so that no
/// table of any network namespace has to be read.
fn is_internet(descriptor: &Path) -> bool {
    let Ok(path) = CString::new(descriptor.as_os_str().as_bytes()) else { return false };
    let mut name = [0u8; 32];
    // SAFETY: both names end with zero, and the buffer has the length that is given.
    let length = unsafe {
        libc::getxattr(path.as_ptr(), c"system.sockprotoname".as_ptr(), name.as_mut_ptr().cast(), name.len())
    };
    let name = usize::try_from(length).ok().and_then(|length| name.get(..length)).unwrap_or_default();
    INTERNET.contains(&name.split(|byte| *byte == 0).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    use super::*;

    fn path(socket: &impl std::os::fd::AsRawFd) -> PathBuf {
        format!("/proc/self/fd/{}", socket.as_raw_fd()).into()
    }

    #[test]
    fn sockets_of_the_internet_are_told_from_others() {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (unix, file) = (UnixDatagram::unbound().unwrap(), fs::File::open("/dev/null").unwrap());
        assert_eq!([path(&tcp), path(&udp)].map(|path| is_internet(&path)), [true, true]);
        assert_eq!([path(&unix), path(&file)].map(|path| is_internet(&path)), [false, false]);
        assert!(!is_internet(Path::new("/proc/self/fd/-1")));
        assert!(holds(Path::new("/proc/self/fd")).unwrap(), "with {}", tcp.as_raw_fd());
    }
}
