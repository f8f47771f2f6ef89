//! Who uses which register: what latency may go through, and what it must not.
//!
//! Correct means: a free register is one that nothing of an iteration reads or writes, and a
//! register is called constant or carried by what the instructions say, calls taken to write all.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};

use super::Surroundings;
use crate::asm::{Program, Section, SectionKind};
use crate::template::Clobbers;

/// A section, decoded; the address of an instruction is its offset.
pub(super) struct Code {
    pub(super) instructions: Vec<Instruction>,
}

impl Code {
    pub(super) fn of(section: &Section) -> Code {
        let decoder = Decoder::with_ip(64, &section.bytes, 0, DecoderOptions::NONE);
        Code {
            instructions: decoder.into_iter().collect(),
        }
    }

    /// Index of the instruction that begins at an offset.
    pub(super) fn at(&self, offset: u32) -> Option<usize> {
        let found = self
            .instructions
            .binary_search_by_key(&offset, Instruction::ip32);
        found.ok()
    }
}

/// Registers that latency may go through, the least used by compilers first.
const SCRATCH: [Register; 13] = [
    Register::R11,
    Register::R10,
    Register::R9,
    Register::R8,
    Register::RDI,
    Register::RSI,
    Register::RBP,
    Register::RDX,
    Register::RCX,
    Register::RBX,
    Register::R15,
    Register::R13,
    Register::R12,
];

/// The general-purpose registers of an iteration, as bits by number.
pub(super) struct Usage {
    /// Those that something reads or writes, the setup included.
    used: u16,
    /// Those that something of an iteration writes.
    written: u16,
}

fn bit(register: Register) -> u16 {
    1 << register.full_register().number()
}

impl Usage {
    pub(super) fn of(program: &Program, around: &Surroundings) -> Usage {
        let harness = harness_registers(around);
        let received = around.received;
        let mut usage = Usage {
            used: harness | received,
            written: received,
        };
        let mut factory = InstructionInfoFactory::new();
        let code = |section: &&Section| section.kind != SectionKind::Data;
        for section in program.sections.iter().filter(code) {
            for code in &Code::of(section).instructions {
                usage.see(code, &mut factory, section.kind == SectionKind::Setup);
            }
        }
        usage
    }

    fn see(&mut self, code: &Instruction, factory: &mut InstructionInfoFactory, is_setup: bool) {
        let (mut read, mut written) = (0, 0);
        for used in factory.info(code).used_registers() {
            let register = used.register();
            if !register.is_gpr() {
                continue;
            }
            let access = used.access();
            if reads(access) {
                read |= bit(register);
            }
            if writes(access) {
                written |= bit(register);
            }
        }
        self.used |= read | written;
        if !is_setup {
            self.written |= written;
        }
    }

    /// Registers that nothing uses.
    pub(super) fn free(&self) -> impl Iterator<Item = Register> + use<> {
        let used = self.used;
        SCRATCH
            .into_iter()
            .filter(move |register| used & bit(*register) == 0)
    }

    /// Whether a register holds the same in each iteration when it comes to an instruction.
    pub(super) fn is_constant(&self, code: &Code, at: usize, register: Register) -> bool {
        let mut factory = InstructionInfoFactory::new();
        for code in code.instructions[..at].iter().rev() {
            if !matches!(
                code.flow_control(),
                FlowControl::Next | FlowControl::ConditionalBranch
            ) {
                return false;
            }
            let info = factory.info(code);
            let mut used = info.used_registers().iter();
            let is_writer = used
                .any(|used| used.register().full_register() == register && writes(used.access()));
            if is_writer {
                return is_same_always(code);
            }
        }
        self.written & bit(register) == 0
    }
}

/// The general registers that neither the program nor the harness around it names, by hardware number, the least used by
/// compilers first.
pub fn unused(program: &Program, around: &Surroundings) -> Vec<u8> {
    let free = Usage::of(program, around).free();
    free.map(|register| register.number() as u8).collect()
}

/// Whether an instruction writes what no other decides.
fn is_same_always(code: &Instruction) -> bool {
    let is_immediate = |op: u32| {
        !matches!(
            code.op_kind(op),
            OpKind::Register | OpKind::Memory | OpKind::NearBranch64
        )
    };
    match code.mnemonic() {
        Mnemonic::Mov => is_immediate(1),
        Mnemonic::Lea => {
            let base = code.memory_base();
            (base == Register::None || base == Register::RIP)
                && code.memory_index() == Register::None
        }
        Mnemonic::Xor | Mnemonic::Sub => {
            code.op1_kind() == OpKind::Register && code.op0_register() == code.op1_register()
        }
        _ => false,
    }
}

/// What it keeps or needs, and what it reads behind the body.
fn harness_registers(around: &Surroundings) -> u16 {
    let own: &[Register] = match around.clobbers {
        Clobbers::Some => &[Register::R12, Register::R13, Register::R15],
        Clobbers::All => &[],
    };
    let work: &[Register] = match around.work.is_none() {
        true => &[],
        false => &[Register::R10, Register::R11],
    };
    let always = [
        Register::RSP,
        Register::R14,
        Register::RAX,
        Register::RBX,
        Register::RCX,
        Register::RDX,
    ];
    let all = always.iter().chain(own).chain(work);
    all.fold(around.results, |bits, register| bits | bit(*register))
}

fn reads(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

pub(super) fn writes(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

/// The registers that are operands of an instruction and read, in their order.
pub(super) fn read_operands(code: &Instruction) -> Vec<Register> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(code);
    let operands = 0..code.op_count();
    operands
        .filter(|op| code.op_kind(*op) == OpKind::Register && reads(info.op_access(*op)))
        .map(|op| code.op_register(op))
        .collect()
}
