//! Texts that a template takes in: what `{% include %}`, `{% import %}` and `{% from %}` name.
//!
//! Correct means: every name is found before anything is expanded, or its tag is pointed at; no text includes
//! itself and none lies outside the folders; and a template with all that it includes is plain data.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::header;
use super::library::MAX_BYTES;
use super::parse::find_mark;
use super::source::{Place, SourceText};
use super::{Origin, shipped};
use crate::text::closest;
use crate::text::diagnostic::Diagnostic;

/// Texts that one template may include, itself or through others.
const MAX_TEXTS: usize = 256;

/// The texts that a template includes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Includes {
    /// What the names in the template's own tags mean: indices into `texts`.
    pub names: BTreeMap<String, usize>,
    /// Each once, in the order in which tags first name them.
    pub texts: Vec<Included>,
    /// How many lines stand in front of each of them.
    #[serde(skip)]
    pub(crate) before: Vec<u32>,
}

/// A text that a template includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Included {
    /// Its path below the folder where it was found.
    pub name: String,
    /// Where the text came from.
    pub origin: Origin,
    /// The text.
    pub text: String,
    /// What the names in its tags mean: indices into the template's texts.
    pub names: BTreeMap<String, usize>,
}

impl Includes {
    /// Whether nothing is included.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Counts the lines in front of each, behind those of the template's text.
    pub(crate) fn count_lines(&mut self, text: &str) {
        let mut before = text.lines().count() as u32;
        self.before.clear();
        for one in &self.texts {
            self.before.push(before);
            before += one.text.lines().count() as u32;
        }
    }

    /// What the names in the tags of a text mean; 0 is the template's own text.
    pub(crate) fn names_of(&self, text: usize) -> &BTreeMap<String, usize> {
        match text.checked_sub(1) {
            None => &self.names,
            Some(at) => &self.texts[at].names,
        }
    }

    /// Whether every name leads to one of the texts and none to itself, which a saved job may say otherwise.
    pub fn is_sound(&self) -> bool {
        let known = |text: usize| self.names_of(text).values();
        let are_there =
            (0..=self.texts.len()).all(|text| known(text).all(|at| *at < self.texts.len()));
        are_there && self.circle().is_none()
    }

    /// A text, and the name in it, that lead back to a text which includes it.
    fn circle(&self) -> Option<Vec<(usize, &str)>> {
        let mut done = vec![false; self.texts.len() + 1];
        let mut way: Vec<(usize, std::collections::btree_map::Iter<'_, String, usize>)> =
            vec![(0, self.names.iter())];
        let mut steps: Vec<(usize, &str)> = Vec::new();
        while let Some((text, names)) = way.last_mut() {
            let text = *text;
            match names.next() {
                None => {
                    done[text] = true;
                    way.pop();
                    steps.pop();
                }
                Some((name, &at)) => {
                    let next = at + 1;
                    if let Some(begin) = way.iter().position(|(on_way, _)| *on_way == next) {
                        steps.push((text, name));
                        return Some(steps.split_off(begin));
                    }
                    if !done[next] {
                        steps.push((text, name));
                        way.push((next, self.names_of(next).iter()));
                    }
                }
            }
        }
        None
    }
}

impl Included {
    /// What diagnostics call it.
    pub fn file(&self) -> String {
        self.origin.file(&self.name)
    }
}

/// Where a text was found that others are looked for from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// Its folder, below the one of the template or of the shipped set; empty for that one itself.
    pub(crate) folder: String,
    /// Whether that is the template's own folder, and not the set of templates.
    pub(crate) is_beside: bool,
}

/// A text, and where it stands.
pub(crate) struct Found {
    pub(crate) included: Included,
    pub(crate) home: Home,
}

/// Where texts are looked for.
pub(crate) trait Shelf {
    /// The text that is called `path` in a folder.
    ///
    /// # Errors
    /// Why it cannot be read, where it is there.
    fn text(&self, path: &str, is_beside: bool) -> Result<Option<(Origin, String)>, String>;
    /// All that can be named.
    fn names(&self) -> Vec<String>;
}

