//! Where a program decides at run time what to call.
//!
//! Correct means: every indirect call and jump of the code is a site, once; what kind it is is read off
//! the instructions in front of it, and is `Other` where they do not tell.

use std::collections::{HashMap, HashSet};

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind,
    Register,
};

use super::{Binary, Content, Symbol};
use crate::asm;

/// How a site chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Through a slot of an itab.
    Itab {
        /// Which one.
        slot: u64,
    },
    /// Through a slot of a table whose address is an object's first word, or a reference's second.
    Vtable {
        /// Which one, in words from the table's address.
        slot: u64,
    },
    /// By a function value of Go.
    FuncValue,
    /// Through a table of addresses, by a number, or by a type's hash.
    JumpTable {
        /// Whether the number is made of a type's hash.
        by_type: bool,
    },
    /// By comparing a type's hash with those of types.
    Hashes {
        /// How many hashes it is compared with.
        cases: usize,
    },
    /// A compare of the itab in front of a call through it, as a profile makes the compiler do.
    Guard {
        /// The itab's name.
        itab: String,
    },
    /// Through a cell that the loader fills.
    Linked,
    /// By a register or a word, and nothing tells what it holds.
    Other,
}

impl How {
    /// In a word or two.
    pub fn name(&self) -> &'static str {
        match self {
            How::Itab { .. } => "itab",
            How::Vtable { .. } => "vtable",
            How::FuncValue => "func value",
            How::JumpTable { by_type: true } => "type switch, table",
            How::JumpTable { by_type: false } => "switch, table",
            How::Hashes { .. } => "type switch, hashes",
            How::Guard { .. } => "guard",
            How::Linked => "linked",
            How::Other => "other",
        }
    }

    /// Whether it chooses by the type of an interface of Go.
    pub fn is_by_interface(&self) -> bool {
        matches!(
            self,
            How::Itab { .. }
                | How::Hashes { .. }
                | How::Guard { .. }
                | How::JumpTable { by_type: true }
        )
    }

    /// The shipped scenario that shows the like.
    pub fn row(&self) -> Option<String> {
        Some(match self {
            How::Itab { slot: slot @ 0..=2 } if *slot > 0 => format!("itab_call[slot={slot}]"),
            How::Itab { .. } => "itab_call".into(),
            How::Vtable { slot: slot @ 1..=2 } => format!("vtable_call[slot={slot}]"),
            How::Vtable { .. } => "vtable_call".into(),
            How::FuncValue => "func_value".into(),
            How::JumpTable { by_type: true } => "type_switch[strategy=jump]".into(),
            How::JumpTable { by_type: false } => "int_switch".into(),
            How::Hashes { .. } => "type_switch[strategy=binary]".into(),
            How::Guard { .. } => "guard".into(),
            How::Linked | How::Other => return None,
        })
    }
}

/// A place where it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Of the instruction.
    pub address: u64,
    /// The function around it.
    pub function: String,
    /// How.
    pub how: How,
    /// The instruction.
    pub text: String,
}

/// Functions that a program has code of.
pub fn functions<'b, 'a>(binary: &'b Binary<'a>) -> impl Iterator<Item = &'b Symbol<'a>> {
    let mut last = None;
    binary.symbols.iter().filter(move |symbol| {
        let is_new = last.replace(symbol.address) != Some(symbol.address);
        let is_code = || {
            let section = binary.section(symbol.address);
            section.is_some_and(|section| section.content == Content::Code)
        };
        symbol.size > 0 && is_new && is_code()
    })
}

/// Bytes of code that belong to no function that the file names, and all bytes of code. Where a program is stripped, the
/// former is most of it; gaps between functions and the linker's stubs are always a part of it.
pub fn unnamed_code(binary: &Binary<'_>) -> [u64; 2] {
    let sections = binary.sections.iter();
    let code = sections.filter(|section| section.content == Content::Code);
    let all: u64 = code.map(|section| section.size).sum();
    let named: u64 = functions(binary).map(|symbol| symbol.size).sum();
    [all.saturating_sub(named), all]
}

