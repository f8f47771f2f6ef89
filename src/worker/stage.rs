//! One row's images in memory, ready to be entered.
//!
//! Correct means: each entry starts from the same context, g and stack, and everything that the
//! code must leave alone is compared at the exit.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use crate::counter::Request;
use crate::go::layout;
use crate::job::{Failure, JobRow, PanicAt, Place};
use crate::link::HEAP_OFFSET;
use crate::link::Image;
use crate::link::frame::{self, context, state};
use crate::link::harness::element_bytes;
use crate::link::walk::Course;
use crate::sys::mapping::{self, Executable};
use crate::sys::signals::StepLog;
use crate::sys::time;
use crate::template::Clobbers;

use super::notes;

mod build;
mod emulation;
mod ground;
mod visits;

pub use ground::{Ground, STACK_BYTES};
pub use visits::{Visits, expected_of};

use ground::CANARY_BYTES;

fn put(data: &mut [u8], offset: u32, value: u64) {
    data[offset as usize..offset as usize + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(data: &[u8], offset: u32) -> u64 {
    let bytes = data[offset as usize..].first_chunk();
    u64::from_le_bytes(*bytes.expect("the offset lies in the memory that it is of"))
}

/// What is compared at each exit, in order: its name, and the kind of fault that it is to change it.
#[rustfmt::skip] // a table: one item a line
const LEFT_ALONE: [(&str, &str); 6] = [
    ("rsp",                        "stack"),
    ("the memory above its frame", "stack"),
    ("the direction flag",         "flags"),
    ("the alignment check flag",   "flags"),
    ("the control bits of MXCSR",  "flags"),
    ("the gs base",                "clobber"),
];

/// What an entry leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Sum of the results.
    pub sum: u64,
    /// Recovered panics.
    pub panics: u64,
}

/// An entry that was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between<T> {
    /// What it left behind.
    pub exit: Exit,
    /// Ticks between right before the code and right behind it.
    pub ticks: u64,
    /// What was read before it.
    pub before: T,
    /// What was read behind it.
    pub after: T,
}

/// A timed entry with a scrub in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// What it left behind.
    pub exit: Exit,
    /// Ticks between right before the code and right behind it.
    pub ticks: u64,
    /// Ticks of the scrub, which are not among those.
    pub scrub_ticks: u64,
}

/// One row's images, sealed and ready.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The row.
    pub row: &'a JobRow,
    /// One image a placement, then the baseline, then those that branch misses are inferred from.
    pub images: Vec<Image>,
    /// Address of the array of the receivers, and bytes of one of them, where they are in one.
    array: Option<(u64, u64)>,
    /// Index of the baseline image.
    baseline: usize,
    code: Executable,
    active: Option<usize>,
    /// The `gs` base as it can be read, for comparison.
    gs_base: u64,
}

impl<'a> Stage<'a> {
    /// Index of the baseline image.
    pub fn baseline(&self) -> usize {
        self.baseline
    }

    /// Indices of the images that branch misses are inferred from: two for each site that has any.
    pub fn delayed(&self) -> Range<usize> {
        self.baseline + 1..self.images.len()
    }

