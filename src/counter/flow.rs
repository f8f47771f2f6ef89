//! What decides the path of an iteration: the receiver alone, or more.
//!
//! Correct means: where this says that the receiver alone decides, each iteration of a followed receiver takes
//! the path that was followed, whatever other iterations left behind; it may say that more decides where
//! nothing does.
//!
//! Why it holds: all that any followed iteration writes counts as unknown when an iteration begins: registers,
//! flags, the stack, memory. What is made of it is unknown too, until something known is written over it. As
//! long as no branch and no address that is stored to is unknown, another iteration of the same receiver runs
//! the same instructions and writes to the same places, so it leaves nothing unknown elsewhere; and so do all
//! that follow. A number that is made of an address may differ between placements and between runs, and counts
//! likewise; addresses themselves do not, as long as code only adds to them, goes there, and compares them with
//! each other.

use std::ops::{BitOr, BitOrAssign, Range};
use std::rc::Rc;

use iced_x86::{
    ConditionCode, CpuidFeature, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction,
    InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, RflagsBits, UsedMemory,
};

use super::Count;
use super::step::Iterations;
use crate::job::JobRow;
use crate::link::frame::{G, G_POINTER, context, state};
use crate::link::{ByAddress, Image, Owner};
use crate::template::Element;

/// What a value is made of beside the receiver and constants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Made(u8);

impl Made {
    /// Nothing.
    pub(super) const KNOWN: Made = Made(0);
    /// What other iterations, the loop around the body or the machine left.
    pub(super) const STATE: Made = Made(1);
    /// Where the frame lies: those that take turns lie at different places.
    pub(super) const FRAME: Made = Made(2);
    /// The bits of another address.
    pub(super) const PLACE: Made = Made(4);
    /// A clock, a random number, or what the CPU says of itself.
    pub(super) const MACHINE: Made = Made(8);
    /// How far one of the runtime's rings is filled, which bounds it itself.
    const RING: Made = Made(16);
    /// An address, as a whole.
    const HELD: Made = Made(32);
    /// What the loop around the body counts with: it goes on by itself and does not come back.
    pub(super) const LOOP: Made = Made(64);

    /// Whether any of those is in it.
    pub(super) fn has(self, other: Made) -> bool {
        self.0 & other.0 != 0
    }

    fn without(self, other: Made) -> Made {
        Made(self.0 & !other.0)
    }
}

impl BitOr for Made {
    type Output = Made;
    fn bitor(self, other: Made) -> Made {
        Made(self.0 | other.0)
    }
}

impl BitOrAssign for Made {
    fn bitor_assign(&mut self, other: Made) {
        self.0 |= other.0;
    }
}

/// Bits of an address that may be anywhere.
const BITS: Made = Made(Made::FRAME.0 | Made::PLACE.0);

/// Sets of register parts: 16 low bytes of general registers, the rest of each, 32 lowest quarters of vector
/// registers, the rest of each, 8 masks, x87 and MMX, the flags.
type Parts = u128;

/// The numbers of a set's parts, ascending.
fn members(mut parts: Parts) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = (parts != 0).then(|| parts.trailing_zeros() as usize)?;
        parts &= parts - 1;
        Some(first)
    })
}

const LOW: u32 = 0;
const REST: u32 = 16;
const VECTOR: u32 = 32;
const VECTOR_REST: u32 = 64;
const MASK: u32 = 96;
const X87: u32 = 104;
const FLAG: u32 = 105;
const FLAGS: u32 = 10;
const PARTS: usize = (FLAG + FLAGS) as usize;

const RSP: usize = 4;
const RBP: usize = 5;
const R14: usize = 14;

/// What an instruction does, as far as it can be known before it runs.
#[derive(Debug, Clone)]
struct Effect {
    code: Instruction,
    is_own: bool,
    /// Parts that are read as data.
    data: Parts,
    /// General registers that are read as data, and whether all 64 bits are.
    numbers: Vec<(usize, bool)>,
    /// Parts that are written, and those of them that keep nothing.
    written: Parts,
    covered: Parts,
    memory: Vec<UsedMemory>,
    /// Parts whose value decides where it goes, or how much it does.
    decides: Parts,
    is_indirect: bool,
    kind: Kind,
}

/// How an instruction treats addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It moves them as a whole, or adds to one.
    Moves,
    /// The same, between vector registers and memory.
    MovesVectors,
    /// It compares, or takes one from another.
    Compares,
    /// It keeps only some low bits, or aligns.
    Masks,
    /// It makes something else of them.
    Mixes,
    /// It does not look at what it reads: all is known afterwards.
    Clears,
    /// It reads what differs between runs.
    Reads,
    /// It shows what the machine holds, which may.
    Shows,
    /// It puts away, or takes back, state that is not followed.
    Hides,
}

/// Follows iterations, first to note what they write, and then again to find what decides.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    image: &'a Image,
    stack: Range<u64>,
    /// Where the loop's own words lie: in the frames, and in the context.
    loops: [Range<u64>; 2],
    gs_base: u64,
    given: Parts,
    effects: ByAddress<Rc<Effect>>,
    factory: InstructionInfoFactory,
    is_noting: bool,
    written: Parts,
    /// Flags that the loop writes, behind the body and in front of it.
    of_loop: Parts,
    /// Bytes that iterations write, by words.
    stored: ByAddress<u8>,
    /// What register parts are made of in this iteration.
    parts: [Made; PARTS],
    /// What stored bytes are made of in this iteration, by words.
    memory: ByAddress<[Option<Made>; 8]>,
    found: Made,
    reads: Option<Mnemonic>,
    pending: Option<(u64, [u64; 16])>,
    iterations: Iterations<'a>,
    has_begun: bool,
    is_inside: bool,
}

