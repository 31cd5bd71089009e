//! What the virtual machine finds when it boots: archives that the kernel unpacks one after another.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::machine::{Architecture, Kernel};
use crate::binaries::Binary;
use crate::debian::Debian;
use crate::files;
use crate::process::{find, output, run, words, workspace};

const INIT: &str = include_str!("init.sh");
/// The release that the userland is from.
const USERLAND: [&str; 2] = ["bookworm", "bookworm-security"];
/// A shell, `ip`, Python, and the libraries that these and rosprobe name.
const PACKAGES: [&str; 23] = [
    "busybox-static",
    "dash",
    "iproute2",
    "libbpf1",
    "libbsd0",
    "libc6",
    "libcap2",
    "libelf1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "libmd0",
    "libmnl0",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libselinux1",
    "libpcre2-8-0",
    "libssl3",
    "libxtables12",
    "media-types",
    "python3.11-minimal",
    "python3-minimal",
    "zlib1g",
];
/// Of the packages, what nobody reads in a virtual machine.
const LEFT_OUT: [&str; 6] =
    ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/python3", "var"];
/// Network devices that are modules in Debian's kernels.
const MODULES: [&str; 1] = ["kernel/drivers/net/veth.ko"];

/// Where everything for an architecture is kept.
pub fn folder(architecture: Architecture) -> PathBuf {
    workspace().join("target/vm").join(architecture.name())
}

/// Debian's programs and libraries, as an archive; made once.
pub fn userland(architecture: Architecture) -> Result<PathBuf> {
    let archive = folder(architecture).join("userland.cpio");
    let made = folder(architecture).join("userland");
    once(&archive, &PACKAGES.join("\n"), || {
        files::fresh_folder(&made)?;
        let root = made.join("root");
        let debian = Debian::open(&made.join("apt"), architecture.debian(), &USERLAND)?;
        debian.unpack(&PACKAGES, &root)?;
        for left_out in LEFT_OUT {
            files::remove_folder(&root.join(left_out))?;
        }
        pack(&root, &archive)?;
        files::remove_folder(&made)
    })?;
    Ok(archive)
}

/// A kernel and its modules.
#[derive(Debug)]
pub struct Boot {
    /// What the emulator boots.
    pub image: PathBuf,
    /// An archive with the modules.
    pub modules: PathBuf,
}

/// Debian's kernel of a series; fetched once.
pub fn kernel(kernel: &Kernel) -> Result<Boot> {
    let folder = folder(kernel.architecture).join(format!("linux-{}", kernel.series));
    let boot = Boot { image: folder.join("vmlinuz"), modules: folder.join("modules.cpio") };
    once(&boot.modules, &MODULES.join("\n"), || {
        files::fresh_folder(&folder)?;
        let architecture = kernel.architecture.debian();
        let debian = Debian::open(&folder.join("apt"), architecture, &[kernel.suite])?;
        let series = kernel.series.replace('.', "[.]");
        let package = debian.newest(&format!("linux-image-{series}[.][0-9.+deb-]*-cloud-{architecture}"))?;
        let root = folder.join("unpacked");
        debian.unpack(&[&package], &root)?;
        let release = package.trim_start_matches("linux-image-");
        let image = root.join("boot").join(format!("vmlinuz-{release}"));
        fs::rename(&image, &boot.image).with_context(|| format!("{package} has no {}", image.display()))?;
        let modules = folder.join("root/modules");
        files::make_folder(&modules)?;
        for module in MODULES {
            take_module(&root.join("lib/modules").join(release).join(module), &modules)?;
        }
        pack(&folder.join("root"), &boot.modules)?;
        for done in ["apt", "unpacked", "root"] {
            files::remove_folder(&folder.join(done))?;
        }
        Ok(())
    })?;
    Ok(boot)
}

/// Copies a module, which newer packages compress.
fn take_module(module: &Path, folder: &Path) -> Result<()> {
    let name = module.file_name().unwrap_or_default();
    let copy = folder.join(name);
    if module.exists() {
        fs::copy(module, &copy).with_context(|| format!("cannot copy {}", module.display()))?;
        return Ok(());
    }
    let compressed = module.with_extension("ko.xz");
    run(Command::new("xz").args(["--decompress", "--stdout"]).arg(compressed).stdout(files::create(&copy)?))
}

/// `init`, the job, and what was built: every file where it is on this machine, because tests have such paths built in.
pub fn project(architecture: Architecture, binaries: &[Binary], files: &[PathBuf], job: &str) -> Result<PathBuf> {
    let root = folder(architecture).join("project");
    files::fresh_folder(&root)?;
    for (name, text) in [("init", INIT), ("job", job)] {
        let path = root.join(name);
        files::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", path.display()))?;
    }
    let strip = if Some(architecture) == Architecture::native() {
        "strip".to_owned()
    } else {
        format!("{}-linux-gnu-strip", architecture.name())
    };
    for binary in binaries {
        let inside = inside(&root, &binary.executable)?;
        output(Command::new(&strip).arg("--strip-debug").arg("-o").arg(&inside).arg(&binary.executable))?;
        if !binary.test {
            let link = root.join("usr/bin").join(&binary.name);
            files::make_folder(&root.join("usr/bin"))?;
            symlink(&binary.executable, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    for path in files {
        let inside = inside(&root, path)?;
        output(Command::new("cp").args(["--recursive", "--no-target-directory"]).arg(path).arg(inside))?;
    }
    let archive = folder(architecture).join("project.cpio");
    pack(&root, &archive)?;
    files::remove_folder(&root)?;
    Ok(archive)
}

/// Where a file of this machine is below `root`; makes its folder.
fn inside(root: &Path, path: &Path) -> Result<PathBuf> {
    let relative = path.strip_prefix("/").with_context(|| format!("{} is no absolute path", path.display()))?;
    let inside = root.join(relative);
    if let Some(parent) = inside.parent() {
        files::make_folder(parent)?;
    }
    Ok(inside)
}

/// One archive after another.
pub fn join(archives: &[&Path], whole: &Path) -> Result<()> {
    let mut out = files::create(whole)?;
    for archive in archives {
        let mut file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
        std::io::copy(&mut file, &mut out).with_context(|| format!("cannot write {}", whole.display()))?;
    }
    Ok(())
}

/// The archive of a folder. Not compressed: unpacking is what an emulated processor does slowly.
fn pack(root: &Path, archive: &Path) -> Result<()> {
    let mut list = Command::new("find").args([".", "-print0"]).current_dir(root).stdout(Stdio::piped()).spawn()?;
    let names = list.stdout.take().context("find was started with a pipe")?;
    let mut cpio = Command::new("cpio");
    cpio.args(["--create", "--null", "--quiet", "--format=newc", "--owner=+0:+0"]).current_dir(root);
    cpio.stdin(names).stdout(files::create(archive)?);
    let status = cpio.status().with_context(|| format!("cannot run `{}`", words(&cpio)))?;
    let listed = list.wait()?;
    if !status.success() || !listed.success() {
        bail!("{} cannot be packed: find {listed}, cpio {status}", root.display());
    }
    Ok(())
}

/// Makes `file` unless it was made from the same things before.
fn once(file: &Path, from: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let marker = file.with_extension("from");
    if file.exists() && fs::read_to_string(&marker).is_ok_and(|made_from| made_from == from) {
        return Ok(());
    }
    if find("cpio").is_none() {
        bail!("there is no cpio here: install Debian's package cpio");
    }
    if let Some(parent) = file.parent() {
        files::make_folder(parent)?;
    }
    make()?;
    files::write(&marker, from)
}