/// How many instructions name each of these addresses.
pub fn references(binary: &Binary<'_>, addresses: &HashSet<u64>) -> HashMap<u64, usize> {
    let mut found = HashMap::new();
    let sections = binary.sections.iter();
    for section in sections.filter(|section| section.content == Content::Code) {
        let mut decoder =
            Decoder::with_ip(64, &section.bytes, section.address, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if instruction.is_ip_rel_memory_operand() {
                let address = instruction.ip_rel_memory_address();
                if addresses.contains(&address) {
                    *found.entry(address).or_insert(0) += 1;
                }
            }
        }
    }
    found
}

/// What is known of a register's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// A word loaded from so far behind another register's value.
    Word { base: Register, offset: u64 },
    /// A type's hash, as far as its offset tells.
    Hash,
    /// An address in the file.
    Address(u64),
    /// The distance of a case from its table.
    Distance,
}

/// A function while its instructions are gone through.
struct Function<'b, 'a> {
    finder: &'b Finder<'b, 'a>,
    name: &'b str,
    /// Its addresses.
    ends: std::ops::Range<u64>,
    values: HashMap<Register, Value>,
    /// The last instruction that loaded a hash, by number.
    hashed: Option<usize>,
    /// Where hashes are compared: the first compare, and how many there are.
    compares: Option<(u64, String, usize)>,
    /// Compares with an itab: where, which, and where the branch goes that is taken where it is another.
    guards: Vec<(u64, String, String, u64)>,
    compared: Option<(u64, String, String)>,
    sites: Vec<Site>,
}

/// What the sites of all functions are read off with.
pub struct Finder<'b, 'a> {
    binary: &'b Binary<'a>,
    /// Hashes of the types that a Go program has itabs of or compares with.
    hashes: HashSet<u32>,
    itabs: HashMap<u64, String>,
}

impl<'b, 'a> Finder<'b, 'a> {
    /// Of a program.
    pub fn new(binary: &'b Binary<'a>) -> Finder<'b, 'a> {
        let go = binary.go.as_ref();
        let itabs = go.into_iter().flat_map(|go| &go.itabs);
        Finder {
            binary,
            hashes: go.map_or_else(HashSet::new, |go| go.hashes()),
            itabs: itabs.map(|table| (table.address, table.symbol())).collect(),
        }
    }

    /// The sites of a function, ascending by address.
    pub fn sites(&self, symbol: &'b Symbol<'a>) -> Vec<Site> {
        let Some(bytes) = self.binary.bytes(symbol.address, symbol.size) else {
            return Vec::new();
        };
        let mut function = Function {
            finder: self,
            name: &symbol.name,
            ends: symbol.address..symbol.address.saturating_add(symbol.size),
            values: HashMap::new(),
            hashed: None,
            compares: None,
            guards: Vec::new(),
            compared: None,
            sites: Vec::new(),
        };
        let mut info = InstructionInfoFactory::new();
        let mut decoder = Decoder::with_ip(64, bytes, symbol.address, DecoderOptions::NONE);
        let mut number = 0;
        while decoder.can_decode() {
            let start = decoder.position();
            let instruction = decoder.decode();
            let own = &bytes[start..decoder.position()];
            function.pass(number, &instruction, own, &mut info);
            number += 1;
        }
        function.end()
    }
}

impl Function<'_, '_> {
    fn text(&self, instruction: &Instruction, bytes: &[u8]) -> String {
        let name = |address: u64| self.finder.binary.name_of(address);
        let listed = asm::disassemble(bytes, instruction.ip(), &name);
        listed
            .into_iter()
            .next()
            .map_or(String::new(), |one| one.text)
    }

