//! What an object was built from: a hash of its sources, and the versions of its toolchain.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::toolchain::Versions;
use crate::files;
use crate::process::workspace;

/// Lies beside the object, as TOML.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// SHA-256 of the object's bytes.
    pub object_sha256: String,
    /// SHA-256 of everything that the object is made from.
    pub sources_sha256: String,
    /// What built it.
    pub toolchain: Versions,
}

impl Record {
    /// The record of an object that was built just now.
    pub fn of(object: &[u8], toolchain: &Versions) -> Result<Self> {
        Ok(Self { object_sha256: hex(object), sources_sha256: sources_sha256()?, toolchain: toolchain.clone() })
    }

    /// Reads a record.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {}; run `cargo xtask ebpf build` and commit it", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is no record of an eBPF object", path.display()))
    }

    /// Writes the record.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).context("cannot write the record as TOML")?;
        let text = format!("# Written by `cargo xtask ebpf build`; `cargo xtask ebpf check` compares.\n{text}");
        files::write(path, text)
    }

    /// Fails when the object is not the one that was recorded.
    pub fn check_object(&self, object: &[u8], file: &str) -> Result<()> {
        if hex(object) == self.object_sha256 {
            return Ok(());
        }
        bail!("{file} is not the object that its record describes: run `cargo xtask ebpf build` and commit both")
    }

    /// Fails when the sources have changed since.
    pub fn check_sources(&self, file: &str) -> Result<()> {
        if sources_sha256()? == self.sources_sha256 {
            return Ok(());
        }
        bail!("the eBPF sources have changed since {file} was built: run `cargo xtask ebpf build` and commit it")
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Over the files of both kernel-side crates, the profile they are built with, and the locked versions of what they use.
fn sources_sha256() -> Result<String> {
    let root = workspace();
    let mut files = Vec::new();
    for package in ["rosprobe-common", "rosprobe-ebpf"] {
        collect(&root.join(package), &mut files)?;
    }
    files.sort();
    let mut text = String::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).display();
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let _ = writeln!(text, "{name} {}", hex(&bytes));
    }
    text.push_str(&profile(&root)?);
    text.push_str(&locked(&root)?);
    Ok(hex(text.as_bytes()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in files::entries(folder)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Manifest {
    profile: BTreeMap<String, toml::Table>,
}

fn profile(root: &Path) -> Result<String> {
    let path = root.join("Cargo.toml");
    let text = files::read(&path)?;
    let manifest: Manifest = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let profiles = ["release", "ebpf"].map(|name| format!("{name} {:?}\n", manifest.profile.get(name)));
    Ok(profiles.concat())
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Name, version and checksum of every package that the eBPF crate is built with.
fn locked(root: &Path) -> Result<String> {
    let path = root.join("Cargo.lock");
    let text = files::read(&path)?;
    let lock: Lock = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(closure(&lock, "rosprobe-ebpf"))
}

fn closure(lock: &Lock, root: &str) -> String {
    let mut wanted = vec![(root.to_owned(), None)];
    let mut lines = BTreeMap::new();
    while let Some((name, version)) = wanted.pop() {
        let matches = |package: &&LockedPackage| {
            package.name == name && version.as_ref().is_none_or(|version| *version == package.version)
        };
        for package in lock.package.iter().filter(matches) {
            let key = (package.name.clone(), package.version.clone());
            if lines.insert(key, package.checksum.clone()).is_none() {
                wanted.extend(package.dependencies.iter().map(|dependency| {
                    let mut words = dependency.split(' ').map(str::to_owned);
                    (words.next().unwrap_or_default(), words.next())
                }));
            }
        }
    }
    lines.into_iter().fold(String::new(), |mut text, ((name, version), checksum)| {
        let _ = writeln!(text, "{name} {version} {checksum}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_root_needs_is_hashed() {
        let lock: Lock = toml::from_str(
            r#"
            [[package]]
            name = "root"
            version = "1.0.0"
            dependencies = ["a", "b 2.0.0"]
            [[package]]
            name = "a"
            version = "0.1.0"
            checksum = "aa"
            dependencies = ["b 2.0.0"]
            [[package]]
            name = "b"
            version = "1.0.0"
            checksum = "b1"
            [[package]]
            name = "b"
            version = "2.0.0"
            checksum = "b2"
            [[package]]
            name = "unrelated"
            version = "9.0.0"
            "#,
        )
        .unwrap();
        assert_eq!(closure(&lock, "root"), "a 0.1.0 aa\nb 2.0.0 b2\nroot 1.0.0 \n");
    }

    #[test]
    fn another_object_than_the_recorded_one_is_refused() {
        let toolchain = Versions { rustc: "r".into(), bpf_linker: "b".into(), llvm: "l".into() };
        let record = Record { object_sha256: hex(b"object"), sources_sha256: String::new(), toolchain };
        record.check_object(b"object", "o").unwrap();
        let error = record.check_object(b"other", "o").unwrap_err().to_string();
        assert!(error.contains("cargo xtask ebpf build"), "{error}");
        assert!(record.check_sources("o").is_err());
    }
}
