//! Where nothing can be loaded one message says why, and what works there.

use std::process::Command;

use nix::libc;
use serde_json::json;

use crate::network::CLIENT;

const WATCH: [&str; 6] = [env!("CARGO_BIN_EXE_rosprobe"), "watch", "--output", "jsonl", "--duration", "1s"];

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    said
}

#[test]
#[ignore = "needs root and a kernel that loads eBPF"]
fn what_forbids_every_program_is_named_once_with_what_works_there() {
    let answers = [
        (libc::EPERM, "bpf() is refused here: Operation not permitted"),
        (libc::ENOSYS, "CONFIG_BPF_SYSCALL=y"),
        // A kernel that does not know the type of the program.
        (libc::EINVAL, "CONFIG_BPF_EVENTS=y"),
    ];
    for (errno, why) in answers {
        let request = json!(["answered", [libc::SYS_bpf, errno, WATCH]]).to_string();
        let said = said(Command::new("python3").args([CLIENT, &request]));
        assert!(said.contains(why) && said.contains("tcpdump") && said.lines().count() == 1, "{said}");
    }
    let said = said(Command::new("unshare").args(["--pid", "--fork", "--mount-proc"]).args(WATCH));
    assert!(said.contains("pid namespace of its own") && said.contains("--pid=host"), "{said}");
    assert!(said.contains("tcpdump") && said.lines().count() == 1, "{said}");
}
