//! Where Go keeps what, by release: the offsets that generated code has built in.
//!
//! Correct means: equal to the runtime sources of that release (`runtime/runtime2.go`,
//! `runtime/type.go`, `internal/abi`), which the compiled code of Go 1.10 to 1.27 confirms. The names
//! that a field had are those sources' too.

use super::Release;
use crate::formula::Formula;
use crate::go::HeapKind;

/// A field of one of Go's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Bytes it takes.
    pub size: u32,
    /// Go's names for it, each with the minor release that brought it; ascending.
    names: &'static [(u8, &'static str)],
}

impl Field {
    const fn new(offset: u32, size: u32, names: &'static [(u8, &'static str)]) -> Field {
        Field {
            offset,
            size,
            names,
        }
    }

    /// What the release's sources call it.
    pub fn name(&self, release: Release) -> &'static str {
        let reached = self.names.iter().rev();
        let mut reached = reached.skip_while(|(since, _)| *since > release.minor());
        reached.next().unwrap_or(&self.names[0]).1
    }
}

/// The release that moved types from `runtime` to `internal/abi`.
const TYPES_TO_ABI: u8 = 21;
/// The release that moved itabs there.
const ITABS_TO_ABI: u8 = 22;

/// Bytes of `runtime._type` (`abi.Type`).
pub const TYPE_SIZE: u32 = 48;
/// A type's size in bytes.
pub const TYPE_SIZE_FIELD: Field = Field::new(0, 8, &[(0, "size"), (TYPES_TO_ABI, "Size_")]);
/// The number of leading bytes that can hold pointers.
pub const TYPE_PTRDATA: Field = Field::new(8, 8, &[(0, "ptrdata"), (TYPES_TO_ABI, "PtrBytes")]);
/// The type hash.
pub const TYPE_HASH: Field = Field::new(16, 4, &[(0, "hash"), (TYPES_TO_ABI, "Hash")]);
/// Flags.
pub const TYPE_TFLAG: Field = Field::new(20, 1, &[(0, "tflag"), (TYPES_TO_ABI, "TFlag")]);
/// The alignment of a variable.
pub const TYPE_ALIGN: Field = Field::new(21, 1, &[(0, "align"), (TYPES_TO_ABI, "Align_")]);
/// The alignment of a field.
pub const TYPE_FIELD_ALIGN: Field = Field::new(
    22,
    1,
    &[
        (0, "fieldalign"),
        (14, "fieldAlign"),
        (TYPES_TO_ABI, "FieldAlign_"),
    ],
);
/// The kind; releases kept flags in its upper bits.
pub const TYPE_KIND: Field = Field::new(23, 1, &[(0, "kind"), (TYPES_TO_ABI, "Kind_")]);
/// How values are compared, and up to Go 1.13 hashed.
pub const TYPE_EQUAL: Field =
    Field::new(24, 8, &[(0, "alg"), (14, "equal"), (TYPES_TO_ABI, "Equal")]);
/// Where the garbage collector finds the pointers.
pub const TYPE_GCDATA: Field = Field::new(32, 8, &[(0, "gcdata"), (TYPES_TO_ABI, "GCData")]);
/// Offset of the type's name in the module's names.
pub const TYPE_STR: Field = Field::new(40, 4, &[(0, "str"), (TYPES_TO_ABI, "Str")]);
/// Offset of the pointer type in the module's types.
pub const TYPE_PTR_TO_THIS: Field =
    Field::new(44, 4, &[(0, "ptrToThis"), (TYPES_TO_ABI, "PtrToThis")]);

/// Kind of a struct type.
pub const KIND_STRUCT: u8 = 25;
/// Kind of an interface type.
pub const KIND_INTERFACE: u8 = 20;
/// Kind of a pointer type.
pub const KIND_POINTER: u8 = 22;
/// Kind of a function's type.
pub const KIND_FUNC: u8 = 19;

/// An itab's interface type.
pub const ITAB_INTER: Field = Field::new(0, 8, &[(0, "inter"), (ITABS_TO_ABI, "Inter")]);
/// An itab's dynamic type.
pub const ITAB_TYPE: Field = Field::new(8, 8, &[(0, "_type"), (ITABS_TO_ABI, "Type")]);
/// Up to Go 1.9, the next itab in the runtime's table.
pub const ITAB_LINK: Field = Field::new(16, 8, &[(0, "link")]);
/// Up to Go 1.9, whether the type does not implement the interface.
pub const ITAB_BAD: Field = Field::new(28, 1, &[(0, "bad")]);
/// Up to Go 1.9, whether the runtime's table has the itab.
pub const ITAB_IN_HASH: Field = Field::new(29, 1, &[(0, "inhash")]);
/// An itab's copy of the type hash.
pub const ITAB_HASH: Field = Field::new(16, 4, &[(0, "hash"), (ITABS_TO_ABI, "Hash")]);
/// An itab's first method.
pub const ITAB_FUN: Field = Field::new(24, 8, &[(0, "fun"), (ITABS_TO_ABI, "Fun")]);

