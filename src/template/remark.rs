//! The remark that a suite makes of a row: sentences, some with a number of the run in braces.
//!
//! `{branch_misses}` is a number of the row itself, `{cycles/NAME[KEY=VALUE]}` how it stands to another row.
//!
//! Correct means: what speaks of time or of prediction is written from the numbers beside it, and a sentence whose
//! number the run has not is left out whole.

/// A number that a sentence wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// One of [`metrics`](super::suite::metrics).
    pub metric: &'a str,
    /// The row that it is held against.
    pub to: Option<&'a str>,
}

/// Part of a sentence.
enum Piece<'a> {
    Text(&'a str),
    Wanted(Wanted<'a>),
}

/// All numbers that a remark wants.
pub fn wanted(remark: &str) -> impl Iterator<Item = Wanted<'_>> {
    pieces(remark).filter_map(|piece| match piece {
        Piece::Wanted(wanted) => Some(wanted),
        Piece::Text(_) => None,
    })
}

/// The remark with its numbers, or nothing where all sentences want one that there is not.
pub fn filled(remark: &str, number: impl Fn(&Wanted<'_>) -> Option<String>) -> Option<String> {
    let sentence = |sentence| -> Option<String> {
        let piece = |piece| match piece {
            Piece::Text(text) => Some(text.to_string()),
            Piece::Wanted(wanted) => number(&wanted),
        };
        pieces(sentence).map(piece).collect()
    };
    let all: Vec<String> = sentences(remark).into_iter().filter_map(sentence).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// The sentences, each with its full stop.
fn sentences(remark: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = remark;
    while let Some(at) = rest.find(". ") {
        all.push(&rest[..=at]);
        rest = &rest[at + 2..];
    }
    all.push(rest);
    all
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    text.split('{').enumerate().flat_map(|(at, part)| {
        let (wanted, text) = match part.split_once('}').filter(|_| at > 0) {
            Some((inside, text)) => (Some(inside), text),
            None => (None, part),
        };
        let wanted = wanted.map(|inside| {
            let (metric, to) = match inside.split_once('/') {
                Some((metric, to)) => (metric, Some(to)),
                None => (inside, None),
            };
            Piece::Wanted(Wanted { metric, to })
        });
        wanted.into_iter().chain([Piece::Text(text)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_its_numbers_or_is_left_out() {
        let number = |wanted: &Wanted<'_>| match wanted {
            Wanted {
                metric: "branch_misses",
                to: None,
            } => Some("0.5 branch misses".to_string()),
            Wanted {
                metric: "cycles",
                to: Some("b[x=1.5,y=2]"),
            } => Some("2× those of b".into()),
            _ => None,
        };
        #[rustfmt::skip] // a table: the remark, what is left of it
        let table = [
            ("Since Go 1.22 a table.",                          Some("Since Go 1.22 a table.")),
            ("At random: {branch_misses}.",                     Some("At random: 0.5 branch misses.")),
            ("One. Two: {cycles/b[x=1.5,y=2]}, so. Three.",     Some("One. Two: 2× those of b, so. Three.")),
            ("One. Two: {ns}. Three.",                          Some("One. Three.")),
            ("Both: {branch_misses}, {cycles/c}.",              None),
            ("",                                                Some("")),
        ];
        for (remark, left) in table {
            assert_eq!(filled(remark, number).as_deref(), left, "{remark}");
        }
    }

    #[test]
    fn what_a_remark_wants_is_listed() {
        let all: Vec<Wanted<'_>> = wanted("A {ns}. B {cycles/d}, {e").collect();
        let one = |metric, to| Wanted { metric, to };
        assert_eq!(all, [one("ns", None), one("cycles", Some("d"))]);
    }
}
