//! A way as Go has it.
//!
//! Correct means: it compiles where it stands in the program's own package, and does what the measured template does;
//! what it takes to get there, and what it leaves open, is said in front of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::naming::{Nameless, Names, OF_WAYS, Signature};
use super::packages::is_of_name;
use super::{BATCH_SIZE, SPARE, Site, Way};
use crate::go::switch::jump_table;
use crate::text::hanging;

/// The counting sort, its numbers left open.
const BATCH: &str = include_str!("batch.go.txt");
/// Cases that are written out.
const SHOWN: usize = 32;
/// What comments are wide.
const WIDTH: usize = 76;

/// A text in the making: its names, what its calls are, and what its reader has to know.
struct Draft<'a> {
    site: &'a Site,
    names: Names<'a>,
    /// What a call takes, where it is known and can be written.
    signature: Option<Signature>,
    /// Names of its arguments, one each.
    arguments: Vec<String>,
    variables: Variables,
    said: Vec<String>,
}

/// What stands where a case does something.
enum Part {
    /// The call of a method.
    Call(String),
    /// What nobody but the user's switch knows.
    Open,
}

impl<'a> Draft<'a> {
    fn of(site: &'a Site) -> Draft<'a> {
        let types = (0..site.types.len() as u32).map(|number| site.name(number));
        let more = [&site.interface, &site.signature];
        let all: Vec<String> = types.chain(more.into_iter().flatten().cloned()).collect();
        let mut names = Names::within(&site.packages, all.iter().map(String::as_str));
        let [x, v, ok] = ["x", "v", "ok"].map(|name| names.keep(name));
        let other = (x != "x").then(|| {
            format!("{x} stands for the interface value of the call: `x` is something else in this package.")
        });
        let mut draft = Draft {
            site,
            names,
            signature: None,
            arguments: Vec::new(),
            variables: Variables { x, v, ok },
            said: other.into_iter().collect(),
        };
        draft.call();
        draft
    }

    /// What a call of the site takes and gives.
    fn call(&mut self) {
        let site = self.site;
        let Some(method) = &site.method else {
            self.said.extend((!site.is_switch).then(|| {
                "M stands for the method that is called, which the recording does not say.".into()
            }));
            return;
        };
        let Some(text) = &site.signature else {
            self.said.push(format!(
                "What {method} takes and gives is not known here: the calls have no arguments and leave results, so write \
                 them as yours is."
            ));
            return;
        };
        let signature = match self.names.signature(text) {
            Ok(signature) => signature,
            Err(Nameless(why)) => {
                self.said.push(format!(
                    "{method} is {text}, which cannot be written here: {why}. The calls have no arguments and leave results, \
                     so write them as yours is."
                ));
                return;
            }
        };
        let takes = signature.takes.len();
        self.arguments = (1..=takes)
            .map(|number| self.names.keep(&format!("arg{number}")))
            .collect();
        let named = self.arguments.join(", ");
        let arguments = match takes {
            0 => None,
            1 => Some(format!("{named} stands for its argument")),
            _ => Some(format!("{named} stand for its arguments")),
        };
        let results = signature
            .gives
            .then(|| "the calls leave its results".to_string());
        let open: Vec<String> = [arguments, results].into_iter().flatten().collect();
        if !open.is_empty() {
            self.said.push(format!(
                "{method} is {text}: {}, so write them as yours is.",
                open.join(", ")
            ));
        }
        self.signature = Some(signature);
    }

    /// The variables that stand for arguments.
    fn declared(&self) -> String {
        let types = self.signature.iter().flat_map(|one| &one.takes);
        let lines = self.arguments.iter().zip(types);
        lines
            .map(|(name, of)| format!("var {name} {of}\n"))
            .collect()
    }

    /// What is done with a receiver.
    fn part(&self) -> Part {
        if self.site.method.is_none() && self.site.is_switch {
            return Part::Open;
        }
        let is_variadic = self.signature.as_ref().is_some_and(|one| one.is_variadic);
        let dots = if is_variadic { "..." } else { "" };
        Part::Call(format!(
            ".{}({}{dots})",
            self.site.method.as_deref().unwrap_or("M"),
            self.arguments.join(", ")
        ))
    }

    /// What stands where a type is named: several where the recording does not tell which, and nothing where nothing can
    /// name it, which is said.
    fn case(&mut self, number: u32, what: &str) -> Vec<String> {
        let name = self.site.name(number);
        match self.names.case(number, &name) {
            Ok(all) => {
                if all.len() > 1 {
                    self.said.push(format!(
                        "Type {number} is {}: the recording does not tell which, so each has its {what}.",
                        all.join(" or ")
                    ));
                }
                all
            }
            Err(Nameless(why)) => {
                self.said.push(format!(
                    "Type {number}, {name}, has no {what} here, and goes where all others go: {why}."
                ));
                Vec::new()
            }
        }
    }

    /// The interface of the site, or one that its values have, too.
    fn interface(&mut self) -> String {
        let site = self.site;
        let named = match &site.interface {
            Some(name) => self.names.of(name),
            None => Err(Nameless("this does not know which it is".into())),
        };
        named.unwrap_or_else(|Nameless(why)| {
            let signature = self.signature.as_ref().map_or("()", |one| &one.text);
            let stand_in = match (self.part(), &site.method) {
                (Part::Open, _) => "interface{}".to_string(),
                (Part::Call(_), method) => {
                    let method = method.as_deref().unwrap_or("M");
                    format!("interface{{ {method}{signature} }}")
                }
            };
            let name = site.interface.as_deref();
            let name = name.map_or(String::new(), |name| format!(", {name}"));
            self.said.push(format!(
                "{stand_in} stands for the interface of the site{name}: {why}."
            ));
            stand_in
        })
    }

    /// The text behind what it needs, which stands in comments: it goes into a file that is there.
    fn finished(self, code: &str) -> String {
        let mut out = String::new();
        for import in self.names.imports() {
            let _ = writeln!(out, "// {import}");
        }
        for said in &self.said {
            for line in hanging(said, "", 0, WIDTH).lines() {
                let _ = writeln!(out, "// {line}");
            }
        }
        out + &self.declared() + code
    }
}

/// The variables of a text: the interface value, a value of one type, and whether it is of that.
struct Variables {
    x: String,
    v: String,
    ok: String,
}

impl Site {
    /// The lines, as they stand in the site's own package; `x` is the interface value of the call.
    pub fn source(&self, way: &Way) -> String {
        let mut draft = Draft::of(self);
        let code = match way {
            Way::Call => call(&draft),
            Way::Guards(types) => self.guards(types, &mut draft),
            Way::Switch | Way::Table => self.switch(&mut draft),
            Way::Batch => self.batch(&mut draft),
        };
        draft.finished(&code)
    }