/// The pieces inside the binary.
pub(crate) struct Shipped;

impl Shelf for Shipped {
    fn text(&self, path: &str, is_beside: bool) -> Result<Option<(Origin, String)>, String> {
        let text = shipped::text(shipped::PIECES, path).filter(|_| !is_beside);
        Ok(text.map(|text| (Origin::Embedded, text.to_string())))
    }

    fn names(&self) -> Vec<String> {
        let names = shipped::PIECES.iter().map(|(name, _)| name.to_string());
        names.collect()
    }
}

/// A tag that names another text.
#[derive(Debug, PartialEq, Eq)]
struct Tag<'a> {
    /// `include`, `import`, `from` or `extends`.
    word: &'a str,
    /// The name, where one stands in quotes.
    name: Option<&'a str>,
    /// Whether there need be no such text.
    is_optional: bool,
    /// The name in the text, or the whole tag.
    range: Range<usize>,
}

/// Finds all that a text and the texts it includes name.
///
/// # Errors
/// Names of nothing, of something outside the folders, and circles; each at its tag.
pub(crate) fn gather(
    file: &str,
    text: &str,
    home: Home,
    shelf: &dyn Shelf,
) -> Result<Includes, Vec<Diagnostic>> {
    let mut includes = Includes::default();
    let mut homes = vec![home];
    let mut errors = Vec::new();
    let mut bytes = text.len();
    let mut at = 0;
    while at < homes.len() {
        let (own, called) = match at.checked_sub(1) {
            None => (text.to_string(), file.to_string()),
            Some(index) => {
                let one = &includes.texts[index];
                (one.text.clone(), one.file())
            }
        };
        let source = SourceText::new(called, &own);
        if at > 0 {
            errors.extend(find_mark(&source));
            // A template that includes itself is a circle, which says more.
            errors.extend(find_header(&source).filter(|_| source.file != file));
        }
        let mut names = BTreeMap::new();
        for tag in tags(&own) {
            let refuse = |message: String, help: String| {
                source.complain(place(&own, &tag.range), message, Some(help))
            };
            let found = match find(&tag, &homes[at], shelf) {
                Ok(None) => continue,
                Ok(Some(found)) => found,
                Err((message, help)) => {
                    errors.push(refuse(message, help));
                    continue;
                }
            };
            let file = found.included.file();
            let known = includes.texts.iter().position(|one| one.file() == file);
            let index = known.unwrap_or_else(|| {
                bytes += found.included.text.len();
                includes.texts.push(found.included);
                homes.push(found.home);
                includes.texts.len() - 1
            });
            names.insert(tag.name.unwrap_or_default().to_string(), index);
            if includes.texts.len() > MAX_TEXTS || bytes as u64 > MAX_BYTES {
                let message = format!(
                    "a template and all that it includes are at most {MAX_TEXTS} texts and {} MiB",
                    MAX_BYTES >> 20
                );
                errors.push(refuse(
                    message,
                    "put what belongs together into one text".into(),
                ));
                return Err(errors);
            }
        }
        match at.checked_sub(1) {
            None => includes.names = names,
            Some(index) => includes.texts[index].names = names,
        }
        at += 1;
    }
    errors.extend(
        includes
            .circle()
            .map(|steps| circle(&includes, (file, text), &steps)),
    );
    if errors.is_empty() {
        includes.count_lines(text);
        Ok(includes)
    } else {
        Err(errors)
    }
}

