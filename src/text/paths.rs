//! Paths as text: a path need not be UTF-8, and names, reports and saved jobs are.
//!
//! Correct means: two paths never have one text, each text of one leads back to it, and a path that is UTF-8 and has
//! no `%` with two hexadecimal digits behind it is its own text.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// A path as text: a byte that is no UTF-8 stands as `%FF`, and a `%` that would be read as such a one as `%25`.
pub fn named(path: impl AsRef<OsStr>) -> String {
    let mut name = String::new();
    for chunk in path.as_ref().as_bytes().utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            match c {
                '%' if hex(&chunk.valid().as_bytes()[at + 1..]).is_some() => name += "%25",
                c => name.push(c),
            }
        }
        name.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    name
}

/// The path that [`named`] wrote so.
pub fn path(name: impl AsRef<Path>) -> PathBuf {
    let mut path = Vec::new();
    let mut rest = name.as_ref().as_os_str().as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = hex(after).filter(|_| byte == b'%');
        path.push(escaped.unwrap_or(byte));
        rest = escaped.map_or(after, |_| &after[2..]);
    }
    OsString::from_vec(path).into()
}

/// The byte that two hexadecimal digits say.
fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_leads_back_to_its_path_and_to_no_other() {
        let paths: [&[u8]; 12] = [
            b"plain.asm",
            "größe.asm".as_bytes(),
            b"100%.asm",
            b"100%zz",
            b"a\xff.asm",
            b"a%FF.asm",
            b"a%ff.asm",
            b"a%25FF.asm",
            b"a%\xff",
            b"a%4\xff1",
            b"\xf0\x9f%41",
            b"%",
        ];
        let texts = paths.map(|path| named(OsStr::from_bytes(path)));
        for (at, (path, text)) in paths.iter().zip(&texts).enumerate() {
            assert_eq!(super::path(text).as_os_str().as_bytes(), *path, "{text}");
            assert!(!texts[..at].contains(text), "{text}");
        }
        assert_eq!(
            texts[..5],
            ["plain.asm", "größe.asm", "100%.asm", "100%zz", "a%FF.asm"]
        );
        assert_eq!(texts[5], "a%25FF.asm");
    }
}
