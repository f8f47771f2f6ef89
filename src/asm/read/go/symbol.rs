//! Names of symbols, as listings and assembler sources of all releases write them.
//!
//! Correct means: two spellings of one symbol give one name, which is the linker's here.

use std::borrow::Cow;

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
    // A mark in front of the name stands for the package, one inside for a dot.
    if name.contains(['·', '∕']) && !name.starts_with("gclocals·") {
        let dotted = name.replace('·', ".").replace('∕', "/");
        let is_bare = dotted.starts_with('.');
        name = Cow::Owned(if is_bare {
            format!("{PACKAGE}{dotted}")
        } else {
            dotted
        });
    }
    if name.contains("\"\".") {
        name = Cow::Owned(name.replace("\"\".", &format!("{PACKAGE}.")));
    }
    // A section's name stands in double quotes.
    if name.contains('"') {
        name = Cow::Owned(name.replace('"', "'"));
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
