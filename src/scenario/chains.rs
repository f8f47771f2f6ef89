//! Long chains in tags: minijinja compiles each link of one inside the next, on the stack.
//!
//! Correct means: a text that passes is compiled in a stack of two MiB, and no text that a person
//! writes is refused. A list of any length is no chain, because its items stand beside each other.

/// Links that one chain may have: operators, filters, subscripts, calls and `if` of one
/// expression, or `elif` of one `if`.
pub(super) const MAX_LINKS: usize = 500;

/// Words that put one expression into another.
const LINK_WORDS: [&[u8]; 6] = [b"not", b"and", b"or", b"if", b"in", b"is"];

/// The byte at which a chain gets too long, if any does.
pub(super) fn too_long(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut branches = Vec::new();
    let mut at = 0;
    while at + 1 < bytes.len() {
        let rest = &bytes[at..];
        at += match (rest[0], rest[1], first_word(rest)) {
            (b'{', b'#', _) => length_to(rest, |rest| rest.starts_with(b"#}")),
            (b'{', b'%', b"raw") => length_to(rest, |rest| {
                rest.starts_with(b"{%") && first_word(rest) == b"endraw"
            }),
            (b'{', b'{' | b'%', word) => {
                if rest[1] == b'%' {
                    follow_branches(&mut branches, word);
                }
                if branches.iter().sum::<usize>() > MAX_LINKS {
                    return Some(at);
                }
                match tag(rest) {
                    Ok(length) => length,
                    Err(link) => return Some(at + link),
                }
            }
            _ => 1,
        };
    }
    None
}

/// Bytes of `text` after its first two up to where `is_there`, or all of them.
fn length_to(text: &[u8], is_there: impl Fn(&[u8]) -> bool) -> usize {
    (2..text.len())
        .find(|&at| is_there(&text[at..]))
        .unwrap_or(text.len())
}

/// The word that a tag begins with, after its opening and the sign that trims blanks.
fn first_word(tag: &[u8]) -> &[u8] {
    let Some(inner) = tag.get(2..) else {
        return &[];
    };
    let inner = match inner {
        [b'-' | b'+', rest @ ..] => rest,
        inner => inner,
    };
    word(inner.trim_ascii_start())
}

fn word(text: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let end = text.iter().position(|byte| !is_part(byte));
    &text[..end.unwrap_or(text.len())]
}

/// `branches` has for each open `if` the number of its `elif`.
fn follow_branches(branches: &mut Vec<usize>, word: &[u8]) {
    match word {
        b"if" => branches.push(0),
        b"elif" => branches.iter_mut().last().into_iter().for_each(|n| *n += 1),
        b"endif" => drop(branches.pop()),
        _ => {}
    }
}

/// The length of a tag, or where in it a chain gets too long.
///
/// The links of all brackets around a place count, because it is compiled inside all of them; a
/// comma begins a new expression in its bracket. Inside brackets `}}` closes two of them.
fn tag(text: &[u8]) -> Result<usize, usize> {
    let close = if text[1] == b'{' { b'}' } else { text[1] };
    let mut links = vec![0];
    let mut total = 0;
    let mut at = 2;
    while at < text.len() {
        let innermost = links.len() - 1;
        let mut length = 1;
        let mut is_link = false;
        match text[at] {
            byte if byte == close && innermost == 0 && text.get(at + 1) == Some(&b'}') => {
                return Ok(at + 2);
            }
            quote @ (b'"' | b'\'') => length = string(&text[at..], quote),
            b',' => {
                total -= links[innermost];
                links[innermost] = 0;
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'|' | b'.' => is_link = true,
            b'(' | b'[' | b'{' => is_link = true,
            b')' | b']' | b'}' if innermost > 0 => total -= links.pop().unwrap_or(0),
            _ => {
                let word = word(&text[at..]);
                length = word.len().max(1);
                is_link = LINK_WORDS.contains(&word);
            }
        }
        if is_link {
            links[innermost] += 1;
            total += 1;
        }
        if matches!(text[at], b'(' | b'[' | b'{') {
            links.push(0);
        }
        if total > MAX_LINKS {
            return Err(at);
        }
        at += length;
    }
    Ok(text.len())
}

/// The length of a string with its quotes, or of all the text where it does not end.
fn string(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_side_by_side_is_no_chain() {
        for text in [
            format!("{{% set a = [{}] %}}", "-1 + x.y[2], ".repeat(9999)),
            "{{ a + 1 }}".repeat(9999),
            "{% if a %}{% elif b %}{% endif %}".repeat(9999),
            format!("{{{{ \"{}\\\"\" }}}}", "1+".repeat(9999)),
            format!("{{# {} #}}{}", "1+".repeat(9999), "1+".repeat(9999)),
            format!("{{% raw %}}{{{{ {} {{% endraw %}}", "1+".repeat(9999)),
        ] {
            assert_eq!(too_long(&text), None, "{}", &text[..30]);
        }
    }

    #[test]
    fn the_link_above_the_limit_is_found_wherever_it_stands() {
        let links = "+1".repeat(MAX_LINKS / 2);
        let nested = format!("{{{{ (1{links}, [1{links}]) }}}}");
        assert_eq!(too_long(&nested), None);
        let nested = format!("é {{{{ 1{links}+[1{links}] }}}}");
        let at = too_long(&nested).expect("too long");
        assert_eq!(&nested[at..], "+1+1] }}", "the bracket is a link too");
        let after_raw = format!(
            "{{% raw %}}{{{{ \"{{%- endraw %}}{{{{ {} 1 }}}}",
            "not ".repeat(501)
        );
        assert_eq!(
            &after_raw[too_long(&after_raw).expect("too long")..],
            "not  1 }}"
        );
    }
}
