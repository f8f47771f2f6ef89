//! Text from elsewhere - names of files, titles, notes, lines of templates - as a terminal may get it.
//!
//! Correct means: what is printed of it neither moves the cursor nor ends a line, takes the columns that it seems to
//! take, and stands in the order in which it is written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text that a terminal takes for nothing but text.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_odd)
}

/// The same with its line breaks.
pub fn lines(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    escaped(text, |c| is_odd(c) && c != '\n')
}

/// A line of which each character keeps its column.
pub fn in_columns(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => c,
        _ if is_odd(c) => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    text.chars().map(shown).collect()
}

/// A JSON document that means the same: what is odd can stand in its strings alone, which have escapes for it.
pub fn json(document: &str) -> Cow<'_, str> {
    let is_text = |c: char| is_odd(c) && c != '\n';
    if is_plain(document) || !document.contains(is_text) {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len() + 8);
    for c in document.chars() {
        if is_text(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a text has nothing but lines of visible ASCII, as nearly all have: a look that is quick.
fn is_plain(text: &str) -> bool {
    let is_visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    text.as_bytes().iter().all(is_visible)
}

/// Whether a character is none to be seen: a control, or one that Unicode calls default-ignorable, among which are
/// marks of direction and what has no width, or a separator of lines.
fn is_odd(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

fn escaped(text: &str, is_odd: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_odd(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_as_it_was_and_what_is_not_seen_is_escaped() {
        assert_eq!(line("größe × 面"), "größe × 面");
        assert_eq!(
            line("a\x1b[2Jb\nc\u{9b}\x7f"),
            r"a\u{1b}[2Jb\nc\u{9b}\u{7f}"
        );
        assert_eq!(lines("a\nb\rc"), "a\nb\\rc");
        // Marks of direction and what has no width; and their neighbours, which are seen.
        for odd in "\u{200b}\u{200f}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{ad}\u{e0001}"
            .chars()
        {
            assert_eq!(line(&odd.to_string()), odd.escape_default().to_string());
        }
        for seen in [
            "\u{200a}", "\u{2010}", "\u{2027}", "\u{202f}", "\u{2070}", "\u{ac}", "\u{ae}",
        ] {
            assert_eq!(line(seen), seen);
        }
        assert_eq!(in_columns("\ta\u{202e}b\x1bc"), "\ta\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn an_escaped_document_means_the_same() {
        let value = serde_json::json!({ "a\u{9b}\u{202e}": ["\x1b\x7f", "\u{e0001} größe", "\n"] });
        for text in [value.to_string(), format!("{value:#}")] {
            let escaped = json(&text);
            assert!(!escaped.contains(|c| is_odd(c) && c != '\n'), "{escaped}");
            let read: serde_json::Value = serde_json::from_str(&escaped).expect("JSON");
            assert_eq!(read, value);
        }
    }
}
