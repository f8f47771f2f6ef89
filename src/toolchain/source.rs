//! What is compiled: one file, or a package.
//!
//! Correct means: Go reads the user's text and no other, but for a line that keeps a function in the program; and
//! nothing is written beside the user's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Failure, Folder, Toolchain};
use crate::text::closest;

/// The file that keeps a function.
const KEPT: &str = "dispatchlab_kept";

/// A package to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As it was named.
    named: String,
    /// The package's name.
    package: String,
    /// What stands in front of its functions' names in a program.
    path: String,
    /// Where its files are.
    folder: PathBuf,
    /// Their names.
    files: Vec<String>,
    is_file: bool,
}

/// Where Go is to read it.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    arguments: Vec<String>,
    /// What Go calls the user's folder, and what the user does.
    names: Option<(String, String)>,
}

impl Place {
    pub(super) fn add_to(&self, command: &mut Command) {
        command.current_dir(&self.folder).args(&self.arguments);
    }

    /// What Go says, with files as the user names them.
    pub(super) fn as_named(&self, said: &str) -> String {
        let lines = said.lines().filter(|line| !line.starts_with("# "));
        // What was decided is no error.
        let decided = [
            "can inline ",
            "inlining call to ",
            "leaking param",
            " does not escape",
            " escapes to heap",
            "moved to heap: ",
            "devirtualizing ",
        ];
        let wrong = lines.filter(|line| !decided.iter().any(|words| line.contains(words)));
        let named = wrong.map(|line| match &self.names {
            Some((own, named)) => line.replace(own, named),
            None => line.to_string(),
        });
        named.collect::<Vec<_>>().join("\n")
    }
}