    fn pass(
        &mut self,
        number: usize,
        instruction: &Instruction,
        bytes: &[u8],
        info: &mut InstructionInfoFactory,
    ) {
        let flow = instruction.flow_control();
        if matches!(
            flow,
            FlowControl::IndirectCall | FlowControl::IndirectBranch
        ) {
            let how = self.how(instruction, number, flow == FlowControl::IndirectBranch);
            let text = self.text(instruction, bytes);
            self.site(instruction.ip(), how, text);
        }
        self.compare(instruction, bytes);
        let gained = self.gained(instruction, number);
        match flow {
            FlowControl::Call | FlowControl::IndirectCall => self.values.clear(),
            _ => {
                for used in info.info(instruction).used_registers() {
                    let writes = matches!(
                        used.access(),
                        iced_x86::OpAccess::Write
                            | iced_x86::OpAccess::CondWrite
                            | iced_x86::OpAccess::ReadWrite
                            | iced_x86::OpAccess::ReadCondWrite
                    );
                    if writes {
                        self.values.remove(&used.register().full_register());
                    }
                }
            }
        }
        if let Some((register, value)) = gained {
            self.values.insert(register, value);
        }
    }

    fn site(&mut self, address: u64, how: How, text: String) {
        self.sites.push(Site {
            address,
            function: self.name.to_string(),
            how,
            text,
        });
    }

    /// How an indirect call or jump chooses.
    fn how(&self, instruction: &Instruction, number: usize, is_jump: bool) -> How {
        let is_go = self.finder.binary.go.is_some();
        let is_memory = instruction.op0_kind() == OpKind::Memory;
        if instruction.is_ip_rel_memory_operand() {
            let cell = instruction.ip_rel_memory_address();
            return match self.finder.binary.patch(cell) {
                Some(_) => How::Linked,
                None => How::Other,
            };
        }
        if is_memory && instruction.memory_index() != Register::None {
            /// Instructions between the load of a hash and the jump that it chooses.
            const NEAR: usize = 12;
            let by_type = self.hashed.is_some_and(|at| number - at <= NEAR);
            return match is_jump && !self.is_of_functions(instruction) {
                true => How::JumpTable { by_type },
                false => How::Other,
            };
        }
        let (base, offset) = match is_memory {
            true => (
                instruction.memory_base(),
                instruction.memory_displacement64(),
            ),
            false => match self.values.get(&instruction.op0_register()) {
                Some(Value::Word { base, offset }) => (*base, *offset),
                Some(Value::Distance) if is_jump => return How::JumpTable { by_type: false },
                _ => return How::Other,
            },
        };
        let is_frame = matches!(base, Register::RSP | Register::RBP | Register::None);
        // Tables are no larger, and what is far behind an object is no table.
        const LARGEST: u64 = 8 * 512;
        if is_frame || offset % 8 != 0 || offset > LARGEST {
            return How::Other;
        }
        match (is_go, offset) {
            (true, 0) => How::FuncValue,
            (true, 24..) => How::Itab {
                slot: (offset - 24) / 8,
            },
            (true, _) => How::Other,
            (false, _) => How::Vtable { slot: offset / 8 },
        }
    }

    /// Whether a jump goes through a table whose first entry is known, and is no place of this function: what is called
    /// last, through a table of functions.
    fn is_of_functions(&self, instruction: &Instruction) -> bool {
        let table = match self.values.get(&instruction.memory_base()) {
            Some(Value::Address(table)) => table.wrapping_add(instruction.memory_displacement64()),
            _ if instruction.memory_base() == Register::None => instruction.memory_displacement64(),
            _ => return false,
        };
        let first = self.finder.binary.word(table);
        first.is_some_and(|first| !self.ends.contains(&first))
    }

