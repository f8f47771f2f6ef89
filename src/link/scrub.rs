//! What is scrubbed between cold calls: lines of an image that are flushed, and code that takes the
//! place of branches in predictors.
//!
//! Correct means: the flushed lines hold every byte of the state that `cold` names and none of the
//! harness's own data; both blocks of code have the same length and compute the same, and only one
//! of them has branches.

use std::ops::Range;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

use super::{HEAP_OFFSET, Image, Owner, Piece};
use crate::job::JobRow;
use crate::template::Cold;

/// Bytes of a cache line, on every x86-64 CPU so far.
pub const LINE: u64 = 64;
/// Cells of a block, a line each, so that branches stand in every set of a predictor. With two branches in each they are more than the 4,096 to 12,288 targets that
/// current cores are known to remember.
pub const CELLS: u64 = 8192;

/// Why a row has no cold calls, where it cannot have them.
pub fn refusal(row: &JobRow, image: &Image) -> Option<&'static str> {
    match row.settings.cold {
        Cold::None => None,
        _ if row.copies() > 1 => Some(
            "with `unroll` or `batch` above 1 one turn of the loop has several calls, and only the first is cold; \
             leave both out",
        ),
        Cold::Dcache if flushed(row.settings.cold, image).is_empty() => {
            Some("there are no data to flush: the template has neither a heap nor a `data` section")
        }
        Cold::Dcache if bytes(&flushed(row.settings.cold, image)) > MOST_FLUSHED => Some(
            "there are more than 256 MiB of data to flush before each call, which takes seconds; reserve less",
        ),
        Cold::Predictor | Cold::Icache | Cold::Dcache => None,
    }
}

/// Most bytes that are flushed before each call.
const MOST_FLUSHED: u64 = 256 << 20;

