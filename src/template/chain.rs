//! A template that measures one instruction: copies each of which waits for the one before, or copies that do not
//! wait for each other.
//!
//! Correct means: in a chain a copy reads what the copy before it wrote, be it a register, the flags or memory;
//! among independent copies none does; and an instruction of which neither can be made says why.

use std::fmt::Write as _;

use iced_x86::{
    Code, Decoder, DecoderOptions, Encoder, FlowControl, Instruction, InstructionInfoFactory,
    Mnemonic, OpAccess, OpKind, Register,
};

use crate::asm;

/// What is measured of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// How long a result takes to be there for the next copy.
    Latency,
    /// How often a copy can begin.
    Throughput,
}

/// Copies in a turn of the loop, about, so that the loop's own instructions weigh little.
const COPIES: usize = 64;
/// What memory operands are made to address.
const CELL: &str = "main.cell";
/// Bytes of it: an operand of any width, a small displacement and an index fit.
const CELL_BYTES: usize = 4096;

/// The text of the template.
///
/// # Errors
/// Why there is none, and what to do.
pub fn template(measured: Measured, text: &str) -> Result<String, String> {
    let instruction = read(text)?;
    let plan = match measured {
        Measured::Latency => chain(&instruction)?,
        Measured::Throughput => independent(&instruction)?,
    };
    written(measured, text, &plan)
}

/// What stands in a body, and what is said of it.
struct Plan {
    body: Vec<Instruction>,
    /// How many of these are the instruction itself.
    copies: usize,
    /// How one copy depends on the one before, or that it does not.
    how: String,
    /// What must be said of the number.
    remark: Option<String>,
}

/// The one instruction of a text.
fn read(text: &str) -> Result<Instruction, String> {
    let section = asm::fragment(text).map_err(|found| {
        let first = found.first();
        first.map_or("it is no instruction".into(), |one| match &one.help {
            Some(help) => format!("{}; {help}", one.message),
            None => one.message.clone(),
        })
    })?;
    if !section.fixups.is_empty() {
        return Err(
            "it names a symbol; write memory as `[rbx]`, and the cell behind it is made".into(),
        );
    }
    let mut decoder = Decoder::new(64, &section.bytes, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return Err("there is no instruction in it".into());
    }
    let instruction = decoder.decode();
    if decoder.can_decode() {
        return Err("there is more than one instruction; name one".into());
    }
    refuse(&instruction).map_or(Ok(instruction), Err)
}

/// Why an instruction cannot stand in a loop many times over.
fn refuse(instruction: &Instruction) -> Option<String> {
    use OpKind::{
        MemoryESDI, MemoryESEDI, MemoryESRDI, MemorySegDI, MemorySegEDI, MemorySegESI,
        MemorySegRDI, MemorySegRSI,
    };
    const STRINGS: [OpKind; 8] = [
        MemoryESDI,
        MemoryESEDI,
        MemoryESRDI,
        MemorySegDI,
        MemorySegEDI,
        MemorySegESI,
        MemorySegRDI,
        MemorySegRSI,
    ];
    const HAND: &str = "write a body by hand, `dispatchlab new NAME`";
    let name = name_of(instruction);
    let used = used(instruction);
    let names = |wanted: fn(Register) -> bool| {
        used.reads
            .iter()
            .chain(&used.writes)
            .any(|one| wanted(*one))
    };
    let is_string =
        (0..instruction.op_count()).any(|at| STRINGS.contains(&instruction.op_kind(at)));
    if instruction.flow_control() != FlowControl::Next {
        return Some(format!(
            "`{name}` may go elsewhere; of branches `--kind switch` and `--kind itab` make templates"
        ));
    }
    if instruction.is_privileged() || names(Register::is_segment_register) || names(Register::is_cr)
    {
        return Some(format!("`{name}` is for the kernel, or its operand is"));
    }
    if names(|register| register == Register::RSP) {
        return Some(format!(
            "the stack pointer is the harness's; take another register, or {HAND}"
        ));
    }
    if is_string || instruction.is_vsib() {
        return Some(format!(
            "`{name}` goes to as many addresses as its operands say; {HAND}"
        ));
    }
    if names(Register::is_st) || name.starts_with('f') && instruction.is_stack_instruction() {
        return Some(format!("`{name}` works on the stack of the x87; {HAND}"));
    }
    if instruction.is_ip_rel_memory_operand()
        || (has_memory(instruction) && !instruction.memory_base().is_gpr64())
    {
        return Some("its memory operand has no register; write it as `[rbx]`, and the cell behind it is made".into());
    }
    None
}

