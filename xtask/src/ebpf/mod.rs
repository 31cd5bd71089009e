//! The eBPF objects: built from source with paths remapped, committed with a record of what they were built from.

mod record;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use self::record::Record;
pub use self::toolchain::Toolchain;
use crate::files;
use crate::process::{self, workspace};

const TARGET: &str = "bpfel-unknown-none";

/// What to do with the eBPF object.
#[derive(Subcommand)]
pub enum Task {
    /// Build the objects in rosprobe/bpf from source, and write down from what
    Build,
    /// Fail when the committed objects are not what their sources give
    Check,
    /// Write down how many instructions this kernel's verifier looks at, and how much stack programs take (rosprobe/bpf/verifier.toml)
    Verify,
}

/// Does it.
pub fn run(task: &Task) -> Result<()> {
    match task {
        Task::Build => build(),
        Task::Check => check(),
        Task::Verify => verify(),
    }
}

/// An object that is built from the eBPF crate.
struct Object {
    /// Its name in rosprobe/bpf, without `.bpf.o`.
    name: &'static str,
    /// The crate's features that it is built with.
    features: &'static str,
}

/// For Linux 5.17 and later, and for what is older.
const OBJECTS: [Object; 2] =
    [Object { name: "rosprobe", features: "" }, Object { name: "rosprobe-bounded", features: "bounded" }];

impl Object {
    fn file(&self) -> String {
        format!("{}.bpf.o", self.name)
    }

    fn committed(&self) -> PathBuf {
        workspace().join("rosprobe/bpf").join(self.file())
    }

    fn record(&self) -> PathBuf {
        workspace().join("rosprobe/bpf").join(format!("{}.bpf.toml", self.name))
    }
}

fn build() -> Result<()> {
    let toolchain = Toolchain::find_or_fetch()?;
    for object in &OBJECTS {
        let bytes = compile(&toolchain, object)?;
        let record = Record::of(&bytes, &toolchain.versions()?)?;
        let path = object.committed();
        files::make_folder(path.parent().unwrap_or(&path))?;
        files::write(&path, &bytes)?;
        record.write(&object.record())?;
        println!("rosprobe/bpf/{}: {} bytes, SHA-256 {}", object.file(), bytes.len(), record.object_sha256);
    }
    Ok(())
}

fn check() -> Result<()> {
    OBJECTS.iter().try_for_each(check_object)
}

fn check_object(object: &Object) -> Result<()> {
    let (path, file) = (object.committed(), object.file());
    let committed = fs::read(&path)
        .with_context(|| format!("cannot read {}; run `cargo xtask ebpf build` and commit it", path.display()))?;
    let record = Record::read(&object.record())?;
    record.check_object(&committed, &file)?;
    record.check_sources(&file)?;
    let toolchain = Toolchain::find_or_fetch()?;
    let versions = toolchain.versions()?;
    let rebuilt = compile(&toolchain, object)?;
    if versions != record.toolchain {
        println!(
            "The sources of {file} are unchanged and build here, but bytes cannot be compared: it was built with\n  {}\nand here is\n  {}",
            record.toolchain, versions
        );
        return Ok(());
    }
    if rebuilt != committed {
        let kept = workspace().join("target/ebpf").join(format!("rebuilt-{file}"));
        files::write(&kept, &rebuilt)?;
        bail!(
            "the committed {file} is not what its sources give with the same toolchain ({versions}): \
             {} bytes rebuilt, kept as target/ebpf/rebuilt-{file}, against {} committed; run `cargo xtask ebpf build` and commit the object",
            rebuilt.len(),
            committed.len()
        );
    }
    println!("rosprobe/bpf/{file} is, byte for byte, what its sources give ({versions})");
    Ok(())
}

/// A live test does it, because only a kernel can tell.
fn verify() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("only root can ask the kernel's verifier: run `cargo xtask ebpf verify` as root");
    }
    let mut test = process::cargo();
    test.args([
        "test",
        "--package",
        "rosprobe",
        "--test",
        "live_capture",
        "--",
        "--ignored",
        "verifier::",
        "--nocapture",
    ]);
    process::run(test.env("ROSPROBE_BLESS", "verifier"))
}

/// Compiles the eBPF crate and gives the object's bytes, without debug sections, with BTF.
fn compile(toolchain: &Toolchain, object: &Object) -> Result<Vec<u8>> {
    let root = workspace();
    let target = root.join("target/ebpf");
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(&root)
        .args(["build", "--locked", "--package", "rosprobe-ebpf", "--profile", "ebpf", "-Z", "build-std=core"])
        .args(["--features", object.features, "--target", TARGET, "--target-dir"])
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain, &root)?.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET");
    process::run(&mut cargo).context("the eBPF crate does not build")?;
    let built = target.join(TARGET).join("ebpf/rosprobe-ebpf");
    let stripped = target.join(object.file());
    process::run(Command::new(toolchain.objcopy()).arg("--strip-debug").arg(&built).arg(&stripped))?;
    fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}

fn flags(toolchain: &Toolchain, root: &Path) -> Result<Vec<String>> {
    let mut flags = vec![
        format!("-Clinker={}", toolchain.linker().display()),
        "-Clink-arg=--btf".to_owned(),
        // Else the linker has every zeroing and copying of a structure done by a function with a loop over its bytes.
        "-Clink-arg=--disable-expand-memcpy-in-order".to_owned(),
        format!("--remap-path-prefix={}=/rosprobe", root.display()),
        format!("--remap-path-prefix={}=/sysroot", toolchain.sysroot()?.display()),
    ];
    for registry in registry_folders()? {
        flags.push(format!("--remap-path-prefix={}=/registry", registry.display()));
    }
    Ok(flags)
}

/// Folders with unpacked crates; their names hold a hash of the registry's address.
fn registry_folders() -> Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let sources = home.context("neither CARGO_HOME nor HOME is set: set one")?.join("registry/src");
    let Ok(entries) = fs::read_dir(&sources) else { return Ok(Vec::new()) };
    let mut folders: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    folders.sort();
    Ok(folders)
}
