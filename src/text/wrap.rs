//! Lines that fit a width.
//!
//! Correct means: no line is wider than asked for unless a single word is, and no word is lost: a
//! name or a path is one word, so that it can be copied.

use unicode_width::UnicodeWidthStr;

/// Columns that a text takes, ANSI colours not counted.
pub(crate) fn columns(text: &str) -> usize {
    let mut width = 0;
    for (at, part) in text.split("\x1b[").enumerate() {
        let visible = if at == 0 {
            part
        } else {
            part.split_once('m').map_or("", |(_, rest)| rest)
        };
        width += visible.width();
    }
    width
}

/// The words in lines of at most `width` columns, without line breaks.
pub(crate) fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let needed = columns(word);
        match lines.last_mut() {
            Some(line) if used == 0 || used + 1 + needed <= width => {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
                used += needed;
            }
            _ => {
                lines.push(word.to_string());
                used = needed;
            }
        }
    }
    lines
}

/// A paragraph that opens with `lead` and whose further lines are indented; with a line break at
/// the end.
pub(crate) fn hanging(text: &str, lead: &str, indent: usize, width: usize) -> String {
    let whole = if lead.is_empty() {
        text.to_string()
    } else {
        format!("{lead} {text}")
    };
    let mut paragraph = String::new();
    let mut rest = lines(&whole, width).into_iter();
    let first = rest.next().unwrap_or_default();
    paragraph.push_str(&first);
    paragraph.push('\n');
    let remaining: String = whole
        .split_whitespace()
        .skip(first.split_whitespace().count())
        .collect::<Vec<_>>()
        .join(" ");
    if !remaining.is_empty() {
        for line in lines(&remaining, width.saturating_sub(indent)) {
            paragraph.push_str(&" ".repeat(indent));
            paragraph.push_str(&line);
            paragraph.push('\n');
        }
    }
    paragraph
}

/// The text with its lines broken where they are wider than `width`, blanks inside them kept; what
/// follows a break stands `hang` columns further in than its line.
pub(crate) fn folded(text: &str, hang: usize, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if columns(line.trim_end_matches('\n')) <= width {
            out.push_str(line);
            continue;
        }
        let words = line.trim_start_matches(' ');
        let indent = line.len() - words.len();
        out.push_str(&line[..indent]);
        let mut used = indent;
        let mut is_begun = false;
        for word in words.split_inclusive(' ') {
            let needed = columns(word.trim_end());
            if is_begun && needed > 0 && used + needed > width {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                out.push_str(&" ".repeat(indent + hang));
                used = indent + hang;
            }
            out.push_str(word);
            used += columns(word.trim_end_matches('\n'));
            is_begun = true;
        }
    }
    out
}

/// A line of machine code: address, bytes, text and a note behind it, with a line break at the end.
/// Text that does not fit beside the bytes stands under them; no byte is ever left out.
pub(crate) fn listed(address: &str, bytes: &[u8], text: &str, note: &str, width: usize) -> String {
    /// Eight bytes, and between them blanks; the few longer instructions push their text aside.
    const BYTES: usize = 23;
    /// A note such as `; line 12`, with the blank before it, at least.
    const NOTE: usize = 10;
    const TEXT: std::ops::RangeInclusive<usize> = 20..=36;
    const UNDER: usize = 16;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.join(" ");
    let head = format!("{address}  {hex:<BYTES$} ");
    let room = width.saturating_sub(head.len() + NOTE.max(columns(note) + 1));
    let room = room.clamp(*TEXT.start(), *TEXT.end());
    let aligned = format!("{head}{text:<room$} {note}");
    let line = aligned.trim_end();
    if columns(line) <= width {
        return format!("{line}\n");
    }
    let behind = format!("{text} {note}");
    let behind = behind.trim_end();
    // Blanks are what can be done without.
    let left = width.saturating_sub(columns(behind) + 1);
    match [format!("{address}  {hex}"), format!("{address} {hex}")]
        .iter()
        .find(|head| columns(head) <= left)
    {
        Some(before) => {
            let left = left.min(head.len() - 1).max(before.len());
            format!("{before:<left$} {behind}\n")
        }
        None => {
            let under = format!("{:UNDER$}{behind}", "");
            format!("{address}  {hex}\n{}\n", folded(&under, 2, width))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_hangs_under_its_first_line() {
        assert_eq!(
            hanging("one two three four", "1", 2, 9),
            "1 one two\n  three\n  four\n"
        );
        assert_eq!(hanging("", "", 2, 9), "\n");
    }

    #[test]
    fn a_word_wider_than_the_line_stands_alone() {
        assert_eq!(
            lines("a incomprehensible b", 5),
            ["a", "incomprehensible", "b"]
        );
    }

    #[test]
    fn a_line_is_folded_at_its_blanks_and_keeps_the_others() {
        assert_eq!(
            folded("  a  b cd\nshort\n  a  bcd  ef\n", 2, 9),
            "  a  b cd\nshort\n  a  bcd\n    ef\n"
        );
        assert_eq!(
            folded("a incomprehensible b", 1, 5),
            "a\n incomprehensible\n b"
        );
    }

    #[test]
    fn a_listed_line_keeps_its_bytes_whatever_its_text_is() {
        let bytes = [0x90; 15];
        for width in [20, 60, 80, 120] {
            for length in [1, 26, 40, 70, 200] {
                let text = "ab ".repeat(length / 3 + 1);
                let lines = listed("  0x100000", &bytes, text.trim(), "; line 7", width);
                assert_eq!(lines.matches("90").count(), 15, "{lines}");
                assert_eq!(lines.matches("ab").count(), length / 3 + 1, "{lines}");
                let widest = lines.lines().map(columns).max();
                assert!(widest <= Some(width.max(56)), "{width}: {lines}");
            }
        }
    }

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(columns("\x1b[1;31mfault:\x1b[0m é"), 8);
    }
}
