//! One row's images in memory, ready to be entered.
//!
//! Correct means: each entry starts from the same context, g and stack, and everything that the
//! code must leave alone is compared at the exit.

use std::cell::RefCell;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl};

use crate::formula;
use crate::go::layout;
use crate::interpreter::native::Natives;
use crate::job::{Failure, JobRow, PanicAt, Place};
use crate::link::frame::{self, carried, context, state};
use crate::link::walk::Course;
use crate::link::{Image, Owner};
use crate::sys::mapping::{self, Executable};
use crate::sys::signals::{self, StepLog};
use crate::sys::time;
use crate::template::Clobbers;

mod build;
mod elements;
mod emulation;
mod ground;
mod memory;
pub mod traps;
mod visits;

pub use ground::{Ground, Pulse, STACK_BYTES};
pub use visits::{Visits, expected_of};

use elements::Elements;
use memory::{Changed, Own};

/// What the words of the shared page mean to worker and parent.
pub mod notes {
    /// Row at work plus one; 0 before the first.
    pub const ROW: usize = 0;
    /// Index of the image at work; the baseline comes behind the placements.
    pub const IMAGE: usize = 1;
    /// Address of that image's code.
    pub const CODE: usize = 2;
    /// Entries made so far: a worker that stands still shows by it.
    pub const ENTRIES: usize = 3;
    /// The status that the worker is to end with; wiped as soon as it has been read.
    pub const STATUS: usize = 4;
    /// Whether generated code is running, 1 or 0: all other time is the worker's own.
    pub const INSIDE: usize = 5;
    /// Address of that image's data.
    pub const DATA: usize = 6;
    /// The process that the worker ends with.
    pub const PARENT: usize = 7;
    /// 1 where a signal ends the run: rows that take turns then take no more than an interval needs.
    pub const ENOUGH: usize = 8;
}

/// One entry to be read.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Index of the image.
    pub image: usize,
    /// The walk.
    pub visits: &'a Visits,
    /// The element to begin at.
    pub element: u64,
    /// How many iterations.
    pub iterations: u64,
}

/// A whole word at once: as a slice it would be a call of `memcpy`, some thirty an entry.
#[inline]
fn put(data: &mut [u8], offset: u32, value: u64) {
    let word = data[offset as usize..].first_chunk_mut();
    *word.expect("the offset lies in the memory that it is of") = value.to_le_bytes();
}

#[inline]
fn get(data: &[u8], offset: u32) -> u64 {
    let bytes = data[offset as usize..].first_chunk();
    u64::from_le_bytes(*bytes.expect("the offset lies in the memory that it is of"))
}

/// What the guards are a part of.
const ABOVE: &str = "the memory above its 256 bytes";

/// What is compared at each exit, in order: its name, and the kind of fault that it is to change it.
#[rustfmt::skip] // a table: one item a line
const LEFT_ALONE: [(&str, &str); 6] = [
    ("rsp",                        "stack"),
    (ABOVE,                        "stack"),
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

/// Whether something ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It did.
    Whole,
    /// It was led out, and what it left is of no use.
    CutShort,
}

/// What an entry has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The setup.
    Setup,
    /// The loop, after so many iterations.
    Loop { iterations: u64 },
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
    /// Instructions of the first image that the interpreter has the CPU run.
    natives: Option<Natives>,
    active: Option<usize>,
    /// The `gs` base as it can be read, for comparison.
    gs_base: u64,
    /// The data of each image.
    data: Own,
    /// The stack of each image.
    stack: Own,
    /// By image, the frame that its next iteration runs in.
    frames: Vec<u64>,
    /// Whether the elements of its walks hold more than an object.
    is_by_element: bool,
    /// What those hold then.
    elements: RefCell<Elements>,
}

/// What an entry runs.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Address of the walk's element.
    cursor: u64,
    /// Bytes of an element.
    element: u64,
    /// Iterations.
    iterations: u64,
}

