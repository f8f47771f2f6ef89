//! The packages of a program, as a text in one of them sees them.
//!
//! Correct means: a path that is said to be one to import can be imported there; a name is the one that the package
//! gives itself, or none is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::binary::Binary;
use crate::go::symbol::{parted, path_in_symbols, plain_path};

/// What is known of the package that a text stands in, and of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// The path of the package that the text stands in, as its symbols begin, without escapes: `main` of any program.
    here: String,
    /// The same as it was built; of `main` none where nobody says.
    built_as: Option<String>,
    /// The path of the module that the program was built from.
    module: Option<String>,
    /// What packages call themselves, by their paths.
    names: BTreeMap<String, String>,
    /// Paths of all packages that the program is known to have; nothing where there is no program.
    known: BTreeSet<String>,
    /// What the package declares.
    declared: BTreeSet<String>,
}

impl Packages {
    /// Those of a text in this package, of which no program says more.
    pub fn around(here: &str) -> Packages {
        Packages {
            here: here.into(),
            built_as: (here != "main").then(|| here.into()),
            module: None,
            names: BTreeMap::new(),
            known: BTreeSet::new(),
            declared: BTreeSet::new(),
        }
    }

    /// Those of a program, seen from the package of one of its functions.
    pub fn of(binary: &Binary<'_>, function: &str) -> Packages {
        let here = parted(function).map_or("main".into(), |(path, _)| plain_path(path));
        let mut found = Packages::around(&here);
        let Some(go) = &binary.go else { return found };
        if here == "main" {
            found.built_as = go.main_path().map(str::to_string);
        }
        found.module = go.main_module().map(str::to_string);
        found.names = go.package_names();
        found.known = found.names.keys().cloned().collect();
        let own = format!("{}.", path_in_symbols(&here));
        let symbols = binary.symbols.iter().map(|symbol| &*symbol.name);
        let functions = go.functions.iter().map(|function| &*function.name);
        for name in symbols.chain(functions) {
            if let Some(name) = name.strip_prefix(&own) {
                let end = name.find(|c: char| !is_of_name(c)).unwrap_or(name.len());
                found.declared.insert(name[..end].to_string());
            }
            // One entry a path, of many functions.
            if let Some((path, _)) = parted(name).filter(|(path, _)| !found.known.contains(*path)) {
                found.known.insert(plain_path(path));
            }
        }
        found
    }

    /// Whether a path is that of the text's own package.
    pub(super) fn is_here(&self, path: &str) -> bool {
        path == self.here
    }

    /// What a package calls itself.
    pub(super) fn name(&self, path: &str) -> Option<&str> {
        self.names.get(path).map(String::as_str)
    }

