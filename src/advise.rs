//! The ways in which a call site of an interface can choose, for a sequence of types that it meets.
//!
//! Correct means: all ways do the same for the same receivers, the text of a way is what is measured of it, and a way
//! that a sequence cannot have says why.
//!
//! ```text
//! Recording, names ─ Site::of ─▶ Site ─ candidates ─▶ Candidate: a template's text, or Cannot
//!                                  └─── source ─▶ the same as Go has it
//! ```

mod naming;
mod packages;
mod reading;
mod source;

use std::fmt::Write as _;

use crate::go::Release;
use crate::go::hash::type_hash;
use crate::go::switch::jump_table;
use crate::scenario::Recording;
pub use packages::Packages;

/// The template of all ways but that of batches, its parameters left open.
const SITE: &str = include_str!("advise/site.asm");
/// That of batches.
const BATCH: &str = include_str!("advise/batch.asm");
/// The line of both that is left open.
const OPEN: &str = ";! params   = {}\n";

/// Receivers that are put in order of type at a time.
pub const BATCH_SIZE: usize = 64;
/// Most types of a chain of guards or of a switch: as many as the shipped templates have.
const MOST_CASES: usize = 1024;
/// How many guards are tried, where there are so many types.
const GUARDS: [usize; 5] = [1, 2, 3, 4, 8];
/// Bits of a hash beyond those that number the types: for a table of jumps, for what tells the types of a batch apart, and
/// for Go's own tables.
const SPARE: (u32, u32, u32) = (16, 6, 2);
/// Fewest cases of which Go makes a table, since 1.22.
const FEWEST_OF_A_TABLE: usize = 5;

/// A call site, and what it meets.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The release whose hashes the types have.
    pub release: Release,
    /// By number.
    pub types: Vec<Met>,
    /// Of all types together.
    pub visits: u64,
    /// The method that is called, where that is known.
    pub method: Option<String>,
    /// What that takes and gives, as Go writes it: `func(int) int`; none where it is not known.
    pub signature: Option<String>,
    /// The interface, with the path of its package; none where it is not known.
    pub interface: Option<String>,
    /// The package that the site is in, and what it sees of others.
    pub packages: Packages,
    /// Whether it is a type switch, whose cases do what they do.
    pub is_switch: bool,
}

/// A type, and how often it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// What the recording calls it.
    pub name: Option<String>,
    /// Its visits, exact.
    pub visits: u64,
}

/// How a site chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Through the itab.
    Call,
    /// Compares with the itabs of these types, in this order, and the call behind them.
    Guards(Vec<u32>),
    /// A switch over all types, by halves of their hashes.
    Switch,
    /// The same through a table.
    Table,
    /// Through the itab, of a batch that was put in order of type.
    Batch,
}

/// Why there is no such way for a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cannot(pub String);

/// A way, and the template of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub way: Way,
    /// Its name as a scenario.
    pub name: String,
    /// The same in words.
    pub title: String,
    /// What a reader must know of its numbers.
    pub remark: Option<String>,
    /// The template's text.
    pub text: Result<String, Cannot>,
}

impl Site {
    /// Of a sequence, and what the text of it calls its numbers.
    pub fn of(recording: &Recording, text: &str, release: Release, types: u32) -> Site {
        let mut met = vec![
            Met {
                name: None,
                visits: 0
            };
            types.max(recording.needed()) as usize
        ];
        for &number in recording.types() {
            met[number as usize].visits += 1;
        }
        for (number, name) in text.lines().filter_map(named) {
            if let Some(one) = met.get_mut(number) {
                one.name.get_or_insert(name);
            }
        }
        Site {
            release,
            visits: recording.types().len() as u64,
            method: method(&met),
            signature: None,
            interface: None,
            packages: Packages::around("main"),
            is_switch: false,
            types: met,
        }
    }

    /// The types that come, the most frequent first; of two that are alike the lower number.
    pub fn ranked(&self) -> Vec<u32> {
        let visits = |number: &u32| self.types[*number as usize].visits;
        let mut all: Vec<u32> = (0..self.types.len() as u32)
            .filter(|one| visits(one) > 0)
            .collect();
        all.sort_by_key(|one| (std::cmp::Reverse(visits(one)), *one));
        all
    }