impl Source {
    /// What a name stands for: a file, or a package that this Go finds.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find(named: &str, toolchain: &Toolchain, folder: &Folder) -> Result<Source, Failure> {
        let path = Path::new(named);
        if path.extension().is_some_and(|end| end == "go") {
            return Source::of_file(named, path);
        }
        if path.is_file() {
            return Err(Failure::Missing(format!(
                "{named} is no source of Go by its name: FILE.go or a package is compiled; of a program `dispatchlab \
                 import {named} FUNC` takes a function"
            )));
        }
        let mut source = Source {
            named: named.to_string(),
            package: String::new(),
            path: String::new(),
            folder: PathBuf::from("."),
            files: Vec::new(),
            is_file: false,
        };
        let mut command = toolchain.command(folder, &source);
        let format = "{{.Name}}\n{{.ImportPath}}\n{{.Dir}}{{range .GoFiles}}\n{{.}}{{end}}";
        command.args(["list", "-f", format, named]);
        let (is_found, text, said) = toolchain.call(folder, &mut command)?;
        if !is_found {
            return Err(Failure::Refused {
                version: toolchain.version.clone(),
                text: said.trim_end().to_string(),
            });
        }
        let mut lines = text.lines().map(str::to_string);
        source.package = lines.next().unwrap_or_default();
        source.path = lines.next().unwrap_or_default();
        source.folder = lines.next().unwrap_or_default().into();
        source.files = lines.collect();
        if source.package == "main" {
            source.path = "main".into();
        }
        Ok(source)
    }

    fn of_file(named: &str, path: &Path) -> Result<Source, Failure> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::Missing(format!("cannot read {named}: {error}; mend the path"))
        })?;
        let package = text.lines().find_map(|line| line.strip_prefix("package "));
        let package = package.and_then(|rest| {
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
        });
        let Some(package) = package else {
            return Err(Failure::Missing(format!(
                "{named} has no line `package NAME`, so it is no source of Go"
            )));
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Source {
            named: named.to_string(),
            package: package.to_string(),
            path: match package {
                "main" => "main".into(),
                _ => "command-line-arguments".into(),
            },
            folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
            files: vec![name.into_owned()],
            is_file: true,
        })
    }

    /// Whether it is a file that stands alone.
    pub fn is_file(&self) -> bool {
        self.is_file
    }

    /// Whether Go makes an executable of it; else one of its tests.
    pub fn is_program(&self) -> bool {
        self.package == "main"
    }

    /// A function's name in Go's expressions, without the package in front.
    pub fn expression<'a>(&self, function: &'a str) -> &'a str {
        let rest = function
            .strip_prefix(&self.path)
            .or_else(|| function.strip_prefix(&self.package));
        rest.and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(function)
    }

    /// A function's name in a program.
    pub fn symbol(&self, function: &str) -> String {
        format!("{}.{}", self.path, self.expression(function))
    }

    /// The texts of its files, by name.
    ///
    /// # Errors
    /// What the system says.
    pub fn texts(&self) -> std::io::Result<Vec<(String, String)>> {
        let read = |name: &String| {
            let text = fs::read(self.folder.join(name))?;
            Ok((name.clone(), String::from_utf8_lossy(&text).into_owned()))
        };
        self.files.iter().map(read).collect()
    }

    /// Puts what Go reads into the folder: of a file a copy, of a package nothing but the line that keeps the function.
    pub(super) fn lay_out(&self, folder: &Folder, function: &str) -> std::io::Result<Place> {
        let end = if self.is_program() { "" } else { "_test" };
        let kept = format!("{KEPT}{end}.go");
        let text = format!(
            "package {}\n\nvar dispatchlabKept interface{{}}\n\nfunc init() {{ dispatchlabKept = {} }}\n",
            self.package,
            self.expression(function)
        );
        let place = folder.path().join("source");
        fs::create_dir_all(&place)?;
        fs::write(place.join(&kept), text)?;
        if self.is_file {
            for name in &self.files {
                fs::copy(self.folder.join(name), place.join(name))?;
            }
            let own = format!("./{}", self.files[0]);
            return Ok(Place {
                folder: place,
                arguments: self.files.iter().cloned().chain([kept]).collect(),
                names: Some((own, self.named.clone())),
            });
        }
        let stands_for = place.join(&kept);
        let overlay = serde_json::json!({
            "Replace": { self.folder.join(&kept).to_string_lossy(): stands_for.to_string_lossy() }
        });
        let file = place.join("overlay.json");
        fs::write(&file, overlay.to_string())?;
        Ok(Place {
            folder: PathBuf::from("."),
            arguments: vec![format!("-overlay={}", file.display()), self.named.clone()],
            names: None,
        })
    }

    /// That the function is what is missing, where nothing else is wrong.
    pub(super) fn missing(&self, said: &str, function: &str) -> Option<String> {
        let is_own = |line: &&str| line.contains(KEPT);
        let line = said.lines().find(is_own)?;
        if !said.lines().all(|line| is_own(&line)) {
            return None;
        }
        // Behind the place, `undefined: f`.
        let (_, why) = line.split_once(": ").unwrap_or(("", line));
        let known: Vec<Declared> = self
            .texts()
            .unwrap_or_default()
            .iter()
            .flat_map(|(_, text)| text.lines().filter_map(function_of).collect::<Vec<_>>())
            .collect();
        let near = meant(&known, self.expression(function)).unwrap_or_default();
        Some(format!(
            "`--func {function}` names no function of {}: Go says {why}{near}",
            self.named
        ))
    }
}

/// A function of a source.
struct Declared {
    /// As `f` or `(*T).M`, without parameters of types.
    name: String,
    /// Where in the name an instance has its types, and how many; none of one that is not generic.
    types_at: Option<(usize, usize)>,
}

impl Declared {
    /// The instance with these types, `[int]`.
    fn with_types(&self, types: &str) -> String {
        let mut name = self.name.clone();
        if let Some((at, _)) = self.types_at {
            name.insert_str(at, types);
        }
        name
    }

    /// What every generic function has an instance of, as far as a name tells: `[int,int]` of two types.
    fn any(&self) -> String {
        let count = self.types_at.map_or(1, |(_, count)| count);
        format!("[{}]", vec!["int"; count].join(","))
    }
}

