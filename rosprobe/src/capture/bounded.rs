//! Reading files that belong to other processes: never more than a limit, never blocking on a pipe or a device.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// The first `limit` bytes of a file of `/proc`.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read`], as text; what is no UTF-8 becomes U+FFFD.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    read(path, limit).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The first `limit` bytes of the regular file at `path` below `root`, as text. Symbolic links, absolute ones included, are
/// followed as a process whose root directory is `root` would follow them; anything but a regular file is an error.
pub fn read_text_below(root: &Path, path: &str, limit: u64) -> io::Result<String> {
    let root = File::open(root)?;
    // O_PATH opens nothing yet: a FIFO does not block and a device does not notice.
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let found = File::from(openat2(&root, path, how)?);
    if !found.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_inside_the_root_and_only_regular_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::create_dir(root.path().join("run")).unwrap();
        fs::write(root.path().join("run/hosts"), "10.0.1.1 router\n").unwrap();
        symlink("/run/hosts", root.path().join("etc/hosts")).unwrap();
        nix::unistd::mkfifo(&root.path().join("etc/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        assert_eq!(read_text_below(root.path(), "etc/hosts", 1024).unwrap(), "10.0.1.1 router\n");
        assert_eq!(read_text_below(root.path(), "/etc/hosts", 8).unwrap(), "10.0.1.1");
        assert_eq!(read_text_below(root.path(), "../../run/hosts", 8).unwrap(), "10.0.1.1", "no way out of the root");
        assert_eq!(read_text_below(root.path(), "etc/fifo", 8).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_text_below(root.path(), "etc/none", 8).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