    /// The share of a type's visits, in percent.
    pub fn share(&self, number: u32) -> f64 {
        self.types[number as usize].visits as f64 / self.visits.max(1) as f64 * 100.0
    }

    /// All ways, the call first.
    pub fn candidates(&self) -> Vec<Candidate> {
        let ranked = self.ranked();
        let counts = GUARDS.into_iter().filter(|count| *count <= ranked.len());
        let guards = counts.map(|count| Way::Guards(ranked[..count].to_vec()));
        std::iter::once(Way::Call)
            .chain(guards)
            .chain([Way::Switch, Way::Table, Way::Batch])
            .map(|way| self.candidate(way))
            .collect()
    }

    fn candidate(&self, way: Way) -> Candidate {
        let text = self.check(&way).map(|()| self.text(&way));
        Candidate {
            name: match &way {
                Way::Call => "call".into(),
                Way::Guards(types) => format!("guards-{}", types.len()),
                Way::Switch => "switch".into(),
                Way::Table => "table".into(),
                Way::Batch => format!("batch-{BATCH_SIZE}"),
            },
            title: match &way {
                Way::Call => "call through the itab".into(),
                Way::Guards(types) => {
                    let plural = if types.len() == 1 { "" } else { "s" };
                    format!("guard{plural} on {}", numbers(types, ", "))
                }
                Way::Switch => "type switch, by halves".into(),
                Way::Table => match self.table(SPARE.0) {
                    Some(slots) => format!("type switch, table of {slots}"),
                    None => "type switch, table".into(),
                },
                Way::Batch => format!("{BATCH_SIZE} at a time, sorted by type"),
            },
            remark: text.is_ok().then(|| self.remark(&way)).flatten(),
            way,
            text,
        }
    }

    /// Why this sequence cannot have that way.
    fn check(&self, way: &Way) -> Result<(), Cannot> {
        let (count, come) = (self.types.len(), self.ranked().len());
        let cannot = |why: String| Err(Cannot(why));
        match way {
            Way::Call | Way::Guards(_) if count <= MOST_CASES => Ok(()),
            Way::Call | Way::Guards(_) => cannot(format!(
                "it is measured with up to {MOST_CASES} types, and here are {count}"
            )),
            Way::Switch | Way::Table if come < 2 => {
                cannot("the recording has one type, and a switch with one case is a guard".into())
            }
            Way::Switch | Way::Table if count > MOST_CASES => cannot(format!(
                "a switch is measured with up to {MOST_CASES} cases, and here are {count} types"
            )),
            Way::Table if self.table(SPARE.0).is_none() => cannot(format!(
                "no few bits of the hashes tell {count} types apart"
            )),
            Way::Switch | Way::Table => Ok(()),
            Way::Batch if come < 2 => {
                cannot("the recording has one type, and is in order as it is".into())
            }
            Way::Batch if count > BATCH_SIZE => cannot(format!(
                "{count} types are more than a batch of {BATCH_SIZE} has receivers"
            )),
            Way::Batch if self.visits < BATCH_SIZE as u64 => cannot(format!(
                "the recording has {} visits, and a batch {BATCH_SIZE}",
                self.visits
            )),
            Way::Batch if self.table(SPARE.1).is_none() => cannot(format!(
                "no few bits of the hashes tell {count} types apart, and by them they are counted"
            )),
            Way::Batch => Ok(()),
        }
    }

    /// Slots of the table with so many spare bits; none where they do not tell the types apart.
    fn table(&self, spare: u32) -> Option<usize> {
        jump_table(&self.hashes()?, spare).map(|table| table.slots.len())
    }

    /// As the types of the templates have them, which are called `main.T0`, `main.T1`, ….
    fn hashes(&self) -> Option<Vec<u32>> {
        let hash = |number| type_hash(self.release, &format!("main.T{number}"));
        (0..self.types.len()).map(|one| hash(one).ok()).collect()
    }

