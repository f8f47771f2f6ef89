//! Suites: named lists of scenarios, and what somebody published about them.
//!
//! Correct means: a scenario stands in a suite once, a figure is a number or a ratio of two of its
//! scenarios, never both, and what is wrong with the file is told at its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::{fmt, iter};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::source::{Place, SourceText};
use super::{Origin, Template, remark};
use crate::stats::Quantity;
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// What somebody can have published a figure of, beside the quantities that are measured.
const DERIVED: [&str; 3] = ["baseline_ns", "net_ns", "ipc"];

/// All of what somebody can have published a figure of.
pub fn metrics() -> Vec<&'static str> {
    let measured = Quantity::ALL.iter().map(|quantity| quantity.known().name);
    measured.chain(DERIVED).collect()
}

/// What to write where the shape of a file is wrong in a way that has no better answer.
const FORM: &str = "a row is `\"NAME[KEY=VALUE]\"` or `{ row = \"NAME\", count = [5, 2] }`, a figure `{ source = \"...\", ns = 1.96 }`";

/// A named list of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// File name without extension.
    pub name: String,
    /// Where the text came from.
    pub origin: Origin,
    /// The whole text.
    pub text: String,
    /// One line for `list`.
    pub title: String,
    /// The scenario that ratios refer to, where all are held against one.
    pub reference: Option<String>,
    /// Its scenarios, in the order of the report.
    pub members: Vec<Member>,
}

/// A scenario of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name, the parameters sorted; whether there is such a scenario shows when it is bound.
    pub scenario: String,
    /// What the suite says of it.
    pub said: Said,
    /// What is wrong with it; nothing else is said of it then, and the others run.
    pub wrong: Vec<Diagnostic>,
    /// Where it stands.
    place: Place,
}

/// What a suite says of a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The title of its section.
    pub section: Option<String>,
    /// Instructions and branches of one iteration, counted by hand.
    pub count: Option<[f64; 2]>,
    /// Instructions of one iteration of the whole loop, as a Go compiler emits it.
    pub compiled: Option<f64>,
    /// What others published about it.
    pub published: Vec<Published>,
    /// Where compilers and processors of today disagree with the figures, and why: a [`remark`].
    pub today: Option<String>,
}

/// A figure that somebody published for what a row shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Publication and section.
    pub source: String,
    /// One of [`metrics`].
    pub metric: String,
    /// The figure itself.
    #[serde(flatten)]
    pub figure: Figure,
}

/// A published number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// Of one iteration.
    Value {
        /// In the metric's unit.
        value: f64,
    },
    /// Held against another scenario.
    Ratio {
        /// This one's metric over the other's.
        ratio: f64,
        /// The other scenario's name.
        to: String,
    },
}

impl Suite {
    /// Parses `text`. Pure: whoever read the text says where it came from.
    ///
    /// # Errors
    /// What is wrong with it as a whole. A wrong row costs itself alone.
    pub fn parse(name: &str, origin: Origin, text: String) -> Result<Suite, Vec<Diagnostic>> {
        let mut suite = Suite {
            name: name.to_string(),
            origin,
            text: text.trim_start_matches('\u{feff}').to_string(),
            title: String::new(),
            reference: None,
            members: Vec::new(),
        };
        let table: Table<Row> = match toml::from_str(&suite.text) {
            Ok(table) => table,
            Err(error) => {
                let table = suite.row_by_row();
                table.ok_or_else(|| vec![suite.misshapen(&error)])?
            }
        };
        let loose = Section {
            title: String::new(),
            rows: table.rows,
        };
        for Section { title, rows } in iter::once(loose).chain(table.section) {
            let section = Some(title).filter(|title| !title.is_empty());
            for row in rows {
                suite.members.push(suite.member(section.clone(), row));
            }
        }
        suite.title = table.title;
        let mut errors = suite.check(table.reference.as_ref());
        suite.reference = table.reference.map(|name| sorted(name.get_ref()));
        if errors.is_empty() {
            return Ok(suite);
        }
        errors.extend(suite.members.into_iter().flat_map(|one| one.wrong));
        Err(errors)
    }