fn name_of(instruction: &Instruction) -> String {
    format!("{:?}", instruction.mnemonic()).to_lowercase()
}

fn has_memory(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|at| instruction.op_kind(at) == OpKind::Memory)
}

/// What an instruction reads and writes: whole registers, flags and memory.
#[derive(Debug, Default)]
struct Used {
    reads: Vec<Register>,
    writes: Vec<Register>,
    flags_read: u32,
    flags_written: u32,
    reads_memory: bool,
    writes_memory: bool,
}

fn used(instruction: &Instruction) -> Used {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let mut used = Used {
        flags_read: instruction.rflags_read(),
        flags_written: instruction.rflags_modified(),
        ..Used::default()
    };
    for one in info.used_registers() {
        let register = one.register().full_register();
        if reads(one.access()) && !used.reads.contains(&register) {
            used.reads.push(register);
        }
        if writes(one.access()) && !used.writes.contains(&register) {
            used.writes.push(register);
        }
    }
    for one in info.used_memory() {
        used.reads_memory |= reads(one.access());
        used.writes_memory |= writes(one.access());
    }
    used
}

fn reads(access: OpAccess) -> bool {
    use OpAccess::{CondRead, Read, ReadCondWrite, ReadWrite};
    matches!(access, Read | CondRead | ReadWrite | ReadCondWrite)
}

fn writes(access: OpAccess) -> bool {
    use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
}

/// By what a second instruction depends on a first one; none where it does not.
fn link(first: &Instruction, second: &Instruction) -> Option<String> {
    let (first, second) = (used(first), used(second));
    let by = first.writes.iter().find(|one| second.reads.contains(one));
    if let Some(register) = by {
        return Some(format!("{register:?}").to_lowercase());
    }
    if first.writes_memory && second.reads_memory {
        return Some("memory".into());
    }
    (first.flags_written & second.flags_read != 0).then(|| "the flags".into())
}

/// The register operands that an instruction reads, or those that it writes.
fn operands(instruction: &Instruction, wanted: fn(OpAccess) -> bool) -> Vec<u32> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let is_wanted =
        |at: &u32| instruction.op_kind(*at) == OpKind::Register && wanted(info.op_access(*at));
    (0..instruction.op_count()).filter(is_wanted).collect()
}

