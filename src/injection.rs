//! Latency in front of a dispatch branch: where it goes, and why there is a place for none.
//!
//! A branch that was predicted does not wait for its operand, and hides what delays it; one that was
//! predicted wrongly pays for all of it. So two copies of a section that differ in nothing but
//! the latency in front of that operand differ, in cycles, by how often the branch is mispredicted.
//!
//! Correct means: both copies do what the section does, have the same length and the same
//! instructions but for registers, and in one of them the branch waits for more multiplications than
//! in the other; a branch that this cannot be done to has a reason instead.
//!
//! The delay is a chain of `imul REG, REG, 1`. Both copies have all of the multiplications, because
//! their number takes issue slots: a loop of 2 cycles with four in it takes 4, which looks like
//! misses. In the first copy all but one go through a register that nothing waits for.

use iced_x86::{FlowControl, Instruction, Mnemonic, OpAccess, OpKind, Register};
use serde::{Deserialize, Serialize};

use crate::asm::{Insertion, Program, Section, SectionKind};
use crate::scenario::{Scenario, Work};
use crate::template::{Clobbers, HeapKind, ResultRegister};

mod registers;

use registers::{Code, Usage};

/// Multiplications in each copy.
const MULTIPLICATIONS: usize = 4;
/// How many of them the branch waits for.
const AWAITED: [usize; 2] = [1, MULTIPLICATIONS];
/// Cycles of one of them on every core since Nehalem and Zen 2; `doctor` measures it.
const LATENCY: f64 = 3.0;
/// Cycles of latency that the second copy has more than the first.
pub const ADDED_CYCLES: f64 = (AWAITED[1] - AWAITED[0]) as f64 * LATENCY;

/// How the branch misses of a row are inferred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Injection {
    /// From two copies of a section, the second with [`ADDED_CYCLES`] more.
    Delayed {
        /// The section, by index.
        section: usize,
        /// What stands in its place.
        copies: Box<[Section; 2]>,
    },
    /// Not at all, and why.
    None(String),
}

impl Default for Injection {
    fn default() -> Injection {
        Injection::None("the saved job has no code to infer them with; save it again".into())
    }
}

impl Injection {
    /// The section with latency in it, where there is one at this index.
    pub fn copy(&self, of: usize, copy: usize) -> Option<&Section> {
        match self {
            Injection::Delayed { section, copies } if *section == of => copies.get(copy),
            _ => None,
        }
    }

    /// Whether there are copies.
    pub fn is_delayed(&self) -> bool {
        matches!(self, Injection::Delayed { .. })
    }
}

/// What of a scenario decides where latency can go, beside its code.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// What the receivers are.
    pub heap: HeapKind,
    /// The harness state.
    pub clobbers: Clobbers,
    /// Where the result is left.
    pub result: Option<ResultRegister>,
    /// Instructions of the harness around the body.
    pub work: Work,
}

/// Why no latency is put in front of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The label names no branch: the template is wrong.
    NoBranch(NoBranch),
    /// It cannot be done here, and what to do about it.
    Impossible(String),
}

/// A `dispatch` that names no branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoBranch {
    /// Template line of what stands at the label.
    pub line: u32,
    /// One sentence without a full stop.
    pub message: String,
}

/// Where latency goes in the program of a scenario.
///
/// # Errors
/// Why it goes nowhere.
pub fn plan_for(scenario: &Scenario, program: &Program) -> Result<[Insertion; 2], Refusal> {
    let header = &scenario.template.header;
    let Some(label) = &header.dispatch else {
        return Err(impossible(
            "the template has no `dispatch`, which would name the branch that it studies",
        ));
    };
    let around = Surroundings {
        heap: header.heap,
        clobbers: header.clobbers,
        result: header.result,
        work: scenario.work,
    };
    plan(program, label, &around).map_err(|refusal| match refusal {
        // The branch can stand in the part, and the label outside of it.
        Refusal::NoBranch(_) if scenario.omitted.is_some() => {
            impossible("its dispatch branch is left out")
        }
        refusal => refusal,
    })
}