fn bytes(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// The lines that are flushed, as ascending ranges that do not touch; none where nothing is.
///
/// Of the code, all lines that hold a byte of the body or of a function. The rest of the harness
/// stays in the caches, with the setup and the modelled functions of the runtime, which share lines
/// with it; in the empty iteration, that is all that runs. Of the data, the heap and the data sections:
/// types, itabs, objects; neither the walk nor what the harness itself reads and writes.
pub fn flushed(cold: Cold, image: &Image) -> Vec<Range<u64>> {
    match cold {
        Cold::None | Cold::Predictor => Vec::new(),
        Cold::Icache => {
            let is_own = |piece: &&Piece| {
                matches!(piece.owner, Owner::Section(_))
                    && !image.setup.contains(&piece.addresses.start)
            };
            let own = image.pieces.iter().filter(is_own);
            lines(own.map(|piece| piece.addresses.clone()))
        }
        Cold::Dcache => {
            let data = image.site.data;
            let start = data + u64::from(HEAP_OFFSET);
            lines(std::iter::once(start..image.data_addresses.end))
        }
    }
}

/// The lines of some addresses.
fn lines(addresses: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let whole = addresses.into_iter().filter(|one| !one.is_empty());
    let whole = whole.map(|one| one.start / LINE * LINE..one.end.next_multiple_of(LINE));
    let mut sorted: Vec<Range<u64>> = whole.collect();
    sorted.sort_by_key(|one| one.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for one in sorted {
        match merged.last_mut() {
            Some(last) if one.start <= last.end => last.end = last.end.max(one.end),
            _ => merged.push(one),
        }
    }
    merged
}

/// Two blocks as `extern "sysv64" fn(seed: u64)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The code.
    pub code: Vec<u8>,
    /// Offset of the block with branches.
    pub branching: u32,
    /// Offset of the one without.
    pub straight: u32,
}

/// Emits both. Position-independent.
pub fn emit() -> Blocks {
    let mut ops = VecAssembler::<X64Relocation>::new(0);
    let branching = ops.offset().0 as u32;
    emit_block(&mut ops, true);
    let straight = ops.offset().0 as u32;
    emit_block(&mut ops, false);
    match ops.finalize() {
        Ok(code) => Blocks {
            code,
            branching,
            straight,
        },
        Err(error) => unreachable!("the blocks have only local labels, all bound: {error}"),
    }
}

/// Each cell tosses two coins, by a linear congruential generator that begins with the seed in rdi:
/// one decides a conditional jump to the next instruction, the other which of two places in the next
/// cell an indirect jump goes to.
fn emit_block(ops: &mut VecAssembler<X64Relocation>, is_branching: bool) {
    dynasm!(ops
        ; .arch x64
        ; or rdi, 1
        ; mov r8, rdi
        ; .align 64
    );
    for _ in 0..CELLS {
        dynasm!(ops
            ; .arch x64
            ; early:
            ; nop
            ; late:
            ; imul r8, r8, 0x5851_f42d
            ; add r8, rdi
            ; test r8, r8
        );
        if is_branching {
            dynasm!(ops; .arch x64; js >tossed; tossed:);
        }
        dynasm!(ops
            ; .arch x64
            ; lea rax, [>early]
            ; lea rcx, [>late]
            ; bt r8, 61
            ; cmovc rax, rcx
        );
        if is_branching {
            dynasm!(ops; .arch x64; jmp rax);
        }
        dynasm!(ops; .arch x64; .align 64);
    }
    dynasm!(ops
        ; .arch x64
        ; early:
        ; nop
        ; late:
        ; ret
        ; .align 64
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

    use super::*;
    use crate::link::frame::{self, context};
    use crate::prepare::{Prepared, prepare};
    use crate::scenario::Scenario;
    use crate::template::{Origin, Template};

    const TEXT: &str = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n\
        ;! params = { targets = 3, objects = 7 }\n;! result = \"eax\"\n;! expect = \"type\"\n\
        body:\n mov rcx, [rax + 24]\n call rcx\nfunc \"main.(*T0).Id\":\n mov eax, 1\n ret\n\
        func \"main.(*T1).Id\":\n mov eax, [two]\n ret\nfunc \"main.(*T2).Id\":\n mov eax, 3\n ret\n\
        data \"two\":\n dd 2\n";

    fn prepared(text: &str, cold: Cold) -> Prepared {
        let template = Template::parse("t", Origin::Stdin, text.to_string()).expect("sound");
        let given = [("cold".to_string(), cold.to_string())];
        let scenario = Scenario::bind(Arc::new(template), &given).expect("binds");
        prepare(&scenario).expect("assembles")
    }

    /// The lines, byte by byte.
    fn lines_of(bytes: impl Iterator<Item = u64>) -> BTreeSet<u64> {
        bytes.map(|byte| byte / LINE).collect()
    }

    fn flushed_lines(cold: Cold, image: &Image) -> BTreeSet<u64> {
        let flushed = flushed(cold, image);
        let apart = flushed.windows(2).all(|pair| pair[0].end < pair[1].start);
        assert!(apart, "{flushed:x?}");
        let is_whole =
            |one: &Range<u64>| one.start.is_multiple_of(LINE) && one.end.is_multiple_of(LINE);
        assert!(flushed.iter().all(is_whole), "{flushed:x?}");
        lines_of(flushed.into_iter().flatten())
    }

    #[test]
    fn the_flushed_code_is_what_the_template_wrote_and_not_the_way_in() {
        for spacing in ["", " spacing = 256,"] {
            let text = TEXT.replace("{ targets", &format!("{{{spacing} targets"));
            let prepared = prepared(&text, Cold::Icache);
            let image = &prepared.image;
            let lines = flushed_lines(Cold::Icache, image);
            let is_own = |address: &u64| {
                image.body.contains(address)
                    || image.symbol_at(*address).is_some_and(|symbol| {
                        let bytes = symbol.address..symbol.address + symbol.size;
                        symbol.name.starts_with("main.") && bytes.contains(address)
                    })
            };
            let code = image.site.code..image.site.code + image.code.len() as u64;
            assert_eq!(lines, lines_of(code.filter(is_own)));
            assert!(!lines.contains(&(image.entry / LINE)));
        }
    }

    #[test]
    fn the_flushed_data_are_all_symbols_outside_the_code_and_no_state_of_the_harness() {
        let prepared = prepared(TEXT, Cold::Dcache);
        let image = &prepared.image;
        let lines = flushed_lines(Cold::Dcache, image);
        let is_data = |address: u64| address >= image.site.data;
        let named = image.symbols.iter().filter(|one| is_data(one.address));
        let mut count = 0;
        for symbol in named {
            count += 1;
            let bytes = symbol.address..symbol.address + symbol.size.max(1);
            assert!(lines_of(bytes).is_subset(&lines), "{}", symbol.name);
        }
        // Three types, three itabs and the data section at least.
        assert!(count >= 7, "{count}");
        for receiver in image.receivers.all(&prepared.row).flatten() {
            assert!(lines.contains(&(receiver / LINE)));
        }
        let own = [context::STACK, context::COMPLETE, context::SUM, frame::G];
        for offset in own {
            let line = (image.site.data + u64::from(offset)) / LINE;
            assert!(!lines.contains(&line), "{offset}");
        }
        assert!(
            flushed(Cold::Predictor, image).is_empty() && flushed(Cold::None, image).is_empty()
        );
    }

    #[test]
    fn what_cannot_be_cold_says_why() {
        let why = |text: &str, cold| {
            let prepared = prepared(text, cold);
            refusal(&prepared.row, &prepared.image)
        };
        let plain = "body:\n nop\n";
        for cold in Cold::ALL {
            assert_eq!(why(TEXT, cold), None);
            let unrolled = why(";! unroll = 2\nbody:\n nop\n", cold);
            let says_so = unrolled.is_some_and(|why| why.contains("unroll"));
            assert_eq!(says_so, cold != Cold::None);
        }
        assert_eq!(why(plain, Cold::Icache), None);
        assert!(why(plain, Cold::Dcache).is_some_and(|why| why.contains("no data")));
    }

    fn instructions(code: &[u8], start: u64) -> Vec<Instruction> {
        Decoder::with_ip(64, code, start, DecoderOptions::NONE)
            .into_iter()
            .collect()
    }

    #[test]
    fn one_block_has_two_branches_a_cell_and_the_other_has_none() {
        let blocks = emit();
        let length = blocks.straight;
        assert_eq!(blocks.branching, 0);
        assert_eq!(blocks.code.len() as u64, 2 * u64::from(length));
        assert_eq!(u64::from(length), (CELLS + 2) * LINE);
        let (branching, straight) = blocks.code.split_at(length as usize);
        let count = |code: &[u8], of: FlowControl| {
            let all = instructions(code, 0).into_iter();
            all.filter(|one| one.flow_control() == of).count() as u64
        };
        assert_eq!(count(branching, FlowControl::ConditionalBranch), CELLS);
        assert_eq!(count(branching, FlowControl::IndirectBranch), CELLS);
        assert_eq!(count(straight, FlowControl::ConditionalBranch), 0);
        assert_eq!(count(straight, FlowControl::IndirectBranch), 0);
        for code in [branching, straight] {
            assert_eq!(count(code, FlowControl::Return), 1);
        }
    }

    #[test]
    fn both_ways_of_a_cell_lead_into_the_next_one() {
        let blocks = emit();
        let code = instructions(&blocks.code[..blocks.straight as usize], 0);
        let leas = code
            .iter()
            .filter(|one| one.mnemonic() == iced_x86::Mnemonic::Lea);
        for (at, pair) in leas.collect::<Vec<_>>().chunks(2).enumerate() {
            let next = (at as u64 + 2) * LINE;
            let targets = [pair[0], pair[1]].map(|one| one.memory_displacement64());
            assert_eq!(targets, [next, next + 1], "cell {at}");
        }
    }
}
