//! What Go's mnemonics mean.
//!
//! Correct means: a name gives the instruction that Go's assembler takes it for, with the widths of its
//! operands; a name that Go has not gives nothing.

use std::borrow::Cow;

/// An instruction's name as Intel's manual has it, and how wide its operands are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// In lower case.
    pub(super) name: Cow<'static, str>,
    /// Bits of a general-purpose register, or of memory, that is the destination.
    pub(super) to: Option<u32>,
    /// The same of every other operand.
    pub(super) from: Option<u32>,
    /// Bits of a general-purpose register where neither says it.
    pub(super) plain: u32,
    /// How the operands stand.
    pub(super) order: Order,
}

/// How the operands stand, beside Intel's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The other way round.
    Reversed,
    /// As there: comparisons.
    Kept,
    /// The other way round, but the number stands last in both: `CMPPS`.
    NumberLast,
}

/// Names that no rule gives: Go's, Intel's, bits of the destination and of the source, 0 where the name
/// does not say.
#[rustfmt::skip]
const IRREGULAR: &[(&str, &str, u32, u32)] = &[
    ("MOVBLSX", "movsx", 32, 8), ("MOVBLZX", "movzx", 32, 8), ("MOVBQSX", "movsx", 64, 8),
    ("MOVBQZX", "movzx", 64, 8), ("MOVBWSX", "movsx", 16, 8), ("MOVBWZX", "movzx", 16, 8),
    ("MOVWLSX", "movsx", 32, 16), ("MOVWLZX", "movzx", 32, 16), ("MOVWQSX", "movsx", 64, 16),
    ("MOVWQZX", "movzx", 64, 16), ("MOVLQSX", "movsxd", 64, 32), ("MOVLQZX", "mov", 32, 32),
    ("MOVSXD", "movsxd", 64, 32),
    ("MOVO", "movdqa", 0, 0), ("MOVOA", "movdqa", 0, 0), ("MOVOU", "movdqu", 0, 0),
    ("MOVNTO", "movntdq", 0, 0), ("MASKMOVOU", "maskmovdqu", 0, 0), ("MOVQOZX", "movq", 0, 0),
    ("MOVQ2DQ", "movq2dq", 0, 0), ("MOVDQ2Q", "movdq2q", 0, 0),
    ("CVTSL2SD", "cvtsi2sd", 0, 32), ("CVTSQ2SD", "cvtsi2sd", 0, 64),
    ("CVTSL2SS", "cvtsi2ss", 0, 32), ("CVTSQ2SS", "cvtsi2ss", 0, 64),
    ("CVTSI2SDL", "cvtsi2sd", 0, 32), ("CVTSI2SDQ", "cvtsi2sd", 0, 64),
    ("CVTSI2SSL", "cvtsi2ss", 0, 32), ("CVTSI2SSQ", "cvtsi2ss", 0, 64),
    ("CVTSD2SL", "cvtsd2si", 32, 0), ("CVTSD2SQ", "cvtsd2si", 64, 0),
    ("CVTSS2SL", "cvtss2si", 32, 0), ("CVTSS2SQ", "cvtss2si", 64, 0),
    ("CVTTSD2SL", "cvttsd2si", 32, 0), ("CVTTSD2SQ", "cvttsd2si", 64, 0),
    ("CVTTSS2SL", "cvttss2si", 32, 0), ("CVTTSS2SQ", "cvttss2si", 64, 0),
    ("CVTTSD2SIQ", "cvttsd2si", 64, 0), ("CVTTSS2SIQ", "cvttss2si", 64, 0),
    ("CVTSD2SIQ", "cvtsd2si", 64, 0), ("CVTSS2SIQ", "cvtss2si", 64, 0),
    ("CVTPL2PD", "cvtdq2pd", 0, 0), ("CVTPL2PS", "cvtdq2ps", 0, 0), ("CVTPD2PL", "cvtpd2dq", 0, 0),
    ("CVTPS2PL", "cvtps2dq", 0, 0), ("CVTTPD2PL", "cvttpd2dq", 0, 0), ("CVTTPS2PL", "cvttps2dq", 0, 0),
    ("PADDL", "paddd", 0, 0), ("PSUBL", "psubd", 0, 0), ("PCMPEQL", "pcmpeqd", 0, 0),
    ("PCMPGTL", "pcmpgtd", 0, 0), ("PSLLL", "pslld", 0, 0), ("PSRLL", "psrld", 0, 0),
    ("PSRAL", "psrad", 0, 0), ("PSLLO", "pslldq", 0, 0), ("PSRLO", "psrldq", 0, 0),
    ("PUNPCKHLQ", "punpckhdq", 0, 0), ("PUNPCKLLQ", "punpckldq", 0, 0),
    ("PUNPCKHWL", "punpckhwd", 0, 0), ("PUNPCKLWL", "punpcklwd", 0, 0),
    ("PMADDWL", "pmaddwd", 0, 0), ("PMULULQ", "pmuludq", 0, 0), ("PACKSSLW", "packssdw", 0, 0),
    ("PSHUFL", "pshufd", 0, 0),
    ("CRC32B", "crc32", 32, 8), ("CRC32W", "crc32", 32, 16), ("CRC32L", "crc32", 32, 32),
    ("CRC32Q", "crc32", 64, 64),
    ("MOVSL", "movsd", 0, 0), ("STOSL", "stosd", 0, 0), ("LODSL", "lodsd", 0, 0),
    ("CMPSL", "cmpsd", 0, 0), ("SCASL", "scasd", 0, 0),
    ("UNDEF", "ud2", 0, 0), ("LEAVEQ", "leave", 0, 0), ("JCXZL", "jecxz", 0, 0), ("JCXZQ", "jrcxz", 0, 0),
    ("IMUL3W", "imul", 16, 16), ("IMUL3L", "imul", 32, 32), ("IMUL3Q", "imul", 64, 64),
];

