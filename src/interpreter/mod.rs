//! Machine code, interpreted on this process's own memory: as many iterations as a walk has, with
//! each branch told as it runs.
//!
//! Correct means: what runs is what the CPU would run, instruction by instruction; where that is
//! not known, because of an instruction, an address or a divisor, it stops and says why.
//!
//! A block, the instructions up to the next branch, is decoded when it is first reached, into ops
//! that call a function specialised by width and operands; later it is only called again. Nothing
//! is kept of what ran but how often each block did.

use std::fmt;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};

use crate::branch::{Branch, BranchKind};
use crate::link::ByAddress;
use crate::sys::signals::NIL_PAGE;

mod cpu;
mod decode;
mod integer;
pub mod memory;
pub mod native;
mod undefined;
mod vector;

pub use cpu::{Cpu, Registers, State};

use cpu::{ANY, Op, RCX, RSP};
use undefined::Flags;

/// The longest block, so that straight-line code of any length is decoded in pieces.
const LONGEST_BLOCK: usize = 64;
const NONE: u32 = u32::MAX;

/// Whose an instruction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Everybody's: counted.
    Template,
    /// Of the loop around it, whose use of the clock and of MXCSR is known: counted by itself.
    Harness,
}

/// Why an op did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// It loads from memory that it was not given.
    Load(u64),
    /// It stores to memory that it was not given to write.
    Store(u64),
    /// Its vector in memory is not aligned.
    Unaligned(u64),
    /// What it would do is not defined, or not interpreted.
    Refused(&'static str),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Load(address) => write!(f, "a load from {address:#x}, outside the row's memory"),
            Halt::Store(address) => {
                write!(f, "a store to {address:#x}, outside what the row may write")
            }
            Halt::Unaligned(address) => write!(f, "a vector at {address:#x}, which is not aligned"),
            Halt::Refused(why) => f.write_str(why),
        }
    }
}

/// Where and why interpreting stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// An op did not run.
    Halt {
        /// Address of the instruction.
        ip: u64,
        /// Why.
        halt: Halt,
    },
    /// The instruction is not interpreted.
    Unknown {
        /// Address of the instruction.
        ip: u64,
        /// Its mnemonic.
        mnemonic: String,
    },
    /// The code leaves what it was given.
    Outside {
        /// Where it would go.
        ip: u64,
    },
    /// Whoever watches has seen enough.
    Enough,
    /// It has run as many instructions as it may, and no iteration has ended.
    Long {
        /// How many those are.
        instructions: u64,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Halt { ip, halt } => write!(f, "{halt} (at {ip:#x})"),
            Stop::Unknown { ip, mnemonic } => write!(f, "it does not know {mnemonic} (at {ip:#x})"),
            Stop::Outside { ip } => write!(f, "a jump to {ip:#x}, outside the image"),
            Stop::Enough => f.write_str("it was told to stop"),
            Stop::Long { instructions } => {
                write!(
                    f,
                    "an iteration takes more than {instructions} instructions"
                )
            }
        }
    }
}

/// Who looks on while code runs.
pub trait Watch {
    /// Whether [`Watch::step`] wants to be called.
    const STEPS: bool = false;
    /// Before each instruction; `false` ends the run.
    fn step(&mut self, _ip: u64, _cpu: &Cpu<'_>) -> bool {
        true
    }
    /// After each branch.
    fn branch(&mut self, branch: Branch);
    /// Instructions that may run between two ends of iterations.
    fn longest(&self) -> u64 {
        u64::MAX
    }
    /// After an access through a nil pointer that goes on elsewhere, with the instruction's address; none after a call
    /// through one.
    fn answered(&mut self, _ip: Option<u64>) {}
    /// After the branch that ends an iteration, with how many instructions ran since the run began;
    /// `false` ends it.
    fn turn(&mut self, _instructions: u64, _cpu: &Cpu<'_>) -> bool {
        true
    }
}

/// How many instructions and branches ran, by whose they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The template's instructions; a repeated string instruction is one.
    pub instructions: u64,
    /// The template's branches.
    pub branches: u64,
    /// The harness's instructions.
    pub harness: u64,
    /// The harness's branches.
    pub harness_branches: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.instructions += more.instructions;
        self.branches += more.branches;
        self.harness += more.harness;
        self.harness_branches += more.harness_branches;
    }
}

