//! Text from elsewhere - names of files, titles, notes, lines of templates - as a terminal may get it.
//!
//! Correct means: what is printed of it neither moves the cursor nor ends a line.

use std::borrow::Cow;

/// One line of text that a terminal takes for nothing but text.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

/// The same with its line breaks.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && c != '\n')
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
    fn plain_text_is_as_it_was_and_controls_are_escaped() {
        assert_eq!(line("größe ×"), "größe ×");
        assert_eq!(
            line("a\x1b[2Jb\nc\u{9b}\x7f"),
            r"a\u{1b}[2Jb\nc\u{9b}\u{7f}"
        );
        assert_eq!(lines("a\nb\rc"), "a\nb\\rc");
    }
}
