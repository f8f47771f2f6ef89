//! A type's name as Go's linker spells it, from what the program keeps of the type.
//!
//! Correct means: each package in it stands with its whole path, escaped as symbols have it. What the program does not
//! tell stays as Go prints it.

use std::fmt::Write as _;

use gobin::structures::types::{GoType, StructField, TypeDetail};

use super::{GoProgram, printed};
use crate::go::hash::type_hash;
use crate::go::symbol::path_in_symbols;

/// Types that are looked at for one name: in a damaged file they may lead in a circle.
const MOST: usize = 256;

impl GoProgram<'_> {
    /// A type's name with the whole paths of packages.
    pub(super) fn spelled_out(&self, found: &GoType<'_>) -> String {
        let spelled = |owner| {
            let mut left = MOST;
            self.spelled(found, owner, &mut left)
        };
        let told = spelled(None);
        // Whose the fields are that a struct does not export, is not kept; that of a guess tells its hash.
        let guessed = || {
            let name = spelled(Some("main"))?;
            let hash = type_hash(self.release?, &name).ok()?;
            (hash == found.hash).then_some(name)
        };
        told.or_else(guessed)
            .unwrap_or_else(|| printed(found).to_string())
    }

    /// The same; none where the program does not tell all of it. The owner is the package of fields that are not exported,
    /// where nothing says which.
    fn spelled(&self, found: &GoType<'_>, owner: Option<&str>, left: &mut usize) -> Option<String> {
        *left = left.checked_sub(1)?;
        let name = printed(found);
        if found.is_named {
            let of_interface = match found.detail {
                TypeDetail::Interface { pkg_path, .. } => pkg_path,
                _ => None,
            };
            let path = found.pkg_path.or(of_interface);
            return Some(match path.filter(|path| !path.is_empty()) {
                Some(path) => with_path(path, name)?,
                None => name.to_string(),
            });
        }
        let mut at = |address: u64| {
            let found = self.types.contains(&address).then_some(address)?;
            self.spelled(&self.source.type_at(found)?, owner, left)
        };
        match &found.detail {
            TypeDetail::None => Some(name.to_string()),
            TypeDetail::Pointer { elem_va } => Some(format!("*{}", at(*elem_va)?)),
            TypeDetail::Slice { elem_va } => Some(format!("[]{}", at(*elem_va)?)),
            TypeDetail::Array { len, elem_va, .. } => Some(format!("[{len}]{}", at(*elem_va)?)),
            TypeDetail::Map {
                key_va, elem_va, ..
            } => Some(format!("map[{}]{}", at(*key_va)?, at(*elem_va)?)),
            TypeDetail::Chan { dir, elem_va } => {
                let element = at(*elem_va)?;
                Some(match dir {
                    1 => format!("<-chan {element}"),
                    2 => format!("chan<- {element}"),
                    _ if element.starts_with("<-") => format!("chan ({element})"),
                    _ => format!("chan {element}"),
                })
            }
            TypeDetail::Func {
                is_variadic,
                inputs,
                outputs,
                ..
            } => {
                let inputs = inputs.iter().map(|one| at(one.va));
                let mut inputs = inputs.collect::<Option<Vec<String>>>()?;
                if let (true, Some(last)) = (is_variadic, inputs.last_mut()) {
                    *last = format!("...{}", last.strip_prefix("[]")?);
                }
                let outputs = outputs.iter().map(|one| at(one.va));
                let outputs = outputs.collect::<Option<Vec<String>>>()?;
                let mut out = format!("func({})", inputs.join(", "));
                let _ = match &outputs[..] {
                    [] => Ok(()),
                    [only] => write!(out, " {only}"),
                    all => write!(out, " ({})", all.join(", ")),
                };
                Some(out)
            }
            TypeDetail::Interface {
                methods, pkg_path, ..
            } => {
                let start = self.types.start;
                let methods = methods.iter().map(|method| {
                    let address = start.checked_add_signed(method.type_descriptor_offset.into())?;
                    let signature = at(address)?;
                    let signature = signature.strip_prefix("func")?;
                    Some(format!("{}{signature}", owned(method.name, *pkg_path)?))
                });
                Some(listed(
                    "interface",
                    &methods.collect::<Option<Vec<String>>>()?,
                ))
            }
            TypeDetail::Struct { fields, .. } => {
                let fields = fields.iter().map(|field| {
                    let of_field = at(field.type_va)?;
                    of_struct(field, &of_field, found.pkg_path.or(owner))
                });
                Some(listed("struct", &fields.collect::<Option<Vec<String>>>()?))
            }
        }
    }
}

fn of_struct(field: &StructField<'_>, of_field: &str, path: Option<&str>) -> Option<String> {
    let mut out = match field.is_embedded {
        true => of_field.to_string(),
        false => format!("{} {of_field}", owned(field.name, path)?),
    };
    if let Some(tag) = field.tag.filter(|tag| !tag.is_empty()) {
        let _ = write!(out, " {tag:?}");
    }
    Some(out)
}

/// A name of a field or a method: one that is not exported has the path of its package.
fn owned(name: &str, path: Option<&str>) -> Option<String> {
    if name.starts_with(char::is_uppercase) || name == "_" {
        return Some(name.to_string());
    }
    let path = path.filter(|path| !path.is_empty())?;
    Some(format!("{}.{name}", path_in_symbols(path)))
}

fn listed(what: &str, parts: &[String]) -> String {
    match parts {
        [] => format!("{what} {{}}"),
        parts => format!("{what} {{ {} }}", parts.join("; ")),
    }
}

/// `gopkg.in/yaml%2ev3.Node` of `gopkg.in/yaml.v3` and `yaml.Node`: a package may be called otherwise than its folder.
fn with_path(path: &str, name: &str) -> Option<String> {
    let (package, rest) = name.split_once('.')?;
    let is_name = package.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then(|| format!("{}.{rest}", path_in_symbols(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_in_place_of_what_its_package_is_called() {
        #[rustfmt::skip] // a table: a path, a name as Go prints it, and the same with the path
        let table = [
            ("net/http",              "http.Client",      Some("net/http.Client")),
            ("main",                  "main.T",           Some("main.T")),
            ("gopkg.in/yaml.v3",      "yaml.Node",        Some("gopkg.in/yaml%2ev3.Node")),
            ("example.com/go-foo/v2", "foo.P[a/b%2ec.T]", Some("example.com/go-foo/v2.P[a/b%2ec.T]")),
            ("net/http",              "struct { a.B }",   None),
            ("net/http",              "int",              None),
        ];
        for (path, name, full) in table {
            assert_eq!(with_path(path, name).as_deref(), full, "{path} {name}");
        }
    }

    #[test]
    fn a_name_that_is_not_exported_has_its_package() {
        assert_eq!(owned("A", None).as_deref(), Some("A"));
        assert_eq!(owned("a", Some("x/y.z")).as_deref(), Some("x/y%2ez.a"));
        assert_eq!(owned("a", None), None);
        assert_eq!(listed("struct", &[]), "struct {}");
        assert_eq!(
            listed("struct", &["A int".into(), "b.C".into()]),
            "struct { A int; b.C }"
        );
    }
}