/// The code to interpret.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Address of the first byte.
    pub address: u64,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Addresses, ascending, that are the template's; all others are the harness's.
    pub own: &'a [Range<u64>],
    /// Address behind the branch that ends an iteration.
    pub turn_end: u64,
}

impl Code<'_> {
    fn known(&self, ip: u64) -> Known {
        let at = self.own.partition_point(|range| range.end <= ip);
        match self.own.get(at) {
            Some(range) if range.contains(&ip) => Known::Template,
            _ => Known::Harness,
        }
    }
}

/// What stands at the end of a block.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The next block follows.
    Through,
    Branch(BranchKind, Condition),
    /// `ret` with this many bytes more.
    Return(u64),
    /// An instruction that is not interpreted; its mnemonic by number.
    Unknown(u32),
    /// An instruction that reads a flag which one before it leaves undefined.
    Undefined,
}

#[derive(Debug, Clone, Copy)]
enum Condition {
    Always,
    /// By the flags.
    Flags(u8),
    /// `loop`, `loope`, `loopne`: rcx after counting, and ZF where asked.
    Loop(Option<bool>),
    /// `jrcxz`.
    CountIsZero,
}

#[derive(Debug)]
struct Block {
    ops: Range<u32>,
    end: End,
    /// Address of the branch.
    ip: u64,
    /// Address behind the block.
    next: u64,
    /// Where a direct branch goes.
    target: u64,
    /// The blocks there, once known.
    links: [u32; 2],
    is_turn: bool,
    own: u32,
    own_branches: u32,
    flags: Flags,
    hits: u64,
}

/// The blocks of one image that were reached so far.
#[derive(Debug)]
pub struct Interpreter<'a> {
    code: Code<'a>,
    ops: Vec<Op>,
    blocks: Vec<Block>,
    /// The block that begins at each byte, plus 1.
    starts: Vec<u32>,
    /// Addresses that begin a block, however they are reached.
    borders: Vec<u64>,
    /// Mnemonics that are not interpreted.
    unknown: Vec<String>,
    /// Addresses of instructions that run by themselves, and the numbers of those.
    natives: ByAddress<u32>,
    /// Where an access through a nil pointer goes on, if anywhere.
    nil: Option<u64>,
    /// What stood in blocks behind such an access, and did not run.
    skipped: Tally,
}

impl<'a> Interpreter<'a> {
    /// Nothing decoded yet. Runs may begin and end at `borders` only.
    pub fn new(code: Code<'a>, borders: &[u64]) -> Interpreter<'a> {
        Interpreter {
            code,
            ops: Vec::new(),
            blocks: Vec::new(),
            starts: vec![0; code.bytes.len()],
            borders: borders.to_vec(),
            unknown: Vec::new(),
            natives: ByAddress::default(),
            nil: None,
            skipped: Tally::default(),
        }
    }

    /// Has an access through a nil pointer go on at `handler`, with the instruction's address pushed, as the handler of
    /// the signal has it.
    #[must_use]
    pub fn with_nil(self, handler: Option<u64>) -> Interpreter<'a> {
        Interpreter {
            nil: handler,
            ..self
        }
    }

