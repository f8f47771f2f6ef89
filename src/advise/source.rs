//! A way as Go has it.
//!
//! Correct means: it compiles where it stands in the program's own package, and does what the measured template does;
//! what it takes to get there is said in front of it.

use std::fmt::Write as _;

use super::naming::{Nameless, Names};
use super::{BATCH_SIZE, SPARE, Site, Way};
use crate::go::switch::jump_table;
use crate::text::hanging;

/// The counting sort, its numbers left open.
const BATCH: &str = include_str!("batch.go.txt");
/// Cases that are written out.
const SHOWN: usize = 32;
/// What comments are wide.
const WIDTH: usize = 76;

/// A text in the making: its names, and what its reader has to fill in.
struct Draft<'a> {
    names: Names<'a>,
    open: Vec<String>,
}

impl Draft<'_> {
    /// What stands where a type is named.
    fn case(&mut self, site: &Site, number: u32) -> String {
        let name = site.name(number);
        let name = name.split(" (").next().unwrap_or(&name);
        self.names
            .case(number, name)
            .unwrap_or_else(|Nameless(why)| {
                let stand_in = format!("FILL_IN_{number}");
                self.open
                    .push(format!("{stand_in} stands for {name}: {why}."));
                stand_in
            })
    }

    /// The interface of the site.
    fn interface(&mut self, name: Option<&str>) -> String {
        let named = match name {
            Some(name) => self.names.of(name),
            None => Err(Nameless("this does not know which".into())),
        };
        named.unwrap_or_else(|Nameless(why)| {
            let name = name.map_or(String::new(), |name| format!(", {name}"));
            self.open.push(format!(
                "I stands for the interface of the site{name}: {why}."
            ));
            "I".into()
        })
    }

    /// The text behind what it needs, which stands in comments: it goes into a file that is there.
    fn finished(self, code: &str) -> String {
        let mut out = String::new();
        for import in self.names.imports() {
            let _ = writeln!(out, "// {import}");
        }
        for open in self.open {
            for line in hanging(&open, "", 0, WIDTH).lines() {
                let _ = writeln!(out, "// {line}");
            }
        }
        out + code
    }
}

impl Site {
    /// The lines, as they stand in the site's own package; `x` is the interface value of the call.
    pub fn source(&self, way: &Way) -> String {
        let mut draft = Draft {
            names: Names::within(&self.package),
            open: self.left_open(),
        };
        let code = match way {
            Way::Call => format!("x.{}()\n", self.called()),
            Way::Guards(types) => self.guards(types, &mut draft),
            Way::Switch | Way::Table => self.switch(&mut draft),
            Way::Batch => self.batch(&mut draft),
        };
        draft.finished(&code)
    }

    fn called(&self) -> &str {
        self.method.as_deref().unwrap_or("M")
    }

    /// What of a call is not written.
    fn left_open(&self) -> Vec<String> {
        let Some(method) = &self.method else {
            return vec![match self.is_switch {
                true => {
                    "M stands for what the cases of your switch do: put each in its place.".into()
                }
                false => {
                    "M stands for the method that is called, which the recording does not say."
                        .to_string()
                }
            }];
        };
        let Some(signature) = &self.signature else {
            return vec![format!(
                "What {method} takes and gives is not known here: the calls have no arguments and leave results, so write \
                 them as yours is."
            )];
        };
        let behind = signature.strip_prefix("func(").unwrap_or(signature);
        let left = match behind.strip_prefix(')') {
            Some("") => return Vec::new(),
            Some(_) => "leave its results",
            None => "lack its arguments, and leave its results where it has any",
        };
        vec![format!(
            "{method} is {signature}: the calls {left}, so write them as yours is."
        )]
    }

    fn guards(&self, types: &[u32], draft: &mut Draft<'_>) -> String {
        let mut out = String::new();
        for (at, &number) in types.iter().enumerate() {
            let before = if at == 0 { "" } else { "} else " };
            let _ = writeln!(
                out,
                "{before}if v, ok := x.({}); ok {{ // {}\n\tv.{}()",
                draft.case(self, number),
                self.often(number),
                self.called()
            );
        }
        let _ = writeln!(out, "}} else {{\n\tx.{}()\n}}", self.called());
        out
    }

    fn switch(&self, draft: &mut Draft<'_>) -> String {
        let ranked = self.ranked();
        let mut out = "switch v := x.(type) {\n".to_string();
        for &number in ranked.iter().take(SHOWN) {
            let _ = writeln!(
                out,
                "case {}: // {}\n\tv.{}()",
                draft.case(self, number),
                self.often(number),
                self.called()
            );
        }
        if ranked.len() > SHOWN {
            let _ = writeln!(out, "// and {} more cases", ranked.len() - SHOWN);
        }
        let _ = writeln!(out, "default:\n\tx.{}()\n}}", self.called());
        out
    }

    /// The counting sort of the template, by the same bits.
    fn batch(&self, draft: &mut Draft<'_>) -> String {
        let bits = self.hashes().and_then(|all| jump_table(&all, SPARE.1));
        let (shift, slots) = bits.map_or((0, 1), |bits| (bits.shift, bits.slots.len()));
        let numbers = [
            ("SHIFT", shift.to_string()),
            ("SLOTS", slots.to_string()),
            ("TYPES", self.types.len().to_string()),
            ("BATCH", BATCH_SIZE.to_string()),
            ("METHOD", self.called().to_string()),
            ("INTERFACE", draft.interface(self.interface.as_deref())),
        ];
        let filled = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        numbers.iter().fold(BATCH.to_string(), filled)
    }

    /// `61.2 % of the visits`.
    fn often(&self, number: u32) -> String {
        format!("{:.1} % of the visits", self.share(number))
    }
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
    fn what_cannot_be_named_is_said_to_be_open() {
        let site = site("# 0 type with hash 0x1\n# 1 a.B or a.C (a.f)\n# 2 *os.file\n0 1 2\n");
        let source = site.source(&Way::Switch);
        for line in [
            "// FILL_IN_0 stands for type with hash 0x1: the recording does not say",
            "// FILL_IN_1 stands for a.B or a.C: ",
            "// FILL_IN_2 stands for *os.file: os does not export it.",
            "case FILL_IN_0:",
            "case FILL_IN_1:",
            "case FILL_IN_2:",
            "default:\n\tx.f()",
        ] {
            assert!(source.contains(line), "{line}: {source}");
        }
        assert!(!source.contains("import"), "{source}");
    }

    #[test]
    fn what_a_call_lacks_is_said_and_of_a_call_that_lacks_nothing_nothing() {
        #[rustfmt::skip] // a table: method, its type, whether the site is a switch, and what is said
        let table = [
            (Some("Read"), Some("func()"),         false, None),
            (Some("Read"), Some("func() int"),     false, Some("// Read is func() int: the calls leave its results")),
            (Some("Read"), Some("func(int) int"),  false, Some("// Read is func(int) int: the calls lack its arguments")),
            (Some("Read"), None,                   false, Some("// What Read takes and gives is not known")),
            (None,         None,                   false, Some("// M stands for the method that is called")),
            (None,         None,                   true,  Some("// M stands for what the cases of your switch do")),
        ];
        for (method, signature, is_switch, said) in table {
            let site = Site {
                method: method.map(str::to_string),
                signature: signature.map(str::to_string),
                is_switch,
                ..site("# 0 main.T\n0 0\n")
            };
            let source = site.source(&Way::Call);
            match said {
                None => assert_eq!(source, "x.Read()\n"),
                Some(said) => assert!(source.starts_with(said), "{source}"),
            }
        }
    }
}
