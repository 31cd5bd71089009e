//! `cargo xtask vm-test`: rosprobe on other kernels than this machine's, in virtual machines.

mod console;
mod initramfs;
mod machine;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use self::console::{Limits, follow};
use self::initramfs::Boot;
use self::machine::{Architecture, Kernel};
use crate::binaries::{Binary, build};
use crate::cross::cargo_for_aarch64;
use crate::packages;
use crate::process::{cargo, words, workspace};

/// Tests that need nothing but a kernel, loopback and network namespaces.
struct Suite {
    /// The name that cargo gives the binary.
    name: &'static str,
    /// How cargo is told to build it.
    selection: &'static [&'static str],
    /// Which of its tests.
    arguments: &'static str,
    /// Which of them where programs run that another kernel runs all of them with.
    again: &'static str,
    /// On every rung, or once.
    every_mode: bool,
    /// What they read, below the package's folder.
    files: &'static [&'static str],
}

const SUITES: [Suite; 2] = [
    Suite {
        name: "rosprobe",
        selection: &["--lib"],
        arguments: "--ignored running_kernel",
        again: "",
        every_mode: false,
        files: &[],
    },
    Suite {
        name: "live_capture",
        selection: &["--test", "live_capture"],
        arguments: WHAT_KERNELS_DIFFER_IN,
        again: "--ignored conversations::xmlrpc rtps:: verifier::",
        every_mode: true,
        files: &["tests/live_capture/client.py", "tests/fixtures/ros2", "bpf/verifier.toml"],
    },
];
/// A part of the live capture's tests, because the emulator takes ten times as long as this machine, where all of them run: every
/// program, `connect()`, every system call that carries payload, `bind()`, groups, and the two walks over what was sent.
const WHAT_KERNELS_DIFFER_IN: &str = "--ignored attached:: conversations::a_topic conversations::xmlrpc \
     failures::failing_connects rtps:: udp::binds udp::groups verifier::";
/// A kernel that is locked down: rosprobe says so, what works there, and fails as it does when it cannot run.
const REFUSED: &str = "failed=0\n\
     rosprobe watch --output jsonl --duration 1s >/tmp/printed 2>/tmp/said\n\
     [ $? = 2 ] && [ ! -s /tmp/printed ] && grep -q 'this kernel .*lockdown=integrity.*tcpdump' /tmp/said || failed=1\n\
     cat /tmp/said\n\
     exit $failed\n";
/// A capture of everything that the machine's processes do, their memory, and the unpacked initramfs.
const MEMORY: &str = "1G";
/// A machine takes four minutes, and was seen to take ten times as long as alone where others were at work beside it.
const LIMITS: Limits = Limits { silence: Duration::from_mins(10), total: Duration::from_mins(45) };