    /// Has instructions run by themselves, where they stand among these: by address, what [`Cpu`] knows them by.
    #[must_use]
    pub fn with(self, natives: ByAddress<u32>) -> Interpreter<'a> {
        Interpreter { natives, ..self }
    }

    /// The op of an instruction that runs by itself.
    fn native(&self, instruction: &Instruction) -> Option<Op> {
        let number = self.natives.get(&instruction.ip())?;
        decode::native_of(instruction, *number)
    }

    /// What ran since [`Interpreter::forget`].
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for block in &self.blocks {
            let branches = u64::from(matches!(block.end, End::Branch(..) | End::Return(_)));
            let all = u64::from(block.ops.end - block.ops.start) + branches;
            let (own, own_branches) = (u64::from(block.own), u64::from(block.own_branches));
            tally.instructions += block.hits * own;
            tally.branches += block.hits * own_branches;
            tally.harness += block.hits * (all - own);
            tally.harness_branches += block.hits * (branches - own_branches);
        }
        tally.instructions -= self.skipped.instructions;
        tally.branches -= self.skipped.branches;
        tally.harness -= self.skipped.harness;
        tally.harness_branches -= self.skipped.harness_branches;
        tally
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        for block in &mut self.blocks {
            block.hits = 0;
        }
        self.skipped = Tally::default();
    }

    /// Runs from one border until the next instruction is that at the other.
    ///
    /// # Errors
    /// Where it stopped before.
    pub fn run<W: Watch>(
        &mut self,
        cpu: &mut Cpu<'_>,
        from: u64,
        until: u64,
        watch: &mut W,
    ) -> Result<(), Stop> {
        let until = self.block_at(until)?;
        let mut at = self.block_at(from)?;
        let mut instructions = 0;
        let mut undefined = 0;
        let longest = watch.longest();
        let mut limit = longest;
        loop {
            let block = &mut self.blocks[at as usize];
            match block.flags.behind(undefined) {
                Some(behind) => undefined = behind,
                None => {
                    let first = self.ops.get(block.ops.start as usize);
                    return Err(reads_undefined(first.map_or(block.ip, |op| op.ip)));
                }
            }
            block.hits += 1;
            let (first, last) = (block.ops.start as usize, block.ops.end as usize);
            instructions += (last - first + 1) as u64;
            let mut halt = None;
            for (number, op) in (first..).zip(&self.ops[first..last]) {
                if W::STEPS && !watch.step(op.ip, cpu) {
                    return Err(Stop::Enough);
                }
                if (op.run)(cpu, op).is_none() {
                    halt = Some((number, halted(cpu, op.ip)));
                    break;
                }
            }
            if let Some((number, stop)) = halt {
                let handler = self.answer(cpu, stop, watch)?;
                self.skip(at, number + 1);
                at = self.block_at(handler)?;
                continue;
            }
            let is_turn = block.is_turn;
            at = match self.leave(at, last, cpu, watch) {
                Ok(next) => next,
                Err(stop) => {
                    let handler = self.answer(cpu, stop, watch)?;
                    self.block_at(handler)?
                }
            };
            if is_turn {
                if !watch.turn(instructions, cpu) {
                    return Err(Stop::Enough);
                }
                limit = instructions.saturating_add(longest);
            } else if instructions > limit {
                return Err(Stop::Long {
                    instructions: longest,
                });
            }
            if at == until {
                return Ok(());
            }
        }
    }

    /// Where a run goes on that stopped at an access through a nil pointer, with its address pushed; a call through one
    /// has pushed an address itself.
    #[cold]
    fn answer<W: Watch>(&self, cpu: &mut Cpu<'_>, stop: Stop, watch: &mut W) -> Result<u64, Stop> {
        let (handler, pushed) = match (self.nil, &stop) {
            (
                Some(handler),
                Stop::Halt {
                    ip,
                    halt: Halt::Load(at) | Halt::Store(at),
                },
            ) if *at < NIL_PAGE => (handler, Some(*ip)),
            (Some(handler), Stop::Outside { ip }) if *ip < NIL_PAGE => (handler, None),
            _ => return Err(stop),
        };
        if pushed.is_some_and(|ip| cpu.push::<64>(ip).is_none()) {
            return Err(stop);
        }
        watch.answered(pushed);
        Ok(handler)
    }

    /// Counts what stands in a block from an op on as not run.
    fn skip(&mut self, at: u32, from: usize) {
        let block = &self.blocks[at as usize];
        let ops = &self.ops[from..block.ops.end as usize];
        let branch = match block.end {
            End::Branch(..) | End::Return(_) => Some(block.ip),
            _ => None,
        };
        let is_own = |ip: u64| self.code.known(ip) == Known::Template;
        let own = ops.iter().filter(|op| is_own(op.ip)).count() as u64;
        let mut skipped = Tally {
            instructions: own,
            harness: ops.len() as u64 - own,
            ..Tally::default()
        };
        match branch.map(is_own) {
            Some(true) => {
                skipped.instructions += 1;
                skipped.branches = 1;
            }
            Some(false) => {
                skipped.harness += 1;
                skipped.harness_branches = 1;
            }
            None => {}
        }
        self.skipped += skipped;
    }

    /// Executes what ends a block and finds the next one.
    #[inline(always)]
    fn leave<W: Watch>(
        &mut self,
        at: u32,
        last: usize,
        cpu: &mut Cpu<'_>,
        watch: &mut W,
    ) -> Result<u32, Stop> {
        let block = &self.blocks[at as usize];
        let (ip, next) = (block.ip, block.next);
        let (kind, taken, target) = match block.end {
            End::Through => return self.link(at, 0, next),
            End::Undefined => return Err(reads_undefined(ip)),
            End::Unknown(number) => {
                let mnemonic = self.unknown[number as usize].clone();
                return Err(Stop::Unknown { ip, mnemonic });
            }
            _ if W::STEPS && !watch.step(ip, cpu) => return Err(Stop::Enough),
            End::Branch(kind @ (BranchKind::IndirectJump | BranchKind::IndirectCall), _) => {
                let op = self.ops[last];
                let Some(target) = cpu.read::<64, ANY>(&op, 0) else {
                    return Err(halted(cpu, ip));
                };
                (kind, true, target)
            }
            End::Branch(kind, condition) => (kind, is_taken(cpu, condition), block.target),
            End::Return(more) => {
                let Some(target) = cpu.pop::<64>() else {
                    return Err(halted(cpu, ip));
                };
                let top = cpu.register::<64>(RSP).wrapping_add(more);
                cpu.put::<64>(RSP, top);
                (BranchKind::Return, true, target)
            }
        };
        let is_call = matches!(kind, BranchKind::Call | BranchKind::IndirectCall);
        if is_call && cpu.push::<64>(next).is_none() {
            return Err(halted(cpu, ip));
        }
        watch.branch(Branch {
            ip,
            kind,
            taken,
            target,
        });
        match kind {
            BranchKind::Conditional | BranchKind::Jump | BranchKind::Call if taken => {
                self.link(at, 1, target)
            }
            BranchKind::Conditional => self.link(at, 0, next),
            _ => self.block_at(target),
        }
    }

    #[inline(always)]
    fn link(&mut self, at: u32, which: usize, target: u64) -> Result<u32, Stop> {
        let known = self.blocks[at as usize].links[which];
        if known != NONE {
            return Ok(known);
        }
        let found = self.block_at(target)?;
        self.blocks[at as usize].links[which] = found;
        Ok(found)
    }

    #[inline(always)]
    fn block_at(&mut self, ip: u64) -> Result<u32, Stop> {
        let offset = ip.wrapping_sub(self.code.address) as usize;
        match self.starts.get(offset) {
            None => Err(Stop::Outside { ip }),
            Some(0) => self.decode(ip, offset),
            Some(number) => Ok(number - 1),
        }
    }

    #[cold]
    fn decode(&mut self, start: u64, offset: usize) -> Result<u32, Stop> {
        let mut decoder =
            Decoder::with_ip(64, &self.code.bytes[offset..], start, DecoderOptions::NONE);
        let first = self.ops.len() as u32;
        let mut own = 0;
        let mut flags = Flags::default();
        let mut instruction = Instruction::default();
        let mut block = loop {
            let ip = decoder.ip();
            let count = self.ops.len() - first as usize;
            if count > 0 && (self.borders.contains(&ip) || count == LONGEST_BLOCK) {
                break Block::through(ip);
            }
            if !decoder.can_decode() {
                if count > 0 {
                    break Block::through(ip);
                }
                return Err(Stop::Outside { ip });
            }
            decoder.decode_out(&mut instruction);
            let known = self.code.known(ip);
            let native = self.native(&instruction);
            if !flags.pass(&instruction, native.is_some()) {
                break Block {
                    end: End::Undefined,
                    ip,
                    ..Block::through(ip)
                };
            }
            own += u32::from(known == Known::Template);
            if let Some(end) = branch_of(&instruction) {
                let unknown = |mnemonic| Stop::Unknown { ip, mnemonic };
                let mut block = self.ending(&instruction, end).map_err(unknown)?;
                block.own_branches = u32::from(known == Known::Template);
                break block;
            }
            let op = match native {
                Some(op) => Ok(op),
                None => decode::op_of(&instruction, known),
            };
            match op {
                Ok(op) => self.ops.push(op),
                // What comes before still runs, and it may not come to this.
                Err(mnemonic) => {
                    own -= u32::from(known == Known::Template);
                    self.unknown.push(mnemonic);
                    break Block {
                        end: End::Unknown(self.unknown.len() as u32 - 1),
                        ip,
                        ..Block::through(ip)
                    };
                }
            }
        };
        let is_indirect = matches!(
            block.end,
            End::Branch(BranchKind::IndirectJump | BranchKind::IndirectCall, _)
        );
        block.ops = first..self.ops.len() as u32 - u32::from(is_indirect);
        block.own = own;
        block.flags = flags;
        self.blocks.push(block);
        self.starts[offset] = self.blocks.len() as u32;
        Ok(self.blocks.len() as u32 - 1)
    }

    /// The end of a block by a branch. Where that is indirect, its operand becomes an op that is
    /// read and not run.
    fn ending(&mut self, instruction: &Instruction, end: End) -> Result<Block, String> {
        let kind = match end {
            End::Branch(kind, _) => kind,
            _ => BranchKind::Return,
        };
        if matches!(kind, BranchKind::IndirectJump | BranchKind::IndirectCall) {
            self.ops.push(decode::target_of(instruction)?);
        }
        Ok(Block {
            end,
            ip: instruction.ip(),
            target: instruction.near_branch_target(),
            is_turn: instruction.next_ip() == self.code.turn_end,
            ..Block::through(instruction.next_ip())
        })
    }
}

