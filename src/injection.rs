//! Latency in front of a dispatch branch: where it goes, and why there is a place for none.
//!
//! A branch that was predicted does not wait for its operand, and hides what delays it; one that was
//! predicted wrongly pays for all of it. So two copies of a section that differ in nothing but
//! the latency in front of that operand differ, in cycles, by how often the branch is mispredicted.
//!
//! Correct means: both copies do what the section does, have the same length and the same
//! instructions but for registers; the branch waits for more of them in one than in the other, and
//! nothing else of the section does; a branch that this cannot be done to has a reason instead.
//!
//! What waits is a copy of the operand: where results are computed from the operand itself, their
//! delay would look like misses. The delay is a chain of `imul REG, REG, 1`. Both copies have all of
//! the multiplications, because their number takes issue slots: a loop of 2 cycles with four in it
//! takes 4. In both the branch waits for the first few, so that a wrong path lives nearly as long in
//! the one as in the other and trains the predictors alike. In the first copy the others go
//! through a register that nothing waits for, from the end of the first few on: beside them they would
//! compete for the one port that multiplies.

use iced_x86::{FlowControl, Instruction, Mnemonic, OpAccess, OpKind, Register};
use serde::{Deserialize, Serialize};

use crate::asm::{Edit, Exchange, Insertion, Program, Section, SectionKind};
use crate::scenario::Scenario;
use crate::template::{Clobbers, Work};

mod chain;
mod registers;
mod repeats;

pub use registers::unused;

use registers::{Code, Usage};

/// Multiplications that the branch waits for in both copies. A wrong path lives as long, and resolves branches behind
/// this one: with five of them the first of two independent jumps read 0.81 for 0.875, with eight 0.877 (Zen 4).
const BASE: usize = 8;
/// Multiplications that it waits for in the second copy only. What is off is less than a cycle, whatever their
/// number, so that with four it reads as 0.08 misses. With ten jumps through tables of 2 to 1024 targets are within
/// 0.01; with eleven or twelve one of 8 reads 0.02 to 0.04 too few: what multiplies has room for 24, or
/// half of it beside a neighbour, and the cover waits for room behind those that nobody does.
const ADDED: usize = 10;
/// Cycles of one of them on every core since Nehalem and Zen 2, and of a `crc32`; `doctor` measures it.
const LATENCY: f64 = 3.0;
/// Cycles of latency that the second copy has more than the first.
pub const ADDED_CYCLES: f64 = ADDED as f64 * LATENCY;
/// Copies of a site's section.
pub const COPIES: usize = 2;
/// Pairs of images with these copies, each at addresses of its own: at some, one image of a pair takes a cycle longer
/// whatever waits. Of 140 rows with 256 and 1024 random targets, which are all missed, 136 read 0.97 to 1.00 with one
/// pair, three 0.93 to 0.95 and one 0.87, each the same in all of its turns (Zen 4).
pub const PAIRS: usize = 2;
/// Images that a site takes.
pub const IMAGES_PER_SITE: usize = COPIES * PAIRS;

/// How the branch misses of a row are inferred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Injection {
    /// From [`IMAGES_PER_SITE`] images for each site, in the order of the header.
    Sites(Vec<Site>),
    /// Not at all, and why.
    None(String),
}

/// A branch that a template studies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its label.
    pub label: String,
    /// The section that the label stands in, by index, and the offset there.
    pub place: (usize, u32),
    /// Its line in the template.
    pub line: u32,
    /// What its misses are inferred from.
    pub latency: Latency,
}

/// What the misses of one site are inferred from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "lowercase")]
pub enum Latency {
    /// Two copies of its section, the second with [`ADDED_CYCLES`] more.
    Delayed {
        /// What stands in the section's place.
        copies: Box<[Section; COPIES]>,
        /// Comparisons that wait for the delayed copy: in a chain of them a second miss of an iteration
        /// has no delay left to pay for.
        comparisons: u32,
        /// Whether all in front of the delay ends before it begins; only where an iteration runs it once.
        #[serde(default)]
        is_fenced: bool,
    },
    /// Nothing, and why.
    None(String),
}

