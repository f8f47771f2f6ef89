//! What stands there several times.
//!
//! Correct means: bytes are kept once with their number, wherever that says all, and what has to be written out each time
//! is bounded.

use super::{ItemKind, MOST_COPIES};
use crate::asm::encode::emit::Coder;
use crate::asm::inst::{Datum, Repeated, Times};
use crate::asm::problem::{Problem, Span};

pub(super) fn repeat<'a>(unit: Vec<u8>, count: u64) -> ItemKind<'a> {
    /// Far more than there is room for, and so little that sums of it do not overflow.
    const MOST_BYTES: u64 = 1 << 38;
    let most = MOST_BYTES / unit.len().max(1) as u64;
    ItemKind::Repeat(unit, count.min(most))
}

pub(super) fn not_in_code(span: Span) -> Problem {
    let message = "memory is reserved in data, and this is code";
    Problem::new(span, message).help(
        "put it into a section of its own, `data \"main.buffer\":`, and take its address by \
         `lea rcx, [\"main.buffer\"]`; room in code is `times 8 nop`",
    )
}

/// What `times` repeats, as often as it says; bytes of data once, with their number.
pub(super) fn written_out<'a>(
    times: Times<'a>,
    is_data: bool,
    coder: &mut Coder,
    copies: &mut u64,
) -> Result<Vec<ItemKind<'a>>, Problem> {
    let Times { count, span, what } = times;
    let mut take = |each: usize| {
        let wanted = count.saturating_mul(each as u64);
        *copies = copies.saturating_add(wanted);
        if *copies <= MOST_COPIES {
            return Ok(count as usize);
        }
        let message = format!(
            "`times` has to write {wanted} copies out here, and all of a text are at most {MOST_COPIES}"
        );
        let help =
            "write a loop; data may be `resb`, or `times` of numbers, and `setup` can fill them";
        Err(Problem::new(span, message).help(help))
    };
    let data = match what {
        Repeated::Inst(inst) => {
            let count = take(1)?;
            let item = ItemKind::of(inst, coder);
            // What is wrong is said once, even where it is not to be written at all.
            let count = if item.is_refused() { 1 } else { count };
            return Ok(vec![item; count]);
        }
        Repeated::Data(data) => data,
    };
    let mut unit = Vec::new();
    for datum in &data {
        match datum {
            Datum::Bytes(bytes) => unit.extend_from_slice(bytes),
            Datum::Address(..) | Datum::Distance(..) => {
                let weight = |datum: &Datum<'_>| match datum {
                    Datum::Bytes(bytes) => bytes.len().max(1),
                    Datum::Address(..) | Datum::Distance(..) => 1,
                };
                let count = take(data.iter().map(weight).sum())?;
                let once: Vec<ItemKind<'a>> = data.into_iter().map(ItemKind::Datum).collect();
                let all = std::iter::repeat_n(once, count);
                return Ok(all.flatten().collect());
            }
        }
    }
    if is_data {
        return Ok(vec![repeat(unit, count)]);
    }
    let count = take(unit.len())?;
    Ok(vec![ItemKind::Datum(Datum::Bytes(unit.repeat(count)))])
}
