//! Writes the seeds of all targets into a folder: `seeds FOLDER FIXTURES`.

// Coverage counters are in this program too, and want their runtime.
use libfuzzer_sys as _;

use std::fs;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(fixtures)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("usage: seeds FOLDER FIXTURES"));
    };
    for (target, _) in rosprobe_fuzz::TARGETS {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in rosprobe_fuzz::seeds(target, &fixtures).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}
