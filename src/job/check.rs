//! What a Job must be for linking, laying out and running it to be safe for the process that does it.
//!
//! Correct means: nothing that passes here makes the linker, the Go model or the harness panic or
//! take memory without bound, and everything that assembling a template yields passes.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use super::{Ask, Counters, FakeScript, Job, JobRow, Kept, Plan};
use crate::asm::{CodePlace, Fixup, FixupKind, MAX_DATA, Section, SectionKind, Stretch};
use crate::go::object::{MOST_BYTES, Word};
use crate::go::{HeapKind, MAX_OBJECTS, layout};
use crate::injection::Latency;
use crate::job::{PLACEMENT_COUNTS, Placement, catalogue};
use crate::scenario::MAX_NUMBERS;
use crate::stats::Event;
use crate::template::params::{MAX_SITES, MAX_TYPES, SPACING};
use crate::template::{
    Clobbers, MAX_WORK, MOST_AHEAD, MOST_IN_A_BATCH, MOST_RESULTS, Order, PAIRS, Percent,
    RANDOM_ELEMENTS, ResultRegister,
};

/// Most bytes of code of one image, and of a heap whose objects are written when it is laid out.
pub const MAX_REGION: u64 = 256 << 20;
/// Most bytes of a heap whose objects lie in an array. Data sections have [`MAX_DATA`] beside it; what all have together
/// [`room`] bounds.
pub const MAX_HEAP: u64 = 7 << 28;
/// Most copies of a body.
pub const MAX_UNROLL: u32 = 1024;
/// Longest time that a row may be given, milliseconds.
pub const MAX_TIME_MS: f64 = 600_000.0;
/// Seconds that a row may be allowed.
pub const MAX_ROW_S: RangeInclusive<f64> = 0.1..=86_400.0;

/// What the harness itself takes on the way in and out, many times over.
const MIN_STEPS: u64 = 1_000;
const MAX_STEPS: u64 = 1_000_000;
/// Most iterations that are told step by step: more is nothing to read.
pub const MAX_TRACED: u64 = 1024;
/// Most iterations that the models of predictors are shown.
pub const MAX_MODELLED: u64 = 1 << 20;
/// Most iterations that a breakpoint counts: each takes some 20 µs.
const MAX_HEADS: u64 = 100_000;
const CHUNK_NS: RangeInclusive<f64> = 1_000.0..=10_000_000.0;
const PATIENCE: RangeInclusive<f64> = 1.0..=100.0;

/// What is wrong with a job, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `plan.seed`, `rows[2].program.sections[0].fixups[1]`, …; empty for the whole.
    pub place: String,
    /// One sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.place.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.place, self.message)
    }
}

impl Problem {
    pub(super) fn inside(mut self, outer: impl fmt::Display) -> Problem {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.place = format!("{outer}{dot}{}", self.place);
        self
    }
}

fn demand(holds: bool, place: &str, message: impl FnOnce() -> String) -> Result<(), Problem> {
    if holds {
        return Ok(());
    }
    Err(Problem {
        place: place.to_string(),
        message: message(),
    })
}

/// Checks all of a job but the symbols, which linking looks up.
///
/// # Errors
/// The first thing that is wrong.
pub fn job(job: &Job) -> Result<(), Problem> {
    plan(&job.plan).map_err(|problem| problem.inside("plan"))?;
    for (at, one) in job.rows.iter().enumerate() {
        row(one)
            .and_then(|()| room(one, job.plan.placements.len()))
            .map_err(|problem| problem.inside(format_args!("rows[{at}]")))?;
    }
    Ok(())
}

