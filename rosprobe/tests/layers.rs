//! Imports run down the list of layers and never up: `crate::` in a module of the library names only what lies below it.

#![expect(clippy::unwrap_used, reason = "a source that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

/// From the ground up. Modules of one layer know nothing of each other.
const LAYERS: [&[&str]; 11] = [
    &["domain", "errno", "invoker", "printable", "privileges"],
    &["event", "reach"],
    &["capture", "observation"],
    &["decode", "doctor"],
    &["graph"],
    &["check", "diagnosis"],
    &["filter", "session"],
    &["lines", "trace"],
    &["tui"],
    &["watch"],
    &["commands"],
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("module {module} has no layer: say in tests/layers.rs where it lies"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A source without its comments and its tests, which may reach anywhere.
fn code(path: &Path) -> String {
    if path.file_name().is_some_and(|name| name == "tests.rs") {
        return String::new();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

#[test]
fn imports_run_down_the_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let path = Regex::new(r"\bcrate::(\w+|\{)").unwrap();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let name = file.strip_prefix(&root).unwrap();
        let first = name.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let code = code(&file);
        let named: BTreeSet<&str> = path.captures_iter(&code).map(|found| found.extract::<1>().1[0]).collect();
        assert!(!named.contains("{"), "{}: one `use crate::module::...` for each module", name.display());
        for used in named.into_iter().filter(|used| *used != module) {
            seen += 1;
            if layer(used) >= layer(module) {
                wrong.push(format!("{} uses {used}", name.display()));
            }
        }
    }
    assert!(seen > 300, "only {seen} imports were found");
    assert!(wrong.is_empty(), "imports that do not run down: {wrong:#?}");
}
