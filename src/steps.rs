//! From what a worker told step by step to the report of `step`.
//!
//! Correct means: every executed instruction is one line, with the text that `show` prints for it and
//! exactly the registers that it changed; addresses are those of `show`, so that two runs agree.

use std::collections::HashMap;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};

use crate::asm;
use crate::branch::BranchKind;
use crate::go::HeapKind;
use crate::job::{Trace, TraceIteration, TraceStep};
use crate::link::harness::register_name;
use crate::link::{HEAP_OFFSET, Image, Owner, frame};
use crate::prepare::Prepared;
use crate::report::Status;
use crate::report::steps::{Branch, Change, Flag, Iteration, Line, Location, Steps};
use crate::scenario::Scenario;
use crate::template::{FACTORS, LinePlace, ResultRegister, Template};

mod stack;

pub use stack::Drawn;

/// Flags that are told, with their bits.
#[rustfmt::skip] // a table: one flag an item
const FLAGS: [(&str, u64); 7] = [
    ("CF", 1 << 0), ("PF", 1 << 2), ("ZF", 1 << 6), ("SF", 1 << 7), ("DF", 1 << 10), ("OF", 1 << 11), ("AC", 1 << 18),
];

/// What a trace says, in the addresses of `show`, with the stack where it is to be drawn.
pub fn tell(
    scenario: &Scenario,
    prepared: &Prepared,
    trace: &Trace,
    status: Status,
    drawn: Option<Drawn>,
) -> Steps {
    let teller = Teller {
        image: &prepared.image,
        program: &prepared.row.program,
        template: &scenario.template,
        has_register_abi: prepared.row.heap.release.has_register_abi(),
        trace,
    };
    let states = states(&trace.steps);
    let mut lines = teller.lines(&states);
    let mut iterations = Vec::new();
    for (number, told) in trace.iterations.iter().enumerate().rev() {
        let own = lines.split_off(lines.partition_point(|(at, _)| *at < told.start));
        let (steps, mut own): (Vec<usize>, Vec<Line>) = own.into_iter().unzip();
        if let Some(drawn) = drawn {
            let rsp = states[told.start].registers[4];
            stack::draw(&teller, (&states, &steps), &mut own, rsp, drawn);
        }
        let number = number as u64 + 1;
        iterations.push(iteration(scenario, prepared, number, told, own));
    }
    iterations.reverse();
    Steps {
        scenario: scenario.name.clone(),
        template: scenario.template.file_name(),
        result: added(&prepared.row.results),
        entry: lines.into_iter().map(|(_, line)| line).collect(),
        iterations,
        cut_short: trace.is_cut_short.then_some(trace.steps.len() as u64),
        status,
        modelled: None,
    }
}

/// What the loop adds of an iteration's results, as a reader can work it out.
fn added(results: &[ResultRegister]) -> Option<String> {
    let added = |(factor, register): (u32, &ResultRegister)| match factor {
        1 => register_name(*register).to_string(),
        _ => format!("{factor:#x} * {}", register_name(*register)),
    };
    let terms: Vec<String> = FACTORS.into_iter().zip(results).map(added).collect();
    (!terms.is_empty()).then(|| terms.join(" + "))
}

fn iteration(
    scenario: &Scenario,
    prepared: &Prepared,
    number: u64,
    told: &TraceIteration,
    lines: Vec<Line>,
) -> Iteration {
    let own = || {
        lines
            .iter()
            .filter(|line| line.is_executed && !line.is_harness)
    };
    let visits = prepared.row.heap.kind != HeapKind::None;
    Iteration {
        number,
        object: visits.then_some(told.object),
        type_name: visits.then(|| scenario.type_name(scenario.type_of_object(told.object))),
        instructions: own().count() as u64,
        branches: own().filter(|line| line.branch.is_some()).count() as u64,
        expected: told.expected,
        result: told.result,
        lines,
    }
}

/// The machine before an instruction.
#[derive(Debug, Clone, Copy)]
struct State {
    ip: u64,
    flags: u64,
    registers: [u64; 16],
}

