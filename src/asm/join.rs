//! The functions and data of one fragment as one section.
//!
//! Correct means: the bytes of each stand one behind the other, and a branch from one to another is
//! complete.

use super::program::{FixupKind, Label, Section};

/// Sections in their order as one, under the name of the first.
pub(super) fn join(sections: Vec<Section>) -> Option<Section> {
    let mut sections = sections.into_iter();
    let mut whole = sections.next()?;
    let mut starts = Vec::new();
    for mut section in sections {
        let start = u32::try_from(whole.size()).unwrap_or(u32::MAX);
        starts.push((std::mem::take(&mut section.name), start));
        whole.bytes.append(&mut section.bytes);
        whole.listed += section.listed;
        for mut repeat in section.repeats {
            repeat.offset += start;
            whole.repeats.push(repeat);
        }
        for mut table in section.tables {
            table.offset += start;
            whole.tables.push(table);
        }
        for mut fixup in section.fixups {
            fixup.offset += start;
            fixup.end += start;
            whole.fixups.push(fixup);
        }
        for mut label in section.labels {
            label.offset += start;
            whole.labels.push(label);
        }
        for mut mark in section.lines {
            mark.offset += start;
            whole.lines.push(mark);
        }
    }
    let fixups = std::mem::take(&mut whole.fixups);
    // Where bytes are repeated, an offset is no index any more.
    let is_plain = whole.repeats.is_empty();
    for fixup in fixups {
        let own = starts.iter().find(|(name, _)| *name == fixup.symbol);
        let distance = own
            .filter(|_| fixup.kind == FixupKind::Rel32 && is_plain)
            .map(|(_, start)| i64::from(*start) + fixup.addend - i64::from(fixup.end));
        match distance.and_then(|distance| i32::try_from(distance).ok()) {
            Some(distance) => {
                let at = fixup.offset as usize;
                whole.bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
            }
            None => whole.fixups.push(fixup),
        }
    }
    for (name, offset) in starts {
        whole.labels.push(Label { name, offset });
    }
    whole
        .labels
        .sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    Some(whole)
}
