//! BPF type format: the kernel's description of its own structures, read far enough to find where a member is.
//!
//! Format: the kernel's `include/uapi/linux/btf.h` and `Documentation/bpf/btf.rst`.

use std::collections::HashMap;

/// Where the running kernel describes itself.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
/// Members inside members inside members are followed this far.
const DEPTH_LIMIT: u32 = 16;

mod kind {
    pub const INT: u32 = 1;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
    pub const LAST: u32 = 19;
}

/// Why a type description could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The bytes are no type description.
    #[error("it is malformed at byte {0}")]
    Malformed(usize),
    /// There is no such structure.
    #[error("it has no structure {0}")]
    NoStructure(String),
    /// The structure has no such member.
    #[error("its structure {structure} has no member {member}")]
    NoMember {
        /// The structure.
        structure: String,
        /// What it does not have.
        member: String,
    },
    /// The member does not begin at a byte.
    #[error("its member {structure}.{member} does not begin at a whole byte")]
    BitField {
        /// The structure.
        structure: String,
        /// The member.
        member: String,
    },
}

/// A type description.
#[derive(Debug)]
pub struct Btf<'a> {
    strings: &'a [u8],
    types: Vec<Type<'a>>,
    structures: HashMap<&'a [u8], u32>,
}

#[derive(Clone, Copy, Debug)]
struct Type<'a> {
    kind: u32,
    bit_fields: bool,
    /// Size, or the number of the type that this one is made of.
    size_or_id: u32,
    members: &'a [u8],
}

impl<'a> Btf<'a> {
    /// Reads a whole description.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let malformed = BtfError::Malformed;
        if u16_at(bytes, 0).ok_or(malformed(0))? != MAGIC {
            return Err(malformed(0));
        }
        let field = |at| usize_at(bytes, at).ok_or(malformed(at));
        let (header, type_at, type_length) = (field(4)?, field(8)?, field(12)?);
        let (string_at, string_length) = (field(16)?, field(20)?);
        let types = section(bytes, header, type_at, type_length).ok_or(malformed(8))?;
        let strings = section(bytes, header, string_at, string_length).ok_or(malformed(16))?;
        let mut this = Self { strings, types: Vec::new(), structures: HashMap::new() };
        // Type 0 is `void`.
        this.types.push(Type { kind: 0, bit_fields: false, size_or_id: 0, members: &[] });
        this.read_types(types).map_err(|at| malformed(header + type_at + at))?;
        Ok(this)
    }

    fn read_types(&mut self, types: &'a [u8]) -> Result<(), usize> {
        let mut at = 0;
        while at < types.len() {
            let word = |offset: usize| u32_at(types, at + offset).ok_or(at);
            let (name, info, size_or_id) = (word(0)?, word(4)?, word(8)?);
            let kind = (info >> 24) & 0x1f;
            let count = (info & 0xffff) as usize;
            let extra = extra_length(kind, count).ok_or(at)?;
            let start = at + 12;
            let members = types.get(start..start + extra).ok_or(at)?;
            if kind == kind::STRUCT && count > 0 {
                let id = u32::try_from(self.types.len()).map_err(|_| at)?;
                self.structures.entry(string(self.strings, name)).or_insert(id);
            }
            self.types.push(Type { kind, bit_fields: info >> 31 == 1, size_or_id, members });
            at = start + extra;
        }
        Ok(())
    }

    /// Offset in bytes of a member, or of a member of a member: `"skc_net.net"`. Members without a name are looked into.
    pub fn offset(&self, structure: &str, path: &str) -> Result<u32, BtfError> {
        let id =
            self.structures.get(structure.as_bytes()).ok_or_else(|| BtfError::NoStructure(structure.to_owned()))?;
        let mut of = *id;
        let mut bits = 0;
        for member in path.split('.') {
            let found = self.member(of, member.as_bytes(), 0);
            let missing = || BtfError::NoMember { structure: structure.to_owned(), member: path.to_owned() };
            let (offset, kind) = found.ok_or_else(missing)?;
            bits += offset;
            of = kind;
        }
        if bits % 8 != 0 {
            return Err(BtfError::BitField { structure: structure.to_owned(), member: path.to_owned() });
        }
        Ok(bits / 8)
    }

    /// The member's offset in bits, and its type.
    fn member(&self, id: u32, name: &[u8], depth: u32) -> Option<(u32, u32)> {
        let of = self.resolve(id)?;
        if !matches!(of.kind, kind::STRUCT | kind::UNION) || depth > DEPTH_LIMIT {
            return None;
        }
        of.members.chunks_exact(12).find_map(|member| {
            let (own, kind, offset) = (u32_at(member, 0)?, u32_at(member, 4)?, u32_at(member, 8)?);
            let offset = if of.bit_fields { offset & 0x00ff_ffff } else { offset };
            match string(self.strings, own) {
                own if own == name => Some((offset, kind)),
                [] => self.member(kind, name, depth + 1).map(|(inner, kind)| (offset.saturating_add(inner), kind)),
                _ => None,
            }
        })
    }

    /// The type behind names and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<Type<'a>> {
        for _ in 0..DEPTH_LIMIT {
            let of = *self.types.get(id as usize)?;
            match of.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => id = of.size_or_id,
                _ => return Some(of),
            }
        }
        None
    }
}