/// What became of a plan.
///
/// # Errors
/// Where the plan says that the template is wrong.
pub fn of(
    planned: Result<[Insertion; 2], Refusal>,
    copies: Vec<Option<Section>>,
) -> Result<Injection, NoBranch> {
    let section = match planned {
        Ok([insertion, _]) => insertion.section,
        Err(Refusal::Impossible(why)) => return Ok(Injection::None(why)),
        Err(Refusal::NoBranch(wrong)) => return Err(wrong),
    };
    let copies: Option<Vec<Section>> = copies.into_iter().collect();
    let copies = copies.and_then(|copies| <[Section; 2]>::try_from(copies).ok());
    Ok(match copies {
        Some(copies) if copies[0].bytes.len() == copies[1].bytes.len() => Injection::Delayed {
            section,
            copies: Box::new(copies),
        },
        _ => Injection::None(
            "there is no room for latency in front of its dispatch branch: leave out `short`, and data \
             between it and its comparison"
                .into(),
        ),
    })
}

/// Where latency goes in front of the branch at a label, one insertion for each copy.
///
/// # Errors
/// Why it goes nowhere.
pub fn plan(
    program: &Program,
    label: &str,
    around: &Surroundings,
) -> Result<[Insertion; 2], Refusal> {
    let has_label = |section: &Section| section.labels.iter().any(|bound| bound.name == label);
    let Some(index) = program.sections.iter().position(has_label) else {
        return Err(impossible("`dispatch` names a label that no section has"));
    };
    let section = &program.sections[index];
    let code = Code::of(section);
    let at = branch_at(section, &code, label)?;
    let branch = code.instructions[at];
    let waiting = match branch.flow_control() {
        FlowControl::IndirectCall | FlowControl::IndirectBranch => at,
        FlowControl::ConditionalBranch if branch.is_jcc_short_or_near() => {
            setter(section, &code, at, label)?
        }
        FlowControl::ConditionalBranch => {
            let what = name(&branch);
            return Err(impossible(format!(
                "nothing can be put in front of `{what}` that leaves its register and the flags alone; \
                 `test` and `jne` instead"
            )));
        }
        FlowControl::Return => {
            return Err(impossible(
                "its dispatch instruction is a `ret`, whose target is on the stack",
            ));
        }
        _ => {
            let what = name(&branch);
            return Err(impossible(format!(
                "its dispatch branch is direct: a `{what}` to one place waits for nothing that could be delayed"
            )));
        }
    };
    let usage = Usage::of(program, around);
    let waits = &code.instructions[waiting];
    let register = delayed_register(&code, waiting, &usage, waits)?;
    let is_carried = usage.is_carried(register);
    let reads_only = reads_only(waits, register);
    if is_carried && !(reads_only && waiting < at) {
        return Err(impossible(format!(
            "{register:?} goes from one iteration into the next, and so would the delay; let the \
             branch use a copy of it (`mov`)"
        )
        .to_lowercase()));
    }
    let mut free = usage.free();
    let wanted = 1 + usize::from(is_carried);
    let scratch: Vec<Register> = free.by_ref().take(wanted).collect();
    if scratch.len() < wanted {
        return Err(impossible(format!(
            "no free register: the delay needs {wanted} that neither the template nor the harness \
             uses, beside the result; use fewer"
        )));
    }
    let insertion = |awaited: usize| {
        let mut before = chain(register, scratch[0], awaited);
        let mut after = Vec::new();
        if let Some(kept) = scratch.get(1) {
            before.insert(0, format!("mov {kept:?}, {register:?}").to_lowercase());
            after.push(format!("mov {register:?}, {kept:?}").to_lowercase());
        }
        Insertion {
            section: index,
            label: label.to_string(),
            back: at - waiting,
            before,
            after,
        }
    };
    Ok(AWAITED.map(insertion))
}

fn impossible(why: impl Into<String>) -> Refusal {
    Refusal::Impossible(why.into())
}

fn name(code: &Instruction) -> String {
    format!("{:?}", code.mnemonic()).to_lowercase()
}