impl<'a> Flow<'a> {
    /// Nothing followed yet; `frame` is the address of frame 0 in the stack.
    pub(super) fn new(
        image: &'a Image,
        row: &JobRow,
        (stack, frame): (Range<u64>, u64),
    ) -> Flow<'a> {
        // What comes ahead of its time is of other elements.
        let element = Element {
            ahead: 0,
            ..row.settings.element
        };
        let numbers = element.registers(row.words()).into_iter();
        let receiver: Parts = numbers.fold(0, |parts, number| parts | whole(number.into()));
        // With a walk the loop adds to its cursor right in front of the body: no carry, no zero, no sign.
        let of_cursor = match row.has_walk() {
            false => 0,
            true => flags(RflagsBits::CF | RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF),
        };
        let (found, reads) = setup::left_by(image);
        Flow {
            image,
            loops: loop_words(image, frame, stack.end),
            stack,
            gs_base: image.site.data + u64::from(G_POINTER) + 8,
            given: receiver | whole(RSP) | whole(R14) | of_cursor,
            effects: ByAddress::default(),
            factory: InstructionInfoFactory::new(),
            is_noting: true,
            written: 0,
            of_loop: 0,
            stored: ByAddress::default(),
            parts: [Made::KNOWN; PARTS],
            memory: ByAddress::default(),
            found,
            reads,
            pending: None,
            iterations: Iterations::new(image),
            has_begun: false,
            is_inside: false,
        }
    }

    /// Goes from noting to finding: the same steps come again.
    pub(super) fn begin_finding(&mut self) {
        self.is_noting = false;
        self.pending = None;
        self.iterations = Iterations::new(self.image);
        self.has_begun = false;
        self.is_inside = false;
    }

    /// Takes a step: the instruction that is next, and the registers in front of it. `peek` reads words of
    /// memory as they are now.
    pub(super) fn step(
        &mut self,
        ip: u64,
        registers: &[u64; 16],
        peek: &dyn Fn(u64) -> Option<u64>,
    ) {
        if let Some((before, held)) = self.pending.take() {
            self.ran(before, &held, registers, peek);
        }
        // What enters and leaves the loop belongs to no iteration.
        self.is_inside =
            ip != self.image.loop_end && (self.is_inside || ip == self.image.loop_head);
        self.pending = self.is_inside.then_some((ip, *registers));
        let count = self.iterations.counts().len();
        self.iterations.see(ip);
        if self.iterations.counts().len() > count {
            self.has_begun = false;
        }
        if ip == self.image.body.start && !self.has_begun {
            self.has_begun = true;
            self.begin();
        }
    }

    /// Instructions and branches of each iteration followed.
    pub(super) fn counts(&self) -> &[Count] {
        self.iterations.counts()
    }

    /// What decides beside the receiver.
    pub(super) fn found(&self) -> Made {
        self.found
    }

    /// Whether code puts something into a segment register that holds whatever is put there.
    pub(super) fn keeps_selector(&self) -> bool {
        self.effects
            .values()
            .any(|effect| effect.is_own && keeps_selector(&effect.code))
    }

    /// The instruction that reads what differs between runs, where there is one.
    pub(super) fn reads(&self) -> Option<Mnemonic> {
        self.reads
    }

    fn begin(&mut self) {
        self.memory.clear();
        for (at, part) in self.parts.iter_mut().enumerate() {
            let is_unknown = self.written & !self.given & 1 << at != 0;
            let is_of_loop = self.of_loop & 1 << at != 0;
            *part = match is_unknown {
                true if is_of_loop => Made::LOOP,
                true => Made::STATE,
                false => Made::KNOWN,
            };
        }
    }

    /// Takes an instruction that has run.
    fn ran(
        &mut self,
        ip: u64,
        before: &[u64; 16],
        after: &[u64; 16],
        peek: &dyn Fn(u64) -> Option<u64>,
    ) {
        let effect = match self.effects.get(&ip) {
            Some(effect) => Rc::clone(effect),
            None => {
                let Some(effect) = self.effect(ip).map(Rc::new) else {
                    return;
                };
                self.effects.insert(ip, Rc::clone(&effect));
                effect
            }
        };
        if self.is_noting {
            self.note(&effect, before, after);
        } else if effect.is_own {
            self.follow(&effect, before, after, peek);
        } else if self.has_begun {
            // Between two copies of a body the harness puts the receiver back.
            for part in members(effect.written & self.given) {
                self.parts[part] = Made::KNOWN;
            }
        }
    }

    fn note(&mut self, effect: &Effect, before: &[u64; 16], after: &[u64; 16]) {
        self.written |= effect.written;
        if !effect.is_own {
            self.of_loop |= effect.written & flags(u32::MAX);
        }
        for used in effect
            .memory
            .iter()
            .filter(|used| is_written(used.access()))
        {
            let Some((address, size)) = self.place(&effect.code, used, before, after) else {
                self.found |= Made::STATE;
                continue;
            };
            if self.stack.contains(&address) {
                continue;
            }
            for byte in address..address + size {
                *self.stored.entry(byte >> 3).or_default() |= 1 << (byte & 7);
            }
        }
    }

    fn follow(
        &mut self,
        effect: &Effect,
        before: &[u64; 16],
        after: &[u64; 16],
        peek: &dyn Fn(u64) -> Option<u64>,
    ) {
        let code = &effect.code;
        if effect.kind == Kind::Reads {
            self.reads.get_or_insert(code.mnemonic());
            self.found |= Made::MACHINE;
        }
        if effect.kind == Kind::Hides {
            self.found |= Made::STATE;
        }
        let mut made = self.of(effect.data);
        let mut has_address = made.has(Made::HELD);
        // Numbers that are addresses speak for themselves.
        let mut bits = Made::KNOWN;
        let mut addresses = 0;
        let mut taken = None;
        for &(number, is_whole) in &effect.numbers {
            let Some(address_bits) = self.bits_of(before[number]) else {
                continue;
            };
            addresses += 1;
            bits |= address_bits;
            has_address = true;
            if !is_whole && effect.kind != Kind::Masks {
                made |= address_bits;
            }
        }
        for used in &effect.memory {
            let at = self.address_made(used, before);
            let Some((address, size)) = self.place(code, used, before, after) else {
                made |= Made::STATE;
                continue;
            };
            if is_written(used.access()) {
                let is_in_stack = self.stack.contains(&address);
                let is_in_ring = self.is_in_ring(address);
                let is_wild = at.has(Made::STATE | Made::PLACE | Made::MACHINE)
                    || at.has(Made::FRAME) && !is_in_stack
                    || at.has(Made::RING) && !is_in_ring;
                if is_wild {
                    self.find(at);
                }
            }
            if is_read(used.access()) {
                let is_word = size == 8 && effect.kind != Kind::MovesVectors;
                let (of, address_bits) = self.loaded(address, size, peek);
                let at = at.without(Made::RING | Made::HELD);
                taken = Some(self.by_bytes(address, size).map(|made| made | at));
                made |= of.without(Made::HELD) | at;
                if let Some(address_bits) = address_bits {
                    has_address = true;
                    match is_word {
                        true => {
                            addresses += 1;
                            bits |= address_bits;
                        }
                        false if effect.kind == Kind::MovesVectors => made |= Made::HELD,
                        false => made |= address_bits,
                    }
                }
            }
        }
        let (result, flags) = match effect.kind {
            Kind::Reads | Kind::Shows => (made | Made::MACHINE, made | Made::MACHINE),
            Kind::Clears => (Made::KNOWN, Made::KNOWN),
            Kind::Moves if addresses < 2 || !is_sum(code) => (made, made | bits),
            Kind::MovesVectors => {
                let held = if has_address { Made::HELD } else { Made::KNOWN };
                (made | held, made)
            }
            Kind::Compares => {
                let compared = self.compared(effect, before, addresses, bits);
                let result = match addresses {
                    2 if self.is_distance(effect, before) => made | BITS,
                    2 => made.without(Made::RING) | compared,
                    _ => made,
                };
                (result, without_ring(made, has_address, compared))
            }
            Kind::Masks => {
                let (result, flags) = self.masked(effect, before, bits, has_address);
                (made | result, without_ring(made, has_address, flags))
            }
            _ if has_address => {
                let bits = if bits == Made::KNOWN { BITS } else { bits };
                (made | bits, made | bits)
            }
            _ => (made, made),
        };
        self.find(self.of(effect.decides) | self.counts_made(effect, before));
        if effect.is_indirect {
            self.find(result);
        }
        self.write(
            effect,
            (before, after),
            (result, flags, taken),
            (addresses, has_address),
        );
    }

    /// Takes up what something is made of that decides.
    fn find(&mut self, made: Made) {
        self.found |= made.without(Made::RING | Made::HELD);
        if made.has(Made::RING) {
            self.found |= Made::STATE;
        }
    }

    /// Puts away what an instruction made.
    fn write(
        &mut self,
        effect: &Effect,
        (before, after): (&[u64; 16], &[u64; 16]),
        (result, flags, taken): (Made, Made, Option<[Made; 2]>),
        (addresses, has_address): (usize, bool),
    ) {
        use Mnemonic::{Call, Leave, Mov, Pop};
        let code = &effect.code;
        // What is taken from memory as it is keeps apart what its lowest byte is made of.
        let taken = taken.filter(|_| !has_address && matches!(code.mnemonic(), Mov | Pop));
        let pointers = self.pointers(effect);
        let is_sum = is_sum(code) && addresses == 1;
        for at in members(effect.written) {
            let part: Parts = 1 << at;
            let number = at % 16;
            let is_general = (at as u32) < VECTOR;
            let is_pointer = is_general && pointers & 1 << number != 0;
            let mut made = match at as u32 {
                FLAG.. => flags,
                _ if is_pointer && code.mnemonic() == Leave => self.of(whole(RBP)),
                // A pointer that moves on is made of what it was, and of how far it went.
                _ if is_pointer => self.parts[at] | self.of(effect.decides),
                part => match taken {
                    Some([low, _]) if part < REST => low,
                    Some([_, rest]) if part < VECTOR => rest,
                    _ => result,
                },
            };
            if effect.covered & part == 0 {
                made |= self.parts[at];
            }
            if is_general {
                made = made.without(Made::HELD);
                // An address that is none any more is a number made of one.
                if is_sum && self.bits_of(after[number]).is_none() {
                    made |= BITS;
                }
            }
            self.parts[at] = made;
        }
        let mut held = result;
        let is_address = has_address && matches!(effect.kind, Kind::Moves | Kind::MovesVectors);
        if is_address || code.mnemonic() == Call {
            held |= Made::HELD;
        }
        for used in effect
            .memory
            .iter()
            .filter(|used| is_written(used.access()))
        {
            let Some((address, size)) = self.place(code, used, before, after) else {
                continue;
            };
            let keeps = used.access() != OpAccess::Write;
            for (at, byte) in (address..address + size).enumerate() {
                let old = if keeps { self.byte(byte) } else { Made::KNOWN };
                let new = match pushed_flags(code, at) {
                    Some(pushed) => self.of(pushed),
                    None => held,
                };
                let word = self.memory.entry(byte >> 3).or_default();
                word[(byte & 7) as usize] = Some(new | old);
            }
        }
    }

    /// The general registers that an instruction moves on as it goes through memory.
    fn pointers(&self, effect: &Effect) -> u32 {
        const RSI_RDI: u32 = 1 << 6 | 1 << 7;
        let code = &effect.code;
        if is_string(code) {
            RSI_RDI
        } else if code.is_stack_instruction() {
            1 << RSP
        } else {
            0
        }
    }

    fn of(&self, parts: Parts) -> Made {
        members(parts).fold(Made::KNOWN, |made, at| made | self.parts[at])
    }

    /// What a byte of memory is made of.
    fn byte(&self, address: u64) -> Made {
        let word = self.memory.get(&(address >> 3));
        if let Some(made) = word.and_then(|word| word[(address & 7) as usize]) {
            return made;
        }
        if self.loops.iter().any(|words| words.contains(&address)) {
            return Made::LOOP;
        }
        let data = self.image.site.data;
        let is_loops = (data..data + u64::from(G_POINTER)).contains(&address)
            || (data + u64::from(G_POINTER) + 8..data + u64::from(G)).contains(&address);
        let is_stored = || {
            let bytes = self.stored.get(&(address >> 3));
            bytes.is_some_and(|bytes| bytes & 1 << (address & 7) != 0)
        };
        if self
            .image
            .rings
            .iter()
            .any(|ring| (ring.start..ring.start + 8).contains(&address))
        {
            return Made::RING;
        }
        let is_unknown =
            is_loops || self.stack.contains(&address) || self.is_in_ring(address) || is_stored();
        if is_unknown { Made::STATE } else { Made::KNOWN }
    }

    /// What the lowest byte of a load is made of, and what the others are.
    fn by_bytes(&self, address: u64, size: u64) -> [Made; 2] {
        let others = (address + 1..address + size).map(|byte| self.byte(byte));
        let rest = others.fold(Made::KNOWN, |made, own| made | own);
        [self.byte(address), rest].map(|made| made.without(Made::HELD))
    }

    /// What a load finds, and the bits of an address in it, where there is one.
    fn loaded(
        &self,
        address: u64,
        size: u64,
        peek: &dyn Fn(u64) -> Option<u64>,
    ) -> (Made, Option<Made>) {
        let mut made = Made::KNOWN;
        let mut holds = None;
        for word in address >> 3..=(address + size - 1) >> 3 {
            let from = address.max(word << 3);
            let to = (address + size).min((word + 1) << 3);
            let mut is_constant = !self.memory.contains_key(&word);
            for byte in from..to {
                let own = self.byte(byte);
                is_constant &= own == Made::KNOWN;
                made |= own;
            }
            let value = is_constant.then(|| peek(word << 3)).flatten();
            holds = holds.or(value.and_then(|value| self.bits_of(value)));
        }
        let is_held = made.has(Made::HELD);
        (made, holds.or(is_held.then_some(BITS)))
    }

    /// What the address of an operand is made of, beside an address.
    fn address_made(&self, used: &UsedMemory, before: &[u64; 16]) -> Made {
        let of = |register: Register| {
            if register.is_gpr() {
                self.of(whole(register.full_register().number()))
            } else if register.is_vector_register() {
                self.of(places(register))
            } else {
                Made::KNOWN
            }
        };
        let index = used.index();
        let mut made = of(used.base()) | of(index);
        let is_scaled =
            index.is_gpr64() && used.scale() > 1 && self.bits_of(before[index.number()]).is_some();
        if is_scaled {
            made |= BITS;
        }
        made
    }

    /// How often a repeated instruction does something is decided by its count.
    fn counts_made(&self, effect: &Effect, before: &[u64; 16]) -> Made {
        const RCX: usize = 1;
        let is_counted = effect.decides & whole(RCX) != 0;
        match self.bits_of(before[RCX]) {
            Some(bits) if is_counted => bits,
            _ => Made::KNOWN,
        }
    }

    /// Whether what is left is the distance of two places that lie elsewhere from each other in another run or at
    /// another placement: of regions, or of two places in the code.
    fn is_distance(&self, effect: &Effect, before: &[u64; 16]) -> bool {
        let image = self.image;
        let in_data =
            |number: u64| (image.data_addresses.start..=image.data_addresses.end).contains(&number);
        let numbers = effect.numbers.iter().map(|&(number, _)| before[number]);
        let own: Vec<u64> = numbers.filter(|one| self.bits_of(*one).is_some()).collect();
        let is_of = |within: &dyn Fn(u64) -> bool| own.iter().all(|one| within(*one));
        let in_stack = |number: u64| self.stack.contains(&number);
        effect.code.mnemonic() == Mnemonic::Sub && !is_of(&in_data) && !is_of(&in_stack)
    }

    /// The flags of a comparison with an address in it.
    fn compared(&self, effect: &Effect, before: &[u64; 16], addresses: usize, bits: Made) -> Made {
        /// No address is as small as that.
        const SMALL: u64 = 1 << 16;
        let code = &effect.code;
        match addresses {
            0 => Made::KNOWN,
            // Those of the stack differ by what frames do.
            2 => Made(bits.0 & Made::FRAME.0),
            _ => {
                let is_small = (0..2).any(|at| match code.op_kind(at) {
                    OpKind::Register => {
                        let register = code.op_register(at);
                        register.is_gpr64() && before[register.number()] < SMALL
                    }
                    OpKind::Memory => false,
                    _ => code.immediate(at) < SMALL,
                });
                if is_small { Made::KNOWN } else { bits }
            }
        }
    }

    /// What `and` and `test` make of an address: those with itself, low bits of it, and the address of the
    /// aligned block that it is in. Regions begin at pages, and frames at lines.
    fn masked(
        &self,
        effect: &Effect,
        before: &[u64; 16],
        bits: Made,
        has_address: bool,
    ) -> (Made, Made) {
        const PAGE: u64 = 4096;
        const LINE: u64 = 64;
        let code = &effect.code;
        if !has_address {
            return (Made::KNOWN, Made::KNOWN);
        }
        let operand = |at: u32| match code.op_kind(at) {
            OpKind::Register if is_high_byte(code.op_register(at)) => None,
            OpKind::Register => Some(before[code.op_register(at).full_register().number()]),
            OpKind::Memory => None,
            _ => Some(code.immediate(at)),
        };
        let is_address = |value: u64| self.bits_of(value).is_some();
        let (a, b) = (operand(0), operand(1));
        let mixed = if bits == Made::KNOWN { BITS } else { bits };
        let (Some(a), Some(b)) = (a, b) else {
            return (mixed, mixed);
        };
        let (address, mask) = if is_address(a) { (a, b) } else { (b, a) };
        let is_whole = code.op0_register().is_gpr64();
        let is_itself = is_whole
            && code.op0_kind() == OpKind::Register
            && code.op1_kind() == OpKind::Register
            && code.op0_register() == code.op1_register();
        let is_code = address >= self.image.site.code && !self.stack.contains(&address);
        let is_frames = self.stack.contains(&address);
        let unit = if is_frames { LINE } else { PAGE };
        if is_itself || mask < unit && !is_code {
            (Made::KNOWN, Made::KNOWN)
        } else if is_frames && mask < PAGE {
            (Made::FRAME, Made::FRAME)
        } else if is_whole && is_aligning(mask, unit) && !is_code {
            (Made::KNOWN, mixed)
        } else {
            (mixed, mixed)
        }
    }

    /// The bits that a number is of, where it is an address of the row, or the one behind its last.
    fn bits_of(&self, value: u64) -> Option<Made> {
        let image = self.image;
        let code = image.site.code..image.site.code + image.code.len() as u64;
        let is_of = |range: &Range<u64>| (range.start..=range.end).contains(&value);
        if is_of(&self.stack) {
            Some(BITS)
        } else if is_of(&image.data_addresses) || is_of(&code) {
            Some(Made::PLACE)
        } else {
            None
        }
    }

    fn is_in_ring(&self, address: u64) -> bool {
        self.image.rings.iter().any(|ring| ring.contains(&address))
    }

    /// Where an operand is, and its bytes.
    fn place(
        &self,
        code: &Instruction,
        used: &UsedMemory,
        before: &[u64; 16],
        after: &[u64; 16],
    ) -> Option<(u64, u64)> {
        let size = used.memory_size().size() as u64;
        // A vector of indices goes to many places, and what saves a whole state has a size of its own.
        if used.index().is_vector_register() || size == 0 {
            return None;
        }
        let address = used.virtual_address(0, |register, _, _| match register {
            Register::GS => Some(self.gs_base),
            Register::FS => None,
            register if register.is_segment_register() => Some(0),
            register if register.is_gpr() => {
                let value = before[register.full_register().number()];
                Some(if register.is_gpr32() {
                    value & 0xffff_ffff
                } else {
                    value
                })
            }
            Register::RIP => Some(0),
            _ => None,
        })?;
        let is_string = is_string(code) && (code.has_rep_prefix() || code.has_repne_prefix());
        if !is_string {
            return Some((address, size));
        }
        // It went as far as its pointer did, in whichever direction.
        let number = used.base().full_register().number();
        let (from, to) = (before[number], after[number]);
        Some(match to >= from {
            true => (address, (to - from).max(size)),
            false => (address - (from - to) + size, (from - to).max(size)),
        })
    }

    fn effect(&mut self, ip: u64) -> Option<Effect> {
        let owner = &self.image.owner(ip)?.owner;
        let bytes = &self.image.code[(ip - self.image.site.code) as usize..];
        let code = Decoder::with_ip(64, bytes, ip, DecoderOptions::NONE).decode();
        let is_own = *owner != Owner::Harness;
        Some(Effect {
            is_own,
            ..effect_of(code, &mut self.factory)
        })
    }
}

