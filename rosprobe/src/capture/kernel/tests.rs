mod headers;

use std::fs;

use nix::libc;
use rosprobe_common::Syscalls;

use super::{AARCH64, ConnectFields, architecture, field_offset};

const ENTER: &str = "name: sys_enter_connect
ID: 1464
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;
\tfield:int fd;\toffset:16;\tsize:8;\tsigned:0;
\tfield:struct sockaddr * uservaddr;\toffset:24;\tsize:8;\tsigned:0;
\tfield:int addrlen;\toffset:32;\tsize:8;\tsigned:0;

print fmt: \"fd: 0x%08lx, uservaddr: 0x%08lx\", ((unsigned long)(REC->fd)), ((unsigned long)(REC->uservaddr))
";
const EXIT: &str = "name: sys_exit_connect\nformat:\n\tfield:long ret;\toffset:16;\tsize:8;\tsigned:1;\n";

fn named(syscalls: &Syscalls) -> [(&'static str, u32); 13] {
    [
        ("read", syscalls.read),
        ("write", syscalls.write),
        ("readv", syscalls.readv),
        ("writev", syscalls.writev),
        ("preadv2", syscalls.preadv2),
        ("pwritev2", syscalls.pwritev2),
        ("sendto", syscalls.sendto),
        ("recvfrom", syscalls.recvfrom),
        ("sendmsg", syscalls.sendmsg),
        ("recvmsg", syscalls.recvmsg),
        ("sendmmsg", syscalls.sendmmsg),
        ("recvmmsg", syscalls.recvmmsg),
        ("connect", syscalls.connect),
    ]
}

#[test]
fn the_running_architectures_numbers_are_those_of_its_c_library() {
    let numbers = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_preadv2,
        libc::SYS_pwritev2,
        libc::SYS_sendto,
        libc::SYS_recvfrom,
        libc::SYS_sendmsg,
        libc::SYS_recvmsg,
        libc::SYS_sendmmsg,
        libc::SYS_recvmmsg,
        libc::SYS_connect,
    ];
    let ours = architecture(std::env::consts::ARCH).unwrap().syscalls();
    assert_eq!(named(&ours).map(|(_, number)| i64::from(number)), numbers);
}

#[test]
fn an_unknown_architecture_is_none() {
    assert_eq!(architecture("aarch64"), Some(AARCH64));
    assert_eq!(architecture("riscv64"), None);
}

#[test]
fn a_field_is_found_by_its_whole_name() {
    let cases = [
        (ENTER, "fd", Some(16)),
        (ENTER, "uservaddr", Some(24)),
        (ENTER, "addrlen", Some(32)),
        (ENTER, "addr", None),
        (ENTER, "nr", None),
        (EXIT, "ret", Some(16)),
        ("field:struct sockaddr *uservaddr; offset:24; size:8;", "uservaddr", Some(24)),
        ("field:int fd; size:8;", "fd", None),
        ("field:int fd; offset:-1;", "fd", None),
        ("field:int fd; offset:99999999999;", "fd", None),
        ("", "fd", None),
    ];
    for (format, name, expected) in cases {
        assert_eq!(field_offset(format, name), expected, "{name} in {format:?}");
    }
}

#[test]
fn the_formats_of_connect_are_read_and_what_is_missing_is_said() {
    let tracefs = tempfile::tempdir().unwrap();
    let file = |name: &str| tracefs.path().join("events/syscalls").join(name);
    for (name, text) in [("sys_enter_connect", ENTER), ("sys_exit_connect", EXIT)] {
        fs::create_dir_all(file(name)).unwrap();
        fs::write(file(name).join("format"), text).unwrap();
    }
    let fields = ConnectFields::read(tracefs.path()).unwrap();
    assert_eq!(fields, ConnectFields { fd: 16, address: 24, length: 32, result: 16 });
    fs::write(file("sys_exit_connect").join("format"), "").unwrap();
    let error = ConnectFields::read(tracefs.path()).unwrap_err();
    assert!(error.ends_with("sys_exit_connect/format has no field ret"), "{error}");
    fs::remove_file(file("sys_enter_connect").join("format")).unwrap();
    let error = ConnectFields::read(tracefs.path()).unwrap_err();
    assert!(error.contains("sys_enter_connect/format cannot be read: "), "{error}");
}