fn plan(plan: &Plan) -> Result<(), Problem> {
    demand(
        plan.time_ms > 0.0 && plan.time_ms <= MAX_TIME_MS,
        "time_ms",
        || {
            format!(
                "milliseconds from above 0 to {MAX_TIME_MS}, not {}",
                plan.time_ms
            )
        },
    )?;
    demand(MAX_ROW_S.contains(&plan.max_row_s), "max_row_s", || {
        let (least, most) = (MAX_ROW_S.start(), MAX_ROW_S.end());
        format!("seconds from {least} to {most}, not {}", plan.max_row_s)
    })?;
    demand(plan.heads <= MAX_HEADS, "heads", || {
        format!("at most {MAX_HEADS} iterations, not {}", plan.heads)
    })?;
    demand((0.0..=MAX_TIME_MS).contains(&plan.run_ms), "run_ms", || {
        format!("0 to {MAX_TIME_MS} milliseconds, not {}", plan.run_ms)
    })?;
    demand(
        (0.0..=MAX_TIME_MS).contains(&plan.infer_ms),
        "infer_ms",
        || {
            format!(
                "milliseconds from 0 to {MAX_TIME_MS}, not {}",
                plan.infer_ms
            )
        },
    )?;
    demand(PATIENCE.contains(&plan.patience), "patience", || {
        format!(
            "{} to {} times the time, not {}",
            PATIENCE.start(),
            PATIENCE.end(),
            plan.patience
        )
    })?;
    demand(CHUNK_NS.contains(&plan.chunk_ns), "chunk_ns", || {
        format!(
            "nanoseconds from {} to {}, not {}",
            CHUNK_NS.start(),
            CHUNK_NS.end(),
            plan.chunk_ns
        )
    })?;
    demand(
        (MIN_STEPS..=MAX_STEPS).contains(&plan.step_budget),
        "step_budget",
        || format!("{MIN_STEPS} to {MAX_STEPS} steps, not {}", plan.step_budget),
    )?;
    demand(plan.interpreted <= RANDOM_ELEMENTS, "interpreted", || {
        format!(
            "up to {RANDOM_ELEMENTS} iterations, not {}",
            plan.interpreted
        )
    })?;
    demand((1..=MAX_STEPS).contains(&plan.verified), "verified", || {
        format!("1 to {MAX_STEPS} steps, not {}", plan.verified)
    })?;
    let (asked, most) = match plan.ask {
        Ask::Measure => (1, 1),
        Ask::Trace(iterations) => (iterations, MAX_TRACED),
        Ask::Model(iterations) => (iterations, MAX_MODELLED),
    };
    demand((1..=most).contains(&asked), "ask", || {
        format!("1 to {most} iterations, not {asked}")
    })?;
    demand(plan.modelled <= MAX_MODELLED, "modelled", || {
        format!("at most {MAX_MODELLED} iterations, not {}", plan.modelled)
    })?;
    let further = catalogue::list(&plan.further);
    demand(further.is_ok(), "further", || "names of events".into())?;
    let count = plan.placements.len();
    const MOST: usize = PLACEMENT_COUNTS[PLACEMENT_COUNTS.len() - 1];
    demand((1..=MOST).contains(&count), "placements", || {
        format!("1 to {MOST} of them, not {count}")
    })?;
    let is_in_line = |one: &Placement| one.loop_head < 64 && one.callee < 64;
    demand(plan.placements.iter().all(is_in_line), "placements", || {
        "offsets in a line of 64 bytes are 0 to 63".into()
    })?;
    match &plan.counters {
        Counters::Fake(script) => fake(script).map_err(|problem| problem.inside("counters.fake")),
        _ => Ok(()),
    }
}

/// Checks a script of readings: numbers whose quotients are numbers.
///
/// # Errors
/// The first thing that is wrong.
pub fn fake(script: &FakeScript) -> Result<(), Problem> {
    const USUAL: RangeInclusive<f64> = 1e-9..=1e12;
    let usual = |place: &str, value: f64, least: f64| {
        demand((least..=*USUAL.end()).contains(&value), place, || {
            format!("a number from {least} to {}, not {value}", USUAL.end())
        })
    };
    usual("tsc_hz", script.tsc_hz, *USUAL.start())?;
    usual("cycles_per_tick", script.cycles_per_tick, *USUAL.start())?;
    let delayed = script.delayed.values().flatten();
    for value in script.cycles.values().flatten().chain(delayed) {
        usual("cycles", *value, 0.0)?;
    }
    for count in script.further.values().flat_map(|rows| rows.values()) {
        usual("further", *count, 0.0)?;
    }
    for reading in script.events.values().flatten() {
        for event in Event::ALL {
            usual("events", reading.of(event).unwrap_or(0.0), 0.0)?;
        }
    }
    Ok(())
}