/// The whole state at each step, from the differences.
fn states(steps: &[TraceStep]) -> Vec<State> {
    let mut registers = [0; 16];
    let state = |step: &TraceStep| {
        for &(number, value) in &step.changed {
            if let Some(register) = registers.get_mut(usize::from(number)) {
                *register = value;
            }
        }
        State {
            ip: step.ip,
            flags: step.flags,
            registers,
        }
    };
    steps.iter().map(state).collect()
}

/// What stands at an address, and the part of its line that is always the same.
struct Site {
    instruction: Instruction,
    line: Line,
}

struct Teller<'a> {
    /// The image of `show`, which has the layout of the worker's.
    image: &'a Image,
    program: &'a asm::Program,
    template: &'a Template,
    has_register_abi: bool,
    trace: &'a Trace,
}

impl Teller<'_> {
    /// A line for each instruction, with the index of its step. The last step is an instruction that
    /// never ran; it is told where it is the template's, for then it is what went wrong.
    fn lines(&self, states: &[State]) -> Vec<(usize, Line)> {
        let mut known: HashMap<u64, Option<Site>> = HashMap::new();
        let mut lines = Vec::new();
        let mut starts = self
            .trace
            .iterations
            .iter()
            .map(|told| told.start)
            .peekable();
        let mut stack = self.trace.frame;
        let mut at = 0;
        while let Some(now) = states.get(at) {
            if starts.next_if_eq(&at).is_some() {
                stack = now.registers[4];
            }
            let site = known.entry(now.ip).or_insert_with(|| self.site(now.ip));
            let is_branch = site
                .as_ref()
                .is_some_and(|site| branches(&site.instruction));
            // A repeated string instruction takes a step each time.
            let turns = if is_branch {
                1
            } else {
                let same = states[at..].iter().take_while(|state| state.ip == now.ip);
                same.count()
            };
            if let Some(site) = site {
                let line = self.line((now, states.get(at + turns)), site, stack);
                if line.is_executed || !line.is_harness {
                    lines.push((at, line));
                }
            }
            at += turns;
        }
        lines
    }

    /// The line of an address of `show`.
    fn line_of(&self, address: u64) -> Option<LinePlace> {
        let line = self.image.line(self.program, address)?;
        Some(self.template.place(line))
    }

    /// What stands at an address of the worker, where that lies in the image.
    fn site(&self, ip: u64) -> Option<Site> {
        let offset = ip.checked_sub(self.trace.code)?;
        let bytes = self.image.code.get(usize::try_from(offset).ok()?..)?;
        let address = self.image.site.code + offset;
        let owner = &self.image.owner(address)?.owner;
        let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
        let bytes = &bytes[..instruction.len()];
        let listed = asm::disassemble(bytes, address, &|address| self.image.name(address));
        let line = Line {
            section: match owner {
                Owner::Section(index) => self.program.sections[*index].name.clone(),
                Owner::Stub(name) => format!("{name}  (modelled)"),
                Owner::Harness => "harness".into(),
            },
            is_harness: *owner == Owner::Harness,
            is_executed: false,
            address,
            bytes: bytes.to_vec(),
            text: listed.into_iter().map(|one| one.text).collect(),
            line: self.line_of(address),
            changes: Vec::new(),
            flags: Vec::new(),
            memory: None,
            branch: None,
            stack: None,
        };
        Some(Site { instruction, line })
    }

    fn line(&self, (now, after): (&State, Option<&State>), site: &Site, stack: u64) -> Line {
        let Site { instruction, line } = site;
        let memory = self.memory(now, instruction);
        let mut line = Line {
            memory: memory.map(|address| self.location(address, stack)),
            ..line.clone()
        };
        let Some(after) = after else { return line };
        line.is_executed = true;
        line.changes = self.changes(now, after, stack);
        let flags = FLAGS
            .iter()
            .filter(|(_, bit)| (now.flags ^ after.flags) & bit != 0);
        line.flags = flags
            .map(|(name, bit)| Flag {
                name,
                is_set: after.flags & bit != 0,
            })
            .collect();
        line.branch = branches(instruction).then(|| Branch {
            is_taken: after.ip != now.ip + instruction.len() as u64,
            to: self.location(after.ip, stack),
        });
        line
    }

    fn changes(&self, now: &State, after: &State, stack: u64) -> Vec<Change> {
        let both = now.registers.iter().zip(after.registers);
        (0u8..)
            .zip(both)
            .filter(|(_, (before, value))| *before != value)
            .map(|(number, (_, value))| Change {
                register: register_name(ResultRegister { number, bits: 64 }).to_string(),
                value: self.location(value, stack),
            })
            .collect()
    }

    /// The address of the memory operand, where the instruction reads or writes what is there.
    fn memory(&self, now: &State, instruction: &Instruction) -> Option<u64> {
        let is_address_only = matches!(
            instruction.code(),
            Code::Lea_r16_m | Code::Lea_r32_m | Code::Lea_r64_m
        ) || instruction.mnemonic() == iced_x86::Mnemonic::Nop;
        let operand = (0..instruction.op_count())
            .find(|&at| instruction.op_kind(at) == OpKind::Memory)
            .filter(|_| !is_address_only)?;
        if instruction.is_ip_rel_memory_operand() {
            return Some(self.real(instruction.ip_rel_memory_address()));
        }
        instruction.virtual_address(operand, 0, |register, _, _| {
            if register == Register::GS {
                return Some(self.trace.data + u64::from(frame::G_POINTER) + 8);
            }
            if register.is_segment_register() {
                return Some(0);
            }
            let whole = now.registers.get(register.full_register().number())?;
            Some(match register.size() {
                4 => whole & 0xffff_ffff,
                _ => *whole,
            })
            .filter(|_| register.is_gpr())
        })
    }

    fn data_bytes(&self) -> u64 {
        let addresses = &self.image.data_addresses;
        addresses.end - addresses.start
    }

    /// An address of `show` in the worker.
    fn real(&self, shown: u64) -> u64 {
        let site = &self.image.site;
        match shown.checked_sub(site.data) {
            Some(offset) if offset < self.data_bytes() => self.trace.data + offset,
            _ => shown.wrapping_sub(site.code).wrapping_add(self.trace.code),
        }
    }

    /// What a number is, where it can be told: an address of the image as `show` has it, with its
    /// name, or one of the stack, from the stack pointer with which the iteration began.
    fn location(&self, value: u64, stack: u64) -> Location {
        const STACK_REACH: u64 = 256 * 1024;
        let site = &self.image.site;
        let inside = |start: u64, length: u64| {
            let offset = value.checked_sub(start);
            offset.filter(|offset| *offset < length)
        };
        let code = inside(self.trace.code, self.image.code.len() as u64);
        let code = code.map(|offset| site.code + offset);
        let data = inside(self.trace.data, self.data_bytes());
        let g = u64::from(frame::G)..u64::from(HEAP_OFFSET);
        let name = match (code, data) {
            (_, Some(offset)) if g.contains(&offset) => Some(apart("g", offset - g.start, "+")),
            (Some(shown), _) => self.image.name(shown),
            (_, Some(offset)) => self.image.name(site.data + offset),
            _ if value.abs_diff(stack) < STACK_REACH => {
                let sign = if value < stack { "-" } else { "+" };
                Some(apart("stack", value.abs_diff(stack), sign))
            }
            _ => None,
        };
        Location {
            value,
            shown: code
                .or(data.map(|offset| site.data + offset))
                .unwrap_or(value),
            name,
        }
    }
}

/// A place so far from one that has a name.
fn apart(name: &str, distance: u64, sign: &str) -> String {
    if distance == 0 {
        name.into()
    } else {
        format!("{name}{sign}{distance:#x}")
    }
}

/// Whether it is one of what the column `branch` counts.
fn branches(instruction: &Instruction) -> bool {
    BranchKind::of(instruction.flow_control()).is_some()
}