impl Span {
    fn of(visits: &Visits, element: u64, iterations: u64) -> Span {
        Span {
            cursor: visits.address(element),
            element: visits.element,
            iterations,
        }
    }
}

impl<'a> Stage<'a> {
    /// Iterations that visit all data of a row, a cache line each, where those are more than a core's second
    /// cache has room for at the least; else 0. Smaller data stay in that cache whoever visits them.
    pub fn pass(&self) -> u64 {
        const LINE: u64 = 64;
        // Cores since Skylake and Zen have as much, or more.
        const LARGE_BYTES: u64 = 256 * 1024;
        let addresses = &self.images[0].data_addresses;
        let bytes = addresses.end - addresses.start;
        let is_large = bytes >= LARGE_BYTES;
        u64::from(is_large) * (bytes / LINE).div_ceil(u64::from(self.row.copies()))
    }

    /// Whether every branch of the template and of what it calls goes where it always goes: direct jumps and
    /// calls, and the returns from those.
    pub fn has_direct_branches_only(&self) -> bool {
        let image = &self.images[0];
        let is_own = |owner: &Owner| !matches!(owner, Owner::Harness);
        let mut own = image.pieces.iter().filter(|piece| is_own(&piece.owner));
        own.all(|piece| {
            let at = (piece.addresses.start - image.site.code) as usize;
            let end = (piece.addresses.end - image.site.code) as usize;
            let mut code = Decoder::new(64, &image.code[at..end], DecoderOptions::NONE);
            code.iter().all(|one| {
                use FlowControl::{Call, Next, Return, UnconditionalBranch};
                matches!(
                    one.flow_control(),
                    Next | Call | Return | UnconditionalBranch
                )
            })
        })
    }

    /// The number of the frame that an image's next iteration runs in.
    pub fn frame(&self, image: usize) -> u64 {
        self.frames[image]
    }

    /// Index of the baseline image.
    pub fn baseline(&self) -> usize {
        self.baseline
    }

    /// Indices of the images that branch misses are inferred from, those of one site behind each other.
    pub fn delayed(&self) -> Range<usize> {
        self.baseline + 1..self.images.len()
    }

