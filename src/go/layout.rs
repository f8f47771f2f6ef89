//! Where Go keeps what, by release: the offsets that generated code has built in.
//!
//! Correct means: equal to the runtime sources of that release (`runtime/runtime2.go`,
//! `runtime/type.go`, `internal/abi`), which the compiled code of Go 1.10 to 1.27 confirms.

use super::Release;

/// Bytes of `runtime._type` (`abi.Type`).
pub const TYPE_SIZE: u32 = 48;
/// Offset of a type's size in bytes.
pub const TYPE_SIZE_FIELD: u32 = 0;
/// Offset of the number of leading bytes that can hold pointers.
pub const TYPE_PTRDATA: u32 = 8;
/// Offset of the type hash, 32 bits.
pub const TYPE_HASH: u32 = 16;
/// Offset of the flags byte.
pub const TYPE_TFLAG: u32 = 20;
/// Offset of the alignment byte.
pub const TYPE_ALIGN: u32 = 21;
/// Offset of the field alignment byte.
pub const TYPE_FIELD_ALIGN: u32 = 22;
/// Offset of the kind byte.
pub const TYPE_KIND: u32 = 23;
/// Kind of a struct type.
pub const KIND_STRUCT: u8 = 25;
/// Kind of an interface type.
pub const KIND_INTERFACE: u8 = 20;

/// Offset of an itab's interface type.
pub const ITAB_INTER: u32 = 0;
/// Offset of an itab's dynamic type.
pub const ITAB_TYPE: u32 = 8;

/// Offset of an itab's copy of the type hash: 24 up to Go 1.9, then 16.
pub fn itab_hash(release: Release) -> u32 {
    if release.minor() <= 9 { 24 } else { 16 }
}

/// Offset of an itab's first method: 32 up to Go 1.9, then 24.
pub fn itab_fun(release: Release) -> u32 {
    if release.minor() <= 9 { 32 } else { 24 }
}

/// Bytes of an interface type without its methods.
pub const INTERFACE_TYPE_SIZE: u32 = 80;
/// Offset of an interface type's slice of methods: pointer, length, capacity.
pub const INTERFACE_METHODS: u32 = 56;
/// Bytes of one method of an interface type: name offset, type offset.
pub const IMETHOD_SIZE: u32 = 8;

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

/// Bytes between two objects. Four would do for the id; sixteen is Go's smallest block for objects
/// that live alone.
pub const OBJECT_SIZE: u32 = 16;