impl Default for Injection {
    fn default() -> Injection {
        Injection::None("the saved job has no code to infer them with; save it again".into())
    }
}

impl Injection {
    /// The sites, whether or not anything can be inferred of them.
    pub fn sites(&self) -> &[Site] {
        match self {
            Injection::Sites(sites) => sites,
            Injection::None(_) => &[],
        }
    }

    /// Those that have copies, each with its index. Their images are numbered in this order.
    pub fn delayed(&self) -> impl Iterator<Item = (usize, &Site)> {
        let sites = self.sites().iter().enumerate();
        sites.filter(|(_, site)| matches!(site.latency, Latency::Delayed { .. }))
    }

    /// Images with latency in them.
    pub fn images(&self) -> usize {
        IMAGES_PER_SITE * self.delayed().count()
    }

    /// The section with latency in it, where there is one at this index in such an image.
    pub fn copy(&self, of: usize, image: usize) -> Option<&Section> {
        let (_, site) = self.delayed().nth(image / IMAGES_PER_SITE)?;
        match &site.latency {
            Latency::Delayed { copies, .. } if site.place.0 == of => copies.get(image % COPIES),
            _ => None,
        }
    }

    /// Gives up a site, by index.
    pub fn give_up(&mut self, site: usize, why: String) {
        if let Injection::Sites(sites) = self
            && let Some(site) = sites.get_mut(site)
        {
            site.latency = Latency::None(why);
        }
    }
}

/// What of a scenario decides where latency can go, beside its code.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// The general registers that the loop fills in front of each body, as bits by hardware number.
    pub received: u16,
    /// The harness state.
    pub clobbers: Clobbers,
    /// The registers that results are left in, in the same way.
    pub results: u16,
    /// Instructions of the harness around the body.
    pub work: Work,
}

/// Those of a scenario.
pub fn surroundings(scenario: &Scenario) -> Surroundings {
    let header = &scenario.template.header;
    Surroundings {
        received: scenario.received(),
        clobbers: header.clobbers,
        results: header
            .results
            .iter()
            .fold(0, |bits, one| bits | 1 << (one.number & 15)),
        work: scenario.settings.work,
    }
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

/// Where latency goes for one site, or why nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The site's label.
    label: String,
    /// One insertion for each copy.
    way: Result<Way, Refusal>,
}

/// The insertions of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// One for each copy.
    pub insertions: [Insertion; COPIES],
    /// Comparisons that wait.
    pub comparisons: u32,
    /// Whether all in front of the delay ends before it begins.
    pub is_fenced: bool,
}

impl Planned {
    /// What is to be put in for it.
    pub fn insertions(&self) -> impl Iterator<Item = &Insertion> {
        self.way.iter().flat_map(|way| &way.insertions)
    }
}

/// Where latency goes in the program of a scenario, site by site.
pub fn plan_for(scenario: &Scenario, program: &Program) -> Vec<Planned> {
    let header = &scenario.template.header;
    let around = surroundings(scenario);
    let one = |label: &String| {
        let others: Vec<&str> = header.dispatch.iter().map(String::as_str).collect();
        let way = plan(program, label, &others, &around).map_err(|refusal| match refusal {
            // The branch can stand in the part, and the label outside of it.
            Refusal::NoBranch(_) if scenario.omitted.is_some() => {
                impossible("its dispatch branch is left out")
            }
            refusal => refusal,
        });
        Planned {
            label: label.clone(),
            way,
        }
    };
    header.dispatch.iter().map(one).collect()
}