/// What a tag names; none where it may name nothing.
fn find(tag: &Tag<'_>, home: &Home, shelf: &dyn Shelf) -> Result<Option<Found>, (String, String)> {
    if tag.word == "extends" {
        return Err((
            "a template extends no other".into(),
            "take what both share in with `{% include \"FILE\" %}`".into(),
        ));
    }
    let Some(name) = tag.name else {
        return Err((
            format!("`{}` names its file in quotes", tag.word),
            "write `{% include \"go/frames.asm\" %}`, or put `{% if %}` around several of them"
                .into(),
        ));
    };
    let leaves = name.starts_with('/') || name.split('/').any(|part| part == "..");
    if leaves {
        return Err((
            format!("`{name}` leaves the folder of the template"),
            "what is included lies beside the template, below it, or in the folder of templates"
                .into(),
        ));
    }
    if name.is_empty()
        || name.split('/').any(|part| part.is_empty() || part == ".")
        || name.contains('\\')
    {
        return Err((
            format!("`{name}` is no path of a text"),
            "write it as `go/frames.asm`".into(),
        ));
    }
    let near = match &home.folder[..] {
        "" => None,
        folder => Some(format!("{folder}/{name}")),
    };
    let paths = near.into_iter().chain([name.to_string()]);
    // What lies beside the template comes first, and of the set of templates what is near.
    let beside = paths.clone().map(|path| (path, true));
    let of_set = paths.map(|path| (path, false));
    let places = beside
        .filter(|_| home.is_beside)
        .chain(of_set.filter(|(path, _)| !home.is_beside || path == name));
    for (path, is_beside) in places {
        let cannot = |why: String| {
            (
                format!("cannot read `{path}`: {why}"),
                "mend the file, or name another".to_string(),
            )
        };
        if let Some((origin, text)) = shelf.text(&path, is_beside).map_err(cannot)? {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let home = Home {
                folder: folder.to_string(),
                is_beside,
            };
            let included = Included {
                name: path,
                origin,
                text,
                names: BTreeMap::new(),
            };
            return Ok(Some(Found { included, home }));
        }
    }
    if tag.is_optional {
        return Ok(None);
    }
    Err((
        format!("there is no `{name}` to {}", verb(tag.word)),
        offer(name, shelf),
    ))
}

fn verb(word: &str) -> &str {
    match word {
        "include" => "include",
        _ => "import",
    }
}

