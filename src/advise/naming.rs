//! The name of a type as a Go text writes it, and the imports that it takes there.
//!
//! Correct means: what is written means that very type in a text of that package, or it is said why nothing can.

use std::collections::BTreeMap;

/// Why a text cannot name a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nameless(pub(super) String);

/// The names that a text of one package uses.
pub(super) struct Names<'a> {
    package: &'a str,
    /// By path, how a package is called in the text.
    imports: BTreeMap<String, String>,
    /// What was written, and of which number.
    written: BTreeMap<String, u32>,
}

impl<'a> Names<'a> {
    /// Of a text of the package with this path.
    pub(super) fn within(package: &'a str) -> Names<'a> {
        Names {
            package,
            imports: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// The case of a type: no other one has the same text.
    pub(super) fn case(&mut self, number: u32, name: &str) -> Result<String, Nameless> {
        let text = self.of(name)?;
        match self.written.insert(text.clone(), number) {
            None => Ok(text),
            Some(other) => {
                self.written.insert(text.clone(), other);
                Err(Nameless(format!(
                    "type {other} has the same name, and one of both is declared inside of a function"
                )))
            }
        }
    }

    /// A type as symbols name it, `*encoding/json.Encoder`.
    pub(super) fn of(&mut self, name: &str) -> Result<String, Nameless> {
        let no = |why: &str| Err(Nameless(why.into()));
        if name.starts_with("0x") || name.starts_with("type ") {
            return no("the recording does not say which type it is");
        }
        if name.contains(" or ") {
            return no("the recording cannot tell these types apart");
        }
        if name.contains([' ', '{', '(']) {
            return no("it is a type without a name: write it out");
        }
        if name.contains('·') {
            return no("it is declared inside of a function, and has its name only there");
        }
        let mut out = String::new();
        let mut rest = name;
        while !rest.is_empty() {
            // What stands between the names of a pointer, and of an instance of a generic type.
            let end = rest.find(['*', '[', ']', ',']).unwrap_or(rest.len());
            if end > 0 {
                out += &self.one(&rest[..end])?;
            }
            let mark = rest[end..].chars().next();
            out.extend(mark);
            rest = &rest[end + mark.map_or(0, char::len_utf8)..];
        }
        Ok(out)
    }

    /// A name without marks: predeclared, or with its package.
    fn one(&mut self, name: &str) -> Result<String, Nameless> {
        let Some((path, own)) = parted(name) else {
            return Ok(name.to_string());
        };
        let is_plain = own.chars().all(|c| c.is_alphanumeric() || c == '_');
        let mut parts = path.split('/');
        let why = if !is_plain {
            "it is declared inside of a function, and has its name only there".to_string()
        } else if path == self.package {
            return Ok(own.to_string());
        } else if path == "main" {
            "no other package can import main".into()
        } else if !own.starts_with(char::is_uppercase) {
            format!("{path} does not export it")
        } else if is_of_go(&path) && parts.any(|part| part == "internal" || part == "vendor") {
            format!("nobody outside of Go's own library may import {path}")
        } else {
            let package = self.import(path);
            return Ok(format!("{package}.{own}"));
        };
        Err(Nameless(why))
    }

    /// What a package is called here.
    fn import(&mut self, path: String) -> String {
        if let Some(known) = self.imports.get(&path) {
            return known.clone();
        }
        let wanted = identifier(&path);
        let is_free = |name: &String| !self.imports.values().any(|known| known == name);
        let further = (2..).map(|number| format!("{wanted}{number}"));
        let free = std::iter::once(wanted.clone()).chain(further).find(is_free);
        let name = free.unwrap_or(wanted);
        self.imports.insert(path, name.clone());
        name
    }

    /// The import lines.
    pub(super) fn imports(&self) -> impl Iterator<Item = String> {
        self.imports.iter().map(|(path, name)| {
            let last = path.rsplit('/').next();
            // Elsewhere a package may be called otherwise than its folder.
            match is_of_go(path) && last == Some(&**name) {
                true => format!("import \"{path}\""),
                false => format!("import {name} \"{path}\""),
            }
        })
    }
}

/// The path of the package that a symbol is of, and the rest of its name.
pub(super) fn parted(name: &str) -> Option<(String, &str)> {
    let bare = name.find(['(', '[']).unwrap_or(name.len());
    let last = name[..bare].rfind('/').map_or(0, |at| at + 1);
    let dot = last + name[last..].find('.')?;
    Some((plain(&name[..dot]), &name[dot + 1..]))
}

/// A path without the escapes that it has in symbols.
fn plain(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('%') {
        out += before;
        let code = behind.get(..2).map(|hex| u8::from_str_radix(hex, 16));
        match code {
            Some(Ok(code)) if code.is_ascii() => {
                out.push(char::from(code));
                rest = &behind[2..];
            }
            _ => {
                out.push('%');
                rest = behind;
            }
        }
    }
    out + rest
}

/// Whether it is of Go's own library: the paths of others begin with a domain.
fn is_of_go(path: &str) -> bool {
    path.split('/')
        .next()
        .is_some_and(|first| !first.contains('.'))
}

/// A name for a package: `yaml` for `gopkg.in/yaml.v3`, `rand` for `math/rand/v2`.
fn identifier(path: &str) -> String {
    let is_version = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    let mut parts = path.rsplit('/').filter(|part| !is_version(part));
    let part = parts.next().unwrap_or(path);
    let part = part.split('.').next().unwrap_or(part);
    part.replace(|c: char| !c.is_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_the_name_that_means_it_in_the_package_or_a_reason() {
        #[rustfmt::skip] // a table: the package, the type, and what stands there, or words of the reason
        let table = [
            ("main",               "*main.Dial",                          Ok("*Dial")),
            ("main",               "os.File",                             Ok("os.File")),
            ("main",               "*encoding/json.Encoder",              Ok("*json.Encoder")),
            ("main",               "math/rand/v2.Rand",                   Ok("rand.Rand")),
            ("main",               "*gopkg.in/yaml%2ev3.Node",            Ok("*yaml.Node")),
            ("main",               "main.P[int]",                         Ok("P[int]")),
            ("main",               "*main.P[*net/http.Client,main.T]",    Ok("*P[*http.Client,T]")),
            ("example.org/lab",    "example.org/lab.T",                   Ok("T")),
            ("example.org/lab",    "main.T",                              Err("no other package can import main")),
            ("main",               "*os.file",                            Err("os does not export it")),
            ("main",               "internal/poll.FD",                    Err("may import internal/poll")),
            ("main",               "vendor/golang.org/x/net/a.B",         Err("may import vendor/")),
            ("example.org/internal/a", "example.org/internal/b.T",        Ok("b.T")),
            ("main",               "main.T·1",                            Err("inside of a function")),
            ("main",               "main.f.T",                            Err("inside of a function")),
            ("main",               "struct { main.T }",                   Err("without a name")),
            ("main",               "func(int) main.T",                    Err("without a name")),
            ("main",               "a.B or a.C",                          Err("cannot tell these types apart")),
            ("main",               "type with hash 0x00000001",           Err("does not say which type")),
            ("main",               "type 3",                              Err("does not say which type")),
        ];
        for (package, name, expected) in table {
            let found = Names::within(package).of(name);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(Nameless(why)), Err(words)) => assert!(why.contains(words), "{name}: {why}"),
                _ => panic!("{name}: {found:?} and not {expected:?}"),
            }
        }
    }

    #[test]
    fn packages_of_one_name_are_told_apart_and_each_is_imported_once() {
        let mut names = Names::within("main");
        let found: Vec<_> = [
            "*text/template.Template",
            "html/template.HTML",
            "*text/template.Template",
        ]
        .iter()
        .map(|name| names.of(name).expect("a name"))
        .collect();
        assert_eq!(
            found,
            ["*template.Template", "template2.HTML", "*template.Template"]
        );
        names.of("example.org/go-x/v2.T").expect("a name");
        let imports: Vec<String> = names.imports().collect();
        assert_eq!(
            imports,
            [
                "import go_x \"example.org/go-x/v2\"",
                "import template2 \"html/template\"",
                "import \"text/template\"",
            ]
        );
    }

    #[test]
    fn of_two_types_of_one_name_only_one_has_it() {
        let mut names = Names::within("main");
        assert_eq!(names.case(0, "main.T").as_deref(), Ok("T"));
        assert_eq!(names.case(1, "*main.T").as_deref(), Ok("*T"));
        assert!(
            names
                .case(2, "main.T")
                .is_err_and(|why| why.0.contains("type 0 has the same name"))
        );
    }

    #[test]
    fn a_symbol_begins_with_the_path_of_its_package() {
        let path = |name| parted(name).map(|two| two.0);
        assert_eq!(path("main.read+0x10").as_deref(), Some("main"));
        assert_eq!(
            path("example.org/a%2eb.(*T).M").as_deref(),
            Some("example.org/a.b")
        );
        assert_eq!(path("main.F[encoding/json.X]").as_deref(), Some("main"));
        assert_eq!(path("int"), None);
    }
}