    /// Whether Go makes a table of a switch over types of these hashes.
    fn is_tabled_by_go(&self) -> bool {
        let is_enough = self.types.len() >= FEWEST_OF_A_TABLE && self.release.minor() >= 22;
        is_enough && self.table(SPARE.2).is_some()
    }

    fn remark(&self, way: &Way) -> Option<String> {
        let release = self.release;
        match way {
            Way::Call | Way::Guards(_) => None,
            Way::Switch if self.is_tabled_by_go() => Some(format!(
                "what-if: of types of these hashes Go {release} makes a table"
            )),
            Way::Table if !self.is_tabled_by_go() => Some(format!(
                "what-if: of types of these hashes Go {release} makes no table, it searches by halves"
            )),
            Way::Switch | Way::Table => None,
            Way::Batch => Some(
                "the counting sort and the loops of a batch are in its numbers; its calls come in another order than the \
                 program's, so it is a way only where that may be"
                    .into(),
            ),
        }
    }

    /// The template, its parameters at what this way has.
    fn text(&self, way: &Way) -> String {
        let (release, count) = (self.release, self.types.len());
        let of_site = |way: &str, first: &[u32]| {
            let first = match first {
                [] => "0".to_string(),
                types => numbers(types, "-"),
            };
            format!("way = [\"{way}\"], first = \"{first}\", callee = [\"inlined\", \"called\"]")
        };
        let (text, own) = match way {
            Way::Call => (SITE, of_site("call", &[])),
            Way::Guards(types) => (SITE, of_site("guards", types)),
            Way::Switch => (SITE, of_site("switch", &[])),
            Way::Table => (SITE, of_site("table", &[])),
            Way::Batch => (BATCH, format!("batch = [{BATCH_SIZE}]")),
        };
        let params = format!(
            ";! params   = {{ go = [\"{release}\"], targets = {{ default = {count}, min = {count}, max = {count} }}, \
             {own}, order = \"cyclic\", objects = 64 }}\n"
        );
        let (head, rest) = text.split_once(OPEN).unwrap_or((text, ""));
        let (header, code) = rest.split_once("\n\n").unwrap_or((rest, ""));
        format!("{head}{params}{header}\n\n{}\n{code}", self.comments())
    }

    /// Which type each number stands for.
    fn comments(&self) -> String {
        const SHOWN: usize = 16;
        let mut out = String::new();
        for number in self.ranked().into_iter().take(SHOWN) {
            // What opens a tag of an expansion is none.
            let name = self.name(number).replace('{', "(");
            let _ = writeln!(
                out,
                "; main.T{number}: {:.1} % of the visits, {name}",
                self.share(number)
            );
        }
        let more = self.ranked().len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(out, "; and {more} more types");
        }
        out
    }

    /// What a type is called.
    pub fn name(&self, number: u32) -> String {
        let met = self.types.get(number as usize);
        let name = met.and_then(|one| one.name.clone());
        name.unwrap_or_else(|| format!("type {number}"))
    }
}

/// The method of targets as `trace` names them, `*main.Dial (main.(*Dial).Read)`, where all agree.
fn method(met: &[Met]) -> Option<String> {
    let names = met.iter().filter_map(|one| one.name.as_deref());
    let targets =
        names.filter_map(|name| name.strip_suffix(')')?.split_once(" (").map(|two| two.1));
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let mut methods = targets.map(|target| target.rsplit('.').next().filter(is_name));
    let first = methods.next()??;
    methods
        .all(|one| one == Some(first))
        .then(|| first.to_string())
}

/// The number and name of a remark `# 0 *main.Dial`, as `trace` writes them.
fn named(line: &str) -> Option<(usize, String)> {
    let (number, name) = line.strip_prefix("# ")?.split_once(' ')?;
    let name = unescaped(name.trim());
    Some((number.parse().ok()?, name)).filter(|(_, name)| !name.is_empty())
}

/// A name without the marks that a recording puts in front of quotation marks.
fn unescaped(name: &str) -> String {
    let mut out = String::new();
    let mut all = name.chars().peekable();
    while let Some(one) = all.next() {
        let next = all.next_if(|next| one == '\\' && matches!(next, '"' | '\'' | '\\'));
        out.push(next.unwrap_or(one));
    }
    out
}

