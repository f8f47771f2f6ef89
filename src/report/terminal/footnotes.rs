//! Numbered remarks under the table.
//!
//! Correct means: every mark in the table has its remark, and equal remarks share a number. Numbers
//! ascend down each column.

use crate::text::{Style, columns, hanging};

/// The remarks gathered so far.
#[derive(Debug, Clone)]
pub(super) struct Footnotes {
    style: Style,
    remarks: Vec<String>,
}

impl Footnotes {
    pub(super) fn new(style: Style) -> Footnotes {
        Footnotes {
            style,
            remarks: Vec::new(),
        }
    }

    /// The mark of a remark, which is added where it is new.
    pub(super) fn mark(&mut self, remark: &str) -> String {
        let known = self.remarks.iter().position(|other| other == remark);
        let at = known.unwrap_or_else(|| {
            self.remarks.push(remark.to_string());
            self.remarks.len() - 1
        });
        number(at + 1, self.style)
    }

    /// The marks of several remarks, side by side.
    pub(super) fn marks(&mut self, remarks: &[String]) -> String {
        let marks: Vec<String> = remarks.iter().map(|remark| self.mark(remark)).collect();
        marks.join(if self.style.unicode { "⁺" } else { "" })
    }

    /// All remarks, each behind its mark.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let line = |(at, remark)| format!("{} {remark}", number(at + 1, self.style));
        self.remarks.iter().enumerate().map(line)
    }

    /// All remarks, one paragraph each.
    pub(super) fn render(&self) -> String {
        let paragraph = |(at, remark): (usize, &String)| {
            let mark = number(at + 1, self.style);
            hanging(remark, &mark, columns(&mark) + 1, self.style.width)
        };
        self.remarks.iter().enumerate().map(paragraph).collect()
    }
}

fn number(number: usize, style: Style) -> String {
    if !style.unicode {
        return format!("^{number}");
    }
    let raised = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = number.to_string();
    digits
        .bytes()
        .map(|digit| raised[usize::from(digit - b'0')])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_remarks_share_a_number() {
        let mut notes = Footnotes::new(Style {
            width: 40,
            color: false,
            unicode: true,
        });
        assert_eq!(
            [notes.mark("a"), notes.mark("b"), notes.mark("a")],
            ["¹", "²", "¹"]
        );
        assert_eq!(notes.marks(&["b".into(), "c".into()]), "²⁺³");
        assert_eq!(notes.render(), "¹ a\n² b\n³ c\n");
    }

    #[test]
    fn ascii_marks_are_carets_and_numbers() {
        let style = Style {
            width: 40,
            color: false,
            unicode: false,
        };
        assert_eq!(number(12, style), "^12");
        assert_eq!(
            number(
                10,
                Style {
                    unicode: true,
                    ..style
                }
            ),
            "¹⁰"
        );
    }
}