    /// What an instruction leaves in a register.
    fn gained(&mut self, instruction: &Instruction, number: usize) -> Option<(Register, Value)> {
        if instruction.op_count() < 2 || instruction.op0_kind() != OpKind::Register {
            return None;
        }
        let to = instruction.op0_register();
        let full = to.full_register();
        let is_memory = instruction.op1_kind() == OpKind::Memory;
        let is_plain = is_memory
            && instruction.memory_index() == Register::None
            && instruction.memory_base() != Register::None;
        match instruction.mnemonic() {
            Mnemonic::Lea if instruction.is_ip_rel_memory_operand() => {
                Some((full, Value::Address(instruction.ip_rel_memory_address())))
            }
            Mnemonic::Mov
                if is_plain && to.is_gpr32() && instruction.memory_displacement64() == 16 =>
            {
                self.hashed = Some(number);
                Some((full, Value::Hash))
            }
            Mnemonic::Mov
                if is_plain && to.is_gpr64() && !instruction.is_ip_rel_memory_operand() =>
            {
                Some((
                    full,
                    Value::Word {
                        base: instruction.memory_base(),
                        offset: instruction.memory_displacement64(),
                    },
                ))
            }
            Mnemonic::Mov if !is_memory && instruction.op1_kind() == OpKind::Register => {
                let value = self
                    .values
                    .get(&instruction.op1_register().full_register())?;
                Some((full, *value))
            }
            Mnemonic::Movsxd if is_memory => Some((full, Value::Distance)),
            Mnemonic::Add => {
                let is_distance = |register: Register| {
                    self.values.get(&register.full_register()) == Some(&Value::Distance)
                };
                let from = (instruction.op1_kind() == OpKind::Register)
                    .then(|| instruction.op1_register());
                (is_distance(to) || from.is_some_and(is_distance))
                    .then_some((full, Value::Distance))
            }
            _ => None,
        }
    }

    /// Notes compares with hashes and with itabs.
    fn compare(&mut self, instruction: &Instruction, bytes: &[u8]) {
        if instruction.mnemonic() != Mnemonic::Cmp {
            let compared = self.compared.take();
            if let (Some((at, text, itab)), true) = (compared, instruction.is_jcc_short_or_near()) {
                self.guards
                    .push((at, text, itab, instruction.near_branch_target()));
            }
            return;
        }
        self.compared = None;
        let registers = (0..instruction.op_count())
            .filter(|at| instruction.op_kind(*at) == OpKind::Register)
            .map(|at| instruction.op_register(at));
        let mut values =
            registers.filter_map(|register| self.values.get(&register.full_register()).copied());
        let address = values.clone().find_map(|value| match value {
            Value::Address(address) => self.finder.itabs.get(&address).cloned(),
            _ => None,
        });
        if let Some(itab) = address {
            self.compared = Some((instruction.ip(), self.text(instruction, bytes), itab));
            return;
        }
        let is_hash = values.any(|value| value == Value::Hash);
        let number = match instruction.op1_kind() {
            OpKind::Immediate32 | OpKind::Immediate8to32 => Some(instruction.immediate(1) as u32),
            _ => None,
        };
        if is_hash && number.is_some_and(|number| self.finder.hashes.contains(&number)) {
            match &mut self.compares {
                Some((_, _, count)) => *count += 1,
                None => self.compares = Some((instruction.ip(), self.text(instruction, bytes), 1)),
            }
        }
    }

    fn end(mut self) -> Vec<Site> {
        if let Some((address, text, cases)) = self.compares.take() {
            self.site(address, How::Hashes { cases }, text);
        }
        for (address, text, itab, other) in std::mem::take(&mut self.guards) {
            /// Bytes behind a branch within which the call stands that it guards.
            const NEAR: u64 = 64;
            let is_call = |site: &Site| {
                matches!(site.how, How::Itab { .. }) && site.address.wrapping_sub(other) < NEAR
            };
            if self.sites.iter().any(is_call) {
                self.site(address, How::Guard { itab }, text);
            }
        }
        self.sites.sort_by_key(|site| site.address);
        self.sites
    }
}