/// Checks one row.
///
/// # Errors
/// The first thing that is wrong.
pub fn row(row: &JobRow) -> Result<(), Problem> {
    sections(row)?;
    heap(row)?;
    receivers(row)?;
    kept(row)?;
    result(row)?;
    demand(
        row.settings.walk.stride >= 1,
        "settings.walk.stride",
        || "0 is no step".into(),
    )?;
    demand(
        i64::from(row.settings.walk.stride) <= MAX_OBJECTS
            && row.settings.walk.order != Order::Runs(0),
        "settings.walk",
        || format!("a stride is at most {MAX_OBJECTS}, a run at least 1"),
    )?;
    order(row)?;
    demand((1..=MAX_UNROLL).contains(&row.unroll), "unroll", || {
        format!("1 to {MAX_UNROLL} copies, not {}", row.unroll)
    })?;
    let has_heap = row.heap.kind != HeapKind::None;
    demand(row.unroll == 1 || !row.has_walk(), "unroll", || {
        "only a row without a walk has more than one body in a turn".into()
    })?;
    demand(
        has_heap || !row.settings.recover,
        "settings.recover",
        || "only a row with a heap recovers panics".into(),
    )?;
    let spacing = i64::from(row.settings.spacing);
    let is_allowed =
        (SPACING.0..=SPACING.1).contains(&spacing) && row.settings.spacing.is_power_of_two();
    demand(is_allowed, "settings.spacing", || {
        format!(
            "a power of two from {} to {}, not {spacing}",
            SPACING.0, SPACING.1
        )
    })?;
    surroundings(row)?;
    sizes(row)
}

/// Checks that an order that goes by types finds an object for each visit.
fn order(row: &JobRow) -> Result<(), Problem> {
    let types: BTreeSet<u32> = row.heap.objects.iter().copied().collect();
    if let Order::Hot(share) = row.settings.walk.order {
        demand(
            share <= Percent::ALL && (types.len() > 1 || share == Percent::ALL),
            "settings.walk.order",
            || "a share is at most everything, and everything where there is one type".into(),
        )?;
    }
    let length = row.recorded.len();
    let allowed = match row.settings.walk.order {
        Order::Recorded => 1..=MAX_NUMBERS,
        _ => 0..=0,
    };
    demand(allowed.contains(&length), "recorded", || {
        format!(
            "{} to {} type numbers, not {length}",
            allowed.start(),
            allowed.end()
        )
    })?;
    let known = row.recorded.iter().all(|number| types.contains(number));
    demand(known, "recorded", || "each is the type of an object".into())
}

/// Checks what the harness puts around the body, and where.
fn surroundings(row: &JobRow) -> Result<(), Problem> {
    demand(
        row.settings.align.unwrap_or(0) < 64,
        "settings.align",
        || "an offset in a line of 64 bytes is 0 to 63".into(),
    )?;
    if row.settings.work.is_none() {
        return Ok(());
    }
    demand(row.settings.work.count <= MAX_WORK, "settings.work", || {
        format!(
            "at most {MAX_WORK} instructions, not {}",
            row.settings.work.count
        )
    })?;
    demand(row.has_walk() && row.unroll == 1, "settings.work", || {
        "only a row with a heap and one body in a turn has work around it".into()
    })?;
    let mut sections = row.program.sections.iter();
    demand(
        !sections.any(|one| one.kind == SectionKind::Setup),
        "settings.work",
        || "a setup section may hold values in the registers that the work needs".into(),
    )
}

