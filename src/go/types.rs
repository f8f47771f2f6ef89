//! What a type descriptor says by itself: size, alignment, kind and flags, by the type's name.
//!
//! Correct means: the bytes that the release's compiler writes, but for the flag of an uncommon type,
//! which is clear because none follows here.

use super::{Release, layout};

/// What a descriptor says of its type's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of a value.
    pub size: u64,
    /// Leading bytes that can hold pointers.
    pub pointer_bytes: u64,
    /// Alignment of a value.
    pub align: u8,
    /// `reflect.Kind`.
    pub kind: u8,
    /// Whether values are equal where their bytes are.
    pub is_regular: bool,
}

/// The dynamic types of a heap: a struct of one 32-bit field, the id.
const DYNAMIC: Shape = Shape::new(4, 0, 4, layout::KIND_STRUCT, true);
/// Any interface: two words that both point.
pub(super) const INTERFACE: Shape = Shape::new(16, 16, 8, layout::KIND_INTERFACE, false);

impl Shape {
    const fn new(size: u64, pointer_bytes: u64, align: u8, kind: u8, is_regular: bool) -> Shape {
        Shape {
            size,
            pointer_bytes,
            align,
            kind,
            is_regular,
        }
    }

    /// The shape of a type that is no interface of a heap.
    pub(super) fn of(name: &str) -> Shape {
        match name {
            _ if name.starts_with('*') => Shape::new(8, 8, 8, layout::KIND_POINTER, true),
            _ if name.starts_with("func(") => Shape::new(8, 8, 8, layout::KIND_FUNC, false),
            _ => Shape::predeclared(name).unwrap_or(DYNAMIC),
        }
    }

    /// The shape of a type that the language declares.
    #[rustfmt::skip] // a table: one type a line
    pub(super) fn predeclared(name: &str) -> Option<Shape> {
        Some(match name {
            "bool"         => Shape::new(1,  0,  1, 1,  true),
            "int"          => Shape::new(8,  0,  8, 2,  true),
            "int8"         => Shape::new(1,  0,  1, 3,  true),
            "int16"        => Shape::new(2,  0,  2, 4,  true),
            "int32"        => Shape::new(4,  0,  4, 5,  true),
            "int64"        => Shape::new(8,  0,  8, 6,  true),
            "uint"         => Shape::new(8,  0,  8, 7,  true),
            "uint8"        => Shape::new(1,  0,  1, 8,  true),
            "uint16"       => Shape::new(2,  0,  2, 9,  true),
            "uint32"       => Shape::new(4,  0,  4, 10, true),
            "uint64"       => Shape::new(8,  0,  8, 11, true),
            "uintptr"      => Shape::new(8,  0,  8, 12, true),
            "float32"      => Shape::new(4,  0,  4, 13, false),
            "float64"      => Shape::new(8,  0,  8, 14, false),
            "interface {}" => INTERFACE,
            "error"        => INTERFACE,
            "[]uint8"      => Shape::new(24, 8,  8, 23, false),
            "string"       => Shape::new(16, 8,  8, 24, false),
            "struct {}"    => Shape::new(0,  0,  1, layout::KIND_STRUCT, false),
            _ => return None,
        })
    }

    /// Whether an interface's data word holds the value itself.
    fn is_direct(self) -> bool {
        matches!(self.kind, layout::KIND_POINTER | layout::KIND_FUNC)
    }

    /// The descriptor's byte of flags: star in front of the name, named, regular memory, direct.
    pub(super) fn tflag(self, name: &str, release: Release) -> u8 {
        let bit = |is_set: bool, number: u8| u8::from(is_set) << number;
        bit(!name.starts_with('*'), 1)
            | bit(is_named(name), 2)
            | bit(self.is_regular && release.minor() >= 14, 3)
            | bit(self.is_direct() && release.minor() >= 26, 5)
    }

    /// The descriptor's kind, with the flags that the release keeps in its upper bits.
    pub(super) fn kind_byte(self, release: Release) -> u8 {
        let bit = |is_set: bool, number: u8| u8::from(is_set) << number;
        self.kind
            | bit(self.is_direct() && release.minor() <= 25, 5)
            | bit(self.pointer_bytes == 0 && release.minor() <= 12, 7)
    }
}

/// Bytes of a value of a type that the language declares.
pub fn predeclared_size(name: &str) -> Option<u64> {
    Shape::predeclared(name).map(|shape| shape.size)
}