    /// What it says of rows, by the names of their scenarios; where there are sections also of those that
    /// it only lists that they are in none.
    pub fn said(&self) -> impl Iterator<Item = (String, Said)> {
        let has_sections = self.has_sections();
        let rows = self.members.iter();
        let right = rows.filter(|row| row.wrong.is_empty());
        let told = right.filter(move |row| has_sections || row.said != Said::default());
        told.map(|row| (row.scenario.clone(), row.said.clone()))
    }

    /// Whether its rows stand under sections.
    pub fn has_sections(&self) -> bool {
        self.members.iter().any(|row| row.said.section.is_some())
    }

    /// Whether somebody published a figure for one of its rows.
    pub fn has_figures(&self) -> bool {
        self.members
            .iter()
            .any(|row| !row.said.published.is_empty())
    }

    /// Whether it has a row of this template.
    pub fn has_template(&self, name: &str) -> bool {
        self.members.iter().any(|row| row.template() == name)
    }

    /// What stands in a report for a template of one of its rows that there is not.
    pub fn in_place_of(&self, member: &Member) -> Template {
        Template::in_place(member.template(), self.origin.clone(), self.text.clone())
    }

    /// A diagnostic at one of its rows.
    pub fn complain(&self, member: &Member, message: String, help: Option<String>) -> Diagnostic {
        self.complain_at(member.place, message, help)
    }

    fn complain_at(&self, place: Place, message: String, help: Option<String>) -> Diagnostic {
        let file = self.origin.file(&format!("suites/{}.toml", self.name));
        SourceText::new(file, &self.text).complain(place, message, help)
    }

    /// The file where rows of it have not the form of one; none where something else is wrong, too.
    fn row_by_row(&self) -> Option<Table<Row>> {
        let table: Table<IgnoredAny> = toml::from_str(&self.text).ok()?;
        let sections = table.section.iter().flat_map(|section| &section.rows);
        let begins: Vec<usize> = table
            .rows
            .iter()
            .chain(sections)
            .map(|row| row.span().start)
            .collect();
        let read = |rows: Vec<Spanned<IgnoredAny>>| -> Option<Vec<Spanned<Row>>> {
            rows.into_iter()
                .map(|row| self.row_at(row.span(), &begins))
                .collect()
        };
        let sections = table.section.into_iter().map(|Section { title, rows }| {
            let rows = read(rows)?;
            Some(Section { title, rows })
        });
        Some(Table {
            title: table.title,
            reference: table.reference,
            section: sections.collect::<Option<_>>()?,
            rows: read(table.rows)?,
        })
    }

    /// The row that stands there alone: a value, or what stands under a head of its own, `[[rows]]`, to where the next
    /// one of `begins` does.
    fn row_at(&self, span: Range<usize>, begins: &[usize]) -> Option<Spanned<Row>> {
        /// What makes a value of a row, or the row of one head, the only one of a file.
        #[derive(Deserialize)]
        #[serde(bound = "R: Deserialize<'de>")]
        struct Alone<R> {
            #[serde(default = "Vec::new")]
            rows: Vec<R>,
            section: Option<Under<R>>,
        }
        #[derive(Deserialize)]
        struct Under<R> {
            rows: Vec<R>,
        }
        impl<R> Alone<R> {
            fn row(self) -> Option<R> {
                let under = self.section.into_iter().flat_map(|section| section.rows);
                self.rows.into_iter().chain(under).next()
            }
        }
        const BEFORE: &str = "rows=[";
        let start = span.start;
        let has_head = self.text.get(start..)?.starts_with('[');
        let text = match has_head {
            false => format!("{BEFORE}{}]", self.text.get(span.clone())?),
            true => {
                let next = begins.iter().copied().filter(|begin| *begin > start).min();
                let text = &self.text[start..next.unwrap_or(self.text.len())];
                // A section begins where its rows have not yet.
                text.split("\n[[section]]").next()?.to_string()
            }
        };
        // Its places in the file are those behind as many blanks.
        let before = if has_head { 0 } else { BEFORE.len() };
        let blanks = " ".repeat(start.checked_sub(before)?);
        let row = match toml::from_str::<Alone<Spanned<Row>>>(&format!("{blanks}{text}")) {
            Ok(alone) => return alone.row(),
            Err(error) => self.misshapen(&error),
        };
        let value = toml::from_str::<Alone<toml::Value>>(&text).ok()?.row()?;
        let name = value.as_str().or_else(|| value.get("row")?.as_str());
        let name = name.filter(|name| !name.is_empty()).map(str::to_string);
        Some(Spanned::new(span, Row(Err(Box::new((name, row))))))
    }

