//! The name of a type as a Go text writes it, and the imports that it takes there.
//!
//! Correct means: what is written compiles in a text of that package and means that very type there, or it is said why
//! nothing can.

use std::collections::{BTreeMap, BTreeSet};

use super::packages::{Packages, is_of_name};
use super::reading::Reader;
use crate::go::symbol::{parted, plain_path};

/// Why a text cannot name a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nameless(pub(super) String);

/// What means something in every text of Go: its own words, and what it declares.
#[rustfmt::skip] // a list
const OF_GO: [&str; 72] = [
    "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go", "goto", "if",
    "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type", "var",
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new", "panic", "print",
    "println", "real", "recover", "false", "iota", "nil", "true", "_", "init", "main", "comparable",
    "any", "bool", "byte", "complex128", "complex64", "error", "float32", "float64", "int", "int16", "int32", "int64", "int8",
    "rune", "string", "uint", "uint16", "uint32", "uint64", "uint8", "uintptr",
];
/// Where the types begin among these.
const TYPES: usize = 51;
/// Names that the ways have for what they need.
#[rustfmt::skip] // a list
pub(super) const OF_WAYS: [&str; 16] = [
    "x", "v", "ok", "shift", "slots", "types", "numbers", "learn", "bits", "kind", "callInOrder", "i", "k", "tab", "starts",
    "ordered",
];
/// And those that only a function of theirs has.
const INSIDE: [&str; 2] = ["batch", "examples"];

/// The names that a text of one package uses.
pub(super) struct Names<'a> {
    packages: &'a Packages,
    /// By path, how a package is called in the text.
    imports: BTreeMap<String, String>,
    /// What stands there without a package.
    bare: BTreeSet<String>,
    /// What was written, and of which number.
    written: BTreeMap<String, u32>,
}

/// What a method takes, as a text writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// Types of its arguments; of a variadic one the last is a slice.
    pub(super) takes: Vec<String>,
    pub(super) is_variadic: bool,
    /// What stands behind its name in a declaration.
    pub(super) text: String,
    pub(super) gives: bool,
}