/// Bytes after the fixed part of a type; `None` for a kind that is not known, because what follows cannot be found then.
fn extra_length(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => count * 12,
        kind::ENUM | kind::FUNC_PROTO => count * 8,
        0..=kind::LAST => 0,
        _ => return None,
    })
}

fn section(bytes: &[u8], header: usize, at: usize, length: usize) -> Option<&[u8]> {
    let start = header.checked_add(at)?;
    bytes.get(start..start.checked_add(length)?)
}

fn string(strings: &[u8], at: u32) -> &[u8] {
    let tail = strings.get(at as usize..).unwrap_or_default();
    tail.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn usize_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct inner { int a; int b; }; struct outer { char x; union { long y; struct inner z; }; int bit : 3; };`
    fn sample() -> Vec<u8> {
        let names = b"\0inner\0a\0b\0outer\0x\0y\0z\0bit\0int\0alias\0";
        let at = |name: &str| {
            let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
            u32::try_from(names.windows(wanted.len()).position(|window| window == wanted).unwrap() + 1).unwrap()
        };
        let mut types = Vec::new();
        let mut words = |all: &[u32]| types.extend(all.iter().flat_map(|word| word.to_ne_bytes()));
        words(&[at("int"), 1 << 24, 4, 32]);
        words(&[at("inner"), 4 << 24 | 2, 8, at("a"), 1, 0, at("b"), 1, 32]);
        words(&[at("alias"), 8 << 24, 2]);
        words(&[0, 5 << 24 | 2, 8, at("y"), 1, 0, at("z"), 3, 0]);
        words(&[at("outer"), 1 << 31 | 4 << 24 | 3, 24, at("x"), 1, 0, 0, 4, 64, at("bit"), 1, 3 << 24 | 0x81]);
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([1, 0]);
        let lengths = [types.len(), names.len()].map(|length| u32::try_from(length).unwrap());
        for word in [24, 0, lengths[0], lengths[0], lengths[1]] {
            bytes.extend(u32::to_ne_bytes(word));
        }
        bytes.extend(types);
        bytes.extend(names);
        bytes
    }

    #[test]
    fn members_are_found_through_unions_without_a_name_and_through_typedefs() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset("inner", "b"), Ok(4));
        assert_eq!(btf.offset("outer", "x"), Ok(0));
        assert_eq!(btf.offset("outer", "y"), Ok(8));
        assert_eq!(btf.offset("outer", "z.b"), Ok(12));
        assert!(matches!(btf.offset("outer", "bit"), Err(BtfError::BitField { .. })));
        assert!(matches!(btf.offset("outer", "q"), Err(BtfError::NoMember { .. })));
        assert!(matches!(btf.offset("outer", "x.a"), Err(BtfError::NoMember { .. })));
        assert!(matches!(btf.offset("none", "x"), Err(BtfError::NoStructure(_))));
    }

    #[test]
    fn no_cut_and_no_changed_byte_makes_it_panic() {
        let bytes = sample();
        for length in 0..bytes.len() {
            let _ = Btf::parse(&bytes[..length]).map(|btf| btf.offset("outer", "z.b"));
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = Btf::parse(&changed).map(|btf| btf.offset("outer", "z.b"));
            }
        }
    }

    #[test]
    fn this_kernel_describes_its_sockets() {
        let Ok(bytes) = std::fs::read(VMLINUX) else { return };
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset("sock_common", "skc_family"), Ok(16));
        assert_eq!(btf.offset("sock_common", "skc_dport"), Ok(12));
    }
}