/// What became of a plan.
///
/// # Errors
/// Where the plan says that the template is wrong.
pub fn of(
    planned: Vec<Planned>,
    program: &Program,
    copies: Vec<Option<Section>>,
) -> Result<Injection, NoBranch> {
    if planned.is_empty() {
        return Ok(Injection::None(
            "the template has no `dispatch`, which would name the branch that it studies".into(),
        ));
    }
    let mut copies = copies.into_iter();
    let mut sites = Vec::with_capacity(planned.len());
    for Planned { label, way } in planned {
        let latency = match way {
            Ok(way) => {
                let own: Option<Vec<Section>> = copies.by_ref().take(COPIES).collect();
                latency(own, (way.comparisons, way.is_fenced))
            }
            Err(Refusal::Impossible(why)) => Latency::None(why),
            Err(Refusal::NoBranch(wrong)) => return Err(wrong),
        };
        let place = place(program, &label).unwrap_or((0, 0));
        let section = program.sections.get(place.0);
        let line = section.map_or(1, |section| {
            section.line_at(place.1).unwrap_or(section.line)
        });
        sites.push(Site {
            label,
            place,
            line,
            latency,
        });
    }
    Ok(Injection::Sites(sites))
}

fn latency(copies: Option<Vec<Section>>, (comparisons, is_fenced): (u32, bool)) -> Latency {
    let copies = copies.and_then(|copies| <[Section; COPIES]>::try_from(copies).ok());
    match copies {
        Some(copies) if copies[0].bytes.len() == copies[1].bytes.len() => Latency::Delayed {
            copies: Box::new(copies),
            comparisons,
            is_fenced,
        },
        _ => Latency::None(
            "there is no room for latency in front of its dispatch branch: leave out `short`, and data \
             between it and its comparison"
                .into(),
        ),
    }
}

/// Where a label stands: the section's index, and the offset in it.
fn place(program: &Program, label: &str) -> Option<(usize, u32)> {
    let sections = program.sections.iter().enumerate();
    let mut bound =
        sections.flat_map(|(at, section)| section.labels.iter().map(move |one| (at, one)));
    let found = bound.find(|(_, bound)| bound.name == label);
    found.map(|(at, bound)| (at, bound.offset))
}

/// Where latency goes in front of the branch at a label, one insertion for each copy. `all` are the
/// labels of all branches that are studied: a chain of comparisons ends in front of the next of them.
///
/// # Errors
/// Why it goes nowhere.
pub fn plan(
    program: &Program,
    label: &str,
    all: &[&str],
    around: &Surroundings,
) -> Result<Way, Refusal> {
    let Some((index, _)) = place(program, label) else {
        return Err(impossible("`dispatch` names a label that no section has"));
    };
    let section = &program.sections[index];
    let code = Code::of(section);
    let at = branch_at(section, &code, label)?;
    let branch = code.instructions[at];
    let waiting = match branch.flow_control() {
        FlowControl::IndirectCall | FlowControl::IndirectBranch | FlowControl::Return => at,
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
        _ => {
            let what = name(&branch);
            return Err(impossible(format!(
                "its dispatch branch is direct: a `{what}` to one place waits for nothing that could be delayed"
            )));
        }
    };
    let usage = Usage::of(program, around);
    let free: Vec<Register> = usage.free().take(2).collect();
    let &[copy, idle] = &free[..] else {
        return Err(impossible(
            "no free register: the delay needs 2 that neither the template nor the harness uses, beside \
             the result; use fewer",
        ));
    };
    let delay = Delay { copy, idle };
    let is_fenced = !repeats::may(program, (index, &code), waiting);
    let insertion = |edits| Insertion {
        section: index,
        label: label.to_string(),
        edits,
    };
    if branch.flow_control() == FlowControl::Return {
        let edit = |awaited| Edit {
            before: alone(is_fenced, delay.of_stack_pointer(awaited)),
            ..Edit::default()
        };
        return Ok(Way {
            insertions: AWAITED.map(|awaited| insertion(vec![edit(awaited)])),
            comparisons: 1,
            is_fenced,
        });
    }
    let waits = &code.instructions[waiting];
    let operand = operand(&code, waiting, &usage, waits)?;
    let exchange = operand.exchange(copy);
    let is_doubled = changes_something(waits) && waiting < at;
    let first = |awaited: usize| {
        let (mut before, mut after) = (operand.taken(copy), delay.of_copy(awaited));
        if !is_doubled {
            before.append(&mut after);
        }
        Edit {
            at: waiting as i32 - at as i32,
            before: alone(is_fenced, before),
            exchange: Some(exchange),
            is_doubled,
            after,
        }
    };
    // What follows in a chain compares the copy too: it is the chain that is studied.
    let further = match operand {
        Operand::Register(register) if waiting < at && !is_doubled => {
            let others: Vec<u32> = all
                .iter()
                .filter(|other| **other != label)
                .filter_map(|other| place(program, other))
                .filter(|place| place.0 == index)
                .map(|place| place.1)
                .collect();
            chain::behind(program, (index, &code), waiting, register, &others)
        }
        _ => Vec::new(),
    };
    let edits = |awaited| {
        let further = further.iter().map(|other| Edit {
            at: *other as i32 - at as i32,
            exchange: Some(exchange),
            ..Edit::default()
        });
        std::iter::once(first(awaited)).chain(further).collect()
    };
    Ok(Way {
        insertions: AWAITED.map(|awaited| insertion(edits(awaited))),
        comparisons: 1 + further.len() as u32,
        is_fenced,
    })
}