impl<'a> Names<'a> {
    /// Of a text in the package that sees these. Types of that package among `all` keep their names.
    pub(super) fn within<'t>(
        packages: &'a Packages,
        all: impl Iterator<Item = &'t str>,
    ) -> Names<'a> {
        let names = all.flat_map(|text| text.split(|c: char| !is_of_path(c)));
        let own = names.filter_map(|name| {
            let (path, own) = parted(name)?;
            packages.is_here(&plain_path(path)).then_some(own)
        });
        Names {
            packages,
            imports: BTreeMap::new(),
            bare: own.map(str::to_string).collect(),
            written: BTreeMap::new(),
        }
    }

    /// The case of a type: no other one has the same text. Where the recording cannot tell types apart, it is of each.
    pub(super) fn case(&mut self, number: u32, name: &str) -> Result<Vec<String>, Nameless> {
        self.all_or_nothing(|names| {
            let all = names.all_of(name)?;
            if let Some(other) = all.iter().find_map(|text| names.written.get(text)) {
                return Err(Nameless(format!(
                    "type {other} has the same name, and one of both is declared inside of a function"
                )));
            }
            names
                .written
                .extend(all.iter().map(|text| (text.clone(), number)));
            Ok(all)
        })
    }

    /// A type as symbols name it, `*encoding/json.Encoder`, or as a recording does: what it leads to may stand behind it.
    pub(super) fn of(&mut self, name: &str) -> Result<String, Nameless> {
        let mut all = self.all_of(name)?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(Nameless(
                "the recording cannot tell these types apart".into(),
            )),
        }
    }

    /// The same of one or several, `*main.T or main.T`.
    fn all_of(&mut self, name: &str) -> Result<Vec<String>, Nameless> {
        let no = |why: &str| Err(Nameless(why.into()));
        if name.starts_with("0x") || name.starts_with("type ") {
            return no("the recording does not say which type it is");
        }
        self.all_or_nothing(|names| names.read(name))
    }

    /// What is refused leaves no import behind: Go compiles no text that imports what it does not use.
    fn all_or_nothing<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Nameless>,
    ) -> Result<T, Nameless> {
        let before = self.imports.clone();
        let found = read(self);
        if found.is_err() {
            self.imports = before;
        }
        found
    }

    fn read(&mut self, name: &str) -> Result<Vec<String>, Nameless> {
        let mut reader = Reader::new(name);
        let mut all = Vec::new();
        loop {
            all.push(reader.type_of(self)?);
            match reader.rest() {
                rest if rest.is_empty() || rest.starts_with(" (") => return Ok(all),
                // An instance of a generic type has its number behind it.
                rest if rest.starts_with(['.', '·']) => return Err(local()),
                _ if reader.has(" or ") => {}
                _ => {
                    return Err(Nameless(
                        "it is a type that cannot be written here: write it out".into(),
                    ));
                }
            }
        }
    }

    /// The type of a method, `func(int) error`.
    pub(super) fn signature(&mut self, text: &str) -> Result<Signature, Nameless> {
        self.all_or_nothing(|names| {
            let mut reader = Reader::new(text);
            let found = reader.signature(names, "func")?;
            match reader.rest() {
                "" => Ok(found),
                rest => Err(Nameless(format!("`{rest}` is no part of a signature"))),
            }
        })
    }

    /// A name without marks: predeclared, or with its package.
    pub(super) fn one(&mut self, name: &str) -> Result<String, Nameless> {
        let Some((path, own)) = parted(name) else {
            return match OF_GO[TYPES..].contains(&name) {
                true => Ok(name.to_string()),
                false => Err(Nameless(format!(
                    "no package is known that declares `{name}`"
                ))),
            };
        };
        let path = plain_path(path);
        if own.is_empty() || !own.chars().all(is_of_name) {
            return Err(local());
        }
        if self.packages.is_here(&path) {
            self.bare.insert(own.to_string());
            return Ok(own.to_string());
        }
        let import = self.packages.import(&path);
        if path != "main" && !own.starts_with(char::is_uppercase) {
            return Err(Nameless(format!(
                "{path} does not export it: it can stand in that package alone"
            )));
        }
        let import = import.map_err(Nameless)?;
        let package = self.import(&path, import);
        Ok(format!("{package}.{own}"))
    }

    /// A name of a field or of a method, which one that is not exported has with the path of its package.
    pub(super) fn member(&self, name: &str) -> Result<String, Nameless> {
        match parted(name) {
            Some((path, own)) if self.packages.is_here(&plain_path(path)) => Ok(own.to_string()),
            Some((path, own)) => Err(Nameless(format!(
                "it has `{own}`, which only {} can name",
                plain_path(path)
            ))),
            None if name == "_" || name.starts_with(char::is_uppercase) => Ok(name.to_string()),
            None => Err(Nameless(format!(
                "it has `{name}`, and the program does not say of which package"
            ))),
        }
    }

    /// What the package with this path is called here.
    pub(super) fn import(&mut self, path: &str, import: String) -> String {
        if let Some(known) = self.imports.get(&import) {
            return known.clone();
        }
        let own = self.packages.name(path).map(str::to_string);
        let wanted = own.unwrap_or_else(|| identifier(path));
        let name = self.free(&wanted, |name| {
            OF_WAYS.contains(&name) || INSIDE.contains(&name)
        });
        self.imports.insert(import, name.clone());
        name
    }

    /// A name of the text's own: this one, or where something else is called so, one with a number. Nothing else gets it.
    pub(super) fn keep(&mut self, wanted: &str) -> String {
        let name = self.free(wanted, |_| false);
        self.bare.insert(name.clone());
        name
    }

    fn free(&self, wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
        let is_free = |name: &String| {
            !OF_GO.contains(&&**name)
                && !is_taken(name)
                && !self.bare.contains(name)
                && !self.packages.declares(name)
                && !self.imports.values().any(|known| known == name)
        };
        let further = (2..).map(|number| format!("{wanted}{number}"));
        let mut all = std::iter::once(wanted.to_string()).chain(further);
        all.find(is_free).unwrap_or_else(|| wanted.to_string())
    }

    /// The import lines.
    pub(super) fn imports(&self) -> impl Iterator<Item = String> {
        self.imports.iter().map(|(path, name)| {
            let is_last = path.rsplit('/').next() == Some(&**name);
            let is_known = self.packages.is_of_go(path) || self.packages.name(path) == Some(name);
            // Elsewhere a package may be called otherwise than its folder.
            match is_last && is_known {
                true => format!("import \"{path}\""),
                false => format!("import {name} \"{path}\""),
            }
        })
    }
}

