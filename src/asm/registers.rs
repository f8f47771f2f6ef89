//! The names of registers.
//!
//! Correct means: every register that 64-bit code can use has iced's name, and the low bytes of the
//! new ones also the name that manuals and assemblers have for them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use iced_x86::Register;

static REGISTERS: LazyLock<HashMap<String, Register, FixedState>> = LazyLock::new(|| {
    let mut names = HashMap::default();
    for register in Register::values() {
        let iced = format!("{register:?}").to_ascii_lowercase();
        // EIP would need an address-size prefix and reaches nothing that RIP does not.
        let is_usable = !matches!(register, Register::None | Register::EIP);
        if is_usable && !iced.starts_with("dontuse") {
            names.insert(name_of(register), register);
            names.insert(iced, register);
        }
    }
    names
});

/// The register of that name, in any case.
pub(super) fn register(name: &str) -> Option<Register> {
    REGISTERS.get(&*lower(name)).copied()
}

/// The name of an index that is none, though the instruction has room for one, as GNU as and LLVM write it: a
/// register of its width stands for it until the byte is written.
pub(super) fn no_index(name: &str) -> Option<Register> {
    match &*lower(name) {
        "riz" => Some(Register::RCX),
        "eiz" => Some(Register::ECX),
        _ => None,
    }
}

/// The names of all registers that 64-bit code can use.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    REGISTERS.keys().map(String::as_str)
}

/// The name of a register as it is written: iced spells the low bytes of the new registers r8l;
/// manuals and assemblers, r8b.
pub(super) fn name_of(register: Register) -> String {
    let name = format!("{register:?}").to_ascii_lowercase();
    match name.strip_suffix('l') {
        Some(stem) if stem.starts_with('r') => format!("{stem}b"),
        _ => name,
    }
}

/// `word` in lower case; a copy only where that differs.
pub(super) fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

/// A general-purpose register at a width.
pub(super) fn at_bits(register: Register, bits: u32) -> Option<Register> {
    let number = register.full_register().number() as u32;
    let first = match bits {
        64 => Register::RAX,
        32 => Register::EAX,
        16 => Register::AX,
        // The high bytes stand between the four low ones of old and the others.
        8 if number < 4 => Register::AL,
        8 => return Some(Register::SPL + (number - 4)),
        _ => return None,
    };
    Some(first + number)
}

/// What to say of a name that looks like a register's, and is none.
pub(super) fn missing(name: &str) -> Option<String> {
    let name = lower(name);
    let number = |stem: &str, suffixes: &[&str]| {
        let rest = name.strip_prefix(stem)?;
        let ends = suffixes.iter().find_map(|suffix| rest.strip_suffix(suffix));
        ends.unwrap_or(rest).parse::<u32>().ok()
    };
    for stem in ["xmm", "ymm", "zmm"] {
        if number(stem, &[]).is_some() {
            return Some(format!("there are {stem}0 to {stem}31"));
        }
    }
    if number("k", &[]).is_some() {
        return Some("there are k0 to k7".to_owned());
    }
    match number("r", &["d", "w", "b"]) {
        Some(16..=31) => Some("r16 to r31 belong to APX, which is not supported".to_owned()),
        Some(_) => Some("there are r8 to r15".to_owned()),
        None => None,
    }
}
