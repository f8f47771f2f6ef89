//! A way as Go has it.
//!
//! Correct means: it compiles where the names are those of the program, and does what the measured template does; where
//! it is not the same code, that is said in it.

use std::fmt::Write as _;

use super::{BATCH_SIZE, SPARE, Site, Way};
use crate::go::switch::jump_table;

/// The counting sort, its numbers left open.
const BATCH: &str = include_str!("batch.go.txt");
/// Cases that are written out.
const SHOWN: usize = 32;

impl Site {
    /// The lines; `x` is the interface value of the call.
    pub fn source(&self, way: &Way) -> String {
        match way {
            Way::Call => format!("x.{}()\n", self.called()),
            Way::Guards(types) => self.guards(types),
            Way::Switch | Way::Table => self.switch(),
            Way::Batch => self.batch(),
        }
    }

    fn called(&self) -> &str {
        self.method.as_deref().unwrap_or("M")
    }

    fn guards(&self, types: &[u32]) -> String {
        let mut out = String::new();
        for (at, &number) in types.iter().enumerate() {
            let before = if at == 0 { "" } else { "} else " };
            let _ = writeln!(
                out,
                "{before}if v, ok := x.({}); ok {{ // {}\n\tv.{}()",
                self.go_type(number),
                self.often(number),
                self.called()
            );
        }
        let _ = writeln!(out, "}} else {{\n\tx.{}()\n}}", self.called());
        out
    }

    fn switch(&self) -> String {
        let ranked = self.ranked();
        let mut out = "switch v := x.(type) {\n".to_string();
        for &number in ranked.iter().take(SHOWN) {
            let _ = writeln!(
                out,
                "case {}: // {}\n\tv.{}()",
                self.go_type(number),
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
    fn batch(&self) -> String {
        let bits = self.hashes().and_then(|all| jump_table(&all, SPARE.1));
        let (shift, slots) = bits.map_or((0, 1), |bits| (bits.shift, bits.slots.len()));
        let numbers = [
            ("SHIFT", shift.to_string()),
            ("SLOTS", slots.to_string()),
            ("TYPES", self.types.len().to_string()),
            ("BATCH", BATCH_SIZE.to_string()),
            ("METHOD", self.called().to_string()),
        ];
        let filled = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        numbers.iter().fold(BATCH.to_string(), filled)
    }

    /// `61.2 % of the visits`.
    fn often(&self, number: u32) -> String {
        format!("{:.1} % of the visits", self.share(number))
    }

    /// The type as a Go text of its own package has it: `T3` where the recording does not say.
    fn go_type(&self, number: u32) -> String {
        let name = self.types[number as usize].name.as_deref();
        let name = name.map(|name| name.split(" (").next().unwrap_or(name));
        let is_type = |name: &&str| {
            let bare = name.trim_start_matches('*');
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            bare.starts_with(|c: char| c.is_alphabetic() || c == '_') && bare.chars().all(is_part)
        };
        match name.filter(is_type) {
            Some(name) => name.replacen("main.", "", 1),
            None => format!("T{number}"),
        }
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
        let expected = "if v, ok := x.(*Dial); ok { // 66.7 % of the visits\n\tv.Read()\n\
                        } else if v, ok := x.(os.File); ok { // 33.3 % of the visits\n\tv.Read()\n\
                        } else {\n\tx.Read()\n}\n";
        assert_eq!(site.source(&Way::Guards(vec![0, 1])), expected);
    }

    #[test]
    fn what_is_no_name_of_a_type_has_its_number() {
        let site = site("# 0 type with hash 0x1\n# 1 a.B or a.C (a.f)\n# 2 main.P[int]\n0 1 2\n");
        let source = site.source(&Way::Switch);
        for case in ["case T0:", "case T1:", "case T2:", "default:\n\tx.f()"] {
            assert!(source.contains(case), "{source}");
        }
    }
}