/// Has all in front of a delay end before it begins. What waits for something else would take the places in the
/// schedulers that delay and cover need: behind a chain of 32 multiplications 0.88 read 0.59 without (Zen 4).
fn alone(is_fenced: bool, mut delay: Vec<String>) -> Vec<String> {
    if is_fenced {
        delay.insert(0, "lfence".into());
    }
    delay
}

/// How many of the multiplications the branch waits for, in each copy.
const AWAITED: [usize; COPIES] = [BASE, BASE + ADDED];

/// The two registers of a delay: what the branch waits for, and what nobody does.
#[derive(Debug, Clone, Copy)]
struct Delay {
    copy: Register,
    idle: Register,
}

impl Delay {
    /// All the multiplications: `awaited` of them through the copy, the others through the idle register, from
    /// the end of the first few on.
    fn of_copy(self, awaited: usize) -> Vec<String> {
        let Delay { copy, idle } = self;
        let one = |at: usize| match at {
            at if at < awaited => format!("imul {copy:?}, {copy:?}, 1"),
            at if at == awaited => format!("imul {idle:?}, {copy:?}, 1"),
            _ => format!("imul {idle:?}, {idle:?}, 1"),
        };
        let all = 0..BASE + ADDED;
        all.map(|at| one(at).to_lowercase()).collect()
    }

    /// The same for what a return reads, the word that `rsp` points to: zeros that take as long are added to
    /// `rsp`. A `crc32` takes as long as a multiplication and leaves the flags to the caller.
    fn of_stack_pointer(self, awaited: usize) -> Vec<String> {
        let Delay { copy, idle } = self;
        let mut lines = vec![format!("mov {copy:?}, 0"), format!("mov {idle:?}, 0")];
        for at in 0..BASE + ADDED {
            if at == awaited {
                lines.push(format!("mov {idle:?}, {copy:?}"));
            }
            let register = if at < awaited { copy } else { idle };
            lines.push(format!("crc32 {register:?}, {register:?}"));
        }
        if awaited == BASE + ADDED {
            lines.push(format!("mov {idle:?}, {copy:?}"));
        }
        lines.push(format!("lea rsp, [rsp + {copy:?}]"));
        lines.into_iter().map(|line| line.to_lowercase()).collect()
    }
}

/// What a branch or its comparison waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// A register, by its 64-bit name.
    Register(Register),
    /// What stands in memory at an address that is the same always; of so many bits.
    Memory(u32),
}

impl Operand {
    /// What copies it; a word in memory is loaded by the exchange itself.
    fn taken(self, copy: Register) -> Vec<String> {
        match self {
            Operand::Register(register) => {
                vec![format!("mov {copy:?}, {register:?}").to_lowercase()]
            }
            Operand::Memory(_) => Vec::new(),
        }
    }

