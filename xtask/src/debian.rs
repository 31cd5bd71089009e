//! Debian's packages of any release and architecture, unpacked into a folder: the machine's own apt is asked where they
//! are, and nothing of the machine is changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::files;
use crate::process::{output, run};

/// An apt of its own for one architecture, in a folder.
pub struct Debian {
    folder: PathBuf,
    architecture: &'static str,
}

/// Where the machine gets a release from.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    site: String,
    codename: String,
}

impl Debian {
    /// Reads the lists of packages of these releases.
    pub fn open(folder: &Path, architecture: &'static str, suites: &[&str]) -> Result<Self> {
        let this = Self { folder: folder.to_owned(), architecture };
        for folder in ["lists/partial", "cache/archives/partial"] {
            files::make_folder(&this.folder.join(folder))?;
        }
        files::write(&this.folder.join("status"), "")?;
        let sources = sources()?;
        let lines: Result<String> = suites.iter().map(|suite| line(&sources, suite)).collect();
        files::write(&this.folder.join("sources.list"), lines?)?;
        this.configure()?;
        run(this.apt("apt-get").args(["--quiet=2", "update"]))?;
        Ok(this)
    }

    /// The newest package of those whose whole name matches.
    pub fn newest(&self, pattern: &str) -> Result<String> {
        let found = output(self.apt("apt-cache").args(["search", "--names-only", &format!("^{pattern}$")]))?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        let newest = names.max_by_key(|name| numbers(name)).map(str::to_owned);
        newest.with_context(|| format!("Debian has no package {pattern} for {}", self.architecture))
    }

    /// Downloads packages and unpacks them into `root`, where they stay.
    pub fn unpack(&self, packages: &[&str], root: &Path) -> Result<()> {
        let downloaded = self.folder.join("downloaded");
        files::fresh_folder(&downloaded)?;
        run(self.apt("apt-get").args(["--quiet=2", "download"]).args(packages).current_dir(&downloaded))?;
        for package in files::entries(&downloaded)? {
            output(Command::new("dpkg").arg("-x").arg(package).arg(root))?;
        }
        files::remove_folder(&downloaded)
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        apt.arg("-c").arg(self.folder.join("apt.conf"));
        apt
    }

    /// What differs from the machine's own apt, whose proxies and the like stay.
    fn configure(&self) -> Result<()> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        // Another user than the caller may not be allowed to write below this folder.
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let settings = [
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", "-".to_owned()),
            ("Dir::State", path("")),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("APT::Architecture", self.architecture.to_owned()),
            ("APT::Architectures", self.architecture.to_owned()),
            ("APT::Sandbox::User", user.map_or_else(|| "root".to_owned(), |user| user.name)),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".to_owned()),
            // The last state of a release that is no longer supported stays what it is.
            ("Acquire::Check-Valid-Until", "false".to_owned()),
        ];
        let text = settings.map(|(key, value)| format!("{key} \"{value}\";\n")).concat();
        files::write(&self.folder.join("apt.conf"), text)
    }
}

/// The version of a package that was downloaded into a folder: its file is `NAME_VERSION_ARCHITECTURE.deb`.
pub fn version_of(package: &str, folder: &Path) -> Result<String> {
    let version = |path: PathBuf| {
        let version = path.file_name()?.to_str()?.strip_prefix(package)?.strip_prefix('_')?.split('_').next()?;
        Some(version.replace("%3a", ":"))
    };
    let found = files::entries(folder)?.into_iter().find_map(version);
    found.with_context(|| format!("{} has no package {package}", folder.display()))
}

/// The numbers in a name: `linux-image-6.1.0-56-cloud-amd64` gives 6, 1, 0, 56, 64.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn sources() -> Result<Vec<Source>> {
    let format = "$(ORIGIN)|$(COMPONENT)|$(SITE)|$(CODENAME)";
    let text = output(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))?;
    Ok(read_sources(&text))
}

fn read_sources(text: &str) -> Vec<Source> {
    let source = |line: &str| {
        let mut fields = line.split('|');
        let (origin, component) = (fields.next()?, fields.next()?);
        let (site, codename) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        (origin == "Debian" && component == "main").then_some(Source { site, codename })
    };
    text.lines().filter_map(source).collect()
}

/// The line of sources.list for a release, from wherever the machine gets its like.
fn line(sources: &[Source], suite: &str) -> Result<String> {
    let kind = |codename: &str| codename.split_once('-').map(|(_, kind)| kind.to_owned());
    let Some(source) = sources.iter().find(|source| kind(&source.codename) == kind(suite)) else {
        let missing = kind(suite).map_or_else(|| "Debian".to_owned(), |kind| format!("Debian's {kind} archive"));
        bail!("this machine's apt knows no mirror of {missing}: add one, and run `apt-get update`");
    };
    Ok(format!("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {} {suite} main\n", source.site))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TARGETS: &str = "Debian|main|http://mirror.example/debian|bookworm
Debian|main|http://mirror.example/debian|bookworm-updates
Debian|contrib|http://mirror.example/contrib|bookworm-security
Debian|main|http://mirror.example/debian-security|bookworm-security
Somebody|main|http://other.example|nodistro";

    #[test]
    fn another_release_comes_from_where_the_machine_gets_its_own() {
        let sources = read_sources(TARGETS);
        assert_eq!(sources.len(), 3);
        let cases = [
            ("bookworm", "http://mirror.example/debian bookworm main\n"),
            ("bullseye", "http://mirror.example/debian bullseye main\n"),
            ("bullseye-security", "http://mirror.example/debian-security bullseye-security main\n"),
        ];
        for (suite, expected) in cases {
            let line = line(&sources, suite).unwrap();
            assert!(line.starts_with("deb [signed-by=") && line.ends_with(expected), "{line}");
        }
        let error = line(&sources, "bookworm-backports").unwrap_err().to_string();
        assert!(error.contains("no mirror of Debian's backports archive"), "{error}");
    }

    #[test]
    fn a_newer_kernel_has_greater_numbers() {
        let sorted = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.12.4+deb12-cloud-amd64",
        ];
        assert!(sorted.is_sorted_by_key(|name| numbers(name)));
    }

    #[test]
    fn the_version_of_a_downloaded_package_is_in_its_file_s_name() {
        let folder = std::env::temp_dir().join(format!("rosprobe-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for file in ["libstd-1.96_1.96.0_amd64.deb", "libstd_1%3a1.96.0+dfsg1-1~deb12u2_amd64.deb"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let found = (version_of("libstd", &folder), version_of("libc", &folder));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.0.unwrap(), "1:1.96.0+dfsg1-1~deb12u2");
        assert!(found.1.unwrap_err().to_string().ends_with("has no package libc"));
    }
}