/// Copies each of which waits for the one before.
fn chain(instruction: &Instruction) -> Result<Plan, String> {
    let plan = |body: Vec<Instruction>, how: &str, remark: Option<String>| Plan {
        body,
        copies: 1,
        how: how.to_string(),
        remark,
    };
    if let Some(by) = link(instruction, instruction) {
        return Ok(plan(
            vec![*instruction],
            &format!("each copy reads {by} as the copy before it left that"),
            None,
        ));
    }
    let chained = |copy: Instruction| encodes(&copy).then(|| link(&copy, &copy)).flatten();
    let written = operands(instruction, writes);
    for &to in &written {
        // A source becomes the register of the result, where both are of one kind.
        let result = instruction.op_register(to);
        for from in operands(instruction, reads) {
            let mut copy = *instruction;
            let Some(register) = alike(result, instruction.op_register(from)) else {
                continue;
            };
            copy.set_op_register(from, register);
            if let Some(by) = chained(copy) {
                return Ok(plan(
                    vec![copy],
                    &format!("a source was made {by}, which the copy before it wrote"),
                    None,
                ));
            }
        }
        // Or the address is made of the result.
        let result = result.full_register();
        let is_plain = instruction.memory_index() == Register::None
            && instruction.memory_displacement64() == 0;
        let is_lea = instruction.mnemonic() == Mnemonic::Lea;
        if !result.is_gpr64() || !has_memory(instruction) {
            continue;
        }
        let mut copy = *instruction;
        let is_chase = is_plain
            && instruction.mnemonic() == Mnemonic::Mov
            && instruction.op_register(to).is_gpr64();
        let how = if is_lea {
            copy.set_memory_base(result);
            "its base was made the result of the copy before it"
        } else if is_chase {
            copy.set_memory_base(result);
            "the cell holds its own address: each load finds there where the next one loads"
        } else {
            copy.set_memory_index(result);
            copy.set_memory_index_scale(1);
            "the cell holds 0, which each load adds to the address of the next one"
        };
        if chained(copy).is_some() {
            return Ok(plan(vec![copy], how, None));
        }
    }
    if let Some(back) = crossing(instruction, &written) {
        let how =
            "each copy reads what a move has brought back from the result of the copy before it";
        let remark = text_of(&back)
            .map(|back| format!("The number is that of the instruction and of `{back}` together"));
        return Ok(plan(vec![*instruction, back], how, remark));
    }
    Err(format!(
        "no copy of it can wait for another one: {}; `--kind throughput` takes it",
        unchained(instruction)
    ))
}

/// A move from the result to a source of another kind of register.
fn crossing(instruction: &Instruction, written: &[u32]) -> Option<Instruction> {
    let sources = operands(instruction, reads);
    let pairs = written
        .iter()
        .flat_map(|&to| sources.iter().map(move |&from| (to, from)));
    let xmm = |register: Register| Register::XMM0 + register.number() as u32;
    let is_general = |register: Register| register.is_gpr() && !is_high(register);
    pairs
        .map(|(to, from)| (instruction.op_register(to), instruction.op_register(from)))
        .find_map(|(result, source)| {
            if result.is_vector_register() && is_general(source) {
                Instruction::with2(Code::Movq_rm64_xmm, source.full_register(), xmm(result)).ok()
            } else if is_general(result) && source.is_vector_register() {
                Instruction::with2(Code::Movq_xmm_rm64, xmm(source), result.full_register()).ok()
            } else {
                None
            }
        })
        .filter(|back| link(instruction, back).is_some() && link(back, instruction).is_some())
}

/// Why an instruction does not depend on itself.
fn unchained(instruction: &Instruction) -> &'static str {
    let of = used(instruction);
    let leaves = !of.writes.is_empty() || of.writes_memory;
    let takes = !of.reads.is_empty() || of.reads_memory;
    match (leaves, takes) {
        (false, _) if of.flags_written == 0 => "it leaves nothing that another one could read",
        (false, _) => "it leaves flags only, and does not read them",
        (true, false) if of.flags_read != 0 => "it reads flags only, and leaves none",
        (true, false) => "it reads nothing, so its result is always the same",
        (true, true) if of.writes.is_empty() => "it stores, and does not load",
        _ => "its result is nothing that one of its operands could be",
    }
}

