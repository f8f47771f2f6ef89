//! A type as Go's linker spells it, read and written again as a source has it.
//!
//! Correct means: what is written is the same type, each name in it as [`Names`] has it, or it is said why it cannot be.

use super::naming::{Nameless, Names, Signature, is_of_path};

/// Types inside of one another that are read.
const DEEPEST: u32 = 64;

/// What is left of a text.
pub(super) struct Reader<'t> {
    rest: &'t str,
    depth: u32,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Reader<'t> {
        Reader {
            rest: text,
            depth: 0,
        }
    }

    /// What was not read.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    /// Passes over a mark, where it is there.
    pub(super) fn has(&mut self, mark: &str) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn want(&mut self, mark: &str) -> Result<(), Nameless> {
        match self.has(mark) {
            true => Ok(()),
            false => Err(unreadable()),
        }
    }

    /// What is in front of the next mark.
    fn word(&mut self) -> &'t str {
        let end = self.rest.find(|c| !is_of_path(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// The next type.
    pub(super) fn type_of(&mut self, names: &mut Names<'_>) -> Result<String, Nameless> {
        if self.depth == DEEPEST {
            return Err(unreadable());
        }
        self.depth += 1;
        let found = self.any(names);
        self.depth -= 1;
        found
    }

    fn any(&mut self, names: &mut Names<'_>) -> Result<String, Nameless> {
        const IN_FRONT: [&str; 5] = ["*", "[]", "<-chan ", "chan<- ", "chan "];
        for mark in IN_FRONT {
            if self.has(mark) {
                return Ok(format!("{mark}{}", self.type_of(names)?));
            }
        }
        if self.has("(") {
            let inside = self.type_of(names)?;
            self.want(")")?;
            return Ok(format!("({inside})"));
        }
        if self.has("[") {
            let length = self.word();
            self.want("]")?;
            let is_number = !length.is_empty() && length.bytes().all(|one| one.is_ascii_digit());
            let element = self.type_of(names)?;
            return match is_number {
                true => Ok(format!("[{length}]{element}")),
                false => Err(unreadable()),
            };
        }
        if self.has("map[") {
            let key = self.type_of(names)?;
            self.want("]")?;
            return Ok(format!("map[{key}]{}", self.type_of(names)?));
        }
        if self.rest.starts_with("func(") {
            let found = self.signature(names, "func")?;
            return Ok(format!("func{}", found.text));
        }
        for (what, is_struct) in [("struct {", true), ("interface {", false)] {
            if self.has(what) {
                return self.parts(names, what, is_struct);
            }
        }
        self.named(names)
    }

    /// A name, and what it is an instance of.
    fn named(&mut self, names: &mut Names<'_>) -> Result<String, Nameless> {
        let word = self.word();
        if word.is_empty() {
            return Err(unreadable());
        }
        let mut out = names.one(word)?;
        if self.has("[") {
            out.push('[');
            loop {
                out += &self.type_of(names)?;
                if self.has("]") {
                    break;
                }
                self.want(",")?;
                out.push(',');
            }
            out.push(']');
        }
        Ok(out)
    }

    /// What a function takes and gives, behind a word.
    pub(super) fn signature(
        &mut self,
        names: &mut Names<'_>,
        word: &str,
    ) -> Result<Signature, Nameless> {
        self.want(word)?;
        self.want("(")?;
        let (mut takes, mut written, mut is_variadic) = (Vec::new(), Vec::new(), false);
        while !self.has(")") {
            if !written.is_empty() {
                self.want(", ")?;
            }
            is_variadic = self.has("...");
            let one = self.type_of(names)?;
            written.push(match is_variadic {
                true => format!("...{one}"),
                false => one.clone(),
            });
            takes.push(match is_variadic {
                true => format!("[]{one}"),
                false => one,
            });
        }
        let mut text = format!("({})", written.join(", "));
        // What stands behind a blank may be a result, a tag, or the end of what this is in.
        let behind = self.rest.strip_prefix(' ');
        let gives = behind.is_some_and(|behind| !behind.starts_with(['"', '}']));
        if gives {
            self.want(" ")?;
            text.push(' ');
            if self.has("(") {
                let mut all = Vec::new();
                while !self.has(")") {
                    if !all.is_empty() {
                        self.want(", ")?;
                    }
                    all.push(self.type_of(names)?);
                }
                text += &format!("({})", all.join(", "));
            } else {
                text += &self.type_of(names)?;
            }
        }
        Ok(Signature {
            takes,
            is_variadic,
            text,
            gives,
        })
    }

    /// Fields of a struct, or methods of an interface.
    fn parts(
        &mut self,
        names: &mut Names<'_>,
        what: &str,
        is_struct: bool,
    ) -> Result<String, Nameless> {
        if self.has("}") {
            return Ok(format!("{what}}}"));
        }
        let mut all = Vec::new();
        loop {
            self.want(if all.is_empty() { " " } else { "; " })?;
            all.push(match is_struct {
                true => self.field(names)?,
                false => {
                    let name = names.member(self.word())?;
                    name + &self.signature(names, "")?.text
                }
            });
            if self.has(" }") {
                return Ok(format!("{what} {} }}", all.join("; ")));
            }
        }
    }

    /// A field, which has a name in front of its type unless it is embedded.
    fn field(&mut self, names: &mut Names<'_>) -> Result<String, Nameless> {
        let before = self.rest;
        let word = self.word();
        let behind = self.rest.strip_prefix(' ');
        let is_word = !matches!(word, "" | "chan" | "struct" | "interface");
        let is_named = behind.is_some_and(|behind| !behind.starts_with(['"', '}']));
        let mut out = if is_named && is_word {
            self.want(" ")?;
            format!("{} {}", names.member(word)?, self.type_of(names)?)
        } else {
            self.rest = before;
            self.type_of(names)?
        };
        if self.has(" \"") {
            let mut is_escaped = false;
            let end = self.rest.find(|c| {
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            let (tag, rest) = self.rest.split_at(end.ok_or_else(unreadable)?);
            self.rest = &rest[1..];
            out += &format!(" \"{tag}\"");
        }
        Ok(out)
    }
}

fn unreadable() -> Nameless {
    Nameless("it is a type that cannot be written here: write it out".into())
}
