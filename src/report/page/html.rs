//! Pieces of HTML and SVG.
//!
//! Correct means: text from elsewhere is text in the page, whatever is in it.

use std::fmt::Write as _;

use crate::text::printable;

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable::line(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// Text in a tag with a class.
pub(super) fn tagged(tag: &str, class: &str, text: &str) -> String {
    format!("<{tag} class=\"{class}\">{}</{tag}>", escaped(text))
}

/// JSON as it may stand in a script element: what would end that can stand in its strings alone. Without its indents,
/// which are half of it.
pub(super) fn embedded(json: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(json);
    let compact = parsed.map_or_else(|_| json.to_string(), |parsed| parsed.to_string());
    printable::json(&compact).replace('<', "\\u003c")
}

/// A number with the digits that two of its kind can be told apart by.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if value.fract() == 0.0 && size < 1e9 => 0,
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    // What rounds to nothing has no sign.
    match text.trim_start_matches(['-', '0', '.']).is_empty() {
        true => text.trim_start_matches('-').to_string(),
        false => text,
    }
}

/// A value of a scale: as short as it can be.
pub(super) fn tick(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{value:.0e}"),
        _ => value.to_string(),
    }
}

/// A drawing; places are in its own units, from its upper left corner.
#[derive(Debug, Clone)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Svg {
        Svg {
            width,
            height,
            body: String::new(),
        }
    }

    /// A straight line from one place to another.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// Dots at places, as one shape: a page has tens of thousands.
    pub(super) fn dots(&mut self, class: &str, places: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in places {
            let _ = write!(path, "M{x:.1} {y:.1}h0");
        }
        if !path.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// A line through places; a gap ends one and begins another.
    pub(super) fn curve(&mut self, class: &str, places: &[Option<(f64, f64)>]) {
        let mut path = String::new();
        let mut is_drawing = false;
        for place in places {
            if let Some((x, y)) = place {
                let _ = write!(path, "{}{x:.1} {y:.1}", if is_drawing { 'L' } else { 'M' });
            }
            is_drawing = place.is_some();
        }
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// An area inside places.
    pub(super) fn area(&mut self, class: &str, places: &[(f64, f64)]) {
        let corners: Vec<String> = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(
            self.body,
            "<polygon class=\"{class}\" points=\"{}\"/>",
            corners.join(" ")
        );
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>"
        );
    }

    pub(super) fn rectangle(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
    ) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    /// Text that begins, ends or has its middle (`start`, `end`, `middle`) at a place.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, text: &str) {
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    /// What is drawn by `draw` says `tip` under the pointer.
    pub(super) fn tipped(&mut self, tip: &str, draw: impl FnOnce(&mut Svg)) {
        let _ = write!(self.body, "<g data-tip=\"{}\">", escaped(tip));
        draw(self);
        self.body += "</g>";
    }

    /// The drawing; `label` is what it shows, for those who do not see it.
    pub(super) fn finish(self, class: &str, label: &str) -> String {
        let Svg {
            width,
            height,
            body,
        } = self;
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
             role=\"img\" aria-label=\"{}\">{body}</svg>",
            escaped(label)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_is_text() {
        assert_eq!(
            escaped("<b a=\"'&\u{202e}\">"),
            "&lt;b a=&quot;&#39;&amp;\\u{202e}&quot;&gt;"
        );
        assert!(!embedded("[\"</script>\"]").contains('<'));
        let back: serde_json::Value =
            serde_json::from_str(&embedded("[\"</script>\"]")).expect("JSON");
        assert_eq!(back[0], "</script>");
    }

    #[test]
    fn numbers_have_the_digits_that_tell_them_apart() {
        let table = [
            (5.0, "5"),
            (5.041, "5.04"),
            (99.994, "99.99"),
            (100.26, "100.3"),
            (1234.5, "1234"),
            (0.004, "0.00"),
            (-0.004, "0.00"),
            (-0.006, "-0.01"),
        ];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
    }
}