    fn guards(&self, types: &[u32], draft: &mut Draft<'_>) -> String {
        let cases: Vec<(u32, String)> = types
            .iter()
            .flat_map(|&number| {
                let all = draft.case(number, "guard").into_iter();
                all.map(move |case| (number, case))
            })
            .collect();
        if cases.is_empty() {
            return call(draft);
        }
        let Variables { x, v, ok } = &draft.variables;
        let mut out = String::new();
        for (at, (number, case)) in cases.iter().enumerate() {
            let before = if at == 0 { "" } else { "} else " };
            let mut often = self.often(*number);
            let alike = cases.iter().filter(|(other, _)| other == number).count();
            if alike > 1 {
                let _ = write!(often, ", of these {alike} types together");
            }
            let _ = match draft.part() {
                Part::Call(call) => writeln!(
                    out,
                    "{before}if {v}, {ok} := {x}.({case}); {ok} {{ // {often}\n\t{v}{call}"
                ),
                Part::Open => writeln!(
                    out,
                    "{before}if {v}, {ok} := {x}.({case}); {ok} {{ // {often}\n\t_ = {v} // what your case of it does"
                ),
            };
        }
        let _ = match draft.part() {
            Part::Call(call) => writeln!(out, "}} else {{\n\t{x}{call}\n}}"),
            Part::Open => writeln!(out, "}} else {{\n\t// your switch, for all others\n}}"),
        };
        out
    }

    fn switch(&self, draft: &mut Draft<'_>) -> String {
        let ranked = self.ranked();
        let cases: Vec<(u32, String)> = ranked
            .iter()
            .take(SHOWN)
            .map(|&number| (number, draft.case(number, "case").join(", ")))
            .filter(|(_, case)| !case.is_empty())
            .collect();
        if cases.is_empty() {
            return call(draft);
        }
        let Variables { x, v, .. } = &draft.variables;
        let mut out = match draft.part() {
            Part::Call(_) => format!("switch {v} := {x}.(type) {{\n"),
            Part::Open => format!("switch {x}.(type) {{\n"),
        };
        for (number, case) in &cases {
            let often = self.often(*number);
            let _ = match draft.part() {
                Part::Call(call) => writeln!(out, "case {case}: // {often}\n\t{v}{call}"),
                Part::Open => writeln!(
                    out,
                    "case {case}: // {often}\n\t// what your case of it does"
                ),
            };
        }
        if ranked.len() > SHOWN {
            let _ = writeln!(out, "// and {} more cases", ranked.len() - SHOWN);
        }
        let _ = match draft.part() {
            Part::Call(call) => writeln!(out, "default:\n\t{x}{call}\n}}"),
            Part::Open => writeln!(out, "default:\n\t// what your switch does else\n}}"),
        };
        out
    }