/// Which function may be meant by a name that is none, as the end of a sentence.
fn meant(known: &[Declared], function: &str) -> Option<String> {
    let bare = without_types(function);
    let without_star = |name: &str| name.replace("(*", "").replace(')', "");
    // A method is asked for by its receiver's other spelling, or the name of a function has a slip.
    let by_receiver = |one: &&Declared| without_star(&one.name) == without_star(&bare);
    let by_slip = || {
        let near = closest(&bare, known.iter().map(|one| &*one.name))?;
        known.iter().find(|one| one.name == near)
    };
    let Some(near) = known.iter().find(by_receiver).or_else(by_slip) else {
        return listed(known, &bare);
    };
    let types = function.find('[').zip(function.rfind(']'));
    let types = types.and_then(|(start, end)| function.get(start..=end));
    let instance = match types {
        Some(types) => near.with_types(types),
        None => near.with_types(&near.any()),
    };
    match (near.types_at, types) {
        // That one is there, and Go has said what is wrong with it.
        _ if instance == function => None,
        (Some(_), None) => Some(format!(
            "; `{}` is generic: name an instance of it, as `{instance}`",
            near.name
        )),
        _ => Some(format!("; did you mean `{instance}`?")),
    }
}

/// The functions that there are: those that have a part of their name in common with the one asked for, or else all.
fn listed(known: &[Declared], function: &str) -> Option<String> {
    const SHOWN: usize = 8;
    let (receiver, last) = function.rsplit_once('.').unwrap_or((function, function));
    let receiver = receiver.trim_start_matches("(*").trim_end_matches(')');
    let is_near = |one: &&Declared| match one.name.rsplit_once('.') {
        Some((of, name)) => {
            name == last || of.trim_start_matches("(*").trim_end_matches(')') == receiver
        }
        None => one.name == last,
    };
    let near: Vec<&Declared> = known.iter().filter(is_near).collect();
    let shown = match near.is_empty() {
        true => known.iter().collect(),
        false => near,
    };
    let names: Vec<String> = shown
        .iter()
        .take(SHOWN)
        .map(|one| format!("`{}`", one.name))
        .collect();
    let more = if shown.len() > SHOWN { ", …" } else { "" };
    (!names.is_empty()).then(|| format!("; there is {}{more}", names.join(", ")))
}

/// A function's name without the types of an instance: all instances have the lines of one function.
fn without_types(function: &str) -> String {
    let mut depth = 0;
    let outside = |c: &char| {
        depth += i32::from(*c == '[');
        let is_outside = depth == 0;
        depth -= i32::from(*c == ']');
        is_outside
    };
    function.chars().filter(outside).collect()
}

/// The function that a line begins.
fn function_of(line: &str) -> Option<Declared> {
    let rest = line.strip_prefix("func ")?;
    let name = |text: &str| -> String {
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        text.chars().take_while(is_part).collect()
    };
    let Some(method) = rest.strip_prefix('(') else {
        let name = name(rest);
        let count = types_in(&rest[name.len()..]);
        return Some(Declared {
            types_at: count.map(|count| (name.len(), count)),
            name,
        });
    };
    let (receiver, method) = method.split_once(')')?;
    let count = receiver.find('[').and_then(|at| types_in(&receiver[at..]));
    let receiver = receiver.split('[').next()?.split_whitespace().next_back()?;
    let method = name(method.trim_start());
    let (receiver, behind) = match receiver.strip_prefix('*') {
        Some(receiver) => (format!("(*{receiver}"), ")"),
        None => (receiver.to_string(), ""),
    };
    Some(Declared {
        name: format!("{receiver}{behind}.{method}"),
        types_at: count.map(|count| (receiver.len(), count)),
    })
}