/// Integer instructions whose last letter is the width of their operands.
#[rustfmt::skip]
const SUFFIXED: &[&str] = &[
    "ADC", "ADCX", "ADD", "ADOX", "AND", "ANDN", "BEXTR", "BLSI", "BLSMSK", "BLSR", "BSF", "BSR",
    "BSWAP", "BT", "BTC", "BTR", "BTS", "BZHI", "CMP", "CMPXCHG", "DEC", "DIV", "IDIV", "IMUL", "INC",
    "LEA", "LZCNT", "MOV", "MOVBE", "MOVNTI", "MUL", "MULX", "NEG", "NOP", "NOT", "OR", "PDEP", "PEXT",
    "POP", "POPCNT", "PUSH", "RCL", "RCR", "RDRAND", "RDSEED", "ROL", "ROR", "RORX", "SAL", "SAR",
    "SARX", "SBB", "SHL", "SHLX", "SHR", "SHRX", "SUB", "TEST", "TZCNT", "XADD", "XCHG", "XOR",
];

/// Go's conditions, and the letters behind Intel's `j`, `set` and `cmov`.
#[rustfmt::skip]
const CONDITIONS: &[(&str, &str)] = &[
    ("OS", "o"), ("OC", "no"), ("CS", "b"), ("LO", "b"), ("CC", "ae"), ("HS", "ae"), ("EQ", "e"),
    ("NE", "ne"), ("LS", "be"), ("HI", "a"), ("MI", "s"), ("PL", "ns"), ("PS", "p"), ("PC", "np"),
    ("LT", "l"), ("GE", "ge"), ("LE", "le"), ("GT", "g"),
    // As Intel's manual spells them.
    ("A", "a"), ("AE", "ae"), ("B", "b"), ("BE", "be"), ("C", "b"), ("E", "e"), ("G", "g"), ("L", "l"),
    ("NA", "be"), ("NAE", "b"), ("NB", "ae"), ("NBE", "a"), ("NC", "ae"), ("NG", "le"), ("NGE", "l"),
    ("NL", "ge"), ("NLE", "g"), ("NO", "no"), ("NP", "np"), ("NS", "ns"), ("NZ", "ne"), ("O", "o"),
    ("P", "p"), ("PE", "p"), ("PO", "np"), ("S", "s"), ("Z", "e"),
];