    /// The counting sort of the template, by the same bits.
    fn batch(&self, draft: &mut Draft<'_>) -> String {
        let bits = self.hashes().and_then(|all| jump_table(&all, SPARE.1));
        let (shift, slots) = bits.map_or((0, 1), |bits| (bits.shift, bits.slots.len()));
        for path in BATCH.lines().filter_map(imported) {
            draft.names.import(path, path.into());
        }
        let interface = draft.interface();
        let renamed = renamed(BATCH, draft);
        let x = &draft.variables.x;
        let numbers = [
            ("SHIFT", shift.to_string()),
            ("SLOTS", slots.to_string()),
            ("TYPES", self.types.len().to_string()),
            ("BATCH", BATCH_SIZE.to_string()),
            (
                "CALL",
                match draft.part() {
                    Part::Call(call) => format!("{x}{call}"),
                    Part::Open => format!("_ = {x} // what your switch does with it"),
                },
            ),
            ("INTERFACE", interface),
        ];
        let filled = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        numbers.iter().fold(renamed, filled)
    }

    /// `61.2 % of the visits`.
    fn often(&self, number: u32) -> String {
        format!("{:.1} % of the visits", self.share(number))
    }
}

/// The call as it is.
fn call(draft: &Draft<'_>) -> String {
    match draft.part() {
        Part::Call(call) => format!("{}{call}\n", draft.variables.x),
        Part::Open => "// A method of the interface, in place of your switch: what its cases do is the method of each type.\n"
            .into(),
    }
}

/// The package that a line of a text imports.
fn imported(line: &str) -> Option<&str> {
    let path = line.strip_prefix("// import \"")?;
    path.strip_suffix('"')
}

/// A text whose own names are others where the package has something of that name.
fn renamed(text: &str, draft: &mut Draft<'_>) -> String {
    let names = &mut draft.names;
    let mut own: BTreeMap<&str, String> = OF_WAYS
        .iter()
        .filter(|name| !["x", "v", "ok"].contains(*name))
        .map(|name| (*name, names.keep(name)))
        .collect();
    own.insert("x", draft.variables.x.clone());
    let mut out = String::new();
    for line in text.lines().filter(|line| imported(line).is_none()) {
        let (code, remark) = match line.find("//") {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let mut rest = code;
        while !rest.is_empty() {
            let start = rest.find(is_of_name).unwrap_or(rest.len());
            out += &rest[..start];
            let word = &rest[start..];
            let end = word.find(|c| !is_of_name(c)).unwrap_or(word.len());
            out += own.get(&word[..end]).map_or(&word[..end], |name| name);
            rest = &word[end..];
        }
        out += remark;
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::go::Release;
    use crate::scenario::Recording;

    use super::*;

    fn site(text: &str) -> Site {
        let numbers = Recording::parse(text).expect("numbers");
        Site::of(&numbers, text, Release::NEWEST, 0)
    }

    #[test]
    fn guards_in_go_have_the_names_of_the_recording_and_the_call_behind_them() {
        let mut site = site("# 0 *main.Dial (main.(*Dial).Read)\n# 1 os.File\n0 0 1\n");
        site.method = Some("Read".into());
        site.signature = Some("func()".into());
        let expected = "// import \"os\"\n\
                        if v, ok := x.(*Dial); ok { // 66.7 % of the visits\n\tv.Read()\n\
                        } else if v, ok := x.(os.File); ok { // 33.3 % of the visits\n\tv.Read()\n\
                        } else {\n\tx.Read()\n}\n";
        assert_eq!(site.source(&Way::Guards(vec![0, 1])), expected);
    }

    #[test]
    fn what_cannot_be_named_has_no_case_and_goes_where_all_others_go() {
        let text =
            "# 0 type with hash 0x1\n# 1 a.B or a.c (a.f)\n# 2 *os.file\n# 3 main.T\n0 1 2 3\n";
        let site = site(text);
        let lines = [
            "Type 0, type with hash 0x1, has no WHAT here, and goes where all others go: the recording does not say",
            "Type 1, a.B or a.c (a.f), has no WHAT here, and goes where all others go: a does not export it",
            "Type 2, *os.file, has no WHAT here, and goes where all others go: os does not export it: it can stand in \
             that package alone.",
        ];
        #[rustfmt::skip] // a table: a way, what it calls a case, and its code
        let table = [
            (Way::Switch,               "case",  "switch v := x.(type) {\ncase T: // 25.0 % of the visits\n\tv.f()\ndefault:\n\tx.f()\n}\n"),
            (Way::Guards(vec![0, 1, 2, 3]), "guard", "if v, ok := x.(T); ok { // 25.0 % of the visits\n\tv.f()\n} else {\n\tx.f()\n}\n"),
            (Way::Guards(vec![0, 1, 2]), "guard", "x.f()\n"),
        ];
        for (way, what, code) in table {
            let source = site.source(&way);
            let said = source.lines().filter_map(|line| line.strip_prefix("// "));
            let said = said.collect::<Vec<_>>().join(" ");
            for line in lines {
                let line = line.replace("WHAT", what);
                assert!(said.contains(&line), "{line}: {source}");
            }
            let own: String = source
                .lines()
                .filter(|line| !line.starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            assert_eq!(own, code, "{source}");
            assert!(!source.contains("import"), "{source}");
        }
    }

    #[test]
    fn types_that_the_recording_does_not_tell_apart_have_a_case_together_and_a_guard_each() {
        let mut site = site("# 0 *main.T or main.T (main.(*T).Read)\n0 0\n");
        site.signature = Some("func()".into());
        let source = site.source(&Way::Switch);
        assert!(source.contains("\ncase *T, T: // 100.0 % of"), "{source}");
        let source = site.source(&Way::Guards(vec![0]));
        for part in ["if v, ok := x.(*T); ok {", "} else if v, ok := x.(T); ok {"] {
            assert!(source.contains(part), "{source}");
        }
        assert!(source.contains("// Type 0 is *T or T: the recording does not tell which"));
    }

    #[test]
    fn what_the_package_declares_keeps_its_name_and_the_text_has_another() {
        let mut site = site("# 0 main.x\n# 1 *main.v\n# 2 *ex.org/ok.T\n0 1 2\n");
        site.method = Some("Read".into());
        site.signature = Some("func()".into());
        site.interface = Some("main.kind".into());
        let source = site.source(&Way::Guards(vec![0, 1, 2]));
        for part in [
            "// import ok2 \"ex.org/ok\"\n",
            "// x2 stands for the interface value of the call: `x` is something else in this\n",
            "if v2, ok := x2.(x); ok {",
            "} else if v2, ok := x2.(*v); ok {",
            "} else if v2, ok := x2.(*ok2.T); ok {",
            "} else {\n\tx2.Read()\n}",
        ] {
            assert!(source.contains(part), "{part}: {source}");
        }
        let source = site.source(&Way::Batch);
        for part in [
            "func kind2(x2 kind) uint8 { return numbers[bits(x2)] }",
            "for _, x2 := range ordered {\n\t\tx2.Read()\n",
        ] {
            assert!(source.contains(part), "{part}: {source}");
        }
    }

    #[test]
    fn what_a_call_lacks_is_said_and_of_a_call_that_lacks_nothing_nothing() {
        #[rustfmt::skip] // a table: method, its type, whether the site is a switch, what is said, and the code
        let table = [
            (Some("Read"), Some("func()"),         false, None, "x.Read()\n"),
            (Some("Read"), Some("func() int"),     false, Some("// Read is func() int: the calls leave its results"), "x.Read()\n"),
            (Some("Read"), Some("func(int) int"),  false, Some("// Read is func(int) int: arg1 stands for its argument, the calls leave"), "var arg1 int\nx.Read(arg1)\n"),
            (Some("Read"), Some("func(int, ...os.Signal)"), false, Some("// import \"os\"\n// Read is func(int, ...os.Signal): arg1, arg2 stand for its arguments"), "var arg1 int\nvar arg2 []os.Signal\nx.Read(arg1, arg2...)\n"),
            (Some("Read"), Some("func(os.file)"),  false, Some("// Read is func(os.file), which cannot be written here: os does not export it"), "x.Read()\n"),
            (Some("Read"), None,                   false, Some("// What Read takes and gives is not known"), "x.Read()\n"),
            (None,         None,                   false, Some("// M stands for the method that is called"), "x.M()\n"),
            (None,         None,                   true,  Some("// A method of the interface, in place of your switch"), ""),
        ];
        for (method, signature, is_switch, said, code) in table {
            let site = Site {
                method: method.map(str::to_string),
                signature: signature.map(str::to_string),
                is_switch,
                ..site("# 0 main.T\n0 0\n")
            };
            let source = site.source(&Way::Call);
            match said {
                None => assert_eq!(source, code),
                Some(said) => assert!(
                    source.starts_with(said) && source.ends_with(code),
                    "{source}"
                ),
            }
        }
    }
}