/// Whether a type has a name of its own, as opposed to one that is composed.
pub(super) fn is_named(name: &str) -> bool {
    let composed = ["*", "func(", "[]", "interface {", "struct {"];
    !composed.iter().any(|start| name.starts_with(start))
}

/// What a pointer type points to. Pointers to pointers have no methods, so that none of them is the
/// dynamic type of an interface that has some, and none is followed.
pub(super) fn element(name: &str) -> Option<&str> {
    name.strip_prefix('*')
        .filter(|element| !element.starts_with('*'))
}

/// A method's type, without the receiver: the types of its arguments and results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Types of the arguments.
    pub arguments: Vec<String>,
    /// Types of the results.
    pub results: Vec<String>,
}

impl Signature {
    /// Reads `(int32, int32) int32`; the results may be none, or several in parentheses.
    ///
    /// # Errors
    /// Where it is not of that form, or names a type that has no descriptor here.
    pub fn parse(text: &str) -> Result<Signature, String> {
        let form = || format!("`{text}` is no signature; it looks like `(int32, int32) int32`");
        let rest = text.trim().strip_prefix('(').ok_or_else(form)?;
        let (arguments, rest) = rest.split_once(')').ok_or_else(form)?;
        let rest = rest.trim();
        let results = match rest.strip_prefix('(') {
            Some(several) => several.strip_suffix(')').ok_or_else(form)?,
            None => rest,
        };
        Ok(Signature {
            arguments: types(arguments)?,
            results: types(results)?,
        })
    }

    /// Go's name for the type of such a method.
    pub fn type_name(&self) -> String {
        let arguments = self.arguments.join(", ");
        match &self.results[..] {
            [] => format!("func({arguments})"),
            [one] => format!("func({arguments}) {one}"),
            several => format!("func({arguments}) ({})", several.join(", ")),
        }
    }

    /// All types that it names.
    pub(super) fn types(&self) -> impl Iterator<Item = &String> {
        self.arguments.iter().chain(&self.results)
    }
}

/// Types between commas.
fn types(list: &str) -> Result<Vec<String>, String> {
    let names = list.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty() || !list.trim().is_empty());
    names
        .map(|name| {
            let shape = Shape::predeclared(name).filter(|shape| {
                is_named(name) && shape.kind != layout::KIND_INTERFACE
            });
            shape.map(|_| name.to_string()).ok_or_else(|| {
                format!("`{name}` has no descriptor here; a signature names numbers, `bool` and `string`")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_kinds_are_those_in_the_memory_of_a_go_1_19_program() {
        // Read out of a program that Go 1.19 built, without the flag of the uncommon type.
        let release: Release = "1.19".parse().expect("a release");
        let bytes = |name: &str| {
            let shape = Shape::of(name);
            (shape.tflag(name, release), shape.kind_byte(release))
        };
        assert_eq!(bytes("main.T0"), (0x0e, 0x19));
        assert_eq!(bytes("*main.T0"), (0x08, 0x36));
        assert_eq!(bytes("int32"), (0x0e, 0x05));
        assert_eq!(bytes("func(int32, int32) int32"), (0x02, 0x33));
        assert_eq!(INTERFACE.tflag("main.I", release), 0x06);
    }

    #[test]
    fn the_flag_of_direct_types_moved_and_that_of_types_without_pointers_went() {
        let bytes = |release: &str, name: &str| {
            let release = release.parse().expect("a release");
            let shape = Shape::of(name);
            (shape.tflag(name, release), shape.kind_byte(release))
        };
        assert_eq!(bytes("1.27", "*main.T0"), (0x28, 22));
        assert_eq!(bytes("1.25", "*main.T0"), (0x08, 22 | 32));
        assert_eq!(bytes("1.10", "main.T0"), (0x06, 25 | 128));
        assert_eq!(bytes("1.13", "main.T0"), (0x06, 25));
    }

    #[test]
    fn a_signature_is_named_as_go_names_it() {
        let name = |text: &str| Signature::parse(text).map(|one| one.type_name());
        assert_eq!(
            name("(int32,int32) int32"),
            Ok("func(int32, int32) int32".into())
        );
        assert_eq!(name("()"), Ok("func()".into()));
        assert_eq!(name("() (int32, bool)"), Ok("func() (int32, bool)".into()));
        for wrong in [
            "",
            "int32",
            "(int32",
            "(int31)",
            "(int32,)",
            "() (int32",
            "(error)",
        ] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