fn local() -> Nameless {
    Nameless("it is declared inside of a function, and has its name only there".into())
}

/// Whether a character can be in a path with a name behind it, as symbols have them.
pub(super) fn is_of_path(c: char) -> bool {
    !matches!(
        c,
        ' ' | '*' | '[' | ']' | '(' | ')' | ',' | ';' | '{' | '}' | '"' | '<'
    )
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
    let name = part.replace(|c: char| !is_of_name(c), "_");
    match name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        true => name,
        false => format!("p{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_the_name_that_means_it_in_the_package_or_a_reason() {
        #[rustfmt::skip] // a table: the package, the type, and what stands there, or words of the reason
        let table = [
            ("main",               "*main.Dial",                          Ok("*Dial")),
            ("main",               "*main.Dial (main.(*Dial).Read)",      Ok("*Dial")),
            ("main",               "os.File",                             Ok("os.File")),
            ("main",               "int",                                 Ok("int")),
            ("main",               "*encoding/json.Encoder",              Ok("*json.Encoder")),
            ("main",               "math/rand/v2.Rand",                   Ok("rand.Rand")),
            ("main",               "*gopkg.in/yaml%2ev3.Node",            Ok("*yaml.Node")),
            ("main",               "ex.org/1st.T",                        Ok("p1st.T")),
            ("main",               "ex.org/type.T",                       Ok("type2.T")),
            ("main",               "ex.org/int.T",                        Ok("int2.T")),
            ("main",               "ex.org/x.T",                          Ok("x2.T")),
            ("main",               "ex.org/batch.T",                      Ok("batch2.T")),
            ("main",               "main.P[int]",                         Ok("P[int]")),
            ("main",               "*main.P[*net/http.Client,main.T]",    Ok("*P[*http.Client,T]")),
            ("main",               "main.P[[]interface {}]",              Ok("P[[]interface {}]")),
            ("main",               "main.P[[3]map[string]a/b.T]",         Ok("P[[3]map[string]b.T]")),
            ("main",               "main.P[func(int, ...string) (int, error)]", Ok("P[func(int, ...string) (int, error)]")),
            ("main",               "main.P[func(int) main.T] (main.(*P[...]).M)", Ok("P[func(int) T]")),
            ("main",               "main.P[chan<- a/b.T]",                Ok("P[chan<- b.T]")),
            ("main",               "main.P[<-chan int]",                  Ok("P[<-chan int]")),
            ("main",               "main.P[chan (<-chan int)]",           Ok("P[chan (<-chan int)]")),
            ("main",               "main.P[struct { A int \"x:\\\"y\\\"\"; main.b string }]", Ok("P[struct { A int \"x:\\\"y\\\"\"; b string }]")),
            ("main",               "main.P[interface { Do(int) error; main.x() }]", Ok("P[interface { Do(int) error; x() }]")),
            ("main",               "*struct { main.base } (go.(*struct { main.base }).Do)", Ok("*struct { base }")),
            ("main",               "struct { *a/b.T \"t\"; c/d.U; N int }", Ok("struct { *b.T \"t\"; d.U; N int }")),
            ("main",               "map[int]func()",                      Ok("map[int]func()")),
            ("main",               "unsafe.Pointer",                      Ok("unsafe.Pointer")),
            ("example.org/lab",    "example.org/lab.T",                   Ok("T")),
            ("example.org/lab",    "main.T",                              Err("no other package can import main: it can stand in that one alone")),
            ("main",               "*os.file",                            Err("os does not export it: it can stand in that package alone")),
            ("main",               "internal/poll.FD",                    Err("may import internal/poll")),
            ("main",               "vendor/golang.org/x/net/a.B",         Err("may import what it has of golang.org/x/net/a")),
            ("example.org/internal/a", "example.org/internal/b.T",        Ok("b.T")),
            ("main",               "main.T·1",                            Err("inside of a function")),
            ("main",               "main.T.1",                            Err("inside of a function")),
            ("main",               "*main.local[int].3",                  Err("inside of a function")),
            ("main",               "main.P[main.T.1]",                    Err("inside of a function")),
            ("main",               "struct { a/b.c int }",                Err("`c`, which only a/b can name")),
            ("main",               "struct { c int }",                    Err("does not say of which package")),
            ("main",               "a.B or a.C",                          Err("cannot tell these types apart")),
            ("main",               "*main.P[int] or main.P[int] (main.(*P[int]).Do)", Err("cannot tell these types apart")),
            ("main",               "type with hash 0x00000001",           Err("does not say which type")),
            ("main",               "type 3",                              Err("does not say which type")),
            ("main",               "main.P[",                             Err("cannot be written here")),
            ("main",               "T0",                                  Err("no package is known that declares `T0`")),
        ];
        for (package, name, expected) in table {
            let packages = Packages::around(package);
            let found = Names::within(&packages, std::iter::empty()).of(name);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(Nameless(why)), Err(words)) => assert!(why.contains(words), "{name}: {why}"),
                _ => panic!("{name}: {found:?} and not {expected:?}"),
            }
        }
    }

    #[test]
    fn packages_of_one_name_are_told_apart_and_each_is_imported_once() {
        let packages = Packages::around("main");
        let own = ["*main.url", "main.P[main.json]"];
        let mut names = Names::within(&packages, own.into_iter());
        let found: Vec<_> = [
            "*text/template.Template",
            "html/template.HTML",
            "*text/template.Template",
            // Types of the package itself are called so.
            "net/url.URL",
            "encoding/json.Number",
        ]
        .iter()
        .map(|name| names.of(name).expect("a name"))
        .collect();
        assert_eq!(
            found,
            [
                "*template.Template",
                "template2.HTML",
                "*template.Template",
                "url2.URL",
                "json2.Number"
            ]
        );
        names.of("example.org/go-x/v2.T").expect("a name");
        // What is not written is not imported.
        assert!(names.of("main.P[a/b.T,os.file]").is_err());
        assert!(names.signature("func(c/d.T, os.file)").is_err());
        let imports: Vec<String> = names.imports().collect();
        assert_eq!(
            imports,
            [
                "import json2 \"encoding/json\"",
                "import go_x \"example.org/go-x/v2\"",
                "import template2 \"html/template\"",
                "import url2 \"net/url\"",
                "import \"text/template\"",
            ]
        );
        assert_eq!([names.keep("x"), names.keep("x")], ["x", "x2"]);
        assert_eq!(names.keep("url"), "url3");
    }

    #[test]
    fn of_two_types_of_one_name_only_one_has_it() {
        let packages = Packages::around("main");
        let mut names = Names::within(&packages, std::iter::empty());
        assert_eq!(names.case(0, "main.T"), Ok(vec!["T".to_string()]));
        assert_eq!(names.case(1, "*main.T"), Ok(vec!["*T".to_string()]));
        let two = ["*U", "U"].map(str::to_string);
        assert_eq!(
            names.case(3, "*main.U or main.U (main.(*U).Do)"),
            Ok(two.to_vec())
        );
        assert!(names.case(4, "main.V or main.U").is_err());
        assert!(
            names
                .case(2, "main.T")
                .is_err_and(|why| why.0.contains("type 0 has the same name"))
        );
    }

    #[test]
    fn a_signature_says_what_a_call_takes_and_whether_it_gives() {
        let packages = Packages::around("main");
        let mut names = Names::within(&packages, std::iter::empty());
        let mut of = |text: &str| names.signature(text);
        let found = of("func(int, ...a/b.T) (int, error)").expect("one");
        assert_eq!(found.takes, ["int", "[]b.T"]);
        assert!(found.is_variadic && found.gives);
        assert_eq!(found.text, "(int, ...b.T) (int, error)");
        let found = of("func()").expect("one");
        assert!(found.takes.is_empty() && !found.gives && !found.is_variadic);
        assert!(of("func(os.file)").is_err());
        assert!(of("func() x y").is_err());
        assert!(of("int").is_err());
    }

    #[test]
    fn the_types_of_go_stand_last() {
        assert_eq!(OF_GO[TYPES - 1], "comparable");
        assert_eq!((OF_GO[TYPES], OF_GO.last()), ("any", Some(&"uintptr")));
    }
}
