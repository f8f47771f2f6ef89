//! The annotated hex dump of `show --heap`.
//!
//! Correct means: every byte that is printed stands in the linked data at that address, and every
//! pointer names what it points to.

use std::fmt::Write as _;

use super::heap::{Heap, Pointer};
use super::layout;
use crate::asm::{Repeat, Section, Stretch};

/// The fields of g that generated code reads, with their offsets.
#[rustfmt::skip] // a table: one field a line
const G_FIELDS: [(&str, u32); 5] = [
    ("stack.lo",    layout::G_STACK_LO),
    ("stack.hi",    layout::G_STACK_HI),
    ("stackguard0", layout::G_STACKGUARD0),
    ("_panic",      layout::G_PANIC),
    ("m",           layout::G_M),
];

/// Receivers that a dump shows; the others are like them.
const SHOWN_RECEIVERS: usize = 16;

/// Renders g at its address. Its words are zero here: the stack's are known only to a worker.
pub fn render_g(address: u64) -> String {
    let mut out = format!(
        "{address:#x} g  ({} bytes; the stack is a worker's own)\n",
        layout::G_SIZE
    );
    for (name, offset) in G_FIELDS {
        let _ = writeln!(out, "  +{offset:<3} {name}");
    }
    out
}

/// Renders what the harness loads for each object: the words of a pointer, Iface or Eface value.
pub fn render_receivers(
    receivers: impl Iterator<Item = [u64; 2]>,
    fields: &[&str],
    name: &dyn Fn(u64) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut receivers = receivers.enumerate();
    for (number, words) in receivers.by_ref().take(SHOWN_RECEIVERS) {
        let named = fields.iter().zip(words).map(|(field, word)| {
            let target = match word {
                0 => "nil".to_string(),
                _ => name(word).unwrap_or_else(|| format!("{word:#x}")),
            };
            format!("{field} -> {target}")
        });
        let named: Vec<String> = named.collect();
        let _ = writeln!(out, "receiver[{number}] {{{}}}", named.join(", "));
    }
    let more = receivers.count();
    if more > 0 {
        let _ = writeln!(out, "... {more} more");
    }
    out
}

/// Renders the heap as linked at `base`: offset in the symbol, bytes, field, and where it points.
///
/// `bytes` are the linked bytes of the heap, pointers filled in; `address` says where a name ended
/// up, because the template may have replaced it.
pub fn render(
    heap: &Heap,
    base: u64,
    bytes: &[u8],
    address: &dyn Fn(&str) -> Option<u64>,
) -> String {
    let mut out = String::new();
    for symbol in &heap.symbols {
        let own = base + u64::from(symbol.offset);
        let _ = writeln!(out, "{own:#x} {}  ({} bytes)", symbol.name, symbol.size);
        if let Some(other) = address(&symbol.name).filter(|&other| other != own) {
            let _ = writeln!(out, "  replaced by the template's own data at {other:#x}");
            continue;
        }
        let first = heap
            .fields
            .partition_point(|field| field.offset < symbol.offset);
        let end = symbol.offset + symbol.size;
        for field in heap.fields[first..].iter().take_while(|f| f.offset < end) {
            let at = field.offset as usize;
            let raw = &bytes[at..at + field.size as usize];
            let pointer = heap
                .pointers
                .binary_search_by_key(&field.offset, |pointer| pointer.offset);
            let led_to = heap
                .offsets
                .binary_search_by_key(&field.offset, |offset| offset.offset);
            let meaning = match (pointer, led_to) {
                (Ok(index), _) => target(&heap.pointers[index]),
                (_, Ok(index)) => format!("-> {}", name_at(heap, heap.offsets[index].target)),
                _ if !field.is_modelled => "not modelled".to_string(),
                _ if field.name == layout::NAME_TEXT => {
                    format!("{:?}", String::from_utf8_lossy(raw))
                }
                _ if field.name.eq_ignore_ascii_case("ptrToThis") => "none".to_string(),
                _ => number(raw),
            };
            let offset = field.offset - symbol.offset;
            line(&mut out, offset, raw, &field.name, &meaning);
        }
    }
    out
}

/// Renders data that the template defines itself: words, and what those that are addresses name; of
/// what is repeated, how much it is.
///
/// `linked` are the section's bytes at that address; nothing is read of its repeats.
pub fn render_section(
    section: &Section,
    address: u64,
    linked: &[u8],
    name: &dyn Fn(u64) -> Option<String>,
) -> String {
    let mut out = format!(
        "{address:#x} {}  ({} bytes)\n",
        section.name,
        section.size()
    );
    for (offset, stretch) in section.stretches() {
        let bytes = match stretch {
            Stretch::Written(bytes) => &linked[offset as usize..][..bytes.len()],
            Stretch::Repeated(repeat) => {
                let _ = writeln!(out, "  +{offset:<3} {}", repeated(repeat));
                continue;
            }
        };
        for (at, raw) in (offset as u32..).step_by(8).zip(bytes.chunks(8)) {
            let mut wide = [0u8; 8];
            wide[..raw.len()].copy_from_slice(raw);
            let target = name(u64::from_le_bytes(wide)).map(|name| format!("-> {name}"));
            line(&mut out, at, raw, "", &target.unwrap_or_default());
        }
    }
    out
}

/// `... 4096 bytes of 00`.
fn repeated(repeat: &Repeat) -> String {
    /// Bytes of a unit that are shown.
    const SHOWN: usize = 16;
    let shown = &repeat.unit[..repeat.unit.len().min(SHOWN)];
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if repeat.unit.len() > SHOWN { " .." } else { "" };
    format!("... {} bytes of {}{more}", repeat.size(), hex.join(" "))
}

/// One field: its offset, its bytes, its name, and what they mean.
pub(crate) fn line(out: &mut String, offset: u32, raw: &[u8], field: &str, meaning: &str) {
    let hex: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(
        "  +{offset:<3} {:<23}  {field:<15} {meaning}",
        hex.join(" ")
    );
    let _ = writeln!(out, "{}", text.trim_end());
}

/// What a pointer field points to: a symbol, or a place inside one.
fn target(pointer: &Pointer) -> String {
    match pointer.addend {
        0 => format!("-> {}", pointer.symbol),
        addend => format!("-> {}+{addend:#x}", pointer.symbol),
    }
}

/// The symbol of the heap at an offset.
fn name_at(heap: &Heap, target: u32) -> &str {
    let after = heap.symbols.partition_point(|own| own.offset <= target);
    after.checked_sub(1).map_or("", |at| &heap.symbols[at].name)
}

fn number(raw: &[u8]) -> String {
    let mut wide = [0u8; 8];
    wide[..raw.len()].copy_from_slice(raw);
    let value = u64::from_le_bytes(wide);
    if raw.len() == 4 {
        format!("{value:#010x}")
    } else {
        value.to_string()
    }
}
