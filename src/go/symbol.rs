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