    /// Puts a walk of this row into memory, by the kinds of its elements.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn visits(&self, kinds: Vec<u32>) -> Result<Visits, Failure> {
        let elements = self.elements.borrow();
        Visits::new(self.row, &self.images[0].receivers, &elements, kinds)
    }

    /// The walk of this row for chunks of `chunk` iterations.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn walk(&self, chunk: u64, seed: u64) -> Result<Visits, Failure> {
        let course = Course::of(self.row);
        let receivers = u64::from(self.row.settings.element.batch.max(1));
        self.visits(self.kinds(course.visits(course.elements(chunk * receivers), seed)))
    }

    /// The kinds of elements whose receivers visit these objects.
    fn kinds(&self, objects: Vec<u32>) -> Vec<u32> {
        match self.row.is_by_element() {
            true => self.elements.borrow_mut().walk(self.row, &objects),
            false => objects,
        }
    }

    /// The object that an element's first receiver is of.
    pub fn object(&self, kind: u32) -> u32 {
        match self.is_by_element {
            true => self.elements.borrow().object(kind),
            false => kind,
        }
    }

    /// Asks for the cache lines that an entry for this element will wait for, where there is one: of a
    /// million receivers in any order each entry waits for two.
    pub fn approach(&self, visits: &Visits, element: u64) {
        let Some(&kind) = visits.kinds.get(element as usize) else {
            return;
        };
        let object = self.object(kind);
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
        let receivers = u64::from(self.row.settings.element.batch.max(1));
        self.visits(self.kinds(Course::of(self.row).visits(count * receivers, seed)))
    }

    /// Where an address lies in an image.
    pub fn place(&self, image: usize, address: u64) -> Place {
        let code = &self.images[image];
        let inside = code.owner(address).map(|_| address - code.site.code);
        Place::in_image(image, self.baseline(), inside)
    }

    /// Whether there is room for what an image's turn puts away.
    ///
    /// # Errors
    /// Where what the images write takes more memory than is to be had for their copies, or where the image in
    /// front of it has written where it must not.
    fn demand_room(&mut self, ground: &mut Ground, image: usize) -> Result<(), Failure> {
        const MOST_COPIED: usize = 3 << 30;
        if self.active.is_some_and(|active| active != image) {
            self.check_far(ground)?;
        }
        if image == self.baseline || self.data.live() == Some(image) {
            return Ok(());
        }
        ground.note_progress();
        self.data.take_up(&mut ground.data_writes);
        let copied = self.data.copied_bytes(&ground.data_writes);
        if copied <= MOST_COPIED {
            return Ok(());
        }
        Err(Failure::Worker(format!(
            "each of {} images writes memory of its own, and their copies take {} MiB, of which {} are to be had: \
             lower --placements, or write to less of the data",
            self.images.len() - 1,
            copied >> 20,
            MOST_COPIED >> 20
        )))
    }

    /// Brings what an image left, and notes that it is at work. The baseline has no body that could leave
    /// anything, and takes what is there.
    fn activate(&mut self, ground: &mut Ground, image: usize) {
        let whose = match image == self.baseline {
            true => self.data.live().unwrap_or(0),
            false => image,
        };
        self.data
            .bring(whose, self.code.data(), &mut ground.data_writes);
        self.stack
            .bring(whose, ground.stack.bytes(), &mut ground.stack_writes);
        if self.active != Some(image) {
            self.active = Some(image);
            ground.page.note(notes::IMAGE, image as u64);
            self.note_site(ground, image);
            self.note_nil(image);
        }
    }

    /// Puts an image back to where it was behind its setup: registers, memory, and the frame it runs in.
    pub fn rewind(&mut self, ground: &mut Ground, image: usize) {
        if image == self.baseline {
            return;
        }
        self.data
            .put_back(image, self.code.data(), &mut ground.data_writes);
        self.stack
            .put_back(image, ground.stack.bytes(), &mut ground.stack_writes);
        self.frames[image] = 0;
    }

    /// The same with all images.
    pub fn rewind_all(&mut self, ground: &mut Ground) {
        for image in 0..self.images.len() {
            self.rewind(ground, image);
        }
    }

    /// Runs the setup of each image, once, and gives each its own memory from then on. `step` may run the
    /// first one's, to look at it; where that was cut short, it is undone and runs again.
    ///
    /// # Errors
    /// What a setup does wrong, or when the kernel refuses.
    pub fn set_up(
        &mut self,
        ground: &mut Ground,
        visits: &Visits,
        mut step: impl FnMut(&mut Stage<'a>, &mut Ground) -> Result<Run, Failure>,
    ) -> Result<(), Failure> {
        let failed = |error| Failure::Worker(format!("protecting data: {error}"));
        self.watch(ground).map_err(failed)?;
        let mut data = Changed::default();
        let mut stack = Changed::default();
        let mut behind: [Vec<memory::Bytes>; 2] = [Vec::new(), Vec::new()];
        for image in 0..self.images.len() {
            if image == self.baseline {
                let first = |all: &mut Vec<memory::Bytes>| all.push(all[0].clone());
                behind.iter_mut().for_each(first);
                continue;
            }
            let mut put_back = |stage: &mut Stage<'a>, ground: &mut Ground| {
                data.take_up(&mut ground.data_writes);
                stack.take_up(&mut ground.stack_writes);
                data.put_back(stage.code.data(), &ground.data_writes);
                stack.put_back(ground.stack.bytes(), &ground.stack_writes);
                stage.point_into(image);
                ground.note_progress();
            };
            put_back(self, ground);
            if image > 0 || step(self, ground)? == Run::CutShort {
                put_back(self, ground);
                self.enter_setup(ground, image, visits)?;
            }
            data.take_up(&mut ground.data_writes);
            stack.take_up(&mut ground.stack_writes);
            ground.note_progress();
            let [in_data, on_stack] = &mut behind;
            let now = data.now(self.code.data(), &ground.data_writes, in_data.first());
            in_data.push(now);
            let now = stack.now(ground.stack.bytes(), &ground.stack_writes, on_stack.first());
            on_stack.push(now);
            ground.note_progress();
        }
        let [mut in_data, mut on_stack] = behind;
        data.complete(&mut in_data, self.code.data(), &ground.data_writes);
        stack.complete(&mut on_stack, ground.stack.bytes(), &ground.stack_writes);
        self.data = Own::new(in_data);
        self.stack = Own::new(on_stack);
        self.frames = vec![0; self.images.len()];
        self.watch(ground).map_err(failed)?;
        ground.data_writes.forget_copies();
        Ok(())
    }

    /// Points the heap's code pointers into an image; the data were linked with those of the first.
    fn point_into(&mut self, image: usize) {
        if image == 0 {
            return;
        }
        let data = self.code.data();
        for pointer in &self.images[image].code_pointers {
            pointer.write(data);
        }
    }

    /// Watches what will be written of what is not the images' own yet.
    fn watch(&mut self, ground: &mut Ground) -> std::io::Result<()> {
        let stack = ground.stack.bytes();
        ground.stack_writes.watch(stack, self.stack.parts())?;
        ground
            .data_writes
            .watch(self.code.data(), self.data.parts())
    }

    fn put(&mut self, offset: u32, value: u64) {
        put(self.code.data(), offset, value);
    }

    fn get(&mut self, offset: u32) -> u64 {
        get(self.code.data(), offset)
    }

    /// Everything an entry reads, but where it goes.
    fn prepare(&mut self, ground: &mut Ground, image: usize, span: Span) {
        self.activate(ground, image);
        self.prepare_frames(ground, image, span);
    }

    fn prepare_frames(&mut self, ground: &mut Ground, image: usize, span: Span) {
        ground.note_progress();
        let Span {
            cursor,
            element,
            iterations,
        } = span;
        let first = self.frames.get(image).copied().unwrap_or(0);
        let (frame, step) = (ground.frame(), frame::FRAME_STEP as u64);
        let data = self.code.data();
        put(data, context::STACK, frame + first * step);
        put(data, context::FRAME_0, frame);
        put(data, context::PANIC_KIND, 0);
        put(data, context::PANICS, 0);
        put(data, context::COMPLETE, 0);
        let g = self.images[image].site.data + u64::from(frame::G);
        let (ends, counts) = frame::frame_ends(iterations, cursor, element);
        let array = self.array.map_or(0, |(address, _)| address);
        let stack = ground.frames();
        put(stack, frame::ITERATIONS as u32, iterations);
        // Where registers hold the state, there is one frame.
        let frames = match self.row.clobbers {
            Clobbers::Some => 1,
            Clobbers::All => frame::FRAMES,
        };
        for turn in 0..frames {
            let number = (first + turn) % frame::FRAMES;
            let at = step * number + state::CURSOR as u64;
            let own = stack[at as usize..].first_chunk_mut::<{ frame::FRAME_STEP as usize }>();
            let own = own.expect("the room above frame 0 has the state of all frames");
            let mut put = |offset: i32, value| put(own, (offset - state::CURSOR) as u32, value);
            put(state::CURSOR, cursor + turn * element);
            put(state::END, ends[turn as usize]);
            put(state::COUNT, counts[turn as usize]);
            put(state::SUM, 0);
            put(state::G, g);
            put(state::ARRAY, array);
        }
        let target = match iterations {
            0 => self.images[image].done,
            _ => self.images[image].loop_head,
        };
        self.aim(ground, first, target);
    }

    /// Says where the next entry goes once its registers are loaded.
    fn aim(&self, ground: &mut Ground, first: u64, target: u64) {
        let at = first as i32 * frame::FRAME_STEP + state::TARGET;
        put(ground.frames(), at as u32, target);
    }

    /// Gets ready for the setup of an image. The loop's state has values that no setup happens to write: one
    /// that overwrites them is noticed.
    fn prepare_setup(&mut self, ground: &mut Ground, image: usize, visits: &Visits) {
        const UNLIKELY: u64 = 0x1d2_c3b5;
        let span = Span::of(visits, 0, UNLIKELY);
        self.prepare_frames(ground, image, span);
        self.aim(ground, 0, self.images[image].setup.start);
        ground.page.note(notes::IMAGE, image as u64);
        self.note_site(ground, image);
        self.note_nil(image);
        self.active = Some(image);
    }

    /// Says where an access through a nil pointer goes on, if anywhere.
    fn note_nil(&self, image: usize) {
        let image = &self.images[image];
        match image.sigpanic() {
            Some(handler) => {
                let code = image.site.code..image.site.code + image.code.len() as u64;
                signals::set_nil(code, handler);
            }
            None => signals::set_nil(0..0, 0),
        }
    }

    fn note_site(&self, ground: &Ground, image: usize) {
        let site = self.images[image].site;
        ground.page.note(notes::CODE, site.code);
        ground.page.note(notes::DATA, site.data);
    }

    /// Runs an image's setup, where it has one.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn enter_setup(
        &mut self,
        ground: &mut Ground,
        image: usize,
        visits: &Visits,
    ) -> Result<(), Failure> {
        if self.images[image].setup.is_empty() {
            return Ok(());
        }
        self.prepare_setup(ground, image, visits);
        ground.note_inside(true);
        self.code.enter(self.images[image].entry, 0);
        self.leave(ground, image, Left::Setup).map(|_| ())
    }

    /// The same with the first image, single-stepped up to the setup's end.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn step_setup(
        &mut self,
        ground: &mut Ground,
        visits: &Visits,
        log: &mut StepLog,
    ) -> Result<Run, Failure> {
        self.prepare_setup(ground, 0, visits);
        let image = &self.images[0];
        log.stop_at(Some(image.setup.end));
        ground.note_inside(true);
        self.code.enter_stepping(image.entry, 0, log, image.escape);
        ground.note_inside(false);
        log.stop_at(None);
        traps::reveal(&self.images[0], log);
        if log.is_cut_short() {
            return Ok(Run::CutShort);
        }
        self.leave(ground, 0, Left::Setup).map(|_| Run::Whole)
    }

    /// Sum of the results of the last entry.
    fn sum(&mut self, ground: &mut Ground) -> u64 {
        match self.row.clobbers {
            Clobbers::Some => self.get(context::SUM),
            Clobbers::All => {
                let stack = ground.frames();
                let mut sum = 0u64;
                for number in 0..frame::FRAMES as i32 {
                    let at = (number * frame::FRAME_STEP + state::SUM) as u32;
                    sum = sum.wrapping_add(get(stack, at));
                }
                sum
            }
        }
    }

    /// Puts the receiver that all iterations have into the registers that keep it.
    fn keep_receiver(&self, ground: &mut Ground) -> Result<(), Failure> {
        let of = formula::Receivers {
            types: &self.row.heap.objects,
            object: 0,
            second: 0,
            element: 0,
        };
        let words = self.images[0]
            .receivers
            .words(&of)
            .map_err(Failure::Worker)?;
        for (kept, word) in self.row.kept.iter().zip(words) {
            let at = carried::REGISTERS + 8 * i32::from(kept.from);
            put(ground.frames(), at as u32, word);
        }
        Ok(())
    }

    /// Brings the row's data back, and sets what lasts for the row: g, the word that `gs:[-8]` reads, and the
    /// stack.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn settle(&mut self, ground: &mut Ground) -> Result<(), Failure> {
        let is_at_work = !self.code.is_hidden() && !self.frames.is_empty();
        if is_at_work {
            return Ok(());
        }
        let protecting = |error| Failure::Worker(format!("protecting data: {error}"));
        self.code.hide(false).map_err(protecting)?;
        ground.clear(self.row).map_err(protecting)?;
        ground
            .make_room(self.code.data().len())
            .map_err(protecting)?;
        let data = self.images[0].site.data;
        if self.frames.is_empty() {
            let low = ground.stack.address();
            self.put(frame::G + layout::G_STACK_LO, low);
            self.put(frame::G + layout::G_STACK_HI, ground.stack_end());
            self.put(
                frame::G + layout::G_STACKGUARD0,
                low + u64::from(layout::STACK_GUARD),
            );
            self.put(frame::G_POINTER, data + u64::from(frame::G));
        }
        self.keep_receiver(ground)?;
        const R14: i32 = carried::REGISTERS + 8 * 14;
        put(ground.frames(), R14 as u32, data + u64::from(frame::G));
        self.watch(ground).map_err(protecting)?;
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
        self.demand_room(ground, image)?;
        self.prepare(ground, image, Span::of(visits, element, iterations));
        let entry = self.images[image].entry;
        ground.note_inside(true);
        self.code.enter(entry, 0);
        self.leave(ground, image, Left::Loop { iterations })
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
        self.demand_room(ground, image)?;
        self.prepare(ground, image, Span::of(visits, element, iterations));
        let entry = self.images[image].entry;
        ground.note_inside(true);
        let before = read();
        let entered = time::ticks();
        self.code.enter(entry, 0);
        let ticks = time::ticks() - entered;
        let after = read();
        let exit = self.leave(ground, image, Left::Loop { iterations })?;
        ground.took(ticks)?;
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
        self.demand_room(ground, image)?;
        self.prepare(ground, image, Span::of(visits, element, iterations));
        let entry = self.images[image].entry;
        ground.note_inside(true);
        let began = time::ticks();
        scrub(&self.code);
        let before = time::ticks();
        self.code.enter(entry, 0);
        let ticks = time::ticks() - before;
        Ok(Scrubbed {
            exit: self.leave(ground, image, Left::Loop { iterations })?,
            ticks,
            scrub_ticks: before - began,
        })
    }

    /// The same, single-stepped from the head of the loop on. The log tells whether it was cut short: then
    /// nothing is compared, and the image begins again behind its setup, because what it holds in registers is
    /// lost.
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
        let span = Span::of(visits, element, iterations);
        self.demand_room(ground, image)?;
        self.prepare(ground, image, span);
        let code = &self.images[image];
        let first = self.frames.get(image).copied().unwrap_or(0);
        // The registers are loaded at full speed, and lead to the first byte of the padding in front.
        log.begin_at(Some((code.site.code, code.loop_head)));
        self.aim(ground, first, code.site.code);
        let stepped = self.step_prepared(ground, image, span, log);
        log.begin_at(None);
        stepped
    }

    /// The same from the entry on.
    ///
    /// # Errors
    /// As [`Stage::enter`].
    pub fn enter_stepping_all(
        &mut self,
        ground: &mut Ground,
        visits: &Visits,
        iterations: u64,
        log: &mut StepLog,
    ) -> Result<Option<Exit>, Failure> {
        let span = Span::of(visits, 0, iterations);
        self.demand_room(ground, 0)?;
        self.prepare(ground, 0, span);
        self.step_prepared(ground, 0, span, log)
    }

    fn step_prepared(
        &mut self,
        ground: &mut Ground,
        image: usize,
        Span { iterations, .. }: Span,
        log: &mut StepLog,
    ) -> Result<Option<Exit>, Failure> {
        let (entry, escape) = (self.images[image].entry, self.images[image].escape);
        ground.note_inside(true);
        self.code.enter_stepping(entry, 0, log, escape);
        ground.note_inside(false);
        traps::reveal(&self.images[image], log);
        if log.is_cut_short() {
            self.rewind(ground, image);
            Ok(None)
        } else {
            self.leave(ground, image, Left::Loop { iterations })
                .map(Some)
        }
    }

    /// Compares what must be as before, and reads what the harness left.
    fn leave(&mut self, ground: &mut Ground, image: usize, left: Left) -> Result<Exit, Failure> {
        const MXCSR_CONTROL: u64 = 0xffc0;
        const DIRECTION: u64 = 1 << 10;
        const ALIGNMENT_CHECK: u64 = 1 << 18;
        ground.note_inside(false);
        let data = self.code.data();
        let kind = get(data, context::PANIC_KIND);
        let complete = get(data, context::COMPLETE);
        let rsp = get(data, context::EXIT_RSP);
        let both = get(data, context::EXIT_MXCSR);
        let flags = get(data, context::EXIT_FLAGS);
        let panics = get(data, context::PANICS);
        let code = self.images[image].site.code;
        if kind != 0 && complete == 0 {
            return Err(Failure::Panic(self.panic_at(kind, code)));
        }
        let next_frame = match (self.row.clobbers, left) {
            (Clobbers::All, Left::Loop { iterations }) => {
                (self.frames[image] + iterations) % frame::FRAMES
            }
            _ => 0,
        };
        let frame_now = ground.frame() + next_frame * frame::FRAME_STEP as u64;
        let (mxcsr_out, mxcsr_in) = (both & 0xffff_ffff, both >> 32);
        let broken = ground.broken_guard(self.row);
        let is_kept = [
            rsp == frame_now,
            broken.is_none(),
            flags & DIRECTION == 0,
            flags & ALIGNMENT_CHECK == 0,
            (mxcsr_out ^ mxcsr_in) & MXCSR_CONTROL == 0,
            mapping::gs_base() == self.gs_base,
        ];
        if let Some(changed) = is_kept.iter().position(|is_kept| !is_kept) {
            let (what, kind) = LEFT_ALONE[changed];
            let in_setup = left == Left::Setup;
            return Err(match broken.filter(|_| what == ABOVE) {
                Some(offset) => self.above(image, offset, in_setup),
                None => Failure::Clobber {
                    what: what.to_string(),
                    kind: kind.to_string(),
                    in_setup,
                    place: self.place(image, 0),
                },
            });
        }
        if let Left::Loop { .. } = left {
            self.frames[image] = next_frame;
        }
        Ok(Exit {
            sum: self.sum(ground),
            panics,
        })
    }

    /// That something so far above frame 0 was overwritten. Nothing has seen by what.
    fn above(&self, image: usize, offset: u64, in_setup: bool) -> Failure {
        let takes_turns = self.row.clobbers == Clobbers::All && !in_setup;
        Failure::Clobber {
            what: format!("{ABOVE}, {},", frame::slot(offset, takes_turns)),
            kind: "stack".into(),
            in_setup,
            place: self.place(image, 0),
        }
    }

    /// Looks at the far guard, which is too long for each exit, where the turn of the image at work is over.
    fn check_far(&self, ground: &mut Ground) -> Result<(), Failure> {
        let broken = ground.broken_far(self.row);
        match self.active.zip(broken) {
            Some((image, offset)) => Err(self.above(image, offset, false)),
            None => Ok(()),
        }
    }

    /// The stage with its data hidden until it is settled.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hidden(mut self) -> Result<Stage<'a>, Failure> {
        let hidden = self.code.hide(true);
        hidden.map_err(|error| Failure::Worker(format!("protecting data: {error}")))?;
        Ok(self)
    }

    /// Takes the row's data out of reach of the rows that are at work, and keeps its stack.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hide(&mut self, ground: &mut Ground) -> Result<(), Failure> {
        let intact = self.check_far(ground);
        // The notes will be another row's.
        self.active = None;
        self.data
            .put_away(self.code.data(), &mut ground.data_writes);
        self.stack
            .put_away(ground.stack.bytes(), &mut ground.stack_writes);
        let hidden = ground
            .data_writes
            .end(self.code.data())
            .and_then(|()| self.code.hide(true));
        hidden.map_err(|error| Failure::Worker(format!("protecting data: {error}")))?;
        intact
    }

    /// A word of the row's data.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.code.word(address)
    }

    /// Blocks and bytes that the modelled allocator has given an image so far.
    pub fn allocated(&mut self, ground: &mut Ground, image: usize) -> [u64; 2] {
        self.activate(ground, image);
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