/// Flags of a comparison: how far a ring is filled does not show in those of an address by which nothing shows.
fn without_ring(made: Made, has_address: bool, flags: Made) -> Made {
    match has_address && !flags.has(Made::PLACE) {
        true => made.without(Made::RING) | flags,
        false => made | flags,
    }
}

/// The flags that an instruction puts into a byte of memory, where it pushes them (Intel SDM vol. 1, 3.4.3).
fn pushed_flags(code: &Instruction, byte: usize) -> Option<Parts> {
    use Mnemonic::{Pushf, Pushfd, Pushfq};
    matches!(code.mnemonic(), Pushf | Pushfd | Pushfq).then(|| {
        flags(match byte {
            0 => RflagsBits::CF | RflagsBits::PF | RflagsBits::AF | RflagsBits::ZF | RflagsBits::SF,
            1 => RflagsBits::IF | RflagsBits::DF | RflagsBits::OF,
            2 => RflagsBits::AC,
            _ => RflagsBits::NONE,
        })
    })
}

/// Where the loop around the body keeps what goes on by itself: its state in the frames, with what is carried
/// above it, and the context.
pub(super) fn loop_words(image: &Image, frame: u64, stack_end: u64) -> [Range<u64>; 2] {
    let data = image.site.data;
    [
        frame + state::CURSOR as u64..stack_end,
        data..data + u64::from(context::END),
    ]
}

