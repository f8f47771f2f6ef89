//! The stack at an instruction of `step`: words from `rsp` upwards, frame by frame; text and JSON.
//!
//! Correct means: a word that nothing wrote in this iteration is `-` and never 0, one whose value is
//! not known is `?`, and the highest address stands at the top.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::steps::Location;
use crate::template::LinePlace;

/// Words in a row that nothing wrote and that are still drawn one by one.
const DRAWN_UNWRITTEN: usize = 4;
/// Numbers below this are printed in decimal.
const DECIMAL: u64 = 1_000_000;

/// The stack before or after one instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Whether it is the stack before the instruction.
    pub is_before: bool,
    /// The frames, the innermost first.
    pub frames: Vec<Frame>,
    /// Words above those of the frames that are left out, up to the highest that is used.
    pub left_out: u64,
}

/// The words of one function, with the return address that lies above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function, or `body`.
    pub function: String,
    /// Its words, ascending.
    pub words: Vec<Word>,
}

/// Eight bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Bytes above `rsp`.
    pub offset: u64,
    /// What its bytes hold, ascending, all eight of them.
    pub parts: Vec<Part>,
}

/// Neighbouring bytes of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Bytes from the start of the word.
    pub offset: u64,
    /// Bytes it takes.
    pub size: u64,
    /// Who wrote it; nobody in this iteration where there is none.
    pub written: Option<Written>,
}

/// What a store left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The number, where it is known.
    pub value: Option<Location>,
    /// What it is for.
    pub slot: Slot,
    /// The line that wrote it, where it is the template's.
    pub line: Option<LinePlace>,
}

/// What a slot of the stack is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// What a call left; the line that it returns to, where it is the template's.
    ReturnAddress(Option<LinePlace>),
    /// A register's value, to be put back.
    Saved(&'static str),
    /// Passed to a function that is called.
    Argument,
    /// Left for the caller.
    Result,
    /// An argument that came in a register, put where the caller keeps room for it.
    Spill,
    /// Read again by the function itself, or through a pointer.
    Local,
    /// Nothing reads it in this iteration.
    Unread,
}

impl Slot {
    fn text(&self) -> String {
        match self {
            Slot::ReturnAddress(None) => "return address".into(),
            Slot::ReturnAddress(Some(line)) => format!("return address, to {line}"),
            Slot::Saved(register) => format!("saved {register}"),
            Slot::Argument => "argument".into(),
            Slot::Result => "result".into(),
            Slot::Spill => "spilled argument".into(),
            Slot::Local => "local".into(),
            Slot::Unread => "not read".into(),
        }
    }
}

/// The drawing in lines, each with a line break.
pub(super) fn text(drawing: &Drawing) -> String {
    let mut rows = Vec::new();
    if drawing.left_out > 0 {
        let note = format!("{} words more above", drawing.left_out);
        rows.push(Row::Word("...".into(), String::new(), note));
    }
    for frame in drawing.frames.iter().rev() {
        rows.push(Row::Border(&frame.function));
        let mut words = frame.words.iter().rev().peekable();
        while let Some(word) = words.next() {
            let mut lowest = word;
            let mut count = 1;
            let mut ahead = words.clone();
            while let Some(next) = ahead.next().filter(|_| is_unwritten(word)) {
                if !is_unwritten(next) {
                    break;
                }
                (lowest, count) = (next, count + 1);
            }
            let name = |word: &Word| match word.offset {
                0 => "rsp".to_string(),
                offset => format!("rsp+{offset:#x}"),
            };
            if count > DRAWN_UNWRITTEN {
                words.nth(count - 2);
                let note = format!("{count} words, up to {}", name(word));
                rows.push(Row::Word(name(lowest), "-".into(), note));
            } else {
                rows.push(Row::Word(name(word), value(word), note(word)));
            }
        }
    }
    drawn(&rows)
}

enum Row<'a> {
    /// The top of a frame, and whose it is.
    Border(&'a str),
    /// Where, what, and what for.
    Word(String, String, String),
}

