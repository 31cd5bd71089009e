//! How much stack the programs take. A kernel before 6.13 gives 512 bytes to a program together with all that it calls, and rounds
//! each function up, Linux 6.1 to 32 bytes. Kernels count that alike, so that it is calculated from the object, without one.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

/// Both objects, by what the report calls them.
static OBJECTS: [(&str, &[u8]); 2] = [
    ("bytes", include_bytes!("../../bpf/rosprobe.bpf.o")),
    ("bounded", include_bytes!("../../bpf/rosprobe-bounded.bpf.o")),
];

/// What the kernel gives (`MAX_BPF_STACK`).
pub const LIMIT: u32 = 512;
/// What a function is rounded up to on Linux 6.1, which rounds most.
const ROUNDED: u32 = 32;
/// A change of the compiler's mind may cost a function or two so much.
const TOLERANCE: u32 = 2 * ROUNDED;

/// A register that holds the frame's address.
const FRAME: u8 = 10;
/// `BPF_JMP | BPF_CALL`, and the source that says that it is a function of the object.
const CALL: u8 = 0x85;
const OF_OBJECT: u8 = 1;
/// `BPF_LD | BPF_IMM | BPF_DW`: two instructions, which may name a function.
const ADDRESS: u8 = 0x18;
/// `BPF_ALU64 | BPF_MOV | BPF_X` and `BPF_ALU64 | BPF_ADD | BPF_K`.
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x07;

/// Where code is: section, and byte in it.
type Place = (usize, u64);

#[derive(Debug)]
struct Function {
    name: String,
    depth: u32,
    calls: Vec<Place>,
}

fn functions(file: &object::File<'_>) -> BTreeMap<Place, Function> {
    let mut found = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let Some(index) = symbol.section_index() else { continue };
        let section = file.section_by_index(index).unwrap();
        let named: BTreeMap<u64, Place> = section
            .relocations()
            .filter_map(|(at, relocation)| {
                let RelocationTarget::Symbol(target) = relocation.target() else { return None };
                let target = file.symbol_by_index(target).unwrap();
                Some((at, (target.section_index()?.0, target.address())))
            })
            .collect();
        let (begin, end) = (symbol.address(), symbol.address() + symbol.size());
        let code = section.data().unwrap();
        let name = symbol.name().unwrap().to_owned();
        found.insert((index.0, begin), function(name, (index.0, begin, end), code, &named));
    }
    found
}

/// Goes over the instructions of a function, of 8 bytes each: operation, registers, offset, constant.
fn function(
    name: String,
    (section, begin, end): (usize, u64, u64),
    code: &[u8],
    named: &BTreeMap<u64, Place>,
) -> Function {
    let (mut depth, mut calls, mut of_frame) = (0, Vec::new(), None);
    for at in (begin..end).step_by(8) {
        let at_byte = usize::try_from(at).unwrap();
        let &[operation, registers, low, high, a, b, c, d] = &code[at_byte..at_byte + 8] else {
            unreachable!("8 bytes")
        };
        let (target, source) = (registers & 0x0f, registers >> 4);
        let (offset, constant) = (i16::from_le_bytes([low, high]), i32::from_le_bytes([a, b, c, d]));
        let base = match operation & 0x07 {
            1 => Some(source),
            2 | 3 => Some(target),
            _ => None,
        };
        if base == Some(FRAME) {
            depth = depth.max(u32::from(offset.unsigned_abs()));
        }
        if operation == ADD && of_frame == Some(target) {
            depth = depth.max(constant.unsigned_abs());
        }
        of_frame = (operation == MOVE && source == FRAME).then_some(target);
        let calls_function = operation == CALL && source == OF_OBJECT;
        match named.get(&at) {
            // The symbol is the function, or its section, and then the constant says where in it.
            Some((place, address)) if calls_function => {
                let within = if *address == 0 { u64::try_from(i64::from(constant) + 1).unwrap() * 8 } else { 0 };
                calls.push((*place, address + within));
            }
            Some((place, address)) if operation == ADDRESS => {
                calls.push((*place, address + u64::try_from(constant).unwrap_or(0)));
            }
            None if calls_function => calls.push((section, at.wrapping_add_signed(8 * (i64::from(constant) + 1)))),
            _ => {}
        }
    }
    Function { name, depth, calls }
}

/// The most that a way from here on takes, and the way.
fn deepest(functions: &BTreeMap<Place, Function>, from: Place) -> (u32, Vec<String>) {
    let function = &functions[&from];
    let called = function.calls.iter().filter(|place| functions.contains_key(place) && **place != from);
    let below = called.map(|place| deepest(functions, *place)).max_by_key(|(bytes, _)| *bytes).unwrap_or_default();
    let own = function.depth.max(1).next_multiple_of(ROUNDED);
    let way = std::iter::once(format!("{} {}", function.name, function.depth)).chain(below.1).collect();
    (own + below.0, way)
}

/// Bytes of stack that each program takes, with the way that takes them.
fn of_programs(object: &[u8]) -> BTreeMap<String, (u32, Vec<String>)> {
    let file = object::File::parse(object).unwrap();
    let functions = functions(&file);
    let text = file.section_by_name(".text").unwrap().index().0;
    let programs = functions.iter().filter(|((section, _), _)| *section != text);
    programs.map(|(place, function)| (function.name.clone(), deepest(&functions, *place))).collect()
}

/// Bytes of stack that each program of each object takes.
pub fn bytes() -> BTreeMap<String, BTreeMap<String, u32>> {
    let bytes = |object| of_programs(object).into_iter().map(|(program, (bytes, _))| (program, bytes)).collect();
    OBJECTS.iter().map(|(name, object)| ((*name).to_owned(), bytes(object))).collect()
}

#[test]
fn no_program_is_near_the_end_of_the_stack() {
    for (name, object) in OBJECTS {
        check(name, &of_programs(object));
    }
}

fn check(name: &str, programs: &BTreeMap<String, (u32, Vec<String>)>) {
    assert!(programs.len() > 10 && programs.values().any(|(bytes, way)| *bytes > 256 && way.len() > 4), "{programs:?}");
    for (program, (bytes, way)) in programs {
        // The smallest function more would be one too many.
        assert!(*bytes <= LIMIT - ROUNDED, "{program} takes {bytes} of {LIMIT} bytes of stack: {}", way.join(" > "));
    }
    let reported = super::verifier::reported_stack(name);
    let advice = "rosprobe/bpf/verifier.toml is stale (run `cargo xtask ebpf verify` and commit it)";
    assert!(programs.keys().eq(reported.keys()), "{advice}: of stack it has other programs");
    for (program, (bytes, way)) in programs {
        let off = bytes.abs_diff(reported[program]);
        assert!(
            off <= TOLERANCE,
            "{advice}: {} of {program}, which has {bytes}: {}",
            reported[program],
            way.join(" > ")
        );
    }
}
