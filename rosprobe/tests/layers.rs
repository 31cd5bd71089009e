//! Imports run down the list of layers and never up: `crate::` in a module of the library names only what lies below it. The kernel
//! side has no layers by name, but no circles either.

#![expect(clippy::unwrap_used, reason = "a source that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
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

/// Which modules each module of a crate names.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The imports of every module below `root`, by their paths with `::`. A module that has several files, of which one is compiled, is
/// called after its folder.
fn imports(root: &Path) -> Imports {
    let mut files = Vec::new();
    sources(root, &mut files);
    let modules: Vec<(String, String)> = files
        .iter()
        .map(|file| (module(file.strip_prefix(root).unwrap()), code(file)))
        .filter(|(module, _)| module != "main")
        .collect();
    let names: BTreeSet<&str> = modules.iter().map(|(module, _)| module.as_str()).collect();
    let path = Regex::new(r"\b(crate|super|self)::(?:\{([^}]*)\}|(\w+(?:::\w+)*))").unwrap();
    let child = Regex::new(r"(?m)^mod (\w+);").unwrap();
    let mut imports = Imports::new();
    for (module, code) in &modules {
        let named = imports.entry(module.clone()).or_default();
        // What a module consists of, it uses.
        named.extend(child.captures_iter(code).filter_map(|found| resolve(&names, module, &found[1])));
        let folder = module.rsplit_once("::").map_or("", |(folder, _)| folder);
        for found in path.captures_iter(code) {
            let base = match &found[1] {
                "crate" => "",
                "super" => folder,
                _ => module,
            };
            let items = found.get(2).map_or_else(|| vec![&found[3]], |items| items.as_str().split(',').collect());
            named.extend(
                items.iter().filter_map(|item| resolve(&names, base, item.trim())).filter(|name| name != module),
            );
        }
    }
    imports
}

fn module(file: &Path) -> String {
    let name = file.with_extension("").to_string_lossy().replace('/', "::");
    let name = name.strip_suffix("::mod").unwrap_or(&name);
    if name.starts_with("turns::") { "turns".to_owned() } else { name.to_owned() }
}

/// The module in which an item that is named in `base` lies: the longest path that is one.
fn resolve(names: &BTreeSet<&str>, base: &str, item: &str) -> Option<String> {
    let mut path = if base.is_empty() { item.to_owned() } else { format!("{base}::{item}") };
    while !names.contains(path.as_str()) {
        path.truncate(path.rfind("::")?);
    }
    Some(path)
}

/// Modules of which each names the next one, and the last one the first; nothing where imports only run down.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn follow(imports: &Imports, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        let here = way.last()?.clone();
        for next in imports.get(&here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|module| module == next) {
                return Some(way[at..].to_vec());
            }
            if !done.contains(next) {
                way.push(next.clone());
                let found = follow(imports, way, done);
                if found.is_some() {
                    return found;
                }
                way.pop();
            }
        }
        done.insert(here);
        None
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|first| follow(imports, &mut vec![first.clone()], &mut done))
}

#[test]
fn imports_of_the_kernel_side_make_no_circle() {
    let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rosprobe-ebpf/src"));
    let seen: usize = imports.values().map(BTreeSet::len).sum();
    assert!(seen > 100, "only {seen} imports were found");
    assert!(imports["transfer"].contains("udp") && imports["rtps"].contains("rtps::pairs"), "{imports:#?}");
    assert_eq!(circle(&imports), None);
}

#[test]
fn a_circle_is_found() {
    let named = |pairs: &[(&str, &[&str])]| -> Imports {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        pairs.iter().map(|&(module, uses)| (module.to_owned(), names(uses))).collect()
    };
    let down = named(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["ground"])]);
    assert_eq!(circle(&down), None);
    let round = named(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["d"]), ("d", &["b"])]);
    assert_eq!(circle(&round).unwrap(), ["b", "c", "d"]);
}