/// How many types a list in brackets declares or names; none where there is no such list.
fn types_in(list: &str) -> Option<usize> {
    let inside = list.strip_prefix('[')?;
    let mut depth = 0;
    let mut commas = 0;
    for c in inside.chars() {
        match c {
            ']' if depth == 0 => break,
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            ',' => commas += usize::from(depth == 0),
            _ => {}
        }
    }
    Some(commas + 1)
}

/// The lines of a function in a source that `gofmt` would leave as it is: the first and the last, from 1.
pub fn declaration(text: &str, function: &str) -> Option<(usize, usize)> {
    let wanted = without_types(function);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines
        .iter()
        .position(|line| function_of(line).is_some_and(|one| one.name == wanted))?;
    let is_whole = lines[first].trim_end().ends_with('}');
    let length = match is_whole {
        true => 0,
        false => lines[first..]
            .iter()
            .position(|line| line.starts_with('}'))?,
    };
    Some((first + 1, first + length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "package main\n\ntype T int\n\nfunc (t *T) Read(n int) int { return n }\n\nfunc total(a []T) int {\n\tif true {\n\t}\n\treturn 1\n}\n\nfunc last[E any](e E) {\n}\n";

    #[test]
    fn a_function_has_its_lines_and_a_method_its_receiver() {
        let found = |name: &str| declaration(TEXT, name);
        assert_eq!(found("(*T).Read"), Some((5, 5)));
        assert_eq!(found("total"), Some((7, 11)));
        assert_eq!(found("last[int]"), Some((13, 14)));
        assert_eq!(found("Read"), None);
        assert_eq!(found("tota"), None);
    }

    #[test]
    fn of_a_generic_function_an_instance_is_suggested() {
        let text = "func Max[T int | string](a, b T) T {\nfunc (l *List[E]) Sum() int {\nfunc (p Pair[A, B]) One() A {\nfunc plain() {\nfunc Map[K comparable, V any](m map[K]V) {\nfunc (t *T[K, V]) Len() int {\nfunc In[E Set[int, string]](e E) {\n";
        let known: Vec<Declared> = text.lines().filter_map(function_of).collect();
        #[rustfmt::skip] // a table: what was asked for, and what is said of it
        let table = [
            ("Mix[string]",       Some("; did you mean `Max[string]`?")),
            ("Mix",               Some("; `Max` is generic: name an instance of it, as `Max[int]`")),
            ("Max",               Some("; `Max` is generic: name an instance of it, as `Max[int]`")),
            ("Max[bool]",         None),
            ("Map",               Some("; `Map` is generic: name an instance of it, as `Map[int,int]`")),
            ("T.Len",             Some("; `(*T).Len` is generic: name an instance of it, as `(*T[int,int]).Len`")),
            ("In",                Some("; `In` is generic: name an instance of it, as `In[int]`")),
            ("(*List[int]).Sun",  Some("; did you mean `(*List[int]).Sum`?")),
            ("(*List).Sum",       Some("; `(*List).Sum` is generic: name an instance of it, as `(*List[int]).Sum`")),
            ("Pair[int,int].Ona", Some("; did you mean `Pair[int,int].One`?")),
            ("plein",             Some("; did you mean `plain`?")),
            ("plain[int]",        Some("; did you mean `plain`?")),
            ("List[int].Sum",     Some("; did you mean `(*List[int]).Sum`?")),
            ("(*Pair[A, B]).One", Some("; did you mean `Pair[A, B].One`?")),
            ("Sum",               Some("; there is `(*List).Sum`")),
            ("List.Nothing",      Some("; there is `(*List).Sum`")),
            ("List",              Some("; there is `(*List).Sum`")),
            ("somethingelse",     Some("; there is `Max`, `(*List).Sum`, `Pair.One`, `plain`, `Map`, `(*T).Len`, `In`")),
        ];
        for (function, said) in table {
            assert_eq!(meant(&known, function).as_deref(), said, "{function}");
        }
        assert_eq!(meant(&[], "plain"), None);
    }
}