    fn member(&self, section: Option<String>, row: Spanned<Row>) -> Member {
        let place = self.place(row.span());
        let row = match row.into_inner() {
            Row(Ok(row)) => row,
            Row(Err(wrong)) => {
                let (name, wrong) = *wrong;
                let where_it_stands = || format!("{}:{}:{}", self.name, place.line, place.column);
                return Member {
                    scenario: name.map_or_else(where_it_stands, |name| sorted(&name)),
                    said: Said {
                        section,
                        ..Said::default()
                    },
                    wrong: vec![wrong],
                    place,
                };
            }
        };
        let mut wrong = Vec::new();
        let errors = &mut wrong;
        // A long remark stands on several lines of the file.
        let today = row
            .today
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        for wanted in today.iter().flat_map(|today| remark::wanted(today)) {
            if !metrics().contains(&wanted.metric) {
                let message = format!(
                    "`today` wants `{{{}}}`, of which no row has a number",
                    wanted.metric
                );
                errors.push(self.complain_at(place, message, suggested(wanted.metric, &metrics())));
            }
        }
        let claims = row.published.into_iter();
        let said = Said {
            section,
            count: row.count,
            compiled: row.compiled,
            published: claims
                .flat_map(|claim| self.figures(claim, errors))
                .collect(),
            today,
        };
        Member {
            scenario: sorted(&row.row),
            said,
            wrong,
            place,
        }
    }

    /// In the order of [`metrics`].
    fn figures(&self, claim: Spanned<Claim>, errors: &mut Vec<Diagnostic>) -> Vec<Published> {
        let place = self.place(claim.span());
        let Claim {
            source,
            to,
            mut figures,
        } = claim.into_inner();
        let to = to.map(|name| sorted(&name));
        let mut published = Vec::new();
        for metric in metrics() {
            let number = figures.remove(metric).filter(|number| number.is_finite());
            published.extend(number.map(|number| Published {
                source: source.clone(),
                metric: metric.to_string(),
                figure: match to.clone() {
                    Some(to) => Figure::Ratio { ratio: number, to },
                    None => Figure::Value { value: number },
                },
            }));
        }
        if let Some(unknown) = figures.keys().next() {
            let message = format!("nobody publishes figures of `{unknown}`");
            errors.push(self.complain_at(place, message, suggested(unknown, &metrics())));
        } else if published.is_empty() {
            let message = format!("`{source}` says no figure here");
            let help = "add one, as `ns = 1.96`".to_string();
            errors.push(self.complain_at(place, message, Some(help)));
        }
        published
    }