fn sections(row: &JobRow) -> Result<(), Problem> {
    let all = &row.program.sections;
    let count = |kind| all.iter().filter(|section| section.kind == kind).count();
    demand(
        count(SectionKind::Body) == 1 && count(SectionKind::Setup) <= 1,
        "program.sections",
        || "one body, and at most one setup".into(),
    )?;
    for (at, one) in all.iter().enumerate() {
        section(one).map_err(|problem| problem.inside(format_args!("program.sections[{at}]")))?;
        let place = one.place.filter(|_| one.kind == SectionKind::Func);
        let refusal = place.and_then(CodePlace::refusal);
        demand(
            place == one.place && refusal.is_none(),
            "program.sections.place",
            || {
                refusal
                    .clone()
                    .unwrap_or("only functions are placed".into())
            },
        )?;
    }
    let sites = row.injection.sites();
    demand(sites.len() <= MAX_SITES, "sites", || {
        format!("at most {MAX_SITES} branches are studied")
    })?;
    for site in sites {
        let (at, offset) = site.place;
        let replaced = all.get(at);
        demand(
            replaced.is_some_and(|section| offset as usize <= section.bytes.len()),
            "sites",
            || "a label stands in a section that is there".into(),
        )?;
        let Latency::Delayed { copies, .. } = &site.latency else {
            continue;
        };
        for copy in &copies[..] {
            section(copy).map_err(|problem| problem.inside("sites"))?;
            let is_alike = |one: &Section| {
                (one.kind, &one.name, one.place) == (copy.kind, &copy.name, copy.place)
                    && one.kind != SectionKind::Data
            };
            demand(replaced.is_some_and(is_alike), "sites", || {
                "a copy stands for a section of code of its kind and name".into()
            })?;
        }
    }
    Ok(())
}

/// Checks that a section's repeats are stretches of it, and that it is no larger than data can be.
fn repeats(section: &Section) -> Result<(), Problem> {
    let is_data = section.kind == SectionKind::Data;
    demand(is_data || section.repeats.is_empty(), "repeats", || {
        "only data are repeated".into()
    })?;
    let (mut end, mut repeated) = (0u64, 0u64);
    for (at, one) in section.repeats.iter().enumerate() {
        let place = format!("repeats[{at}]");
        demand(!one.unit.is_empty() && one.count >= 1, &place, || {
            "at least one byte, at least once".into()
        })?;
        let offset = u64::from(one.offset);
        // In front of it stands what is repeated earlier, and some of what is written out.
        let is_inside = offset >= end && offset - repeated <= section.bytes.len() as u64;
        demand(is_inside, &place, || {
            format!("the offset {offset} is not where one can begin")
        })?;
        end = offset.saturating_add(one.size());
        repeated = repeated.saturating_add(one.size());
        demand(end <= MAX_DATA, &place, || {
            format!("it ends behind the {MAX_DATA} bytes that data may take")
        })?;
    }
    let size = section.size();
    demand(!is_data || size <= MAX_DATA, "bytes", || {
        format!("{size} bytes of data; at most {MAX_DATA} fit")
    })
}

fn section(section: &Section) -> Result<(), Problem> {
    repeats(section)?;
    let size = section.size();
    let is_inside = |offset: u32| u64::from(offset) <= size;
    let lines_count_from_1 = || "lines count from 1".to_string();
    demand(section.line >= 1, "line", lines_count_from_1)?;
    demand(
        section.labels.iter().all(|label| is_inside(label.offset)),
        "labels",
        || format!("an offset lies behind the section's {size} bytes"),
    )?;
    let marks = &section.lines;
    demand(
        marks
            .windows(2)
            .all(|pair| pair[0].offset <= pair[1].offset)
            && marks.iter().all(|mark| is_inside(mark.offset)),
        "lines",
        || format!("offsets ascend, and end with the section's {size} bytes"),
    )?;
    demand(
        marks.iter().all(|mark| mark.line >= 1),
        "lines",
        lines_count_from_1,
    )?;
    let written: Vec<(u64, &[u8])> = section
        .stretches()
        .filter_map(|(at, stretch)| match stretch {
            Stretch::Written(bytes) => Some((at, bytes)),
            Stretch::Repeated(_) => None,
        })
        .collect();
    for (at, one) in section.fixups.iter().enumerate() {
        fixup(one, &written, size)
            .map_err(|problem| problem.inside(format_args!("fixups[{at}]")))?;
    }
    Ok(())
}

