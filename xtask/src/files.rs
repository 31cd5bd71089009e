//! Files and folders, with their names in what goes wrong.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The text of a file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file, over whatever was there.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// An empty file to write to.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// What is in a folder, in no order.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    paths().with_context(|| format!("cannot read the folder {}", folder.display()))
}

/// Makes a folder, and those around it, where they are missing.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Removes a folder with all that is in it; one that is not there is no error.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the folder {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// An empty folder, whatever was there.
pub fn fresh_folder(folder: &Path) -> Result<()> {
    remove_folder(folder)?;
    make_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_has_the_file_s_name() {
        let missing = Path::new("/no/such/folder");
        let file = missing.join("file");
        let said = |result: Result<()>| format!("{:#}", result.unwrap_err());
        let reason = "No such file or directory (os error 2)";
        assert_eq!(said(read(&file).map(drop)), format!("cannot read /no/such/folder/file: {reason}"));
        assert_eq!(said(write(&file, "")), format!("cannot write /no/such/folder/file: {reason}"));
        assert_eq!(said(create(&file).map(drop)), format!("cannot write /no/such/folder/file: {reason}"));
        assert_eq!(said(entries(missing).map(drop)), format!("cannot read the folder /no/such/folder: {reason}"));
        let below = Path::new("/proc/self/stat/below");
        assert!(said(make_folder(below)).starts_with("cannot make the folder /proc/self/stat/below: "));
        remove_folder(missing).unwrap();
    }
}
