//! Names of Go symbols: spellings that mean the same, and what a method's name says.
//!
//! Correct means: two spellings of one symbol have one canonical form, and two symbols never do.

use std::borrow::Cow;

/// The spelling dispatchlab uses: `go.itab.` and `type.` as up to Go 1.19, `main.` for `"".`.
pub fn canonical(name: &str) -> Cow<'_, str> {
    let renamed = |old, new| Some(format!("{new}{}", name.strip_prefix(old)?));
    let renamed = renamed("go:itab.", "go.itab.").or_else(|| renamed("type:", "type."));
    let name = renamed.map_or(Cow::Borrowed(name), Cow::Owned);
    if name.contains("\"\".") {
        Cow::Owned(name.replace("\"\".", "main."))
    } else {
        name
    }
}

/// The package of a symbol or type name: `main` in `main.T0` and in `*main.T0`.
pub fn package(name: &str) -> &str {
    let name = name.trim_start_matches('*');
    let start = name.rfind('/').map_or(0, |at| at + 1);
    match name[start..].find('.') {
        Some(dot) => &name[..start + dot],
        None => "main",
    }
}

/// A package's path as it stands in front of the names of symbols: `gopkg.in/yaml%2ev3` of `gopkg.in/yaml.v3`
/// (`cmd/internal/objabi/path.go`, the same in Go 1.10 and 1.27).
pub fn path_in_symbols(path: &str) -> String {
    let last = path.rfind('/').map_or(0, |at| at + 1);
    let is_escaped = |at: usize, byte: u8| match byte {
        b'.' => at >= last,
        b'%' | b'"' => true,
        _ => byte <= b' ' || byte >= 0x7f,
    };
    let mut out = String::new();
    for (at, byte) in path.bytes().enumerate() {
        match is_escaped(at, byte) {
            true => out += &format!("%{byte:02x}"),
            false => out.push(char::from(byte)),
        }
    }
    out
}

/// A path without the escapes that it has in symbols; what is no escape stays.
pub fn plain_path(path: &str) -> String {
    let hexadecimal = |at: usize| {
        let code = path.get(at + 1..at + 3)?;
        u8::from_str_radix(code, 16).ok()
    };
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = path.as_bytes().get(at) {
        let code = hexadecimal(at).filter(|_| byte == b'%');
        out.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_string())
}

/// The path of the package that a symbol is of, as symbols have it, and the rest of its name; none where it has none, as
/// `int`.
pub fn parted(name: &str) -> Option<(&str, &str)> {
    let bare = name.find(['(', '[']).unwrap_or(name.len());
    let last = name[..bare].rfind('/').map_or(0, |at| at + 1);
    let dot = last + name[last..].find('.')?;
    Some((&name[..dot], &name[dot + 1..]))
}

/// Name of the method `method` of `*type_name`: `main.(*T0).Id`. The methods of a pointer type are
/// those of what it points to, under the same names.
pub fn pointer_method(type_name: &str, method: &str) -> String {
    let type_name = type_name.trim_start_matches('*');
    let package = package(type_name);
    let bare = type_name
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('.'));
    format!("{package}.(*{}).{method}", bare.unwrap_or(type_name))
}

/// Name of the itab of `type_name` for `interface`.
pub fn itab(type_name: &str, interface: &str) -> String {
    format!("go.itab.{type_name},{interface}")
}

/// Name of the type descriptor of `type_name`.
pub fn type_descriptor(type_name: &str) -> String {
    format!("type.{type_name}")
}

/// Name of the data that hold a package's path.
pub fn import_path(package: &str) -> String {
    format!("type..importpath.{package}.")
}

/// The type that a descriptor's symbol describes.
pub fn described_type(descriptor: &str) -> &str {
    descriptor.strip_prefix("type.").unwrap_or(descriptor)
}

/// Go's words for a value method called through a nil pointer, from the name of the wrapper that
/// called `runtime.panicwrap` (`runtime/error.go`, the same in Go 1.10 and 1.27).
pub fn panicwrap_message(wrapper: &str) -> Option<String> {
    let (package, rest) = wrapper.split_once(".(*")?;
    let (type_name, method) = rest.split_once(").")?;
    Some(format!(
        "value method {package}.{type_name}.{method} called using nil *{type_name} pointer"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panic_names_come_from_the_wrappers_symbol() {
        assert_eq!(
            panicwrap_message("main.(*Adder).Add").as_deref(),
            Some("value method main.Adder.Add called using nil *Adder pointer")
        );
        assert_eq!(
            panicwrap_message("example.com/shop.(*Cart).Total").as_deref(),
            Some("value method example.com/shop.Cart.Total called using nil *Cart pointer")
        );
        assert_eq!(panicwrap_message("main.add"), None);
    }

    #[test]
    fn a_path_has_escapes_in_symbols_and_none_elsewhere() {
        #[rustfmt::skip] // a table: a path, and the same in symbols
        let table = [
            ("main",                 "main"),
            ("gopkg.in/yaml.v3",     "gopkg.in/yaml%2ev3"),
            ("ex.org/a.b/c",         "ex.org/a.b/c"),
            ("ex.org/a~b-c+d",       "ex.org/a~b-c+d"),
            ("ex.org/50%",           "ex.org/50%25"),
            ("ex.org/größe",         "ex.org/gr%c3%b6%c3%9fe"),
        ];
        for (path, in_symbols) in table {
            assert_eq!(path_in_symbols(path), in_symbols);
            assert_eq!(plain_path(in_symbols), path);
        }
        // What is no escape stays.
        for path in ["ex.org/50%", "a%zz", "%", "%ff"] {
            assert_eq!(plain_path(path), path);
        }
    }

    #[test]
    fn a_symbol_begins_with_the_path_of_its_package() {
        #[rustfmt::skip] // a table: a symbol, its package, and the rest
        let table = [
            ("main.read+0x10",            Some(("main", "read+0x10"))),
            ("example.org/a%2eb.(*T).M",  Some(("example.org/a%2eb", "(*T).M"))),
            ("main.F[encoding/json.X]",   Some(("main", "F[encoding/json.X]"))),
            ("int",                       None),
        ];
        for (name, parts) in table {
            assert_eq!(parted(name), parts, "{name}");
        }
    }

    #[test]
    fn old_and_new_spellings_of_a_symbol_are_one() {
        assert_eq!(
            canonical("go:itab.main.T,main.I"),
            canonical("go.itab.\"\".T,\"\".I")
        );
        assert_eq!(canonical("type:uint32"), "type.uint32");
        assert_eq!(canonical("main.f"), "main.f");
    }

    #[test]
    fn a_pointer_method_is_named_as_the_linker_names_it() {
        assert_eq!(pointer_method("main.T0", "Id"), "main.(*T0).Id");
        assert_eq!(
            pointer_method("example.com/a.b/shop.Cart", "Total"),
            "example.com/a.b/shop.(*Cart).Total"
        );
    }

    #[test]
    fn the_methods_of_a_pointer_type_are_those_of_what_it_points_to() {
        assert_eq!(package("*main.Calculator"), "main");
        assert_eq!(
            pointer_method("*main.Calculator", "Add"),
            pointer_method("main.Calculator", "Add")
        );
        assert_eq!(
            itab("*main.Calculator", "main.I"),
            "go.itab.*main.Calculator,main.I"
        );
    }
}