fn whole(number: usize) -> Parts {
    1 << (LOW as usize + number) | 1 << (REST as usize + number)
}

/// The parts that a register is made of.
fn places(register: Register) -> Parts {
    let number = register.number();
    if register.is_gpr() {
        let full = register.full_register().number() as u32;
        match (register.is_gpr8(), is_high_byte(register)) {
            (true, false) => 1 << (LOW + full),
            (true, true) => 1 << (REST + full),
            _ => whole(full as usize),
        }
    } else if register.is_vector_register() {
        let low: Parts = 1 << (VECTOR as usize + number);
        let rest: Parts = 1 << (VECTOR_REST as usize + number);
        if register.is_xmm() { low } else { low | rest }
    } else if register.is_k() {
        1 << (MASK as usize + number)
    } else if register.is_mm() || register.is_st() {
        1 << X87
    } else {
        0
    }
}

/// What of it a write leaves nothing of.
fn covered(register: Register, encoding: EncodingKind) -> Parts {
    let number = register.number();
    if register.is_gpr16() || is_high_byte(register) || places(register) == 1 << X87 {
        0
    } else if register.is_xmm() && encoding != EncodingKind::Legacy {
        1 << (VECTOR as usize + number) | 1 << (VECTOR_REST as usize + number)
    } else {
        places(register)
    }
}