    /// What rows must be to each other. Returns what is wrong with the suite as a whole.
    fn check(&mut self, reference: Option<&Spanned<String>>) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        if self.members.is_empty() {
            let help = "add `rows = [\"direct_call\", \"itab_call\"]`".to_string();
            errors.push(self.complain_at(
                self.place(0..0),
                "the suite has no rows".into(),
                Some(help),
            ));
        }
        let mut first: BTreeMap<&str, Place> = BTreeMap::new();
        // A wrong one takes the name from no right one.
        let (right, others): (Vec<_>, Vec<_>) =
            self.members.iter().partition(|one| one.wrong.is_empty());
        for member in right.into_iter().chain(others) {
            first.entry(&member.scenario).or_insert(member.place);
        }
        let names: Vec<&str> = first.keys().copied().collect();
        let is_no_row = |name: &str| {
            let message =
                format!("`{name}`, which others are held against, is no row of this suite");
            (!first.contains_key(name)).then(|| (message, suggested(name, &names)))
        };
        if let Some(name) = reference
            && let Some((message, help)) = is_no_row(&sorted(name.get_ref()))
        {
            errors.push(self.complain_at(self.place(name.span()), message, help));
        }
        let wrong = self.members.iter().map(|member| {
            let mut wrong = Vec::new();
            if member.template() == "-" {
                let help = "save it to a file, and name that".to_string();
                wrong.push((
                    "standard input is no row of a suite".to_string(),
                    Some(help),
                ));
            }
            let earlier = first.get(&*member.scenario);
            let earlier = earlier.filter(|_| member.wrong.is_empty());
            if let Some(place) = earlier.filter(|place| **place != member.place) {
                let message = format!("`{}` is a row twice", member.scenario);
                let help = format!(
                    "the first is on line {}; put what is said of it there",
                    place.line
                );
                wrong.push((message, Some(help)));
            }
            let remark = member.said.today.iter();
            let held = remark.flat_map(|today| remark::wanted(today).filter_map(|one| one.to));
            let figures = member.said.published.iter();
            let others = figures.filter_map(|one| match &one.figure {
                Figure::Ratio { to, .. } => Some(to.as_str()),
                Figure::Value { .. } => None,
            });
            wrong.extend(held.chain(others).filter_map(is_no_row));
            let wrong = wrong.into_iter();
            wrong
                .map(|(message, help)| self.complain_at(member.place, message, help))
                .collect::<Vec<_>>()
        });
        let wrong: Vec<_> = wrong.collect();
        for (member, more) in self.members.iter_mut().zip(wrong) {
            member.wrong.extend(more);
        }
        errors
    }

    /// What the reader of TOML says, in our words where there are better ones.
    fn misshapen(&self, error: &toml::de::Error) -> Diagnostic {
        let message = error.message().replace('\n', "; ");
        let mut words = message.split('`').skip(1).step_by(2);
        let (message, help) = match (message.starts_with("unknown field"), words.next()) {
            (true, Some(key)) => (
                format!("there is no key `{key}` here"),
                suggested(key, &words.collect::<Vec<_>>()),
            ),
            _ => (message, Some(FORM.to_string())),
        };
        self.complain_at(self.place(error.span().unwrap_or(0..0)), message, help)
    }

    /// The place of some bytes of the text, cut at the end of their first line.
    fn place(&self, span: Range<usize>) -> Place {
        let text = &self.text;
        // What ends too soon is blamed behind the last text.
        let start = span.start.min(text.trim_end().len());
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let marked = text
            .get(start..span.end)
            .and_then(|marked| marked.lines().next());
        Place {
            line: before.matches('\n').count() as u32 + 1,
            column: before[line_start..].chars().count() as u32 + 1,
            width: marked.map_or(1, |marked| marked.chars().count() as u32),
        }
    }
}

impl Member {
    /// The template's name, or path.
    pub fn template(&self) -> &str {
        let name = &self.scenario;
        name.split_once('[').map_or(name, |(template, _)| template)
    }
}

/// A suite as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "R: Deserialize<'de>")]
struct Table<R> {
    #[serde(default)]
    title: String,
    reference: Option<Spanned<String>>,
    #[serde(default = "Vec::new")]
    rows: Vec<Spanned<R>>,
    #[serde(default = "Vec::new")]
    section: Vec<Section<R>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "R: Deserialize<'de>")]