/// `written` are the stretches that are written out, with their offsets.
fn fixup(fixup: &Fixup, written: &[(u64, &[u8])], size: u64) -> Result<(), Problem> {
    let width = match fixup.kind {
        FixupKind::Rel32 | FixupKind::Abs32 => 4,
        FixupKind::Abs64 => 8,
    };
    let start = u64::from(fixup.offset);
    let after = written.partition_point(|(at, _)| *at <= start);
    let stretch = after.checked_sub(1).map(|at| written[at]);
    let field = stretch.and_then(|(at, bytes)| {
        let start = (start - at) as usize;
        bytes.get(start..start.saturating_add(width))
    });
    demand(field.is_some(), "offset", || {
        format!(
            "a field of {width} bytes at {start} does not fit what is written out of the section's {size}"
        )
    })?;
    demand(
        field.is_some_and(|field| field.iter().all(|&byte| byte == 0)),
        "offset",
        || "the field to be filled is not zero".into(),
    )?;
    demand(
        fixup.kind != FixupKind::Rel32
            || (start + width as u64..=size).contains(&u64::from(fixup.end)),
        "end",
        || "the instruction ends inside its field or behind the section".into(),
    )?;
    demand(fixup.line >= 1 && fixup.column >= 1, "line", || {
        "lines and columns count from 1".into()
    })
}

fn heap(row: &JobRow) -> Result<(), Problem> {
    let heap = &row.heap;
    let (types, objects) = (heap.types.len(), heap.objects.len());
    demand(types as i64 <= MAX_TYPES, "heap.types", || {
        format!("at most {MAX_TYPES}, not {types}")
    })?;
    let wanted = match heap.kind {
        HeapKind::None => 0..=0,
        _ => 1..=MAX_OBJECTS as usize,
    };
    demand(wanted.contains(&objects), "heap.objects", || {
        format!("{} to {}, not {objects}", wanted.start(), wanted.end())
    })?;
    demand(
        !heap.indexed || (heap.kind != HeapKind::None && row.clobbers == Clobbers::All),
        "heap.indexed",
        || "there is a heap, and `clobbers` is all".into(),
    )?;
    let is_known = |&index: &u32| (index as usize) < types;
    demand(heap.objects.iter().all(is_known), "heap.objects", || {
        format!("each is the index of one of {types} types")
    })
}

fn result(row: &JobRow) -> Result<(), Problem> {
    /// Registers that keep the harness's state where the body may not clobber all.
    const HARNESS: RangeInclusive<u8> = 12..=15;
    const RSP: u8 = 4;
    for &ResultRegister { number, bits } in &row.results {
        let is_free = row.clobbers == Clobbers::All || !HARNESS.contains(&number);
        demand(
            number < 16 && number != RSP && is_free,
            "result.number",
            || format!("register {number} cannot hold a result"),
        )?;
        demand([8, 16, 32, 64].contains(&bits), "result.bits", || {
            format!("8, 16, 32 or 64, not {bits}")
        })?;
    }
    let count = row.results.len();
    demand(count <= MOST_RESULTS, "result", || {
        format!("at most {MOST_RESULTS} registers, not {count}")
    })?;
    let formulas = row.expect.len();
    let is_wanted = row.is_by_element() && row.expected.is_none();
    demand(
        formulas == 0 || formulas == count && is_wanted,
        "expect",
        || format!("a formula for each of {count} results, where elements decide them"),
    )?;
    let Some(expected) = &row.expected else {
        return Ok(());
    };
    demand(count > 0, "expected", || {
        "nothing says where the result is".into()
    })?;
    demand(!row.is_by_element(), "expected", || {
        "more than an object decides the result".into()
    })?;
    let objects = row.heap.objects.len().max(1);
    demand(
        expected.len() == 1 || expected.len() == objects,
        "expected",
        || {
            format!(
                "one value, or one for each object: {objects}, not {}",
                expected.len()
            )
        },
    )
}

/// The registers that keep a receiver where there is no walk.
fn kept(row: &JobRow) -> Result<(), Problem> {
    const HARNESS: [u8; 5] = [4, 12, 13, 14, 15];
    let is_sound = |kept: &Kept| {
        let is_harness = row.clobbers == Clobbers::Some && HARNESS.contains(&kept.from);
        kept.from < 16 && kept.from != 4 && !is_harness && PAIRS[0].contains(&kept.to)
    };
    let words = match row.settings.is_still {
        true => row.words(),
        false => 0,
    };
    demand(
        row.kept.len() == words && row.kept.iter().all(is_sound),
        "kept",
        || format!("registers for {words} words of a receiver"),
    )?;
    demand(
        !row.settings.is_still
            || row.heap.objects.len() == 1 && !row.heap.indexed && !row.settings.recover,
        "settings.is_still",
        || "one object, and no panic that is recovered".into(),
    )
}