/// Whether a name is that of a jump.
pub fn is_jump(name: &str) -> bool {
    name.strip_prefix('J')
        .is_some_and(|rest| rest == "MP" || condition(rest).is_some())
}

/// The letters of a condition.
fn condition(name: &str) -> Option<&'static str> {
    let found = CONDITIONS.iter().find(|(go, _)| *go == name);
    found.map(|(_, intel)| *intel)
}

/// Bits that a letter at the end of a name says.
fn suffix(letter: u8) -> Option<u32> {
    Some(match letter {
        b'B' => 8,
        b'W' => 16,
        b'L' => 32,
        b'Q' => 64,
        _ => return None,
    })
}

/// Whether the last letter of a name is the width of its operands.
pub(in crate::asm) fn is_sized(name: &str) -> bool {
    let (stem, last) = name.split_at(name.len().saturating_sub(1));
    last.bytes().next().and_then(suffix).is_some() && SUFFIXED.contains(&stem)
}

/// Go's name of an instruction of Intel's, whose first two operands are so wide; none where it has none.
pub(in crate::asm) fn named(
    intel: &str,
    first: u32,
    second: u32,
    is_vector: bool,
    count: u32,
) -> Option<String> {
    let is = |width: u32, bits: u32| width == 0 || width == bits;
    let upper = intel.to_ascii_uppercase();
    let letter = |bits: u32| match bits {
        8 => Some("B"),
        16 => Some("W"),
        32 => Some("L"),
        64 => Some("Q"),
        _ => None,
    };
    for (begin, go) in [("j", "J"), ("set", "SET"), ("cmov", "CMOV")] {
        let own = intel.strip_prefix(begin);
        let found = CONDITIONS.iter().find(|(_, letters)| Some(*letters) == own);
        if let Some((condition, _)) = found {
            let width = if begin == "cmov" { letter(first)? } else { "" };
            return Some(format!("{go}{width}{condition}"));
        }
    }
    match intel {
        "call" | "jmp" | "ret" => return Some(upper),
        "movq" | "movd" => return Some(if intel == "movq" { "MOVQ" } else { "MOVL" }.to_owned()),
        "int3" => return None,
        "imul" if count == 3 => return Some(format!("IMUL3{}", letter(first)?)),
        "shld" | "shrd" => return Some(format!("{}{}", &upper[..3], letter(first)?)),
        "movsd" | "cmpsd" if count > 0 => return Some(upper),
        _ => {}
    }
    let irregular = IRREGULAR.iter().find(|(_, own, to, from)| {
        *own == intel && intel != "mov" && is(*to, first) && is(*from, second)
    });
    if let Some((go, ..)) = irregular {
        return Some((*go).to_owned());
    }
    if SUFFIXED.contains(&&*upper) && !is_vector {
        return Some(format!("{upper}{}", letter(first)?));
    }
    meaning(&upper).filter(|known| known.name == intel)?;
    Some(upper)
}

/// The words behind the name of an instruction of AVX-512, in front of which and between which points stand.
const SUFFIXES: [&str; 7] = ["Z", "BCST", "SAE", "RN_SAE", "RD_SAE", "RU_SAE", "RZ_SAE"];

/// A name without its suffixes, and these: `VADDPD.RN_SAE.Z`.
pub(super) fn suffixes(name: &str) -> (&str, Vec<&str>) {
    let mut parts = name.split('.');
    let stem = parts.next().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    match stem.starts_with('V') && words.iter().all(|word| SUFFIXES.contains(word)) {
        true => (stem, words),
        false => (name, Vec::new()),
    }
}

