//! What a file is that was given in the place of another kind.
//!
//! Correct means: what is named is that, and what is not known has no name.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A kind of file that one can take for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Machine code in a container: ELF, PE, Mach-O, or an archive of such.
    Program,
    /// Packed by gzip, xz, zstd, bzip2 or zip.
    Packed,
    /// Text in units of two bytes.
    Utf16,
    /// What `run --save-job` writes.
    Job,
    /// What `--export-json` writes.
    Report,
    /// Other JSON, or a part of some.
    Json,
    /// A list of rows.
    Suite,
    /// Assembly text with a header or a body.
    Template,
}

/// How files begin that are no text.
const MAGIC: [(&[u8], Content); 13] = [
    (b"\x7fELF", Content::Program),
    (b"MZ", Content::Program),
    (b"\xcf\xfa\xed\xfe", Content::Program),
    (b"\xca\xfe\xba\xbe", Content::Program),
    (b"!<arch>\n", Content::Program),
    (b"\x1f\x8b", Content::Packed),
    (b"\xfd7zXZ\0", Content::Packed),
    (b"\x28\xb5\x2f\xfd", Content::Packed),
    (b"BZh", Content::Packed),
    (b"PK\x03\x04", Content::Packed),
    (b"\xff\xfe", Content::Utf16),
    (b"\xfe\xff", Content::Utf16),
    (b"\0asm", Content::Program),
];

/// What JSON says of itself.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    provenance: Option<IgnoredAny>,
    rows: Option<IgnoredAny>,
}

impl Content {
    /// What these bytes are, where that is no text of the assembler's.
    pub fn foreign(bytes: &[u8]) -> Option<Content> {
        let is_text = || std::str::from_utf8(bytes).is_ok();
        let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
        // `MZ` and `BZh` are words, too.
        let known = known.filter(|(magic, _)| !magic.is_ascii() || magic.len() > 3 || !is_text());
        if let Some((_, content)) = known {
            return Some(*content);
        }
        // A template may begin with `{%` or `{{`.
        let mut signs = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
        let is_json = signs.next() == Some(&b'{') && matches!(signs.next(), Some(b'"' | b'}'));
        is_json.then(
            || match serde_json::from_str::<Head>(&String::from_utf8_lossy(bytes)) {
                Ok(head) if head.kind.as_deref() == Some("dispatchlab job") => Content::Job,
                Ok(head) if head.provenance.is_some() && head.rows.is_some() => Content::Report,
                _ => Content::Json,
            },
        )
    }

    /// What these bytes are.
    pub fn of(bytes: &[u8]) -> Option<Content> {
        Content::foreign(bytes).or_else(|| {
            let text = std::str::from_utf8(bytes).ok()?;
            let mut lines = text.lines().map(str::trim_start);
            let is_suite =
                |line: &str| line.starts_with("[[section]]") || line.starts_with("rows =");
            let is_template = |line: &str| {
                ["body:", ";!", "//!", "#!"]
                    .iter()
                    .any(|word| line.starts_with(word))
            };
            lines.find_map(|line| match line {
                line if is_template(line) => Some(Content::Template),
                line if is_suite(line) => Some(Content::Suite),
                _ => None,
            })
        })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Program => {
                "machine code in a container, and text is wanted: `dispatchlab import FILE FUNC` writes a function of it as a \
                 template, and `dispatchlab sym FILE` lists what it has"
            }
            Content::Packed => "packed; unpack it first",
            Content::Utf16 => "UTF-16 text; save it as UTF-8",
            Content::Job => {
                "a saved job, which has code and no numbers; `dispatchlab run --job FILE` measures it"
            }
            Content::Report => {
                "a saved report, which has numbers and no code; `dispatchlab compare BASE FILE.json` compares it"
            }
            Content::Json => "JSON, or a part of some, that is no template, no report and no job",
            Content::Suite => {
                "a suite; `dispatchlab run FILE` runs its rows, and its name has to end in `.toml`"
            }
            Content::Template => {
                "a template; `dispatchlab run FILE` measures it, and `compare` takes it where its name does not end \
                 in `.json`"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_has_a_name_and_assembly_text_has_none() {
        let foreign = |bytes: &[u8]| Content::foreign(bytes);
        assert_eq!(foreign(b"\x7fELF\x02\x01"), Some(Content::Program));
        assert_eq!(foreign(b"MZ\x90\0\xff"), Some(Content::Program));
        assert_eq!(foreign(b"\x1f\x8b\x08"), Some(Content::Packed));
        assert_eq!(foreign(b"\xff\xfeb\0o\0"), Some(Content::Utf16));
        let job = br#"{"kind":"dispatchlab job","schema":4}"#;
        assert_eq!(foreign(job), Some(Content::Job));
        assert_eq!(foreign(&job[..30]), Some(Content::Json));
        let report = br#" {"schema":1, "provenance": {}, "rows": []}"#;
        assert_eq!(foreign(report), Some(Content::Report));
        assert_eq!(foreign(b"{}"), Some(Content::Json));
        for text in [
            "body:\n nop\n",
            "{% if x %}",
            "{{ \"body:\" }}",
            "MZ: nop",
            "BZhi: nop",
            "",
            "{",
        ] {
            assert_eq!(foreign(text.as_bytes()), None, "{text}");
        }
        let of = |text: &str| Content::of(text.as_bytes());
        assert_eq!(of("; words\n;! title = \"x\"\n"), Some(Content::Template));
        assert_eq!(of("title = \"x\"\n[[section]]\n"), Some(Content::Suite));
        assert_eq!(of("words"), None);
    }
}
