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
    /// A folder has the name.
    #[error("{}: that is a folder; name a file in it", path.display())]
    Folder {
        /// The name.
        path: PathBuf,
    },
    /// A device, a pipe or a socket has the name.
    #[error("{}: that is a device or a pipe, and no file; it is left as it is: name a file", path.display())]
    NoFile {
        /// The name.
        path: PathBuf,
    },
    /// The folder does not allow it.
    #[error("{}: cannot be created: {}; {}", path.display(), reason(source), remedy(source))]
    Create {
        /// The name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed.
    #[error("{}: cannot be written: {}; {}", path.display(), reason(source), remedy(source))]
    Write {
        /// The name.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the system said, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
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
    if path.is_dir() {
        return Err(WriteError::Folder { path: path.to_owned() });
    }
    match path.symlink_metadata() {
        // Replacing a device, such as /dev/null, would break the machine.
        Ok(there) if !there.is_file() && !there.is_symlink() => {
            return Err(WriteError::NoFile { path: path.to_owned() });
        }
        Ok(_) if existing == Existing::Keep => return Err(WriteError::Exists { path: path.to_owned() }),
        _ => {}
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
    }?;
    sync_folder_of(path);
    Ok(())
}

/// Makes the name safe on the disk as well as what is in the file. A file system that cannot do this keeps the name as safe as it can.
pub(super) fn sync_folder_of(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
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
                Err(other) => return Err(other),
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
    }

    #[test]
    fn a_folder_and_a_device_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for existing in [Existing::Keep, Existing::Replace] {
            let error = write_whole(folder.path(), existing, |_| panic!("nothing is written")).unwrap_err().to_string();
            assert!(error.contains("that is a folder; name a file in it"), "{error}");
            let error = write_whole(&pipe, existing, |_| panic!("nothing is written")).unwrap_err().to_string();
            assert!(error.contains("and no file; it is left as it is"), "{error}");
        }
        assert!(!pipe.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn an_error_says_what_the_system_said_without_its_number() {
        let path = Path::new("/nowhere/at/all/a.json");
        let error = write_whole(path, Existing::Keep, |_| Ok(())).unwrap_err().to_string();
        assert_eq!(
            error,
            "/nowhere/at/all/a.json: cannot be created: No such file or directory; make the folder first, or name another"
        );
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
