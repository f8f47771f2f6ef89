//! Where a statement and its operands end.
//!
//! Correct means: no comma, semicolon or slash of a symbol's name ends anything.

use std::ops::Range;

use super::names::meaning;

/// Brackets and quotes that are open.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    depth: usize,
    quote: Option<u8>,
    is_escaped: bool,
}

impl Open {
    /// Goes over one byte.
    fn pass(&mut self, byte: u8) {
        match self.quote {
            Some(_) if self.is_escaped => self.is_escaped = false,
            Some(b'"') if byte == b'\\' => self.is_escaped = true,
            Some(quote) if byte == quote => self.quote = None,
            Some(_) => {}
            None => match byte {
                b'"' => self.quote = Some(byte),
                b'(' | b'[' | b'{' => self.depth += 1,
                b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            },
        }
    }

    fn is_none(self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }
}

/// Where the statement ends, and where the next one begins, if `separates` lets `;` do that in front of
/// a name that Go has.
pub(super) fn end_of(line: &str, part: Range<usize>, separates: bool) -> (usize, Option<usize>) {
    let bytes = line.as_bytes();
    let mut open = Open::default();
    for at in part.clone() {
        let byte = bytes[at];
        if open.is_none() {
            let is_slashes = byte == b'/' && bytes[..part.end].get(at + 1) == Some(&b'/');
            // A path of a package has no blank in front of its slashes.
            if is_slashes && (at == part.start || matches!(bytes[at - 1], b' ' | b'\t' | b';')) {
                return (at, None);
            }
            if byte == b';' {
                let rest = &line[at + 1..part.end];
                let word = rest.split_whitespace().next().unwrap_or_default();
                let word = word.trim_end_matches(';');
                let is_next = separates && is_statement(word);
                return (at, is_next.then_some(at + 1));
            }
        }
        open.pass(byte);
    }
    (part.end, None)
}

/// Whether a word begins a statement.
fn is_statement(word: &str) -> bool {
    let is_data = matches!(
        word,
        "BYTE" | "WORD" | "LONG" | "QUAD" | "LOCK" | "REP" | "REPN"
    );
    is_data || word.ends_with(':') || meaning(word).is_some()
}

/// The operands, apart at their commas.
pub(super) fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if text.is_empty() {
        return found;
    }
    let mut open = Open::default();
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b',' && open.is_none() && !is_within_name(&text[start..at]) {
            found.push(start..at);
            start = at + 1;
            continue;
        }
        open.pass(byte);
    }
    found.push(start..text.len());
    found
}

/// Whether the name of an itab or of a type goes on behind its comma.
fn is_within_name(piece: &str) -> bool {
    let name = piece.trim_start().trim_start_matches('$');
    let begins = ["go.itab.", "go:itab.", "type.", "type:"];
    begins.iter().any(|begin| name.starts_with(begin)) && !name.ends_with("(SB)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        pieces(text)
            .into_iter()
            .map(|piece| text[piece].trim())
            .collect()
    }

    #[test]
    fn a_comma_of_a_name_ends_no_operand() {
        for (text, operands) in [
            (
                "go.itab.\"\".Adder,\"\".Mather(SB),AX",
                vec!["go.itab.\"\".Adder,\"\".Mather(SB)", "AX"],
            ),
            (
                "$go:itab.*main.T,io.Writer(SB), CX",
                vec!["$go:itab.*main.T,io.Writer(SB)", "CX"],
            ),
            (
                "go.string.\"a,b(SB);\"(SB), AX",
                vec!["go.string.\"a,b(SB);\"(SB)", "AX"],
            ),
            (
                "type.func(int, *int) int(SB), DI",
                vec!["type.func(int, *int) int(SB)", "DI"],
            ),
            (
                "type.struct { F uintptr; x *int }(SB), DI",
                vec!["type.struct { F uintptr; x *int }(SB)", "DI"],
            ),
            (
                "main.f[go.shape.int,go.shape.string](SB)",
                vec!["main.f[go.shape.int,go.shape.string](SB)"],
            ),
            ("AX,(BX)(CX*8)", vec!["AX", "(BX)(CX*8)"]),
            ("$1,  AX,", vec!["$1", "AX", ""]),
            ("", vec![]),
        ] {
            assert_eq!(split(text), operands, "{text}");
        }
    }

    #[test]
    fn a_comment_begins_outside_names_alone() {
        let code = |line: &str| {
            line[..end_of(line, 0..line.len(), false).0]
                .trim()
                .to_owned()
        };
        for (line, code_of) in [
            ("MOVQ AX, BX ;; ② into BX", "MOVQ AX, BX"),
            ("MOVQ AX, BX // it", "MOVQ AX, BX"),
            (
                "LEAQ type.struct { a int; b int }(SB), AX; ok",
                "LEAQ type.struct { a int; b int }(SB), AX",
            ),
            (
                "LEAQ go.string.\"http://x\"(SB), AX",
                "LEAQ go.string.\"http://x\"(SB), AX",
            ),
            ("// all of it", ""),
        ] {
            assert_eq!(code(line), code_of);
        }
        let line = "BYTE $0x90; BYTE $0x90; and so on";
        let (end, next) = end_of(line, 0..line.len(), true);
        assert_eq!((&line[..end], next), ("BYTE $0x90", Some(11)));
        assert_eq!(end_of(line, 11..line.len(), true), (22, None));
    }
}