fn is_high_byte(register: Register) -> bool {
    use Register::{AH, BH, CH, DH};
    matches!(register, AH | BH | CH | DH)
}

fn is_read(access: OpAccess) -> bool {
    use OpAccess::{CondRead, Read, ReadCondWrite, ReadWrite};
    matches!(access, Read | CondRead | ReadWrite | ReadCondWrite)
}

fn is_written(access: OpAccess) -> bool {
    use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

fn is_string(code: &Instruction) -> bool {
    use OpKind::{MemoryESDI, MemoryESEDI, MemoryESRDI, MemorySegESI, MemorySegRSI, MemorySegSI};
    (0..code.op_count()).any(|at| {
        matches!(
            code.op_kind(at),
            MemoryESDI | MemoryESEDI | MemoryESRDI | MemorySegESI | MemorySegRSI | MemorySegSI
        )
    })
}

fn flags(bits: u32) -> Parts {
    Parts::from(bits & ((1 << FLAGS) - 1)) << FLAG
}

fn effect_of(code: Instruction, factory: &mut InstructionInfoFactory) -> Effect {
    let info = factory.info(&code);
    let kind = kind_of(&code);
    let mut effect = Effect {
        code,
        is_own: false,
        data: flags(code.rflags_read()),
        numbers: Vec::new(),
        written: flags(code.rflags_modified()),
        covered: flags(code.rflags_written() | code.rflags_cleared() | code.rflags_set()),
        memory: info.used_memory().to_vec(),
        decides: 0,
        is_indirect: matches!(
            code.flow_control(),
            FlowControl::IndirectBranch | FlowControl::IndirectCall | FlowControl::Return
        ),
        kind,
    };
    let is_string = is_string(&code);
    let is_repeated = is_string && (code.has_rep_prefix() || code.has_repne_prefix());
    let is_stack = code.is_stack_instruction();
    for used in info.used_registers() {
        let register = used.register();
        if is_written(used.access()) {
            effect.written |= places(register);
            if used.access() == OpAccess::Write {
                effect.covered |= covered(register, code.encoding());
            }
        }
        if !is_read(used.access()) {
            continue;
        }
        let full = register.full_register();
        let is_operand = (0..code.op_count()).any(|at| {
            code.op_kind(at) == OpKind::Register
                && code.op_register(at).full_register() == full
                && is_read(info.op_access(at))
        });
        let is_in_address = code.memory_base().full_register() == full
            || code.memory_index().full_register() == full
            || is_string && matches!(full, Register::RSI | Register::RDI)
            || is_stack && full == Register::RSP;
        if is_in_address && !is_operand && code.mnemonic() != Mnemonic::Lea {
            continue;
        }
        if is_repeated && full == Register::RCX {
            effect.decides |= places(register);
            continue;
        }
        effect.data |= places(register);
        // A register that is named twice is one number.
        let number = (full.number(), register.is_gpr64());
        if register.is_gpr() && !effect.numbers.contains(&number) {
            effect.numbers.push(number);
        }
    }
    if looks_above_the_low_byte(&code) {
        effect.data &= !(1 << (LOW as usize + code.op0_register().full_register().number()));
    }
    // What a multiplication is added to is read, although the part of the register beyond it is cleared.
    if code.op0_kind() == OpKind::Register
        && code.op0_register().is_vector_register()
        && is_read(info.op_access(0))
    {
        effect.covered &= !places(code.op0_register().full_register());
    }
    match code.flow_control() {
        FlowControl::ConditionalBranch => {
            effect.decides |= effect.data;
        }
        _ if is_repeated => effect.decides |= flags(code.rflags_read()),
        _ => {}
    }
    // What a shift by nothing leaves as it was.
    use Mnemonic::{Rcl, Rcr, Rol, Ror, Sal, Sar, Shl, Shld, Shr, Shrd};
    let keeps_flags = matches!(
        code.mnemonic(),
        Shl | Sal | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd
    ) || is_repeated;
    if keeps_flags {
        effect.covered &= !flags(u32::MAX);
    }
    if is_x87(&code) {
        effect.data |= 1 << X87;
        effect.written |= 1 << X87;
    }
    if code.condition_code() != ConditionCode::None && code.op_count() == 2 {
        // A move whose condition is not met leaves what was there.
        effect.covered = 0;
    }
    match code.mnemonic() {
        Mnemonic::Vzeroupper => {
            effect.covered |= 0xffff << VECTOR_REST;
            effect.written |= 0xffff << VECTOR_REST;
            effect.written &= !(0xffff << VECTOR);
            effect.data = 0;
        }
        Mnemonic::Bsf | Mnemonic::Bsr => {
            // Where the source is zero nothing is written.
            effect.covered &= flags(u32::MAX);
        }
        Mnemonic::Fninit => {
            effect.data = 0;
            effect.covered |= 1 << X87;
        }
        _ => {}
    }
    effect
}

/// Whether a mask, or the number of a bit, leaves out the lowest byte of a register.
fn looks_above_the_low_byte(code: &Instruction) -> bool {
    let register = code.op0_register();
    let is_wide = code.op0_kind() == OpKind::Register && register.is_gpr() && !register.is_gpr8();
    let Ok(immediate) = code.try_immediate(1) else {
        return false;
    };
    let bits = register.size() as u64 * 8;
    is_wide
        && match code.mnemonic() {
            Mnemonic::And | Mnemonic::Test => immediate & 0xff == 0,
            Mnemonic::Bt => immediate % bits >= 8,
            _ => false,
        }
}

fn is_x87(code: &Instruction) -> bool {
    use CpuidFeature::{D3NOW, FPU, FPU287, FPU387, MMX};
    let features = code.cpuid_features();
    features
        .iter()
        .any(|feature| matches!(feature, FPU | FPU287 | FPU387 | MMX | D3NOW))
}

fn kind_of(code: &Instruction) -> Kind {
    use Mnemonic::*;
    let is_wide = |at: u32| match code.op_kind(at) {
        OpKind::Register => code.op_register(at).is_gpr64(),
        // What `lea` names has no size.
        OpKind::Memory => matches!(code.memory_size().size(), 0 | 8),
        _ => true,
    };
    let are_wide = (0..code.op_count()).all(is_wide);
    match code.mnemonic() {
        Rdtsc | Rdtscp | Rdrand | Rdseed | Rdpid | Cpuid | Rdpmc | Xgetbv | Xbegin | Xtest => {
            Kind::Reads
        }
        Sgdt | Sidt | Sldt | Smsw | Str | Lar | Lsl | Verr | Verw | Rdfsbase | Rdgsbase
        | Stmxcsr | Vstmxcsr | Fnstenv | Fnsave | Fxsave | Fxsave64 | Xsave | Xsave64 | Xsavec
        | Xsaveopt => Kind::Shows,
        Fxrstor | Fxrstor64 | Xrstor | Xrstor64 | Xrstors | Xrstors64 | Frstor | Fldenv
        | Ldmxcsr | Vldmxcsr | Fldcw | Wrfsbase | Wrgsbase | Wrpkru | Xsetbv | Swapgs => {
            Kind::Hides
        }
        Lds | Les | Lfs | Lgs | Lss => Kind::Hides,
        _ if keeps_selector(code) => Kind::Hides,
        Xor | Sub if is_with_itself(code) => Kind::Clears,
        Pxor | Vpxor | Xorps | Vxorps | Xorpd | Vxorpd | Vpxord | Vpxorq | Pcmpeqb | Pcmpeqw
        | Pcmpeqd | Pcmpeqq | Vpcmpeqb | Vpcmpeqw | Vpcmpeqd
            if is_with_itself(code) && !code.has_op_mask() =>
        {
            Kind::Clears
        }
        Vzeroupper | Fninit => Kind::Clears,
        Mov | Movbe | Push | Pop | Xchg | Lea | Add | Inc | Dec | Leave | Movsq | Stosq | Lodsq
            if are_wide =>
        {
            Kind::Moves
        }
        Call | Ret | Jmp => Kind::Moves,
        Nop | Endbr64 | Prefetcht0 | Prefetcht1 | Prefetcht2 | Prefetchnta | Prefetchw => {
            Kind::Clears
        }
        Cmp | Sub if are_wide => Kind::Compares,
        And | Test => Kind::Masks,
        _ if code.condition_code() != ConditionCode::None && code.op_count() == 2 => {
            if are_wide {
                Kind::Moves
            } else {
                Kind::Mixes
            }
        }
        Movq | Vmovq | Movups | Movaps | Movupd | Movapd | Movdqu | Movdqa | Vmovups | Vmovaps
        | Vmovupd | Vmovapd | Vmovdqu | Vmovdqa | Vmovdqu64 | Vmovdqa64 | Vmovdqu32 | Vmovdqa32
        | Lddqu | Vlddqu | Movhps | Movlps | Movhpd | Movlpd | Vmovhps | Vmovlps | Punpcklqdq
        | Vpunpcklqdq | Punpckhqdq | Vpunpckhqdq | Pinsrq | Vpinsrq | Pextrq | Vpextrq
        | Movntdq | Movntps | Movnti | Vinserti128 | Vextracti128 | Vinsertf128 | Vextractf128 => {
            Kind::MovesVectors
        }
        _ => Kind::Mixes,
    }
}

/// Whether it puts something into a segment register that holds whatever is put there; `ss` has one value only
/// that code of a process may load.
fn keeps_selector(code: &Instruction) -> bool {
    use Register::{DS, ES, FS, GS};
    matches!(code.mnemonic(), Mnemonic::Mov | Mnemonic::Pop)
        && code.op0_kind() == OpKind::Register
        && matches!(code.op0_register(), DS | ES | FS | GS)
}

/// Whether a mask leaves all of an address but what is behind the start of a block, of a unit at the most.
fn is_aligning(mask: u64, unit: u64) -> bool {
    let block = mask.wrapping_neg();
    block.is_power_of_two() && block <= unit
}

/// Whether it adds to a number, or takes from it.
fn is_sum(code: &Instruction) -> bool {
    use Mnemonic::{Add, Dec, Inc, Lea, Sub};
    matches!(code.mnemonic(), Add | Lea | Inc | Dec | Sub)
}

/// Whether what it reads makes no difference, as a register that is taken from itself.
fn is_with_itself(code: &Instruction) -> bool {
    let count = code.op_count();
    let register = |at: u32| (code.op_kind(at) == OpKind::Register).then(|| code.op_register(at));
    match count {
        2 => register(0).is_some() && register(0) == register(1),
        3 => register(1).is_some() && register(1) == register(2),
        _ => false,
    }
}

mod setup;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asm;

    fn effect(text: &str) -> Effect {
        let section = asm::fragment(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let code = Decoder::new(64, &section.bytes, DecoderOptions::NONE).decode();
        effect_of(code, &mut InstructionInfoFactory::new())
    }

    /// What keeps a part of what a register held is made of that, too.
    #[test]
    fn a_write_covers_what_it_leaves_nothing_of() {
        let low = |number: usize| 1 << (LOW as usize + number);
        let xmm = |number: usize| 1 << (VECTOR as usize + number);
        let ymm = |number: usize| xmm(number) | 1 << (VECTOR_REST as usize + number);
        #[rustfmt::skip] // a table
        let cases: [(&str, Parts); 24] = [
            ("mov ecx, eax",                   whole(1)),
            ("mov rcx, rax",                   whole(1)),
            ("mov cx, ax",                     0),
            ("mov cl, al",                     low(1)),
            ("mov ch, al",                     0),
            ("cmove ecx, eax",                 0),
            ("bsf ecx, eax",                   0),
            ("movaps xmm3, xmm4",              xmm(3)),
            ("movss xmm3, [rax]",              xmm(3)),
            ("movss xmm3, xmm4",               0),
            ("movsd xmm3, xmm4",               0),
            ("movhps xmm3, [rax]",             0),
            ("movlps xmm3, [rax]",             0),
            ("sqrtsd xmm3, xmm4",              0),
            ("rcpss xmm3, xmm4",               0),
            ("cvtsi2sd xmm3, eax",             0),
            ("cvtss2sd xmm3, xmm4",            0),
            ("roundsd xmm3, xmm4, 1",          0),
            ("pinsrq xmm3, rax, 1",            0),
            ("paddd xmm3, xmm4",               0),
            ("vpaddd xmm3, xmm4, xmm5",        ymm(3)),
            ("vpaddd ymm3, ymm4, ymm5",        ymm(3)),
            ("vpaddd zmm3{k1}, zmm4, zmm5",    0),
            ("vfmadd231ps ymm3, ymm4, ymm5",   0),
        ];
        for (text, covered) in cases {
            let effect = effect(text);
            assert_eq!(effect.covered & !flags(u32::MAX), covered, "{text}");
            let registers = !flags(u32::MAX) & !(1 << X87);
            assert_ne!(effect.written & registers, 0, "{text}");
        }
    }

    #[test]
    fn what_is_masked_out_is_not_read() {
        let low = 1 << (LOW as usize + 1);
        let cases = [
            ("test ecx, 0x100", 0),
            ("test ecx, 0x101", low),
            ("and ecx, 0xffffff00", 0),
            ("and ecx, eax", low),
            ("bt ecx, 8", 0),
            ("bt ecx, 7", low),
            ("bt cx, 16", low),
            ("test cl, 0", low),
        ];
        for (text, read) in cases {
            assert_eq!(effect(text).data & low, read, "{text}");
        }
    }

    #[test]
    fn a_shift_may_leave_the_flags_as_they_were() {
        for text in ["shl eax, cl", "ror eax, 1", "shld eax, ecx, 3"] {
            assert_eq!(effect(text).covered & flags(u32::MAX), 0, "{text}");
        }
        assert_ne!(effect("add eax, ecx").covered & flags(u32::MAX), 0);
    }

    #[test]
    fn what_is_taken_from_itself_is_known() {
        for text in [
            "xor eax, eax",
            "sub rcx, rcx",
            "pxor xmm1, xmm1",
            "vpxor ymm1, ymm2, ymm2",
        ] {
            assert_eq!(effect(text).kind, Kind::Clears, "{text}");
        }
        for text in ["xor eax, ecx", "sbb eax, eax", "vpxor ymm1, ymm1, ymm2"] {
            assert_ne!(effect(text).kind, Kind::Clears, "{text}");
        }
    }

    #[test]
    fn what_only_says_where_is_no_datum() {
        let cases: [(&str, &[(usize, bool)]); 6] = [
            ("mov eax, [rcx + rdx*4]", &[]),
            ("add rcx, [rcx]", &[(1, true)]),
            ("lea rax, [rcx + 8]", &[(1, true)]),
            ("push rcx", &[(1, true)]),
            ("pop rcx", &[]),
            ("mov eax, ecx", &[(1, false)]),
        ];
        for (text, numbers) in cases {
            assert_eq!(effect(text).numbers, numbers, "{text}");
        }
        assert_eq!(effect("lea rax, [rcx + 8]").kind, Kind::Moves);
    }
}
