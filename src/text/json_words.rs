//! What is wrong with a JSON text, in words of JSON.
//!
//! Correct means: no name of a type of this program is said to somebody who wrote a file by hand; place and value are
//! those that the parser says.

/// The error of a parser, without the names of our types.
pub fn said(error: &serde_json::Error) -> String {
    const KINDS: [(&str, &str); 4] = [
        ("tuple struct ", "an array"),
        ("internally tagged enum ", "an object"),
        ("struct variant ", "an object"),
        ("struct ", "an object"),
    ];
    let mut text = error.to_string();
    for (kind, words) in KINDS {
        let kind = format!("expected {kind}");
        while let Some(at) = text.find(&kind) {
            let behind = &text[at + kind.len()..];
            let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let name = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
            text.replace_range(at..at + kind.len() + name, &format!("expected {words}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(tag = "name")]
    enum Colour {
        Red,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read and not looked at")]
    struct Lamp {
        colour: Colour,
        size: u32,
    }

    #[test]
    fn no_type_of_ours_is_named() {
        let said = |text: &str| said(&serde_json::from_str::<Lamp>(text).expect_err(text));
        assert_eq!(
            said("3"),
            "invalid type: integer `3`, expected an object at line 1 column 1"
        );
        assert_eq!(
            said("{\"colour\": 3}"),
            "invalid type: integer `3`, expected an object at line 1 column 12"
        );
        assert_eq!(
            said("{\"colour\": {\"name\": \"Red\"}, \"size\": \"big\"}"),
            "invalid type: string \"big\", expected u32 at line 1 column 41"
        );
    }
}