/// What to run where.
#[derive(clap::Args)]
pub struct Arguments {
    /// The architecture; another one than this machine's is built for by a cross compiler
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
    /// A kernel series such as 6.1, again for another one; without it all that Debian has
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<String>,
    /// Run this shell command in the machine instead of the tests; `rosprobe` is in its path
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Builds, boots every kernel, and demands that all of them pass.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Some(architecture) = arguments.arch.or_else(Architecture::native) else {
        bail!("there is no kernel for {} here: use --arch", std::env::consts::ARCH);
    };
    let kernels = machine::kernels(architecture, &arguments.kernels)?;
    let (_, emulator) = architecture.emulator();
    packages::install(
        &[emulator, "binutils", "cpio", "xz-utils"],
        "the virtual machines run kernels and programs from",
    )?;
    let binaries = binaries(architecture)?;
    let userland = initramfs::userland(architecture)?;
    let mut failed = Vec::new();
    for kernel in kernels {
        let job = if arguments.command.is_empty() { tests(kernel, &binaries)? } else { arguments.command.join(" ") };
        let project = initramfs::project(architecture, &binaries, &files(), &job)?;
        let begin = Instant::now();
        let outcome = initramfs::kernel(kernel).and_then(|boot| start(kernel, &boot, &userland, &project));
        let seconds = begin.elapsed().as_secs();
        match outcome {
            Ok(0) => println!("Linux {} {}: ok after {seconds} s", kernel.series, architecture.name()),
            Ok(status) => failed.push(format!("Linux {}: exit status {status} after {seconds} s", kernel.series)),
            Err(error) => failed.push(format!("Linux {}: {error:#}", kernel.series)),
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// rosprobe, and its tests.
fn binaries(architecture: Architecture) -> Result<Vec<Binary>> {
    let mut cargo = match architecture {
        _ if Some(architecture) == Architecture::native() => {
            let mut cargo = cargo();
            cargo.arg("test");
            cargo
        }
        Architecture::Arm => cargo_for_aarch64("test")?,
        Architecture::X86 => bail!("this builds for x86_64 on x86_64 alone"),
    };
    cargo.args(["--locked", "--no-run", "--package", "rosprobe"]);
    cargo.args(SUITES.iter().flat_map(|suite| suite.selection));
    let mut binaries = build(&mut cargo)?;
    binaries.retain(|binary| binary.test || binary.name == "rosprobe");
    Ok(binaries)
}

/// What the tests read.
fn files() -> Vec<PathBuf> {
    SUITES.iter().flat_map(|suite| suite.files).map(|file| workspace().join("rosprobe").join(file)).collect()
}

/// A script that runs every suite, on every rung that the kernel has. A suite in which no test ran has failed.
fn tests(kernel: &Kernel, binaries: &[Binary]) -> Result<String> {
    if kernel.modes.is_empty() {
        return Ok(REFUSED.to_owned());
    }
    let mut script = String::from(
        "failed=0\n\
         run() { cd \"$1\"; shift; \"$@\" --test-threads 1 2>&1 | tee /tmp/said; grep -q '^test result: ok. [1-9]' /tmp/said || failed=1; }\n",
    );
    let suite = |script: &mut String, suite: &Suite, arguments: &str| {
        let built = binaries.iter().find(|binary| binary.test && binary.name == suite.name);
        let test = built.with_context(|| format!("cargo built no tests {}", suite.name))?;
        writeln!(script, "run '{}' '{}' {}", test.package.display(), test.executable.display(), arguments)?;
        anyhow::Ok(())
    };
    for once in SUITES.iter().filter(|suite| !suite.every_mode) {
        suite(&mut script, once, once.arguments)?;
    }
    for mode in kernel.modes {
        writeln!(script, "echo; echo == {mode} mode; export ROSPROBE_CAPTURE_MODE={mode}")?;
        for every in SUITES.iter().filter(|suite| suite.every_mode) {
            suite(&mut script, every, if mode.ends_with("-bounded") { every.again } else { every.arguments })?;
        }
    }
    script.push_str("exit $failed\n");
    Ok(script)
}

/// Boots a kernel with these archives, and gives the status of the job.
fn start(kernel: &Kernel, boot: &Boot, userland: &Path, project: &Path) -> Result<i32> {
    let initramfs = workspace().join("target/vm").join(kernel.architecture.name()).join("initramfs.cpio");
    initramfs::join(&[userland, &boot.modules, project], &initramfs)?;
    let (emulator, _) = kernel.architecture.emulator();
    let console = kernel.architecture.console();
    let mut qemu = Command::new(emulator);
    qemu.args(kernel.architecture.board())
        .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", MEMORY])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"])
        .arg("-kernel")
        .arg(&boot.image)
        .arg("-initrd")
        .arg(&initramfs)
        .args(["-append", &format!("console={console} loglevel=4 panic=-1 oops=panic {}", kernel.parameters)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    eprintln!("$ {}", words(&qemu));
    let mut machine = qemu.spawn().with_context(|| format!("cannot run {emulator}"))?;
    let output = machine.stdout.take().context("the machine was started with a pipe")?;
    let status = follow(output, kernel.series, LIMITS);
    // It has ended already, unless it hangs.
    let _ = machine.kill();
    machine.wait().context("cannot wait for the machine to end")?;
    status
}