    fn exchange(self, copy: Register) -> Exchange {
        match self {
            Operand::Register(of) => Exchange::Register { of, by: copy },
            Operand::Memory(bits) => Exchange::Memory { by: copy, bits },
        }
    }
}

fn impossible(why: impl Into<String>) -> Refusal {
    Refusal::Impossible(why.into())
}

fn name(code: &Instruction) -> String {
    format!("{:?}", code.mnemonic()).to_lowercase()
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

/// What the instruction waits for longest, as far as its text tells: the register of an address before
/// one that is compared, an index before a base. Where an iteration computes none of these, it is the word in
/// memory, and else a register that holds the same always.
fn operand(code: &Code, at: usize, usage: &Usage, waits: &Instruction) -> Result<Operand, Refusal> {
    let has_memory = (0..waits.op_count()).any(|op| waits.op_kind(op) == OpKind::Memory);
    let read = registers::read_operands(waits);
    if read.iter().any(|register| HIGH_BYTES.contains(register)) {
        return Err(impossible(format!(
            "its `{}` reads the second byte of a register, which no other register can stand for; shift it \
             down first",
            name(waits)
        )));
    }
    if waits.flow_control() == FlowControl::Next && changes_something(waits) {
        return changed_operand(waits);
    }
    let address = [waits.memory_index(), waits.memory_base()];
    let address = address.into_iter().filter(|_| has_memory);
    let candidates: Vec<Register> = address
        .chain(read)
        .filter(|register| register.is_gpr())
        .map(|register| register.full_register())
        .filter(|register| *register != Register::RSP)
        .collect();
    let mut computed = candidates
        .iter()
        .filter(|register| !usage.is_constant(code, at, **register));
    if let Some(register) = computed.next() {
        return Ok(Operand::Register(*register));
    }
    let bits = waits.memory_size().size() as u32 * 8;
    if has_memory && [8, 16, 32, 64].contains(&bits) && !waits.memory_size().is_broadcast() {
        return Ok(Operand::Memory(bits));
    }
    let constant = candidates.first().copied().map(Operand::Register);
    constant.ok_or_else(|| no_register(waits))
}

/// What an instruction waits for that changes its first operand and sets the flags by the result: that
/// operand, because only with it changed twice is the result once.
fn changed_operand(waits: &Instruction) -> Result<Operand, Refusal> {
    let mut factory = iced_x86::InstructionInfoFactory::new();
    let info = factory.info(waits);
    let others_are_read = (1..waits.op_count()).all(|op| info.op_access(op) == OpAccess::Read);
    let is_changed = info.op_access(0) == OpAccess::ReadWrite;
    let bits = waits.memory_size().size() as u32 * 8;
    match waits.op0_kind() {
        OpKind::Register if is_changed && others_are_read && waits.op0_register().is_gpr() => {
            Ok(Operand::Register(waits.op0_register().full_register()))
        }
        OpKind::Memory if is_changed && others_are_read && [8, 16, 32, 64].contains(&bits) => {
            Ok(Operand::Memory(bits))
        }
        _ => Err(no_register(waits)),
    }
}

fn no_register(waits: &Instruction) -> Refusal {
    impossible(format!(
        "its `{}` waits for no register that could be delayed; load what it waits for into one first, \
         and compare it with `cmp` or `test`",
        name(waits)
    ))
}

const HIGH_BYTES: [Register; 4] = [Register::AH, Register::BH, Register::CH, Register::DH];

/// Whether a comparison writes a register or memory.
fn changes_something(code: &Instruction) -> bool {
    let mut factory = iced_x86::InstructionInfoFactory::new();
    let info = factory.info(code);
    let registers = info.used_registers().iter().map(|used| used.access());
    let memory = info.used_memory().iter().map(|used| used.access());
    registers.chain(memory).any(registers::writes)
}

#[cfg(test)]
mod tests;
