//! Names of symbols, as listings and assembler sources of all releases write them.
//!
//! Correct means: two spellings of one symbol give one name, which is the linker's here.

use std::borrow::Cow;

/// What stands in a canonical name for a single quote beside double ones: what Go's own texts have for it.
const QUOTE: &str = "\\x27";
/// The package of a text that leaves it out.
const PACKAGE: &str = "main";

/// The name without what only Go's assembler or one release of it writes.
pub(in crate::asm) fn canonical(written: &str) -> Cow<'_, str> {
    let mut name = Cow::Borrowed(written);
    for ending in ["<ABIInternal>", "<ABI0>", "<>", ".abi0", ".abiinternal"] {
        if let Some(stem) = name.strip_suffix(ending) {
            name = Cow::Owned(stem.to_owned());
        }
    }
    // What a text holds is no name.
    let is_text = written.starts_with("go.string.") || written.starts_with("go:string.");
    // A mark in front of the name stands for the package, one inside for a dot.
    if name.contains(['·', '∕']) && !name.starts_with("gclocals·") && !is_text {
        let dotted = name.replace('·', ".").replace('∕', "/");
        let is_bare = dotted.starts_with('.');
        name = Cow::Owned(if is_bare {
            format!("{PACKAGE}{dotted}")
        } else {
            dotted
        });
    }
    if name.contains("\"\".") && !is_text {
        name = Cow::Owned(name.replace("\"\".", &format!("{PACKAGE}.")));
    }
    // A section's name stands in double quotes.
    if name.contains('"') {
        name = Cow::Owned(name.replace('\'', QUOTE).replace('"', "'"));
    }
    for (new, old) in [
        ("go:itab.", "go.itab."),
        ("type:", "type."),
        ("go:string.", "go.string."),
    ] {
        if let Some(rest) = name.strip_prefix(new) {
            name = Cow::Owned(format!("{old}{rest}"));
        }
    }
    name
}

/// The canonical name of a symbol.
pub fn go_symbol(written: &str) -> String {
    canonical(written).into_owned()
}

/// The type of a canonical name, as Go writes it: tags of a struct's fields stand in double quotes.
pub fn go_type(name: &str) -> Cow<'_, str> {
    match name.contains('\'') {
        true => Cow::Owned(name.replace('\'', "\"").replace(QUOTE, "'")),
        false => Cow::Borrowed(name),
    }
}

/// The bytes of a text whose symbol has that canonical name: it is quoted as Go does.
pub fn go_string(name: &str) -> Option<Vec<u8>> {
    let text = name.strip_prefix("go.string.'")?.strip_suffix('\'')?;
    Some(unescaped(text))
}

/// The bytes of a text between quotes.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            bytes.extend(c.to_string().bytes());
            continue;
        }
        let Some(c) = rest.chars().next() else {
            break;
        };
        let (radix, digits) = match c {
            'x' => (16, 2),
            'u' => (16, 4),
            'U' => (16, 8),
            '0'..='7' => (8, 3),
            _ => (10, 0),
        };
        let start = if radix == 8 { 0 } else { c.len_utf8() };
        let number = rest.get(start..start + digits).filter(|_| digits > 0);
        let number = number.and_then(|number| u32::from_str_radix(number, radix).ok());
        rest = &rest[if number.is_some() {
            start + digits
        } else {
            c.len_utf8()
        }..];
        match (c, number) {
            ('u' | 'U', Some(number)) => {
                let c = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
                bytes.extend(c.to_string().bytes());
            }
            (_, Some(number)) => bytes.push(number as u8),
            ('a', _) => bytes.push(7),
            ('b', _) => bytes.push(8),
            ('t', _) => bytes.push(b'\t'),
            ('n', _) => bytes.push(b'\n'),
            ('v', _) => bytes.push(11),
            ('f', _) => bytes.push(12),
            ('r', _) => bytes.push(b'\r'),
            // The double quote of a text is a single one in its canonical name.
            ('\'', _) => bytes.push(b'"'),
            (c, _) => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_all_releases_are_one_name() {
        for (written, name) in [
            ("\"\".add", "main.add"),
            ("·add", "main.add"),
            ("runtime·memmove", "runtime.memmove"),
            ("runtime.morestack_noctxt.abi0", "runtime.morestack_noctxt"),
            ("·table<>", "main.table"),
            ("go:itab.*main.T,io.Writer", "go.itab.*main.T,io.Writer"),
            ("go.itab.\"\".T,\"\".I", "go.itab.main.T,main.I"),
            ("type:.eq.main.T", "type..eq.main.T"),
            ("type:uint32", "type.uint32"),
            ("go.string.\"test\"", "go.string.'test'"),
            ("main.f", "main.f"),
        ] {
            assert_eq!(canonical(written), name);
        }
    }
}