    /// Whether the text's package declares a name.
    pub(super) fn declares(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// Whether a path is of Go's own library: the paths of others begin with a domain, or with their module.
    pub(super) fn is_of_go(&self, path: &str) -> bool {
        let first = path.split('/').next().unwrap_or(path);
        let is_own = |root: &String| is_below(path, root);
        !first.contains('.') && !self.module.as_ref().is_some_and(is_own)
    }

    /// How the text imports a package.
    ///
    /// # Errors
    /// Why it cannot, and where a text can.
    pub(super) fn import(&self, path: &str) -> Result<String, String> {
        if path == "main" {
            return Err("no other package can import main: it can stand in that one alone".into());
        }
        if !path.contains('/') && !self.known.is_empty() && !self.known.contains(path) {
            return Err(format!(
                "the program does not say which package `{path}` is"
            ));
        }
        if let Some(own) = path.strip_prefix("vendor/") {
            return Err(of_go(&format!("what it has of {own}")));
        }
        let may = |root: &str| self.built_as.as_ref().is_none_or(|own| is_below(own, root));
        let refuse = |root: &str| {
            Err(format!(
                "only packages below {root} may import {path}: it can stand in one of those alone"
            ))
        };
        if let Some((root, own)) = path.rsplit_once("/vendor/") {
            return match may(root) {
                true => Ok(own.to_string()),
                false => refuse(root),
            };
        }
        let Some(root) = above_internal(path) else {
            return Ok(path.to_string());
        };
        let is_from_go = self
            .built_as
            .as_ref()
            .is_some_and(|own| self.is_of_go(own) && (root.is_empty() || is_below(own, root)));
        match (self.is_of_go(path), root) {
            (true, _) if is_from_go => Ok(path.to_string()),
            (true, _) => Err(of_go(path)),
            (false, root) if may(root) => Ok(path.to_string()),
            (false, root) => refuse(root),
        }
    }
}

fn of_go(path: &str) -> String {
    format!("nobody outside of Go's own library may import {path}")
}

/// Whether a character can be in a name of Go's.
pub(super) fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands in front of the last `internal` of a path; none where it has none.
fn above_internal(path: &str) -> Option<&str> {
    let is_it = |(at, _): &(usize, &str)| {
        let (before, behind) = (&path[..*at], &path[at + "internal".len()..]);
        (before.is_empty() || before.ends_with('/'))
            && (behind.is_empty() || behind.starts_with('/'))
    };
    let (at, _) = path.rmatch_indices("internal").find(is_it)?;
    Some(path[..at].trim_end_matches('/'))
}

/// Whether a path is a root, or one below it.
fn is_below(path: &str, root: &str) -> bool {
    let rest = path.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_imported_where_go_lets_it_be_and_else_it_is_said_where_that_is() {
        let app = |built_as: Option<&str>| Packages {
            built_as: built_as.map(str::to_string),
            module: Some("lab".into()),
            ..Packages::around("main")
        };
        let in_module = app(Some("lab/cmd"));
        let of_files = Packages::around("main");
        let elsewhere = Packages::around("ex.org/a/b");
        let of_go = Packages::around("os");
        #[rustfmt::skip] // a table: seen from where, a path, and how it is imported, or words of why not
        let table = [
            (&in_module, "net/http",                   Ok("net/http")),
            (&in_module, "lab/internal/a",             Ok("lab/internal/a")),
            (&in_module, "lab/cmd/internal",           Ok("lab/cmd/internal")),
            (&in_module, "lab/x/internal/a",           Err("only packages below lab/x may import")),
            (&in_module, "lab/vendor/ex.org/v",        Ok("ex.org/v")),
            (&in_module, "lab/x/vendor/ex.org/v",      Err("only packages below lab/x may import")),
            (&in_module, "internal/poll",              Err("outside of Go's own library")),
            (&in_module, "net/internal/socktest",      Err("outside of Go's own library")),
            (&in_module, "vendor/golang.org/x/net/a",  Err("what it has of golang.org/x/net/a")),
            (&in_module, "lab/internals",              Ok("lab/internals")),
            (&in_module, "main",                       Err("it can stand in that one alone")),
            (&of_files,  "ex.org/a/internal/b",        Ok("ex.org/a/internal/b")),
            (&of_files,  "internal/poll",              Err("outside of Go's own library")),
            (&elsewhere, "ex.org/a/internal/b",        Ok("ex.org/a/internal/b")),
            (&elsewhere, "ex.org/c/internal/b",        Err("only packages below ex.org/c may")),
            (&of_go,     "internal/poll",              Ok("internal/poll")),
        ];
        for (packages, path, expected) in table {
            match (packages.import(path), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{path}"),
                (Err(why), Err(words)) => assert!(why.contains(words), "{path}: {why}"),
                (found, _) => panic!("{path}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_package_without_a_path_is_one_that_the_program_has_or_none() {
        let mut packages = Packages::around("main");
        assert_eq!(packages.import("yaml").as_deref(), Ok("yaml"));
        packages.known.insert("os".into());
        assert_eq!(packages.import("os").as_deref(), Ok("os"));
        let why = packages.import("yaml").expect_err("nobody knows it");
        assert!(why.contains("which package `yaml` is"), "{why}");
        assert_eq!(packages.import("a/yaml").as_deref(), Ok("a/yaml"));
    }
}