/// Copies that do not wait for each other.
fn independent(instruction: &Instruction) -> Result<Plan, String> {
    let of = used(instruction);
    let mut results: Vec<Register> = Vec::new();
    for at in operands(instruction, writes) {
        let full = instruction.op_register(at).full_register();
        if !results.contains(&full) {
            results.push(full);
        }
    }
    // What else it reads or writes stays as it is, so that no result may be called so.
    let is_kept = |register: &&Register| !results.contains(register);
    let kept: Vec<Register> = of
        .reads
        .iter()
        .chain(&of.writes)
        .filter(is_kept)
        .copied()
        .collect();
    let lanes = (0..COPIES).map_while(|lane| renamed(instruction, &results, &kept, lane));
    let mut copies: Vec<Instruction> = lanes
        .take(if results.is_empty() { 1 } else { COPIES })
        .collect();
    if copies.is_empty() {
        copies.push(*instruction);
    }
    let (first, second) = (copies[0], *copies.get(1).unwrap_or(&copies[0]));
    let (made, taken) = (used(&first), used(&second));
    if made.writes_memory && taken.reads_memory {
        return Err("each copy reads the memory that the one before it wrote; `--kind latency` measures that".into());
    }
    // What still leads from one copy to the next is cut: a fixed register by a constant, flags by a test.
    let mut cuts = Vec::new();
    for register in made.writes.iter().filter(|one| taken.reads.contains(one)) {
        let value = match register {
            Register::RDX if divides(instruction) => 0,
            Register::RAX if divides(instruction) => 100,
            _ => 7,
        };
        let cut = register.is_gpr64().then(|| {
            let low = Register::EAX + register.number() as u32;
            Instruction::with2(Code::Mov_r32_imm32, low, value).ok()
        });
        let refusal = "what it writes is fixed, and it reads that; `--kind latency` measures it";
        cuts.push(cut.flatten().ok_or(refusal)?);
    }
    if made.flags_written & taken.flags_read != 0 {
        cuts.extend(Instruction::with2(Code::Test_rm32_r32, Register::ESP, Register::ESP).ok());
    }
    let texts: Vec<String> = cuts.iter().filter_map(text_of).collect();
    let remark = (!cuts.is_empty()).then(|| {
        format!("`{}` stands in front of each copy, so that it waits for none; that takes its part of the time", texts.join("`, `"))
    });
    let how = match copies.len() {
        1 => "no copy reads what another one wrote".to_string(),
        count => format!(
            "{count} results take turns, so that a copy waits at most for the one {count} before it"
        ),
    };
    let with_cuts = copies
        .iter()
        .flat_map(|copy| cuts.iter().chain([copy]))
        .copied();
    Ok(Plan {
        body: with_cuts.collect(),
        copies: copies.len(),
        how,
        remark,
    })
}

/// The instruction with other registers for its results, also where they are sources; none where there are no more.
fn renamed(
    instruction: &Instruction,
    results: &[Register],
    kept: &[Register],
    lane: usize,
) -> Option<Instruction> {
    let mut copy = *instruction;
    for full in results {
        let free = pool(*full).into_iter().filter(|one| !kept.contains(one));
        let free: Vec<Register> = free.collect();
        let own = results
            .iter()
            .filter(|one| pool(**one) == pool(*full))
            .count();
        let number = results
            .iter()
            .take_while(|one| *one != full)
            .filter(|one| pool(**one) == pool(*full))
            .count();
        let register = *free.get(lane * own + number)?;
        for at in 0..instruction.op_count() {
            let before = instruction.op_register(at);
            if instruction.op_kind(at) == OpKind::Register && before.full_register() == *full {
                copy.set_op_register(at, sized(register, before)?);
            }
        }
        if has_memory(instruction) && instruction.memory_base() == *full {
            copy.set_memory_base(register);
        }
        if has_memory(instruction) && instruction.memory_index() == *full {
            copy.set_memory_index(register);
        }
    }
    encodes(&copy).then_some(copy)
}

/// The registers that may stand for one.
fn pool(register: Register) -> Vec<Register> {
    /// Not the stack pointer, and not g.
    const GENERAL: [u32; 14] = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 5, 12, 13, 15];
    let numbered =
        |first: Register, numbers: std::ops::Range<u32>| numbers.map(|at| first + at).collect();
    if register.is_gpr64() {
        GENERAL.iter().map(|at| Register::RAX + *at).collect()
    } else if register.is_vector_register() {
        numbered(Register::ZMM0, 0..16)
    } else if register.is_k() {
        numbered(Register::K0, 1..8)
    } else if register.is_mm() {
        numbered(Register::MM0, 0..8)
    } else {
        vec![register]
    }
}