/// What objects and receivers hold, and what an element has of them.
fn receivers(row: &JobRow) -> Result<(), Problem> {
    let (heap, element) = (&row.heap, row.settings.element);
    let is_plain_heap = heap.kind == HeapKind::None;
    demand(
        heap.words.is_empty() || heap.kind == HeapKind::Pointer && heap.words.len() <= 2,
        "heap.words",
        || "one or two, of a heap of pointers".into(),
    )?;
    if let Some(shape) = &heap.object {
        let is_sound = |word: &Word| {
            let end = word.offset.checked_add(word.bytes);
            [1, 2, 4, 8].contains(&word.bytes) && end.is_some_and(|end| end <= shape.size)
        };
        demand(
            !matches!(heap.kind, HeapKind::None | HeapKind::Func)
                && (1..=MOST_BYTES).contains(&shape.size)
                && shape.align.is_power_of_two()
                && shape.align <= MOST_BYTES
                && shape.size.is_multiple_of(shape.align)
                && shape.words.iter().all(is_sound),
            "heap.object",
            || format!("words within an object of at most {MOST_BYTES} bytes"),
        )?;
        let is_narrow = |word: &&Word| word.bytes < 8 && word.value.has_address();
        let is_early = |word: &&Word| word.value.is_of_the_element();
        demand(
            !shape
                .words
                .iter()
                .any(|word| is_narrow(&word) || is_early(&word)),
            "heap.object",
            || "addresses take 8 bytes, and elements are not known yet".into(),
        )?;
    }
    demand(
        heap.interfaces.is_empty() || matches!(heap.kind, HeapKind::Iface | HeapKind::Eface),
        "heap.interfaces",
        || "only of a heap of interfaces".into(),
    )?;
    let is_sound = (1..=2).contains(&element.walks)
        && element.ahead <= MOST_AHEAD
        && (element.batch == 0 || element.batch.is_power_of_two())
        && element.batch <= MOST_IN_A_BATCH
        && element.check().is_ok();
    demand(is_sound, "settings.element", || {
        "two walks, receivers ahead or a batch, and no two of them".into()
    })?;
    demand(
        element.is_plain() || !is_plain_heap && !heap.indexed && row.settings.work.is_none(),
        "settings.element",
        || "with a heap, without `indexed` and `work`".into(),
    )?;
    demand(!is_plain_heap || !row.is_by_element(), "expect", || {
        "without a heap there is no element".into()
    })?;
    demand(!heap.indexed || !row.is_by_element(), "expect", || {
        "receivers in an array hang on their object alone".into()
    })
}

/// Checks what code and data will take.
///
/// # Errors
/// Where code of one image would be larger than [`MAX_REGION`], the heap than [`MAX_HEAP`], or the data sections than
/// [`MAX_DATA`].
pub fn sizes(row: &JobRow) -> Result<(), Problem> {
    let code = code_bytes(row);
    demand(code <= MAX_REGION, "", || {
        format!(
            "{code} bytes of code; at most {MAX_REGION} fit: lower `spacing`, the types or the body"
        )
    })?;
    let own = data_bytes(row);
    demand(own <= MAX_DATA, "", || {
        format!("{own} bytes in data sections; at most {MAX_DATA} (1 GiB) fit: reserve less")
    })?;
    let data = heap_bytes(row);
    let most = match row.heap.kind {
        HeapKind::Func => MAX_REGION,
        _ => MAX_HEAP,
    };
    demand(data <= most, "", || {
        format!("up to {data} bytes of data; at most {most} fit: lower the types or objects")
    })
}

/// Alignment of data sections, and the most that one of the model's has.
const ALIGN: u64 = 64;

/// Bytes of the data sections.
pub fn data_bytes(row: &JobRow) -> u64 {
    bytes_of(row, SectionKind::Data, |bytes| bytes)
}

