//! Creating files safely: never over an existing one, readable by nobody else, owned by whoever called sudo.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, fchown};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file of that name is there already.
    #[error("{}: a file of that name exists, and is left as it is; choose another name or remove it", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// The folder does not allow it.
    #[error("{}: cannot be created: {source}; {}", path.display(), remedy(source))]
    Create {
        /// The name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed.
    #[error("{}: cannot be written: {source}; {}", path.display(), remedy(source))]
    Write {
        /// The name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space there, or name a file on another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "name a file in a folder that you may write to"
        }
        io::ErrorKind::NotFound => "make the folder first, or name another",
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => "name a file in a folder that exists",
        _ => "name another file",
    }
}

/// Creates a file that must not exist: readable and writable by its owner only, who is the one that called sudo.
pub(super) fn create_new(path: &Path) -> Result<File, WriteError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists { path },
            _ => WriteError::Create { path, source },
        }
    })?;
    if let Some((user, group)) = caller() {
        fchown(&file, Some(user), Some(group))
            .map_err(|error| WriteError::Create { path: path.to_owned(), source: error.into() })?;
    }
    Ok(file)
}

/// Who called sudo, when this runs under it.
fn caller() -> Option<(Uid, Gid)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    Some((Uid::from_raw(number("SUDO_UID")?), Gid::from_raw(number("SUDO_GID")?)))
}

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is left as it is, and nothing is written.
    Keep,
    /// It is replaced, once the new one is complete; until then it is as it was.
    Replace,
}

/// Writes a whole file: under another name first, so that it is either there whole or not at all.
pub(super) fn write_whole(
    path: &Path,
    existing: Existing,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(WriteError::Exists { path: path.to_owned() });
    }
    let temporary = Temporary::beside(path)?;
    let failed = |source| WriteError::Write { path: path.to_owned(), source };
    let mut out = io::BufWriter::with_capacity(1 << 18, &temporary.file);
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = flate2::write::GzEncoder::new(out, flate2::Compression::default());
        write(&mut gzip).map_err(failed)?;
        out = gzip.finish().map_err(failed)?;
    } else {
        write(&mut out).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    drop(out);
    temporary.file.sync_all().map_err(failed)?;
    match existing {
        Existing::Keep => temporary.keep_as(path),
        Existing::Replace => temporary.replace(path),
    }
}

/// A file under a provisional name; removed again unless it is kept.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn beside(path: &Path) -> Result<Self, WriteError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut last = None;
        for attempt in 0..100_u32 {
            let temporary = path.with_file_name(format!(".{name}.{}.{attempt}.tmp", std::process::id()));
            match create_new(&temporary) {
                Ok(file) => return Ok(Self { path: temporary, file }),
                Err(error @ WriteError::Exists { .. }) => last = Some(error),
                // The reader knows the name that was asked for, not this one.
                Err(WriteError::Create { source, .. } | WriteError::Write { source, .. }) => {
                    return Err(WriteError::Create { path: path.to_owned(), source });
                }
            }
        }
        Err(last.unwrap_or(WriteError::Exists { path: path.to_owned() }))
    }

    /// Gives it its name, unless that is taken by now: unlike a rename, a hard link never replaces a file.
    fn keep_as(self, path: &Path) -> Result<(), WriteError> {
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Exists { path: path.to_owned() })
            }
            // A file system without hard links, such as a USB stick's.
            Err(_) if path.symlink_metadata().is_ok() => Err(WriteError::Exists { path: path.to_owned() }),
            Err(_) => self.replace(path),
        }
    }

    /// Gives it its name, whatever had it before.
    fn replace(self, path: &Path) -> Result<(), WriteError> {
        std::fs::rename(&self.path, path).map_err(|source| WriteError::Create { path: path.to_owned(), source })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename it is gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A name in `folder` that is not taken: `rosprobe-20261121-061032.json`, with a number where that exists.
pub fn free_name(folder: &Path, time: jiff::Timestamp, extension: &str) -> PathBuf {
    let stem = format!("rosprobe-{}", time.strftime("%Y%m%d-%H%M%S"));
    let mut name = folder.join(format!("{stem}.{extension}"));
    let mut number = 2;
    while name.symlink_metadata().is_ok() {
        name = folder.join(format!("{stem}-{number}.{extension}"));
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_written_whole_for_its_owner_only_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, Existing::Keep, |out| out.write_all(b"{}")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "mine").unwrap();
        let error = write_whole(&path, Existing::Keep, |_| panic!("nothing is written")).unwrap_err();
        assert!(matches!(error, WriteError::Exists { .. }));
        assert!(matches!(create_new(&path), Err(WriteError::Exists { .. })));
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(matches!(
            write_whole(&folder.path().join("link"), Existing::Keep, |_| Ok(())),
            Err(WriteError::Exists { .. })
        ));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_name_that_is_taken_meanwhile_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let error = write_whole(&path, Existing::Keep, |_| std::fs::write(&path, "mine")).unwrap_err();
        assert!(matches!(error, WriteError::Exists { .. }));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = write_whole(&path, Existing::Keep, |_| Err(full())).unwrap_err().to_string();
        assert!(error.contains("free some space"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let error =
            write_whole(&folder.path().join("none/a.json"), Existing::Keep, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("make the folder first"), "{error}");
    }

    #[test]
    fn a_file_to_be_replaced_stays_until_the_new_one_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "mine").unwrap();
        let error = write_whole(&path, Existing::Replace, |out| {
            out.write_all(b"half")?;
            out.flush()?;
            assert_eq!(std::fs::read_to_string(&path)?, "mine");
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(error, Err(WriteError::Write { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        write_whole(&path, Existing::Replace, |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let error = write_whole(&folder.path().join("folder"), Existing::Replace, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("name a file in a folder that exists"), "{error}");
    }

    #[test]
    fn free_names_count_up() {
        let folder = tempfile::tempdir().unwrap();
        let time = "2026-11-21T06:10:32Z".parse().unwrap();
        let first = free_name(folder.path(), time, "json");
        assert_eq!(first.file_name().unwrap(), "rosprobe-20261121-061032.json");
        std::fs::write(&first, "").unwrap();
        assert_eq!(free_name(folder.path(), time, "json").file_name().unwrap(), "rosprobe-20261121-061032-2.json");
    }
}