impl Block {
    fn through(next: u64) -> Block {
        Block {
            ops: 0..0,
            end: End::Through,
            ip: 0,
            next,
            target: 0,
            links: [NONE; 2],
            is_turn: false,
            own: 0,
            own_branches: 0,
            flags: Flags::default(),
            hits: 0,
        }
    }
}

fn reads_undefined(ip: u64) -> Stop {
    let halt = Halt::Refused("a flag is read that the manuals leave undefined");
    Stop::Halt { ip, halt }
}

fn halted(cpu: &mut Cpu<'_>, ip: u64) -> Stop {
    let halt = cpu.halt.take().unwrap_or(Halt::Refused("it stopped"));
    Stop::Halt { ip, halt }
}

#[inline(always)]
fn is_taken(cpu: &mut Cpu<'_>, condition: Condition) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Flags(number) => cpu.condition(number),
        Condition::CountIsZero => cpu.register::<64>(RCX) == 0,
        Condition::Loop(zero) => {
            let left = cpu.register::<64>(RCX).wrapping_sub(1);
            cpu.put::<64>(RCX, left);
            left != 0 && zero.is_none_or(|zero| cpu.zf() == zero)
        }
    }
}

/// What a branch does; `None` for what is none, and for those that are not interpreted.
fn branch_of(instruction: &Instruction) -> Option<End> {
    use iced_x86::Code::{
        Jrcxz_rel8_64, Loop_rel8_64_RCX, Loope_rel8_64_RCX, Loopne_rel8_64_RCX, Retnq, Retnq_imm16,
    };
    let is_near = instruction.op0_kind() == OpKind::NearBranch64;
    let always = |kind| Some(End::Branch(kind, Condition::Always));
    match instruction.flow_control() {
        FlowControl::UnconditionalBranch if is_near => always(BranchKind::Jump),
        FlowControl::IndirectBranch => always(BranchKind::IndirectJump),
        FlowControl::Call if is_near => always(BranchKind::Call),
        FlowControl::IndirectCall => always(BranchKind::IndirectCall),
        FlowControl::Return => match instruction.code() {
            Retnq => Some(End::Return(0)),
            Retnq_imm16 => Some(End::Return(u64::from(instruction.immediate16()))),
            _ => None,
        },
        FlowControl::ConditionalBranch if is_near => {
            let condition = match instruction.code() {
                Loop_rel8_64_RCX => Condition::Loop(None),
                Loope_rel8_64_RCX => Condition::Loop(Some(true)),
                Loopne_rel8_64_RCX => Condition::Loop(Some(false)),
                Jrcxz_rel8_64 => Condition::CountIsZero,
                _ if instruction.is_jcc_short_or_near() => {
                    Condition::Flags(decode::condition(instruction))
                }
                _ => return None,
            };
            Some(End::Branch(BranchKind::Conditional, condition))
        }
        _ => None,
    }
}