/// What an upper-case name means; none where it is no name of Go's.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let (name, _) = suffixes(name);
    let letters = name;
    let of = |name: Cow<'static, str>, to: Option<u32>, from: Option<u32>| Meaning {
        name,
        to,
        from,
        plain: if letters.ends_with('Q') { 64 } else { 32 },
        order: Order::Reversed,
    };
    let bits = |bits: u32| Some(bits).filter(|bits| *bits > 0);
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return None;
    }
    match name {
        "CALL" | "JMP" => {
            let name = if name == "CALL" { "call" } else { "jmp" };
            return Some(of(Cow::Borrowed(name), Some(64), Some(64)));
        }
        "RET" => return Some(of(Cow::Borrowed("ret"), None, None)),
        _ => {}
    }
    if let Some((_, intel, to, from)) = IRREGULAR.iter().find(|(go, ..)| *go == name) {
        return Some(of(Cow::Borrowed(intel), bits(*to), bits(*from)));
    }
    if let Some(intel) = name.strip_prefix('J').and_then(condition) {
        return Some(of(Cow::Owned(format!("j{intel}")), None, None));
    }
    if let Some(intel) = name.strip_prefix("SET").and_then(condition) {
        return Some(of(Cow::Owned(format!("set{intel}")), Some(8), Some(8)));
    }
    if let Some(rest) = name.strip_prefix("CMOV")
        && let Some(first) = rest.bytes().next()
    {
        // `CMOVLE` is Intel's, `CMOVLEQ` Go's with a width in front of its condition.
        let (width, letters) = match condition(rest) {
            Some(_) => (None, rest),
            None => (suffix(first), &rest[1..]),
        };
        if let Some(intel) = condition(letters) {
            return Some(of(Cow::Owned(format!("cmov{intel}")), width, width));
        }
    }
    let (stem, last) = name.split_at(name.len().saturating_sub(1));
    if let Some(width) = last.bytes().next().and_then(suffix)
        && SUFFIXED.contains(&stem)
    {
        let intel = match stem {
            "SAL" => "shl".to_owned(),
            _ => stem.to_ascii_lowercase(),
        };
        let order = if stem == "CMP" {
            Order::Kept
        } else {
            Order::Reversed
        };
        let found = of(Cow::Owned(intel), Some(width), Some(width));
        return Some(Meaning { order, ..found });
    }
    natural(name, of)
}

/// Names that are Intel's in upper case.
fn natural(
    name: &str,
    of: impl Fn(Cow<'static, str>, Option<u32>, Option<u32>) -> Meaning,
) -> Option<Meaning> {
    let intel = name.to_ascii_lowercase();
    // Integer instructions have a suffix; these letters would be another instruction of Intel's.
    if SUFFIXED.contains(&name) && !matches!(name, "POP" | "PUSH" | "MOV" | "NOP") {
        return None;
    }
    if !crate::asm::encode::knows(&intel) {
        return None;
    }
    let order = match name {
        "CMPPS" | "CMPPD" | "CMPSS" | "CMPSD" => Order::NumberLast,
        _ => Order::Reversed,
    };
    let found = of(Cow::Owned(intel), None, None);
    Some(Meaning { order, ..found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(go: &str) -> Option<String> {
        meaning(go).map(|meaning| meaning.name.into_owned())
    }

    #[test]
    fn a_condition_has_go_s_names_and_intel_s() {
        for (go, intel) in [
            ("JLS", "jbe"),
            ("JHI", "ja"),
            ("JCC", "jae"),
            ("JNB", "jae"),
            ("JPC", "jnp"),
            ("SETGT", "setg"),
            ("CMOVQEQ", "cmove"),
            ("CMOVLLT", "cmovl"),
            ("CMOVL", "cmovl"),
            ("CMOVLE", "cmovle"),
            ("CMOVLEQ", "cmove"),
        ] {
            assert_eq!(name(go).as_deref(), Some(intel), "{go}");
        }
    }

    #[test]
    fn a_name_of_one_assembler_alone_is_not_taken_for_the_other_s() {
        for not in ["ADD", "movq", "MOVZXQ", "FROBQ", "ADDX", "Q", ""] {
            assert_eq!(name(not), None, "{not}");
        }
    }
}