/// A register as wide as another one of its kind.
fn sized(register: Register, like: Register) -> Option<Register> {
    let number = register.number() as u32;
    Some(match like {
        _ if is_high(like) => (number < 4).then(|| Register::AH + number)?,
        _ if like.is_gpr8() && number < 4 => Register::AL + number,
        _ if like.is_gpr8() => Register::SPL + (number - 4),
        _ if like.is_gpr16() => Register::AX + number,
        _ if like.is_gpr32() => Register::EAX + number,
        _ if like.is_gpr64() => Register::RAX + number,
        _ if like.is_xmm() => Register::XMM0 + number,
        _ if like.is_ymm() => Register::YMM0 + number,
        _ if like.is_zmm() => Register::ZMM0 + number,
        _ if like.is_k() => Register::K0 + number,
        _ if like.is_mm() => Register::MM0 + number,
        _ => return None,
    })
}

fn is_high(register: Register) -> bool {
    use Register::{AH, BH, CH, DH};
    [AH, CH, DH, BH].contains(&register)
}

/// The register of a result as wide as a source, where both are of one kind.
fn alike(result: Register, source: Register) -> Option<Register> {
    let kind = |register: Register| {
        let kinds = [
            register.is_gpr(),
            register.is_vector_register(),
            register.is_k(),
            register.is_mm(),
        ];
        kinds.iter().position(|is| *is)
    };
    let is_alike = kind(result).is_some() && kind(result) == kind(source);
    is_alike
        .then(|| sized(result.full_register(), source))
        .flatten()
}

fn encodes(instruction: &Instruction) -> bool {
    Encoder::new(64).encode(instruction, 0).is_ok()
}

/// The text of an instruction, as this program reads and prints it.
fn text_of(instruction: &Instruction) -> Option<String> {
    let mut encoder = Encoder::new(64);
    encoder.encode(instruction, 0).ok()?;
    let listed = asm::disassemble(&encoder.take_buffer(), 0, &|_| None);
    listed.into_iter().next().map(|one| one.text)
}

fn written(measured: Measured, asked: &str, plan: &Plan) -> Result<String, String> {
    let lines: Option<Vec<String>> = plan.body.iter().map(text_of).collect();
    let lines = lines.ok_or("its copies cannot be printed")?;
    asm::fragment(&lines.join("\n"))
        .map_err(|_| format!("`{}` is not read as it is printed", lines.join("; ")))?;
    let unroll = (COPIES / plan.copies).max(1);
    let asked = asked.trim().replace(['"', '\\'], "");
    let (what, reading) = match (measured, plan.copies) {
        (Measured::Latency, _) => (
            "latency",
            "The cycles of an iteration are its latency".to_string(),
        ),
        (Measured::Throughput, 1) => (
            "throughput",
            "The cycles of an iteration are those of one copy".to_string(),
        ),
        (Measured::Throughput, count) => (
            "throughput",
            format!("An iteration has {count} copies: cycles / {count} is the number of one"),
        ),
    };
    let mut out = format!(
        ";! title    = \"{what} of {asked}\"\n;! clobbers = \"all\"\n;! unroll   = {unroll}\n\n"
    );
    let _ = writeln!(out, "; {reading}; nothing is subtracted, and");
    let _ = writeln!(
        out,
        "; the loop around {unroll} iterations takes a cycle or two of them all."
    );
    let _ = writeln!(out, "; Of the copies: {}.", plan.how);
    if let Some(remark) = &plan.remark {
        let _ = writeln!(out, "; {remark}.");
    }
    let setup = setup(plan);
    if !setup.is_empty() {
        let _ = write!(out, "\nsetup:\n{setup}");
    }
    out += "\nbody:\n";
    for line in &lines {
        let _ = writeln!(out, "        {line}");
    }
    if plan.body.iter().any(has_memory) {
        let _ = write!(out, "\ndata \"{CELL}\":\n{}", cell(plan));
    }
    Ok(out)
}