struct Section<R> {
    title: String,
    rows: Vec<Spanned<R>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullRow {
    row: String,
    count: Option<[f64; 2]>,
    compiled: Option<f64>,
    #[serde(default)]
    published: Vec<Spanned<Claim>>,
    today: Option<String>,
}

/// What one source says in one place: each metric with its figure, of the row or held against another.
#[derive(Deserialize)]
struct Claim {
    source: String,
    to: Option<String>,
    #[serde(flatten)]
    figures: BTreeMap<String, f64>,
}

/// A row, which may be a name alone, or its name, if it has one, and why it is none.
struct Row(Result<FullRow, Box<(Option<String>, Diagnostic)>>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scenario's name, or a table with the key `row`")
            }
            fn visit_str<E>(self, name: &str) -> Result<Row, E> {
                Ok(Row(Ok(FullRow {
                    row: name.to_string(),
                    count: None,
                    compiled: None,
                    published: Vec::new(),
                    today: None,
                })))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row, A::Error> {
                FullRow::deserialize(MapAccessDeserializer::new(map)).map(|row| Row(Ok(row)))
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

fn suggested(word: &str, known: &[&str]) -> Option<String> {
    Some(match closest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > 20 => "name one that is".to_string(),
        None => format!("there is {}", known.join(", ")),
    })
}

/// A scenario's name with its parameters in order and without the ending of a file, as reports have it.
fn sorted(name: &str) -> String {
    let bare = |template: &str| {
        template
            .strip_suffix(".asm")
            .unwrap_or(template)
            .to_string()
    };
    let Some((template, rest)) = name.split_once('[') else {
        return bare(name);
    };
    let template = bare(template);
    let Some(inner) = rest.strip_suffix(']') else {
        return name.to_string();
    };
    let mut pairs: Vec<&str> = inner.split(',').map(str::trim).collect();
    pairs.sort_unstable();
    format!("{template}[{}]", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Suite, Vec<Diagnostic>> {
        Suite::parse(
            "mine",
            Origin::File("dir/mine.toml".into()),
            text.to_string(),
        )
    }

    /// The same where no row is wrong either.
    fn parse(text: &str) -> Result<Suite, Vec<Diagnostic>> {
        let (suite, mut errors) = match read(text) {
            Ok(suite) => (Some(suite), Vec::new()),
            Err(errors) => (None, errors),
        };
        let members = suite.iter().flat_map(|suite| &suite.members);
        errors.extend(members.flat_map(|member| member.wrong.clone()));
        suite.filter(|_| errors.is_empty()).ok_or(errors)
    }

    #[test]
    fn a_wrong_row_costs_itself_alone() {
        let text = "title = \"t\"\nrows = [\"a\", 3,\n { row = \"b\", cuont = [1, 2] }, {}, { row = \"c\", published = [\n\
            { source = \"s\", ns = 1 }] }]\n[[section]]\ntitle = \"x\"\nrows = [\"a\", \"d\", { row = \"e\", published = [\n\
            { source = \"s\", to = \"f\", ns = 1 }] }]\n";
        let suite = read(text).expect("the others are right");
        let members: Vec<(&str, usize)> = suite
            .members
            .iter()
            .map(|one| (one.scenario.as_str(), one.wrong.len()))
            .collect();
        let expected = [
            ("a", 0),
            ("mine:2:14", 1),
            ("b", 1),
            ("mine:3:33", 1),
            ("c", 0),
            ("a", 1),
            ("d", 0),
            ("e", 1),
        ];
        assert_eq!(members, expected, "{suite:#?}");
        let published = &suite.members[4].said.published[0];
        assert_eq!(published.figure, Figure::Value { value: 1.0 });
        assert_eq!(suite.members[6].place.line, 7);
        // What is wrong with more than a row is the suite's.
        for text in [
            "rows = [3]\ntitle = 3",
            "[[rows]]\nrow = 3\n[[section]]\nrows = []",
            "rows = [3",
        ] {
            assert_eq!(read(text).expect_err(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_wrong_row_under_a_head_of_its_own_costs_itself_alone() {
        let text = "title = \"t\"\n[[rows]]\nrow = \"a\"\n[[rows.published]]\nsource = \"s\"\nns = 1\n\n[[rows]]\nrwo = \"b\"\n\
            [[rows]]\nrow = \"c\"\ncuont = [1, 2]\n[[rows]]\nrow = \"d\"\n[[section]]\ntitle = \"x\"\n[[section.rows]]\nrow = \"e\"\n\
            [[section.rows]]\nrow = 3\n[[section]]\ntitle = \"y\"\n[[section.rows]]\nrow = \"f\"\n";
        let suite = read(text).expect("the others are right");
        let members: Vec<(&str, Option<u32>)> = suite
            .members
            .iter()
            .map(|one| {
                let line = one.wrong.first().map(|wrong| wrong.line);
                (one.scenario.as_str(), line)
            })
            .collect();
        assert_eq!(members[0], ("a", None));
        assert_eq!(
            (members[1].0, members[1].1),
            ("mine:8:1", Some(9)),
            "{suite:#?}"
        );
        assert_eq!(members[2], ("c", Some(12)));
        assert_eq!(members[3], ("d", None));
        assert_eq!(members[4], ("e", None));
        assert_eq!(members[5].1, Some(20));
        assert_eq!(members[6], ("f", None));
        assert_eq!(members.len(), 7);
        assert_eq!(suite.members[0].said.published.len(), 1);
    }

    #[test]
    fn a_suite_has_rows_in_sections_and_without_with_what_is_said_of_them() {
        let text = "\u{feff}title = \"calls\"\nreference = \"a[y=2, x=1]\"\nrows = [\"a[x=1,y=2]\"]\n\
            [[section]]\ntitle = \"Far\"\nrows = [\"b\", { row = \"c[n=1]\", count = [5.5, 2], compiled = 17, published = [\n\
            { source = \"s\", ipc = 2, ns = 1.5 }, { source = \"s\", to = \"b\", ns = 3 } ], today = \"\"\"\n  as it\n  was\"\"\" }]\n";
        let suite = parse(text).expect("sound");
        assert_eq!(
            (suite.name.as_str(), suite.title.as_str()),
            ("mine", "calls")
        );
        assert_eq!(suite.reference.as_deref(), Some("a[x=1,y=2]"));
        let names: Vec<&str> = suite
            .members
            .iter()
            .map(|one| one.scenario.as_str())
            .collect();
        assert_eq!(names, ["a[x=1,y=2]", "b", "c[n=1]"]);
        let templates: Vec<&str> = suite.members.iter().map(Member::template).collect();
        assert_eq!(templates, ["a", "b", "c"]);
        let value = |metric: &str, figure| Published {
            source: "s".into(),
            metric: metric.into(),
            figure,
        };
        let section = Some("Far".to_string());
        assert_eq!(
            suite.members[1].said,
            Said {
                section: section.clone(),
                ..Said::default()
            }
        );
        let full = Said {
            section,
            count: Some([5.5, 2.0]),
            compiled: Some(17.0),
            published: vec![
                value("ns", Figure::Value { value: 1.5 }),
                value("ipc", Figure::Value { value: 2.0 }),
                value(
                    "ns",
                    Figure::Ratio {
                        ratio: 3.0,
                        to: "b".into(),
                    },
                ),
            ],
            today: Some("as it was".into()),
        };
        assert_eq!(suite.members[2].said, full);
        let told: Vec<String> = suite.said().map(|(name, _)| name).collect();
        assert_eq!(told, names);
    }

    #[test]
    fn of_a_row_that_it_only_lists_a_suite_without_sections_says_nothing() {
        let suite = parse("rows = [\"a\", { row = \"b\", today = \"x\" }]").expect("sound");
        let told: Vec<String> = suite.said().map(|(name, _)| name).collect();
        assert_eq!(told, ["b"]);
    }

    #[test]
    fn what_is_wrong_with_a_suite_is_told_with_its_place_and_what_to_do() {
        #[rustfmt::skip] // a table: text, line and column, message, help
        let wrong = [
            ("",                                        (1, 1), "the suite has no rows", "add `rows"),
            ("\n# nothing\n",                           (1, 1), "the suite has no rows", "add `rows"),
            ("rows = []",                               (1, 1), "the suite has no rows", "add `rows"),
            ("rows = [\"a\"",                           (1, 12), "unclosed array, expected `]`", "a row is"),
            ("\ntitle = 3",                             (2, 9), "invalid type: integer `3`, expected a string", "a row is"),
            ("tilte = \"x\"",                           (1, 1), "there is no key `tilte` here", "did you mean `title`?"),
            ("rows = \"a\"",                            (1, 8), "invalid type: string \"a\", expected a sequence", "a row is"),
            ("rows = [\n  3]",                          (2, 3), "invalid type: integer `3`, expected a scenario's name, or a table with the key `row`", "a row is"),
            ("rows = [\n {}]",                          (2, 2), "missing field `row`", "a row is"),
            ("rows = [{ row = \"a\", cuont = [1, 2] }]", (1, 22), "there is no key `cuont` here", "did you mean `count`?"),
            ("rows = [{ row = \"a\", count = [1] }]",    (1, 30), "invalid length 1, expected an array of length 2", "a row is"),
            ("rows = [{ row = \"a\", today = \"{ms}.\" }]", (1, 9), "`today` wants `{ms}`, of which no row has a number", "did you mean `ns`?"),
            ("rows = [{ row = \"a\", today = \"{ns/b}.\" }]", (1, 9), "`b`, which others are held against, is no row of this suite", "there is a"),
            ("[[section]]\nrows = [\"a\"]",             (1, 1), "missing field `title`", "a row is"),
            ("[[section]]\ntitle = \"x\"\nrow = []",    (3, 1), "there is no key `row` here", "did you mean `rows`?"),
            ("rows = [\"a\",\n \"b[x=1,y=2]\",\n \"b[y=2,x=1]\"]", (3, 2), "`b[x=1,y=2]` is a row twice", "the first is on line 2"),
            ("rows = [\"-[x=1]\"]",                    (1, 9), "standard input is no row of a suite", "save it to a file"),
            ("rows = [\"a\", \"a\"]",                   (1, 14), "`a` is a row twice", "the first is on line 1"),
            ("reference = \"itab_cal\"\nrows = [\"itab_call\"]", (1, 13), "`itab_cal`, which others are held against, is no row of this suite", "did you mean `itab_call`?"),
            ("rows = [{ row = \"a\", published = [\n{ source = \"s\", nss = 1 }] }]", (2, 1), "nobody publishes figures of `nss`", "did you mean `ns`?"),
            ("rows = [{ row = \"a\", published = [\n{ source = \"s\" }] }]", (2, 1), "`s` says no figure here", "as `ns = 1.96`"),
            ("rows = [{ row = \"a\", published = [{ ns = 1 }] }]", (1, 35), "missing field `source`", "a row is"),
            ("rows = [{ row = \"a\", published = [{ source = \"s\", ns = inf }] }]", (1, 35), "`s` says no figure here", "as `ns = 1.96`"),
            ("rows = [{ row = \"a\", published = [{ source = \"s\", metric = \"ns\", value = 1 }] }]", (1, 35), "invalid type: string \"ns\", expected f64", "a figure `{ source"),
            ("rows = [\"b\",\n { row = \"a\", published = [{ source = \"s\", to = \"c\", ns = 1 }] }]", (2, 2), "`c`, which others are held against, is no row of this suite", "there is a, b"),
        ];
        for (text, place, message, help) in wrong {
            let errors = parse(text).expect_err(text);
            let [error] = &errors[..] else {
                panic!("{text}: {errors:#?}");
            };
            assert_eq!(error.file, "dir/mine.toml");
            assert_eq!((error.line, error.column), place, "{text}: {error:?}");
            assert_eq!(error.message, message, "{text}");
            let told = error.help.as_deref().expect("what to do");
            assert!(told.contains(help), "{text}: {told}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_rows_is_told_at_once() {
        let text = "reference = \"x\"\nrows = [\"a\", \"a\",\n{ row = \"b\", published = [{ source = \"s\", nss = 1 }] }]";
        let errors = parse(text).expect_err("three");
        assert_eq!(errors.len(), 3, "{errors:#?}");
    }
}
