//! The ways in which a program decides what to call, by name, and the shipped scenario of each.
//!
//! Correct means: two ways that cost differently have two names, and a row dispatches like the way that it stands for.

use iced_x86::Register;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a general register.
    Register(Register),
    /// So far behind a register that points to the stack.
    Slot(Register, u64),
}

/// A jump through a table by a type's hash, as Go makes one since 1.22 of a switch with five cases or more. Of the types
/// that share a slot one is a case, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashTable {
    /// Where the table is.
    pub table: u64,
    /// How the number of a slot is made of a hash.
    pub bits: HashBits,
    /// How many types are cases.
    pub cases: usize,
    /// Where the type, or its itab, stands at the jump; none where the cases do not tell.
    pub value: Option<Place>,
}

/// Some bits of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashBits {
    /// How far they stand behind the lowest.
    pub shift: u32,
    /// Them, at the lowest end.
    pub mask: u32,
}

impl HashBits {
    /// Of a hash.
    pub fn of(self, hash: u32) -> u32 {
        hash.checked_shr(self.shift).unwrap_or_default() & self.mask
    }
}

/// How a wrapper comes to the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// It has it in it.
    Inlined,
    /// It calls it with a copy of the value.
    Copied,
    /// It goes on to a method of a pointer with the address of what its type embeds, by a jump where the release makes one.
    Promoted(Embedded),
}

/// What a type embeds whose method it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    /// A pointer, which is loaded.
    Pointer,
    /// A value, whose address is so far behind the receiver's.
    Value,
    /// A pointer and nothing else: the interface holds it, and so the method has it.
    Direct,
}

/// How a site chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Through a slot of an itab.
    Itab {
        /// Which one.
        slot: u64,
    },
    /// Through a slot of a table whose address is an object's first word, or a reference's second.
    Vtable {
        /// Which one, in words from the table's address.
        slot: u64,
    },
    /// By a function value of Go.
    FuncValue,
    /// Through the dictionary that a generic function of Go is given for its types: a function value in it, which
    /// is the same one each time that the function is called with that dictionary.
    Dictionary,
    /// Through a table of addresses, by a number.
    JumpTable,
    /// Through a table of addresses, by some bits of a type's hash.
    HashTable(HashTable),
    /// By comparing a type's hash with those of types.
    Hashes {
        /// How many hashes it is compared with for equality; none where not all such compares were found.
        cases: Option<usize>,
    },
    /// By comparing the address of a type or an itab with those of types or itabs, one after the other.
    Addresses {
        /// The one that is compared with first.
        first: u64,
        /// With how many.
        cases: usize,
    },
    /// By looking for the itab of a type and each of several interfaces, in Go's runtime or in what the site remembers.
    Interfaces {
        /// How many interfaces; none where the file does not say.
        cases: Option<usize>,
    },
    /// By looking for the itab of a type and one interface, likewise.
    Assertion {
        /// Whether the value's interface has methods; since Go 1.22 one call serves both.
        has_methods: bool,
    },
    /// A compare of the itab in front of a call through it, as a profile makes the compiler do.
    Guard {
        /// The itab's name.
        itab: String,
    },
    /// A compare of a function value's code in front of a call of it, likewise.
    FuncGuard {
        /// The function's name.
        function: String,
        /// Where it is.
        address: u64,
    },
    /// Not at all: a function of the compiler's own, which an itab leads to, passes on to the method of a value.
    Wrapper(Passing),
    /// Through a cell that the loader fills.
    Linked,
    /// By a register or a word, and nothing tells what it holds.
    Other,
}

impl How {
    /// In a word or two.
    pub fn name(&self) -> &'static str {
        match self {
            How::Itab { .. } => "itab",
            How::Vtable { .. } => "vtable",
            How::FuncValue => "func value",
            How::Dictionary => "generic dictionary",
            How::JumpTable => "switch, table",
            How::HashTable(_) => "type switch, table",
            How::Hashes { .. } => "type switch, hashes",
            How::Addresses { .. } => "type switch, addresses",
            How::Interfaces { .. } => "type switch, interfaces",
            How::Assertion { .. } => "assertion, interface",
            How::Guard { .. } => "guard",
            How::FuncGuard { .. } => "guard, func value",
            How::Wrapper(Passing::Inlined) => "wrapper, inlined",
            How::Wrapper(Passing::Copied) => "wrapper",
            How::Wrapper(Passing::Promoted(Embedded::Pointer)) => "wrapper, promoted",
            How::Wrapper(Passing::Promoted(Embedded::Value)) => "wrapper, promoted value",
            How::Wrapper(Passing::Promoted(Embedded::Direct)) => "wrapper, promoted direct",
            How::Linked => "linked",
            How::Other => "other",
        }
    }

    /// Whether it chooses by the type of an interface of Go, and whoever stops there sees which one it is. Where a jump
    /// through a table leads does not tell, for several types share a slot: the type itself has to be in sight.
    pub fn is_by_interface(&self) -> bool {
        matches!(
            self,
            How::Itab { .. }
                | How::Hashes { .. }
                | How::Addresses { .. }
                | How::Guard { .. }
                | How::HashTable(HashTable { value: Some(_), .. })
        )
    }

    /// The shipped scenario that shows the like.
    pub fn row(&self) -> Option<String> {
        Some(match self {
            How::Itab { slot: slot @ 0..=2 } if *slot > 0 => format!("itab_call[slot={slot}]"),
            How::Itab { .. } => "itab_call".into(),
            How::Vtable { slot: slot @ 1..=2 } => format!("vtable_call[slot={slot}]"),
            How::Vtable { .. } => "vtable_call".into(),
            How::FuncValue => "func_value".into(),
            How::JumpTable => "int_switch".into(),
            How::HashTable(_) => "type_switch[strategy=jump]".into(),
            How::Hashes { .. } => "type_switch[strategy=binary]".into(),
            How::Addresses { .. } => "type_switch[strategy=pointer]".into(),
            How::Interfaces { .. } => "interface_switch".into(),
            How::Assertion { has_methods: true } => "assert_between_interfaces".into(),
            How::Assertion { has_methods: false } => "assert_to_interface".into(),
            How::Guard { .. } => "guard".into(),
            How::FuncGuard { .. } => "func_guard".into(),
            How::Wrapper(Passing::Inlined) => "itab_wrapper".into(),
            How::Wrapper(Passing::Copied) => "itab_wrapper[method=called]".into(),
            How::Wrapper(Passing::Promoted(Embedded::Pointer)) => "promoted".into(),
            How::Wrapper(Passing::Promoted(Embedded::Value)) => "promoted[embeds=value]".into(),
            How::Wrapper(Passing::Promoted(Embedded::Direct)) => "promoted[embeds=direct]".into(),
            How::Dictionary | How::Linked | How::Other => return None,
        })
    }
}
