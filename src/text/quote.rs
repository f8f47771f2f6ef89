//! Words of a command line as a shell takes them.
//!
//! Correct means: a shell makes of what is written the very word, and a word that needs no marks has none.

use std::borrow::Cow;

/// The word, in marks where a shell would make something else of it.
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_./:@%+=,-".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(quoted(text)),
    }
}

/// The word in marks.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_marks_where_a_shell_would_make_something_else_of_it() {
        #[rustfmt::skip] // a table: a word, and how it is written
        let table = [
            ("prog",             "prog"),
            ("../a-b/c_1.o",     "../a-b/c_1.o"),
            ("größe",            "größe"),
            ("",                 "''"),
            ("my prog",          "'my prog'"),
            ("main.(*T).M",      "'main.(*T).M'"),
            ("a$b",              "'a$b'"),
            ("it's",             "'it'\\''s'"),
        ];
        for (text, written) in table {
            assert_eq!(word(text), written);
        }
        assert_eq!(quoted("main.f"), "'main.f'");
    }
}