/// What the cell holds: its own address where each load finds that of the next, else what suits the instruction.
fn cell(plan: &Plan) -> String {
    let one = plan.body[plan.body.len() - 1];
    let is_chase = used(&one).writes.contains(&one.memory_base()) && used(&one).reads_memory;
    let [low, high] = ones(&one);
    match is_chase && plan.copies == 1 {
        true => format!("        dq   \"{CELL}\"\n        resb {}\n", CELL_BYTES - 8),
        false if divides(&one) => format!("        times {} dq 1\n", CELL_BYTES / 8),
        false if is_float(&one) => {
            format!("        times {} dd {low:#x}, {high:#x}\n", CELL_BYTES / 8)
        }
        false => format!("        resb {CELL_BYTES}\n"),
    }
}

fn divides(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv)
}

/// Whether lanes are numbers with a point, of which 1 is a sensible one.
fn is_float(instruction: &Instruction) -> bool {
    let name = name_of(instruction);
    let is_vector = |at: u32| {
        instruction.op_kind(at) == OpKind::Register
            && instruction.op_register(at).is_vector_register()
    };
    (0..instruction.op_count()).any(is_vector)
        && ["ps", "ss", "pd", "sd"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The halves of eight bytes that hold 1.0, once or twice.
fn ones(instruction: &Instruction) -> [u32; 2] {
    match name_of(instruction).ends_with('d') {
        true => [0, 0x3ff0_0000],
        false => [0x3f80_0000; 2],
    }
}

/// Puts sensible values everywhere: no division faults, no number is denormal, and addresses are the cell's.
fn setup(plan: &Plan) -> String {
    let one = plan.body[plan.body.len() - 1];
    let is_base = |register: &Register| {
        plan.body
            .iter()
            .any(|one| has_memory(one) && one.memory_base() == *register)
    };
    let is_index = |register: &Register| {
        plan.body
            .iter()
            .any(|one| has_memory(one) && one.memory_index() == *register)
    };
    let mut read: Vec<Register> = Vec::new();
    for register in plan.body.iter().flat_map(|one| used(one).reads) {
        // The stack pointer is named by what cuts flags, and has a value.
        if register != Register::RSP && !read.contains(&register) {
            read.push(register);
        }
    }
    let mut out = String::new();
    if read
        .iter()
        .any(|register| register.is_vector_register() || register.is_mm())
    {
        let [low, high] = if is_float(&one) { ones(&one) } else { [7, 0] };
        let value = (u64::from(high) << 32) | u64::from(low);
        let _ = writeln!(
            out,
            "        mov  rax, {value:#x}\n        mov  [rsp], rax\n        mov  [rsp + 8], rax"
        );
    }
    for register in &read {
        let number = register.number();
        let _ = match register {
            _ if register.is_vector_register() && number < 16 => {
                writeln!(out, "        movups xmm{number}, [rsp]")
            }
            _ if register.is_vector_register() => {
                writeln!(out, "        vmovups xmm{number}, [rsp]")
            }
            _ if register.is_mm() => writeln!(out, "        movq mm{number}, [rsp]"),
            _ if register.is_k() => writeln!(out, "        kxnorw k{number}, k{number}, k{number}"),
            _ => Ok(()),
        };
    }
    for register in read.iter().filter(|register| register.is_gpr64()) {
        let name = format!("{register:?}").to_lowercase();
        let value = match register {
            _ if is_base(register) => {
                let _ = writeln!(out, "        lea  {name}, [\"{CELL}\"]");
                continue;
            }
            _ if is_index(register) => 0,
            // rdx:rax / 1 is rax, and leaves nothing over, for ever.
            Register::RDX if divides(&one) => 0,
            Register::RAX if divides(&one) => 100,
            _ if divides(&one) => 1,
            _ => 7,
        };
        let _ = writeln!(out, "        mov  {name}, {value}");
    }
    out
}