/// What there is, for who names something else.
fn offer(name: &str, shelf: &dyn Shelf) -> String {
    const SHOWN: usize = 12;
    let names = shelf.names();
    if let Some(near) = closest(name, names.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    match names.len() {
        0 => "put it beside the template, or into the folder of templates".to_string(),
        count if count > SHOWN => {
            format!(
                "there are {} and {} more",
                names[..SHOWN].join(", "),
                count - SHOWN
            )
        }
        _ => format!(
            "there are {}; or put it beside the template",
            names.join(", ")
        ),
    }
}

/// The tag with which a circle closes.
fn circle(includes: &Includes, (file, text): (&str, &str), steps: &[(usize, &str)]) -> Diagnostic {
    let of = |index: usize| match index.checked_sub(1) {
        None => (file.to_string(), text),
        Some(at) => (includes.texts[at].file(), &includes.texts[at].text[..]),
    };
    let way: Vec<String> = steps
        .iter()
        .map(|(index, name)| format!("{} includes {name}", of(*index).0))
        .collect();
    let message = match &way[..] {
        [only] => format!("{only}, which is itself"),
        _ => format!("a circle: {}, with which it begins again", way.join(", ")),
    };
    let (index, name) = steps.last().copied().unwrap_or_default();
    let (called, own) = of(index);
    let source = SourceText::new(called, own);
    let range = tags(own)
        .into_iter()
        .find(|tag| tag.name == Some(name))
        .map_or(0..0, |tag| tag.range);
    let help = "put what both need into a text that includes none of them".to_string();
    source.complain(place(own, &range), message, Some(help))
}

fn find_header(source: &SourceText<'_>) -> Option<Diagnostic> {
    let mut numbered = source.lines.iter().zip(1..);
    let (_, number) = numbered.find(|(line, _)| header::is_header_line(line))?;
    let help = "the header of the template holds for all; in what it includes stand code, data, parts and notes";
    let message = "a header line in a text that is included";
    Some(source.complain(source.whole_line(number), message, Some(help.into())))
}

/// Where a range of bytes stands.
fn place(text: &str, range: &Range<usize>) -> Place {
    let text = text
        .strip_prefix('\u{feff}')
        .map_or((text, 0), |rest| (rest, 3));
    let start = range.start.saturating_sub(text.1).min(text.0.len());
    let end = range.end.saturating_sub(text.1).min(text.0.len());
    let before = &text.0[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let marked = text.0[start..end].lines().next().unwrap_or_default();
    Place {
        line: before.matches('\n').count() as u32 + 1,
        column: before[line_start..].chars().count() as u32 + 1,
        width: marked.chars().count() as u32,
    }
}

/// The tags of a text that name others. Comments and `raw` have none.
fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find('{').map(|found| at + found) {
        let rest = &text[begin..];
        let to = |end: &str| rest.find(end).map_or(rest.len(), |found| found + end.len());
        let length = match rest.as_bytes().get(1) {
            Some(b'#') => to("#}"),
            Some(b'%') => {
                let inner = rest[2..].trim_start_matches(['-', '+']).trim_start();
                let inner = begin + rest.len() - inner.len()..begin + to("%}");
                match word_at(&text[inner.start..]) {
                    "raw" => to("endraw"),
                    "include" | "import" | "from" | "extends" => {
                        tags.push(tag(text, inner));
                        to("%}")
                    }
                    _ => to("%}"),
                }
            }
            _ => 1,
        };
        at = begin + length;
    }
    tags
}

/// The word that a text begins with.
fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The tag of which the inner part stands there.
fn tag(text: &str, inner: Range<usize>) -> Tag<'_> {
    let whole = &text[inner.clone()];
    let word = word_at(whole);
    let rest = whole[word.len()..].trim_start();
    let start = inner.end - rest.len();
    let quoted = rest.chars().next().filter(|c| ['"', '\''].contains(c));
    let name = quoted.and_then(|quote| rest[1..].split_once(quote));
    // A name that goes on behind its quotes, as `"a" ~ b`, is none that is known before the expansion.
    let behind = name.map_or("", |(_, behind)| behind.trim_start());
    let ends = |text: &str| {
        let text = text.trim_start_matches(['-', '+']);
        ["%}", "ignore", "as", "import", "with", "without"]
            .iter()
            .any(|one| text.starts_with(one))
    };
    let name = name.map(|(name, _)| name).filter(|_| ends(behind));
    Tag {
        word,
        name,
        is_optional: behind.starts_with("ignore"),
        range: match name {
            Some(name) => start + 1..start + 1 + name.len(),
            None => {
                inner.start..inner.start + whole.trim_end_matches(['%', '}', '-']).trim_end().len()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<(&str, Option<&str>, &str)> {
        let tags = tags(text).into_iter();
        tags.map(|tag| (tag.word, tag.name, &text[tag.range]))
            .collect()
    }

    #[test]
    fn a_tag_is_read_whatever_stands_around_it() {
        for (text, expected) in [
            (
                "{% include \"a.asm\" %}",
                ("include", Some("a.asm"), "a.asm"),
            ),
            ("é {%- import 'a' as b -%}", ("import", Some("a"), "a")),
            ("{%+from \"a\" import b%}", ("from", Some("a"), "a")),
            ("{% include name %}", ("include", None, "include name")),
            (
                "{% include \"a\" ~ b %}",
                ("include", None, "include \"a\" ~ b"),
            ),
            (
                "{% include [\"a\"] -%}",
                ("include", None, "include [\"a\"]"),
            ),
            ("{% include \"a", ("include", None, "include \"a")),
            ("{% include", ("include", None, "include")),
            ("{% extends \"a\" %}", ("extends", Some("a"), "a")),
        ] {
            assert_eq!(named(text), [expected], "{text}");
        }
    }

    #[test]
    fn comments_and_raw_texts_and_other_tags_name_nothing() {
        for text in [
            "{# {% include \"a\" %} #}",
            "{% raw %}{% include \"a\" %}{% endraw %}",
            "{% if included %}{{ x }}{% endif %}",
            "{%k1} { %} {",
            "{%",
        ] {
            assert_eq!(named(text), [], "{text}");
        }
        let both =
            "{# {% #}{% include \"a\" %}{% raw %}{{{% endraw %}{% include \"b\" ignore missing %}";
        assert_eq!(tags(both).len(), 2);
        assert!(tags(both)[1].is_optional);
    }

    struct Few(&'static [(&'static str, &'static str)]);

    impl Shelf for Few {
        fn text(&self, path: &str, is_beside: bool) -> Result<Option<(Origin, String)>, String> {
            let place = if is_beside { "beside/" } else { "set/" };
            let path = format!("{place}{path}");
            let found = self.0.iter().find(|(name, _)| *name == path);
            Ok(found.map(|(name, text)| (Origin::File(name.into()), text.to_string())))
        }

        fn names(&self) -> Vec<String> {
            self.0.iter().map(|(name, _)| name.to_string()).collect()
        }
    }

    fn gathered(text: &str, is_beside: bool) -> Result<Includes, Vec<Diagnostic>> {
        let home = Home {
            folder: String::new(),
            is_beside,
        };
        let shelf = Few(&[
            ("beside/a", "{% include \"go/b\" %}"),
            ("set/a", "set"),
            ("beside/go/b", "{% include \"c\" %}"),
            ("set/go/c", "far"),
            ("set/c", "near"),
            ("set/go/d", "{% include \"c\" %}"),
            ("set/x", "\n nop\n {% include \"y\" %}"),
            ("set/y", "{% import \"x\" as x %}"),
            ("set/self", "{% include \"self\" %}"),
            ("set/head", " nop\n;! title = \"x\"\n"),
        ]);
        gather("t.asm", text, home, &shelf)
    }

    #[test]
    fn what_lies_nearer_is_meant() {
        let files = |text: &str, is_beside: bool| -> Vec<String> {
            let found = gathered(text, is_beside).expect("all there");
            found.texts.iter().map(Included::file).collect()
        };
        assert_eq!(
            files("{% include \"a\" %}", true),
            ["beside/a", "beside/go/b", "set/c"]
        );
        assert_eq!(files("{% include \"a\" %}", false), ["set/a"]);
        assert_eq!(
            files("{% include \"go/d\" %}{% include \"c\" %}", false),
            ["set/go/d", "set/c", "set/go/c"]
        );
        assert_eq!(
            files("{% include \"c\" %}{% include \"c\" %}", true),
            ["set/c"]
        );
        assert_eq!(files("{% include \"z\" ignore missing %}", true), [""; 0]);
    }

    #[test]
    fn what_cannot_be_included_is_pointed_at() {
        #[rustfmt::skip] // a table: text, file, line, column, and what is said of it
        let table = [
            (" nop\n é {% include \"b\" %}", "t.asm", 2, 16, "there is no `b`"),
            ("{% include \"../a\" %}", "t.asm", 1, 13, "leaves the folder"),
            ("{% include \"/a\" %}", "t.asm", 1, 13, "leaves the folder"),
            ("{% include \"./a\" %}", "t.asm", 1, 13, "is no path"),
            ("{% include \"\" %}", "t.asm", 1, 13, "is no path"),
            ("{% include a %}", "t.asm", 1, 4, "in quotes"),
            ("{% extends \"a\" %}", "t.asm", 1, 13, "extends no other"),
            ("{% include \"self\" %}", "set/self", 1, 13, "set/self includes self, which is itself"),
            ("{% include \"x\" %}", "set/y", 1, 12, "a circle: set/x includes y, set/y includes x"),
            ("{% include \"head\" %}", "set/head", 2, 1, "a header line"),
        ];
        for (text, file, line, column, message) in table {
            let errors = gathered(text, false).expect_err(text);
            let found: Vec<_> = errors
                .iter()
                .map(|one| (&one.file[..], one.line, one.column))
                .collect();
            assert_eq!(found, [(file, line, column)], "{text}: {errors:?}");
            assert!(errors[0].message.contains(message), "{text}: {errors:?}");
            assert!(errors[0].help.is_some());
        }
    }
}
