//! From text to a [`Template`].
//!
//! Correct means: the header is fully checked, and a template that is not expanded has sound
//! sections; one that is expanded shows its sections only once parameters are bound.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::include::{Home, Includes, Shelf, Shipped, gather};
use super::source::{Place, SourceText};
use super::{Assumption, Header, Origin, Template, TextOptions, header, parts, paste, sections};
use crate::asm::SourceLine;
use crate::text::diagnostic::Diagnostic;

/// The character that carries line numbers through an expansion, so that no template may contain it.
pub(crate) const MARK: char = '\u{1f}';

impl Template {
    /// Parses `text`. Pure: whoever read the text says where it came from.
    ///
    /// # Errors
    /// Everything that is wrong with the header, or, where it is sound and the text is not to be
    /// expanded, with the sections.
    pub fn parse(name: &str, origin: Origin, text: String) -> Result<Template, Vec<Diagnostic>> {
        Template::parse_as(name, origin, text, &TextOptions::default())
    }

    /// The same, with what the command line says of the text.
    ///
    /// # Errors
    /// As [`Template::parse`], and where the text has no function that is to be called.
    pub fn parse_as(
        name: &str,
        origin: Origin,
        text: String,
        options: &TextOptions,
    ) -> Result<Template, Vec<Diagnostic>> {
        let home = Home {
            folder: String::new(),
            is_beside: false,
        };
        Template::parse_from(name, origin, text, options, (home, &Shipped))
    }

    /// The same, where what it includes is looked for on that shelf.
    ///
    /// # Errors
    /// As [`Template::parse_as`], and what it cannot include.
    pub(crate) fn parse_from(
        name: &str,
        origin: Origin,
        text: String,
        options: &TextOptions,
        (home, shelf): (Home, &dyn Shelf),
    ) -> Result<Template, Vec<Diagnostic>> {
        let template = Template::parse_alone(name, origin, text, options)?;
        if !template.header.expand {
            return Ok(template);
        }
        let includes = gather(&template.file_name(), &template.text, home, shelf)?;
        Ok(template.with(includes))
    }

    /// The same, where what it includes was found before.
    ///
    /// # Errors
    /// As [`Template::parse_as`].
    pub fn parse_with(
        name: &str,
        origin: Origin,
        text: String,
        options: &TextOptions,
        includes: Includes,
    ) -> Result<Template, Vec<Diagnostic>> {
        Ok(Template::parse_alone(name, origin, text, options)?.with(includes))
    }

    fn with(self, mut includes: Includes) -> Template {
        includes.count_lines(&self.text);
        let texts = includes.texts.iter().map(|one| &one.text[..]);
        Template {
            sha256: lower_sha256(std::iter::once(&self.text[..]).chain(texts)),
            includes,
            ..self
        }
    }

    fn parse_alone(
        name: &str,
        origin: Origin,
        text: String,
        options: &TextOptions,
    ) -> Result<Template, Vec<Diagnostic>> {
        let source = SourceText::new(origin.file(&format!("{name}.asm")), &text);
        if let Some(found) = find_mark(&source) {
            return Err(vec![found]);
        }
        let mut header = header::parse(&source)?;
        header.call = options.call.clone().or(header.call);
        header.args.clone_from(&options.arguments);
        header.syntax = options.syntax.unwrap_or(header.syntax);
        header.separates |= options.separates;
        let (mut assumed, mut assumed_registers) = (Vec::new(), Vec::new());
        assumed_registers.extend(header.assumed.iter().filter_map(|one| match one {
            Assumption::Register(register) => Some(*register),
            Assumption::Object | Assumption::Data => None,
        }));
        let mut reader = Reader::Sections;
        if !header.expand {
            if let Some(found) = find_tag(&source) {
                return Err(vec![found]);
            }
            let lines = plain_lines(&source);
            if paste::is_pasted(&lines) {
                let pasted = paste::paste(&source, lines, &header)?;
                pasted.settle(&mut header);
                reader = Reader::Listing;
                assumed = pasted.assumed;
                assumed_registers = pasted.registers;
            } else {
                let sections = sections::split(&source, lines, &header)?;
                parts::leave_out(&source, sections, None)?;
            }
        }
        Ok(Template {
            header,
            options: options.clone(),
            assumed,
            assumed_registers,
            unused: unused(name, options, &reader),
            ..Template::in_place(name, origin, text)
        })
    }