/// Whether the release has a link in each itab, which moves hash and methods up by 8 bytes.
pub fn has_itab_link(release: Release) -> bool {
    release.minor() <= 9
}

/// An itab's copy of the type hash: at 24 up to Go 1.9, then at 16.
pub fn itab_hash(release: Release) -> Field {
    behind_the_link(ITAB_HASH, release)
}

/// An itab's first method: at 32 up to Go 1.9, then at 24.
pub fn itab_fun(release: Release) -> Field {
    behind_the_link(ITAB_FUN, release)
}

fn behind_the_link(field: Field, release: Release) -> Field {
    let moved = if has_itab_link(release) { 8 } else { 0 };
    Field {
        offset: field.offset + moved,
        ..field
    }
}

/// Bytes of an interface type without its methods.
pub const INTERFACE_TYPE_SIZE: u32 = 80;
/// The package of an interface's unexported methods.
pub const INTERFACE_PKGPATH: Field =
    Field::new(48, 8, &[(0, "pkgpath"), (TYPES_TO_ABI, "PkgPath")]);
/// An interface type's slice of methods: pointer, length, capacity.
pub const INTERFACE_METHODS: Field = Field::new(56, 24, &[(0, "mhdr"), (TYPES_TO_ABI, "Methods")]);
/// Bytes of one method of an interface type: offsets of its name and of its type.
pub const IMETHOD_SIZE: u32 = 8;

/// Offset of a method's name.
pub const IMETHOD_NAME: Field = Field::new(0, 4, &[(0, "name"), (TYPES_TO_ABI, "Name")]);
/// Offset of a method's type, without the receiver.
pub const IMETHOD_TYPE: Field = Field::new(4, 4, &[(0, "ityp"), (TYPES_TO_ABI, "Typ")]);

/// Bytes of a pointer type.
pub const POINTER_TYPE_SIZE: u32 = 56;
/// What a pointer type points to.
pub const POINTER_ELEMENT: Field = Field::new(48, 8, &[(0, "elem"), (TYPES_TO_ABI, "Elem")]);
/// Bytes of a function's type without the pointers to the types of its arguments and results.
pub const FUNC_TYPE_SIZE: u32 = 56;
/// How many arguments a function has.
pub const FUNC_IN_COUNT: Field = Field::new(48, 2, &[(0, "inCount"), (TYPES_TO_ABI, "InCount")]);
/// How many results a function has.
pub const FUNC_OUT_COUNT: Field = Field::new(50, 2, &[(0, "outCount"), (TYPES_TO_ABI, "OutCount")]);
/// The field of a name that holds its text; Go has no name for it.
pub const NAME_TEXT: &str = "text";

/// Bytes that dispatchlab gives to `g`; the runtime's is larger.
pub const G_SIZE: u32 = 64;
/// Offset of the stack's lowest address in `g`.
pub const G_STACK_LO: u32 = 0;
/// Offset of the stack's end in `g`.
pub const G_STACK_HI: u32 = 8;
/// Offset of the address that prologues compare the stack pointer with.
pub const G_STACKGUARD0: u32 = 16;
/// Offset of the innermost panic.
pub const G_PANIC: u32 = 32;
/// Offset of the machine that runs this goroutine.
pub const G_M: u32 = 48;

/// Bytes that Go keeps below `stackguard0` for functions that check late: `runtime/stack.go`.
pub const STACK_GUARD: u32 = 928;

/// Bytes between two objects. Four would do for the id; sixteen is Go's smallest block for objects
/// that live alone.
pub const OBJECT_SIZE: u32 = 16;

/// Words of what a loop calls a method through: a pointer or an interface's two, or those that a template says.
pub fn receiver_words(kind: HeapKind, own: &[Formula]) -> usize {
    match kind {
        _ if !own.is_empty() => own.len(),
        HeapKind::None => 0,
        HeapKind::Pointer | HeapKind::Func => 1,
        HeapKind::Iface | HeapKind::Eface => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_name_of_its_release() {
        let name = |field: Field, release: &str| field.name(release.parse().expect("a release"));
        assert_eq!(name(TYPE_EQUAL, "1.10"), "alg");
        assert_eq!(name(TYPE_EQUAL, "1.19"), "equal");
        assert_eq!(name(TYPE_EQUAL, "1.27"), "Equal");
        assert_eq!(name(TYPE_HASH, "1.20"), "hash");
        assert_eq!(name(ITAB_TYPE, "1.21"), "_type");
        assert_eq!(name(ITAB_TYPE, "1.22"), "Type");
    }
}
