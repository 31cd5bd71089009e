//! `cargo xtask`: everything a person does to rosprobe besides building it.

mod bench;
mod binaries;
mod check;
mod cross;
mod debian;
mod ebpf;
mod files;
mod fuzz;
mod packages;
mod peers;
mod pictures;
mod privilege;
mod process;
mod test;
mod vm;
mod watch;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

/// Everything a person does to rosprobe besides building it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build rosprobe and run `rosprobe watch` with the given arguments, through sudo where needed.
    #[command(disable_help_flag = true)]
    Watch {
        /// Arguments of `rosprobe watch`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Install what the tests need (Debian packages) and run every test, those that need root included.
    Test,
    /// Build the implementations of DDS with which ROS 2 is tested.
    Peers,
    /// Boot other kernels in virtual machines (emulated, no KVM) and run the tests there that need only loopback.
    VmTest(vm::Arguments),
    /// Build rosprobe for 64-bit ARM.
    Aarch64(cross::Arguments),
    /// What rosprobe costs, against nothing and against other tools; writes rosprobe/docs/benchmarks.md.
    Bench(bench::Arguments),
    /// Formatting, lints and links within the documentation, as CI demands them.
    Check,
    /// Feed the decoders and the readers of files with made-up input (libFuzzer); fails when that finds a bug.
    Fuzz(fuzz::Arguments),
    /// Pictures of the screen for the README, from the real program and the trace that it carries.
    Pictures {
        /// Only compare: fail unless the committed pictures show what the program draws now.
        #[arg(long)]
        check: bool,
    },
    /// The eBPF object: build it from source, or check that the committed one is what its sources give.
    #[command(subcommand)]
    Ebpf(ebpf::Task),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Watch { .. } => watch::watch(),
        Task::Test => test::test(),
        Task::Peers => peers::build(),
        Task::VmTest(arguments) => vm::run(&arguments),
        Task::Aarch64(arguments) => cross::run(&arguments),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::Check => check::check(),
        Task::Fuzz(arguments) => fuzz::fuzz(&arguments),
        Task::Pictures { check } => pictures::pictures(check),
        Task::Ebpf(task) => ebpf::run(&task),
    }
}