/// Bytes of data that are no section's, at most, and what aligns the sections.
fn heap_bytes(row: &JobRow) -> u64 {
    let types = row.heap.types.len() as u64;
    let further = row
        .heap
        .interfaces
        .iter()
        .map(|one| one.methods.len() as u64);
    let methods = row.heap.methods.len() as u64 + further.clone().sum::<u64>();
    let itabs = 1 + further.len() as u64;
    let one_type = u64::from(layout::TYPE_SIZE + layout::INTERFACE_TYPE_SIZE) * itabs
        + 8 * methods
        + ALIGN * itabs;
    // What a type refers to: its pointer type and its name, which has its package's path at most.
    let names = row.heap.types.iter().chain(&row.heap.methods);
    let names = names.map(|name| name.len() as u64 + 2 * ALIGN).sum::<u64>();
    let signatures = row.heap.signatures.iter();
    let signatures = signatures
        .map(|one| 10 * one.len() as u64 + 2 * ALIGN)
        .sum::<u64>();
    let array = if row.heap.indexed {
        8 * row.words() as u64
    } else {
        0
    };
    let objects = row.heap.objects.len() as u64 * (u64::from(row.heap.object_bytes()) + array);
    let align = row
        .heap
        .object
        .as_ref()
        .map_or(0, |shape| u64::from(shape.align));
    let aligned = bytes_of(row, SectionKind::Data, |_| ALIGN);
    (types + 1)
        .saturating_mul(one_type)
        .saturating_add(objects + align + aligned + names + signatures)
}

/// Checks what the code of all images will take, and with it their data.
///
/// # Errors
/// Where the code is more than five images of [`MAX_REGION`], which is what a worker has room for, or
/// where an instruction could not reach the data from all of it.
pub fn room(row: &JobRow, placements: usize) -> Result<(), Problem> {
    const ROOM: u64 = 5 * MAX_REGION;
    /// A distance has 31 bits; the rest is for the harness's own code and for whole pages.
    const REACH: u64 = (1 << 31) - (64 << 20);
    let images = placements as u64 + 1 + row.injection.images() as u64;
    let code = code_bytes(row).saturating_add(delay_bytes(row)) * images;
    demand(code <= ROOM, "", || {
        format!(
            "{code} bytes of code in {images} images; at most {ROOM} fit: lower `--placements`, `spacing` or the types"
        )
    })?;
    let data = data_bytes(row).saturating_add(heap_bytes(row));
    demand(data.saturating_add(code) <= REACH, "", || {
        format!(
            "{code} bytes of code in {images} images beside {data} bytes of data; at most {REACH} fit together: lower `--placements` or reserve less"
        )
    })
}

/// The most bytes that latency in front of a branch adds to an image.
fn delay_bytes(row: &JobRow) -> u64 {
    let added = |image: usize| {
        let sections = row.program.sections.iter().enumerate();
        let longer = sections.filter_map(|(at, own)| {
            let copy = row.injection.copy(at, image)?;
            Some(copy.bytes.len().saturating_sub(own.bytes.len()))
        });
        longer.max().unwrap_or(0)
    };
    let most = (0..row.injection.images()).map(added).max();
    most.unwrap_or(0) as u64 * u64::from(row.unroll)
}

/// Bytes of code of one image, the harness left out.
fn code_bytes(row: &JobRow) -> u64 {
    let spacing = u64::from(row.settings.spacing.max(1));
    let bodies = bytes_of(row, SectionKind::Body, |bytes| bytes);
    let setups = bytes_of(row, SectionKind::Setup, |bytes| bytes);
    let functions = bytes_of(row, SectionKind::Func, |bytes| {
        bytes.max(1).next_multiple_of(spacing)
    });
    let places = row.program.sections.iter().filter_map(|one| one.place);
    let beside = places.map(|place| match place {
        CodePlace::Behind(distance) => u64::from(distance),
        CodePlace::Page(offset) => u64::from(CodePlace::PAGE + offset),
        CodePlace::Align(to) => u64::from(to),
    });
    let functions = beside.fold(functions, u64::saturating_add);
    bodies * u64::from(row.unroll) + setups + functions
}

fn bytes_of(row: &JobRow, kind: SectionKind, taken: impl Fn(u64) -> u64) -> u64 {
    let sections = row.program.sections.iter().filter(|one| one.kind == kind);
    let taken = sections.map(|one| taken(one.size()));
    taken.fold(0, u64::saturating_add)
}
