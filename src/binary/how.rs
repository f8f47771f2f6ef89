//! The ways in which a program decides what to call, by name, and the shipped scenario of each.
//!
//! Correct means: two ways that cost differently have two names, and a row dispatches like the way that it stands for.

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
    /// Through a table of addresses, by a number, or by a type's hash.
    JumpTable {
        /// Whether the number is made of a type's hash.
        by_type: bool,
    },
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
    Wrapper {
        /// Whether it has the method in it.
        inlined: bool,
    },
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
            How::JumpTable { by_type: true } => "type switch, table",
            How::JumpTable { by_type: false } => "switch, table",
            How::Hashes { .. } => "type switch, hashes",
            How::Addresses { .. } => "type switch, addresses",
            How::Interfaces { .. } => "type switch, interfaces",
            How::Assertion { .. } => "assertion, interface",
            How::Guard { .. } => "guard",
            How::FuncGuard { .. } => "guard, func value",
            How::Wrapper { inlined: true } => "wrapper, inlined",
            How::Wrapper { inlined: false } => "wrapper",
            How::Linked => "linked",
            How::Other => "other",
        }
    }

    /// Whether it chooses by the type of an interface of Go, and whoever stops there sees which one it is. A jump through a
    /// table does not tell: several types may share a slot.
    pub fn is_by_interface(&self) -> bool {
        matches!(
            self,
            How::Itab { .. } | How::Hashes { .. } | How::Addresses { .. } | How::Guard { .. }
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
            How::JumpTable { by_type: true } => "type_switch[strategy=jump]".into(),
            How::JumpTable { by_type: false } => "int_switch".into(),
            How::Hashes { .. } => "type_switch[strategy=binary]".into(),
            How::Addresses { .. } => "type_switch[strategy=pointer]".into(),
            How::Interfaces { .. } => "interface_switch".into(),
            How::Assertion { has_methods: true } => "assert_between_interfaces".into(),
            How::Assertion { has_methods: false } => "assert_to_interface".into(),
            How::Guard { .. } => "guard".into(),
            How::FuncGuard { .. } => "func_guard".into(),
            How::Wrapper { inlined: true } => "itab_wrapper".into(),
            How::Wrapper { inlined: false } => "itab_wrapper[method=called]".into(),
            How::Dictionary | How::Linked | How::Other => return None,
        })
    }
}
