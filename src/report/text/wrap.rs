//! Lines that fit a width.
//!
//! Correct means: no line is wider than asked for unless a single word is, and no word is lost.

use unicode_width::UnicodeWidthStr;

/// Columns that a text takes, ANSI colours not counted.
pub(super) fn columns(text: &str) -> usize {
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
pub(super) fn lines(text: &str, width: usize) -> Vec<String> {
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
    fn colours_take_no_columns() {
        assert_eq!(columns("\x1b[1;31mfault:\x1b[0m é"), 8);
    }
}