fn numbers(types: &[u32], between: &str) -> String {
    let all: Vec<String> = types.iter().map(u32::to_string).collect();
    all.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(numbers: &[u32], text: &str) -> Site {
        Site::of(&Recording::of(numbers.to_vec()), text, Release::NEWEST, 0)
    }

    /// The reason why a way of this name is none; `None` where it is one.
    fn reason(site: &Site, name: &str) -> Option<String> {
        let all = site.candidates();
        let found = all.into_iter().find(|one| one.name == name);
        found.expect(name).text.err().map(|cannot| cannot.0)
    }

    #[test]
    fn guards_stand_in_the_order_of_frequency_and_are_no_more_than_there_are_types() {
        let site = site(&[0, 2, 2, 1, 2, 1, 4], "");
        assert_eq!(site.ranked(), [2, 1, 0, 4], "3 never comes");
        let candidates = site.candidates();
        let guards: Vec<&str> = candidates
            .iter()
            .filter(|one| matches!(one.way, Way::Guards(_)))
            .map(|one| &*one.title)
            .collect();
        assert_eq!(
            guards,
            [
                "guard on 2",
                "guards on 2, 1",
                "guards on 2, 1, 0",
                "guards on 2, 1, 0, 4"
            ]
        );
        let text = candidates[3].text.as_ref().expect("it is one");
        assert!(text.contains("first = \"2-1-0\""), "{text}");
    }

    #[test]
    fn a_way_is_none_from_the_size_on_that_it_cannot_have() {
        let visits = |types: u32, length: u32| -> Vec<u32> {
            (0..length).map(|visit| visit % types).collect()
        };
        #[rustfmt::skip] // a table: types, visits, a way, and a word of its reason
        let table = [
            (1,    100,  "switch",   Some("one type")),
            (2,    100,  "switch",   None),
            (1,    100,  "table",    Some("one type")),
            (2,    100,  "table",    None),
            (1024, 2048, "switch",   None),
            (1025, 2050, "switch",   Some("1024 cases")),
            (1024, 2048, "call",     None),
            (1025, 2050, "call",     Some("1024 types")),
            (1,    100,  "batch-64", Some("one type")),
            (2,    63,   "batch-64", Some("63 visits")),
            (2,    64,   "batch-64", None),
            (65,   130,  "batch-64", Some("65 types")),
        ];
        for (types, length, name, word) in table {
            let why = reason(&site(&visits(types, length), ""), name);
            assert_eq!(why.is_some(), word.is_some(), "{types} {name}: {why:?}");
            if let (Some(why), Some(word)) = (why, word) {
                assert!(why.contains(word), "{types} {name}: {why}");
            }
        }
    }

    #[test]
    fn names_are_those_of_the_remarks_and_cannot_be_tags_of_an_expansion() {
        let site = site(
            &[0, 1, 1],
            "# visits of main.f\n# 0 main.A\n# 1 struct {{ x }}\n0 1 1\n",
        );
        assert_eq!(site.name(0), "main.A");
        let text = site.candidates()[0].text.clone().expect("a call");
        assert!(
            text.contains("; main.T1: 66.7 % of the visits, struct (( x }}"),
            "{text}"
        );
        assert_eq!(site.method, None);
        let called = |text: &str| self::site(&[0, 1], text).method;
        assert_eq!(
            called("# 0 *main.A (main.(*A).Read)\n# 1 main.B (main.B.Read)\n"),
            Some("Read".into())
        );
        assert_eq!(
            called("# 0 main.A (main.A.F)\n# 1 main.B (main.B.G)\n"),
            None
        );
        assert_eq!(named("# visits of main.f"), None);
        assert_eq!(
            named("# 7 *main.Dial (x)"),
            Some((7, "*main.Dial (x)".into()))
        );
        let struct_of = "struct { A int \"x:\\\"y\\\"\" }";
        let line = format!("# 1 {}", struct_of.escape_debug());
        assert_eq!(named(&line), Some((1, struct_of.into())));
    }
}