    /// What stands in a report for a text that is no template: it says nothing of itself.
    pub fn in_place(name: &str, origin: Origin, text: String) -> Template {
        Template {
            name: name.to_string(),
            origin,
            sha256: lower_sha256([&text[..]]),
            text,
            includes: Includes::default(),
            header: Header::default(),
            options: TextOptions::default(),
            assumed: Vec::new(),
            assumed_registers: Vec::new(),
            unused: Vec::new(),
        }
    }

    /// The template that a text without sections is, with what was assumed as comments; none where
    /// the text has sections.
    ///
    /// # Errors
    /// What is wrong with any line.
    pub fn from_pasted(&self) -> Result<Option<String>, Vec<Diagnostic>> {
        let source = self.source();
        let lines = plain_lines(&source);
        if self.header.expand || !paste::is_pasted(&lines) {
            return Ok(None);
        }
        Ok(Some(
            paste::paste(&source, lines, &self.header)?.text(&self.header, &source),
        ))
    }

    /// The text as lines that diagnostics can point into.
    pub(crate) fn source(&self) -> SourceText<'_> {
        let included = self.includes.texts.iter();
        let included = included.map(|one| (one.file(), &one.text[..]));
        SourceText::of(std::iter::once((self.file_name(), &self.text[..])).chain(included))
    }
}

/// What a text turned out to be.
enum Reader {
    Sections,
    Listing,
}

/// What the command line says that such a text has no use for, and what to do: a sentence each.
fn unused(name: &str, options: &TextOptions, reader: &Reader) -> Vec<String> {
    let call = options
        .call
        .iter()
        .filter(|_| matches!(reader, Reader::Sections));
    let call = call.map(|function| {
        format!(
            "`--call {function}` names a function of a pasted listing, and {name} has sections of its own: what its \
             `body:` calls is called; leave it out"
        )
    });
    let arguments = options
        .arguments
        .iter()
        .filter(|_| matches!(reader, Reader::Sections));
    let arguments = arguments.map(|(place, value)| {
        format!(
            "`--arg {place}={value}` is for the function of a pasted listing, and {name} has sections of its own: write it \
             into `setup:` or `body:`"
        )
    });
    call.chain(arguments).collect()
}

/// The lines of a template that is not expanded, its header lines blank.
pub(crate) fn plain_lines(source: &SourceText<'_>) -> Vec<SourceLine> {
    source
        .lines
        .iter()
        .zip(1..)
        .map(|(text, number)| {
            let text = if header::is_header_line(text) {
                String::new()
            } else {
                text.to_string()
            };
            SourceLine { number, text }
        })
        .collect()
}

pub(super) fn find_mark(source: &SourceText<'_>) -> Option<Diagnostic> {
    let (text, line) = source
        .lines
        .iter()
        .zip(1..)
        .find(|(text, _)| text.contains(MARK))?;
    let column = text.chars().take_while(|&c| c != MARK).count() as u32 + 1;
    let place = Place {
        line,
        column,
        width: 1,
    };
    Some(source.complain(
        place,
        "a template is text, and this is the control character 0x1f",
        Some("delete the character".into()),
    ))
}

/// A minijinja tag in a template that does not ask for expansion: no instruction looks like that.
fn find_tag(source: &SourceText<'_>) -> Option<Diagnostic> {
    // `{%k1}` is a mask in AT&T syntax.
    let is_tag = |rest: &str| !rest.starts_with("{%k");
    let code = |text: &str| {
        let code = text.split(';').next().unwrap_or_default();
        let mut tags = code.match_indices("{%").map(|(at, _)| at);
        tags.find(|at| is_tag(&code[*at..]))
    };
    let numbered = source.lines.iter().zip(1..);
    let (line, text, at) = numbered
        .filter_map(|(text, line)| Some((line, text, code(text)?)))
        .next()?;
    let column = text[..at].chars().count() as u32 + 1;
    let width = text[at..].trim_end().chars().count() as u32;
    let help = "add the header line `;! expand = true`".to_string();
    let place = Place {
        line,
        column,
        width,
    };
    Some(source.complain(
        place,
        "a tag in a template that is not expanded",
        Some(help),
    ))
}

/// SHA-256 of texts one behind the other, in lower-case hex.
pub(crate) fn lower_sha256<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    texts.into_iter().for_each(|text| hasher.update(text));
    let bytes = hasher.finalize();
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
