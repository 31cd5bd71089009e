//! The tables against what the kernel says of itself: its headers as Debian has them, and its own description of its types.

use std::collections::HashMap;
use std::fs;

use super::super::{AARCH64, Architecture, X86_64, architecture};
use super::named;
use crate::capture::btf::{Btf, VMLINUX};

/// A header that a package of Debian's puts there.
fn header(path: &str, package: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}; Debian's package {package} has it"))
}

/// `#define __NR_read 63`: what is defined as a number, by what comes after `prefix`.
fn defined<'a>(header: &'a str, prefix: &str) -> HashMap<&'a str, u32> {
    let number = |line: &'a str| {
        let mut words = line.split_whitespace();
        let name = (words.next()? == "#define").then(|| words.next()?.strip_prefix(prefix))??;
        Some((name, words.next()?.parse().ok()?))
    };
    header.lines().filter_map(number).collect()
}

fn numbers_are_those_of(header: &str, architecture: &Architecture) {
    let (of_both_widths, defined) = (defined(header, "__NR3264_"), defined(header, "__NR_"));
    for (name, number) in named(&architecture.syscalls()) {
        assert_eq!(defined.get(name), Some(&number), "{name} of {}", architecture.name);
    }
    for (name, _, number) in architecture.calls {
        let found = defined.get(name).or_else(|| of_both_widths.get(name));
        assert_eq!(found, Some(number), "{name} of {}", architecture.name);
    }
}

#[test]
fn system_calls_of_aarch64_are_the_generic_ones() {
    numbers_are_those_of(&header("/usr/include/asm-generic/unistd.h", "linux-libc-dev"), &AARCH64);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn system_calls_of_x86_64_are_those_of_the_header() {
    numbers_are_those_of(&header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "linux-libc-dev"), &X86_64);
}

/// The part for assembly programs, in which the header gives offsets in bytes, is for 64 bits after the one for 32.
#[cfg(target_arch = "x86_64")]
#[test]
fn registers_of_x86_64_are_where_the_header_has_them() {
    let text = header("/usr/include/x86_64-linux-gnu/asm/ptrace-abi.h", "linux-libc-dev");
    let (_, text) = text.split_once("#else").unwrap();
    let defined = defined(text, "");
    assert_eq!(X86_64.regs_argument, ["RDI", "RSI", "RDX", "R10", "R8", "R9"].map(|name| defined[name]));
    assert_eq!(X86_64.regs_syscall, defined["ORIG_RAX"]);
}

/// The kernel's `struct pt_regs` begins with the header's `struct user_pt_regs`; `orig_x0` and `syscallno` follow.
#[test]
#[ignore = "needs Debian's package linux-libc-dev-arm64-cross"]
fn registers_of_aarch64_are_where_the_header_has_them() {
    let text = header("/usr/aarch64-linux-gnu/include/asm/ptrace.h", "linux-libc-dev-arm64-cross");
    let (_, after) = text.split_once("struct user_pt_regs {").unwrap();
    let (members, _) = after.split_once('}').unwrap();
    let mut offset = 0;
    let mut at = HashMap::new();
    for member in members.split(';').map(str::trim).filter(|member| !member.is_empty()) {
        let name = member.strip_prefix("__u64").unwrap().trim();
        let (name, count) = name.split_once('[').unwrap_or((name, "1]"));
        at.insert(name, offset);
        offset += 8 * count.strip_suffix(']').unwrap().parse::<u32>().unwrap();
    }
    assert_eq!(at, HashMap::from([("regs", 0), ("sp", 31 * 8), ("pc", 32 * 8), ("pstate", 33 * 8)]));
    let x = |number: u32| at["regs"] + 8 * number;
    assert_eq!(AARCH64.regs_argument, [offset, x(1), x(2), x(3), x(4), x(5)]);
    assert_eq!(AARCH64.regs_syscall, offset + 8);
}

#[test]
#[ignore = "needs a kernel that describes its types (BTF)"]
fn registers_are_where_the_running_kernel_has_them() {
    let bytes = fs::read(VMLINUX).unwrap();
    let types = Btf::parse(&bytes).unwrap();
    let at = |member: &str| types.offset("pt_regs", member).unwrap();
    let ours = architecture(std::env::consts::ARCH).unwrap();
    let (number, arguments) = if ours == X86_64 {
        (at("orig_ax"), ["di", "si", "dx", "r10", "r8", "r9"].map(at))
    } else {
        let x = |number: u32| at("regs") + 8 * number;
        (at("syscallno"), [at("orig_x0"), x(1), x(2), x(3), x(4), x(5)])
    };
    assert_eq!((ours.regs_syscall, ours.regs_argument), (number, arguments));
}
