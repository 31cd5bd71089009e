//! The fuzz targets on their seeds, and on every input that was a bug once. `cargo xtask fuzz` looks for more of them.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// One test: the bounds of memory are the process's.
#[test]
fn seeds_and_inputs_that_were_bugs_once_pass_all_targets() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, _) in targets::TARGETS {
        for seed in targets::seeds(target, &package.join("tests/fixtures")) {
            targets::run(target, &seed);
        }
        let Ok(regressions) = fs::read_dir(package.join("fuzz/regressions").join(target)) else { continue };
        for path in regressions.map(|entry| entry.expect("a readable folder").path()) {
            println!("{}", path.display());
            targets::run(target, &fs::read(&path).expect("a readable file"));
        }
    }
}