    /// Puts a walk of this row into memory.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn visits(&self, objects: Vec<u32>) -> Result<Visits, Failure> {
        Visits::new(self.row, &self.images[0].receivers, objects)
            .map_err(|error| Failure::Worker(format!("mapping the walk: {error}")))
    }

    /// The walk of this row for chunks of `chunk` iterations.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn walk(&self, chunk: u64, seed: u64) -> Result<Visits, Failure> {
        let course = Course::of(self.row);
        self.visits(course.visits(course.elements(chunk), seed))
    }

    /// Asks for the cache lines that an entry for this element will wait for, where there is one: of a
    /// million receivers in any order each entry waits for two.
    pub fn approach(&self, visits: &Visits, element: u64) {
        let Some(&object) = visits.objects.get(element as usize) else {
            return;
        };
        self.code.prefetch(self.images[0].receivers.object(object));
        if let Some((array, bytes)) = self.array {
            self.code.prefetch(array + u64::from(object) * bytes);
        }
    }

    /// The first elements of a walk, for what looks at no more: the whole of one that draws at random is long.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn first_elements(&self, count: u64, seed: u64) -> Result<Visits, Failure> {
        self.visits(Course::of(self.row).visits(count, seed))
    }

    /// Where an address lies in an image.
    pub fn place(&self, image: usize, address: u64) -> Place {
        let code = &self.images[image];
        let inside = code.owner(address).map(|_| address - code.site.code);
        Place::in_image(image, self.baseline(), inside)
    }

    /// Points the heap's code pointers into an image; they are all that differs between placements.
    fn activate(&mut self, ground: &mut Ground, image: usize) {
        if self.active == Some(image) {
            return;
        }
        self.active = Some(image);
        let data = self.code.data();
        for (offset, value) in &self.images[image].code_pointers {
            data[*offset as usize..*offset as usize + 8].copy_from_slice(&value.to_le_bytes());
        }
        ground.page.note(notes::IMAGE, image as u64);
        ground.page.note(notes::CODE, self.images[image].site.code);
    }

    fn put(&mut self, offset: u32, value: u64) {
        put(self.code.data(), offset, value);
    }

    fn get(&mut self, offset: u32) -> u64 {
        get(self.code.data(), offset)
    }

    /// Everything an entry reads.
    fn prepare(&mut self, ground: &mut Ground, image: usize, cursor: u64, iterations: u64) {
        self.activate(ground, image);
        ground.entries += 1;
        ground.page.note(notes::ENTRIES, ground.entries);
        let frame = ground.frame();
        let data = self.code.data();
        put(data, context::STACK, frame);
        put(data, context::PANIC_KIND, 0);
        put(data, context::PANICS, 0);
        put(data, context::COMPLETE, 0);
        let g = self.images[image].site.data + u64::from(frame::G);
        let element = element_bytes(self.row);
        let (ends, counts) = frame::frame_ends(iterations, cursor, element);
        let array = self.array.map_or(0, |(address, _)| address);
        let stack = ground.frames();
        put(stack, frame::ITERATIONS as u32, iterations);
        for number in 0..frame::FRAMES {
            let own = &mut stack[frame::FRAME_STEP as usize * number as usize..];
            let mut put = |offset: i32, value| put(own, offset as u32, value);
            put(state::CURSOR, cursor + number * element);
            put(state::END, ends[number as usize]);
            put(state::COUNT, counts[number as usize]);
            put(state::SUM, 0);
            put(state::G, g);
            put(state::ARRAY, array);
        }
    }

    /// Sum of the results of the last entry.
    fn sum(&mut self, ground: &mut Ground) -> u64 {
        match self.row.clobbers {
            Clobbers::Some => self.get(context::SUM),
            Clobbers::All => {
                let stack = ground.frames();
                let of = |number| get(stack, (number * frame::FRAME_STEP + state::SUM) as u32);
                (0..frame::FRAMES as i32).map(of).fold(0, u64::wrapping_add)
            }
        }
    }

    /// Brings the row's data back, and sets what lasts for the row: g, the word that `gs:[-8]` reads, and the canary.
    ///
    /// # Errors
    /// When the kernel refuses to set the `gs` base.
    pub fn settle(&mut self, ground: &mut Ground) -> Result<(), Failure> {
        self.hide(false)?;
        let data = self.images[0].site.data;
        let low = ground.stack.address();
        self.put(frame::G + layout::G_STACK_LO, low);
        self.put(frame::G + layout::G_STACK_HI, ground.stack_end());
        self.put(
            frame::G + layout::G_STACKGUARD0,
            low + u64::from(layout::STACK_GUARD),
        );
        self.put(frame::G_POINTER, data + u64::from(frame::G));
        *ground.canary() = CANARY_BYTES;
        mapping::set_gs_base(data + u64::from(frame::G_POINTER) + 8)
            .map_err(|error| Failure::Worker(format!("setting the gs base: {error}")))?;
        self.gs_base = mapping::gs_base();
        // An earlier row may have left values on the x87 stack, or masked no exception.
        mapping::reset_x87();
        Ok(())
    }

    /// Enters an image for `iterations` from an element of the walk.
    ///
    /// # Errors
    /// A panic that is not recovered, or something that was not left alone.
    pub fn enter(
        &mut self,
        ground: &mut Ground,
        image: usize,
        visits: &Visits,
        element: u64,
        iterations: u64,
    ) -> Result<Exit, Failure> {
        self.prepare(ground, image, visits.address(element), iterations);
        let entry = self.images[image].entry;
        self.code.enter(entry, 0);
        self.leave(ground, image, iterations)
    }

    /// The same, with what `read` says right before the code and right behind it, and the ticks in
    /// between. Both are read outside the code, which can reach none of the registers and pages that
    /// they are kept in by its own.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn enter_between<T>(
        &mut self,
        ground: &mut Ground,
        request: Request<'_>,
        mut read: impl FnMut() -> T,
    ) -> Result<Between<T>, Failure> {
        let Request {
            image,
            visits,
            element,
            iterations,
        } = request;
        self.prepare(ground, image, visits.address(element), iterations);
        let entry = self.images[image].entry;
        let before = read();
        let entered = time::ticks();
        self.code.enter(entry, 0);
        let ticks = time::ticks() - entered;
        let after = read();
        let exit = self.leave(ground, image, iterations)?;
        Ok(Between {
            exit,
            ticks,
            before,
            after,
        })
    }

    /// The same, with what `scrub` does to this row's memory right before the code.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn enter_scrubbed(
        &mut self,
        ground: &mut Ground,
        request: Request<'_>,
        scrub: impl FnOnce(&Executable),
    ) -> Result<Scrubbed, Failure> {
        let Request {
            image,
            visits,
            element,
            iterations,
        } = request;
        self.prepare(ground, image, visits.address(element), iterations);
        let entry = self.images[image].entry;
        let began = time::ticks();
        scrub(&self.code);
        let before = time::ticks();
        self.code.enter(entry, 0);
        let ticks = time::ticks() - before;
        Ok(Scrubbed {
            exit: self.leave(ground, image, iterations)?,
            ticks,
            scrub_ticks: before - began,
        })
    }

    /// The same, single-stepped. The log tells whether it was cut short; then nothing is compared.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn enter_stepping(
        &mut self,
        ground: &mut Ground,
        image: usize,
        visits: &Visits,
        span: (u64, u64),
        log: &mut StepLog,
    ) -> Result<Option<Exit>, Failure> {
        let (element, iterations) = span;
        self.prepare(ground, image, visits.address(element), iterations);
        let (entry, escape) = (self.images[image].entry, self.images[image].escape);
        self.code.enter_stepping(entry, 0, log, escape);
        reveal_hidden(&self.images[image], log);
        if log.is_cut_short() {
            Ok(None)
        } else {
            self.leave(ground, image, iterations).map(Some)
        }
    }

    /// Compares what must be as before, and reads what the harness left.
    fn leave(
        &mut self,
        ground: &mut Ground,
        image: usize,
        iterations: u64,
    ) -> Result<Exit, Failure> {
        const MXCSR_CONTROL: u64 = 0xffc0;
        const DIRECTION: u64 = 1 << 10;
        const ALIGNMENT_CHECK: u64 = 1 << 18;
        let kind = self.get(context::PANIC_KIND);
        let code = self.images[image].site.code;
        if kind != 0 && self.get(context::COMPLETE) == 0 {
            return Err(Failure::Panic(self.panic_at(kind, code)));
        }
        let frame_now = match self.row.clobbers {
            Clobbers::Some => ground.frame(),
            Clobbers::All => ground.frame() + iterations % frame::FRAMES * frame::FRAME_STEP as u64,
        };
        let both = self.get(context::EXIT_MXCSR);
        let (mxcsr_out, mxcsr_in) = (both & 0xffff_ffff, both >> 32);
        let flags = self.get(context::EXIT_FLAGS);
        let intact = *ground.canary() == CANARY_BYTES;
        let is_kept = [
            self.get(context::EXIT_RSP) == frame_now,
            intact,
            flags & DIRECTION == 0,
            flags & ALIGNMENT_CHECK == 0,
            (mxcsr_out ^ mxcsr_in) & MXCSR_CONTROL == 0,
            mapping::gs_base() == self.gs_base,
        ];
        if let Some(changed) = is_kept.iter().position(|is_kept| !is_kept) {
            let (what, kind) = LEFT_ALONE[changed];
            return Err(Failure::Clobber {
                what: what.to_string(),
                kind: kind.to_string(),
                in_setup: false,
                place: Place {
                    code_offset: None,
                    ..self.place(image, 0)
                },
            });
        }
        Ok(Exit {
            sum: self.sum(ground),
            panics: self.get(context::PANICS),
        })
    }

    /// The stage with its data hidden until it is settled.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hidden(mut self) -> Result<Stage<'a>, Failure> {
        self.hide(true)?;
        Ok(self)
    }

    /// Takes the row's data out of reach of the rows that are at work, or gives them back.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hide(&mut self, is_hidden: bool) -> Result<(), Failure> {
        let hidden = self.code.hide(is_hidden);
        hidden.map_err(|error| Failure::Worker(format!("protecting data: {error}")))
    }

    /// Digest of the data that the template's code can reach by name: the heap and its own sections.
    pub fn digest(&mut self) -> u64 {
        let data = &self.code.data()[HEAP_OFFSET as usize..];
        let mut hasher = DefaultHasher::new();
        hasher.write(data);
        hasher.finish()
    }

    /// Blocks and bytes that the modelled allocator has given out so far.
    pub fn allocated(&mut self) -> [u64; 2] {
        [context::ALLOCATIONS, context::ALLOCATED_BYTES].map(|counter| self.get(counter))
    }

    /// The panic that the last entry recovered from.
    pub fn last_panic(&mut self, image: usize) -> Option<PanicAt> {
        let kind = self.get(context::PANIC_KIND);
        let code = self.images[image].site.code;
        (kind != 0).then(|| self.panic_at(kind, code))
    }

    fn panic_at(&mut self, kind: u64, code: u64) -> PanicAt {
        let data = self.images[0].site.data;
        let types = [0, 8, 16].map(|word| match self.get(context::PANIC_TYPES + word) {
            0 => 0,
            address => address.wrapping_sub(data),
        });
        PanicAt {
            kind,
            code_offset: self.get(context::PANIC_PC).wrapping_sub(code),
            types,
        }
    }
}

/// Adds to a log what ran behind each load of `ss`: the CPU holds the trap back for one instruction
/// (Intel SDM vol. 3, 6.8.3).
fn reveal_hidden(image: &Image, log: &mut StepLog) {
    let behind_load = |ip: u64| {
        image.owner(ip)?;
        let bytes = &image.code[(ip - image.site.code) as usize..];
        let code = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode();
        let is_load = code.mnemonic() == Mnemonic::Mov
            && code.op0_kind() == OpKind::Register
            && code.op0_register() == Register::SS;
        is_load.then(|| code.next_ip())
    };
    let mut known: HashMap<u64, Option<u64>> = HashMap::new();
    log.reveal(|ip, next| {
        let behind = known.entry(ip).or_insert_with(|| behind_load(ip));
        behind.filter(|hidden| *hidden != next)
    });
}