fn drawn(rows: &[Row<'_>]) -> String {
    let columns = rows.iter().map(|row| match row {
        Row::Word(_, value, _) => value.chars().count(),
        Row::Border(_) => 0,
    });
    let width = columns.max().unwrap_or(0).max(16);
    let border = format!("{:13}+{}+", "", "-".repeat(width + 2));
    let mut out = String::new();
    for row in rows {
        let line = match row {
            Row::Border(function) => format!("{border} {function}"),
            Row::Word(place, value, note) => format!("    {place:<8} | {value:<width$} | {note}"),
        };
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "{border}");
    out
}

fn is_unwritten(word: &Word) -> bool {
    word.parts.iter().all(|part| part.written.is_none())
}

/// The parts of a word, the lowest first.
fn value(word: &Word) -> String {
    let parts = word.parts.iter().map(|part| match &part.written {
        None => "-".to_string(),
        Some(Written { value: None, .. }) => "?".to_string(),
        Some(Written {
            value: Some(value), ..
        }) => match &value.name {
            Some(name) => format!("-> {name}"),
            None if value.shown != value.value => format!("-> {:#x}", value.shown),
            None if value.value < DECIMAL => value.value.to_string(),
            None => format!("{:#x}", value.value),
        },
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// What the parts are for, each once, with the lines that wrote them.
fn note(word: &Word) -> String {
    let mut notes: Vec<(String, Vec<&LinePlace>)> = Vec::new();
    for written in word.parts.iter().filter_map(|part| part.written.as_ref()) {
        let slot = written.slot.text();
        // Where a return address leads says more than the line of its call.
        let is_call = matches!(written.slot, Slot::ReturnAddress(_));
        let line = written.line.as_ref().filter(|_| !is_call);
        match notes.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, lines)) => lines.extend(line.filter(|line| !lines.contains(line))),
            None => notes.push((slot, line.into_iter().collect())),
        }
    }
    let notes = notes.into_iter().map(|(slot, lines)| {
        let numbers: Vec<String> = lines.iter().map(|line| line.line.to_string()).collect();
        match &lines[..] {
            [] => slot,
            [line] => format!("{slot}, from {line}"),
            _ if lines.iter().all(|line| line.file.is_none()) => {
                format!("{slot}, from lines {}", numbers.join(" and "))
            }
            _ => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                format!("{slot}, from {}", lines.join(" and "))
            }
        }
    });
    notes.collect::<Vec<_>>().join("; ")
}

/// The drawing as JSON; `location` renders a value.
pub(super) fn json(drawing: &Drawing, location: impl Fn(&Location) -> Value) -> Value {
    let part = |part: &Part| {
        let written = part.written.as_ref();
        let returns_to = written.and_then(|written| match &written.slot {
            Slot::ReturnAddress(line) => line.as_ref().map(|place| place.line),
            _ => None,
        });
        json!({
            "offset": part.offset,
            "size": part.size,
            "is_written": written.is_some(),
            "value": written.and_then(|written| written.value.as_ref()).map(&location),
            "slot": written.map(|written| match &written.slot {
                Slot::ReturnAddress(_) => "return address".to_string(),
                slot => slot.text(),
            }),
            "line": written.and_then(|written| Some(written.line.as_ref()?.line)),
            "returns_to_line": returns_to,
        })
    };
    let word = |word: &Word| {
        json!({
            "offset": word.offset,
            "parts": word.parts.iter().map(part).collect::<Vec<_>>(),
        })
    };
    let frames = drawing.frames.iter().map(|frame| {
        json!({
            "function": frame.function,
            "words": frame.words.iter().map(word).collect::<Vec<_>>(),
        })
    });
    json!({
        "is_before": drawing.is_before,
        "frames": frames.collect::<Vec<_>>(),
        "left_out": drawing.left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(offset: u64, parts: Vec<Part>) -> Word {
        Word { offset, parts }
    }

    fn part(offset: u64, size: u64, value: Option<u64>) -> Part {
        let location = |value| Location {
            value,
            shown: value,
            name: None,
        };
        Part {
            offset,
            size,
            written: Some(Written {
                value: value.map(location),
                slot: Slot::Argument,
                line: Some(LinePlace {
                    file: None,
                    name: None,
                    line: offset as u32 + 1,
                }),
            }),
        }
    }

    fn nothing(offset: u64) -> Word {
        let part = Part {
            offset: 0,
            size: 8,
            written: None,
        };
        word(offset, vec![part])
    }

    #[test]
    fn the_highest_word_stands_at_the_top_and_halves_stand_in_the_order_of_their_addresses() {
        let drawing = Drawing {
            is_before: false,
            frames: vec![Frame {
                function: "body".into(),
                words: vec![
                    word(0, vec![part(0, 4, Some(10)), part(4, 4, Some(0))]),
                    word(8, vec![part(0, 8, None)]),
                    nothing(16),
                ],
            }],
            left_out: 0,
        };
        let drawn = "             +------------------+ body\n\
                     \x20   rsp+0x10 | -                |\n\
                     \x20   rsp+0x8  | ?                | argument, from line 1\n\
                     \x20   rsp      | 10, 0            | argument, from lines 1 and 5\n\
                     \x20            +------------------+\n";
        assert_eq!(text(&drawing), drawn);
    }

    #[test]
    fn many_words_that_nothing_wrote_take_one_line() {
        let drawing = |count: u64| Drawing {
            is_before: false,
            frames: vec![Frame {
                function: "body".into(),
                words: (0..count).map(|number| nothing(8 * number)).collect(),
            }],
            left_out: 0,
        };
        assert_eq!(text(&drawing(4)).lines().count(), 6);
        let long = text(&drawing(9));
        assert_eq!(long.lines().count(), 3, "{long}");
        assert!(long.contains("rsp      | -"), "{long}");
        assert!(long.contains("9 words, up to rsp+0x40"), "{long}");
    }
}