/// The multiplications: `awaited` of them through the register, the others through one that nothing
/// waits for.
fn chain(register: Register, scratch: Register, awaited: usize) -> Vec<String> {
    let one = |at: usize| match at {
        at if at < awaited => format!("imul {register:?}, {register:?}, 1"),
        at if at == awaited => format!("imul {scratch:?}, {register:?}, 1"),
        _ => format!("imul {scratch:?}, {scratch:?}, 1"),
    };
    (0..MULTIPLICATIONS)
        .map(|at| one(at).to_lowercase())
        .collect()
}

/// Index of the branch at the label.
fn branch_at(section: &Section, code: &Code, label: &str) -> Result<usize, Refusal> {
    let bound = section.labels.iter().find(|bound| bound.name == label);
    let offset = bound.map_or(0, |bound| bound.offset);
    let at = code.at(offset);
    let stands = at.map(|at| code.instructions[at]);
    let is_branch = |code: &Instruction| {
        !matches!(
            code.flow_control(),
            FlowControl::Next | FlowControl::Interrupt | FlowControl::Exception
        ) && code.mnemonic() != Mnemonic::Syscall
    };
    match (at, stands.filter(is_branch)) {
        (Some(at), Some(_)) if section.kind != SectionKind::Data => Ok(at),
        _ => {
            let stands = match stands.filter(|_| section.kind != SectionKind::Data) {
                Some(code) => format!("where `{}` stands, which is no branch", name(&code)),
                None => "behind which there is no instruction".into(),
            };
            Err(Refusal::NoBranch(NoBranch {
                line: section.line_at(offset).unwrap_or(section.line),
                message: format!("`dispatch` names the label `{label}`, {stands}"),
            }))
        }
    }
}

/// Index of the instruction in front of a conditional branch that sets its flags.
fn setter(section: &Section, code: &Code, at: usize, label: &str) -> Result<usize, Refusal> {
    let branch = &code.instructions[at];
    let elsewhere = || {
        impossible(format!(
            "the flags of its `{}` are not all set by one comparison right in front of it; put one there",
            name(branch)
        ))
    };
    let in_front = code.instructions[..at].iter().enumerate().rev();
    let (waiting, setter) = in_front
        .take_while(|(_, code)| code.flow_control() == FlowControl::Next)
        .find(|(_, code)| code.rflags_modified() & branch.rflags_read() != 0)
        .ok_or_else(elsewhere)?;
    let sets_all = setter.rflags_modified() & branch.rflags_read() == branch.rflags_read();
    let between = setter.next_ip32()..=branch.ip32();
    let is_joined = section
        .labels
        .iter()
        .any(|other| other.name != label && between.contains(&other.offset));
    if !sets_all || setter.rflags_read() != 0 || is_joined {
        return Err(elsewhere());
    }
    Ok(waiting)
}

/// The register that the instruction waits for longest, as far as its text tells: that of an address
/// before one that is compared, an index before a base, and none that always holds the same.
fn delayed_register(
    code: &Code,
    at: usize,
    usage: &Usage,
    waits: &Instruction,
) -> Result<Register, Refusal> {
    let has_memory = (0..waits.op_count()).any(|op| waits.op_kind(op) == OpKind::Memory);
    let address = [waits.memory_index(), waits.memory_base()];
    let address = address.into_iter().filter(|_| has_memory);
    let read = registers::read_operands(waits);
    let candidates = address
        .chain(read)
        .filter(|register| register.is_gpr())
        .map(|register| register.full_register());
    let mut candidates = candidates
        .filter(|register| *register != Register::RSP && !usage.is_constant(code, at, *register));
    candidates.next().ok_or_else(|| {
        impossible(format!(
            "its `{}` waits for no register that an iteration computes, so nothing can be delayed; load \
             what it waits for into one first",
            name(waits)
        ))
    })
}

/// Whether an instruction leaves a register as it is.
fn reads_only(code: &Instruction, register: Register) -> bool {
    let mut factory = iced_x86::InstructionInfoFactory::new();
    let info = factory.info(code);
    let mut used = info.used_registers().iter();
    !used.any(|used| used.register().full_register() == register && used.access() != OpAccess::Read)
}

#[cfg(test)]
mod tests;
