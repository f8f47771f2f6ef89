//! The lines of a header as one TOML text that knows where it came from.
//!
//! Correct means: a position in the TOML has one place in the file, also where remarks were cut off.

use std::ops::Range;

use crate::template::parts;
use crate::template::source::{Place, SourceText};
use crate::text::diagnostic::Diagnostic;

/// The header's TOML, and where each of its lines stands in the file.
pub(super) struct Block {
    pub(super) toml: String,
    /// Offset in `toml`, line in the file, characters before the TOML on that line.
    starts: Vec<(usize, u32, u32)>,
}

impl Block {
    pub(super) fn of(source: &SourceText<'_>) -> Result<Block, Vec<Diagnostic>> {
        let mut block = Block {
            toml: String::new(),
            starts: Vec::new(),
        };
        let mut begun = false;
        let mut depth = 0;
        for (line, number) in source.lines.iter().zip(1..) {
            let trimmed = line.trim_start();
            if parts::is_mark(line) {
                if !begun {
                    let help = "parts stand around code of the body or of a function, notes below the code".to_string();
                    let message = "a mark in the header";
                    return Err(vec![source.complain(
                        source.whole_line(number),
                        message,
                        Some(help),
                    )]);
                }
            } else if let Some(content) = super::content(line) {
                if begun {
                    let help = "move it above the first line of code".to_string();
                    let place = source.whole_line(number);
                    return Err(vec![source.complain(
                        place,
                        "a header line below the code",
                        Some(help),
                    )]);
                }
                let before = line.chars().count() - content.chars().count();
                block.starts.push((block.toml.len(), number, before as u32));
                block.toml.push_str(without_remark(content, &mut depth));
                block.toml.push('\n');
            } else if !trimmed.is_empty() && !trimmed.starts_with(';') && !trimmed.starts_with("//")
            {
                begun = true;
            }
        }
        Ok(block)
    }

    /// Where a byte range of the TOML stands in the file; it is cut at the end of its first line.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let after = self
            .starts
            .partition_point(|&(start, ..)| start <= span.start);
        let Some(&(start, line, before)) = after.checked_sub(1).and_then(|at| self.starts.get(at))
        else {
            return Place {
                line: 1,
                column: 1,
                width: 1,
            };
        };
        // A line break belongs to its line, and what is wrong with it stands behind the line's text.
        let rest = &self.toml[start.min(self.toml.len())..];
        let line_end = start + rest.find('\n').unwrap_or(rest.len());
        let begin = span.start.min(line_end);
        let end = span.end.clamp(begin, self.toml.len());
        let column = before + self.toml[start..begin].chars().count() as u32 + 1;
        let marked = self.toml[begin..end].lines().next().unwrap_or_default();
        Place {
            line,
            column,
            width: marked.chars().count().max(1) as u32,
        }
    }
}

/// A header line without the remark that may follow its value after two blanks or more.
///
/// `depth` counts the brackets that earlier lines left open. What follows a value more closely is
/// left for TOML to refuse.
fn without_remark<'a>(content: &'a str, depth: &mut usize) -> &'a str {
    let mut in_value = *depth > 0;
    let mut quote = None;
    let mut bare = false;
    let mut escaped = false;
    for (at, c) in content.char_indices() {
        let mut end = None;
        if let Some(open) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' && open == '"' {
                escaped = true;
            } else if c == open {
                quote = None;
                end = Some(at + 1);
            }
        } else {
            match c {
                '#' => return content,
                '"' | '\'' => quote = Some(c),
                '=' if !in_value => {
                    in_value = true;
                    continue;
                }
                '[' | '{' if in_value => *depth += 1,
                ']' | '}' if in_value => {
                    *depth = depth.saturating_sub(1);
                    end = Some(at + 1);
                }
                c if c.is_whitespace() && bare => end = Some(at),
                c => bare = in_value && !c.is_whitespace(),
            }
        }
        if let Some(end) = end.filter(|_| in_value && *depth == 0) {
            let rest = &content[end..];
            let blanks = rest.chars().take_while(|c| c.is_whitespace()).count();
            return if blanks >= 2 && !rest.trim_start().starts_with('#') {
                &content[..end]
            } else {
                content
            };
        }
    }
    content
}
